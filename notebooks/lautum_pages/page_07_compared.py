"""The recorded comparison of notebook 07, as something that can be asked."""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from lautum_pages.competitors import (
    CONTROLS,
    FIELDS,
    NAMES,
    SIMPLE,
    by_seed,
    named_runs,
    one_method,
)
from lautum_utils import Interval, Results, interval, read_record
from notebooks.tools import compare

PLACES = tuple(product(compare.TARGETS, compare.SEVERITIES, compare.LABELS))
IN_WORDS = {"probe": "features frozen", "finetune": "all weights learn on"}
STAGE_TWO = "acts in stage two"
FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(NAMES[method] for method in methods)
    for family, methods in {
        "match": ("mk_mmd", "deep_coral"),
        "inform": (
            "lautum",
            "mutual_information",
            "mutual_information_maximised",
            "information_maximisation",
            "label_lautum",
        ),
        "two views": ("lautum", *compare.BETWEEN_VIEWS),
        "agree": (
            "temporal_ensembling",
            "adaptive_reinforcement",
            "adaptive_knowledge_consistency",
            "adaptive_representation_consistency",
            "contrastive_regularization",
        ),
        "take out": ("task_nuisance_filtration", "multiple_layer_normalization"),
    }.items()
}


class Comparison:
    """What is recorded of every method and every simple baseline, paired over seeds.

    gain: test accuracy minus that of standard transfer at the same place and seed, a fraction: a
    row for each name, place, protocol and weight, a column for each seed. chosen: the same, at each
    place only the weight with the best mean *validation* accuracy. weight: this weight. A simple
    baseline needs the labels alone: it stands in both protocols.
    """

    def __init__(self, recorded: Results, confidence: float = 0.95) -> None:
        runs = named_runs(recorded, compare.BASE)
        simple = runs[runs.name.isin(SIMPLE)]
        other = simple.protocol.map({"probe": "finetune", "finetune": "probe"})
        runs = one_method(pd.concat([runs, simple.assign(protocol=other)], ignore_index=True))
        key = ["name", *FIELDS, "weight"]
        test = by_seed(runs, key)
        validation = by_seed(runs, key, "validation_accuracy").mean(axis=1)
        best = validation.groupby(level=key[:-1]).idxmax()
        control = test.loc[NAMES["standard"]].droplevel("weight")
        self.gain = test - control.loc[test.index.droplevel(["name", "weight"])].to_numpy()
        self.chosen = self.gain.loc[best].droplevel("weight")
        self.weight = {index[:-1]: index[-1] for index in best}
        self.validation = validation.loc[best].droplevel("weight")
        self.recorded, self.confidence = recorded, confidence
        self._hardest: dict[str, np.ndarray] = {}  # at each of `PLACES`, by protocol
        rows = zip(self.gain.index, self.gain.to_numpy().tolist(), strict=True)
        self.spread = {index: interval(row, confidence) for index, row in rows}

    def means(self, protocol: str, target: str) -> pd.DataFrame:
        """Gains, averaged over severities and numbers of labels: a row for each name, a column for
        each seed."""
        there = self.chosen.xs((target, protocol), level=("target", "protocol"))
        return there.groupby(level="name").mean()

    def rivals(self, protocol: str) -> list[str]:
        """Who is to be beaten: the simple baselines, and standard transfer."""
        names = set(self.chosen.xs(protocol, level="protocol").index.unique("name"))
        return [name for name in (*SIMPLE, *CONTROLS) if name in names]

    def methods(self, protocol: str) -> list[str]:
        """The others."""
        names = self.chosen.xs(protocol, level="protocol").index.unique("name")
        return [name for name in names if name not in self.rivals(protocol)]

    def hardest(self, protocol: str, target: str) -> str:
        """The rival with the best mean."""
        means = self.means(protocol, target).mean(axis=1)
        return str(means.loc[self.rivals(protocol)].idxmax())

    def margin(self, name: str, rival: str, protocol: str, target: str) -> Interval:
        """A name's gain minus a rival's, paired over seeds."""
        means = self.means(protocol, target)
        return interval((means.loc[name] - means.loc[rival]).to_list(), self.confidence)

    def winners(self, protocol: str, target: str, confidence: float | None = None) -> list[str]:
        """The methods that beat every rival: each paired difference has an interval above 0."""
        means, rivals = self.means(protocol, target), self.rivals(protocol)
        level = confidence or self.confidence
        return [
            name
            for name in self.methods(protocol)
            if all(
                interval(d, level).low > 0
                for d in (means.loc[name] - means.loc[rivals]).to_numpy().tolist()
            )
        ]

    def margins(self, protocol: str) -> dict[str, dict[str, Interval]]:
        """Of each method over the hardest rival of each target, from the best on."""
        hardest = {t: self.hardest(protocol, t) for t in compare.TARGETS}
        rows = {
            name: {t: self.margin(name, rival, protocol, t) for t, rival in hardest.items()}
            for name in self.methods(protocol)
        }
        return dict(sorted(rows.items(), key=lambda row: -max(d.mean for d in row[1].values())))

    def verdict(self, protocol: str, target: str) -> str:
        """How many methods beat every rival, which, and the hardest to beat, as a sentence; then
        the same with wider intervals, for as many comparisons as there are."""
        winners, methods = self.winners(protocol, target), self.methods(protocol)
        each = 1 - (1 - self.confidence) / (len(methods) * len(self.rivals(protocol)))
        sure = len(self.winners(protocol, target, each))
        named = f" ({', '.join(winners)})" if winners else ""
        return (
            f"{target}, {IN_WORDS[protocol]}: {len(winners)} of {len(methods)} methods beat every "
            f"simple baseline{named},\n  {sure} with intervals for so many comparisons; "
            f"hardest to beat: {self.hardest(protocol, target)}"
        )

    def mean_gain(self, name: str, protocol: str) -> float:
        """Over all places and seeds, a fraction."""
        return float(self.chosen.xs((name, protocol), level=("name", "protocol")).to_numpy().mean())

    def weights(self, name: str) -> list[float]:
        """All that it could take."""
        return sorted(self.gain.loc[name].index.unique("weight"))

    def over_the_hardest(self, name: str, protocol: str) -> list[Interval]:
        """At each of `PLACES`, the paired difference to the rival that validation data picks."""
        if protocol not in self._hardest:  # a slider asks for every method
            there = self.validation.xs(protocol, level="protocol").unstack("name")
            rivals = there[self.rivals(protocol)].idxmax(axis=1)
            keys = [(rivals[place], *place, protocol) for place in PLACES]
            self._hardest[protocol] = self.chosen.loc[keys].to_numpy()
        ours = self.chosen.loc[[(name, *place, protocol) for place in PLACES]].to_numpy()
        differences = (ours - self._hardest[protocol]).tolist()
        return [interval(row, self.confidence) for row in differences]

    def over_standard(self, name: str, protocol: str) -> list[Interval]:
        """At each of `PLACES`, the gain over standard transfer."""
        keys = [(name, *place, protocol) for place in PLACES]
        return [self.spread[*key, self.weight[key]] for key in keys]


@cache
def _recorded() -> Results:
    return Results(read_record(compare.COMPARED)[0].values())


@cache
def comparison(confidence: float = 0.95) -> Comparison:
    """That of the record; read once."""
    return Comparison(_recorded(), confidence)


class Curve(NamedTuple):
    """A method's gains over standard transfer."""

    x: list[float]  # weights, or numbers of labels
    gains: list[Interval]
    at: int  # which of them validation data picks, or is asked for


def members(family: str, compared: Comparison) -> list[tuple[str, str, str, str]]:
    """Of a family: the method, what its curve is called, the name and the protocol."""
    known = set(compared.weight)
    place = PLACES[0]
    found = []
    for name in FAMILIES[family]:
        looks = [(words, name, protocol) for protocol, words in IN_WORDS.items()]
        looks.append((STAGE_TWO, f"{name} (2)", "finetune"))
        found += [(name, *look) for look in looks if (look[1], *place, look[2]) in known]
    return found


def curves(
    compared: Comparison, family: str, against: str, place: tuple[str, float, int]
) -> dict[str, dict[str, Curve]]:
    """For each method of a family its curves at a place (target, severity, labels), against its
    weights, or against the number of labels with the weight that is picked there."""
    found: dict[str, dict[str, Curve]] = {}
    for panel, line, name, protocol in members(family, compared):
        weights = compared.weights(name)
        key = (name, *place, protocol)
        curve = Curve(
            weights,
            [compared.spread[*key, w] for w in weights],
            weights.index(compared.weight[key]),
        )
        if against == "labels":
            keys = [(name, *place[:2], n, protocol) for n in compare.LABELS]
            gains = [compared.spread[*k, compared.weight[k]] for k in keys]
            curve = Curve([float(n) for n in compare.LABELS], gains, compare.LABELS.index(place[2]))
        found.setdefault(panel, {})[line] = curve
    return found
