"""What the tests of the playground share: small trainings, step by step, and a record that is
made up."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from waiting import GUARD, until

from lautum_utils.results.records import write_record
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Progress, Result
from lautum_utils.training.run import run_each
from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import BASE

# No recorded grid (an empty name is no file's): what moves trains.
FAST: dict[str, Any] = {"steps": 4, "finetune_steps": 3, "seeds": 1, "record": ""}


def trains(playground: Playground) -> bool:
    return playground.training.thread is not None and playground.training.thread.is_alive()


def finish(playground: Playground) -> None:
    """Wait until it trains no more."""
    playground.wait(GUARD)
    assert not trains(playground), f"it still trains after {GUARD} s"


def trained(**settings: Any) -> Playground:
    playground = Playground(**(FAST | settings))
    playground.train_button.click()
    finish(playground)
    return playground


class Steps:
    """Stands in for `run_each`: real networks train, but no more steps than they are given."""

    def __init__(self) -> None:
        self.asked: list[list[Experiment]] = []
        self.taken = 0
        self._left = 0.0
        self._given = threading.Condition()

    def give(self, steps: float) -> None:
        with self._given:
            self._left = steps
            self._given.notify_all()

    def follow(self, playground: Playground, steps: int) -> None:
        """Wait until so many are taken, or the training has ended; two more may be taken beside
        whatever comes next."""
        wanted = self.taken + steps
        self.give(steps + 2)
        until(lambda: self.taken >= wanted or not trains(playground), "it has gone on")

    def __call__(
        self,
        experiments: list[Experiment],
        *arguments: Any,
        callback: Callable[[Progress], object],
        **options: Any,
    ) -> list[Result]:
        self.asked.append(experiments)

        def watched(progress: Progress) -> bool:
            self.taken += 1
            if callback(progress):
                return True
            with self._given:
                assert self._given.wait_for(lambda: self._left > 0, GUARD)
                self._left -= 1
            return False

        return run_each(experiments, *arguments, callback=watched, **options)


def extremes(control: Any) -> list[Any]:
    """Minimum, default and maximum."""
    if isinstance(control, widgets.IntSlider):
        return [control.min, control.value, control.max]
    values = [value for _, value in control._options_full]
    return [values[0], control.value, values[-1]]


def shown(playground: Playground) -> tuple[str, str, bytes, bytes]:
    return (
        playground.status.value,
        playground.sentence.value,
        bytes(playground.curve.value),
        bytes(playground.live.value),
    )


def made_up(path: Path, strengths: tuple[float, ...] = (0.0, 1e-3, 1e-2)) -> Path:
    """A record of the networks of a FAST playground with one seed, with accuracies that no training
    gives."""
    settings = {name: value for name, value in FAST.items() if name not in ("record", "seeds")}
    history = {name: [1.0, 2.0] for name in ("step", "loss", "dependence", "target_accuracy")}
    experiments = [replace(BASE, strength=strength, **settings) for strength in strengths]
    write_record(
        [Result(e, 0.12345 + 10 * e.strength, 0.5, 0.9, 1.0, history) for e in experiments], path
    )
    return path
