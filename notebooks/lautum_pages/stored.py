"""Exercises of which only values are known: what a students' package holds in place of references.

A file holds, for each exercise and seed, the inputs, what is wanted, and each mistake's hint with
what that mistake computes (`notebooks.tools.package` writes it). A check says the same with it as
with the references. Of a choice it holds fingerprints, which do not tell what is right.
"""

import gzip
import io
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checks import Answer, Exercise, Function, Known

FILE = "values.pt.gz"


@dataclass(frozen=True)
class Stored(Exercise):
    """An exercise as a file holds it, without code that computes its answer."""

    seeds: Mapping[int, Known] = field(default_factory=dict)

    def known(self, seed: int) -> Known:
        """ValueError: another seed than those of the file."""
        if seed not in self.seeds:
            raise ValueError(
                f"seed needs to be one of {', '.join(map(str, self.seeds))}, got {seed}."
            )
        return self.seeds[seed]


def read_stored(path: Path) -> dict[str, Exercise]:
    """The exercises of a file, in the order of the notebooks."""
    held = torch.load(io.BytesIO(gzip.decompress(path.read_bytes())), weights_only=True)
    return {name: _stored(known) for name, known in held.items()}


def _stored(held: Mapping[str, Any]) -> Stored:
    functions = {key: _function(held[key]) for key in ("observe", "read", "refuse") if held[key]}
    seeds = {seed: _known(known) for seed, known in held["seeds"].items()}
    given: dict[str, Any] = functions | {"otherwise": held["otherwise"], "seeds": seeds}
    return Stored(_left_out, _left_out, {}, **given)


def _known(held: Mapping[str, Any]) -> Known:
    values, seen = _list(held["values"]), _list(held["wanted"])
    wanted = [Answer(None, value, observed) for value, observed in zip(values, seen, strict=True)]
    cases = list(zip(*map(_list, held["inputs"]), strict=True)) or [()] * len(wanted)
    return Known(cases, wanted, [(hint, _list(given)) for hint, given in held["mistakes"]])


def stacked(values: Sequence[Any]) -> Any:
    """Tensors of one shape as one tensor, which is quick to read; other values as they are."""
    if all(isinstance(value, Tensor) for value in values) and len({v.shape for v in values}) == 1:
        whole = torch.stack([value.detach() for value in values])
        return whole.requires_grad_(values[0].requires_grad)
    return list(values)


def _list(held: Any) -> list[Any]:
    """What `stacked` was given."""
    if isinstance(held, Tensor):
        return [row.detach().requires_grad_(held.requires_grad) for row in held]
    return list(held)


def _function(named: Sequence[Any]) -> Function:
    """["module:name", argument, ...] as that function, with these arguments given."""
    name, *arguments = named
    function = pkgutil.resolve_name(name)
    return partial(function, *arguments) if arguments else function


def _left_out(*inputs: Any) -> Any:
    raise RuntimeError(
        "this package holds values in place of references: put a function of your own here."
    )
