"""Reading a notebook that was handed in, whatever wrote it, and recognising its cells."""

import ast
import json
import re
import warnings
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

BROKEN = (
    *(AttributeError, KeyError, TypeError, ValueError, RecursionError),
    nbformat.ValidationError,
)
DEFINED = re.compile(r"^(?:def|class)\s+(\w+)|^(\w+)\s*(?::[^=]+)?=(?!=)", re.MULTILINE)


def notebook_of(content: bytes) -> tuple[NotebookNode, list[str]]:
    """A notebook of format 4.5 with whole cells, and what had to be done for that. ValueError: the
    bytes hold no notebook."""
    notes = []
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        notes.append("byte-order mark removed")
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        given = json.loads(content)
        old = int(given.get("nbformat", 4))
        notebook = nbformat.from_dict(given)
        if old < 4:
            notebook = nbformat.convert(notebook, 4)
            notes.append(f"notebook format {old} brought up to 4")
        cells = [_cell(cell, index) for index, cell in enumerate(notebook["cells"])]
        return nbformat.v4.new_notebook(cells=cells), notes
    except BROKEN as error:
        told = " ".join(str(error).splitlines()[:1])
        raise ValueError(f"is no notebook ({type(error).__name__}: {told})") from None


def _cell(given: NotebookNode, index: int) -> NotebookNode:
    """A cell with all that its type needs, and an id. nbgrader clears outputs before it grades."""
    text = given.get("source", "")
    source = text if isinstance(text, str) else "".join(text)
    metadata = given.get("metadata") or {}
    marks = {"nbgrader": metadata["nbgrader"]} if "nbgrader" in metadata else {}
    name = given.get("id") or metadata.get("id")  # Colab moves it there
    cell = NotebookNode(
        id=name
        if isinstance(name, str) and re.fullmatch(r"[\w-]{1,64}", name)
        else f"cell-{index}",
        cell_type=given["cell_type"],
        metadata=nbformat.from_dict(marks),
        source=source,
    )
    if cell.cell_type == "code":
        count = given.get("execution_count")
        cell.execution_count = count if isinstance(count, int) else None
        cell.outputs = []
    elif "attachments" in given:
        cell.attachments = given["attachments"]
    return cell


def fingerprint(cell: NotebookNode) -> str:
    """The same for two cells that say the same: code without comments and layout, text without
    spaces."""
    tree = _tree(cell.source) if cell.cell_type == "code" else None
    return f"{cell.cell_type} " + ("".join(cell.source.split()) if tree is None else ast.dump(tree))


def defined(source: str) -> set[str]:
    """The names that code defines at its outermost level; of code with an error, as far as lines
    tell."""
    tree = _tree(source)
    if tree is None:
        return {function or name for function, name in DEFINED.findall(source)}
    names = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            names |= {n.id for n in ast.walk(statement) if _is_target(n)}
    return names


def _is_target(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _tree(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def role(cell: NotebookNode) -> str:
    """The name that nbgrader gives a cell; "" if none, or if the cell has lost it."""
    given = cell.metadata.get("nbgrader")
    name = given.get("grade_id") if isinstance(given, dict) else None
    return name if isinstance(name, str) else ""


def resemblance(cells: Iterable[NotebookNode], released: Iterable[NotebookNode]) -> int:
    """How many cells of what students got are still there, by name and by what they say."""
    theirs = list(cells)
    names = {c.id for c in theirs} | {role(c) for c in theirs}
    says = {fingerprint(c) for c in theirs}
    return sum(
        (bool(role(cell)) and role(cell) in names) + (fingerprint(cell) in says)
        for cell in released
    )
