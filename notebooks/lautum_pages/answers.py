"""Answers other than tensors: numbers in any container, and letters of a question with a choice.

`Exercise(..., read=numbers)` takes a number, a list, an array or a dict; `choice("B", {"A": hint})`
is a whole exercise whose answer is a letter, or several.
"""

from collections.abc import Callable, Mapping, Set
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import Exercise
from .reading import type_name

NOT_IT = "this is not it: hold each of the offered answers against the cells above."


def numbers(raw: Any) -> Tensor:
    """Numbers or truth values, alone or in a list, tuple, set, array, tensor or dict, as a float64
    tensor. A dict counts in the order of its keys, a set in the order of size. TypeError: no
    numbers.
    """
    try:
        held = raw.detach().cpu() if isinstance(raw, Tensor) else raw
        if isinstance(held, Mapping):
            held = [held[key] for key in sorted(held, key=str)]
        array = np.asarray(sorted(held) if isinstance(held, Set) else held)
        if array.dtype.kind not in "biuf":
            raise TypeError(array.dtype)
        return torch.from_numpy(array.astype(np.float64))
    except Exception as error:
        raise TypeError(
            f"a number is wanted, or several in a list, your function returned {type_name(raw)}."
        ) from error


def choice(right: str | int, wrong: Mapping[Any, str], offered: str = "") -> Exercise:
    """A question with lettered or numbered answers; the reader's function takes nothing and returns
    a letter (or number), or several ("AC", {"A", "C"}), in any order.

    right : the letter or letters that are right, "B" or "AC"; or a number below 10.
    wrong : letters, or a number -> the hint for whoever chooses just these.
    offered : all letters; by default those of right and wrong. ValueError: a letter that can be
    chosen alone has no hint, or the right ones have one.
    """
    right, wrong = str(right), {str(chosen): hint for chosen, hint in wrong.items()}
    letters = sorted(set(offered) | set(right).union(*wrong))
    alone = set(letters) - {right} if len(right) == 1 else set()
    answers = {_sorted(chosen) for chosen in wrong}
    if missing := sorted(alone - answers):
        raise ValueError(f"wrong needs a hint for each letter, got none for {', '.join(missing)}.")
    if _sorted(right) in answers or len(answers) < len(wrong):
        raise ValueError("wrong needs other letters than right, each choice once, got one twice.")
    return Exercise(
        inputs=lambda generator: (),
        reference=lambda: right,
        mistakes={hint: _returns(chosen) for chosen, hint in wrong.items()},
        read=partial(chosen, letters),
        otherwise=NOT_IT,
        offered=[
            "".join(given)
            for count in range(1, len(letters) + 1)
            for given in combinations(letters, count)
        ],
    )


def chosen(letters: list[str], raw: Any) -> Tensor:
    """Letters as a tensor of 0 and 1, one entry for each letter that is offered. ValueError: others
    than these."""
    held = raw.tolist() if isinstance(raw, Tensor | np.ndarray | np.number) else raw
    several = held if isinstance(held, (list, tuple, Set)) else [held]
    given = {mark for answer in several for mark in _marks(answer)}
    if not given or not given <= set(letters):
        told = repr(raw) if isinstance(raw, str | int | float) else type_name(raw)
        raise ValueError(
            f"one or more of {', '.join(letters)} are wanted, your function returned {told[:60]}."
        )
    marks = [letter in given for letter in letters]
    return torch.tensor(marks, dtype=torch.float64, device="cpu")


def plus_and_minus(count: int, raw: Any) -> Tensor:
    """A text or list of so many signs as -1, 0 and 1. ValueError: anything else."""
    given = [str(sign) for sign in raw] if isinstance(raw, str | list | tuple) else []
    if len(given) != count or not set(given) <= set("-0+"):
        told = repr(raw) if isinstance(raw, str) else type(raw).__name__
        raise ValueError(
            f'a text of {count} signs is wanted, such as "{"+" * count}", '
            f"your function returned {told[:60]}."
        )
    signs = ["-0+".index(sign) - 1 for sign in given]
    return torch.tensor(signs, dtype=torch.float64, device="cpu")


def _marks(answer: Any) -> str:
    """The letters of a text, or the digit of a number below 10; "?" for anything else."""
    if isinstance(answer, str):
        return answer.upper().replace(" ", "").replace(",", "")
    number = (
        isinstance(answer, int | float) and not isinstance(answer, bool) and answer in range(10)
    )
    return str(int(answer)) if number else "?"


def _returns(letters: str) -> Callable[[], str]:
    return lambda: letters


def _sorted(letters: str) -> str:
    return "".join(sorted(set(letters)))
