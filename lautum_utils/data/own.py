"""Images of your own as domains: what follows "folder:" and "idx:" in a name.

folder:PATH   a folder of images for each class, see `load_folder`; then, if wanted, ?size=32 and
              ?colour=0 or 1, or both: folder:PATH?size=32&colour=1
idx:PATH      a folder of IDX files, see `load_idx`
"""

import re

from lautum_utils.data.folders import folder_times, load_folder
from lautum_utils.data.idx import idx_times, load_idx
from lautum_utils.data.images import Images

FOLDER, IDX = "folder:", "idx:"
OWN = (f"{FOLDER}PATH", f"{IDX}PATH")
_OPTION = re.compile(r"size=[1-9]\d*|colour=[01]")


def is_own(name: object) -> bool:
    """Whether a name is one of a person's own images."""
    return isinstance(name, str) and name.startswith((FOLDER, IDX))


def require_own(name: str, what: str) -> None:
    """ValueError, about the argument `what`, unless a path follows, and known options or none."""
    start, _, path = name.partition(":")
    options: list[str] = []
    if name.startswith(FOLDER):
        path, options = _parted(name)
    if not path:
        raise ValueError(f"{what} needs a path after {start}:, got {name!r}.")
    known = [option.partition("=")[0] for option in options if _OPTION.fullmatch(option)]
    if len(set(known)) < len(options):
        got = "&".join(options)
        raise ValueError(f"{what} needs size=N or colour=0 or colour=1 after the ?, got {got!r}.")


def load_own(name: str, split: str) -> Images:
    """The images of a domain of one's own. ValueError, DatasetError: as its reader says."""
    if name.startswith(IDX):
        return load_idx(name.removeprefix(IDX), split)
    path, options = _parted(name)
    given = dict(option.split("=") for option in options)
    size, colour = (int(given[key]) if key in given else None for key in ("size", "colour"))
    return load_folder(path, split, size=size, colour=None if colour is None else bool(colour))


def own_times(name: str) -> tuple[tuple[str, int], ...]:
    """Others when a file comes or goes. Far cheaper than loading; empty if nothing is there."""
    if name.startswith(IDX):
        return idx_times(name.removeprefix(IDX))
    return folder_times(_parted(name)[0])


def _parted(name: str) -> tuple[str, list[str]]:
    """The path of a folder, and its options; a ? without = after it is part of the path."""
    whole = name.removeprefix(FOLDER)
    path, _, tail = whole.rpartition("?")
    return (path, tail.split("&")) if "=" in tail and "?" in whole else (whole, [])
