"""What `make published` runs: tasks, weights, seeds. To tune it, change what stands here.

Two passes: a few seeds run every weight, and choose one for each method and protocol by validation
accuracy; other seeds run the chosen ones, and report.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from lautum_utils.results.results import Results
from lautum_utils.training.experiments import Experiment, baselines
from lautum_utils.training.outcomes import Result

Chosen = dict[tuple[str, str, str], float]  # method, method of stage two, protocol: its weight


class Task(NamedTuple):
    """title: in words. base: what all of its experiments share."""

    title: str
    base: Experiment


CHOOSING, SEEDS, LABELS = (100, 101), tuple(range(8)), (50, 100, 200)
COMMON: dict[str, Any] = {"network": "cnn", "steps": 1000, "weighting": "gradient"}
COMMON |= {"method": "standard", "strength": 0.0}
SMALL: dict[str, Any] = {"network": "mlp"}
PHOTOGRAPHS: dict[str, Any] = {"augment": "mirrored", "views": "photographed"}
TASKS = {
    "mnist": Task("MNIST to notMNIST", Experiment("mnist", "notmnist_small", **COMMON)),
    "cifar": Task(
        "CIFAR-10 to CIFAR-100", Experiment("cifar10", "cifar100", **COMMON, **PHOTOGRAPHS)
    ),
    "fashion": Task("Fashion-MNIST to letters", Experiment("fashion_mnist", "letters", **COMMON)),
    # Small, so that notebook 08 makes a part of it again.
    "digits": Task("digits to letters", Experiment("digits", "letters", **COMMON | SMALL)),
}
# One range for all, as a share of the gradient of the cross-entropy.
RANGE = (0.03, 0.1, 0.3, 1.0, 3.0)
WEIGHTS = {
    "lautum": (0.01, *RANGE),
    "mutual_information_maximised": RANGE,
    "mk_mmd": RANGE,
    "lautum_between_views": RANGE,
    "mutual_information_between_views": RANGE,
    "vicreg": RANGE,
}
RECIPE = "careful"  # of fine-tuning; these are fine-tuned plainly too
ALSO_PLAIN = ("standard", "lautum", "from_scratch")
STAGE_TWO = {"temporal_ensembling": (10.0, 30.0, 100.0)}  # fine-tuning the control
STAGE_TWO_LABELS = 100  # by which its weight is chosen: it is the dearest of all
TUNED: dict[str, Any] = {"protocol": "finetune", "recipe": RECIPE}


def choosing(tasks: Iterable[str]) -> list[Experiment]:
    """Every method with every weight, probe and fine-tuning, on the seeds that choose."""
    found = []
    for name, seed, labels in product(tasks, CHOOSING, LABELS):
        base = replace(TASKS[name].base, seed=seed, labels=labels)
        for (method, weights), protocol in product(WEIGHTS.items(), ({}, TUNED)):
            found += [replace(base, method=method, strength=w, **protocol) for w in weights]
        if labels == STAGE_TWO_LABELS:
            found += [e for w in zip(*STAGE_TWO.values(), strict=True) for e in _two(base, w)]
    return found


def chosen(results: Iterable[Result]) -> dict[str, Chosen]:
    """By task, each method's weight with the best mean validation accuracy over the seeds and
    labels that choose (of equals, the smallest)."""
    groups: dict[tuple[str, tuple[str, str, str]], list[Result]] = {}
    titles = {(t.base.source, t.base.target): name for name, t in TASKS.items()}
    for result in results:
        e = result.experiment
        key = e.method, e.stage_two, e.protocol
        groups.setdefault((titles[e.source, e.target], key), []).append(result)
    found: dict[str, Chosen] = {}
    for (task, key), group in groups.items():
        stage = "strength" if key[1] == "standard" else "stage_two_strength"
        found.setdefault(task, {})[key] = best_weight(Results(group), stage)
    return found


def best_weight(results: Results, stage: str) -> float:
    """The weight (of the setting `stage`) with the best mean validation accuracy, the smallest of
    equals."""
    scores = {
        w: results.where(**{stage: w}).mean("validation_accuracy") for w in results.values(stage)
    }
    return max(sorted(scores), key=scores.__getitem__)


def reporting(
    tasks: Sequence[str], weights: dict[str, Chosen], seeds: Sequence[int] = SEEDS
) -> list[Experiment]:
    """Baselines, the control, and each method with its chosen weight, seed after seed."""
    places = product(seeds, tasks, LABELS)
    return [e for seed, task, n in places for e in _at_place(task, weights[task], seed, n)]


def _at_place(task: str, weights: Chosen, seed: int, labels: int) -> list[Experiment]:
    base = replace(TASKS[task].base, seed=seed, labels=labels)
    found = [*baselines(base), *baselines(replace(base, **TUNED), ["from_scratch"])]
    found += [base, replace(base, **TUNED), replace(base, protocol="finetune")]
    for (method, stage_two, protocol), weight in weights.items():
        if stage_two != "standard":
            found += _two(base, (weight,))
            continue
        ours = replace(base, method=method, strength=weight)
        found.append(replace(ours, **TUNED) if protocol == "finetune" else ours)
        if protocol == "finetune" and method in ALSO_PLAIN:
            found.append(replace(ours, protocol="finetune"))
    return found


def _two(base: Experiment, weights: Iterable[float]) -> list[Experiment]:
    """The control, fine-tuned with each method of stage two: plainly, as its augmentation and its
    many epochs are its own."""
    plainly, both = replace(base, protocol="finetune"), zip(STAGE_TWO, weights, strict=True)
    return [replace(plainly, stage_two=name, stage_two_strength=w) for name, w in both]
