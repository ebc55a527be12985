"""The statistics of results: paired differences with intervals, and the choice of a strength."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from lautum_utils.training.outcomes import Result


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, [low, high]; n values went into it."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def reach(self) -> float:
        """Half the width; 0 for one value, which has no interval."""
        return self.mean - self.low if self.n > 1 else 0.0

    @property
    def points(self) -> str:
        """A difference of accuracies in points: "+4.4 [+3.8, +4.9]"."""
        return "{:+.1f} [{:+.1f}, {:+.1f}]".format(
            *(100 * x for x in (self.mean, self.low, self.high))
        )


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and Student's t interval of independent values, such as one accuracy a seed; infinite
    for one value. ValueError: no value, or one that is not finite."""
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"values need to be one or more finite numbers, got {values!r}.")
    mean, half = float(x.mean()), math.inf
    if len(x) > 1:
        quantile = float(stdtrit(len(x) - 1, (1 + confidence) / 2) * x.std(ddof=1))
        half = quantile / math.sqrt(len(x))
    return Interval(mean, mean - half, mean + half, len(x))


def paired_difference(
    results: Sequence[Result], control: Sequence[Result], confidence: float = 0.95
) -> Interval:
    """Interval of test accuracy minus the control's, over the seeds that both hold.

    ValueError: no seed in common; two results of one seed, which leave open what is paired.
    """
    ours, theirs = _by_seed(results, "results"), _by_seed(control, "control")
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        raise ValueError(
            f"results and control need seeds in common, got {sorted(ours)} and {sorted(theirs)}."
        )
    return interval([ours[seed] - theirs[seed] for seed in seeds], confidence)


def _by_seed(results: Sequence[Result], name: str) -> dict[int, float]:
    by_seed: dict[int, float] = {}
    for result in results:
        seed = result.experiment.seed
        if seed in by_seed:
            raise ValueError(f"{name} needs one result a seed, got two of seed {seed}.")
        by_seed[seed] = result.test_accuracy
    return by_seed


def summarise(results: Sequence[Result], confidence: float = 0.95) -> dict[float, Interval]:
    """Test accuracy by strength: mean and interval over seeds. Baselines, which have none, do not
    count among others."""
    accuracies: dict[float, list[float]] = defaultdict(list)
    for result in _with_strengths(results):
        accuracies[result.experiment.strength].append(result.test_accuracy)
    return {s: interval(values, confidence) for s, values in sorted(accuracies.items())}


def choose_strength(results: Sequence[Result]) -> float:
    """The strength with the best mean *validation* accuracy; of equals, the smallest. Test accuracy
    is not looked at. Baselines, which have none, do not count among others. ValueError: no
    results."""
    scores: dict[float, list[float]] = defaultdict(list)
    for result in _with_strengths(results):
        scores[result.experiment.strength].append(result.validation_accuracy)
    if not scores:
        raise ValueError("results need to hold one or more, got none.")
    return max(sorted(scores), key=lambda strength: float(np.mean(scores[strength])))


def _with_strengths(results: Sequence[Result]) -> Sequence[Result]:
    """Without the baselines, unless there is nothing else."""
    return [r for r in results if not r.experiment.is_baseline] or results


def verdict(difference: Interval, name: str = "this weight", control: str = "weight 0") -> str:
    """One sentence: is a paired difference to a control clear, in points of test accuracy? It is if
    its 95 % interval excludes 0."""
    points = f"{100 * difference.mean:+.1f} points"
    if difference.n == 1:
        return f"{name}: {points} against {control} on one seed; train more seeds for an interval."
    span = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}, {difference.n} seeds"
    said = "not clearly different from"
    if difference.low > 0 or difference.high < 0:
        said = f"clearly {'better' if difference.low > 0 else 'worse'} than"
    return f"{name} is {said} {control}: {points} (95 % interval {span})."
