"""What `make published` runs: tasks, weights, seeds. To tune it, change what stands here."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from lautum_utils.training.experiments import Experiment, baselines

Weights = dict[str, tuple[float, ...]]  # of each method


class Task(NamedTuple):
    """title: in words. base: what all of its experiments share. weights: of each method of stage
    one; validation data chooses among them."""

    title: str
    base: Experiment
    weights: Weights


# These seeds report; whoever chooses weights or other settings looks at others (100, 101, ...).
SEEDS, LABELS = tuple(range(8)), (50, 100, 200)
COMMON: dict[str, Any] = {"network": "cnn", "steps": 1000}
PHOTOGRAPHS = {"augment": "mirrored", "views": "photographed"}
TASKS = {
    "mnist": Task(
        "MNIST to notMNIST",
        Experiment("mnist", "notmnist_small", **COMMON),
        {
            "lautum": (1e-5, 3e-5, 1e-4, 3e-4),
            "mutual_information_maximised": (1e-3, 3e-3, 1e-2, 3e-2),
            "mk_mmd": (0.1, 0.3, 1.0, 3.0),
            "lautum_between_views": (1e-4, 3e-4, 1e-3, 3e-3),
            "mutual_information_between_views": (1e-3, 3e-3, 1e-2, 3e-2),
            "vicreg": (0.1, 0.3, 1.0, 3.0),
        },
    ),
    "cifar": Task(
        "CIFAR-10 to CIFAR-100",
        Experiment("cifar10", "cifar100", **COMMON, **PHOTOGRAPHS),
        {
            "lautum": (1e-6, 3e-6, 1e-5, 3e-5),
            "mutual_information_maximised": (1e-4, 3e-4, 1e-3, 3e-3),
            "mk_mmd": (0.1, 0.3, 1.0, 3.0),
            "lautum_between_views": (3e-5, 1e-4, 3e-4, 1e-3),
            "mutual_information_between_views": (3e-4, 1e-3, 3e-3, 1e-2),
            "vicreg": (0.03, 0.1, 0.3, 1.0),
        },
    ),
    "fashion": Task(
        "Fashion-MNIST to letters",
        Experiment("fashion_mnist", "letters", **COMMON),
        {
            "lautum": (1e-5, 3e-5, 1e-4, 3e-4),
            "mutual_information_maximised": (1e-3, 3e-3, 1e-2, 3e-2),
            "mk_mmd": (0.1, 0.3, 1.0, 3.0),
            "lautum_between_views": (3e-4, 1e-3, 3e-3, 1e-2),
            "mutual_information_between_views": (1e-3, 3e-3, 1e-2, 3e-2),
            "vicreg": (0.1, 0.3, 1.0, 3.0),
        },
    ),
    "digits": Task(
        "digits to letters",
        Experiment("digits", "letters", **COMMON),
        {
            "lautum": (3e-5, 1e-4, 3e-4, 1e-3),
            "mutual_information_maximised": (1e-3, 3e-3, 1e-2, 3e-2),
            "mk_mmd": (0.1, 0.3, 1.0, 3.0),
            "lautum_between_views": (3e-4, 1e-3, 3e-3, 1e-2),
            "mutual_information_between_views": (1e-3, 3e-3, 1e-2, 3e-2),
            "vicreg": (0.1, 0.3, 1.0, 3.0),
        },
    ),
}
# Settings of a method beside its weight, such as {"weighting": "gradient"}.
SETTINGS: dict[str, dict[str, Any]] = {}
RECIPE = "careful"  # of fine-tuning; these are fine-tuned plainly too
ALSO_PLAIN = ("standard", "lautum", "from_scratch")
STAGE_TWO: Weights = {"temporal_ensembling": (10.0, 30.0)}  # fine-tuning the control


def grid(tasks: Sequence[str], seeds: Sequence[int] = SEEDS) -> list[Experiment]:
    """Every experiment of these tasks, by the names of the sets, seed after seed."""
    places = product(seeds, tasks, LABELS)
    return [e for seed, task, labels in places for e in _at_place(TASKS[task], seed, labels)]


def _at_place(task: Task, seed: int, labels: int) -> list[Experiment]:
    """Baselines; the control and each method with each weight, probe and fine-tuning; methods of
    stage two."""
    base = replace(task.base, seed=seed, labels=labels, method="standard", strength=0.0)
    tuned: dict[str, Any] = {"protocol": "finetune", "recipe": RECIPE}
    members = [base]
    for method, weights in task.weights.items():
        settings = SETTINGS.get(method, {})
        members += [replace(base, method=method, strength=w, **settings) for w in weights]
    found = [*baselines(base), *baselines(replace(base, **tuned), ["from_scratch"])]
    for e in members:
        found += [e, replace(e, **tuned)]
        if e.method in ALSO_PLAIN:
            found.append(replace(e, protocol="finetune"))
    for method, weights in STAGE_TWO.items():
        of_method = tuned | {"stage_two": method}
        found += [replace(base, stage_two_strength=w, **of_method) for w in weights]
    return found
