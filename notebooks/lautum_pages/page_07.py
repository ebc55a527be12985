"""The pictures of notebook 07: the other methods, on the same runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scikit_posthocs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lautum_utils import Interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.style import STYLES

GAIN = "gain (points of test accuracy)"
Place = tuple[str, float, int]  # target, severity, labels
SIMPLE_LOOK = {"color": "0.45", "marker": "D", "markerfacecolor": "white"}  # of a baseline


def in_points(intervals: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Means and half-widths, in points of accuracy."""
    return [100 * d.mean for d in intervals], [100 * d.reach for d in intervals]


def inches(height: float, left: float, right: float = 0.99) -> dict[str, float]:
    """Margins of half an inch for labels below and titles above, whatever the height."""
    margins = {"left": left, "right": right, "wspace": 0.06}
    return margins | {"bottom": 0.5 / height, "top": 1 - 0.55 / height}


# ------------------------------------------------------------------------------------------- a knob


def draw_knob_and_labels(
    by_weight: Mapping[str, Sequence[Interval]],
    by_labels: Mapping[str, Sequence[Interval]],
    labels: Sequence[int],
    weight: int,
    limits: tuple[float, float],
    title: str,
) -> Sketch:
    """Gain of each method against its four weights, and at one of them (1 to 4) against the number
    of labelled samples."""

    def fill(axes: list[Axes]) -> None:
        for ax, curves in zip(axes, (by_weight, by_labels), strict=True):
            for number, intervals in enumerate(curves.values()):
                x = np.arange(1, 5) + 0.06 * (number - (len(curves) - 1) / 2)
                ax.errorbar(x, *in_points(intervals), capsize=2)
        axes[0].axvspan(weight - 0.2, weight + 0.2, color="0.9", zorder=0)

    return Sketch(_knob_frame, (tuple(by_weight), tuple(labels), limits), fill, title)


def _knob_frame(
    names: Sequence[str], labels: Sequence[int], limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.17, "top": 0.72, "wspace": 0.08}
    figure, (left, right) = new_figure(10, 3.9, 2, layout="none", sharey=True, gridspec_kw=margins)
    left.set_xticks(range(1, 5), ["smallest", "2nd", "3rd", "largest"])
    left.set(xlabel="weight", ylabel=GAIN, ylim=limits)
    right.set_xticks(range(1, 5), [str(n) for n in labels])
    right.set_xlabel("labelled samples, at the weight of the bar")
    for ax in (left, right):
        ax.axhline(0, color="0.3", linewidth=1)
        ax.set_xlim(0.6, 4.4)
    lines = [left.plot([], [], label=name)[0] for name in names]
    figure.legend(handles=lines, ncols=2, fontsize=8, loc="upper left", bbox_to_anchor=(0.06, 0.93))
    return figure, [left, right]


# -------------------------------------------------------------------------------------- all methods


def draw_gains(
    groups: Mapping[str, Mapping[str, Interval]],
    title: str,
    left: float = 0.36,
    simple: Collection[str] = (),
) -> Figure:
    """Gains with their intervals: a row for each name, a panel for each target; the simple ones
    grey and open."""
    height = 0.26 * len(groups) + 1.2
    targets = list(next(iter(groups.values())))
    margins = inches(height, left)
    figure, axes = new_figure(
        10, height, len(targets), layout="none", sharey=True, gridspec_kw=margins
    )
    for ax, target, style in zip(axes, targets, STYLES, strict=False):
        for look, wanted in ((style, False), (SIMPLE_LOOK, True)):
            rows = [row for row, name in enumerate(groups) if (name in simple) == wanted]
            shown = [group[target] for name, group in groups.items() if (name in simple) == wanted]
            mean, reach = in_points(shown)
            ax.errorbar(mean, rows, xerr=reach, capsize=3, **look | {"linestyle": "none"})
        ax.axvline(0, color="0.3", linewidth=1)
        ax.set_title(f"target {target}", fontsize=10)
        ax.set_xlabel(GAIN)
    axes[0].set_yticks(range(len(groups)), list(groups), fontsize=8)
    axes[0].invert_yaxis()
    figure.suptitle(title)
    return figure


def draw_ranks(
    ranks: pd.Series, p_values: pd.DataFrame, alpha: float, colours: Mapping[str, Any], title: str
) -> Figure:
    """Average ranks on a line; a bar joins the methods whose p value is above alpha."""
    height = 0.11 * len(ranks) + 1.7
    margins = inches(height, 0.22, 0.76) | {"bottom": 0.02}
    figure, (ax,) = new_figure(10, height, layout="none", gridspec_kw=margins)
    plain = {"marker": "", "linestyle": "-"}
    scikit_posthocs.critical_difference_diagram(
        ranks,
        p_values,
        alpha=alpha,
        ax=ax,
        label_props={"fontsize": 8},
        elbow_props=plain,
        crossbar_props=plain,
        color_palette={name: colours.get(name, "0.35") for name in ranks.index},
    )
    ax.grid(False)
    figure.suptitle(title)
    return figure


def draw_all_places(gains: Mapping[str, Mapping[Place, Interval]], title: str) -> Sketch:
    """A row for each method, a column for each place: blue gains, red loses, a dot where the
    interval excludes 0."""
    places = list(next(iter(gains.values())))
    rows = [in_points([row[place] for place in places]) for row in gains.values()]
    mean, reach = np.moveaxis(np.array(rows), 1, 0)
    severities = len({severity for _, severity, _ in places})

    def fill(axes: list[Axes]) -> None:
        (ax,) = axes
        ax.imshow(mean, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
        y, x = np.nonzero(np.abs(mean) > reach)
        ax.scatter(x, y, s=5, color="black")
        for k in range(len(places) // 4):
            ax.axvline(4 * k - 0.5, color="white", linewidth=3 if k == severities else 1)

    return Sketch(_places_frame, (tuple(gains), tuple(places)), fill, title)


def _places_frame(names: Sequence[str], places: Sequence[Place]) -> tuple[Figure, list[Axes]]:
    height = 0.24 * len(names) + 1
    margins = inches(height, 0.22, 0.98) | {"top": 1 - 0.35 / height}
    figure, (ax,) = new_figure(10, height, layout="none", gridspec_kw=margins)
    nothing = np.zeros((len(names), len(places)))
    image = ax.imshow(nothing, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_xticks(range(len(places)), [str(labels) for *_, labels in places], fontsize=7)
    for k, (target, severity, _) in enumerate(places[::4]):
        text = f"{target} {severity:g}"
        ax.text(4 * k + 1.5, len(names) + 0.3, text, ha="center", va="top", fontsize=8)
    ax.grid(False)
    figure.colorbar(image, ax=ax, pad=0.01, label="gain (points)")
    return figure, [ax]


# ----------------------------------------------------------------------------------- together, cost


def draw_together(
    gains: Mapping[str, Mapping[str, Sequence[Interval]]], labels: Sequence[int], title: str
) -> Figure:
    """Gain of one method, of another and of both against the number of labelled samples, a panel
    for each target.

    gains: by target, then by what is used.
    """
    figure, axes = new_figure(10, 3.6, len(gains), sharey=True)
    for ax, (target, curves) in zip(axes, gains.items(), strict=True):
        for aside, (name, intervals) in zip((-0.1, 0, 0.1), curves.items(), strict=True):
            ax.errorbar(np.arange(len(labels)) + aside, *in_points(intervals), label=name)
        ax.axhline(0, color="0.3", linewidth=1)
        ax.set_xticks(range(len(labels)), [str(n) for n in labels])
        ax.set_xlabel("labelled samples (mean of three severities)")
        ax.set_title(f"target {target}", fontsize=10)
    axes[0].set_ylabel(GAIN)
    axes[0].legend(fontsize=8)
    figure.suptitle(title)
    return figure


def draw_costs(costs: Mapping[str, float], label: str) -> Figure:
    """The time of a step of each method, in steps of standard transfer, from the cheapest on; those
    of stage two in another colour."""
    figure, (ax,) = new_figure(10, 0.24 * len(costs) + 1)
    order = sorted(costs, key=costs.__getitem__)
    colours = [STYLES[name.endswith("(2)")]["color"] for name in order]
    bars = ax.barh(order, [costs[name] for name in order], color=colours)
    ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    ax.axvline(1, color="0.3", linewidth=1)
    ax.tick_params(axis="y", labelsize=8)
    ax.set_xlabel(label)
    figure.suptitle(f"What a step costs, from {order[0]} to {order[-1]}; (2): in stage two")
    return figure
