"""What some names of a notebook need: the statements that make them, and none of the rest.

A statement counts if it binds a name that is needed, or changes what the name stands for (an item,
an attribute, a call of one of its methods on a line of its own). Names that the body of a function
uses can be bound anywhere before; those that a statement uses itself, where they were bound last.
"""

import ast
import symtable
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

NOTHING: frozenset[str] = frozenset()


class Statement(NamedTuple):
    """A statement on the top level of a notebook, and the global names it has to do with."""

    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]
    uses: frozenset[str]  # at once
    uses_later: frozenset[str]  # in the body of a function


def statements(cell: str) -> list[Statement]:
    """The statements of a cell of code, in order; IPython's own lines are left out."""
    lines = [line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return [_read(node) for node in ast.parse("\n".join(lines)).body]


def needed(names: frozenset[str], before: Sequence[Statement]) -> list[Statement]:
    """Those of the statements before that these names need, in order. A call of a function of a
    module changes no module."""
    later = NOTHING
    imports = [s.binds for s in before if isinstance(s.node, ast.Import | ast.ImportFrom)]
    modules = NOTHING.union(*imports)
    while True:
        wanted, there, bodies, kept = names, NOTHING, later, []
        for statement in reversed(before):
            whole = wanted | later
            changes = statement.changes - modules
            if not (statement.binds & (whole | there) or changes & whole):
                continue
            kept.append(statement)
            wanted = (wanted - statement.binds) | statement.uses
            there = (there - statement.binds) | changes
            bodies |= statement.uses_later
        if bodies == later:
            return kept[::-1]
        later = bodies


def _read(node: ast.stmt) -> Statement:
    scopes = _Generators().visit(ast.parse(ast.unparse(node)))
    table = symtable.symtable(ast.unparse(scopes), "cell", "exec")
    changes = set(_changed(node))
    binds = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    binds |= {inner.get_name() for inner in table.get_children()} & {getattr(node, "name", "")}
    names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    parts = [i for i in ast.walk(node) if isinstance(i, ast.Subscript | ast.Attribute)]
    # `x[0] = 1` needs an x that is there, and not what others did to it.
    written = [part.value for part in parts if isinstance(part.ctx, ast.Store)]
    read = {n.id for n in names if isinstance(n.ctx, ast.Load) and n not in written}
    read |= binds if isinstance(node, ast.AugAssign) else set()
    at_once = {s.get_name() for s in table.get_symbols()} & read
    later = {name for inner in table.get_children() for name in _globals_of(inner)}
    return Statement(node, *map(frozenset, (binds, changes, at_once, later)))


class _Generators(ast.NodeTransformer):
    """Makes generators of all comprehensions, whose names stay their own: from Python 3.12 on, the
    table of a list's has them among those around it."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.AST:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        self.generic_visit(node)
        both = ast.Tuple([node.key, node.value], ast.Load())
        return ast.GeneratorExp(both, node.generators)


def run(kept: Sequence[Statement], names: dict[str, Any]) -> None:
    """Execute statements, which leave their names there."""
    body = ast.Module([statement.node for statement in kept], [])
    exec(compile(body, "<notebook>", "exec"), names)


def _globals_of(table: symtable.SymbolTable) -> Iterator[str]:
    """The global names in a scope and in those within it."""
    yield from (s.get_name() for s in table.get_symbols() if s.is_global())
    for inner in table.get_children():
        yield from _globals_of(inner)


def _changed(node: ast.stmt) -> Iterator[str]:
    """The names whose items, attributes or content a statement changes, as far as one can see."""
    for inner in ast.walk(node):
        target: ast.AST | None = None
        if isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            target = inner.value
        elif isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            called = inner.value.func
            target = called.value if isinstance(called, ast.Attribute) else None
        while isinstance(target, ast.Subscript | ast.Attribute | ast.Call):
            target = target.func if isinstance(target, ast.Call) else target.value
        if isinstance(target, ast.Name):
            yield target.id
