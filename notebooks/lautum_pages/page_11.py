"""The pictures of notebook 11: currents, what networks say of them, gains over the control."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from lautum_pages.page_11_currents import CLASSES, SOURCE, measure, target
from lautum_utils import Interval
from lautum_utils.widgets.figures import Picture, new_figure
from lautum_utils.widgets.style import STYLES

WIDTH = 7.4  # inches: all of it is seen in a window of 800 dots
PHASES = "ABC"
PERIODS = 40  # milliseconds, of the two that a sample lasts
Tried = Mapping[tuple[str, int, float], Mapping[str, Sequence[float]]]


def draw_currents(shift: str = "both") -> Figure:
    """The three currents of one sample of each class: source above, target below."""
    figure = Picture(figsize=(WIDTH, 3.9))
    axes = figure.subplots(2, len(CLASSES), sharex=True, sharey=True)
    for row, condition in zip(axes, (SOURCE, target(shift)), strict=True):
        x, _ = measure(condition, len(CLASSES), Generator().manual_seed(3))
        for ax, currents in zip(row, x[:, :, 0], strict=True):
            _draw_waves(ax, currents)
    for ax, name in zip(axes[0], CLASSES, strict=True):
        ax.set_title(name if name == CLASSES[0] else f"fault in {name}", fontsize=10)
    for ax, name in zip(axes[:, 0], ("source", "target"), strict=True):
        ax.set_ylabel(name)
    axes[1, 2].set_xlabel("milliseconds")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, [f"phase {n}" for n in names], loc="outside lower center", ncols=3)
    figure.suptitle(
        "The same faults, but the target is louder, lopsided and noisier"
        if shift == "both"
        else f"The same faults, at another transformer (what differs: {shift})"
    )
    return figure


def draw_answers(currents: Tensor, percent: Sequence[float], true: int) -> Figure:
    """The currents of one measurement (3, points), and how probable networks find each fault."""
    margins = {"left": 0.07, "right": 0.99, "bottom": 0.3, "top": 0.88, "wspace": 0.25}
    figure, (left, right) = new_figure(WIDTH, 3.1, 2, layout="none", gridspec_kw=margins)
    _draw_waves(left, currents)
    left.set(xlabel="milliseconds", ylim=(-5, 5), xlim=(0, PERIODS))
    left.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.24), title="phase")
    colours = [STYLES[0 if c == true else 1]["color"] for c in range(len(CLASSES))]
    right.bar(CLASSES, percent, color=colours)
    right.set(ylim=(0, 100), ylabel="mean probability (%)", xlabel="blue: what it is")
    said = max(range(len(CLASSES)), key=lambda c: percent[c])
    figure.suptitle(f"It is: {CLASSES[true]}. The source networks say: {CLASSES[said]}")
    return figure


def _draw_waves(ax: Axes, waves: Tensor) -> None:
    """A line a phase."""
    milliseconds = PERIODS * torch.arange(waves.shape[-1]) / waves.shape[-1]
    for phase, wave, style in zip(PHASES, waves, STYLES, strict=False):
        ax.plot(milliseconds, wave, label=phase, **style | {"marker": ""})


def draw_source(
    accuracies: Mapping[float, tuple[float, float]], answers: Tensor, truth: Tensor
) -> Figure:
    """Left: what source networks reach on the source, and on the target without any label, by the
    weight of Lautum. Right: what those of weight 0 take each class of the target for, in percent.

    accuracies: (source, target) by weight. answers, truth: (seeds, n) classes.
    """
    figure, (left, right) = new_figure(WIDTH, 3.4, 2)
    places = range(len(accuracies))
    for k, name in enumerate(("source", "target, no labels")):
        left.plot(places, [100 * pair[k] for pair in accuracies.values()], label=name)
    left.set_xticks(places, [f"{s:g}" for s in accuracies])
    left.set(xlabel="weight of Lautum in stage one", ylabel="accuracy (%)", ylim=(0, 103))
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    n = len(CLASSES)
    counts = torch.bincount((truth * n + answers).flatten(), minlength=n * n).view(n, n)
    share = 100 * counts / counts.sum(1, keepdim=True)
    right.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=100)
    for i in range(n):
        for j in range(n):
            colour = "white" if share[i, j] > 60 else "black"
            right.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", color=colour)
    right.set_xticks(range(n), ["none", *CLASSES[1:]])
    right.set_yticks(range(n), CLASSES)
    right.set(xlabel="taken for (%, weight 0)", ylabel="is")
    right.grid(False)
    taken = CLASSES[int(share[0].argmax())]
    figure.suptitle(f"Before it has labels, a healthy target is mostly taken for: {taken}")
    return figure


def draw_gains(
    gains: Mapping[str, Mapping[int, Mapping[float, Interval]]],
    chosen: Mapping[tuple[str, int], float],
) -> Figure:
    """Points over the tuned control: a panel for each way with its settings; a ring where
    validation data picks one.

    gains: by way, by labels, then by setting. chosen: settings, by way and labels.
    """
    figure, axes = new_figure(WIDTH, 3.6, len(gains), sharey=True)
    for ax, (name, by_labels) in zip(axes, gains.items(), strict=True):
        for style, (n, points) in zip(STYLES, by_labels.items(), strict=False):
            means, reach = (
                [100 * getattr(p, of) for p in points.values()] for of in ("mean", "reach")
            )
            ax.errorbar(list(points), means, reach, label=f"{n} labels", **style)
            at = list(points).index(chosen[name, n])
            ring = chosen[name, n], means[at]
            ax.plot(*ring, "o", ms=13, mfc="none", mec=style["color"])
        ax.axhline(0, color="0.5", linewidth=1)
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.margins(x=0.12)
        what = "learning rate" if name == "standard" else "weight"
        ax.set(xlabel=what, title=name)
    axes[0].set_ylabel("points over the tuned control")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower right", ncols=2)
    figure.suptitle(_found(gains, chosen))
    return figure


def _found(
    gains: Mapping[str, Mapping[int, Mapping[float, Interval]]],
    chosen: Mapping[tuple[str, int], float],
) -> str:
    """Who is clearly better than the tuned control, with the settings that validation picks."""
    clear = [
        f"{name} with {n} labels"
        for name, by_labels in gains.items()
        for n, points in by_labels.items()
        if name != "standard" and points[chosen[name, n]].low > 0
    ]
    if clear:
        return f"Clearly better than the tuned control: {', '.join(clear)}"
    return "Against a control that is tuned as well, neither method is clearly better"


def rows_of(tried: Tried, **settings: Any) -> list[dict[str, Any]]:
    """Every result as a row: way, labels, setting, seed, and the accuracies on both parts."""
    return [
        {"method": method, "labels": n, "setting": setting, "seed": seed}
        | {f"{part}_accuracy": values[seed] for part, values in parts.items()}
        | settings
        for (method, n, setting), parts in tried.items()
        for seed in range(len(parts["test"]))
    ]
