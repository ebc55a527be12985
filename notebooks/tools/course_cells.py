"""A notebook as a teacher gets it in a course: each exercise cut into a cell for the answer and a
locked cell that checks it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell

from notebooks.tools.navigation import ALONE, IS_ALONE
from notebooks.tools.places import SOURCES, TEACHING
from notebooks.tools.sources import read

POINTS = {"easy": 1, "medium": 2, "hard": 3}
WHY = 2  # points of a question with a "why", which a person reads
ANSWER = re.compile(r"(?s)<details><summary>[^<]*</summary>\n\n(.*?)\n\n</details>")
HEADING = re.compile(
    r"^### Exercise (\d+)\.(\d+) · .+ \((easy|medium|hard), \d+ minutes\)$", re.MULTILINE
)
CHECK = re.compile(r'^check\("(?P<name>\w+)", (?P<function>\w+)\)\s*\Z', re.MULTILINE)
TABLE = re.compile(r"(?s)(?<=<!-- points -->\n).*?(?=<!-- /points -->)")
LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+|solutions)(|(?:/\w+)?\.ipynb[^)]*)\)")
PACKAGE = (
    "It comes with the folder `package` that your teacher hands out: "
    '`pip install -c constraints.txt ".[lab]"` in there.'
)
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


def instructor_version(source: Path, course: Sequence[str], seed: int) -> nbformat.NotebookNode:
    """A source with nbgrader's metadata, and each exercise cut in two. ValueError: an exercise
    without heading, solution or check."""
    notebook = read(source)
    asked = [c for c in notebook.cells if c.cell_type == "code" and CHECK.search(c.source)]
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    headings = HEADING.findall(text)
    solved = [c.source for c in jupytext.read(source).cells if "### BEGIN SOLUTION" in c.source]
    if not len(solved) == len(asked) == len(headings):
        got = f"{len(headings)} headings, {len(solved)} solutions and {len(asked)} checks"
        raise ValueError(
            f"{source.name} needs a heading, a solution and a check at a cell's end for each "
            f"exercise, got {got}."
        )
    for cell, code, heading in zip(asked, solved, headings, strict=True):
        at = notebook.cells.index(cell)
        notebook.cells[at : at + 1] = _answer_and_test(cell, code, heading, seed)
    for number, cell in enumerate(c for c in notebook.cells if _asks_why(c)):
        _make_graded_by_hand(cell, f"why-{headings[0][0]}-{number + 1}")
    return linked(notebook, course)


def teaching_with_points() -> str:
    """The teacher's page with the points of today's exercises between its marks."""
    lines, total = ["| notebook | exercises | why? | points |", "|---|---|--:|--:|"], 0
    for source in sorted(SOURCES.glob("*.py")):
        text = re.sub(r"(?m)^# ", "", source.read_text(encoding="utf-8"))
        if worth := [POINTS[difficulty] for _, _, difficulty in HEADING.findall(text)]:
            why = WHY * text.count('tags=["why"]')
            whole = sum(worth) + why
            row = f"{source.stem} | {' + '.join(map(str, worth))} | {why or ''} | {whole}"
            lines.append(f"| {row} |")
            total += whole
    rows = "\n".join([*lines, f"| together | | | {total} |", ""])
    return TABLE.sub(lambda _: rows, TEACHING.read_text(encoding="utf-8"))


def _answer_and_test(
    cell: nbformat.NotebookNode, code: str, heading: Sequence[str], seed: int
) -> Iterator[nbformat.NotebookNode]:
    """An exercise as nbgrader wants it. code: with its solution; heading: the number of the
    notebook, of the exercise, and how difficult it is."""
    chapter, number, difficulty = heading
    points, call = POINTS[difficulty], CHECK.search(code)
    if call is None:
        raise ValueError(f"Exercise {chapter}.{number} needs its solution and its check in a cell.")
    cell.id, cell.source = f"exercise-{chapter}-{number}", code[: call.start()].rstrip()
    cell.metadata["nbgrader"] = _role(cell.id)
    yield cell
    text = TEST.format(points=in_words(points), seed=seed, **call.groupdict())
    test = new_code_cell(text, id=f"check-{chapter}-{number}")
    test.metadata["nbgrader"] = _role(test.id, points=points)
    yield test


def in_words(points: float) -> str:
    """Such as "1 point"."""
    return f"{points:g} point{'s' * (points != 1)}"


def _asks_why(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "markdown" and "why" in cell.metadata.get("tags", [])


def _make_graded_by_hand(cell: nbformat.NotebookNode, name: str) -> None:
    """Turn a question into a cell for its answer, whose answer and rubric the teacher has."""
    cell.id = name
    cell.source, answers = ANSWER.subn(
        lambda told: f"### BEGIN SOLUTION\n{told[1]}\n### END SOLUTION", cell.source
    )
    if answers != 1:
        raise ValueError(f"{name} needs its answer in <details>, once, got {answers} of them.")
    cell.metadata["nbgrader"] = _role(name, points=WHY) | {"solution": True, "locked": False}


def _role(grade_id: str, **points: int) -> dict[str, object]:
    """nbgrader's words for a test cell (with points) or an answer (without)."""
    test = {"grade": bool(points), "locked": bool(points), "solution": not points}
    return {"grade_id": grade_id, "schema_version": 3, "task": False} | test | points


def linked(
    notebook: nbformat.NotebookNode, course: Sequence[str], place: str = "../{0}/{0}"
) -> nbformat.NotebookNode:
    """A notebook in a folder of its own, as each has it in a course (or where `place` says); links
    to notebooks outside the course become plain words, and the package is the students'."""

    def target(link: re.Match[str]) -> str:
        text, name, rest = link.groups()
        return f"[{text}]({place.format(name)}{rest})" if name in course else text

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = IS_ALONE.sub(ALONE.format(PACKAGE), LINK.sub(target, cell.source))
    return notebook
