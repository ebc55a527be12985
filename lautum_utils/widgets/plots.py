"""Figures of results. They take `Results`, or any sequence of results; accuracies, which are
fractions there, are percent here.

Those that a slider draws again come as a `Sketch`.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lautum_utils.data.domains import Domain
from lautum_utils.results.results import Results
from lautum_utils.results.statistics import Interval, paired_difference, summarise
from lautum_utils.training.outcomes import History, Result
from lautum_utils.widgets.figures import Picture, new_figure, plain
from lautum_utils.widgets.groups import by_what_varies, differences_of
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.strength_axis import (
    PERCENT,
    draw_accuracy,
    draw_level,
    limits_around,
    strength_axis,
    strength_places,
)
from lautum_utils.widgets.style import SHEET, STYLES

PAGE, LETTERS_A_LINE = 10, 92  # inches across, and letters of a title


def show_domains(domains: Mapping[str, Domain], n: int = 10, title: str = "") -> Figure:
    """A row of n images of each domain, each under its label."""
    height, width = next(iter(domains.values())).inputs.shape[-2:]
    figure = Picture(figsize=(0.8 * n + 1.6, (0.8 * height / width + 0.3) * len(domains) + 0.3))
    bare: dict[str, Any] = {"xticks": [], "yticks": []}
    rows = figure.subplots(len(domains), n, squeeze=False, subplot_kw=bare)
    for ax in rows.flat:
        ax.spines[:].set_visible(False)
    for axes, (name, domain) in zip(rows, domains.items(), strict=True):
        for ax, image, label in zip(axes, domain.inputs, domain.labels, strict=False):
            ax.imshow(image[0].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
            ax.set_title(plain(domain.class_names[int(label)]), fontsize=9, pad=2)
        axes[0].set_ylabel(plain(name), rotation=0, ha="right", va="center")
    figure.suptitle(plain(title))
    return figure


@SHEET
def accuracy_against_strength(
    results: Sequence[Result] | Mapping[str, Sequence[Result]],
    title: str = "",
    confidence: float = 0.95,
    levels: Mapping[str, Results] | None = None,
) -> Figure:
    """Target test accuracy against strength (logarithmic, 0 at the left): mean and interval over
    seeds.

    results: a line for each combination of the settings that vary besides; or named groups, a line
    each. levels: baselines, which have no strength, by name: a dashed line at the mean of each.
    """
    groups = results if isinstance(results, Mapping) else by_what_varies(results)
    points = {name: summarise(group, confidence) for name, group in groups.items()}
    figure, (ax,) = new_figure(PAGE)
    draw_accuracy(ax, points, strength_axis(ax, [s for group in points.values() for s in group]))
    for name, baseline in (levels or {}).items():
        draw_level(ax, name, baseline.mean())
    if any(groups):
        columns = LETTERS_A_LINE // (max(map(len, groups)) + 8)  # 8: the line before it
        figure.legend(loc="outside lower center", ncols=min(4, max(1, columns)))
    ax.set_title(fill(title, LETTERS_A_LINE))
    return figure


@SHEET
def gains(
    differences: Mapping[str, Interval] | pd.DataFrame,
    title: str = "",
    unit: str = "gain over weight 0 (points of test accuracy)",
) -> Figure:
    """A dot and its interval for each paired difference, given as fractions and drawn in points.

    differences: by name, or the table of `Results.gain()`.
    """
    intervals = (
        differences_of(differences) if isinstance(differences, pd.DataFrame) else differences
    )
    figure, (ax,) = new_figure(PAGE, 0.4 * len(intervals) + 1.2)
    for row, point in enumerate(intervals.values()):
        reach = [100 * point.reach]
        ax.errorbar([100 * point.mean], [-row], xerr=reach, capsize=4, linestyle="none")
    ax.set_yticks([-row for row in range(len(intervals))], list(intervals))
    ax.set_ylim(0.5 - len(intervals), 0.5)
    ax.axvline(0, color="0.5", linewidth=1)
    ax.set_xlabel(unit)
    figure.suptitle(fill(title, LETTERS_A_LINE))
    return figure


def explored(
    results: Sequence[Result], strength: float, severity: float, pixels: Sequence[Result] = ()
) -> Sketch:
    """What is known so far: accuracy against strength at one severity, and gain against severity
    at one strength.

    results: alike but for strength, severity and seed. The gain is the paired difference to
    strength 0, with interval. pixels: of that baseline there; a dashed line at their mean.
    """
    groups: dict[tuple[float, float], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.experiment.severity, result.experiment.strength].append(result)
    points = summarise([r for (at, _), group in groups.items() if at == severity for r in group])
    gained = {}
    for at in sorted({at for at, _ in groups}):
        ours, control = groups.get((at, strength), []), groups.get((at, 0.0), [])
        if {r.experiment.seed for r in ours} & {r.experiment.seed for r in control}:
            gained[at] = paired_difference(ours, control)
    means, reach = ([100 * getattr(g, k) for g in gained.values()] for k in ("mean", "reach"))
    places = strength_places(list(points))

    def draw(axes: list[Axes]) -> None:
        left, right = axes
        draw_accuracy(left, {"": points}, places)
        left.axvline(places[strength], color="0.5", alpha=0.4, linewidth=6, zorder=0)
        if pixels:
            draw_level(left, "pixels, no network", Results(pixels).mean())
        right.errorbar(list(gained), means, reach, **STYLES[1] | {"linestyle": "none"})
        right.axvline(severity, color="0.5", alpha=0.4, linewidth=6, zorder=0)

    reached = [-20.0, 40.0, *np.subtract(means, reach), *np.add(means, reach)]
    return Sketch(_explored_frame, (tuple(places), PERCENT, limits_around(reached, 20)), draw)


def _explored_frame(
    strengths: Sequence[float], *limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    margins = {"left": 0.06, "right": 0.99, "bottom": 0.15, "top": 0.97, "wspace": 0.2}
    margins["width_ratios"] = (3, 2)  # type: ignore[assignment]
    figure, (left, right) = new_figure(10, 3.4, 2, layout="none", gridspec_kw=margins)
    places = strength_axis(left, strengths).values()
    left.set_xlim(min(places, default=0) - 0.2, max(places, default=0) + 0.2)
    right.axhline(0, color="0.5", linewidth=1)
    right.set_xlim(-0.05, 1.05)
    right.set_xticks([0, 0.5, 1])
    right.set_xlabel("severity of the shift")
    right.set_ylabel("gain of the chosen weight (points)")
    for ax, limit in zip((left, right), limits, strict=True):
        ax.set_ylim(limit)
        ax.yaxis.set_major_locator(MaxNLocator(4))
    return figure, [left, right]


def predicted(guess: Mapping[float, float], measured: Mapping[float, Interval]) -> Sketch:
    """A guess of the accuracy (fractions) at each strength, and, unless it is empty, the measured
    one over it."""
    places = strength_places(list(guess))
    x, y = [places[s] for s in guess], [100 * v for v in guess.values()]

    def draw(axes: list[Axes]) -> None:
        axes[0].plot(x, y, label="your guess", **STYLES[1])
        draw_accuracy(axes[0], {"measured": measured} if measured else {}, places)
        axes[0].legend(loc="lower right")

    return Sketch(_predicted_frame, (tuple(places),), draw)


def _predicted_frame(strengths: Sequence[float]) -> tuple[Figure, list[Axes]]:
    margins = {"left": 0.09, "right": 0.99, "bottom": 0.15, "top": 0.97}
    figure, axes = new_figure(7, 3.4, layout="none", gridspec_kw=margins)
    places = strength_axis(axes[0], strengths).values()
    axes[0].set_xlim(min(places) - 0.2, max(places) + 0.2)
    axes[0].set_ylim(PERCENT)
    return figure, axes


def training_curves(results: Sequence[Result], title: str = "") -> Figure:
    """Loss, dependence and target accuracy during stage one: a line a strength, the mean over its
    seeds."""
    return history_curves([(r.experiment.strength, r.history) for r in results], title).figure()


def history_curves(
    histories: Sequence[tuple[float, History]], title: str = "", steps: int = 0
) -> Sketch:
    """As `training_curves`, from (strength, history) pairs that may still be growing, up to
    `steps`."""
    by_strength: dict[float, list[History]] = defaultdict(list)
    for strength, history in sorted(histories, key=lambda pair: pair[0]):
        by_strength[strength].append(history)
    means = [_mean(group) for group in by_strength.values()]

    def draw(axes: list[Axes]) -> None:
        for ax, name in zip(axes, CURVES, strict=True):
            for strength, curve in zip(by_strength, means, strict=True):
                ax.plot(curve["step"], curve[name], label=f"weight {strength:g}", markersize=3)
        if by_strength:
            axes[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)

    last = max([steps or 1, *(curve["step"][-1] for curve in means if len(curve["step"]))])
    loss = [value for curve in means for value in curve["loss"]]
    dependence = [value for curve in means for value in curve["dependence"] if value > 0]
    decades = limits_around([1.0, 4.0, *map(math.log10, dependence)], 1)
    limits = limits_around([0.0, 2.5, *loss], 0.5), (10 ** decades[0], 10 ** decades[1]), PERCENT
    return Sketch(_history_frame, (title, last, *limits), draw)


CURVES = {
    "loss": "source cross-entropy (nats)",
    "dependence": "Lautum information (nats)",
    "target_accuracy": "target read-out (%)",
}


def _mean(histories: Sequence[History]) -> dict[str, Any]:
    """The mean curve, as far as all have come."""
    n = min(len(values) for history in histories for values in history.values())
    mean = {name: np.mean([h[name][:n] for h in histories], 0) for name in ("step", *CURVES)}
    return mean | {"target_accuracy": 100 * mean["target_accuracy"]}


def _history_frame(
    title: str, steps: float, *limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    # Fixed margins in place of a layout engine: drawn every second while training, that halves the
    # time.
    margins = {"left": 0.055, "right": 0.85, "bottom": 0.16, "top": 0.97, "wspace": 0.33}
    margins["top"] -= 0.09 * bool(title)
    figure, axes = new_figure(10, 3, 3, layout="none", gridspec_kw=margins)
    for ax, label, limit in zip(axes, CURVES.values(), limits, strict=True):
        ax.set_xlabel("step of stage one")
        ax.set_ylabel(label, fontsize=9)
        ax.set_xlim(0, steps * 1.03)
        ax.set_ylim(limit)
        ax.xaxis.set_major_locator(MaxNLocator(4))
    axes[0].yaxis.set_major_locator(MaxNLocator(4))
    axes[1].set_yscale("log", nonpositive="clip")
    axes[1].minorticks_off()
    figure.suptitle(title)
    return figure, axes
