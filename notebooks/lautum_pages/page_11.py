"""The pictures of notebook 11: currents, what networks say of them, gains."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

PHASES = "ABC"
PERIODS = 40  # milliseconds, of the two that a sample lasts


def draw_currents(source: Tensor, target: Tensor, classes: Sequence[str], shift: str) -> Figure:
    """The three currents of one sample of each class, (classes, 3, points): source above, target
    below."""
    figure, axes = new_figure(12, 4.4, len(classes), sharey=True)
    for ax, name, above, below in zip(axes, classes, source, target, strict=True):
        _draw_waves(ax, above + 4, label="phase ")
        _draw_waves(ax, below - 4)
        ax.set(title=name, xlabel="milliseconds")
    axes[0].set_yticks([4, -4], ["source", "target"])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(
        "One sample of each class: the target is louder, lopsided and noisier"
        if shift == "both"
        else f"One sample of each class (what differs: {shift})"
    )
    return figure


def draw_answers(
    currents: Tensor, percent: Sequence[float], classes: Sequence[str], true: int
) -> Figure:
    """The currents of one measurement (3, points), and how probable networks find each fault."""
    margins = {"left": 0.06, "right": 0.99, "bottom": 0.17, "top": 0.86, "wspace": 0.2}
    figure, (left, right) = new_figure(9, 3, 2, layout="none", gridspec_kw=margins)
    _draw_waves(left, currents, label="")
    left.set(xlabel="milliseconds", ylim=(-5, 5), xlim=(0, PERIODS))
    left.legend(ncols=3, loc="upper right")
    names = [f"{name} (true)" if c == true else name for c, name in enumerate(classes)]
    colours = [STYLES[0 if c == true else 1]["color"] for c in range(len(classes))]
    right.bar(names, percent, color=colours)
    right.set(ylim=(0, 100), ylabel="mean probability (%)")
    said = max(range(len(classes)), key=lambda c: percent[c])
    figure.suptitle(f"{classes[true]}: the source networks say {classes[said]}")
    return figure


def _draw_waves(ax: Axes, waves: Tensor, label: str | None = None) -> None:
    """A line a phase."""
    milliseconds = PERIODS * torch.arange(waves.shape[-1]) / waves.shape[-1]
    for phase, wave, style in zip(PHASES, waves, STYLES, strict=False):
        named = None if label is None else label + phase
        ax.plot(milliseconds, wave, label=named, **style | {"marker": ""})


def draw_gains(
    gains: Mapping[str, Mapping[int, Mapping[float, Interval]]],
    chosen: Mapping[tuple[str, int], float],
) -> Figure:
    """What each weight of each method gains over standard, for each number of labels; a ring where
    validation data picks it.

    gains: by method, by labels, then by weight. chosen: weights, by method and labels.
    """
    labels = list(next(iter(gains.values())))
    figure, axes = new_figure(10, 3.8, len(labels), sharey=True)
    for ax, n in zip(axes, labels, strict=True):
        looks = zip((0.06, -0.06), STYLES, gains.items(), strict=False)
        for aside, style, (method, by_labels) in looks:
            points = list(by_labels[n].values())
            places = [k + aside for k in range(len(points))]
            means, reach = ([100 * getattr(p, name) for p in points] for name in ("mean", "reach"))
            ax.errorbar(places, means, reach, label=method, **style)
            best = list(by_labels[n]).index(chosen[method, n])
            ax.plot(places[best], means[best], "o", ms=14, mfc="none", mec=style["color"])
        ax.axhline(0, color="0.3", linewidth=1)
        both = zip(*(by_labels[n] for by_labels in gains.values()), strict=False)
        ax.set_xticks(range(len(points)), [f"{a:g}\n{b:g}" for a, b in both])
        ax.set(xlabel="weight: Lautum (above), reinforcement (below)", title=f"{n} labels")
    axes[0].set_ylabel("gain over standard (points)")
    axes[0].legend()
    said = "; ".join(_of_chosen(method, at, chosen) for method, at in gains.items())
    figure.suptitle(f"Gain in target test accuracy, 95 % intervals (ring: chosen; {said} points)")
    return figure


def _of_chosen(
    method: str,
    gains: Mapping[int, Mapping[float, Interval]],
    chosen: Mapping[tuple[str, int], float],
) -> str:
    """The mean gains of a method at the chosen weights, in points."""
    means = [100 * by_weight[chosen[method, n]].mean for n, by_weight in gains.items()]
    return f"{method} {', '.join(f'{mean:+.1f}' for mean in means)}"
