"""What the exercises of several notebooks share: random inputs (float64), a few computations,
hints, and the exercises that ask for a judgement."""

import dis
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from .answers import choice
from .checks import Exercise, Function

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


def table(rows: Any) -> Tensor:
    """Numbers as a float64 tensor."""
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def uniform(generator: Generator, *shape: int) -> Tensor:
    """Numbers between 0 and 1."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def between(generator: Generator, low: float, high: float) -> float:
    """A number between two others."""
    return low + (high - low) * uniform(generator).item()


def distribution(generator: Generator, *shape: int) -> Tensor:
    """Probabilities that sum to 1, none near 0."""
    weights = uniform(generator, *shape) + 0.02
    return weights / weights.sum()


def normal(generator: Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def covariance(generator: Generator, d: int) -> Tensor:
    """A covariance of d axes."""
    root = normal(generator, d, 2 * d)
    return root @ root.mT / d


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


def without(name: str, said: str) -> Callable[[Function], str]:
    """Refuses a function that uses this name from outside, where the reader is to do that part."""
    return partial(_used, name, said)


def _used(name: str, said: str, function: Function) -> str:
    code = getattr(function, "__code__", None)
    steps = dis.get_instructions(code) if code else []
    outside = {step.argval for step in steps if step.opname == "LOAD_GLOBAL"}
    return said if name in outside else ""


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
            read=partial(_signs, len(right)),
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


def _signs(count: int, raw: Any) -> Tensor:
    """A text or list of signs as -1, 0 and 1."""
    given = [str(sign) for sign in raw] if isinstance(raw, str | list | tuple) else []
    if len(given) != count or not set(given) <= set("-0+"):
        told = repr(raw) if isinstance(raw, str) else type(raw).__name__
        raise ValueError(
            f'a text of {count} signs is wanted, such as "{"+" * count}", '
            f"your function returned {told[:60]}."
        )
    return table(["-0+".index(sign) - 1 for sign in given])
