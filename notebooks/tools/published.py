"""The published tasks, with every baseline and method: the record that notebook 08 shows.

make published DATA=FOLDER   the images of a folder, see `published_sets.find_sets`
make published               the published sets, downloaded

What is run stands in `published_grid`: first the seeds that choose weights, then those that report.
It goes seed by seed and writes the record after each, so that it may be stopped (Ctrl-C); the same
command, with the same folder, goes on where it was. A task whose images are not there is left out.
"""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lautum_utils.data.domains import EMBEDDED
from lautum_utils.results.records import write_record
from lautum_utils.results.store import open_store, read_store
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Result
from notebooks.tools import published_cost, recording
from notebooks.tools.places import RECORDS
from notebooks.tools.published_grid import SEEDS, TASKS, Task, choosing, chosen, reporting
from notebooks.tools.published_sets import Sets, counts_of, find_sets

PUBLISHED = RECORDS / "published.json.gz"
NETWORKS_A_JOB = 4  # each takes minutes: a few a job, so that both processes end together


class Work(NamedTuple):
    """What is to be done, on how many processes, where it goes, and which images it takes."""

    tasks: list[str]
    seeds: list[int]
    sets: Sets
    workers: int
    store: Path
    output: Path
    from_folder: bool

    def choosing(self, done: Mapping[Experiment, Result]) -> dict[Experiment, Experiment]:
        """Those that choose weights, as far as is known from what is done, by what is run: with the
        images that were found, in place of the name of the set."""
        named = (replace(r, experiment=self.as_named(e)) for e, r in done.items())
        known = {r.experiment: r for r in named}
        return {self.as_found(e): e for e in choosing(self.tasks, known)}

    def yet_to_choose(self) -> dict[Experiment, Experiment]:
        """Those of them that are not done; none once no better weight may lie further out."""
        done = self.done()
        return {found: e for found, e in self.choosing(done).items() if found not in done}

    def reporting(
        self, seeds: Sequence[int], done: Mapping[Experiment, Result]
    ) -> dict[Experiment, Experiment]:
        """Those that report, in the same way; done: holds all that choose."""
        named = (replace(done[k], experiment=e) for k, e in self.choosing(done).items())
        return {self.as_found(e): e for e in reporting(self.tasks, chosen(named), seeds)}

    def done(self) -> dict[Experiment, Result]:
        """What the store holds."""
        return {result.experiment: result for result in read_store(self.store)}

    def as_found(self, e: Experiment) -> Experiment:
        return _renamed(e, self.sets.domains)

    def as_named(self, e: Experiment) -> Experiment:
        return _renamed(e, {found: name for name, found in self.sets.domains.items()})


def _renamed(e: Experiment, names: Mapping[str, str]) -> Experiment:
    source, target = (names.get(name, name) for name in (e.source, e.target))
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


def run_all(work: Work) -> None:
    """Run what the store does not hold: what chooses, as long as a better weight may lie further
    out, then seed after seed, with the record written after each."""
    while missing := work.yet_to_choose():
        _tell("To choose weights", work, missing)
        _run(work, list(missing))
    _tell("To report", work, work.reporting(work.seeds, work.done()))
    for number, seed in enumerate(work.seeds):
        _run(work, list(work.reporting([seed], work.done())))
        write_finished(work, work.seeds[: number + 1])


def _tell(what: str, work: Work, named: Mapping[Experiment, Experiment]) -> None:
    """How much of it is still to be run."""
    done = work.done()
    missing = [e for k, e in named.items() if k not in done]
    print(f"{what}: {published_cost.estimate(missing, work.workers)}")


def _run(work: Work, experiments: list[Experiment]) -> None:
    started = time.perf_counter()
    try:
        recording.run_on_all_cores(experiments, work.store, work.workers, NETWORKS_A_JOB)
    finally:
        published_cost.add_seconds(work.store, time.perf_counter() - started)


def finished(work: Work) -> list[int]:
    """The seeds that the store holds whole. SystemExit: weights are not chosen yet."""
    done = work.done()
    if not done.keys() >= work.choosing(done).keys():
        raise SystemExit(f"No seed is whole: {work.store} does not hold all that chooses weights.")
    return [seed for seed in work.seeds if done.keys() >= work.reporting([seed], done).keys()]


def write_finished(work: Work, seeds: Sequence[int]) -> None:
    """The record of these seeds, and of those that chose, under the names of the sets: no path of
    this machine is in it."""
    done = work.done()
    about = {
        "command": _command(work),
        "images": counts_of(work.sets.domains),
        "seconds": round(published_cost.add_seconds(work.store, 0)),
        "processes": work.workers,
    }
    named = work.choosing(done) | work.reporting(seeds, done)
    results = [replace(done[k], experiment=e) for k, e in named.items()]
    write_record(results, work.output, about)
    size = work.output.stat().st_size / 1e6
    print(f"{len(seeds)} seeds, {len(results):,} results, {size:.2f} MB in {work.output}")


def _command(work: Work) -> str:
    """What makes this record again."""
    data = " DATA=FOLDER" if work.from_folder else ""
    fewer = len(work.tasks) < len(TASKS)
    tasks = f' PUBLISHED_ARGS="--tasks {" ".join(work.tasks)}"' if fewer else ""
    return f"make published{data}{tasks}"


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
        write_finished(work, finished(work))
    else:
        run_all(work)


if __name__ == "__main__":
    main()
