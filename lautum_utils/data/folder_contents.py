"""What a folder of images holds: read class by class, and what is passed over on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lautum_utils.data.decoding import decode, why_unreadable
from lautum_utils.data.depths import Brightest
from lautum_utils.data.folder_shapes import Target, common_target
from lautum_utils.data.images import Block, Content, Unreadable, split_of
from lautum_utils.data.layouts import IMAGE_NAME, visible_folders
from lautum_utils.data.passed_over import PassedOver, files_below

WANTED = "path needs to hold two folders of images or more, one for each class"
_UNREADABLE = "that cannot be read"


class Look(NamedTuple):
    """What a look at a folder finds: its images by class folder, where there are any; their state.

    state: another string as soon as a file is added, changed, renamed or removed.
    """

    tops: tuple[Path, ...]
    images: dict[Path, list[str]]
    state: str

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted({folder.name for folder in self.images}))


def read(look: Look, top: Path, size: int | None, colour: bool | None) -> Content:
    """ValueError: fewer than two classes have an image that can be read."""
    passed = gathered(look, top)
    names = tuple(name for name in look.class_names if _is_class(look, name, passed))
    found = {f.name for above in look.tops for f in visible_folders(above)}
    without = sorted(found - set(names))
    if len(names) < 2:
        got = f"{len(names)} with an image that can be read in {top}"
        raise ValueError(f"{WANTED}, got {got}; {passed.sentence(names, without)}.")
    files = [folder / name for folder, names in look.images.items() for name in names]
    target = common_target(files, size, colour, str(top))
    blocks = _decoded(look, names, target, Brightest(files), passed)
    return Content(names, blocks, lambda: passed.sentence(names, without))


def _is_class(look: Look, name: str, passed: PassedOver) -> bool:
    """Whether an image of a class can be read; if not, all its files are passed over."""
    bad = dict[Path, str]()
    for folder in (folder for folder in look.images if folder.name == name):
        for file in (folder / each for each in look.images[folder]):
            if not (reason := why_unreadable(file)):
                return True
            bad[file] = reason
    for file, reason in bad.items():
        passed.skip(file, _UNREADABLE, reason)
    return False


def gathered(look: Look, top: Path) -> PassedOver:
    """What is no image of a class, before any is read."""
    passed = PassedOver(top)
    for above in look.tops:
        for file in files_below(above):
            folder = file.parent
            is_image = IMAGE_NAME.fullmatch(file.name)
            if folder == above and is_image:
                passed.skip(file, "in no folder of a class")
            elif folder.parent == above and not is_image:
                passed.skip(file, "of another type")
            elif folder.parent == above and file.name not in look.images.get(folder, ()):
                passed.skip(file, "that lead nowhere")
            elif folder.parent != above and folder != above:
                passed.skip(file, "a folder too deep")
    beside = visible_folders(top) if look.tops != (top,) else ()
    for file in (f for folder in beside if folder not in look.tops for f in files_below(folder)):
        passed.skip(file, "beside train and test")
    return passed


def _decoded(
    look: Look,
    class_names: tuple[str, ...],
    target: Target,
    brightest: Brightest,
    passed: PassedOver,
) -> Iterator[Block]:
    for folder, names in look.images.items():
        for name in names:
            has_splits, file, said = len(look.tops) > 1, folder / name, list[str]()
            split = folder.parent.name if has_splits else split_of(folder.name, name)
            try:
                pixels = decode(file, *target, brightest, said)
            except Unreadable as error:
                if folder.name in class_names:  # of others, it is known
                    passed.skip(file, _UNREADABLE, str(error))
                yield Block(split, None, np.zeros(0))
                continue
            passed.take(split, folder.name)
            passed.warn(file, said)
            yield Block(split, pixels, np.array([class_names.index(folder.name)]))
