"""The pictures of notebook 03's second half: bias, its cures, estimates."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

from .drawing import normal, table
from .page_03 import LOOKS, NO_LINE, PLAIN, of_pairs

AXES = {"n": "samples n", "components": "components r of x", "ridge": "ridge ε"}


@lru_cache(maxsize=4)
def standard_normal(n: int, d: int, seed: int) -> tuple[Tensor, Tensor]:
    """20 draws of n samples of two independent vectors of d dimensions."""
    generator = Generator().manual_seed(seed)
    return normal(generator, 20, n, d), normal(generator, 20, n, d)


def draw_bias(
    sizes: Sequence[int], found: Mapping[str, Sequence[Tensor]], k: int, r: int
) -> Figure:
    """What samples of independent vectors show on average (95 % intervals), and the formulas.

    found: by what is estimated, for each size one value a draw.
    """
    figure, (ax,) = new_figure(7.5, 3.6)
    n = torch.logspace(math.log10(sizes[0]), math.log10(sizes[-1]), 300, dtype=torch.float64)
    ax.plot(n, k * r / (n - 1), **PLAIN | {"linestyle": "--"}, label="k r / (n - 1)")
    ax.plot(n, k * r / (n - k - r - 2), **PLAIN, label="k r / (n - k - r - 2)")
    for look, (name, draws) in zip(STYLES[2:], found.items(), strict=False):
        mean = [values.mean().item() for values in draws]
        reach = [1.96 * values.std().item() / math.sqrt(len(values)) for values in draws]
        ax.errorbar(sizes, mean, reach, label=f"{name}, simulated", **look | NO_LINE)
    ax.set(xscale="log", yscale="log", xlabel="samples n", ylabel="mean (nats for I + L)")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.legend()
    ax.set_title(f"Independent z ({k}) and x ({r}): everything that samples show here is bias")
    return figure


def draw_cures(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Estimates of L against the setting of each cure: means, and from the smallest to the largest.

    rows: the cure, its setting, its parameter, the truth, and 20 estimates with one correlated pair
    and with none.
    """
    cures = list(dict.fromkeys(row["cure"] for row in rows))
    margins = {"left": 0.075, "right": 0.99, "bottom": 0.14, "top": 0.82, "wspace": 0.08}
    figure, axes = new_figure(10, 3.7, 4, layout="none", sharey=True, gridspec_kw=margins)
    for ax, cure in zip(axes, cures, strict=True):
        ours = [row for row in rows if row["cure"] == cure]
        for what in ("one ρ of 0.9", "independent"):
            drawn = torch.stack([row[what] for row in ours], 1)
            _mean_and_range(ax, range(len(ours)), drawn, label=what)
        ax.plot([row["truth"] for row in ours], label="truth at ρ = 0.9", **PLAIN)
        ax.set_xticks(range(len(ours)), [f"{row['setting']:g}" for row in ours])
        ax.set(yscale="log", xlabel=AXES[ours[0]["parameter"]], title=cure)
    axes[0].set_ylabel("estimated L (nats)")
    axes[0].legend(fontsize=8, loc="upper right")
    figure.suptitle(
        "More samples or fewer components get near the truth; a ridge lowers the truth as well"
    )
    return figure


def _mean_and_range(ax: Axes, places: Sequence[int], drawn: Tensor, **look: Any) -> None:
    """The mean of what is drawn (draws, places), and bars from the smallest to the largest."""
    middle, low, high = drawn.mean(0), drawn.amin(0), drawn.amax(0)
    ax.errorbar(places, middle, torch.stack((middle - low, high - middle)), **look)


def draw_dots(rho: Tensor, true_rho: float, samples: int, infinite: bool) -> Figure:
    """20 estimates of I and L, from their correlations (20, dimensions); infinite: all of them
    are."""
    truth = {name: value.item() for name, value in of_pairs(table([true_rho])).items()}
    estimates = {} if infinite else {n: v.sum(-1) for n, v in of_pairs(rho).items()}
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.15, "top": 0.82, "wspace": 0.15}
    grid = margins | {"width_ratios": (2, 3)}
    figure, (left, right) = new_figure(9, 3.4, 2, layout="none", gridspec_kw=grid)
    for place, (name, value) in enumerate(truth.items()):
        left.plot([place - 0.38, place + 0.38], [value] * 2, **PLAIN, linewidth=2, zorder=3)
        left.text(place + 0.4, value, f"{value:.2f}", va="center", fontsize=9)
        _dots(left, place, name, estimates.get(name))
    left.set(xlim=(-0.6, 1.75), ylabel="nats")
    left.set_title("dots: 20 estimates; lines: truth", y=1.0)  # a fixed height is quicker
    left.set_xticks([0, 1], list(truth))
    left.set_ylim(bottom=0, top=2 * truth["L"] + 1 if infinite else None)
    dimensions = rho.shape[1]
    places = range(1, dimensions + 1)
    _mean_and_range(right, places, rho, **STYLES[3])
    dashes = PLAIN | NO_LINE | {"marker": "_", "markersize": 14}
    right.plot(places, [true_rho] + [0.0] * (dimensions - 1), **dashes)
    right.set(ylim=(-0.05, 1.08), yticks=(0, 0.5, 1), ylabel="ρ")
    right.set(xlim=(0.4, max(dimensions, 4) + 0.6), xticks=places[:: 1 if dimensions <= 8 else 3])
    right.set_xlabel("canonical correlation, by size")
    right.set_title("diamonds: mean and range of 20; dashes: truth", y=1.0)
    mean = "infinite" if infinite else f"{estimates['L'].mean():.3g} on average"
    sizes = f"{samples} samples, {dimensions} + {dimensions} dimensions"
    figure.suptitle(f"{sizes}: L is {truth['L']:.2g} nats, its estimate {mean}")
    return figure


def _dots(ax: Axes, place: int, name: str, values: Tensor | None) -> None:
    """20 estimates side by side, or a word where they are infinite."""
    if values is None:
        look = {"color": LOOKS[name]["color"], "ha": "center"}
        height = ax.get_xaxis_transform()
        ax.text(place, 0.8, "all 20 draws\nare infinite", transform=height, **look)
    else:
        jitter = torch.linspace(-0.25, 0.25, 20)
        ax.plot(place + jitter, values, alpha=0.7, **LOOKS[name] | NO_LINE)
