"""A command that runs many experiments on all cores, goes on where it was, and writes their results
as one record."""

import argparse
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lautum_utils.results.records import write_record
from lautum_utils.results.results import Results
from lautum_utils.results.store import open_store
from lautum_utils.results.sweeps import sweep
from lautum_utils.training.experiments import Experiment

NETWORKS_A_JOB = 18


def run_on_all_cores(
    experiments: list[Experiment], store: Path, workers: int, stack_size: int = NETWORKS_A_JOB
) -> Results:
    """Run what the store does not hold. SystemExit: stopped by Ctrl-C, or experiments failed."""
    # Ctrl-C is for this process, which lets the others finish what they are at.
    deaf = signal.SIGINT, signal.SIG_IGN
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, signal.signal, deaf) as pool:
            results = sweep(experiments, store, pool, stack_size=stack_size)
    except KeyboardInterrupt:
        raise SystemExit(
            f"\nStopped. What is done is kept in {store}: the same command goes on from there."
        ) from None
    for error in results.errors.values():
        raise SystemExit(
            f"{len(results.errors)} of {len(experiments)} experiments failed, one with: {error}"
        )
    return results


def main(title: str, experiments: list[Experiment], store: str, output: Path) -> None:
    """The command: run experiments on all cores, into a store, and write them as one record."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument(
        "--store", type=Path, default=Path(store), help="folder of single results, to go on from"
    )
    parser.add_argument(
        "--output", type=Path, default=output, help="the file to write (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )
    options = parser.parse_args()
    try:
        open_store(options.store)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    results = run_on_all_cores(experiments, options.store, options.workers)
    write_record(results, options.output)
    size = options.output.stat().st_size / 1e6
    print(f"{len(results)} results, {size:.2f} MB in {options.output}")
