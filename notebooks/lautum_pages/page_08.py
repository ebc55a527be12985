"""The pictures of notebook 08: the published tasks, leaderboards and weights."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lautum_pages.page_08_record import (
    BASELINE,
    CONTROL,
    METHOD,
    PLAIN,
    Contestant,
    Standing,
    control_of,
    standings,
)
from lautum_utils import Results
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.strength_axis import limits_around, strength_axis, strength_places
from lautum_utils.widgets.style import STYLES

# Full where a method beats the control and every baseline, hollow where not.
WINNER: dict[str, Any] = {"color": STYLES[0]["color"], "marker": "o"}
LOSER: dict[str, Any] = WINNER | {"markerfacecolor": "white"}
OF_PLAIN: dict[str, Any] = {"color": "0.5", "marker": "s", "markerfacecolor": "white"}
OF_BASELINE: dict[str, Any] = {"color": STYLES[1]["color"], "marker": "D"}
LEGEND = {
    "method, above the control and every baseline": WINNER,
    "method, not above all of them": LOSER,
    "fine-tuned in another way": OF_PLAIN,
    "simple baseline": OF_BASELINE,
}
BEST: dict[str, Any] = {"color": STYLES[1]["color"], "linestyle": "--", "linewidth": 1}
CURVES = {
    "test_accuracy": "target, test",
    "validation_accuracy": "target, validation",
    "source_accuracy": "source, test",
}

# ------------------------------------------------------------------------------------ leaderboards


def draw_leaderboard(
    panels: Mapping[str, Mapping[str, Contestant]], title: str, confidence: float = 0.95
) -> Figure:
    """Paired differences to the control, in points, with their intervals: a panel for each place, a
    row for each method and baseline. The dashed line is at the baseline with the best mean.

    panels: who stands at a place (`contestants`), by the title of its panel.
    """
    names = _rows(panels)
    title = fill(title, 95)
    above = 0.6 + 0.18 * title.count("\n")
    height = 0.24 * len(names) + 1.0 + above
    margins = {"left": 0.25, "right": 0.99, "wspace": 0.08}
    margins |= {"bottom": 0.78 / height, "top": 1 - above / height}
    figure, axes = new_figure(
        10, height, len(panels), layout="none", sharey=True, gridspec_kw=margins
    )
    for ax, (panel, found) in zip(axes, panels.items(), strict=True):
        _draw_panel(ax, found, names, confidence)
        ax.set_title(panel, fontsize=9)
    axes[0].set_yticks(range(len(names)), names, fontsize=8)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    figure.text(0.62, 0.34 / height, "difference to the control (points)", ha="center", fontsize=9)
    marks = [Line2D([], [], linestyle="none", label=name, **s) for name, s in LEGEND.items()]
    marks.append(Line2D([], [], label="best baseline", **BEST))
    figure.legend(handles=marks, ncols=5, loc="lower center", fontsize=7.5, columnspacing=1.2)
    figure.suptitle(title)
    return figure


def _rows(panels: Mapping[str, Mapping[str, Contestant]]) -> list[str]:
    """All names but the control's: methods, then others, then baselines, those by their names."""
    roles = {name: c.role for found in panels.values() for name, c in found.items()}
    roles = dict(sorted(roles.items(), key=lambda pair: pair[0] * (pair[1] == BASELINE)))
    return [name for role in (METHOD, PLAIN, BASELINE) for name in roles if roles[name] == role]


def _draw_panel(
    ax: Axes, found: Mapping[str, Contestant], names: Sequence[str], confidence: float
) -> None:
    table = standings(found, confidence)
    differences = {
        name: contestant.results.against(control_of(found, _as_method(contestant)), confidence)
        for name, contestant in found.items()
        if contestant.role != CONTROL
    }
    for name, difference in differences.items():
        look = _look(found[name].role, table.get(name))
        ax.errorbar(
            [100 * difference.mean],
            [names.index(name)],
            xerr=[100 * difference.reach],
            **look | {"linestyle": "none", "markersize": 5, "capsize": 2},
        )
    of_baselines = [d.mean for n, d in differences.items() if found[n].role == BASELINE]
    if of_baselines:
        ax.axvline(100 * max(of_baselines), zorder=0, **BEST)
    ax.axvline(0, color="0.5", linewidth=1, zorder=0)
    ax.tick_params(axis="x", labelsize=8)


def _as_method(contestant: Contestant) -> Contestant | None:
    """Who is compared with the control that is fine-tuned alike: methods; others with the one."""
    return contestant if contestant.role == METHOD else None


def _look(role: str, standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        return OF_BASELINE if role == BASELINE else OF_PLAIN
    return LOSER if standing.not_above else WINNER


# ----------------------------------------------------------------------------------------- weights


def draw_weights(
    by_task: Mapping[str, Results], controls: Mapping[str, Results], title: str
) -> Sketch:
    """Accuracy against the weight of one method, a panel for each task, all over the same range of
    weights: where the best lies. The grey bar is the weight that validation data picks.

    by_task: a method's results with all of its weights, alike but for weight and seed. controls:
    those of weight 0, whose test accuracy is the dotted line.
    """
    weights = tuple(sorted({w for results in by_task.values() for w in results.values("strength")}))
    places = strength_places(weights)
    curves = {task: _curves(results) for task, results in by_task.items()}
    reached = [100 * c.mean("test_accuracy") for c in controls.values()]
    for curve in (curve for of_task in curves.values() for curve in of_task.values()):
        reached += [100 * accuracy for accuracy in curve.values()]
    limits = limits_around(reached, 10)

    def fill_in(axes: list[Axes]) -> None:
        for ax, (task, of_task) in zip(axes, curves.items(), strict=True):
            for curve, style in zip(of_task.values(), STYLES, strict=False):
                mean = [100 * accuracy for accuracy in curve.values()]
                ax.plot([places[w] for w in curve], mean, **style)
            level = 100 * controls[task].mean("test_accuracy")
            ax.plot([-20, 20], [level, level], color="0.5", linestyle=":", marker="")
            ax.axvline(places[by_task[task].best()], color="0.85", linewidth=8, zorder=0)

    return Sketch(_weights_frame, (tuple(by_task), weights, limits), fill_in, title)


def _curves(results: Results) -> dict[str, dict[float, float]]:
    """Each accuracy by weight, its mean over seeds: the few that choose have no interval worth
    drawing."""
    by_weight = {w: results.where(strength=w) for w in results.values("strength")}
    return {name: {w: group.mean(name) for w, group in by_weight.items()} for name in CURVES}


def _weights_frame(
    tasks: Sequence[str], weights: Sequence[float], limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    margins = {"left": 0.06, "right": 0.99, "bottom": 0.27, "top": 0.82, "wspace": 0.07}
    figure, axes = new_figure(10, 3.6, len(tasks), layout="none", sharey=True, gridspec_kw=margins)
    for ax, task in zip(axes, tasks, strict=True):
        places = strength_axis(ax, weights)
        ax.tick_params(axis="x", labelsize=7, rotation=45)
        ax.set(xlabel="", ylabel="", ylim=limits)
        ax.set_xlim(min(places.values()) - 0.2, max(places.values()) + 0.2)
        ax.set_title(task, fontsize=9)
    axes[0].set_ylabel("accuracy (%)")
    figure.text(0.52, 0.095, "weight", ha="center", fontsize=9)
    lines = [
        Line2D([], [], label=name, **s) for name, s in zip(CURVES.values(), STYLES, strict=False)
    ]
    lines.append(Line2D([], [], label="the control, test", color="0.5", linestyle=":"))
    figure.legend(handles=lines, ncols=4, loc="lower center", fontsize=8)
    return figure, axes
