"""The pictures of notebook 12: scanners, Dice scores, branches, outlines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_pages.page_12_scanners import NEGATIVE, SCANNERS, random, scan, scenes
from lautum_utils import Interval, interval
from lautum_utils.widgets.figures import Picture, new_figure
from lautum_utils.widgets.style import STYLES

MARGINS = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 0.78, "wspace": 0.06}
GREY: dict[str, Any] = {"cmap": "gray", "vmin": -0.3, "vmax": 1.5}
METHODS = ("no normalization", "one for all", "one each", "one each, told")
FAILED = 0.1  # a Dice score below it


def draw_idea() -> Figure:
    """One scene as each scanner and a negative see it; below, each image with mean 0 and variance
    1."""
    scene = scenes(1, random(3))[0]
    figure = Picture(figsize=(7.4, 3.7))
    axes = figure.subplots(2, len(SCANNERS) + 1)
    names = [*(f"scanner {name}" for name in SCANNERS), "a negative"]
    scanners = (*SCANNERS.values(), NEGATIVE)
    for column, name, scanner in zip(axes.T, names, scanners, strict=True):
        image = scan(scene, scanner, random(5))[0]
        _show(column[0], image, name)
        normal = (image - image.mean()) / image.std(correction=0)
        column[1].imshow(normal[0], cmap="gray", vmin=-2.5, vmax=4)
        for ax in column:
            _without_frame(ax)
    axes[0, 0].set_ylabel("as it is")
    axes[1, 0].set_ylabel("normalized")
    figure.suptitle(
        "Normalizing an image takes off the contrast and offset of its scanner,\n"
        "not its gamma and blur, and dark specks stay dark"
    )
    return figure


def draw_scanners(seen: Mapping[str, Tensor], mask: Tensor) -> Figure:
    """One scene (1, SIZE, SIZE) as each scanner sees it, and the mask of its specks."""
    figure, axes = _image_axes(len(seen) + 1)
    for ax, (name, image) in zip(axes, seen.items(), strict=False):
        _show(ax, image, _named(name))
    axes[-1].imshow(mask[0], cmap="gray")
    axes[-1].set_title("mask", fontsize=9, y=1.0)
    figure.suptitle("One scene as the scanners see it, and what is to be found")
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


def draw_dice(results: pd.DataFrame) -> Figure:
    """Left: Dice of each method on each scanner, a dot a seed. Right: what "one each" gains, with
    intervals over seeds. results: a row for each method, scanner and seed."""
    scanners = list(dict.fromkeys(results.scanner))
    methods = [m for m in METHODS if m in set(results.method)]
    figure, (left, right) = new_figure(11, 3.9, 2, gridspec_kw={"width_ratios": (3, 2)})
    styles = dict(zip(METHODS, STYLES, strict=False))
    for k, method in enumerate(methods):
        ours = results[results.method == method]
        places = np.array([scanners.index(s) for s in ours.scanner], dtype=float)
        places += 0.17 * (k - (len(methods) - 1) / 2) + 0.02 * (ours.seed - ours.seed.mean())
        left.plot(places, ours.dice, label=method, **styles[method] | {"linestyle": "none"})
    left.set_xticks(range(len(scanners)), [_named(s) for s in scanners])
    left.set(ylabel="Dice score", ylim=(-0.03, 1.15), yticks=np.arange(0, 1.1, 0.2))
    left.set_title("Dice score, a dot a seed")
    left.legend(ncols=len(methods), loc="upper center", columnspacing=1)
    controls = [m for m in ("one for all", "no normalization") if m in methods]
    for k, control in enumerate(controls):
        gains = [gain_of(results, s, control=control) for s in scanners]
        heights = [-j - 0.15 * (2 * k - 1) for j in range(len(scanners))]
        look = styles[control] | {"linestyle": "none", "label": f"against {control}"}
        reach = [g.reach for g in gains]
        right.errorbar([g.mean for g in gains], heights, xerr=reach, **look)
    right.axvline(0, color="0.5", linewidth=1)
    right.set_yticks([-j for j in range(len(scanners))], [_named(s) for s in scanners])
    right.set(ylim=(0.5 - len(scanners), 1.1), xlabel="paired difference in Dice")
    right.set_title('What "one each" gains, 95 % intervals')
    right.legend(loc="upper center", ncols=2, columnspacing=1, fontsize=8)
    figure.suptitle(_finding(results, scanners))
    return figure


def gain_of(
    results: pd.DataFrame, scanner: str, ours: str = "one each", control: str = "one for all"
) -> Interval:
    """How much better one method is than another on a scanner: paired over seeds, in Dice."""
    here = results[results.scanner == scanner]
    by_method = here.pivot(index="seed", columns="method", values="dice")
    return interval((by_method[ours] - by_method[control]).tolist())


def gains_in_words(results: pd.DataFrame) -> Iterator[str]:
    """A line for each scanner: what one normalization each gains, and whether that is clear."""
    for scanner in results.scanner.unique():
        gain = gain_of(results, scanner)
        said = "clearly better" if gain.low > 0 else "no clear difference"
        yield f"{scanner:8} {gain}  {'clearly worse' if gain.high < 0 else said}"


def _finding(results: pd.DataFrame, scanners: Sequence[str]) -> str:
    gains = {s: gain_of(results, s).mean for s in scanners}
    if "unseen" in gains:
        known = np.mean([gain for s, gain in gains.items() if s != "unseen"])
        return (
            "A normalization for each scanner, against one for all: "
            f"{known:+.3f} Dice on known scanners, {gains['unseen']:+.3f} on the unseen one"
        )
    failed = results[results.dice < FAILED].groupby("method").size()
    for_all, each = (failed.get(name, 0) for name in ("one for all", "one each"))
    cases = f"{len(scanners) * results.seed.nunique()} cases"
    return f"One for all fails (Dice below {FAILED:g}) in {for_all} of {cases}, one each in {each}"


def draw_branches(shares: pd.DataFrame) -> Figure:
    """The share of the images of each scanner (rows) that takes each branch (columns)."""
    figure, (ax,) = new_figure(6.5, 2.9)
    ax.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        color = "black" if share > 0.5 else "white"
        ax.text(column, row, f"{100 * share:.0f} %", ha="center", va="center", color=color)
    ax.set_xticks(range(shares.shape[1]), [f"branch {name}" for name in shares.columns])
    ax.set_yticks(range(len(shares)), [_named(name) for name in shares.index])
    ax.grid(False)
    right = np.mean([shares.loc[name, name] for name in shares.columns])
    figure.suptitle(f"{100 * right:.0f} % of the images of known scanners take their own branch")
    return figure


def _named(scanner: str) -> str:
    return "unseen scanner" if scanner == "unseen" else f"scanner {scanner}"


def _image_axes(columns: int) -> tuple[Figure, list[Axes]]:
    """Axes for images, without ticks or frames."""
    figure, axes = new_figure(1.9 * columns, 2.3, columns, layout="none", gridspec_kw=MARGINS)
    for ax in axes:
        _without_frame(ax)
    return figure, axes


def _without_frame(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)


def _show(ax: Axes, image: Tensor, title: str) -> None:
    ax.imshow(image[0], **GREY)
    ax.set_title(title, fontsize=9, y=1.0)


def _outline(ax: Axes, pixels: Tensor) -> None:
    """Colour the pixels (1, SIZE, SIZE) that are positive."""
    marked = torch.where(pixels[0] > 0, 1.0, torch.nan)
    ax.imshow(marked, cmap="autumn", vmin=0, vmax=1.5, alpha=0.6)
