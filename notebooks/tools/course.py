"""Build an nbgrader course from the notebooks with exercises: what notebooks/teaching.md is
about.

python -m notebooks.tools.course                the theory, 01 to 04, into build/course
python -m notebooks.tools.course 01 07 --to F   those whose names start so, into F

The course holds nbgrader_config.py, source/ (for the teacher: solutions, tests, points), release/
(for students: made by nbgrader from source/, and notebook 00 for its glossary), package/ (what they
install: the project without its answers), gradebook.db, and grading/ (to grade in a container). An
exercise becomes a cell for the answer and a locked cell that checks it, worth 1 point if easy, 2 if
medium, 3 if hard: all or none, for no answer is half right. Run by a student, that cell only
reports; under the autograder it fails unless the answer is right. Its hidden half checks once more,
on other inputs and with lautum_pages and lautum_utils imported anew: neither numbers learnt by
heart nor a check patched in memory pass. The seed of these inputs is drawn for each course.
"""

import argparse
import os
import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import nbformat
from tqdm import tqdm

from notebooks.tools.course_cells import instructor_version, linked
from notebooks.tools.places import ASSETS, COURSE, NOTEBOOKS, SOURCES
from notebooks.tools.sources import beginning_with, has_solutions

# Glossary and notation, which the others link to: released as it is, without points.
READING = "00_start_here"
SEED = "hidden_seed.txt"
WORK = ("submitted", "autograded", "feedback")
THEORY = ("01", "02", "03", "04")  # without names: they train nothing, so grading is quick
OURS = '"""nbgrader\'s settings for this course, written by Lautum Lab'
CONFIG = '''\
"""nbgrader's settings for this course, written by Lautum Lab. Run nbgrader in this folder."""

import os
import sys

from nbgrader.converters import GenerateAssignment

programs = os.path.dirname(sys.executable)  # nbgrader calls alembic
os.environ["PATH"] = os.pathsep.join((programs, os.environ.get("PATH", "")))
os.environ["LAUTUM_PROGRESS"] = ""  # grading leaves no record of solved exercises

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "lautum"
c.Execute.timeout = 120  # seconds for a cell: after that it counts as failed, and the next one runs
answer = 60  # seconds for an answer or its check, in place of Execute.timeout
c.Execute.timeout_func = lambda cell: answer if "nbgrader" in cell.metadata else c.Execute.timeout
told = f"stopped: an answer or its check may run for {answer} seconds"
c.Execute.error_on_timeout = {"ename": "Timeout", "evalue": told, "traceback": [f"Timeout: {told}"]}
c.OverwriteCells.add_missing_cells = True  # a test cell that a student deleted comes back
# Beside a notebook, these would be imported in place of what is installed here.
importable = ["__pycache__", "*.pyc", "*.py", "*.so"]
c.CourseDirectory.ignore = [".ipynb_checkpoints", "feedback", *importable]
c.GenerateFeedback.exporter_class = "notebooks.tools.feedback.Offline"  # formulas need no network
before = GenerateAssignment.preprocessors.default()
c.GenerateAssignment.preprocessors = ["notebooks.tools.course_points.Worth", *before]
'''


def build_course(sources: Sequence[Path], folder: Path, seed: int | None = None) -> None:
    """Write a course whole or not at all. FileExistsError if the folder holds anything but a course
    still without students.

    seed : of the hidden tests' inputs; None takes the course's, or draws one for a new course.
    """
    folder = folder.resolve()
    if holds := _would_be_lost(folder):
        raise FileExistsError(
            "--to needs a new or empty folder, or a course without students, got "
            f"{folder} with {holds}."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        new.mkdir()
        _fill(new, sources, _seed_of(folder) if seed is None else seed)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)


def _fill(course: Path, sources: Sequence[Path], seed: int) -> None:
    """Write what belongs to a course into an empty folder."""
    from notebooks.tools.package import FILE, write_package, write_values  # torch

    (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    (course / SEED).write_text(f"{seed}\n", encoding="utf-8")
    names = [READING, *(source.stem for source in sources)]
    reading = nbformat.read(NOTEBOOKS / f"{READING}.ipynb", as_version=4)
    _write(linked(reading, names), course / "release", READING)
    for source in (bar := tqdm(sources, unit="notebook")):
        bar.set_description(source.stem)
        _write(instructor_version(source, names, seed), course / "source", source.stem)
        _release(course, source.stem)
    write_package(course / "package", names[1:])
    (course / "grading").mkdir()
    shutil.copy(ASSETS / "Containerfile", course / "grading")
    write_values(course / "grading" / FILE, [0, seed])


def _seed_of(course: Path) -> int:
    """The seed that a course has, or a new one: not 0, with which students check."""
    try:
        return int((course / SEED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 1 + secrets.randbelow(2**31)


def _write(notebook: nbformat.NotebookNode, folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    nbformat.write(notebook, folder / name / f"{name}.ipynb")


def _release(course: Path, name: str) -> None:
    """The students' version, and the assignment in the gradebook: nbgrader's work."""
    from nbgrader.apps import NbGraderAPI  # a second, which --help does not need
    from traitlets.config import Config, PyFileConfigLoader

    root = {"CourseDirectory": {"root": str(course), "course_id": "lautum"}}
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.merge(Config(root))
    result = NbGraderAPI(config=config).generate_assignment(name)
    if result.get("error", "").rstrip().endswith("KeyboardInterrupt"):  # nbgrader caught it
        raise KeyboardInterrupt
    if not result["success"]:
        log = [line for line in result.get("log", "").splitlines() if line.startswith("    ")]
        told = [line.strip() for line in log if line.strip()] or [result["error"]]
        raise ValueError(f"nbgrader cannot make the students' version of {name}: {told[-1]}")


def _would_be_lost(folder: Path) -> str:
    """What a folder holds that may not be replaced; "" if nothing."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return ""
    config = folder / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    if not text.startswith(OURS):
        return "something else"
    work = [step for step in WORK if (folder / step).exists()]
    return f"students' work ({', '.join(work)})" if work else _students(folder / "gradebook.db")


def _students(gradebook: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{gradebook.as_uri()}?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT COUNT(*) FROM student").fetchone()
    except sqlite3.Error as error:
        return f"a gradebook that cannot be read ({error})" if gradebook.exists() else ""
    return "students in its gradebook" if count else ""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.course",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        default=THEORY,
        help="beginnings of names, such as 01 (default: 01 to 04; the others train while graded)",
    )
    parser.add_argument("--to", type=Path, default=COURSE, help="folder (default: build/course)")
    parser.add_argument(
        "--seed", type=int, help=f"of the hidden tests' inputs (default: drawn once, into {SEED})"
    )
    options = parser.parse_args()
    with_exercises = [p for p in sorted(SOURCES.glob("*.py")) if has_solutions(p)]
    sources = beginning_with(options.names, with_exercises)
    try:
        build_course(sources, options.to, options.seed)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped: nothing was written.")
    place = os.path.relpath(options.to)
    print(
        f"Assignments: {len(sources)}, in {place}; notebooks/teaching.md says how to hand them out."
    )


if __name__ == "__main__":
    main()
