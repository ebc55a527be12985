"""The course for nbgrader: what students get and what they do not, the points, and what the
autograder makes of submissions."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lautum_pages import EXERCISES
from lautum_pages.stored import FILE, read_stored
from nbgrader.api import Gradebook
from packaging.specifiers import SpecifierSet
from plan import NOTEBOOKS
from traitlets.config import PyFileConfigLoader

from notebooks.tools import collect, collect_grades
from notebooks.tools import course as tool
from notebooks.tools.course_cells import in_words, instructor_version, teaching_with_points
from notebooks.tools.course_points import Worth
from notebooks.tools.feedback import mathml
from notebooks.tools.sources import MARKS, SOLUTION, STUB, has_solutions

ASKING = [p for p in sorted((NOTEBOOKS / "source").glob("*.py")) if has_solutions(p)]
SOURCES = [p for p in ASKING if p.stem.startswith(tool.THEORY)]
NAMES = [p.stem for p in SOURCES]
GRADED = "02_the_loss_bound"  # the quickest; its exercises are worth 1, 1, 2, 2, 2 and 3 points
EXCHANGED = """def train_and_test_loss(joint, losses):
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.stack(((product * losses).sum(), (joint * losses).sum()))"""
WITH_NUMPY = """import numpy as np
def gibbs_posterior(losses, prior, gamma):
    weights = prior.numpy() * np.exp(-gamma * losses.numpy())
    return weights / weights.sum()"""

FAKE = "def check(*given, **named): return type('Report', (), {'status': 'right', 'text': ''})()"


def read(path: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(path / name / f"{name}.ipynb", as_version=4)


def sources_of(notebook: nbformat.NotebookNode, beginning: str) -> dict[str, str]:
    return {cell.id: cell.source for cell in notebook.cells if cell.id.startswith(beginning)}


def points_announced(source: Path) -> list[int]:
    levels = re.findall(
        r"^# ### Exercise .+ \((\w+), \d+ minutes\)$",
        source.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return [["easy", "medium", "hard"].index(level) + 1 for level in levels]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing that runs here reads or writes the settings, or the record of solved exercises, of
    whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    folders = (
        "HOME",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
    )
    return (
        os.environ
        | {name: str(home / name) for name in folders}
        | {"LAUTUM_PROGRESS": str(home / "progress.json")}
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The course of all notebooks, as `make course` builds it."""
    folder = tmp_path_factory.mktemp("classroom") / "new" / "course"
    command = [sys.executable, "-m", "notebooks.tools.course", "--to", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Assignments: 4" in done.stdout
    assert [p.name for p in folder.parent.iterdir()] == [
        "course"
    ]  # and nothing that was needed on the way
    return folder


def filled(
    course: Path, why: str = "YOUR ANSWER HERE", **answers: str | None
) -> nbformat.NotebookNode:
    """What students get, with answers to some exercises: the text of a cell, or None for the
    solution; and to the question with a why."""
    notebook, solutions = (
        read(course / "release", GRADED),
        sources_of(read(course / "source", GRADED), "exercise"),
    )
    for cell in notebook.cells:
        if cell.id.replace("-", "_") in answers:
            cell.source = answers[cell.id.replace("-", "_")] or solutions[cell.id]
        cell.source = cell.source.replace("YOUR ANSWER HERE", why)
    return notebook


def swindle(course: Path) -> nbformat.NotebookNode:
    """Numbers learnt by heart, of the seeds that one can guess (2.1), a check of one's own (2.2),
    written beside the notebook (2.3, its test cell deleted), a number on display (2.4, its test
    cell edited)."""
    known = [EXERCISES["gibbs_posterior"].known(seed) for seed in (0, 1)]
    learnt = {
        case[2]: answer.value.tolist()
        for cases, wanted, _ in known
        for case, answer in zip(cases, wanted, strict=True)
    }
    own = """import lautum_pages
from lautum_pages import checks
def check(name, function, seed=0, exercises=None):
    return checks.Report(name, "right", "right.")
lautum_pages.check = checks.check = check
def train_and_test_loss(joint, losses):
    return torch.zeros(2)"""
    notebook = filled(
        course,
        why="Because.",
        exercise_2_1=f"def gibbs_posterior(losses, prior, gamma):\n"
        f"    return torch.tensor({learnt}.get(gamma, [0.2] * 5), dtype=torch.float64)",
        exercise_2_2=own,
        exercise_2_3=f"from pathlib import Path\nPath('lautum_pages.py').write_text({FAKE!r})\n"
        "conditional_mutual_information = sum",
        exercise_2_4="def remainder(*inputs):\n    get_ipython().displayhook(2)\n"
        "    raise ValueError",
    )
    notebook = only_exercises(notebook)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "check-2-3"]
    edited = next(cell for cell in notebook.cells if cell.id == "check-2-4")
    edited.source, edited.metadata.nbgrader["points"] = "outcome = 'right'", 100
    return notebook


def only_exercises(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Handed in without the cells between the exercises: half the time, most of which are
    imports."""
    imports = nbformat.v4.new_code_cell(
        "import torch\nfrom lautum_utils.information import mutual_information"
    )
    notebook.cells = [
        imports,
        *(cell for cell in notebook.cells if cell.id.startswith(("exercise", "check", "why"))),
    ]
    return notebook


def odd(course: Path, place: Path) -> Path:
    """Right answers after accidents: Moodle's Jane renamed and zipped hers, and a program added a
    byte-order mark, took all marks and ids, and left a stub behind an answer. Canvas' John has an
    answer twice, wrong where it was not run, one below its test, and a test that he changed."""
    every = {f"exercise_2_{number}": None for number in range(1, 7)}
    jane, john = (only_exercises(filled(course, **every)) for _ in "ab")
    stubs = {c.id: c for c in read(course / "release", GRADED).cells}
    jane.cells.insert(2, stubs["exercise-2-1"])
    bare = [{**cell, "metadata": {}} | {"id": f"c{n}"} for n, cell in enumerate(jane.cells)]
    work = place / "Jane Doe_123_assignsubmission_file_" / "work"
    work.mkdir(parents=True)
    text = "\ufeff" + json.dumps({**jane, "cells": bare})
    (work / f"{GRADED} (1).ipynb").write_text(text, encoding="utf-8")
    shutil.make_archive(str(work.parent / "homework"), "zip", work)
    shutil.rmtree(work)
    cells = {cell.id: cell for cell in john.cells}
    cells["exercise-2-2"].execution_count = 3
    again = {**cells["exercise-2-2"], "source": EXCHANGED, "execution_count": None, "id": "again"}
    below = nbformat.v4.new_code_cell(cells["exercise-2-4"].source)
    cells["check-2-3"].source = "print('right')"
    cells["exercise-2-4"].source = stubs["exercise-2-4"].source
    john.cells.insert(john.cells.index(cells["check-2-4"]) + 1, below)
    john.cells.insert(john.cells.index(cells["check-2-2"]), nbformat.from_dict(again))
    name = f"doejohn_LATE_55_77_{GRADED}-1.ipynb"
    (place / name).write_text(json.dumps(john), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def graded(
    course: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A course after five submissions, two that were collected, and one `nbgrader autograde`; and
    what nbgrader said."""
    folder = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(course, folder)
    submissions = {
        "right": filled(course, **{f"exercise_2_{number}": None for number in range(1, 7)}),
        "half": only_exercises(
            filled(course, exercise_2_1=WITH_NUMPY, exercise_2_2=EXCHANGED, exercise_2_3=None)
        ),
        "empty": filled(course),
        "swindler": swindle(course),
    }
    for student, notebook in submissions.items():
        place = folder / "submitted" / student / GRADED
        place.mkdir(parents=True)
        nbformat.write(notebook, place / f"{GRADED}.ipynb")
    fake = (
        folder / "submitted" / "swindler" / GRADED / "lautum_pages"
    )  # would be imported from the notebook's folder
    fake.mkdir()
    (fake / "__init__.py").write_text(FAKE, encoding="utf-8")
    (folder / "submitted" / "damaged" / GRADED).mkdir(parents=True)
    (folder / "submitted" / "damaged" / GRADED / f"{GRADED}.ipynb").write_text(
        '{"cells": [', encoding="utf-8"
    )
    collect.collect(odd(course, tmp_path_factory.mktemp("odd")), folder)
    command = [sys.executable, "-m", "nbgrader", "autograde", GRADED]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1, done.stderr  # because of the damaged one
    command[-2:] = ["generate_feedback", "--student=half", GRADED]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return folder, done.stderr


def points(folder: Path, student: str) -> dict[str, float]:
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        notebook = gradebook.find_submission_notebook(GRADED, GRADED, student)
        assert notebook.score == sum(grade.score for grade in notebook.grades)
        return {grade.cell.name: grade.score for grade in notebook.grades}


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        ("right", [1, 1, 2, 2, 2, 3]),
        ("half", [1, 0, 2, 0, 0, 0]),
        ("empty", [0, 0, 0, 0, 0, 0]),
        ("swindler", [0, 0, 0, 0, 0, 0]),
        ("jane-doe", [1, 1, 2, 2, 2, 3]),
        ("doejohn", [1, 1, 2, 2, 2, 3]),
    ],
)
def test_the_autograder_gives_the_points_that_an_answer_deserves(
    graded: tuple[Path, str], student: str, expected: list[int]
) -> None:
    assert points(graded[0], student) == {
        "why-2-1": 0,  # until a person has read it
        **{f"check-2-{n}": score for n, score in enumerate(expected, 1)},
    }


def test_a_person_has_to_read_an_answer_to_why_and_no_empty_one(graded: tuple[Path, str]) -> None:
    with Gradebook(f"sqlite:///{graded[0] / 'gradebook.db'}") as gradebook:
        for student, read_by_hand in (("swindler", True), ("empty", False)):
            grade = gradebook.find_grade("why-2-1", GRADED, GRADED, student)
            assert grade.max_score == 2
            assert grade.needs_manual_grade == read_by_hand


def test_a_feedback_page_asks_no_other_machine_and_keeps_the_hidden_tests(
    graded: tuple[Path, str],
) -> None:
    folder = graded[0]
    page = (folder / "feedback" / "half" / GRADED / f"{GRADED}.html").read_text(encoding="utf-8")
    assert not re.findall(r"<script[^>]*src=|<link[^>]*href=\"http|@import|url\(.?http", page)
    assert "MathJax" not in page
    assert "<strong>Why?</strong> <math><mi>R</mi></math> is the mean" in page
    assert "train and test are exchanged" in page
    assert (folder / tool.SEED).read_text(encoding="utf-8").strip() not in page


def test_a_formula_that_cannot_be_read_stands_as_it_was_written() -> None:
    assert mathml("\\frac{a<b", display=False) == "<code>$\\frac{a&lt;b$</code>"
    assert mathml("a<b", display=True).startswith("<math")


def test_the_graded_notebook_tells_the_student_which_mistake_it_was(
    graded: tuple[Path, str],
) -> None:
    (cell,) = [
        c for c in read(graded[0] / "autograded" / "half", GRADED).cells if c.id == "check-2-2"
    ]
    (output,) = cell.outputs
    assert output.ename == "AssertionError"
    assert output.evalue.startswith("train and test are exchanged")


def test_all_other_cells_run_whatever_was_answered(graded: tuple[Path, str]) -> None:
    for student in ("right", "empty"):
        for cell in read(graded[0] / "autograded" / student, GRADED).cells:
            failed = [o for o in cell.get("outputs", []) if o.output_type == "error"]
            assert not failed or cell.id.startswith("check"), (student, cell.id, failed)


def test_a_damaged_submission_is_named_and_costs_nobody_else_anything(
    graded: tuple[Path, str],
) -> None:
    folder, said = graded
    assert f"There was an error processing assignment '{GRADED}' for student 'damaged'" in said
    assert not [s for s in ("right", "half", "empty", "swindler") if f"for student '{s}'" in said]
    assert sorted(p.name for p in (folder / "autograded").iterdir() if any(p.iterdir())) == [
        "doejohn",
        "empty",
        "half",
        "jane-doe",
        "right",
        "swindler",
    ]
    assert set(points(folder, "damaged").values()) == {0}


def test_of_what_was_collected_nbgrader_has_nothing_to_warn(graded: tuple[Path, str]) -> None:
    parts = graded[1].split("Creating/updating student with ID ")[1:]
    warned = {part.split("'")[1] for part in parts if "has changed!" in part}
    assert warned == {"right", "half", "empty", "swindler"}


def test_the_points_go_back_to_moodle_and_canvas(graded: tuple[Path, str]) -> None:
    lines = collect_grades.write(graded[0])
    assert lines[-1].startswith(f"Not graded yet, so left empty: {GRADED}: damaged")
    rows = {
        path.stem: list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        for path in (graded[0] / "grades").glob("*.csv")
    }
    assert set(rows) == {"canvas", "moodle", f"moodle_{GRADED}"}
    of_canvas = {row[0]: (row[1], *row[3:]) for row in rows["canvas"]}
    expected = {"doejohn": ("55", "11"), "Doe, Jane": ("", "11")}
    assert expected.items() <= of_canvas.items()
    assert of_canvas["damaged"] == ("", "")
    assert rows[f"moodle_{GRADED}"][1][:4] == ["Participant 123", "Jane Doe", "", "11"]


def test_an_endless_answer_is_stopped_told_and_costs_only_its_own_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbgrader.preprocessors import Execute

    for name in ("PATH", "LAUTUM_PROGRESS"):  # which the settings change
        monkeypatch.setenv(name, os.environ.get(name, ""))
    assert "\nanswer = 60 " in tool.CONFIG
    text = tool.CONFIG.replace("\nanswer = 60 ", "\nanswer = 1 ")
    (tmp_path / "config.py").write_text(text, encoding="utf-8")
    config = PyFileConfigLoader("config.py", str(tmp_path)).load_config()
    endless = nbformat.v4.new_code_cell("while True: pass", metadata={"nbgrader": {}})
    notebook = nbformat.v4.new_notebook(cells=[endless, nbformat.v4.new_code_cell("print(1)")])
    done, _ = Execute(config=config).preprocess(notebook, {})
    assert done.cells[0].outputs[-1].evalue == (
        "stopped: an answer or its check may run for 1 seconds"
    )
    assert config.Execute.timeout_func(done.cells[1]) == 120
    assert done.cells[1].outputs[0].text == "1\n"


def test_grading_leaves_no_record_of_solved_exercises(
    graded: tuple[Path, str], environment: dict[str, str]
) -> None:
    assert not Path(environment["LAUTUM_PROGRESS"]).exists()


def test_nothing_that_a_student_hands_in_can_be_imported(graded: tuple[Path, str]) -> None:
    assert not list((graded[0] / "autograded").rglob("*/__init__.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_students_get_no_solution(course: Path, source: Path) -> None:
    release, teacher = read(course / "release", source.stem), read(course / "source", source.stem)
    everything = (course / "release" / source.stem / f"{source.stem}.ipynb").read_text(
        encoding="utf-8"
    )
    assert not [word for word in ("SOLUTION", "HIDDEN", "sys.modules.pop") if word in everything]
    given, solved = sources_of(release, "exercise"), sources_of(teacher, "exercise")
    assert len(given) == len(points_announced(source))
    for name, text in solved.items():
        assert given[name] == SOLUTION.sub(STUB, text)
        body = "\n".join(line for line in SOLUTION.search(text).group().splitlines()[1:-1])
        assert body
        assert body not in "\n".join(cell.source for cell in release.cells)
    assert not [cell.id for cell in release.cells if cell.get("outputs")]
    assert "A full answer" not in everything
    assert "`package` that your teacher hands out: `pip install" in release.cells[0].source


SOLVED = [
    text
    for source in ASKING
    for region in SOLUTION.finditer(source.read_text(encoding="utf-8"))
    if len(text := MARKS.sub("", region.group()).strip()) > 40
]


def test_what_students_install_holds_neither_solutions_nor_references(course: Path) -> None:
    package = course / "package"
    files = {p.relative_to(package).as_posix(): p for p in package.rglob("*") if p.is_file()}
    assert {"pyproject.toml", "constraints.txt", "README.md"} <= files.keys()
    assert f"notebooks/lautum_pages/{FILE}" in files
    answers = r"source/|solutions/|tests/|teaching|exercises_|shared\.py|hints|/course|package\.py"
    assert not [name for name in files if re.search(answers, name)]
    texts = {
        name: path.read_text(encoding="utf-8")
        for name, path in files.items()
        if path.suffix in (".py", ".ipynb") and name.startswith("notebooks")
    }
    assert len(SOLVED) > 20
    assert not [(name, s) for name, text in texts.items() for s in SOLVED if s in text]
    assert not [name for name in NAMES if f"notebooks/{name}.ipynb" in files], "handed out apart"


def test_in_the_students_package_a_check_says_the_same(
    course: Path, environment: dict[str, str]
) -> None:
    code = f"""import lautum_pages, torch
{EXCHANGED}
print(lautum_pages.__file__, lautum_pages.check('train_and_test_loss', train_and_test_loss))
lautum_pages.EXERCISES['own_term'].reference(1, 2)"""
    folders = [str(course / "package"), str(course / "package" / "notebooks")]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": os.pathsep.join(folders)},
        cwd=course,
        capture_output=True,
        encoding="utf-8",
    )
    assert str(course) in done.stdout
    assert "✗ train_and_test_loss: train and test are exchanged" in done.stdout
    assert done.stderr.strip().endswith("put a function of your own here.")


def test_the_container_for_grading_is_made_of_what_is_there(course: Path) -> None:
    text = (course / "grading" / "Containerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (\S+) /lautum", text, re.MULTILINE)
    assert copied == ["package/constraints.txt", "package", f"grading/{FILE}"]
    assert all((course / name).exists() for name in copied)
    (version,) = re.findall(r"^FROM \S+/python:([\d.]+)-slim$", text, re.MULTILINE)
    project = tomllib.loads((course / "package" / "pyproject.toml").read_text(encoding="utf-8"))
    assert version in SpecifierSet(project["project"]["requires-python"])
    assert {"lab", "teach"} <= project["project"]["optional-dependencies"].keys()
    stored = read_stored(course / "grading" / FILE)
    seed = int((course / tool.SEED).read_text(encoding="utf-8"))
    assert list(stored["lautum"].seeds) == [0, seed]


@pytest.mark.parametrize(("points", "told"), [(1, "1 point"), (4, "4 points"), (0.5, "0.5 points")])
def test_a_test_cell_says_its_points_whoever_changed_them(points: float, told: str) -> None:
    notebook = instructor_version(SOURCES[0], NAMES, 5)
    cell = next(cell for cell in notebook.cells if cell.id == "check-1-1")
    cell.metadata.nbgrader["points"] = points
    changed, _ = Worth().preprocess_cell(cell, {}, 0)
    assert changed.source.startswith(f"# Worth {told}. Run this cell")
    assert in_words(points) == told
    assert "notebooks.tools.course_points.Worth" in tool.CONFIG


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_test_cell_only_reports_until_nbgrader_runs_it(
    course: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = read(course / "release", source.stem)
    tests = sources_of(notebook, "check")
    for (name, test), stub in zip(
        tests.items(), sources_of(notebook, "exercise").values(), strict=True
    ):
        names: dict[str, Any] = {}
        exec(stub, names)
        exec(test, names)
        assert "not attempted yet" in capsys.readouterr().out, name
        monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
        with pytest.raises(AssertionError, match="not attempted yet"):
            exec(test, names)
        monkeypatch.delenv("NBGRADER_EXECUTION")


def test_easy_medium_and_hard_are_worth_1_2_and_3_points_and_the_page_says_how_many(
    course: Path,
) -> None:
    assert (NOTEBOOKS / "teaching.md").read_text(encoding="utf-8") == teaching_with_points()
    page = teaching_with_points()
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert sorted(assignment.name for assignment in gradebook.assignments) == NAMES
        for source in SOURCES:
            worth = points_announced(source)
            cells = gradebook.find_notebook(source.stem, source.stem).grade_cells
            expected = {f"check-{int(source.stem[:2])}-{n}": p for n, p in enumerate(worth, 1)}
            by_hand = {"why-2-1": 2} if source.stem == GRADED else {}
            assert {cell.name: cell.max_score for cell in cells} == expected | by_hand
            row = f"{' + '.join(map(str, worth))} | {sum(by_hand.values()) or ''}"
            whole = sum(worth) + sum(by_hand.values())
            assert f"| {source.stem} | {row} | {whole} |" in page
    assert all(f"| {source.stem} | " in page for source in ASKING)


def test_every_link_of_what_students_get_leads_somewhere(course: Path) -> None:
    paths = sorted((course / "release").glob("*/*.ipynb"))
    assert [p.stem for p in paths] == ["00_start_here", *NAMES]
    others = sorted((course / "package" / "notebooks").glob("*.ipynb"))
    assert len(others) == len(list(NOTEBOOKS.glob("*.ipynb"))) - len(NAMES)
    for path in paths + others:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        held = {f"attachment:{name}" for c in cells for name in c.get("attachments", {})}
        links = re.findall(
            r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)", re.sub(r"\$[^$]*\$|`[^`]*`", "", text)
        )
        assert links
        assert not [x for x in links if x not in held and not (path.parent / x).exists()]


def test_the_teachers_page_links_to_what_exists() -> None:
    links = re.findall(
        r"\]\((?!https?:|#)([^)#]+)", (NOTEBOOKS / "teaching.md").read_text(encoding="utf-8")
    )
    assert links
    assert not [link for link in links if not (NOTEBOOKS / link).exists()]


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """What the command ends with: an exit code, or a sentence on stderr and code 1."""
    monkeypatch.setattr(sys, "argv", ["course", *arguments])
    with pytest.raises(SystemExit) as stopped:
        tool.main()
    return stopped.value.code


def test_help_says_what_the_command_makes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "--help") == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("nbgrader", "--to", "--seed", "build/course"))


def test_an_unknown_name_gets_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        run_main(monkeypatch, "99")
        == f"NAME needs to be the beginning of one of {', '.join(p.stem for p in ASKING)}, got 99."
    )


@pytest.mark.parametrize("source", ASKING, ids=lambda p: p.stem)
def test_a_teacher_can_name_any_notebook_with_exercises(source: Path) -> None:
    cells = instructor_version(source, ["00_start_here", source.stem], 1).cells
    worth = [c.metadata.nbgrader["points"] for c in cells if c.id.startswith("check-")]
    assert worth == points_announced(source)


def test_a_why_without_its_answer_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / f"{GRADED}.py"
    text = (NOTEBOOKS / "source" / broken.name).read_text(encoding="utf-8")
    broken.write_text(text.replace("<details><summary>A full answer", "<details>A"), "utf-8")
    with pytest.raises(ValueError, match=r"^why-2-1 needs its answer in <details>, once, got 0"):
        instructor_version(broken, NAMES, 1)


def test_an_exercise_without_heading_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / SOURCES[0].name
    broken.write_text(
        SOURCES[0].read_text(encoding="utf-8").replace("### Exercise 1.1", "### Task 1.1"),
        encoding="utf-8",
    )
    with pytest.raises(
        ValueError, match=r"needs a heading, .* got 4 headings, 5 solutions and 5 checks\.$"
    ):
        instructor_version(broken, NAMES, 1)


@pytest.mark.parametrize(
    "holds", ["students' work (submitted)", "students in its gradebook", "something else"]
)
def test_what_would_be_lost_is_not_overwritten(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: str
) -> None:
    folder = tmp_path / "course"
    shutil.copytree(course, folder)
    if "work" in holds:
        (folder / "submitted" / "ada").mkdir(parents=True)
    elif "gradebook" in holds:
        with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
            gradebook.add_student("ada")
    else:
        (folder / "nbgrader_config.py").write_text("c = get_config()\n", encoding="utf-8")
    before = sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))
    told = run_main(monkeypatch, "02", "--to", str(folder))
    assert told == (
        "--to needs a new or empty folder, or a course without students, "
        f"got {folder} with {holds}."
    )
    assert before == sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))


def test_a_course_without_students_is_replaced(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "course"
    shutil.copytree(course, folder)
    monkeypatch.setattr(tool, "_release", lambda course, name: None)
    monkeypatch.setattr("notebooks.tools.package.EXERCISES", {})  # quick
    seeds = [(course / tool.SEED).read_text(encoding="utf-8")]
    assert int(seeds[0]) > 1, "drawn, not 0 or 1 for all"
    for given in ([], ["--seed", "77"], []):
        monkeypatch.setattr(sys, "argv", ["course", "02", "--to", str(folder), *given])
        tool.main()
        seeds.append((folder / tool.SEED).read_text(encoding="utf-8"))
        teacher = (folder / "source" / GRADED / f"{GRADED}.ipynb").read_text(encoding="utf-8")
        assert f"seed={seeds[-1].strip()})" in teacher
    assert seeds == [seeds[0], seeds[0], "77\n", "77\n"]
    assert [p.name for p in (folder / "source").iterdir()] == [GRADED]
    assert [p.name for p in tmp_path.iterdir()] == ["course"]


@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_build_leaves_everything_as_it_was(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    def interrupted(course: Path, name: str) -> None:
        if name.startswith("03"):
            raise KeyboardInterrupt

    folder = tmp_path / "course"
    if existing:
        shutil.copytree(course, folder)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(tool, "_release", interrupted)
    assert run_main(monkeypatch, "--to", str(folder)) == "\nStopped: nothing was written."
    assert before == sorted(tmp_path.rglob("*"))
