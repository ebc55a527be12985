"""A folder of your own images: looked through each time it is opened, converted when it changed.

To find a change in place, the state of every file has to be asked for: most of what an opening
takes. Within `one_look`, several openings share one look at the disk.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from errno import EBADF, ELOOP, ENOENT, ENOTDIR
from pathlib import Path

from lautum_utils.data.cache import cache_folder, cached
from lautum_utils.data.checks import SPLITS, require_split
from lautum_utils.data.folder_contents import WANTED, Look, gathered, read
from lautum_utils.data.images import Images, sha256
from lautum_utils.data.layouts import IMAGE_NAME, meant, needs_both, visible_folders
from lautum_utils.numbers import whole_number

RULES = "2"  # of how files become images: with others, a folder is converted again


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

    Classes are in alphabetical order; a folder without an image that can be read is none. Images
    are stretched to size x size pixels, in grey or colour; None takes what they have, see
    `common_target`. What is transparent becomes white, and what is deeper than 8 bits has one scale
    for the whole folder, see `decoding` and `depths`. Without train and test folders, the name of a
    file decides, see `split_of`. Converted again when a file is added, changed or removed.

    When it is converted, a warning says which files were passed over, and why: they cannot be read,
    are of another type than png, jpg, bmp, gif, webp and tiff, or lie a folder deeper; and what is
    odd about the classes. progress: a bar, where `bars` does not forbid it.
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
    return cached(folder, split, lambda _: read(look, top, size, colour), str(path), progress)


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
        found = [*above, *(folder for each in above for folder in visible_folders(each))]
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
    """All images below a folder. ValueError: it is none of images by class."""
    given = [split for split in SPLITS if (top / split).is_dir()]
    if len(given) == 1:
        raise ValueError(needs_both(top, given[0]))
    tops = tuple(top / split for split in given) or (top,)
    found = {folder: _states_in(folder) for above in tops for folder in visible_folders(above)}
    found = {folder: found[folder] for folder in sorted(found) if found[folder]}
    states = (state for states in found.values() for state in states.values())
    look = Look(tops, {k: list(v) for k, v in found.items()}, sha256(RULES, *states))
    if len(look.class_names) < 2:
        told = meant(top) or gathered(look, top).sentence((), ())
        raise ValueError(
            f"{WANTED}, got {len(look.class_names)} in {top}{'; ' * bool(told)}{told}."
        )
    return look


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
