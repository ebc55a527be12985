"""A store: a folder in which each result is a file, whole or not there at all.

store.json says {"format": 1}. Every result is one more file, NAME.json, NAME a hash of the
experiment: an object with what `Result.as_row` holds (null for NaN), "history", and "versions" of
what made it;
checkpoints/ holds long trainings on their way. To read one with pandas:

    files = Path(store).glob("[0-9a-f]*.json")
    pd.DataFrame(json.loads(path.read_bytes()) for path in files)
"""

import hashlib
import json
import math
import os
import platform
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lautum_utils.files import write_whole
from lautum_utils.numbers import plain
from lautum_utils.results.results import Results
from lautum_utils.training.experiments import SETTINGS, stored_experiment
from lautum_utils.training.outcomes import OUTCOMES, Result

FORMAT = 1


class StoreError(RuntimeError):
    """A result could not be stored: no space, no permission. What was stored before is kept."""


def open_store(store: str | Path) -> Path:
    """The folder of a store, made if it is not there. ValueError: a file, not writable, a newer
    format."""
    folder = Path(store)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"store needs to be a folder, got the file {folder}.")
    sign = folder / "store.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not sign.exists():
            write_whole(sign, json.dumps({"format": FORMAT}).encode())
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
        found = json.loads(sign.read_text(encoding="utf-8"))["format"]
    except OSError as error:
        raise ValueError(
            f"store needs to be a folder that can be written to, got {folder} ({error.strerror})."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{sign} needs to hold {{"format": {FORMAT}}}, got {sign.read_bytes()[:60]!r}.'
        ) from error
    if not isinstance(found, int) or not 1 <= found <= FORMAT:
        raise ValueError(
            f"store {folder} has format {found!r}, this lautum_utils reads up to {FORMAT}: "
            "update it, or take another folder."
        )
    return folder


def read_store(store: str | Path) -> Results:
    """All results of a store; a file that holds none (half-written, foreign) is named in a warning
    and left alone."""
    results = []
    for path in sorted(set(Path(store).glob("*.json")) - {Path(store) / "store.json"}):
        try:
            results.append(_read_result(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            told = f"{type(error).__name__}: {error}"
            warnings.warn(f"{path} is not a whole result ({told}) and is left alone.", stacklevel=2)
    return Results(results)


def _read_result(path: Path) -> Result:
    row = json.loads(path.read_text(encoding="utf-8"))
    known = (*SETTINGS, *OUTCOMES, "history", "versions")
    for strange in [name for name in row if name not in known]:
        raise ValueError(f"unknown: {strange}")
    experiment = stored_experiment({name: row[name] for name in SETTINGS if name in row})
    outcomes = outcomes_read(row[name] for name in OUTCOMES)
    return Result(experiment, *outcomes, history=row["history"])


def store_result(result: Result, store: str | Path) -> Path:
    """Write one result, whole, under the name of its experiment: the same experiment is never there
    twice."""
    key = json.dumps(asdict(result.experiment), sort_keys=True).encode()
    path = Path(store) / f"{hashlib.sha256(key).hexdigest()[:32]}.json"
    row = row_to_write(result) | {"history": result.history, "versions": versions()}
    write_whole(path, json.dumps(row).encode())
    return path


def save_results(results: Iterable[Result | dict[str, Any]], path: str | Path) -> None:
    """Write one JSON object a result (`Result.as_row`, or a dict with plain numbers) as a list,
    whole."""
    rows = [row_to_write(r) if isinstance(r, Result) else _plain_row(r) for r in results]
    write_whole(path, json.dumps(rows, indent=1).encode())


def _plain_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in row.items()}


def row_to_write(result: Result) -> dict[str, object]:
    """`Result.as_row` as JSON can hold it: without a source, its accuracy is null."""
    accuracy = result.source_accuracy
    return result.as_row() | {"source_accuracy": None if math.isnan(accuracy) else accuracy}


def outcomes_read(written: Iterable[Any]) -> tuple[float, float, float, float | None]:
    """The outcomes of a written row, in their order, as a `Result` has them."""
    test, validation, source, penalty = written
    return test, validation, math.nan if source is None else source, penalty


@cache
def versions() -> dict[str, str]:
    """Of what makes a result."""
    names = ("lautum-utils", "torch", "numpy", "scikit-learn", "matplotlib")
    packages = {name: version(name) for name in names}
    return {"python": platform.python_version(), "machine": platform.machine()} | packages
