"""A cell of a saved notebook as Markdown for the site: its code, and what it answered."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = (
    '<p class="interactive">Interactive: open this notebook in JupyterLab (<code>make lab</code>) '
    "to use its controls.</p>"
)
MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def code_and_outputs(cell: nbformat.NotebookNode, folder: Path, name: str) -> Iterator[str]:
    """The code of a cell, and each of its outputs; pictures go to the folder, under names that
    begin with `name`."""
    code = cell.source
    yield fence(code, "ipython3" if MAGIC.search(code) else "python")
    for number, output in enumerate(cell.outputs):
        yield shown(output, folder / f"{name}_{number}.png")


def shown(output: nbformat.NotebookNode, picture: Path) -> str:
    """A picture if there is one, then HTML, then text; below what a kernel would have to answer, a
    note."""
    data = output.get("data", {})
    text = output.get("text", data.get("text/plain", "\n".join(output.get("traceback", []))))
    if "image/png" in data:
        picture.write_bytes(base64.b64decode(data["image/png"]))
        note = f"\n\n{NOTE}" if WIDGET in data else ""
        return _image(picture.name, output.metadata.get("image/png", {})) + note
    if WIDGET in data:
        return "" if re.search(r"\d%\|", text) else NOTE  # a progress bar has had its moment
    if "text/html" in data:
        return fence(data["text/html"], "{raw} html")
    text = ANSI.sub("", text).rstrip()
    return fence(text, "{code-block} text", ":class: output") if text.strip() else ""


def fence(text: str, language: str, options: str = "") -> str:
    """A fenced block, with more backticks than the text has."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    head = f"{options}\n\n" if options else ""
    return f"{ticks}{language}\n{head}{text}\n{ticks}"


def _image(name: str, metadata: Mapping[str, Any]) -> str:
    """A picture with its text alternative, as wide as its metadata say."""
    alternative = json.dumps(" ".join(metadata.get("alt", "").split()), ensure_ascii=False)
    options = [f":alt: {alternative}"]
    options += [f":width: {metadata['width']}px"] if "width" in metadata else []
    return fence("", f"{{image}} /{name}", "\n".join(options))
