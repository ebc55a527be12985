"""The recorded results are what their commands make: a part of each is run again and compared as a
sample of random runs."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from records import assert_nearest, assert_no_drift

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import RECORD, read_record
from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import run
from lautum_utils.training.baselines import BASELINES
from lautum_utils.training.experiments import Experiment, baselines, grid
from lautum_utils.training.outcomes import Result
from lautum_utils.widgets.playground_settings import BASE
from notebooks.tools import compare, published, published_grid

Change = Callable[[Experiment], Experiment]

PLACES = [("letters", 0.3), ("digits", 0.6), ("letters", 0.9)]
ALL_SHIFTS = [*SHIFTS, "label_part_swap"]
NEXT_SHIFT = dict(zip(ALL_SHIFTS, [*ALL_SHIFTS[1:], ALL_SHIFTS[0]], strict=True))
WEIGHTS = {("stage one", name): weights for name, weights in compare.STAGE_ONE.items()}
WEIGHTS |= {("stage two", name): weights for name, weights in compare.STAGE_TWO.items()}


class Remade(NamedTuple):
    """A part of a record, run again, and all that is recorded, by experiment."""

    again: Results
    recorded: dict[Experiment, Result]

    def own(self, results: Iterable[Result]) -> list[Result]:
        """What is recorded of these."""
        return self.others(results, lambda e: e)

    def others(self, results: Iterable[Result], change: Change) -> list[Result]:
        """What is recorded of the same with another setting."""
        return [self.recorded[change(r.experiment)] for r in results]


def remade(wanted: list[Experiment], path: Path) -> Remade:
    recorded, _ = read_record(path)
    return Remade(run(wanted, "cpu", progress=False), recorded)


def at_weight(e: Experiment, stage: str, name: str, weight: float) -> Experiment:
    """The experiment with a method, in stage one with a probe or in stage two while fine-tuning."""
    if stage == "stage one":
        return replace(e, method=name, strength=weight, protocol="probe")
    control = replace(e, method="standard", strength=0.0, protocol="finetune")
    return replace(control, stage_two=name, stage_two_strength=weight)


@pytest.fixture(scope="module")
def compared() -> Remade:
    """Each method at its strongest weight, at three severities of one target, which train together,
    the next method on the other target; with seeds of their own, so that all runs are
    independent."""
    wanted = []
    for number, (method, weights) in enumerate(WEIGHTS.items()):
        for of_method, severity in enumerate(compare.SEVERITIES):
            target, seed = compare.TARGETS[number % 2], 1 + (3 * number + of_method) % 10
            place = replace(compare.BASE, target=target, severity=severity, labels=100, seed=seed)
            wanted.append(at_weight(place, *method, weights[-1]))
    return remade(wanted, compare.COMPARED)


@pytest.fixture(scope="module")
def beside() -> Remade:
    """Each baseline of the comparison at two places, the control fine-tuned with care, and what the
    playground's record has without a network."""
    places = [replace(compare.BASE, target=t, severity=v, labels=100, seed=4) for t, v in PLACES]
    wanted = [baseline for e in places for baseline in baselines(e)]
    careful = {"method": "standard", "strength": 0.0, "protocol": "finetune", "recipe": "careful"}
    return remade([*wanted, *(replace(e, **careful) for e in places)], compare.COMPARED)


@pytest.fixture(scope="module")
def played() -> Remade:
    """Of the playground's record: every shift, two severities, two seeds."""
    base = replace(BASE, strength=1e-3, labels=100)
    return remade(grid(base, shift=ALL_SHIFTS, severity=(0.4, 1.0), seed=(0, 1)), RECORD)


@pytest.fixture(scope="module")
def published_part() -> Remade:
    """Of the record of the published tasks: what needs no images, three methods between views and
    Lautum with the weights that were chosen, six of the seeds that report."""
    recorded = Results(read_record(published.PUBLISHED)[0].values())
    small = recorded.where(
        source="digits", protocol="probe", labels=100, seed=published_grid.SEEDS[:6]
    )
    wanted = [r.experiment for r in small.where(method=["lautum", *compare.BETWEEN_VIEWS])]
    return remade(wanted, published.PUBLISHED)


def lighter(stage: str, name: str) -> Change:
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


def test_the_records_are_samples_of_what_their_commands_run(
    compared: Remade, played: Remade
) -> None:
    for protocol in ("probe", "finetune"):  # a method of stage one, a method of stage two
        again = compared.again.where(protocol=protocol)
        assert_no_drift(again, compared.own(again))
    assert_no_drift(played.again, played.own(played.again))


def test_the_record_of_the_published_tasks_is_a_sample_of_what_its_command_runs(
    published_part: Remade,
) -> None:
    assert_no_drift(published_part.again, published_part.own(published_part.again))


@pytest.mark.parametrize("name", [*BASELINES, "standard"])
def test_each_baseline_was_recorded_as_itself_and_not_as_another(beside: Remade, name: str) -> None:
    def accuracies(results: Iterable[Result]) -> np.ndarray:
        return np.array([(r.test_accuracy, r.validation_accuracy) for r in results])

    again = beside.again.where(method=name)
    assert len(again) == len(PLACES)
    own, here = accuracies(beside.own(again)), accuracies(again)
    for other in (*BASELINES, "standard"):
        theirs = accuracies(beside.own(beside.again.where(method=other)))
        assert other == name or np.square(here - own).sum() < np.square(here - theirs).sum(), other


def assert_told_from(what: str, remade: Remade, again: Results, change: Change) -> None:
    """What is re-made is nearer to its own record than to others', and a record that were the
    others' would be told."""
    own, others = remade.own(again), remade.others(again, change)
    assert_nearest(again, own, others, what)
    with pytest.raises(AssertionError, match=f"nearer to {what}"):
        assert_nearest(again, others, own, what)


@pytest.mark.parametrize(("stage", "name"), WEIGHTS)
def test_each_method_was_recorded_with_the_weight_that_is_said(
    compared: Remade, stage: str, name: str
) -> None:
    again = compared.again.where(**{"method" if stage == "stage one" else "stage_two": name})
    assert len(again) == len(compare.SEVERITIES)
    assert_told_from("a lighter weight", compared, again, lighter(stage, name))


@pytest.mark.parametrize("change", [more_labels, other_severity])
def test_the_comparison_was_recorded_with_the_labels_and_the_shift_that_are_said(
    compared: Remade, change: Change
) -> None:
    assert_told_from("others", compared, compared.again, change)


@pytest.mark.parametrize("change", [more_labels, other_shift, other_severity, other_weight])
def test_the_playgrounds_record_was_made_with_the_settings_that_are_said(
    played: Remade, change: Change
) -> None:
    assert_told_from("others", played, played.again, change)


@pytest.mark.parametrize("change", [more_labels, other_weight])
def test_a_record_with_other_settings_has_drifted(played: Remade, change: Change) -> None:
    with pytest.raises(AssertionError, match=r"has drifted from the record: .* over 28 runs"):
        assert_no_drift(played.again, played.others(played.again, change))


def test_what_rounding_does_is_allowed_and_a_point_and_a_half_too_much_is_not(
    played: Remade,
) -> None:
    own, draw = played.own(played.again), random.Random(5)
    again = [replace(r, test_accuracy=r.test_accuracy + draw.gauss(0, 0.01)) for r in own]
    assert_no_drift(again, own)
    with pytest.raises(AssertionError, match="test accuracy has drifted"):
        assert_no_drift([replace(r, test_accuracy=r.test_accuracy + 0.015) for r in again], own)
