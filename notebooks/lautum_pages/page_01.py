"""The pictures of notebook 01, two directions, terms cell by cell, holes, weak dependence, and the
tables that they are drawn from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

Both = tuple[Tensor, Tensor]  # I and L in nats, along a curve
AS, BS = ("a = 0", "a = 1"), ("b = 0", "b = 1")


def vector(*values: Any) -> Tensor:
    """Numbers, or rows of numbers, as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def random_joints(seed: int, halves: int, n: int, *shape: int) -> Tensor:
    """n joints (n, *shape) from Dirichlet(halves / 2): sums of `halves` squared normals,
    normalised."""
    generator = torch.Generator().manual_seed(seed)
    size = (halves, n, math.prod(shape))
    normals = torch.randn(size, generator=generator, dtype=torch.float64, device="cpu")
    weights = normals.square().sum(0)
    return (weights / weights.sum(-1, keepdim=True)).reshape(n, *shape)


def terms(joint: Tensor) -> Both:
    """The terms of I and of L, cell by cell; infinite where the joint has a hole."""
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    ratio = torch.where(joint > 0, joint, 1).log() - torch.where(product > 0, product, 1).log()
    of_i = torch.where(joint > 0, joint * ratio, 0)
    of_l = torch.where(joint > 0, -product * ratio, torch.where(product > 0, math.inf, 0))
    return of_i, of_l


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
    name: str, joint: Tensor, rows: Sequence[str] = AS, columns: Sequence[str] = BS
) -> Figure:
    """A joint and the terms of I and L as three tables; cells with an infinite term are black."""
    of_i, of_l = terms(joint)
    margins = {"left": 0.08, "right": 0.99, "bottom": 0.1, "top": 0.81}
    figure, (ax,) = new_figure(10, 3, layout="none", gridspec_kw=margins)
    total_i, total_l = of_i.sum().item(), of_l.sum().item()
    figure.suptitle(f"{name}: {_comparison(total_i, total_l)} nats")
    values = [*of_i.flatten().tolist(), *of_l.flatten().tolist()]
    reach = 1.5 * max(1e-3, *(abs(value) for value in values if math.isfinite(value)))
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


def draw_holes(crossovers: Tensor, symmetric: Both, leaks: Tensor, leaky: Both) -> Figure:
    """I and L of the binary symmetric channel against its crossover, and of the Z-channel against
    its leak."""
    figure, (left, right) = new_figure(9.5, 3.5, 2, sharey=True)
    for name, curve, of_leak, style in zip("IL", symmetric, leaky, STYLES, strict=False):
        finite = curve.isfinite()
        left.plot(crossovers[finite], curve[finite], markevery=10, label=name, **style)
        right.plot(leaks, of_leak, markevery=4, label=name, **style)
    left.set(xlabel="crossover: how often a symbol arrives as the other one", ylabel="nats")
    left.set(ylim=(0, 3.3), title="a channel that may confuse both symbols")
    right.set(xscale="log", xlabel="leak: the share of the pairs that are shuffled")
    right.set_title("a channel with a hole, filled a little")
    left.legend(loc="upper center")
    figure.suptitle("As a hole comes near, L grows without bound, and I does not")
    return figure


def draw_weak(shares: Tensor, ratios: Mapping[str, Tensor]) -> Figure:
    """I and L as multiples of χ²/2, against the dependence that is left."""
    figure, (ax,) = new_figure(6.5, 3.4)
    for (name, values), style in zip(ratios.items(), STYLES, strict=False):
        ax.plot(shares, values, markevery=10, label=name, **style)
    ax.axhline(1, color="0.5", linewidth=1)
    ax.set(xlabel="share of the pairs that are as they come", ylabel="multiple of χ²/2")
    ax.set_title("Weak dependence: I and L tend to the same, χ²/2")
    ax.legend()
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
    ax.plot([1e-5, 1], [1e-5, 1], color="0.5", linewidth=1, marker="", linestyle="-", label="L = I")
    name = "two Gaussian variables"
    ax.plot(*of_gaussians, color="0.5", marker="", linestyle="-.", label=name)
    ax.set(xscale="log", yscale="log", xlim=(1e-5, 1), ylim=(1e-5, 10))
    ax.set(xlabel="I (nats; joints below 1e-5 are not shown)", ylabel="L (nats)")
    ax.legend(markerscale=2)
    ax.set_title(
        f"{len(values_i)} random 2 x 2 joints: L ≥ I is no law, though it is one for Gaussians"
    )
    return figure
