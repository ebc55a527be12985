"""The same in skada: its networks that know domains, its Deep CORAL and its DAN (an MMD).

Its own loader wants as many source as target samples in a batch, so it gets a loader of ours that
gives the minibatches of all. Its penalties are in our units but for the MMD, a sum of 33 kernels:
the weight is divided by 33.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from contest import Heat, Score
from one_by_one import Job
from one_by_one import curve as curve_one_by_one
from one_by_one import prepare as prepare
from skada.deep import DAN, DeepCoral, SourceOnly
from skada.deep.base import DeepDADataset
from torch import Tensor

from lautum_utils.data.tasks import TransferTask

SOURCE, TARGET, NO_LABEL = 1, -2, -1
KERNELS = 33


class Loader:
    """What skorch asks for batches: those of the job, an epoch of all steps."""

    def __init__(self, dataset: object, batch_size: int, job: Job, **_: object) -> None:
        self.job = job
        source, target = job.source_rows.shape[1], job.target_rows.shape[1]
        self.domain = torch.cat((torch.full((source,), SOURCE), torch.full((target,), TARGET)))
        self.unlabelled = torch.full((target,), NO_LABEL)

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        for images, labels, target in self.job.minibatches():
            if self.job.method == "standard":
                yield {"X": images, "sample_domain": self.domain[: len(images)]}, labels
            else:
                both = torch.cat((images, target))
                joint = torch.cat((labels, self.unlabelled))
                yield {"X": both, "sample_domain": self.domain}, joint


def net_of(job: Job) -> Any:
    """The network as skada trains it."""
    how: dict[str, Any] = {
        "optimizer": torch.optim.Adam,
        "lr": job.learning_rate,
        "max_epochs": 1,
        "train_split": None,
        "callbacks": "disable",
        "verbose": 0,
    }
    if job.method == "deep_coral":
        net = DeepCoral(job.network, "features", reg=job.weight, **how)
    elif job.method == "mk_mmd":
        net = DAN(job.network, "features", reg=job.weight / KERNELS, **how)
    else:
        net = SourceOnly(job.network, "features", **how)
    net.set_params(iterator_train=Loader, iterator_train__job=job)
    return net


@cache
def dataset_of(task: TransferTask) -> DeepDADataset:
    """The arrays as skada holds them, once a seed."""
    images = torch.cat((task.source.inputs, task.unlabelled))
    labels = torch.cat((task.source.labels, torch.full((len(task.unlabelled),), NO_LABEL)))
    domain = torch.full((len(images),), TARGET)
    domain[: len(task.source)] = SOURCE
    return DeepDADataset(images, labels, domain)


def train(job: Job) -> None:
    """All steps of one network."""
    net_of(job).fit(dataset_of(job.task), None)


def curve(heat: Heat) -> list[Score]:
    """Train and probe all networks of a heat."""
    return curve_one_by_one(heat, train)
