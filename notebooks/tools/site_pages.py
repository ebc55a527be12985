"""The project's notebooks and texts as a folder of Markdown pages, from which Sphinx makes the
site."""

import re
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from notebooks.tools.contents import contents
from notebooks.tools.navigation import IS_ALONE
from notebooks.tools.opening import beside
from notebooks.tools.places import NOTEBOOKS, README, ROOT, SOLUTIONS
from notebooks.tools.site_cells import code_and_outputs, fence
from notebooks.tools.site_moves import KEPT, MovesError, OfNotebook, moves

CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=[)\s])")
EXTRA = "extra"  # what goes to the site as it is
RUN = (
    "These pages show the notebooks as they were saved; their sliders answer with pictures that "
    "were drawn beforehand. To run them, with all their controls: `make lab`."
)


class SiteError(Exception):
    """What is wrong with the notebooks or the site, as a sentence for the reader."""


class Pages:
    """A folder of Markdown pages that Sphinx reads, filled from the project's files. ends: widgets
    have few positions, drawn for this once."""

    def __init__(self, folder: Path, ends: bool = False) -> None:
        self.folder, self.ends = folder, ends
        self.notebooks = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
        self.solutions = sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb"))
        self.teaching = sorted(NOTEBOOKS.glob("teaching.md"))
        self.names = {
            path: path.relative_to(NOTEBOOKS).with_suffix("").as_posix()
            for path in [*self.notebooks, *self.solutions, *self.teaching]
        }
        self.names |= {SOLUTIONS: "solutions/index", README: "index"}
        self.listings: set[Path] = set()
        self.moves: dict[Path, OfNotebook] = {}
        if not self.notebooks:
            raise SiteError(
                f"The site needs built notebooks in {NOTEBOOKS.name}/, got none: run "
                "`make notebooks` first."
            )

    def write(self) -> None:
        """Fill the folder. SiteError: a widget that cannot be drawn."""
        extra = self.folder / EXTRA
        extra.mkdir()
        try:
            kept = self.folder.parent / "ends" if self.ends else KEPT
            self.moves = moves(self.notebooks, extra / "moves", kept, self.ends)
        except MovesError as error:
            raise SiteError(str(error)) from error
        for path in self.notebooks:
            self.page(self.names[path], self._notebook(path))
        for path in self.solutions:
            text = re.sub(r"^# ", "# Solutions ", self._notebook(path), count=1)
            self.page(self.names[path], text, searched=False)
        for path in self.teaching:
            self.page(self.names[path], self.linked(path.read_text(encoding="utf-8"), path))
        self.page("index", self._index())
        if self.solutions:
            self.page("solutions/index", self._solutions_index(), searched=False)
        for path in sorted(self.listings):
            code = path.read_text(encoding="utf-8")
            block = fence(code, "python" if path.suffix == ".py" else "text")
            text = f"# {path.relative_to(ROOT).as_posix()}\n\n{block}"
            self.page(_listing(path), text, searched=False)

    def page(self, name: str, text: str, searched: bool = True) -> None:
        """Write one page."""
        target = self.folder / f"{name}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        matter = "orphan: true\n" + "nosearch: true\n" * (not searched)
        target.write_text(f"---\n{matter}---\n{text}\n", encoding="utf-8")

    def _notebook(self, path: Path) -> str:
        parts: list[str] = []
        name, widgets = self.names[path].replace("/", "_"), self.moves.get(path, {})
        for number, cell in enumerate(read(path).cells):
            if cell.cell_type == "markdown":
                parts.append(self.linked(beside(IS_ALONE.sub("", cell.source)), path))
            elif cell.cell_type == "code":
                of_cell = widgets.get(number, ())
                parts += code_and_outputs(cell, self.folder, f"{name}_{number}", of_cell)
        return "\n\n".join(parts)

    def _index(self) -> str:
        """The opening of the README, the map, and the order of the pages for the sidebar."""
        opening = self.linked(README.read_text(encoding="utf-8").split("\n## ")[0], README)
        holds = {row["name"]: row["holds"] for row in contents()["notebook"]}
        rows = [
            f"| [{title(path)}]({path.stem}.md) | {holds.get(path.stem, '')} |"
            for path in self.notebooks
        ]
        table = "\n".join(["| Notebook | Holds |", "|---|---|", *rows])
        trees = [
            _tree("Notebooks", [self.names[path] for path in self.notebooks]),
            _tree("For teachers", [self.names[path] for path in self.teaching]),
            _tree("Solutions", [self.names[path] for path in self.solutions]),
        ]
        parts = [opening, "## The notebooks", RUN, table, *trees]
        return "\n\n".join(part for part in parts if part)

    def _solutions_index(self) -> str:
        links = [f"- [{escape(title(path))}]({path.stem}.md)" for path in self.solutions]
        about = "The same notebooks with the solutions filled in."
        return "\n".join(["# Solutions", "", about, "", *links])

    def linked(self, text: str, path: Path) -> str:
        """The text of a file with its links to files made links to pages."""

        def to_page(link: re.Match[str]) -> str:
            return self._target(link[1], path)

        parts = CODE.split(text)
        parts[::2] = [LINK.sub(to_page, part) for part in parts[::2]]
        return "".join(parts)

    def _target(self, link: str, path: Path) -> str:
        """Where a link of a file leads on the site. SiteError: to no file."""
        address = urlsplit(link)
        if address.scheme or not address.path:
            return link
        wanted = (path.parent / unquote(address.path)).resolve()
        if wanted in self.names:
            anchor = f"#{address.fragment}" if address.fragment else ""
            return f"/{self.names[wanted]}.md{anchor}"
        if wanted.suffix == ".png" and wanted.exists():
            shutil.copy(wanted, self.folder)
            return f"/{wanted.name}"
        if wanted.is_dir():  # a package: its listing is that of its __init__.py
            wanted /= "__init__.py"
        if not (wanted.is_file() and wanted.is_relative_to(ROOT)):
            raise SiteError(
                f"{path.relative_to(ROOT)} needs links to files that are there, got {link}."
            )
        self.listings.add(wanted)
        return f"/{_listing(wanted)}.md"


def read(path: Path) -> nbformat.NotebookNode:
    """A saved notebook. SiteError: it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except ValueError as error:  # cut short, or no notebook at all
        said = f"{path.relative_to(ROOT)} needs to be a notebook, got {error}"
        raise SiteError(said.split("\n")[0]) from error


def title(path: Path) -> str:
    """The heading with which a notebook begins."""
    headings = re.findall(r"^# (.+)$", read(path).cells[0].source, re.MULTILINE)
    if not headings:
        raise SiteError(f"{path.relative_to(ROOT)} needs to begin with a heading, got none.")
    return str(headings[0])


def _listing(path: Path) -> str:
    """The name of the page that shows a file."""
    return f"files/{path.relative_to(ROOT).as_posix().replace('.', '_')}"


def _tree(caption: str, names: Sequence[str]) -> str:
    """A part of the sidebar; "" if it would be empty."""
    lines = [":hidden:", f":caption: {caption}", "", *names]
    return fence("\n".join(lines), "{toctree}") if names else ""
