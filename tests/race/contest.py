"""What is raced: one task, three methods, the weights of their curves, and who takes part.

A heat is one contestant with one method and one number of threads. All contestants get the same
arrays, begin with the same weights and see the same samples at each step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from lautum_utils import Experiment

OURS, EVERY_STEP = "Lautum Lab", "Lautum Lab, every step"
BASE = Experiment(source="digits", target="letters", network="mlp", labels=200)
# In our units: the weight of the term as this project has it.
CURVES: dict[str, tuple[float, ...]] = {
    "standard": (0.0,),
    "mk_mmd": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    "deep_coral": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4),
}
CONTESTANTS = {  # and the module that knows how each trains
    OURS: "ours",
    EVERY_STEP: "ours",
    "plain loop": "plain",
    "skada": "with_skada",
    "pytorch-adapt": "with_pytorch_adapt",
}
NEEDS = {"skada": "skada", "pytorch-adapt": "pytorch-adapt"}  # to be installed
NOTES = {
    OURS: "all networks of a curve side by side, as `run` does by itself",
    EVERY_STEP: "the same, with the term at each step",
    "plain loop": "our own words for the way that DomainBed takes a step: network after network, a "
    "list of minibatches, objective + penalty. The formulas are those of this project",
    "skada": "its networks and losses, with the minibatches of all (its own loader wants as many "
    "source as target samples). Its MMD sums 33 kernels of the distance and keeps the diagonal: "
    "the weight is divided by 33",
    "pytorch-adapt": "its adapters and losses. Its MMD is the quadratic one (the linear one wants "
    "as many source as target samples), with the same 5 kernels around the median in place of "
    "the mean",
}


@dataclass(frozen=True)
class Heat:
    """What one child process is asked to do."""

    contestant: str
    method: str
    weights: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    threads: int = 1

    @property
    def networks(self) -> int:
        return len(self.weights) * len(self.seeds)


@dataclass(frozen=True)
class Size:
    """How much is raced."""

    weights: int = 9
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    steps: int = 100
    threads: tuple[int, ...] = (1, 2)


SMALLEST = Size(weights=2, seeds=(0,), steps=3, threads=(1,))


class Score(NamedTuple):
    """What the probe reads off the features of one network: accuracies are fractions."""

    weight: float
    seed: int
    validation: float
    test: float


def heats(contestants: Sequence[str], methods: Sequence[str], how: Size) -> list[Heat]:
    """What is run, in this order: with each number of threads each method, and side by side those
    who run it."""
    return [
        Heat(name, method, CURVES[method][: how.weights], how.seeds, how.steps, threads)
        for threads, method, name in product(how.threads, methods, contestants)
        if name != EVERY_STEP or method != "standard"
    ]
