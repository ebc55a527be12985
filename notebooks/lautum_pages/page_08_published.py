"""The record of the published tasks as notebook 08 asks it: one object that knows its places."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from lautum_pages import page_08_record as asked
from lautum_pages.page_08_record import METHOD, Contestant, Place, Standing
from lautum_utils import Experiment, Results, read_record
from lautum_utils.results.records import read_about
from notebooks.tools import published, published_cost, published_sets
from notebooks.tools.published_grid import CHOOSING


@dataclass(frozen=True)
class Published:
    """Recorded results, who stands where, and how each method stands there.

    found: at each place, everybody by name. standings: at each place, the methods by name.
    """

    results: Results
    about: Mapping[str, Any]
    torch: str
    found: Mapping[Place, Mapping[str, Contestant]]
    standings: Mapping[Place, Mapping[str, Standing]]

    @property
    def tasks(self) -> list[str]:
        """In words, in the order of the record."""
        return list(dict.fromkeys(map(asked.task_name, self.found)))

    @property
    def labels(self) -> list[int]:
        return self.results.values("labels")

    @property
    def choosing(self) -> Results:
        """Of the seeds that try every weight."""
        return self.results.where(seed=CHOOSING)

    @property
    def methods(self) -> dict[str, str]:
        """Those with a weight in stage one: the name in words, and that of `Experiment.method`."""
        names = self.choosing.values("method")
        return {asked.NAMES[name]: name for name in names if name != "standard"}

    def places(self, task: str = "", labels: Iterable[int] = (), protocol: str = "") -> list[Place]:
        """Those of a task, of some numbers of labels, of a protocol; of all, where none is said."""
        wanted = tuple(labels) or tuple(self.labels)
        return [
            place
            for place in self.found
            if (not task or asked.task_name(place) == task)
            and place.labels in wanted
            and protocol in ("", place.protocol)
        ]

    def panels(self, places: Sequence[Place]) -> dict[str, Mapping[str, Contestant]]:
        """Who stands there, by what tells one place from the others: the task, or labels and
        protocol."""
        by_task = len({asked.task_name(place) for place in places}) > 1
        titles = {p: f"{p.labels} labels, {asked.PROTOCOLS[p.protocol]}" for p in places}
        return {asked.task_name(p) if by_task else titles[p]: self.found[p] for p in places}

    def winners(self, places: Iterable[Place]) -> str:
        """Who beats the control and every simple baseline at how many of these places, in words,
        the most frequent first."""
        counts = asked.how_often(self.standings[place] for place in places)
        order = sorted(counts, key=lambda name: -counts[name][0])
        won = [f"{n} at {counts[n][0]} of {counts[n][1]}" for n in order if counts[n][0]]
        return ", ".join(won) or "nobody"

    def in_words(self) -> str:
        """How many results, what made them, and from how many images."""
        seeds = [seed for seed in self.results.values("seed") if seed not in CHOOSING]
        about = self.about
        took = published_cost.in_words(about["seconds"])
        images = published_sets.images_in_words(about["images"])
        return "\n".join(
            [
                f"{len(self.results):,} results: {len(CHOOSING)} seeds choose weights, "
                f"{len(seeds)} others report",
                f"{about['command']}: {took} on {about['processes']} processes, torch {self.torch}",
                *images,
            ]
        )


def open_published(confidence: float = 0.95) -> Published:
    """The record that `make published` wrote."""
    record, made_by = read_record(published.PUBLISHED)
    results = Results(record.values())
    found = {place: asked.contestants(results, place) for place in asked.places(results)}
    standings = {place: asked.standings(found[place], confidence) for place in found}
    about = read_about(published.PUBLISHED)
    return Published(results, about, made_by["torch"], found, standings)


def part_to_make_again(
    recorded: Published,
    like: tuple[str, str],
    checked: Sequence[str],
    places: Iterable[tuple[int, str, int]],
    changes: Mapping[str, Any],
) -> dict[Experiment, str]:
    """Experiments with the names of who they are: the control, every baseline, and the methods that
    are checked, with the weight that validation picked in the record.

    like: source and target of the recorded task whose settings they take; the last one if it is not
    recorded. places: labels, protocol, seed of each. changes: settings that differ.
    """
    known = [p for p in recorded.found if p[:2] == like] or [[*recorded.found][-1]]
    wanted = {}
    for labels, protocol, seed in places:
        there = [p for p in recorded.found if p[:2] == known[0][:2] and p.protocol == protocol]
        nearest = min(there, key=lambda p: abs(p.labels - labels))
        for name, contestant in recorded.found[nearest].items():
            if contestant.role != METHOD or name in checked:
                e = contestant.results[0].experiment
                wanted[replace(e, labels=labels, seed=seed, **changes)] = name
    return wanted


def settings_of(recorded: Published, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By task, settings of its control."""
    controls = {
        asked.task_name(place): asked.control_of(found)[0].experiment
        for place, found in recorded.found.items()
    }
    return {task: {name: getattr(e, name) for name in names} for task, e in controls.items()}


def agreement(results: Results, recorded: Published) -> str:
    """By how much test accuracies made here differ from the recorded ones, in words."""
    record = {r.experiment: r for r in recorded.results}
    both = [(r, record[r.experiment]) for r in results if r.experiment in record]
    if not both:
        return "none of these is in the record: other images or settings"
    off = [100 * abs(ours.test_accuracy - theirs.test_accuracy) for ours, theirs in both]
    return (
        f"{len(both)} of these are in the record: test accuracies differ by "
        f"{sum(off) / len(off):.2f} points in the mean, {max(off):.2f} at most"
    )


def places_of(
    labels: Sequence[int], protocols: Sequence[str], seeds: int
) -> Iterable[tuple[int, str, int]]:
    return product(labels, protocols, range(seeds))
