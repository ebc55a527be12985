"""The positions of a widget that are drawn for the site, and their pictures."""

import hashlib
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from lautum_utils.widgets.explorer import Explorer
from lautum_utils.widgets.playground_view import CURVE, View
from notebooks.tools.site_moves import Moves

MOST = {None: 60, 2: 120, 1: 60}  # positions of an Explorer, by how many controls leave the start
MOST_RECORDED = {None: 300}  # of a Playground
FINE = (11, 9, 7, 6, 5)  # values of a slider
COLOURS = 64
RECORDED = {"shift": "shift", "severity": "severity", "strength": "regularization weight"}
Position = tuple[int, ...]


class Control(NamedTuple):
    """The name of a control, its values, and the number of that at which it starts."""

    name: str
    values: Sequence[Any]
    start: int


def is_widget(value: object) -> bool:
    """Whether a value that a cell shows is a widget; None stands for one that stays still."""
    return value is None or hasattr(value, "box")


def drawn(widget: Any, folder: Path, ends: bool = False) -> Moves | None:
    """Draw the positions of a widget into a folder, or the ends alone; None: it stays still."""
    if isinstance(widget, Explorer):
        return _of_explorer(widget, folder, ends)
    return _of_playground(widget, folder, ends) if isinstance(widget, View) else None


def _of_explorer(explorer: Explorer, folder: Path, ends: bool) -> Moves:
    allowed = [(name, explorer.values[name], c.value) for name, c in explorer.controls.items()]
    controls, chosen = positions(allowed, MOST, ends)
    pictures = {}
    for at in chosen:
        values = {c.name: c.values[n] for c, n in zip(controls, at, strict=True)}
        png, words = explorer.at(**values)
        pictures[_key(at)] = _kept(png, folder), words or _listed(values)
    return _moves(controls, pictures, explorer.about, speaks=False)


def _of_playground(view: Any, folder: Path, ends: bool) -> Moves:
    """What a playground answers from its record."""
    view.auto.value = False
    own = {name: getattr(view, name) for name in RECORDED}
    allowed = [
        (name, [value for _, value in control.options], control.value)
        for name, control in own.items()
    ]
    controls, chosen = positions(allowed, MOST_RECORDED, ends)
    pictures = {}
    for at in chosen:
        for control, n in zip(controls, at, strict=True):
            own[control.name].value = control.values[n]
        experiments = view.experiments()
        if len(view.known.find_all(experiments)) == len(experiments):
            words = html.unescape(re.sub("<[^>]*>", "", view.sentence.value))
            pictures[_key(at)] = _kept(bytes(view.curve.value), folder), words
    named = [control._replace(name=RECORDED[control.name]) for control in controls]
    return _moves(named, pictures, CURVE, speaks=True)


def positions(
    allowed: Sequence[tuple[str, Sequence[Any], Any]],
    most: Mapping[int | None, int],
    ends: bool = False,
) -> tuple[list[Control], list[Position]]:
    """Which values of controls (name, values, the one at which it starts) are drawn, and which
    positions: all, if with fewer values on the sliders these are at most so many; else those with
    at most two controls away from the start, or one; ends: of these the start, and each control
    at both of its ends. ValueError: even these are too many."""
    for together, limit in most.items():
        for fine in FINE:
            controls = [_thinned(*of_one, fine) for of_one in allowed]
            near = _near(controls, len(controls) if together is None else together)
            found = list(islice(near, limit + 1))
            if len(found) <= limit:
                return controls, sorted(at for at in found if not ends or _is_an_end(controls, at))
    names = ", ".join(name for name, _, _ in allowed)
    raise ValueError(f"controls need fewer values to be drawn, got {names}.")


def _thinned(name: str, values: Sequence[Any], start: Any, fine: int) -> Control:
    """A slider with fewer values, evenly spread, with both ends and the start among them; texts
    all stay."""
    last = len(values) - 1
    at = min(range(len(values)), key=lambda n: (values[n] != start, _distance(values[n], start)))
    if last < fine or isinstance(values[0], str):
        return Control(name, list(values), at)
    kept = {round(n * last / (fine - 1)) for n in range(fine)}
    if at not in kept:  # in the place of its neighbour
        kept -= {min(kept - {0, last}, key=lambda n: abs(n - at))}
    numbers = sorted(kept | {at})
    return Control(name, [values[n] for n in numbers], numbers.index(at))


def _distance(value: Any, start: Any) -> float:
    return 0.0 if isinstance(value, str) else abs(value - start)


def _near(controls: Sequence[Control], together: int) -> Iterator[Position]:
    """The positions with at most so many controls away from the start."""
    start = [control.start for control in controls]
    others = [[n for n in range(len(c.values)) if n != c.start] for c in controls]
    for away in range(together + 1):
        for turned in combinations(range(len(controls)), away):
            for numbers in product(*(others[n] for n in turned)):
                changed = dict(zip(turned, numbers, strict=True))
                yield tuple(changed.get(n, at) for n, at in enumerate(start))


def _is_an_end(controls: Sequence[Control], at: Position) -> bool:
    away = [(n, c) for n, c in zip(at, controls, strict=True) if n != c.start]
    return len(away) < 2 and all(n in (0, len(c.values) - 1) for n, c in away)


def _moves(
    controls: Sequence[Control], pictures: dict[str, tuple[str, str]], about: str, speaks: bool
) -> Moves:
    names = [control.name.replace("_", " ") for control in controls]
    values = [[_text(value) for value in control.values] for control in controls]
    return Moves(names, values, [c.start for c in controls], pictures, about, speaks)


def _key(at: Position) -> str:
    return "-".join(map(str, at))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.replace("_", " ") if isinstance(value, str) else f"{value:g}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_text(v)}" for name, v in values.items())


def _kept(png: bytes, folder: Path) -> str:
    """Keep a picture, in fewer colours, by the hash of what it shows: its name."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    name = f"{hashlib.sha256(image.tobytes()).hexdigest()[:16]}.webp"
    if not (folder / name).exists():
        image.quantize(COLOURS).convert("RGBA").save(
            folder / name, lossless=True, method=1, quality=0
        )
    return name
