"""Exercises that check themselves: right, not attempted yet, or a hint for the mistake that was
made.

`check(name, function, exercises)` runs the reader's function on seeded random inputs and compares
with a reference. Each exercise also knows what the usual mistakes compute: an answer that equals
one of them gets the hint for just that mistake.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from .reading import NoAnswerError, called, coarse, read, told, type_name

CASES = 20
TOLERANCE = 1e-9
HELP = " The hints above help, one step at a time."
MARKS = {"right": "✓", "wrong": "✗"}
Function = Callable[..., Any]


class Answer(NamedTuple):
    """What a function returned, the same as a float64 tensor, and what of it is compared."""

    raw: Any
    value: Tensor
    observed: Tensor


class Known(NamedTuple):
    """What is known of an exercise before anybody answers: inputs, what is wanted for each, and of
    each mistake its hint and what is compared if somebody makes it."""

    cases: Sequence[tuple[Any, ...]]
    wanted: Sequence[Answer]
    mistakes: Iterable[tuple[str, Sequence[Tensor]]]


@dataclass(frozen=True)
class Exercise:
    """One exercise: random inputs, the reference, what each mistake computes (hint -> function).

    observe : what is compared, from the value that a function returns and its inputs; by default
    the value.
    read : how an answer becomes a tensor, where other answers than tensors are welcome: `numbers`,
    or what `choice` makes. TypeError or ValueError: a sentence on what is wanted.
    otherwise : what is said of a wrong answer that is none of the mistakes; by default how far it
    is from the reference.
    refuse : what is said of a function whose right answer does not count; "" if it does.
    offered : all answers that there are, where the reader only chooses.
    """

    inputs: Callable[[Generator], tuple[Any, ...]]
    reference: Function
    mistakes: dict[str, Function]
    observe: Callable[[Tensor, tuple[Any, ...]], Tensor] = lambda value, inputs: value
    read: Callable[[Any], Tensor] | None = None
    otherwise: str = ""
    refuse: Callable[[Function], str] = lambda function: ""
    offered: Sequence[str] = ()

    def known(self, seed: int) -> Known:
        """On `CASES` random inputs. A mistake is computed when it is asked for."""
        generator = Generator().manual_seed(seed)
        cases = [self.inputs(generator) for _ in range(CASES)]
        wanted = [_answer(self, self.reference, case) for case in cases]
        mistakes = (
            (hint, observed(self.answers(mistake, cases, wanted)))
            for hint, mistake in self.mistakes.items()
        )
        return Known(cases, wanted, mistakes)

    def answers(
        self, function: Function, cases: Sequence[tuple[Any, ...]], wanted: Sequence[Answer]
    ) -> list[Answer]:
        """What a function answers to all inputs."""
        shapes = [answer.value.shape for answer in wanted]
        return [
            _answer(self, function, case, shape) for case, shape in zip(cases, shapes, strict=True)
        ]


@dataclass(frozen=True)
class Report:
    """What a check found; status is "right", "wrong" or "not attempted"."""

    name: str
    status: str
    text: str
    difference: float | None = None  # of the numbers, where there are two to compare

    def __repr__(self) -> str:
        return f"{MARKS.get(self.status, '○')} {self.name}: {self.text}"


def check(
    name: str, function: Function, exercises: Mapping[str, Exercise], seed: int = 0
) -> Report:
    """Compare the reader's function with the reference on `CASES` random inputs; never raises what
    the function raises.

    name : one of the exercises; ValueError with the list if there is none of that name.
    """
    if name not in exercises:
        raise ValueError(f"name needs to be one of {', '.join(exercises)}, got {name!r}.")
    exercise = exercises[name]
    cases, wanted, mistakes = exercise.known(seed)
    try:
        given = exercise.answers(function, cases, wanted)
    except NotImplementedError as stub:
        return Report(name, "not attempted", f"not attempted yet{stub}.{HELP}")
    except NoAnswerError as problem:
        return Report(name, "wrong", f"{problem}{HELP}")
    difference = _largest_difference(observed(given), observed(wanted))
    if difference > TOLERANCE:
        text = hint(given, mistakes)
        text = text or f"{exercise.otherwise or _description(given, wanted, difference)}{HELP}"
        return Report(name, "wrong", text, difference)
    if refused := exercise.refuse(function):
        return Report(name, "wrong", refused, difference)
    over = (
        f" Largest difference to the reference: {difference:.1e} over {len(cases)} random inputs."
    )
    strange = "" if exercise.read else _no_tensor(given)
    return Report(name, "right", f"right.{over if cases[0] else ''}{strange}", difference)


def observed(answers: Sequence[Answer]) -> list[Tensor]:
    """What of some answers is compared."""
    return [answer.observed for answer in answers]


def hint(given: Sequence[Answer], mistakes: Iterable[tuple[str, Sequence[Tensor]]]) -> str:
    """The hint for the mistake that computes what was given; "" if none does."""
    for text, computed in mistakes:
        if _largest_difference(observed(given), computed) <= TOLERANCE:
            return text
    return ""


def _answer(
    exercise: Exercise, function: Function, case: tuple[Any, ...], shape: Any = None
) -> Answer:
    """What a function answers to some inputs. A value of another shape than the one that is wanted
    can equal a mistake with this shape, never the reference."""
    inputs = tuple(
        v.clone().detach().requires_grad_(v.requires_grad)
        if isinstance(v, Tensor)
        else copy.deepcopy(v)
        for v in case
    )
    raw = called(function, inputs)
    value = read(exercise.read, raw)
    if shape is not None and value.shape != shape:
        return Answer(raw, value.detach(), value.detach()[None])
    try:
        return Answer(raw, value.detach(), exercise.observe(value, inputs).detach())
    except Exception as error:
        raise NoAnswerError(f"your answer cannot be used: {told(error)}") from error


def _no_tensor(given: Sequence[Answer]) -> str:
    """A sentence on right answers that are no tensors: they count, but no gradient flows."""
    others = [answer.raw for answer in given if not isinstance(answer.raw, Tensor)]
    return (
        f" (It came as {type_name(others[0])}: a torch tensor would also carry gradients.)"
        if others
        else ""
    )


def _largest_difference(given: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """Infinite if shapes or NaNs differ. Equal infinities do not differ."""
    worst = 0.0
    for g, w in zip(given, wanted, strict=True):
        if g.shape != w.shape:
            return math.inf
        same = (g == w) | (g.isnan() & w.isnan())
        difference = torch.where(same, 0, g - w).abs().nan_to_num(nan=math.inf, posinf=math.inf)
        worst = max(worst, difference.max().item() if difference.numel() else 0.0)
    return worst


def _description(given: Sequence[Answer], wanted: Sequence[Answer], difference: float) -> str:
    """What is wrong with an answer that no known mistake explains."""
    pairs = [(answer.raw, answer.value, w.value) for answer, w in zip(given, wanted, strict=True)]
    for raw, value, correct in pairs:
        if value.shape != correct.shape:
            shapes = tuple(correct.shape), tuple(value.shape)
            return f"a tensor of shape {shapes[0]} is wanted, yours has {shapes[1]}."
        if not bool(value.isfinite().all()):
            return f"your answer holds {'NaN' if bool(value.isnan().any()) else 'infinite values'}."
        if difference < 1e-2 and (precision := coarse(raw)):
            return (
                f"the numbers are right to the precision of {precision}: "
                "compute in float64, as the inputs do."
            )
    text = f"differs from the reference by up to {difference:.3g} over {len(pairs)} random inputs"
    for _, value, correct in pairs:
        if value.ndim == 0 and f"{value:.6g}" != f"{correct:.6g}":
            return f"{text}; for one of them {correct:.6g} is wanted, yours is {value:.6g}."
    return f"{text}."
