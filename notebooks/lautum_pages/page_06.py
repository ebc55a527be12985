"""The pictures of notebook 06: how often the term has to be there."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lautum_utils import Results, interval
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import SHEET, STYLES


@SHEET
def draw_how_often(
    results: Mapping[int, Results], seconds: Mapping[int, float], title: str
) -> Figure:
    """Accuracy and time against how rarely the term is added.

    results, seconds (of training): by the number of steps from one term to the next.
    """
    figure, (accuracies, times) = new_figure(8.5, 3.2, 2)
    x = np.arange(len(results))
    for style, (name, outcome) in zip(
        STYLES, {"target": "test_accuracy", "source": "source_accuracy"}.items(), strict=False
    ):
        found = [interval([100 * getattr(r, outcome) for r in g]) for g in results.values()]
        middle = [f.mean for f in found]
        around = [[f.mean - f.low for f in found], [f.high - f.mean for f in found]]
        accuracies.errorbar(x, middle, around, label=name, capsize=3, **style)
    accuracies.set(ylabel="test accuracy, %", title="What it costs")
    accuracies.legend()
    times.bar(x, [seconds[m] for m in results], width=0.6, color="0.6")
    times.set(ylabel="seconds", title="What it buys")
    for ax in (accuracies, times):
        ax.set_xticks(x, [f"{m}" for m in results])
        ax.set_xlabel("steps from one term to the next")
    figure.suptitle(title)
    return figure
