"""The curve of those who train network after network: what they are given, and the last probe.

A contestant brings `train(job)`, which leaves the network of the job trained.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from contest import BASE, Heat, Score
from small_network import SmallNetwork, begun_from
from threadpoolctl import threadpool_limits
from torch import Tensor

from lautum_utils.data.tasks import TransferTask, load_transfer_task
from lautum_utils.training.probes import fit_probe
from lautum_utils.training.randomness import Rows, drawn_rows

Minibatch = tuple[Tensor, Tensor, Tensor]  # source images and labels, unlabelled target images


@cache
def task_of(seed: int) -> TransferTask:
    """The arrays of a seed."""
    return load_transfer_task(BASE.source, BASE.target, BASE.shift, BASE.severity, seed)


@dataclass(frozen=True, eq=False)
class Job:
    """One network to be trained. weight: in our units."""

    method: str
    weight: float
    network: SmallNetwork
    task: TransferTask
    source_rows: Tensor  # (steps, 64): which samples each step takes
    target_rows: Tensor  # (steps, 256)
    learning_rate: float = BASE.learning_rate

    def minibatches(self) -> Iterator[Minibatch]:
        """The samples of each step, as a loader without end would give them."""
        source = self.task.source
        for at_source, at_target in zip(self.source_rows, self.target_rows, strict=True):
            images, labels = source.inputs[at_source], source.labels[at_source]
            yield images, labels, self.task.unlabelled[at_target]


def job_of(heat: Heat, weight: float, seed: int) -> Job:
    """A network as it begins, and its samples."""
    task = task_of(seed)
    shape, classes = task.source.inputs.shape[1:], len(task.source.class_names)
    source = (len(task.source), BASE.source_batch, Rows.SOURCE)
    target = (len(task.unlabelled), BASE.target_batch, Rows.UNLABELLED)
    at_source, at_target = (drawn_rows([seed], heat.steps, *part)[0] for part in (source, target))
    return Job(heat.method, weight, begun_from(seed, shape, classes), task, at_source, at_target)


def prepare(heat: Heat) -> None:
    """Draw the arrays."""
    for seed in heat.seeds:
        task_of(seed)


def curve(heat: Heat, train: Callable[[Job], object]) -> list[Score]:
    """Train and probe all networks of a heat."""
    scores = []
    for weight in heat.weights:
        for seed in heat.seeds:
            train(job := job_of(heat, weight, seed))
            scores.append(probed(job, seed))
    return scores


@torch.no_grad()
def probed(job: Job, seed: int) -> Score:
    """What our probe reads off the features of the trained network."""
    task, network = job.task, job.network.eval()
    parts = [
        (task.labelled.inputs[: BASE.labels], task.labelled.labels[: BASE.labels]),
        (task.validation.inputs, task.validation.labels),
        (task.test.inputs, task.test.labels),
    ]
    read = [(network.features(x).numpy(), y.numpy()) for x, y in parts]
    with threadpool_limits(1):  # as in our own runs
        probe = fit_probe(*read)
    return Score(job.weight, seed, probe.validation_accuracy, probe.test_accuracy)
