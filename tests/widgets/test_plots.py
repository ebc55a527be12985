"""Figures of results: Figure objects without pyplot, percent on their axes, a look of its own for
each line."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pictures import CURVE, HISTORY, results

from lautum_utils.data.domains import load
from lautum_utils.results.results import Results
from lautum_utils.results.statistics import Interval
from lautum_utils.widgets import plots
from lautum_utils.widgets.figures import plain, png_bytes, titles
from lautum_utils.widgets.style import STYLES

FIGURES: dict[str, Callable[[], Figure]] = {
    "show_domains": lambda: plots.show_domains(
        {"digits": load("digits", 4), "letters": load("letters", 4)}, n=3
    ),
    "accuracy_against_strength": lambda: plots.accuracy_against_strength(
        {"probe": CURVE, "one": results(0.0, 0.5)}
    ),
    "explored": lambda: plots.explored(
        CURVE + results(1e-3, 0.7, severity=0.5), 1e-3, 0.0
    ).figure(),
    "training_curves": lambda: plots.training_curves(CURVE),
    "history_curves": lambda: plots.history_curves(
        [(0.0, HISTORY), (1e-3, {name: [] for name in HISTORY})]
    ).figure(),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_figure_that_becomes_a_png(name: str) -> None:
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    image = png_bytes(figure, dpi=40)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(image[16:20]) == int(40 * figure.get_figwidth()), "as wide as dpi says"


def test_plots_never_import_pyplot() -> None:
    code = """
import sys
from lautum_utils.widgets import explorer, playground, plots, prediction
from lautum_utils.widgets.figures import plain, png_bytes, titles
png_bytes(plots.history_curves([]).figure())
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_accuracy_curve_shows_the_mean_in_percent_over_the_logarithm_with_its_interval() -> None:
    (ax,) = plots.accuracy_against_strength({"probe": CURVE}, "a finding").axes
    line, _, bars = ax.containers[0]
    assert np.allclose(line.get_xdata(orig=False), [-4, -3, -2]), (
        "0 stands a decade left of the smallest"
    )
    assert np.allclose(line.get_ydata(), [42, 62, 50])
    reach = [np.ptp(segment[:, 1]) for segment in bars[0].get_segments()]
    assert reach == pytest.approx([2 * 12.706 * 2, 2 * 12.706 * 2, 0], rel=1e-3), (
        "one seed has no finite interval to draw"
    )
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "0.001", "0.01"]
    assert ax.get_title() == "a finding"
    assert "%" in ax.get_ylabel()
    (small,) = plots.accuracy_against_strength(
        {"probe": results(0.0, 0.5) + results(3e-5, 0.5) + results(1.5e-4, 0.5)}
    ).axes
    assert [float(text.get_text()) for text in small.get_xticklabels()] == [0, 3e-5, 1.5e-4]


def test_every_group_is_drawn_with_a_look_of_its_own() -> None:
    groups = {f"group {i}": results(1e-3, 0.1 * i) for i in range(9)}
    figure = plots.accuracy_against_strength(groups)
    (ax,) = figure.axes
    looks = {(c[0].get_color(), c[0].get_marker(), c[0].get_linestyle()) for c in ax.containers[:7]}
    assert len(looks) == 7
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(groups)


def test_explored_shows_the_gain_over_strength_0_at_each_severity_that_has_both() -> None:
    mild = (
        results(0.0, 0.3, severity=0.5)
        + results(1e-3, 0.35, severity=0.5)
        + results(1e-3, 0.9, severity=1.0)
    )
    strong = results(0.0, 0.3, 0.4, severity=0.8) + results(1e-3, 0.35, 0.47, severity=0.8)
    left, right = plots.explored(CURVE + mild + strong, 1e-3, 0.0).figure().axes
    assert np.allclose(left.containers[0][0].get_ydata(), [42, 62, 50])
    ((line, _, bars),) = right.containers
    assert np.allclose(line.get_xydata(), [(0, 20), (0.5, 5), (0.8, 6)]), (
        "severity 1 has no control"
    )
    assert line.get_linestyle() == "None"
    reach = [np.ptp(segment[:, 1]) for segment in bars[0].get_segments()]
    assert reach == pytest.approx([0, 0, 2 * 12.706], abs=1e-2), (
        "gains of 20 and 20, of one seed, of 5 and 7 points"
    )
    assert left.get_legend() is None


def test_what_needs_no_strength_is_a_dashed_line_under_its_name() -> None:
    pixels = Results(results(0.0, 0.7, 0.8, method="pixels"))
    drawn = (
        plots.accuracy_against_strength({"probe": CURVE}, levels={"pixels, no network": pixels}),
        plots.explored(CURVE, 1e-3, 0.0, pixels).figure(),
    )
    for figure in drawn:
        (line,) = [x for x in figure.axes[0].lines if list(x.get_xdata()) == [0, 1]]
        assert np.allclose(line.get_ydata(), 75)
        assert line.get_linestyle() == "--"
        (name,) = figure.axes[0].texts
        assert name.get_text() == "pixels, no network"
    assert not plots.explored(CURVE, 1e-3, 0.0).figure().axes[0].texts, "none without"


def test_training_curves_show_the_mean_over_seeds_of_each_strength() -> None:
    higher = {name: [2 * v for v in values] for name, values in HISTORY.items()} | {
        "step": HISTORY["step"]
    }
    loss, dependence, accuracy = (
        plots.history_curves([(1e-3, HISTORY), (1e-3, higher), (0.0, HISTORY)]).figure().axes
    )
    assert [line.get_label() for line in loss.lines] == ["weight 0", "weight 0.001"]
    assert np.allclose(loss.lines[1].get_ydata(), [3.45, 1.5])
    assert np.allclose(dependence.lines[1].get_ydata(), [0.15, 4.5])
    assert np.allclose(accuracy.lines[0].get_ydata(), [10, 60])
    assert np.allclose(accuracy.lines[0].get_xdata(), [1, 5])


def test_show_domains_puts_each_image_under_its_label() -> None:
    digits = load("digits", 4)
    axes = plots.show_domains({"digits": digits}, n=3).axes
    assert [ax.get_title() for ax in axes] == [
        digits.class_names[int(label)] for label in digits.labels[:3]
    ]
    assert np.allclose(axes[2].images[0].get_array(), digits.inputs[2, 0])
    assert axes[0].get_ylabel() == "digits"


def test_names_of_ones_own_are_words_and_no_formulas(tmp_path: Path) -> None:
    """Read as a formula, each of them would raise when it is drawn."""
    odd = "$^$"
    digits = replace(load("digits", 4), class_names=(odd,) * 10)
    figure = plots.show_domains({odd: digits}, n=1, title=odd)
    assert (titles(figure), plain("5 $")) == (odd, r"5 \$")
    own = f"folder:{tmp_path / odd}"
    (tmp_path / odd).mkdir(parents=True)
    both = Results(CURVE + results(0.0, 0.2, target=own))
    for drawn in (figure, plots.accuracy_against_strength(both), plots.gains(both.gain())):
        assert png_bytes(drawn, 40).startswith(b"\x89PNG")


def test_results_are_drawn_with_a_line_for_each_combination_of_what_varies() -> None:
    both = Results(CURVE + results(0.0, 0.2, protocol="finetune"))
    figure = plots.accuracy_against_strength(both, "a finding")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["probe", "finetune"]
    plain = plots.accuracy_against_strength(CURVE)
    assert not plain.legends
    ((line, *_),) = plain.axes[0].containers
    assert np.allclose(line.get_ydata(), [42, 62, 50])


def test_gains_are_dots_with_their_intervals_in_points() -> None:
    named = {"a": Interval(0.05, 0.03, 0.07, 4), "b": Interval(-0.1, -np.inf, np.inf, 1)}
    figure = plots.gains(named, "a finding")
    (ax,) = figure.axes
    assert figure.get_suptitle() == "a finding"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    for (line, _, (bar,)), x, reach, style in zip(
        ax.containers, (5, -10), (2, 0), STYLES, strict=False
    ):
        assert line.get_xdata() == pytest.approx([x])
        assert np.ptp(bar.get_segments()[0][:, 0]) == pytest.approx(2 * reach)
        assert (line.get_color(), line.get_marker()) == (style["color"], style["marker"])


def test_gains_take_the_table_of_results() -> None:
    many = results(0.0, 0.4, 0.44, labels=50) + results(1e-3, 0.6, 0.6, labels=50)
    table = Results(CURVE + many + results(3e-3, 0.5, 0.5)).gain()
    assert isinstance(table, pd.DataFrame)
    (ax,) = plots.gains(table).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "labels 200, weight 0.001",
        "labels 200, weight 0.003",
        "labels 200, weight 0.01",
        "labels 50, weight 0.001",
    ], "no weight 0 against itself, and none of equals on validation data that beats it"
    shown = sorted(float(line.get_xdata()[0]) for line, *_ in ax.containers)
    assert shown == pytest.approx(sorted(100 * table[table.strength > 0].gain))
    table["chosen"] = table["strength"] == 1e-3
    (ax,) = plots.gains(table).axes
    assert ax.get_yticklabels()[0].get_text() == "labels 200, weight 0.001 (chosen)"
    (ax,) = plots.gains(Results(results(0.0, 0.4) + results(1e-3, 0.5)).gain()).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["weight 0.001"]


def test_gains_name_a_baseline_without_a_weight_even_one_that_gains_nothing() -> None:
    control = results(0.0, 0.4, 0.44) + results(1e-3, 0.6, 0.64)
    table = Results(control + results(0.0, 0.4, 0.44, method="pixels")).gain()
    (ax,) = plots.gains(table).axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["lautum, weight 0.001", "pixels"]
