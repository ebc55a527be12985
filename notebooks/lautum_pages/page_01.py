"""The pictures of notebook 01: two directions, terms cell by cell, holes, weak dependence."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

Both = tuple[Tensor, Tensor]  # I and L in nats, along a curve
INFINITE = {"binary symmetric": 2.3, "erasure": 2.5, "Z": 2.7}  # where an infinite L is drawn


def draw_candidates(
    p: Tensor, candidates: Mapping[str, Tensor], distances: Mapping[str, Both]
) -> Figure:
    """p beside each candidate q, with D(p‖q) and D(q‖p) in the title."""
    figure, axes = new_figure(9, 3.4, 2, sharey=True)
    letters = range(len(p))
    for ax, (name, q) in zip(axes, candidates.items(), strict=True):
        ax.bar(letters, p.tolist(), color="0.75", label="p")
        ax.plot(letters, q.tolist(), label="q", **STYLES[1])
        forward, backward = distances[name]
        title = f"{name}: D(p‖q) = {forward:.2f}, D(q‖p) = {backward:.2f} nats"
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("letter")
        ax.legend()
    axes[0].set_ylabel("probability")
    figure.suptitle("The direction decides which q is nearer: flat by D(p‖q), one hump by D(q‖p)")
    return figure


def draw_terms(
    name: str,
    joint: Tensor,
    of_i: Tensor,
    of_l: Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
) -> Figure:
    """A joint and the terms of I and L as three tables; cells with an infinite term are black."""
    margins = {"left": 0.08, "right": 0.99, "bottom": 0.1, "top": 0.81}
    figure, (ax,) = new_figure(10, 3, layout="none", gridspec_kw=margins)
    total_i, total_l = of_i.sum().item(), of_l.sum().item()
    figure.suptitle(f"{name}: {_comparison(total_i, total_l)} nats")
    terms = [*of_i.flatten().tolist(), *of_l.flatten().tolist()]
    reach = 1.5 * max(1e-3, *(abs(term) for term in terms if math.isfinite(term)))
    signed: dict[str, Any] = {"vmin": -reach, "vmax": reach, "cmap": "PuOr_r"}
    height, width = joint.shape
    # Three tables on one pair of axes: a slider answers twice as fast as with three.
    starts = [place * 1.15 * width for place in range(3)]
    _table(ax, starts[0], joint, "joint", columns, "", {"vmin": 0, "vmax": 1.5, "cmap": "Greys"})
    _table(ax, starts[1], of_i, f"terms of I (nats), sum {number(total_i)}", columns, "+", signed)
    _table(ax, starts[2], of_l, f"terms of L (nats), sum {number(total_l)}", columns, "+", signed)
    for y, row in enumerate(rows):
        ax.text(-0.04 * width, y + 0.5, row, ha="right", va="center")
    ax.set(xlim=(-0.02, starts[-1] + width + 0.02), ylim=(height + 0.02, -0.02), aspect="auto")
    ax.set_axis_off()
    return figure


def number(value: float, sign: str = "") -> str:
    """Three digits, rounding left out, infinity as a symbol."""
    if math.isinf(value):
        return "∞"
    return "0" if abs(value) < 1e-12 else f"{value:{sign}.3g}"


def _comparison(total_i: float, total_l: float) -> str:
    """Which of I and L is larger, with their values."""
    if abs(total_l - total_i) <= 1e-9:
        return f"L = I = {number(total_i)}"
    return f"L = {number(total_l)} {'>' if total_l > total_i else '<'} I = {number(total_i)}"


def _table(
    ax: Axes,
    start: float,
    table: Tensor,
    title: str,
    columns: Sequence[str],
    sign: str,
    colours: Mapping[str, Any],
) -> None:
    """A table whose cells are squares of side 1, the upper left corner at (start, 0)."""
    height, width = table.shape
    shown = table.where(table.isfinite(), 0).tolist()
    ax.imshow(shown, extent=(start, start + width, height, 0), zorder=2, **colours)
    ax.text(start + width / 2, -0.06 * height, title, ha="center", va="bottom")
    place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "zorder": 5}
    for y, row in enumerate(table.tolist()):
        for x, value in enumerate(row):
            left, infinite = start + x, math.isinf(value)
            if infinite:
                corners = [left, left + 1, left + 1, left], [y, y, y + 1, y + 1]
                ax.fill(*corners, color="black", zorder=3)
            colour = "white" if infinite else "black"
            ax.text(left + 0.5, y + 0.5, number(value, sign), color=colour, **place)
    lines: dict[str, Any] = {"color": "0.7", "linewidth": 0.8, "zorder": 4}
    ax.vlines([start + x for x in range(width + 1)], 0, height, **lines)
    ax.hlines(range(height + 1), start, start + width, **lines)
    for x, column in enumerate(columns):
        ax.text(start + x + 0.5, 1.04 * height, column, ha="center", va="top")


def draw_holes(
    crossovers: Tensor,
    channels: Mapping[str, Both],
    leaks: Tensor,
    leaky: Both,
    hole: float,
    crossover: float,
) -> Figure:
    """I and L of three channels against the crossover; and of the Z-channel against its leak.

    hole: the mass of the product on the hole of the Z-channel with this crossover.
    """
    figure, (left, right) = new_figure(10, 3.8, 2)
    _draw_channels(left, crossovers, channels)
    z_i, z_l = leaky
    right.plot(leaks, z_l, markevery=4, label="L", **STYLES[1])
    grey: dict[str, Any] = {"color": "0.5", "linewidth": 4, "alpha": 0.5}
    right.plot(leaks, -hole * leaks.log(), marker="", linestyle="-", label="-h log(leak)", **grey)
    right.plot(leaks, z_i, markevery=4, label="I", **STYLES[0])
    right.set_xscale("log")
    right.set_xlabel(f"leak of the Z-channel (crossover {crossover:g})")
    right.set_ylabel("nats")
    right.legend()
    figure.suptitle(
        "Holes make L infinite; once the leak is small, "
        f"a tenth of it adds {hole * math.log(10):.2f} nats to L of the Z-channel"
    )
    return figure


def _draw_channels(ax: Axes, crossovers: Tensor, channels: Mapping[str, Both]) -> None:
    """I and L of each channel, an infinite L as a marker in a grey band."""
    every = len(crossovers) // 10
    for (channel, (of_i, of_l)), style in zip(channels.items(), STYLES, strict=False):
        hollow = style | {"markerfacecolor": "white", "markevery": every}
        ax.plot(crossovers, of_i, label=f"I, {channel}", **hollow)
        finite, marks = of_l.isfinite(), slice(None, None, every)
        if channel == "binary symmetric":  # infinite at both ends only
            thick = style | {"linewidth": 2.5, "markevery": (every - 1, every)}
            ax.plot(crossovers[finite], of_l[finite], label=f"L, {channel}", **thick)
            marks = slice(None, None, len(crossovers) - 1)
        shown = of_l.where(finite, INFINITE[channel])
        ax.plot(crossovers[marks], shown[marks], **style | {"linestyle": "none"})
    ax.axhspan(2.15, 2.85, color="0.9")
    ax.text(0.5, 2.92, "grey band: L is infinite", ha="center", fontsize=9)
    ax.set_ylim(-0.05, 3.15)
    named = ["symmetric: ∞", "erasure: ∞", "Z: ∞"]
    ax.set_yticks([0, 0.5, 1, 1.5, 2, *INFINITE.values()], ["0", "0.5", "1", "1.5", "2", *named])
    ax.set_xlabel("crossover")
    ax.set_ylabel("nats")
    ax.legend(fontsize=8, loc="center", bbox_to_anchor=(0.5, 0.5))


def draw_path(
    whole: Tensor,
    along: Mapping[str, Tensor],
    start: Tensor,
    ratios: Mapping[str, Tensor],
    end: float,
) -> Figure:
    """I, L and χ²/2 from independent to equal; and their ratios to χ²/2 near the start.

    whole, start: the places on the path. end: the entropy, where I ends.
    """
    figure, (left, right) = new_figure(10, 3.6, 2)
    for name, values in along.items():
        left.plot(whole, values, markevery=20, label=name)
    for name, values in ratios.items():
        right.plot(start, values, markevery=10, label=name)
    left.axhline(end, color="0.5", linestyle=":")
    left.text(0.02, end, "H(A), where I ends", color="0.3", fontsize=9, va="bottom")
    left.set(xlabel="t: from independent (0) to equal (1)", ylabel="nats")
    left.legend(loc="upper left")
    right.set(xscale="log", xlabel="t (logarithmic)", ylabel="ratio to χ²/2")
    right.legend()
    figure.suptitle(
        "Weak dependence: I and L tend to χ²/2; then L falls below I, "
        "and near full dependence it outgrows both"
    )
    return figure


def draw_plane(of_joints: Both, of_gaussians: Both) -> Figure:
    """L against I of random joints, in two groups, and of pairs of Gaussian variables."""
    figure, (ax,) = new_figure(7, 5)
    values_i, values_l = of_joints
    less = values_l < values_i
    dots: dict[str, Any] = {"linestyle": "none", "markersize": 3, "markeredgewidth": 0}
    for group, name in ((~less, "L ≥ I"), (less, "L < I")):
        label = f"{name}: {100 * group.double().mean():.0f} % of the joints"
        ax.plot(values_i[group], values_l[group], alpha=0.4, label=label, **dots)
    ax.plot([1e-5, 1], [1e-5, 1], color="0.3", linewidth=1, marker="", linestyle="-", label="L = I")
    name = "two Gaussian variables"
    ax.plot(*of_gaussians, color="black", marker="", linestyle="-.", label=name)
    ax.set(xscale="log", yscale="log", xlim=(1e-5, 1), ylim=(1e-5, 10))
    ax.set(xlabel="I (nats; joints below 1e-5 are not shown)", ylabel="L (nats)")
    ax.legend(markerscale=2)
    ax.set_title(
        f"{len(values_i)} random 2 x 2 joints: L ≥ I is no law, though it is one for Gaussians"
    )
    return figure
