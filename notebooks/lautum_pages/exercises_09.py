"""The exercises of notebook 09, sweeps at scale."""

import math
from typing import Any

import torch
from torch import Generator, Tensor

from .answers import numbers
from .checks import Exercise
from .drawing import normal

Run = tuple[float, int]  # strength and seed


def _interrupted(generator: Generator) -> tuple[list[Run], dict[Run, float]]:
    """A list of runs, and the accuracies of those that are there, two of which failed."""
    runs = [(strength, seed) for strength in (0.0, 1e-4, 1e-3) for seed in range(4)]
    wanted = [runs[i] for i in torch.randperm(len(runs), generator=generator).tolist()]
    rows = torch.randperm(len(runs), generator=generator)[:8].tolist()
    accuracies = torch.rand(8, generator=generator, dtype=torch.float64).tolist()
    accuracies[:2] = [math.nan, math.nan]
    return wanted, {wanted[row]: value for row, value in zip(rows, accuracies, strict=True)}


def _is_done(run: Run, stored: dict[Run, float]) -> bool:
    return run in stored and not math.isnan(stored[run])


def _missing(wanted: list[Run], stored: dict[Run, float]) -> list[int]:
    return [i for i, run in enumerate(wanted) if not _is_done(run, stored)]


def _plan(generator: Generator) -> tuple[int, int, int, float, float, int]:
    """Tasks, strengths, seeds, seconds of a run, seconds of starting, workers."""
    low, high = (2, 5, 3, 20, 10, 7), (6, 12, 9, 90, 60, 40)
    drawn = [
        int(torch.randint(a, b, (), generator=generator)) for a, b in zip(low, high, strict=True)
    ]
    tasks, strengths, seeds, seconds, start, workers = drawn
    return tasks, strengths, seeds, float(seconds), float(start), workers


def _hours(
    tasks: int, strengths: int, seeds: int, seconds: float, start: float, workers: int
) -> float:
    return (start + math.ceil(tasks * strengths * seeds / workers) * seconds) / 3600


def _two_devices(generator: Generator) -> tuple[Any, ...]:
    parts = normal(generator, 12, 3), 2 * normal(generator, 30, 3) + 1
    return tuple(part for x in parts for part in (len(x), x.mean(0), x.mT.cov()))


def _squares(n: int, cov: Tensor) -> Tensor:
    return (n - 1) * cov


def _combined(
    n_a: int, mean_a: Tensor, cov_a: Tensor, n_b: int, mean_b: Tensor, cov_b: Tensor
) -> Tensor:
    between_means = mean_a - mean_b
    between = n_a * n_b / (n_a + n_b) * torch.outer(between_means, between_means)
    return (_squares(n_a, cov_a) + _squares(n_b, cov_b) + between) / (n_a + n_b - 1)


def _around(n_a: int, m_a: Tensor, c_a: Tensor, n_b: int, m_b: Tensor, c_b: Tensor) -> Tensor:
    """With the plain mean of the two means as the mean of the batch."""
    half = (m_a - m_b) / 2
    between = (n_a + n_b) * torch.outer(half, half)
    return (_squares(n_a, c_a) + _squares(n_b, c_b) + between) / (n_a + n_b - 1)


MISSING_RUNS = Exercise(
    inputs=_interrupted,
    reference=_missing,
    mistakes={
        "a run that failed (accuracy nan) is in the table, but it is not done.": (
            lambda wanted, stored: [i for i, run in enumerate(wanted) if run not in stored]
        ),
        "these are the runs that are done: those that are not are wanted.": (
            lambda wanted, stored: [i for i, run in enumerate(wanted) if _is_done(run, stored)]
        ),
        "this takes the end of the list; a sweep on many workers does not finish in order.": (
            lambda wanted, stored: list(
                range(sum(_is_done(run, stored) for run in wanted), len(wanted))
            )
        ),
        "a seed alone does not name a run: each strength has that seed.": (
            lambda wanted, stored: [
                i for i, (_, seed) in enumerate(wanted) if seed not in {s for _, s in stored}
            ]
        ),
        "only the failed runs are here; those that never began are missing too.": (
            lambda wanted, stored: [
                i for i, run in enumerate(wanted) if math.isnan(stored.get(run, 0.0))
            ]
        ),
        "these are the runs themselves: return their places in the list `wanted`.": (
            lambda wanted, stored: [wanted[i] for i in _missing(wanted, stored)]
        ),
        "each place is one too large: the first of a list is 0.": (
            lambda wanted, stored: [i + 1 for i in _missing(wanted, stored)]
        ),
    },
    read=numbers,
)
HOURS = Exercise(
    inputs=_plan,
    reference=_hours,
    mistakes={
        "the last round takes as long as a full one: round the number of rounds up.": (
            lambda t, c, s, seconds, start, w: (start + t * c * s / w * seconds) / 3600
        ),
        "rounded down: the runs that are left over need a round of their own.": (
            lambda t, c, s, seconds, start, w: (start + t * c * s // w * seconds) / 3600
        ),
        "every task meets every strength and every seed: multiply the three.": (
            lambda t, c, s, seconds, start, w: (start + math.ceil((t + c + s) / w) * seconds) / 3600
        ),
        "each run is made with every seed, and here with one only.": (
            lambda t, c, s, seconds, start, w: _hours(t, c, 1, seconds, start, w)
        ),
        "these are minutes: an hour has 3600 seconds.": lambda *plan: 60 * _hours(*plan),
        "these are seconds: an hour has 3600 of them.": lambda *plan: 3600 * _hours(*plan),
        "the workers also have to start, once.": (
            lambda t, c, s, seconds, start, w: _hours(t, c, s, seconds, 0.0, w)
        ),
        "the workers start once, and not before each round.": (
            lambda t, c, s, seconds, start, w: _hours(t, c, s, seconds + start, 0.0, w)
        ),
        "so many workers take as long as one here: runs go side by side.": (
            lambda t, c, s, seconds, start, w: _hours(t, c, s, seconds, start, 1)
        ),
    },
    read=numbers,
)
COMBINE = Exercise(
    inputs=_two_devices,
    reference=_combined,
    mistakes={
        "this is the mean of the two covariances: the devices have different numbers of rows, and "
        "different means.": lambda n, m, c, o, p, d: (c + d) / 2,
        "how far the two means lie apart is missing.": (
            lambda n, m, c, o, p, d: (_squares(n, c) + _squares(o, d)) / (n + o - 1)
        ),
        "what the means add has no weight: it counts n_a * n_b / (n_a + n_b) times.": (
            lambda n, m, c, o, p, d: (
                (_squares(n, c) + _squares(o, d) + torch.outer(m - p, m - p)) / (n + o - 1)
            )
        ),
        "the mean of the batch is not halfway between the two: the larger part counts more.": (
            _around
        ),
        "divided by all rows: a covariance divides by one less.": (
            lambda n, m, c, o, p, d: _combined(n, m, c, o, p, d) * (n + o - 1) / (n + o)
        ),
        "a covariance times n - 1, not times n, is the sum of squares around its mean.": (
            lambda n, m, c, o, p, d: _combined(n, m, c, o, p, d) + (c + d) / (n + o - 1)
        ),
    },
)
EXERCISES = {"missing_runs": MISSING_RUNS, "hours": HOURS, "combine": COMBINE}
