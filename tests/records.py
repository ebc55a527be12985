"""A record, re-made in part: its runs are samples of random runs, so they are compared paired over
seeds, never one by one.

Rounding differs between processors, and a hundred steps of training amplify it to whole points of
accuracy. What stays is the sample: the mean of the paired differences is 0 within what their own
spread allows, and what is re-made lies nearer to the record of its own settings than to the record
of any other.
"""

import math
from collections.abc import Sequence

import numpy as np

from lautum_utils.results.statistics import interval
from lautum_utils.training.outcomes import Result

OUTCOMES = (
    "test accuracy",
    "validation accuracy",
    "source accuracy",
    "read-out accuracy",
    "log loss",
    "log dependence",
)
# About thirty comparisons: a right record is doubted on one sort of processor in three hundred.
CONFIDENCE = 0.9999


def outcomes(result: Result) -> np.ndarray:
    """What came out of a run, at its end, as one number for each of OUTCOMES."""
    loss, dependence, read_out = (
        result.history[name][-1] for name in ("loss", "dependence", "target_accuracy")
    )
    accuracies = (
        result.test_accuracy,
        result.validation_accuracy,
        result.source_accuracy,
        read_out,
    )
    return np.array([*accuracies, math.log(max(loss, 1e-6)), math.log(max(dependence, 1e-6))])


def assert_no_drift(again: Sequence[Result], own: Sequence[Result]) -> None:
    """The mean difference of independent runs, re-made minus what is recorded of them, is 0 within
    its interval."""
    assert len(again) >= 24
    differences = np.array(
        [outcomes(one) - outcomes(then) for one, then in zip(again, own, strict=True)]
    )
    for name, column in zip(OUTCOMES, differences.T, strict=True):
        digits = 1e-3 if name.startswith("log") else 1e-5  # to which the record is rounded
        mean = interval(np.where(abs(column) < digits, 0.0, column).tolist(), CONFIDENCE)
        assert mean.low <= 0 <= mean.high, (
            f"{name} has drifted from the record: {mean} over {mean.n} runs"
        )


def assert_nearest(
    again: Sequence[Result], own: Sequence[Result], others: Sequence[Result], what: str
) -> None:
    """What is re-made is nearer to what is recorded of it than of other settings, in units of how
    far these two are from each other."""
    here, mine, theirs = (
        np.array([outcomes(one) for one in results]) for results in (again, own, others)
    )
    between = np.square(mine - theirs).mean(0)
    told = between > 0
    assert told.any(), f"the record says the same of {what}"
    near, far = (
        float((np.square(here - x).mean(0)[told] / between[told]).mean()) for x in (mine, theirs)
    )
    assert near < far, (
        f"what is re-made is nearer to {what}: {far:.3g} away, from its own record {near:.3g}"
    )
