"""Labelled images as they are read and kept, and what may be wrong with them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps
from torch import Tensor


class DatasetError(RuntimeError):
    """A data set is not there, not what it should be, or cannot be stored.

    The message says what to do.
    """


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
    """All of a data set: the names of its classes, and its images block after block."""

    class_names: tuple[str, ...]
    blocks: Iterable[Block]


def decode(file: Path | BytesIO, height: int, width: int, mode: str) -> np.ndarray | None:
    """(1, c, height, width) uint8, or None for what cannot be read. mode: Pillow's."""
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits, which Pillow cuts off at 255
            upright = Image.fromarray((np.asarray(upright) // 256).clip(0, 255).astype(np.uint8))
        pixels = np.asarray(
            upright.convert(mode).resize((width, height), Image.Resampling.BILINEAR)
        )
    except Exception:  # Pillow raises nearly anything on a broken file
        return None
    return pixels.reshape(1, height, width, -1).transpose(0, 3, 1, 2)


def split_of(folder: str, file: str) -> str:
    """The split of a file in a set that has none: test is the sixth with a fitting SHA-256.

    It depends on the names only, so that new files move no old ones.
    """
    return "train" if int(sha256(f"{folder}/{file}"), 16) % 6 else "test"


def sha256(*parts: str) -> str:
    """The SHA-256 of several strings, in hexadecimal; not that of their concatenation."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
