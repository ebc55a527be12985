"""The pictures of notebook 10 about what competes, what is not seen, and where it harms."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Results, interval, read_record
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

NO_LINE: dict[str, Any] = {"linestyle": "none"}
PLACE = ["shift", "severity"]
SEVERITIES = (0.0, 0.4, 1.0)


@cache
def _recorded() -> Results:
    return Results(read_record()[0].values())


@cache
def beside_the_line(weight: float | None, labels: int, protocol: str) -> pd.DataFrame:
    """What the record of digits to letters says of each shift, in points: a row a place, those
    first where the components lead weight 0 the most.

    weight : of Lautum; None is the one that validation data chooses at each place. Columns: control
    (weight 0), ours, line (a linear classifier on the components), low and high of ours minus
    line, harm (ours clearly below the control).
    """
    record = _recorded().where(labels=labels, severity=SEVERITIES)
    lautum = record.where(method="lautum", protocol=protocol)
    over_control, over_line = (
        table[table.chosen if weight is None else table.strength == weight].set_index(PLACE)
        for table in (lautum.gain(), lautum.gain(record.where(method="components")))
    )
    ours = 100 * over_control.accuracy
    found = pd.DataFrame({"control": ours - 100 * over_control.gain, "ours": ours})
    found["line"] = ours - 100 * over_line.gain
    found["low"], found["high"] = 100 * over_line.low, 100 * over_line.high
    found["harm"] = over_control.high < 0
    return found.loc[(found.line - found.control).sort_values(ascending=False).index]


def draw_pixel_line(
    weight: float | None = None, labels: int = 200, protocol: str = "probe"
) -> Figure:
    """Target accuracy at weight 0, with Lautum, and of the principal components without a network,
    a row a shift; orange where Lautum is clearly below weight 0."""
    found = beside_the_line(weight, labels, protocol)
    margins = {"left": 0.2, "right": 0.98, "bottom": 0.2, "top": 0.86}
    figure, (ax,) = new_figure(9, 5.2, layout="none", gridspec_kw=margins)
    rows = [-row for row in range(len(found))]
    colours = [STYLES[1]["color"] if harm else "0.7" for harm in found.harm]
    ax.hlines(rows, found.control, found.ours, colors=colours, linewidth=3, zorder=1)
    told = "chosen on validation data" if weight is None else f"weight {weight:g}"
    ax.plot(found.control, rows, label="weight 0", **STYLES[0] | NO_LINE)
    ax.plot(found.ours, rows, label=f"Lautum, {told}", **STYLES[1] | NO_LINE)
    named = "principal components, no network"
    ax.plot(found.line, rows, label=named, **STYLES[2] | NO_LINE | {"markersize": 8})
    ax.set_yticks(rows, [_named(*place) for place in found.index])
    ax.set(xlim=(0, 102), xlabel=f"target test accuracy (%), {protocol}, {labels} labels")
    figure.legend(loc="lower center", ncols=3)
    above, below = (found.low > 0).sum(), (found.high < 0).sum()
    harm = f";\nLautum clearly harms in {found.harm.sum()} (orange)" if found.harm.any() else ""
    figure.suptitle(
        f"No network at all is clearly better than Lautum in {below} of {len(found)} settings, "
        f"clearly worse in {above}{harm}"
    )
    return figure


def _named(shift: str, severity: float) -> str:
    return "no shift" if shift == "none" else f"{shift.replace('_', ' ')} {severity:g}"


def draw_read_outs(found: pd.DataFrame, where: str) -> Figure:
    """Accuracy (percent) of read-outs against that of the components alone, with intervals.

    found : a row for each network and seed, columns network, components, and the read-outs
    (fractions). where : the task and labels, for the title.
    """
    figure, (ax,) = new_figure(8, 3.6)
    line = 100 * found.components.mean()
    read_outs = found.drop(columns="components").groupby("network", sort=False)
    for aside, (name, group) in zip((-0.08, 0.08), read_outs, strict=True):
        points = [interval((100 * group[column]).tolist()) for column in group.columns[:-1]]
        places = [place + aside for place in range(len(points))]
        means, reach = [p.mean for p in points], [p.reach for p in points]
        ax.errorbar(places, means, reach, capsize=4, label=name, linestyle="none")
    ax.axhline(line, color="0.5", linestyle=":")
    ax.text(-0.45, line + 2, "components alone, no network", fontsize=9)
    ax.set_xticks(range(len(points)), list(group.columns[:-1]))
    ax.set(xlim=(-0.5, len(points) - 0.5), ylim=(0, 100), ylabel="target test accuracy (%)")
    figure.legend(loc="outside lower center", ncols=2)
    best = 100 * max(group[group.columns[:2]].mean().max() for _, group in read_outs)
    told = f"Read off the features: {best:.0f} % at most; off the components alone: {line:.0f} %"
    ax.set_title(f"{told} ({where})")
    return figure


def draw_pairs(pairs: Mapping[str, tuple[Tensor, Tensor]], found: pd.DataFrame) -> Figure:
    """Samples (u, z) of each pair, under what is found in it; squares where u_2 < 0.

    found : a row for each pair with true L, Gaussian (nats), HSIC and p.
    """
    figure, axes = new_figure(11, 3.2, len(pairs), sharey=True)
    for ax, (name, (u, z)) in zip(axes, pairs.items(), strict=True):
        _draw_pair(ax, u[:600], z[:600, 0])
        row = found.loc[name]
        ax.set_title(
            f"{name}: true L {row['true L']:.2f}\nGaussian value {row['Gaussian']:.2f}\n"
            f"HSIC {row['HSIC']:.2f}, p = {row['p']:.3f}",
            fontsize=10,
        )
        ax.set(xlabel="u₁ (squares: u₂ < 0)" if name == "product" else "u", ylim=(-4.5, 4.5))
    axes[0].set_ylabel("z")
    figure.suptitle(
        "Five dependent pairs: the Gaussian value sees the line alone, a kernel sees all"
    )
    return figure


def _draw_pair(ax: Axes, u: Tensor, z: Tensor) -> None:
    for part in (u[:, -1] >= 0, u[:, -1] < 0) if u.shape[1] > 1 else (slice(None),):
        ax.plot(u[part, 0], z[part], linestyle="none", markersize=2, alpha=0.5)


def draw_slopes(slopes: Mapping[str, Tensor]) -> Figure:
    """Which part of the gradient in ρ² is on how many directions, the strongest first.

    slopes : by objective, (networks, directions).
    """
    figure, (ax,) = new_figure(7, 3.4)
    halves = {}
    for name, slope in slopes.items():
        ordered = slope.sort(-1, descending=True).values
        share = 100 * (ordered.cumsum(-1) / ordered.sum(-1, keepdim=True)).mean(0)
        ax.plot(range(1, len(share) + 1), share, label=name, markevery=8)
        halves[name] = int((share < 50).sum()) + 1
    ax.set(xlabel="directions, strongest first", ylabel="share of the gradient (%)", ylim=(0, 102))
    ax.legend(loc="lower right")
    told = ", ".join(f"{name}: {count}" for name, count in halves.items())
    ax.set_title(f"Directions that get half of the gradient: {told}")
    return figure


def draw_pushed(changes: pd.DataFrame, names: Sequence[str]) -> Figure:
    """In how many worlds a quantity falls and rises where L(W;X) is pushed up: a bar each."""
    figure, (ax,) = new_figure(8, 2.2)
    falls = [int((changes[name] < 0).sum()) for name in names]
    rises = [len(changes) - count for count in falls]
    rows = range(len(names))
    ax.barh(rows, [-count for count in falls], color=STYLES[0]["color"])
    ax.barh(rows, rises, color=STYLES[1]["color"], hatch="//")
    for row, fall, rise in zip(rows, falls, rises, strict=True):
        ax.text(-fall, row, f"falls in {fall} ", ha="right", va="center", fontsize=9)
        ax.text(rise, row, f" rises in {rise}", ha="left", va="center", fontsize=9)
    ax.set_yticks(rows, names)
    ax.set_xticks([])
    reach = 1.35 * len(changes)
    ax.set(xlim=(-reach, reach), ylim=(len(names) - 0.5, -0.5))
    ax.axvline(0, color="0.5", linewidth=1)
    ax.grid(False)
    ax.set_title(f"L(W;X) pushed up in {len(changes)} worlds: the test loss rises in {rises[0]}")
    return figure
