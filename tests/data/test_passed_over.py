"""What a conversion tells of a folder, and what is said of one that was meant otherwise."""

import warnings
from pathlib import Path

import pytest
from PIL import Image
from tiny_sets import said

from lautum_utils.data.domains import load
from lautum_utils.data.folders import load_folder
from lautum_utils.data.passed_over import alike_names, listed

pytestmark = pytest.mark.usefixtures("nothing_installed")


def folder_of(top: Path, *files: str) -> Path:
    """Images, and empty files where a name has a ! before its ending; a name ending in / is an
    empty folder."""
    for number, name in enumerate(files):
        path = top / name.replace("!", "")
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if "!" in name:
            path.write_bytes(b"")
        elif not name.endswith("/"):
            Image.new("L", (6, 6), number).save(path)
    return top


SOUND = [f"{split}/{name}/{k}.png" for split in ("train", "test") for name in "ab" for k in "12"]
FLAT = [f"{name}/{k}.png" for name in "ab" for k in range(12)]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            ["train/a/x!.png", "train/a/y!.heic", "test/a/z!.heic", "test/b/deep/1.png"],
            "4 of 12 files passed over: 2 of another type (the first: train/a/y.heic), 1 a folder "
            "too deep (the first: test/b/deep/1.png), 1 that cannot be read (the first: "
            "train/a/x.png: it is no image that Pillow knows)",
        ),
        (
            ["val/a/1.png", "val/b/1.png"],
            "2 of 10 files passed over: 2 beside train and test (the first: val/a/1.png)",
        ),
        (
            ["train/1.png"],
            "1 of 9 files passed over: 1 in no folder of a class (the first: train/1.png)",
        ),
        (["train/zebra/"], "no class is made of zebra, where no image can be read"),
        (
            ["train/B/1.png", "train/B/2.png"],
            "B and b count as 2 classes: if they are one, rename a folder; test holds no image "
            "of B",
        ),
        (["test/once/1.png"], "there is one image only of once"),
        (["train/.DS_Store!", "train/__MACOSX/a/._1!.png", "test/a/Thumbs!.db"], ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_was_passed_over_or_is_odd_is_told_once_on_every_route(
    files: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = folder_of(tmp_path / "own", *SOUND, *files)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        first, second = (load(f"folder:{top}", split="test") for _ in range(2))
        load_folder(top, progress=False)
    assert [str(warning.message) for warning in warned] == [f"{top}: {told}."] * bool(told)
    assert first.class_names == second.class_names
    assert first.class_names[-2:] in {("a", "b"), ("b", "once")}
    assert "folder_contents" not in capsys.readouterr().out


def test_a_folder_without_usable_images_shifts_no_label(tmp_path: Path) -> None:
    odd = ["aardvark/", "__MACOSX/a/._1!.png", "ape/bad!.png", "zebra/deep/1.png"]
    top = folder_of(tmp_path / "own", *FLAT, *odd)
    with pytest.warns(UserWarning, match="no class is made of aardvark, ape and zebra"):
        images = load_folder(top, progress=False)
    assert images.class_names == ("a", "b")
    assert images.labels.unique().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["train/a/1.png", "train/b/1.png", "val/a/1.png"], "got train and val in {}; rename val"),
        (["Train/a/1.png", "Test/a/1.png"], "got 0 in {}; rename Train to train and Test to test"),
        (["train/a/1.png", "Testing/a/1.png"], "got train and Testing in {}; rename Testing to"),
        (["archive/a/1.png", "archive/b/1.png"], "{}/archive probably is the one that is meant"),
        (["x/train/a/1.png", "x/test/a/1.png"], "{}/x probably is the one that is meant"),
        (["a/b/1.png", "a/c!.txt"], "a/b/1.png lies a folder too deep"),
        (["1.png", "2.png"], "2 images lie in it directly, and each class needs a folder"),
        (["a/1!.heic", "b/2!.heic"], "2 of 2 files passed over: 2 of another type (the first: a/1"),
        (["a/1.png", "b/2!.png"], "where no image can be read"),
        (["a/1.png", "b/!.png", "b/2!.png"], "(the first: b/2.png: it is no image that Pillow"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_folder_that_cannot_be_taken_is_told_what_it_was_probably_meant_to_be(
    files: list[str], told: str, tmp_path: Path
) -> None:
    top = folder_of(tmp_path / "own", *files)
    said(lambda: load_folder(top, progress=False), told.format(top), error=ValueError)


def test_a_split_without_images_is_told_with_what_was_passed_over(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "own", "train/a/1.png", "train/b/1.png", "test/a/1!.png")
    wanted = "got none in test (1 unreadable); 1 of 3 files passed over: 1 that cannot be read"
    said(lambda: load_folder(top, progress=False), wanted)


def test_names_are_listed_and_compared_as_people_see_them() -> None:
    assert listed(["a"]) == "a"
    assert listed(list("abcd")) == "a, b, c and d"
    assert listed(list("abcde")) == "a, b, c and 2 more"
    assert alike_names(["é", "e\u0301", "dog", "cat", "DOG"]) == [["é", "e\u0301"], ["dog", "DOG"]]
