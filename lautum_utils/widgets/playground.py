"""`Playground`: networks that train while you watch, and a record that answers at once."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any, ClassVar

from lautum_utils.results.records import RECORD
from lautum_utils.training.experiments import Experiment
from lautum_utils.widgets.controls import answer_without_pauses
from lautum_utils.widgets.playground_known import Answer, Known
from lautum_utils.widgets.playground_settings import (
    BASE,
    CONTROLS,
    NOT_OF_AN_EXPERIMENT,
    read_query,
    require_allowed,
    weights,
)
from lautum_utils.widgets.playground_training import Training
from lautum_utils.widgets.playground_view import View

NOTHING = (
    "Nothing is recorded for these values: press Train live. What is shown is of the values before."
)


class Playground(View):
    """Widgets that train networks and show what they reach; display one by ending a cell with it.

    controls: which of `CONTROLS` are shown; the others stay at their values.
    name: a playground with the same name as an earlier one replaces it, which ends the earlier
    one's training. (So re-running a cell leaves no thread behind.)
    record: the file of the recorded grid, which answers at once; Train live replaces its answer by
    a real run.
    as_page: on a page of its own, where the settings are kept in its address; in a notebook, as a
    line of code.
    **settings: initial values of the controls (`seeds` is how many), or of any other field of
    `Experiment`. A strength or number of labels that is not on its slider's scale raises
    ValueError; a severity is put there. With weighting="gradient" the weight's scale is one of
    shares, and starts at 0.3.
    """

    _named: ClassVar["weakref.WeakValueDictionary[str, Playground]"] = weakref.WeakValueDictionary()

    def __init__(
        self,
        controls: Sequence[str] = tuple(CONTROLS),
        name: str = "playground",
        record: Any = RECORD,
        as_page: bool = False,
        **settings: Any,
    ) -> None:
        seeds, device = settings.pop("seeds", 3), settings.pop("device", "auto")
        seeds = require_allowed(controls, seeds, device)
        answer_without_pauses()
        if settings.get("weighting") == "gradient":
            settings = {"strength": 0.3} | settings
        self._base = replace(BASE, **settings)
        super().__init__(self._base, controls, seeds, device, as_page)
        self.known = Known(record)
        self.results = self.known.trained
        self.training = Training(self, self.results, self._drawn)
        self._listen()
        previous = Playground._named.get(name)
        if previous is not None:
            previous.close()
        Playground._named[name] = self
        self.say(f"Move a slider or press Train live. {self.known.source}")
        self.tell_settings()
        self._answer()

    def _listen(self) -> None:
        for control in CONTROLS:
            getattr(self, control).observe(self._control_changed, names="value")
        self.train_button.on_click(lambda _: self.train())
        self.curve_button.on_click(lambda _: self.train_curve())
        self.stop_button.on_click(lambda _: self.stop())
        # Closing the box closes its connection.
        self.box.observe(lambda _: self.stop(), names="comm")

    @classmethod
    def from_query(cls, query: str, **settings: Any) -> "Playground":
        """The playground of a link, such as "severity=0.4&strength=0.001"; what the link asks in
        vain is told in the status."""
        found, problems = read_query(query)
        playground = cls(as_page=True, **found | settings)
        if problems:
            playground.say(" ".join([*problems, "What is shown is the default."]))
        return playground

    def experiments(self, strengths: Sequence[float] | None = None) -> list[Experiment]:
        """What Train runs: the chosen weight and weight 0 (or `strengths`), with every seed."""
        chosen = {k: v for k, v in self.settings().items() if k not in NOT_OF_AN_EXPERIMENT}
        if chosen["shift"] == "none":
            chosen["severity"] = 0.0
        wanted = dict.fromkeys((0.0, self.strength.value) if strengths is None else strengths)
        return [
            replace(self._base, **chosen | {"strength": strength, "seed": seed})
            for strength, seed in product(wanted, range(self.seeds.value))
        ]

    def train(self) -> None:
        """Train the chosen weight and weight 0, in the background; what has been trained before is
        not trained again."""
        self.training.start(self.experiments(), self.device.value)

    def train_curve(self) -> None:
        """Train every weight on the slider's scale, in the background."""
        self.training.start(self.experiments(weights(self._base.weighting)), self.device.value)

    def stop(self) -> None:
        """Ask the training to stop; it does at its next step. What had finished stays."""
        self.training.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the training has ended: for scripts and tests, not for callbacks."""
        thread = self.training.thread
        if thread is not None:
            thread.join(timeout)

    def close(self) -> None:
        """End the training and remove the widgets."""
        self.box.close()

    def _control_changed(self, change: object) -> None:
        self.severity.disabled = self.shift.value == "none"
        self.tell_settings()
        if self._answer():
            return
        if self.auto.value:
            self.train()
        else:
            self.training.leave()
            self.say(NOTHING)

    def _answer(self) -> bool:
        """Show what is known of the controls' values, trained here or recorded, without training;
        False if it is not enough."""
        experiments = self.experiments()
        if len(self.known.find_all(experiments)) < len(experiments):
            return False
        self.training.leave()
        self.show(self._drawn(experiments))
        self.say(self.known.told(experiments))
        return True

    def _drawn(self, experiments: Sequence[Experiment]) -> Answer:
        """The answer to experiments: of the larger of two weights, or of the chosen one of many."""
        weights = {e.strength for e in experiments}
        strength = max(weights) if len(weights) <= 2 else self.strength.value
        severities = tuple(severity for _, severity in self.severity.options)
        around = _around(
            replace(experiments[0], severity=0.0, strength=0.0, seed=0),
            severities,
            self.seeds.value,
        )
        return self.known.answer(experiments, around, strength)


@lru_cache(maxsize=32)
def _around(here: Experiment, severities: tuple[float, ...], seeds: int) -> tuple[Experiment, ...]:
    """Those at every severity and strength. Kept, as most moves of a slider stay among them."""
    scale = weights(here.weighting)
    return tuple(
        replace(here, severity=severity, strength=strength, seed=seed)
        for severity, strength, seed in product(severities, scale, range(seeds))
    )
