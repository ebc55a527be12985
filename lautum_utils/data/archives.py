"""What is in the files of the public sets, as torchvision reads them, or (notMNIST) read here.

Archives come from other people's machines: nothing in one decides where anything is written.
"""

import difflib
import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from lautum_utils.data.checks import SPLITS
from lautum_utils.data.decoding import decode
from lautum_utils.data.downloads import torchvision_class
from lautum_utils.data.images import Block, Content, DatasetError, Unreadable, split_of


def read_torchvision(name: str, files: list[Path], root: Path, classes: tuple[str, ...]) -> Content:
    """Both splits of a set as torchvision reads them; of all `classes`, or only of the named ones.

    files: as `find_files` gives them. root: an empty place, for what has to be unpacked.
    DatasetError: damaged files. ValueError: a class that the set has not.
    """
    dataset = torchvision_class(name)
    folder = files[0].parent
    with _as_published(name, folder):
        unpacked = _unpack(name, files, root)
        splits = {
            split: dataset(unpacked, split if name == "svhn" else split == "train")
            for split in SPLITS
        }
    numbered = name in ("mnist", "svhn", "usps")
    names = tuple("0123456789") if numbered else tuple(splits["train"].classes)
    for unknown in sorted(set(classes) - set(names)):
        close = ", ".join(difflib.get_close_matches(unknown, names, cutoff=0))
        raise ValueError(
            f"classes needs names that {name} has, got {unknown!r}; the closest are {close}."
        )
    chosen = [names.index(each) for each in classes]
    return Content(classes or names, (_block(split, splits[split], chosen) for split in SPLITS))


def read_notmnist(archive: Path) -> Content:
    """Both splits of notMNIST: A to J, 28 x 28 in grey, one block a file."""
    names = tuple("ABCDEFGHIJ")
    return Content(names, _notmnist_blocks(archive, names))


def members(archive: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a tar.gz whose names fit a regular expression.

    Nothing is extracted, and anything but plain files inside their folder ends it.
    DatasetError: such a member, or a damaged archive; it is removed.
    """
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            while member := tar.next():
                _require_plain(member)
                if (file := tar.extractfile(member)) and re.fullmatch(wanted, member.name):
                    yield member.name, file.read()
                tar.members.clear()  # type: ignore[attr-defined]  # or half a million stay in memory
            while stream.read(2**20):  # to the end, where the checksum is
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        archive.unlink(missing_ok=True)
        raise DatasetError(
            f"{archive} is no sound tar.gz ({error}) and was removed: load again to download it."
        ) from error


def _require_plain(member: tarfile.TarInfo) -> None:
    outside = member.name[:1] in "/\\" or ".." in re.split(r"[/\\]", member.name)
    if outside or not (member.isfile() or member.isdir()) or member.size > 2**28:
        raise tarfile.TarError(
            f"{member.name!r} is no plain file of up to 256 MiB inside its folder"
        )


@contextmanager
def _as_published(name: str, place: Path) -> Iterator[None]:
    """A DatasetError that names the place, for whatever a reader raises on a damaged file."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # each format has its own
        if getattr(error, "errno", None):  # no space, no permission: not the file's fault
            raise
        raise DatasetError(
            f"{place} is not {name} as published ({type(error).__name__}): get it again."
        ) from error


def _unpack(name: str, files: list[Path], root: Path) -> Path:
    """The folder in which torchvision's class finds the set: `root`, or where its files are."""
    dataset = torchvision_class(name)
    if hasattr(dataset, "mirrors"):  # MNIST and FashionMNIST
        from torchvision.datasets.utils import extract_archive

        raw = root / dataset.__name__ / "raw"
        raw.mkdir(parents=True)
        for file in files:
            with _as_published(name, file):
                extract_archive(file, raw)
        return root
    if hasattr(dataset, "tgz_md5"):  # CIFAR10 and CIFAR100
        (archive,) = files
        (root / dataset.base_folder).mkdir(parents=True)
        batches = [file for file, _ in dataset.train_list + dataset.test_list]
        batches.append(dataset.meta["filename"])
        wanted = "|".join(f"{dataset.base_folder}/{batch}" for batch in batches)
        for member, data in members(archive, wanted):
            (root / member).write_bytes(data)
        return root
    return files[0].parent


def _block(split: str, data: Any, chosen: list[int]) -> Block:
    """A split of torchvision's; of the chosen classes only, if any, labelled in their order."""
    pixels = np.asarray(data.data)  # (n, h, w), (n, h, w, 3) or (n, 3, h, w)
    labels = np.asarray(data.labels if hasattr(data, "labels") else data.targets)
    if chosen:
        kept = np.isin(labels, chosen)
        pixels = pixels[kept]
        labels = np.array([chosen.index(label) for label in labels[kept]])
    if pixels.ndim == 3:
        return Block(split, pixels[:, None], labels)
    channels_last = pixels.shape[-1] == 3
    return Block(split, pixels.transpose(0, 3, 1, 2) if channels_last else pixels, labels)


def _notmnist_blocks(archive: Path, names: tuple[str, ...]) -> Iterator[Block]:
    for member, data in members(archive, r"(.*/)?[A-J]/[^/.][^/]*\.png"):
        letter, file = member.split("/")[-2:]
        try:
            pixels = decode(BytesIO(data), 28, 28, "L")
        except Unreadable:
            pixels = None
        yield Block(split_of(letter, file), pixels, np.array([names.index(letter)]))
