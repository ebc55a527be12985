"""A folder of your own images: looked through each time it is opened, converted when it changed.

To find a change in place, the state of every file has to be asked for: most of what an opening
takes. Within `one_look`, several openings share one look at the disk.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from errno import EBADF, ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lautum_utils.data.cache import cache_folder, cached
from lautum_utils.data.checks import SPLITS, require_split
from lautum_utils.data.folder_shapes import Target, common_target
from lautum_utils.data.images import Block, Content, Images, decode, sha256, split_of
from lautum_utils.numbers import whole_number

IMAGE_NAME = re.compile(r"[^.].*\.(png|jpe?g|bmp|gif|webp|tiff?)", re.IGNORECASE)


class Look(NamedTuple):
    """What a look at a folder finds: its classes, its images by class folder, and their state.

    state: another string as soon as a file is added, changed, renamed or removed.
    """

    class_names: tuple[str, ...]
    has_splits: bool
    images: dict[Path, list[str]]
    state: str


_looks: ContextVar[dict[Path, Look] | None] = ContextVar("_looks", default=None)


def load_folder(
    path: str | Path,
    split: str = "train",
    *,
    size: int | None = None,
    colour: bool | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Images:
    """Your own images: path/CLASS/FILE, or path/train/CLASS/FILE and path/test/CLASS/FILE.

    Classes are in alphabetical order. All images are stretched to size x size pixels, in grey or
    colour; None takes what they have, see `common_target`. Unreadable ones are skipped and counted.
    Without train and test folders, the name of a file decides, see `split_of`. Converted again when
    a file is added, changed or removed.
    ValueError: no such folder, fewer than two classes, a size below 1. DatasetError: a split
    without images, no space.
    """
    require_split(split)
    if size is not None:
        size = whole_number(size, "size", least=1)
    top = _absolute(path)
    try:
        look = _look_once(top)
    except OSError as error:
        got = f"{path} ({error.strerror})"
        raise ValueError(
            f"path needs to be a folder of images for each class, got {got}."
        ) from error
    mode = "own" if colour is None else "RGB" if colour else "L"
    key = f"folder-{sha256(str(top))[:12]}-{size or 'own'}-{mode}"
    folder = cache_folder(cache) / f"{key}.{look.state[:12]}"
    return cached(folder, split, lambda _: _read(look, size, colour, path), str(path), progress)


@contextmanager
def one_look() -> Iterator[None]:
    """Within it (in this thread), a folder is looked at once; what changes meanwhile, after it."""
    if _looks.get() is not None:
        yield
        return
    token = _looks.set({})
    try:
        yield
    finally:
        _looks.reset(token)


def folder_times(path: str | Path) -> tuple[tuple[str, int], ...]:
    """The folders below (and itself) with their times: others when a file comes or goes.

    Far cheaper than a look, but it does not see a file that is changed in place. Empty if the
    folder cannot be read.
    """
    top = _absolute(path)
    try:
        above = [top, *(top / split for split in SPLITS if (top / split).is_dir())]
        found = [*above, *(folder for each in above for folder in _class_folders(each))]
        return tuple((str(folder), folder.stat().st_mtime_ns) for folder in found)
    except OSError:
        return ()


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


def _look_once(top: Path) -> Look:
    """A look at a folder, or what was found before in the same `one_look`."""
    known = _looks.get()
    if known is None:
        return _look(top)
    if top not in known:
        known[top] = _look(top)
    return known[top]


def _look(top: Path) -> Look:
    """Class names, and all images below a folder. ValueError: it is none of images by class."""
    given = [split for split in SPLITS if (top / split).is_dir()]
    if len(given) == 1:
        raise ValueError(
            "path needs to hold both train and test, or folders of classes only, "
            f"got {top} with {given[0]} only."
        )
    tops = [top / split for split in given] or [top]
    folders = sorted(folder for above in tops for folder in _class_folders(above))
    names = tuple(sorted({folder.name for folder in folders}))
    if len(names) < 2:
        raise ValueError(
            "path needs to hold two folders of images or more, one for each class, "
            f"got {len(names)} in {top}."
        )
    found = {folder: _states_in(folder) for folder in folders}
    states = (state for states in found.values() for state in states.values())
    return Look(names, bool(given), {k: list(v) for k, v in found.items()}, sha256(*states))


def _class_folders(above: Path) -> Iterator[Path]:
    return (f for f in above.iterdir() if f.is_dir() and not f.name.startswith("."))


def _states_in(folder: Path) -> dict[str, str]:
    """The images of a class by name, in order, each with its path, size and time of change.

    Strings, not objects: with tens of thousands of files, making paths takes longer than asking
    the disk. `os.scandir` saves nothing here, and on Windows its states may be old.
    """
    found, start = {}, os.path.join(folder, "")
    for name in sorted(filter(IMAGE_NAME.fullmatch, os.listdir(folder))):
        path = start + name
        if status := _file_status(path):
            found[name] = f"{path}|{status.st_size}|{status.st_mtime_ns}"
    return found


def _file_status(path: str) -> os.stat_result | None:
    """None for what is no file: a folder, or a link to nowhere."""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, EBADF, ELOOP):
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def _read(look: Look, size: int | None, colour: bool | None, path: str | Path) -> Content:
    files = (folder / name for folder, names in look.images.items() for name in names)
    target = common_target(files, size, colour, str(path))
    return Content(look.class_names, _decoded(look, target))


def _decoded(look: Look, target: Target) -> Iterator[Block]:
    for folder, names in look.images.items():
        label = np.array([look.class_names.index(folder.name)])
        for name in names:
            split = folder.parent.name if look.has_splits else split_of(folder.name, name)
            yield Block(split, decode(folder / name, *target), label)
