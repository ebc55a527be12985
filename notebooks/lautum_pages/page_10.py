"""The pictures of notebook 10, sections 1 and 2: the paradox and the tension."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Interval
from lautum_utils.finite_world import Learned
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

NO_LINE: dict[str, Any] = {"linestyle": "none"}


def draw_paradox(
    bins: Sequence[int],
    information: Mapping[float, Sequence[float]],
    lautum: Mapping[float, Sequence[float]],
    sigma: Tensor,
    exact_information: Tensor,
    exact_lautum: Tensor,
) -> Figure:
    """I and L of binned pairs against the number of bins, a line for each noise; without bins
    against the noise."""
    figure, (left, middle, right) = new_figure(11, 3.5, 3)
    for ax, values in ((left, information), (middle, lautum)):
        for noise, curve in values.items():
            if np.isfinite(curve).all():
                (line,) = ax.plot(bins, curve, label=f"σ = {noise:g}")
                _mark_exact(ax, noise, line.get_color(), of_lautum=ax is middle)
        ax.set(xscale="log", xlabel="bins m of x, and of z")
        ax.set_xticks([2, 8, 32, 128], ["2", "8", "32", "128"])
        ax.minorticks_off()
    without_noise = "infinite" if all(map(math.isinf, lautum[0.0])) else "finite"
    middle.text(0.03, 0.93, f"σ = 0: {without_noise} from 2 bins on", transform=middle.transAxes)
    left.set(ylabel="nats", title="I: without noise it is log m")
    middle.set(title="L: without noise infinite at once", ylim=(0, 27))
    right.plot(sigma, exact_lautum, label="L = 1/σ² - I", marker="")
    right.plot(sigma, exact_information, label="I = ½ log(1 + 1/σ²)", marker="")
    right.set(xscale="log", yscale="log", xlabel="noise σ", title="Without bins, as the noise goes")
    for ax in (left, right):
        ax.legend()
    return figure


def _mark_exact(ax: Axes, noise: float, colour: Any, of_lautum: bool) -> None:
    """A thin line at the value without bins, where it is finite."""
    if noise > 0:
        information = math.log1p(noise**-2) / 2
        exact = noise**-2 - information if of_lautum else information
        ax.axhline(exact, color=colour, linewidth=1, alpha=0.5)


def draw_channel(
    parts: Mapping[str, Mapping[float, float]],
    information: Mapping[str, Mapping[float, float]],
    changes: Mapping[str, Interval],
    weight: float,
    images: int,
) -> Figure:
    """Without and with the regularizer, against the ridge: the Gaussian I + L (percent of k/ε), the
    true I; at ridge 1, what the weight changes.

    parts, information: by network, then by ridge. changes: by quantity, in nats.
    """
    figure, (left, middle, right) = new_figure(11, 3.5, 3)
    for ax, curves in ((left, parts), (middle, information)):
        for name, curve in curves.items():
            ax.plot(list(curve), list(curve.values()), label=name)
        ax.set(xscale="log", xlabel="ridge ε")
        ax.legend(loc="lower left" if ax is middle else "lower right")
    most = math.log(images)
    middle.axhline(most, color="0.3", linestyle=":")
    smallest = min(next(iter(information.values())))
    middle.text(smallest, most + 0.35, f"log {images}: it knows the image", fontsize=9)
    left.set(title="Gaussian I + L, in % of k/ε", ylim=(0, 105))
    middle.set(title="true I of z + noise (nats)", ylim=(0, most + 1.2))
    for place, change in enumerate(changes.values()):
        right.errorbar([change.mean], [-place], xerr=[change.reach], capsize=4, linestyle="none")
        right.text(change.mean, 0.2 - place, f"{change.mean:+.2f}", ha="center", fontsize=9)
    right.axvline(0, color="0.3", linewidth=1)
    right.set_yticks([-place for place in range(len(changes))], list(changes))
    right.margins(x=0.12)
    right.set(ylim=(-3.5, 0.6), xlabel="nats", title=f"ε = 1: what weight {weight:g} changes")
    figure.suptitle(
        "The regularizer makes features linear in the inputs; the true L of z + noise falls"
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
    right.set_title("dataset, labelled example, input alone", fontsize=10, y=1.0)
    for ax in (left, right):
        ax.set(xlabel="γ", xlim=(0, len(gammas) - 1))
        ax.set_xticks(places, [f"{v:g}" for v in gammas])
        ax.axvline(at, color="0.4", linewidth=1)
        ax.legend(fontsize=8, loc="upper left")
    here = path[at]
    share = here.lautum_information / (here.lautum_information + here.mutual_information)
    figure.suptitle(
        f"γ = {gammas[at]:g}: gap {gaps[at]:.3f} nats, {share:.0%} of it Lautum; "
        f"test loss {here.test_loss:.3f}"
    )
    return figure


def draw_pushed(changes: pd.DataFrame) -> Figure:
    """How test loss, L(W;Z) and R change where L(W;X) is pushed up: a dot a world, squares where it
    rises."""
    figure, axes = new_figure(10.5, 3.4, 3)
    rise = changes["L(W;X)"]
    for ax, name in zip(axes, ("test loss", "L(W;Z)", "R"), strict=True):
        change, falls = changes[name], changes[name] < 0
        for chosen in (falls, ~falls):
            ax.plot(rise[chosen], change[chosen], linestyle="none", markersize=4, alpha=0.6)
        ax.axhline(0, color="0.3", linewidth=1)
        ax.set_xscale("log")
        ax.set_yscale("symlog", linthresh=1e-3)
        reach = 2 * change.abs().max()
        ax.set(xlabel="rise of L(W;X) (nats)", ylim=(-reach, reach))
        ax.set_title(f"{name}: falls in {falls.sum()}, rises in {(~falls).sum()}")
    axes[0].set_ylabel("change (nats)")
    figure.suptitle(f"L(W;X) pushed up in {len(changes)} random worlds: nothing else stays put")
    return figure
