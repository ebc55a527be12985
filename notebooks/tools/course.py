"""Build an nbgrader course from the notebooks with exercises: what teaching.md, beside this file,
is about.

python notebooks/tools/course.py             all of them, into build/course
python notebooks/tools/course.py 01 --to F   those whose names start so, into F

The course holds nbgrader_config.py, source/ (for the teacher: solutions, tests, points), release/
(for students: made by nbgrader from source/, and notebook 00 for its glossary) and gradebook.db. An
exercise becomes a cell for the answer and a locked cell that checks it, worth 1 point if easy, 2 if
medium, 3 if hard: all or none, for no answer is half right. Run by a student, that cell only
reports; under the autograder it fails unless the answer is right. Its hidden half checks once more,
on other inputs and with lautum_pages and lautum_utils imported anew: neither numbers learnt by
heart nor a check patched in memory pass.
"""

import argparse
import os
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell
from tqdm import tqdm

from notebooks.tools import build

HERE = Path(__file__).parent
POINTS = {"easy": 1, "medium": 2, "hard": 3}
HEADING = re.compile(
    r"^### Exercise (\d+)\.(\d+) · .+ \((easy|medium|hard), \d+ minutes\)$", re.MULTILINE
)
CHECK = re.compile(r'^check\("(?P<name>\w+)", (?P<function>\w+)\)\s*\Z', re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+|solutions)(|(?:/\w+)?\.ipynb[^)]*)\)")
READING = "00_start_here"  # glossary and notation, which the others link to: released as it is, without points
TEST = """\
# Worth {points}. Run this cell as often as you like; it cannot be edited.
import contextlib
import os
import sys

from lautum_pages import check

with contextlib.redirect_stderr(sys.stdout):  # a warning is no failure
    outcome = check("{name}", {function})
### BEGIN HIDDEN TESTS
# Other inputs, and our modules as installed, whatever the submission did to those in memory or put
# into this folder.
from IPython.display import clear_output

theirs = {{key: sys.modules.pop(key) for key in list(sys.modules) if key.startswith("lautum_")}}
places, sys.path = sys.path, [place for place in sys.path if place not in ("", os.getcwd())]
try:
    from lautum_pages import check

    with contextlib.redirect_stderr(sys.stdout):
        outcome = check("{name}", {function}, seed={seed})
finally:
    sys.path = places
    sys.modules.update(theirs)
clear_output()  # nbgrader would take a number that the answer displays for points
assert outcome.status == "right", outcome.text
### END HIDDEN TESTS
print(outcome)
assert outcome.status == "right" or "NBGRADER_EXECUTION" not in os.environ, outcome.text"""
CONFIG = '''\
"""nbgrader's settings for this course, written by Lautum Lab's build_course.py. Run nbgrader in this folder."""

import os
import sys

os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))  # nbgrader calls alembic
os.environ["LAUTUM_PROGRESS"] = ""  # grading leaves no record of solved exercises

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "lautum"
c.Execute.timeout = 120  # seconds for a cell: after that it counts as failed, and the next one runs
c.OverwriteCells.add_missing_cells = True  # a test cell that a student deleted comes back
# Beside a notebook, these would be imported in place of what is installed here.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", "*.py", "*.so", "feedback"]
'''


def instructor_version(source: Path, course: list[str], seed: int) -> nbformat.NotebookNode:
    """A source with nbgrader's metadata, and each exercise cut in two."""
    notebook = build.read(source)
    written = [cell for cell in jupytext.read(source).cells if "### BEGIN SOLUTION" in cell.source]
    exercises = [
        cell for cell in notebook.cells if cell.cell_type == "code" and CHECK.search(cell.source)
    ]
    headings = HEADING.findall(
        "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    )
    if not len(written) == len(exercises) == len(headings):
        got = f"{len(headings)} headings, {len(written)} solutions and {len(exercises)} checks"
        raise ValueError(
            f"{source.name} needs a heading, a solution and a check at a cell's end for each exercise, got {got}."
        )
    for cell, original, (chapter, number, difficulty) in zip(
        exercises, written, headings, strict=True
    ):
        asked, points = CHECK.search(original.source), POINTS[difficulty]
        text = TEST.format(
            points=f"{points} point{'s' * (points > 1)}", seed=seed, **asked.groupdict()
        )
        test = new_code_cell(text, id=f"check-{chapter}-{number}")
        test.metadata["nbgrader"] = _role(test.id, points=points)
        notebook.cells.insert(notebook.cells.index(cell) + 1, test)
        cell.id, cell.source = (
            f"exercise-{chapter}-{number}",
            original.source[: asked.start()].rstrip(),
        )
        cell.metadata["nbgrader"] = _role(cell.id)
    return _linked(notebook, course)


def _role(grade_id: str, **points: int) -> dict[str, object]:
    """nbgrader's words for a test cell (with points) or an answer (without)."""
    test = {"grade": bool(points), "locked": bool(points), "solution": not points}
    return {"grade_id": grade_id, "schema_version": 3, "task": False} | test | points


def _linked(notebook: nbformat.NotebookNode, course: list[str]) -> nbformat.NotebookNode:
    """Each notebook of a course has a folder of its own; links to notebooks outside the course
    become plain words."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(
                lambda m: f"[{m[1]}](../{m[2]}/{m[2]}{m[3]})" if m[2] in course else m[1],
                cell.source,
            )
    return notebook


def build_course(sources: list[Path], folder: Path, seed: int) -> None:
    """Write a course whole or not at all. FileExistsError if the folder holds anything but a course
    still without students."""
    folder = folder.resolve()
    _refuse(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        new.mkdir()
        (new / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        course = [READING, *(source.stem for source in sources)]
        _write(
            _linked(nbformat.read(HERE / f"{READING}.ipynb", 4), course), new / "release", READING
        )
        for source in (bar := tqdm(sources, unit="notebook")):
            bar.set_description(source.stem)
            _write(instructor_version(source, course, seed), new / "source", source.stem)
            _release(new, source.stem)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)


def _write(notebook: nbformat.NotebookNode, folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    nbformat.write(notebook, folder / name / f"{name}.ipynb")


def _release(course: Path, name: str) -> None:
    """The students' version, and the assignment in the gradebook: nbgrader's work."""
    from nbgrader.apps import NbGraderAPI  # a second, which --help does not need
    from traitlets.config import Config

    os.environ["PATH"] = os.pathsep.join(
        (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
    )  # it calls alembic
    api = NbGraderAPI(
        config=Config({"CourseDirectory": {"root": str(course), "course_id": "lautum"}})
    )
    if (
        (result := api.generate_assignment(name))
        .get("error", "")
        .rstrip()
        .endswith("KeyboardInterrupt")
    ):  # nbgrader caught it
        raise KeyboardInterrupt
    if not result["success"]:
        told = [
            line.strip()
            for line in result.get("log", "").splitlines()
            if line.startswith("    ") and line.strip()
        ]
        raise ValueError(
            f"nbgrader cannot make the students' version of {name}: {told[-1] if told else result['error']}"
        )


def _refuse(folder: Path) -> None:
    """FileExistsError unless the folder can be replaced without loss."""
    config, holds = folder / "nbgrader_config.py", ""
    if (
        config.is_file()
        and config.read_text(encoding="utf-8", errors="replace").splitlines()[:1]
        == CONFIG.splitlines()[:1]
    ):
        work = [
            step for step in ("submitted", "autograded", "feedback") if (folder / step).exists()
        ]
        holds = (
            f"students' work ({', '.join(work)})" if work else _students(folder / "gradebook.db")
        )
    elif folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        holds = "something else"
    if holds:
        raise FileExistsError(
            f"--to needs a new or empty folder, or a course without students, got {folder} with {holds}."
        )


def _students(gradebook: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{gradebook.as_uri()}?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT COUNT(*) FROM student").fetchone()
    except sqlite3.Error as error:
        return f"a gradebook that cannot be read ({error})" if gradebook.exists() else ""
    return "students in its gradebook" if count else ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="beginnings of names, such as 01; none builds all"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=HERE.parent / "build" / "course",
        help="folder (default: build/course)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the hidden tests' inputs (default: %(default)s)"
    )
    arguments = parser.parse_args()
    sources = [p for p in sorted((HERE / "source").glob("*.py")) if build.has_solutions(p)]
    if unknown := [
        name for name in arguments.names if not any(p.stem.startswith(name) for p in sources)
    ]:
        sys.exit(
            f"NAME needs to be the beginning of one of {', '.join(p.stem for p in sources)}, got {' '.join(unknown)}."
        )
    sources = [
        p for p in sources if not arguments.names or p.stem.startswith(tuple(arguments.names))
    ]
    try:
        build_course(sources, arguments.to, arguments.seed)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped: nothing was written.")
    print(
        f"Assignments: {len(sources)}, in {os.path.relpath(arguments.to)}; notebooks/teaching.md says how to hand them out."
    )


if __name__ == "__main__":
    main()
