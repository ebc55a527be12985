"""Which file is whose work on which assignment."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nbformat import NotebookNode

from notebooks.tools.collect_cells import notebook_of, resemblance
from notebooks.tools.collect_files import Handed
from notebooks.tools.collect_names import Sender, named_assignment, sender, slug, without_wrapper
from notebooks.tools.collect_repair import Task
from notebooks.tools.collect_students import Student, sent_by

ALIKE = 3  # cells in common with what was handed out tell which notebook it was


class Work(NamedTuple):
    """A notebook that a student handed in. notes: what was done to it, and what is doubtful."""

    student: Student
    assignment: str
    sender: Sender
    file: Handed
    notebook: NotebookNode
    notes: tuple[str, ...]


def sorted_out(
    files: Sequence[Handed], tasks: Mapping[str, Task], students: Sequence[Student]
) -> tuple[list[Work], list[tuple[Student | None, str]]]:
    """The work, and of what is none: whose it is (None if nothing tells), and why."""
    works: list[Work] = []
    others: list[tuple[Student | None, str]] = []
    wrapped = without_wrapper([f.parts for f in files if f.content is not None], list(tasks))
    for file in files:
        sent = sender(file.parts, list(tasks), wrapped)
        if not sent.names:
            others.append((None, f"{file.name}: whose? No name stands in it"))
            continue
        student, doubt = sent_by(sent, students)
        notebook, assignment, notes = _read(file, tasks)
        if notebook is None:
            # Of a folder or file that is nobody's, no student is made.
            sure = sent.moodle or sent.canvas or student.id in {s.id for s in students}
            others.append((student if sure else None, f"{file.name} {notes[0]}"))
            continue
        notes += (doubt,) if doubt else ()
        works.append(Work(student, assignment, sent, file, notebook, notes))
    return _told_apart(works), others


def _read(
    file: Handed, tasks: Mapping[str, Task]
) -> tuple[NotebookNode | None, str, tuple[str, ...]]:
    """A notebook, its assignment, and notes; without a notebook, why there is none."""
    if file.content is None:
        return None, "", (file.problem or "is no notebook",)
    try:
        notebook, notes = notebook_of(file.content)
    except ValueError as error:
        return None, "", (str(error),)
    called = named_assignment(file.parts[-1], list(tasks))
    alike = {name: resemblance(notebook.cells, task.released) for name, task in tasks.items()}
    best = max(alike, key=lambda name: (alike[name], name == called))
    if alike[best] < ALIKE:
        best = called or named_assignment("/".join(file.parts), list(tasks))
    if not best:
        return None, "", ("is not from this course's assignments",)
    if not re.search(rf"(^|_){best}\.ipynb$", file.parts[-1]):
        notes.insert(0, f"was called {file.parts[-1]}")
    if any(part.lower().endswith(".zip") for part in file.parts):
        notes.insert(0, "unzipped")
    return notebook, best, tuple(notes)


def _told_apart(works: Iterable[Work]) -> list[Work]:
    """Senders whom Moodle or Canvas gave different numbers are different students, whatever their
    names."""
    numbers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for work in works:
        if work.sender.canvas:
            numbers[work.student.id].add(("", work.sender.canvas))
        elif work.sender.moodle:
            numbers[work.student.id].add((work.assignment, work.sender.moodle))
    found = []
    for work in works:
        of_one = [a for a, _ in numbers[work.student.id]]
        if len(of_one) > len(set(of_one)):
            number = work.sender.canvas or work.sender.moodle
            student = work.student._replace(
                id=slug(f"{work.student.id} {number}"), email="", canvas=work.sender.canvas
            )
            note = f"several students are called {work.student.name or work.student.id}"
            work = work._replace(student=student, notes=(*work.notes, note))
        found.append(work)
    return found
