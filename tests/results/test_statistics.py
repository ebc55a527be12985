"""Statistics: paired intervals, the choice of a strength, and what is said of them."""

import math

import numpy as np
import pytest
from made_up import result
from scipy import stats

from lautum_utils.results.statistics import (
    Interval,
    choose_strength,
    interval,
    paired_difference,
    summarise,
    verdict,
)


def test_paired_difference_is_the_t_interval_of_the_seeds_in_common() -> None:
    ours, theirs = [0.61, 0.7, 0.66, 0.72, 0.5], [0.6, 0.62, 0.61, 0.7, 0.58]
    for confidence in (0.95, 0.8):
        expected = stats.ttest_rel(ours, theirs).confidence_interval(confidence)
        results = [result(x, seed) for seed, x in enumerate(ours)]
        control = [result(x, seed) for seed, x in reversed(list(enumerate(theirs)))]
        alone = result(0.99, 17), result(0.01, 18)
        found = paired_difference([*results, alone[0]], [*control, alone[1]], confidence)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert (found.mean, found.n) == (pytest.approx(np.mean(ours) - np.mean(theirs)), 5)
    with pytest.raises(ValueError, match=r"seeds in common, got \[0\] and \[1\]"):
        paired_difference([result(0.5)], [result(0.5, 1)])
    pair = [result(0.5), result(0.6)]
    with pytest.raises(ValueError, match=r"^results needs one result a seed, got two of seed 0\.$"):
        paired_difference(pair, pair[:1])
    with pytest.raises(ValueError, match=r"^control needs one result a seed, got two of seed 0\.$"):
        paired_difference(pair[:1], pair)


def test_interval_is_students_and_infinite_for_one_value() -> None:
    values = [0.2, 0.5, 0.9]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert str(found) == f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    one = interval([0.4])
    assert (one.mean, one.low, one.high, one.n) == (0.4, -float("inf"), float("inf"), 1)
    for bad in ([], [0.1, float("nan")]):
        with pytest.raises(ValueError, match="one or more finite numbers"):
            interval(bad)


def test_strength_is_chosen_on_validation_not_on_test() -> None:
    scores = {0.0: (0.4, 0.9), 1e-3: (0.7, 0.1), 1e-2: (0.7, 0.8), 1e-1: (0.5, 0.95)}
    results = [
        result(t, seed, s, v + 0.01 * seed)
        for s, (v, t) in reversed(scores.items())
        for seed in (0, 1)
    ]
    assert choose_strength(results) == 1e-3, "best mean validation accuracy, of equals the smallest"
    with pytest.raises(ValueError, match="one or more, got none"):
        choose_strength([])


def test_how_far_an_interval_reaches() -> None:
    assert Interval(0.5, 0.4, 0.6, 3).reach == pytest.approx(0.1)
    assert Interval(0.044, 0.0381, 0.05, 3).points == "+4.4 [+3.8, +5.0]"
    assert interval([0.4]).reach == 0, "one value has no interval"


def test_a_summary_is_an_interval_for_each_strength_from_the_smallest_on() -> None:
    results = [result(0.5 + 0.1 * i + s, i, s) for s in (1e-2, 0.0) for i in range(3)]
    found = summarise(results, 0.8)
    assert list(found) == [0.0, 1e-2]
    assert found[1e-2] == interval([0.51, 0.61, 0.71], 0.8)
    assert summarise([]) == {}


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (Interval(0.031, 0.01, 0.052, 4), "it is clearly better than weight 0: +3.1"),
        (Interval(-0.031, -0.052, -0.01, 4), "it is clearly worse than weight 0: -3.1"),
        (Interval(0.031, -0.01, 0.072, 4), "it is not clearly different from weight 0: +3.1"),
    ],
)
def test_a_verdict_is_one_sentence_with_its_interval(difference: Interval, said: str) -> None:
    low, high = 100 * difference.low, 100 * difference.high
    end = f" points (95 % interval {low:+.1f} to {high:+.1f}, 4 seeds)."
    assert verdict(difference, "it") == said + end
    assert verdict(difference).startswith("this weight is ")


def test_one_seed_is_no_verdict() -> None:
    one = Interval(0.031, -math.inf, math.inf, 1)
    said = "it: +3.1 points against weight 0 on one seed; train more seeds for an interval."
    assert verdict(one, "it") == said
