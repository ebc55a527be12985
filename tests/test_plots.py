"""Figures: Figure objects without pyplot, percent on their axes, and a sentence that does not claim
too much."""

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lautum_utils.data.domains import load
from lautum_utils.training.run import Experiment, Result
from lautum_utils.widgets import plots

HISTORY = {
    "step": [1.0, 5.0],
    "loss": [2.3, 1.0],
    "dependence": [0.1, 3.0],
    "target_accuracy": [0.1, 0.6],
}


def results(strength: float, *accuracies: float, severity: float = 0.0) -> list[Result]:
    return [
        Result(
            Experiment(seed=seed, strength=strength, severity=severity),
            accuracy,
            0.5,
            0.9,
            1.0,
            HISTORY,
        )
        for seed, accuracy in enumerate(accuracies)
    ]


CURVE = results(0.0, 0.4, 0.44) + results(1e-3, 0.6, 0.64) + results(1e-2, 0.5)
FIGURES: dict[str, Callable[[], Figure]] = {
    "new_figure": lambda: plots.new_figure(columns=2)[0],
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
    image = plots.png_bytes(figure, dpi=40)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(image[16:20]) == int(40 * figure.get_figwidth()), "as wide as dpi says"


def test_plots_never_import_pyplot() -> None:
    code = (
        "import sys; from lautum_utils import plots; plots.png_bytes(plots.history_curves([]).figure()); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
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


@pytest.mark.parametrize("name", ["explored", "history_curves"])
def test_a_sketch_is_the_picture_of_its_figure_whatever_was_drawn_in_its_frame_before(
    name: str,
) -> None:
    def sketch(accuracy: float, strength: float) -> plots.Sketch:
        curve = results(0.0, 0.41, 0.44) + results(1e-3, accuracy, accuracy + 0.02)
        if name == "explored":
            return plots.explored(curve, strength, 0.0)
        return plots.history_curves(
            [(strength, HISTORY | {"loss": [2.3, accuracy]}), (1e-4, HISTORY)]
        )

    first, second = sketch(0.55, 1e-3), sketch(0.5, 0.0)
    assert first.key == second.key, "the same frame"
    images = {sketch: pixels(sketch.png()) for sketch in (first, second, first)}
    assert np.abs(images[first] - images[second]).max() > 100
    for sketched, image in images.items():
        difference = np.abs(image - pixels(plots.png_bytes(sketched.figure())))
        assert (difference > 20).mean() < 0.005, "grid lines may lie over or under the data"


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


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


@pytest.mark.parametrize(
    ("accuracies", "start", "end"),
    [
        (
            (0.6, 0.61, 0.62),
            "w is distinguishably better than weight 0: +21.0 points (95 % interval +",
            "3 seeds).",
        ),
        (
            (0.2, 0.21, 0.22),
            "w is distinguishably worse than weight 0: -19.0 points (95 % interval -",
            "3 seeds).",
        ),
        (
            (0.6, 0.3, 0.42),
            "w is not distinguishable from weight 0: +4.0 points (95 % interval -",
            "3 seeds).",
        ),
        (
            (0.1, 0.5, 0.42),
            "w is not distinguishable from weight 0: -6.0 points (95 % interval -",
            "3 seeds).",
        ),
        (
            (0.6,),
            "w: +20.0 points against weight 0 on one seed;",
            "train more seeds for an interval.",
        ),
    ],
)
def test_verdict_says_what_the_interval_says(
    accuracies: tuple[float, ...], start: str, end: str
) -> None:
    sentence = plots.verdict(results(1e-3, *accuracies), results(0.0, 0.4, 0.4, 0.4), "w")
    assert sentence.startswith(start)
    assert sentence.endswith(end)
