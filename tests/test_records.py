"""The recorded results are what their commands make: a part of each is run again and compared as a
sample of random runs."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from records import assert_nearest, assert_no_drift

from lautum_utils.data.domains import SHIFTS
from lautum_utils.results.records import read_record
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import Experiment, Result
from lautum_utils.widgets.playground import BASE
from notebooks.tools import compare as compare_methods

Runs = tuple[list[Result], dict[Experiment, Result]]
PLACES = [("letters", 0.3), ("digits", 0.6), ("letters", 0.9)]
WEIGHTS = {("one", name): weights for name, weights in compare_methods.STAGE_ONE.items()}
WEIGHTS |= {("two", name): weights for name, weights in compare_methods.STAGE_TWO.items()}
NEXT_SHIFT = dict(
    zip(
        (*SHIFTS, "label_part_swap"),
        (*list(SHIFTS)[1:], "label_part_swap", next(iter(SHIFTS))),
        strict=True,
    )
)


def at_weight(e: Experiment, stage: str, name: str, weight: float) -> Experiment:
    """The experiment with a method, in stage one with a probe or in stage two while fine-tuning."""
    if stage == "one":
        return replace(e, method=name, strength=weight, protocol="probe")
    return replace(
        e,
        method="standard",
        strength=0.0,
        protocol="finetune",
        stage_two=name,
        stage_two_strength=weight,
    )


@pytest.fixture(scope="module")
def compared() -> Runs:
    """Each method at its strongest weight, at three places, with a seed of its own, so that all
    runs are independent."""
    wanted = [
        at_weight(
            replace(compare_methods.BASE, target=t, severity=v, seed=1 + number % 9, labels=100),
            *method,
            weights[-1],
        )
        for number, (method, weights) in enumerate(WEIGHTS.items())
        for t, v in PLACES
    ]
    return run(wanted, "cpu", progress=False), read_record(compare_methods.COMPARED)[0]


@pytest.fixture(scope="module")
def played() -> Runs:
    """Of the playground's record: every shift, two severities, two seeds."""
    base = replace(BASE, strength=1e-3, labels=100)
    wanted = [
        replace(base, shift=s, severity=v, seed=i)
        for s, v, i in product(NEXT_SHIFT, (0.4, 1.0), (0, 1))
    ]
    return run(wanted, "cpu", progress=False), read_record()[0]


def of(runs: Runs, stage: str, name: str) -> list[Result]:
    """The re-made runs of a method."""
    return [
        r
        for r in runs[0]
        if name == (r.experiment.method if stage == "one" else r.experiment.stage_two)
    ]


def lighter(stage: str, name: str) -> Callable[[Experiment], Experiment]:
    """The same with the next smaller of the method's weights."""
    return lambda e: at_weight(e, stage, name, WEIGHTS[stage, name][-2])


def other_weight(e: Experiment) -> Experiment:
    return replace(e, strength=3e-3)


def more_labels(e: Experiment) -> Experiment:
    return replace(e, labels=200)


def other_shift(e: Experiment) -> Experiment:
    return replace(e, shift=NEXT_SHIFT[e.shift])


def other_severity(e: Experiment) -> Experiment:
    return replace(e, severity={0.3: 0.6, 0.6: 0.9, 0.9: 0.6, 0.4: 0.6, 1.0: 0.8}[e.severity])


def test_the_records_are_samples_of_what_their_commands_run(compared: Runs, played: Runs) -> None:
    again, recorded = compared
    for in_stage_two in (False, True):
        ours = [r for r in again if (r.experiment.stage_two != "standard") == in_stage_two]
        assert_no_drift(ours, [recorded[r.experiment] for r in ours])
    assert_no_drift(played[0], [played[1][r.experiment] for r in played[0]])


def own_and_others(
    runs: Runs, again: list[Result], change: Callable[[Experiment], Experiment]
) -> tuple[list[Result], ...]:
    """What is recorded of the re-made runs, and of the same with another setting."""
    return [runs[1][r.experiment] for r in again], [runs[1][change(r.experiment)] for r in again]


@pytest.mark.parametrize(("stage", "name"), WEIGHTS)
def test_each_method_was_recorded_with_the_weight_that_is_said(
    compared: Runs, stage: str, name: str
) -> None:
    again = of(compared, stage, name)
    own, others = own_and_others(compared, again, lighter(stage, name))
    assert_nearest(again, own, others, "a lighter weight")
    with pytest.raises(
        AssertionError, match="nearer to a lighter weight"
    ):  # a record whose maker took that one
        assert_nearest(again, others, own, "a lighter weight")


@pytest.mark.parametrize("change", [more_labels, other_severity])
def test_the_comparison_was_recorded_with_the_labels_and_the_shift_that_are_said(
    compared: Runs, change: Callable[[Experiment], Experiment]
) -> None:
    own, others = own_and_others(compared, compared[0], change)
    assert_nearest(compared[0], own, others, "others")
    with pytest.raises(AssertionError, match="nearer to others"):
        assert_nearest(compared[0], others, own, "others")


CHANGES = [more_labels, other_shift, other_severity, other_weight]


@pytest.mark.parametrize("change", CHANGES)
def test_the_playgrounds_record_was_made_with_the_settings_that_are_said(
    played: Runs, change: Callable[[Experiment], Experiment]
) -> None:
    own, others = own_and_others(played, played[0], change)
    assert_nearest(played[0], own, others, "others")
    with pytest.raises(AssertionError, match="nearer to others"):
        assert_nearest(played[0], others, own, "others")


@pytest.mark.parametrize("change", [more_labels, other_weight])
def test_a_record_with_other_settings_has_drifted(
    played: Runs, change: Callable[[Experiment], Experiment]
) -> None:
    with pytest.raises(AssertionError, match=r"has drifted from the record: .* over 28 runs"):
        assert_no_drift(played[0], own_and_others(played, played[0], change)[1])


def test_what_rounding_does_is_allowed_and_a_point_and_a_half_too_much_is_not(played: Runs) -> None:
    own, draw = [played[1][r.experiment] for r in played[0]], random.Random(5)
    again = [replace(r, test_accuracy=r.test_accuracy + draw.gauss(0, 0.01)) for r in own]
    assert_no_drift(again, own)
    with pytest.raises(AssertionError, match="test accuracy has drifted"):
        assert_no_drift([replace(r, test_accuracy=r.test_accuracy + 0.015) for r in again], own)
