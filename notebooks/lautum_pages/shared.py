"""What the exercises of several notebooks share: a few computations, hints, and the exercises that
ask for a judgement."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .answers import choice, plus_and_minus
from .checks import Exercise
from .drawing import table

REVERSED = (
    "this is mutual information, D(P_AB || P_A P_B): for Lautum information the two arguments "
    "change places."
)
SIGN = (
    "only the sign is wrong: a divergence is never negative. Which distribution stands in the "
    "numerator of the logarithm?"
)
UNCENTRED = "the mean has not been taken off: subtract it over the sample axis before multiplying."
WRONG_BLOCK = (
    "the ridge went to the block of the inputs: noise is added to the representation z, which "
    "comes first."
)
BOTH_BLOCKS = (
    "the ridge went to all axes: only the representation z gets noise, the inputs are data."
)
ABSOLUTE = (
    "the ridge is a fraction: multiply it by the mean variance of z, so that the scale of z does "
    "not matter."
)


def product(joint: Tensor) -> Tensor:
    """The product of the two marginals of a joint."""
    return joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)


def noisy(
    cov: Tensor,
    k: int,
    ridge: float,
    on_features: bool = True,
    on_inputs: bool = False,
    scale: Any = None,
) -> Tensor:
    """The ridge on the block of the k features, on the block of the inputs, or on both.

    scale : what the ridge is a fraction of; by default the mean variance of those axes.
    """
    on = torch.where(torch.arange(len(cov)) < k, on_features, on_inputs)
    scale = cov.diagonal()[on].mean() if scale is None else scale
    return cov + torch.diag(on.to(cov.dtype) * ridge * scale)


def statements(right: str, hints: Mapping[str, str]) -> Exercise:
    """Reasoning: which of some statements are meant? The answer is their letters, "AC".

    hints : each letter -> what is said where it is the first that is wrongly in or out.
    """
    wrong = {"".join(sorted(set(right) ^ {letter})): hint for letter, hint in hints.items()}
    return _judged(choice(right, wrong, offered="".join(hints)))


def signs(right: str, hints: Mapping[tuple[int, str], str]) -> Exercise:
    """Reasoning: the sign of each of some numbers? The answer is a text of +, - and 0.

    hints : (number, wrong sign) -> what is said where this is the first that is wrong.
    """
    return _judged(
        Exercise(
            inputs=lambda generator: (),
            reference=lambda: right,
            mistakes={
                hint: partial(str, f"{right[:place]}{sign}{right[place + 1 :]}")
                for (place, sign), hint in hints.items()
            },
            read=partial(plus_and_minus, len(right)),
            offered=["".join(given) for given in itertools.product("-0+", repeat=len(right))],
        )
    )


def _judged(exercise: Exercise) -> Exercise:
    """The exercise, with the hint for what is wrong before all else."""
    assert exercise.read is not None
    return replace(exercise, observe=partial(_wrong_at, exercise.read(exercise.reference())))


def _wrong_at(answer: Tensor, value: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """The number of the first judgement that is wrong, and the judgement; zeros if none is."""
    wrong = (value != answer).nonzero().flatten().tolist()
    return table([wrong[0] + 1, value[wrong[0]]] if wrong else [0, 0])
