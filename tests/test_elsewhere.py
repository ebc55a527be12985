"""Where the project starts on machines that are not the user's: GitHub's, Binder's, Colab's."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from plan import ROOT
from try_versions import PROJECT, PROMISED

from notebooks.tools.navigation import ON_COLAB

WORKFLOW = ROOT / ".github/workflows/test.yml"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ZIZMOR = Path(sys.executable).with_name("zizmor")


def lint(workflow: Path) -> subprocess.CompletedProcess[str]:
    """What a linter of workflows says of a file, without the network."""
    command = [ZIZMOR, "--offline", "--no-progress", "--strict-collection", "--pedantic", workflow]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


def test_a_linter_finds_nothing_in_the_workflow() -> None:
    done = lint(WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "broken", "says"),
    [
        ("runs-on:", "runs_on:", "'runs_on' was unexpected"),
        ("  contents: read", "  contents: reed", 'is not one of "read"'),
        (r"@[0-9a-f]{40} .*", "@v7", "unpinned-uses"),
        ("run: .ci/run", "run: echo ${{ github.head_ref }}", "template-injection"),
    ],
)
def test_the_linter_sees_what_is_wrong(line: str, broken: str, says: str, tmp_path: Path) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    wrong = tmp_path / "test.yml"
    wrong.write_text(re.sub(line, lambda _: broken, text), encoding="utf-8")
    done = lint(wrong)
    assert done.returncode
    assert says in done.stdout + done.stderr


def test_the_workflow_runs_the_test_command_as_far_as_its_words_are_right() -> None:
    """What the linter passes over: keys that GitHub does not know, variables that are not there."""
    workflow: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    # YAML 1.1 takes the key "on" for true.
    assert set(workflow) == {"name", True, "permissions", "concurrency", "jobs"}
    assert set(workflow[True]) == {"push", "pull_request", "workflow_dispatch"}
    (job,) = workflow["jobs"].values()
    assert set(job) == {"name", "runs-on", "timeout-minutes", "strategy", "env", "steps"}
    matrix = job["strategy"]["matrix"]
    named = re.findall(r"matrix\.(\w+)", WORKFLOW.read_text(encoding="utf-8"))
    assert set(named) == set(matrix) == {"python"}
    assert all(version in PROMISED for version in matrix["python"])
    assert all(re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE) for name in job["env"])
    *_, python, last = job["steps"]
    assert all((ROOT / path).exists() for path in python["with"]["cache-dependency-path"].split())
    assert os.access(ROOT / last["run"], os.X_OK)
    assert (ROOT / last["run"]).read_text(encoding="utf-8").endswith("\nmake test\n")


def test_binder_installs_what_the_notebooks_need_in_the_tested_versions() -> None:
    lines = (ROOT / ".binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    options = [shlex.split(line) for line in lines if not line.startswith("#")]
    (cpu,) = re.findall(r"^CPU_INDEX \?= (\S+)$", MAKEFILE, re.MULTILINE)
    assert options == [["--extra-index-url", cpu], ["-c", "../constraints.txt"], ["-e", ".[lab]"]]
    assert (ROOT / ".binder/../constraints.txt").exists(), "pip reads it relative to this file"
    python = (ROOT / ".binder/runtime.txt").read_text(encoding="utf-8").strip()
    assert python.removeprefix("python-") in SpecifierSet(PROJECT["requires-python"])


COLAB_HAS = "torch==2.5.1+cu124\nnumpy==1.26.4\nTyping_Extensions==4.0\nrpy2 @ file:///rpy2.whl\n"


def test_colab_keeps_what_it_has_and_gets_the_rest_in_the_tested_versions(tmp_path: Path) -> None:
    _, freeze, rest, install = re.findall(r"^ +!(.+)$", ON_COLAB, re.MULTILINE)
    pins = "# tested\ndask==2026.1\nnumpy==2.1\ntorch==2.14\ntyping_extensions==4.16\n"
    (tmp_path / "constraints.txt").write_text(pins, encoding="utf-8")
    pip = tmp_path / "pip"
    pip.write_text(f"#!/bin/sh\nprintf '{COLAB_HAS}'\n", encoding="utf-8")
    pip.chmod(0o755)
    for line in (freeze, rest):
        script = line.replace("/content", str(tmp_path))
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", script], cwd=tmp_path, env=path, check=True)
    kept = (tmp_path / "kept.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in kept if not line.startswith("#")] == [
        "torch==2.5.1+cu124",
        "numpy==1.26.4",
        "dask==2026.1",
    ]
    *_, project, papermill, dask, distributed, bokeh = shlex.split(install)
    assert project == "."
    lab = {Requirement(line).name for line in PROJECT["optional-dependencies"]["lab"]}
    assert {papermill, dask, distributed, bokeh} <= lab
