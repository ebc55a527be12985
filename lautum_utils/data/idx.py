"""Folders of IDX files, the format of MNIST, packed with gzip or not: read as they are."""

import gzip
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lautum_utils.data.cache import cache_folder, cached
from lautum_utils.data.checks import SPLITS, require_split
from lautum_utils.data.images import Block, Content, DatasetError, Images, sha256

_SPLIT_NAMES = {"train": ("train",), "test": ("t10k", "test")}
_EVERY = 6  # of images without a split, the one at 0 and every sixth after it are test


class Pair(NamedTuple):
    """A file of images and the one of their labels."""

    images: Path
    labels: Path


def load_idx(
    path: str | Path,
    split: str = "train",
    *,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Images:
    """Images (n, 1, h, w) of a folder of IDX files, those with "images" and "labels" in their name.

    Four files as MNIST has them (train-images-idx3-ubyte, train-labels-idx1-ubyte, and both with
    t10k or test) hold both splits. Two hold one set, whatever they are called: of it, images 0, 6,
    12, ... are test. A file counts once if it is there packed (.gz) and unpacked. Classes are the
    labels there are, in order, called "0", "1", ... Converted again when a file changes.
    ValueError: no such files. DatasetError: damaged ones, another number of labels than of images,
    a single class.
    """
    require_split(split)
    top = Path(path).expanduser().absolute()
    pairs = _pairs(top)
    state = sha256(*(f"{file}|{size}|{time}" for file, size, time in _states(pairs)))
    folder = cache_folder(cache) / f"idx-{sha256(str(top))[:12]}.{state[:12]}"
    return cached(folder, split, partial(_read, pairs, top), str(path), progress)


def idx_times(path: str | Path) -> tuple[tuple[str, int], ...]:
    """The files with their times, empty if they cannot be found: others when one changes."""
    try:
        pairs = _pairs(Path(path).expanduser().absolute())
        return tuple((file, time) for file, _, time in _states(pairs))
    except (OSError, ValueError):
        return ()


def _pairs(top: Path) -> dict[str, Pair]:
    """By split, or "all" for a set without one. ValueError: not two or four files to choose."""
    try:
        there = sorted(f for f in top.iterdir() if not f.name.startswith(".") and f.is_file())
    except OSError as error:
        raise ValueError(
            f"path needs to be a folder of IDX files, got {top} ({error.strerror})."
        ) from error
    plain = {f.name.removesuffix(".gz"): f for f in reversed(there)}  # unpacked before packed
    found = {of: [f for name, f in plain.items() if of in name] for of in ("images", "labels")}
    if len(found["images"]) == len(found["labels"]) == 1:
        return {"all": Pair(found["images"][0], found["labels"][0])}
    by_split = {
        (split, of): [f for f in found[of] if any(word in f.name for word in words)]
        for split, words in _SPLIT_NAMES.items()
        for of in found
    }
    if any(len(files) != 1 for files in by_split.values()):
        names = ", ".join(sorted(f.name for files in found.values() for f in files))
        raise ValueError(
            "path needs to hold one IDX file of images and one of labels, "
            f"or both for train and for t10k, got {names or 'none'} in {top}."
        )
    return {
        split: Pair(by_split[split, "images"][0], by_split[split, "labels"][0]) for split in SPLITS
    }


def _states(pairs: dict[str, Pair]) -> list[tuple[str, int, int]]:
    files = [(file, file.stat()) for pair in pairs.values() for file in pair]
    return [(str(file), status.st_size, status.st_mtime_ns) for file, status in files]


def _read(pairs: dict[str, Pair], top: Path, work: Path) -> Content:
    parts = {split: _read_pair(pair, work) for split, pair in pairs.items()}
    classes = np.unique(np.concatenate([labels for _, labels in parts.values()]))
    if len(classes) < 2:
        raise DatasetError(f"path needs images of two classes or more, got one in {top}.")
    if len({pixels.shape[1:] for pixels, _ in parts.values()}) > 1:
        got = " and ".join("{} x {}".format(*p.shape[1:]) for p, _ in parts.values())
        raise DatasetError(f"path needs images of one size, got {got} in {top}.")
    blocks = []
    for split, (pixels, labels) in parts.items():
        is_test = np.arange(len(labels)) % _EVERY == 0
        chosen = {"train": ~is_test, "test": is_test} if split == "all" else {split: slice(None)}
        for name, rows in chosen.items():
            numbers = np.searchsorted(classes, labels[rows])
            blocks.append(Block(name, pixels[rows, None], numbers))
    return Content(tuple(map(str, classes.tolist())), blocks)


def _read_pair(pair: Pair, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, h, w) and labels (n,), both uint8. DatasetError: they do not fit."""
    images, labels = _read_bytes(pair.images, 3, work), _read_bytes(pair.labels, 1, work)
    if len(images) != len(labels):
        raise DatasetError(
            f"{pair.labels} needs a label for each of the {len(images)} images "
            f"in {pair.images.name}, got {len(labels)}."
        )
    return images, labels


def _read_bytes(file: Path, axes: int, work: Path) -> np.ndarray:
    """The bytes in a file, by its axes. DatasetError: it is cut short, or of another format."""
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    values = np.empty(0)
    try:
        unpacked = file
        if file.suffix == ".gz":
            unpacked = work / "unpacked"
            unpacked.write_bytes(gzip.decompress(file.read_bytes()))
        values = read_sn3_pascalvincent_tensor(str(unpacked)).numpy()
        reason = f"{values.ndim} axes of {values.dtype}"
    except Exception as error:  # asserted, looked up, unpacked: each has its own
        told = getattr(error, "strerror", None) or type(error).__name__
        reason = f"one cut short or of another format ({told})"
    if (values.ndim, values.dtype) != (axes, np.uint8):
        what = f"{'images' if axes == 3 else 'labels'} ({axes} axes of uint8)"
        raise DatasetError(f"{file} needs to be a whole IDX file of {what}, got {reason}.")
    return values
