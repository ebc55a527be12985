"""Sweeps that are killed or interrupted: nothing is lost, nothing is run twice."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up import MIXED, QUICK, assert_equal, contents, files, quietly
from waiting import ended, outcome, until

from lautum_utils.results import sweeps
from lautum_utils.results.store import read_store, versions
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import SETTINGS, Experiment
from lautum_utils.training.outcomes import OUTCOMES

MORE = [replace(QUICK, steps=5, strength=1e-4 * (i + 1)) for i in range(24)]


# A sweep that waits for its end once three results are there: in the middle of a training, or of
# writing the fourth.
HELD = """
import signal
import sys
from pathlib import Path

from lautum_utils.results import sweeps
from lautum_utils.training.experiments import Experiment

store, sign, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
run_each, write = sweeps.run_each, Path.write_bytes

def hold(here):
    if here and len(list(store.glob("[0-9a-f]*.json"))) == 3:
        sign.touch()
        signal.pause()

def held_run(*arguments, callback, **options):
    def watch(now):
        hold(where == "training" and now.stage == "stage one" and now.step == 4)
        return callback(now)

    return run_each(*arguments, callback=watch, **options)

def held_write(path, data):
    write(path, data[: len(data) // 2])
    hold(where == "writing")
    return write(path, data)

signal.signal(signal.SIGINT, signal.default_int_handler)
sweeps.run_each, Path.write_bytes = held_run, held_write
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
        return stacks(*arguments, **options)

    stacks = sweeps.stacks
    monkeypatch.setattr(sweeps, "stacks", watched)
    results = quietly(experiments, store, executor, stack_size=4)
    assert given == [e for e in experiments if e not in finished], "only what is missing"
    lost = [name for name, content in before.items() if contents(store)[name] != content]
    assert not lost
    assert not results.errors
    assert len(results) == len(files(store)) == len(read_store(store)) == len(experiments)
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
    code = f"{HELD}\nsweeps.sweep({MORE}, store, device='cpu', stack_size=1, progress=False)"
    command = [sys.executable, "-W", "ignore", "-c", code, str(store), str(sign), where]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as child:
        until(lambda: sign.exists() or child.poll() is not None, "the sweep is in the middle")
        child.send_signal(end)
        _, told = outcome(child)
    assert sign.exists(), told
    # 1: Python forgets what it was when a package (tabulate) runs code at its exit
    assert child.returncode in (-end, 1)
    stored = [json.loads(path.read_bytes()) for path in files(store)]
    assert all({*OUTCOMES, "history", "versions"} < row.keys() for row in stored), (
        "every file under its name is whole"
    )
    assert len(stored) == 3
    if end == signal.SIGINT:
        assert f"KeyboardInterrupt: interrupted: 3 of 24 results are in {store}; the same" in told
    assert bool(list(store.glob(".*"))) == (end == signal.SIGKILL and where == "writing")
    print(f"\n{signal.Signals(end).name}:", counted(MORE, store, monkeypatch, None))
    experiment = Experiment(**{name: stored[0][name] for name in SETTINGS})
    (again,) = run(experiment, "cpu", progress=False)
    row = again.as_row() | {"history": again.history, "versions": versions()}
    assert row == stored[0], "to the last bit"


class HeldPool(ProcessPoolExecutor):
    """Its only worker does JOBS of them, and in the next it waits for its end."""

    JOBS = 4
    given = 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.given += 1
        return (
            super().submit(function, *arguments, **options)
            if self.given <= self.JOBS
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
                lambda: len(files(tmp_path)) == HeldPool.JOBS,
                "the worker has done its jobs, and is held in the next",
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
        quietly(wanted, tmp_path, pool, stack_size=1)
    ended(killer)
    assert len(files(tmp_path)) == HeldPool.JOBS
    kept = f"4 of 30 results are in {tmp_path}; the same sweep goes on from there"
    assert f"{kept}, with another executor." in str(caught.value)
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
from pathlib import Path

from lautum_utils import Experiment, grid, read_store, sweep

base = Experiment(
    shift="rotation", steps=1, labels=50, source_batch=16, target_batch=64, n_components=8
)
tuned = grid(base, protocol="finetune", finetune_steps=range(1, 10))
weights = [1e-4 * number for number in range(13)]
experiments = grid([base, *tuned], severity=(0.4, 1.0), seed=range(4), strength=weights)[:1000]
results = sweep(experiments, sys.argv[1], device="cpu", progress=False)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
# On Linux a child's ru_maxrss begins with that of the process that started it.
if (status := Path("/proc/self/status")).exists():
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text(encoding="utf-8"))[1])
print(len(results), len(results.errors), len(read_store(sys.argv[1])), peak)
"""


def test_a_thousand_experiments_take_less_than_two_gibibytes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", THOUSAND, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    *counts, peak = map(int, done.stdout.split())
    assert counts == [1000, 0, 1000]
    gibibytes = peak * (1 if sys.platform == "darwin" else 1024) / 2**30
    print(f"\n1000 experiments: {gibibytes:.2f} GiB at most")
    assert 0.1 < gibibytes < 2
