"""`Results`: a sequence of results that can be asked, in place of filtering lists by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, overload

import numpy as np
import pandas as pd

from lautum_utils.numbers import plain_values
from lautum_utils.results.statistics import (
    Interval,
    choose_strength,
    paired_difference,
    summarise,
    verdict,
)
from lautum_utils.training.experiments import SETTINGS, Experiment
from lautum_utils.training.outcomes import OUTCOMES, Result

NOT_COMPARED = ("strength", "seed")  # what a gain compares, and what it is paired over
# At weight 0 they do nothing.
OF_THE_TERM = ("method", "every", "layer", "inputs", "n_components", "ridge", "decay")
# A baseline may be alone with its protocol.
OF_STAGE_TWO = ("protocol", "stage_two", "stage_two_strength")


class Results(Sequence[Result]):
    """Results in the order asked for.

    errors: what went wrong with the experiments that have no result (a sweep goes on without them).
    """

    def __init__(
        self, results: Iterable[Result] = (), errors: Mapping[Experiment, str] | None = None
    ) -> None:
        self._results = tuple(results)
        self.errors = dict(errors or {})

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> "Results": ...
    def __getitem__(self, index: int | slice) -> "Result | Results":
        if isinstance(index, slice):
            return Results(self._results[index])
        return self._results[index]

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __add__(self, other: Iterable[Result]) -> "Results":
        errors = self.errors | (other.errors if isinstance(other, Results) else {})
        return Results([*self, *other], errors)

    def __radd__(self, other: Iterable[Result]) -> "Results":
        return Results(other) + self

    def __repr__(self) -> str:
        varied = [f"{name}: {', '.join(map(str, self.values(name)))}" for name in self.varied()]
        failed = f"; {len(self.errors)} failed" if self.errors else ""
        return f"{len(self)} results{failed}" + "".join(f"\n  {line}" for line in varied)

    def _repr_html_(self) -> str:
        return str(self.table[[*self.varied(), *OUTCOMES]].to_html(index=False))

    @property
    def table(self) -> pd.DataFrame:
        """A row for each result: its settings, its outcomes (fractions), and "error", which says
        what went wrong and is empty elsewhere; failed experiments come last."""
        rows = [result.as_row() | {"error": ""} for result in self]
        rows += [asdict(e) | {"error": error} for e, error in self.errors.items()]
        return pd.DataFrame(rows, columns=[*SETTINGS, *OUTCOMES, "error"])

    def values(self, name: str) -> list[Any]:
        """The different values of a setting, in order. ValueError: a setting that is not there."""
        _require_settings([name])
        found = {getattr(result.experiment, name) for result in self}
        return sorted(found)

    def varied(self, besides: Sequence[str] = ()) -> list[str]:
        """The settings in which these results differ, but for those named."""
        return [name for name in SETTINGS if name not in besides and len(self.values(name)) > 1]

    def where(self, **settings: Any) -> "Results":
        """Those with these settings: `where(labels=200)`, or one of several values:
        `where(seed=range(4))`. ValueError: a setting that is not there."""
        _require_settings(settings)
        wanted = {name: plain_values(value) for name, value in settings.items()}
        return Results(
            r for r in self if all(getattr(r.experiment, k) in v for k, v in wanted.items())
        )

    def accuracy(self, confidence: float = 0.95) -> dict[float, Interval]:
        """Test accuracy by strength, with its interval over seeds."""
        return summarise(self, confidence)

    def mean(self, name: str = "test_accuracy") -> float:
        """The mean of an outcome over all of these, as a fraction."""
        return float(np.mean([getattr(result, name) for result in self]))

    def against(self, control: Sequence[Result], confidence: float = 0.95) -> Interval:
        """How much better these are than a control, as one paired difference over seeds, a fraction
        of test accuracy. ValueError: no seed in common, two results of one seed."""
        return paired_difference(self, control, confidence)

    def best(self) -> float:
        """The strength that validation data picks; test accuracy is not looked at."""
        return choose_strength(self)

    def gain(self, control: "Results | None" = None, confidence: float = 0.95) -> pd.DataFrame:
        """Paired differences to a control with their intervals: a row for each combination of the
        settings that vary, and each strength.

        control: by default those of strength 0 among these (no baselines), which are to agree in
        all but the settings of the term; others are taken where they agree in what varies among
        themselves. A baseline with a protocol that nothing else has is compared all the same.
        Columns, besides those settings: accuracy, gain, low, high (fractions), seeds, and chosen:
        does validation data pick this strength there? ValueError: nothing to compare with.
        """
        columns = [*self.varied(NOT_COMPARED), "strength"]
        rows = []
        for alike, matching in self._compared(control):
            chosen = alike.best()
            for strength in alike.values("strength"):
                ours = alike.where(strength=strength)
                gain = ours.against(matching, confidence)
                row = {name: getattr(ours[0].experiment, name) for name in columns}
                row |= {"accuracy": ours.mean(), "gain": gain.mean, "low": gain.low}
                rows.append(
                    row | {"high": gain.high, "seeds": gain.n, "chosen": strength == chosen}
                )
        columns += ["accuracy", "gain", "low", "high", "seeds", "chosen"]
        return pd.DataFrame(rows, columns=columns)

    def verdict(self, strength: float | None = None, control: "Results | None" = None) -> str:
        """A sentence for each combination of the settings that vary: is this strength, by default
        the one that validation data picks, clearly different from the control?"""
        names, sentences = self.varied(NOT_COMPARED), []
        for alike, matching in self._compared(control):
            place = ", ".join(f"{n} {getattr(alike[0].experiment, n)}" for n in names)
            said = _said(alike, matching, strength)
            sentences.append(f"{place}: {said}" if place else said)
        return "\n".join(sentences)

    def _compared(self, control: "Results | None") -> Iterator[tuple["Results", "Results"]]:
        """Those that are alike but for strength and seed, each with its control, see `gain`."""
        names: list[str] = []
        if control is None:
            others = Results(r for r in self if not r.experiment.is_baseline)
            control = others.where(strength=0.0)
            besides = [name for name in OF_STAGE_TWO if name not in others.varied()]
            names = self.varied((*NOT_COMPARED, *OF_THE_TERM, *besides))
        names += control.varied((*NOT_COMPARED, *names))
        controls = control._groups(names)
        for alike in self._groups(self.varied(NOT_COMPARED)).values():
            yield alike, controls.get(_settings_of(alike[0], names), Results())

    def _groups(self, names: Sequence[str]) -> dict[tuple[Any, ...], "Results"]:
        """Those that agree in these settings, by the values of the settings."""
        groups: dict[tuple[Any, ...], list[Result]] = {}
        for result in self:
            groups.setdefault(_settings_of(result, names), []).append(result)
        return {values: Results(group) for values, group in groups.items()}


def _said(ours: Results, control: Results, strength: float | None) -> str:
    """The verdict on one place."""
    baseline = _name_of_baseline(ours)
    shown = ours.best() if strength is None or baseline else strength
    name = f"weight {shown:g}" + ", chosen on validation data," * (strength is None)
    difference, other = ours.where(strength=shown).against(control), _name_of_baseline(control)
    if shown == 0 and strength is None and not (baseline or other):
        return "validation data chooses weight 0: nothing is gained."
    return verdict(difference, baseline or name, other or "weight 0")


def _name_of_baseline(results: Results) -> str:
    """Empty for what is none."""
    e = results[0].experiment if results else None
    return e.method.replace("_", " ") if e and e.is_baseline else ""


def _settings_of(result: Result, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(result.experiment, name) for name in names)


def _require_settings(names: Iterable[str]) -> None:
    for name in names:
        if name not in SETTINGS:
            raise ValueError(f"settings need to be among {', '.join(SETTINGS)}, got {name!r}.")
