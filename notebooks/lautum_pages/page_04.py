"""Notebook 04: its small networks; the pictures of true and wrong pairs, the ascent, failures."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from lautum_utils import Results
from lautum_utils.training.layers import StackedLinear
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

MARGINS = {"left": 0.07, "right": 0.99, "bottom": 0.15, "top": 0.8}
REFERENCE: dict[str, Any] = {"color": "0.5", "linestyle": ":", "marker": ""}  # what is expected


class Pairing(NamedTuple):
    """What is measured on pairs of features and images."""

    rho: Tensor  # canonical correlations, largest first
    value: float  # L in nats
    norm: float  # of the gradient


def small_networks(
    models: int, d: int, k: int, seed: int
) -> tuple[list[nn.Parameter], Callable[[Tensor], Any]]:
    """d -> 64 ReLU -> k, networks side by side: their parameters, and features of images (n, d),
    (models, n, k)."""
    seeds = [Generator().manual_seed(seed + model) for model in range(models)]
    hidden, output = StackedLinear(d, 64, seeds).double(), StackedLinear(64, k, seeds).double()
    parameters = [*hidden.parameters(), *output.parameters()]
    return parameters, lambda images: output(hidden(images.expand(models, *images.shape)).relu())


def draw_pairings(right_pairs: Pairing, wrong_pairs: Pairing, settings: str) -> Figure:
    """Correlations, value and gradient for true and for wrong pairs, under these settings."""
    grid = MARGINS | {"top": 0.83, "wspace": 0.2, "width_ratios": (3, 2)}
    figure, (left, right) = new_figure(8.5, 3, 2, layout="none", gridspec_kw=grid)
    named = {"● true pairs": right_pairs, "■ wrong pairs": wrong_pairs}
    for shift, style, (name, found) in zip((-0.22, 0.22), STYLES, named.items(), strict=False):
        left.plot(range(1, len(found.rho) + 1), found.rho, **style)
        key = {"color": style["color"], "ha": "center"}
        left.text(0.5 + 2 * shift, 1.02, name, transform=left.transAxes, **key)
        for column, number in enumerate((found.value, found.norm)):
            right.plot([column + shift], [_height(number)], markersize=10, **style)
            place = column + shift, _height(number)
            right.text(*place, f"{short(number)}\n", ha="center", va="bottom", fontsize=9)
    ranks = len(right_pairs.rho)
    left.set(ylim=(-0.03, 1.05), yticks=[0, 0.5, 1], xticks=range(1, ranks + 1, 1 + ranks // 5))
    left.set_xlabel("canonical correlation, largest first")
    heights = [_height(number) for found in named.values() for number in found[1:]]
    _decades(right, heights)
    right.set_xlim(-0.5, 1.5)
    right.set_xticks([0, 1], ["value (nats)", "norm of the gradient"])
    true, wrong = right_pairs.value, wrong_pairs.value
    percent = 100 * wrong / true if true > 0 else 100
    share = f"{percent:.0f} % of it" if percent >= 0.5 else "less than 1 % of it"
    figure.suptitle(f"{settings}: true pairs {short(true)} nats, wrong pairs {share}")
    return figure


def short(number: float) -> str:
    """A number in few characters."""
    if number >= 1e5:
        return f"{number:.0e}".replace("+", "")
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"


def _height(number: float) -> float:
    """Where a number stands on the axis of `_decades`."""
    return math.log10(max(number, 1e-3))


def _decades(ax: Axes, heights: Sequence[float]) -> None:
    """A logarithmic axis by hand: matplotlib's own takes too long for a slider."""
    low, high = math.floor(min(heights)), max(math.ceil(max(heights)), 1)
    ax.set_ylim(low - 0.3, high + 0.3 * (high - low))
    ticks = range(low, high + 1, 1 + (high - low) // 4)
    ax.set_yticks(ticks, [f"{10.0**tick:g}".replace("+", "") for tick in ticks])


def draw_ascent(spectra: Mapping[int, Tensor], curve: Mapping[int, float], bound: float) -> Figure:
    """The canonical correlations (and their terms) after so many steps, and L at each step."""
    grid = MARGINS | {"wspace": 0.3}
    figure, (left, middle, right) = new_figure(10, 3.2, 3, layout="none", gridspec_kw=grid)
    for step, rho in spectra.items():
        ranks, squared = range(1, len(rho) + 1), rho.square()
        left.plot(ranks, rho, label=f"step {step}")
        middle.semilogy(ranks, squared / (1 - squared).clamp_min(1e-15))
    right.plot(list(curve), list(curve.values()))
    if math.isfinite(bound):
        right.axhline(bound, color="0.5", linestyle="--")
        style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": 9}
        right.annotate("bound k / ridge", (max(curve), bound), (0, -14), **style)
    left.set(title="canonical correlation", xlabel="rank, largest first", ylim=(0, 1.05))
    middle.set(title="its term $\\rho^2 / (1 - \\rho^2)$", xlabel="rank, largest first")
    right.set(title="L of all images (nats)", xlabel="step")
    right.set_ylim(bottom=0)
    left.legend(loc="lower left")
    figure.suptitle(
        "Ascent of L alone: all correlations rise at first, then the strongest take all"
    )
    return figure


def draw_explosion(
    scales: Sequence[float], found: Mapping[str, Sequence[tuple[float, float, float]]]
) -> Figure:
    """Value and gradient without and with a ridge as the noise goes to 0, and what float32 makes of
    the value. found: by version, for each scale the value, the norm of the gradient, and the
    float32 value over this one."""
    grid = MARGINS | {"wspace": 0.3}
    figure, axes = new_figure(10, 3.3, 3, layout="none", gridspec_kw=grid)
    for style, (name, rows) in zip(STYLES, found.items(), strict=False):
        values, norms, ratios = zip(*rows, strict=True)
        if name != "inverses":
            label = "no ridge" if name == "Cholesky" else name
            axes[0].loglog(scales, values, label=label, **style)
            axes[1].loglog(scales, norms, **style)
        axes[2].semilogx(scales, [_clipped(ratio) for ratio in ratios], label=name, **style)
    axes[2].set_yticks([-0.6, 0, 0.5, 1], ["NaN", "0", "0.5", "1"])
    titles = "value (nats)", "norm of the gradient", "float32 value / float64 value"
    for ax, title in zip(axes, titles, strict=True):
        ax.invert_xaxis()
        ax.set(title=title, xlabel="standard deviation of the noise")
    axes[0].legend()
    axes[2].set_ylim(-0.7, 3.2)
    axes[2].legend(loc="upper left")
    figure.suptitle("Without a ridge, value and gradient explode, and float32 returns nonsense")
    return figure


def _clipped(ratio: float) -> float:
    """A ratio, near enough to 1 to be drawn; -0.6 for NaN."""
    return -0.6 if math.isnan(ratio) else min(max(ratio, -0.4), 1.6)


def draw_small_batches(
    sizes: Sequence[int],
    values: Mapping[str, Sequence[float]],
    expected: Sequence[float],
    spectra: Sequence[Tensor],
    edge: int,
) -> Figure:
    """L of independent z and u against the rows in the batch, and their sample correlations.

    expected: k r / 2 (n - 1). edge: k + r.
    """
    figure, (left, right) = new_figure(10, 3.4, 2, layout="none", gridspec_kw=MARGINS)
    for name, curve in values.items():
        left.loglog(sizes, [max(value, 1e-4) for value in curve], label=name)
    left.loglog(sizes, expected, label="$k r / 2 (n-1)$", **REFERENCE)
    right.semilogx(sizes, [rho[0] for rho in spectra], label="largest")
    right.semilogx(sizes, [rho.square().mean().sqrt() for rho in spectra], label="root mean square")
    for ax in (left, right):
        ax.axvline(edge, color="0.75", linewidth=5, zorder=0)
        ax.set_xlabel(f"rows in the batch, n (grey bar: k + r = {edge})")
        ax.legend()
    left.set_title("L of independent z and u (nats)")
    right.set_title("their sample correlations, no ridge")
    figure.suptitle("In a small batch, independence looks like perfect dependence")
    return figure


def draw_weights(results: Results) -> Figure:
    """Source accuracy and cross-entropy against the weight, with L of the features and of the
    logits."""
    figure, (left, right) = new_figure(10, 3.3, 2, layout="none", gridspec_kw=MARGINS)
    strengths = results.values("strength")
    places = range(len(strengths))
    for layer in results.values("layer"):
        group = results.where(layer=layer)
        left.plot(places, [100 * r.source_accuracy for r in group], label=f"L of the {layer}")
        right.plot(places, [r.history["loss"][-1] for r in group])
    worst = math.log(10)
    for ax, level, text in ((left, 10, "chance"), (right, worst, "guessing all ten alike, log 10")):
        ax.axhline(level, color="0.5", linestyle=":")
        ax.annotate(text, (0, level), (0, 4), textcoords="offset points", fontsize=9)
        ax.set_xticks(places, [f"{s:g}" for s in strengths])
        ax.set_xlabel("regularization weight")
        ax.set_ylim(bottom=0)
    left.set_title("source test accuracy (%)")
    right.set_title("cross-entropy of the last source batch (nats)")
    left.legend()
    figure.suptitle("Too much weight costs accuracy on features, and everything on logits")
    return figure
