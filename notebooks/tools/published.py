"""The published tasks, with every baseline and method: the record that notebook 08 shows.

make published DATA=FOLDER   the images of a folder, see `published_sets.find_sets`
make published               the published sets, downloaded

What is run stands in `published_grid`. It goes seed by seed and writes the record after each, so
that it may be stopped (Ctrl-C); the same command, with the same folder, goes on where it was. A
task whose images are not there is left out.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lautum_utils.data.domains import EMBEDDED
from lautum_utils.results.records import write_record
from lautum_utils.results.store import open_store, read_store
from lautum_utils.training.experiments import Experiment
from notebooks.tools import published_cost, recording
from notebooks.tools.places import RECORDS
from notebooks.tools.published_grid import SEEDS, TASKS, Task, grid
from notebooks.tools.published_sets import Sets, counts_of, find_sets

PUBLISHED = RECORDS / "published.json.gz"


class Work(NamedTuple):
    """What is to be done, on how many processes, where it goes, and which images it takes."""

    tasks: list[str]
    seeds: list[int]
    sets: Sets
    workers: int
    store: Path
    output: Path
    from_folder: bool

    def experiments(self, seed: int) -> dict[Experiment, Experiment]:
        """Those of a seed, by what is run: with the images that were found, in place of the name of
        the set."""
        named = grid(self.tasks, [seed])
        return {self.as_found(e): e for e in named}

    def as_found(self, e: Experiment) -> Experiment:
        domains = self.sets.domains
        source, target = (domains.get(name, name) for name in (e.source, e.target))
        return replace(e, source=source, target=target)


def plan(options: argparse.Namespace) -> Work:
    """Which tasks have their images; the others are named, with the reason. SystemExit: none."""
    names = {name: _sets_of(TASKS[name]) for name in options.tasks}
    wanted = dict.fromkeys(name for both in names.values() for name in both)
    try:
        sets = find_sets(wanted, options.data or None)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    away = {n: [sets.missing[m] for m in both if m in sets.missing] for n, both in names.items()}
    for name in [name for name in names if away[name]]:
        print(f"{TASKS[name].title} is left out: {away[name][0]}")
    tasks = [name for name in names if not away[name]]
    if not tasks:
        raise SystemExit("Nothing is left to run.")
    used = {name for task in tasks for name in names[task]}
    sets = Sets({name: sets.domains[name] for name in used}, sets.missing)
    how = options.workers, options.store, options.output, bool(options.data)
    return Work(tasks, options.seeds, sets, *how)


def _sets_of(task: Task) -> list[str]:
    return [name for name in (task.base.source, task.base.target) if name not in EMBEDDED]


def run_seeds(work: Work) -> None:
    """Run what the store does not hold, seed after seed, and write the record after each."""
    for number, seed in enumerate(work.seeds):
        started = time.perf_counter()
        recording.run_on_all_cores(list(work.experiments(seed)), work.store, work.workers)
        spent = published_cost.add_seconds(work.store, time.perf_counter() - started)
        write_finished(work, work.seeds[: number + 1], spent)


def finished(work: Work) -> list[int]:
    """The seeds that the store holds whole."""
    done = {result.experiment for result in read_store(work.store)}
    return [seed for seed in work.seeds if done.issuperset(work.experiments(seed))]


def write_finished(work: Work, seeds: Sequence[int], seconds: float) -> None:
    """The record of these seeds, under the names of the sets: no path of this machine is in it."""
    named = {k: e for seed in seeds for k, e in work.experiments(seed).items()}
    done = {result.experiment: result for result in read_store(work.store)}
    about = {
        "command": "make published DATA=FOLDER" if work.from_folder else "make published",
        "images": counts_of(work.sets.domains),
        "seconds": round(seconds),
        "processes": work.workers,
    }
    results = [replace(done[k], experiment=e) for k, e in named.items()]
    write_record(results, work.output, about)
    size = work.output.stat().st_size / 1e6
    print(f"{len(seeds)} seeds, {len(results):,} results, {size:.2f} MB in {work.output}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command. SystemExit: no images, stopped, experiments failed."""
    parser = argparse.ArgumentParser(description="Make the record of the published tasks.")
    parser.add_argument(
        "--data", default="", help="a folder of images; without one they are downloaded"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument(
        "--store", type=Path, default=Path("published.store"), help="single results, to go on from"
    )
    parser.add_argument("--output", type=Path, default=PUBLISHED, help="the record to write")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--finished", action="store_true", help="run nothing: write the seeds that are whole"
    )
    options = parser.parse_args(arguments)
    work = plan(options)
    open_store(work.store)
    if options.finished:
        write_finished(work, finished(work), published_cost.add_seconds(work.store, 0))
        return
    done = {result.experiment for result in read_store(work.store)}
    named = {k: e for seed in work.seeds for k, e in work.experiments(seed).items()}
    missing = [e for k, e in named.items() if k not in done]
    print(published_cost.estimate(missing, work.workers))
    run_seeds(work)


if __name__ == "__main__":
    main()
