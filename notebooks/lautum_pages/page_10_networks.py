"""Trained networks of notebook 10, each beside the images of its own target."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lautum_utils import LautumRegularizer, Results, TransferTask, load_transfer_task

Represent = Callable[[Tensor], Tensor]  # images (n, c, h, w) -> what stands for them, (n, k)


class Observed(NamedTuple):
    """What networks make of images, in double precision on the CPU.

    features : by network, such as "weight 0": (seeds, n, k). components : whitened, (seeds, n, 64).
    networks : the name, the task, the features and the components as functions, of each one.
    """

    features: dict[str, Tensor]
    components: Tensor
    networks: list[tuple[str, TransferTask, Represent, Represent]]


def observed(results: Results, images: int) -> Observed:
    """Of results with their networks: what each sees in the first unlabelled images of its target.

    Every seed has a task of its own, and so components of its own.
    """
    tasks, components = {}, {}
    for e in (result.experiment for result in results.where(strength=0.0)):
        tasks[e.seed] = load_transfer_task(e.source, e.target, e.shift, e.severity, e.seed)
        components[e.seed] = LautumRegularizer(
            tasks[e.seed].unlabelled, n_components=e.n_components, ridge=e.ridge
        ).project
    looked_at = {seed: task.unlabelled[:images] for seed, task in tasks.items()}
    features: dict[str, list[Tensor]] = {}
    networks = []
    for result in results:
        name, seed = f"weight {result.experiment.strength:g}", result.experiment.seed
        assert result.network is not None
        represent = result.network.cpu().features
        features.setdefault(name, []).append(represent(looked_at[seed]).double())
        networks.append((name, tasks[seed], represent, components[seed]))
    u = [components[seed](seen).double() for seed, seen in looked_at.items()]
    return Observed({k: torch.stack(v) for k, v in features.items()}, torch.stack(u), networks)
