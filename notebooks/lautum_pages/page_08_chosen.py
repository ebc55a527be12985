"""Which weights notebook 08's record tried, and which it chose."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lautum_pages import page_08_record as asked
from lautum_pages.page_08_published import Published
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

Row = tuple[str, str, str]  # method in words, task in words, protocol


def chosen_weights(recorded: Published) -> dict[Row, tuple[float, list[float]]]:
    """The weight that validation picked, and all that were tried, of each method on each task."""
    found = {}
    for place, contestants in recorded.found.items():
        task = {"source": place.source, "target": place.target, "protocol": place.protocol}
        for name, method in recorded.methods.items():
            weight = contestants[name].weight if name in contestants else None
            tried = recorded.choosing.where(method=method, **task).values("strength")
            if weight is not None:
                found[name, asked.task_name(place), place.protocol] = weight, tried
    return found


def draw_chosen(recorded: Published) -> Figure:
    """A line over the weights that were tried, with a mark at the chosen one, for each method and
    task."""
    chosen = chosen_weights(recorded)
    inside = sum(tried[0] < weight < tried[-1] for weight, tried in chosen.values())
    low, high = (f(weight for weight, _ in chosen.values()) for f in (min, max))
    title = f"Chosen weights lie between {low:g} and {high:g}, "
    title += f"{inside} of {len(chosen)} inside of what was tried"
    methods, height = list(recorded.methods), 0.45 * len(recorded.methods) + 1.9
    figure, axes = new_figure(10, height, 2, sharey=True, sharex=True)
    for ax, (protocol, words) in zip(axes, asked.PROTOCOLS.items(), strict=True):
        for (name, task, own), (weight, tried) in chosen.items():
            if own == protocol:
                step = recorded.tasks.index(task) - (len(recorded.tasks) - 1) / 2
                _row(ax, methods.index(name) + 0.18 * step, weight, tried, _look(recorded, task))
        ax.set(xscale="log", xlabel="weight, a share of the gradient", title=words)
    axes[0].set_yticks(range(len(methods)), methods, fontsize=8)
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    marks = [Line2D([], [], label=task, **_look(recorded, task)) for task in recorded.tasks]
    figure.legend(handles=marks, ncols=4, loc="outside lower center", fontsize=8)
    figure.suptitle(title)
    return figure


def _row(ax: Axes, y: float, weight: float, tried: list[float], look: dict[str, Any]) -> None:
    thin: dict[str, Any] = {"color": look["color"], "linewidth": 1, "alpha": 0.5}
    ax.plot([tried[0], tried[-1]], [y, y], marker="", linestyle="-", **thin)
    ax.plot([weight], [y], **look | {"linestyle": "none"})


def _look(recorded: Published, task: str) -> dict[str, Any]:
    style = STYLES[recorded.tasks.index(task)]
    return {"color": style["color"], "marker": style["marker"], "linestyle": "none"}
