"""What could be wrong with a finished site: links, anchors, text alternatives, addresses outside,
formulas, size."""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MEGABYTES = 30
LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
NOT_LOADED = {"next", "prev", "search", "index"}  # links of a page to others, for browsers
VERBATIM = {"pre", "code", "script", "style", "math", "title"}
LATEX = re.compile(r"\$[^$\n]+\$|\\[a-z]{2,}")
LOADED_BY_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)")


class Page(HTMLParser):
    """The ids, links, loaded addresses and other things of a page that the checks ask about."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.without_alternative: list[str] = []
        self.formulas = 0
        self.pictures: dict[str, str] = {}  # of the positions of widgets, with their words
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """What an element adds."""
        given = {name: value or "" for name, value in attributes}
        self.ids |= {given["id"]} if "id" in given else set()
        self.formulas += tag == "math"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        address = given.get(LOADS.get(tag, ""))
        if address and given.get("rel") not in NOT_LOADED:
            self.loads.append(address)
        if tag == "img" and not given.get("alt", "").strip():
            self.without_alternative.append(given.get("src", ""))
        if given.get("type") == "application/json":
            self._inside.append("positions")
        if tag in VERBATIM:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        for ended in {tag, "positions" if tag == "script" else tag} & set(self._inside):
            self._inside.remove(ended)

    def handle_data(self, data: str) -> None:
        """Text, unless it is to be shown as it is; pictures by position."""
        if "positions" in self._inside:
            found = json.loads(data)["positions"].values()
            self.pictures |= {f"moves/{file}": words for file, words in found}
        if not self._inside:
            self.text.append(data)


def problems(site: Path) -> list[str]:
    """What is wrong with a finished site, a line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        own = [*_of_page(page), *_of_links(path, pages)]
        found += [f"{path.relative_to(site)}: {problem}" for problem in own]
    for path in site.rglob("*.css"):
        loads = LOADED_BY_STYLE.findall(path.read_text(encoding="utf-8"))
        name = path.relative_to(site)
        found += [f"{name}: {address} is loaded from outside" for address in loads]
    if (size := megabytes(site)) >= MEGABYTES:
        found.append(f"the site needs to be under {MEGABYTES} MB, got {size:.1f}")
    return found


def _of_page(page: Page) -> Iterator[str]:
    silent = [source for source, words in page.pictures.items() if not words.strip()]
    for source in [*page.without_alternative, *silent]:
        yield f"{source} needs a text alternative"
    for address in page.loads:
        if urlsplit(address).netloc:
            yield f"{address} is loaded from outside"
    for raw in LATEX.findall(" ".join(page.text)):
        yield f"{raw} is no formula yet"


def _of_links(path: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    page = pages[path]
    for link in [*page.links, *page.loads, *page.pictures]:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            continue
        target = (path.parent / unquote(address.path)).resolve() if address.path else path
        if not target.is_file():
            yield f"{link} leads nowhere"
            continue
        anchors = pages[target].ids if target in pages else {unquote(address.fragment)}
        if address.fragment and unquote(address.fragment) not in anchors:
            yield f"{link} has no such place on that page"


def megabytes(folder: Path) -> float:
    """The size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
