"""Notebook 04: the way from images to a penalty as a drawing, and what a step costs."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

BLUE, ORANGE, GREEN = (style["color"] for style in STYLES[:3])
Way = Sequence[float]  # milliseconds forward, milliseconds back


def draw_idea() -> Figure:
    """From a batch of images to L, and the way of the gradient back to the network."""
    margins = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 0.88}
    figure, (ax,) = new_figure(10, 2.9, 1, layout="none", gridspec_kw=margins)
    ax.set(xlim=(0, 10), ylim=(0, 2.9))
    ax.axis("off")
    places = {
        "a batch of n\nimages x": (0.9, 1.45, "0.45"),
        "network": (2.8, 2.2, BLUE),
        "features z\n(n, k)": (4.6, 2.2, BLUE),
        "whitened once:\nr components": (2.8, 0.7, "0.45"),
        "inputs u\n(n, r)": (4.6, 0.7, "0.45"),
        "one covariance of\n(z + noise, u)": (6.9, 1.45, GREEN),
        "L, in nats": (9.0, 1.45, GREEN),
    }
    boxes = []
    for text, (x, y, colour) in places.items():
        frame: dict[str, Any] = {
            "boxstyle": "round,pad=0.45",
            "facecolor": "white",
            "edgecolor": colour,
        }
        look: dict[str, Any] = {"bbox": frame | {"linewidth": 1.6}, "color": "black"}
        boxes.append(ax.text(x, y, text, ha="center", va="center", **look))
    for start, end in ((0, 1), (1, 2), (0, 3), (3, 4), (2, 5), (4, 5), (5, 6)):
        _arrow(ax, boxes[start], boxes[end], color="0.45")
    bent = {"connectionstyle": "arc3,rad=0.22", "linestyle": "--", "linewidth": 1.8}
    _arrow(ax, boxes[6], boxes[1], color=ORANGE, **bent)
    ax.text(8.1, 2.45, "the gradient goes back\nthrough z only", color=ORANGE, ha="center")
    figure.suptitle("A step: two thin matrices, one small covariance, one number")
    return figure


def _arrow(ax: Axes, start: Text, end: Text, **look: Any) -> None:
    ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch(), "shrinkB": 3}
    places = end.get_position(), start.get_position()
    ax.annotate("", *places, arrowprops={"arrowstyle": "->"} | ends | look)


def timed(function: Callable[..., Tensor], z: Tensor, *others: Any, budget: float = 0.1) -> Way:
    """Milliseconds of a value, and of its gradient for z: the fastest of several passes after one
    to warm up, since other work on the machine only adds."""
    z = z.detach().requires_grad_()
    torch.autograd.grad(function(z, *others).sum(), z)
    forward: list[float] = []
    back: list[float] = []
    begun = time.perf_counter()
    while len(forward) < 3 or (time.perf_counter() - begun < budget and len(forward) < 30):
        started = time.perf_counter()
        value = function(z, *others).sum()
        middle = time.perf_counter()
        torch.autograd.grad(value, z)
        forward.append(middle - started)
        back.append(time.perf_counter() - middle)
    return 1e3 * min(forward), 1e3 * min(back)


def once(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a function returns, and how many milliseconds it took."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, 1e3 * (time.perf_counter() - started)


def draw_times(
    took: Mapping[str, Way], dims: Sequence[int], by_dims: Mapping[str, Sequence[float]], rows: int
) -> Figure:
    """Milliseconds forward and back of each version; and of a step against the dimensions of the
    input. rows: of the batch on the right side."""
    margins = {"left": 0.17, "right": 0.985, "bottom": 0.16, "top": 0.8, "wspace": 0.22}
    figure, (left, right) = new_figure(10.5, 3.6, 2, layout="none", gridspec_kw=margins)
    longest = max(sum(way) for way in took.values())
    for row, (forward, back) in enumerate(took.values()):
        left.barh(-row, forward, color=BLUE)
        left.barh(-row, back, left=forward, color=ORANGE, hatch="//", edgecolor="white")
        text = f"{forward:.2g} + {back:.2g}"
        left.text(forward + back + longest / 50, -row, text, va="center", fontsize=9)
    left.set_yticks([-row for row in range(len(took))], list(took))
    left.grid(False, axis="y")
    left.set(xlim=(0, 1.3 * longest), xlabel="ms a step")
    left.text(0.55, 0.06, "forward", color=BLUE, transform=left.transAxes)
    left.text(0.73, 0.06, "+ back (hatched)", color=ORANGE, transform=left.transAxes)
    (ahead, behind), (ahead_2, behind_2) = list(took.values())[:2]
    told = "Where the time of a step goes"
    if behind_2 > behind and sum((ahead_2, behind_2)) > sum((ahead, behind)):
        told = "Cholesky loses on the way back"
    left.set_title(told, fontsize=10)
    for name, times in by_dims.items():
        right.loglog(dims, times, label=name)
    right.set_xticks(dims, [str(dim) for dim in dims])
    right.minorticks_off()
    right.set(xlabel=f"dimensions of the input, d (n = {rows})", ylabel="ms")
    right.set_title("With r fixed, a step does not grow with d", fontsize=10)
    right.legend(loc="upper left")
    figure.suptitle("Dropping components is what makes a step cheap")
    return figure
