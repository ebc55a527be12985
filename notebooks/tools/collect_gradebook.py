"""nbgrader's gradebook of a course: its students, and the tests as the teacher has them."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import nbformat

from notebooks.tools.collect_repair import Task
from notebooks.tools.collect_students import Student


def tasks_of(course: Path) -> dict[str, Task]:
    """The assignments of a course, each of one notebook. ValueError: the folder holds none."""
    cells = """SELECT assignment.name, source_cell.name, source_cell.source FROM source_cell
        JOIN notebook ON source_cell.notebook_id = notebook.id
        JOIN assignment ON notebook.assignment_id = assignment.id
        WHERE notebook.name = assignment.name"""
    sources: dict[str, dict[str, str]] = defaultdict(dict)
    for assignment, cell, source in _rows(course, cells):
        sources[str(assignment)][str(cell)] = str(source or "")
    found = {}
    for name in sorted(sources):
        if (path := course / "release" / name / f"{name}.ipynb").is_file():
            found[name] = Task(nbformat.read(path, as_version=4), sources[name])
    if not found:
        raise ValueError(f"--course needs a folder that `make course` built, got {course}.")
    return found


def students_of(course: Path) -> list[Student]:
    """nbgrader's students. ValueError: the folder holds no course."""
    columns = "id, first_name, last_name, email, lms_user_id"
    rows = _rows(course, f"SELECT {columns} FROM student ORDER BY id")
    return [Student(*(str(value or "") for value in row)) for row in rows]


def add(students: Sequence[Student], course: Path) -> None:
    """Enter students into the gradebook, or what is newly known of them."""
    if not students:
        return
    from nbgrader.api import Gradebook  # a second, which the same call again does not need

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "lautum") as gradebook:
        for student in students:
            facts = (student.forename, student.surname, student.email, student.canvas)
            names = ("first_name", "last_name", "email", "lms_user_id")
            known = {name: fact for name, fact in zip(names, facts, strict=True) if fact}
            gradebook.update_or_create_student(student.id, **known)


def _rows(course: Path, query: str) -> list[tuple[object, ...]]:
    place = (course / "gradebook.db").resolve()
    try:
        with closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True)) as gradebook:
            return gradebook.execute(query).fetchall()
    except sqlite3.Error as error:
        raise ValueError(
            f"--course needs a folder that `make course` built, got {course} ({error})."
        ) from None
