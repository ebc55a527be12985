"""What of a folder was not taken, or is odd about it: gathered, and told in a sentence."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lautum_utils.data.checks import SPLITS

SYSTEM = ("thumbs.db", "desktop.ini", "__macosx")  # what computers put there, beside hidden files
NAMED = 3  # classes in a sentence, at most


class PassedOver:
    """All that a conversion has to say of the folder `top`; said once, when it is done."""

    def __init__(self, top: Path) -> None:
        self.top, self.seen = top, 0
        self.of, self.earliest = Counter[str](), dict[str, str]()
        self.taken, self.warned = Counter[tuple[str, str]](), dict[str, Path]()

    def take(self, split: str, class_name: str) -> None:
        """An image is taken."""
        self.seen += 1
        self.taken[split, class_name] += 1

    def warn(self, file: Path, said: Iterable[str]) -> None:
        """Pillow has something to say of a file that it reads."""
        for words in said:
            self.warned.setdefault(words, file)

    def skip(self, file: Path, why: str, reason: str = "") -> None:
        """A file is not taken. why: what others have in common with it; reason: its own."""
        self.seen += 1
        self.of[why] += 1
        name = file.relative_to(self.top).as_posix()
        self.earliest.setdefault(why, f"{name}: {reason}" if reason else name)

    def sentence(self, class_names: Sequence[str], without: Sequence[str]) -> str:
        """All of it in words, or "". without: folders that are no class, as they hold no image."""
        told = [*self._skipped(), *self._odd_classes(class_names)]
        if without:
            told.append(f"no class is made of {listed(without)}, where no image can be read")
        told += [
            f"{file.relative_to(self.top).as_posix()}: {words}"
            for words, file in self.warned.items()
        ]
        return "; ".join(words.rstrip(".") for words in told)

    def _skipped(self) -> list[str]:
        if not self.of:
            return []
        parts = [f"{n} {why} (the first: {self.earliest[why]})" for why, n in self.of.items()]
        return [f"{self.of.total()} of {self.seen} files passed over: {', '.join(parts)}"]

    def _odd_classes(self, class_names: Sequence[str]) -> list[str]:
        told = [
            f"{' and '.join(alike)} count as {len(alike)} classes: if they are one, rename a folder"
            for alike in alike_names(class_names)
        ]
        of = Counter[str]()
        for (_, name), n in self.taken.items():
            of[name] += n
        if single := [name for name in class_names if of[name] == 1]:
            told.append(f"there is one image only of {listed(single)}")
        for split in SPLITS if self.taken else ():
            absent = [n for n in class_names if not self.taken[split, n]]
            if len(absent) == len(class_names):
                told.append("give more images, or folders called train and test")
            elif absent := [n for n in absent if of[n] > 1]:
                told.append(f"{split} holds no image of {listed(absent)}")
        return told


def alike_names(names: Sequence[str]) -> list[list[str]]:
    """Names that differ in capital letters or in how an accent is stored, together."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def listed(names: Sequence[str]) -> str:
    """Names in words, a few of many."""
    more = len(names) - NAMED
    shown = names if more <= 1 else [*names[:NAMED], f"{more} more"]
    *others, last = shown
    return f"{', '.join(others)} and {last}" if others else last


def is_system(name: str) -> bool:
    """Whether a file or a folder is hidden, or a computer's own: it is never spoken of."""
    return name.startswith(".") or name.lower() in SYSTEM


def files_below(folder: Path) -> Iterable[Path]:
    """All files in a folder and in those below it, but for hidden and a computer's own."""
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_system(name))
        yield from (Path(above, name) for name in sorted(files) if not is_system(name))
