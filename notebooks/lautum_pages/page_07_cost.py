"""Notebook 07: what a training step costs."""

import time
from dataclasses import replace

import numpy as np

from lautum_pages.competitors import NAMES
from lautum_utils import Experiment, run
from lautum_utils.training.outcomes import Progress
from notebooks.tools import compare


def seconds_a_step(experiment: Experiment, device: str) -> float:
    """Time between two callbacks of the stage in which the method acts: the lower quartile, as
    other work only adds."""
    stage, times = "finetune" if experiment.protocol == "finetune" else "stage one", list[float]()

    def watch(now: Progress) -> None:
        if now.stage == stage:
            times.append(time.perf_counter())

    run(experiment, device, progress=False, callback=watch)
    return float(np.quantile(np.diff(times), 0.25))


def costs(place: Experiment, steps: int, device: str) -> dict[str, float]:
    """The time of a step with its term, of each method in its stage, in steps of standard
    transfer: one network, so many steps of each."""
    one = replace(place, seed=1, method="standard", strength=0.0, steps=steps, every=1)
    two = replace(one, protocol="finetune", finetune_steps=steps, steps=1)
    standard_one, standard_two = seconds_a_step(one, device), seconds_a_step(two, device)
    found = {}
    for method, weights in compare.STAGE_ONE.items():
        tried = replace(one, method=method, strength=weights[1])
        found[NAMES[method]] = seconds_a_step(tried, device) / standard_one
    for method, weights in compare.STAGE_TWO.items():
        tried = replace(two, stage_two=method, stage_two_strength=weights[1])
        found[f"{NAMES[method]} (2)"] = seconds_a_step(tried, device) / standard_two
    return found
