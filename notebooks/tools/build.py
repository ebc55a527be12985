"""Build the notebooks that readers open, executed, from notebooks/source/NN_name.py (jupytext
percent format).

python -m notebooks.tools.build          all of them
python -m notebooks.tools.build 06 00    those whose names start so
python -m notebooks.tools.build --text   after a change of words: the text is renewed, nothing runs

What stands between "### BEGIN SOLUTION" and "### END SOLUTION" (nbgrader's markers) becomes a stub
in what readers open; notebooks/solutions/ holds the notebooks with the solutions filled in, not
executed. The picture of a cell tagged "headline" also goes to notebooks/tools/assets/headline.png,
which the README shows.
"""

import argparse
import base64
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from tqdm import tqdm

from lautum_utils.files import write_whole
from notebooks.tools.contents import START, measured
from notebooks.tools.course_cells import teaching_with_points
from notebooks.tools.navigation import readme_with_map
from notebooks.tools.opening import draw_opening
from notebooks.tools.places import ASSETS, NOTEBOOKS, README, ROOT, SOLUTIONS, SOURCES, TEACHING
from notebooks.tools.sources import beginning_with, has_solutions, read

HIDING = re.compile("hide|hidden|collaps|remove")
PROGRESS = re.compile(r"^\w+: +\d+%\|.*((step|run)/s|s/(step|run))\]")


def build(source: Path) -> Path:
    """Execute one source and write the notebook that readers open, whole or not at all; its
    solutions too, if it has any."""
    if f"{source.stem}.ipynb" == START:
        draw_opening()
    notebook = _read_open(source)
    started = time.monotonic()
    os.environ["LAUTUM_PROGRESS"] = ""  # what is built is nobody's progress
    place = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    measured(source.stem, time.monotonic() - started)
    notebook.cells[0].source = read(source).cells[0].source  # which tells that time
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not _is_progress(o)]
        if "headline" in cell.metadata.get("tags", []):
            found = [o.get("data", {}).get("image/png") for o in cell.outputs]
            write_whole(ASSETS / "headline.png", base64.b64decode(next(filter(None, found))))
    return _write(notebook, source)


def renew_text(source: Path) -> Path:
    """Write the text cells of a source into its notebook and keep every output. ValueError: its
    code has changed too."""
    notebook = _read_open(source)
    built = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    if _code(built) != _code(notebook):
        raise ValueError(
            f"{source.name} needs the code of its notebook, and has other code: run it, without "
            "--text."
        )
    notebook.metadata = built.metadata  # the state of its widgets
    ran = iter([cell for cell in built.cells if cell.cell_type == "code"])
    notebook.cells = [next(ran) if cell.cell_type == "code" else cell for cell in notebook.cells]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    return _write(notebook, source)


def _read_open(source: Path) -> nbformat.NotebookNode:
    """A source as a notebook that has not run. ValueError: a tag or another word of a cell's
    metadata hides what it holds."""
    notebook = read(source)
    for cell in notebook.cells:
        if HIDING.search(json.dumps(cell.metadata)):
            raise ValueError(
                f"{source.name} needs cells that show their source, got a hidden one: {cell.source}"
            )
    return notebook


def _code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """A progress bar belongs to the moment in which it is watched."""
    text = output.get("data", {}).get("text/plain", "")
    return output.get("name") == "stderr" or PROGRESS.search(text) is not None


def _write(notebook: nbformat.NotebookNode, source: Path) -> Path:
    """Write a notebook, and the one of its solutions if it has any."""
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    if has_solutions(source):
        SOLUTIONS.mkdir(exist_ok=True)
        filled = nbformat.writes(read(source, solutions=True)) + "\n"
        write_whole(SOLUTIONS / target.name, filled.encode())
    write_whole(target, (nbformat.writes(notebook) + "\n").encode())
    return target


def _build_all(sources: Sequence[Path], only_text: bool) -> None:
    """Build one after the other, and say how long each took. If it is stopped, SystemExit says
    where."""
    try:
        for source in (bar := tqdm(sources, unit="notebook")):
            bar.set_description(source.stem)
            started = time.monotonic()
            target = renew_text(source) if only_text else build(source)
            bar.write(f"{target.relative_to(ROOT)}: {time.monotonic() - started:.0f} s")
    # nbclient ends in one of these when it is interrupted
    except (KeyboardInterrupt, AssertionError, DeadKernelError):
        sys.exit(
            f"\nStopped in {source.stem}. It is as it was before; those that were built are whole."
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="beginnings of names, such as 06; none builds all"
    )
    parser.add_argument(
        "--text", action="store_true", help="renew the text and keep the outputs: nothing runs"
    )
    options = parser.parse_args()
    if not os.access(NOTEBOOKS, os.W_OK):
        sys.exit(f"{NOTEBOOKS} cannot be written to: copy the project to a folder of your own.")
    _build_all(beginning_with(options.names, sorted(SOURCES.glob("*.py"))), options.text)
    write_whole(README, readme_with_map().encode())
    write_whole(TEACHING, teaching_with_points().encode())


if __name__ == "__main__":
    main()
