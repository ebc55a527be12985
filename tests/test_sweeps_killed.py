"""Sweeps that are killed, parent and worker, by kill -9 and by ctrl-C: what had finished is there, and is not run again."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lautum_utils import sweeps
from lautum_utils.sweeps import read_store, sweep
from lautum_utils.training import Experiment, run

EXPERIMENTS = [
    Experiment(network="cnn", steps=8, labels=20, seed=seed, strength=s)
    for seed in range(2)
    for s in (0.0, *(10.0**-i for i in range(2, 6)))
]
SCRIPT = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sweeps_killed import EXPERIMENTS
from lautum_utils.sweeps import sweep
sweep(EXPERIMENTS, sys.argv[1], device="cpu", progress=False)
"""


def whole(store: Path) -> dict[str, float]:
    """The results under their final names, each read as JSON: a half-written one would fail here."""
    return {p.name: json.loads(p.read_text())["test_accuracy"] for p in store.glob("*.json") if p.name != "store.json"}


def interrupted(store: Path, sign: signal.Signals) -> tuple[dict[str, float], str]:
    """What a sweep in another process has stored when it gets this signal, after its third result."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(store)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list(store.glob("[0-9a-f]*.json"))) < 3:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(sign)
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    return whole(store), told


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Experiment]:
    """A list that fills with the experiments that this process runs."""
    started: list[Experiment] = []

    def counting(task, *arguments, **settings):  # type: ignore[no-untyped-def]
        started.extend(task)
        return run(task, *arguments, **settings)

    monkeypatch.setattr(sweeps, "run", counting)
    return started


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "ctrl-C"])
def test_a_killed_sweep_loses_nothing_that_had_finished(
    sign: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, told = interrupted(tmp_path, sign)
    assert 3 <= len(before) < len(EXPERIMENTS)
    if sign == signal.SIGINT:
        assert f"interrupted: {len(before)} of {len(EXPERIMENTS)} results are in {tmp_path}" in told
    started = counted(monkeypatch)
    rows = sweep(EXPERIMENTS, tmp_path, device="cpu", progress=False)
    after = whole(tmp_path)
    lost = [name for name, accuracy in before.items() if after.get(name) != accuracy]
    print(f"{sign.name}: {len(before)} finished before, {len(started)} run after, {len(lost)} lost")
    assert not lost
    assert len(started) == len(EXPERIMENTS) - len(before) == len(set(started))
    assert len(after) == len(EXPERIMENTS)
    assert (rows.error == "").all()
    assert rows.test_accuracy.tolist() == [r.test_accuracy for r in run(EXPERIMENTS, "cpu", progress=False)]


def _end_of_a_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_killed_in_the_middle_breaks_the_pool_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = multiprocessing.get_context("spawn")
    store_result = sweeps.store_result

    with ProcessPoolExecutor(1, spawn) as pool:

        def kill_after_two(result: object, store: object) -> Path:
            path = store_result(result, store)  # type: ignore[arg-type]
            if len(whole(tmp_path)) == 2:
                for process in list(pool._processes.values()):
                    process.kill()
            return path

        monkeypatch.setattr(sweeps, "store_result", kill_after_two)
        with pytest.raises(
            RuntimeError, match=r"the executor died \(BrokenProcessPool\): \d+ of 10 results are in .*another executor"
        ):
            sweep(EXPERIMENTS, tmp_path, pool, device="cpu", progress=False)
    monkeypatch.setattr(sweeps, "store_result", store_result)
    before = whole(tmp_path)
    assert 2 <= len(before) < len(EXPERIMENTS)
    with ProcessPoolExecutor(1, spawn) as pool:
        rows = sweep(EXPERIMENTS, tmp_path, pool, device="cpu", progress=False)
    after = whole(tmp_path)
    lost = [name for name, accuracy in before.items() if after.get(name) != accuracy]
    print(f"worker killed: {len(before)} finished before, {len(after) - len(before)} run after, {len(lost)} lost")
    assert not lost
    assert len(after) == len(EXPERIMENTS) == len(read_store(tmp_path))
    assert (rows.error == "").all()


def test_an_executor_that_is_shut_down_is_told_and_keeps_what_was_stored(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(Exception, match="terminated abruptly"):
            pool.submit(_end_of_a_worker).result()
        with pytest.raises(RuntimeError, match="0 of 10 results"):
            sweep(EXPERIMENTS, tmp_path, pool, device="cpu", progress=False)
    assert whole(tmp_path) == {}
