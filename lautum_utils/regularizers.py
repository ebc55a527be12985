"""Regularizers that measure how informative representations are about the inputs they came from.

The weights act on a target input x only through the representation z = f_w(x), which stands in for
them here; z and x are treated as jointly Gaussian, so what is measured is *linear* dependence.
(arXiv 1904.01670 maximises the Lautum information of weights and target inputs under that
assumption; whitening once, the ridge, and z in place of weights are how it is done here.)
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lautum_utils.numbers import number, whole_number
from lautum_utils.small_samples import warn_of_bias


class _GaussianDependence(nn.Module):
    """Dependence of representations z and PCA-whitened inputs u, from a batch's joint covariance.

    Parameters
    ----------
    target_inputs : (n, ...), at least 2 samples; everything after the first axis is flattened to d.
    n_components : r, how many principal components of the inputs are kept.
    ridge : variance of independent Gaussian noise on z, as a fraction of the mean variance of z's
        coordinates: on S_zz only.
    group : a torch.distributed process group: the value is that of all ranks' samples as one batch,
        the gradient that of the sum of the ranks' losses (so DistributedDataParallel needs nothing
        else). Same target_inputs on every rank.

    ValueError: NaN, infinite or constant inputs, fewer than 2 samples, n_components beyond
    min(n - 1, d), ridge < 0.
    """

    mean: Tensor
    components: Tensor
    _lautum: bool
    told_of_bias = False

    def __init__(
        self, target_inputs: Tensor, n_components: int = 32, ridge: float = 1e-2, group: Any = None
    ) -> None:
        from sklearn.decomposition import PCA

        super().__init__()
        ridge, n_components = number(ridge, "ridge"), whole_number(n_components, "n_components")
        if target_inputs.ndim < 2 or len(target_inputs) < 2:
            got = tuple(target_inputs.shape)
            raise ValueError(f"target_inputs needs (n, ...) with 2 samples or more, got {got}.")
        if not bool(target_inputs.isfinite().all()):
            raise ValueError("target_inputs needs finite values, got NaN or infinite values.")
        flat = target_inputs.detach().flatten(1).cpu().double().numpy()
        most = min(flat.shape[0] - 1, flat.shape[1])
        if not 1 <= n_components <= most:
            wanted = f"from 1 to {most} for inputs {flat.shape}"
            raise ValueError(f"n_components needs to be {wanted}, got {n_components}.")
        if (flat == flat[0]).all():
            raise ValueError(
                "target_inputs needs inputs that differ from one another, got a constant."
            )
        solver = "covariance_eigh" if flat.shape[1] <= 1024 else "auto"
        pca = PCA(n_components, svd_solver=solver, random_state=0).fit(flat)
        # Directions in which the inputs hardly vary are not blown up beyond what float32 resolves.
        least = pca.explained_variance_[0] * flat.shape[1] * torch.finfo(torch.float32).eps
        variance = pca.explained_variance_.clip(min=least)
        self.ridge, self.group = ridge, group
        whitening = (pca.components_ / variance[:, None] ** 0.5).T.copy()
        dtype, device = _statistics_dtype(target_inputs), target_inputs.device
        self.register_buffer("mean", torch.as_tensor(pca.mean_, dtype=dtype, device=device))
        self.register_buffer("components", torch.as_tensor(whitening, dtype=dtype, device=device))

    def project(self, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n r"]:
        """Whitened inputs u = (x - mean) V diag(variance)^-1/2.

        Uncorrelated and of unit variance over `target_inputs`.
        """
        values = math.prod(inputs.shape[1:])
        if inputs.ndim < 2 or values != len(self.mean):
            raise ValueError(
                f"inputs need {len(self.mean)} values each, got {values}: {tuple(inputs.shape)}."
            )
        with _full_precision(inputs.device):
            return (inputs.flatten(1).to(self.mean.dtype) - self.mean) @ self.components

    def forward(
        self,
        representations: Float[Tensor, "*models n k"],
        projected: Float[Tensor, "*models n r"],
        *,
        prepared: bool = False,
        validate_args: bool = True,
    ) -> Float[Tensor, "*models"]:
        """The value in nats, batched over leading dimensions; 0 for constant representations.

        representations: (..., n, k). The gradient is with respect to them only.
        projected: (..., n, r), as `project` gives them, or as `prepare` does if prepared=True.
        ValueError: shapes that do not match, n < 2; NaN or infinite values. These are not looked
        for, and n < 4 (k + r), where most is bias, is not warned of, if validate_args=False.
        """
        least = 2 if self.group is None else 1
        if (
            representations.ndim < 2
            or representations.shape[:-1] != projected.shape[:-1]
            or representations.shape[-2] < least
        ):
            both = "representations (..., n, k) and projected (..., n, r)"
            shapes = f"{tuple(representations.shape)} and {tuple(projected.shape)}"
            raise ValueError(f"{both} need the same n of {least} or more, got {shapes}.")
        if validate_args:
            _require_finite(representations, projected)
        wide = torch.promote_types(representations.dtype, projected.dtype)
        v = projected if prepared else self.prepare(projected.to(wide))
        if validate_args:
            warn_of_bias(self, representations, v)
        z, v = _stacked(representations), _stacked(v)
        value = _BatchDependence.apply(z, v, self.ridge, self._lautum, self.group)
        return value if representations.ndim == 3 else value.view(representations.shape[:-2])

    @torch.no_grad()
    def prepare(self, projected: Float[Tensor, "*models n r"]) -> Float[Tensor, "*models n r"]:
        """v: the inputs of a batch centred and whitened by the batch itself, v'v = I.

        It depends on data only, and can be done before training.
        """
        with _full_precision(projected.device):
            u = _centred(_stacked(projected).to(_statistics_dtype(projected)), self.group)
            cov = _over_ranks(u.mT.bmm(u), self.group)
            _add_noise(cov, _floor(cov.shape[-1], cov.dtype))
            chol, _ = torch.linalg.cholesky_ex(cov, upper=True)
            v = torch.linalg.solve_triangular(chol, u, upper=True, left=False)
            return v.view(projected.shape)


class LautumRegularizer(_GaussianDependence):
    """Gaussian Lautum information L(z + noise; u) in nats: maximise it to stay informative.

        L = tr( (I - K)^-1 - I ) + 1/2 log det(I - K),   K = Szz^-1 Szu Suu^-1 Suz

    from the batch covariance with the ridge on Szz, which bounds it: it is large where a canonical
    correlation is near 1. See `project`, `forward`. Source: arXiv 1904.01670.
    """

    _lautum = True


class MutualInformationRegularizer(_GaussianDependence):
    """Gaussian mutual information I(z + noise; u) in nats: -1/2 log det(I - K).

    Source: arXiv 2306.06731, which *minimises* it.
    """

    _lautum = False


class _BatchDependence(torch.autograd.Function):
    """L or I of z (with the ridge) and the inputs v of a batch (v'v = I), with its gradient.

    The gradient is in closed form. z is (models, n, k); centred, and with Choleskys upper:

        B = z'v,  S = z'z + noise
        C = S - BB' = R'R       (z given v, but for a factor n - 1, which cancels)
        M = R'^-1 B,  N = R^-1 M,  G = I + M'M = T'T,  Q = N T^-1       (QQ' = C^-1 - S^-1)

        I = 1/2 log det G      dI/dB = N             dI/dS = -1/2 QQ'
        L = tr(G - I) - I      dL/dB = N (2G - I)    dL/dS =  1/2 QQ' - NN'

    Autograd through `information` gives the same gradient (tests/) in three times the time. None
    flows into v: it is data.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, v: Tensor, ridge: float, lautum: bool, group: Any) -> Tensor:
        with _full_precision(z.device):
            dtype, noise = z.dtype, ridge + _floor(z.shape[-1] + v.shape[-1], v.dtype)
            z = _centred(z.to(v.dtype), group)
            b_t = _over_ranks(v.mT.bmm(z), group)
            c = _add_noise(_over_ranks(z.mT.bmm(z), group), noise)
            c.baddbmm_(b_t.mT, b_t, alpha=-1)
            chol_c, _ = torch.linalg.cholesky_ex(c, upper=True)
            m_t = torch.linalg.solve_triangular(chol_c, b_t, upper=True, left=False)
            g = m_t.bmm(m_t.mT)
            diagonal = g.diagonal(dim1=-2, dim2=-1)
            trace = diagonal.sum(-1)
            diagonal.add_(1)
            chol_g, _ = torch.linalg.cholesky_ex(g, upper=True)
            value = chol_g.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            ctx.save_for_backward(z, v, chol_c, m_t, g, chol_g)
            ctx.settings = noise, lautum, dtype, group
            return trace.sub_(value).clamp_min_(0) if lautum else value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        z, v, chol_c, m_t, g, chol_g = ctx.saved_tensors
        noise, lautum, dtype, group = ctx.settings
        with _full_precision(z.device):
            n_t = torch.linalg.solve_triangular(chol_c.mT, m_t, upper=False, left=False)
            q = torch.linalg.solve_triangular(chol_g, n_t.mT, upper=True, left=False)
            twice_d_s, d_b_t = q.bmm(q.mT), n_t
            if lautum:
                twice_d_s.baddbmm_(n_t.mT, n_t, alpha=-2)
                d_b_t = torch.baddbmm(n_t, g, n_t, beta=-1, alpha=2)
            else:
                twice_d_s.neg_()
            diagonal = twice_d_s.diagonal(dim1=-2, dim2=-1)
            diagonal.add_(diagonal.mean(-1, keepdim=True), alpha=noise)
            d_z = z.bmm(twice_d_s).baddbmm_(v, d_b_t)
            d_z.mul_(_over_ranks(upstream, group)[:, None, None])
            return d_z.to(dtype), None, None, None, None


def batch_covariance(
    z: Float[Tensor, "*models n k"], u: Float[Tensor, "*models n r"], ridge: float
) -> Float[Tensor, "*models k+r k+r"]:
    """The sample covariance (n - 1) of (z, u), with noise on z.

    ridge * mean variance of z is added to the diagonal of its first block. Positive definite for
    every batch: both blocks also get a floor of rounding size, (k + r) * 16 * machine epsilon of
    their mean variance, which decides only where the batch has no more to say (n <= k + r with no
    ridge, constants).
    """
    k = z.shape[-1]
    joint = _centred(torch.cat((z, u), -1))
    cov = joint.mT @ joint / (joint.shape[-2] - 1)
    for block, share in ((cov[..., :k, :k], ridge), (cov[..., k:, k:], 0.0)):
        _add_noise(block, share + _floor(cov.shape[-1], cov.dtype))
    return cov


def _require_finite(representations: Tensor, projected: Tensor) -> None:
    if not bool(representations.isfinite().all() & projected.isfinite().all()):
        raise ValueError(
            "representations and projected need finite values, got NaN or infinite values."
        )


def _stacked(x: Tensor) -> Tensor:
    return x if x.ndim == 3 else x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def _centred(x: Tensor, group: Any = None) -> Tensor:
    # So that a constant coordinate becomes exactly 0.
    x = x - _over_ranks(x[..., :1, :], group, "MAX")
    n = x.shape[-2] if group is None else _over_ranks(x.new_full((), x.shape[-2]), group)
    return x.sub_(_over_ranks(x.sum(-2, keepdim=True), group) / n)


def _add_noise(x: Tensor, share: float) -> Tensor:
    """In place: share * mean variance on the diagonal, or next to nothing where all is constant."""
    variance = x.diagonal(dim1=-2, dim2=-1)
    mean = variance.mean(-1, keepdim=True)
    variance.add_(mean.clamp_min_(torch.finfo(x.dtype).eps ** 2), alpha=share)
    return x


def _over_ranks(x: Tensor, group: Any, operation: str = "SUM") -> Tensor:
    if group is None:
        return x
    x = x.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(x, getattr(torch.distributed.ReduceOp, operation), group)
    return x


def _floor(size: int, dtype: torch.dtype) -> float:
    return size * 16 * torch.finfo(dtype).eps


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    name = device.type
    on = torch.amp.is_autocast_available(name) and torch.is_autocast_enabled(name)
    return torch.autocast(name, enabled=False) if on else nullcontext()


def _statistics_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
