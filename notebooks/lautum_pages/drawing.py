"""Random inputs of the exercises, float64."""

from typing import Any

import torch
from torch import Generator, Tensor


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
