"""Numbers as people bring them: NumPy's and torch's are Python's, here and nowhere else.

What is kept of them is a plain int or float, so that equal settings are equal, have one hash, and
are written alike.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

_NUMBERS = "iuf"  # of numpy's kinds: whole with a sign, whole without, floating-point
_MOST_DIGITS = 17  # of a float64


def plain(value: Any) -> Any:
    """One number of NumPy or torch as Python's int or float, their texts and truth values as
    Python's; anything else as it is.

    A number of fewer than 64 bits is the shortest decimal that it stands for: np.float32(1e-3) and
    torch.tensor(1e-3) are 0.001, not 0.0010000000474974513.
    """
    if isinstance(value, Tensor):
        if value.ndim or value.is_meta or value.is_complex():
            return value
        found, dtype = value.item(), value.dtype
        return _shortest(found, lambda x: torch.tensor(x, dtype=dtype, device="cpu").item())
    if not isinstance(value, np.generic | np.ndarray) or value.ndim:
        return value
    if value.dtype.kind in "bU":
        return value.item()
    if value.dtype.kind not in _NUMBERS:
        return value
    narrow = value.dtype.type
    found = float(value) if value.dtype.kind == "f" else value.item()
    with np.errstate(over="ignore"):  # fewer digits can lie beyond the largest number
        return _shortest(found, lambda x: float(narrow(x)))


def plain_values(given: Any) -> tuple[Any, ...]:
    """Many values, or one, as plain ones: a list, an array, a tensor or any other collection; a
    text is one value."""
    value = plain(given)
    single = isinstance(value, str) or not isinstance(value, Iterable)
    return (value,) if single else tuple(map(plain, value))


def whole_number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> int:
    """A whole number in a range. ValueError, about the argument `name`: anything else, or True."""
    value = plain(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        wanted = f"a whole number {span(least, most)}".rstrip()
        raise ValueError(f"{name} needs to be {wanted}, got {value!r}.")
    return value


def number(value: Any, name: str, most: float = math.inf) -> float:
    """A finite number from 0 to `most`. ValueError, about the argument `name`: anything else, or
    True."""
    value = plain(value)
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    if is_one and 0 <= value <= most and value < math.inf:
        return float(value)
    wanted = span(0, most) if is_one else f"a number {span(0, most)}"
    if most == math.inf:
        wanted = "a finite number of 0 or more"
    raise ValueError(f"{name} needs to be {wanted}, got {value!r}.")


def span(least: float, most: float) -> str:
    """A range, in words; empty if there is none."""
    if most < math.inf:
        return f"from {least:.10g} to {most:.10g}"
    return f"of {least:.10g} or more" if least > -math.inf else ""


def _shortest(found: Any, narrow: Callable[[float], Any]) -> Any:
    """The decimal of fewest digits that a narrow float stands for; what is no float as it is."""
    if not isinstance(found, float):
        return found
    decimals = (float(f"{found:.{digits}g}") for digits in range(1, _MOST_DIGITS + 1))
    return next((x for x in decimals if narrow(x) == found), found)
