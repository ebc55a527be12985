"""A cell of a saved notebook as Markdown for the site: its code, and what it answered."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import nbformat

from notebooks.tools.site_moves import PICTURED, Moves

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = (
    '<p class="interactive">Interactive: open this notebook in JupyterLab (<code>make lab</code>) '
    "to use its controls.</p>"
)
DRAWN = (
    '<p class="interactive">Drawn beforehand, {count} positions. <span class="back"></span> For '
    "all others open this notebook in JupyterLab (<code>make lab</code>).</p>"
)
NUMBER = re.compile(r"-?(\d+\.?\d*(e[+-]?\d+)?|inf)")
MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def code_and_outputs(
    cell: nbformat.NotebookNode, folder: Path, name: str, widgets: Sequence[Moves | None] = ()
) -> Iterator[str]:
    """The code of a cell, and each of its outputs; pictures go to the folder, under names that
    begin with `name`. widgets: what moves of those that the cell shows, in their order."""
    code = cell.source
    yield fence(code, "ipython3" if MAGIC.search(code) else "python")
    left = list(widgets)
    for number, output in enumerate(cell.outputs):
        widget = left.pop(0) if left and output.get("data", {}).keys() >= PICTURED else None
        if widget:
            yield moving(widget, f"{name}_{number}")
        else:
            yield shown(output, folder / f"{name}_{number}.png")


def moving(widget: Moves, name: str) -> str:
    """The controls of a widget, and its picture where they start, which site.js swaps. Until then,
    or without a script, the controls are hidden."""
    file, words = widget.positions["-".join(map(str, widget.start))]
    rows = zip(widget.names, widget.values, widget.start, strict=True)
    controls = [_control(f"{name}_{n}", *row) for n, row in enumerate(rows)]
    data = json.dumps({"start": widget.start, "positions": widget.positions})
    data = data.replace("<", "\\u003c")  # nothing that could end the script
    lines = [
        '<div class="moves">',
        '<div class="controls" role="group" aria-label="Controls of the picture" hidden>',
        *controls,
        "</div>",
        f'<p class="{"said" if widget.speaks else "unseen"}" role="status">'
        f"{escape(words) if widget.speaks else ''}</p>",
        f'<img src="moves/{file}" alt="{escape(words)}">',
        f'<p class="about">{escape(widget.about)}</p>' if widget.about else "",
        DRAWN.format(count=len(widget.positions)),
        f'<script type="application/json">{data}</script>',
        "</div>",
    ]
    return fence("\n".join(line for line in lines if line), "{raw} html")


def _control(place: str, name: str, values: Sequence[str], start: int) -> str:
    """A slider over numbers, or a list of texts to choose from."""
    label = f'<label for="{place}">{escape(name)}</label>'
    if all(NUMBER.fullmatch(value) for value in values):
        texts = escape(json.dumps(values))
        control = (
            f'<input type="range" id="{place}" min="0" max="{len(values) - 1}" value="{start}" '
            f'autocomplete="off" data-values="{texts}">'
            f'<span class="value" aria-hidden="true">{escape(values[start])}</span>'
        )
    else:
        options = [
            f'<option value="{n}"{" selected" * (n == start)}>{escape(value)}</option>'
            for n, value in enumerate(values)
        ]
        control = f'<select id="{place}" autocomplete="off">{"".join(options)}</select>'
    return f'<div class="control">{label}{control}</div>'


def shown(output: nbformat.NotebookNode, picture: Path) -> str:
    """A picture if there is one, then HTML, then text; below what a kernel would have to answer, a
    note."""
    if output.get("metadata", {}).get("needs_kernel"):
        return ""
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
