"""Who handed a file in, and for which assignment, by the names that Moodle, Canvas and people give
to files and folders.

    Moodle    Jane Doe_12345_assignsubmission_file_/01_name.ipynb     with or without the folder;
              12345 is the participant's number in this one assignment
    Canvas    doejane_12345_67890_01_name-1.ipynb                     doejane_LATE_12345_... too;
              12345 is the student's number, 67890 grows with time
    a folder  ada/01_name.ipynb, ada/01_name/01_name.ipynb, 01_name_ada.ipynb, ada.zip, ada.ipynb
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from notebooks.tools.collect_files import NOTEBOOK

MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(file|onlinetext)_?(?P<rest>.*)", re.DOTALL
)
CANVAS = re.compile(
    r"(?P<name>[^\W_].*?)_(?P<late>LATE_)?(?P<id>\d+)_(?P<file>\d+)_(?P<rest>.+)", re.DOTALL
)
ANONYMOUS = re.compile(  # as Canvas names them where grading is blind
    r"(?P<late>LATE_)?(?P<name>anon_(?P<id>)[^\W_]+)_(?P<file>\d+)_(?P<rest>.+)", re.DOTALL
)
# What copying, downloading twice and handing in twice add to a name.
AGAIN = re.compile(r"(?i)\bcopy of\b|[-_ ]copy ?\d*\b|\(\d+\)|\bfinal\b|\bsubmission\b")
FILE = re.compile(r"\.zip$|" + NOTEBOOK.pattern, re.IGNORECASE)
NUMBER = re.compile(r"\((\d+)\)|[Cc]opy ?(\d+)|-(\d+)$")


class Sender(NamedTuple):
    """names: what may be the student's, the likeliest first. moodle, canvas: numbers that they give
    the student. order: larger if later, as far as a name tells."""

    names: tuple[str, ...]
    moodle: str = ""
    canvas: str = ""
    late: bool = False
    order: tuple[int, int] = (0, 0)


def sender(parts: Sequence[str], assignments: Sequence[str], wrapped: int = 0) -> Sender:
    """Of a file in these folders and zips, of which as many at the beginning hold everybody's.
    Without names if nothing tells whose it is."""
    for part in parts:
        if match := MOODLE.fullmatch(part):
            name, number = match["name"].split("__")[0].replace("_", " ").strip(), match["id"]
            names = (f"{name} {number}",) if name == "Participant" else (name,)
            return Sender(names, moodle=number, order=(0, _number(parts[-1])))
        match = ANONYMOUS.fullmatch(part) or CANVAS.fullmatch(part)
        if match and not _cut(match, assignments):
            order = (int(match["file"]), _number(parts[-1]))
            return Sender(
                (match["name"],), canvas=match["id"], late=bool(match["late"]), order=order
            )
    names = (_without(part, assignments) for part in (*parts[wrapped:], *parts[:wrapped]))
    return Sender(tuple(name for name in names if name), order=(0, _number(parts[-1])))


def without_wrapper(paths: Sequence[tuple[str, ...]], assignments: Sequence[str]) -> int:
    """How many folders at the beginning hold all the others, and so name no student."""
    depth = 0
    while paths and all(len(path) > depth + 1 for path in paths):
        next_names = {_without(path[depth + 1], assignments) for path in paths} - {""}
        here = {path[depth] for path in paths}
        alone = not _without(here.copy().pop(), assignments)
        if len(here) > 1 or (len(next_names) < 2 and not alone):
            break
        depth += 1
    return depth


def named_assignment(name: str, assignments: Sequence[str]) -> str:
    """The assignment whose name is in that of a file; "" if none."""
    plain = _plain(name)
    return next((a for a in assignments if _plain(a) in plain), "")


def key(name: str) -> str:
    """The same for Jane Doe, "Doe, Jane" and jane_doe: words without accents, sorted."""
    return " ".join(sorted(_words(name)))


def joined(*names: str) -> str:
    """As Canvas writes it: family name first, in one word."""
    return "".join(word for name in names for word in _words(name))


def slug(name: str) -> str:
    """A name that can be a folder's on every system, and nbgrader's for a student."""
    return "-".join(_words(name)) or "nameless"


def _words(name: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("'", ""))
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", plain)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold())


def _without(part: str, assignments: Sequence[str]) -> str:
    """What a name says beside the assignment and the traces of copying."""
    rest = FILE.sub("", part)
    for assignment in assignments:
        pattern = r"[\W_]+".join(re.escape(word) for word in assignment.split("_"))
        rest = re.sub(pattern, " ", rest, flags=re.IGNORECASE)
    if rest == part:
        return part
    return rest if re.search(r"[^\W\d_]|\d{4}", rest := AGAIN.sub("", rest).strip(" _-.")) else ""


def _number(name: str) -> int:
    found = NUMBER.search(FILE.sub("", name))
    return int(next(filter(None, found.groups()))) if found else 0


def _cut(match: re.Match[str], assignments: Sequence[str]) -> bool:
    """Whether the numbers are a part of an assignment's name: ada_2026_01_name.ipynb."""
    return bool(named_assignment(match.string, assignments)) and not named_assignment(
        match["rest"], assignments
    )
