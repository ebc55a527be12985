"""Lautum information: what it is, how to regularize with it, and when it helps a network transfer.

The public names, in reading order; each is imported when it is asked for.
"""

import importlib
from typing import Any

_HOMES = {
    # what it is
    "information": "entropy kl_divergence mutual_information lautum_information"
    " canonical_correlations gaussian_mutual_information gaussian_lautum_information",
    "finite_world": "FiniteWorld",
    # how to regularize with it
    "regularizers": "LautumRegularizer MutualInformationRegularizer batch_covariance",
    "small_samples": "lautum_information_bias mutual_information_bias shuffled_value"
    " corrected_value SmallSampleWarning",
    # what a network learns from
    "data.domains": "Domain load",
    "data.shifts": "SHIFTS shift",
    "data.tasks": "TransferTask load_transfer_task",
    # training
    "training.baselines": "BASELINES",
    "training.experiments": "Experiment baselines grid",
    "training.outcomes": "Progress Result",
    "training.methods": "METHODS STAGE_TWO_METHODS Method make_method",
    "training.networks": "NETWORKS",
    "training.batches": "Batch Batches",
    "training.loop": "make_optimizer train",
    "training.run": "run_each",
    # what came out
    "results.sweeps": "run sweep",
    "results.results": "Results",
    "results.statistics": "Interval interval paired_difference",
    "results.store": "read_store save_results",
    "results.records": "read_record",
    # to look at and to play with
    "widgets.explorer": "Explorer",
    "widgets.prediction": "Prediction",
    "widgets.playground": "Playground",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lautum_utils' has no attribute {name!r}")
    return getattr(importlib.import_module(f"lautum_utils.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
