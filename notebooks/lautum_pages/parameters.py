"""The parameters of a notebook, whoever gave them: a reader, papermill, a file of YAML.

`read_parameters("05", globals())`, in the cell below the parameters, puts each into the type that
the notebook works with, or says in one sentence which of them cannot work, before anything trains.
Natural spellings are understood: "1e-3" (which YAML reads as a text), 1e3 for a whole number,
"[0, 0.001]" as a text, one value in place of a list of one, numbers of NumPy and torch.
"""

import ast
import difflib
import math
import os
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from lautum_utils.numbers import number, plain, plain_values, whole_number

Reader = Callable[[Any, str], Any]  # (what was given, the name of the parameter) -> what is meant

INJECTED = "# Parameters"  # how the cell begins that papermill puts below the parameters
OWN = "PAPERMILL_"  # how the names begin that papermill adds by itself, if asked


def read_parameters(notebook: str, names: MutableMapping[str, Any]) -> None:
    """Read the parameters of a notebook ("05") where its cells keep them: `globals()`.

    ValueError: a parameter that the notebook does not have, one that is missing, a value that
    cannot work.
    """
    from lautum_pages.parameters_known import READERS, TOGETHER

    readers = READERS[notebook]
    _require_names(names, list(readers))
    meant = {name: read(names[name], name) for name, read in readers.items()}
    if notebook in TOGETHER:
        TOGETHER[notebook](meant)
    names.update(meant)


def _require_names(names: Mapping[str, Any], known: Sequence[str]) -> None:
    """The last cell of parameters that has run is to set all of them, the last one of papermill's
    no other. (Whatever else a session holds is nobody's parameter.)"""
    ran = names.get("In", ())
    injected = [_assigned(cell) for cell in ran if cell.startswith(INJECTED)]
    for name in (injected or [[]])[-1]:
        if name not in known and not name.startswith(OWN):
            near = difflib.get_close_matches(name, known, 1)
            meant = f" (is {near[0]} meant?)" if near else ""
            raise ValueError(
                f"parameters need to be among {', '.join(known)}, got {name!r}{meant}."
            )
    by_hand = [s for s in map(_assigned, ran) if 2 * len({*known} & {*s}) >= len(known)]
    there = by_hand[-1] if by_hand and not injected else list(names)
    for name in known:
        if name not in there:
            raise ValueError(f"{name} needs a value in the cell of parameters, got none.")


def _assigned(cell: str) -> list[str]:
    """The names that a cell of assignments sets; none of another cell."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return []
    if not all(isinstance(line, ast.Assign | ast.AnnAssign) for line in body):
        return []
    names = (node for line in body for node in ast.walk(line) if isinstance(node, ast.Name))
    return [node.id for node in names if isinstance(node.ctx, ast.Store)]


# ------------------------------------------------------------------------------------ one parameter


def whole(given: Any, name: str, least: int = 1, most: float = math.inf, of: int = 1) -> int:
    """A whole number in a range, a multiple of `of`."""
    value = _number(given)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    value = whole_number(value, name, least, most)
    if value % of:
        raise ValueError(f"{name} needs to be a multiple of {of}, got {value}.")
    return value


def finite(given: Any, name: str, most: float = math.inf, inside: bool = False) -> float:
    """A number from 0 to `most`; inside: neither of both."""
    value = number(_number(given), name, most)
    if inside and not 0 < value < most:
        between = "" if most == math.inf else f" and below {most:g}"
        raise ValueError(f"{name} needs to be above 0{between}, got {value:g}.")
    return value


def one_of(given: Any, name: str, allowed: Sequence[Any]) -> Any:
    """One of some texts or numbers."""
    value = plain(given)
    if not any(isinstance(choice, str) for choice in allowed):
        value = _number(value)
    if isinstance(value, bool) or value not in allowed:
        can_be = ", ".join(map(str, allowed))
        raise ValueError(f"{name} needs to be one of {can_be}, got {given!r}.")
    return next(choice for choice in allowed if choice == value)


def device(given: Any, name: str) -> str:
    """A device that is there, or "auto"."""
    from lautum_utils.training.devices import resolve_device

    resolve_device(str(given))
    return str(given)


def domain(given: Any, name: str) -> str:
    """What `lautum_utils.load` knows by name, and a folder that is there."""
    from lautum_utils.data.domains import require_images

    value = str(given)
    require_images(value, name)
    return value


def file(given: Any, name: str) -> str:
    """Where to write a file, in a folder that is made if it is not there, so that nothing is lost
    at the end; "" is nowhere."""
    path = _path(given, name)
    if not path:
        return ""
    if Path(path).is_dir():
        raise ValueError(f"{name} needs the name of a file, got the folder {path!r}.")
    folder = Path(path).parent
    wanted = f"{name} needs to lie in a folder that can be written to, got {path!r}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{wanted} ({error.strerror}).") from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{wanted}.")
    return path


def folder(given: Any, name: str) -> str:
    """A folder, which need not be there yet; "" is none."""
    path = _path(given, name)
    if path and Path(path).exists() and not Path(path).is_dir():
        raise ValueError(f"{name} needs to be a folder, got the file {path!r}.")
    return path


def listed(
    given: Any, name: str, each: Reader, least: int = 1, most: float = math.inf, holds: Any = None
) -> list[Any]:
    """A list of values that `each` reads, one of which is `holds`; one value is a list of one."""
    values = [each(value, f"each of {name}") for value in _values(given)]
    if not least <= len(values) <= most:
        count = f"{least}" if least == most else f"{least} or more"
        raise ValueError(f"{name} needs a list of {count}, got {given!r}.")
    if holds is not None and holds not in values:
        raise ValueError(f"{name} needs to hold {holds:g}, got {given!r}.")
    return values


def _number(given: Any) -> Any:
    """A number as such, also one that came as a text; else what was given."""
    if not isinstance(given, str):
        return plain(given)
    try:
        value = ast.literal_eval(given.strip())
    except (ValueError, SyntaxError):
        return given
    return value if isinstance(value, int | float) else given


def _values(given: Any) -> tuple[Any, ...]:
    """The values of a list, also one that came as a text: "[0, 1e-3]", "rotation, blur"."""
    if not isinstance(given, str):
        return tuple(given) if isinstance(given, Mapping) else plain_values(given)
    text = given.strip()
    bare = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    return tuple(part.strip().strip("'\"") for part in bare.split(",") if part.strip())


def _path(given: Any, name: str) -> str:
    given = "" if given is None else plain(given)
    if not isinstance(given, str | os.PathLike):
        raise ValueError(f'{name} needs to be a path, or "" for none, got {given!r}.')
    return os.path.expanduser(given) if str(given) else ""
