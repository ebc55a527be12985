"""Images deeper than 8 bits, brought to 8 by one rule for all that belong together.

Whole numbers of 16 or 32 bits, and floats: whatever holds them, they have the fewest of 8, 10, 12,
14 or 16 bits that the brightest value of all needs, and the upper 8 of these are kept. Where that
value is below 2, 1 is white. What is negative, above 65,535 or not finite cannot be read.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from lautum_utils.data.images import Unreadable, quietly

BITS = (8, 10, 12, 14, 16)


class Brightest:
    """The brightest value among files, floats (mode F) and whole numbers each by themselves.

    The files are looked through when it is first asked for, which most folders never need.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = files

    def __call__(self, mode: str) -> float:
        return self._found[mode == "F"]

    @cached_property
    def _found(self) -> dict[bool, float]:
        found = {True: 0.0, False: 0.0}
        for file in self.files:
            try:
                with quietly(), Image.open(file) as image:
                    if is_deep(image.mode):
                        of = image.mode == "F"
                        found[of] = max(found[of], float(values_of(image).max()))
            except Exception:  # decoding says what is wrong with it
                continue
        return found


def is_deep(mode: str) -> bool:
    """Whether a mode of Pillow's is one of whole numbers above 8 bits, or of floats."""
    return mode.startswith(("I", "F"))


def values_of(image: Image.Image) -> Float[np.ndarray, "h w"]:
    """The values of a deep image. Unreadable: some cannot be a brightness."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise Unreadable("it holds values that are not finite")
    low, high = values.min(), values.max()
    if low < 0 or high >= 2**16:
        raise Unreadable(f"its values are from {low:g} to {high:g}, not from 0 to 65535")
    return values


def eight_bits(values: Float[np.ndarray, "h w"], brightest: float) -> UInt8[np.ndarray, "h w"]:
    """The values as bytes, by the rule above. brightest: of all that belong together."""
    if brightest < 2:
        return (255 * values.clip(0, 1)).round().astype(np.uint8)
    bits = next(bits for bits in BITS if brightest < 2**bits)
    return (values / 2 ** (bits - 8)).astype(np.uint8)
