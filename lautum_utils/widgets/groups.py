"""What the lines and rows of a plot stand for: the settings that vary, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lautum_utils.results.results import NOT_COMPARED, Results
from lautum_utils.results.statistics import Interval
from lautum_utils.training.baselines import BASELINES
from lautum_utils.training.experiments import SETTINGS
from lautum_utils.training.outcomes import Result
from lautum_utils.widgets.figures import plain


def by_what_varies(results: Sequence[Result]) -> dict[str, Sequence[Result]]:
    """Results by what varies among them besides strength and seed, in words."""
    names, groups = Results(results).varied(NOT_COMPARED), dict[str, Sequence[Result]]()
    for result in results:
        words = _words({name: getattr(result.experiment, name) for name in names})
        groups[words] = [*groups.get(words, []), result]
    return groups


def differences_of(table: pd.DataFrame) -> dict[str, Interval]:
    """The rows of `Results.gain()`, but for weight 0 against itself, by what varies among them."""
    kept = (table["strength"] > 0) | (table["gain"] != 0)
    if "method" in table:
        kept |= table["method"].isin(BASELINES)
    table = table[kept]
    names = [*(name for name in SETTINGS if name != "strength"), "strength"]
    varied = [name for name in names if name in table and table[name].nunique() > 1]
    intervals = {}
    for row in table.to_dict("records"):
        has_strength = row.get("method") not in BASELINES
        shown = [name for name in varied if name != "strength" or has_strength]
        words = _words({name: row[name] for name in shown or ["strength"]})
        if row["chosen"] and "strength" in shown:
            words += " (chosen)"
        intervals[words] = Interval(row["gain"], row["low"], row["high"], row["seeds"])
    return intervals


def _words(settings: Mapping[str, Any]) -> str:
    """ "letters, labels 200, weight 0.001": values that are words stand for themselves."""
    return ", ".join(
        plain(value.replace("_", " "))
        if isinstance(value, str)
        else f"{'weight' if name == 'strength' else name.replace('_', ' ')} {value:g}"
        for name, value in settings.items()
    )
