"""Dependence between the representations of two views of the same inputs.

Two random changes of an image, such as two small warps, go through the same network: z1 and z2.
What they know of one another is what the views share, not the pixels. Both are treated as jointly
Gaussian, so the value is canonical correlation analysis of a network with itself. (Maximising
Lautum information there is ours; of mutual information and its kin there is much: Becker and
Hinton, Nature 1992; Andrew et al., ICML 2013; Zbontar et al., ICML 2021.)

The noise is what keeps it from collapsing. A Gaussian value sees covariances only, so a network can
raise it by being 0 on nearly all images and large on a few, which both views of these few reveal:
every correlation is then near 1, and nothing is told of the others. So each sample's noise is as
large as the sample is unusual. With d_i the squared Mahalanobis distance of sample i over k (1 in
the mean, but large for the few),

    S -> S + noise * mean_i d_i z_i z_i'

For Gaussian z this is noise with a share of z's own covariance, and every canonical correlation
shrinks alike: rho -> rho / (1 + noise (k + 2) / k). With a share p of samples that are not 0, it is
1 / p times as large.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lautum_utils.batch_statistics import centred, full_precision, stacked, statistics_dtype
from lautum_utils.closed_form import ClosedForm
from lautum_utils.numbers import number

NOISE = 0.1
LEAST = 1e-3  # of the mean variance, on every coordinate: what is less counts as nothing


def lautum_between_views(
    z1: Float[Tensor, "*models n k"], z2: Float[Tensor, "*models n k"], noise: float = NOISE
) -> Float[Tensor, "*models"]:
    """Gaussian Lautum information L(z1 + noise; z2 + noise) in nats, batched over leading
    dimensions, with its gradient through both sides; 0 for constant representations.

        L = tr( (I - K)^-1 - I ) + 1/2 log det(I - K),   K = S1^-1 S12 S2^-1 S21

    z1, z2: (..., n, k), row i of both from one input. noise: see above. ValueError: shapes that do
    not match, n < 2, a noise below 0.
    """
    return _between(z1, z2, noise, lautum=True)


def mutual_information_between_views(
    z1: Float[Tensor, "*models n k"], z2: Float[Tensor, "*models n k"], noise: float = NOISE
) -> Float[Tensor, "*models"]:
    """Gaussian mutual information I(z1 + noise; z2 + noise) in nats: -1/2 log det(I - K). Else as
    `lautum_between_views`."""
    return _between(z1, z2, noise, lautum=False)


def _between(z1: Tensor, z2: Tensor, noise: float, lautum: bool) -> Tensor:
    noise = number(noise, "noise")
    if z1.shape != z2.shape or z1.ndim < 2 or z1.shape[-2] < 2:
        shapes = f"{tuple(z1.shape)} and {tuple(z2.shape)}"
        raise ValueError(f"z1 and z2 need one shape (..., n, k), n of 2 or more, got {shapes}.")
    value = ClosedForm.apply(_BetweenViews(noise, lautum), stacked(z1), stacked(z2))[0]
    return value if z1.ndim == 3 else value.view(z1.shape[:-2])


class _Noisy(NamedTuple):
    """One side z (models, n, k), centred, and its sums of products with the noise.

        P = z'z + LEAST mean variance = W'W,   y_i = z_i W^-1,   d_i = y_i y_i' n / k
        S = P + noise sum_i d_i z_i'z_i

    `gradient` leads the gradient of S back to z: with g_i = noise n / k (z_i dS z_i'),

        dz = 2 (1 + noise d) z dS + 2 g y W'^-1 + 2 z dP,   dP = dS_LEAST - (y W'^-1)' g (y W'^-1)
    """

    z: Tensor
    chol: Tensor
    y: Tensor
    distance: Tensor

    @classmethod
    def of(cls, z: Tensor, noise: float) -> tuple["_Noisy", Tensor]:
        """The side, and S."""
        n, k = z.shape[-2:]
        products = z.mT @ z
        diagonal = products.diagonal(dim1=-2, dim2=-1)
        diagonal.add_(
            LEAST * diagonal.mean(-1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny ** 0.5)
        )
        chol, _ = torch.linalg.cholesky_ex(products, upper=True)
        y = torch.linalg.solve_triangular(chol, z, upper=True, left=False)
        distance = y.square().sum(-1, keepdim=True) * (n / k)
        return cls(z, chol, y, distance), products + noise * (z * distance).mT @ z

    def gradient(self, d_s: Tensor, noise: float) -> Tensor:
        """Of a value whose gradient with respect to S is d_s (symmetric)."""
        n, k = self.z.shape[-2:]
        from_s = self.z @ d_s
        g = (noise * n / k) * (from_s * self.z).sum(-1, keepdim=True)
        whitened = torch.linalg.solve_triangular(self.chol, self.y.mT, upper=True).mT
        d_p = d_s - (whitened * g).mT @ whitened
        least = LEAST * d_p.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
        from_p = self.z @ (d_p - d_s) + self.z * least
        return 2 * ((1 + noise * self.distance) * from_s + g * whitened + from_p)


class _BetweenViews:
    """L or I of two sides (models, n, k), both with noise, and the gradient of both.

    Centred, with Choleskys upper, and a factor n - 1 that cancels:

        B = z1'z2,   S2 = W'W,   A = B W^-1
        C = S1 - AA' = R'R,   M = R'^-1 A,   N = R^-1 M,   G = I + M'M = T'T,   Q = N T^-1

        I = 1/2 log det G      D = dI/dA = N             dI/dS1 = -1/2 QQ'
        L = tr(G - I) - I      D = dL/dA = N (2G - I)    dL/dS1 =  1/2 QQ' - NN'
        d/dB = D W'^-1         d/dS2 = -1/2 W^-1 A'D W'^-1
    """

    group = None

    def __init__(self, noise: float, lautum: bool) -> None:
        self.noise, self.lautum = noise, lautum

    def value(self, z1: Tensor, z2: Tensor) -> tuple[Tensor, ...]:
        with full_precision(z1.device):
            wide = statistics_dtype(z1)
            one, s1 = _Noisy.of(centred(z1.to(wide)), self.noise)
            two, s2 = _Noisy.of(centred(z2.to(wide)), self.noise)
            w, _ = torch.linalg.cholesky_ex(s2, upper=True)
            a = torch.linalg.solve_triangular(w, one.z.mT @ two.z, upper=True, left=False)
            r, _ = torch.linalg.cholesky_ex(s1 - a @ a.mT, upper=True)
            m = torch.linalg.solve_triangular(r.mT, a, upper=False)
            g = torch.eye(m.shape[-1], dtype=wide, device=m.device) + m.mT @ m
            t, _ = torch.linalg.cholesky_ex(g, upper=True)
            value = t.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            value = m.square().sum((-2, -1)) - value if self.lautum else value
            return value, *one, *two, w, a, r, m, g, t

    def gradient(self, upstream: Tensor, *inputs_and_kept: Tensor) -> tuple[Tensor, ...]:
        z1, _, *sides, w, a, r, m, g, t = inputs_and_kept
        one, two = _Noisy(*sides[:4]), _Noisy(*sides[4:])
        with full_precision(z1.device):
            n = torch.linalg.solve_triangular(r, m, upper=True)
            q = torch.linalg.solve_triangular(t, n, upper=True, left=False)
            d_a, d_s1 = n, q @ q.mT / -2
            if self.lautum:
                d_a, d_s1 = n @ (2 * g) - n, -d_s1 - n @ n.mT
            d_b = torch.linalg.solve_triangular(w, d_a.mT, upper=True).mT
            half = torch.linalg.solve_triangular(w, a.mT @ d_b, upper=True)
            d_z1 = one.gradient(d_s1, self.noise) + two.z @ d_b.mT
            d_z2 = two.gradient((half + half.mT) / -4, self.noise) + one.z @ d_b
            both = (centred(d_z) * upstream[:, None, None] for d_z in (d_z1, d_z2))
            return tuple(d_z.to(z1.dtype) for d_z in both)
