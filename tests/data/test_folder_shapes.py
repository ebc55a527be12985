"""The size and the colours of a folder's images: those that they have, or one clear rule."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lautum_utils.data import folder_shapes
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.folders import load_folder

pytestmark = pytest.mark.usefixtures("nothing_installed")
Painted = tuple[int, int, str]  # height, width, Pillow's mode


def folder_of(top: Path, *images: Painted) -> Path:
    """These images in each split, in classes by turns."""
    for split in SPLITS:
        for number, (height, width, mode) in enumerate(images):
            folder = top / split / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.new(mode, (width, height), 100).save(folder / f"{number}.png")
    return top


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        ([(28, 28, "L")] * 2, (1, 28, 28)),
        ([(16, 16, "1"), (16, 16, "LA")], (1, 16, 16)),
        ([(28, 28, "I;16")] * 2, (1, 28, 28)),
        ([(32, 32, "RGB"), (32, 32, "RGBA")], (3, 32, 32)),
        ([(20, 30, "RGB")] * 2, (3, 20, 30)),
        ([(64, 64, "L")] * 2, (1, 64, 64)),
    ],
    ids=str,
)
def test_images_of_one_size_and_colour_stay_as_they_are(
    images: Sequence[Painted], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split in SPLITS:
            found = load_folder(folder_of(tmp_path / "own", *images), split, progress=False)
            assert found.pixels.shape[1:] == shape


@pytest.mark.parametrize(
    ("images", "shape", "told"),
    [
        ([(10, 90, "L"), (30, 12, "L"), (40, 40, "L")], (1, 12, 12), "3 sizes: all become 12 x 12"),
        ([(80, 90, "L")] * 2, (1, 64, 64), "80 x 90 pixels: all become 64 x 64 in grey"),
        ([(8, 8, "L"), (8, 8, "RGB")], (3, 8, 8), "grey and colour: .* 8 x 8 in colour"),
        ([(8, 8, "L"), (9, 9, "RGB")], (3, 8, 8), "2 sizes and of grey and colour: all become"),
    ],
    ids=str,
)
def test_mixed_images_follow_one_rule_that_is_told_once(
    images: Sequence[Painted], shape: tuple[int, int, int], told: str, tmp_path: Path
) -> None:
    top = folder_of(tmp_path / "own", *images)
    with pytest.warns(UserWarning, match=told) as warned:
        found = load_folder(top, progress=False)
    assert len(warned) == 1
    assert found.pixels.shape[1:] == shape
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_folder(top, "test", progress=False).pixels.shape[1:] == shape


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"size": 5}, (3, 5, 5)),
        ({"colour": False}, (1, 20, 20)),
        ({"size": 5, "colour": False}, (1, 5, 5)),
    ],
    ids=str,
)
def test_what_is_asked_for_wins(
    given: dict[str, int], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    top = folder_of(tmp_path / "own", (20, 20, "RGB"), (20, 20, "RGB"))
    assert load_folder(top, progress=False, **given).pixels.shape[1:] == shape
    assert load_folder(top, progress=False).pixels.shape[1:] == (3, 20, 20)


def test_a_palette_is_grey_or_not_and_a_photo_is_as_high_as_it_is_looked_at(tmp_path: Path) -> None:
    grey, colour = Image.new("P", (6, 6)), Image.new("P", (6, 6))
    grey.putpalette([v for v in range(256) for _ in range(3)])
    colour.putpalette([v for k in range(256) for v in (k, 0, 0)])
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    for split in SPLITS:
        for name in ("grey", "colour", "turned"):
            for part in "ab":
                (tmp_path / name / split / part).mkdir(parents=True)
        for part in "ab":
            grey.save(tmp_path / "grey" / split / part / "0.png")
            colour.save(tmp_path / "colour" / split / part / "0.png")
            photo = tmp_path / "turned" / split / part / "0.jpg"
            Image.new("L", (12, 7), 9).save(photo, exif=exif)
    found = {
        name: load_folder(tmp_path / name, progress=False).pixels.shape[1:]
        for name in ("grey", "colour", "turned")
    }
    assert found == {"grey": (1, 6, 6), "colour": (3, 6, 6), "turned": (1, 12, 7)}


def test_headers_are_read_once_and_not_if_all_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = folder_of(tmp_path / "own", (8, 8, "L"), (8, 8, "L"))
    (top / "train" / "a" / "bad.png").write_bytes(b"no image")
    read, header = [], folder_shapes._header

    def counting(file: Path) -> object:
        read.append(file)
        return header(file)

    monkeypatch.setattr(folder_shapes, "_header", counting)
    load_folder(top, size=8, colour=False, progress=False)
    assert not read
    images = [load_folder(top, split, progress=False) for split in (*SPLITS, *SPLITS)]
    assert len(read) == len(set(read)) == 5
    assert [i.skipped for i in images] == [1, 0, 1, 0]
    assert {i.pixels.shape[1:] for i in images} == {(1, 8, 8)}
    assert np.asarray(images[0].pixels).min() == 100
