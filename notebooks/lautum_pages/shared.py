"""What the exercises of several notebooks share: random inputs (float64), a few computations,
hints, and the exercises that ask for a judgement."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from .checks import Exercise

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


def judged(marks: str, right: str, hints: Mapping[tuple[int, str], str], wanted: str) -> Exercise:
    """Reasoning: a mark for each of some statements, whose answer is a text, a set or a list.

    marks : those that can be given, in the order of their numbers -1, 0, 1 or 0, 1. right : the
    right mark of each statement. hints : (statement, wrong mark) -> what to say where this is the
    first that is wrong. wanted : how an answer looks, for those who give another.
    """
    answer = table([marks.index(mark) for mark in right])
    return Exercise(
        inputs=lambda g: (),
        reference=answer.clone,
        mistakes={
            text: partial(_replaced, answer, place, float(marks.index(mark)))
            for (place, mark), text in hints.items()
        },
        observe=partial(_first_wrong, answer),
        read=partial(_marks, marks, len(right), wanted),
    )


def chosen(letters: str, right: str, hints: Mapping[str, str], wanted: str) -> Exercise:
    """Reasoning: which of some statements are meant? The answer is a set of their letters.

    hints : letter -> what to say where this is the first that is wrongly in or out.
    """
    answer = "".join("01"[letter in right] for letter in letters)
    wrong = {
        (place, "01"[letter not in right]): hints[letter] for place, letter in enumerate(letters)
    }
    exercise = judged("01", answer, wrong, wanted)
    return replace(exercise, read=partial(_letters, letters, wanted))


def _replaced(answer: Tensor, place: int, value: float) -> Tensor:
    changed = answer.clone()
    changed[place] = value
    return changed


def _first_wrong(answer: Tensor, value: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """The number of the first statement that is judged wrongly, and the judgement; zeros if none
    is."""
    wrong = (value != answer).nonzero().flatten().tolist()
    return table([wrong[0] + 1, value[wrong[0]]] if wrong else [0, 0])


def _marks(marks: str, count: int, wanted: str, raw: Any) -> Any:
    """A text or list of marks as their numbers; a tensor as it is."""
    if isinstance(raw, Tensor):
        return raw
    given = [str(mark) for mark in raw] if isinstance(raw, str | list | tuple) else []
    if len(given) != count or not set(given) <= set(marks):
        raise ValueError(f"{wanted} is wanted, your function returned {_shown(raw)}.")
    return table([marks.index(mark) for mark in given])


def _letters(letters: str, wanted: str, raw: Any) -> Any:
    """A set, list or text of letters as 1 where a letter is named and 0 where not; a tensor as it
    is."""
    if isinstance(raw, Tensor):
        return raw
    named = {str(letter).strip().upper() for letter in raw} if _holds_several(raw) else {"?"}
    if not named <= set(letters):
        raise ValueError(f"{wanted} is wanted, your function returned {_shown(raw)}.")
    return table([letter in named for letter in letters])


def _holds_several(raw: Any) -> bool:
    return isinstance(raw, str | set | frozenset | list | tuple)


def _shown(raw: Any) -> str:
    """What was returned, if it is short, with its type."""
    text = repr(raw)
    return f"{text} ({type(raw).__name__})" if len(text) < 60 else type(raw).__name__
