"""What belongs to the pages of the notebooks: their exercises, and which of them were solved.

`check("name", function)`, in the cell below an exercise, says right, not attempted yet, or the hint
for the mistake that was made. `exercises_NN` holds what the exercises of notebook NN are: random
inputs, a reference, and what the usual mistakes compute. `checks` compares, `answers` reads answers
that are no tensors, `progress` keeps what was solved. Readers: the references are the solutions.
`parameters` reads what a notebook was given, before anything trains.
"""

import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

from . import checks
from .checks import Exercise, Function, Report
from .progress import mark_solved, show_progress
from .stored import FILE, read_stored

__all__ = ["EXERCISES", "Exercise", "Report", "check", "show_progress"]

EXERCISES: dict[str, Exercise] = {}
"""Those of each file exercises_NN.py in this folder, in the order of the notebooks; in a students'
package those of which `stored` knows values."""


def _gather() -> None:
    """Fill EXERCISES. ValueError: two notebooks ask for the same name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in (name for name in names if name.startswith("exercises_")):
        found = importlib.import_module(f"{__name__}.{name}").EXERCISES
        if twice := sorted(EXERCISES.keys() & found):
            raise ValueError(f"{name} needs names of its own, got {', '.join(twice)} again.")
        EXERCISES.update(found)
    if (values := Path(__file__).with_name(FILE)).exists():  # in place of those files
        EXERCISES.update(read_stored(values))


_gather()


def check(name: str, function: Function, seed: int = 0) -> Report:
    """Compare the reader's function with the reference of an exercise of the notebooks, as
    `checks.check` does.

    name : an exercise; ValueError with the list if there is none of that name. If the answer is
    right, `progress` keeps that.
    """
    report = checks.check(name, function, EXERCISES, seed)
    problem = mark_solved(name) if report.status == "right" else ""
    return replace(report, text=f"{report.text} {problem}") if problem else report
