"""Notebooks run without a kernel, their exercises alone, and their widgets' controls."""

import ast
import re
from typing import Any

import nbformat
from plan import NOTEBOOKS

from lautum_utils.widgets.explorer import Explorer
from notebooks.tools.sources import has_solutions

# The notebooks with exercises: those of the theory run whole, of those that train only the
# exercises run.
SOURCES = [p for p in sorted((NOTEBOOKS / "source").glob("*.py")) if has_solutions(p)]
THEORY = [p for p in SOURCES if p.stem[:2] <= "04"]
TRAININGS = [p for p in SOURCES if p not in THEORY]
CHECK = re.compile(r"^check\(", re.MULTILINE)
IMPORTS_CHECK = re.compile(r"^from lautum_pages import .*\bcheck\b", re.MULTILINE)


def run_cells(notebook: nbformat.NotebookNode) -> tuple[dict[str, Any], list[Any]]:
    """Run the code cells as a kernel would: the names that they leave, and the value that each ends
    with."""
    names: dict[str, Any] = {}
    values = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            body = ast.parse(cell.source).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), cell.id, "exec"), names)
            values.append(
                eval(compile(ast.Expression(last.value), cell.id, "eval"), names) if last else None
            )
    return names, values


def only_exercises(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook's parameters, its imports and its exercises: nothing that trains. The imports
    come below the cell tagged `parameters` and the one that reads them; a picture's short cell may
    stand before them."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begin = next(i for i, c in enumerate(code) if "parameters" in c.metadata.get("tags", []))
    imports = next((i for i, c in enumerate(code) if IMPORTS_CHECK.search(c.source)), -1)
    assert begin + 1 < imports <= begin + 3, "the import cell comes first, and imports `check`"
    kept = [*code[begin : imports + 1], *(c for c in code[imports + 1 :] if CHECK.search(c.source))]
    return nbformat.from_dict(dict(notebook) | {"cells": kept})


def explorers(names: dict[str, Any]) -> list[Explorer]:
    found = [value for value in names.values() if isinstance(value, Explorer)]
    assert found, "every theory notebook has a widget"
    return found


def extremes(control: Any) -> list[Any]:
    """Minimum, maximum and default of a slider; both ends and the default of a menu."""
    if hasattr(control, "min"):
        return [control.min, control.max, control.value]
    options = getattr(control, "_options_full", [("no", False), ("yes", True)])
    values = [value for _, value in options]
    return [values[0], values[-1], control.value]
