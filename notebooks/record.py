"""The recorded grid behind the playground's sliders: every shift, severity, weight, number of labels and protocol, four seeds.

make record        (10 to 20 minutes on two cores; interrupted, it goes on where it was)
"""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

from lautum_utils.domains import SHIFTS
from lautum_utils.playground import BASE, SEVERITIES, STRENGTHS
from lautum_utils.sweeps import RECORD, read_store, record, sweep
from lautum_utils.training import Experiment

LABELS, PROTOCOLS, SEEDS = (50, 100, 200, 400), ("probe", "finetune"), range(4)


def grid() -> list[Experiment]:
    """At severity 0 every shift but the label-part swap is the identity, so these stand once, under "none"."""
    places = [("none", 0.0), *product(("label_part_swap",), SEVERITIES), *product(SHIFTS, SEVERITIES[1:])]
    return [
        replace(BASE, shift=kind, severity=severity, strength=strength, seed=seed, protocol=protocol, labels=labels)
        for (kind, severity), strength, seed, protocol, labels in product(places, STRENGTHS, SEEDS, PROTOCOLS, LABELS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the recorded grid behind the playground's sliders.")
    parser.add_argument("--store", type=Path, default=Path("record.store"), help="folder of single results, to go on from")
    parser.add_argument("--output", type=Path, default=RECORD, help="the file to write (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    arguments = parser.parse_args()
    experiments = grid()
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        rows = sweep(experiments, arguments.store, pool, task_size=18)
    failed = rows[rows.error != ""]
    if len(failed):
        raise SystemExit(f"{len(failed)} of {len(rows)} experiments failed, the first with: {failed.error.iloc[0]}")
    wanted = set(experiments)
    record([result for result in read_store(arguments.store) if result.experiment in wanted], arguments.output)
    print(f"{len(rows)} results, {arguments.output.stat().st_size / 1e6:.2f} MB in {arguments.output}")


if __name__ == "__main__":
    main()
