"""Train one network on several ranks: torchrun --nproc-per-node 2 train_on_ranks.py BATCH OUTPUT

Notebook 09 runs this, and the same `train` in one process. Each rank needs the same inputs to
whiten with, and one call of the wrapped network a step.
"""

import json
import sys
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lautum_utils import LautumRegularizer

STRENGTH, STEPS = 1e-3, 5


class Network(nn.Module):
    """Logits of source images and features of target images, in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
        self.head = nn.Linear(8, 10)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both, for images of shape (n, 64)."""
        return self.head(self.features(source)), self.features(target)


def train(
    dtype: torch.dtype,
    batch: int,
    rows: tuple[Tensor, Tensor],
    group: Any = None,
    talk: bool = True,
    weighted: bool = False,
) -> tuple[float, list[Any], list[float]]:
    """Train on these rows, of the source and of the target, of each batch: value and gradient of L
    at the first step, parameters after the last.

    talk: whether the ranks add up their statistics. weighted: whether a rank with fewer source
    images counts less.
    """
    ranks = group.size() if group else 1
    images, labels = (torch.from_numpy(x) for x in load_digits(return_X_y=True))
    images = images.to(dtype) / 16
    regularizer = LautumRegularizer(images, 8, ridge=0.1, group=group if talk else None)
    torch.manual_seed(0)  # the same first weights and the same batches on every rank
    network = Network().to(dtype)
    model = DistributedDataParallel(network, process_group=group) if group else network
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    at_start: tuple[float, list[Any]] | None = None
    for _ in range(STEPS):
        source, target = torch.randint(len(images), (2, batch))
        source, target = source[rows[0]], target[rows[1]]
        logits, z = model(images[source], images[target])
        value = regularizer(z, regularizer.project(images[target]))
        if at_start is None:  # autograd gives the gradient of the sum of what all ranks ask for
            (gradient,) = torch.autograd.grad(value, z, retain_graph=True)
            at_start = value.item(), (gradient / ranks).tolist()
        weight = ranks * len(source) / batch if weighted else 1
        loss = weight * F.cross_entropy(logits, labels[source]) - STRENGTH * value
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert at_start is not None
    return *at_start, torch.cat([p.detach().flatten() for p in network.parameters()]).tolist()


def main(batch: int, output: str) -> None:
    """Train in four ways on all ranks; the first rank writes what came out."""
    distributed.init_process_group("gloo")  # "nccl" on GPUs
    group, rank = distributed.group.WORLD, distributed.get_rank()
    assert group is not None
    ranks, rows = group.size(), torch.arange(batch)
    equal = rows.chunk(ranks)[rank]
    cuts = [batch * i * (i + 1) // (ranks * (ranks + 1)) for i in range(1, ranks)]
    unequal = rows.tensor_split(cuts)[rank]  # shares as 1 : 2 : 3 ...
    cases: dict[str, tuple[Any, ...]] = {
        "equal": ((equal, unequal), group),
        "equal, no group": ((equal, unequal), group, False),
        "unequal": ((unequal, unequal), group),
        "unequal, weighted": ((unequal, unequal), group, True, True),
    }
    results = {}
    for dtype in (torch.float64, torch.float32):
        for name, case in cases.items():
            value, gradient, parameters = train(dtype, batch, *case)
            parts: list[Any] = [None] * ranks
            distributed.all_gather_object(parts, gradient)
            gradient = [row for part in parts for row in part]
            results[f"{str(dtype)[6:]}, {name}"] = value, gradient, parameters
    if rank == 0:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(results, file)
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
