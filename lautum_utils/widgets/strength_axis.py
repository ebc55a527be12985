"""What several plots share: the axis of strengths, with a place for 0, and accuracy along it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lautum_utils.results.statistics import Interval

PERCENT = (-2, 104)  # an axis of accuracies, with room for a mark at either end


def strength_places(strengths: Sequence[float]) -> dict[float, float]:
    """Where each strength goes on a logarithmic axis that also has room for 0, a decade left of the
    smallest."""
    positive = [s for s in strengths if s > 0]
    left = np.log10(min(positive)) - 1 if positive else 0.0
    return {s: float(np.log10(s)) if s > 0 else float(left) for s in sorted(strengths)}


def strength_axis(ax: Axes, strengths: Sequence[float]) -> dict[float, float]:
    """Name the axes and tick the strengths: where each is."""
    places = strength_places(strengths)
    names = [
        f"{s:g}" if s == 0 or s >= 1e-3 else np.format_float_scientific(s, trim="-", exp_digits=1)
        for s in places
    ]
    ax.set_xticks(list(places.values()), names)
    ax.set_xlabel("regularization weight (0 = standard transfer)")
    ax.set_ylabel("target test accuracy (%)")
    return places


def draw_accuracy(
    ax: Axes, groups: Mapping[str, Mapping[float, Interval]], places: dict[float, float]
) -> None:
    """Mean and interval at each strength, in percent: a line a group, in the next look."""
    for name, points in groups.items():
        mean, reach = ([100 * getattr(p, k) for p in points.values()] for k in ("mean", "reach"))
        ax.errorbar([places[s] for s in points], mean, reach, label=name, markersize=6)


def draw_level(ax: Axes, name: str, accuracy: float) -> None:
    """A dashed line over all strengths, under its name: what is reached without any of them. A
    fraction, drawn in percent."""
    ax.axhline(100 * accuracy, color="0.5", linestyle="--", linewidth=1.2, zorder=1)
    look: dict[str, Any] = {"ha": "right", "color": "0.5", "fontsize": 9}
    at, over = (0.99, 100 * accuracy), (0, 3)
    ax.annotate(name, at, over, ax.get_yaxis_transform(), "offset points", **look)


def limits_around(values: Sequence[float], step: float) -> tuple[float, float]:
    """Multiples of step around the values, so that pictures to be compared mostly have the same
    axis (and are drawn fast)."""
    low, high = math.floor(min(values) / step), math.ceil(max(values) / step)
    return step * low, step * max(high, low + 1)
