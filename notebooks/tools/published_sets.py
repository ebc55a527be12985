"""Where the images of the published tasks are: in a folder, or to be downloaded by name."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lautum_utils.data.datasets import load_images
from lautum_utils.data.domains import extent_of, stored
from lautum_utils.data.images import DatasetError

CLASSES = 10


class PublishedSet(NamedTuple):
    """title: in words. images: so many there are in the whole set, of the ten classes. folder: what
    the name of a folder begins with that holds it; "" for a set that is only known by its name."""

    title: str
    images: int
    folder: str


SETS = {
    "mnist": PublishedSet("MNIST", 70_000, r"mnist(?!\d)"),
    "notmnist_small": PublishedSet("notMNIST, the small set", 18_724, "notmnist"),
    "cifar10": PublishedSet("CIFAR-10", 60_000, r"cifar-?10(?!\d)"),
    "cifar100": PublishedSet("ten classes of CIFAR-100", 6_000, r"cifar-?100(?!\d)"),
    "fashion_mnist": PublishedSet("Fashion-MNIST", 70_000, ""),
}


class Sets(NamedTuple):
    """domains: what `load` takes, by the name of the set. missing: why a set is not there, a
    sentence."""

    domains: dict[str, str]
    missing: dict[str, str]


def find_sets(names: Iterable[str], data: str | Path | None = None) -> Sets:
    """The sets called so, in the folder `data`; without one, by name, downloaded where needed.

    A folder holds MNIST and notMNIST in folders called mnist* and notmnist*, the two CIFARs in
    cifar10* and cifar100*: IDX files, or a folder of images for each class, there or one folder
    deeper. Fashion-MNIST is never looked for there: it is where Debian's package puts it, or in the
    cache. ValueError: no such folder.
    """
    folder = None if data is None else Path(data).expanduser().absolute()
    if folder is not None and not folder.is_dir():
        raise ValueError(f"DATA needs to be a folder, got {data}.")
    found = Sets({}, {})
    for name in names:
        try:
            found.domains[name] = _by_name(name, folder) or _in_folder(name, folder)
        except (DatasetError, ValueError) as error:
            found.missing[name] = str(error)
    if folder is not None:
        _require_one(folder, found)
    return found


def _require_one(folder: Path, found: Sets) -> None:
    """ValueError if a folder was to hold sets, and holds none of them."""
    wanted = [name for name in (*found.domains, *found.missing) if SETS[name].folder]
    if wanted and not set(wanted) & set(found.domains):
        raise ValueError(
            "DATA needs to hold folders called mnist*, notmnist*, cifar10* or cifar100*, "
            f"got {folder}: {found.missing[wanted[0]]}"
        )


def counts_of(domains: dict[str, str]) -> dict[str, dict[str, int]]:
    """How many images each set has to learn from (train) and to be tested on (test)."""
    extents = {name: extent_of(domain) for name, domain in domains.items()}
    return {name: {"train": e.train, "test": e.test} for name, e in extents.items()}


def images_in_words(counts: dict[str, dict[str, int]]) -> list[str]:
    """A line for each set: "CIFAR-10: 24,000 of 60,000 images, 4,000 of them to test on"."""
    return [
        f"{SETS[name].title}: {sum(n.values()):,} of {SETS[name].images:,} images, "
        f"{n['test']:,} of them to test on"
        for name, n in counts.items()
    ]


def _by_name(name: str, folder: Path | None) -> str:
    """The name, once its images are there; empty for a set that a folder is to hold."""
    if folder is not None and SETS[name].folder:
        return ""
    load_images(name, download=folder is None)
    return name


def _in_folder(name: str, folder: Path | None) -> str:
    """The domain in the folder. DatasetError: none there that can be read."""
    reasons = []
    for domain in _candidates(name, folder or Path()):
        try:
            if (classes := len(stored(domain, "train").class_names)) == CLASSES:
                return domain
            reasons.append(f"{domain} has {classes} classes and needs {CLASSES}")
        except (DatasetError, ValueError) as error:
            reasons.append(str(error).removesuffix("."))
    why = f" ({reasons[-1]})" if reasons else ""
    raise DatasetError(f"{SETS[name].title} is not in {folder}{why}.")


def _candidates(name: str, folder: Path) -> Iterator[str]:
    wanted = re.compile(SETS[name].folder, re.IGNORECASE)
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and wanted.match(p.name)):
        for place in (path, *sorted(p for p in path.iterdir() if p.is_dir())):
            holds_idx = any("idx" in file.name for file in place.iterdir())
            yield f"{'idx' if holds_idx else 'folder'}:{place}"
