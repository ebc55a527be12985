"""A source, notebooks/source/NN_name.py, as a notebook that has not run."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat

from notebooks.tools.navigation import adorn
from notebooks.tools.opening import attach

SOLUTION = re.compile(
    r"^(?P<indent> *)### BEGIN SOLUTION\n(?:.*\n)*?(?P=indent)### END SOLUTION$", re.MULTILINE
)
STUB = r"\g<indent># YOUR CODE HERE\n\g<indent>raise NotImplementedError()"
MARKS = re.compile(r" *### (BEGIN|END) SOLUTION\n?")
NOTEBOOK_LINK = re.compile(r"\]\((?=\d\d_\w+\.ipynb|lautum_pages/)")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def has_solutions(source: Path) -> bool:
    """Whether a source has exercises."""
    return bool(SOLUTION.search(source.read_text(encoding="utf-8")))


def read(source: Path, solutions: bool = False) -> nbformat.NotebookNode:
    """A source as a notebook that has not run: with stubs in place of the solutions, or with the
    solutions. ValueError: a mark of a solution stands alone."""
    notebook = jupytext.read(source)
    adorn(notebook, source.stem)
    attach(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.source = (
                _with_solution(cell.source) if solutions else SOLUTION.sub(STUB, cell.source)
            )
            if "SOLUTION" in cell.source:
                raise ValueError(
                    f"{source.name} needs each BEGIN SOLUTION to meet its END SOLUTION, alike "
                    f"indented: {cell.source}"
                )
        elif solutions:  # it goes to a folder of its own
            cell.source = NOTEBOOK_LINK.sub("](../", cell.source)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def _with_solution(code: str) -> str:
    return MARKS.sub("", code).rstrip()


def beginning_with(names: Sequence[str], sources: Sequence[Path]) -> list[Path]:
    """The sources whose names begin with one of some names; all if there are none. SystemExit: a
    name that is the beginning of none."""
    unknown = [name for name in names if not any(p.stem.startswith(name) for p in sources)]
    if unknown:
        have = ", ".join(p.stem for p in sources)
        sys.exit(f"NAME needs to be the beginning of one of {have}, got {' '.join(unknown)}.")
    return [p for p in sources if not names or p.stem.startswith(tuple(names))]
