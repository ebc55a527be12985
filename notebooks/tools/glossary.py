"""At the first use of a term of the glossary, or of a symbol of the notation, a link to it: both
stand in notebook 00."""

import re
from typing import NamedTuple

import nbformat

from notebooks.tools.contents import START
from notebooks.tools.places import SOURCES

# Where no link is put: code, formulas, other links, headings, markup.
UNTOUCHED = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|^#.*?$|<[^>]*>",
    re.DOTALL | re.MULTILINE,
)


class Explanation(NamedTuple):
    """What 00 says of a term or symbol: in which section, in which words, and the number of the
    notebook that introduces it."""

    section: str
    meaning: str
    introduced: str


def terms() -> dict[str, Explanation]:
    """What 00 explains: each term in small letters, and each symbol as it is written."""
    source = SOURCES / START.replace(".ipynb", ".py")
    text = re.sub(r"(?m)^# ?", "", source.read_text(encoding="utf-8"))
    glossary, notation = text.split("## Glossary")[1], text.split("## Notation")[1]
    found = {}
    for names, meaning in re.findall(r"(?m)^- \*\*(.+?):\*\* (.+)$", glossary):
        for name in names.split(", "):
            found[name.lower()] = Explanation("Glossary", meaning, "00")
    rows = re.findall(r"(?m)^\| (\$.+?\$) \| (.+?) \| `.+ \| (\d\d) \|$", notation)
    for symbols, meaning, introduced in rows:
        for symbol in re.findall(r"\$[^$]+\$", symbols):
            found[symbol] = Explanation("Notation", meaning, introduced)
    return found


def link_first_uses(cells: list[nbformat.NotebookNode], name: str) -> None:
    """Link each term and symbol where a notebook uses it first, in cells of text."""
    still_to_link = {
        term: said for term, said in terms().items() if _is_explained(term, said, name[:2])
    }
    for cell in cells:
        for term, said in list(still_to_link.items()):
            if match := _first_use(term, said, cell.source):
                note = re.sub(r"[\"$\\{}*`|()]", "", said.meaning)
                link = f'[{match.group()}]({START}#{said.section} "{note}")'
                cell.source = cell.source[: match.start()] + link + cell.source[match.end() :]
                del still_to_link[term]


def _is_explained(term: str, said: Explanation, number: str) -> bool:
    """Whether a notebook uses a term as it is explained: a single letter can mean something else
    in other notebooks than the one that introduces it."""
    is_letter = re.fullmatch(r"\$\w\$", term) is not None
    return said.introduced == number if is_letter else said.introduced <= number


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
