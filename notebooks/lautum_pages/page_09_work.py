"""What notebook 09 does beside its subject: processes, files, and what two sweeps differ by."""

import json
import multiprocessing.forkserver
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

import lautum_pages
from lautum_utils import Experiment, Results, sweep

from . import train_on_ranks

LIMITS = {torch.float64: 1e-12, torch.float32: 1e-4}  # what counts as equal


def ready_workers() -> Any:
    """How processes are started here: forked from a server, where there can be one, which imports
    once what they need while the page goes on. One thread each: small matrices gain nothing from
    more, and all processes share the cores."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["lautum_utils.results.sweeps", "distributed"])
        multiprocessing.forkserver.ensure_running()
    return context


def local_cluster(workers: int, folder: Path, context: Any) -> Any:
    """A Dask cluster of so many processes on this machine, which says critical things only."""
    import dask
    import distributed

    dask.config.set({"distributed.worker.multiprocessing-method": context.get_start_method()})
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        local_directory=str(folder),
        silence_logs=50,
    )


def written(store: Path) -> dict[str, int]:
    """The results of a store: when each was written, in nanoseconds, by the name of its file."""
    return {path.name: path.stat().st_mtime_ns for path in store.glob("[0-9a-f]*.json")}


def held_by(store: Path) -> pd.Series:
    """What one file of a store holds; of the curves of the training, how long they are."""
    path = next(iter(store.glob("[0-9a-f]*.json")))
    held = json.loads(path.read_bytes())
    held["history"] = {name: f"{len(curve)} numbers" for name, curve in held["history"].items()}
    return pd.Series(held, name=path.name)


def sweep_and_kill(
    context: Any, experiments: Sequence[Experiment], store: Path, after: int
) -> tuple[int, int]:
    """Sweep in a process of its own, one network after the other, and kill it after so many
    results: when, in nanoseconds, and its exit code."""
    settings = {"device": "cpu", "stack_size": 1, "progress": False}
    process = context.Process(target=sweep, args=(experiments, store), kwargs=settings)
    process.start()
    while process.is_alive() and len(written(store)) < after:
        time.sleep(0.002)
    moment = time.time_ns()
    process.kill()
    process.join()
    return moment, process.exitcode


def largest_difference(ours: Results, theirs: Results) -> float:
    """The largest difference of two sweeps, in any accuracy."""
    columns = ["test_accuracy", "validation_accuracy", "source_accuracy"]
    gap = (ours.table[columns] - theirs.table[columns]).abs()
    return float(gap.max(skipna=False).max())


def notebook_here(name: str) -> Path:
    """A notebook of the suite, in this folder or beside the exercises."""
    places = [Path.cwd(), Path(lautum_pages.__file__).parent.parent]
    return next(path for place in places for path in place.glob(name))


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Independent standard normal numbers."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def relative(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def torchrun(ranks: int, batch: int, output: Path) -> None:
    """Run `train_on_ranks` on so many ranks. RuntimeError: what it says, if it fails."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={ranks}", train_on_ranks.__file__, str(batch), str(output)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])


def compared(output: Path, batch: int) -> pd.DataFrame:
    """By how much value, gradient and trained parameters of the ranks miss those of one process
    with the whole batch; last, one process with its rows in another order."""
    answers, rows, found = json.loads(output.read_bytes()), torch.arange(batch), {}
    for dtype in LIMITS:
        name = str(dtype)[6:]
        alone = train_on_ranks.train(dtype, batch, (rows, rows))
        value, gradient, parameters = train_on_ranks.train(dtype, batch, (rows.flip(0),) * 2)
        cases = {k.split(", ", 1)[1]: v for k, v in answers.items() if k.startswith(name)}
        cases["one process, rows reversed"] = value, gradient[::-1], parameters
        for case, answer in cases.items():
            pairs = zip(("value", "gradient", "parameters"), answer, alone, strict=True)
            for what, ours, theirs in pairs:
                found[case, name, what] = relative(_numbers(ours), _numbers(theirs))
    return pd.Series(found).unstack([1, 2])


def _numbers(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device="cpu")
