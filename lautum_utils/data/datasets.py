"""Real images: eight public sets, downloaded and converted once, or a folder of your own.

mnist, fashion_mnist, usps       grey, 28 x 28 (usps: 16 x 16)
svhn, cifar10, cifar100          colour, 32 x 32; of cifar100's hundred classes, ten
notmnist_small, notmnist_large   grey, 28 x 28: A to J in many fonts;
                                 copies of a glyph may be on both sides of the split

What is loaded is mapped from a cache, see `cache`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lautum_utils.data.archives import read_notmnist, read_torchvision
from lautum_utils.data.cache import cache_folder, cached
from lautum_utils.data.checks import SPLITS, require_one_of, require_split
from lautum_utils.data.downloads import DATASETS, NOTMNIST, find_files
from lautum_utils.data.images import Block, Content, Images, decode, sha256, split_of

CIFAR100_CLASSES = (
    "apple",
    "bottle",
    "butterfly",
    "castle",
    "chair",
    "clock",
    "crab",
    "maple_tree",
    "mountain",
    "orchid",
)
IMAGE_NAME = re.compile(r"[^.].*\.(png|jpe?g|bmp|gif|webp|tiff?)", re.IGNORECASE)


class ImageFile(NamedTuple):
    """An image in a folder of one's own."""

    split: str
    label: int
    path: Path


def load_images(
    name: str,
    split: str = "train",
    *,
    classes: Sequence[str] | None = None,
    cache: str | Path | None = None,
    download: bool = True,
    progress: bool = True,
) -> Images:
    """A public data set, one of `DATASETS`.

    The first load downloads and converts both splits; later ones map the cache.

    classes: ten of cifar100's, labelled 0 to 9 in this order; None takes `CIFAR100_CLASSES`, each
    of another superclass and none like one of CIFAR-10. Fashion-MNIST is also taken from where
    Debian's package dataset-fashion-mnist puts it. notMNIST has no split of its own: see
    `split_of`. ValueError: unknown name, split or classes; classes for another set. DatasetError:
    offline, damaged, no space.
    """
    require_one_of(name, DATASETS, "name")
    require_split(split)
    _require_classes(classes, name)
    chosen = tuple(classes or CIFAR100_CLASSES) if name == "cifar100" else ()
    root = cache_folder(cache)

    def read(work: Path) -> Content:
        downloads = root / "downloads" / name
        files = find_files(name, downloads, work / "download", download, progress)
        if name in NOTMNIST:
            return read_notmnist(files[0])
        return read_torchvision(name, files, work / "unpacked", chosen)

    folder = root / (f"{name}-{sha256(*chosen)[:12]}" if chosen else name)
    return cached(folder, split, read, name, progress)


def load_folder(
    path: str | Path,
    split: str = "train",
    *,
    size: int = 32,
    colour: bool = False,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Images:
    """Your own images: path/CLASS/FILE, or path/train/CLASS/FILE and path/test/CLASS/FILE.

    Classes are in alphabetical order. All images are stretched to size x size pixels, in grey or
    colour; unreadable ones are skipped and counted. Without train and test folders, the name of a
    file decides, see `split_of`. Converted again when a file is added, changed or removed.
    ValueError: no such folder, fewer than two classes, a size below 1. DatasetError: a split
    without images, no space.
    """
    require_split(split)
    if size < 1:
        raise ValueError(f"size needs to be 1 or more, got {size}.")
    top, mode = Path(path).expanduser().absolute(), "RGB" if colour else "L"
    try:
        names, files = _list_files(top)
        state = _state_of(files)
    except OSError as error:
        got = f"{path} ({error.strerror})"
        raise ValueError(
            f"path needs to be a folder of images for each class, got {got}."
        ) from error
    content = Content(names, _decoded(files, size, mode))
    folder = cache_folder(cache) / f"folder-{sha256(str(top))[:12]}-{size}-{mode}.{state[:12]}"
    return cached(folder, split, lambda _: content, str(path), progress)


def _require_classes(classes: Sequence[str] | None, name: str) -> None:
    """ValueError unless these are none, or ten different names for cifar100."""
    if classes is None:
        return
    ten = not isinstance(classes, str) and len(classes) == len(set(classes)) == 10
    if name != "cifar100" or not ten:
        got = f"{classes!r} for {name}"
        raise ValueError(
            f"classes needs to be ten different names, and for cifar100 only, got {got}."
        )


def _list_files(top: Path) -> tuple[tuple[str, ...], list[ImageFile]]:
    """Class names, and all images below a folder. ValueError: it is none of images by class."""
    given = [split for split in SPLITS if (top / split).is_dir()]
    if len(given) == 1:
        raise ValueError(
            "path needs to hold both train and test, or folders of classes only, "
            f"got {top} with {given[0]} only."
        )
    tops = [top / split for split in given] or [top]
    folders = sorted(
        folder
        for above in tops
        for folder in above.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    )
    names = tuple(sorted({folder.name for folder in folders}))
    if len(names) < 2:
        raise ValueError(
            "path needs to hold two folders of images or more, one for each class, "
            f"got {len(names)} in {top}."
        )
    images = (file for folder in folders for file in sorted(folder.iterdir()) if _is_image(file))
    return names, [_image_file(file, names, bool(given)) for file in images]


def _is_image(file: Path) -> bool:
    return file.is_file() and IMAGE_NAME.fullmatch(file.name) is not None


def _image_file(path: Path, names: tuple[str, ...], has_splits: bool) -> ImageFile:
    folder = path.parent
    split = folder.parent.name if has_splits else split_of(folder.name, path.name)
    return ImageFile(split, names.index(folder.name), path)


def _state_of(files: list[ImageFile]) -> str:
    """Another string as soon as a file is added, changed or removed."""
    stats = ((file.path, file.path.stat()) for file in files)
    return sha256(*(f"{path}|{stat.st_size}|{stat.st_mtime_ns}" for path, stat in stats))


def _decoded(files: list[ImageFile], size: int, mode: str) -> Iterator[Block]:
    for file in files:
        yield Block(file.split, decode(file.path, size, mode), np.array([file.label]))
