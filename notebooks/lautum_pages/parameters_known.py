"""What each parameter of each notebook can be. `parameters` reads them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.training.experiments import SETTINGS

from .parameters import Reader, device, domain, file, finite, folder, listed, one_of, whole

# Labelled target samples: what an experiment takes at least, and what there are to choose from.
FEWEST, SPLIT = int(SETTINGS["labels"].least), int(SETTINGS["labelled"].before)
METHODS_OF_07 = (
    *("lautum", "mutual_information", "mutual_information_maximised", "information_maximisation"),
    *("label_lautum", "mk_mmd", "deep_coral", "task_nuisance_filtration"),
    *("multiple_layer_normalization", "lautum_between_views", "mutual_information_between_views"),
    "vicreg",
)
METHODS_OF_08 = (
    *("Lautum", "maximised mutual information", "Mk-MMD", "Lautum between views"),
    *("mutual information between views", "VICReg", "Temporal Ensembling"),
)
WEIGHTS_OF_10 = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # recorded
RECORDED_LABELS = (50, 100, 200, 400)
SEVERITIES_OF_07 = (0.3, 0.6, 0.9)

_seed = partial(whole, least=0, most=SETTINGS["seed"].most)
_labels = partial(whole, least=FEWEST, most=SPLIT)
_share = partial(finite, most=1)
_inside = partial(finite, most=1, inside=True)
_above = partial(finite, inside=True)
_any_shift = partial(one_of, allowed=("none", *SHIFTS, "label_part_swap"))
_severities = partial(listed, each=_share)
_weights = partial(listed, each=finite, least=2, holds=0.0)
_rates = partial(listed, each=_above)

READERS: dict[str, dict[str, Reader]] = {
    "00": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "strengths": _weights,
        "shift": _any_shift,
        "severities": _severities,
        "labels": _labels,
    },
    "01": {
        "seed": _seed,
        "n_joints": whole,
        "alphabet_size": partial(whole, least=2),
        "halves": whole,
        "crossover": _share,
    },
    "02": {
        "seed": _seed,
        "worlds": whole,
        "n": whole,
        "gamma": finite,
        "label_noise": _share,
        "confidence": _inside,
    },
    "03": {
        "seed": _seed,
        "covariances": whole,
        "dims": partial(listed, each=whole, least=2, most=2),
        "draws": partial(whole, least=2),
        "grid": partial(whole, least=2),
    },
    "04": {
        "seed": _seed,
        "batch": whole,
        "n_features": whole,
        "n_components": partial(whole, most=256),
        "ridge": finite,
        "device": device,
    },
    "05": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "shift": partial(one_of, allowed=tuple(SHIFTS)),
        "severities": _severities,
        "labels": _labels,
    },
    "06": {
        "device": device,
        "seeds": whole,
        "network": partial(one_of, allowed=("mlp", "cnn")),
        "steps": whole,
        "strengths": _weights,
        "shift": _any_shift,
        "severity": _share,
        "severities": _severities,
        "labels": partial(listed, each=_labels),
        "ablation_seeds": partial(whole, least=2),
    },
    "07": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "shift": partial(one_of, allowed=tuple(SHIFTS)),
        "severity": partial(one_of, allowed=SEVERITIES_OF_07),
        "target": partial(one_of, allowed=("digits", "letters")),
        "labels": partial(one_of, allowed=RECORDED_LABELS),
        "checked": partial(listed, each=partial(one_of, allowed=METHODS_OF_07), least=0),
        "confidence": _inside,
    },
    "08": {
        "source": domain,
        "target": domain,
        "profile": partial(one_of, allowed=("record", "full")),
        "device": device,
        "seeds": whole,
        "steps": partial(whole, least=0),
        "labels": partial(listed, each=_labels),
        "protocols": partial(listed, each=partial(one_of, allowed=("probe", "finetune"))),
        "checked": partial(listed, each=partial(one_of, allowed=METHODS_OF_08), least=0),
        "shift": _any_shift,
        "severity": _share,
        "confidence": _inside,
        "store": folder,
        "gpu_teraflops": _above,
    },
    "09": {
        "seeds": whole,
        "strengths": partial(listed, each=finite),
        "steps": whole,
        "shifts": partial(listed, each=_any_shift),
        "workers": whole,
        "ranks": whole,
        "batch": partial(whole, least=2),
        "device": device,
    },
    "10": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "shift": _any_shift,
        "labels": partial(one_of, allowed=RECORDED_LABELS),
        "weight": partial(one_of, allowed=WEIGHTS_OF_10),
        "images": partial(whole, least=2),
        "samples": partial(whole, least=2),
        "worlds": whole,
    },
    "11": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "shift": partial(one_of, allowed=("load", "noise", "both")),
        "labels": partial(listed, each=partial(whole, least=5, of=5)),
        "strengths": _rates,
        "consistencies": _rates,
        "learning_rates": _rates,
    },
    "12": {
        "device": device,
        "seeds": whole,
        "steps": whole,
        "batch": whole,
        "images": whole,
        "learning_rates": _rates,
        "shift": partial(one_of, allowed=("between", "beyond", "negative")),
    },
}
for _readers in READERS.values():
    _readers["results_path"] = file


def _batch_of_04(meant: Mapping[str, Any]) -> None:
    least = meant["n_features"] + 256 + 1  # more than the coordinates of z and x
    if meant["batch"] < least:
        raise ValueError(
            f"batch needs to be n_features + 257 = {least} or more, got {meant['batch']}."
        )


def _severities_of_05(meant: Mapping[str, Any]) -> None:
    if not max(meant["severities"]):
        raise ValueError("severities needs one above 0 at least, got 0 only.")


TOGETHER: dict[str, Callable[[Mapping[str, Any]], None]] = {  # what no parameter tells alone
    "04": _batch_of_04,
    "05": _severities_of_05,
}
