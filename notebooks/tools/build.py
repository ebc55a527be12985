"""Build the notebooks that readers open, executed, from notebooks/source/NN_name.py (jupytext
percent format).

python notebooks/tools/build.py          all of them
python notebooks/tools/build.py 06 00    those whose names start so
python notebooks/tools/build.py --text   after a change of words: the text is renewed, nothing runs

What stands between "### BEGIN SOLUTION" and "### END SOLUTION" (nbgrader's markers) becomes a stub
in what readers open; notebooks/solutions/ holds the notebooks with the solutions filled in, not
executed. The picture of a cell tagged "headline" also goes to notebooks/tools/assets/headline.png,
which the README shows.
"""

import argparse
import base64
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from tqdm import tqdm

from notebooks.tools import navigation

HERE = Path(__file__).parent
SOLUTION = re.compile(
    r"^(?P<indent> *)### BEGIN SOLUTION\n(?:.*\n)*?(?P=indent)### END SOLUTION$", re.MULTILINE
)
STUB = r"\g<indent># YOUR CODE HERE\n\g<indent>raise NotImplementedError()"


def read(source: Path, solutions: bool = False) -> nbformat.NotebookNode:
    """A source as a notebook that has not run: with stubs in place of the solutions, or with the
    solutions."""
    notebook = jupytext.read(source)
    navigation.adorn(notebook, source.stem)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "markdown" and solutions:  # it goes to a folder of its own
            cell.source = re.sub(r"\]\((?=\d\d_\w+\.ipynb)", "](../", cell.source)
        if cell.cell_type == "code":
            cell.source = (
                re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source).rstrip()
                if solutions
                else SOLUTION.sub(STUB, cell.source)
            )
            if "SOLUTION" in cell.source:
                raise ValueError(
                    f"{source.name} needs each BEGIN SOLUTION to meet its END SOLUTION, alike indented: {cell.source}"
                )
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def has_solutions(source: Path) -> bool:
    return bool(SOLUTION.search(source.read_text(encoding="utf-8")))


def build(source: Path) -> Path:
    """Execute one source and write the notebook beside this file, whole or not at all; its
    solutions too, if it has any."""
    notebook = read(source)
    started = time.monotonic()
    os.environ["LAUTUM_PROGRESS"] = ""  # what is built is nobody's progress
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    ).execute()
    navigation.measured(source.stem, time.monotonic() - started)
    notebook.cells[0].source = read(source).cells[0].source  # which tells that time
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        outputs = cell.get("outputs", [])
        if cell.cell_type == "code":
            cell.outputs = [o for o in outputs if not _is_progress(o)]
        if "headline" in cell.metadata.get("tags", []):
            picture = next(
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            )
            _write(HERE / "headline.png", base64.b64decode(picture))
    _write_solutions(source)
    target = HERE / f"{source.stem}.ipynb"
    _write(target, (nbformat.writes(notebook) + "\n").encode())
    return target


def _write_solutions(source: Path) -> None:
    if has_solutions(source):
        (HERE / "solutions").mkdir(exist_ok=True)
        _write(
            HERE / "solutions" / f"{source.stem}.ipynb",
            (nbformat.writes(read(source, solutions=True)) + "\n").encode(),
        )


def renew_text(source: Path) -> Path:
    """Write the text cells of a source into its notebook and keep every output. ValueError: its
    code has changed too."""
    target, notebook = HERE / f"{source.stem}.ipynb", read(source)
    built = nbformat.read(target, as_version=4)
    if [c.source for c in built.cells if c.cell_type == "code"] != [
        c.source for c in notebook.cells if c.cell_type == "code"
    ]:
        raise ValueError(
            f"{source.name} needs the code of its notebook, and has other code: run it, without --text."
        )
    notebook.metadata = built.metadata  # the state of its widgets
    ran = iter([cell for cell in built.cells if cell.cell_type == "code"])
    notebook.cells = [next(ran) if cell.cell_type == "code" else cell for cell in notebook.cells]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    _write_solutions(source)
    _write(target, (nbformat.writes(notebook) + "\n").encode())
    return target


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """A progress bar belongs to the moment in which it is watched."""
    text = output.get("data", {}).get("text/plain", "")
    return (
        output.get("name") == "stderr"
        or re.search(r"^\w+: +\d+%\|.*((step|run)/s|s/(step|run))\]", text) is not None
    )


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="beginnings of names, such as 06; none builds all"
    )
    parser.add_argument(
        "--text", action="store_true", help="renew the text and keep the outputs: nothing runs"
    )
    options = parser.parse_args()
    names, make = options.names, renew_text if options.text else build
    unknown = [
        name
        for name in names
        if not any(p.stem.startswith(name) for p in (HERE / "source").glob("*.py"))
    ]
    sources = sorted(
        p for p in (HERE / "source").glob("*.py") if not names or p.stem.startswith(tuple(names))
    )
    if unknown:
        have = ", ".join(sorted(p.stem for p in (HERE / "source").glob("*.py")))
        sys.exit(f"NAME needs to be the beginning of one of {have}, got {' '.join(unknown)}.")
    try:
        for source in (bar := tqdm(sources, unit="notebook")):
            bar.set_description(source.stem)
            started = time.monotonic()
            bar.write(
                f"{make(source).relative_to(HERE.parent)}: {time.monotonic() - started:.0f} s"
            )
    except (
        KeyboardInterrupt,
        AssertionError,
        DeadKernelError,
    ):  # nbclient ends in one of these when it is interrupted
        sys.exit(
            f"\nStopped in {source.stem}. It is as it was before; those that were built are whole."
        )
    _write(HERE.parent / "README.md", navigation.readme_with_map().encode())


if __name__ == "__main__":
    main()
