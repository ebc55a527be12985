"""The progress file: what was solved is kept, whatever happens to the file, and nothing else is
touched."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from lautum_pages import EXERCISES, check
from lautum_pages.progress import (
    exercises,
    mark_solved,
    progress_path,
    read_progress,
    show_progress,
)
from plan import NOTEBOOKS


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "new folder" / "progress.json"
    monkeypatch.setenv("LAUTUM_PROGRESS", str(path))
    return path


def test_a_right_answer_is_kept_and_a_wrong_one_is_not(path: Path) -> None:
    name, exercise = next(iter(EXERCISES.items()))
    wrong = check(name, lambda *inputs: exercise.reference(*inputs) + 1)
    assert wrong.status == "wrong"
    assert not path.exists()
    right = check(name, exercise.reference)
    assert right.text.startswith("right. Largest difference")
    assert list(json.loads(path.read_bytes())["solved"]) == [name] == list(read_progress().when)
    first = path.read_text(encoding="utf-8")
    check(name, exercise.reference)
    assert path.read_text(encoding="utf-8") == first, "the first time counts"
    assert sorted(p.name for p in path.parent.iterdir()) == ["progress.json", "progress.json.lock"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "decode"),
        (b"[]", "list indices"),
        (b'{"format": 1}', "'solved'"),
        (b'{"format": 2, "solved": {}}', "its format is 2, not 1"),
        (b'{"format": 1, "solved": {"entropy_bits": 3}}', "its format is 1"),
        (b'{"format": 1, "solved": ["lautum", 1]}', ""),
    ],
)
def test_a_corrupted_file_is_put_aside_said_and_begun_anew(
    content: bytes, reason: str, path: Path
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    said = mark_solved("lautum")
    assert said.startswith(f"{path} held no progress (")
    assert reason in said
    assert said.endswith("it is now progress.json.damaged, and a new one is begun.")
    assert path.with_name("progress.json.damaged").read_bytes() == content
    assert list(read_progress().when) == ["lautum"]
    assert not read_progress().problem


def test_the_picture_says_that_a_file_was_corrupted(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    assert "held no progress" in show_progress().get_suptitle()  # type: ignore[attr-defined]
    assert show_progress().get_suptitle().startswith("0 of ")  # type: ignore[attr-defined]


def test_a_path_that_cannot_be_is_said_and_the_answer_stays_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LAUTUM_PROGRESS", str(tmp_path / "file" / "progress.json"))
    name, exercise = next(iter(EXERCISES.items()))
    report = check(name, exercise.reference)
    assert report.status == "right"
    assert "This could not be kept in" in report.text


def test_it_can_be_switched_off_and_has_a_place_of_its_own_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAUTUM_PROGRESS", "")
    assert progress_path() is None
    assert mark_solved("lautum") == ""
    assert read_progress() == ({}, None, "")
    monkeypatch.delenv("LAUTUM_PROGRESS")
    assert progress_path().parts[-2:] == ("lautum-lab", "progress.json")  # type: ignore[union-attr]


def _solve(path: str, names: list[str]) -> None:
    os.environ["LAUTUM_PROGRESS"] = path
    for name in names:
        mark_solved(name)


def test_two_notebooks_at_once_lose_nothing(path: Path) -> None:
    names = [f"exercise_{k}" for k in range(20)]
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_solve, args=(str(path), names[k::2])) for k in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert sorted(read_progress().when) == sorted(names)


def test_the_page_shows_every_exercise_with_its_heading(path: Path) -> None:
    pages = exercises(NOTEBOOKS)
    names = [name for page in pages.values() for name in page]
    assert sorted(names) == sorted(EXERCISES)
    assert all(
        heading.startswith(f"{int(page[:2])}.")
        for page, found in pages.items()
        for heading in found.values()
    )
    mark_solved(names[2])
    figure = show_progress(NOTEBOOKS)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == len(names)
    assert [k for k, text in enumerate(texts) if "✓" in text] == [2]
    assert figure.get_suptitle() == f"1 of {len(names)} exercises solved on this machine"  # type: ignore[attr-defined]
