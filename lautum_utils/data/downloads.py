"""The files of the public sets: what they are called, where they come from, whether they are sound.

A download needs the MD5 that torchvision holds for it. For notMNIST no checksum is known, so that
its size in bytes has to do.
"""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import pooch  # type: ignore[import-untyped]
import requests

from lautum_utils.data.checks import SPLITS
from lautum_utils.data.images import DatasetError

TORCHVISION = {  # the names of its classes
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
    "usps": "USPS",
}
NOTMNIST_URL = "http://yaroslavvb.com/upload/notMNIST/"
NOTMNIST = {  # file and size in bytes
    "notmnist_small": ("notMNIST_small.tar.gz", 8458043),
    "notmnist_large": ("notMNIST_large.tar.gz", 247336696),
}
DATASETS = (*TORCHVISION, *NOTMNIST)
# By Debian's package dataset-fashion-mnist.
INSTALLED = {"fashion_mnist": Path("/usr/share/datasets/fashion-mnist")}
TIMEOUT = (5, 30)  # seconds to connect, and between two pieces


class Source(NamedTuple):
    """A published file: addresses to try in turn, and its MD5 or, where none is known, its size."""

    file: str
    addresses: tuple[str, ...]
    expected: str | int


def torchvision_class(name: str) -> Any:
    """torchvision's class of a set, imported where it is needed.

    What only answers from a record starts much sooner without it.
    """
    return getattr(importlib.import_module("torchvision.datasets"), TORCHVISION[name])


def find_files(name: str, here: Path, work: Path, download: bool, progress: bool) -> list[Path]:
    """The files of a set, checked: put `here` before, installed by Debian, or downloaded now.

    work: a folder for what is not yet whole. DatasetError: one is not to be had.
    """
    sources = _sources(name)
    faults = {source: _fault(here / source.file, source.expected) for source in sources}
    missing = [source for source in sources if faults[source]]
    installed = [INSTALLED[name] / source.file for source in sources] if name in INSTALLED else []
    # Debian packs the same images anew, so that no MD5 fits; its package manager has checked them.
    if missing and installed and all(path.is_file() for path in installed):
        return installed
    for position, source in enumerate(missing):
        if why := _fetch(source, here, work, progress) if download else "download=False":
            told = f"{here / source.file} {faults[source]} ({why})"
            raise _not_to_be_had(name, told, missing[position:])
    return [here / source.file for source in sources]


def _not_to_be_had(name: str, told: str, missing: list[Source]) -> DatasetError:
    """What to put where, and what to take instead."""
    address, *_ = missing[0].addresses
    folder, _, _ = address.rpartition("/")
    files = ", ".join(source.file for source in missing)
    instead = "letters" if name in NOTMNIST else "digits"
    return DatasetError(
        f"{name} cannot be loaded, as {told}: put {files} from {folder}/ there, "
        f'or use lautum_utils.data.domains.load("{instead}"), which needs no download.'
    )


def _sources(name: str) -> list[Source]:
    """The files of a set, as torchvision lists them."""
    if name in NOTMNIST:
        file, size = NOTMNIST[name]
        return [Source(file, (NOTMNIST_URL + file,), size)]
    dataset = torchvision_class(name)
    if hasattr(dataset, "mirrors"):  # MNIST and FashionMNIST
        return [
            Source(file, tuple(mirror + file for mirror in dataset.mirrors), md5)
            for file, md5 in dataset.resources
        ]
    if hasattr(dataset, "tgz_md5"):  # CIFAR10 and CIFAR100
        return [Source(dataset.filename, (dataset.url,), dataset.tgz_md5)]
    listed = (dataset.split_list[split] for split in SPLITS)
    return [Source(file, (address,), md5) for address, file, md5 in listed]


def _fault(path: Path, expected: str | int) -> str:
    """Why a file is not the one of this MD5 or size; empty if it is."""
    if not path.is_file():
        return "is not there"
    by_size = isinstance(expected, int)
    found = path.stat().st_size if by_size else pooch.file_hash(str(path), "md5")
    if found == expected:
        return ""
    return f"has {'size' if by_size else 'MD5'} {found} and needs {expected}"


def _fetch(source: Source, here: Path, work: Path, progress: bool) -> str:
    """Download to work, check, move here: why it failed, empty if it did not."""
    pooch.get_logger().setLevel("WARNING")  # it announces each download; the bar does
    get = pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16, timeout=TIMEOUT)
    reasons = []
    for number, address in enumerate(source.addresses):
        try:
            to = f"{number}-{source.file}"
            got = Path(pooch.retrieve(address, None, to, work, downloader=get))
            fault = _fault(got, source.expected)
        except requests.RequestException as error:
            fault = f"failed ({getattr(error.response, 'status_code', type(error).__name__)})"
        if not fault:
            here.mkdir(parents=True, exist_ok=True)
            got.replace(here / source.file)
            return ""
        reasons.append(f"{address} {fault}")
    return "; ".join(reasons)
