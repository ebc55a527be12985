"""The table of a race: a row for each heat, whatever became of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from contest import OURS, Heat, Score

from lautum_utils.results.statistics import interval

HEAD = (
    f"{'contestant':23} {'method':11} {'threads':>7} {'networks':>8} {'seconds':>8} "
    f"{'times ours':>10} {'peak MB':>8}  {'accuracy [95 %]':22} weight"
)


class Outcome(NamedTuple):
    """A heat and what came of it; trouble: why nothing did."""

    heat: Heat
    seconds: float = 0.0
    peak: float = 0.0
    scores: tuple[Score, ...] = ()
    trouble: str = ""


def chosen(scores: Sequence[Score]) -> float:
    """The weight with the best mean validation accuracy; of equals, the smallest."""
    weights = sorted({score.weight for score in scores})
    means = [np.mean([s.validation for s in scores if s.weight == weight]) for weight in weights]
    return weights[int(np.argmax(means))]


def accuracy(scores: Sequence[Score], weight: float) -> str:
    """Mean test accuracy over the seeds at a weight, with its interval if there are several."""
    found = interval([s.test for s in scores if s.weight == weight])
    if found.n == 1:
        return f"{found.mean:.3f} [one seed]"
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def row(outcome: Outcome, ours: float) -> str:
    """One line. ours: the seconds that we took for the same, nan if we did not run it."""
    heat = outcome.heat
    told = f"{heat.contestant:23} {heat.method:11} {heat.threads:7}"
    if outcome.trouble:
        return f"{told}  {outcome.trouble}"
    weight = chosen(outcome.scores)
    numbers = (
        f"{heat.networks:8} {outcome.seconds:8.2f} {outcome.seconds / ours:10.2f} "
        f"{outcome.peak:8.0f}"
    )
    return f"{told} {numbers}  {accuracy(outcome.scores, weight):22} {weight:g}"


def table(outcomes: Sequence[Outcome]) -> str:
    """All rows under one head."""
    ours = {
        (o.heat.method, o.heat.threads): o.seconds
        for o in outcomes
        if o.heat.contestant == OURS and not o.trouble
    }
    rows = [row(o, ours.get((o.heat.method, o.heat.threads), float("nan"))) for o in outcomes]
    return "\n".join((HEAD, *rows))
