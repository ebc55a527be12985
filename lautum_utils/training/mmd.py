"""The squared maximum mean discrepancy of two sets of features, with several Gaussian kernels."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

# Each kernel but the widest is the square of the one before.
KERNELS = 5


def mk_mmd(
    x: Float[Tensor, "*models m k"], y: Float[Tensor, "*models n k"]
) -> Float[Tensor, "*models"]:
    """The unbiased MMD^2, the mean of five kernels: 0 on average for equal distributions, so it can
    be below 0.

        mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)
        k = mean over a = 2, 1, 1/2, 1/4, 1/8 of exp(-d^2 / (2 a s))

    s: the mean squared distance of all pairs of different samples, without gradient.
    ValueError: fewer than 2 of each. Sources: Long et al. (DAN), ICML 2015; Gretton et al., 2012.
    """
    m, n = x.shape[-2], y.shape[-2]
    if m < 2 or n < 2:
        raise ValueError(f"mk_mmd needs 2 or more samples of each, got {m} and {n}.")
    joint = torch.cat((x, y), -2)
    value = _MkMMD.apply(joint.flatten(0, -3) if joint.ndim > 2 else joint[None], m)
    return value.view(joint.shape[:-2])


class _MkMMD(torch.autograd.Function):
    """MMD^2 of z (models, m + n, k), with its gradient in closed form:

        value = sum_ij w_ij k(d_ij^2)      dvalue/dz_i = 4 sum_j w_ij k'(d_ij^2) (z_i - z_j)

    w: 1 / (m (m - 1)), 1 / (n (n - 1)) and -1 / (m n), 0 where i = j. Autograd gives the same in
    twice the time and more. On a CPU one model at a time, so that its matrices stay in the cache.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, z: Tensor, m: int) -> Tensor:
        weights = _weights(z, m)
        parts = [_part(part, weights) for part in z.split(len(z) if z.is_cuda else 1)]
        values, gradients = zip(*parts, strict=True)
        ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[:, None, None], None


def _part(z: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Value and gradient of some models."""
    n = z.shape[-2]
    z = z - z.mean(-2, keepdim=True)  # without the rounding of a large common offset
    squares = z.square().sum(-1)
    # The squared distances of all pairs are 2 n sum |z|^2 together.
    scale = (2 / (n - 1) * squares.sum(-1)).clamp_min(torch.finfo(z.dtype).tiny)[:, None, None]
    slope = -1 / (4 * scale)  # of the widest kernel's exponent
    distances = (squares[..., None] + squares[..., None, :]).baddbmm_(z, z.mT, alpha=-2)
    kernel = distances.clamp_min_(0).mul_(slope).exp_()
    total, derivative = kernel.clone(), kernel.clone()
    for power in range(1, KERNELS):
        kernel.square_()
        total.add_(kernel)
        derivative.add_(kernel, alpha=2**power)
    value = total.mul_(weights).sum((-2, -1))
    derivative.mul_(weights)
    gradient = (derivative.sum(-1, keepdim=True) * z).baddbmm_(derivative, z, alpha=-1)
    return value, gradient.mul_(4 * slope)


def _weights(z: Tensor, m: int) -> Tensor:
    """Of each pair, for the mean over kernels too."""
    n = z.shape[-2] - m
    weights = z.new_full((m + n, m + n), -1 / (m * n))
    weights[:m, :m], weights[m:, m:] = 1 / (m * (m - 1)), 1 / (n * (n - 1))
    return weights.fill_diagonal_(0).div_(KERNELS)
