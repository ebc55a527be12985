"""What a fresh clone relies on: packaging, the two commands, and the rules that a reviewer would
otherwise check by hand."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from plan import LONGEST, NOTEBOOKS, ROOT, SLOW_FILES, SLOW_TESTS, TRAINING
from rattler import MatchSpec

from notebooks.tools import build, recording

MODULES = sorted((ROOT / "lautum_utils").rglob("*.py"))
EXERCISES = [*NOTEBOOKS.glob("lautum_pages/exercises_*.py"), NOTEBOOKS / "lautum_pages/shared.py"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def identity(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def requirements() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def test_constraints_hold_an_exact_version_of_each_dependency_and_no_address() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    pinned = {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in (line.split("==") for line in lines)
    }
    for requirement in requirements():
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert requirement.specifier.contains(pinned[name]), requirement


def test_environment_yml_is_what_conda_reads() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *specs, pip = environment["dependencies"]
    assert [str(MatchSpec(spec, strict=True)).split()[0] for spec in specs] == ["python", "pip"]
    # Conda writes these lines to a requirements file beside environment.yml, so that the paths in
    # them are those of this folder.
    assert pip == {"pip": ["-c constraints.txt", "-e .[lab,teach,test]"]}
    assert (ROOT / "constraints.txt").exists()
    assert {"lab", "teach", "test"} == PROJECT["optional-dependencies"].keys()
    conda = SpecifierSet(specs[0].removeprefix("python"))
    assert "3.11" in conda, "the version that is tested"
    asked = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in conda]
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in asked)


def test_the_citation_and_the_devcontainer_are_what_their_readers_want() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_bytes())
    version = container["image"].split(":")[1]
    assert version in SpecifierSet(PROJECT["requires-python"])
    target = container["onCreateCommand"].split()[1]
    plan = subprocess.run(
        ["make", "-n", "-W", "pyproject.toml", target],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "pip install" in plan.stdout


def test_hooks_check_a_commit(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    said = subprocess.run(
        ["make", "hooks"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert "git commit --no-verify" in said
    hook = tmp_path / ".git/hooks/pre-commit"
    assert os.access(hook, os.X_OK)
    lines = hook.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["#!/bin/sh", "set -e", "make -s lint"]
    names = lines[3].split(" -k ")[1].strip('"').split(" or ")
    tests = "".join(
        (ROOT / "tests/pages" / name).read_text(encoding="utf-8")
        for name in ("test_notebooks.py", "test_exercises.py")
    )
    assert all(name in tests for name in names)


def test_what_the_user_named_is_there() -> None:
    names = {r.name for r in requirements()}
    assert {
        "jupyterlab",
        "torch",
        "torchvision",
        "matplotlib",
        "ipywidgets",
        "papermill",
        "nbval",
    } <= names


def imports(path: Path) -> set[str]:
    """The modules that a file imports; of `from lautum_utils import name` the module of that
    name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "lautum_utils":
            found |= {f"lautum_utils.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", MODULES, ids=identity)
def test_only_widgets_need_ipywidgets_and_nothing_needs_pyplot(module: Path) -> None:
    imported = imports(module)
    assert "ipywidgets" not in imported or module.parent.name == "widgets"
    assert not any(name.startswith("matplotlib.pyplot") for name in imported)


@pytest.mark.parametrize("path", EXERCISES, ids=identity)
def test_the_exercises_import_only_the_measures(path: Path) -> None:
    ours = {name for name in imports(path) if name.startswith("lautum")}
    assert ours <= {"lautum_utils.information"}


@pytest.mark.parametrize(
    "path",
    [*MODULES, *EXERCISES, *sorted((NOTEBOOKS / "source").glob("*.py"))],
    ids=identity,
)
def test_nothing_assumes_a_device(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ".cuda()" not in text
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("torch.tensor", "torch.eye"):
            keywords = {keyword.arg for keyword in call.keywords}
            on_host = (
                path.stem == "domains" and "dtype" in keywords
            )  # tables of probabilities, on the CPU by design
            assert "device" in keywords or on_host, ast.unparse(call)


def test_the_readme_names_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 165
    assert "make lab" in readme
    assert "make test" in readme
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_make_help_lists_the_commands() -> None:
    text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    for name in (
        "lab",
        "app",
        "test",
        "notebooks",
        "site",
        "course",
        "record",
        "methods",
        "bench",
        "race",
        "versions",
        "hooks",
        "help",
    ):
        assert re.search(rf"^{name}\s+\S", text, re.MULTILINE), name
    plan = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert "pytest" in plan
    assert "mypy" in plan
    assert "ruff" in plan


def planned(*arguments: str) -> str:
    """What make would do on a fresh clone."""
    command = ["make", "-n", "--no-print-directory", "VENV=not-there", *arguments]
    outside = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    return subprocess.run(
        command, cwd=ROOT, env=outside, capture_output=True, encoding="utf-8", check=True
    ).stdout


def test_make_tests_a_part_or_the_fast_ones() -> None:
    assert ' -k "06 or site" ' in planned("test", "ONLY=06 or site")
    assert ' -m "not slow" tests' in planned("check")
    compared = planned("test").splitlines()[-1].split(" tests ")[1].split()
    assert "notebooks/01_measuring_dependence.ipynb" in compared
    outputs = {
        p.name
        for p in NOTEBOOKS.glob("*.ipynb")
        if "nbval-check-output" in p.read_text(encoding="utf-8")
    }
    assert {Path(name).name for name in compared} == outputs


def test_what_runs_later_or_longer_is_there() -> None:
    files = {
        path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")
    }
    for beginning in (*SLOW_FILES, *TRAINING, *LONGEST):
        assert [name for name in files if name.startswith(beginning)], beginning
    for place in SLOW_TESTS:
        name, test = place.split("::")
        assert f"\ndef {test}" in files[name], place


def test_a_small_install_takes_torch_from_its_own_index_and_nothing_else() -> None:
    small = [line for line in planned("lab", "CPU=1").splitlines() if "pip install" in line]
    (torch,) = [line for line in small if "--index-url" in line]
    assert small.index(torch) == 0
    assert torch.endswith("-c constraints.txt torch torchvision")
    assert "--no-deps" in torch
    assert "--index-url" not in planned("lab")


@pytest.mark.parametrize("container", ["", "podman"])
def test_jupyterlab_runs_as_root_in_a_container_only(container: str) -> None:
    plan = planned("lab", f"CONTAINER={container}")
    assert ("--allow-root" in plan) == (bool(container) and os.geteuid() == 0)


@pytest.mark.parametrize("arguments", [["--help"], ["99"]])
def test_the_notebook_build_explains_itself(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "notebooks.tools.build", *arguments],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    if arguments == ["--help"]:
        assert done.returncode == 0
        assert "notebooks/source" in done.stdout
    else:
        assert done.returncode == 1
        assert done.stderr.strip().endswith("got 99.")


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_long_commands_with_a_line_on_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["build", "11"])
    monkeypatch.setattr(build, "build", interrupted)
    with pytest.raises(
        SystemExit, match=r"Stopped in 11_transformer_faults\. It is as it was before"
    ):
        build.main()
    monkeypatch.setattr(sys, "argv", ["record", "--store", "some.store", "--workers", "1"])
    monkeypatch.setattr(recording, "sweep", interrupted)
    kept = r"Stopped\. What is done is kept in some\.store: the same command goes on from there\."
    with pytest.raises(SystemExit, match=kept):
        recording.main("a record", [], "a.store", Path("a.json.gz"))
