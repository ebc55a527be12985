"""Every method on the same runs: the recorded comparison that notebook 07 shows.

make methods       (under an hour on two cores; interrupted, it goes on where it was)

Two kinds of transfer, each with three severities of one shift: digits to shifted digits, and to
shifted letters. Every method has as many weights to choose from as any other; validation data
chooses, for each number of labels and protocol.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from lautum_utils.training.methods import METHODS, STAGE_TWO_METHODS
from lautum_utils.training.run import Experiment
from notebooks.tools import record

COMPARED = Path(__file__).with_name("methods.json.gz")
BASE = Experiment(shift="background", steps=100, finetune_steps=100, n_components=32)
TARGETS, SEVERITIES, SEEDS = ("digits", "letters"), (0.3, 0.6, 0.9), range(1, 11)
LABELS = (50, 100, 200, 400)
# Around the best of a first look at a seed that is not used here (0); validation data chooses among
# the four. Where it chose an end of the four at most places, they were moved one step that way,
# once.
STAGE_ONE = {
    "lautum": (3e-5, 1e-4, 3e-4, 1e-3),
    "mutual_information": (1e-6, 1e-5, 1e-4, 1e-3),
    "mutual_information_maximised": (1e-3, 3e-3, 1e-2, 3e-2),
    "information_maximisation": (0.01, 0.03, 0.1, 0.3),
    "label_lautum": (1e-6, 1e-5, 1e-4, 1e-3),
    "mk_mmd": (0.1, 0.3, 1.0, 3.0),
    "deep_coral": (10.0, 100.0, 1e3, 1e4),
    "task_nuisance_filtration": (1e-5, 1e-4, 1e-3, 1e-2),
    "multiple_layer_normalization": (0.1, 0.3, 1.0, 3.0),
}
STAGE_TWO = {
    "lautum": (1e-7, 1e-6, 1e-5, 1e-4),
    "mutual_information": (1e-5, 1e-4, 1e-3, 1e-2),
    "information_maximisation": (0.03, 0.1, 0.3, 1.0),
    "label_lautum": (1e-5, 1e-4, 1e-3, 1e-2),
    "temporal_ensembling": (10.0, 30.0, 100.0, 300.0),
    "adaptive_reinforcement": (0.1, 0.3, 1.0, 3.0),
    "adaptive_knowledge_consistency": (0.03, 0.1, 0.3, 1.0),
    "adaptive_representation_consistency": (1.0, 3.0, 10.0, 30.0),
    "contrastive_regularization": (0.1, 0.3, 1.0, 3.0),
}
# Lautum in stage 1 with the best of stage 2 (by the validation accuracy of the runs above),
# everywhere.
TOGETHER = {"contrastive_regularization": (0.3, 1.0)}
# At one severity and number of labels: what Lautum is made of, and Lautum in both stages.
ABLATED = {"severity": 0.6, "labels": 200}
ABLATIONS: dict[str, dict[str, Any]] = {
    "logits": {"layer": "logits"},
    "source inputs": {"inputs": "source"},
    "8 components": {"n_components": 8},
    "128 components": {"n_components": 128},
    "ridge 0.001": {"ridge": 1e-3},
    "ridge 0.1": {"ridge": 1e-1},
}
BOTH_STAGES = {"lautum": (1e-6, 1e-5)}
ON_SOURCE = (
    "mutual_information_maximised",
    "multiple_layer_normalization",
)  # the winners, with unlabelled *source* inputs


def grid() -> list[Experiment]:
    """The control and every method with each of its weights, probe and fine-tuning for stage 1,
    fine-tuning for stage 2; then Lautum with a method of stage 2, and the ablations."""
    assert set(STAGE_ONE) == set(METHODS) - {"standard"}
    assert set(STAGE_TWO) | {"mutual_information_maximised"} == set(STAGE_TWO_METHODS) - {
        "standard"
    }
    places = [
        replace(BASE, target=t, severity=v, seed=i, labels=n)
        for t, v, i, n in product(TARGETS, SEVERITIES, SEEDS, LABELS)
    ]
    ablated = [
        e for e in places if all(getattr(e, name) == value for name, value in ABLATED.items())
    ]
    one = [("standard", 0.0), *((name, s) for name, weights in STAGE_ONE.items() for s in weights)]
    two = [(name, s) for name, weights in STAGE_TWO.items() for s in weights]
    return [
        *(replace(e, method=m, strength=s, protocol=p) for e, (m, s), p in product(places, one, ("probe", "finetune"))),
        *(
            replace(e, method="standard", strength=0.0, protocol="finetune", stage_two=m, stage_two_strength=s)
            for e, (m, s) in product(places, two)
        ),
        *(
            replace(e, strength=one, protocol="finetune", stage_two=m, stage_two_strength=s)
            for chosen, methods in ((places, TOGETHER), (ablated, BOTH_STAGES))
            for e, one in product(chosen, STAGE_ONE["lautum"])
            for m, weights in methods.items() for s in weights
        ),
        *(
            replace(e, method=m, strength=s, inputs="source", protocol=p)
            for e, m, p in product(ablated, ON_SOURCE, ("probe", "finetune")) for s in STAGE_ONE[m]
        ),
        *(replace(e, strength=s, **o) for e, s, o in product(ablated, STAGE_ONE["lautum"], ABLATIONS.values())),
    ]  # fmt: skip


if __name__ == "__main__":
    record.main("Run the comparison of methods.", grid, "methods.store", COMPARED)
