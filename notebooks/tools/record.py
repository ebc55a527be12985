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

from lautum_utils.data.domains import SHIFTS
from lautum_utils.results.sweeps import RECORD, read_store, record, sweep
from lautum_utils.training.run import Experiment
from lautum_utils.widgets.playground import BASE, SEVERITIES, STRENGTHS

LABELS, PROTOCOLS, SEEDS = (50, 100, 200, 400), ("probe", "finetune"), range(4)


def grid() -> list[Experiment]:
    """At severity 0 every shift but the label-part swap is the identity, so these stand once, under
    "none"."""
    places = [
        ("none", 0.0),
        *product(("label_part_swap",), SEVERITIES),
        *product(SHIFTS, SEVERITIES[1:]),
    ]
    return [
        replace(
            BASE,
            shift=kind,
            severity=severity,
            strength=strength,
            seed=seed,
            protocol=protocol,
            labels=labels,
        )
        for (kind, severity), strength, seed, protocol, labels in product(
            places, STRENGTHS, SEEDS, PROTOCOLS, LABELS
        )
    ]


def main(
    title: str = "Make the recorded grid behind the playground's sliders.",
    experiments: Callable[[], list[Experiment]] = grid, store: str = "record.store", output: Path = RECORD,
) -> None:  # fmt: skip
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
    arguments = parser.parse_args()
    wanted = experiments()
    alone = (
        signal.SIGINT,
        signal.SIG_IGN,
    )  # Ctrl-C is for this process, which lets the others finish what they are at
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(
            arguments.workers, context, initializer=signal.signal, initargs=alone
        ) as pool:
            rows = sweep(wanted, arguments.store, pool, task_size=18)
    except KeyboardInterrupt:
        raise SystemExit(
            f"\nStopped. What is done is kept in {arguments.store}: the same command goes on from there."
        ) from None
    failed = rows[rows.error != ""]
    if len(failed):
        raise SystemExit(
            f"{len(failed)} of {len(rows)} experiments failed, the first with: {failed.error.iloc[0]}"
        )
    asked = set(wanted)
    record(
        [result for result in read_store(arguments.store) if result.experiment in asked],
        arguments.output,
    )
    print(
        f"{len(rows)} results, {arguments.output.stat().st_size / 1e6:.2f} MB in {arguments.output}"
    )


if __name__ == "__main__":
    main()
