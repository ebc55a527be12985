"""What every notebook gets beside its own text, from contents.toml, the one table of the notebooks.

Previous and next, objectives, prerequisites and minutes at the top; the way on at the end; the map
of 00 and the README; at the first use of a term of the glossary, or of a symbol of the notation, a
link to it.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).parent
CONTENTS = HERE / "contents.toml"
START = "00_start_here.ipynb"
MAP = "<!-- map -->"
MEASURED = 15  # seconds: run times are told in multiples of it
# Where no link is put: code, formulas, other links, headings, markup.
SAW = re.compile(r"^## What we saw.*$", re.MULTILINE)
MOVES = (
    "*Accuracies, and what is made of them, come from trainings: on another kind of processor each moves, by up to a point or "
    "two, as with another seed. What is said here holds within the intervals; the digits may move.*"
)
_UNTOUCHED = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|^#.*?$|<[^>]*>",
    re.DOTALL | re.MULTILINE,
)
_EXERCISE = re.compile(r"^#* ?### Exercise .+, (\d+) minutes\)$", re.MULTILINE)


def contents() -> dict[str, Any]:
    """The table: "repository", and "notebook", a list in the order in which they are read."""
    return tomllib.loads(CONTENTS.read_text(encoding="utf-8"))


def adorn(notebook: nbformat.NotebookNode, name: str) -> None:
    """Add to a notebook, as its source has it, all of the above. A name that is not in the table
    raises ValueError."""
    table = contents()
    names = [row["name"] for row in table["notebook"]]
    if name not in names:
        raise ValueError(f"{CONTENTS.name} needs an entry for each notebook, got none for {name}.")
    row, at = table["notebook"][names.index(name)], names.index(name)
    before, after = table["notebook"][:at][-1:], table["notebook"][at + 1 :][:1]
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    if name != START.removesuffix(".ipynb"):
        _link_first_uses(texts, name)
    else:
        for cell in texts:
            cell.source = cell.source.replace(
                MAP, _map(table["notebook"], "{}.ipynb", minutes=True)
            )
    if row.get("trains"):
        for cell in texts:
            cell.source = SAW.sub(lambda heading: f"{heading.group()}\n\n{MOVES}", cell.source)
    minutes = sum(int(m) for cell in texts for m in _EXERCISE.findall(cell.source))
    title, _, rest = texts[0].source.partition("\n")
    links = (
        [f"← {_link(b)}" for b in before]
        + [f"[map]({START}#The-map)" for _ in before]
        + [f"{_link(a)} →" for a in after]
    )
    opened = [_badges(table["repository"], name)] if table["repository"] else []
    top = [
        title,
        *opened,
        " · ".join(links),
        rest.strip(),
        _objectives(row, table["notebook"], minutes),
    ]
    texts[0].source = "\n\n".join(text for text in top if text)
    on = f"**Next:** {_link(after[0])} · " if after else ""
    if table["repository"]:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(colab_cell(table["repository"])))
    texts[-1].source += (
        f"\n\n{on}**Back to** [the map]({START}#The-map)"
        if before
        else f"\n\n{on.removesuffix(' · ')}"
    )


def readme_with_map() -> str:
    """The README with the map of today between its marks."""
    rows = _map(contents()["notebook"], "notebooks/{}.ipynb", minutes=False)
    return re.sub(
        rf"(?s)(?<={MAP}\n).*?(?=<!-- /map -->)",
        lambda _: f"{rows}\n",
        (HERE.parent / "README.md").read_text(encoding="utf-8"),
    )


def measured(name: str, seconds: float) -> None:
    """Write into the table how long a notebook ran, rounded up, unless what stands there is about
    right."""
    wanted = max(MEASURED, MEASURED * -(-int(seconds) // MEASURED))
    text = CONTENTS.read_text(encoding="utf-8")
    row = next(row for row in contents()["notebook"] if row["name"] == name)
    if row["runs"] - 2 * MEASURED < seconds <= row["runs"]:
        return
    head, entry = text.split(f'name = "{name}"\n')
    temporary = CONTENTS.with_name(CONTENTS.name + ".tmp")
    temporary.write_text(
        head
        + f'name = "{name}"\n'
        + re.sub(r"(?m)^runs = \d+$", f"runs = {wanted}", entry, count=1),
        encoding="utf-8",
    )
    temporary.replace(CONTENTS)


def _link(row: dict[str, Any]) -> str:
    return f"[{row['name'][:2]} · {row['title']}]({row['name']}.ipynb)"


def _map(rows: list[dict[str, Any]], path: str, minutes: bool) -> str:
    lines = [
        "| No. | notebook | holds |" + " minutes |" * minutes,
        "|---|---|---|" + "--:|" * minutes,
    ]
    for row in rows:
        cells = [
            row["name"][:2],
            f"[{row['title']}]({path.format(row['name'])})",
            row["holds"],
            *[str(row["read"])] * minutes,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _objectives(row: dict[str, Any], rows: list[dict[str, Any]], exercises: int) -> str:
    needs = [
        _link(other)
        for number in row["needs"]
        for other in rows
        if other["name"].startswith(number)
    ]
    needs += [row["besides"]] * bool(row["besides"])
    tasks = f", {exercises} for the exercises" if exercises else ""
    runs = (
        f"{row['runs']} seconds"
        if row["runs"] < 60
        else f"{row['runs'] / 60:g} minute{'s' * (row['runs'] > 60)}"
    )
    return (
        f"**You will be able to** {row['able']}.\n\n"
        f"**You need** {'; '.join(needs)}. **Takes** {row['read']} minutes to read{tasks}; "
        f"runs within {runs} on two CPU cores. Words and symbols: [notation]({START}#Notation), [glossary]({START}#Glossary)."
    )


def _badges(repository: str, name: str) -> str:
    """Links that open the notebook elsewhere (no pictures: opening a page asks no other machine for
    anything)."""
    colab = (
        f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}.ipynb"
    )
    binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab%2Ftree%2Fnotebooks%2F{name}.ipynb"
    return f"[Open in Colab]({colab}) · [Open on Binder]({binder})"


def colab_cell(repository: str) -> str:
    """The code that makes a notebook run on Colab: the project beside it, without another torch
    than Colab's."""
    return (
        'import sys\n\nif "google.colab" in sys.modules:  # elsewhere everything is there\n'
        f"    !git clone -q --depth 1 https://github.com/{repository} /content/lautum\n"
        "    !pip freeze | grep -E '^(torch|torchvision|numpy)==' > /content/kept.txt\n"
        "    !pip install -q -c /content/kept.txt /content/lautum dask distributed bokeh scikit-posthocs\n"
        "    %cd /content/lautum/notebooks"
    )


def terms() -> dict[str, tuple[str, str, str]]:
    """What 00 explains: each term or symbol, its section there, the explanation, and the notebook
    that introduces it."""
    text = re.sub(
        r"^# ?",
        "",
        (HERE / "source" / START.replace(".ipynb", ".py")).read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    found = {}
    for names, meaning in re.findall(
        r"^- \*\*(.+?):\*\* (.+)$", text.split("## Glossary")[1], re.MULTILINE
    ):
        for name in names.split(", "):
            found[name.lower()] = ("Glossary", meaning, "00")
    table = re.findall(
        r"^\| (\$.+?\$) \| (.+?) \| `.+ \| (\d\d) \|$", text.split("## Notation")[1], re.MULTILINE
    )
    for symbols, meaning, introduced in table:
        for symbol in re.findall(r"\$[^$]+\$", symbols):
            found[symbol] = ("Notation", meaning, introduced)
    return found


def _link_first_uses(cells: list[nbformat.NotebookNode], name: str) -> None:
    open_terms = terms()
    for cell in cells:
        for term, (section, meaning, introduced) in list(open_terms.items()):
            elsewhere = (
                re.fullmatch(r"\$\w\$", term) and introduced != name[:2]
            )  # a letter can mean something else there
            if elsewhere or introduced > name[:2]:
                continue
            pattern = (
                re.escape(term)
                if section == "Notation"
                else rf"(?i:(?<![\w-]){re.escape(term)}(?:s|es)?(?![\w-]))"
            )
            for match in re.finditer(pattern, cell.source):
                inside = [
                    m
                    for m in _UNTOUCHED.finditer(cell.source)
                    if m.start() < match.end() and match.start() < m.end()
                ]
                if inside and [m.span() for m in inside] != [match.span()]:
                    continue
                note = re.sub(r"[\"$\\{}*`|()]", "", meaning)
                link = f'[{match.group()}]({START}#{section} "{note}")'
                cell.source = cell.source[: match.start()] + link + cell.source[match.end() :]
                del open_terms[term]
                break
