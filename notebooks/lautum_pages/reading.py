"""What a reader's function answers: called, told from a stub, and read as a tensor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


class NoAnswerError(Exception):
    """There is nothing to compare; the sentence says why."""


def called(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """What a function returns; NotImplementedError if it is a stub."""
    try:
        raw = function(*inputs)
    except Exception as error:
        of_torch = "not implemented for" in str(error)  # such an error is no stub
        if isinstance(error, NotImplementedError) and not of_torch:
            raise NotImplementedError from error
        raise NoAnswerError(f"your function stopped with {told(error)}") from error
    if raw is None or raw is Ellipsis:
        raise NotImplementedError(f" (the function returns {raw})")
    return raw


def read(reader: Callable[[Any], Tensor] | None, raw: Any) -> Tensor:
    """What a function returned, as an exercise's own reader reads it, or else as a tensor."""
    if reader is None:
        return _as_tensor(raw)
    try:
        return reader(raw)
    except (TypeError, ValueError) as problem:
        raise NoAnswerError(str(problem)) from problem
    except Exception as error:
        raise NoAnswerError(f"your answer cannot be used: {told(error)}") from error


def _as_tensor(raw: Any) -> Tensor:
    """What a function returned, as an ordinary tensor of float64."""
    dtype = None if isinstance(raw, Tensor | np.ndarray) else torch.float64
    try:
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
            raw = raw.astype(np.float64)  # whatever their size, byte order and place in memory
        value = torch.as_tensor(raw, dtype=dtype)
    except Exception as error:
        raise NoAnswerError(
            f"a tensor is wanted, your function returned {type(raw).__name__}."
        ) from error
    other = value.is_nested or value.is_quantized or value.is_meta or value.is_complex()
    if other or value.layout != torch.strided:
        raise NoAnswerError(
            "an ordinary tensor of real numbers is wanted: not complex, sparse, nested or "
            "quantized."
        )
    return value.double()


def coarse(raw: Any) -> str:
    """The precision of floating-point numbers, if it is lower than float64; else ""."""
    name = str(getattr(raw, "dtype", "")).removeprefix("torch.")
    return name if name.startswith(("float", "bfloat")) and name != "float64" else ""


def told(error: Exception) -> str:
    """The type of an error and the beginning of what it says, as the end of a sentence."""
    said = " ".join(str(error).split())
    said = f"{said[:160]}…" if len(said) > 160 else said
    end = "" if said[-1:] in ("?", "!") else "."
    return f"{type(error).__name__}: {said}".rstrip(".: ") + end


def type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
