"""`Known`: what a playground knows, trained here or recorded, and the answer that it gives."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import read_record
from lautum_utils.results.statistics import paired_difference, verdict
from lautum_utils.training.experiments import SETTINGS, Experiment, baselines
from lautum_utils.training.outcomes import Result
from lautum_utils.widgets.playground_settings import BASE
from lautum_utils.widgets.plots import explored, history_curves


class Answer(NamedTuple):
    """What is shown of experiments: a sentence, and two pictures as PNG images."""

    sentence: str
    curve: bytes
    live: bytes


class Known:
    """Results by experiment: those trained here, and those of a record.

    source: a sentence on where the record comes from or why there is none.
    """

    def __init__(self, record: Any) -> None:
        self.trained: dict[Experiment, Result] = {}
        self.recorded: dict[Experiment, Result] = {}
        try:
            self.recorded, versions = _read_once(record)
        except ValueError as error:
            self.source = f"No recorded grid, so everything is trained: {error}"
            return
        made = f"torch {versions['torch']}, {versions['machine']}"
        self.source = f"Recorded grid: {made}; Train live runs it here."

    def find(self, experiment: Experiment) -> Result | None:
        """Its result: trained here, or recorded (severity 0 of every shift but the label-part swap
        under shift "none")."""
        recorded_as = experiment
        if not experiment.severity and experiment.shift in SHIFTS:
            recorded_as = replace(experiment, shift="none")
        found = self.trained.get(experiment) or self.recorded.get(recorded_as)
        return found and replace(found, experiment=experiment)

    def find_all(self, experiments: Iterable[Experiment]) -> list[Result]:
        """The results of those that are known."""
        return [found for e in experiments if (found := self.find(e))]

    def told(self, experiments: Sequence[Experiment]) -> str:
        """Where the results of experiments, all of them known, come from."""
        n, trained = len(experiments), sum(e in self.trained for e in experiments)
        if trained == n:
            return "trained here"
        partly = f" ({trained} of these {n} networks trained here)" if trained else ""
        return f"recorded{partly}. {self.source}"

    def answer(
        self, experiments: Sequence[Experiment], around: Iterable[Experiment], strength: float
    ) -> Answer:
        """What is known of experiments, and of those around them at other severities and
        strengths: is this strength better than 0? And the pixels beside them, if recorded."""
        results = self.find_all(experiments)
        alike = self.find_all(dict.fromkeys([*experiments, *around]))
        sentence = "Weight 0 is standard transfer: raise the weight to compare."
        if strength:
            ours = [r for r in results if r.experiment.strength == strength]
            control = [r for r in results if r.experiment.strength == 0]
            sentence = verdict(paired_difference(ours, control), f"weight {strength:g}")
        curves = [(r.experiment.strength, r.history) for r in results]
        pixels = self.find_all(dict.fromkeys(map(_pixels_beside, experiments)))
        curve = explored(alike, strength, experiments[0].severity, pixels).png()
        return Answer(sentence, curve, history_curves(curves).png())


@lru_cache(maxsize=1024)
def _pixels_beside(e: Experiment) -> Experiment:
    """As it is recorded: on the same images and labels, whatever network there is."""
    alike = {name: getattr(e, name) for name, known in SETTINGS.items() if known.acts == "data"}
    (pixels,) = baselines(replace(BASE, labels=e.labels, **alike), ["pixels"])
    return pixels


_read_once = lru_cache(maxsize=4)(read_record)
