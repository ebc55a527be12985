"""A folder of one's own images."""

import hashlib
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_sets import said

from lautum_utils.data import folder_contents
from lautum_utils.data.cache import cache_folder
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.folders import load_folder

pytestmark = pytest.mark.usefixtures("nothing_installed")


def folder_of(
    top: Path, n: int = 30, classes: tuple[str, ...] = ("cat", "émeu"), across: int = 1
) -> Path:
    """n images of each class, each of a red of its own, and each `across` wider than the last."""
    for k, name in enumerate(classes):
        (top / name).mkdir(parents=True)
        for i in range(n):
            pixels = np.full((20, 10 + across * i, 3), (10 * i % 256, 100 * k, 7), np.uint8)
            Image.fromarray(pixels).save(top / name / f"{i}.png")
    return top


def test_folder_gives_each_class_its_label_and_every_image_the_size_asked_for(
    tmp_path: Path,
) -> None:
    top = folder_of(tmp_path / "mine")
    (top / "cat" / "bad.JPG").write_bytes(b"no image")
    (top / "cat" / "empty.png").write_bytes(b"")
    (top / "cat" / "notes.txt").write_text("passed over", encoding="utf-8")
    (top / "cat" / ".hidden.png").write_bytes(b"passed over")
    (top / "cat" / "gone.png").symlink_to(tmp_path / "nowhere")
    (top / "cat" / "folder.png").mkdir()
    (top / ".hidden").mkdir()
    seen = {}
    for split in SPLITS:
        images = load_folder(top, split, size=8, colour=True, progress=False)
        assert images.pixels.shape[1:] == (3, 8, 8)
        assert images.class_names == ("cat", "émeu")
        for x, y in zip(images.pixels, images.labels.tolist(), strict=True):
            assert x.flatten(1).unique(dim=1).shape == (3, 1), "one colour all over"
            red, green, blue = x[:, 0, 0].tolist()
            assert (green, blue) == (100 * y, 7)
            seen[y, red // 10 if red % 10 == 0 else (red + 256) // 10] = split
    wanted = {
        (k, i): "train"
        if int(hashlib.sha256(f"{name}/{i}.png".encode()).hexdigest(), 16) % 6
        else "test"
        for k, name in enumerate(("cat", "émeu"))
        for i in range(30)
    }
    assert seen == wanted
    skipped = [
        load_folder(top, split, size=8, colour=True, progress=False).skipped for split in SPLITS
    ]
    assert sum(skipped) == 2


def test_folder_in_grey_has_pillows_luminance_and_a_square_size(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "mine")
    images = load_folder(top, size=32, colour=False, progress=False)
    assert images.pixels.shape[1:] == (1, 32, 32)
    with Image.open(top / "cat" / "0.png") as first:
        assert int(images.pixels[0, 0, 0, 0]) in {
            round(0.299 * 10 * i % 256 + 0.114 * 7) for i in range(30)
        } | {first.convert("L").getpixel((0, 0))}


def test_folder_with_train_and_test_is_taken_as_it_is(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine" / "train", 5, across=0)
    folder_of(tmp_path / "mine" / "test", 3, across=0)
    sizes = [
        load_folder(tmp_path / "mine", split, progress=False).labels.tolist() for split in SPLITS
    ]
    assert sizes == [[0] * 5 + [1] * 5, [0] * 3 + [1] * 3]


def test_folder_is_converted_once_and_again_when_a_file_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, decode, decoded = folder_of(tmp_path / "mine", across=0), folder_contents.decode, []
    monkeypatch.setattr(folder_contents, "decode", lambda *a: (decoded.append(a[0]), decode(*a))[1])
    before = {split: load_folder(top, split, progress=False) for split in SPLITS}
    assert len(decoded) == 60
    shutil.copy(top / "cat" / "3.png", top / "cat" / "zzz.png")
    after = {split: load_folder(top, split, progress=False) for split in SPLITS}
    assert len(decoded) == 60 + 61
    assert sum(map(len, after.values())) == 61
    old = {split: {x.numpy().tobytes() for x in images.pixels} for split, images in before.items()}
    new = {split: {x.numpy().tobytes() for x in images.pixels} for split, images in after.items()}
    assert all(old[split] <= new[split] for split in SPLITS), "no old image changed sides"
    assert len(list(cache_folder().glob("folder-*"))) == 1, "the old one is gone"


def test_folder_reads_odd_images_as_they_look(tmp_path: Path) -> None:
    for split in SPLITS:
        for name in ("deep", "turned"):
            (tmp_path / "mine" / split / name).mkdir(parents=True)
        Image.fromarray(np.full((9, 9), 128 * 256, np.uint16)).save(
            tmp_path / "mine" / split / "deep" / "16bit.png"
        )
        exif, upside_down = Image.Exif(), np.zeros((8, 8), np.uint8)
        exif[0x0112], upside_down[:4] = 3, 255
        Image.fromarray(upside_down).save(
            tmp_path / "mine" / split / "turned" / "phone.png", exif=exif
        )
    images = load_folder(tmp_path / "mine", size=8, progress=False)
    assert images.pixels[0].unique().tolist() == [128]
    assert images.pixels[1, 0, 0].tolist() == [0] * 8
    assert images.pixels[1, 0, -1].tolist() == [255] * 8


def test_folder_that_is_none_or_too_little_is_told(tmp_path: Path) -> None:
    wrong, bad = partial(said, error=ValueError), tmp_path / "bad"
    wrong(lambda: load_folder(bad), str(bad), "No such file")
    bad.mkdir()
    wrong(lambda: load_folder(bad), str(bad), "two folders")
    (bad / "train" / "cat").mkdir(parents=True)
    wrong(lambda: load_folder(bad), str(bad), "both train and test")
    (tmp_path / "file").write_text("", encoding="utf-8")
    wrong(lambda: load_folder(tmp_path / "file"), "file", "Not a directory")
    wrong(lambda: load_folder(tmp_path, size=0), "size", "0")
    wrong(lambda: load_folder(tmp_path, "validation"), "validation")
    few = folder_of(tmp_path / "few", 1, ("a", "b"))
    said(lambda: load_folder(few, progress=False), "got none in", "give more images")
