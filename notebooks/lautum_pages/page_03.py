"""The pictures of notebook 03's first half: vectors as pairs, slopes, two pairs during an ascent,
the ridge as noise."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from lautum_utils import gaussian_lautum_information, gaussian_mutual_information
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

from .drawing import normal, table

LOOKS = dict(zip(("L", "I", "I + L"), STYLES, strict=False))
NO_LINE: dict[str, Any] = {"linestyle": "none"}
PLAIN: dict[str, Any] = {"color": "0.45", "linestyle": "-", "marker": ""}  # what a formula says
Path = Sequence[tuple[float, float]]


def of_pairs(rho: Tensor) -> dict[str, Tensor]:
    """I and L of one pair with each of these correlations."""
    cov = torch.stack((torch.ones_like(rho), rho, rho, torch.ones_like(rho)), -1)
    cov = cov.unflatten(-1, (2, 2))
    measures = {"I": gaussian_mutual_information, "L": gaussian_lautum_information}
    return {name: measure(cov, 1, validate_args=False) for name, measure in measures.items()}


def draw_idea() -> Figure:
    """A covariance of two vectors; the same after a linear map of each; its three pairs."""
    rho = table([0.9, 0.6, 0.2])
    inner = torch.cat(
        (
            torch.cat((torch.eye(3), torch.diag(rho)), 1),
            torch.cat((torch.diag(rho), torch.eye(3)), 1),
        )
    ).double()
    mix = torch.block_diag(*(_mixing(seed) for seed in (3, 8)))
    margins = {"left": 0.03, "right": 0.99, "bottom": 0.06, "top": 0.72, "wspace": 0.12}
    widths = margins | {"width_ratios": (1, 1, 2.2)}
    figure, axes = new_figure(10, 3.2, 3, layout="none", gridspec_kw=widths)
    titles = "what we have:\nthe covariance of x and y", "after a linear map of x\nand another of y"
    for ax, matrix, title in zip(axes, (mix @ inner @ mix.mT, inner), titles, strict=False):
        scale = matrix.diagonal().rsqrt()
        _matrix(ax, scale[:, None] * matrix * scale)
        ax.set_title(title, fontsize=10)
    numbers = of_pairs(rho)["L"]
    for place, (r, value) in enumerate(zip(rho.tolist(), numbers.tolist(), strict=True)):
        _ellipse(axes[2], 3 * place, r, LOOKS["L"]["color"])
        axes[2].text(3 * place, -1.75, f"ρ = {r:g}\nL = {value:.2f}", ha="center", va="center")
    _bare(axes[2], (-1.4, 7.4), (-2.3, 1.3))
    axes[2].set_title(f"three pairs, each on its own:\nL = {numbers.sum():.2f} nats", fontsize=10)
    figure.suptitle("Two Gaussian vectors are a list of pairs, and each pair adds one number")
    return figure


def _mixing(seed: int) -> Tensor:
    return normal(Generator().manual_seed(seed), 3, 3)


def _matrix(ax: Axes, matrix: Tensor) -> None:
    ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.grid(False)
    ax.set_xticks([1, 4], ["x", "y"])
    ax.set_yticks([1, 4], ["x", "y"])
    ax.tick_params(length=0)
    ax.axhline(2.5, color="0.5", linewidth=1)
    ax.axvline(2.5, color="0.5", linewidth=1)


def _ellipse(ax: Axes, centre: float, rho: float, colour: str) -> None:
    """Where a pair of variances 1 and correlation rho lies, with the circle of an unrelated one."""
    turn = torch.linspace(0, 2 * math.pi, 61, dtype=torch.float64)
    x, y = turn.cos(), rho * turn.cos() + math.sqrt(1 - rho**2) * turn.sin()
    ax.plot(centre + x, turn.sin(), color="0.6", linewidth=1, linestyle=":", marker="")
    ax.fill(centre + x, y, color=colour, alpha=0.25, linewidth=0)
    ax.plot(centre + x, y, color=colour, linestyle="-", marker="")


def _bare(ax: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    ax.set(xlim=across, ylim=up, aspect="equal")
    ax.axis("off")


def draw_slopes() -> Figure:
    """I, L and their sum against the correlation of one pair, and the slopes of both in t."""
    rho = torch.linspace(0, 0.97, 98, dtype=torch.float64)
    t = rho.square()
    curves = of_pairs(rho)
    curves["I + L"] = curves["I"] + curves["L"]
    slopes = {"L": (1 + t) / (2 * (1 - t) ** 2), "I": 1 / (2 * (1 - t))}
    figure, (left, right) = new_figure(10, 3.6, 2)
    for name, curve in curves.items():
        left.plot(rho, curve, label=name, markevery=12, **LOOKS[name])
    left.axvline(0.6, color="0.6", linewidth=1)
    left.text(0.59, 1.4, "at 0.6:\nL = 0.3394\nI = 0.2231", ha="right")
    left.set(xlabel="correlation ρ", ylabel="nats", ylim=(0, 4), title="L is never below I")
    for name, slope in slopes.items():
        right.plot(t, slope, label=f"d{name}/dt", markevery=12, **LOOKS[name])
    right.set(xlabel="t = ρ²", ylabel="nats per unit of t", yscale="log")
    right.set_title("L pulls much harder on strong correlations")
    left.legend(loc="upper left")
    right.legend()
    return figure


def draw_pairs(paths: Mapping[str, Path], step: int, fixed: str) -> Figure:
    """Two pairs as ellipses after so many steps that climb L, and that climb I; and their whole
    paths of t. paths: by what is climbed, (steps + 1) of the t of the stronger and the weaker."""
    margins = {"left": 0.01, "right": 0.985, "bottom": 0.17, "top": 0.84, "wspace": 0.1}
    widths = margins | {"width_ratios": (2.1, 1)}
    figure, (left, right) = new_figure(10, 3.1, 2, layout="none", gridspec_kw=widths)
    for half, name in enumerate("LI"):
        left.text(7.2 * half + 1.4, 1.35, f"climbing {name}", ha="center", fontsize=10)
        for which, t in enumerate(paths[name][step]):
            centre = 7.2 * half + 2.8 * which
            _ellipse(left, centre, math.sqrt(t), LOOKS[name]["color"])
            left.text(centre, -1.5, f"ρ = {math.sqrt(t):.2f}", ha="center", fontsize=9)
        strong, weak = zip(*paths[name], strict=True)
        right.plot(strong, markevery=40, **LOOKS[name] | {"linestyle": "-"})
        hollow = {"linestyle": ":", "markerfacecolor": "white"}
        right.plot(weak, markevery=40, **LOOKS[name] | hollow)
    _bare(left, (-1.2, 11.2), (-1.9, 1.7))
    right.axvline(step, color="0.6", linewidth=1)
    right.set(xlabel="step (● L, ■ I; hollow: weaker)", xticks=(0, 100, 200), yticks=(0, 0.5, 1))
    right.set_ylim(-0.03, 1.03)
    right.set_title("t = ρ² of both pairs", fontsize=10, y=1.0)  # a fixed height is quicker
    figure.suptitle(_of_ascent(paths, step, fixed))
    return figure


def _of_ascent(paths: Mapping[str, Path], step: int, fixed: str) -> str:
    strong, weak = paths["L"][0]
    kept = f"step {step}, the sum of {fixed} is fixed"
    if strong - weak < 1e-12:
        return f"Equal pairs stay equal ({kept})"
    if fixed == "s":
        return f"Climbing L feeds the stronger pair, climbing I the weaker one ({kept})"
    return f"Both feed the stronger pair, L faster ({kept})"


def draw_ridge(ratio: Tensor, found: Mapping[float, tuple[Tensor, Tensor]]) -> Figure:
    """The squared correlations that samples show under a ridge, and their bound.

    ratio: v / m of each coordinate of z. found: by ridge, ρ² of a deterministic z, and of one that
    is half noise.
    """
    figure, (ax,) = new_figure(7.5, 3.6)
    line = torch.logspace(-2.2, 1, 60, dtype=torch.float64)
    for style, (ridge, (full, hollow)) in zip(STYLES, found.items(), strict=False):
        ax.plot(line, line / (line + ridge), **style | {"marker": ""})
        ax.plot(ratio, full, label=f"ε = {ridge:g}", **style | NO_LINE)
        ax.plot(ratio, hollow, markerfacecolor="white", **style | NO_LINE)
    ax.set(xscale="log", xlim=(0.005, 150), ylim=(0, 1.05), ylabel="ρ²")
    ax.set_xlabel("variance v of a coordinate of z, over the mean variance m")
    ax.set_title("The ridge silences quiet coordinates, and spares loud ones")
    ax.legend(loc="center right", title="curve: v / (v + ε m)\nfull: z = f(x)\nhollow: half noise")
    return figure
