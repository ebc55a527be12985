"""The opening picture of notebook 08: which method beats whom, on every task at once."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lautum_pages import page_08_record as asked
from lautum_pages.page_08_published import Published
from lautum_pages.page_08_record import CONTROL_NAME, Standing
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

ALL: dict[str, Any] = {"color": STYLES[0]["color"], "marker": "o", "markersize": 8}
CONTROL_ONLY: dict[str, Any] = ALL | {"markerfacecolor": "white"}
NOT: dict[str, Any] = {"color": STYLES[1]["color"], "marker": "x", "markersize": 6}
LEGEND = {
    "above the control and every simple baseline": ALL,
    "above the control only": CONTROL_ONLY,
    "not above the control": NOT,
}


def draw_wins(recorded: Published) -> Figure:
    """A mark for each method on each task with each number of labels; features frozen on the left,
    fine-tuning on the right. "Above" is: the interval of the paired difference excludes 0."""
    names = _names(recorded)
    columns = list(dict.fromkeys((asked.task_name(p), p.labels) for p in recorded.found))
    height = 0.28 * len(names) + 2.3
    margins = {"left": 0.25, "right": 0.99, "wspace": 0.06}
    margins |= {"bottom": 1.05 / height, "top": 1 - 0.85 / height}
    figure, axes = new_figure(10, height, 2, layout="none", sharey=True, gridspec_kw=margins)
    for ax, (protocol, title) in zip(axes, asked.PROTOCOLS.items(), strict=True):
        for place in recorded.places(protocol=protocol):
            at = columns.index((asked.task_name(place), place.labels))
            for name, standing in recorded.standings[place].items():
                mark = mark_of(standing) | {"linestyle": "none"}
                ax.plot([at], [names.index(name)], **mark)
        _columns(ax, columns)
        ax.set_title("frozen features (probe)" if protocol == "probe" else title, fontsize=9)
    axes[0].set_yticks(range(len(names)), names, fontsize=8)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    marks = [Line2D([], [], linestyle="none", label=name, **s) for name, s in LEGEND.items()]
    figure.legend(handles=marks, ncols=3, loc="lower center", fontsize=8)
    said = f"Above the control and every simple baseline: {recorded.winners(recorded.found)} places"
    figure.suptitle(fill(said, 105))
    return figure


def mark_of(standing: Standing) -> dict[str, Any]:
    """How a method's standing looks."""
    if not standing.not_above:
        return ALL
    return NOT if CONTROL_NAME in standing.not_above else CONTROL_ONLY


def _names(recorded: Published) -> list[str]:
    """Of all methods, who beats all most often first."""
    counts = asked.how_often(recorded.standings.values())
    return sorted(counts, key=lambda name: -counts[name][0])


def _columns(ax: Axes, columns: Sequence[tuple[str, int]]) -> None:
    """Numbers of labels below, and the tasks below those, with a line between tasks."""
    ax.set_xticks(range(len(columns)), [str(labels) for _, labels in columns], fontsize=7)
    ax.set_xlim(-0.6, len(columns) - 0.4)
    ax.grid(visible=False)
    for task in dict.fromkeys(task for task, _ in columns):
        own = [k for k, (name, _) in enumerate(columns) if name == task]
        middle, words = (own[0] + own[-1]) / 2, task.replace(" to ", "\nto ")
        place: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.text(middle, -0.1, words, ha="center", va="top", fontsize=7.5, **place)
        if own[0]:
            ax.axvline(own[0] - 0.5, color="0.8", linewidth=1)
