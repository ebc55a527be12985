"""The pictures of notebook 05: what moves, how far, and what frozen features lose of it."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Results
from lautum_utils.widgets.figures import Picture, new_figure
from lautum_utils.widgets.style import STYLES

Judged = Mapping[tuple[str, float], Mapping[str, np.ndarray]]  # (shift, severity): by quantity

LABELS = {
    "MMD²": "MMD² of features",
    "A-distance": "A-distance of features",
    "Fréchet": "Fréchet (feature units²)",
    "unchanged": "unchanged network (%)",
    "probe": "probe on frozen features (%)",
}
MEASURES, ACCURACIES = list(LABELS)[:3], list(LABELS)[3:]
RING: dict[str, Any] = {"markersize": 13, "markerfacecolor": "none", "markeredgecolor": "black"}


class Shown(NamedTuple):
    """What `draw_shifted` shows of one shift: three rows of images, and two spectra by name."""

    rows: Sequence[Tensor]
    spectra: Mapping[str, Tensor]


def show_tiles(ax: Axes, images: Tensor, columns: int) -> None:
    """Images (n, 1, h, w) side by side, `columns` in a row, with a gap of 2 pixels."""
    padded = F.pad(images[:, 0], (0, 2, 0, 2), value=0.5)
    rows = padded.unflatten(0, (-1, columns)).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    ax.imshow(rows[:-2, :-2].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
    without_frame(ax)


def without_frame(ax: Axes) -> None:
    """Axes of an image: no grid, spines or ticks; texts can still stand where ticks were."""
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xticks=[], yticks=[])


def draw_shifts(
    domains: Mapping[str, Tensor],
    shifts: Mapping[str, Sequence[Tensor]],
    severities: Sequence[float],
) -> Figure:
    """Left: eight images of each domain in two rows. Right: two images under each shift, at each
    severity."""
    figure, (left, right) = new_figure(11, 4.4, 2, width_ratios=(3, 4))
    show_tiles(left, torch.cat(list(domains.values())), 4)
    left.set_yticks([17 + 36 * k for k in range(len(domains))], list(domains))
    finding = "Domains: the pair's source label is the digit,\nits target label the letter"
    left.set_title(finding, fontsize=10)
    grid = torch.cat([images for row in shifts.values() for images in row])
    show_tiles(right, grid, 2 * len(severities))
    right.set_yticks([8 + 18 * k for k in range(len(shifts))], list(shifts))
    right.set_xticks([17 + 36 * k for k in range(len(severities))], [f"{v:g}" for v in severities])
    right.set_xlabel("severity")
    right.set_title("Shifts: two digits at each severity", fontsize=10)
    figure.suptitle("Images that move, and pairs that stay while the question changes")
    return figure


def draw_measures(judged: Judged, seeds: int) -> Figure:
    """Three measures of the shift and two accuracies against severity, a line a shift."""
    shifts, severities = _places(judged)
    figure, axes = new_figure(12.5, 3.6, 5)
    last, ends = severities[-1], {}
    for ax, (quantity, label) in zip(axes, LABELS.items(), strict=True):
        scale, digits = (1, 1) if quantity in MEASURES else (100, 0)
        for shift in shifts:
            curve = [scale * judged[shift, v][quantity].mean() for v in severities]
            ax.plot(severities, curve, label=shift)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("severity")
        values = [scale * judged[shift, last][quantity].mean() for shift in shifts]
        ends[quantity] = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
    for ax in axes[3:]:
        ax.set_ylim(0, 100)
    _legend_below(figure, axes[0])
    figure.suptitle(
        f"Severity {last:g}: A-distances from {ends['A-distance']}, while the unchanged network "
        f"keeps {ends['unchanged']} % and the probe {ends['probe']} % (means of {seeds} networks)"
    )
    return figure


def draw_losses(
    judged: Judged,
    unmoved: Mapping[str, np.ndarray],
    agreement: Mapping[tuple[str, str], np.ndarray],
) -> Figure:
    """What a shift costs against how far it moved the features: a row for each accuracy, a column
    for each measure, a dot a severity.

    unmoved: as judged without a shift. agreement: rank correlations by accuracy and measure.
    """
    shifts, severities = _places(judged)
    figure = Picture(figsize=(11, 5.6))
    axes = figure.subplots(2, 3, sharex="col", sharey="row")
    best = {}
    for row, accuracy in zip(axes, ACCURACIES, strict=True):
        for ax, measure in zip(row, MEASURES, strict=True):
            for shift in shifts:
                here = [judged[shift, v] for v in severities if v > 0]
                x = [one[measure].mean() for one in here]
                y = [100 * (unmoved[accuracy] - one[accuracy]).mean() for one in here]
                ax.plot(x, y, label=shift, linestyle="none", markersize=6)
            ax.set_title(f"rank correlation {agreement[accuracy, measure].mean():.2f}", fontsize=10)
        best[accuracy] = max(agreement[accuracy, m].mean() for m in MEASURES)
    axes[0, 0].set_ylabel("loss of the unchanged\nnetwork (points)")
    axes[1, 0].set_ylabel("loss of the probe\n(points)")
    for ax, measure in zip(axes[1], MEASURES, strict=True):
        ax.set_xlabel(LABELS[measure])
    _legend_below(figure, axes[0, 0])
    figure.suptitle(
        "Distances of features order the losses of the unchanged network "
        f"(up to {best['unchanged']:.2f}) and of the probe (up to {best['probe']:.2f}) so well"
    )
    return figure


def draw_shifted(judged: Judged, shift: str, severity: float, shown: Shown, labels: int) -> Figure:
    """Digits and letters, shifted; three measures against severity, the chosen one ringed; how
    strongly features and shifted letters are correlated, for random and for trained features."""
    severities = _places(judged)[1]
    margins = {"left": 0.055, "right": 0.99, "bottom": 0.17, "top": 0.8, "wspace": 0.25}
    ratios = {"width_ratios": (1.35, 1, 1, 1, 1.3)}
    figure, axes = new_figure(12.5, 3, 5, layout="none", gridspec_kw=margins | ratios)
    show_tiles(axes[0], torch.cat(list(shown.rows)), len(shown.rows[0]))
    axes[0].set_yticks([8, 26, 44], ["digits", "shifted", "letters,\nshifted"], fontsize=9)
    here = judged[shift, severity]
    for ax, measure, style in zip(axes[1:4], MEASURES, STYLES, strict=False):
        ax.plot(severities, [judged[shift, v][measure].mean() for v in severities], **style)
        ax.plot(severity, here[measure].mean(), "o", **RING)
        ax.set_title(f"{measure} {here[measure].mean():.3g}", fontsize=10, y=1.0)
        ax.set_xlabel("severity")
        highest = max(one[measure].mean() for one in judged.values())
        ax.set_ylim(-0.06 * highest, 1.08 * highest)
    for (name, curve), style in zip(shown.spectra.items(), (STYLES[1], STYLES[0]), strict=True):
        axes[4].plot(range(1, len(curve) + 1), curve, label=name, markevery=5, **style)
    axes[4].set(xlabel="canonical correlation, by rank", ylim=(0, 1.02))
    axes[4].set_title("ρ with shifted letters", fontsize=10, y=1.0)
    axes[4].legend(fontsize=8, loc="lower left")
    unchanged, probe = (100 * here[name].mean() for name in ACCURACIES)
    figure.suptitle(
        f"{shift}, severity {severity:g}: the unchanged network is right on {unchanged:.0f} % of "
        f"digits, a probe with {labels} labels on {probe:.0f} %"
    )
    return figure


def draw_protocols(results: Results, shifts: Sequence[str]) -> Figure:
    """Target accuracy of probe and fine-tuning against severity, a panel a shift, with intervals
    over seeds."""
    figure, axes = new_figure(10, 3.8, 2, sharey=True)
    for ax, shift in zip(axes, shifts, strict=True):
        of_shift = results.where(shift=shift)
        at, means = of_shift.values("severity"), {}
        for protocol in ("probe", "finetune"):
            chosen = of_shift.where(protocol=protocol)
            points = [chosen.where(severity=v).accuracy()[0.0] for v in at]
            means[protocol] = [100 * point.mean for point in points]
            reach = [100 * point.reach for point in points]
            ax.errorbar(at, means[protocol], reach, label=protocol)
        gap = np.subtract(means["finetune"], means["probe"])
        name = shift.replace("label_part", "label-part").replace("_", " ")
        ax.set_title(
            f"{name}: fine-tuning ahead by\n"
            f"{gap[0]:+.1f} points at {at[0]:g}, by {gap[-1]:+.1f} at {at[-1]:g}",
            fontsize=10,
        )
        ax.set(xlabel="severity", ylim=(0, 102))
    axes[0].set_ylabel("target test accuracy (%)")
    axes[0].legend(loc="lower left")
    labels, seeds = results[0].experiment.labels, len(results.values("seed"))
    figure.suptitle(
        f"Frozen features against fine-tuning, {labels} labels, {seeds} seeds, 95 % intervals"
    )
    return figure


def _places(judged: Judged) -> tuple[list[str], list[float]]:
    """The shifts and the severities, each in order."""
    return list(dict.fromkeys(s for s, _ in judged)), sorted({v for _, v in judged})


def _legend_below(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
