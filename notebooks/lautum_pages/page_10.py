"""The pictures of notebook 10 about infinite information and its price."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lautum_utils.finite_world import Learned
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

NO_LINE: dict[str, Any] = {"linestyle": "none"}


def draw_paradox(
    bins: Sequence[int], binned: Mapping[str, Mapping[float, Sequence[float]]]
) -> Figure:
    """I and L of binned pairs against the number of bins on one scale, a line for each noise.

    binned : by "I" and "L", then by noise. Thin lines: the values without bins.
    """
    figure, axes = new_figure(9, 3.6, 2, sharey=True)
    for ax, (name, curves) in zip(axes, binned.items(), strict=True):
        for noise, curve in curves.items():
            if np.isfinite(curve).all():
                (line,) = ax.plot(bins, curve, label=f"σ = {noise:g}")
                _mark_exact(ax, noise, line.get_color(), of_lautum=name == "L")
        ax.set(xscale="log", xlabel="bins m of x, and of z", ylim=(0, 27))
        ax.set_xticks([2, 8, 32, 128], ["2", "8", "32", "128"])
        ax.minorticks_off()
    axes[0].set(ylabel="nats", title="I without noise: log m, it grows slowly")
    axes[0].legend(loc="upper left")
    at_once = "infinite" if all(map(math.isinf, binned["L"][0.0])) else "finite"
    axes[1].set_title(f"L without noise: {at_once}, from 2 bins on")
    figure.suptitle("Less noise, more information: I creeps, L runs")
    return figure


def _mark_exact(ax: Axes, noise: float, colour: Any, of_lautum: bool) -> None:
    """A thin line at the value without bins, where it is finite."""
    if noise > 0:
        information = math.log1p(noise**-2) / 2
        exact = noise**-2 - information if of_lautum else information
        ax.axhline(exact, color=colour, linewidth=1, alpha=0.5)


def draw_channel(measured: pd.DataFrame, images: int) -> Figure:
    """Against the ridge, without and with the regularizer: the Gaussian I + L and the true I.

    measured : columns network, ridge, "% of k/ε" and "true I" (nats).
    """
    figure, (left, right) = new_figure(9, 3.4, 2)
    for name, values in measured.groupby("network", sort=False):
        left.plot(values.ridge, values["% of k/ε"], label=name)
        right.plot(values.ridge, values["true I"], label=name)
    most = math.log(images)
    right.axhline(most, color="0.5", linestyle=":")
    right.text(measured.ridge.min(), most + 0.3, f"log {images}: it knows the image", fontsize=9)
    left.set(title="what the Gaussian value reaches", ylabel="% of k/ε", ylim=(0, 105))
    right.set(title="what z + noise truly tells", ylabel="true I (nats)", ylim=(0, most + 1.2))
    for ax in (left, right):
        ax.set(xscale="log", xlabel="ridge ε")
    left.legend(loc="lower right")
    figure.suptitle(
        "The regularizer makes features linear in the inputs, and louder than the noise"
    )
    return figure


def draw_price_along_gamma(
    path: Sequence[Learned], curves: Mapping[str, Sequence[float]], gammas: Sequence[float], at: int
) -> Figure:
    """The gap of test and training loss, made of I and L, and L of a dataset, an example, an input,
    against the inverse temperature; the chosen one is marked."""
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.16, "top": 0.84, "wspace": 0.22}
    figure, (left, right) = new_figure(10, 3.5, 2, layout="none", gridspec_kw=margins)
    places = range(len(gammas))  # plain axes with ticks of our own: they draw faster
    parts = [
        [one.mutual_information / one.gamma for one in path],
        [one.lautum_information / one.gamma for one in path],
    ]
    colours = [STYLES[5]["color"], STYLES[4]["color"]]
    shapes = left.stackplot(places, parts, labels=["I / (aγ)", "L / (aγ)"], colors=colours)
    shapes[1].set_hatch("//")
    gaps = [one.test_loss - one.train_loss for one in path]
    left.plot(places, gaps, label="test - train", **STYLES[6] | NO_LINE)
    left.set(ylabel="nats", ylim=(0, 1), yticks=(0, 0.5, 1))
    left.set_title("the gap on the target, stacked", fontsize=10, y=1.0)
    for name, values in curves.items():
        right.plot(places, np.log10(values), label=name)
    right.set(ylim=(-4, 2), ylabel="nats")
    right.set_yticks([-4, -2, 0, 2], ["0.0001", "0.01", "1", "100"])
    right.set_title("L of a dataset, and of an input alone", fontsize=10, y=1.0)
    for ax in (left, right):
        ax.set(xlabel="γ", xlim=(0, len(gammas) - 1))
        ax.set_xticks(places, [f"{v:g}" for v in gammas])
        ax.axvline(at, color="0.5", linewidth=1)
        ax.legend(fontsize=8, loc="upper left")
    here = path[at]
    share = here.lautum_information / (here.lautum_information + here.mutual_information)
    figure.suptitle(
        f"γ = {gammas[at]:g}: gap {gaps[at]:.3f} nats, {share:.0%} of it Lautum; "
        f"test loss {here.test_loss:.3f}"
    )
    return figure
