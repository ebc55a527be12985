"""Students, those of a table that Moodle, Canvas or a teacher wrote too; and which of them sent a
file."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from notebooks.tools.collect_names import Sender, joined, key, slug

# What the columns of such tables are called, in small letters; Canvas calls its own number ID.
COLUMNS = {
    "id": ("id", "username", "user name", "login", "sis login id", "student id", "student_id"),
    "name": ("full name", "name", "student"),
    "forename": ("first name", "first_name", "firstname", "given name"),
    "surname": ("last name", "last_name", "lastname", "surname", "family name"),
    "email": ("email address", "email", "e-mail"),
    "canvas": ("lms_user_id", "canvas id", "canvas"),
    "moodle": ("identifier",),
}


class Student(NamedTuple):
    """id: nbgrader's; canvas, moodle: the numbers that these give."""

    id: str
    forename: str = ""
    surname: str = ""
    email: str = ""
    canvas: str = ""
    moodle: str = ""

    @property
    def name(self) -> str:
        return f"{self.forename} {self.surname}".strip()


def in_table(path: Path) -> list[Student]:
    """The students of a table as Moodle, Canvas or nbgrader writes it: comma, semicolon or tab.
    ValueError: it has no column that names a student."""
    text = _text(path)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    students = []
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        plain = {str(k).strip().lower(): str(v or "").strip() for k, v in row.items() if k}
        if "student" in plain:  # as Canvas exports its gradebook
            plain["canvas"] = plain.pop("id", "")
        facts = {
            k: next((plain[w] for w in words if plain.get(w)), "") for k, words in COLUMNS.items()
        }
        if not any(facts[k] for k in ("id", "name", "forename", "surname", "email")):
            continue
        if not re.search("points possible|^student, test$", facts["name"], re.IGNORECASE):
            students.append(_student(facts))
    if not students:
        raise ValueError(
            "STUDENTS needs a table with a column such as id, Username, Full name, Student or "
            f"Email address, got {path} with {head.strip()!r}."
        )
    return _told_apart(students)


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(b"PK"):
        raise ValueError(f"STUDENTS needs a table saved as CSV, got a workbook: {path}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # a spreadsheet's own encoding
        return content.decode("cp1252", errors="replace")


def _student(facts: Mapping[str, str]) -> Student:
    forename, surname, name = facts["forename"], facts["surname"], facts["name"]
    if not forename and not surname:
        surname, comma, forename = name.partition(",")
        if not comma:
            forename, _, surname = name.rpartition(" ")
    forename, surname = (forename or surname).strip(), surname.strip() if forename else ""
    moodle = "".join(re.findall(r"\d+$", facts["moodle"]))
    named = slug(f"{forename} {surname}") if forename else slug(facts["email"].partition("@")[0])
    identity = re.sub(r'[\\/:*?"<>|]', "-", facts["id"]).strip(". ")  # it names a folder
    return Student(identity or named, forename, surname, facts["email"], facts["canvas"], moodle)


def _told_apart(students: Sequence[Student]) -> list[Student]:
    """Two of one name get what else tells them apart."""
    ids = [student.id for student in students]
    return [
        s
        if ids.count(s.id) == 1
        else s._replace(id=slug(s.email.partition("@")[0] or f"{s.id} {s.canvas or s.moodle}"))
        for s in students
    ]


def together(known: Iterable[Student], table: Iterable[Student]) -> list[Student]:
    """The known students with what a table knows of them, and its others."""
    students = {student.id: student for student in known}
    free = dict(students)
    for new in table:
        same = _who(Sender((new.email or new.id, new.name), canvas=new.canvas), free.values())
        old = students.get(new.id) or (same[0] if len(same) == 1 else None)
        free.pop(old.id if old else new.id, None)
        if old is None:
            students[new.id] = new
        else:
            facts = [a or b for a, b in zip(new[1:], old[1:], strict=True)]
            students[old.id] = Student(old.id, *facts)
    return list(students.values())


def sent_by(sender: Sender, students: Sequence[Student]) -> tuple[Student, str]:
    """The student who sent a file, new if none of these did, and what is doubtful about it."""
    candidates = _who(sender, students)
    if len(candidates) == 1:
        (student,) = candidates
        return student._replace(
            canvas=student.canvas or sender.canvas, moodle=sender.moodle or student.moodle
        ), ""
    name, number = sender.names[0], sender.moodle or sender.canvas
    if candidates:
        twins = ", ".join(student.id for student in candidates)
        return _new(f"{name} {number}", name, sender), f"the name fits several students ({twins})"
    return _new(name, name, sender), ""


def _new(identity: str, name: str, sender: Sender) -> Student:
    forename, space, surname = name.rpartition(" ")
    surname = surname if space else ""  # one word is an id rather than a name
    return Student(slug(identity), forename, surname, "", sender.canvas, sender.moodle)


def _who(sender: Sender, students: Iterable[Student]) -> list[Student]:
    """By number, else by id or address, else by name."""
    students = list(students)
    for number in ("canvas", "moodle"):
        given = getattr(sender, number)
        if found := [s for s in students if given and getattr(s, number) == given]:
            return found
    for name in sender.names:
        folded = name.casefold()
        exact = [
            s
            for s in students
            if folded in (s.id.casefold(), s.email.casefold(), s.email.casefold().partition("@")[0])
        ]
        if exact:
            return exact
        # A group's name may stand before a student's.
        for text in (name, name.partition("-")[2]):
            if found := [s for s in students if text and _is_named(s, text)]:
                return found
    return []


def _is_named(student: Student, name: str) -> bool:
    if key(name) in (key(student.id), key(student.name)):
        return True
    return bool(student.surname) and joined(name) == joined(student.surname, student.forename)
