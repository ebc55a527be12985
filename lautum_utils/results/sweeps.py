"""Many experiments: run, store and resume, on one machine or many; record a grid of them; compare
with a control.

A store is a folder. store.json says {"format": 1}. Every result is one more file, NAME.json, NAME a
hash of the experiment: an object with what `Result.as_row` holds, "history", and "versions" of what
made it; checkpoints/ holds long pre-trainings on their way. To read one with pandas:

    pd.DataFrame(json.loads(path.read_bytes()) for path in Path(store).glob("[0-9a-f]*.json"))
"""

import gzip
import hashlib
import json
import math
import os
import platform
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit
from tqdm.auto import tqdm

from lautum_utils.training.run import Experiment, History, Progress, Result, run, tasks

FORMAT = 1
_FIELDS = tuple(f.name for f in fields(Experiment))
_OUTCOMES = ("test_accuracy", "validation_accuracy", "source_accuracy", "penalty")


def sweep(
    experiments: Iterable[Experiment], store: str | Path, executor: Executor | None = None, *,
    device: str | torch.device = "auto", task_size: int | None = None, threads: int = 1, progress: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Run what the store does not hold yet, store each result the moment it is there, return a row
    for each experiment.

    executor: any concurrent.futures.Executor whose workers can import lautum_utils, such as a
    ProcessPoolExecutor (with the "spawn" context), or dask.distributed.Client(...).get_executor()
    for a cluster; None runs here. task_size: networks trained side by side in a task, by default as
    many as memory allows here and 8 in an executor. threads: of torch, in a task of an executor.
    The row: `Result.as_row` and "error", which is "" or says what went wrong with this experiment;
    it stops no other and is not stored. Interrupted, killed, or left by its workers: the same call
    again goes on from there. ValueError: equal experiments; a store that cannot be used.
    StoreError: it no longer can. RuntimeError: the executor died.
    """
    wanted = list(experiments)
    twice, times = max(Counter(wanted).items(), key=lambda item: item[1], default=(None, 0))
    if times > 1:
        raise ValueError(
            f"experiments need to differ from one another, got this one {times} times: {twice}."
        )
    folder = open_store(store)
    done = {result.experiment: result.as_row() for result in read_store(folder)}
    missing = [e for e in wanted if e not in done]
    errors: dict[Experiment, str] = {}
    with tqdm(
        total=len(wanted),
        initial=len(wanted) - len(missing),
        unit="run",
        disable=not progress,
        desc="sweep",
    ) as bar:

        def keep(result: Result) -> None:
            try:
                store_result(result, folder)
            except OSError as error:
                raise StoreError(
                    f"store {folder} cannot be written to any more ({error.strerror})."
                ) from error
            done[result.experiment] = result.as_row()
            bar.update()

        def watch(now: Progress) -> None:
            if now.step % 20 == 0:
                bar.set_postfix_str(f"{now.stage} {now.step / now.total:.0%}")

        try:
            if executor is None:
                for task in tasks(missing, device, task_size):
                    errors |= _run_task(task, device, folder / "checkpoints", keep, watch)
            else:
                stacks = tasks(missing, device, task_size or 8)
                errors |= _spread(
                    executor, stacks, (str(device), folder / "checkpoints", threads), keep
                )
        except (KeyboardInterrupt, BrokenExecutor, CancelledError) as end:
            stored = len({r.experiment for r in read_store(folder)} & set(wanted))
            kept = f"{stored} of {len(wanted)} results are in {folder}; the same sweep goes on from there"
            if isinstance(end, KeyboardInterrupt):
                raise KeyboardInterrupt(f"interrupted: {kept}.") from None
            raise RuntimeError(
                f"the executor died ({type(end).__name__}): {kept}, with another executor."
            ) from end
    for experiment, error in errors.items():
        warnings.warn(f"{experiment} failed: {error}", stacklevel=2)
    rows = [done.get(e, asdict(e)) | {"error": errors.get(e, "")} for e in wanted]
    return pd.DataFrame(rows, columns=[*_FIELDS, *_OUTCOMES, "error"])


class StoreError(RuntimeError):
    """A result could not be stored: no space, no permission. What was stored before is kept."""


def _run_task(
    task: Sequence[Experiment],
    device: str | torch.device,
    checkpoints: Path,
    keep: Callable[[Result], object],
    watch: Any = None,
) -> dict[Experiment, str]:
    """Run a stack. If it fails, run its halves, down to the experiment that is at fault: what went
    wrong, by experiment."""
    finished = set()

    def on_result(result: Result) -> None:
        finished.add(result.experiment)
        keep(result)

    try:
        run(
            task,
            device,
            progress=False,
            callback=watch,
            on_result=on_result,
            checkpoints=checkpoints,
        )
        return {}
    except StoreError:
        raise
    except Exception as error:
        left = [e for e in task if e not in finished]
        if len(left) == 1:
            return {left[0]: f"{type(error).__name__}: {error}"}
        half, errors = len(left) // 2, dict[Experiment, str]()
        for part in (left[:half], left[half:]):
            errors |= _run_task(part, device, checkpoints, keep, watch)
        return errors


def _in_worker(
    task: Sequence[Experiment], device: str, checkpoints: Path, threads: int
) -> tuple[list[Result], dict[Experiment, str]]:
    before, results = torch.get_num_threads(), list[Result]()
    torch.set_num_threads(threads)
    try:
        errors = _run_task(task, device, checkpoints, results.append)
    finally:
        torch.set_num_threads(before)
    return results, errors


def _spread(
    executor: Executor,
    stacks: Iterable[Sequence[Experiment]],
    settings: tuple[str, Path, int],
    keep: Callable[[Result], object],
) -> dict[Experiment, str]:
    pending: dict[Future[Any], Sequence[Experiment]] = {}
    errors: dict[Experiment, str] = {}
    try:
        for stack in stacks:
            pending[executor.submit(_in_worker, stack, *settings)] = stack
        for future in as_completed(list(pending)):
            stack = pending.pop(future)
            try:
                results, failed = future.result()
            except (BrokenExecutor, CancelledError):
                raise
            except Exception as error:  # the task was lost on its way: a worker that keeps dying, a result that does not travel
                results, failed = [], dict.fromkeys(stack, f"{type(error).__name__}: {error}")
            for result in results:
                keep(result)
            errors |= failed
    finally:
        for future in [future for future in pending if not future.cancel()]:
            if future.done() and future.exception() is None:
                for result in future.result()[0]:
                    keep(result)
    return errors


# ----------------------------------------------------------------------------------------------------------- the store


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
            _write_whole(sign, json.dumps({"format": FORMAT}).encode())
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
            f"store {folder} has format {found!r}, this lautum_utils reads up to {FORMAT}: update it, or take another folder."
        )
    return folder


def read_store(store: str | Path) -> list[Result]:
    """All results of a store; a file that holds none (half-written, foreign) is named in a warning
    and left alone."""
    results = []
    for path in sorted(set(Path(store).glob("*.json")) - {Path(store) / "store.json"}):
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            known = (*_FIELDS, *_OUTCOMES, "history", "versions")
            strange = [name for name in row if name not in known]
            if strange:
                raise ValueError(f"unknown: {strange[0]}")
            experiment = Experiment(**{name: row[name] for name in _FIELDS if name in row})
            results.append(
                Result(experiment, **{name: row[name] for name in (*_OUTCOMES, "history")})
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            warnings.warn(
                f"{path} is not a whole result ({type(error).__name__}: {error}) and is left alone.",
                stacklevel=2,
            )
    return results


def store_result(result: Result, store: str | Path) -> Path:
    """Write one result, whole, under the name of its experiment: the same experiment is never there
    twice."""
    key = json.dumps(asdict(result.experiment), sort_keys=True).encode()
    path = Path(store) / f"{hashlib.sha256(key).hexdigest()[:32]}.json"
    _write_whole(
        path,
        json.dumps(result.as_row() | {"history": result.history, "versions": versions()}).encode(),
    )
    return path


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@cache
def versions() -> dict[str, str]:
    """Of what makes a result."""
    packages = {
        name: version(name)
        for name in ("lautum-utils", "torch", "numpy", "scikit-learn", "matplotlib")
    }
    return {"python": platform.python_version(), "machine": platform.machine()} | packages


# ---------------------------------------------------------------------------------------------------------- recording

RECORD = Path(__file__).with_name("recorded.json.gz")


def record(results: Iterable[Result], path: str | Path = RECORD) -> None:
    """Write results as one small file, whole: gzipped JSON, accuracies to 5 digits, histories to 3.

    Keys: format, versions; common: the fields in which all agree; fields: the names of those in
    which they do not; rows: their values, the outcomes and a number in histories, which those with
    one pre-training share.
    """
    rows: list[tuple[dict[str, Any], History]] = [
        (result.as_row(), result.history) for result in results
    ]
    differ = [name for name in _FIELDS if len({row[name] for row, _ in rows}) > 1]
    common = {name: rows[0][0][name] for name in _FIELDS if name not in differ} if rows else {}
    histories: dict[str, int] = {}
    table = []
    for row, history in rows:
        short = json.dumps(
            {name: [float(f"{value:.3g}") for value in curve] for name, curve in history.items()}
        )
        outcomes = [row[name] and round(float(row[name]), 5) for name in _OUTCOMES]
        table.append(
            [
                *(row[name] for name in differ),
                *outcomes,
                histories.setdefault(short, len(histories)),
            ]
        )
    content = {
        "format": FORMAT,
        "versions": versions(),
        "common": common,
        "fields": differ,
        "rows": table,
    }
    text = json.dumps(
        content | {"histories": [json.loads(history) for history in histories]},
        separators=(",", ":"),
    )
    _write_whole(Path(path), gzip.compress(text.encode(), mtime=0))


def read_record(path: str | Path = RECORD) -> tuple[dict[Experiment, Result], dict[str, str]]:
    """The results of a record by experiment, and the versions that made it. ValueError: none there,
    damaged, a newer format."""
    try:
        content = json.loads(gzip.decompress(Path(path).read_bytes()))
        if content["format"] > FORMAT:
            raise ValueError(f"format {content['format']}")
        results = {}
        for row in content["rows"]:
            *values, test, validation, source, penalty, history = row
            experiment = Experiment(
                **content["common"], **dict(zip(content["fields"], values, strict=True))
            )
            results[experiment] = Result(
                experiment, test, validation, source, penalty, content["histories"][history]
            )
        return results, content["versions"]
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        told = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"path needs to be a record of format {FORMAT} (make record writes one), got {path} ({told})."
        ) from error


# ---------------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, [low, high]; n values went into it."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and Student's t interval of independent values, such as one accuracy a seed; infinite
    for one value."""
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"values need to be one or more finite numbers, got {values!r}.")
    half = (
        math.inf
        if len(x) == 1
        else float(stdtrit(len(x) - 1, (1 + confidence) / 2) * x.std(ddof=1)) / math.sqrt(len(x))
    )
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, len(x))


def paired_difference(
    results: Sequence[Result], control: Sequence[Result], confidence: float = 0.95
) -> Interval:
    """Interval of test accuracy minus the control's, over the seeds that both hold (ValueError if
    none)."""
    ours, theirs = ({r.experiment.seed: r.test_accuracy for r in x} for x in (results, control))
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        raise ValueError(
            f"results and control need seeds in common, got {sorted(ours)} and {sorted(theirs)}."
        )
    return interval([ours[seed] - theirs[seed] for seed in seeds], confidence)


def choose_strength(results: Sequence[Result]) -> float:
    """The strength with the best mean *validation* accuracy; of equals, the smallest. Test accuracy
    is not looked at."""
    scores: dict[float, list[float]] = {}
    for result in results:
        scores.setdefault(result.experiment.strength, []).append(result.validation_accuracy)
    if not scores:
        raise ValueError("results need to hold one or more, got none.")
    return max(sorted(scores), key=lambda strength: float(np.mean(scores[strength])))


def compare(results: Sequence[Result], confidence: float = 0.95) -> list[dict[str, Any]]:
    """A row for each protocol, number of labels and strength: mean accuracy, and the paired
    difference to strength 0.

    Keys: protocol, labels, strength, accuracy, difference, low, high (fractions), seeds, and
    chosen: whether validation data picks this strength for that protocol and number of labels.
    ValueError where strength 0 was not run.
    """
    rows = []
    for protocol, labels in dict.fromkeys(
        (r.experiment.protocol, r.experiment.labels) for r in results
    ):
        alike = [
            r for r in results if (r.experiment.protocol, r.experiment.labels) == (protocol, labels)
        ]
        control, chosen = [r for r in alike if r.experiment.strength == 0], choose_strength(alike)
        for strength in sorted({r.experiment.strength for r in alike}):
            ours = [r for r in alike if r.experiment.strength == strength]
            gain = paired_difference(ours, control, confidence)
            accuracy = float(np.mean([r.test_accuracy for r in ours]))
            row = {
                "protocol": protocol,
                "labels": labels,
                "strength": strength,
                "accuracy": accuracy,
                "difference": gain.mean,
            }
            rows.append(
                row
                | {
                    "low": gain.low,
                    "high": gain.high,
                    "seeds": gain.n,
                    "chosen": strength == chosen,
                }
            )
    return rows


def save_results(results: Sequence[Result | dict[str, Any]], path: str | Path) -> None:
    """Write one JSON object a result (`Result.as_row`, or a dict as it is) as a list: to a
    temporary file, then renamed."""
    rows = [r.as_row() if isinstance(r, Result) else r for r in results]
    _write_whole(Path(path), json.dumps(rows, indent=1).encode())
