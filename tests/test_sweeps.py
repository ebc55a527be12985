"""Sweeps: nothing is run twice or lost, whatever dies; what is stored and recorded is read back;
comparisons with a control."""

import gzip
import json
import math
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from waiting import ended, outcome, until

from lautum_utils.data.domains import SHIFTS
from lautum_utils.results import sweeps
from lautum_utils.results.records import RECORD, read_record, record
from lautum_utils.results.store import StoreError, open_store, read_store, store_result, versions
from lautum_utils.results.sweeps import run, sweep
from lautum_utils.training.experiments import Experiment, Result
from lautum_utils.training.methods import METHODS
from notebooks.tools.record import grid

QUICK = Experiment(
    steps=2,
    labels=20,
    source_batch=16,
    target_batch=64,
    n_components=8,
    strength=1e-2,
    finetune_steps=2,
)
OUTCOMES = ["test_accuracy", "validation_accuracy", "source_accuracy", "penalty"]
HISTORY = {
    "step": [1.0, 2.0],
    "loss": [2.3, 1.0],
    "dependence": [0.1, 3.0],
    "target_accuracy": [0.1, 0.6],
}
MANY = [replace(QUICK, strength=1e-3 * i) for i in range(6)]


def quietly(
    experiments: Iterable[Experiment], store: Path, executor: Executor | None = None, **options: Any
) -> pd.DataFrame:
    return sweep(experiments, store, executor, device="cpu", progress=False, **options)


def files(store: Path) -> list[Path]:
    return sorted(store.glob("[0-9a-f]*.json"))


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def by_experiment(results: Iterable[Result]) -> dict[Experiment, dict[str, Any]]:
    """Everything that a result holds (results themselves have no equality)."""
    return {
        result.experiment: {f.name: getattr(result, f.name) for f in fields(Result)}
        for result in results
    }


def assert_equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)


class Runs:
    """Stands in for `run`, without training: keeps what it is asked for, and fails as it is
    told."""

    def __init__(self) -> None:
        self.asked: list[Experiment] = []
        self.threads: list[int] = []
        self.fail: Callable[[Sequence[Experiment]], None] = lambda experiments: None

    def __call__(
        self,
        experiments: Sequence[Experiment],
        *_: object,
        on_result: Callable[[Result], object],
        **__: object,
    ) -> None:
        self.threads.append(torch.get_num_threads())
        self.fail(experiments)
        for experiment in experiments:
            self.asked.append(experiment)
            on_result(made_up(experiment))


def made_up(experiment: Experiment) -> Result:
    accuracy = random.Random(str(experiment)).random()
    penalty = None if experiment.protocol == "finetune" else 0.1
    return Result(experiment, accuracy, 0.5, 0.9, penalty, HISTORY | {"loss": [2.3, accuracy]})


@pytest.fixture(name="runs")
def _runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """No test with it trains."""
    runs = Runs()
    monkeypatch.setattr(sweeps, "run", runs)
    return runs


# ----------------------------------------------------------------------------------------------------------- the store


def test_a_store_holds_one_file_a_result_with_what_is_documented(tmp_path: Path) -> None:
    wanted = [QUICK, replace(QUICK, strength=0.0, protocol="finetune")]
    frame = quietly(wanted, tmp_path / "a" / "store")
    store = tmp_path / "a" / "store"
    assert json.loads((store / "store.json").read_bytes()) == {"format": 1}
    assert len(files(store)) == 2
    assert len(list(store.iterdir())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}\.json", path.name) for path in files(store))
    results = {result.experiment: result for result in run(wanted, "cpu", progress=False)}
    for path in files(store):
        row = json.loads(path.read_bytes())
        experiment = Experiment(**{f.name: row[f.name] for f in fields(Experiment)})
        result = results[experiment]
        assert row == result.as_row() | {"history": result.history, "versions": versions()}
    assert list(frame.columns) == [*(f.name for f in fields(Experiment)), *OUTCOMES, "error"]
    assert [
        Experiment(**{f.name: row[f.name] for f in fields(Experiment)})
        for _, row in frame.iterrows()
    ] == wanted
    assert list(frame.error) == ["", ""]
    assert list(frame.test_accuracy) == [results[e].test_accuracy for e in wanted]
    assert frame.penalty[0] == results[wanted[0]].penalty
    assert math.isnan(frame.penalty[1]), "fine-tuning has none"
    assert set(versions()) == {
        "python",
        "machine",
        "lautum-utils",
        "torch",
        "numpy",
        "scikit-learn",
        "matplotlib",
    }
    assert versions()["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_a_store_is_read_by_the_line_of_pandas_that_is_documented(
    runs: Runs, tmp_path: Path
) -> None:
    quietly(MANY, tmp_path)
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    (line,) = (line for line in str(sweeps.__doc__).splitlines() if "pd.DataFrame" in line)
    table = eval(line.strip(), {"pd": pd, "json": json, "Path": Path, "store": tmp_path})
    assert sorted(table.strength) == [e.strength for e in MANY]
    assert set(table.columns) == {
        *(f.name for f in fields(Experiment)),
        *OUTCOMES,
        "history",
        "versions",
    }
    assert {made_up(e).test_accuracy for e in MANY} == set(table.test_accuracy)


def test_nothing_is_run_twice_and_a_second_sweep_gives_the_same_rows(
    runs: Runs, tmp_path: Path
) -> None:
    first = quietly(iter(MANY), tmp_path)
    before = contents(tmp_path)
    second = quietly(reversed(MANY), tmp_path)
    assert Counter(runs.asked) == Counter(MANY)
    assert list(first.strength) == [e.strength for e in MANY]
    assert_equal(second.iloc[::-1].reset_index(drop=True), first)
    assert contents(tmp_path) == before
    assert [made_up(e).test_accuracy for e in MANY] == list(first.test_accuracy)


def test_sweeps_share_a_store_and_each_gets_the_rows_it_asked_for(
    runs: Runs, tmp_path: Path
) -> None:
    assert len(quietly(MANY[:4], tmp_path)) == 4
    frame = quietly(MANY[2:], str(tmp_path))  # type: ignore[arg-type]
    assert list(frame.strength) == [e.strength for e in MANY[2:]]
    assert Counter(runs.asked) == Counter(MANY)
    assert len(files(tmp_path)) == 6
    assert by_experiment(read_store(tmp_path)) == by_experiment(map(made_up, MANY))


def test_a_sweep_over_nothing_is_an_empty_table(runs: Runs, tmp_path: Path) -> None:
    frame = quietly([], tmp_path)
    assert len(frame) == 0
    assert list(frame.columns)[-1] == "error"
    assert not runs.asked


UNIT = st.floats(0, 1)
CURVE = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)
EXPERIMENTS = st.fixed_dictionaries({
    "shift": st.sampled_from(["none", *SHIFTS, "label_part_swap"]), "severity": UNIT, "method": st.sampled_from(METHODS),
    "strength": st.floats(0, 1e300), "ridge": st.floats(0, 1e9), "learning_rate": st.floats(0, 1e300),
    "labels": st.integers(10, 400), "seed": st.integers(0, 2**31 - 1), "steps": st.integers(1, 10**12),
    "protocol": st.sampled_from(["probe", "finetune"]), "inputs": st.sampled_from(["target", "source"]),
})  # fmt: skip
OUTCOME = st.tuples(
    UNIT, UNIT, UNIT, st.none() | UNIT, st.fixed_dictionaries(dict.fromkeys(HISTORY, CURVE))
)
RESULTS = st.tuples(EXPERIMENTS, OUTCOME)


@settings(max_examples=100)
@given(RESULTS)
def test_what_is_stored_is_read_back_to_the_last_bit(
    drawn: tuple[dict[str, Any], tuple[Any, ...]],
) -> None:
    result = Result(Experiment(**drawn[0]), *drawn[1])
    with tempfile.TemporaryDirectory() as folder:
        path = store_result(result, open_store(folder))
        assert path in files(Path(folder))
        assert by_experiment(read_store(folder)) == by_experiment([result])
        assert store_result(replace(result, test_accuracy=0.25), folder) == path, (
            "the same experiment, the same file"
        )
        (again,) = read_store(folder)
        assert again.test_accuracy == 0.25


# ----------------------------------------------------------------------------------------------------------- bad input


def test_an_experiment_asked_for_twice_is_refused(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"^experiments need to differ .* this one 3 times: Experiment\(.*strength=0\.01",
    ):
        quietly([MANY[0], QUICK, QUICK, MANY[1], MANY[1], QUICK], tmp_path / "store")
    assert not runs.asked
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_a_file_or_cannot_be_written_to_is_refused(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^store needs to be a folder, got the file .*/file\.$"):
        quietly(MANY, tmp_path / "file")
    with pytest.raises(
        ValueError,
        match=r"^store needs to be a folder that can be written to, got .*/file/sub \(.+\)\.$",
    ):
        quietly(MANY, tmp_path / "file" / "sub")
    open_store(tmp_path / "store")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(
        ValueError, match=r"^store needs to be a folder .* got .*/store \(Permission denied\)\.$"
    ):
        quietly(MANY, tmp_path / "store")
    assert not runs.asked
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"1", b"\xff\xfe\x00"])
def test_a_damaged_sign_of_a_store_is_shown_and_left_alone(
    content: bytes, runs: Runs, tmp_path: Path
) -> None:
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(ValueError, match=r'store\.json needs to hold \{"format": 1\}, got '):
        quietly(MANY, tmp_path)
    assert not runs.asked
    assert contents(tmp_path) == {"store.json": content}


@pytest.mark.parametrize("found", [2, 0, "1", None])
def test_a_store_of_another_format_is_refused(found: object, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": found}), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"has format {found!r}, this lautum_utils reads up to 1: update it"
    ):
        quietly(MANY, tmp_path)
    assert not runs.asked


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_a_truncated_result_is_named_and_run_again(keep: float, runs: Runs, tmp_path: Path) -> None:
    frame = quietly(MANY, tmp_path)
    before = contents(tmp_path)
    victim = files(tmp_path)[2]
    whole = victim.read_bytes()
    victim.write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else int(keep)])
    runs.asked.clear()
    with pytest.warns(
        UserWarning, match=f"^{re.escape(str(victim))} is not a whole result .* left alone"
    ):
        assert len(read_store(tmp_path)) == 5
    with pytest.warns(UserWarning, match=re.escape(victim.name)):
        assert_equal(quietly(MANY, tmp_path), frame)
    assert len(runs.asked) == 1
    assert contents(tmp_path) == before


def test_foreign_files_are_named_and_left_alone(runs: Runs, tmp_path: Path) -> None:
    quietly(MANY, tmp_path)
    whole = json.loads(files(tmp_path)[0].read_bytes())
    strange = {
        "notes.json": {"remember": "milk"},
        "list.json": [1, 2],
        "number.json": 3,
        "newer.json": whole | {"colour": "red"},
        "bad.json": whole | {"seed": -1},
        "older.json": {name: value for name, value in whole.items() if name != "history"},
    }
    for name, content in strange.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    for other in (".0123456789abcdef.json.7.tmp", "readme.txt"):
        (tmp_path / other).write_text("half a res", encoding="utf-8")
    (tmp_path / "folder.json" / "x").write_text("", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    runs.asked.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = quietly(MANY, tmp_path)
    told = {
        re.search(r"/([a-z]+\.json) is not a whole result", str(warning.message))[1]
        for warning in caught
    }  # type: ignore[index]
    assert told == {*strange, "binary.json", "folder.json"}
    assert any("unknown: colour" in str(warning.message) for warning in caught)
    assert len(frame) == 6
    assert not runs.asked
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def full_from(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full once `count` results are there: half of the next is written."""
    written = Path.write_bytes

    def write(path: Path, data: Any) -> int:
        if len(files(path.parent)) >= count:
            written(path, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)


def test_a_full_disk_ends_the_sweep_and_keeps_what_is_stored(runs: Runs, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        full_from(2, patch)
        with pytest.raises(
            StoreError,
            match=r"^store .* cannot be written to any more \(No space left on device\)\.$",
        ):
            quietly(MANY, tmp_path)
    assert len(runs.asked) == 3, "no more is run for nothing"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["store.json", *(path.name for path in files(tmp_path))]
    )
    assert len(read_store(tmp_path)) == 2
    frame = quietly(MANY, tmp_path)
    assert len(runs.asked) == 3 + 4
    assert list(frame.test_accuracy) == [made_up(e).test_accuracy for e in MANY]


# --------------------------------------------------------------------------------------------- experiments that fail


@pytest.mark.filterwarnings(
    "ignore:(invalid value|overflow):RuntimeWarning"
)  # scikit-learn's, of NaN
def test_an_experiment_that_fails_in_a_stack_is_reported_and_the_others_are_stored(
    tmp_path: Path,
) -> None:
    wrong = [
        replace(QUICK, strength=1e300),
        replace(QUICK, learning_rate=1e30, strength=0.0),
    ]  # of a stack, and alone
    right = MANY[:3]
    wanted = [*right[:2], wrong[0], right[2], wrong[1]]
    with pytest.warns(UserWarning, match="failed: ValueError") as caught:
        frame = quietly(wanted, tmp_path)
    told = [str(warning.message) for warning in caught if "failed" in str(warning.message)]
    assert len(told) == 2
    for experiment in wrong:
        error = frame.error[wanted.index(experiment)]
        assert error.startswith("ValueError: ")
        assert "NaN" in error
        assert f"{experiment} failed: {error}" in told
        assert frame.loc[wanted.index(experiment), OUTCOMES].isna().all()
    whole = frame[frame.error == ""].reset_index(drop=True)
    assert_equal(whole, quietly(right, tmp_path / "other"))
    assert {r.experiment for r in read_store(tmp_path)} == set(right)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_only_the_experiments_at_fault_fail(count: int, runs: Runs, tmp_path: Path) -> None:
    wrong = set(random.Random(count).sample(MANY, count))

    def fail(experiments: Sequence[Experiment]) -> None:
        if wrong & set(experiments):
            raise MemoryError("not enough")

    runs.fail = fail
    with pytest.warns(UserWarning, match="MemoryError: not enough"):
        frame = quietly(MANY, tmp_path)
    assert [error == "MemoryError: not enough" for error in frame.error] == [
        e in wrong for e in MANY
    ]
    assert Counter(runs.asked) == Counter(set(MANY) - wrong)
    assert len(files(tmp_path)) == len(MANY) - count
    runs.fail = lambda experiments: None
    again = quietly(MANY, tmp_path)
    assert set(again.error) == {""}
    assert Counter(runs.asked) == Counter(MANY), "only what had failed is run again"


# ----------------------------------------------------------------------------------------------------------- executors

MIXED = [
    *MANY[:3],
    replace(QUICK, seed=1),
    replace(QUICK, strength=1e-3, protocol="finetune"),
    replace(QUICK, network="cnn"),
]


@pytest.fixture(scope="module", name="here")
def _here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MIXED, run without an executor."""
    store = tmp_path_factory.mktemp("here")
    quietly(MIXED, store)
    return store


def test_threads_give_what_no_executor_gives(here: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        frame = quietly(MIXED, tmp_path, pool, task_size=2)
    assert_equal(frame, quietly(MIXED, here))
    assert contents(tmp_path) == contents(here)


def test_each_task_of_an_executor_gets_the_threads_asked_for(runs: Runs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(torch.get_num_threads).result()
        frame = quietly(MANY, tmp_path, pool, task_size=1, threads=before + 2)
        assert pool.submit(torch.get_num_threads).result() == before
        runs.fail = lambda experiments: (_ for _ in ()).throw(ValueError("no"))
        with pytest.warns(UserWarning, match="ValueError: no"):
            failed = quietly([QUICK], tmp_path, pool, threads=before + 2)
        assert pool.submit(torch.get_num_threads).result() == before
    assert set(runs.threads) == {before + 2}
    assert len(runs.threads) == len(MANY) + 1
    assert list(failed.error) == ["ValueError: no"]
    assert list(frame.test_accuracy) == [made_up(e).test_accuracy for e in MANY]


class Futures(Executor):
    """Runs the first tasks at once; the others wait for ever."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.futures: list[Future[Any]] = []

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        if len(self.futures) <= self.first:
            future.set_result(function(*arguments, **options))
        return future


def test_interrupted_it_keeps_what_the_workers_have_finished_and_takes_back_the_rest(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(futures: list[Future[Any]]) -> Iterator[Future[Any]]:
        yield futures[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeps, "as_completed", interrupted)
    executor = Futures(3)
    with pytest.raises(
        KeyboardInterrupt,
        match=r"^interrupted: 3 of 6 results are in .*; the same sweep goes on from there\.$",
    ):
        quietly(MANY, tmp_path, executor, task_size=1)
    assert len(read_store(tmp_path)) == 3
    assert all(future.cancelled() for future in executor.futures[3:])


def test_a_full_disk_takes_back_what_the_workers_have_not_begun(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_from(1, monkeypatch)
    executor = Futures(3)
    with pytest.raises(StoreError, match="No space left on device"):
        quietly(MANY, tmp_path, executor, task_size=1)
    assert len(read_store(tmp_path)) == 1
    assert all(future.cancelled() for future in executor.futures[3:])


@pytest.mark.parametrize("error", [CancelledError(), BrokenProcessPool("gone")])
def test_an_executor_that_ends_is_told_with_what_is_kept(
    error: BaseException, runs: Runs, tmp_path: Path
) -> None:
    executor = Futures(2)
    submit = executor.submit

    def ends(*arguments: Any) -> Future[Any]:
        future = submit(*arguments)
        if len(executor.futures) == 6:
            for pending in executor.futures[2:]:
                pending.set_exception(error)
        return future

    executor.submit = ends  # type: ignore[method-assign, assignment]
    sentence = rf"^the executor died \({type(error).__name__}\): 2 of 6 results are in .*, with another executor\.$"
    with pytest.raises(RuntimeError, match=sentence):
        quietly(MANY, tmp_path, executor, task_size=1)
    assert len(read_store(tmp_path)) == 2


def test_an_executor_that_ends_while_tasks_are_given_to_it_loses_nothing(
    runs: Runs, tmp_path: Path
) -> None:
    executor = Futures(2)
    submit = executor.submit

    def ends(*arguments: Any) -> Future[Any]:
        if len(executor.futures) == 4:
            raise BrokenProcessPool("gone")
        return submit(*arguments)

    executor.submit = ends  # type: ignore[method-assign, assignment]
    with pytest.raises(
        RuntimeError, match=r"^the executor died \(BrokenProcessPool\): 2 of 6 results are in "
    ):
        quietly(MANY, tmp_path, executor, task_size=1)
    assert len(read_store(tmp_path)) == 2
    assert all(future.cancelled() for future in executor.futures[2:])


def test_a_task_lost_on_its_way_is_an_error_of_its_experiments(runs: Runs, tmp_path: Path) -> None:
    executor = Futures(6)
    submit = executor.submit

    def loses(function: Any, *arguments: Any) -> Future[Any]:
        future = submit(function, *arguments)
        if len(executor.futures) == 2:
            executor.futures[1] = future = Future()
            future.set_exception(TypeError("cannot pickle"))
        return future

    executor.submit = loses  # type: ignore[method-assign, assignment]
    with pytest.warns(UserWarning, match="TypeError: cannot pickle"):
        frame = quietly(MANY, tmp_path, executor, task_size=1)
    assert Counter(frame.error) == {"": 5, "TypeError: cannot pickle": 1}
    assert len(read_store(tmp_path)) == 5


# ---------------------------------------------------------------------------------------------- killed and interrupted

MORE = [replace(QUICK, steps=5, strength=1e-4 * (i + 1)) for i in range(24)]


# A sweep that waits for its end once three results are there: in the middle of a training, or of
# writing the fourth.
HELD = """
import signal
import sys
from pathlib import Path

from lautum_utils.results import sweeps
from lautum_utils.training.experiments import Experiment

store, sign, where, run, write = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sweeps.run, Path.write_bytes

def hold(here):
    if here and len(list(store.glob("[0-9a-f]*.json"))) == 3:
        sign.touch()
        signal.pause()

def held_run(*arguments, callback, **options):
    def watch(now):
        hold(where == "training" and now.stage == "pre-train" and now.step == 4)
        return callback(now)

    return run(*arguments, callback=watch, **options)

def held_write(path, data):
    write(path, data[: len(data) // 2])
    hold(where == "writing")
    return write(path, data)

signal.signal(signal.SIGINT, signal.default_int_handler)
sweeps.run, Path.write_bytes = held_run, held_write
"""


def counted(
    experiments: Sequence[Experiment],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    executor: Executor | None,
) -> str:
    """Run the rest; what was finished before and after, and that nothing is lost or run twice."""
    before = contents(store)
    finished = {result.experiment for result in read_store(store)}
    given: list[Experiment] = []

    def watched(*arguments: Any, **options: Any) -> list[list[Experiment]]:
        given.extend(arguments[0])
        return tasks(*arguments, **options)

    tasks = sweeps.tasks
    monkeypatch.setattr(sweeps, "tasks", watched)
    frame = quietly(experiments, store, executor, task_size=4)
    assert given == [e for e in experiments if e not in finished], "only what is missing"
    lost = [name for name, content in before.items() if contents(store)[name] != content]
    assert not lost
    assert set(frame.error) == {""}
    assert len(frame) == len(files(store)) == len(read_store(store)) == len(experiments)
    assert finished
    assert given
    return (
        f"{len(finished)} before, {len(given)} after, {len(lost)} lost, {len(experiments)} in all"
    )


@pytest.mark.parametrize("where", ["training", "writing"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "interrupt"])
def test_a_sweep_that_is_ended_goes_on_where_it_was(
    end: int, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sign = tmp_path / "store", tmp_path / "held"
    code = f"{HELD}\nsweeps.sweep({MORE}, store, device='cpu', task_size=1, progress=False)"
    command = [sys.executable, "-W", "ignore", "-c", code, str(store), str(sign), where]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as child:
        until(lambda: sign.exists() or child.poll() is not None, "the sweep is in the middle")
        child.send_signal(end)
        _, told = outcome(child)
    assert sign.exists(), told
    assert child.returncode in (-end, 1), (
        "1: Python forgets what it was when a package (tabulate) runs code at its exit"
    )
    stored = [json.loads(path.read_bytes()) for path in files(store)]
    assert all({*OUTCOMES, "history", "versions"} < row.keys() for row in stored), (
        "every file under its name is whole"
    )
    assert len(stored) == 3
    if end == signal.SIGINT:
        assert (
            f"KeyboardInterrupt: interrupted: 3 of 24 results are in {store}; the same sweep"
            in told
        )
    assert bool(list(store.glob(".*"))) == (end == signal.SIGKILL and where == "writing")
    print(f"\n{signal.Signals(end).name}:", counted(MORE, store, monkeypatch, None))
    first = Experiment(**{f.name: stored[0][f.name] for f in fields(Experiment)})
    (again,) = run(first, "cpu", progress=False)
    assert again.as_row() | {"history": again.history, "versions": versions()} == stored[0], (
        "to the last bit"
    )


class HeldPool(ProcessPoolExecutor):
    """Its only worker does some tasks, and in the next it waits for its end."""

    TASKS = 4
    given = 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.given += 1
        return (
            super().submit(function, *arguments, **options)
            if self.given <= self.TASKS
            else super().submit(signal.pause)
        )


def test_a_pool_whose_worker_is_killed_loses_nothing_and_another_goes_on(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [*MIXED, *MORE]
    pool = HeldPool(1, multiprocessing.get_context("spawn"))

    def kill() -> None:
        try:
            until(
                lambda: len(files(tmp_path)) == HeldPool.TASKS,
                "the worker has done its tasks, and is held in the next",
            )
        finally:
            for pid in list(pool._processes):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with (
        pool,
        pytest.raises(RuntimeError, match=r"^the executor died \(BrokenProcessPool\): ") as caught,
    ):
        quietly(wanted, tmp_path, pool, task_size=1)
    ended(killer)
    assert len(files(tmp_path)) == HeldPool.TASKS
    assert (
        f"4 of 30 results are in {tmp_path}; the same sweep goes on from there, with another executor."
        in str(caught.value)
    )
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        print("\nworker killed:", counted(wanted, tmp_path, monkeypatch, other))
    assert_equal(quietly(MIXED, tmp_path), quietly(MIXED, here))
    assert contents(here).items() <= contents(tmp_path).items(), (
        "a process gives what no executor gives, to the last bit"
    )


THOUSAND = """
import re
import resource
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

from lautum_utils.results.store import read_store
from lautum_utils.results.sweeps import sweep
from lautum_utils.training.experiments import Experiment

base = Experiment(shift="rotation", steps=1, labels=50, source_batch=16, target_batch=64, n_components=8)
stages = [{"protocol": "probe"}, *({"protocol": "finetune", "finetune_steps": n} for n in range(1, 10))]
experiments = [
    replace(base, severity=severity, seed=seed, strength=1e-4 * weight, **stage)
    for severity, seed, weight, stage in product((0.4, 1.0), range(4), range(13), stages)
][:1000]
frame = sweep(experiments, sys.argv[1], device="cpu", progress=False)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if (status := Path("/proc/self/status")).exists():  # on Linux a child's ru_maxrss begins with that of the process that started it
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text(encoding="utf-8"))[1])
print(len(frame), sum(frame.error == ""), len(read_store(sys.argv[1])), peak)
"""


def test_a_thousand_experiments_take_less_than_two_gibibytes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", THOUSAND, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    *counts, peak = map(int, done.stdout.split())
    assert counts == [1000, 1000, 1000]
    gibibytes = peak * (1 if sys.platform == "darwin" else 1024) / 2**30
    print(f"\n1000 experiments: {gibibytes:.2f} GiB at most")
    assert 0.1 < gibibytes < 2


# ----------------------------------------------------------------------------------------------------------- the record


def somewhat(results: Iterable[Result]) -> dict[Experiment, dict[str, Any]]:
    """What a record keeps of results."""
    found = by_experiment(results)
    for row in found.values():
        row["history"] = {
            name: [float(f"{x:.3g}") for x in values] for name, values in row["history"].items()
        }
        row |= {name: row[name] if row[name] is None else round(row[name], 5) for name in OUTCOMES}
    return found


@settings(max_examples=60)
@given(st.lists(RESULTS, max_size=6))
def test_what_is_recorded_is_read_back_to_the_digits_promised(
    drawn: list[tuple[dict[str, Any], tuple[Any, ...]]],
) -> None:
    unique = {Experiment(**given): outcome for given, outcome in drawn}
    results = [Result(experiment, *outcome) for experiment, outcome in unique.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recorded.json.gz"
        record(iter(results), path)
        found, made_by = read_record(path)
        assert [p.name for p in Path(folder).iterdir()] == [path.name]
    assert made_by == versions()
    assert list(found) == [result.experiment for result in results]
    assert by_experiment(found.values()) == somewhat(results)
    for result in results:
        for name in OUTCOMES[:3]:
            assert abs(getattr(found[result.experiment], name) - getattr(result, name)) <= 1e-5


def test_a_record_shares_histories_and_what_all_have_in_common(tmp_path: Path) -> None:
    results = [made_up(e) for e in MANY] + [made_up(replace(e, protocol="finetune")) for e in MANY]
    results = [replace(r, history=HISTORY | {"loss": [r.experiment.strength]}) for r in results]
    record(results, tmp_path / "r")
    content = json.loads(gzip.decompress((tmp_path / "r").read_bytes()))
    assert set(content) == {"format", "versions", "common", "fields", "rows", "histories"}
    assert content["fields"] == ["strength", "protocol"]
    assert content["common"] == {
        n: v for n, v in asdict(QUICK).items() if n not in ("strength", "protocol")
    }
    assert len(content["rows"]) == 12
    assert len(content["histories"]) == 6
    first = (tmp_path / "r").read_bytes()
    record(results, tmp_path / "r")
    assert (tmp_path / "r").read_bytes() == first, "the same results, the same bytes"


def test_a_record_of_nothing_is_read_back(tmp_path: Path) -> None:
    record([], tmp_path / "r")
    assert read_record(tmp_path / "r") == ({}, versions())


def damaged(path: Path) -> dict[str, bytes]:
    record(map(made_up, MANY), path)
    whole = path.read_bytes()
    content = json.loads(gzip.decompress(whole))
    changes = {
        "newer": content | {"format": 2},
        "no rows": {name: value for name, value in content.items() if name != "rows"},
        "no versions": {name: value for name, value in content.items() if name != "versions"},
        "a row too short": content | {"rows": [content["rows"][0][:-1]]},
        "a history too few": content | {"histories": []},
        "unknown field": content | {"common": content["common"] | {"colour": "red"}},
        "bad value": content | {"common": content["common"] | {"seed": -1}},
        "a list": [content],
        "nothing": None,
    }
    packed = {name: gzip.compress(json.dumps(change).encode()) for name, change in changes.items()}
    raw = {
        "empty": b"",
        "text": b"hello",
        "half": whole[: len(whole) // 2],
        "no json": gzip.compress(b"{"),
    }
    return (
        packed
        | raw
        | {
            "flipped": whole[:40] + bytes([whole[40] ^ 255]) + whole[41:],
            "binary": gzip.compress(b"\xff\xfe"),
        }
    )


DAMAGES = (
    "newer",
    "no rows",
    "no versions",
    "a row too short",
    "a history too few",
    "unknown field",
    "bad value",
    "a list",
)
DAMAGES += ("nothing", "empty", "text", "half", "no json", "flipped", "binary")
NO_RECORD = r"^path needs to be a record of format 1 \(make record writes one\), got .*\(\w+: "


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused_in_a_sentence(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "recorded.json.gz"
    path.write_bytes(damaged(path)[damage])
    with pytest.raises(ValueError, match=NO_RECORD):
        read_record(path)


def test_a_record_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "away", tmp_path, str(tmp_path / "away")):
        with pytest.raises(ValueError, match=NO_RECORD):
            read_record(path)


@pytest.mark.parametrize("write", [record, sweeps.save_results], ids=["record", "save_results"])
def test_an_interrupted_write_leaves_the_whole_earlier_file(
    write: Callable[[list[Result], Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write([made_up(QUICK)], path)
    before = contents(tmp_path)
    written = Path.write_bytes

    def half(path: Path, data: Any) -> int:
        written(path, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        write([made_up(e) for e in MANY], path)
    assert contents(tmp_path) == before


def test_results_are_saved_as_a_list_of_rows(tmp_path: Path) -> None:
    results = [made_up(e) for e in MANY]
    sweeps.save_results([*results, {"name": "mean", "value": 0.5}], tmp_path / "results.json")
    rows = json.loads((tmp_path / "results.json").read_bytes())
    assert rows == [*(r.as_row() for r in results), {"name": "mean", "value": 0.5}]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


# ------------------------------------------------------------------------------------- the record that is handed out


@pytest.fixture(scope="module", name="recorded")
def _recorded() -> dict[Experiment, Result]:
    assert RECORD.is_file(), "make record writes it"
    return read_record()[0]


def test_the_record_is_small_and_whole_and_says_what_made_it(
    recorded: dict[Experiment, Result],
) -> None:
    assert RECORD.stat().st_size < 2e6
    assert set(recorded) == set(grid())
    made_by = read_record()[1]
    assert set(made_by) == set(versions())
    assert all(re.match(r"\d+\.\d+", value) for name, value in made_by.items() if name != "machine")
    assert made_by["machine"]
    for result in recorded.values():
        assert (result.penalty is None) == (result.experiment.protocol == "finetune")
        assert all(0 <= getattr(result, name) <= 1 for name in OUTCOMES[:3])
        assert result.history["step"][-1] == result.experiment.steps
        assert len({len(values) for values in result.history.values()}) == 1


# ----------------------------------------------------------------------------------------------------------- comparisons


def result(
    test: float, seed: int = 0, strength: float = 0.0, validation: float = 0.5, **settings: Any
) -> Result:
    return Result(
        Experiment(seed=seed, strength=strength, **settings),
        test,
        validation,
        0.9,
        None,
        {"step": []},
    )


def test_paired_difference_is_the_t_interval_of_the_seeds_in_common() -> None:
    ours, theirs = [0.61, 0.7, 0.66, 0.72, 0.5], [0.6, 0.62, 0.61, 0.7, 0.58]
    for confidence in (0.95, 0.8):
        expected = stats.ttest_rel(ours, theirs).confidence_interval(confidence)
        found = sweeps.paired_difference(
            [result(x, seed) for seed, x in enumerate(ours)] + [result(0.99, 17)],
            [result(x, seed) for seed, x in reversed(list(enumerate(theirs)))] + [result(0.01, 18)],
            confidence,
        )
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert (found.mean, found.n) == (pytest.approx(np.mean(ours) - np.mean(theirs)), 5)
    with pytest.raises(ValueError, match=r"seeds in common, got \[0\] and \[1\]"):
        sweeps.paired_difference([result(0.5)], [result(0.5, 1)])


def test_interval_is_students_and_infinite_for_one_value() -> None:
    values = [0.2, 0.5, 0.9]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    found = sweeps.interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert str(found) == f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    one = sweeps.interval([0.4])
    assert (one.mean, one.low, one.high, one.n) == (0.4, -float("inf"), float("inf"), 1)
    for bad in ([], [0.1, float("nan")]):
        with pytest.raises(ValueError, match="one or more finite numbers"):
            sweeps.interval(bad)


def test_strength_is_chosen_on_validation_not_on_test() -> None:
    scores = {0.0: (0.4, 0.9), 1e-3: (0.7, 0.1), 1e-2: (0.7, 0.8), 1e-1: (0.5, 0.95)}
    results = [
        result(t, seed, s, v + 0.01 * seed)
        for s, (v, t) in reversed(scores.items())
        for seed in (0, 1)
    ]
    assert sweeps.choose_strength(results) == 1e-3, (
        "best mean validation accuracy, of equals the smallest"
    )
    with pytest.raises(ValueError, match="one or more, got none"):
        sweeps.choose_strength([])


def test_compare_gives_a_row_for_each_protocol_labels_and_strength() -> None:
    gains = {0.0: (0.0, 0.0), 1e-3: (0.1, 0.14), 1e-2: (0.3, 0.2)}
    results = [
        result(
            0.4 + 0.05 * seed + gain,
            seed,
            strength,
            0.5 if strength == 1e-3 else 0.4,
            labels=labels,
            protocol=protocol,
        )
        for protocol, labels in (("probe", 50), ("finetune", 50), ("probe", 100))
        for strength, pair in reversed(gains.items())
        for seed, gain in enumerate(pair)
    ]
    rows = sweeps.compare(results)
    assert [(row["protocol"], row["labels"]) for row in rows[::3]] == [
        ("probe", 50),
        ("finetune", 50),
        ("probe", 100),
    ]
    for start in (0, 3, 6):
        assert [row["strength"] for row in rows[start : start + 3]] == [0.0, 1e-3, 1e-2]
        assert [row["chosen"] for row in rows[start : start + 3]] == [False, True, False], (
            "by validation accuracy"
        )
    expected = stats.ttest_1samp([0.1, 0.14], 0).confidence_interval()
    assert rows[1]["difference"] == pytest.approx(0.12)
    assert rows[1]["accuracy"] == pytest.approx(0.425 + 0.12)
    assert (rows[1]["low"], rows[1]["high"], rows[1]["seeds"]) == (
        pytest.approx(expected.low),
        pytest.approx(expected.high),
        2,
    )
    assert (rows[0]["difference"], rows[0]["low"], rows[0]["high"]) == (0, 0, 0)
    with pytest.raises(ValueError, match="seeds in common"):
        sweeps.compare([r for r in results if r.experiment.strength])
