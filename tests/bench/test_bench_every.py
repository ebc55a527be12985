"""What a term at every m-th step saves: a training beside the same training with weight 0."""

import time
from dataclasses import replace

import pytest
from benching import Bench, Works, own_seconds

from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.histories import Recorder
from lautum_utils.training.outcomes import Progress

DEFAULT = Experiment().every
NETWORKS = {"mlp": (401, "<= 1.5"), "cnn": (201, "<= 1.5"), "large_cnn": (2 * DEFAULT + 1, "<= 2")}


def _seconds_of_stage_one(experiment: Experiment) -> float:
    """All steps but the first one, with which what a process needs once is loaded. Nothing is
    recorded: a record costs the same whatever is trained."""
    ends: list[float] = []

    def watch(now: Progress) -> bool:
        if now.stage == "stage one":
            ends.append(time.perf_counter())
        return len(ends) == experiment.steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "after", lambda self, step: None)
        run(experiment, "cpu", progress=False, callback=watch)
    return ends[-1] - ends[0]


@pytest.mark.parametrize("network", NETWORKS)
def test_training_beside_weight_0(bench: Bench, network: str) -> None:
    steps, promise = NETWORKS[network]
    base = Experiment(network=network, steps=bench.size(steps, 2), strength=1e-4)
    if network == "large_cnn":  # what it is for: colour images, 32 x 32 (no real ones are at hand)
        base = replace(base, shift="label_part_swap", severity=1.0)
    works: Works = {
        "default": lambda: _seconds_of_stage_one(base),
        "every step": lambda: _seconds_of_stage_one(replace(base, every=1)),
        "weight 0": lambda: _seconds_of_stage_one(replace(base, strength=0.0)),
    }
    rounds = bench.size(1 if network == "large_cnn" else 5, 1)
    medians = bench.medians(works, rounds, block=1, warmup=0, timed=own_seconds)
    name = f"{network} trained with a term at every {DEFAULT}th step / with weight 0"
    bench.ratio(name, medians, "default", "weight 0", promise)
    bench.ratio("    the same with a term at every step", medians, "every step", "weight 0")
