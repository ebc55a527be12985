"""The recorded grid behind the playground's sliders: every shift, severity, weight, number of
labels and protocol, four seeds.

make record        (10 to 20 minutes on two cores; interrupted, it goes on where it was)
"""

import argparse
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import RECORD, write_record
from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import sweep
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.experiments import grid as combinations
from lautum_utils.widgets.playground import BASE, SEVERITIES, STRENGTHS

LABELS, PROTOCOLS, SEEDS = (50, 100, 200, 400), ("probe", "finetune"), range(4)
NETWORKS_A_JOB = 18


def grid() -> list[Experiment]:
    """At severity 0 every shift but the label-part swap is the identity, so these stand once, under
    "none"."""
    places = [("none", 0.0), *product(["label_part_swap"], SEVERITIES)]
    places += product(SHIFTS, SEVERITIES[1:])
    bases = [replace(BASE, shift=shift, severity=severity) for shift, severity in places]
    return combinations(bases, strength=STRENGTHS, seed=SEEDS, protocol=PROTOCOLS, labels=LABELS)


def run_on_all_cores(experiments: list[Experiment], store: Path, workers: int) -> Results:
    """Run what the store does not hold. SystemExit: stopped by Ctrl-C, or experiments failed."""
    # Ctrl-C is for this process, which lets the others finish what they are at.
    deaf = signal.SIGINT, signal.SIG_IGN
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, signal.signal, deaf) as pool:
            results = sweep(experiments, store, pool, stack_size=NETWORKS_A_JOB)
    except KeyboardInterrupt:
        raise SystemExit(
            f"\nStopped. What is done is kept in {store}: the same command goes on from there."
        ) from None
    for error in results.errors.values():
        raise SystemExit(
            f"{len(results.errors)} of {len(experiments)} experiments failed, one with: {error}"
        )
    return results


def main(
    title: str = "Make the recorded grid behind the playground's sliders.",
    experiments: Callable[[], list[Experiment]] = grid,
    store: str = "record.store",
    output: Path = RECORD,
) -> None:
    """The command: run a grid on all cores, into a store, and write it as one record."""
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
    results = run_on_all_cores(experiments(), options.store, options.workers)
    write_record(results, options.output)
    size = options.output.stat().st_size / 1e6
    print(f"{len(results)} results, {size:.2f} MB in {options.output}")


if __name__ == "__main__":
    main()
