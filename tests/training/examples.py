"""A small network, its inputs, and a batch of them: what methods and loops are tried on."""

from typing import Any

import torch
from torch import Tensor

from lautum_utils.training.batches import Batch
from lautum_utils.training.methods import make_regularizer
from lautum_utils.training.networks import MLP

CLASSES = 10


def example(
    m: int = 12, n: int = 40, models: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[MLP, Tensor, Tensor, Any]:
    """A network that is sure of some samples, inputs, labels, and a regularizer of the unlabelled
    ones."""
    generator = torch.Generator().manual_seed(seed)
    network = MLP((1, 4, 4), CLASSES, range(models)).to(dtype)
    with torch.no_grad():
        network.classifier.weight *= 15
    x = torch.randn((models, m + n, 1, 4, 4), generator=generator, dtype=dtype) * 2
    y = torch.randint(CLASSES, (models, m), generator=generator)
    inputs = torch.randn((100, 16), generator=generator, dtype=dtype)
    return network, x, y, make_regularizer("lautum", inputs, 3, 1e-2)


def batch_of(
    network: MLP,
    x: Tensor,
    y: Tensor,
    regularizer: Any,
    features: Tensor | None = None,
    **settings: Any,
) -> Batch:
    """The first samples are those that have labels."""
    unlabelled = x[:, y.shape[1] :]
    n = unlabelled.shape[1]
    known: dict[str, Any] = {
        "index": torch.arange(n).expand(len(x), n),
        "n_labelled": y.shape[1],
        "n_unlabelled": n,
        "seeds": range(len(x)),
        "step": 5,
        "steps": 10,
    }

    def projected() -> Tensor:
        return torch.stack([regularizer.project(images) for images in unlabelled])

    known["projected"] = projected

    features = network.features(x, y.shape[1]) if features is None else features
    return Batch(
        network, x, y, features, lambda: regularizer.prepare(projected()), **known | settings
    )
