"""The opening picture of notebook 00: all that competes, on the same recorded runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lautum_pages.competitors import BASELINE_NAMES, NAMES
from lautum_utils import interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import SHEET, STYLES

PIXELS = BASELINE_NAMES["pixels"]
LOOKS = {  # what is drawn, always in the same look
    PIXELS: {"color": "0.3", "linestyle": "--", "marker": "D", "markerfacecolor": "white"},
    BASELINE_NAMES["earlier_layer"]: STYLES[2],
    BASELINE_NAMES["from_scratch"]: STYLES[4],
    NAMES["standard"]: STYLES[1],
    NAMES["lautum"]: STYLES[0],
    NAMES["lautum_between_views"]: STYLES[3],
}


def competitors(accuracy: pd.DataFrame, target: str) -> dict[str, pd.DataFrame]:
    """For each protocol, pixels beside both: a row for each name and number of labels, a column for
    each seed, the mean of the severities.

    accuracy: as `chosen_accuracy` gives it.
    """
    of_target = accuracy.xs(target, level="target")
    means = of_target.groupby(["protocol", "name", "labels"]).mean()
    pixels = means.loc[["probe"]].xs(PIXELS, level="name", drop_level=False).droplevel("protocol")
    found = {}
    for protocol in ("probe", "finetune"):
        rows = means.loc[protocol]
        known = rows[rows.index.isin(list(LOOKS), "name") & ~rows.index.isin([PIXELS], "name")]
        found[protocol] = pd.concat([pixels, known])
    return found


@SHEET
def draw_competitors(found: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Test accuracy against the number of labels: a panel for each protocol, a line for each that
    competes."""
    figure, axes = new_figure(10, 4.4, 2, sharey=True)
    words = {"probe": "features frozen, a linear probe", "finetune": "all weights learn on"}
    drawn = {}
    for ax, (protocol, rows) in zip(axes, found.items(), strict=True):
        names = [name for name in LOOKS if name in rows.index.unique("name")]
        labels = rows.index.unique("labels")
        for number, name in enumerate(names):
            points = [interval(row) for row in (100 * rows.loc[name]).to_numpy().tolist()]
            x = np.arange(len(labels)) + 0.06 * (number - len(names) / 2)
            mean, reach = [p.mean for p in points], [p.reach for p in points]
            drawn[name] = ax.errorbar(x, mean, reach, capsize=2, label=name, **LOOKS[name])
        ax.set_xticks(range(len(labels)), [str(n) for n in labels])
        ax.set_xlabel("labelled target images")
        ax.set_title(words[protocol], fontsize=10)
    axes[0].set_ylabel("target test accuracy (%)")
    figure.legend(
        handles=list(drawn.values()), labels=list(drawn), loc="outside lower center", ncols=3
    )
    figure.suptitle(title)
    return figure


def compared_with(rows: pd.DataFrame, name: str, labels: int) -> list[str]:
    """Who beats it and whom it beats, with so many labels, each a sentence with the paired
    difference in points and its interval."""
    ours, sentences = rows.loc[name, labels], []
    for other in rows.index.unique("name").drop(name):
        difference = interval((100 * (ours - rows.loc[other, labels])).tolist())
        said = "not distinguishable from"
        if difference.low > 0 or difference.high < 0:
            said = "better than" if difference.low > 0 else "worse than"
        span = f"{difference.mean:+.1f} points, {difference.low:+.1f} to {difference.high:+.1f}"
        sentences.append(f"{said} '{other}' ({span})")
    return sentences
