"""The one table of the notebooks, contents.toml: their order, titles, objectives and minutes."""

import re
import tomllib
from typing import Any

from filelock import FileLock

from lautum_utils.files import write_whole
from notebooks.tools.places import ROOT, TOOLS

CONTENTS = TOOLS / "contents.toml"
LOCK = ROOT / "build" / ".contents.lock"
START = "00_start_here.ipynb"
MEASURED = 15  # seconds: run times are told in multiples of it
Row = dict[str, Any]


def contents() -> dict[str, Any]:
    """The table: "repository", and "notebook", a list in the order in which they are read."""
    return tomllib.loads(CONTENTS.read_text(encoding="utf-8"))


def link(row: Row) -> str:
    """A link to a notebook from another one, with its number and title."""
    return f"[{row['name'][:2]} · {row['title']}]({row['name']}.ipynb)"


def measured(name: str, seconds: float) -> None:
    """Write into the table how long a notebook ran, rounded up, unless what stands there is about
    right."""
    LOCK.parent.mkdir(exist_ok=True)
    with FileLock(LOCK):  # another build may have measured another notebook meanwhile
        _write_measured(name, seconds)


def _write_measured(name: str, seconds: float) -> None:
    wanted = max(MEASURED, MEASURED * -(-int(seconds) // MEASURED))
    row = next(row for row in contents()["notebook"] if row["name"] == name)
    if row["runs"] - 2 * MEASURED < seconds <= row["runs"]:
        return
    before, entry = CONTENTS.read_text(encoding="utf-8").split(f'name = "{name}"\n')
    entry = re.sub(r"(?m)^runs = \d+$", f"runs = {wanted}", entry, count=1)
    write_whole(CONTENTS, f'{before}name = "{name}"\n{entry}'.encode())
