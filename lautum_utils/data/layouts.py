"""What a folder that cannot be taken as it is was probably meant to be."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from lautum_utils.data.checks import SPLITS
from lautum_utils.data.passed_over import files_below, is_system, listed

IMAGE_NAME = re.compile(r"[^.].*\.(png|jpe?g|bmp|gif|webp|tiff?)", re.IGNORECASE)
_TESTED = re.compile(r"val|valid|validation|dev|eval|evaluation|testing|holdout", re.IGNORECASE)
_LEARNT = re.compile(r"training|learn|fit", re.IGNORECASE)
_FILES = 1000  # that are looked at, at most: this is a hint


def meant(top: Path) -> str:
    """Behind an error: how the folder has to be changed, or which one is meant; or ""."""
    folders = visible_folders(top)
    names = [folder.name for folder in folders]
    if told := _other_splits(names) or _deeper(folders):
        return told
    if loose := [f for f in top.iterdir() if IMAGE_NAME.fullmatch(f.name) and f.is_file()]:
        found = f"{len(loose)} image{'s lie' if len(loose) > 1 else ' lies'} in it directly"
        return f"{found}, and each class needs a folder of its own"
    return ""


def visible_folders(top: Path) -> list[Path]:
    """In order, all but hidden ones and a computer's own."""
    return sorted(f for f in top.iterdir() if f.is_dir() and not is_system(f.name))


def _other_splits(names: Sequence[str]) -> str:
    """Folders that look as if they were train and test, under other names."""
    wanted = {}
    for split, others in zip(SPLITS, (_LEARNT, _TESTED), strict=True):
        close = [name for name in names if name.lower() == split or others.fullmatch(name)]
        if split not in names and len(close) == 1:
            wanted[close[0]] = split
    if not wanted or len(wanted) + len(set(SPLITS) & set(names)) < 2:
        return ""
    return f"rename {' and '.join(f'{old} to {new}' for old, new in wanted.items())}"


def _deeper(folders: Sequence[Path]) -> str:
    """The images lie deeper than they should."""
    for folder in folders:
        if holds_classes(folder):
            return f"{folder} probably is the one that is meant"
    for folder in folders:
        for file in islice(files_below(folder), _FILES):
            if file.parent != folder and IMAGE_NAME.fullmatch(file.name):
                return f"{file.relative_to(folder.parent).as_posix()} lies a folder too deep"
    return ""


def holds_classes(top: Path) -> bool:
    """Whether a folder is one of images by class, with train and test or without."""
    folders = visible_folders(top)
    if set(SPLITS) <= {folder.name for folder in folders}:
        return True
    return sum(any(IMAGE_NAME.fullmatch(f.name) for f in each.iterdir()) for each in folders) > 1


def needs_both(top: Path, given: str) -> str:
    """What is said of a folder with one of train and test."""
    others = [folder.name for folder in visible_folders(top) if folder.name != given]
    got = f"{given} and {listed(others)}" if others else f"{given} only"
    wanted = "path needs to hold both train and test, or folders of classes only"
    told = meant(top)
    return f"{wanted}, got {got} in {top}{'; ' * bool(told)}{told}."
