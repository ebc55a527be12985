"""Of a notebook that nbval compares: the cells whose outputs are compared, and those that they
need. The others run with other parameters in tests/pages/test_notebooks.py."""

import ast
import dis
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import pytest

from notebooks.tools.slices import NOTHING, statements

COMPARED = "nbval-check-output"
AT_ONCE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
ASKED = "results_path"  # what is written only if a reader asks for it


class Cell(NamedTuple):
    """The global names that a cell has to do with."""

    binds: frozenset[str]
    changes: frozenset[str]
    uses: frozenset[str]  # before it binds them itself
    uses_later: frozenset[str]  # in functions


def read(source: str) -> Cell:
    """Of a cell's code, without what it writes only if it is asked to."""
    held = [s for s in statements(source) if not _is_asked(s.node)]
    code = compile(ast.Module([s.node for s in held], []), "<cell>", "exec")
    bound: set[str] = set()
    uses: set[str] = set()
    later: set[str] = set()
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif step.opname == "LOAD_NAME":
            uses |= {step.argval} - bound
        elif isinstance(step.argval, CodeType) and step.argval.co_name in AT_ONCE:
            uses |= _globals_of(step.argval) - bound
        elif isinstance(step.argval, CodeType):
            later |= _globals_of(step.argval)
    changes = NOTHING.union(*(s.changes for s in held))
    return Cell(*map(frozenset, (bound, changes, uses, later)))


def needed(cells: Sequence[Cell], compared: set[int]) -> set[int]:
    """The numbers of the compared cells and of those that bind or change what they need."""
    later = NOTHING
    while True:
        wanted, bodies, kept = NOTHING, later, set()
        for number, cell in reversed(list(enumerate(cells))):
            if number in compared or (cell.binds | cell.changes) & (wanted | later):
                kept.add(number)
                wanted = wanted - cell.binds | cell.uses
                bodies |= cell.uses_later
        if bodies == later:
            return kept
        later = bodies


def skipped(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """The cells that nbval need not run."""
    notebooks: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item.path.suffix == ".ipynb":
            notebooks.setdefault(item.path, []).append(item)
    for found in notebooks.values():
        tags = [item.cell.metadata.get("tags", []) for item in found]
        compared = {number for number, of_cell in enumerate(tags) if COMPARED in of_cell}
        kept = needed([read(item.cell.source) for item in found], compared)
        yield from (item for number, item in enumerate(found) if compared and number not in kept)


def _is_asked(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == ASKED


def _globals_of(code: CodeType) -> set[str]:
    """The global names that a function or a comprehension reads, or one within it."""
    steps = list(dis.get_instructions(code))
    inner = [_globals_of(c) for c in code.co_consts if isinstance(c, CodeType)]
    return {s.argval for s in steps if s.opname in ("LOAD_GLOBAL", "LOAD_NAME")}.union(*inner)
