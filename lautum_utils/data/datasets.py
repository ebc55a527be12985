"""Real images: eight public sets, downloaded and converted once.

mnist, fashion_mnist, usps       grey, 28 x 28 (usps: 16 x 16)
svhn, cifar10, cifar100          colour, 32 x 32; of cifar100's hundred classes, ten
notmnist_small, notmnist_large   grey, 28 x 28: A to J in many fonts;
                                 copies of a glyph may be on both sides of the split

What is loaded is mapped from a cache, see `cache`. Folders of your own: `folders`.
"""

from collections.abc import Sequence
from pathlib import Path

from lautum_utils.data.archives import read_notmnist, read_torchvision
from lautum_utils.data.cache import cache_folder, cached
from lautum_utils.data.checks import require_one_of, require_split
from lautum_utils.data.downloads import DATASETS, NOTMNIST, find_files
from lautum_utils.data.images import Content, Images, sha256

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
