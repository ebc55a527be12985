"""What a class hands in: sorted by its names, mended where an accident broke it, and told. (What
nbgrader makes of it: test_course.py.)"""

import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from notebooks.tools import collect as tool
from notebooks.tools import collect_gradebook, collect_grades, collect_students
from notebooks.tools.collect_cells import notebook_of, role
from notebooks.tools.collect_files import handed_in
from notebooks.tools.collect_names import sender
from notebooks.tools.collect_repair import Task, repaired
from notebooks.tools.collect_students import Student

NAME, OTHER = "01_first", "02_second"
DAY = 86_400
STUB = "def {0}(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
GIVEN = "# Worth 1 point.\nfrom lautum_pages import check\n\ncheck('{0}', {0})"
ROLES = ["exercise-1", "check-1", "exercise-2", "check-2", "why"]


def cell(name: str, source: str, *, points: int = 0, solution: bool = False) -> NotebookNode:
    new = new_markdown_cell if name == "why" else new_code_cell
    made = new(source, id=name)
    made.metadata["nbgrader"] = {
        "grade_id": name,
        "grade": bool(points),
        "solution": solution,
        "locked": not solution,
        "points": points,
        "schema_version": 3,
        "task": False,
    }
    return made


def handed_out(prefix: str = "f") -> NotebookNode:
    """Two exercises with their tests, and a question that is answered in words."""
    cells = [new_markdown_cell("# First", id="title"), new_code_cell("import math", id="imports")]
    for number in (1, 2):
        name = f"{prefix}{number}"
        cells.append(new_markdown_cell(f"### Exercise {number}", id=f"text-{number}"))
        cells.append(cell(f"exercise-{number}", STUB.format(name), solution=True))
        cells.append(cell(f"check-{number}", GIVEN.format(name), points=number))
    cells += [new_markdown_cell("Why?", id="question")]
    cells += [cell("why", "YOUR ANSWER HERE", points=1, solution=True)]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def teachers(given: NotebookNode) -> dict[str, str]:
    """What the gradebook holds: the tests with their hidden halves."""
    hidden = "\n### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS"
    return {role(c): c.source + hidden for c in given.cells if c.id.startswith("check")}


def answered(given: NotebookNode | None = None) -> NotebookNode:
    notebook = deepcopy(given or handed_out())
    for count, made in enumerate(notebook.cells):
        if made.cell_type == "code":
            made.execution_count = count
        if role(made).startswith("exercise"):
            made.source = made.source.replace("raise NotImplementedError()", "return x")
        elif role(made) == "why":
            made.source = "Because of Jensen."
    return notebook


TASK = Task(handed_out(), teachers(handed_out()))
RIGHT = {made.id: made.source for made in answered().cells if role(made)}
RIGHT |= teachers(handed_out())


def at(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(made for made in notebook.cells if made.id == name)


def beside(notebook: NotebookNode, name: str, source: str, step: int, **facts: Any) -> None:
    """The same cell once more, with the same marks, as copying and splitting leave it."""
    made = at(notebook, name)
    copy = NotebookNode(made | {"id": f"{name}-again", "source": source} | facts)
    notebook.cells.insert(notebook.cells.index(made) + step, deepcopy(copy))


def without_marks(notebook: NotebookNode, *, ids: bool = True) -> None:
    for made in notebook.cells:
        made.metadata = NotebookNode()
        if not ids:
            del made["id"]


def formatted(notebook: NotebookNode) -> None:
    without_marks(notebook, ids=False)
    for made in notebook.cells:
        made.source = made.source.replace("'", '"').replace("# Worth 1 point.\n", "")


def left_without_tests(notebook: NotebookNode) -> None:
    without_marks(notebook, ids=False)
    notebook.cells = [made for made in notebook.cells if "Worth" not in made.source]


def own_cell(notebook: NotebookNode, *, stub: bool, test: bool) -> None:
    """An answer in a new cell, below the test where that is left."""
    made, check = at(notebook, "exercise-1"), at(notebook, "check-1")
    notebook.cells.insert(notebook.cells.index(check) + 1, new_code_cell(made.source, id="own"))
    made.source = STUB.format("f1")
    notebook.cells = [
        c for c in notebook.cells if (stub or c is not made) and (test or c is not check)
    ]


def into_the_test(notebook: NotebookNode) -> None:
    made, check = at(notebook, "exercise-1"), at(notebook, "check-1")
    check.source, made.source = f"{made.source}\n{check.source}", STUB.format("f1")


def turned(notebook: NotebookNode) -> None:
    first, second = at(notebook, "exercise-1"), at(notebook, "check-1")
    one, two = notebook.cells.index(first), notebook.cells.index(second)
    notebook.cells[one], notebook.cells[two] = second, first


ACCIDENTS: dict[str, tuple[Callable[[NotebookNode], Any], str]] = {
    "none": (lambda n: None, ""),
    "a stub behind the answer": (
        lambda n: beside(n, "exercise-1", STUB.format("f1"), 1),
        "exercise-1: there 2 times, the one with the answer is kept",
    ),
    "the answer twice": (
        lambda n: beside(n, "exercise-1", RIGHT["exercise-1"], 0),
        "exercise-1: there 2 times, one of equal ones is kept",
    ),
    "another answer, not run": (
        lambda n: beside(n, "exercise-1", "def f1(x): return 0", 1, execution_count=None),
        "exercise-1: there 2 times, the one that was run last is kept",
    ),
    "a cell split in two": (
        lambda n: beside(n, "exercise-1", "import numpy", 0),
        "exercise-1: there 2 times, the one with the answer is kept",
    ),
    "a test twice": (lambda n: beside(n, "check-1", GIVEN.format("f1"), 1), "there twice"),
    "a test changed": (
        lambda n: at(n, "check-1").update(source="print('right')"),
        "check-1: changed, put back as it was given",
    ),
    "a test before its answer": (turned, "check-1: moved behind its answer"),
    "an answer as text": (
        lambda n: at(n, "exercise-2").update(cell_type="markdown"),
        "exercise-2: was a markdown cell",
    ),
    "no marks": (without_marks, "nbgrader's marks restored on 5 cells"),
    "no marks and no ids": (lambda n: without_marks(n, ids=False), "restored on 5 cells"),
    "formatted": (formatted, "restored on 5 cells"),
    "no tests and no marks": (
        left_without_tests,
        "check-1: deleted, put back; check-2: deleted, put back",
    ),
    "answered below the test": (
        lambda n: own_cell(n, stub=True, test=True),
        "exercise-1: answered in another cell, which is taken; check-1: moved behind its answer",
    ),
    "answer and test replaced": (
        lambda n: own_cell(n, stub=False, test=False),
        "nbgrader's marks restored on 1 cell; check-1: deleted, put back",
    ),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_a_right_answer_survives_every_accident_and_the_accident_is_told(name: str) -> None:
    notebook = answered()
    damage, told = ACCIDENTS[name]
    damage(notebook)
    mended, answers, notes = repaired(notebook_of(json.dumps(notebook).encode())[0], TASK)
    assert {role(c): c.source for c in mended.cells if role(c)} == RIGHT
    assert [role(c) for c in mended.cells if role(c)] == ROLES
    assert told in "; ".join(notes) if told else not notes
    assert answers
    nbformat.validate(mended)
    again, _, nothing = repaired(deepcopy(mended), TASK)
    assert (again, nothing) == (mended, [])


def test_an_answer_in_the_test_cell_is_found() -> None:
    notebook = answered()
    into_the_test(notebook)
    mended, _, notes = repaired(notebook, TASK)
    answer, test = (at(mended, name).source for name in ("exercise-1", "check-1"))
    assert answer.startswith(RIGHT["exercise-1"])
    assert test == RIGHT["check-1"]
    assert "exercise-1: answered in another cell, which is taken" in notes


def test_of_two_answers_that_nothing_tells_apart_the_last_is_kept_and_the_other_shown() -> None:
    notebook = answered()
    beside(notebook, "exercise-1", "def f1(x): return 0", 1)
    for made in notebook.cells:
        made.update(execution_count=None) if made.cell_type == "code" else None
    mended, _, notes = repaired(notebook, TASK)
    assert at(mended, "exercise-1").source == "def f1(x): return 0"
    assert any("LOOK AT IT" in note for note in notes)
    (aside,) = [c.source for c in mended.cells if "set aside" in c.source]
    assert RIGHT["exercise-1"] in aside


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_deleted_doubled_or_moved_nbgrader_finds_each_cell_once(
    data: st.DataObject,
) -> None:
    notebook = answered()
    picked = data.draw(st.lists(st.sampled_from(range(len(notebook.cells))), max_size=14))
    notebook.cells = [deepcopy(notebook.cells[index]) for index in picked]
    for made in notebook.cells:
        if data.draw(st.booleans()):
            made.metadata = NotebookNode()
    mended = repaired(notebook, TASK)[0]
    found = [role(made) for made in mended.cells if role(made)]
    assert sorted(found) == sorted(ROLES)
    assert len({made.id for made in mended.cells}) == len(mended.cells)
    for number in (1, 2):
        assert found.index(f"exercise-{number}") < found.index(f"check-{number}")
        assert at(mended, f"check-{number}").source == RIGHT[f"check-{number}"]
    given_back = {made.id for made in answered().cells if made.cell_type == "code"}
    handed = {answered().cells[index].id for index in picked} & given_back
    for name in ("exercise-1", "exercise-2"):
        assert (at(mended, name).source == RIGHT[name]) == (name in handed)


@pytest.mark.parametrize(
    ("path", "names", "moodle", "canvas"),
    [
        ("Jane Doe_12345_assignsubmission_file_/01_first.ipynb", ["Jane Doe"], "12345", ""),
        ("Zoë van Ek_7_assignsubmission_file/a.zip/01_first.ipynb", ["Zoë van Ek"], "7", ""),
        ("Jane Doe_12345_assignsubmission_file_01_first.ipynb", ["Jane Doe"], "12345", ""),
        ("Participant_5_assignsubmission_file_/x.ipynb", ["Participant 5"], "5", ""),
        ("doejane_12345_67890_01_first.ipynb", ["doejane"], "", "12345"),
        ("doejane_LATE_12345_67890_01_first-1.ipynb", ["doejane"], "", "12345"),
        ("anon_x7Yz2_67890_01_first.ipynb", ["anon_x7Yz2"], "", ""),
        ("ada/01_first.ipynb", ["ada"], "", ""),
        ("ada/01_first/Copy of 01_first (2).ipynb", ["ada"], "", ""),
        ("1234567/homework.ipynb", ["1234567", "homework"], "", ""),
        ("jane.doe/01 first-Copy1.ipynb", ["jane.doe"], "", ""),
        ("01_first - Ada Lovelace.ipynb", ["Ada Lovelace"], "", ""),
        ("ada_2026_01_first.ipynb", ["ada_2026"], "", ""),
        ("ada.zip/01_first/01_first.ipynb", ["ada"], "", ""),
        ("Group A-Jane Doe_9_assignsubmission_file_/x.ipynb", ["Group A-Jane Doe"], "9", ""),
        ("01_first (1).ipynb", [], "", ""),
    ],
)
def test_a_name_tells_whose_file_it_is(
    path: str, names: list[str], moodle: str, canvas: str
) -> None:
    sent = sender(path.split("/"), [NAME, OTHER])
    assert (list(sent.names), sent.moodle, sent.canvas) == (names, moodle, canvas)
    assert sent.late == ("LATE" in path)


TABLES = """
    CREATE TABLE student (id, first_name, last_name, email, lms_user_id);
    CREATE TABLE assignment (id, name);
    CREATE TABLE notebook (id, name, assignment_id);
    CREATE TABLE source_cell (name, source, notebook_id);"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `make course` leaves it, as far as it is read here."""
    folder = tmp_path / "course"
    for name, prefix in ((NAME, "f"), (OTHER, "g")):
        (folder / "release" / name).mkdir(parents=True)
        nbformat.write(handed_out(prefix), folder / "release" / name / f"{name}.ipynb")
    with sqlite3.connect(folder / "gradebook.db") as gradebook:
        gradebook.executescript(TABLES)
        for number, (name, prefix) in enumerate(((NAME, "f"), (OTHER, "g"))):
            gradebook.execute("INSERT INTO assignment VALUES (?, ?)", (number, name))
            gradebook.execute("INSERT INTO notebook VALUES (?, ?, ?)", (number, name, number))
            for check, source in teachers(handed_out(prefix)).items():
                gradebook.execute(
                    "INSERT INTO source_cell VALUES (?, ?, ?)", (check, source, number)
                )
    gradebook.close()

    def add(students: list[Student], course: Path) -> None:
        with sqlite3.connect(course / "gradebook.db") as gradebook:
            ids = [(student.id,) for student in students]
            gradebook.executemany("DELETE FROM student WHERE id = ?", ids)
            gradebook.executemany(
                "INSERT INTO student VALUES (?, ?, ?, ?, ?)", [s[:5] for s in students]
            )
        gradebook.close()

    monkeypatch.setattr(tool, "add", add)
    return folder


def put(place: Path, notebook: NotebookNode, day: int = 1) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(notebook), encoding="utf-8")
    os.utime(place, (day * DAY, day * DAY))


def submitted(course: Path) -> dict[str, bytes]:
    found = sorted((course / "submitted").rglob("*"))
    return {p.relative_to(course).as_posix(): p.read_bytes() for p in found if p.is_file()}


def of(student: str, name: str = NAME) -> str:
    return f"submitted/{student}/{name}/{name}.ipynb"


def test_what_moodle_hands_out_is_sorted_and_the_second_call_changes_nothing(
    course: Path, tmp_path: Path
) -> None:
    bulk, inner = tmp_path / "all.zip", tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("__MACOSX/._01_first.ipynb", b"\0")
        archive.writestr("work/.ipynb_checkpoints/01_first-checkpoint.ipynb", b"{}")
        archive.writestr("work/01_first.ipynb", json.dumps(answered()))
    with zipfile.ZipFile(bulk, "w") as archive:
        text = json.dumps(answered())
        where = "Jane Doe_11_assignsubmission_file_"
        archive.writestr(f"{where}/01_first (1).ipynb", b"\xef\xbb\xbf" + text.encode())
        archive.write(inner, "Zoë Ek_12_assignsubmission_file_/work.zip")
        archive.writestr("Max Ernst_13_assignsubmission_file_/answers.pdf", b"%PDF")
        archive.writestr("Ada Byron_14_assignsubmission_file_/01_first.ipynb", '{"cells": [')
    lines = tool.collect(bulk, course)
    assert lines[:4] == [
        "ada-byron: Ada Byron_14_assignsubmission_file_/01_first.ipynb is no notebook "
        "(JSONDecodeError: Expecting value: line 1 column 12 (char 11))",
        "jane-doe: 01_first (was called 01_first (1).ipynb; byte-order mark removed)",
        "max-ernst: Max Ernst_13_assignsubmission_file_/answers.pdf is no notebook",
        "zoe-ek: 01_first (unzipped)",
    ]
    assert lines[4:] == [
        "01_first: 2 of 4 handed in. Nothing from 2: ada-byron (Ada Byron), max-ernst (Max Ernst)."
    ]
    first = submitted(course)
    assert list(first) == [
        "submitted/jane-doe/01_first/01_first.ipynb",
        "submitted/jane-doe/01_first/timestamp.txt",
        "submitted/zoe-ek/01_first/01_first.ipynb",
        "submitted/zoe-ek/01_first/timestamp.txt",
    ]
    again = tool.collect(bulk, course)
    assert "jane-doe: 01_first as before (was called" in again[1]
    assert submitted(course) == first
    assert {p.name for p in course.iterdir()} == {
        *("release", "submitted", "gradebook.db", "moodle.json")
    }


def test_the_newest_is_graded_but_an_empty_one_replaces_no_answer(
    course: Path, tmp_path: Path
) -> None:
    place = tmp_path / "hand-ins"
    better = answered()
    at(better, "exercise-1").source += " + 1"
    put(place / "ada" / "01_first.ipynb", answered(), day=2)
    put(place / "ada" / "old" / "01_first (3).ipynb", better, day=1)
    put(place / "bob_7_100_01_first.ipynb", answered(), day=2)
    put(place / "bob_7_101_01_first-1.ipynb", better, day=1)
    tool.collect(place, course)
    assert b"return x + 1" not in submitted(course)[of("ada")]
    assert b"return x + 1" in submitted(course)[of("bob")]
    put(place / "ada" / "01_first.ipynb", better, day=3)
    assert "ada: 01_first (not ada/old/01_first (3).ipynb, an earlier or empty one; replaces" in (
        " ".join(tool.collect(place, course))
    )
    assert b"return x + 1" in submitted(course)[of("ada")]
    kept = submitted(course)
    put(tmp_path / "late" / "ada" / "01_first.ipynb", handed_out(), day=9)
    (line, _) = tool.collect(tmp_path / "late", course)
    assert line.startswith("ada: 01_first as before, which is newer or has answers")
    assert submitted(course) == kept


def test_a_folder_around_the_folders_is_no_student_and_a_list_tells_who_is_missing(
    course: Path, tmp_path: Path
) -> None:
    place = tmp_path / "box"
    put(place / "class" / "01_first_alan.ipynb", answered(), day=2)
    (place / "class" / "read me.txt").write_text("hello", encoding="utf-8")
    put(place / "class" / "lovelace" / "01_first.ipynb", answered())
    put(place / "class" / "Grace Hopper" / "second.ipynb", answered(handed_out("g")))
    listed = [
        Student("ada", "Ada", "Lovelace", "lovelace@x.org"),
        Student("ghopper", "Grace", "Hopper"),
    ]
    lines = tool.collect(place, course, [*listed, Student("alan", "Alan", "Turing")])
    assert lines == [
        "Not sorted: class/read me.txt is no notebook",
        "ada: 01_first",
        "alan: 01_first (was called 01_first_alan.ipynb)",
        "ghopper: 02_second (was called second.ipynb)",
        "01_first: 2 of 3 handed in. Nothing from 1: ghopper (Grace Hopper).",
        "02_second: 1 of 3 handed in. Nothing from 2: ada (Ada Lovelace), alan (Alan Turing).",
    ]
    assert [s.id for s in collect_gradebook.students_of(course)] == ["ada", "alan", "ghopper"]


def test_two_students_of_one_name_stay_two(course: Path, tmp_path: Path) -> None:
    for number in (11, 12):
        put(
            tmp_path / "all" / f"Jo Li_{number}_assignsubmission_file_" / "01_first.ipynb",
            answered(),
        )
    for _ in range(2):
        lines = tool.collect(tmp_path / "all", course)
        assert [line.partition(":")[0] for line in lines] == ["jo-li-11", "jo-li-12", NAME]
        assert "several students" in lines[0]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("../../evil.ipynb", "a zip that leads outside (../../evil.ipynb)"),
        ("C:\\evil.ipynb", "a zip that leads outside (C:/evil.ipynb)"),
        ("/evil.ipynb", "a zip that leads outside (/evil.ipynb)"),
    ],
)
def test_a_zip_that_leads_outside_is_refused(tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "ada").mkdir()
    with zipfile.ZipFile(tmp_path / "ada" / "work.zip", "w") as archive:
        archive.writestr("01_first.ipynb", "{}")
        archive.writestr(entry, "{}")
    (file,) = handed_in(tmp_path)
    assert (file.content, file.problem.replace("\\", "/")) == (None, problem)


def test_a_link_and_a_damaged_zip_are_told(tmp_path: Path) -> None:
    (tmp_path / "all" / "ada").mkdir(parents=True)
    (tmp_path / "secret.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "all" / "ada" / "01_first.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (tmp_path / "all" / "bob.zip").write_bytes(b"PK no zip")
    told = {file.name: file.problem for file in handed_in(tmp_path / "all")}
    assert told == {
        "bob.zip": "a damaged zip",
        "ada/01_first.ipynb": "a link, which is not followed",
    }


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "id,first_name,last_name,email\nada,Ada,Byron,a@x\n",
            Student("ada", "Ada", "Byron", "a@x"),
        ),
        (
            "\ufeffIdentifier,Full name,Email address,Grade\nParticipant 12,Ada Byron,a@x,\n",
            Student("ada-byron", "Ada", "Byron", "a@x", "", "12"),
        ),
        (
            'Student,ID,SIS Login ID,Section\nPoints Possible,,,\n"Byron, Ada",55,ab1,A\n',
            Student("ab1", "Ada", "Byron", "", "55"),
        ),
        (
            "First name;Last name;Email address\nAda;Byron;ada@x\n",
            Student("ada-byron", "Ada", "Byron", "ada@x"),
        ),
        ("Email\nada@x\n", Student("ada", "", "", "ada@x")),
        ('Name;Email\n"Zo\xeb van Ek";z@x\n', Student("zoe-van-ek", "Zo\xeb van", "Ek", "z@x")),
    ],
)
def test_the_list_of_students_is_read_as_moodle_canvas_and_nbgrader_write_it(
    tmp_path: Path, table: str, expected: Student
) -> None:
    encoding = "cp1252" if "\xeb" in table else "utf-8"  # as a spreadsheet saves it
    (tmp_path / "list.csv").write_text(table, encoding=encoding)
    assert collect_students.in_table(tmp_path / "list.csv") == [expected]


def test_a_list_without_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("colour,size\nred,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"STUDENTS needs a table .* got .* with 'colour,size'"):
        collect_students.in_table(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "FROM needs a folder or a zip that is there, got "),
        ("", "FROM needs a folder or a zip, got nothing."),
        ("course", "FROM needs notebooks of this course, got none in "),
        ("course/gradebook.db", "FROM needs a folder or a zip, got the file "),
    ],
)
def test_a_place_without_work_gets_a_sentence(
    course: Path, monkeypatch: pytest.MonkeyPatch, place: str, told: str
) -> None:
    given = str(course.parent / place) if place else ""
    if place == "course":
        given = str(course.parent / "empty")
        Path(given).mkdir()
    monkeypatch.setattr("sys.argv", ["collect", given, "--course", str(course)])
    with pytest.raises(SystemExit) as stopped:
        tool.main()
    assert str(stopped.value.code).startswith(told)


def test_the_tables_have_the_columns_that_moodle_and_canvas_ask_for() -> None:
    students = [
        Student("ada", "Ada", "Byron", "a@x", "55"),
        Student("bob", "", "", "", ""),
    ]
    grades = collect_grades.Grades({NAME: 7.0}, {(NAME, "ada"): 6.5}, [(NAME, "bob")])
    assert collect_grades.tables(students, grades, {NAME: {"ada": "12"}}) == {
        "moodle": [
            ("Username", "First name", "Last name", "Email address", NAME),
            ("ada", "Ada", "Byron", "a@x", "6.5"),
            ("bob", "", "", "", ""),
        ],
        "canvas": [
            ("Student", "ID", "Section", NAME),
            ("Points Possible", "", "", "7"),
            ("Byron, Ada", "55", "", "6.5"),
            ("bob", "", "", ""),
        ],
        f"moodle_{NAME}": [
            (
                *("Identifier", "Full name", "Email address"),
                *("Grade", "Maximum Grade", "Last modified (grade)"),
            ),
            ("Participant 12", "Ada Byron", "a@x", "6.5", "7", "-"),
        ],
    }
