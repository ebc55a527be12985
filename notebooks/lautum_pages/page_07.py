"""The pictures of notebook 07: who beats whom, where, and at what cost."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lautum_pages.page_07_compared import IN_WORDS, PLACES, STAGE_TWO, Comparison, curves, members
from lautum_utils import Interval
from lautum_utils.widgets.figures import Picture, new_figure
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.style import STYLES
from notebooks.tools import compare

WIDTH = 7.4  # inches: all of it is seen in a window of 800 dots
OVER_STANDARD = "points of test accuracy over standard transfer"
OVER_HARDEST = "points of test accuracy over the hardest simple baseline"
LINES = (*IN_WORDS.values(), STAGE_TWO)
GREY = "0.45"


def in_points(intervals: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Means and half-widths, in points of accuracy."""
    return [100 * d.mean for d in intervals], [100 * d.reach for d in intervals]


# ---------------------------------------------------------------------------------- a row a method


def draw_rows(
    rows: Mapping[str, Mapping[str, Interval]],
    title: str,
    label: str = OVER_STANDARD,
    grey: Collection[str] = (),
) -> Figure:
    """A row for each name, a mark with its interval for each target; the names in `grey` as open
    grey marks."""
    height = 0.25 * len(rows) + 1.4
    figure, (ax,) = new_figure(WIDTH, height)
    targets = list(next(iter(rows.values())))
    for aside, target, style in zip((-0.14, 0.14), targets, STYLES, strict=False):
        mean, reach = in_points([found[target] for found in rows.values()])
        looks = style | {"linestyle": "none", "capsize": 2}
        for wanted, look in ((False, {}), (True, {"color": GREY, "markerfacecolor": "white"})):
            shown = [k for k, name in enumerate(rows) if (name in grey) == wanted]
            ax.errorbar(
                np.array(mean)[shown],
                np.array(shown) + aside,
                xerr=np.array(reach)[shown],
                **looks | look,
            )
        ax.plot([], [], label=f"target: {target}", **style | {"linestyle": "none"})
    ax.axvline(0, color="0.5", linewidth=1.5)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=9)
    ax.set(xlabel=label, ylim=(len(rows) - 0.4, -0.6))
    figure.legend(loc="outside lower right", ncols=2)
    figure.suptitle(title)
    return figure


def draw_margins(compared: Comparison, protocol: str = "probe") -> Figure:
    """What each method is over the hardest simple baseline of each target."""
    counts = [f"{len(compared.winners(protocol, t))} on {t}" for t in compare.TARGETS]
    methods = len(compared.methods(protocol))
    words = IN_WORDS[protocol].capitalize()
    hardest = "; ".join(f"{compared.hardest(protocol, t)} ({t})" for t in compare.TARGETS)
    title = f"{words}: of {methods} methods, {' and '.join(counts)} beat every simple baseline"
    title += f"\nhardest to beat: {hardest}"
    return draw_rows(compared.margins(protocol), title, OVER_HARDEST)


# ---------------------------------------------------------------------------------------- a family


def draw_curves(
    compared: Comparison, family: str, against: str, target: str, severity: float, labels: int
) -> Sketch:
    """A panel for each method of a family: its gain over standard transfer against its weight, or
    against the number of labels."""
    panels = curves(compared, family, against, (target, severity, labels))
    picked = {
        (name, line): curve.gains[curve.at].mean
        for name, lines in panels.items()
        for line, curve in lines.items()
    }
    best = max(picked, key=picked.__getitem__)
    title = (
        f"Most is gained by {best[0]} ({best[1]}): {100 * picked[best]:+.1f} points\n"
        f"target {target}, severity {severity:g}, {labels} labels"
    )

    def fill(axes: list[Axes]) -> None:
        for ax, lines in zip(axes, panels.values(), strict=True):
            for line, curve in lines.items():
                style = STYLES[LINES.index(line)]
                mean, reach = in_points(curve.gains)
                ax.errorbar(curve.x, mean, reach, capsize=2, **style)
                ring, colour = (curve.x[curve.at], mean[curve.at]), style["color"]
                ax.plot(*ring, marker="o", markersize=12, markerfacecolor="none", color=colour)

    spans = [
        (name, min(min(c.x) for c in lines.values()), max(max(c.x) for c in lines.values()))
        for name, lines in panels.items()
    ]
    shown = tuple(line for line in LINES if any(line in lines for lines in panels.values()))
    key = (tuple(spans), against, shown, _limits(compared, family, target))
    return Sketch(_curves_frame, key, fill, title)


def _limits(compared: Comparison, family: str, target: str) -> tuple[float, float]:
    """From the lowest to the highest mean of a family on a target, wherever the sliders stand."""
    lines = [line[2:] for line in members(family, compared)]
    means = [
        100 * d.mean
        for (name, t, _, _, protocol, _), d in compared.spread.items()
        if t == target and (name, protocol) in lines
    ]
    return float(np.floor(np.quantile(means, 0.03) - 2)), float(np.ceil(max(means) + 2))


def _curves_frame(
    spans: Sequence[tuple[str, float, float]],
    against: str,
    shown: Sequence[str],
    limits: tuple[float, float],
) -> tuple[Figure, list[Axes]]:
    columns = 2 if len(spans) in (2, 4) else 3
    rows = -(-len(spans) // columns)
    height = 2.15 * rows + 1.15
    figure = Picture(figsize=(WIDTH, height), layout="none")
    margins = {"left": 0.09, "right": 0.98, "wspace": 0.1, "hspace": 0.5}
    margins |= {"bottom": 0.55 / height, "top": 1 - 1.1 / height}
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False, gridspec_kw=margins)
    axes = list(grid.ravel())
    for ax in axes[len(spans) :]:
        ax.set_visible(False)
    for ax, (name, low, high) in zip(axes, spans, strict=False):
        ax.set_xscale("log")
        ax.set(xlim=(low / 2, high * 2), ylim=limits, xlabel=against)
        ax.set_title(name, fontsize=9)
        ax.axhline(0, color="0.5", linewidth=1)
        ax.xaxis.set_major_formatter(_plain)
        if against == "labels":
            ax.set_xticks(compare.LABELS, [str(n) for n in compare.LABELS])
        ax.minorticks_off()
    for row in grid:
        row[0].set_ylabel("gain (points)")
    for line in shown:
        axes[0].plot([], [], label=line, **STYLES[LINES.index(line)])
    handles = axes[0].get_legend_handles_labels()
    at = (0.53, 1 - 0.44 / height)
    figure.legend(*handles, ncols=3, loc="upper center", bbox_to_anchor=at)
    return figure, axes[: len(spans)]


def _plain(weight: float, _: object) -> str:
    """As everywhere, "1e-4"; powers as formulas take a slider's first picture 50 ms more."""
    return f"{weight:g}".replace("e-0", "e-")


# ----------------------------------------------------------------------------------- place by place


def draw_grid(compared: Comparison, protocol: str, over: str) -> Sketch:
    """A row for each method, a column for each place: blue is better, red is worse than the
    hardest simple baseline, or than standard transfer; a dot where the interval excludes 0."""
    ask = compared.over_standard if over == "standard transfer" else compared.over_the_hardest
    names = sorted(compared.methods(protocol), key=lambda n: -compared.mean_gain(n, protocol))
    rows = [ask(name, protocol) for name in names]
    mean = 100 * np.array([[d.mean for d in row] for row in rows])
    clear = np.array([[d.low > 0 or d.high < 0 for d in row] for row in rows])
    better = int((clear & (mean > 0)).sum())
    title = (
        f"{IN_WORDS[protocol].capitalize()}: clearly better than {over}\n"
        f"at {better} of {mean.size} places (blue with a dot)"
    )

    def fill(axes: list[Axes]) -> None:
        (ax,) = axes
        ax.imshow(mean, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
        y, x = np.nonzero(clear)
        ax.scatter(x, y, s=5, color="black")
        for k in range(1, len(PLACES) // 4):
            ax.axvline(4 * k - 0.5, color="white", linewidth=3 if k == 3 else 1)

    return Sketch(_grid_frame, (tuple(names),), fill, title)


def _grid_frame(names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    height = 0.22 * len(names) + 1.35
    margins = {"left": 0.33, "right": 0.88, "bottom": 0.7 / height, "top": 1 - 0.55 / height}
    figure, (ax,) = new_figure(WIDTH, height, layout="none", gridspec_kw=margins)
    nothing = np.zeros((len(names), len(PLACES)))
    image = ax.imshow(nothing, cmap="RdBu", vmin=-10, vmax=10, aspect="auto")
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_xticks(range(len(PLACES)), [str(n) for *_, n in PLACES], fontsize=7, rotation=90)
    for k, (target, severity, _) in enumerate(PLACES[::4]):
        below = len(names) + 24 / 72 / 0.22 - 0.5  # 24 points below the axes
        text = f"{target}\n{severity:g}"
        ax.text(4 * k + 1.5, below, text, ha="center", va="top", fontsize=8)
    ax.grid(False)
    beside = figure.add_axes((0.89, 0.7 / height, 0.018, 1 - 1.25 / height))
    figure.colorbar(image, cax=beside, label="points")
    return figure, [ax]


# --------------------------------------------------------------------------------------------- cost


def draw_costs(costs: Mapping[str, float], compared: Comparison) -> Figure:
    """The time of a step of each method, in steps of standard transfer, from the cheapest on, with
    what the method gains; those of stage two in another colour."""
    figure, (ax,) = new_figure(WIDTH, 0.24 * len(costs) + 1.3)
    order = sorted(costs, key=costs.__getitem__)
    in_two = [name.endswith("(2)") for name in order]
    colours = [STYLES[two]["color"] for two in in_two]
    bars = ax.barh(order, [costs[name] for name in order], color=colours)
    gains = [
        round(100 * compared.mean_gain(name, "finetune" if two else "probe"), 1) + 0.0  # no "-0.0"
        for name, two in zip(order, in_two, strict=True)
    ]
    said = [f"{costs[n]:.1f} times for {g:+.1f} points" for n, g in zip(order, gains, strict=True)]
    ax.bar_label(bars, said, padding=3, fontsize=8)
    ax.axvline(1, color="0.5", linewidth=1)
    ax.tick_params(axis="y", labelsize=9)
    ax.set(xlim=(0, 1.5 * max(costs.values())), xlabel="time of a step, standard transfer = 1")
    figure.suptitle(
        f"A step with the term takes {min(costs.values()):.1f} to {max(costs.values()):.1f} times "
        "as long;\nblue: in stage one, features frozen; orange (2): in stage two"
    )
    return figure
