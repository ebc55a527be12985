"""The pictures of notebook 00: what a network forgets, the two stages, and all that competes."""

from collections.abc import Mapping
from itertools import product
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lautum_pages import page_08_record as record
from lautum_utils import Explorer, Interval, Results, interval
from lautum_utils.results.forgetting import Forgetting, read_forgetting
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.forgetting import add_player, draw_forgetting, draw_painted
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.style import SHEET, STYLES
from notebooks.tools.forgetting import FORGETTING, TASKS

# ------------------------------------------------------------------------------------------ forget


def opening_picture(strength: float = 1e-3) -> Figure:
    """Images of a digit beside a letter, and what features still hold of them: before training,
    and after training on the digits without and with the penalty."""
    seen = recorded_forgetting()["digits beside letters"]
    end = seen.steps[-1]
    plain, kept = seen.at(0.0, end), seen.at(strength, end)
    rows = {
        "the image": seen.shown.inputs,
        "before training": seen.at(0.0, 0).painted,
        "after learning\nthe digits": plain.painted,
        "the same,\nwith the penalty": kept.painted,
    }
    left, with_penalty = (f"{100 * snapshot.kept:.0f} %" for snapshot in (plain, kept))
    return draw_painted(
        rows,
        f"A network that learns the digit forgets the letter: its features still hold {left} of it."
        f"\nA penalty that needs no label slows that: {with_penalty}",
    )


def recorded_forgetting() -> dict[str, Forgetting]:
    """What has been recorded, by the titles of the tasks."""
    return {TASKS[name].title: seen for name, seen in read_forgetting(FORGETTING).items()}


def watch_it_forget(
    seen: Mapping[str, Forgetting], images: str, step: int, weight: str = "smaller"
) -> Sketch:
    """One task at one step: at weight 0, and at two of the weights that were trained.

    weight: the "smaller" ones or the "larger" ones; for each task they are others.
    """
    positive = [s for s in seen[images].strengths if s > 0]
    strength = positive[0] if weight == "smaller" else positive[-2]
    return draw_forgetting(seen[images], step, strength)


def explorer(draw: Any, seen: Mapping[str, Forgetting]) -> Explorer:
    """Sliders over tasks, steps and weights, with a player for the steps."""
    steps = next(iter(seen.values())).steps
    made = Explorer(draw, images=list(seen), step=steps, weight=["smaller", "larger"])
    add_player(made, "step")
    return made


# ------------------------------------------------------------------------------------------ stages

BOX: dict[str, Any] = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.5"}
ENTERS: dict[str, Any] = BOX | {"edgecolor": STYLES[0]["color"], "linewidth": 1.8}
GREY: dict[str, Any] = {"color": "0.5"}


@SHEET
def draw_stages() -> Figure:
    """Both stages as boxes and arrows; where the Lautum information L enters is in blue."""
    figure, axes = new_figure(10, 2.7, 2, layout="none", gridspec_kw=_whole_page(1.55))
    one, two = axes
    for ax, title in zip(axes, ("Stage one: learn the source", "Stage two: reuse it"), strict=True):
        ax.set_axis_off()
        ax.set(xlim=(0, 10), ylim=(0, 6))
        ax.set_title(title, loc="left")
    _box(one, 1.5, 4.7, "many source images\nwith labels")
    _box(one, 1.5, 1.3, "many target images\nwithout labels", ENTERS)
    _box(one, 5.0, 3.0, "network\nfeatures z")
    _box(one, 8.5, 4.7, "cross-entropy\nof the labels")
    _box(one, 8.5, 1.3, "$-$ weight $\\times$ L(z; image)", ENTERS)
    for begin, end, blue in (
        ((2.8, 4.4), (4.3, 3.6), False),
        ((2.8, 1.7), (4.3, 2.5), True),
        ((5.7, 3.6), (7.4, 4.4), False),
        ((5.7, 2.5), (7.2, 1.8), True),
        ((2.8, 1.1), (6.9, 1.1), True),
    ):
        _arrow(one, begin, end, blue)
    one.text(8.5, 3.0, "+", ha="center", va="center", fontsize=14, **GREY)
    _box(two, 1.9, 4.7, "a few target images\nwith labels")
    _box(two, 1.9, 1.3, "the network\nof stage one")
    _box(two, 7.4, 4.7, "probe: features stay frozen,\na linear classifier on them")
    _box(two, 7.4, 1.3, "fine-tuning: all weights\nlearn on")
    for low, high in product((4.7, 1.3), repeat=2):
        _arrow(two, (3.8, low), (4.8, high + 0.25 * (low - high)), False)
    figure.suptitle("The penalty acts in stage one only, and sees no label of the target")
    return figure


def _whole_page(left: float) -> dict[str, Any]:
    margins: dict[str, Any] = {"left": 0.01, "right": 0.99, "bottom": 0.02, "top": 0.82}
    return margins | {"wspace": 0.05, "width_ratios": (left, 1)}


def _box(ax: Axes, x: float, y: float, words: str, look: Mapping[str, Any] = BOX) -> None:
    ax.text(x, y, words, ha="center", va="center", fontsize=9, color="0.15", bbox=dict(look))


def _arrow(ax: Axes, begin: tuple[float, float], end: tuple[float, float], blue: bool) -> None:
    look = {"color": STYLES[0]["color"]} if blue else GREY
    ax.annotate("", end, begin, arrowprops={"arrowstyle": "-|>", "linewidth": 1.4} | look)


# ---------------------------------------------------------------------------------------- headline

LAUTUM = record.NAMES["lautum"]
NO_NETWORK: dict[str, Any] = {"color": "0.5", "marker": "D", "markerfacecolor": "white"}
SIMPLE: dict[str, Any] = {"color": STYLES[1]["color"], "marker": "s", "markerfacecolor": "white"}
OTHERS: dict[str, Any] = {"color": STYLES[3]["color"], "marker": "^"}
SHOWN: dict[str, tuple[str, dict[str, Any]]] = {  # what is drawn: in which words, in which look
    "pixels": ("pixels, no network", NO_NETWORK),
    "components": ("principal components, no network", NO_NETWORK),
    "from scratch": ("from scratch, without the source", SIMPLE),
    "the control's earlier layer": ("the control's earlier layer", SIMPLE),
    record.CONTROL_NAME: ("standard transfer (weight 0)", SIMPLE),
    "lautum": ("Lautum", {"color": STYLES[0]["color"], "marker": "o"}),
    "mutual_information_maximised": ("mutual information, maximised", OTHERS),
    "lautum_between_views": ("Lautum between two views", OTHERS),
    "vicreg": ("VICReg (two views)", OTHERS),
}
SAID = ("clearly worse than", "level with", "clearly better than")
Competing = dict[str, dict[str, Results]]  # protocol -> name -> results, a seed each


def competitors(recorded: Results, source: str, target: str, labels: int) -> Competing:
    """All that is drawn of a task, by the words of SHOWN: for frozen features ("probe") and for
    "finetune"; what needs no network is in both. Validation data picked each weight."""
    found: Competing = {}
    for protocol in record.PROTOCOLS:
        there = record.contestants(recorded, record.Place(source, target, labels, protocol))
        named = {name: there.get(record.NAMES.get(name, name)) for name in SHOWN}
        found[protocol] = {SHOWN[name][0]: c.results for name, c in named.items() if c}
    return found


@SHEET
def draw_competitors(competing: Competing, title: str) -> Figure:
    """Target test accuracy with its 95 % interval: a panel for each protocol, a row for each that
    competes, the best of the probe on top."""
    order = sorted(competing["probe"], key=lambda name: competing["probe"][name].mean())
    looks = dict(SHOWN.values())
    figure, axes = new_figure(10, 0.27 * len(order) + 1.5, 2, sharex=True, sharey=True)
    words = {"probe": "features frozen, a linear probe", "finetune": "all weights learn on"}
    for ax, (protocol, found) in zip(axes, competing.items(), strict=True):
        for name, results in found.items():
            point = interval([100 * r.test_accuracy for r in results])
            look = looks[name] | {"linestyle": "none", "capsize": 3}
            ax.errorbar([point.mean], [order.index(name)], xerr=[point.reach], **look)
        ax.set_title(words[protocol], fontsize=10)
        ax.set_xlabel("target test accuracy (%)")
    axes[0].set_yticks(range(len(order)), order)
    axes[0].get_yticklabels()[order.index(SHOWN["lautum"][0])].set_fontweight("bold")
    figure.suptitle(fill(title, 92))
    return figure


def differences(found: Mapping[str, Results], name: str = LAUTUM) -> dict[str, Interval]:
    """By how much it is ahead of each other one: paired over seeds, with its interval."""
    return {other: found[name].against(r) for other, r in found.items() if other != name}


def in_words(found: Mapping[str, Results], name: str = LAUTUM) -> str:
    """Whom it is clearly worse than, clearly better than (the interval excludes 0), or level with:
    a line for each, with the paired difference in points."""
    groups: dict[str, list[str]] = {said: [] for said in SAID}
    for other, d in differences(found, name).items():
        said = SAID[0] if d.high < 0 else SAID[2] if d.low > 0 else SAID[1]
        groups[said].append(f"    {other:34} {d.points}")
    return "\n".join(line for said, who in groups.items() if who for line in (f"  {said}", *who))


def along_severity(gained: pd.DataFrame, strength: float) -> str:
    """A title: what a weight changes at the least and at the largest severity, in points.

    gained: of `Results.gain()`.
    """
    rows = gained[gained["strength"] == strength]
    said = [f"{100 * gain:+.1f}" for gain in rows["gain"]]
    if "severity" not in rows:
        return f"Weight {strength:g} changes the accuracy by {said[0]} points"
    least, most = rows["severity"].argmin(), rows["severity"].argmax()
    there = [f"{said[at]} points at severity {rows['severity'].iloc[at]:g}" for at in (least, most)]
    return f"Weight {strength:g} changes the accuracy by {', by '.join(there)}"


def finding(competing: Competing) -> str:
    """The title: what is reached with frozen features, by Lautum, weight 0 and the best simple
    one."""
    reached = {name: 100 * results.mean() for name, results in competing["probe"].items()}
    control = SHOWN[record.CONTROL_NAME][0]
    simple = [words for words, look in SHOWN.values() if look in (NO_NETWORK, SIMPLE)]
    best = max(set(simple) & reached.keys() - {control}, key=reached.__getitem__)
    return (
        f"Features frozen: Lautum reaches {reached[LAUTUM]:.0f} %, weight 0 reaches "
        f"{reached[control]:.0f} %, and '{best.split(',')[0]}' reaches {reached[best]:.0f} %"
    )
