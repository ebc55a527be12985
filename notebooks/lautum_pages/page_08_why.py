"""Why Lautum information gains on one task of notebook 08 and not on another."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lautum_pages import page_08_record as asked
from lautum_pages.page_08_published import Published
from lautum_utils import Interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

Point = tuple[str, Interval, Interval]  # a task in words; pixels and Lautum over the control


def pixels_and_lautum(recorded: Published) -> list[Point]:
    """At each place with frozen features: what a linear classifier on the pixels, and what Lautum
    gain over the control, paired."""
    points = []
    for place in recorded.places(protocol="probe"):
        found = recorded.found[place]
        control = asked.control_of(found)
        pixels, lautum = (found[n].results.against(control) for n in ("pixels", "Lautum"))
        points.append((asked.task_name(place), pixels, lautum))
    return points


def correlation(points: list[Point]) -> float:
    """Of the two gains, over the places."""
    return float(np.corrcoef([p.mean for _, p, _ in points], [g.mean for _, _, g in points])[0, 1])


def draw_why(recorded: Published) -> Figure:
    """What Lautum gains against what the pixels are ahead, with 95 % intervals; on the dashed line
    Lautum would have all of it."""
    points = pixels_and_lautum(recorded)
    figure, (ax,) = new_figure(7.4, 4.2)
    for task, pixels, lautum in points:
        bars = {"xerr": 100 * pixels.reach, "yerr": 100 * lautum.reach, "linestyle": "none"}
        ax.errorbar([100 * pixels.mean], [100 * lautum.mean], **_look(recorded, task) | bars)
    ends = np.array(ax.get_xlim())
    ax.plot(ends, ends, color="0.5", linestyle="--", linewidth=1, marker="", zorder=0)
    for line in (ax.axhline, ax.axvline):
        line(0, color="0.5", linewidth=1, zorder=0)
    ax.set(xlabel="pixels over the control (points)", ylabel="Lautum over the control (points)")
    marks = [Line2D([], [], label=task, **_look(recorded, task)) for task in recorded.tasks]
    figure.legend(handles=marks, ncols=4, loc="outside lower center", fontsize=8)
    r = correlation(points)
    title = "What pixels are ahead of the control, and what Lautum gains"
    if r > 0.5:
        title = "The further pixels are ahead of the control, the more Lautum gains"
    figure.suptitle(f"{title} (correlation {r:.2f})")
    return figure


def _look(recorded: Published, task: str) -> dict[str, Any]:
    style = STYLES[recorded.tasks.index(task)]
    return {"color": style["color"], "marker": style["marker"], "linestyle": "none"}
