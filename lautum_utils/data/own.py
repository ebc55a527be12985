"""Images of your own as domains: what follows "folder:" and "idx:" in a name.

folder:PATH   a folder of images for each class, see `load_folder`; then, if wanted, ?size=32 and
              ?colour=0 or 1, or both: folder:PATH?size=32&colour=1
idx:PATH      a folder of IDX files, see `load_idx`

An experiment wants the folder to be there, and keeps one spelling of its path, see `spelled`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from lautum_utils.data.folders import folder_times, load_folder
from lautum_utils.data.idx import idx_times, load_idx
from lautum_utils.data.images import Images

FOLDER, IDX = "folder:", "idx:"
OWN = (f"{FOLDER}PATH", f"{IDX}PATH")
_OPTION = re.compile(r"size=[1-9]\d*|colour=[01]")
_elsewhere: ContextVar[bool] = ContextVar("_elsewhere", default=False)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Within it (in this thread), folders may be another machine's: none has to be there."""
    token = _elsewhere.set(True)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def is_own(name: object) -> bool:
    """Whether a name is one of a person's own images."""
    return isinstance(name, str) and name.startswith((FOLDER, IDX))


def require_own(name: str, what: str) -> None:
    """ValueError, about the argument `what`, unless a path follows, and known options or none."""
    start, path, options = _parted(name)
    if not path:
        raise ValueError(f"{what} needs a path after {start}, got {name!r}.")
    known = [option.partition("=")[0] for option in options if _OPTION.fullmatch(option)]
    if len(set(known)) < len(options):
        got = "&".join(options)
        raise ValueError(f"{what} needs size=N or colour=0 or colour=1 after the ?, got {got!r}.")


def require_there(name: str, what: str) -> None:
    """ValueError, about the argument `what`, unless the folder is there, but for `elsewhere`."""
    path = Path(_parted(name)[1]).expanduser()
    if not (_elsewhere.get() or path.is_dir()):
        why = "is a file" if path.exists() else "is not there"
        raise ValueError(f"{what} needs a folder that is there, got {name!r}: {path} {why}.")


def spelled(name: Any) -> Any:
    """The one spelling of names of the same images: no separator at the end of the path, and size
    before colour. Anything else is left alone."""
    if not is_own(name):
        return name
    start, path, options = _parted(name)
    ended = path.rstrip(os.sep + (os.altsep or ""))
    path = ended if ended and not ended.endswith(":") else path  # / and C:\\ stay
    return start + path + "?" * bool(options) + "&".join(sorted(options, reverse=True))


def load_own(name: str, split: str) -> Images:
    """The images of a domain of one's own. ValueError, DatasetError: as its reader says."""
    start, path, options = _parted(name)
    if start == IDX:
        return load_idx(path, split)
    given = dict(option.split("=") for option in options)
    size, colour = (int(given[key]) if key in given else None for key in ("size", "colour"))
    return load_folder(path, split, size=size, colour=None if colour is None else bool(colour))


def own_times(name: str) -> tuple[tuple[str, int], ...]:
    """Others when a file comes or goes. Far cheaper than loading; empty if nothing is there."""
    start, path, _ = _parted(name)
    return idx_times(path) if start == IDX else folder_times(path)


def _parted(name: str) -> tuple[str, str, list[str]]:
    """What a name begins with, its path, and its options, which only a folder has; a ? without =
    after it is part of the path."""
    start = IDX if name.startswith(IDX) else FOLDER
    whole = name.removeprefix(start)
    path, mark, tail = whole.rpartition("?")
    has_options = start == FOLDER and mark and "=" in tail
    return (start, path, tail.split("&")) if has_options else (start, whole, [])
