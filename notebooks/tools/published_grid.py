"""What `make published` runs: tasks, weights, seeds. To tune it, change what stands here.

Two passes: a few seeds try weights, and choose one for each method and protocol by validation
accuracy; other seeds run the chosen ones, and report. While the best weight of a method is the
smallest or the largest that was tried, the next one further out is tried too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, product
from types import MappingProxyType
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
# One ladder for all, as a share of the gradient of the cross-entropy; tried to begin with: RANGE.
LADDER = (1e-5, 3e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
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
STAGE_TWO_LADDER = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
STAGE_TWO_LABELS = 100  # by which its weight is chosen: it is the dearest of all
TUNED: dict[str, Any] = {"protocol": "finetune", "recipe": RECIPE}


def choosing(
    tasks: Iterable[str], known: Mapping[Experiment, Result] = MappingProxyType({})
) -> list[Experiment]:
    """Every method with every weight to try, probe and fine-tuning, on the seeds that choose.

    known: results so far. Where they hold all that is to be tried, and the best weight is at an end
    of it, that is one step of the ladder further out, too.
    """
    found = list(chain.from_iterable(_to_begin_with(task) for task in tasks))
    while all(e in known for e in found):
        further = _further_out([known[e] for e in found])
        if not further:
            break
        found += further
    return found


def _to_begin_with(task: str) -> Iterable[Experiment]:
    tuned: tuple[dict[str, Any], ...] = ({}, TUNED)
    for (method, weights), protocol in product(WEIGHTS.items(), tuned):
        for weight in weights:
            yield from _at_labels(task, method=method, strength=weight, **protocol)
    for name, weights in STAGE_TWO.items():
        for weight in weights:
            yield from _two_at_labels(task, name, weight)


def _at_labels(task: str, **changes: Any) -> Iterable[Experiment]:
    for seed, labels in product(CHOOSING, LABELS):
        yield replace(TASKS[task].base, seed=seed, labels=labels, **changes)


def _two_at_labels(task: str, name: str, weight: float) -> Iterable[Experiment]:
    for seed in CHOOSING:
        base = replace(TASKS[task].base, seed=seed, labels=STAGE_TWO_LABELS)
        yield _two(base, name, weight)


def _further_out(results: Sequence[Result]) -> list[Experiment]:
    """Of each method whose best weight is at an end, all that was run with it, with the next one;
    nothing beyond the ladder."""
    found: list[Experiment] = []
    for (_, key), group in _groups(results).items():
        stage, ladder = _weight_of(key)
        tried = Results(group).values(stage)
        best = best_weight(Results(group), stage)
        beyond = [w for w in ladder if (w < best if best == tried[0] else w > best)]
        if best not in (tried[0], tried[-1]) or not beyond:
            continue
        further = max(beyond) if best == tried[0] else min(beyond)
        with_best = [r.experiment for r in group if getattr(r.experiment, stage) == best]
        change: dict[str, Any] = {stage: further}
        found += [replace(e, **change) for e in with_best]
    return found


def _groups(results: Iterable[Result]) -> dict[tuple[str, tuple[str, str, str]], list[Result]]:
    """By task, and by method, method of stage two and protocol."""
    groups: dict[tuple[str, tuple[str, str, str]], list[Result]] = {}
    titles = {(t.base.source, t.base.target): name for name, t in TASKS.items()}
    for result in results:
        e = result.experiment
        key = e.method, e.stage_two, e.protocol
        groups.setdefault((titles[e.source, e.target], key), []).append(result)
    return groups


def _weight_of(key: tuple[str, str, str]) -> tuple[str, Sequence[float]]:
    """The setting that is a method's weight, and its ladder."""
    if key[1] == "standard":
        return "strength", LADDER
    return "stage_two_strength", STAGE_TWO_LADDER


def chosen(results: Iterable[Result]) -> dict[str, Chosen]:
    """By task, each method's weight with the best mean validation accuracy over the seeds and
    labels that choose (of equals, the smallest)."""
    found: dict[str, Chosen] = {}
    for (task, key), group in _groups(results).items():
        found.setdefault(task, {})[key] = best_weight(Results(group), _weight_of(key)[0])
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
            found.append(_two(base, stage_two, weight))
            continue
        ours = replace(base, method=method, strength=weight)
        found.append(replace(ours, **TUNED) if protocol == "finetune" else ours)
        if protocol == "finetune" and method in ALSO_PLAIN:
            found.append(replace(ours, protocol="finetune"))
    return found


def _two(base: Experiment, name: str, weight: float) -> Experiment:
    """The control, fine-tuned with a method of stage two: plainly, as its augmentation and its many
    epochs are its own."""
    return replace(base, protocol="finetune", stage_two=name, stage_two_strength=weight)
