"""Regularizers that measure how informative a batch of representations is about the inputs it came from.

The weights of a network act on a target input x only through the representation z = f_w(x), which stands in for them
here; z and x are treated as jointly Gaussian, so what is measured is their *linear* dependence. (Jakubovitz,
Rodrigues, Giryes 2019, arXiv 1904.01670, maximise the Lautum information of weights and target inputs under the same
Gaussian assumption; whitening once, the ridge, and representations in place of weights are how it is done here.)
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor, nn


class _GaussianDependence(nn.Module):
    """Dependence of representations z and PCA-whitened inputs u, from the joint covariance of a batch.

    Parameters
    ----------
    target_inputs : (n, ...), at least 2 samples; everything after the first axis is flattened to d.
    n_components : r, how many principal components of the inputs are kept.
    ridge : variance of the noise added to z, as a fraction of the mean variance of z's coordinates. Only
        S_zz changes: the ridge *is* independent Gaussian observation noise on z.

    ValueError: NaN, infinite or constant inputs, fewer than 2 samples, n_components beyond min(n - 1, d), ridge < 0.
    """

    mean: Tensor
    components: Tensor
    _lautum: bool

    def __init__(self, target_inputs: Tensor, n_components: int = 32, ridge: float = 1e-2) -> None:
        super().__init__()
        if not 0 <= ridge < float("inf"):
            raise ValueError(f"ridge needs to be a finite number of 0 or more, got {ridge}.")
        if target_inputs.ndim < 2 or len(target_inputs) < 2:
            raise ValueError(f"target_inputs needs (n, ...) with 2 samples or more, got {tuple(target_inputs.shape)}.")
        if not bool(target_inputs.isfinite().all()):
            raise ValueError("target_inputs needs finite values, got NaN or infinite values.")
        flat = target_inputs.detach().flatten(1).cpu().double().numpy()
        most = min(flat.shape[0] - 1, flat.shape[1])
        if not 1 <= n_components <= most:
            raise ValueError(f"n_components needs to be from 1 to {most} for inputs {flat.shape}, got {n_components}.")
        if (flat == flat[0]).all():
            raise ValueError("target_inputs needs inputs that differ from one another, got a constant.")
        solver = "covariance_eigh" if flat.shape[1] <= 1024 else "auto"
        pca = PCA(n_components, svd_solver=solver, random_state=0).fit(flat)
        # Directions in which the inputs hardly vary are not blown up beyond what float32 resolves.
        least = pca.explained_variance_[0] * flat.shape[1] * torch.finfo(torch.float32).eps
        variance = pca.explained_variance_.clip(min=least)
        self.ridge = ridge
        whitening = (pca.components_ / variance[:, None] ** 0.5).T.copy()
        dtype, device = _statistics_dtype(target_inputs), target_inputs.device
        self.register_buffer("mean", torch.as_tensor(pca.mean_, dtype=dtype, device=device))
        self.register_buffer("components", torch.as_tensor(whitening, dtype=dtype, device=device))

    def project(self, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n r"]:
        """Whitened inputs u = (x - mean) V diag(variance)^-1/2: uncorrelated, unit variance over `target_inputs`."""
        values = math.prod(inputs.shape[1:])
        if inputs.ndim < 2 or values != len(self.mean):
            raise ValueError(f"inputs need {len(self.mean)} values each, got {values}: {tuple(inputs.shape)}.")
        with _full_precision(inputs.device):
            return (inputs.flatten(1).to(self.mean.dtype) - self.mean) @ self.components

    def forward(
        self,
        representations: Float[Tensor, "*models n k"],
        projected: Float[Tensor, "*models n r"],
        *,
        validate_args: bool = True,
    ) -> Float[Tensor, "*models"]:
        """The value in nats, batched over leading dimensions; 0 where the representations are constant.

        representations: (..., n, k); projected: (..., n, r), as `project` gives them.
        ValueError: shapes that do not match, n < 2; NaN or infinite values (not looked for if validate_args=False,
        so that a training step on a GPU never waits for the host). The gradient is with respect to representations only.
        """
        if representations.ndim < 2 or representations.shape[:-1] != projected.shape[:-1] or representations.shape[-2] < 2:
            raise ValueError(
                "representations (..., n, k) and projected (..., n, r) need the same n of 2 or more, "
                f"got {tuple(representations.shape)} and {tuple(projected.shape)}."
            )
        if validate_args and not bool(representations.isfinite().all() & projected.isfinite().all()):
            raise ValueError("representations and projected need finite values, got NaN or infinite values.")
        return _BatchDependence.apply(representations, projected, self.ridge, self._lautum)


class LautumRegularizer(_GaussianDependence):
    """Gaussian Lautum information L(z + noise; u) in nats: maximise it to stay informative about the inputs.

    L = tr( (I - K)^-1 - I ) + 1/2 log det(I - K), K = Szz^-1 Szu Suu^-1 Suz, from the batch covariance with the ridge
    on Szz. It is large where a canonical correlation is near 1; the ridge bounds it.
    Arguments, shapes and errors: `__init__` (see the base class above), `project`, `forward`. Source: arXiv 1904.01670.
    """

    _lautum = True


class MutualInformationRegularizer(_GaussianDependence):
    """Gaussian mutual information I(z + noise; u) in nats: -1/2 log det(I - K), everything else as for Lautum.

    arXiv 2306.06731 *minimises* it; notebook 06 also shows what happens when it is maximised.
    """

    _lautum = False


class _BatchDependence(torch.autograd.Function):
    """L or I of z (with the ridge) and u from the covariance of a batch, with its gradient in closed form.

    With V = U Lu'^-1 (u whitened by the batch), b = Z'V / (n - 1), C = Szz - b b' the covariance of z given u,
    C = Lc Lc', M = Lc^-1 b, N = Lc'^-1 M, I + M'M = Lg Lg' and Q = Lg^-1 N' (so that Q'Q = C^-1 - Szz^-1):

        I = 1/2 log det(I + M'M)      dI/db = N              dI/dSzz = -1/2 Q'Q
        L = |M|^2 - I                 dL/db = N (I + 2 M'M)  dL/dSzz =  1/2 Q'Q - N N'

    Only Choleskys and triangular solves. The gradient of autograd through `information` is the same (tests/) but takes three
    times as long on batches of this size. None flows into u: the inputs are data.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, u: Tensor, ridge: float, lautum: bool) -> Tensor:
        with _full_precision(z.device):
            dtype = _statistics_dtype(z)
            k = z.shape[-1]
            joint, cov = centred_covariance(z.to(dtype), u.to(dtype), ridge)
            chol_u, _ = torch.linalg.cholesky_ex(cov[..., k:, k:])
            b = torch.linalg.solve_triangular(chol_u, cov[..., k:, :k], upper=False).mT
            chol_c, _ = torch.linalg.cholesky_ex(cov[..., :k, :k] - b @ b.mT)
            m = torch.linalg.solve_triangular(chol_c, b, upper=False)
            gram = m.mT @ m
            one_plus = gram.clone()
            one_plus.diagonal(dim1=-2, dim2=-1).add_(1)
            chol_g, _ = torch.linalg.cholesky_ex(one_plus)
            value = chol_g.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            if lautum:
                value = (gram.diagonal(dim1=-2, dim2=-1).sum(-1) - value).clamp_min(0)
            ctx.save_for_backward(joint, chol_u, chol_c, m, gram, chol_g)
            ctx.settings = ridge + _floor(cov), lautum, z.dtype
            return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        joint, chol_u, chol_c, m, gram, chol_g = ctx.saved_tensors
        ridge, lautum, dtype = ctx.settings
        with _full_precision(joint.device):
            n_ = torch.linalg.solve_triangular(chol_c.mT, m, upper=True)
            q = torch.linalg.solve_triangular(chol_g, n_.mT, upper=False)
            d_szz = q.mT @ q / 2
            if lautum:
                d_szz, d_b = d_szz - n_ @ n_.mT, n_ + 2 * n_ @ gram
            else:
                d_szz, d_b = -d_szz, n_
            trace = d_szz.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
            d_szz.diagonal(dim1=-2, dim2=-1).add_(ridge * trace)
            d_szu = torch.linalg.solve_triangular(chol_u.mT, d_b.mT, upper=True)
            d_z = joint @ torch.cat((2 * d_szz, d_szu), -2)
            scale = upstream[..., None, None] / (joint.shape[-2] - 1)
            return (d_z * scale).to(dtype), None, None, None


def centred_covariance(
    z: Float[Tensor, "*models n k"], u: Float[Tensor, "*models n r"], ridge: float
) -> tuple[Float[Tensor, "*models n k+r"], Float[Tensor, "*models k+r k+r"]]:
    """(z, u) centred over the n axis, and its sample covariance with ridge * mean variance of z added to the diagonal of Szz.

    Positive definite for every batch: both diagonals also get a floor of rounding size, (k + r) * 16 * machine epsilon
    of their mean variance, which decides only where the batch has no more to say (n <= k + r with no ridge, constants).
    """
    k = z.shape[-1]
    joint = torch.cat((z, u), -1)
    # The first row is taken off before the mean is, so that a constant coordinate becomes exactly 0.
    joint = joint - joint[..., :1, :]
    joint -= joint.mean(-2, keepdim=True)
    cov = joint.mT @ joint / (joint.shape[-2] - 1)
    variance = cov.diagonal(dim1=-2, dim2=-1)
    least = torch.finfo(cov.dtype).eps ** 2
    noise_z = (ridge + _floor(cov)) * variance[..., :k].mean(-1, keepdim=True) + least
    noise_u = _floor(cov) * variance[..., k:].mean(-1, keepdim=True) + least
    variance[..., :k].add_(noise_z)
    variance[..., k:].add_(noise_u)
    return joint, cov


def _floor(cov: Tensor) -> float:
    return cov.shape[-1] * 16 * torch.finfo(cov.dtype).eps


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    name = device.type
    on = torch.amp.is_autocast_available(name) and torch.is_autocast_enabled(name)
    return torch.autocast(name, enabled=False) if on else nullcontext()


def _statistics_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
