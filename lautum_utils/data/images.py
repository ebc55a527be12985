"""Labelled images as they are read and kept, and what may be wrong with them."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8
from torch import Tensor


class DatasetError(RuntimeError):
    """A data set is not there, not what it should be, or cannot be stored.

    The message says what to do.
    """


class Unreadable(ValueError):
    """A file holds no picture that can be taken; the message says why, without its name."""


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images, mapped from the cache: a change stays in memory.

    pixels: 0 to 255. skipped: files of this split that could not be read.
    """

    pixels: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    class_names: tuple[str, ...]
    skipped: int

    def __len__(self) -> int:
        return len(self.labels)


class Block(NamedTuple):
    """Images of one split as a reader gives them, to be stored.

    pixels: (k, c, h, w) uint8, or None for a file that could not be read. labels: (k,) from 0.
    """

    split: str
    pixels: np.ndarray | None
    labels: np.ndarray


class Content(NamedTuple):
    """All of a data set: the names of its classes, and its images block after block.

    told: what a person has to know of it, asked for after the last block; "" for nothing.
    """

    class_names: tuple[str, ...]
    blocks: Iterable[Block]
    told: Callable[[], str] = str


@contextmanager
def quietly() -> Iterator[None]:
    """Within it, nothing warns: of a file that is opened to be read later, Pillow would twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def split_of(folder: str, file: str) -> str:
    """The split of a file in a set that has none: test is the sixth with a fitting SHA-256.

    It depends on the names only, so that new files move no old ones.
    """
    return "train" if int(sha256(f"{folder}/{file}"), 16) % 6 else "test"


def sha256(*parts: str) -> str:
    """The SHA-256 of several strings, in hexadecimal; not that of their concatenation."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
