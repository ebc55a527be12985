"""The pictures of notebook 12: scanners, Dice scores, outlines."""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

MARGINS = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 0.78, "wspace": 0.06}
GREY: dict[str, Any] = {"cmap": "gray", "vmin": -0.3, "vmax": 1.5}
NO_LINE: dict[str, Any] = {"linestyle": "none"}


def draw_scanners(seen: Mapping[str, Tensor], mask: Tensor) -> Figure:
    """One scene (1, SIZE, SIZE) as each scanner sees it, and the mask of its specks."""
    figure, axes = _image_axes(len(seen) + 1)
    for ax, (name, image) in zip(axes, seen.items(), strict=False):
        _show(ax, image, "unseen scanner" if name == "unseen" else f"scanner {name}")
    axes[-1].imshow(mask[0], cmap="gray")
    axes[-1].set_title("mask", fontsize=9, y=1.0)
    figure.suptitle("One scene, the scanners, and what is to be found")
    return figure


def draw_outlines(
    scene: Tensor,
    mask: Tensor,
    image: Tensor,
    found: Mapping[str, tuple[Tensor, float]],
    branch: str,
) -> Figure:
    """The scene with its mask, the image of a scanner, and what networks outline on it.

    found: by network, the pixels (1, SIZE, SIZE) that it takes for specks, and their Dice score.
    """
    figure, axes = _image_axes(2 + len(found))
    _show(axes[0], scene, "scene, mask")
    _outline(axes[0], mask)
    _show(axes[1], image, "your scanner")
    for ax, (name, (pixels, value)) in zip(axes[2:], found.items(), strict=True):
        _show(ax, image, f"{name}: Dice {value:.2f}")
        _outline(ax, pixels)
    figure.suptitle(f"The image takes the branch of scanner {branch}")
    return figure


def _image_axes(columns: int) -> tuple[Figure, list[Axes]]:
    """Axes for images, without ticks or frames."""
    figure, axes = new_figure(1.9 * columns, 2.3, columns, layout="none", gridspec_kw=MARGINS)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.grid(False)
    return figure, axes


def _show(ax: Axes, image: Tensor, title: str) -> None:
    ax.imshow(image[0], **GREY)
    ax.set_title(title, fontsize=9, y=1.0)


def _outline(ax: Axes, pixels: Tensor) -> None:
    """Colour the pixels (1, SIZE, SIZE) that are positive."""
    marked = torch.where(pixels[0] > 0, 1.0, torch.nan)
    ax.imshow(marked, cmap="autumn", vmin=0, vmax=1.5, alpha=0.6)


def draw_dice(
    scores: Mapping[str, Mapping[str, Interval]], gaps: Mapping[str, Mapping[str, Interval]]
) -> Figure:
    """Dice of each method on each scanner, and what "one each" gains over others, as intervals.

    scores: by method, then by scanner. gaps: by what "one each" is compared with, "one for all"
    among it, then by scanner.
    """
    figure, (left, right) = new_figure(11, 3.6, 2, gridspec_kw={"width_ratios": (3, 2)})
    scanners = list(gaps["one for all"])
    names = [s if s == "unseen" else f"scanner {s}" for s in scanners]
    styles = dict(zip(scores, STYLES, strict=False))
    for at, (method, by_scanner) in enumerate(scores.items()):
        places = [scanners.index(s) + 0.17 * (at - 1.5) for s in by_scanner]
        means, reach = _means(by_scanner)
        left.errorbar(places, means, reach, label=method, **styles[method] | NO_LINE)
    left.set_xticks(range(len(scanners)), names)
    left.set(ylabel="Dice score", ylim=(0, 1), title="Dice score, mean and 95 % interval")
    left.legend(ncols=4, loc="upper center", columnspacing=1)
    for at, (control, by_scanner) in enumerate(gaps.items()):
        places = [-k - 0.15 * (2 * at - 1) for k in range(len(scanners))]
        means, reach = _means(by_scanner)
        look = styles[control] | NO_LINE
        right.errorbar(means, places, xerr=reach, label=f"against {control}", **look)
    right.axvline(0, color="0.3", linewidth=1)
    right.set_yticks([-k for k in range(len(scanners))], names)
    right.set(ylim=(0.5 - len(scanners), 1.1), xlabel="paired difference in Dice")
    right.set_title('What "one each" gains')
    right.legend(loc="upper center", ncols=2, columnspacing=1)
    better = sum(gap.low > 0 for gap in gaps["one for all"].values())
    worse = sum(gap.high < 0 for gap in gaps["one for all"].values())
    figure.suptitle(
        "A normalization for each scanner against one for all: "
        f"better on {better}, worse on {worse} of {len(scanners)}"
    )
    return figure


def _means(by_scanner: Mapping[str, Interval]) -> tuple[list[float], list[float]]:
    """Means, and how far the intervals reach."""
    points = by_scanner.values()
    return [point.mean for point in points], [point.reach for point in points]
