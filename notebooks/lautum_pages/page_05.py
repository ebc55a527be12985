"""The pictures of notebook 05: what moves, how far, and what that costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from lautum_utils import SHIFTS, Domain, Results, interval, shift
from lautum_utils.data.pairs import label_part_swap
from lautum_utils.widgets.figures import Picture, new_figure
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.style import STYLES

LABELS = {
    "MMD²": "MMD² of features",
    "A-distance": "A-distance of features",
    "Fréchet": "Fréchet (feature units²)",
    "unchanged": "unchanged network",
    "probe": "probe, fitted anew",
}
MEASURES, ACCURACIES = list(LABELS)[:3], list(LABELS)[3:]
RING: dict[str, Any] = {"markersize": 13, "markerfacecolor": "none", "markeredgecolor": "0.5"}


def draw_idea() -> Figure:
    """The two ways in which a target can differ from a source: other images, another question."""
    digits, letters = (label_part_swap(3, 1.0, label, seed=5) for label in ("digit", "letter"))
    figure, axes = new_figure(10, 1.75, 3)
    turned = shift(digits.inputs[..., :16], "inversion", 1.0)
    inverted = torch.cat((turned, shift(digits.inputs[..., 16:], "inversion", 1.0)), -1)
    panels = (
        (digits.inputs, digits, "The source asks:\nwhich digit?"),
        (inverted, digits, "The images move,\nthe question stays: which digit?"),
        (letters.inputs, letters, "The images stay,\nthe question changes: which letter?"),
    )
    for ax, (images, domain, title) in zip(axes, panels, strict=True):
        show_tiles(ax, images, 3)
        answers = [domain.class_names[k] for k in domain.labels.tolist()]
        ax.set_xticks([15.5 + 34 * k for k in range(3)], answers)
        ax.set_title(title, fontsize=10)
    axes[0].set_ylabel("answers:", rotation=0, ha="right", y=-0.45)
    figure.suptitle("A target can differ in two ways; comparing images shows only one of them")
    return figure


def show_tiles(ax: Axes, images: Tensor, columns: int) -> None:
    """Images (n, 1, h, w) side by side, `columns` in a row."""
    ax.imshow(_tiled(images, columns), cmap="gray", vmin=0, vmax=1)
    without_frame(ax)


def _tiled(images: Tensor, columns: int) -> np.ndarray:
    """Images as one, with a gap of 2 pixels."""
    padded = F.pad(images[:, 0], (0, 2, 0, 2), value=0.5)
    rows = padded.unflatten(0, (-1, columns)).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    return rows[:-2, :-2].cpu().numpy()


def without_frame(ax: Axes) -> None:
    """Axes of an image: no grid, spines or ticks; texts can still stand where ticks were."""
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xticks=[], yticks=[])


def draw_shifts(digits: Domain, letters: Domain, severities: Sequence[float]) -> Figure:
    """Left: some images of both domains. Right: two digits under each shift, at each severity."""
    figure, (left, right) = new_figure(8.4, 3.4, 2, width_ratios=(70, 178))
    show_tiles(left, torch.cat((digits.inputs[:12], letters.inputs[:12])), 4)
    left.set_yticks([26, 80], ["digits", "letters"])
    left.set_title("Source and target", fontsize=10)
    two = digits.inputs[4:6]
    images = [shift(two, name, v) for name in SHIFTS for v in severities]
    show_tiles(right, torch.cat(images), 2 * len(severities))
    right.set_yticks([8 + 18 * k for k in range(len(SHIFTS))], list(SHIFTS))
    right.set_xticks([17 + 36 * k for k in range(len(severities))], [f"{v:g}" for v in severities])
    right.set_xlabel("severity")
    right.set_title("Two digits under each shift", fontsize=10)
    figure.suptitle("Six ways to move the images, each with a knob from 0 to 1")
    return figure


def draw_measures(judged: pd.DataFrame) -> Figure:
    """Three measures of the shift and two accuracies against severity, a line a shift: the means
    over the networks. judged: a row for each shift, severity and network."""
    means = _means(judged)
    figure, axes = new_figure(12.5, 3.6, 5)
    for ax, (quantity, label) in zip(axes, LABELS.items(), strict=True):
        for name, of_shift in means.groupby("shift", sort=False):
            ax.plot(of_shift.index.get_level_values("severity"), of_shift[quantity], label=name)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("severity")
    for ax in axes[3:]:
        ax.set_ylim(0, 100)
        ax.sharey(axes[3])
    axes[3].set_ylabel("right on shifted digits (%)")
    _legend_below(figure, axes[0])
    last = means.index.get_level_values("severity").max()
    ends = means.xs(last, level="severity").agg(["min", "max"])
    figure.suptitle(
        f"At severity {last:g} every shift is about as far by A-distance "
        f"({ends['A-distance']['min']:.1f} to {ends['A-distance']['max']:.1f}), but a probe is "
        f"right on anything from {ends['probe']['min']:.0f} to {ends['probe']['max']:.0f} %"
    )
    return figure


def draw_losses(judged: pd.DataFrame, ranks: Mapping[str, pd.DataFrame]) -> Figure:
    """Left: what a shift costs against how far it moved the features by the Fréchet distance, a dot
    a shift and severity. Right: rank correlations of each measure with both losses, with intervals.

    ranks: by accuracy, a column for each measure, a row for each network.
    """
    means = _means(judged)
    figure = Picture(figsize=(11, 3.8))
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    for ax, accuracy in zip(axes, ACCURACIES, strict=False):
        for name, of_shift in means.groupby("shift", sort=False):
            ends = of_shift[accuracy].iloc[0] - of_shift[accuracy]
            ax.plot(of_shift["Fréchet"][1:], ends[1:], linestyle="none", label=name)
        ax.set_xlabel(LABELS["Fréchet"])
        ax.set_title(f"{LABELS[accuracy]}: {_order(ranks[accuracy]['Fréchet'].mean())}")
    axes[1].sharey(axes[0])
    axes[0].set_ylabel("loss by the shift (points)")
    for k, (accuracy, of_measure) in enumerate(ranks.items()):
        found = [interval(of_measure[m]) for m in MEASURES]
        at = [j + 0.12 * (2 * k - 1) for j in range(len(MEASURES))]
        look = STYLES[k] | {"linestyle": "none", "label": LABELS[accuracy]}
        axes[2].errorbar([i.mean for i in found], at, xerr=[i.reach for i in found], **look)
    axes[2].set_yticks(range(len(MEASURES)), MEASURES)
    axes[2].set(ylim=(2.6, -0.9), xlim=(-0.2, 1.05), xlabel="rank correlation with the loss")
    axes[2].legend(loc="upper left")
    _legend_below(figure, axes[0])
    best = [_order(ranks[accuracy].mean().max()) for accuracy in ACCURACIES]
    figure.suptitle(
        "How well do distances put the shifts in the order of their cost? "
        f"{best[0].capitalize()} for the unchanged network, {best[1]} for a probe"
    )
    return figure


def draw_shifted(
    judged: pd.DataFrame, name: str, severity: float, digits: Domain, letters: Domain
) -> Sketch:
    """Digits and letters, shifted; measures and accuracies by severity, ringed where we stand."""
    means = _means(judged)
    of_shift = means.loc[name]
    at, here = of_shift.index, of_shift.loc[severity]
    shown = [shift(d.inputs[:5], name, severity, seed=1) for d in (digits, letters)]
    tiles = _tiled(torch.cat((digits.inputs[:5], *shown)), 5)

    def fill(axes: list[Axes]) -> None:
        axes[0].imshow(tiles, cmap="gray", vmin=0, vmax=1)
        panels = (*zip(MEASURES, axes[1:4], STYLES, strict=False),)
        panels += (*zip(ACCURACIES, axes[4:] * 2, STYLES, strict=False),)
        for quantity, ax, style in panels:
            ax.plot(at, of_shift[quantity], **style)
            ax.plot(severity, here[quantity], "o", **RING)
        for measure, ax in zip(MEASURES, axes[1:4], strict=True):
            words = f"{measure} {here[measure]:.3g}"
            ax.text(0.5, 1.04, words, transform=ax.transAxes, ha="center")

    said = (
        f"{name}, severity {severity:g}: the unchanged network is right on "
        f"{here['unchanged']:.0f} % of digits, a probe on {here['probe']:.0f} %"
    )
    tops = tuple(float(top) for top in means[MEASURES].max())
    return Sketch(_frame_of_shifted, (tops, float(at.max())), fill, said)


def _frame_of_shifted(tops: Sequence[float], last: float) -> tuple[Figure, list[Axes]]:
    """tops: the largest value of each measure; last: the largest severity."""
    margins = {"left": 0.055, "right": 0.99, "bottom": 0.17, "top": 0.8, "wspace": 0.28}
    ratios = {"width_ratios": (1.35, 1, 1, 1, 1.2)}
    figure, axes = new_figure(12.5, 3, 5, layout="none", gridspec_kw=margins | ratios)
    without_frame(axes[0])
    axes[0].set_yticks([8, 26, 44], ["digits", "shifted", "letters,\nshifted"], fontsize=9)
    axes[0].set(xlim=(-0.5, 87.5), ylim=(51.5, -0.5), aspect="equal")
    for ax, top in zip(axes[1:4], tops, strict=True):
        ax.set_ylim(-0.06 * top, 1.08 * top)
    axes[4].set(ylim=(0, 130), yticks=range(0, 101, 25))
    axes[4].set_title("right on digits (%)", fontsize=10, y=1.0)
    lines = [
        Line2D([], [], label=LABELS[accuracy], **style)
        for accuracy, style in zip(ACCURACIES, STYLES, strict=False)
    ]
    axes[4].legend(handles=lines, fontsize=8, loc="upper center")
    for ax in axes[1:]:
        ax.set(xlabel="severity", xlim=(-0.05 * last, 1.08 * last))
    return figure, axes


def draw_protocols(results: Results, shifts: Sequence[str]) -> Figure:
    """Target accuracy of probe and fine-tuning against severity, a panel a shift, with intervals
    over seeds."""
    figure, axes = new_figure(10, 3.8, 2, sharey=True)
    clear = False
    for ax, name in zip(axes, shifts, strict=True):
        of_shift = results.where(shift=name)
        at = of_shift.values("severity")
        gaps = []
        for protocol in ("probe", "finetune"):
            chosen = of_shift.where(protocol=protocol)
            points = [chosen.where(severity=v).accuracy()[0.0] for v in at]
            means, reach = (100 * np.array([(p.mean, p.reach) for p in points])).T
            ax.errorbar(at, means, reach, label=protocol)
        for v in (at[0], at[-1]):
            here = of_shift.where(severity=v)
            gap = here.where(protocol="finetune").against(here.where(protocol="probe"))
            ends = f"[{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
            clear |= gap.low > 0
            gaps.append(f"{100 * gap.mean:+.1f} {ends} at {v:g}")
        words = name.replace("label_part", "label-part").replace("_", " ")
        ax.set_title(f"{words}: fine-tuning ahead by\n{', '.join(gaps)}", fontsize=10)
        ax.set(xlabel="severity", ylim=(0, 102))
    axes[0].set_ylabel("target test accuracy (%)")
    axes[0].legend(loc="lower left")
    labels, seeds = results[0].experiment.labels, len(results.values("seed"))
    finding = "fall behind" if clear else "are not clearly behind"
    figure.suptitle(
        f"Where the target differs, frozen features {finding} fine-tuning "
        f"({labels} labels, {seeds} seeds, 95 % intervals)"
    )
    return figure


def _means(judged: pd.DataFrame) -> pd.DataFrame:
    """The mean over the networks by shift and severity, in order; accuracies in percent."""
    means = judged.groupby(["shift", "severity"], sort=False)[list(LABELS)].mean()
    means[ACCURACIES] *= 100
    return means


def _order(correlation: float) -> str:
    """A rank correlation in a word."""
    word = "well" if correlation > 0.8 else "in part" if correlation > 0.55 else "poorly"
    return f"{word} ({correlation:.2f})"


def _legend_below(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
