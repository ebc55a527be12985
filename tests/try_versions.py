"""Install the project anew with other versions, and with other Pythons, and run the fast tests in
each.

Each attempt gets a copy of this folder and a virtual environment of its own, outside this folder: 5
to 7 GB, most of it PyTorch.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from uv import find_uv_bin

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROMISED = SpecifierSet(PROJECT["requires-python"])
EXTRAS = ",".join(PROJECT["optional-dependencies"])

# What selects the fast tests: arguments of pytest.
FAST = ("-m", "not slow", "tests", "-q")

KINDS = {
    "lowest": ["--resolution", "lowest-direct"],
    "newest": [],
    "constraints": ["--constraint", "constraints.txt"],
}
NEEDED = 16e9  # bytes: one environment, and what was downloaded for all of them


@dataclass(frozen=True)
class Attempt:
    """Versions of one kind, under one Python."""

    kind: str
    python: Path
    version: Version

    def __str__(self) -> str:
        return f"{self.kind}-{self.version}"


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to: the counts of its tests, or why there are none."""

    attempt: Attempt
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    trouble: str = ""

    @property
    def good(self) -> bool:
        return not self.failed and not self.trouble and self.passed > 0


def environment() -> dict[str, str]:
    """For uv the certificates of the system, as pip takes them, and no Python of uv's own; one
    thread, as under make test."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", **one_thread, **os.environ}


def lowest_python() -> Version:
    """The oldest Python that pyproject.toml promises, such as 3.11.0."""
    release = next(Version(spec.version).release for spec in PROMISED if spec.operator == ">=")
    return Version(".".join(str(part) for part in (*release, 0, 0)[:3]))


def version_of(python: Path) -> Version | None:
    """The version of a Python, or None where it does not start, as a shim of pyenv for a version
    that is not switched on."""
    ask = [str(python), "-c", "import platform; print(platform.python_version())"]
    try:
        said = subprocess.run(
            ask, capture_output=True, encoding="utf-8", timeout=60, check=True
        ).stdout
        return Version(said.strip())
    except (OSError, subprocess.SubprocessError, InvalidVersion):
        return None


def pyenv_versions() -> Path:
    """The folder in which pyenv keeps its Pythons; it need not exist."""
    root = os.environ.get("PYENV_ROOT")
    if not root and (pyenv := shutil.which("pyenv")):
        root = subprocess.run([pyenv, "root"], capture_output=True, encoding="utf-8").stdout.strip()
    return Path(root or Path.home() / ".pyenv") / "versions"


def candidates(minor: str) -> Iterator[Path]:
    """Where a Python such as 3.12 may be: on PATH, then pyenv's, the newest first."""
    if found := shutil.which(f"python{minor}"):
        yield Path(found)
    folders = [f for f in pyenv_versions().glob(f"{minor}.*") if re.fullmatch(r"[\d.]+", f.name)]
    for folder in sorted(folders, key=lambda f: Version(f.name), reverse=True):
        yield from (
            path for path in (folder / "bin/python", folder / "python.exe") if path.exists()
        )


def pythons() -> dict[str, tuple[Path, Version]]:
    """One Python of each minor version that pyproject.toml promises and this machine has, this one
    first."""
    here = Version(".".join(str(part) for part in sys.version_info[:3]))
    found = {f"{here.major}.{here.minor}": (Path(sys.executable), here)}
    low = lowest_python()
    for minor in (f"{low.major}.{number}" for number in range(low.minor, 40)):
        for path in () if minor in found else candidates(minor):
            version = version_of(path)
            if version and version in PROMISED and f"{version.major}.{version.minor}" == minor:
                found[minor] = (path, version)
                break
    return found


def attempts(kinds: list[str], only: list[str]) -> list[Attempt]:
    """Each kind on each Python that is named; if none is, the constraints on all Pythons but this
    one, the rest on this one."""
    found = pythons()
    for minor in only:
        if minor not in found:
            raise SystemExit(
                f"Found no Python {minor} of {PROMISED} here, only {', '.join(found)}."
            )
    here, *others = found
    return [
        Attempt(kind, *found[minor])
        for kind in kinds
        for minor in (only or (others if kind == "constraints" else [here]))
    ]


def copy(folder: Path) -> None:
    """This folder without what git ignores: an installation writes beside what it installs."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns(".git", *(name.rstrip("/") for name in ignored))
    )


def counts(report: Path) -> dict[str, int]:
    """How many tests passed, failed and were skipped, from pytest's report as XML."""
    suite = next(ElementTree.parse(report).iter("testsuite"))
    total, skipped, failed = (
        sum(int(suite.get(key, 0)) for key in keys.split())
        for keys in ("tests", "skipped", "failures errors")
    )
    return {"passed": total - skipped - failed, "failed": failed, "skipped": skipped}


def steps(attempt: Attempt, home: Path, cache: Path) -> list[tuple[str, list[str]]]:
    """The commands of an attempt, each with its name."""
    uv = [find_uv_bin(), "--cache-dir", str(cache)]
    python = home / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [
        "install",
        "--python",
        str(python),
        *KINDS[attempt.kind],
        "--editable",
        f".[{EXTRAS}]",
    ]
    return [
        (
            "a new environment",
            [*uv, "venv", "--quiet", "--python", str(attempt.python), str(home / "venv")],
        ),
        ("the installation", [*uv, "pip", *install]),
        (
            "the fast tests",
            [str(python), "-m", "pytest", *FAST, f"--junitxml={home / 'report.xml'}"],
        ),
        ("do the versions go together?", [*uv, "pip", "check", "--python", str(python)]),
    ]


def run(attempt: Attempt, folder: Path, keep: bool) -> Outcome:
    """Install and test in a folder of its own, which is deleted afterwards unless it is to be
    kept."""
    home, start = folder / str(attempt), time.monotonic()
    if home.exists():
        raise SystemExit(f"{home} is there already: delete it, or name another --folder.")
    trouble = ""
    try:
        copy(home / "project")
        for name, command in steps(attempt, home, folder / "downloads"):
            print(f"\n[{attempt}] {name}", flush=True)
            done = subprocess.run(command, cwd=home / "project", env=environment())
            if done.returncode:
                trouble = f"failed: {name}"
                break
        tests = counts(home / "report.xml") if (home / "report.xml").exists() else {}
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
    return Outcome(attempt, time.monotonic() - start, **tests, trouble=trouble)


def table(outcomes: list[Outcome]) -> str:
    """All outcomes, a line each."""
    lines = [
        f"{'Python':<10}{'versions':<13}{'passed':>7}{'failed':>8}{'skipped':>9}{'seconds':>9}"
    ]
    for outcome in outcomes:
        version, kind = str(outcome.attempt.version), outcome.attempt.kind
        numbers = (
            f"{outcome.passed:>7}{outcome.failed:>8}{outcome.skipped:>9}{outcome.seconds:>9.0f}"
        )
        lines.append(f"{version:<10}{kind:<13}{numbers}  {outcome.trouble}".rstrip())
    return "\n".join(lines)


def try_all(plan: list[Attempt], folder: Path, keep: bool) -> list[Outcome]:
    """One attempt after the other, with the table of those that ended, also when stopped."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        raise SystemExit(
            f"{folder} has {free / 1e9:.0f} GB free and {NEEDED / 1e9:.0f} GB are needed: "
            "name another --folder."
        )
    outcomes: list[Outcome] = []
    try:
        for number, attempt in enumerate(plan, 1):
            print(
                f"\n{number} of {len(plan)}: {attempt.kind} versions on Python {attempt.version}",
                flush=True,
            )
            outcomes.append(run(attempt, folder, keep))
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. Nothing of it is left but what --keep keeps.") from None
    finally:
        print(f"\n{table(outcomes)}", flush=True)
    return outcomes


def main() -> None:
    """The command: try the versions that are asked for, end with 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only",
        nargs="+",
        choices=KINDS,
        default=list(KINDS),
        help="which versions (default: %(default)s)",
    )
    parser.add_argument(
        "--python",
        nargs="+",
        default=[],
        metavar="3.N",
        help="which Pythons (default: each one found)",
    )
    parser.add_argument(
        "--folder", type=Path, help="where to install (default: a temporary folder)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the environments and what was downloaded"
    )
    parser.add_argument("--list", action="store_true", help="say what would be tried, and end")
    arguments = parser.parse_args()
    plan = attempts(arguments.only, arguments.python)
    if arguments.list:
        print(
            "\n".join(f"{attempt.version}  {attempt.kind:<13}{attempt.python}" for attempt in plan)
        )
        return
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="versions-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        outcomes = try_all(plan, folder.resolve(), arguments.keep)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder / "downloads", ignore_errors=True)
            if not arguments.folder:
                shutil.rmtree(folder, ignore_errors=True)
    if not all(outcome.good for outcome in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
