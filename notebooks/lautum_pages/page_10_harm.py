"""The pictures of notebook 10, sections 3 and 4: what the Gaussian value misses, and harm."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

NO_LINE: dict[str, Any] = {"linestyle": "none"}


def draw_pairs(pairs: Mapping[str, tuple[Tensor, Tensor]], found: pd.DataFrame) -> Figure:
    """Samples (u, z) of each pair, under what each estimate finds in it; squares where u_2 < 0.

    found: a row for each pair with true L, Gaussian, neural (nats), HSIC and p.
    """
    figure, axes = new_figure(11, 3.3, len(pairs))
    for ax, (name, (u, z)) in zip(axes, pairs.items(), strict=True):
        u, z = u[:600], z[:600, 0]
        for part in (u[:, 1] >= 0, u[:, 1] < 0):
            ax.plot(u[part, 0], z[part], linestyle="none", markersize=2, alpha=0.5)
        row = found.loc[name]
        ax.set_title(
            f"{name}: true L {row['true L']:.2f}\nGaussian {row['Gaussian']:.2f}\n"
            f"neural {row['neural']:.2f}\nHSIC {row['HSIC']:.2f}, p {row['p']:.3f}",
            fontsize=10,
        )
        ax.set_xlabel("u₁ (squares: u₂ < 0)" if name == "product" else "u")
    axes[0].set_ylabel("z")
    figure.suptitle("Without a line the Gaussian value is about 0; a kernel or a network sees more")
    return figure


def draw_bounds(truth: Tensor, bounds: Mapping[str, Tensor], scored: int) -> Figure:
    """Neural bounds of L against the truth, in nats: the mean and the range of several draws.

    bounds: by how the critic was trained, (pairs, draws). scored: samples that it is scored on.
    """
    figure, (ax,) = new_figure(7, 3.8)
    ax.plot([0.2, 30], [0.2, 30], color="0.3", marker="", label="truth (closed form)")
    styles = zip((0.97, 1.03), STYLES, bounds.items(), strict=False)
    for aside, style, (name, values) in styles:
        middle, low, high = values.mean(1), values.amin(1), values.amax(1)
        reach = np.stack((middle - low, high - middle))
        ax.errorbar(truth * aside, middle, reach, capsize=4, label=name, **style | NO_LINE)
    ax.axhline(math.log(scored), color="0.3", linestyle=":")
    ax.text(0.2, math.log(scored) * 1.1, f"log {scored} (scored samples)", fontsize=9)
    ax.set(xscale="log", yscale="log", ylim=(0.1, 40))
    ax.set(xlabel="true L (nats)", ylabel="neural bound (nats)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    ax.minorticks_off()
    draws = next(iter(bounds.values())).shape[1]
    ax.set_title(f"The larger L, the more is missing (bars: range of {draws} draws)")
    ax.legend(loc="lower right")
    return figure


def draw_read_outs(
    found: Mapping[int, Mapping[str, pd.DataFrame]], alone: Mapping[int, float], title: str
) -> Figure:
    """Accuracy (percent) of each read-out, with and without the regularizer, and of the components
    alone.

    found: by number of labels, then by network: a row for each seed, a column for each read-out.
    """
    figure, axes = new_figure(10.5, 3.4, 2, sharey=True)
    for ax, (labels, networks) in zip(axes, found.items(), strict=True):
        for aside, (name, accuracy) in zip((-0.08, 0.08), networks.items(), strict=True):
            points = [interval(100 * accuracy[read_out]) for read_out in accuracy]
            places = [place + aside for place in range(len(points))]
            means, reach = [p.mean for p in points], [p.reach for p in points]
            ax.errorbar(places, means, reach, capsize=4, label=name, linestyle="none")
        ax.set_xticks(range(len(accuracy.columns)), list(accuracy))
        ax.set(xlim=(-0.5, len(points) - 0.5), ylim=(0, 100), title=f"{labels} labels")
        ax.axhline(alone[labels], color="0.3", linestyle=":")
        ax.text(-0.45, alone[labels] + 2, "linear, u alone: no network", fontsize=9)
    axes[0].set_ylabel("target test accuracy (%)")
    axes[1].legend(loc="lower right")
    figure.suptitle(title)
    return figure


def draw_gains_by_shift(gains: pd.DataFrame, title: str) -> Figure:
    """Gains in points, a row for each shift, a column for each severity: orange is harm, bold where
    the interval excludes 0.

    gains: a row for each shift and severity (its index), with gain, low and high, fractions.
    """
    margins = {"left": 0.17, "right": 0.97, "bottom": 0.14, "top": 0.88}
    figure, (ax,) = new_figure(8, 3.7, layout="none", gridspec_kw=margins)
    table = 100 * gains.gain.unstack()
    ax.imshow(table, cmap="PuOr", vmin=-30, vmax=30, aspect="auto")
    for (shift, severity), row in gains.iterrows():
        ax.text(
            table.columns.get_loc(severity),
            table.index.get_loc(shift),
            f"{100 * row.gain:+.0f}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if abs(row.gain) > 0.2 else "black",
            weight="bold" if row.low > 0 or row.high < 0 else "normal",
        )
    ax.set_yticks(range(len(table)), [name.replace("_", " ") for name in table.index])
    ax.set_xticks(range(len(table.columns)), [f"{v:g}" for v in table.columns])
    ax.set_xlabel("severity")
    ax.grid(False)
    ax.set_title(title, y=1.0)
    return figure


def draw_headroom(gains: Mapping[float, pd.DataFrame], title: str) -> Figure:
    """Gain over weight 0 against headroom (points), with intervals: a panel for each weight, a mark
    for each shift.

    gains: by weight; columns shift, headroom, gain, low (points).
    """
    figure, axes = new_figure(10, 4, 2, sharey=True)
    ticks = [-30, -10, -5, 0, 5, 10, 30]
    for ax, (weight, table) in zip(axes, gains.items(), strict=False):
        for number, (shift, rows) in enumerate(table.groupby("shift", sort=False)):
            look = NO_LINE | ({"markerfacecolor": "white"} if number >= len(STYLES) else {})
            name, reach = str(shift).replace("_", " "), rows.gain - rows.low
            ax.errorbar(rows.headroom, rows.gain, reach, label=name, **look)
        ax.axhline(0, color="0.3", linewidth=1)
        ax.axvline(0, color="0.3", linewidth=1)
        ax.set_xscale("symlog", linthresh=5)
        ax.set_yscale("symlog", linthresh=5)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
        ax.minorticks_off()
        ax.set(xlabel="headroom (points)", title=f"weight {weight:g}", xlim=(-60, 80))
    axes[0].set_ylabel("gain over weight 0 (points)")
    axes[0].legend(fontsize=8, loc="lower right", ncols=2)
    figure.suptitle(title)
    return figure
