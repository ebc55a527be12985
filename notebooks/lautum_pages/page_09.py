"""The pictures of notebook 09: sweeps at scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES


def draw_idea() -> Figure:
    """Left: many networks, each whole, on workers that need not talk. Right: one network, whose
    batch is spread over devices that have to."""
    figure, (left, right) = new_figure(10, 3.2, 2)
    _boxes(
        left,
        [
            (0.02, 0.06 + 0.3 * i, 0.2, 0.24, f"runs {9 - 4 * i} to {12 - 4 * i}", 0)
            for i in range(3)
        ],
    )
    _boxes(left, [(0.36, 0.06 + 0.3 * i, 0.22, 0.24, f"worker {3 - i}", 1) for i in range(3)])
    _boxes(left, [(0.74, 0.25, 0.24, 0.45, "store:\na file\na result", 2)])
    _boxes(
        right, [(0.02, 0.06 + 0.3 * i, 0.22, 0.24, f"rows of\ndevice {3 - i}", 0) for i in range(3)]
    )
    _boxes(right, [(0.38, 0.25, 0.24, 0.45, "n, sums,\nsecond\nmoments\nadd up", 1)])
    _boxes(right, [(0.74, 0.25, 0.24, 0.45, "L of the\nwhole batch,\nits gradient", 2)])
    for i in range(3):
        y = 0.18 + 0.3 * i
        for ax, places in (
            (left, ((0.22, y, 0.36, y), (0.58, y, 0.74, 0.47))),
            (right, ((0.24, y, 0.38, 0.47),)),
        ):
            for place in places:
                _arrow(ax, *place)
    _arrow(right, 0.62, 0.47, 0.74, 0.47)
    left.set_title("Many networks: nobody has to talk")
    right.set_title("One network on many devices: sums have to travel")
    return figure


def _boxes(ax: Axes, boxes: Sequence[tuple[float, float, float, float, str, int]]) -> None:
    """Rounded boxes with a text: left, bottom, width, height, text, line of the style sheet."""
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    for left, bottom, width, height, text, line in boxes:
        style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.03", "alpha": 0.25}
        colour = STYLES[line]["color"]
        ax.add_patch(FancyBboxPatch((left, bottom), width, height, color=colour, **style))
        ax.text(left + width / 2, bottom + height / 2, text, ha="center", va="center")


def _arrow(ax: Axes, x: float, y: float, to_x: float, to_y: float) -> None:
    ax.annotate("", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "->", "color": "0.5"})


def draw_resumed(after: Mapping[str, int], killed: int, title: str) -> Figure:
    """Results in a store against time: each step up is one; dashed: the kill.

    after: when each was written, and killed: the kill, in nanoseconds.
    """
    began = min(after.values())
    moments = sorted((moment - began) / 1e9 for moment in after.values())
    figure, (ax,) = new_figure(8, 2.8)
    ax.step([0, *moments], range(len(moments) + 1), where="post", marker=STYLES[0]["marker"])
    colour = STYLES[1]["color"]
    kill = (killed - began) / 1e9
    ax.axvline(kill, color=colour, linestyle="--")
    ax.annotate("SIGKILL", (kill, 0.2), (5, 0), textcoords="offset points", color=colour)
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
    finding = f"{workers} workers sweep up to {best:.1f} times as fast as one"
    if best < 1:
        finding = f"In so short a sweep {workers} workers take {1 / best:.1f} times as long as one"
    ax.set_title(f"{finding}, after {others[0][0]:.1f} s of starting")
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
    left.axhline(truth, color="0.5", linestyle=":", label="truth")
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


def draw_own_values(values: Mapping[int, Tensor], ranks: int, rows: int, truth: float) -> Figure:
    """L of each rank's own rows, and their mean against the number of ranks; line: the joined
    batch; dots: the truth.

    values: nats, a value for each rank, by the number of ranks. rows: of the batch.
    """
    joined, mean = values[1].item(), values[ranks].mean().item()
    title = (
        f"{ranks} x {rows // ranks} rows: the ranks see {mean:.3g} nats on average, "
        f"their batch has {joined:.3g}, the truth is {truth:.3g}"
    )
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
        ax.axhline(on_axis(truth), color="0.5", linestyle=":")
    left.set(xlim=(0.3, 16.7), xticks=splits, xlabel="rank", ylabel="nats")
    left.set_ylim(bottom=0)
    right.set(xlabel="number of ranks", ylim=(-1.1, 3))
    right.set_xticks(range(len(splits)), [str(count) for count in splits])
    right.set_yticks(range(-1, 4), ["≤ 0.1", "1", "10", "100", "1000"])
    left.set_title("L of each rank's own rows", fontsize=10, y=1.0)  # a fixed height is quicker
    right.set_title("mean over ranks; line: joined batch; dots: truth", fontsize=10, y=1.0)
    figure.suptitle(title)
    return figure


def draw_covariances(of_batch: Tensor, others: Mapping[str, Tensor], title: str) -> Figure:
    """Covariance matrices (k, k) as pictures on one scale, that of the batch first."""
    panels = {"of the batch": of_batch, **others}
    figure, axes = new_figure(10, 3.4, len(panels))
    limit = of_batch.abs().max().item()
    for ax, (name, matrix) in zip(axes, panels.items(), strict=True):
        shown = ax.imshow(matrix, cmap="RdBu", vmin=-limit, vmax=limit)
        ax.set(title=name, xticks=[], yticks=[])
        ax.grid(visible=False)
    figure.colorbar(shown, ax=axes, shrink=0.8)
    figure.suptitle(title)
    return figure


def draw_equal(gaps: pd.DataFrame, limits: Mapping[torch.dtype, float]) -> Figure:
    """What of the ranks equals one process with the whole batch, and by how much the rest misses:
    a row a case, a column for each number type and quantity."""
    order = ["equal", "unequal, weighted", "unequal", "equal, no group"]
    order += [case for case in gaps.index if case not in order]
    figure, axes = new_figure(10, 3.2, len(limits))
    for ax, (dtype, limit) in zip(axes, limits.items(), strict=True):
        table = gaps.loc[order, str(dtype)[6:]][["value", "gradient", "parameters"]]
        same = table.to_numpy() <= limit
        ax.imshow(same, cmap="RdBu", vmin=-0.6, vmax=1.6, aspect="auto")
        ax.grid(visible=False)
        for (row, column), gap in pd.DataFrame(table.to_numpy()).stack().items():
            word = "same" if same[row, column] else "off by"
            ax.text(column, row, f"{word} {gap:.0e}", ha="center", va="center", color="black")
        ax.set_xticks(range(3), table.columns)
        ax.set_yticks(range(len(order)), order if ax is axes[0] else [])
        ax.set_title(f"{str(dtype)[6:]}: the same is within {limit:g}", fontsize=10)
    figure.suptitle("Split source rows evenly or weigh them: both give the network of one process")
    return figure
