"""Sweeps on one worker and on two, and what the store costs."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from benching import Bench, Works
from dask.distributed import Client, LocalCluster

from lautum_utils.results.results import Results
from lautum_utils.results.store import open_store, read_store, store_result
from lautum_utils.results.sweeps import run, sweep
from lautum_utils.training.experiments import Experiment


@contextmanager
def _executors(processes: bool) -> Iterator[dict[str, Executor]]:
    """One worker and two, of the standard library and of Dask: processes, or threads, which start
    at once."""
    spawn = multiprocessing.get_context("spawn")
    pool: Any = partial(ProcessPoolExecutor, mp_context=spawn) if processes else ThreadPoolExecutor
    with (
        pool(1) as one,
        pool(2) as two,
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        names = sorted(client.scheduler_info()["workers"])
        yield {
            "process 1": one,
            "process 2": two,
            "Dask worker 1": client.get_executor(workers=names[:1]),
            "Dask worker 2": client.get_executor(workers=names),
        }


def test_sweep_on_one_and_two_workers(bench: Bench, tmp_path: Path) -> None:
    """The same 8 jobs of 4 networks on one worker and on two; start of the workers, imports and
    data are not counted."""
    base = Experiment(steps=bench.size(200, 2))
    wanted = [replace(base, strength=1e-4 * (1 + i)) for i in range(bench.size(32, 2))]
    to_begin = [replace(base, strength=1e-5 * (1 + i), steps=2) for i in range(bench.size(16, 2))]
    # Workers that share a process share this setting: it is not to change.
    threads = bench.size(1, torch.get_num_threads())
    numbers, found = count(), list[Results]()

    def work(executor: Executor, experiments: list[Experiment], size: int) -> None:
        store = tmp_path / str(next(numbers))
        how = {"device": "cpu", "stack_size": size, "threads": threads, "progress": False}
        found.append(sweep(experiments, store, executor, **how))

    with _executors(processes=bench.full) as executors:
        for executor in executors.values():
            work(executor, to_begin, bench.size(2, 1))
        found.clear()
        works: Works = {
            name: partial(work, executor, wanted, bench.size(4, 1))
            for name, executor in executors.items()
        }
        medians = bench.medians(works, 2, block=1, warmup=0)
    assert all(results.table.equals(found[0].table) for results in found)
    assert not found[0].errors
    for worker, plural in (("process", "processes"), ("Dask worker", "Dask workers")):
        name = f"sweep on one {worker} / on two, one thread each"
        bench.ratio(name, medians, f"{worker} 1", f"{worker} 2", ">= 1.7")
        cells = {n: medians[f"{worker} {n}"] for n in (1, 2)}
        bench.grows(f"sweep of {len(wanted)} networks, s by {plural}", cells)


def test_what_the_store_costs(bench: Bench, tmp_path: Path) -> None:
    (result,) = run(Experiment(steps=bench.size(50, 2)), "cpu", progress=False)
    results = [
        replace(result, experiment=replace(result.experiment, seed=seed))
        for seed in range(bench.size(200, 2))
    ]
    store = open_store(tmp_path / "store")
    works: Works = {
        "write": lambda: [store_result(one, store) for one in results],
        "read": lambda: read_store(store),
    }
    medians = bench.medians(works, 5, block=1)
    assert len(read_store(store)) == len(results)
    write, read = (1e3 * medians[name] / len(results) for name in works)
    of = f"({write:.3g} ms + {read:.3g} ms)"
    bench.promise("store: writing and reading a result", write + read, "ms", "<= 2", of)
