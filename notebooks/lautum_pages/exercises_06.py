"""The exercises of notebook 06: choose a weight, and a paired interval."""

import math

import torch
from torch import Generator, Tensor

from .answers import numbers
from .checks import Exercise
from .drawing import between, table, uniform

WEIGHTS = [0.0, 1e-4, 1e-3, 1e-2, 1e-1]


def _accuracies(generator: Generator) -> tuple[list[float], Tensor, Tensor]:
    """Five weights and four seeds, whose validation and test do not agree on the best weight, nor
    the mean on the single best run."""
    while True:
        validation, test = (
            0.4 + 0.5 * uniform(generator, 5, 4),
            0.4 + 0.5 * uniform(generator, 5, 4),
        )
        picked = {
            int(scores.argmax())
            for scores in (
                validation.mean(1),
                test.mean(1),
                validation.amax(1),
                -validation.mean(1),
            )
        }
        if len(picked) == 4:
            return WEIGHTS, validation, test


def _chosen(weights: list[float], scores: Tensor, reported: Tensor) -> Tensor:
    row = int(scores.argmax())
    return torch.stack((table(weights[row]), reported[row].mean()))


def _pairs(generator: Generator) -> tuple[Tensor, Tensor, float]:
    control = 0.5 + 0.2 * uniform(generator, 6)
    return control + 0.1 * uniform(generator, 6), control, between(generator, 2.4, 2.7)


def _interval(ours: Tensor, control: Tensor, t: float, correction: int = 1) -> Tensor:
    d = ours - control
    half = t * d.std(correction=correction) / math.sqrt(len(d))
    return torch.stack((d.mean(), d.mean() - half, d.mean() + half))


def _around(mean: Tensor, half: Tensor) -> Tensor:
    return torch.stack((mean, mean - half, mean + half))


CHOOSE_WEIGHT = Exercise(
    inputs=_accuracies,
    reference=lambda w, v, t: _chosen(w, v.mean(1), t),
    mistakes={
        "the weight was chosen by test accuracy: then the test set is no test any more, and what "
        "it says is too good.": lambda w, v, t: _chosen(w, t.mean(1), t),
        "the weight is right, but its validation accuracy is reported: it was chosen for being "
        "high there, so it flatters.": lambda w, v, t: _chosen(w, v.mean(1), v),
        "the weight of the single best run was taken: one lucky seed decides. Take the mean over "
        "seeds (axis 1) before you compare.": lambda w, v, t: _chosen(w, v.amax(1), t),
        "the weight with the lowest validation accuracy was taken: accuracies are to be high, "
        "losses low.": lambda w, v, t: _chosen(w, -v.mean(1), t),
        "the weight is right, but the test accuracy of its best seed is reported: report the mean "
        "over seeds.": lambda w, v, t: torch.stack(
            (table(w[int(v.mean(1).argmax())]), t[int(v.mean(1).argmax())].max())
        ),
        "the number of the row is returned: look the weight up, weights[row].": (
            lambda w, v, t: torch.stack(
                (v.mean(1).argmax().double(), t[int(v.mean(1).argmax())].mean())
            )
        ),
    },
    read=numbers,
)
PAIRED_INTERVAL = Exercise(
    inputs=_pairs,
    reference=_interval,
    mistakes={
        "the two groups were treated as unpaired: subtract seed by seed before anything else, then "
        "what the pairs share cancels.": lambda a, b, t: _around(
            (a - b).mean(), t * ((a.var() + b.var()) / len(a)).sqrt()
        ),
        "the standard deviation was divided by n and not by its square root.": (
            lambda a, b, t: _around((a - b).mean(), t * (a - b).std() / len(a))
        ),
        "this is where single differences lie, not their mean: divide the standard deviation by "
        "the square root of n.": lambda a, b, t: _around((a - b).mean(), t * (a - b).std()),
        "the standard deviation divides by n: for a sample it divides by n - 1, as torch does.": (
            lambda a, b, t: _interval(a, b, t, 0)
        ),
        "the quantile is missing: with so few seeds the interval is t times as wide as one "
        "standard error.": lambda a, b, t: _interval(a, b, 1.0),
        "1.96 is the quantile of a normal distribution, for many seeds: with few, take t.": (
            lambda a, b, t: _interval(a, b, 1.96)
        ),
        "the sign is wrong: a gain is ours minus the control.": lambda a, b, t: _interval(b, a, t),
    },
    read=numbers,
)
EXERCISES = {"choose_weight": CHOOSE_WEIGHT, "paired_interval": PAIRED_INTERVAL}
