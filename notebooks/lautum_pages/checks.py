"""Exercises that check themselves: right, not attempted yet, or a hint for the mistake that was
made.

`check(name, function, exercises)` runs the reader's function on seeded random inputs and compares
with a reference. Each exercise also knows what the usual mistakes compute: an answer that equals
one of them gets the hint for just that mistake. The exercises of notebooks 01 to 04 are in the
package `lautum_pages`, beside the notebooks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

CASES = 20
TOLERANCE = 1e-9
HELP = " The hints above help, one step at a time."
Function = Callable[..., Any]


@dataclass(frozen=True)
class Exercise:
    """One exercise: random inputs, the reference, what each mistake computes (hint -> function).

    observe : what is compared, from the value that a function returns and its inputs; by default
    the value.
    """

    inputs: Callable[[Generator], tuple[Any, ...]]
    reference: Function
    mistakes: dict[str, Function]
    observe: Callable[[Tensor, tuple[Any, ...]], Tensor] = lambda value, inputs: value


@dataclass(frozen=True)
class Report:
    """What a check found; status is "right", "wrong" or "not attempted"."""

    name: str
    status: str
    text: str
    difference: float | None = None  # of the numbers, where there are two to compare

    def __repr__(self) -> str:
        return f"{ {'right': '✓', 'wrong': '✗'}.get(self.status, '○') } {self.name}: {self.text}"


class _NoAnswerError(Exception):
    """There is nothing to compare; the sentence says why."""


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
    generator = Generator().manual_seed(seed)
    cases = [exercise.inputs(generator) for _ in range(CASES)]
    wanted = [_answer(exercise, exercise.reference, case) for case in cases]
    shapes = [value.shape for _, value, _ in wanted]

    def answers(of: Function) -> list[tuple[Any, Tensor, Tensor]]:
        return [
            _answer(exercise, of, case, shape) for case, shape in zip(cases, shapes, strict=True)
        ]

    try:
        given = answers(function)
    except NotImplementedError as stub:
        return Report(name, "not attempted", f"not attempted yet{stub}.{HELP}")
    except _NoAnswerError as problem:
        return Report(name, "wrong", f"{problem}{HELP}")
    apart = _apart(given, wanted)
    strange = next((type(raw) for raw, *_ in given if not isinstance(raw, Tensor)), None)
    if apart <= TOLERANCE and strange is None:
        over = (
            f" Largest difference to the reference: {apart:.1e} over {CASES} random inputs."
            if cases[0]
            else ""
        )
        return Report(name, "right", f"right.{over}", apart)
    hints = (
        text
        for text, wrong in exercise.mistakes.items()
        if _apart(given, answers(wrong)) <= TOLERANCE
    )
    if apart <= TOLERANCE:
        kind = f"{strange.__module__}.{strange.__name__}".removeprefix("builtins.")  # type: ignore[union-attr]
        text = f"the numbers are right, but they come as {kind}: stay with torch tensors, so that gradients can flow."
    else:
        text = next(hints, "") or f"{_description(given, wanted, apart)}{HELP}"
    return Report(name, "wrong", text, apart)


def _answer(
    exercise: Exercise, function: Function, case: tuple[Any, ...], shape: Any = None
) -> tuple[Any, Tensor, Tensor]:
    """What the function returns, the same as a float64 tensor, and what of it is compared."""
    inputs = tuple(
        v.clone().detach().requires_grad_(v.requires_grad) if isinstance(v, Tensor) else v
        for v in case
    )
    try:
        raw = function(*inputs)
    except Exception as error:
        if isinstance(error, NotImplementedError) and "not implemented for" not in str(
            error
        ):  # a stub, and not torch
            raise NotImplementedError from error
        raise _NoAnswerError(f"your function stopped with {_told(error)}") from error
    if raw is None or raw is Ellipsis:
        raise NotImplementedError(f" (the function returns {raw})")
    try:
        value = (
            torch.as_tensor(raw)
            if isinstance(raw, Tensor | np.ndarray)
            else torch.as_tensor(raw, dtype=torch.float64)
        )
    except Exception as error:
        raise _NoAnswerError(
            f"a tensor is wanted, your function returned {type(raw).__name__}."
        ) from error
    if (
        value.layout != torch.strided
        or value.is_nested
        or value.is_quantized
        or value.is_meta
        or value.is_complex()
    ):
        raise _NoAnswerError(
            "an ordinary tensor of real numbers is wanted: not complex, sparse, nested or quantized."
        )
    value = value.double()
    if shape is not None and value.shape != shape:
        return (
            raw,
            value.detach(),
            value.detach()[None],
        )  # equal to a mistake with this shape, never to the reference
    try:
        return raw, value.detach(), exercise.observe(value, inputs).detach()
    except Exception as error:
        raise _NoAnswerError(f"your answer cannot be used: {_told(error)}") from error


def _told(error: Exception) -> str:
    """The kind of an error and the beginning of what it says, as the end of a sentence."""
    said = " ".join(str(error).split())
    said = f"{said[:160]}…" if len(said) > 160 else said
    return f"{type(error).__name__}: {said}".rstrip(".: ") + (
        "" if said[-1:] in ("?", "!") else "."
    )


def _apart(
    given: list[tuple[Any, Tensor, Tensor]], wanted: list[tuple[Any, Tensor, Tensor]]
) -> float:
    """The largest difference; infinite if shapes or NaNs differ. Equal infinities do not differ."""
    worst = 0.0
    for (*_, g), (*_, w) in zip(given, wanted, strict=True):
        if g.shape != w.shape:
            return math.inf
        same = (g == w) | (g.isnan() & w.isnan())
        difference = torch.where(same, 0, g - w).abs().nan_to_num(nan=math.inf, posinf=math.inf)
        worst = max(worst, difference.max().item() if difference.numel() else 0.0)
    return worst


def _description(
    given: list[tuple[Any, Tensor, Tensor]], wanted: list[tuple[Any, Tensor, Tensor]], apart: float
) -> str:
    """What is wrong with an answer that no known mistake explains."""
    for (raw, value, _), (_, correct, _) in zip(given, wanted, strict=True):
        if value.shape != correct.shape:
            return f"a tensor of shape {tuple(correct.shape)} is wanted, yours has {tuple(value.shape)}."
        if not bool(value.isfinite().all()):
            return f"your answer holds {'NaN' if bool(value.isnan().any()) else 'infinite values'}."
        if (
            apart < 1e-2
            and isinstance(raw, Tensor)
            and raw.is_floating_point()
            and raw.dtype != torch.float64
        ):
            return f"the numbers are right to the precision of {str(raw.dtype)[6:]}: compute in float64, as the inputs do."
    text = f"differs from the reference by up to {apart:.3g} over {CASES} random inputs"
    for (_, value, _), (_, correct, _) in zip(given, wanted, strict=True):
        if value.ndim == 0 and f"{value:.6g}" != f"{correct:.6g}":
            return f"{text}; for one of them {correct:.6g} is wanted, yours is {value:.6g}."
    return f"{text}."
