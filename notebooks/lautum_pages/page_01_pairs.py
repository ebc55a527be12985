"""The picture of the idea in notebook 01: pairs of shoes as they come, and shuffled."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

from .page_01 import number

PAIRS, SMALLEST = 240, 38  # pairs that are drawn, and the smallest size of a shoe
Both = tuple[Tensor, Tensor]  # I and L in nats, along a curve


def draw_shuffle(sizes: int = 4) -> Figure:
    """Pairs of shoes as they come, half of them shuffled, and all of them."""
    figure, axes = new_figure(9.5, 3.4, 3, sharex=True, sharey=True)
    names = {0.0: "pairs as they come", 0.5: "half of them shuffled", 1.0: "all shuffled"}
    for ax, (shuffled, name) in zip(axes, names.items(), strict=True):
        _draw_shoes(ax, shuffled, sizes)
        ax.set_title(name)
    axes[0].set_ylabel("size of the right shoe")
    figure.suptitle("Shuffle the pairs, and the joint becomes the product")
    return figure


def draw_pairs(shuffled: float, here: Both, shares: Tensor, curves: Both, sizes: int) -> Figure:
    """The pairs with a share of them shuffled, beside I and L against that share.

    here: I and L at `shuffled`. curves: I and L at each of the shares.
    """
    margins = {"left": 0.08, "right": 0.99, "bottom": 0.15, "top": 0.88, "wspace": 0.2}
    figure, (left, right) = new_figure(9.5, 3.6, 2, layout="none", gridspec_kw=margins)
    _draw_shoes(left, shuffled, sizes)
    left.set_ylabel("size of the right shoe")
    for name, curve, value, style in zip("IL", curves, here, STYLES, strict=False):
        right.plot(shares, curve, label=name, **style | {"marker": ""})
        if value.isfinite():
            right.plot([shuffled], [value], **style | {"markersize": 9})
    right.axvline(shuffled, color="0.5", linewidth=0.8)
    right.set(xlim=(-0.02, 1.02), ylim=(0, 3), xlabel="share of the pairs shuffled", ylabel="nats")
    right.legend()
    of_i, of_l = (number(value.item()) for value in here)
    figure.suptitle(f"{100 * shuffled:.0f} % of the pairs shuffled: I = {of_i}, L = {of_l} nats")
    return figure


def _draw_shoes(ax: Axes, shuffled: float, sizes: int) -> None:
    """A dot a pair, somewhere in the square of its two sizes; the shuffled pairs are squares."""
    generator = torch.Generator().manual_seed(0)
    left = torch.arange(PAIRS) % sizes
    partner = torch.randint(sizes, (PAIRS,), generator=generator)
    at = 0.7 * torch.rand(2, PAIRS, generator=generator) - 0.35
    is_shuffled = torch.rand(PAIRS, generator=generator) < shuffled
    right = torch.where(is_shuffled, partner, left)
    x, y = SMALLEST + left + at[0], SMALLEST + right + at[1]
    dots: dict[str, Any] = {"linestyle": "none", "markersize": 3.5, "markeredgewidth": 0}
    for group, style in ((~is_shuffled, STYLES[0]), (is_shuffled, STYLES[1])):
        ax.plot(x[group], y[group], **style | dots)
    ends = SMALLEST - 0.5, SMALLEST + sizes - 0.5
    ticks = range(SMALLEST, SMALLEST + sizes)
    ax.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks, xlabel="size of the left shoe")
    ax.grid(False)
    lines: dict[str, Any] = {"color": "0.8", "linewidth": 0.8}
    ax.vlines([size + 0.5 for size in ticks[:-1]], *ends, **lines)
    ax.hlines([size + 0.5 for size in ticks[:-1]], *ends, **lines)
