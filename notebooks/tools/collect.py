"""Sort what a class handed in into a course for nbgrader, and mend what an accident broke.

python -m notebooks.tools.collect FROM                      into build/course/submitted
python -m notebooks.tools.collect FROM --students LIST.csv  and say who handed in nothing

FROM is a folder or a zip: Moodle's or Canvas's download of all submissions, or a folder that holds
a folder or a file for each student. A file may have been renamed, zipped, or saved by a program
that lost nbgrader's marks; an answer may stand there twice. LIST.csv is a table as Moodle, Canvas
or nbgrader exports it; without one, those whom the gradebook knows are expected. The same call
works again: of two files the newer wins, but one without an answer replaces none with answers. FROM
is only read. Afterwards: `nbgrader autograde NAME` in the course, and `make grades`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import nbformat

from lautum_utils.files import write_whole
from notebooks.tools.collect_cells import notebook_of
from notebooks.tools.collect_files import handed_in, say
from notebooks.tools.collect_gradebook import add, students_of, tasks_of
from notebooks.tools.collect_repair import Task, repaired
from notebooks.tools.collect_sort import Work, sorted_out
from notebooks.tools.collect_students import Student, in_table, together
from notebooks.tools.places import COURSE, NUMBERS


class Mended(NamedTuple):
    """A notebook as nbgrader gets it. The largest of several is graded: one with answers, the
    latest."""

    answered: bool
    order: int
    time: int
    again: int
    work: Work
    text: str
    notes: tuple[str, ...]


def collect(place: Path, course: Path, listed: Sequence[Student] = ()) -> list[str]:
    """Sort and mend what lies at a place: a line for each student, for what could not be sorted,
    and for each assignment that some did not hand in."""
    tasks = tasks_of(course)
    known = students_of(course)
    works, others = sorted_out(handed_in(place), tasks, expected := together(known, listed))
    if not works:
        told = f" ({others[0][1]})" if others else ""
        raise ValueError(f"FROM needs notebooks of this course, got none in {place}{told}.")
    said: dict[str, list[str]] = defaultdict(list)
    for mended, ahead in _chosen(works, tasks):
        said[mended.work.student.id].append(_written(mended, ahead, course, tasks))
    for student, problem in others:
        name = student.id if student else "Not sorted"
        if name not in said or "is no notebook" not in problem:
            said[name].append(problem)
    senders = [student for student, _ in others if student] + [work.student for work in works]
    everybody = list({s.id: s for s in (*expected, *senders)}.values())
    add([s for s in everybody if s._replace(moodle="") not in known], course)
    _keep_numbers(works, course)
    lines = [f"{name}: {'; '.join(said[name])}" for name in sorted(said)]
    return lines + list(_absent({work.assignment for work in works}, everybody, course))


def _chosen(
    works: Iterable[Work], tasks: Mapping[str, Task]
) -> Iterable[tuple[Mended, list[Mended]]]:
    """Of each student's notebooks for an assignment the one that is graded, and the others."""
    several: dict[tuple[str, str], list[Mended]] = defaultdict(list)
    for work in works:
        notebook, answered, notes = repaired(work.notebook, tasks[work.assignment])
        order, again = work.sender.order
        rank = (answered, order, int(work.file.time), again)
        late = ("late, says Canvas",) if work.sender.late else ()
        told = (*work.notes, *late, *notes)
        mended = Mended(*rank, work, nbformat.writes(notebook), told)
        several[work.student.id, work.assignment].append(mended)
    for of_one in several.values():
        best = max(of_one, key=lambda mended: mended[:4])
        yield best, [mended for mended in of_one if mended is not best]


def _written(
    mended: Mended, others: Sequence[Mended], course: Path, tasks: Mapping[str, Task]
) -> str:
    """Put a notebook where nbgrader looks for it, unless a better one is there. Say what was
    done."""
    name = mended.work.assignment
    place = course / "submitted" / mended.work.student.id / name / f"{name}.ipynb"
    notes = list(mended.notes)
    notes += [f"not {other.work.file.name}, an earlier or empty one" for other in others]
    if not mended.answered:
        notes.append("no answer in it")
    if place.exists():
        if (old := place.read_bytes()) == mended.text.encode():
            return _told(f"{name} as before", notes)
        if (_answers(old, tasks[name]), int(place.stat().st_mtime)) > (
            mended.answered,
            mended.time,
        ):
            return f"{name} as before, which is newer or has answers: not {mended.work.file.name}"
        notes.append("replaces an earlier one")
    place.parent.mkdir(parents=True, exist_ok=True)
    when = datetime.fromtimestamp(mended.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    _write_whole(place, mended.text, mended.time)
    _write_whole(place.parent / "timestamp.txt", when, mended.time)  # nbgrader's name for it
    return _told(name, notes)


def _answers(content: bytes, task: Task) -> bool:
    try:
        return repaired(notebook_of(content)[0], task)[1]
    except ValueError:  # laid there by hand, and no notebook
        return False


def _told(name: str, notes: Sequence[str]) -> str:
    return f"{name} ({'; '.join(notes)})" if notes else name


def _write_whole(place: Path, text: str, when: float) -> None:
    """Written beside the course's work, then moved to its place: never half."""
    course = place.parents[3]
    with tempfile.TemporaryDirectory(dir=course, prefix=".collect.") as folder:
        new = Path(folder, place.name)
        new.write_text(text, encoding="utf-8", newline="\n")
        os.utime(new, (when, when))
        new.replace(place)


def _keep_numbers(works: Iterable[Work], course: Path) -> None:
    """Remember Moodle's numbers, which its table of grades asks for."""
    place = course / NUMBERS
    numbers = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    before = json.dumps(numbers)
    for work in works:
        if work.sender.moodle:
            numbers.setdefault(work.assignment, {})[work.student.id] = work.sender.moodle
    if json.dumps(numbers) != before:
        write_whole(place, json.dumps(numbers, indent=1).encode())


def _absent(assignments: Iterable[str], students: Sequence[Student], course: Path) -> Iterable[str]:
    for name in sorted(assignments):
        absent = [
            f"{s.id} ({s.name})" if s.name else s.id
            for s in students
            if not (course / "submitted" / s.id / name / f"{name}.ipynb").exists()
        ]
        who = f"Nothing from {len(absent)}: {', '.join(absent)}" if absent else "Nobody is missing"
        yield f"{name}: {len(students) - len(absent)} of {len(students)} handed in. {who}."


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.collect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", metavar="FROM", help="a folder or a zip")
    parser.add_argument("--course", type=Path, default=COURSE, help="(default: build/course)")
    parser.add_argument("--students", metavar="LIST", help="a table of all students (CSV)")
    options = parser.parse_args()
    if not options.place:
        sys.exit("FROM needs a folder or a zip, got nothing.")
    try:
        listed = in_table(Path(options.students).expanduser()) if options.students else []
        lines = collect(Path(options.place).expanduser(), options.course, listed)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped: what is collected is whole, and the same call goes on.")
    say(lines)


if __name__ == "__main__":
    main()
