"""IDX files: those of MNIST, or two of any name, packed or not."""

import gzip
import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import COUNTS, idx, said, same

from lautum_utils.data.cache import cache_folder
from lautum_utils.data.idx import load_idx

pytestmark = pytest.mark.usefixtures("nothing_installed")
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 5, 4), dtype=np.uint8)
LABELS = [3, 1, 7, 3] * 5
load = partial(load_idx, progress=False)


def images_file(pixels: np.ndarray, magic: int = 0x803) -> bytes:
    return struct.pack(">4i", magic, *pixels.shape) + pixels.tobytes()


def labels_file(labels: list[int], magic: int = 0x801) -> bytes:
    return struct.pack(">2i", magic, len(labels)) + bytes(labels)


def folder_of(top: Path, files: dict[str, bytes]) -> Path:
    top.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (top / name).write_bytes(data)
    return top


def two(top: Path, **changed: bytes) -> Path:
    files = {"images": images_file(PIXELS), "labels": labels_file(LABELS)} | changed
    return folder_of(top, {f"glyphs-{of}-idx-ubyte": data for of, data in files.items()})


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("written", ["-idx", ".idx"])
def test_the_four_files_of_mnist_are_both_splits_packed_or_not(
    packed: bool, written: str, tmp_path: Path
) -> None:
    files, truth = idx()
    if not packed:
        files = {f.removesuffix(".gz"): gzip.decompress(data) for f, data in files.items()}
    top = folder_of(tmp_path / "own", {f.replace("-idx", written): d for f, d in files.items()})
    for split, n in COUNTS.items():
        images = load(top, split)
        pixels, labels = truth[split]
        assert images.class_names == tuple("0123456789")
        same(images, (pixels, labels))
        assert len(images) == n


def test_what_is_there_packed_and_unpacked_counts_once(tmp_path: Path) -> None:
    files, truth = idx()
    plain = {f.removesuffix(".gz"): gzip.decompress(data) for f, data in files.items()}
    top = folder_of(tmp_path / "own", files | plain | {"README": b"passed over"})
    same(load(top, "test"), truth["test"])


@pytest.mark.parametrize("packed", [True, False])
def test_of_two_files_every_sixth_image_is_test_and_labels_name_the_classes(
    packed: bool, tmp_path: Path
) -> None:
    files = {"t10k-images-idx3-ubyte": images_file(PIXELS), "t10k-labels": labels_file(LABELS)}
    if packed:
        files = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    top, numbers = folder_of(tmp_path / "own", files), [(1, 3, 7).index(k) for k in LABELS]
    rows = {"test": [0, 6, 12, 18], "train": [k for k in range(20) if k % 6]}
    for split, chosen in rows.items():
        images = load(top, split)
        same(images, (PIXELS[chosen][:, None], [numbers[k] for k in chosen]))
        assert images.class_names == ("1", "3", "7")


def test_files_are_converted_once_and_again_when_one_changes(tmp_path: Path) -> None:
    top = two(tmp_path / "own")
    before = load(top).pixels[0, 0, 0, 0].item()
    (made,) = cache_folder().glob("idx-*/about.json")
    time = made.stat().st_mtime_ns
    load(top, "test")
    assert made.stat().st_mtime_ns == time
    file = two(top, images=images_file(255 - PIXELS)) / "glyphs-images-idx-ubyte"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert load(top).pixels[0, 0, 0, 0].item() == 255 - before
    assert len(list(cache_folder().glob("idx-*"))) == 1, "the old one is gone"


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"images": images_file(PIXELS)[:-1]}, ("images", "cut short")),
        ({"images": images_file(PIXELS)[:9]}, ("images", "cut short")),
        ({"images": b""}, ("images", "cut short")),
        ({"images": images_file(PIXELS) + b"more"}, ("images", "of another format")),
        ({"images": b"no IDX file at all, but text"}, ("images", "of another format")),
        ({"images": labels_file(LABELS)}, ("images (3 axes", "got 1 axes of uint8")),
        ({"labels": images_file(PIXELS)}, ("labels (1 axes", "got 3 axes of uint8")),
        ({"labels": labels_file(LABELS)[:-3]}, ("labels", "cut short")),
        ({"labels": labels_file(LABELS[:-1])}, ("each of the 20 images", "got 19")),
        ({"labels": labels_file([4] * 20)}, ("two classes or more, got one",)),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_damaged_files_are_told(
    changed: dict[str, bytes], parts: tuple[str, ...], tmp_path: Path
) -> None:
    said(lambda: load(two(tmp_path / "own", **changed)), str(tmp_path / "own"), *parts)
    assert not list(cache_folder().glob("idx-*"))


def test_packed_files_cut_short_and_splits_of_two_sizes_are_told(tmp_path: Path) -> None:
    files, _ = idx()
    name = "t10k-images-idx3-ubyte.gz"
    top = folder_of(tmp_path / "own", files | {name: files[name][:-20]})
    said(lambda: load(top), name, "cut short", "EOFError")
    small = gzip.compress(images_file(PIXELS[: COUNTS["test"]]))
    said(lambda: load(folder_of(top, {name: small})), "one size, got 28 x 28 and 5 x 4")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda top: (top / "glyphs-labels-idx-ubyte").unlink(), "got glyphs-images-idx-ubyte in"),
        (lambda top: folder_of(top, {"more-images": b""}), "got glyphs-images-idx-ubyte, glyphs-"),
        (lambda top: [file.unlink() for file in top.iterdir()], "got none in"),
    ],
    ids=["no labels", "one too many", "empty"],
)
def test_a_folder_with_other_files_is_told(
    change: Callable[[Path], object], part: str, tmp_path: Path
) -> None:
    top = two(tmp_path / "own")
    change(top)
    said(lambda: load(top), "path needs to hold one IDX file", part, error=ValueError)
    said(lambda: load(tmp_path / "gone"), "folder of IDX", "No such file", error=ValueError)
    said(lambda: load(top, "validation"), "split", error=ValueError)
