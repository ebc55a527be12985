"""Regularizers that measure how informative representations are about the inputs they came from.

The weights act on a target input x only through the representation z = f_w(x), which stands in for
them here; z and x are treated as jointly Gaussian, so what is measured is *linear* dependence.
(arXiv 1904.01670 maximises the Lautum information of weights and target inputs under that
assumption; whitening once, the ridge, and z in place of weights are how it is done here.)
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lautum_utils.batch_statistics import (
    add_noise,
    centred,
    full_precision,
    over_ranks,
    rounding_floor,
    stacked,
    statistics_dtype,
)
from lautum_utils.closed_form import ClosedForm
from lautum_utils.small_samples import warn_of_bias
from lautum_utils.whitened_inputs import WhitenedInputs


class _GaussianDependence(WhitenedInputs):
    """Dependence of representations z and PCA-whitened inputs u, from a batch's joint covariance.

    Parameters
    ----------
    target_inputs : (n, ...), a tensor or an array of at least 2 samples; everything after the first
        axis is flattened to d. In batches: `from_batches`. Reloaded: `from_state_dict`.
    n_components : r, how many principal components of the inputs are kept.
    ridge : variance of independent Gaussian noise on z, as a fraction of the mean variance of z's
        coordinates: on S_zz only.
    group : a torch.distributed process group: the value is that of all ranks' samples as one batch,
        the gradient that of the sum of the ranks' losses (so DistributedDataParallel needs nothing
        else). Same target_inputs on every rank.

    ValueError: NaN, infinite or constant inputs, fewer than 2 samples, n_components beyond
    min(n - 1, d), ridge < 0. TypeError: inputs that are no tensor or array of real numbers.
    """

    _lautum: bool
    told_of_bias = told_of_saturation = False

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
        for, and n < 4 (k + r), where most is bias, is not warned of, if validate_args=False: what
        torch.func.vmap and torch.compile(fullgraph=True) need.
        """
        if not isinstance(representations, Tensor) or not isinstance(projected, Tensor):
            got = f"{type(representations).__name__} and {type(projected).__name__}"
            raise TypeError(f"representations and projected need to be tensors, got {got}.")
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
        z, v = stacked(representations), stacked(v)
        value = ClosedForm.apply(_BatchDependence(self.ridge, self._lautum, self.group), z, v)[0]
        return value if representations.ndim == 3 else value.view(representations.shape[:-2])

    @torch.no_grad()
    def prepare(self, projected: Float[Tensor, "*models n r"]) -> Float[Tensor, "*models n r"]:
        """v: the inputs of a batch centred and whitened by the batch itself, v'v = I.

        It depends on data only, and can be done before training.
        """
        with full_precision(projected.device):
            u = centred(stacked(projected).to(statistics_dtype(projected)), self.group)
            cov = over_ranks(u.mT.bmm(u), self.group)
            add_noise(cov, rounding_floor(cov.shape[-1], cov.dtype))
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


class _BatchDependence:
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

    def __init__(self, ridge: float, lautum: bool, group: Any) -> None:
        self.ridge, self.lautum, self.group = ridge, lautum, group

    def value(self, representations: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        with full_precision(v.device):
            z = centred(representations.to(v.dtype), self.group)
            b_t = over_ranks(v.mT.bmm(z), self.group)
            c = add_noise(over_ranks(z.mT.bmm(z), self.group), self._noise(z, v))
            c.baddbmm_(b_t.mT, b_t, alpha=-1)
            chol_c, _ = torch.linalg.cholesky_ex(c, upper=True)
            m_t = torch.linalg.solve_triangular(chol_c, b_t, upper=True, left=False)
            g = m_t.bmm(m_t.mT)
            diagonal = g.diagonal(dim1=-2, dim2=-1)
            trace = diagonal.sum(-1)
            diagonal.add_(1)
            chol_g, _ = torch.linalg.cholesky_ex(g, upper=True)
            value = chol_g.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            value = trace.sub_(value).clamp_min_(0) if self.lautum else value
            return value, z, chol_c, m_t, g, chol_g

    def gradient(self, upstream: Tensor, *inputs_and_kept: Tensor) -> tuple[Tensor, ...]:
        representations, v, z, chol_c, m_t, g, chol_g = inputs_and_kept
        with full_precision(v.device):
            n_t = torch.linalg.solve_triangular(chol_c.mT, m_t, upper=False, left=False)
            q = torch.linalg.solve_triangular(chol_g, n_t.mT, upper=True, left=False)
            twice_d_s, d_b_t = q.bmm(q.mT), n_t
            if self.lautum:
                twice_d_s.baddbmm_(n_t.mT, n_t, alpha=-2)
                d_b_t = torch.baddbmm(n_t, g, n_t, beta=-1, alpha=2)
            else:
                twice_d_s.neg_()
            diagonal = twice_d_s.diagonal(dim1=-2, dim2=-1)
            diagonal.add_(diagonal.mean(-1, keepdim=True), alpha=self._noise(z, v))
            d_z = z.bmm(twice_d_s).baddbmm_(v, d_b_t)
            d_z.mul_(over_ranks(upstream, self.group)[:, None, None])
            return (d_z.to(representations.dtype),)

    def _noise(self, z: Tensor, v: Tensor) -> float:
        return self.ridge + rounding_floor(z.shape[-1] + v.shape[-1], v.dtype)


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
    joint = centred(torch.cat((z, u), -1))
    cov = joint.mT @ joint / (joint.shape[-2] - 1)
    for block, share in ((cov[..., :k, :k], ridge), (cov[..., k:, k:], 0.0)):
        add_noise(block, share + rounding_floor(cov.shape[-1], cov.dtype))
    return cov


def _require_finite(representations: Tensor, projected: Tensor) -> None:
    try:
        finite = bool(representations.isfinite().all() & projected.isfinite().all())
    except RuntimeError as error:
        if "vmap" not in str(error):
            raise
        raise ValueError(
            "values cannot be checked within vmap: give (models, n, k) at once, which needs no "
            "vmap, or validate_args=False."
        ) from error
    if not finite:
        raise ValueError(
            "representations and projected need finite values, got NaN or infinite values."
        )
