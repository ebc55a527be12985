"""Which exercises were solved, kept in a file on this machine: nothing leaves it, and deleting the
file forgets.

The file is JSON: {"format": 1, "solved": {"entropy_bits": "2026-01-31T12:00:00", ...}}. The
environment variable LAUTUM_PROGRESS names another file; set to nothing, it switches this off.
"""

import json
import math
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import platformdirs
from matplotlib.figure import Figure

from lautum_utils.files import user_folder, write_whole
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

FORMAT = 1
WIDTH = 7.4  # inches: all of it is seen in a window of 800 dots


class Solved(NamedTuple):
    """Exercise -> when it was first solved; where that is kept (None: nowhere); a sentence on what
    went wrong, or ""."""

    when: dict[str, str]
    path: Path | None
    problem: str = ""


def progress_path() -> Path | None:
    """The file, which need not be there yet; None if LAUTUM_PROGRESS is set to nothing."""
    given = os.environ.get("LAUTUM_PROGRESS")
    if given is not None:
        return Path(given).expanduser() if given else None
    return user_folder(platformdirs.user_data_path, "lautum-lab") / "progress.json"


def read_progress() -> Solved:
    """What was solved. A file that cannot be read counts as empty and is put aside, for the next
    one not to overwrite it."""
    path = progress_path()
    if path is None or not path.exists():
        return Solved({}, path)
    try:
        return Solved(_solved_in(json.loads(path.read_text(encoding="utf-8"))), path)
    except OSError as error:
        problem = f"{path} cannot be read ({error.strerror}), so nothing counts as solved."
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        problem = (
            f"{path} held no progress ({error}); it is now {aside.name}, and a new one is begun."
        )
    return Solved({}, path, problem)


def _solved_in(held: Any) -> dict[str, str]:
    """What a file's content says. Whatever it raises means that this is no progress."""
    when: dict[str, str] = held["solved"]
    texts = all(isinstance(text, str) for text in [*when, *when.values()])
    if held["format"] != FORMAT or not texts:
        raise ValueError(f"its format is {held['format']!r}, not {FORMAT}")
    return when


def mark_solved(name: str) -> str:
    """Add an exercise to the file; "" or a sentence on why it could not be kept. An answer is right
    all the same."""
    path = progress_path()
    if path is None:
        return ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock", timeout=5):
            solved = read_progress()
            if name not in solved.when:
                when = solved.when | {name: datetime.now().isoformat(timespec="seconds")}
                text = json.dumps({"format": FORMAT, "solved": when}, indent=1) + "\n"
                write_whole(path, text.encode())
            return solved.problem
    except (OSError, filelock.Timeout) as error:
        return f"This could not be kept in {path} ({error})."


def exercises(folder: Path | None = None) -> dict[str, dict[str, str]]:
    """Notebook -> exercise -> its heading, such as "1.1 · Entropy in bits (easy, 5 minutes)", in
    the order of the pages."""
    beside = folder or Path(__file__).parent.parent
    pages = sorted(beside.glob("[0-9][0-9]_*.ipynb")) or sorted(Path().glob("[0-9][0-9]_*.ipynb"))
    found: dict[str, dict[str, str]] = {}
    for page in pages:
        heading = ""
        for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if title := re.search(r"^### Exercise (.+)$", text, re.MULTILINE):
                heading = title[1]
            if asked := re.search(r'^check\("(\w+)"', text, re.MULTILINE):
                found.setdefault(page.stem, {})[asked[1]] = heading
    return found


def show_progress(folder: Path | None = None) -> Figure:
    """A picture of all exercises: a filled mark for each one that was solved on this machine."""
    solved, pages = read_progress(), exercises(folder)
    rows = [(name, heading) for page in pages.values() for name, heading in page.items()]
    done = [name in solved.when for name, _ in rows]
    height = max(1, math.ceil(len(rows) / 2))
    places = [(0.93 * (row // height), -(row % height)) for row in range(len(rows))]
    figure, (ax,) = new_figure(WIDTH, 0.25 * height + 0.8)
    for mark, colour in ((True, STYLES[2]["color"]), (False, "none")):
        at = [place for place, filled in zip(places, done, strict=True) if filled == mark]
        ax.scatter(
            [x for x, _ in at],
            [y for _, y in at],
            marker="s",
            s=50,
            facecolor=colour,
            edgecolor="0.5",
            label="solved" if mark else "open",
        )
    for (x, y), (_, heading), filled in zip(places, rows, done, strict=True):
        said = re.sub(r", \d+ minutes", "", heading) + "  ✓" * filled
        ax.text(x + 0.04, y, said, va="center", fontsize=7.5)
    ax.set(xlim=(-0.03, 2), ylim=(0.7 - height, 0.7))
    ax.axis("off")
    said = solved.problem or f"{sum(done)} of {len(rows)} exercises solved on this machine"
    figure.suptitle(said, fontsize=10)
    return figure
