"""Many experiments: run here, or swept into a store, on one machine or many."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm.auto import tqdm

from lautum_utils.numbers import whole_number
from lautum_utils.results.results import Results
from lautum_utils.results.store import StoreError, open_store, read_store, store_result
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Progress, Result
from lautum_utils.training.run import run_each
from lautum_utils.training.stacks import stacks

NETWORKS_A_JOB = 8  # in an executor, if nothing else is said


def run(
    experiments: Experiment | Iterable[Experiment],
    device: str | torch.device = "auto",
    *,
    progress: bool = True,
    callback: Callable[[Progress], object] | None = None,
    checkpoints: str | Path | None = None,
    keep_networks: bool = False,
) -> Results:
    """Run experiments and return their results in the order given. `run_each` has the arguments.

    If the callback stops the run, only the experiments already finished are returned.
    """
    wanted = [experiments] if isinstance(experiments, Experiment) else list(experiments)
    how = {"progress": progress, "callback": callback, "checkpoints": checkpoints}
    each = run_each(wanted, device, keep_networks=keep_networks, **how)  # type: ignore[arg-type]
    done = {result.experiment: result for result in each}
    return Results(done[e] for e in wanted if e in done)


class _Worker(NamedTuple):
    """How a job is run where an executor puts it."""

    device: str
    checkpoints: Path
    threads: int


class _Keeper:
    """Stores each result of a sweep the moment it is there."""

    def __init__(self, folder: Path, done: dict[Experiment, Result], bar: tqdm) -> None:
        self.folder, self.done, self.bar = folder, done, bar

    def __call__(self, result: Result) -> None:
        try:
            store_result(result, self.folder)
        except OSError as error:
            told = f"store {self.folder} cannot be written to any more ({error.strerror})."
            raise StoreError(told) from error
        self.done[result.experiment] = result
        self.bar.update()

    def watch(self, now: Progress) -> None:
        if now.step % 20 == 0:
            self.bar.set_postfix_str(f"{now.stage} {now.step / now.total:.0%}")


def sweep(
    experiments: Iterable[Experiment],
    store: str | Path,
    executor: Executor | None = None,
    *,
    device: str | torch.device = "auto",
    stack_size: int | None = None,
    threads: int = 1,
    progress: bool = True,
) -> Results:
    """Run what the store does not hold yet, store each result as it comes, return them all.

    executor: any concurrent.futures.Executor whose workers can import lautum_utils, such as a
    ProcessPoolExecutor (with the "spawn" context), or dask.distributed.Client(...).get_executor()
    for a cluster; None runs here. stack_size: networks trained side by side, by default as many as
    memory allows here and 8 in a job of an executor. threads: of torch, in a job.
    An experiment that fails stops no other and is not stored: `Results.errors` says what went
    wrong. Interrupted, killed, or left by its workers: the same call again goes on from there.
    ValueError: equal experiments; a store that cannot be used. StoreError: it no longer can.
    RuntimeError: the executor died.
    """
    wanted, threads = list(experiments), whole_number(threads, "threads", least=1)
    _require_different(wanted)
    folder = open_store(store)
    done = {result.experiment: result for result in read_store(folder)}
    missing, errors = [e for e in wanted if e not in done], dict[Experiment, str]()
    with tqdm(total=len(wanted), unit="run", disable=not progress, desc="sweep") as bar:
        bar.update(len(wanted) - len(missing))
        keep = _Keeper(folder, done, bar)
        with _nothing_lost(wanted, folder):
            if executor is None:
                for stack in stacks(missing, device, stack_size):
                    errors |= _run_job(stack, device, folder / "checkpoints", keep, keep.watch)
            else:
                jobs = stacks(missing, device, stack_size or NETWORKS_A_JOB)
                worker = _Worker(str(device), folder / "checkpoints", threads)
                errors |= _spread(executor, jobs, worker, keep)
    for experiment, error in errors.items():
        warnings.warn(f"{experiment} failed: {error}", stacklevel=2)
    return Results((done[e] for e in wanted if e in done), errors)


def _require_different(experiments: Sequence[Experiment]) -> None:
    for experiment, times in Counter(experiments).most_common(1):
        if times > 1:
            raise ValueError(
                "experiments need to differ from one another, "
                f"got this one {times} times: {experiment}."
            )


@contextmanager
def _nothing_lost(wanted: Sequence[Experiment], folder: Path) -> Iterator[None]:
    """What ends a sweep before its time says how much is stored."""
    try:
        yield
    except (KeyboardInterrupt, BrokenExecutor, CancelledError) as end:
        stored = len({r.experiment for r in read_store(folder)} & set(wanted))
        kept = f"{stored} of {len(wanted)} results are in {folder}"
        again = f"{kept}; the same sweep goes on from there"
        if isinstance(end, KeyboardInterrupt):
            raise KeyboardInterrupt(f"interrupted: {again}.") from None
        told = f"the executor died ({type(end).__name__}): {again}, with another executor."
        raise RuntimeError(told) from end


def _run_job(
    stack: Sequence[Experiment],
    device: str | torch.device,
    checkpoints: Path,
    keep: Callable[[Result], object],
    watch: Callable[[Progress], object] | None = None,
) -> dict[Experiment, str]:
    """Run a stack. If it fails, run its halves, down to the experiment that is at fault: what went
    wrong, by experiment."""
    left = list(stack)
    try:
        for result in run_each(
            stack, device, progress=False, callback=watch, checkpoints=checkpoints
        ):
            keep(result)
            left.remove(result.experiment)
        return {}
    except StoreError:
        raise
    except Exception as error:
        if len(left) == 1:
            return {left[0]: f"{type(error).__name__}: {error}"}
        half, errors = len(left) // 2, dict[Experiment, str]()
        for part in (left[:half], left[half:]):
            errors |= _run_job(part, device, checkpoints, keep, watch)
        return errors


def _in_worker(
    stack: Sequence[Experiment], worker: _Worker
) -> tuple[list[Result], dict[Experiment, str]]:
    before, results = torch.get_num_threads(), list[Result]()
    torch.set_num_threads(worker.threads)
    try:
        errors = _run_job(stack, worker.device, worker.checkpoints, results.append)
    finally:
        torch.set_num_threads(before)
    return results, errors


def _spread(
    executor: Executor,
    jobs: Iterable[Sequence[Experiment]],
    worker: _Worker,
    keep: Callable[[Result], object],
) -> dict[Experiment, str]:
    """Give each stack to the executor as a job, keep what comes back: what went wrong, by
    experiment."""
    pending: dict[Future[Any], Sequence[Experiment]] = {}
    errors: dict[Experiment, str] = {}
    try:
        for stack in jobs:
            pending[executor.submit(_in_worker, stack, worker)] = stack
        for future in as_completed(list(pending)):
            stack = pending.pop(future)
            try:
                results, failed = future.result()
            except (BrokenExecutor, CancelledError):
                raise
            # The job was lost on its way: a worker that keeps dying, a result that does not travel.
            except Exception as error:
                results, failed = [], dict.fromkeys(stack, f"{type(error).__name__}: {error}")
            for result in results:
                keep(result)
            errors |= failed
    finally:
        for future in [future for future in pending if not future.cancel()]:
            if future.done() and future.exception() is None:
                results, _ = future.result()
                for result in results:
                    keep(result)
    return errors
