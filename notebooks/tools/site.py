"""The built notebooks as a website that needs no server and no network: build/site/index.html.

python notebooks/tools/site.py               build/site
python notebooks/tools/site.py --to FOLDER   another folder

Each notebook becomes a page as it was saved, nothing is run. Sphinx and furo give navigation,
search, light and dark; formulas become MathML, which browsers draw themselves. The finished site is
checked (links, anchors, text alternatives, addresses outside, formulas, size), and put in place
whole or not at all.
"""

import argparse
import base64
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import docutils_namespace, patch_docutils
from tqdm import tqdm

from notebooks.tools import navigation

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MEGABYTES = 30
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = '<p class="interactive">Interactive: open this notebook in JupyterLab (<code>make lab</code>) to use its controls.</p>'
HIDDEN = re.compile(r"^# NBVAL_\w+\n", re.MULTILINE)
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=[)\s])")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TO_MATHML = LatexToMathML(fancy_error=False)


class SiteError(Exception):
    """What is wrong with the notebooks or the site, as a sentence for the reader."""


# From notebooks to Markdown


class Pages:
    """A folder of Markdown pages that Sphinx reads, filled from the project's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
        self.solutions = sorted((HERE / "solutions").glob("[0-9][0-9]_*.ipynb"))
        self.teaching = [path for path in [HERE / "teaching.md"] if path.exists()]
        self.names = {
            path: path.relative_to(HERE).with_suffix("").as_posix()
            for path in self.notebooks + self.solutions
        }
        self.names |= {path: path.stem for path in self.teaching} | {
            HERE / "solutions": "solutions/index",
            ROOT / "README.md": "index",
        }
        self.listings: set[Path] = set()
        if not self.notebooks:
            raise SiteError(
                f"The site needs built notebooks in {HERE.name}/, got none: run `make notebooks` first."
            )

    def write(self) -> None:
        for path in self.notebooks + self.solutions:
            notebook = read(path)
            body = "\n\n".join(
                part
                for number, cell in enumerate(notebook.cells)
                for part in self._cell(cell, path, number)
            )
            if path in self.solutions:
                body = re.sub(r"^# ", "# Solutions ", body, count=1)
            self._page(self.names[path], body, searched=path in self.notebooks)
        for path in self.teaching:
            self._page(self.names[path], self._linked(path.read_text(encoding="utf-8"), path))
        self._page("index", self._index())
        if self.solutions:
            listed = "\n".join(
                f"- [{escape(title(path))}]({path.stem}.md)" for path in self.solutions
            )
            self._page(
                "solutions/index",
                f"# Solutions\n\nThe same notebooks with the solutions filled in.\n\n{listed}",
                searched=False,
            )
        for path in sorted(self.listings):
            code = fence(
                path.read_text(encoding="utf-8"), "python" if path.suffix == ".py" else "text"
            )
            text = f"# {path.relative_to(ROOT)}\n\n{code}"
            self._page(self._listing(path), text, searched=False)

    def _page(self, name: str, text: str, searched: bool = True) -> None:
        target = self.folder / f"{name}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            "---\norphan: true\n" + "nosearch: true\n" * (not searched) + f"---\n{text}\n",
            encoding="utf-8",
        )

    def _index(self) -> str:
        """The first words of the README, the map, and the order of the pages for the sidebar."""
        readme = ROOT / "README.md"
        opening = readme.read_text(encoding="utf-8").split("\n## ")[0]
        holds = {row["name"]: row["holds"] for row in navigation.contents()["notebook"]}
        rows = [
            f"| [{title(path)}]({path.stem}.md) | {holds.get(path.stem, '')} |"
            for path in self.notebooks
        ]
        run = "These pages show the notebooks as they were saved. To run them and use their controls: `make lab`."
        trees = [tree("Notebooks", [self.names[path] for path in self.notebooks])]
        trees += (
            [tree("For teachers", [self.names[path] for path in self.teaching])]
            if self.teaching
            else []
        )
        trees += (
            [tree("Solutions", [self.names[path] for path in self.solutions])]
            if self.solutions
            else []
        )
        table = "\n".join(["| Notebook | Holds |", "|---|---|", *rows])
        return "\n\n".join([self._linked(opening, readme), "## The notebooks", run, table, *trees])

    def _cell(self, cell: nbformat.NotebookNode, path: Path, number: int) -> Iterator[str]:
        if cell.cell_type == "markdown":
            yield self._linked(cell.source, path)
        elif cell.cell_type == "code":
            code = fence(
                HIDDEN.sub("", cell.source),
                "ipython3" if re.search(r"^\s*[%!]", cell.source, re.MULTILINE) else "python",
            )
            folded = cell.metadata.get("jupyter", {}).get("source_hidden")
            yield (
                f'<details class="code"><summary>Code</summary>\n\n{code}\n\n</details>'
                if folded
                else code
            )
            for part, output in enumerate(cell.outputs):
                yield self._output(output, f"{self.names[path].replace('/', '_')}_{number}_{part}")

    def _output(self, output: nbformat.NotebookNode, name: str) -> str:
        """A picture if there is one, then HTML, then text; below what a kernel would have to
        answer, a note."""
        data, note = output.get("data", {}), ""
        text = output.get("text", data.get("text/plain", "\n".join(output.get("traceback", []))))
        if WIDGET in data:
            if "image/png" not in data:
                return (
                    "" if re.search(r"\d%\|", text) else NOTE
                )  # a progress bar has had its moment
            note = f"\n\n{NOTE}"
        if "image/png" in data:
            picture = self.folder / f"{name}.png"
            picture.write_bytes(base64.b64decode(data["image/png"]))
            alt = output.metadata.get("image/png", {}).get("alt", "")
            return f"![{plain(alt)}](/{picture.name}){note}"
        if "text/html" in data:
            return fence(data["text/html"], "{raw} html")
        return (
            fence(ANSI.sub("", text).rstrip(), "{code-block} text\n:class: output")
            if text.strip()
            else ""
        )

    def _linked(self, text: str, path: Path) -> str:
        """The text with its links to files made links to pages."""
        parts = CODE.split(text)
        parts[::2] = [
            LINK.sub(lambda match: self._target(match[1], path), part) for part in parts[::2]
        ]
        return "".join(parts)

    def _target(self, link: str, path: Path) -> str:
        address = urlsplit(link)
        if address.scheme or not address.path:
            return link
        wanted = (path.parent / unquote(address.path)).resolve()
        anchor = f"#{address.fragment}" if address.fragment else ""
        if wanted in self.names:
            return f"/{self.names[wanted]}.md{anchor}"
        if wanted.suffix == ".png" and wanted.exists():
            shutil.copy(wanted, self.folder)
            return f"/{wanted.name}"
        if wanted.is_dir():  # a package: its listing is its first file
            wanted /= "__init__.py"
        if not (wanted.is_file() and wanted.is_relative_to(ROOT)):
            raise SiteError(
                f"{path.relative_to(ROOT)} needs links to files that are there, got {link}."
            )
        self.listings.add(wanted)
        return f"/{self._listing(wanted)}.md"

    @staticmethod
    def _listing(path: Path) -> str:
        return f"files/{path.relative_to(ROOT).as_posix().replace('.', '_')}"


def read(path: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except ValueError as error:  # cut short, or no notebook at all
        raise SiteError(
            f"{path.relative_to(ROOT)} needs to be a notebook, got {error}".split("\n")[0]
        ) from error


def title(path: Path) -> str:
    """The first heading of a notebook."""
    headings = re.findall(r"^# (.+)$", read(path).cells[0].source, re.MULTILINE)
    if not headings:
        raise SiteError(f"{path.relative_to(ROOT)} needs to begin with a heading, got none.")
    return headings[0]


def fence(text: str, kind: str) -> str:
    """A fenced block, with more backticks than the text has."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{ticks}{kind}\n{'' if ':class:' not in kind else chr(10)}{text}\n{ticks}"


def plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def tree(caption: str, names: list[str]) -> str:
    return fence("\n".join([":hidden:", f":caption: {caption}", "", *names]), "{toctree}")


# From Markdown to the site


def jupyter_anchor(heading: str) -> str:
    """The anchor that JupyterLab gives to a heading."""
    return heading.replace(" ", "-")


def setup(app: Sphinx) -> dict[str, Any]:
    """The formulas' renderer, as a Sphinx extension."""
    inline, block = partial(_formula, display=False), partial(_formula, display=True)
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _formula(writer: Any, node: nodes.Element, display: bool) -> None:
    latex = node.astext()
    try:
        formula = TO_MATHML.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        raise SiteError(
            f"Page {writer.builder.current_docname} needs a formula that can be read, got {latex}: {error}"
        ) from error
    writer.body.append(f'<div class="math">{formula}</div>\n' if display else formula)
    raise nodes.SkipNode


SETTINGS: dict[str, Any] = {
    "project": "Lautum Lab",
    "language": "en",
    "extensions": ["myst_parser", "build_site"],
    "source_suffix": {".md": "markdown"},
    "myst_enable_extensions": ["dollarmath"],
    "myst_dmath_allow_labels": False,
    "myst_dmath_double_inline": True,
    "myst_disable_syntax": [
        "myst_line_comment",
        "myst_block_break",
        "myst_target",
        "myst_role",
    ],  # no part of Jupyter's Markdown
    "myst_heading_anchors": 6,
    "myst_heading_slug_func": "build_site.jupyter_anchor",
    "html_math_renderer": "mathml",
    "html_theme": "furo",
    "html_title": "Lautum Lab",
    "html_static_path": [str(HERE / "site")],
    "html_css_files": ["site.css"],
    "html_js_files": [("site.js", {"defer": "defer"})],
    "html_show_copyright": False,
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_use_index": False,
    "html_show_search_summary": False,  # it would fetch pages, which a browser refuses to a page opened from a file
}


NOT_NEEDED = ("*.map", ".buildinfo*", "objects.inv")
MENDED = {  # what the theme leaves out for those who hear the page
    'role="heading"': 'role="heading" aria-level="2"',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    '<div id="search-results">': '<h1>Search</h1>\n<div id="search-results">',
}


def render(pages: Path, site: Path, progress: Callable[[], object]) -> None:
    """Run Sphinx; progress is called twice a page. Warnings are errors."""
    warnings = io.StringIO()
    with tempfile.TemporaryDirectory() as cache, patch_docutils(), docutils_namespace():
        app = Sphinx(
            pages, None, site, cache, "html", SETTINGS, status=None, warning=warnings, freshenv=True
        )
        for event in ("doctree-read", "html-page-context"):
            app.connect(event, lambda *_: progress())
        app.build(force_all=True)
    lines = ANSI.sub("", warnings.getvalue()).replace(str(pages), "").strip().splitlines()
    if lines:
        raise SiteError("The site needs pages without warnings, got:\n" + "\n".join(lines[:20]))
    for path in [path for pattern in NOT_NEEDED for path in site.rglob(pattern)]:
        path.unlink()
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        for wanting, mended in MENDED.items():
            html = html.replace(wanting, mended)
        path.write_text(html, encoding="utf-8")


# Checks of the finished site


LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
VERBATIM = {"pre", "code", "script", "style", "math", "title"}


class Page(HTMLParser):
    """The ids, links, loaded addresses and other things of a page that the checks ask about."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.without_alternative: list[str] = []
        self.formulas = 0
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.ids |= {given["id"]} if "id" in given else set()
        self.formulas += tag == "math"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if (address := given.get(LOADS.get(tag, ""))) and given.get("rel") not in (
            "next",
            "prev",
            "search",
            "index",
        ):
            self.loads.append(address)
        if tag == "img" and not given.get("alt", "").strip():
            self.without_alternative.append(given.get("src", ""))
        if tag in VERBATIM:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)


def problems(site: Path) -> list[str]:
    """What is wrong with a finished site, a line each: links, anchors, alternatives, addresses
    outside, formulas, size."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name}: {src} needs a text alternative" for src in page.without_alternative]
        found += [
            f"{name}: {address} is loaded from outside"
            for address in page.loads
            if urlsplit(address).netloc
        ]
        found += [
            f"{name}: {raw} is no formula yet"
            for raw in re.findall(r"\$[^$\n]+\$|\\[a-z]{2,}", " ".join(page.text))
        ]
        for link in page.links + page.loads:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.is_file():
                found.append(f"{name}: {link} leads nowhere")
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].ids
            ):
                found.append(f"{name}: {link} has no such place on that page")
    for path in site.rglob("*.css"):
        loads = re.findall(
            r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf-8")
        )
        found += [
            f"{path.relative_to(site)}: {address} is loaded from outside" for address in loads
        ]
    if (size := megabytes(site)) >= MEGABYTES:
        found.append(f"the site needs to be under {MEGABYTES} MB, got {size:.1f}")
    return found


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


# Together


def build(target: Path) -> int:
    """Write the site into the folder target, whole or not at all, and return the number of its
    pages."""
    target = target.resolve()
    if target.exists() and not (
        target.is_dir() and (not any(target.iterdir()) or (target / "searchindex.js").exists())
    ):
        raise SiteError(
            f"--to needs a new or empty folder, or one with an older site, got {target}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        sources, site = Path(temporary) / "pages", Path(temporary) / "site"
        sources.mkdir()
        Pages(sources).write()
        count = len(list(sources.rglob("*.md")))
        with tqdm(total=2 * count + 1, unit="step", desc="site", disable=None) as bar:
            render(sources, site, bar.update)
        if wrong := problems(site):
            raise SiteError("The site needs mending, nothing is written:\n" + "\n".join(wrong[:20]))
        if target.exists():
            target.rename(Path(temporary) / "old")
        os.replace(site, target)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=ROOT / "build" / "site",
        metavar="FOLDER",
        help="where it goes (build/site)",
    )
    target = parser.parse_args().to
    try:
        count = build(target)
    except KeyboardInterrupt:
        print("\nStopped: nothing was written.", file=sys.stderr)
        sys.exit(130)
    except (SiteError, SphinxError, OSError) as error:
        sys.exit(str(error))
    print(f"{target / 'index.html'}: {count} pages, {megabytes(target):.1f} MB")


if __name__ == "__main__":
    main()
