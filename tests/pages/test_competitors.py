"""What competes in notebooks 00 and 07: names, chosen weights, and what is said of a difference."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from lautum_pages import page_00, page_06
from lautum_pages.competitors import BASELINE_NAMES, NAMES, by_seed, chosen_accuracy, named_runs
from lautum_pages.page_07_views import distances, draw_collapse, draw_views

from lautum_utils import BASELINES, METHODS, STAGE_TWO_METHODS, Results, load, read_record
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Result
from notebooks.tools import compare
from notebooks.tools.published import PUBLISHED


def result(e: Experiment, test: float, validation: float) -> Result:
    return Result(e, test, validation, 0.9, 1.0, {})


@pytest.fixture(scope="module")
def recorded() -> Results:
    """A record of one place, three seeds: pixels at 80 %, the control at 60 %, Lautum at 70 % with
    the weight that validation picks and at 90 % with another."""
    base = replace(compare.BASE, target="letters", severity=0.3, labels=50)
    found = []
    for seed in (1, 2, 3):
        e = replace(base, seed=seed)
        jitter = 0.01 * seed
        found += [
            result(replace(e, method="pixels", protocol="probe"), 0.8 + jitter, 0.5),
            result(replace(e, method="from_scratch", protocol="finetune"), 0.5 + jitter, 0.5),
        ]
        for protocol in ("probe", "finetune"):
            of = replace(e, protocol=protocol)
            found.append(
                result(replace(of, method="standard", strength=0.0), 0.6 + jitter / 2, 0.5)
            )
            found.append(result(replace(of, strength=1e-4), 0.7 + jitter, 0.7))
            found.append(result(replace(of, strength=1e-3), 0.9, 0.6))
        careful = replace(e, protocol="finetune", recipe="careful", method="standard", strength=0.0)
        two = replace(careful, recipe="plain", stage_two="lautum", stage_two_strength=0.1)
        found += [result(careful, 0.65, 0.6), result(two, 0.55, 0.6)]
        found.append(result(replace(two, method="lautum", strength=1e-4), 0.99, 0.99))
        found.append(result(replace(e, strength=1e-4, ridge=0.1), 0.99, 0.99))
    return Results(found)


def test_everything_that_is_recorded_has_a_name() -> None:
    assert set(NAMES) == {*METHODS, *STAGE_TWO_METHODS, *BASELINES}
    assert set(BASELINE_NAMES) == set(BASELINES)


def test_runs_are_named_by_method_stage_and_recipe(recorded: Results) -> None:
    runs = named_runs(recorded, compare.BASE)
    assert set(runs.name) == {
        "pixels, no network",
        "from scratch",
        "standard transfer",
        "standard transfer, careful",
        "Lautum",
        "Lautum (2)",
    }
    assert len(runs) == len(recorded) - 3, "not those of another ridge"
    assert set(runs[runs.name == "Lautum (2)"].weight) == {0.1}


def test_validation_data_chooses_the_weight(recorded: Results) -> None:
    accuracy = chosen_accuracy(named_runs(recorded, compare.BASE))
    row = accuracy.loc["Lautum", "letters", 0.3, 50, "probe"]
    assert row.to_list() == pytest.approx([0.71, 0.72, 0.73])
    assert list(row.index) == [1, 2, 3]
    assert by_seed(named_runs(recorded, compare.BASE)[:1], ["name"]).shape == (1, 1)


def test_the_headline_has_all_that_competes_and_says_who_is_clearly_better() -> None:
    published = Results(read_record(PUBLISHED)[0].values())
    found = page_00.competitors(published, "mnist", "notmnist_small", 100)
    words = [shown for shown, _ in page_00.SHOWN.values()]
    for protocol in ("probe", "finetune"):
        assert set(found[protocol]) == set(words)
        assert {len(results) for results in found[protocol].values()} == {8}, (
            "not those that choose"
        )
    figure = page_00.draw_competitors(found, page_00.finding(found))
    left, right = figure.axes
    for ax in (left, right):
        drawn = {round(c[0].get_ydata()[0]): c[0].get_xdata()[0] for c in ax.containers}
        assert len(drawn) == len(words)
    names = [text.get_text() for text in left.get_yticklabels()]
    means = [found["probe"][name].mean() for name in names]
    assert means == sorted(means), "the best of the probe is on top"
    assert "weight 0 reaches" in page_00.finding(found)


def made_up(*accuracies: float) -> Results:
    return Results(
        result(Experiment(seed=seed), accuracy, 0.5) for seed, accuracy in enumerate(accuracies)
    )


def test_who_is_clearly_better_is_said_by_the_paired_interval() -> None:
    found = {
        "Lautum": made_up(0.70, 0.72, 0.74),
        "pixels": made_up(0.80, 0.82, 0.85),
        "scratch": made_up(0.60, 0.62, 0.63),
        "other": made_up(0.60, 0.82, 0.75),
    }
    said = [line.split() for line in page_00.in_words(found).split("\n")]
    assert said == [
        ["clearly", "worse", "than"],
        ["pixels", "-10.3", "[-11.8,", "-8.9]"],
        ["level", "with"],
        ["other", "-0.3", "[-25.2,", "+24.5]"],
        ["clearly", "better", "than"],
        ["scratch", "+10.3", "[+8.9,", "+11.8]"],
    ]


def test_what_a_weight_costs_is_paired_and_drawn_on_one_axis() -> None:
    runs = [
        replace(result(Experiment(seed=seed, strength=s), target, 0.5), source_accuracy=source)
        for seed in (0, 1, 2)
        for s, target, source in ((0.0, 0.5, 0.9), (1e-3, 0.6, 0.7))
    ]
    found = page_06.changes(Results(runs), "source_accuracy")
    assert found[1e-3].mean == pytest.approx(-20)
    (said,) = page_06.trade_in_words(Results(runs))
    assert said.startswith("weight 0.001   target +10.0 [")
    (ax,) = page_06.draw_trade(Results(runs), "a finding").axes
    assert [text.get_text() for text in ax.texts] == ["target (probe)", "source"]


def test_the_pictures_of_the_beginning_are_drawn_and_say_what_they_show() -> None:
    assert "forgets the letter" in page_00.opening_picture().get_suptitle()
    assert "weight 0" in page_06.opening_picture().axes[2].texts[0].get_text()
    assert "no label" in page_00.draw_stages().get_suptitle()
    seen = page_00.recorded_forgetting()
    assert all(page_00.watch_it_forget(seen, images, 400).title for images in seen)


def test_squared_distances_are_those_of_a_gaussian_and_large_where_few_images_say_all() -> None:
    draw = torch.Generator().manual_seed(0)
    z = torch.randn((1, 4000, 8), generator=draw)
    mixed = z @ torch.randn((8, 8), generator=draw) + 3
    for features in (z, mixed):
        d = distances(features)
        assert d.mean() == pytest.approx(1)
        assert d.square().mean() == pytest.approx(1 + 2 / 8, rel=0.1)
    z[:, 200:] = 0
    assert distances(z).square().mean() == pytest.approx(20 * (1 + 2 / 8), rel=0.2), "1 in 20"
    assert (distances(z) < 0.1).double().mean() > 0.9


def test_the_pictures_of_views_show_every_named_view_twice_and_both_noises() -> None:
    figure = draw_views(load("letters", 3).inputs)
    assert len(figure.axes) == 3 * 9
    shown = [np.asarray(ax.images[0].get_array()) for ax in figure.axes[::3]]
    assert all(not np.array_equal(a, b) for a, b in pairwise(shown))
    curves = {0.0: {10: [(1.1, 0.0)], 20: [(5.0, 0.4)]}, 0.1: {10: [(1.1, 0.0)], 20: [(1.2, 0.0)]}}
    left, right = draw_collapse(curves, 1.03).axes
    assert left.lines[0].get_ydata().tolist() == [1.1, 5.0]
    assert right.lines[0].get_ydata().tolist() == [0.0, 40.0]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["noise 0", "noise 0.1"]
