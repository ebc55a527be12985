"""The points of a course as tables that Moodle and Canvas read: build/course/grades.

python -m notebooks.tools.collect_grades

moodle_NAME.csv  one for each assignment, for *Upload grading worksheet* in Moodle's assignment:
                 Identifier (Participant and Moodle's number, which `make collect` kept), Full name,
                 Email address, Grade, Maximum Grade, Last modified (grade)
moodle.csv       all assignments, for Moodle's *Grades, Import, CSV file*: Username, First name,
                 Last name, Email address, and a column for each assignment
canvas.csv       all assignments, for *Import* in Canvas's gradebook: Student, ID, Section, and a
                 column for each assignment; the second row holds the points possible

A cell is empty where nothing was handed in, where nbgrader has not graded yet, or where a cell
waits for points by hand: neither Moodle nor Canvas changes what it has there.
"""

import argparse
import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lautum_utils.files import write_whole
from notebooks.tools.collect_files import say
from notebooks.tools.collect_gradebook import students_of
from notebooks.tools.collect_students import Student
from notebooks.tools.places import COURSE, NUMBERS

Row = Sequence[str]


class Grades(NamedTuple):
    """possible: the points of each assignment that somebody handed in. given: those of a student,
    by assignment and id; waiting: whom nobody has graded yet, likewise."""

    possible: Mapping[str, float]
    given: Mapping[tuple[str, str], float]
    waiting: Sequence[tuple[str, str]]

    def of(self, student: Student) -> list[str]:
        return [_short(self.given.get((name, student.id))) for name in self.possible]


def grades_of(course: Path) -> Grades:
    """What nbgrader's gradebook holds."""
    from nbgrader.api import Gradebook  # a second, which --help does not need

    possible, given = {}, {}
    waiting: list[tuple[str, str]] = []
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "lautum") as gradebook:
        for assignment in sorted(gradebook.assignments, key=lambda a: a.name):
            possible[assignment.name] = assignment.max_score
            for work in gradebook.assignment_submissions(assignment.name):
                which = assignment.name, work.student.id
                if work.needs_manual_grade:
                    waiting.append(which)
                else:
                    given[which] = max(0.0, work.score - work.late_submission_penalty)
    handed = {
        (p.parent.name, p.parents[1].name) for p in (course / "submitted").glob("*/*/*.ipynb")
    }
    waiting += sorted(handed - given.keys() - set(waiting))
    there = {name for name, _ in (*given, *waiting)}
    return Grades({n: points for n, points in possible.items() if n in there}, given, waiting)


def tables(
    students: Sequence[Student], grades: Grades, numbers: Mapping[str, Mapping[str, str]]
) -> dict[str, list[Row]]:
    """The tables by their names. numbers: Moodle's, by assignment and student."""
    names = list(grades.possible)
    found: dict[str, list[Row]] = {
        "moodle": [("Username", "First name", "Last name", "Email address", *names)],
        "canvas": [
            ("Student", "ID", "Section", *names),
            ("Points Possible", "", "", *map(_short, grades.possible.values())),
        ],
    }
    for student in students:
        points = grades.of(student)
        found["moodle"].append(
            (student.id, student.forename, student.surname, student.email, *points)
        )
        found["canvas"].append((_family_first(student), student.canvas, "", *points))
    for name in names:
        if of_moodle := numbers.get(name):
            found[f"moodle_{name}"] = list(_worksheet(students, grades, name, of_moodle))
    return found


def _worksheet(
    students: Iterable[Student], grades: Grades, name: str, numbers: Mapping[str, str]
) -> Iterable[Row]:
    yield (
        "Identifier",
        "Full name",
        "Email address",
        "Grade",
        "Maximum Grade",
        "Last modified (grade)",
    )
    for student in students:
        if number := numbers.get(student.id):
            points = _short(grades.given.get((name, student.id)))
            possible = _short(grades.possible[name])
            yield f"Participant {number}", student.name, student.email, points, possible, "-"


def _family_first(student: Student) -> str:
    known = student.surname and student.forename
    return f"{student.surname}, {student.forename}" if known else student.name or student.id


def _short(points: float | None) -> str:
    return "" if points is None else f"{points:.6g}"


def write(course: Path) -> list[str]:
    """Write all tables, each whole; a line for each, and one for those who wait."""
    students, grades = students_of(course), grades_of(course)
    kept = course / NUMBERS
    numbers = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    folder = course / "grades"
    folder.mkdir(exist_ok=True)
    lines = []
    for name, rows in tables(students, grades, numbers).items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_whole(folder / f"{name}.csv", text.getvalue().encode())
        lines.append(os.path.relpath(folder / f"{name}.csv"))
    for assignment in grades.possible:
        if who := [student for name, student in grades.waiting if name == assignment]:
            lines.append(f"Not graded yet, so left empty: {assignment}: {', '.join(sorted(who))}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.collect_grades",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--course", type=Path, default=COURSE, help="(default: build/course)")
    options = parser.parse_args()
    try:
        lines = write(options.course)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    say(lines)


if __name__ == "__main__":
    main()
