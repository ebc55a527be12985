"""Checks of what every function of this folder is asked for: a name, a split, a severity."""

from collections.abc import Iterable
from typing import Any

from lautum_utils.numbers import number

SPLITS = ("train", "test")


def require_one_of(value: str, allowed: Iterable[str], name: str) -> None:
    """ValueError that names the argument and what it may be, unless the value is allowed."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise ValueError(f"{name} needs to be one of {', '.join(allowed)}, got {value!r}.")


def require_split(split: str) -> None:
    """ValueError unless the split is "train" or "test"."""
    require_one_of(split, SPLITS, "split")


def require_severity(severity: Any) -> float:
    """The severity as a plain number. ValueError unless it is from 0 to 1; NaN is not."""
    return number(severity, "severity", most=1)
