"""What every notebook gets beside its own text, from contents.toml.

Previous and next, objectives, prerequisites, minutes and how to get the package at the top; the way
on at the end; the map of 00 and the README; links to the glossary and the notation.
"""

import re

import nbformat

from notebooks.tools import contents as table
from notebooks.tools.contents import START, Row, link
from notebooks.tools.glossary import link_first_uses, with_sections
from notebooks.tools.places import README, SOURCES

MAP = "<!-- map -->"
SOLVED = "<!-- solutions -->"  # becomes links to the notebooks with solutions
SAW = re.compile(r"^## What we saw.*$", re.MULTILINE)
MOVES = (
    "*Accuracies, and what is made of them, come from trainings: on another kind of processor each "
    "moves, by up to a point or two, as with another seed. What is said here holds within the "
    "intervals; the digits may move.*"
)
EXERCISE = re.compile(r"^(?:# )?### Exercise .+, (\d+) minutes\)$", re.MULTILINE)
COLAB = "https://colab.research.google.com/github/{}/blob/main/notebooks/{}.ipynb"
BINDER = "https://mybinder.org/v2/gh/{}/main?urlpath=lab%2Ftree%2Fnotebooks%2F{}.ipynb"
# For a notebook that has left its project: how to get what it imports.
ALONE = "**No module named `lautum_pages`?** {}"
BRINGS = '`%pip install "lautum-utils[lab] @ git+https://github.com/{}"` brings it.'
COMES = (
    "It comes with the project Lautum Lab, where this notebook is from: "
    '`pip install -c constraints.txt ".[lab]"` in its folder.'
)
IS_ALONE = re.compile(r"^\*\*No module named `lautum_pages`\?\*\* .*$", re.MULTILINE)
# The project beside the notebook, without another torch than Colab's.
# What Colab has stays as long as it fits; what is missing comes in the versions that were tested.
ON_COLAB = """\
import sys

if "google.colab" in sys.modules:  # elsewhere everything is there
    !git clone -q --depth 1 https://github.com/{} /content/lautum
    !pip freeze | grep -E '^(torch|torchvision|numpy)==' > /content/kept.txt
    %cd -q /content/lautum
    !pip freeze | sed 's/[ =].*//' | grep -viwFf - constraints.txt >> /content/kept.txt
    !pip install -q -c /content/kept.txt . papermill dask distributed bokeh
    %cd notebooks"""


def adorn(notebook: nbformat.NotebookNode, name: str) -> None:
    """Add to a notebook, as its source has it, all of the above. A name that is not in the table
    raises ValueError."""
    contents = table.contents()
    rows, repository = contents["notebook"], contents["repository"]
    names = [row["name"] for row in rows]
    if name not in names:
        raise ValueError(
            f"{table.CONTENTS.name} needs an entry for each notebook, got none for {name}."
        )
    at = names.index(name)
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    if at > 0:
        link_first_uses(texts, name)
    for cell in texts:
        if at == 0:
            cell.source = cell.source.replace(MAP, _map(rows, "{}.ipynb", minutes=True))
            cell.source = with_sections(cell.source.replace(SOLVED, _solutions(rows)))
        if rows[at].get("trains"):
            cell.source = SAW.sub(lambda heading: f"{heading.group()}\n\n{MOVES}", cell.source)
    exercises = sum(int(m) for cell in texts for m in EXERCISE.findall(cell.source))
    title, _, rest = texts[0].source.partition("\n")
    opened = _badges(repository, name) if repository else ""
    alone = ALONE.format(BRINGS.format(repository) if repository else COMES)
    top = [title, opened, _neighbours(rows, at), rest.strip()]
    top += [_objectives(rows, at, exercises), alone]
    texts[0].source = "\n\n".join(text for text in top if text)
    texts[-1].source += f"\n\n{_way_on(rows, at)}"
    if repository:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(ON_COLAB.format(repository)))


def readme_with_map() -> str:
    """The README with the map of today between its marks."""
    rows = _map(table.contents()["notebook"], "notebooks/{}.ipynb", minutes=False)
    between = rf"(?s)(?<={MAP}\n).*?(?=<!-- /map -->)"
    return re.sub(between, lambda _: f"{rows}\n", README.read_text(encoding="utf-8"))


def _map(rows: list[Row], path: str, minutes: bool) -> str:
    lines = [
        "| No. | notebook | holds |" + " minutes | exercises | 90-minute path |" * minutes,
        "|---|---|---|" + "--:|--:|---|" * minutes,
    ]
    for row in rows:
        page = f"[{row['title']}]({path.format(row['name'])})"
        cells = [row["name"][:2], page, row["holds"]]
        asked = len(_exercises(row)) if minutes else 0
        cells += [
            str(row["read"]),
            f"{asked}, {sum(_exercises(row))} min" if asked else "",
            f"**{row['path']}**" if "path" in row else "",
        ] * minutes
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _exercises(row: Row) -> list[int]:
    """The minutes of each exercise of a notebook."""
    text = (SOURCES / f"{row['name']}.py").read_text(encoding="utf-8")
    return [int(minutes) for minutes in EXERCISE.findall(text)]


def _solutions(rows: list[Row]) -> str:
    names = [row["name"] for row in rows if _exercises(row)]
    return ", ".join(f"[{name[:2]}](solutions/{name}.ipynb)" for name in names)


def _neighbours(rows: list[Row], at: int) -> str:
    """Links to the notebook before, the map and the notebook after."""
    before = [f"← {link(rows[at - 1])}", f"[map]({START}#The-map)"] if at > 0 else []
    after = [f"{link(row)} →" for row in rows[at + 1 : at + 2]]
    return " · ".join(before + after)


def _way_on(rows: list[Row], at: int) -> str:
    after = [f"**Next:** {link(row)}" for row in rows[at + 1 : at + 2]]
    back = [f"**Back to** [the map]({START}#The-map)"] if at > 0 else []
    return " · ".join(after + back)


def _objectives(rows: list[Row], at: int, exercises: int) -> str:
    """What one will be able to do, what one needs, and the minutes that it takes."""
    row = rows[at]
    needs = [link(r) for number in row["needs"] for r in rows if r["name"].startswith(number)]
    needs += [row["besides"]] * bool(row["besides"])
    and_exercises = f", {exercises} for the exercises" if exercises else ""
    runs = f"{row['runs']} seconds"
    if row["runs"] >= 60:
        runs = f"{row['runs'] / 60:g} minute{'s' * (row['runs'] > 60)}"
    return (
        f"**You will be able to** {row['able']}.\n\n"
        f"**You need** {'; '.join(needs)}. **Takes** {row['read']} minutes to read{and_exercises}; "
        f"runs within {runs} on two CPU cores. Words and symbols: [notation]({START}#Notation), "
        f"[glossary]({START}#Glossary)."
    )


def _badges(repository: str, name: str) -> str:
    """Links that open the notebook elsewhere (no pictures: opening a page asks no other machine for
    anything)."""
    colab, binder = (address.format(repository, name) for address in (COLAB, BINDER))
    return f"[Open in Colab]({colab}) · [Open on Binder]({binder})"
