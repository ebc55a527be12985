"""Entropy, divergence, mutual and Lautum information: on finite alphabets and between Gaussians.

Everything is in nats, works on any floating-point type and device, and is batched over leading
dimensions.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

# --------------------------------------------------------------------------------- finite alphabets


def entropy(p: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch"]:
    """Shannon entropy in nats: H(p) = -sum_a p(a) log p(a), with 0 log 0 = 0.

    Raises ValueError if `p` holds negative or non-finite values or does not sum to one over its
    last axis.
    Source: Cover & Thomas, Elements of Information Theory, eq. 2.1.
    """
    require_probabilities(p, "p", axes=(-1,))
    return (p * torch.where(p > 0, -_log(p), 0)).sum(-1)


def kl_divergence(
    p: Float[Tensor, "*batch a"], q: Float[Tensor, "*batch a"]
) -> Float[Tensor, "*batch"]:
    """Kullback-Leibler divergence in nats: D(p || q) = sum_a p(a) log( p(a) / q(a) ).

    Infinite where q has a hole under the mass of p; never negative.
    Raises ValueError as `entropy` does, and if the alphabets differ.
    Source: Cover & Thomas, eq. 2.26.
    """
    require_probabilities(p, "p", axes=(-1,))
    require_probabilities(q, "q", axes=(-1,))
    if p.shape != q.shape:
        raise ValueError(f"p and q need the same shape, got {tuple(p.shape)} and {tuple(q.shape)}.")
    return _divergence(p, _log(p), _log(q), axes=(-1,))


def mutual_information(joint: Float[Tensor, "*batch a b"]) -> Float[Tensor, "*batch"]:
    """Mutual information in nats: I(A;B) = D( P_AB || P_A P_B ).

    joint: P(a, b), summing to one over the last two axes (ValueError if not).
    Source: Cover & Thomas, eq. 2.28.
    """
    require_probabilities(joint, "joint", axes=(-2, -1))
    return _divergence(joint, _log(joint), _log_product(joint), axes=(-2, -1))


def lautum_information(joint: Float[Tensor, "*batch a b"]) -> Float[Tensor, "*batch"]:
    """Lautum information in nats: L(A;B) = D( P_A P_B || P_AB ), the arguments of I(A;B) exchanged.

    Infinite as soon as the joint has a hole where both marginals have mass.
    joint: P(a, b), summing to one over the last two axes (ValueError if not).
    Source: Palomar & Verdu (2008), eq. 1.
    """
    require_probabilities(joint, "joint", axes=(-2, -1))
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return _divergence(product, _log_product(joint), _log(joint), axes=(-2, -1))


def _divergence(p: Tensor, log_p: Tensor, log_q: Tensor, axes: tuple[int, ...]) -> Tensor:
    # Zeros are replaced before they meet a logarithm, not after: so gradients stay free of NaN too.
    hole = (log_p > -math.inf) & (log_q == -math.inf)
    both = (log_p > -math.inf) & (log_q > -math.inf)
    terms = p * (torch.where(both, log_p, 0) - torch.where(both, log_q, 0))
    return torch.where(hole, math.inf, terms).sum(axes).clamp_min(0)


def _log(p: Tensor) -> Tensor:
    return torch.where(p > 0, torch.where(p > 0, p, 1).log(), -math.inf)


def _log_product(joint: Tensor) -> Tensor:
    return _log(joint.sum(-1, keepdim=True)) + _log(joint.sum(-2, keepdim=True))


def require_probabilities(p: Tensor, name: str, axes: tuple[int, ...]) -> None:
    """Raise ValueError unless `p` is finite, not negative, and sums to 1 over its last axes."""
    if not p.is_floating_point() or p.ndim < len(axes):
        needs = f"a floating-point tensor of {len(axes)} axes or more"
        raise ValueError(f"{name} needs {needs}, got {p.dtype} {tuple(p.shape)}.")
    if p.is_meta:
        return
    values = p.detach()
    if not bool(values.isfinite().all()):
        raise ValueError(f"{name} needs finite probabilities, got NaN or infinite values.")
    if bool((values < 0).any()):
        raise ValueError(f"{name} needs probabilities of 0 or more, got {values.min().item():.6g}.")
    total = values.sum(axes)
    worst = (total - 1).abs().max().item() if total.numel() else 0.0
    if worst > math.sqrt(torch.finfo(p.dtype).eps):
        raise ValueError(
            f"{name} needs probabilities that sum to 1, got a sum that is off by {worst:.3g}."
        )


# ---------------------------------------------------------------------------------------- Gaussians


def gaussian_mutual_information(
    cov: Float[Tensor, "*batch d d"], dim_x: int, *, validate_args: bool = True
) -> Float[Tensor, "*batch"]:
    """Mutual information in nats of jointly Gaussian X and Y.

    X is the first `dim_x` axes of `cov`, Y the others.

        I = -1/2 log det(I - K) = 1/2 log det(I + M M')

    with K = Sx^-1 Sxy Sy^-1 Syx and M as in `_whitened_regression`.
    Raises ValueError if `cov` is not a finite, symmetric, positive definite matrix or `dim_x`
    leaves X or Y empty; validate_args=False leaves that out, for a training step.
    Source: Cover & Thomas, section 8.5.
    """
    if validate_args:
        _require_covariance(cov, dim_x)
    return _gaussian_mutual(_whitened_regression(_wide(cov), dim_x)).to(cov.dtype)


def gaussian_lautum_information(
    cov: Float[Tensor, "*batch d d"], dim_x: int, *, validate_args: bool = True
) -> Float[Tensor, "*batch"]:
    """Lautum information in nats of jointly Gaussian X and Y.

        L = 1/2 log det(I - K) + tr( (I - K)^-1 - I ) = |M|_F^2 - 1/2 log det(I + M M')

    with arguments, K, M and errors as in `gaussian_mutual_information`.
    Source: Palomar & Verdu (2008), section III.
    """
    if validate_args:
        _require_covariance(cov, dim_x)
    m = _whitened_regression(_wide(cov), dim_x)
    return (m.square().sum((-2, -1)) - _gaussian_mutual(m)).clamp_min(0).to(cov.dtype)


def canonical_correlations(
    cov: Float[Tensor, "*batch d d"], dim_x: int, *, validate_args: bool = True
) -> Float[Tensor, "*batch r"]:
    """The min(dim_x, d - dim_x) canonical correlations rho in [0, 1] of X and Y, largest first.

    rho are the singular values of Sx^-1/2 Sxy Sy^-1/2, and

        I = sum -1/2 log(1 - rho^2)
        L = sum  1/2 log(1 - rho^2) + rho^2 / (1 - rho^2)

    Arguments and errors as in `gaussian_mutual_information`. Source: Hotelling (1936).
    """
    if validate_args:
        _require_covariance(cov, dim_x)
    wide = _wide(cov)
    chol_y, _ = torch.linalg.cholesky_ex(wide[..., dim_x:, dim_x:])
    chol_x, _ = torch.linalg.cholesky_ex(wide[..., :dim_x, :dim_x])
    half = torch.linalg.solve_triangular(chol_x, wide[..., :dim_x, dim_x:], upper=False)
    coherence = torch.linalg.solve_triangular(chol_y, half.mT, upper=False)
    return torch.linalg.svdvals(coherence).clamp(0, 1).to(cov.dtype)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))  # half precision has no Cholesky


def _whitened_regression(cov: Tensor, dim_x: int) -> Tensor:
    """M = S_y|x^-1/2 Syx Sx^-1/2, whose singular values are rho / sqrt(1 - rho^2).

    The Cholesky factor of the joint covariance is [[Lx, 0], [B, C]] with Lx Lx' = Sx,
    B = Syx Lx'^-1 and C C' = S_y|x, the covariance of Y given X. So M = C^-1 B, and no inverse is
    formed.
    """
    chol, _ = torch.linalg.cholesky_ex(cov)
    b, c = chol[..., dim_x:, :dim_x], chol[..., dim_x:, dim_x:]
    return torch.linalg.solve_triangular(c, b, upper=False)


def _gaussian_mutual(m: Tensor) -> Tensor:
    gram = m @ m.mT if m.shape[-2] <= m.shape[-1] else m.mT @ m
    identity = torch.eye(gram.shape[-1], dtype=m.dtype, device=m.device)
    chol, _ = torch.linalg.cholesky_ex(gram + identity)
    return chol.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _require_covariance(cov: Tensor, dim_x: int) -> None:
    if not cov.is_floating_point() or cov.ndim < 2 or cov.shape[-1] != cov.shape[-2]:
        got = f"{cov.dtype} {tuple(cov.shape)}"
        raise ValueError(f"cov needs floating-point square matrices (..., d, d), got {got}.")
    if not 1 <= dim_x < cov.shape[-1]:
        d = cov.shape[-1]
        raise ValueError(f"dim_x needs to be from 1 to {d - 1} for {d} dimensions, got {dim_x}.")
    if cov.is_meta:
        return
    values = cov.detach()
    if not bool(values.isfinite().all()):
        raise ValueError("cov needs finite values, got NaN or infinite values.")
    scale = values.abs().amax((-2, -1), keepdim=True)
    if bool(((values - values.mT).abs() > math.sqrt(torch.finfo(cov.dtype).eps) * scale).any()):
        raise ValueError("cov needs to be symmetric, got a matrix that differs from its transpose.")
    if bool(torch.linalg.cholesky_ex(_wide(values)).info.any()):
        raise ValueError(
            "cov needs to be positive definite, got a matrix without a Cholesky factor."
        )
