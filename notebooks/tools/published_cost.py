"""What `make published` will take, and what it took."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lautum_utils.training.experiments import Experiment
from lautum_utils.training.recipes import RECIPES
from lautum_utils.training.stacks import stage_one_of

SECONDS = "seconds.txt"  # in the store: what all its runs took


class Steps(NamedTuple):
    """Milliseconds a step takes of one core: in stage one without a term, with one, with one of
    two views; fine-tuning without a method, and with Temporal Ensembling."""

    control: float
    term: float
    views: float
    finetune: float
    ensembling: float


# Of a CNN, by source, measured on one core.
MEASURED = {
    "mnist": Steps(17, 19, 28, 6, 48),
    "cifar10": Steps(35, 34, 44, 13, 89),
    "fashion_mnist": Steps(9, 10, 21, 4, 21),
    "digits": Steps(13, 14, 18, 5, 31),
}
A_NETWORK = 2.0  # seconds besides: its data, its probes, its tests


def estimate(experiments: Sequence[Experiment], workers: int) -> str:
    """A sentence: how many networks these train, and about how long that takes."""
    networks = list(dict.fromkeys(map(stage_one_of, experiments)))
    tuned = [e for e in experiments if e.protocol == "finetune"]
    trained = sum(not e.is_baseline for e in networks)
    seconds = sum(map(_stage_one, networks)) + A_NETWORK * len(networks)
    seconds += sum(map(_stage_two, tuned))
    return (
        f"{len(experiments):,} experiments: {trained:,} networks learn a source, {len(tuned):,} "
        f"are fine-tuned; very roughly {in_words(seconds / workers)} on {workers} process(es)."
    )


def in_words(seconds: float) -> str:
    """ "40 minutes", "3.5 hours"."""
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def add_seconds(store: Path, seconds: float) -> float:
    """Write down that a store took so many more: how many in all."""
    path = store / SECONDS
    spent = (float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0) + seconds
    path.write_text(f"{spent:.0f}\n", encoding="utf-8")
    return spent


def _stage_one(e: Experiment) -> float:
    if e.is_baseline:
        return 0.0
    steps = MEASURED[e.source]
    with_term = steps.views if "views" in e.method or e.method == "vicreg" else steps.term
    return e.steps * (steps.control if e.is_control else with_term) / 1000


def _stage_two(e: Experiment) -> float:
    steps = MEASURED[e.source]
    a_step = steps.ensembling if e.stage_two_strength else steps.finetune
    return e.finetune_steps * RECIPES[e.recipe].steps * a_step / 1000
