"""`make bench` prints a row for whatever happened, and `make test` runs every benchmark that it
measures."""

import ast
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "tests/bench"
FILES = sorted(BENCH.glob("*.py"))

BENCHMARKS = """
def test_sound(bench):
    works = {"one": lambda: sum(range(100)), "other": lambda: sum(range(200))}
    medians = bench.medians(works, rounds=2)
    bench.ratio("first of two", medians, "one", "other")
    bench.promise("a thing out of reach", 3.0, "s", "<= 2")
    bench.grows("growth by size", {8: 1.0})

def test_broken(bench):
    bench.promise("before the fault", 1.0, "s", "<= 2")
    (lambda four: None)()

def test_silent(bench):
    pass

def test_without_a_number(bench):
    bench.promise("nothing", float("nan"), "s")

def test_after_all_these(bench):
    bench.promise("last of all", 1.5, "s", "<= 2")
"""


def make_bench() -> list[str]:
    """The words of the command that `make bench` runs."""
    plan = subprocess.run(
        ["make", "-n", "bench"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    return shlex.split(
        next(line for line in plan.replace("\\\n", " ").splitlines() if "--bench-size" in line)
    )


def run_bench(folder: Path, arguments: list[str]) -> tuple[int, str]:
    """The exit status of pytest, and what it says. Plugins that no benchmark needs take seconds to
    load: without them."""
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "pytest_benchmark.plugin", *arguments]
    done = subprocess.run(command, cwd=folder, env=alone, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Benchmarks of which some fail, in each way that there is."""
    made = tmp_path_factory.mktemp("benchmarks")
    for name in ("conftest.py", "benching.py"):
        shutil.copy(BENCH / name, made)
    (made / "test_bench_some.py").write_text(BENCHMARKS, encoding="utf-8")
    (made / "test_bench_torn.py").write_text(
        "import a_module_that_is_not_there\n", encoding="utf-8"
    )
    return made


def test_every_row_is_printed_also_of_what_fails(folder: Path) -> None:
    program, *arguments = make_bench()
    assert Path(program).name == "pytest"
    assert [argument for argument in arguments if "tests" in argument] == ["tests/bench"], (
        "every benchmark, none is left out"
    )
    assert not {"-k", "-m", "--deselect", "--ignore"} & set(arguments)
    status, said = run_bench(
        folder, [str(folder) if argument == "tests/bench" else argument for argument in arguments]
    )
    assert status == 1, said
    rows = said[said.index("\ntorch ") :].splitlines()
    wanted = (
        ("test_bench_torn.py", "FAILED", "No module named 'a_module_that_is_not_there'"),
        ("first of two", " x "),
        ("a thing out of reach", "3 s", "<= 2 s: NOT MET"),
        ("before the fault", "1 s", "<= 2 s: met"),
        (
            "test_bench_some.py::test_broken",
            "FAILED",
            "TypeError",
            "missing 1 required positional argument: 'four'",
        ),
        ("test_bench_some.py::test_silent", "FAILED", "wrote none"),
        ("test_bench_some.py::test_without_a_number", "FAILED", "finite number"),
        ("last of all", "1.5 s", "<= 2 s: met"),
        ("how time grows",),
        ("growth by size", "8: 1.00"),
    )
    found = [
        next((i for i, row in enumerate(rows) if all(part in row for part in parts)), -1)
        for parts in wanted
    ]
    assert -1 not in found, said
    assert found == sorted(found), said


def test_the_smallest_size_fails_where_a_benchmark_does_and_judges_no_promise(folder: Path) -> None:
    status, said = run_bench(folder, ["-q", "--no-header", "test_bench_some.py", "-rA"])
    assert status == 1
    assert "2 passed, 3 failed" in said or "3 failed, 2 passed" in said, said
    for name in ("test_sound", "test_after_all_these"):
        assert f"PASSED test_bench_some.py::{name}" in said
    assert "TypeError" in said
    assert "NOT MET" not in said


def test_the_run_of_all_tests_finds_the_benchmarks() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "pytest"
    ]["ini_options"]
    assert "tests" in options["testpaths"]
    assert not [pattern for pattern in options["norecursedirs"] if fnmatch(BENCH.name, pattern)]
    assert not BENCH.joinpath("__init__.py").exists()
    measured = [path for path in FILES if path.name.startswith("test_")]
    assert len(measured) > 2
    for path in set(FILES) - set(measured):
        assert "\ndef test_" not in path.read_text(encoding="utf-8"), (
            f"{path.name} is not read as a file of tests"
        )


def private_names(path: Path) -> Iterator[str]:
    """What a file takes from elsewhere that begins with an underscore, also when it is named in a
    text, as patches do."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [getattr(node, "attr", "")]
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.isidentifier()
        ):
            names = [node.value]
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_benchmarks_use_public_names_only(path: Path) -> None:
    assert not list(private_names(path)), (
        "what is private changes, and a benchmark is not its only reason to"
    )
