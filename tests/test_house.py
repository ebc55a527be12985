"""The rules of the house that a script can hold: what stands where, how long it is, its words."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest
from plan import ROOT

import lautum_utils
from notebooks.tools.contents import contents

PACKAGE = ROOT / "lautum_utils"
HOUSE = [
    *PACKAGE.rglob("*.py"),
    *(ROOT / "notebooks/lautum_pages").rglob("*.py"),
    *(ROOT / "notebooks/tools").rglob("*.py"),
]
LAYERS = ("core", "data", "training", "results", "widgets", "notebooks")
LINES, FUNCTION_LINES = 250, 40
FAMILIES = {  # files that hold many of one thing, or one thing that is read as a whole
    "lautum_utils/training/methods.py": 520,
    "lautum_utils/finite_world.py": 330,
}
PATH_OF_A_NEWCOMER = ("regularizers.py", "training/loop.py", "training/run.py")
VAGUE = {"first", "apart", "some", "moved", "kind", "few"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, FUNCTIONS):
            yield node


def layer(module: str) -> int | None:
    """The storey of a module, from the core on; None if it is not of the house."""
    parts = module.split(".")
    if parts[0] in ("lautum_pages", "notebooks"):
        return LAYERS.index("notebooks")
    if parts[0] != "lautum_utils":
        return None
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else 0


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name)
def test_imports_run_downwards(path: Path) -> None:
    own = layer(name(path).removesuffix(".py").replace("/", "."))
    assert own is not None
    upwards = [m for m in imported(path) if (where := layer(m)) is not None and where > own]
    assert not upwards


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_a_file_can_be_read_at_once(path: Path) -> None:
    assert length(path) <= FAMILIES.get(name(path), LINES)


def test_the_files_that_may_be_longer_are_there_and_are_longer() -> None:
    assert all(length(ROOT / path) > LINES for path in FAMILIES)


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_no_function_needs_scrolling(path: Path) -> None:
    long = {
        f.name: f.end_lineno - f.lineno + 1
        for f in functions(path)
        if f.end_lineno is not None and f.end_lineno - f.lineno >= FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_a_function_has_one_closure_at_most(path: Path) -> None:
    def closures(f: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        return sum(isinstance(node, FUNCTIONS) for node in ast.walk(f)) - 1

    assert not [f.name for f in functions(path) if closures(f) > 1]


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_things_that_have_a_name_are_called_by_it(path: Path) -> None:
    used = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            used.add(node.id)
        elif isinstance(node, ast.arg):
            used.add(node.arg)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            used.add(node.name)
    assert not used & VAGUE


def test_a_newcomer_reads_under_600_lines_from_the_quantity_to_a_trained_network() -> None:
    (lautum,) = (
        node
        for node in tree(PACKAGE / "training/methods.py").body
        if isinstance(node, ast.ClassDef) and node.name == "Lautum"
    )
    assert lautum.end_lineno is not None
    lines = sum(length(PACKAGE / path) for path in PATH_OF_A_NEWCOMER)
    assert lines + lautum.end_lineno - lautum.lineno + 1 < 600


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


IMPORT_ALL = """
import gc, importlib, json, os, random, sys, threading
import matplotlib, numpy, sklearn, threadpoolctl, torch

def state():
    return [
        dict(os.environ), sorted(matplotlib.rcParams.items(), key=str), random.getstate(),
        numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),
        torch.get_num_threads(), str(torch.get_default_dtype()), torch.is_grad_enabled(),
        gc.get_freeze_count(), threading.active_count(), os.getcwd(), gc.get_threshold(),
    ]

names, before = sys.argv[1:], state()
for name in names:
    importlib.import_module(name)
changed = [number for number, (a, b) in enumerate(zip(before, state())) if str(a) != str(b)]
print(json.dumps(changed))
"""


def test_nothing_happens_at_import() -> None:
    modules = [
        name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in PACKAGE.rglob("*.py")
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore::EncodingWarning", "-c", IMPORT_ALL, *modules],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert json.loads(done.stdout) == []
    assert done.stderr == ""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name)
def test_a_module_only_defines(path: Path) -> None:
    docstring, *statements = tree(path).body
    assert isinstance(docstring, ast.Expr)
    assert not [node.lineno for node in statements if isinstance(node, (ast.Expr, ast.For))]


def test_the_public_names_are_imported_when_they_are_asked_for() -> None:
    code = "import sys, lautum_utils; print([m for m in sys.modules if m in ('torch', 'pandas')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout.strip() == "[]"
    for public in lautum_utils.__all__:
        value = getattr(lautum_utils, public)
        assert not callable(value) or (value.__doc__ or "").strip(), public
    assert dir(lautum_utils) == sorted(lautum_utils.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = lautum_utils.nonsense


SOURCES = sorted((ROOT / "notebooks/source").glob("*.py"))
BUILT = sorted((ROOT / "notebooks").glob("*.ipynb"))
HIDES = re.compile(r"hide|hidden|collaps|remove")


@pytest.mark.parametrize("path", SOURCES + BUILT, ids=name)
def test_no_cell_hides_its_source(path: Path) -> None:
    notebook = jupytext.read(path) if path.suffix == ".py" else nbformat.read(path, as_version=4)
    told = [
        (number, cell.metadata)
        for number, cell in enumerate(notebook.cells)
        if HIDES.search(json.dumps({k: v for k, v in cell.metadata.items() if k != "execution"}))
    ]
    assert not told


CELL_LINES, CODE_LINES, MEGABYTES, MINUTES = 25, 2800, 1.5, 40


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def filled(code: str) -> int:
    """Lines that are not empty."""
    return sum(bool(line.strip()) for line in code.splitlines())


def too_long(notebook: nbformat.NotebookNode) -> list[str]:
    """The first lines of the cells that have too many."""
    sources = [cell.source for cell in code_of(notebook)]
    return [code.splitlines()[0] for code in sources if filled(code) > CELL_LINES]


def marks_in_sight(notebook: nbformat.NotebookNode) -> list[str]:
    return [line for c in notebook.cells for line in c.source.splitlines() if "NBVAL" in line]


def picture_comes_early(notebook: nbformat.NotebookNode) -> bool:
    """Whether a picture stands above the second cell of code (the parameters not counted): in a
    text, or drawn by the first."""
    code = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            if re.search(r"!\[[^\]]+\]\(|<img |<svg", cell.source):
                return True
        elif "parameters" not in cell.metadata.get("tags", []):
            code += 1
            if any("image/png" in output.get("data", {}) for output in cell.outputs):
                return code == 1
    return False


@pytest.mark.parametrize("path", SOURCES + BUILT, ids=name)
def test_a_cell_is_read_at_a_glance(path: Path) -> None:
    notebook = jupytext.read(path) if path.suffix == ".py" else nbformat.read(path, as_version=4)
    assert not too_long(notebook), f"more than {CELL_LINES} lines of code"
    assert not marks_in_sight(notebook), "what nbval compares is marked by a cell's tag"


def test_the_notebooks_hold_little_code() -> None:
    lines = {
        path.stem: sum(filled(cell.source) for cell in code_of(nbformat.read(path, as_version=4)))
        for path in BUILT
    }
    assert sum(lines.values()) < CODE_LINES, lines


@pytest.mark.parametrize("path", BUILT, ids=name)
def test_a_notebook_is_small_and_read_in_one_sitting(path: Path) -> None:
    assert path.stat().st_size <= 1e6 * MEGABYTES
    row = next(row for row in contents()["notebook"] if row["name"] == path.stem)
    assert row["read"] <= MINUTES


def test_a_picture_shows_the_idea_before_the_code() -> None:
    assert picture_comes_early(nbformat.read(BUILT[0], as_version=4))


def test_what_breaks_these_rules_is_seen() -> None:
    v4 = nbformat.v4
    drawn = v4.new_output("display_data", {"image/png": "", "text/plain": "Figure"})
    cells = [
        v4.new_markdown_cell("# 00"),
        v4.new_code_cell("a = 1", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("\n\n".join(["a = 1"] * CELL_LINES)),
        v4.new_code_cell("# NBVAL_CHECK_OUTPUT\n" + "a = 1\n" * CELL_LINES, outputs=[drawn]),
    ]
    notebook = v4.new_notebook(cells=cells)
    assert too_long(notebook) == marks_in_sight(notebook) == ["# NBVAL_CHECK_OUTPUT"]
    assert not picture_comes_early(notebook)
    cells[2].outputs = [drawn]
    assert picture_comes_early(notebook)
    cells[2].outputs, cells[0].source = [], "![The idea](tools/assets/idea.svg)"
    assert picture_comes_early(notebook)


def test_a_folder_has_the_name_that_it_is_imported_by() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert all(
        Path(folder).name == package
        for package, folder in options["setuptools"]["package-dir"].items()
    )
    assert "pythonpath" not in options["pytest"]["ini_options"]
    assert "isort" not in options["ruff"]["lint"]


def test_beside_the_notebooks_stand_only_folders_for_those_who_change_them() -> None:
    others = {p.name for p in (ROOT / "notebooks").iterdir() if p.suffix != ".ipynb"}
    hidden = {found for found in others if found.startswith((".", "_"))}
    wanted = {"solutions", "source", "lautum_pages", "tools", "records", "teaching.md"}
    assert others - hidden == wanted
