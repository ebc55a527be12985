"""The pictures of notebook 03: slopes and ascents, the ridge as noise, bias, worlds that are not
Gaussian."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

LOOKS = dict(zip(("L", "I", "I + L"), STYLES, strict=False))
NO_LINE: dict[str, Any] = {"linestyle": "none"}
PLAIN: dict[str, Any] = {"color": "0.3", "linestyle": "-", "marker": ""}  # what a formula says


def draw_slopes(
    rho: Tensor, curves: Mapping[str, Tensor], t: Tensor, slopes: Mapping[str, Tensor]
) -> Figure:
    """I, L and their sum against the correlation of one pair, and the slopes of both in t."""
    figure, (left, right) = new_figure(10, 3.6, 2)
    for name, curve in curves.items():
        left.plot(rho, curve, label=name, markevery=12, **LOOKS[name])
    left.axvline(0.6, color="0.6", linewidth=1)
    left.text(0.59, 2.2, "at 0.6:\nL = 0.3394\nI = 0.2231", ha="right")
    left.set(xlabel="correlation ρ", ylabel="nats", ylim=(0, 4), title="L is never below I")
    for name, slope in slopes.items():
        right.plot(t, slope, label=f"d{name}/dt", markevery=12, **LOOKS[name])
    right.set(xlabel="t = ρ²", ylabel="nats per unit of t", yscale="log")
    right.set_title("L pulls much harder on strong correlations")
    left.legend()
    right.legend()
    return figure


def draw_paths(
    paths: Mapping[tuple[str, str], Sequence[tuple[float, float]]],
    shares: Mapping[tuple[str, str], float],
) -> Figure:
    """The squared correlations of two pairs, the stronger one first, step by step; by (what is
    climbed, what is held fixed). shares: what the stronger pair gets of the first gradient."""
    margins = {"left": 0.06, "right": 0.99, "bottom": 0.23, "top": 0.82, "wspace": 0.1}
    figure, axes = new_figure(9, 3.5, 2, layout="none", gridspec_kw=margins)
    for ax, budget in zip(axes, "ts", strict=True):
        for name in "LI":
            strong, weak = zip(*paths[name, budget], strict=True)
            ax.plot(strong, markevery=25, **LOOKS[name] | {"linestyle": "-"})
            hollow = {"linestyle": ":", "markerfacecolor": "white"}
            ax.plot(weak, markevery=25, **LOOKS[name] | hollow)
        parts = ", ".join(f"{shares[name, budget]:.0%} for {name}" for name in "LI")
        title = f"fixed sum of {budget}; stronger gets {parts}"
        ax.set_title(title, fontsize=10, y=1.0)  # a fixed height is quicker
        ax.set(xlabel="step of the ascent", xticks=(0, 100, 200))
        ax.set(ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))
    axes[0].set_ylabel("t = ρ²")
    key = "circles: climbing L; squares: climbing I; full: stronger pair; hollow: weaker pair"
    figure.text(0.5, 0.02, key, ha="center", fontsize=9)
    stronger, weaker = (math.sqrt(t) for t in paths["L", "t"][0])
    finding = "equal pairs stay equal"
    if stronger > weaker:
        finding = "L feeds the stronger pair under both budgets, I under one"
    figure.suptitle(f"From ρ = {stronger:.2g} and {weaker:.2g}: {finding}")
    return figure


def draw_ridge(
    exact: tuple[Tensor, Tensor],
    sampled: Mapping[float, float],
    ratio: Tensor,
    found: Mapping[float, tuple[Tensor, Tensor]],
) -> Figure:
    """L against the ridge, on the covariance and as noise on samples; and the squared correlations
    below their bound.

    exact: ridges, L. sampled: by ridge. ratio: v / m of each coordinate of z. found: by ridge,
    ρ² of a deterministic z, and of one that is half noise.
    """
    figure, (left, right) = new_figure(10, 3.7, 2)
    left.plot(*exact, label="ridge on the covariance", marker="")
    drawn = list(sampled), list(sampled.values())
    left.plot(*drawn, label="noise added to 20,000 samples", **STYLES[1] | NO_LINE)
    left.set(xscale="log", yscale="log", xlabel="ridge ε (fraction of the mean variance of z)")
    left.set(ylabel="L (nats)", title="The ridge and real noise give the same L")
    left.legend()
    line = torch.logspace(-2.2, 1, 60, dtype=torch.float64)
    for style, (ridge, (full, hollow)) in zip(STYLES, found.items(), strict=False):
        right.plot(line, line / (line + ridge), **style | {"marker": ""})
        right.plot(ratio, full, label=f"ε = {ridge:g}", **style | NO_LINE)
        right.plot(ratio, hollow, markerfacecolor="white", **style | NO_LINE)
    right.set(xscale="log", xlim=(0.005, 120), ylim=(0, 1.05), ylabel="ρ²")
    right.set_xlabel("variance v of the coordinate of z, over the mean variance m")
    right.set_title("ρ² never exceeds v / (v + ε m), the curves")
    right.legend(loc="center right", title="full: z = f(x)\nhollow: half noise")
    return figure


def draw_bias(
    sizes: Sequence[int],
    means: Mapping[str, Sequence[float]],
    reach: Mapping[str, Sequence[float]],
    k: int,
    r: int,
    draws: int,
) -> Figure:
    """What samples of independent vectors show on average (95 % intervals), and the formulas."""
    figure, (left, right) = new_figure(10, 3.6, 2)
    line = torch.logspace(math.log10(sizes[0]), math.log10(sizes[-1]), 300, dtype=torch.float64)
    left.plot(line, k * r / (line - 1), label="k r / (n - 1)", **PLAIN)
    left.errorbar(sizes, means["sum"], reach["sum"], label="simulated", **STYLES[0] | NO_LINE)
    left.set(ylabel="mean of the sum of sample ρ²")
    right.plot(line, k * r / (line - k - r - 2), label="k r / (n - k - r - 2), for I + L", **PLAIN)
    for name in ("I + L", "L"):
        look = LOOKS[name] | NO_LINE
        right.errorbar(sizes, means[name], reach[name], label=f"{name}, simulated", **look)
    right.set(ylabel="mean of the estimate (nats)")
    for ax in (left, right):
        ax.set(xscale="log", yscale="log", xlabel="samples n")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.minorticks_off()
        ax.legend()
    figure.suptitle(
        f"Independent z ({k}) and x ({r}), {draws} draws: all that is estimated here is bias"
    )
    return figure


def draw_cures(
    found: Mapping[str, Mapping[str, Tensor]],
    truths: Mapping[str, Sequence[float]],
    axes_of: Mapping[str, tuple[str, Sequence[float]]],
) -> Figure:
    """Estimates of L against the setting of each cure: means, and from the smallest to the largest.

    found: by cure and data, (settings, draws). axes_of: by cure, its name and its settings.
    """
    margins = {"left": 0.075, "right": 0.99, "bottom": 0.14, "top": 0.82, "wspace": 0.08}
    figure, axes = new_figure(10, 3.7, 4, layout="none", sharey=True, gridspec_kw=margins)
    for ax, (title, (label, settings)) in zip(axes, axes_of.items(), strict=True):
        places = range(len(settings))
        for what, estimates in found[title].items():
            _mean_and_range(ax, places, estimates.mT, label=what)
        ax.plot(places, truths[title], label="truth at ρ = 0.9", **PLAIN)
        ax.set_xticks(places, [f"{value:g}" for value in settings])
        ax.set(yscale="log", xlabel=label, title=title)
    axes[0].set_ylabel("estimated L (nats)")
    axes[0].legend(fontsize=8, loc="lower left")
    figure.suptitle(
        "More samples or fewer components get near the truth; a ridge lowers the truth as well"
    )
    return figure


def _mean_and_range(ax: Axes, places: Sequence[int], drawn: Tensor, **look: Any) -> None:
    """The mean of what is drawn (draws, places), and bars from the smallest to the largest."""
    middle, low, high = drawn.mean(0), drawn.amin(0), drawn.amax(0)
    ax.errorbar(places, middle, torch.stack((middle - low, high - middle)), **look)


def draw_dots(
    truth: Mapping[str, float],
    estimates: Mapping[str, Tensor] | None,
    rho: Tensor,
    true_rho: float,
    samples: int,
) -> Figure:
    """20 estimates of I and L, and their correlations (20, dimensions); None: all are infinite."""
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.15, "top": 0.82, "wspace": 0.15}
    grid = margins | {"width_ratios": (2, 3)}
    figure, (left, right) = new_figure(9, 3.4, 2, layout="none", gridspec_kw=grid)
    for place, (name, value) in enumerate(truth.items()):
        left.plot([place - 0.38, place + 0.38], [value] * 2, **PLAIN, linewidth=2, zorder=3)
        left.text(place + 0.4, value, f"{value:.2f}", va="center", fontsize=9)
        _dots(left, place, name, None if estimates is None else estimates[name])
    left.set(xlim=(-0.6, 1.75), ylabel="nats")
    left.set_title("dots: 20 estimates; lines: truth", y=1.0)  # a fixed height is quicker
    left.set_xticks([0, 1], list(truth))
    left.set_ylim(bottom=0, top=None if estimates else 2 * truth["L"] + 1)
    dimensions = rho.shape[1]
    places = range(1, dimensions + 1)
    _mean_and_range(right, places, rho, **STYLES[3])
    dashes = PLAIN | NO_LINE | {"marker": "_", "markersize": 14}
    right.plot(places, [true_rho] + [0.0] * (dimensions - 1), **dashes)
    right.set(ylim=(-0.05, 1.08), yticks=(0, 0.5, 1), ylabel="ρ")
    right.set(xlim=(0.4, max(dimensions, 4) + 0.6), xticks=places[:: 1 if dimensions <= 8 else 3])
    right.set_xlabel("canonical correlation, by size")
    right.set_title("diamonds: mean and range of 20; dashes: truth", y=1.0)
    mean = f"{estimates['L'].mean():.3g} on average" if estimates else "infinite"
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


def draw_worlds(rows: pd.DataFrame, samples: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Samples of each world, with its Gaussian and its true L."""
    figure, axes = new_figure(10, 2.9, len(samples))
    for ax, (name, (x, y)) in zip(axes, samples.items(), strict=True):
        ax.scatter(x, y, s=4, color=STYLES[0]["color"], alpha=0.5)
        gaussian, true = rows.loc[name, "L, Gaussian"], rows.loc[name, "L, true"]
        ax.set_title(f"{name}\nGaussian L {gaussian:.2f}\ntrue L {true:.2f}", fontsize=10)
        ax.set_xlabel("x")
    axes[0].set_ylabel("y")
    figure.suptitle("Only for the line is the Gaussian value right (nats; dots are 600 samples)")
    return figure
