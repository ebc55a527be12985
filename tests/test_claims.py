"""Small real trainings that must show what the notebooks say. Each is a fraction of the run it
stands for."""

from dataclasses import replace

import pytest

from lautum_utils.results.statistics import Interval, compare, paired_difference
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import Experiment, Result

SEEDS = range(4)


def trained(base: Experiment, **choices: tuple[object, ...]) -> list[Result]:
    """Every combination of the choices, with every seed."""
    grid = [base]
    for name, values in choices.items():
        grid = [replace(e, **{name: value}) for e in grid for value in values]  # type: ignore[arg-type]
    return run([replace(e, seed=seed) for e in grid for seed in SEEDS], "cpu", progress=False)


def gain(results: list[Result], strength: float, **settings: object) -> Interval:
    alike = [r for r in results if all(getattr(r.experiment, k) == v for k, v in settings.items())]
    ours, control = ([r for r in alike if r.experiment.strength == s] for s in (strength, 0.0))
    return paired_difference(ours, control)


@pytest.fixture(scope="module")
def swap() -> list[Result]:
    base = Experiment(shift="label_part_swap", severity=1.0, network="mlp", steps=120)
    return trained(base, strength=(0.0, 1e-4, 1e-3, 1e-2), severity=(0.0, 0.5, 1.0))


def test_swap_the_chosen_strength_gains_at_least_25_points_with_the_mlp(swap: list[Result]) -> None:
    rows = compare([r for r in swap if r.experiment.severity == 1])
    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["strength"] > 0
    assert chosen["difference"] > 0.25
    assert chosen["low"] > 0


def test_swap_the_curve_rises_with_the_weight(swap: list[Result]) -> None:
    accuracy = [row["accuracy"] for row in compare([r for r in swap if r.experiment.severity == 1])]
    assert accuracy[0] + 0.15 < accuracy[1] < accuracy[2]


def test_swap_the_gain_grows_with_severity_and_there_is_none_where_the_tasks_agree(
    swap: list[Result],
) -> None:
    at = [gain(swap, 1e-2, severity=severity) for severity in (0.0, 0.5, 1.0)]
    assert at[0].mean < at[1].mean < at[2].mean
    assert at[0].low < 0.02
    assert at[1].high < at[2].mean


def test_swap_fine_tuning_gains_too_but_less() -> None:
    base = Experiment(shift="label_part_swap", severity=1.0, steps=120, labels=100)
    results = trained(base, strength=(0.0, 1e-2), protocol=("probe", "finetune"))
    probe, finetune = (gain(results, 1e-2, protocol=p) for p in ("probe", "finetune"))
    assert finetune.low > 0
    assert finetune.mean < probe.mean


def test_digits_to_letters_gains_with_the_mlp() -> None:
    results = trained(Experiment(network="mlp", steps=120), strength=(0.0, 3e-4))
    assert gain(results, 3e-4).mean > 0.03


def test_minimising_mutual_information_hurts_and_maximising_it_helps() -> None:
    base = Experiment(network="mlp", steps=120)
    control = trained(base, strength=(0.0,))
    minimised = trained(replace(base, method="mutual_information"), strength=(1e-2,))
    maximised = trained(replace(base, method="mutual_information_maximised"), strength=(1e-2,))
    assert paired_difference(minimised, control).high < 0
    assert paired_difference(maximised, control).low > 0


def test_the_gain_is_not_bought_by_a_bad_learning_rate_for_the_control() -> None:
    results = trained(
        Experiment(network="mlp", steps=120, learning_rate=1e-3), strength=(0.0, 3e-4)
    )
    assert gain(results, 3e-4).mean > 0.02


def test_digits_to_letters_gains_with_the_cnn() -> None:
    results = trained(Experiment(network="cnn", steps=300), strength=(0.0, 3e-4), labels=(100, 200))
    for labels in (100, 200):
        assert gain(results, 3e-4, labels=labels).mean > 0.03
    assert gain(results, 3e-4, labels=200).low > 0


def test_the_regularizer_raises_what_it_measures_and_costs_source_accuracy(
    swap: list[Result],
) -> None:
    at = {
        s: [r for r in swap if r.experiment.strength == s and r.experiment.severity == 1]
        for s in (0.0, 1e-2)
    }
    dependence = {s: min(r.history["dependence"][-1] for r in results) for s, results in at.items()}
    assert dependence[1e-2] > 3 * dependence[0.0]
    source = {
        s: sum(r.source_accuracy for r in results) / len(results) for s, results in at.items()
    }
    assert source[1e-2] < source[0.0]
