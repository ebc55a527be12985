"""What a check compares, where that is not the value itself, and which right answers it refuses.

Nothing here computes an answer: students' packages hold this file, and no references (see
`stored`)."""

import dis
import hashlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lautum_utils.information import lautum_information, mutual_information

from .checks import Function
from .drawing import table

NEGATIVE, UNNORMALISED, HOLED = 2.0, 3.0, 4.0


def which_is_larger(joint: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """1 if I is the larger, -1 if L is; 0 if they are the same to the precision of float32; what is
    no joint, or has a hole, has a number of its own."""
    if not bool(joint.isfinite().all()):
        return table(math.nan)
    if bool((joint < 0).any()):
        return table(NEGATIVE)
    if (joint.sum() - 1).abs() > 2e-3:  # float16 sums that far
        return table(UNNORMALISED)
    joint = joint / joint.sum()
    difference = mutual_information(joint) - lautum_information(joint)
    if difference.isinf():
        return table(HOLED)
    return torch.where(difference.abs() < 1e-6, 0.0, difference.sign())


def gram(u: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """Whatever the order and signs of the columns."""
    return u @ u.mT


def value_and_gradient(place: int, value: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """One after the other: of no use to the loop is a value whose gradient does not arrive at the
    input of this place."""
    gradient = None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), inputs[place], allow_unused=True)
    gradient = torch.zeros_like(inputs[place]) if gradient is None else gradient
    return torch.cat((value.flatten(), gradient.flatten()))


def fingerprint(salt: str, value: Tensor, inputs: tuple[Any, ...] = ()) -> Tensor:
    """Eight numbers that tell whether a choice is a certain one, and not which."""
    text = f"{salt} {value.tolist()}"
    digest = hashlib.sha256(text.encode()).digest()
    return table([int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4)])


def without(name: str, said: str) -> Callable[[Function], str]:
    """Refuses a function that uses this name from outside, where the reader is to do that part."""
    return partial(used, name, said)


def used(name: str, said: str, function: Function) -> str:
    """What is said if a function uses a name from outside; "" if it does not."""
    code = getattr(function, "__code__", None)
    steps = dis.get_instructions(code) if code else []
    outside = {step.argval for step in steps if step.opname == "LOAD_GLOBAL"}
    return said if name in outside else ""
