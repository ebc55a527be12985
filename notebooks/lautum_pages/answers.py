"""Answers other than tensors: numbers in any container, and letters of a question with a choice.

`Exercise(..., read=numbers)` takes a number, a list, an array or a dict; `choice("B", {"A": hint})`
is a whole exercise whose answer is a letter, or several.
"""

from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import Exercise

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
            f"a number is wanted, or several in a list, your function returned {_type(raw)}."
        ) from error


def choice(right: str, wrong: Mapping[str, str], offered: str = "") -> Exercise:
    """A question with lettered answers: the reader's function takes nothing and returns a letter,
    or several ("AC", {"A", "C"}), in any order.

    right : the letter or letters that are right, "B" or "AC".
    wrong : letters -> the hint for whoever chooses just these.
    offered : all letters; by default those of right and wrong. ValueError: a letter that can be
    chosen alone has no hint, or the right ones have one.
    """
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
        read=_reader(letters),
        otherwise=NOT_IT,
    )


def _reader(letters: list[str]) -> Callable[[Any], Tensor]:
    """What turns letters into a tensor of 0 and 1, one entry for each letter that is offered."""

    def chosen(raw: Any) -> Tensor:
        welcome = isinstance(raw, (str, list, tuple, Set))
        given = "".join(map(str, raw)) if welcome else ""
        given = given.upper().replace(" ", "").replace(",", "")
        if not given or not set(given) <= set(letters):
            told = repr(raw) if isinstance(raw, str) else _type(raw)
            raise ValueError(
                f"one or more of the letters {', '.join(letters)} are wanted, your function "
                f"returned {told[:60]}."
            )
        marks = [letter in given for letter in letters]
        return torch.tensor(marks, dtype=torch.float64, device="cpu")

    return chosen


def _returns(letters: str) -> Callable[[], str]:
    return lambda: letters


def _sorted(letters: str) -> str:
    return "".join(sorted(set(letters)))


def _type(raw: object) -> str:
    return type(raw).__name__
