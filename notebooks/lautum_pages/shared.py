"""What the exercises of several notebooks share: random inputs (float64), a few computations, and
hints."""

from typing import Any

import torch
from torch import Generator, Tensor

REVERSED = (
    "this is mutual information, D(P_AB || P_A P_B): for Lautum information the two arguments "
    "change places."
)
SIGN = (
    "only the sign is wrong: a divergence is never negative. Which distribution stands in the "
    "numerator of the logarithm?"
)
UNCENTRED = "the mean has not been taken off: subtract it over the sample axis before multiplying."
WRONG_BLOCK = (
    "the ridge went to the block of the inputs: noise is added to the representation z, which "
    "comes first."
)
BOTH_BLOCKS = (
    "the ridge went to all axes: only the representation z gets noise, the inputs are data."
)
ABSOLUTE = (
    "the ridge is a fraction: multiply it by the mean variance of z, so that the scale of z does "
    "not matter."
)


def table(rows: Any) -> Tensor:
    """Numbers as a float64 tensor."""
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def uniform(generator: Generator, *shape: int) -> Tensor:
    """Numbers between 0 and 1."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def between(generator: Generator, low: float, high: float) -> float:
    """A number between two others."""
    return low + (high - low) * uniform(generator).item()


def distribution(generator: Generator, *shape: int) -> Tensor:
    """Probabilities that sum to 1, none near 0."""
    weights = uniform(generator, *shape) + 0.02
    return weights / weights.sum()


def normal(generator: Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def covariance(generator: Generator, d: int) -> Tensor:
    """A covariance of d axes."""
    root = normal(generator, d, 2 * d)
    return root @ root.mT / d


def product(joint: Tensor) -> Tensor:
    """The product of the two marginals of a joint."""
    return joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)


def noisy(
    cov: Tensor,
    k: int,
    ridge: float,
    on_features: bool = True,
    on_inputs: bool = False,
    scale: Any = None,
) -> Tensor:
    """The ridge on the block of the k features, on the block of the inputs, or on both.

    scale : what the ridge is a fraction of; by default the mean variance of those axes.
    """
    on = torch.where(torch.arange(len(cov)) < k, on_features, on_inputs)
    scale = cov.diagonal()[on].mean() if scale is None else scale
    return cov + torch.diag(on.to(cov.dtype) * ridge * scale)
