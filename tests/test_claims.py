"""Small real trainings that must show what the notebooks say. Each is a fraction of the run it
stands for."""

import statistics
from typing import Any

import pytest

from lautum_utils import Experiment, Interval, Results, grid, run
from lautum_utils.training import loop
from lautum_utils.training.loop import gradient_ratio

BASE = Experiment(network="mlp", steps=120)
SWAP = Experiment(shift="label_part_swap", severity=1.0, network="mlp", steps=120)


def trained(base: Experiment, **settings: Any) -> Results:
    """Every combination of the settings, with four seeds."""
    return run(grid(base, seed=range(4), **settings), "cpu", progress=False)


def gain(results: Results, strength: float) -> Interval:
    return results.where(strength=strength).against(results.where(strength=0))


@pytest.fixture(scope="module")
def swap() -> Results:
    whole = trained(SWAP, strength=(0.0, 1e-4, 1e-3, 1e-2))
    return whole + trained(SWAP, strength=(0.0, 1e-2), severity=(0.0, 0.5))


def test_swap_the_chosen_strength_gains_at_least_25_points_with_the_mlp(swap: Results) -> None:
    table = swap.where(severity=1).gain()
    (chosen,) = table[table.chosen].itertuples()
    assert chosen.strength > 0
    assert chosen.gain > 0.25
    assert chosen.low > 0


def test_swap_the_curve_rises_with_the_weight(swap: Results) -> None:
    none, little, more, _ = swap.where(severity=1).gain().accuracy
    assert none + 0.15 < little < more


def test_swap_the_gain_grows_with_severity_and_there_is_none_where_the_tasks_agree(
    swap: Results,
) -> None:
    none, half, whole = (gain(swap.where(severity=s), 1e-2) for s in (0.0, 0.5, 1.0))
    assert none.mean < half.mean < whole.mean
    assert none.low < 0.02
    assert half.high < whole.mean


def test_swap_fine_tuning_gains_too_but_less() -> None:
    results = trained(SWAP, labels=100, strength=(0.0, 1e-2), protocol=("probe", "finetune"))
    probe, finetune = (gain(results.where(protocol=p), 1e-2) for p in ("probe", "finetune"))
    assert finetune.low > 0
    assert finetune.mean < probe.mean


def test_digits_to_letters_gains_with_the_mlp() -> None:
    assert gain(trained(BASE, strength=(0.0, 3e-4)), 3e-4).mean > 0.03


def test_minimising_mutual_information_hurts_and_maximising_it_helps() -> None:
    control = trained(BASE, strength=0.0)
    minimised = trained(BASE, method="mutual_information", strength=1e-2)
    maximised = trained(BASE, method="mutual_information_maximised", strength=1e-2)
    assert minimised.against(control).high < 0
    assert maximised.against(control).low > 0


def test_the_gain_is_not_bought_by_a_bad_learning_rate_for_the_control() -> None:
    results = trained(BASE, learning_rate=1e-3, strength=(0.0, 3e-4))
    assert gain(results, 3e-4).mean > 0.02


def test_digits_to_letters_gains_with_the_cnn() -> None:
    base = Experiment(network="cnn", steps=300)
    results = trained(base, strength=(0.0, 3e-4), labels=(100, 200))
    fewer, more = (gain(results.where(labels=labels), 3e-4) for labels in (100, 200))
    assert fewer.mean > 0.03
    assert more.mean > 0.03
    assert more.low > 0


def test_the_regularizer_raises_what_it_measures_and_costs_source_accuracy(swap: Results) -> None:
    control, regularized = (swap.where(severity=1, strength=s) for s in (0.0, 1e-2))
    least, usual = (
        min(r.history["dependence"][-1] for r in results) for results in (regularized, control)
    )
    assert least > 3 * usual
    assert regularized.mean("source_accuracy") < control.mean("source_accuracy")


def test_a_share_of_the_gradient_is_worth_the_nats_that_experiment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ratios: list[float] = []

    def kept(*of: Any) -> Any:
        ratio = gradient_ratio(*of)
        ratios.append(float(ratio))
        return ratio

    monkeypatch.setattr(loop, "gradient_ratio", kept)
    worth = {}
    for share in (0.1, 1.0):
        ratios.clear()
        run([Experiment(strength=share, weighting="gradient", steps=200)], progress=False)
        worth[share] = share * statistics.median(ratios)
    assert 5e-6 < worth[0.1] < 8e-5
    assert 1e-4 < worth[1.0] < 2e-3
