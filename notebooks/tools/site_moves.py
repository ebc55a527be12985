"""What the sliders of a notebook show, as pictures for the site, where no kernel answers.

Of each Explorer, and of each Playground's recorded answers, the positions that matter are drawn:
all of them if they are few; else those at which few controls are away from where they start. Only
those statements of a saved notebook run that its widgets need. What was drawn is kept in
build/moves until the notebook, or what it imports, changes.
"""

import ast
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from notebooks.tools.places import NOTEBOOKS, ROOT
from notebooks.tools.slices import Statement, needed, run, statements

KEPT = ROOT / "build" / "moves"
PICTURED = {"application/vnd.jupyter.widget-view+json", "image/png"}
WIDGETS = ("Explorer", "explorer", "Playground")
STILL = ("Prediction",)  # a guess needs somebody who guesses
DRAWN_BY = ("slices.py", "site_moves.py", "site_positions.py")
WORKERS = 4


class Moves(NamedTuple):
    """A widget for the site: the name of each control, its values as texts, the number of that at
    which it starts; the file of the picture and the words for each position, such as "0-3"; what
    one is looking at, and whether the words are no part of the picture."""

    names: list[str]
    values: list[list[str]]
    start: list[int]
    positions: dict[str, tuple[str, str]]
    about: str
    speaks: bool


class MovesError(Exception):
    """What keeps a widget from moving, as a sentence."""


OfNotebook = dict[int, list[Moves | None]]  # by cell: of each widget, None if it stays still


def moves(
    notebooks: Sequence[Path], pictures: Path, kept: Path = KEPT, ends: bool = False
) -> dict[Path, OfNotebook]:
    """What moves in saved notebooks; the pictures go to the folder `pictures`. ends: of each widget
    only where it starts, and each control at both of its ends.

    MovesError: a widget cannot be drawn.
    """
    places = {
        notebook: kept / f"{notebook.stem}-{_fingerprint(notebook)}" for notebook in notebooks
    }
    work = [(notebook, place, ends) for notebook, place in places.items() if not place.exists()]
    if work:
        spawn = multiprocessing.get_context("spawn")  # a notebook changes its process
        with spawn.Pool(min(len(work), os.cpu_count() or 1, WORKERS), _get_ready) as pool:
            for said in pool.imap_unordered(_draw, work):
                if said:
                    raise MovesError(said)
    pictures.mkdir(exist_ok=True)
    for place in places.values():
        for path in place.glob("*.webp"):
            shutil.copy(path, pictures)
    return {notebook: _read(place) for notebook, place in places.items()}


def _read(place: Path) -> OfNotebook:
    cells = json.loads((place / "moves.json").read_text(encoding="utf-8"))
    return {int(n): [widget and Moves(*widget) for widget in found] for n, found in cells.items()}


def _fingerprint(notebook: Path) -> str:
    """It changes with the code of a notebook, with which of its outputs are widgets, and with all
    that notebooks import."""
    code = [
        cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"
    ]
    known = hashlib.sha256(repr([(cell.source, _count(cell)) for cell in code]).encode())
    folders = (ROOT / "lautum_utils", NOTEBOOKS / "lautum_pages", NOTEBOOKS / "records")
    paths = [path for folder in folders for path in folder.rglob("*.*") if path.is_file()]
    paths += [NOTEBOOKS / "tools" / name for name in DRAWN_BY]
    for path in sorted(path for path in paths if path.suffix != ".pyc"):
        known.update(path.read_bytes())
    return known.hexdigest()[:16]


def _get_ready() -> None:
    """A process that draws: where notebooks run, quiet, ended by the one that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir(NOTEBOOKS)
    sys.path.insert(0, str(NOTEBOOKS))  # as a kernel has it
    os.environ["LAUTUM_PROGRESS"] = ""
    warnings.simplefilter("ignore")


def _draw(work: tuple[Path, Path, bool]) -> str:
    """Draw what moves in a notebook, whole or not at all: what went wrong, or nothing."""
    notebook, place, ends = work
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as temporary,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        folder = Path(temporary) / "whole"
        folder.mkdir()
        try:
            found = dict(of_cells(nbformat.read(notebook, as_version=4).cells, folder, ends))
        except Exception as error:
            return f"{notebook.name} needs widgets that can be drawn, got {error!r}"
        (folder / "moves.json").write_text(json.dumps(found), encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was as fast
            folder.rename(place)
    for older in place.parent.glob(f"{notebook.stem}-*"):
        if older != place:
            shutil.rmtree(older, ignore_errors=True)
    return ""


def of_cells(
    cells: Sequence[Any], folder: Path, ends: bool = False
) -> Iterator[tuple[int, list[Moves | None]]]:
    """What moves in the cells of a notebook that show widgets, by number; pictures go to the
    folder. What the widgets need is run in the order of the notebook."""
    from notebooks.tools.site_positions import drawn, is_widget  # torch and its companions

    code = {n: cell.source for n, cell in enumerate(cells) if cell.cell_type == "code"}
    held = {n: statements(source) for n, source in code.items()}
    made = "\n".join(code.values())
    shown = {n: list(_shown(source, made)) for n, source in code.items() if _count(cells[n])}
    kept = {id(statement) for n, nodes in shown.items() for statement in _needs(nodes, held, n)}
    names: dict[str, Any] = {}
    for n, of_cell in held.items():
        run([statement for statement in of_cell if id(statement) in kept], names)
        if n not in shown:
            continue
        values = [node and eval(_expression(node), names) for node in shown[n]]
        found = [drawn(value, folder, ends) for value in values if is_widget(value)]
        if len(found) != _count(cells[n]):
            raise MovesError(f"a cell that shows {_count(cells[n])} widgets by name: {code[n]}")
        yield n, found


def _needs(
    nodes: Sequence[ast.expr | None], held: Mapping[int, list[Statement]], number: int
) -> list[Statement]:
    """The statements that expressions of a cell need."""
    before = [statement for n, of_cell in held.items() if n <= number for statement in of_cell]
    used = [
        inner.id
        for node in nodes
        if node
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name)
    ]
    return needed(frozenset(used), before)


def _count(cell: Any) -> int:
    """How many widgets with a picture a cell shows."""
    return sum(output.get("data", {}).keys() >= PICTURED for output in cell.outputs)


def _shown(source: str, made: str) -> Iterator[ast.expr | None]:
    """What a cell shows that could be a widget: names, and calls that make one; None for a widget
    that stays still, so that nobody trains for it."""
    body = ast.parse(source).body
    for statement in body:
        if not isinstance(statement, ast.Expr):
            continue
        value = statement.value
        displayed = value.args if _calls(value, ("display",)) else []
        for node in displayed or [value] * (statement is body[-1]):
            still = "|".join(STILL)
            if re.match(rf"({still})\(", ast.unparse(node)) or re.search(
                rf"^{re.escape(ast.unparse(node))} = ({still})\(", made, re.MULTILINE
            ):
                yield None
            elif isinstance(node, ast.Name) or _calls(node, WIDGETS):
                yield node


def _expression(node: ast.expr) -> Any:
    return compile(ast.Expression(node), "<notebook>", "eval")


def _calls(node: ast.AST | None, names: Sequence[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
