"""The pictures of notebook 09: sweeps at scale."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES


def draw_resumed(moments: Sequence[float], killed: float, title: str) -> Figure:
    """Results in a store against time, in seconds: each step up is one; dashed: the kill."""
    figure, (ax,) = new_figure(8, 2.8)
    ax.step([0, *moments], range(len(moments) + 1), where="post", marker=STYLES[0]["marker"])
    colour = STYLES[1]["color"]
    ax.axvline(killed, color=colour, linestyle="--")
    ax.annotate("SIGKILL", (killed, 0.2), (5, 0), textcoords="offset points", color=colour)
    ax.set_xlabel("seconds after the first result")
    ax.set_ylabel("results in the store")
    ax.set_title(title)
    return figure


def draw_places(seconds: Mapping[str, tuple[float, float]], workers: int) -> Figure:
    """What starting (hatched) and sweeping take in each place, the first of which has one worker
    and needs no start."""
    figure, (ax,) = new_figure(8, 2.8)
    (_, alone), *others = seconds.values()
    for row, (start, took) in enumerate(seconds.values()):
        ax.barh(-row, start, color="0.75", hatch="//", edgecolor="white")
        ax.barh(-row, took, left=start, color=STYLES[row]["color"])
        text = f" {took:.1f} s, {alone / took:.2f} times as fast" if row else f" {took:.1f} s"
        ax.text(start + took, -row, text, va="center")
    ax.set_yticks([-row for row in range(len(seconds))], list(seconds))
    ax.set_xlim(0, 1.45 * max(map(sum, seconds.values())))
    ax.set_xlabel("seconds (hatched: until the workers can train)")
    best = max(alone / took for _, took in others)
    ax.set_title(
        f"{workers} workers sweep up to {best:.2f} times as fast as one, "
        f"after {others[0][0]:.1f} s of starting"
    )
    return figure


def draw_silent_ranks(
    rows: Mapping[int, int],
    own: tuple[Sequence[float], Sequence[float]],
    cosines: Sequence[float],
    joined: float,
    truth: float,
) -> Figure:
    """The mean of L over ranks that do not talk, and the cosine of its gradient to the joined
    batch's, against the number of ranks.

    rows: of each rank, by their number. own: means and half-widths, nats.
    """
    counts, (means, reach) = list(rows), own
    figure, (left, right) = new_figure(10, 3.4, 2)
    left.plot(counts, [joined] * len(counts), label="L of the joined batch")
    left.errorbar(counts, means, reach, label="mean of the ranks' own L")
    left.axhline(truth, color="0.3", linestyle=":", label="truth")
    left.set_yscale("log")
    left.set_ylabel("L (nats), mean of 100 batches")
    left.legend()
    right.plot(counts, cosines, **STYLES[1])
    right.set_ylim(0, 1.05)
    right.set_ylabel("cosine to the joined gradient")
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set_xticks(counts, [f"{count}\nn = {n}" for count, n in rows.items()])
        ax.set_xlabel("ranks (n: rows of each)")
    figure.suptitle(
        f"{counts[-1]} ranks that do not talk: {means[-1] / joined:.0f} times the L of their "
        f"batch, a gradient with cosine {cosines[-1]:.2f}"
    )
    return figure


def draw_own_values(
    values: Mapping[int, Tensor], ranks: int, joined: float, truth: float, title: str
) -> Figure:
    """L of each rank's own rows, and their mean against the number of ranks; line: the joined
    batch; dots: the truth.

    values: nats, a value for each rank, by the number of ranks.
    """
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.16, "top": 0.8, "wspace": 0.2}
    figure, (left, right) = new_figure(9, 3.3, 2, layout="none", gridspec_kw=margins)
    splits = list(values)
    left.vlines(range(1, ranks + 1), 0, values[ranks], color=STYLES[1]["color"], linewidth=9)
    # Plain axes with labels of ours are quicker than log axes.
    logs = [math.log10(max(values[count].mean().item(), 0.1)) for count in splits]
    right.plot(range(len(splits)), logs, **STYLES[1])
    right.axvline(splits.index(ranks), color="0.85", linewidth=8, zorder=0)
    for ax, on_axis in ((left, float), (right, lambda nats: math.log10(max(nats, 0.1)))):
        ax.axhline(on_axis(joined), color=STYLES[0]["color"])
        ax.axhline(on_axis(truth), color="0.3", linestyle=":")
    left.set(xlim=(0.3, 16.7), xticks=splits, xlabel="rank", ylabel="nats")
    left.set_ylim(bottom=0)
    right.set(xlabel="number of ranks", ylim=(-1.1, 3))
    right.set_xticks(range(len(splits)), [str(count) for count in splits])
    right.set_yticks(range(-1, 4), ["≤ 0.1", "1", "10", "100", "1000"])
    left.set_title("L of each rank's own rows", fontsize=10, y=1.0)  # a fixed height is quicker
    right.set_title("mean over ranks; line: joined batch; dots: truth", fontsize=10, y=1.0)
    figure.suptitle(title)
    return figure


def draw_costs(
    panels: Mapping[str, tuple[Sequence[int], Mapping[str, Sequence[float]]]], title: str
) -> Figure:
    """Milliseconds against a size, a panel for each size, on log axes; the last panel is for each
    network.

    panels: by the name of the size: its values, and the times by what is timed.
    """
    figure, axes = new_figure(12, 3.4, len(panels))
    for ax, (label, (sizes, curves)) in zip(axes, panels.items(), strict=True):
        for name, milliseconds in curves.items():
            ax.loglog(sizes, milliseconds, label=name)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.set_xlabel(label)
        ax.legend(fontsize=8, loc="upper left")
        low, high = ax.get_ylim()
        low = min(low, high / 8)  # a decade, about, so that noise looks like noise
        ax.set_ylim(low, high * (high / low) ** 0.4)  # room for the legend
    axes[0].yaxis.set_major_locator(LogLocator())
    axes[0].set_ylabel("milliseconds")
    axes[-1].set_ylabel("milliseconds for each network")
    figure.suptitle(title)
    return figure
