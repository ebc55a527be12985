"""The glossary and the notation of notebook 00, from glossary.toml; and in the other notebooks, at
the first use of a term or symbol, a link to it that explains it in plain words."""

import re
import tomllib
from typing import Any, NamedTuple

import nbformat

from notebooks.tools.contents import START
from notebooks.tools.places import TOOLS

GLOSSARY, NOTATION = "<!-- glossary -->", "<!-- notation -->"  # where 00 has them
PLAIN = re.compile(r"[A-Za-z0-9 .,:;'-]+")
# Where no link is put: code, formulas, other links, headings, markup.
UNTOUCHED = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|^#.*?$|<[^>]*>",
    re.DOTALL | re.MULTILINE,
)
LETTER = re.compile(r"\$(\w|\\[a-zA-Z]+)\$")


class Explanation(NamedTuple):
    """What a term or symbol means: in which section of 00 it stands, its tooltip, and the number of
    the notebook that introduces it."""

    section: str
    tooltip: str
    introduced: str


def terms() -> dict[str, Explanation]:
    """What 00 explains: each term in small letters, and each symbol as it is written. ValueError: a
    tooltip is no plain text, for it is shown as it stands."""
    table, found = _table(), {}
    for row in table["term"]:
        for name in row["names"]:
            found[name.lower()] = Explanation("Glossary", row["says"], "00")
    for row in table["symbol"]:
        for symbol, tooltip in row["symbols"].items():
            found[symbol] = Explanation("Notation", tooltip, row["introduced"])
    for term, said in found.items():
        if not PLAIN.fullmatch(said.tooltip):
            raise ValueError(f"{term} needs a tooltip in plain words, got {said.tooltip!r}.")
    return found


def with_sections(text: str) -> str:
    """A text of 00 with glossary and notation where their marks stand."""
    table = _table()
    lines = [f"- **{', '.join(row['names'])}:** {row['says']}" for row in table["term"]]
    rows = ["| symbol | in words | in code | introduced |", "|---|---|---|---|"]
    for row in table["symbol"]:
        cells = (", ".join(row["symbols"]), row["words"], f"`{row['code']}`", row["introduced"])
        rows.append(f"| {' | '.join(cells)} |")
    return text.replace(GLOSSARY, "\n".join(lines)).replace(NOTATION, "\n".join(rows))


def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((TOOLS / "glossary.toml").read_text(encoding="utf-8"))


def link_first_uses(cells: list[nbformat.NotebookNode], name: str) -> None:
    """Link each term and symbol where a notebook uses it first, in cells of text."""
    still_to_link = {t: said for t, said in terms().items() if _is_explained(t, said, name[:2])}
    for cell in cells:
        for term, said in list(still_to_link.items()):
            if match := _first_use(term, said, cell.source):
                link = f'[{match.group()}]({START}#{said.section} "{said.tooltip}")'
                cell.source = cell.source[: match.start()] + link + cell.source[match.end() :]
                del still_to_link[term]


def _is_explained(term: str, said: Explanation, number: str) -> bool:
    """Whether a notebook surely uses a term as it is explained: a single letter can mean something
    else from one cell to the next."""
    return said.introduced <= number and not LETTER.fullmatch(term)


def _first_use(term: str, said: Explanation, text: str) -> re.Match[str] | None:
    """Where a text uses a term first, in the plain or as a formula of its own."""
    pattern = re.escape(term)
    if said.section == "Glossary":
        pattern = rf"(?i:(?<![\w-]){pattern}(?:s|es)?(?![\w-]))"
    for match in re.finditer(pattern, text):
        around = [
            m.span()
            for m in UNTOUCHED.finditer(text)
            if m.start() < match.end() and match.start() < m.end()
        ]
        if not around or around == [match.span()]:
            return match
    return None
