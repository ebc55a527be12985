"""What belongs to the pages of the notebooks: their exercises, and which of them were solved.

`check("name", function)`, in the cell below an exercise, says right, not attempted yet, or the hint
for the mistake that was made. `exercises_NN` holds what the exercises of notebook NN are: random
inputs, a reference, and what the usual mistakes compute. `checks` compares, `progress` keeps what
was solved. Readers: the references are the solutions.
"""

from dataclasses import replace

from . import checks, exercises_01, exercises_02, exercises_03, exercises_04, exercises_10
from .checks import Exercise, Function, Report
from .progress import mark_solved, show_progress

__all__ = ["EXERCISES", "Exercise", "Report", "check", "show_progress"]

EXERCISES: dict[str, Exercise] = {
    **exercises_01.EXERCISES,
    **exercises_02.EXERCISES,
    **exercises_03.EXERCISES,
    **exercises_04.EXERCISES,
    **exercises_10.EXERCISES,
}


def check(name: str, function: Function, seed: int = 0) -> Report:
    """Compare the reader's function with the reference of an exercise of the notebooks, as
    `checks.check` does.

    name : an exercise; ValueError with the list if there is none of that name. If the answer is
    right, `progress` keeps that.
    """
    report = checks.check(name, function, EXERCISES, seed)
    problem = mark_solved(name) if report.status == "right" else ""
    return replace(report, text=f"{report.text} {problem}") if problem else report
