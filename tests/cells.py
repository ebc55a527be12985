"""Notebooks run without a kernel, and their widgets' controls."""

import ast
from typing import Any

import nbformat
from plan import NOTEBOOKS

from lautum_utils.widgets.explorer import Explorer
from notebooks.tools.sources import has_solutions

# The notebooks with exercises.
SOURCES = [p for p in sorted((NOTEBOOKS / "source").glob("*.py")) if has_solutions(p)]


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
