"""The exercises of notebook 07: do two methods tie, an honest report, a term of your own."""

from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from .checks import Exercise, Function
from .drawing import between, normal, uniform
from .observing import value_and_gradient

NO_GRADIENT = (
    "the value is right but no gradient reaches the target's features: .detach() or .item() cuts "
    "it off."
)


def _accuracies(g: Generator) -> tuple[Tensor, Tensor, float]:
    """Of two methods on 8 seeds, with Student's t for these: about one pair in two is a tie."""
    common, ahead = 0.03 * normal(g, 8), between(g, -0.02, 0.02)
    a = 0.7 + common + ahead + 0.015 * normal(g, 8)
    return a, 0.7 + common + 0.015 * normal(g, 8), 2.365


def _verdict(low: Tensor, high: Tensor) -> Tensor:
    return torch.stack((low, high, ((low > 0).to(low) - (high < 0).to(low))))


def _from(mean: Tensor, half: Any) -> Tensor:
    return _verdict(mean - half, mean + half)


def _paired(a: Tensor, b: Tensor, t: float) -> Tensor:
    d = a - b
    return _from(d.mean(), t * d.std() / len(d) ** 0.5)


def _by_the_mean(a: Tensor, b: Tensor, t: float) -> Tensor:
    low, high, _ = _paired(a, b, t)
    return torch.stack((low, high, (a - b).mean().sign()))


def _by_overlap(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Better only where the two intervals of their own do not meet."""
    low, high, _ = _paired(a, b, t)
    reach = t * (a.std() + b.std()) / len(a) ** 0.5
    clear = (a.mean() - b.mean()).abs() > reach
    return torch.stack((low, high, clear * (a - b).mean().sign()))


TIE = Exercise(
    inputs=_accuracies,
    reference=_paired,
    mistakes={
        "the spreads of both methods were added: take the difference seed by seed, then its "
        "spread.": lambda a, b, t: _from(
            a.mean() - b.mean(), t * ((a.var() + b.var()) / len(a)) ** 0.5
        ),
        "this is the spread of one seed: the mean of n seeds has a spread that is smaller by "
        "the root of n.": lambda a, b, t: _from((a - b).mean(), t * (a - b).std()),
        "the variance was divided by n: divide by n - 1, as the mean was estimated too.": (
            lambda a, b, t: _from((a - b).mean(), t * (a - b).std(correction=0) / len(a) ** 0.5)
        ),
        "t is missing: this is one standard error, which holds too little.": (
            lambda a, b, t: _paired(a, b, 1.0)
        ),
        "1.96 is for many seeds: with so few, take t.": lambda a, b, t: _paired(a, b, 1.96),
        "this is b against a: the difference is a - b.": lambda a, b, t: _paired(b, a, t),
        "the interval is right, the verdict is not: the sign of the mean decides nothing while "
        "the interval holds 0.": _by_the_mean,
        "the interval is right, the verdict is not: two intervals that overlap can still differ "
        "clearly, pair by pair.": _by_overlap,
    },
)


def _tried(g: Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Validation and test accuracy of 12 methods on 10 seeds, the pixels' test accuracy, and how
    many seeds choose."""
    level, hard = 0.7 + 0.01 * normal(g, 12, 1), 0.03 * normal(g, 1, 10)
    validation = level + hard + 0.04 * normal(g, 12, 10)
    test = level + 0.02 * normal(g, 12, 1) + hard + 0.01 * normal(g, 12, 10)
    return validation, test, 0.71 + hard[0] + 0.01 * normal(g, 10), 4


def _report(
    validation: Tensor, test: Tensor, pixels: Tensor, n: int, choose: Function, shown: slice
) -> Tensor:
    return (test[choose(validation, test, n)] - pixels)[shown].mean()


def _by_validation(validation: Tensor, test: Tensor, n: int) -> Tensor:
    return validation[:, :n].mean(1).argmax()


def _honest(validation: Tensor, test: Tensor, pixels: Tensor, n: int) -> Tensor:
    return _report(validation, test, pixels, n, _by_validation, slice(n, None))


PIXEL_LINE = Exercise(
    inputs=_tried,
    reference=_honest,
    mistakes={
        "the method was chosen by its test accuracy: what chooses may not be what is reported.": (
            lambda v, t, p, n: _report(
                v, t, p, n, lambda v, t, n: t[:, :n].mean(1).argmax(), slice(n, None)
            )
        ),
        "all seeds are reported, also those that chose: their luck is in it.": (
            lambda v, t, p, n: _report(v, t, p, n, _by_validation, slice(None))
        ),
        "the seeds that chose are reported: fresh ones come after them.": (
            lambda v, t, p, n: _report(v, t, p, n, _by_validation, slice(0, n))
        ),
        "every seed chose, the fresh ones too: only the validation accuracy of seeds before n "
        "may choose.": lambda v, t, p, n: _report(
            v, t, p, n, lambda v, t, n: v.mean(1).argmax(), slice(n, None)
        ),
        "the validation accuracy is reported: it chose, so it is too high. Report test accuracy.": (
            lambda v, t, p, n: (v[_by_validation(v, t, n)] - p)[n:].mean()
        ),
        "each seed has another method here: choose one, by the mean over the choosing seeds.": (
            lambda v, t, p, n: (t.gather(0, v.argmax(0)[None])[0] - p)[n:].mean()
        ),
        "the pixels of all seeds were averaged: pair each seed with its own.": (
            lambda v, t, p, n: t[_by_validation(v, t, n), n:].mean() - p.mean()
        ),
    },
)


def _features(g: Generator) -> tuple[Tensor, Tensor]:
    """Of 3 networks: 6 labelled source samples and 6 unlabelled target samples, 4 features."""
    return normal(g, 3, 6, 4), (normal(g, 3, 6, 4) + uniform(g, 3, 1, 4)).requires_grad_()


def _distance(source: Tensor, target: Tensor) -> Tensor:
    return (source.mean(1) - target.mean(1)).square().sum(-1)


OWN_TERM = Exercise(
    inputs=_features,
    reference=_distance,
    mistakes={
        NO_GRADIENT: lambda s, t: _distance(s, t.detach()),
        "one number for the whole stack: each network has a term of its own.": (
            lambda s, t: _distance(s, t).sum()
        ),
        "the mean runs over the features: average over the samples, axis 1.": (
            lambda s, t: (s.mean(2) - t.mean(2)).square().sum(-1)
        ),
        "this is the distance, not its square: its gradient has no value where the means are "
        "equal.": lambda s, t: _distance(s, t).sqrt(),
        "the squares were averaged over the features: add them up.": (
            lambda s, t: _distance(s, t) / s.shape[-1]
        ),
        "the sign is wrong: the loop makes the term small, and the means are to come together.": (
            lambda s, t: -_distance(s, t)
        ),
        "sample i of the source was compared with sample i of the target: compare the two means.": (
            lambda s, t: (s - t).square().sum(-1).mean(1)
        ),
    },
    observe=partial(value_and_gradient, 1),
)
EXERCISES = {"tie": TIE, "pixel_line": PIXEL_LINE, "own_term": OWN_TERM}
