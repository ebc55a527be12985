"""Which versions fit: the pins of constraints.txt and the ranges of pyproject.toml, on each Python
that is promised."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from try_versions import (
    EXTRAS,
    KINDS,
    PROJECT,
    PROMISED,
    ROOT,
    attempts,
    counts,
    environment,
    find_uv_bin,
    lowest_python,
)

LOWEST = str(lowest_python())
PYTHONS = (LOWEST, "3.12.0", "3.13.0", "3.14.0")
PINS = ROOT / "constraints.txt"
# Of these PyTorch alone decides, and a machine without a GPU of that make has none of them.
DRIVERS = re.compile(r"nvidia|cuda|triton")

Resolve = Callable[..., subprocess.CompletedProcess[str]]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> dict[str, str]:
    """The versions that a file of constraints, or what the resolver wrote, names."""
    lines = (line.split("==") for line in text.splitlines() if re.match(r"[^#\s]+==", line))
    return {plain(name): version.strip() for name, version in lines}


def too_new(
    installed: Iterable[metadata.Distribution], pins: dict[str, str], python: str
) -> list[str]:
    """A sentence for each pin that does not run on a Python, by what the installed package says of
    itself."""
    return [
        f"constraints.txt pins {found.name}=={found.version}, which needs Python {wanted}; "
        f"{python} is promised: pin another."
        for found in installed
        if pins.get(plain(found.name)) == found.version
        and (wanted := found.metadata.get("Requires-Python"))
        and python not in SpecifierSet(wanted)
    ]


def test_each_pin_that_is_installed_runs_on_the_lowest_python() -> None:
    assert not too_new(metadata.distributions(), pinned(PINS.read_text(encoding="utf-8")), LOWEST)


@pytest.mark.parametrize(
    ("pin", "wants", "sentences"),
    [("4.1.2", ">=3.11.5", 1), ("4.1.2", ">=3.11", 0), ("4.1.2", "", 0), ("2.10", ">=3.11.5", 0)],
    ids=["newer", "fits", "says nothing", "another version is pinned"],
)
def test_a_pin_that_wants_a_newer_python_is_named(
    pin: str, wants: str, sentences: int, tmp_path: Path
) -> None:
    folder = tmp_path / "soup_sieve-4.1.2.dist-info"
    folder.mkdir()
    said = "Metadata-Version: 2.1\nName: soup_sieve\nVersion: 4.1.2\n" + (
        f"Requires-Python: {wants}\n" if wants else ""
    )
    (folder / "METADATA").write_text(said, encoding="utf-8")
    found = too_new(metadata.distributions(path=[str(tmp_path)]), {"soup-sieve": pin}, "3.11.0")
    assert len(found) == sentences
    assert all(
        "soup_sieve==4.1.2, which needs Python >=3.11.5; 3.11.0 is promised" in sentence
        for sentence in found
    )


def test_the_conda_environment_asks_for_pythons_that_are_resolved_here() -> None:
    python, *_ = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    conda = SpecifierSet(python.removeprefix("python"))
    resolved = {version.rsplit(".", 1)[0] for version in PYTHONS}
    assert {f"3.{minor}" for minor in range(40) if f"3.{minor}" in conda} <= resolved
    assert all(version in PROMISED for version in PYTHONS)


@pytest.fixture(scope="module")
def resolve(tmp_path_factory: pytest.TempPathFactory) -> Resolve:
    """Uv's resolver for any Python, without a file or a cache in this folder."""
    home = tmp_path_factory.mktemp("resolver")

    def compile_(what: Path, python: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [
            find_uv_bin(),
            "--cache-dir",
            str(tmp_path_factory.getbasetemp() / "uv"),
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
        ]
        command += ["--python", sys.executable, "--python-version", python, *options, str(what)]
        return subprocess.run(
            command, cwd=home, env=environment(), capture_output=True, encoding="utf-8"
        )

    return compile_


def wheel(folder: Path, name: str, version: str, wants: str) -> None:
    """A made-up package, only what a resolver reads of it."""
    stem = f"{name}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        said = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {wants}\n"
        )
        archive.writestr(f"{stem}.dist-info/METADATA", said)
        archive.writestr(
            f"{stem}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.mark.parametrize(
    ("pin", "python", "fits"),
    [("2", "3.11.0", False), ("2", "3.12.0", True), ("1", "3.11.0", True)],
)
def test_the_resolver_takes_a_pin_where_its_python_fits(
    pin: str, python: str, fits: bool, resolve: Resolve, tmp_path: Path
) -> None:
    wheel(tmp_path, "made_up", "1", ">=3.11")
    wheel(tmp_path, "made_up", "2", ">=3.11.5")
    (tmp_path / "wanted.in").write_text("made-up\n", encoding="utf-8")
    (tmp_path / "pins.txt").write_text(f"made-up=={pin}\n", encoding="utf-8")
    options = (
        "--no-index",
        "--find-links",
        str(tmp_path),
        "--constraint",
        str(tmp_path / "pins.txt"),
    )
    done = resolve(tmp_path / "wanted.in", python, *options)
    assert (done.returncode == 0) == fits, done.stderr
    assert f"made-up=={pin}" in (done.stdout if fits else done.stderr)


@pytest.fixture(scope="module")
def index(resolve: Resolve, tmp_path_factory: pytest.TempPathFactory) -> Resolve:
    """The resolver where the package index answers; elsewhere the test is skipped, but never in
    continuous integration."""
    small = tmp_path_factory.mktemp("index") / "small.in"
    small.write_text("iniconfig\n", encoding="utf-8")
    if resolve(small, LOWEST).returncode:
        says = "not tested whether all versions go together: the package index does not answer"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    return resolve


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_go_together_on(python: str, index: Resolve) -> None:
    done = index(ROOT / "pyproject.toml", python, "--all-extras", "--constraint", str(PINS))
    assert done.returncode == 0, done.stderr
    pins, chosen = pinned(PINS.read_text(encoding="utf-8")), pinned(done.stdout)
    assert {name: chosen[name] for name in chosen if name in pins} == {
        name: pins[name] for name in chosen if name in pins
    }
    if python == LOWEST and sys.platform == "linux":  # where constraints.txt is made
        unpinned = {name for name in chosen if name not in pins and not DRIVERS.match(name)}
        assert not unpinned, "make constraints writes them"


def test_a_pin_that_is_too_new_is_refused_for_the_lowest_python(
    index: Resolve, tmp_path: Path
) -> None:
    old = re.sub(r"(?m)^soupsieve==.*$", "soupsieve==4.1.2", PINS.read_text(encoding="utf-8"))
    (tmp_path / "pins.txt").write_text(old, encoding="utf-8")
    done = index(
        ROOT / "pyproject.toml", LOWEST, "--all-extras", "--constraint", str(tmp_path / "pins.txt")
    )
    assert done.returncode
    assert "soupsieve==4.1.2 depends on Python>=3.11.5" in " ".join(done.stderr.split())


def test_the_newest_versions_go_together(index: Resolve) -> None:
    done = index(ROOT / "pyproject.toml", LOWEST, "--all-extras", *KINDS["newest"])
    assert done.returncode == 0, done.stderr


def test_each_range_begins_with_a_version_that_make_versions_installs(index: Resolve) -> None:
    done = index(ROOT / "pyproject.toml", LOWEST, "--all-extras", *KINDS["lowest"])
    assert done.returncode == 0, done.stderr
    chosen = pinned(done.stdout)
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for wanted in (Requirement(line) for group in groups for line in group):
        lowest = chosen[plain(wanted.name)]
        assert Version(lowest) in {Version(part.version) for part in wanted.specifier}, (
            f"{wanted}: {lowest} is the lowest that goes"
        )


def test_make_versions_says_what_it_would_try() -> None:
    command = [sys.executable, "tests/try_versions.py", "--list"]
    said = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()
    here = ".".join(str(part) for part in sys.version_info[:3])
    assert [line.split()[:2] for line in said[:2]] == [[here, "lowest"], [here, "newest"]]
    assert all(line.split()[1] == "constraints" and not line.startswith(here) for line in said[2:])


def test_a_python_that_is_not_here_is_a_sentence() -> None:
    with pytest.raises(SystemExit, match=r"Found no Python 2\.7 of >=3\.11 here, only 3\."):
        attempts(["lowest"], ["2.7"])


def test_the_table_counts_what_pytest_reports(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="1" skipped="3"/></testsuites>',
        encoding="utf-8",
    )
    assert counts(report) == {"passed": 4, "failed": 2, "skipped": 3}


def test_all_extras_are_installed() -> None:
    assert EXTRAS == "lab,teach,test"
