"""What a reader meets before any code runs: spelling, links, text alternatives, and what the table
of the notebooks writes."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbformat
import pytest
from packaging.requirements import Requirement
from plan import NOTEBOOKS, ROOT
from spellchecker import SpellChecker

from lautum_utils.widgets.controls import RESTARTED, STILL
from lautum_utils.widgets.playground_view import CURVE, LIVE
from lautum_utils.widgets.prediction import GUESS
from notebooks.tools import contents, glossary
from notebooks.tools.navigation import readme_with_map
from notebooks.tools.sources import read

SOURCES = sorted((NOTEBOOKS / "source").glob("*.py"))
PAGES = sorted(NOTEBOOKS.glob("*.ipynb")) + sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
TEXTS = [ROOT / "README.md", NOTEBOOKS / "teaching.md"]
TABLE = contents.contents()["notebook"]
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]*>"
    r"|https?://\S+|\S*@\S*|\\\w+|arXiv \S+|^ {4}.*?$",
    re.DOTALL | re.MULTILINE,
)


@cache
def prose(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    )


def identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ----------------------------------------------------------------------------------------- spelling


@pytest.fixture(scope="module")
def dictionary() -> SpellChecker:
    """English words of the library, and in words.txt names and terms that it does not know."""
    checker = SpellChecker(distance=1)
    checker.word_frequency.load_words(
        (ROOT / "tests/words.txt").read_text(encoding="utf-8").split()
    )
    return checker


def misspelt(text: str, checker: SpellChecker) -> set[str]:
    words = set(re.findall(r"[^\W\d_]{3,}(?:'[^\W\d_]+)?", NOT_PROSE.sub(" ", text)))
    known = {word.removesuffix("'s").lower() for word in words if not word.isupper()}
    return set(checker.unknown(known))


@pytest.mark.parametrize("path", [*PAGES, *TEXTS], ids=identity)
def test_words_are_spelt_as_in_a_dictionary(path: Path, dictionary: SpellChecker) -> None:
    assert not misspelt(prose(path), dictionary)


def test_captions_are_spelt_as_in_a_dictionary_and_a_wrong_word_is_seen(
    dictionary: SpellChecker,
) -> None:
    assert not misspelt(
        " ".join((CURVE, LIVE, GUESS, STILL, RESTARTED)),
        dictionary,
    )
    assert misspelt("The regularisor trians.", dictionary) == {"regularisor", "trians"}


# -------------------------------------------------------------------------------------------- links


def anchors(path: Path) -> set[str]:
    """The places of a page: JupyterLab's anchor of a heading is its text with - for spaces."""
    text = re.sub(r"```.*?```", "", prose(path), flags=re.DOTALL)
    return {
        title.strip().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("path", [*PAGES, *TEXTS], ids=identity)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`|\$[^$]*\$", "", prose(path), flags=re.DOTALL)
    links = re.findall(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)(?: \"[^\"]*\")?\)", text)
    assert len(links) == text.count("](")
    for link in links:
        parts = urlparse(link)
        if parts.scheme == "attachment":
            cells = nbformat.read(path, as_version=4).cells
            assert any(parts.path in cell.get("attachments", {}) for cell in cells), link
            continue
        if parts.scheme:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), link
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        assert target.exists(), link
        if parts.fragment:
            assert unquote(parts.fragment) in anchors(target), link


# ------------------------------------------------------------------------- text alternatives, twins


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_picture_has_a_text_alternative_that_says_something(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    for output in [output for cell in cells for output in cell.outputs]:
        data = output.get("data", {})
        if (
            "application/vnd.jupyter.widget-view+json" in data
            and "text/plain" in data
            and "HBox" not in data["text/plain"]
        ):
            assert "image/png" in data, (
                "a widget has a still picture for where no widgets are shown"
            )
        if "image/png" in data:
            alt = output.metadata["image/png"]["alt"]
            assert len(alt.removeprefix("Figure: ").split()) >= 2, alt


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_every_widget_says_what_it_shows_and_has_a_static_twin(source: Path) -> None:
    cells = [cell.source for cell in read(source).cells if cell.cell_type == "code"]
    code = "\n".join(cells)
    draws = re.findall(r"^explorer_\w+ = [Ee]xplorer\(\s*(\w+)", code, re.MULTILINE)
    assert draws or "Playground(" in code
    for draw in draws:
        drawn = re.compile(rf"^(display\(.*)?\b{draw}\(", re.MULTILINE)
        shown = [cell for cell in cells if drawn.search(cell)]
        assert shown, f"{draw} is also drawn without widgets"
        shared = "draw.__doc__ = draw_knob.__doc__" in code
        assert shared or re.search(rf'^def {draw}\([^)]*\):\n    """', code, re.MULTILINE), (
            f"{draw} says what one is looking at"
        )
    if "Playground(" in code:
        assert "accuracy_against_strength(" in code


# ------------------------------------------------------------------------------------ the one table


def test_the_table_holds_every_notebook_in_order_and_the_readme_shows_it() -> None:
    assert [row["name"] for row in TABLE] == [source.stem for source in SOURCES]
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme_with_map()
    rows = [f"| {row['name'][:2]} | [{row['title']}](" for row in TABLE]
    assert all((ROOT / "README.md").read_text(encoding="utf-8").count(row) == 1 for row in rows)
    assert all(prose(NOTEBOOKS / "00_start_here.ipynb").count(row) == 1 for row in rows)


@pytest.mark.parametrize("at", range(len(TABLE)), ids=[row["name"] for row in TABLE])
def test_a_notebook_tells_the_way_the_aim_the_needs_and_the_minutes(at: int) -> None:
    row, cells = TABLE[at], [c for c in read(SOURCES[at]).cells if c.cell_type == "markdown"]
    top, end = cells[0].source, cells[-1].source
    for neighbour, mark in ((at - 1, "← "), (at + 1, " →")):
        if 0 <= neighbour < len(TABLE):
            other = TABLE[neighbour]
            link = f"[{other['name'][:2]} · {other['title']}]({other['name']}.ipynb)"
            assert (mark + link if mark == "← " else link + mark) in top
            assert mark == "← " or f"**Next:** {link}" in end
    for said in (
        f"**You will be able to** {row['able']}",
        f"**Takes** {row['read']} minutes",
        "on two CPU cores",
        "#Glossary",
        "#Notation",
    ):
        assert said in top
    assert all(number in {r["name"][:2] for r in TABLE[: at + 2]} for number in row["needs"])
    source = SOURCES[at].read_text(encoding="utf-8")
    assert "You will be able to" not in source, "that is the table's"
    assert "**Next:**" not in source
    assert top.splitlines()[-1].startswith("**No module named `lautum_pages`?** It comes with ")
    assert "Lautum Lab" in top.splitlines()[-1]
    minutes = sum(int(m) for m in re.findall(r"### Exercise .+, (\d+) minutes\)", source))
    assert (f", {minutes} for the exercises" in top) == bool(minutes)


def test_terms_and_symbols_are_linked_where_they_are_first_used_and_nowhere_else() -> None:
    linked = 0
    for source in SOURCES[1:]:
        text = "\n\n".join(c.source for c in read(source).cells if c.cell_type == "markdown")
        found = re.findall(
            r'\[([^\]]+)\]\(00_start_here\.ipynb#(?:Glossary|Notation) "([^"]+)"\)', text
        )
        assert found or source.stem.startswith("12")
        assert len(
            {term if "$" in term else term.lower().removesuffix("s") for term, _ in found}
        ) == len(found)
        linked += len(found)
        before = re.split(r"\[Lautum information\]\(00", text)
        assert len(before) <= 2
        if len(before) == 2:
            assert "Lautum information" not in glossary.UNTOUCHED.sub("", before[0])
    assert linked > 40
    explained = glossary.terms()
    assert {"hole", "lautum information", "$\\lambda$", "$\\varepsilon$"} <= explained.keys()
    assert explained["source"].tooltip != explained["target"].tooltip


def tooltips(cells: list[nbformat.NotebookNode]) -> list[tuple[str, str]]:
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r'\[([^\]]+)\]\([^()\s]+ "([^"]*)"\)', text)


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=identity)
def test_a_tooltip_is_plain_text_and_no_single_letter_has_one(path: Path) -> None:
    notebook = read(path) if path.suffix == ".py" else nbformat.read(path, as_version=4)
    for linked, tooltip in tooltips(notebook.cells):
        assert not re.search(r"[\\^_$|*`{}<>()]", tooltip), "shown as it stands, not as a formula"
        assert re.fullmatch(r"[A-Za-z].* .*\w\.?", tooltip), tooltip
        assert not re.fullmatch(r"\$(\w|\\[A-Za-z]+)\$", linked), (
            "a letter can mean something else here"
        )


def test_a_tooltip_that_is_no_plain_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"term": [{"names": ["Rho"], "says": r"The \rho of $x_i$."}], "symbol": []}
    monkeypatch.setattr(glossary, "_table", lambda: table)
    with pytest.raises(ValueError, match=r"^rho needs a tooltip in plain words, got "):
        glossary.terms()


def test_glossary_and_notation_stand_in_00() -> None:
    text = "\n\n".join(c.source for c in read(SOURCES[0]).cells if c.cell_type == "markdown")
    assert "<!-- glossary" not in text
    assert "<!-- notation" not in text
    for term, said in glossary.terms().items():
        if said.section == "Glossary":
            assert re.search(
                rf"(?im)^- \*\*(.+, )?{term}(, .+)?:\*\* {re.escape(said.tooltip)}$", text
            )
        else:
            assert f"{term} | " in text or f"{term}, " in text


def test_measured_seconds_are_rounded_up_and_kept_while_they_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "contents.toml"
    copy.write_text(contents.CONTENTS.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(contents, "CONTENTS", copy)
    for seconds, wanted in ((31.0, 45), (44.9, 45), (29.0, 45), (14.0, 15), (61.0, 75)):
        contents.measured("04_the_regularizer", seconds)
        rows = {row["name"]: row["runs"] for row in contents.contents()["notebook"]}
        assert rows.pop("04_the_regularizer") == wanted
        assert rows == {
            row["name"]: row["runs"] for row in TABLE if row["name"] != "04_the_regularizer"
        }


def test_once_there_is_a_repository_each_notebook_opens_in_colab_and_on_binder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "contents.toml"
    copy.write_text(
        contents.CONTENTS.read_text(encoding="utf-8").replace(
            'repository = ""', 'repository = "someone/lautum"'
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(contents, "CONTENTS", copy)
    built = read(SOURCES[1])
    assert (
        f"(https://colab.research.google.com/github/someone/lautum/blob/main/notebooks/{SOURCES[1].stem}.ipynb)"
        in built.cells[0].source
    )
    assert (
        "(https://mybinder.org/v2/gh/someone/lautum/main?urlpath=lab%2Ftree%2Fnotebooks%2F"
        in built.cells[0].source
    )
    (wanted,) = re.findall(r'`%pip install "([^"]+)"` brings it', built.cells[0].source)
    assert Requirement(wanted).url == "git+https://github.com/someone/lautum"
    lines = built.cells[1].source.splitlines()
    assert lines[2] == 'if "google.colab" in sys.modules:  # elsewhere everything is there'
    shell = [line.strip().removeprefix("!") for line in lines[3:] if "!" in line]
    assert shell[0] == "git clone -q --depth 1 https://github.com/someone/lautum /content/lautum"
    assert "^(torch|torchvision|numpy)==" in shell[1]
    assert shell[3].startswith("pip install -q -c /content/kept.txt . ")
