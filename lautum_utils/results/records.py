"""A record: many results in one small file, such as the grid that the playground answers from."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lautum_utils.files import write_whole
from lautum_utils.results.store import FORMAT, outcomes_read, row_to_write, versions
from lautum_utils.training.experiments import SETTINGS, Experiment, stored_experiment
from lautum_utils.training.outcomes import OUTCOMES, History, Result

RECORD = Path(__file__).with_name("recorded.json.gz")


def write_record(
    results: Iterable[Result], path: str | Path = RECORD, about: Mapping[str, Any] | None = None
) -> None:
    """Write results as one small file, whole: gzipped JSON, accuracies to 5 digits, histories to 3.

    about: what else is to be known of them, as JSON can hold it, see `read_about`.
    Keys: format, versions; about, if given; common: the settings in which all agree; fields: the
    names of those in which they do not; rows: their values, the outcomes and a number in histories,
    which those with one stage one share.
    """
    rows: list[tuple[dict[str, Any], History]] = [(row_to_write(r), r.history) for r in results]
    differ = [name for name in SETTINGS if len({row[name] for row, _ in rows}) > 1]
    common = {n: row[n] for row, _ in rows[:1] for n in SETTINGS if n not in differ}
    histories: dict[str, int] = {}
    table = []
    for row, history in rows:
        outcomes = [row[name] and round(float(row[name]), 5) for name in OUTCOMES]
        number = histories.setdefault(_short(history), len(histories))
        table.append([*(row[name] for name in differ), *outcomes, number])
    content = {"format": FORMAT, "versions": versions(), "common": common, "fields": differ}
    content |= {"about": dict(about)} if about else {}
    content |= {"rows": table, "histories": [json.loads(history) for history in histories]}
    text = json.dumps(content, separators=(",", ":"))
    write_whole(path, gzip.compress(text.encode(), mtime=0))


def _short(history: History) -> str:
    return json.dumps({name: [float(f"{v:.3g}") for v in curve] for name, curve in history.items()})


def read_record(path: str | Path = RECORD) -> tuple[dict[Experiment, Result], dict[str, str]]:
    """The results of a record by experiment, and the versions that made it. ValueError: none there,
    damaged, a newer format."""
    with _sentence_if_damaged(path):
        content = _content(path)
        results = {}
        for row in content["rows"]:
            *values, test, validation, source, penalty, history = row
            outcomes = outcomes_read((test, validation, source, penalty))
            differing = dict(zip(content["fields"], values, strict=True))
            experiment = stored_experiment(content["common"] | differing)
            curves = content["histories"][history]
            results[experiment] = Result(experiment, *outcomes, curves)
        return results, content["versions"]


def read_about(path: str | Path = RECORD) -> dict[str, Any]:
    """What was said of a record when it was written; empty if nothing was. ValueError: as
    `read_record`."""
    with _sentence_if_damaged(path):
        return dict(_content(path).get("about", {}))


def _content(path: str | Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(Path(path).read_bytes()))
    if content["format"] > FORMAT:
        raise ValueError(f"format {content['format']}")
    return content


@contextmanager
def _sentence_if_damaged(path: str | Path) -> Iterator[None]:
    damaged = OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError
    try:
        yield
    except damaged as error:
        told = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"path needs to be a record of format {FORMAT} (make record writes one), "
            f"got {path} ({told})."
        ) from error
