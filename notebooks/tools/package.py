"""What students install: the project without its answers.

Left out are the sources and solutions of the notebooks, the tests, the teacher's page, and the
exercises' references: a file of values stands in place of these (`lautum_pages.stored`), with which
`check` says the same, on the inputs of its own seed. The library stays, and with it the formulas
that it is about.
"""

import gzip
import io
import secrets
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import torch
from lautum_pages import EXERCISES
from lautum_pages.checks import Exercise, Known, hint, observed
from lautum_pages.observing import fingerprint
from lautum_pages.stored import FILE, stacked
from torch import Tensor

from lautum_utils.files import write_whole
from notebooks.tools.course_cells import linked
from notebooks.tools.places import NOTEBOOKS, ROOT

ANSWERS = ("exercises_*.py", "shared.py", "hints.py", "course*.py", "collect*.py", "package.py")
WHOLE = ("pyproject.toml", "constraints.txt", "LICENSE")
README = """\
# Lautum Lab, for students

The library, the checks of the exercises and what the notebooks show. With Python 3.11 or newer, in
this folder:

    python3 -m venv .venv
    .venv/bin/pip install -c constraints.txt -e '.[lab]'
    .venv/bin/jupyter lab

On Windows: `py -m venv .venv`, and `.venv\\Scripts\\` in place of `.venv/bin/`. Put the notebooks
that you get anywhere, and open them in this JupyterLab.
"""


def write_package(folder: Path, handed_out: Sequence[str]) -> None:
    """The project without its answers, in a new folder.

    handed_out : names of the notebooks that students get as assignments, and not in here.
    """
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", *ANSWERS)
    shutil.copytree(ROOT / "lautum_utils", folder / "lautum_utils", ignore=leave)
    for name in ("lautum_pages", "tools", "records"):
        shutil.copytree(NOTEBOOKS / name, folder / "notebooks" / name, ignore=leave)
    kept = {path.stem: path for path in NOTEBOOKS.glob("*.ipynb") if path.stem not in handed_out}
    for path in kept.values():
        notebook = linked(nbformat.read(path, as_version=4), list(kept), place="{0}")
        nbformat.write(notebook, folder / "notebooks" / path.name)
    for name in WHOLE:
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").write_text(README, encoding="utf-8")
    write_values(folder / "notebooks" / "lautum_pages" / FILE, [0])


def write_values(path: Path, seeds: Sequence[int]) -> None:
    """What all exercises want on the inputs of each seed, and what each mistake computes there."""
    held, file = (
        {name: _held(exercise, seeds) for name, exercise in EXERCISES.items()},
        io.BytesIO(),
    )
    torch.save(held, file)
    write_whole(path, gzip.compress(file.getvalue(), mtime=0))


def _held(exercise: Exercise, seeds: Sequence[int]) -> dict[str, Any]:
    """An exercise as plain numbers, texts and names of functions."""
    own = exercise.observe is not Exercise.observe
    seen, know = exercise.observe, partial(_values, own=own)
    if exercise.offered:
        own, salt = True, secrets.token_hex(8)
        seen, know = partial(fingerprint, salt), partial(_fingerprints, salt)
    return {
        "observe": _named(seen) if own else None,
        "read": _named(exercise.read) if exercise.read else None,
        "refuse": None if exercise.refuse is Exercise.refuse else _named(exercise.refuse),
        "otherwise": exercise.otherwise,
        "seeds": {seed: know(exercise, exercise.known(seed)) for seed in seeds},
    }


def _values(exercise: Exercise, known: Known, own: bool) -> dict[str, Any]:
    """own: a value is not what is compared, and only its shape is needed."""
    values = [a.value if a.value.ndim == 0 or not own else 0 * a.value for a in known.wanted]
    return _plain(known.cases, values, observed(known.wanted), list(known.mistakes))


def _fingerprints(salt: str, exercise: Exercise, known: Known) -> dict[str, Any]:
    """Of a choice: for each answer that can be given, the hint that it gets."""
    case, mistakes, told = known.cases[:1], list(known.mistakes), []
    for answer in exercise.offered:
        given = exercise.answers(partial(str, answer), case, known.wanted[:1])
        if said := hint(given, [(text, computed[:1]) for text, computed in mistakes]):
            told.append((said, [fingerprint(salt, given[0].value)] * len(known.cases)))
    right = known.wanted[0].value
    count = len(known.cases)
    told.sort(key=lambda one: one[1][0].tolist())  # in no order that says anything
    return _plain(known.cases, [0 * right] * count, [fingerprint(salt, right)] * count, told)


def _plain(
    cases: Sequence[tuple[Any, ...]],
    values: Sequence[Tensor],
    wanted: Sequence[Tensor],
    mistakes: Sequence[tuple[str, Sequence[Tensor]]],
) -> dict[str, Any]:
    return {
        "inputs": [stacked(column) for column in zip(*cases, strict=True)],
        "values": stacked(values),
        "wanted": stacked(wanted),
        "mistakes": [(said, stacked(computed)) for said, computed in mistakes],
    }


def _named(function: Callable[..., Any]) -> list[Any]:
    """A function of a module by its name, with the arguments that are given."""
    arguments: tuple[Any, ...] = ()
    if isinstance(function, partial):
        function, arguments = function.func, function.args
    return [f"{function.__module__}:{function.__qualname__}", *arguments]
