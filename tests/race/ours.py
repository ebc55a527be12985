"""Our own contestant: the whole curve is one call of `run`."""

from dataclasses import replace
from typing import Any

import torch
from contest import BASE, EVERY_STEP, Heat, Score

from lautum_utils import Experiment, grid, run
from lautum_utils.training.stack_data import StackData


def experiments(heat: Heat) -> list[Experiment]:
    """One for each network of the curve."""
    told: dict[str, Any] = {"method": heat.method, "steps": heat.steps}
    if heat.contestant == EVERY_STEP:
        told["every"] = 1
    return grid(replace(BASE, **told), strength=heat.weights, seed=heat.seeds)


def prepare(heat: Heat) -> None:
    """Draw the arrays, so that `run` finds them."""
    StackData(experiments(heat), torch.device("cpu"))


def curve(heat: Heat) -> list[Score]:
    """Train and probe all networks of a heat."""
    results = run(experiments(heat), "cpu", progress=False)
    return [
        Score(r.experiment.strength, r.experiment.seed, r.validation_accuracy, r.test_accuracy)
        for r in results
    ]
