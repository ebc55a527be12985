"""What the covariance of a batch is made of: centring, noise on its diagonal, sums over ranks, and
the precision in which all of it is computed."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def stacked(x: Tensor) -> Tensor:
    """All leading dimensions as one: (models, n, k)."""
    return x if x.ndim == 3 else x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def centred(x: Tensor, group: Any = None) -> Tensor:
    """x less its mean over samples; a constant coordinate becomes exactly 0."""
    x = x - over_ranks(x[..., :1, :], group, "MAX")
    n = x.shape[-2] if group is None else over_ranks(x.new_full((), x.shape[-2]), group)
    return x.sub_(over_ranks(x.sum(-2, keepdim=True), group) / n)


def add_noise(x: Tensor, share: float) -> Tensor:
    """In place: share * mean variance on the diagonal, or next to nothing where all is constant."""
    variance = x.diagonal(dim1=-2, dim2=-1)
    mean = variance.mean(-1, keepdim=True)
    variance.add_(mean.clamp_min_(torch.finfo(x.dtype).eps ** 2), alpha=share)
    return x


def over_ranks(x: Tensor, group: Any, operation: str = "SUM") -> Tensor:
    """The sum (or another reduction) over a process group, or x itself without one."""
    if group is None:
        return x
    x = x.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(x, getattr(torch.distributed.ReduceOp, operation), group)
    return x


def rounding_floor(size: int, dtype: torch.dtype) -> float:
    """The share of the mean variance below which a covariance of so many dimensions is rounding."""
    return size * 16 * torch.finfo(dtype).eps


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Without autocast, where it is on."""
    name = device.type
    on = torch.amp.is_autocast_available(name) and torch.is_autocast_enabled(name)
    return torch.autocast(name, enabled=False) if on else nullcontext()


def statistics_dtype(x: Tensor) -> torch.dtype:
    """float32, or what x has if that is wider."""
    return torch.promote_types(x.dtype, torch.float32)
