"""The pictures of `Forgetting`: images, painted from what the features still hold of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.results.forgetting import Forgetting, Snapshot, side_by_side
from lautum_utils.widgets.explorer import Explorer
from lautum_utils.widgets.figures import new_figure, plain
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.strength_axis import limits_around
from lautum_utils.widgets.style import SHEET, STYLES

GAP = 2  # pixels between two images
CURVES = {
    "lautum": "Lautum information (nats)",
    "accuracy": "named right by a linear probe (%)",
}
MILLISECONDS = 700  # from one step of the player to the next


class _Row(NamedTuple):
    """A row of images with the words at its left."""

    words: str
    images: Float[Tensor, "n c h w"]
    style: dict[str, Any]


def draw_forgetting(
    seen: Forgetting, step: int, strength: float, title: str | None = None
) -> Sketch:
    """The images, and what is painted of them at one step: at weight 0, at this weight, and at the
    next larger one. Beside it the Gaussian Lautum information and the accuracy of a linear probe
    against the step, in the same colours. ValueError: a step or a weight that was not seen."""
    weights = _shown_weights(seen, strength)
    snapshots = [seen.at(weight, step) for weight in weights]
    rows = [_Row("the image", seen.shown.inputs, {"color": "0.5"})]
    rows += [
        _Row(f"weight {s.strength:g}", s.painted, _style(number))
        for number, s in enumerate(snapshots)
    ]
    steps, names = (
        tuple(seen.steps),
        tuple(plain(seen.shown.class_names[k].replace("_", " ")) for k in seen.shown.labels),
    )
    limits = tuple(_limits(seen, name) for name in CURVES)

    def fill(axes: list[Axes]) -> None:
        *strips, of_lautum, of_accuracy = axes
        for ax, row in zip(strips, rows, strict=True):
            _draw_row(ax, row)
        for ax, name in ((of_lautum, "lautum"), (of_accuracy, "accuracy")):
            for number, weight in enumerate(weights):
                curve = [_value(seen.at(weight, n), name) for n in steps]
                ax.plot(range(len(steps)), curve, **_style(number))
            ax.axvline(steps.index(step), color="0.5", alpha=0.4, linewidth=6, zorder=0)

    said = title if title is not None else _said(seen, snapshots, step)
    return Sketch(_frame, (len(rows), _shape(rows[0].images), names, steps, limits), fill, said)


def explore_forgetting(seen: Forgetting, step: int | None = None) -> Explorer:
    """`draw_forgetting` with a slider over the steps, a player that moves it, and a slider over the
    weights, if there are enough."""
    positive = [s for s in seen.strengths if s > 0]
    below = positive[:-1] or positive

    def draw(step: int = step or seen.steps[-1], weight: float = below[-1]) -> Sketch:
        """Rows: target images, and what a linear map can still paint of them from the features
        after so many steps on the source. The gray bar marks the step."""
        return draw_forgetting(seen, step, weight)

    controls: dict[str, Any] = {"step": seen.steps} | ({"weight": below} if len(below) > 1 else {})
    explorer = Explorer(draw, **controls)
    add_player(explorer, "step")
    return explorer


@SHEET
def draw_painted(rows: dict[str, Float[Tensor, "n c h w"]], title: str) -> Figure:
    """Rows of images alone, each with its words at the left."""
    n, height, width = _shape(next(iter(rows.values())))
    tall = 8.2 / n * height / width + 0.06
    figure, axes = new_figure(10, tall * len(rows) + 0.5, layout="none")
    axes[0].remove()
    grid = {"left": 0.17, "right": 0.995, "bottom": 0.01, "hspace": 0.08}
    grid["top"] = 1 - 0.42 / (tall * len(rows) + 0.5)
    strips = figure.subplots(len(rows), 1, squeeze=False, gridspec_kw=grid)[:, 0]
    for ax, (words, images) in zip(strips, rows.items(), strict=True):
        _bare(ax, n, height, width)
        _draw_row(ax, _Row(words, images, {"color": "0.5"}))
    figure.suptitle(title)
    return figure


def _shown_weights(seen: Forgetting, strength: float) -> list[float]:
    """0, the strength, and the next larger one."""
    larger = [s for s in seen.strengths if s > strength]
    return sorted({0.0, strength, *larger[:1]} & set(seen.strengths) | {strength})


def _value(snapshot: Snapshot, name: str) -> float:
    return float(getattr(snapshot, name) * (100 if name == "accuracy" else 1))


def _limits(seen: Forgetting, name: str) -> tuple[float, float]:
    values = [_value(snapshot, name) for snapshot in seen.snapshots]
    if name == "accuracy":
        return limits_around([min(values) - 3, max(values) + 3], 10)
    return max(min(values), 1e-3) / 1.5, max(*values, 1e-3) * 1.5


def _said(seen: Forgetting, snapshots: Sequence[Snapshot], step: int) -> str:
    shares = ", ".join(f"{100 * s.kept:.0f} % at weight {s.strength:g}" for s in snapshots)
    what = "letter" if seen.base.shift == "label_part_swap" else "picture"
    when = "before training" if step == 0 else f"after {step} steps"
    return f"{when.capitalize()}, the features still hold of the {what}: {shares}"


def _style(number: int) -> dict[str, Any]:
    """Weight 0 has the colour of standard transfer, as everywhere."""
    return STYLES[(1, 0, 2)[number]]


def _shape(images: Float[Tensor, "n c h w"]) -> tuple[int, int, int]:
    return len(images), images.shape[-2], images.shape[-1]


def _frame(
    rows: int,
    shape: tuple[int, int, int],
    names: Sequence[str],
    steps: Sequence[int],
    limits: Sequence[tuple[float, float]],
) -> tuple[Figure, list[Axes]]:
    """Wide images: the curves below them; others: at their right."""
    n, height, width = shape
    wide = width > height
    across = 8.6 if wide else 5.9  # inches of a row
    tall = across / n * height / width
    top = 0.5
    inches = rows * tall + top + (1.95 if wide else 0.15)
    figure, (unused,) = new_figure(10, inches, layout="none")
    unused.remove()
    left = 1.25 / 10
    axes = []
    for row in range(rows):
        bottom = 1 - (top + (row + 1) * tall) / inches
        axes.append(figure.add_axes((left, bottom, across / 10, 0.94 * tall / inches)))
        _bare(axes[-1], n, height, width)
    size = 8 if max(map(len, names)) < 7 else 6.5
    for number, name in enumerate(names):
        look: dict[str, Any] = {"ha": "center", "fontsize": size, "transform": axes[0].transAxes}
        axes[0].text((number + 0.5) / n, 1.04, name, **look)
    curves = [figure.add_axes(place) for place in _places(inches, wide)]
    for ax, label, limit in zip(curves, CURVES.values(), limits, strict=True):
        ax.set_title(label, fontsize=9)
        ax.set_xticks(range(len(steps)), [str(s) for s in steps], fontsize=8)
        ax.set(xlim=(-0.3, len(steps) - 0.7), ylim=limit)
        ax.tick_params(axis="y", labelsize=8)
    curves[0].set_yscale("log")
    curves[0].minorticks_off()
    for ax in curves if wide else curves[1:]:
        ax.set_xlabel("step of training on the source", fontsize=8)
    return figure, axes + curves


def _places(inches: float, wide: bool) -> list[tuple[float, float, float, float]]:
    """Of the two curves, in a figure so many inches high: beside or below each other."""
    if wide:
        return [(left, 0.62 / inches, 0.38, 1.05 / inches) for left in (0.125, 0.605)]
    half = (inches - 1.6) / 2
    return [(0.765, bottom / inches, 0.225, half / inches) for bottom in (0.95 + half, 0.5)]


def _bare(ax: Axes, n: int, height: int, width: int) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, n * (width + GAP) - GAP)
    ax.set_ylim(height, 0)


def _draw_row(ax: Axes, row: _Row) -> None:
    """One picture of all images, white between them."""
    n, height, width = _shape(row.images)
    padded = F.pad(row.images, (0, GAP), value=1.0)
    strip = side_by_side(padded)[:, :-GAP]
    extent = (0, n * (width + GAP) - GAP, height, 0)
    ax.imshow(strip, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 9}
    ax.text(-0.01, 0.5, row.words, color=row.style["color"], transform=ax.transAxes, **look)


def add_player(explorer: Explorer, name: str) -> None:
    """A player below the controls that moves one of them."""
    slider = explorer.controls[name]
    player = widgets.Play(min=0, max=len(slider.options) - 1, interval=MILLISECONDS)
    player.value = slider.index
    widgets.link((player, "value"), (slider, "index"))
    grid = explorer.box.children[0]
    grid.children = (player, *grid.children)
