"""The recorded grid behind the playground's sliders: every shift, severity, weight, number of
labels and protocol, four seeds; and what is reached there without a network.

make record        (about 6 minutes on two cores; interrupted, it goes on where it was)
"""

from dataclasses import replace
from itertools import product

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import RECORD
from lautum_utils.training.baselines import WITHOUT_NETWORK
from lautum_utils.training.experiments import Experiment, baselines
from lautum_utils.training.experiments import grid as combinations
from lautum_utils.widgets.playground_settings import BASE, SEVERITIES, STRENGTHS
from notebooks.tools import recording

LABELS, PROTOCOLS, SEEDS = (50, 100, 200, 400), ("probe", "finetune"), range(4)


def grid() -> list[Experiment]:
    """At severity 0 every shift but the label-part swap is the identity, so these stand once, under
    "none"."""
    places = [("none", 0.0), *product(["label_part_swap"], SEVERITIES)]
    places += product(SHIFTS, SEVERITIES[1:])
    bases = [replace(BASE, shift=shift, severity=severity) for shift, severity in places]
    alone = [baseline for base in bases for baseline in baselines(base, WITHOUT_NETWORK)]
    return [
        *combinations(bases, strength=STRENGTHS, seed=SEEDS, protocol=PROTOCOLS, labels=LABELS),
        *combinations(alone, seed=SEEDS, labels=LABELS),
    ]


if __name__ == "__main__":
    recording.main(
        "Make the recorded grid behind the playground's sliders.", grid(), "record.store", RECORD
    )
