"""The identities of notebook 03, checked on random covariances: the largest difference of each, by
its name, relative to 1 + |value|."""

import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from lautum_utils import (
    canonical_correlations,
    gaussian_lautum_information,
    gaussian_mutual_information,
)

from .drawing import normal

Differences = dict[str, float]


def checked(differences: Differences, count: int) -> str:
    """One line: how many identities, on how many covariances, and the largest difference."""
    worst = max(differences.values())
    below = "below 1e-12" if worst < 1e-12 else f"{worst:.0e}, which is too large"
    return f"checked on {count}: {len(differences)} identities, the largest difference is {below}"


def random_covariances(count: int, d: int, seed: int) -> Tensor:
    """Covariances (count, d, d), with dependence between all axes."""
    root = normal(Generator().manual_seed(seed), count, d, 2 * d)
    return root @ root.mT / root.shape[-1]


def closed_form_checks(joint: Tensor, d_x: int) -> Differences:
    """The three steps, and L and I against the divergences that torch computes."""
    blocks = joint.clone()
    blocks[:, :d_x, d_x:] = blocks[:, d_x:, :d_x] = 0
    s_x, s_xy, s_y = joint[:, :d_x, :d_x], joint[:, :d_x, d_x:], joint[:, d_x:, d_x:]
    k = torch.linalg.solve(s_x, s_xy) @ torch.linalg.solve(s_y, s_xy.mT)
    rest = _identity(d_x) - k
    log_det, trace = torch.logdet(rest), _trace(torch.linalg.inv(rest)) - d_x
    d = joint.shape[-1]
    of_logs = torch.logdet(joint) - torch.logdet(blocks)
    there, back = (torch.linalg.solve(a, b) for a, b in ((joint, blocks), (blocks, joint)))
    lautum, mutual = _divergence(blocks, joint), _divergence(joint, blocks)
    return {
        "log det joint - log det product = log det(I - K)": _off(of_logs, log_det),
        "tr(joint^-1 product) - d = 2 tr((I - K)^-1 - I)": _off(_trace(there) - d, 2 * trace),
        "tr(product^-1 joint) = d": _off(_trace(back), torch.full_like(trace, d)),
        "L = D(product || joint)": _off(trace + log_det / 2, lautum),
        "I = D(joint || product)": _off(-log_det / 2, mutual),
        "gaussian_lautum_information": _off(gaussian_lautum_information(joint, d_x), lautum),
        "gaussian_mutual_information": _off(gaussian_mutual_information(joint, d_x), mutual),
    }


def correlation_checks(joint: Tensor, d_x: int, seed: int) -> Differences:
    """I and L from the correlations, and after an invertible linear map of x and one of y."""
    t = canonical_correlations(joint, d_x).square()
    mutual = gaussian_mutual_information(joint, d_x)
    lautum = gaussian_lautum_information(joint, d_x)
    generator = Generator().manual_seed(seed)
    maps = torch.zeros_like(joint)
    maps[:, :d_x, :d_x] = _invertible(generator, len(joint), d_x)
    maps[:, d_x:, d_x:] = _invertible(generator, len(joint), joint.shape[-1] - d_x)
    mapped = maps @ joint @ maps.mT
    odds = t / (1 - t)
    return {
        "I from the correlations": _off((-torch.log1p(-t) / 2).sum(-1), mutual),
        "L from the correlations": _off((torch.log1p(-t) / 2 + odds).sum(-1), lautum),
        "I + L = sum t / (1 - t)": _off(odds.sum(-1), mutual + lautum),
        "I(Ax; By) = I(x; y)": _off(gaussian_mutual_information(mapped, d_x), mutual),
        "L(Ax; By) = L(x; y)": _off(gaussian_lautum_information(mapped, d_x), lautum),
    }


def slope_checks() -> Differences:
    """The two slopes in t, against autograd through the covariance of one pair."""
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64, requires_grad=True)
    ones = torch.ones_like(t)
    pairs = torch.stack((ones, t.sqrt(), t.sqrt(), ones), -1).unflatten(-1, (2, 2))
    mutual, lautum = gaussian_mutual_information(pairs, 1), gaussian_lautum_information(pairs, 1)
    (slope_i,) = torch.autograd.grad(mutual.sum(), t, retain_graph=True)
    (slope_l,) = torch.autograd.grad(lautum.sum(), t)
    t = t.detach()
    return {
        "dI/dt = 1 / (2 (1 - t))": _off(slope_i, 1 / (2 * (1 - t))),
        "dL/dt = (1 + t) / (2 (1 - t)^2)": _off(slope_l, (1 + t) / (2 * (1 - t) ** 2)),
    }


def ridge_checks(joint: Tensor, k: int) -> Differences:
    """The covariance of (z, e, x) mapped to that of (z + e, x), against a ridge; and the bound."""
    r = joint.shape[-1] - k
    mean_variance = joint.diagonal(dim1=-2, dim2=-1)[:, :k].mean(-1)[:, None, None]
    both = torch.tensor([*range(k), *range(2 * k, 2 * k + r)], device="cpu")
    add = torch.cat((_identity(k), _identity(k), torch.zeros(k, r).double()), 1)
    add = torch.block_diag(add[:, : 2 * k], _identity(r))
    loudest = torch.linalg.eigvalsh(joint[:, :k, :k])[:, -1]
    found = {}
    for ridge in (0.01, 1.0):
        three = joint.new_zeros(len(joint), 2 * k + r, 2 * k + r)  # of (z, e, x)
        three[:, both[:, None], both] = joint
        three[:, k : 2 * k, k : 2 * k] = ridge * mean_variance * _identity(k)
        noisy = joint.clone()
        noisy[:, :k, :k] += ridge * mean_variance * _identity(k)
        wanted = gaussian_lautum_information(add @ three @ add.mT, k)
        off = _off(gaussian_lautum_information(noisy, k), wanted)
        found[f"ridge {ridge:g}: L of (z + e, x)"] = off
        bound = loudest / (loudest + ridge * mean_variance.flatten())
        above = canonical_correlations(noisy, k)[:, 0].square() - bound
        found[f"ridge {ridge:g}: by how much rho^2 passes v / (v + ridge m)"] = max(
            0.0, above.max().item()
        )
    return found


def _identity(d: int) -> Tensor:
    return torch.eye(d, dtype=torch.float64, device="cpu")


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)


def _off(value: Tensor, wanted: Tensor) -> float:
    return ((value - wanted).abs() / (1 + wanted.abs())).max().item()


def _divergence(a: Tensor, b: Tensor) -> Tensor:
    zero = torch.zeros(a.shape[-1], dtype=a.dtype)
    return kl_divergence(MultivariateNormal(zero, a), MultivariateNormal(zero, b))


def _invertible(generator: Generator, count: int, d: int) -> Tensor:
    """A rotation, a stretch by 1/2 to 2 along each axis, a rotation."""
    inner, outer = (torch.linalg.qr(normal(generator, count, d, d)).Q for _ in range(2))
    return outer * torch.linspace(0.5, 2, d, dtype=torch.float64) @ inner
