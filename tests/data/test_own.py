"""Names of images of one's own: what may follow folder: and idx:."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_idx import two
from tiny_sets import said

from lautum_utils.data.checks import SPLITS
from lautum_utils.data.domains import extent_of, load, require_domain
from lautum_utils.data.own import is_own, own_times
from lautum_utils.training.experiments import Experiment, stored_experiment

pytestmark = pytest.mark.usefixtures("nothing_installed")


def folder_of(top: Path) -> Path:
    for split in SPLITS:
        for name in "ab":
            (top / split / name).mkdir(parents=True)
            for k in range(2):
                Image.new("L", (9, 9), 50 * k).save(top / split / name / f"{k}.png")
    return top


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ("", (1, 9, 9)),
        ("?size=5", (1, 5, 5)),
        ("?colour=1", (3, 9, 9)),
        ("?colour=0&size=12", (1, 12, 12)),
    ],
)
def test_a_folder_is_taken_as_it_is_or_as_its_name_asks(
    options: str, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    name = f"folder:{folder_of(tmp_path / 'own')}{options}"
    require_domain(name, "source")
    assert load(name).inputs.shape == (4, *shape)
    assert extent_of(name) == (4, 4, shape)
    assert own_times(name) == own_times(name.partition("?")[0]) != ()


def test_a_question_mark_without_an_option_is_part_of_the_path(tmp_path: Path) -> None:
    assert len(load(f"folder:{folder_of(tmp_path / 'what?')}")) == 4
    assert len(load(f"folder:{tmp_path / 'what?'}?size=3")) == 4


def test_a_folder_of_idx_files_is_a_domain(tmp_path: Path) -> None:
    name = f"idx:{two(tmp_path / 'own')}"
    require_domain(name, "target")
    domain = load(name, split="test")
    assert (domain.inputs.shape, domain.class_names) == ((4, 1, 5, 4), ("1", "3", "7"))
    assert extent_of(name) == (16, 4, (1, 5, 4))
    before = own_times(name)
    two(tmp_path / "own", labels=b"other").joinpath("glyphs-labels-idx-ubyte").unlink()
    assert own_times(name) == () != before
    assert not is_own("mnist")
    assert not is_own(None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder:", "source needs a path after folder:, got 'folder:'"),
        ("idx:", "source needs a path after idx:, got 'idx:'"),
        ("folder:own?sise=32", r"source needs size=N or colour=0 or colour=1 .*, got 'sise=32'"),
        ("folder:own?size=0", "got 'size=0'"),
        ("folder:own?colour=red", "got 'colour=red'"),
        ("folder:own?size=8&size=9", "got 'size=8&size=9'"),
        ("folder:?size=8", "source needs a path after folder:"),
    ],
)
def test_a_bad_name_is_told_before_anything_is_opened(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_domain(name, "source")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("folder:{}/", "folder:{}"),
        ("folder:{}//?colour=1&size=8", "folder:{}?size=8&colour=1"),
        ("idx:{}/", "idx:{}"),
        ("folder:/", "folder:/"),
    ],
)
def test_an_experiment_keeps_one_spelling_of_a_folder(
    given: str, kept: str, tmp_path: Path
) -> None:
    asked = Experiment(target=given.format(tmp_path))
    assert asked.target == kept.format(tmp_path)
    assert asked == Experiment(target=kept.format(tmp_path))


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_folder_that_is_not_there_is_refused_but_for_stored_results(
    end: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, why in (("gone", "is not there"), ("file", "is a file")):
        changes: dict[str, Any] = {end: f"folder:{tmp_path / name}?size=8"}
        said(lambda changes=changes: Experiment(**changes), end, why, error=ValueError)
        stored = stored_experiment({end: f"folder:{tmp_path / name}/?size=8"})
        assert getattr(stored, end) == changes[end]
    said(lambda: Experiment(target="idx:gone"), "target", "gone is not there", error=ValueError)
