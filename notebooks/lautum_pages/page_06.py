"""The pictures of notebook 06: what each weight keeps, what is reached, what it costs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lautum_pages.page_00 import recorded_forgetting
from lautum_utils import Interval, Results, interval, mutual_information
from lautum_utils.data.pairs import swap_joint
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.forgetting import draw_painted
from lautum_utils.widgets.strength_axis import strength_axis
from lautum_utils.widgets.style import SHEET, STYLES

NO_NETWORK: dict[str, Any] = {"color": "0.5", "linestyle": "--", "linewidth": 1.2, "zorder": 1}
CHANGES = {"test_accuracy": "target (probe)", "source_accuracy": "source"}


def opening_picture() -> Figure:
    """What the features still hold of digit and letter at the end of training, at each weight."""
    seen = recorded_forgetting()["digits beside letters"]
    end, rows = seen.steps[-1], {"the image": seen.shown.inputs}
    for strength in seen.strengths:
        snapshot = seen.at(strength, end)
        rows[f"weight {strength:g}:\n{100 * snapshot.kept:.0f} % of letter"] = snapshot.painted
    plain, most = (seen.at(s, end) for s in (0.0, seen.strengths[-1]))
    sources = f"{100 * plain.source_accuracy:.0f} % to {100 * most.source_accuracy:.0f} %"
    title = f"With more weight, more of the letter stays; digits named right go from {sources}"
    return draw_painted(rows, title)


@SHEET
def draw_reached(
    by_labels: Mapping[str, Results], by_way: Mapping[str, Results], pixels: float, title: str
) -> Figure:
    """Target test accuracy against the weight, over one axis: the probe by the number of labels;
    with the fewest of them, the probe and other ways. The dashed line needs no network."""
    figure, axes = new_figure(10, 4.0, 2, sharey=True)
    panels = {"linear probe": by_labels, "with the fewest labels": by_way}
    for ax, (name, groups) in zip(axes, panels.items(), strict=True):
        places = strength_axis(
            ax, sorted({s for r in groups.values() for s in r.values("strength")})
        )
        for words, results in groups.items():
            found = results.accuracy()
            mean, reach = ([100 * getattr(p, k) for p in found.values()] for k in ("mean", "reach"))
            ax.errorbar([places[s] for s in found], mean, reach, label=words)
        if ax is axes[1]:
            ax.axhline(100 * pixels, label="pixels", **NO_NETWORK)
        ax.set_title(name, fontsize=10)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, columnspacing=1.5)
    axes[1].set_ylabel("")
    figure.suptitle(title)
    return figure


def changes(results: Results, outcome: str) -> dict[float, Interval]:
    """By weight: an outcome minus that of weight 0, in points, paired over seeds."""
    control = _by_seed(results.where(strength=0.0), outcome)
    found = {}
    for strength in results.values("strength"):
        ours = _by_seed(results.where(strength=strength), outcome)
        found[strength] = interval([100 * (ours[seed] - control[seed]) for seed in control])
    return found


def _by_seed(results: Results, outcome: str) -> dict[int, float]:
    return {r.experiment.seed: float(getattr(r, outcome)) for r in results}


@SHEET
def draw_trade(results: Results, title: str) -> Figure:
    """What each weight changes, against weight 0 and on one axis: target and source accuracy."""
    figure, (ax,) = new_figure(10, 3.6)
    places = strength_axis(ax, results.values("strength"))
    for (outcome, words), style in zip(CHANGES.items(), STYLES, strict=False):
        found = changes(results, outcome)
        x = [places[s] for s in found]
        mean, reach = [p.mean for p in found.values()], [p.reach for p in found.values()]
        ax.errorbar(x, mean, reach, capsize=3, **style)
        look = {"color": style["color"], "va": "center", "textcoords": "offset points"}
        ax.annotate(words, (x[-1], mean[-1]), (10, 0), **look)
    ax.axhline(0, color="0.5", linewidth=1)
    ax.set_xlim(min(places.values()) - 0.2, max(places.values()) + 0.9)
    ax.set_ylabel("change against weight 0 (points)")
    figure.suptitle(title)
    return figure


def trade_in_words(results: Results) -> Iterator[str]:
    """A line for each weight but 0: what target and source accuracy gain or lose."""
    target, source = (changes(results, outcome) for outcome in CHANGES)
    for strength in results.values("strength"):
        if strength:
            gains = (_points(found[strength]) for found in (target, source))
            yield "weight {:<7g} target {}, source {}".format(strength, *gains)


def _points(found: Interval) -> str:
    return f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"


def told_by_the_digit(severities: Sequence[float]) -> Iterator[str]:
    """A line for each severity of the pairs: how many nats the digit tells about the letter."""
    for severity in severities:
        told = mutual_information(swap_joint(severity)).item()
        yield f"severity {severity:g}: the digit tells {told:.2f} nats about the letter"


@SHEET
def draw_how_often(results: Mapping[int, Results], seconds: Mapping[int, float]) -> Figure:
    """Target and source accuracy on one axis, and the seconds of training, against how rarely the
    term is added."""
    figure, (accuracies, times) = new_figure(10, 3.2, 2, sharex=True)
    x = np.arange(len(results))
    for outcome, words, style in zip(CHANGES, ("target", "source"), STYLES, strict=False):
        found = [interval([100 * getattr(r, outcome) for r in g]) for g in results.values()]
        mean = [f.mean for f in found]
        accuracies.errorbar(x, mean, [f.reach for f in found], capsize=3, **style)
        look = {"color": style["color"], "va": "center", "textcoords": "offset points"}
        accuracies.annotate(words, (x[-1], mean[-1]), (12, 0), **look)
    accuracies.set(ylabel="test accuracy (%)", xlim=(-0.4, len(x) - 0.2))
    times.bar(x, [seconds[m] for m in results], width=0.6, color="0.6")
    times.set(ylabel="seconds of training")
    for ax in (accuracies, times):
        ax.set_xticks(x, [f"{m}" for m in results])
        ax.set_xlabel("steps from one term to the next")
    figure.suptitle("A rarer term, as many times as heavy, trains faster")
    return figure
