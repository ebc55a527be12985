"""Real images: eight public sets, downloaded and converted once, or a folder of your own; both
mapped from a cache.

mnist, fashion_mnist, usps       grey, 28 x 28 (usps: 16 x 16)
svhn, cifar10, cifar100          colour, 32 x 32; of cifar100's hundred classes, ten
notmnist_small, notmnist_large   grey, 28 x 28: A to J in many fonts; copies of a glyph may be on both sides of the split

The cache (`cache_folder`) holds downloads/NAME/FILE as published, or as put there by hand, and for
each set a folder that is moved there whole and never changed: about.json and, by split,
SPLIT.pixels (uint8) and SPLIT.labels (int64). A download needs the MD5 that torchvision holds for
it. For notMNIST no checksum is known, so that its size in bytes has to do.
"""

import difflib
import gzip
import hashlib
import importlib
import json
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pooch  # type: ignore[import-untyped]
import requests
import torch
from filelock import FileLock
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps
from torch import Tensor
from tqdm.auto import tqdm

FORMAT = 1
SPLITS = ("train", "test")
TORCHVISION = {  # the names of its classes
    "mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100", "svhn": "SVHN",
    "usps": "USPS",
}  # fmt: skip
NOTMNIST_URL = "http://yaroslavvb.com/upload/notMNIST/"
NOTMNIST = {
    "notmnist_small": ("notMNIST_small.tar.gz", 8458043),
    "notmnist_large": ("notMNIST_large.tar.gz", 247336696),
}
DATASETS = (*TORCHVISION, *NOTMNIST)
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
INSTALLED = {
    "fashion_mnist": Path("/usr/share/datasets/fashion-mnist")
}  # by Debian's dataset-fashion-mnist
IMAGE_NAME = re.compile(r"[^.].*\.(png|jpe?g|bmp|gif|webp|tiff?)", re.IGNORECASE)
TIMEOUT = (5, 30)  # seconds to connect, and between two pieces

_Source = tuple[
    str, tuple[str, ...], str | int
]  # file, addresses to try in turn, MD5 or (where none is known) size in bytes
_Block = tuple[
    str, np.ndarray | None, np.ndarray
]  # split, pixels (k, c, h, w) or None for a file skipped, labels (k,)
_Content = tuple[tuple[str, ...], Iterable[_Block]]  # class names, blocks


class DatasetError(RuntimeError):
    """A data set is not there, not what it should be, or cannot be stored. The message says what to
    do."""


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images, mapped from the cache: a change stays in memory. skipped: files of this
    split that could not be read."""

    pixels: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    class_names: tuple[str, ...]
    skipped: int

    def __len__(self) -> int:
        return len(self.labels)


def cache_folder(given: str | Path | None = None) -> Path:
    """Where data sets are kept: here if given, or in LAUTUM_DATA (environment), or in the user's
    cache folder."""
    moved = given or os.environ.get("LAUTUM_DATA")
    return (
        Path(moved).expanduser().absolute()
        if moved
        else platformdirs.user_cache_path("lautum_utils", appauthor=False)
    )


def load_images(
    name: str, split: str = "train", *, classes: Sequence[str] | None = None, cache: str | Path | None = None,
    download: bool = True, progress: bool = True,
) -> Images:  # fmt: skip
    """A public data set, one of `DATASETS`. The first load downloads and converts both splits;
    later ones map the cache.

    classes: ten of cifar100's, labelled 0 to 9 in this order; None takes `CIFAR100_CLASSES`, each
    of another superclass and none like one of CIFAR-10. Fashion-MNIST is also taken from where
    Debian's package dataset-fashion-mnist puts it. notMNIST has no split of its own: test is the
    sixth of the files whose "LETTER/FILE" has a SHA-256 divisible by 6. ValueError: unknown name,
    split or classes; classes for another set. DatasetError: offline, damaged, no space.
    """
    _require_one_of(name, DATASETS, "name")
    _require_one_of(split, SPLITS, "split")
    if classes is not None and (
        name != "cifar100"
        or isinstance(classes, str)
        or not len(classes) == len(set(classes)) == 10
    ):
        raise ValueError(
            f"classes needs to be ten different names, and for cifar100 only, got {classes!r} for {name}."
        )
    root, chosen = (
        cache_folder(cache),
        tuple(classes or CIFAR100_CLASSES) if name == "cifar100" else (),
    )

    def content(work: Path) -> _Content:
        files = _files(name, root / "downloads" / name, work / "download", download, progress)
        return (
            _notmnist(files[0])
            if name in NOTMNIST
            else _torchvision(name, files, work / "unpacked", chosen)
        )

    return _cached(
        root / (f"{name}-{_sha256(*chosen)[:12]}" if chosen else name),
        split,
        content,
        name,
        progress,
    )


def load_folder(
    path: str | Path, split: str = "train", *, size: int = 32, colour: bool = False,
    cache: str | Path | None = None, progress: bool = True,
) -> Images:  # fmt: skip
    """Your own images: path/CLASS/FILE, or path/train/CLASS/FILE and path/test/CLASS/FILE; classes
    in alphabetical order.

    All are stretched to size x size pixels, in grey or colour; unreadable ones are skipped and
    counted. Without train and test folders, test is the sixth of the files whose "CLASS/FILE" has a
    SHA-256 divisible by 6, so that new files move no old ones. Converted again when a file is
    added, changed or removed. ValueError: no such folder, fewer than two classes, a size below 1.
    DatasetError: a split without images, no space.
    """
    _require_one_of(split, SPLITS, "split")
    if size < 1:
        raise ValueError(f"size needs to be 1 or more, got {size}.")
    top, mode = Path(path).expanduser().absolute(), "RGB" if colour else "L"
    try:
        names, files = _list_classes(top)
        state = _sha256(*(f"{f}|{f.stat().st_size}|{f.stat().st_mtime_ns}" for _, _, f in files))
    except OSError as error:
        raise ValueError(
            f"path needs to be a folder of images for each class, got {path} ({error.strerror})."
        ) from error
    blocks = ((s, _decode(f, size, mode), np.array([label])) for s, label, f in files)
    folder = cache_folder(cache) / f"folder-{_sha256(str(top))[:12]}-{size}-{mode}.{state[:12]}"
    return _cached(folder, split, lambda _: (names, blocks), str(path), progress)


def _cached(
    folder: Path, split: str, content: Callable[[Path], _Content], name: str, progress: bool
) -> Images:
    """The converted set in folder; if need be, made first, by one process while the others wait."""
    root, key = folder.parent, folder.name.partition(".")[0]
    found, work = _open(folder, split), root / f".{key}.tmp"
    if found is not None:
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{key}.lock"):
            if _open(folder, split) is None:
                try:
                    shutil.rmtree(
                        work, ignore_errors=True
                    )  # a killed process may have left it; the lock makes it ours
                    (work / "set").mkdir(parents=True)
                    _write(work / "set", *content(work), name, progress)
                    for old in (folder, *root.glob(f"{key}.*")):
                        shutil.rmtree(old, ignore_errors=True)
                    (work / "set").replace(folder)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
    except (OSError, NotImplementedError) as error:
        told = f"the cache {root} cannot be used ({getattr(error, 'strerror', None) or type(error).__name__})"
        raise DatasetError(
            f"{told}: make space, give permission, or set LAUTUM_DATA to another folder."
        ) from error
    found = _open(folder, split)
    if found is None:
        raise DatasetError(
            f"{folder} cannot be read back: remove it, or set LAUTUM_DATA to another folder."
        )
    return found


def _open(folder: Path, split: str) -> Images | None:
    """A converted set; None if it is not there, damaged, or older."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if about["format"] > FORMAT:
            raise DatasetError(
                f"{folder} has format {about['format']}, above {FORMAT}: update lautum_utils or set LAUTUM_DATA."
            )
        shape, names = about["shapes"][split], tuple(about["class_names"])
        pixels = torch.from_file(
            f"{folder / split}.pixels", False, int(np.prod(shape)), dtype=torch.uint8, device="cpu"
        )
        labels = torch.from_file(
            f"{folder / split}.labels", False, shape[0], dtype=torch.int64, device="cpu"
        )
        sound = about["format"] == FORMAT and labels.min() >= 0 and labels.max() < len(names)
        return (
            Images(pixels.reshape(shape), labels, names, about["skipped"][split]) if sound else None
        )
    except DatasetError:
        raise
    except Exception:  # whatever a damaged file leads to
        return None


def _write(
    folder: Path, names: tuple[str, ...], blocks: Iterable[_Block], name: str, progress: bool
) -> None:
    shapes, skipped = {split: [0] for split in SPLITS}, dict.fromkeys(SPLITS, 0)
    with ExitStack() as stack:
        out = {
            end: stack.enter_context((folder / end).open("wb"))
            for s in SPLITS
            for end in (f"{s}.pixels", f"{s}.labels")
        }
        for split, pixels, labels in tqdm(
            blocks, f"converting {name}", disable=not progress, unit="part"
        ):
            if pixels is None:
                skipped[split] += 1
                continue
            if (
                len(pixels) != len(labels)
                or pixels.dtype != np.uint8
                or set(labels) - set(range(len(names)))
            ):
                raise DatasetError(
                    f"{name} needs 8 bits and a label below {len(names)} for each image, got others in {split}."
                )
            out[f"{split}.pixels"].writelines(image.tobytes() for image in pixels)
            out[f"{split}.labels"].write(labels.astype(np.int64).tobytes())
            shapes[split] = [shapes[split][0] + len(pixels), *pixels.shape[1:]]
    for split in (split for split in SPLITS if not shapes[split][0]):
        raise DatasetError(
            f"{name} needs images in train and test, got none in {split} ({skipped[split]} unreadable)."
        )
    (folder / "about.json").write_text(
        json.dumps({"format": FORMAT, "class_names": names, "shapes": shapes, "skipped": skipped}),
        encoding="utf-8",
    )


def _kind(name: str) -> Any:
    """torchvision's class of a set, imported where it is needed: what only answers from a record
    starts much sooner."""
    return getattr(importlib.import_module("torchvision.datasets"), TORCHVISION[name])


def _sources(name: str) -> list[_Source]:
    """The files of a set, as torchvision lists them."""
    if name in NOTMNIST:
        return [(NOTMNIST[name][0], (NOTMNIST_URL + NOTMNIST[name][0],), NOTMNIST[name][1])]
    kind = _kind(name)
    if hasattr(kind, "mirrors"):  # MNIST and FashionMNIST
        return [
            (file, tuple(mirror + file for mirror in kind.mirrors), md5)
            for file, md5 in kind.resources
        ]
    if hasattr(kind, "tgz_md5"):  # CIFAR10 and CIFAR100
        return [(kind.filename, (kind.url,), kind.tgz_md5)]
    return [(file, (url,), md5) for url, file, md5 in (kind.split_list[split] for split in SPLITS)]


def _files(name: str, here: Path, work: Path, download: bool, progress: bool) -> list[Path]:
    """The files of a set, checked: put there before, installed by Debian, or downloaded now."""
    wanted = _sources(name)
    faults = {source: fault for source in wanted if (fault := _fault(here / source[0], source[2]))}
    installed = [INSTALLED[name] / file for file, _, _ in wanted] if name in INSTALLED else []
    # Debian packs the same images anew, so that no MD5 fits; its own package manager has checked
    # them.
    if faults and installed and all(path.is_file() for path in installed):
        return installed
    for source in list(faults):
        if why := _fetch(source, here, work, progress) if download else "download=False":
            raise DatasetError(
                f"{name} cannot be loaded, as {here / source[0]} {faults[source]} ({why}): put "
                f"{', '.join(file for file, _, _ in faults)} from {source[1][0].rpartition('/')[0]}/ there, or use lautum_utils."
                f'domains.load("{"letters" if name in NOTMNIST else "digits"}"), which needs no download.'
            )
        del faults[source]
    return [here / file for file, _, _ in wanted]


def _fault(path: Path, known: str | int) -> str:
    """Why a file is not the one of this MD5 or size; empty if it is."""
    if not path.is_file():
        return "is not there"
    found = path.stat().st_size if isinstance(known, int) else pooch.file_hash(str(path), "md5")
    return (
        ""
        if found == known
        else f"has {'size' if isinstance(known, int) else 'MD5'} {found} and needs {known}"
    )


def _fetch(source: _Source, here: Path, work: Path, progress: bool) -> str:
    """Download to work, check, move here: why it failed, empty if it did not."""
    pooch.get_logger().setLevel("WARNING")  # it announces each download; the bar does
    get = pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16, timeout=TIMEOUT)
    (file, urls, known), reasons = source, []
    for i, url in enumerate(urls):
        try:
            got = Path(pooch.retrieve(url, None, f"{i}-{file}", work, downloader=get))
            fault = _fault(got, known)
        except requests.RequestException as error:
            fault = f"failed ({getattr(error.response, 'status_code', type(error).__name__)})"
        if not fault:
            here.mkdir(parents=True, exist_ok=True)
            got.replace(here / file)
            return ""
        reasons.append(f"{url} {fault}")
    return "; ".join(reasons)


def _torchvision(name: str, files: list[Path], root: Path, chosen: tuple[str, ...]) -> _Content:
    """Both splits as torchvision reads them from its own files, unpacked to root where it needs
    that."""
    kind, where = _kind(name), files[0].parent
    try:
        if hasattr(kind, "mirrors"):
            (root / kind.__name__ / "raw").mkdir(parents=True)
            for where in files:  # named if it fails
                with (
                    gzip.open(where) as packed,
                    (root / kind.__name__ / "raw" / where.stem).open("wb") as out,
                ):
                    shutil.copyfileobj(packed, out, 2**20)
        elif hasattr(kind, "tgz_md5"):
            (root / kind.base_folder).mkdir(parents=True)
            batches = [
                *(file for file, _ in kind.train_list + kind.test_list),
                kind.meta["filename"],
            ]
            for member, data in _members(
                files[0], "|".join(f"{kind.base_folder}/{batch}" for batch in batches)
            ):
                (root / member).write_bytes(data)
        else:
            root = where
        where = files[0].parent
        splits = {
            split: kind(root, split if name == "svhn" else split == "train") for split in SPLITS
        }
    except Exception as error:  # each format has its own
        if isinstance(error, DatasetError) or getattr(error, "errno", None):
            raise
        raise DatasetError(
            f"{where} is not {name} as published ({type(error).__name__}): get it again."
        ) from error
    names = (
        tuple("0123456789") if name in ("mnist", "svhn", "usps") else tuple(splits["train"].classes)
    )
    for unknown in set(chosen) - set(names):
        close = ", ".join(difflib.get_close_matches(unknown, names, cutoff=0))
        raise ValueError(
            f"classes needs names that {name} has, got {unknown!r}; the closest are {close}."
        )
    return chosen or names, (
        _block(split, data, [names.index(c) for c in chosen]) for split, data in splits.items()
    )


def _block(split: str, data: Any, chosen: list[int]) -> _Block:
    """torchvision's (n, h, w), (n, h, w, 3) or (n, 3, h, w); of the chosen classes, if any."""
    x, y = (
        np.asarray(data.data),
        np.asarray(data.labels if hasattr(data, "labels") else data.targets),
    )
    if chosen:
        kept = np.isin(y, chosen)
        x, y = x[kept], np.array([chosen.index(label) for label in y[kept]])
    return (
        split,
        x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2) if x.shape[-1] == 3 else x,
        y,
    )


def _notmnist(archive: Path) -> _Content:
    names, wanted = tuple("ABCDEFGHIJ"), r"(.*/)?[A-J]/[^/.][^/]*\.png"
    found = ((member.split("/")[-2:], data) for member, data in _members(archive, wanted))
    return names, (
        (_split_of(*at), _decode(BytesIO(x), 28, "L"), np.array([names.index(at[0])]))
        for at, x in found
    )


def _members(archive: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a tar.gz whose names fit; nothing is extracted, and
    anything but plain files ends it."""
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            while member := tar.next():
                outside = member.name[:1] in "/\\" or ".." in re.split(r"[/\\]", member.name)
                if outside or not (member.isfile() or member.isdir()) or member.size > 2**28:
                    raise tarfile.TarError(
                        f"{member.name!r} is no plain file of up to 256 MiB inside its folder"
                    )
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


def _decode(file: Path | BytesIO, size: int, mode: str) -> np.ndarray | None:
    """(1, c, h, w) with h = w = size, or None for what cannot be read."""
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits, which Pillow cuts off at 255
            upright = Image.fromarray((np.asarray(upright) // 256).clip(0, 255).astype(np.uint8))
        x = np.asarray(upright.convert(mode).resize((size, size), Image.Resampling.BILINEAR))
    except Exception:  # Pillow raises nearly anything on a broken file
        return None
    return x.reshape(1, size, size, -1).transpose(0, 3, 1, 2)


def _list_classes(top: Path) -> tuple[tuple[str, ...], list[tuple[str, int, Path]]]:
    """Class names; split, label and path of each image."""
    fixed = [split for split in SPLITS if (top / split).is_dir()]
    if len(fixed) == 1:
        raise ValueError(
            f"path needs to hold both train and test, or folders of classes only, got {top} with {fixed[0]} only."
        )
    tops = [top / split for split in fixed] or [top]
    folders = sorted(d for t in tops for d in t.iterdir() if d.is_dir() and d.name[0] != ".")
    names = tuple(sorted({d.name for d in folders}))
    if len(names) < 2:
        raise ValueError(
            f"path needs to hold two folders of images or more, one for each class, got {len(names)} in {top}."
        )
    found = sorted(
        (d, f) for d in folders for f in d.iterdir() if f.is_file() and IMAGE_NAME.fullmatch(f.name)
    )
    return names, [
        (d.parent.name if fixed else _split_of(d.name, f.name), names.index(d.name), f)
        for d, f in found
    ]


def _split_of(folder: str, file: str) -> str:
    return "train" if int(_sha256(f"{folder}/{file}"), 16) % 6 else "test"


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()


def _require_one_of(value: str, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise ValueError(f"{name} needs to be one of {', '.join(allowed)}, got {value!r}.")
