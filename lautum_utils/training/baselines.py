"""The simple baselines: what is reached without a method, without a source, without a network.

Each is a value of `Experiment.method`, so that every table of results can hold it. None has a
strength. All see the images that methods see: the same labelled, validation and test samples. Their
probes are on one common scale (see `fit_probe`), which serves each of them best: what varies little
is mostly noise, in pixels, principal components and early layers, and stays small.
"""

from typing import NamedTuple


class Baseline(NamedTuple):
    """What it is; its protocol; the method that its stage one is trained as, itself if it is not
    trained on the source."""

    about: str
    protocol: str
    stage_one: str


BASELINES = {
    "pixels": Baseline(
        "logistic regression on the pixels of the labelled target images, no network",
        "probe",
        "pixels",
    ),
    "components": Baseline(
        "logistic regression on the leading principal components of the unlabelled target images, "
        "no network; how many is chosen on validation data",
        "probe",
        "components",
    ),
    "untrained_features": Baseline(
        "a probe on the features of the network at its random beginning",
        "probe",
        "untrained_features",
    ),
    "from_scratch": Baseline(
        "fine-tuning of the network from its random beginning, no source",
        "finetune",
        "untrained_features",
    ),
    "earlier_layer": Baseline(
        "the control (weight 0) with its probe on an earlier layer, see `StackedNetwork.earlier`",
        "probe",
        "standard",
    ),
}
WITHOUT_NETWORK = ("pixels", "components")
