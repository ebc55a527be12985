"""The examples of notebook 10: tables, pairs and worlds small enough for their true values."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from lautum_utils import FiniteWorld
from lautum_utils.finite_world import Learned

WIDTH = 1.5**-0.5  # of the noise, so that I + L = 1.5 where the centre has variance 1


def binned(sigma: float, bins: int) -> Tensor:
    """The table (bins, bins) of a normal x and z = x + sigma e, both in equally likely bins."""
    if sigma == 0:
        return torch.eye(bins, dtype=torch.float64, device="cpu") / bins
    x = _normal_quantiles(2048)
    edges = torch.special.ndtri(torch.linspace(0, 1, bins + 1, dtype=torch.float64))
    edges = (edges * math.sqrt(1 + sigma**2) - x[:, None]) / sigma
    low, high = edges[:, :-1], edges[:, 1:]
    table = torch.where(low > 0, _below(-low) - _below(-high), _below(high) - _below(low))
    return (table / len(x)).unflatten(0, (bins, -1)).sum(1)


def _below(v: Tensor) -> Tensor:
    """P(normal < v), without cancellation in the tails."""
    return torch.special.erfc(-v / math.sqrt(2)) / 2


def _normal_quantiles(n: int) -> Tensor:
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)


class Pair(NamedTuple):
    """z = centre(u) + width(u) e, with a normal e; u (n, 2) normal, or uniform of variance 1."""

    centre: Callable[[Tensor], Tensor]
    width: Callable[[Tensor], Tensor] = lambda u: torch.full_like(u[..., 0], WIDTH)
    normal: bool = False
    inputs: int = 1  # how many of u are looked at


PAIRS = {
    "line": Pair(lambda u: u[..., 0], normal=True),
    "parabola": Pair(lambda u: (u[..., 0] ** 2 - 1) / 0.8**0.5),
    "cubic": Pair(lambda u: (u[..., 0] ** 3 - 3 * u[..., 0]) / 6**0.5, normal=True),
    "product": Pair(lambda u: u[..., 0] * u[..., 1], inputs=2),
    "spread": Pair(lambda u: 0 * u[..., 0], lambda u: (0.6 * u[..., 0]).exp()),
}


def sample_pair(name: str, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """u (n, 1), two columns for the product, and z (n, 1) of variance 1, in double precision."""
    pair = PAIRS[name]
    u = 3**0.5 * (2 * torch.rand(n, 2, generator=generator, dtype=torch.float64) - 1)
    if pair.normal:
        u = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    z = pair.centre(u) + pair.width(u) * noise
    return u[:, : pair.inputs], (z / z.std())[:, None]


def true_values(name: str) -> tuple[float, float]:
    """I and L in nats, by summation over values of u and a fine grid of z."""
    pair = PAIRS[name]
    n = 40 if pair.inputs == 2 else 400
    middles = 2 * (torch.arange(n, dtype=torch.float64) + 0.5) / n - 1  # of cells of -1 to 1
    u = (6 if pair.normal else 3**0.5) * middles
    weights = torch.exp(-(u**2) / 2) if pair.normal else torch.ones_like(u)
    if pair.inputs == 2:
        u, weights = torch.cartesian_prod(u, u), torch.outer(weights, weights).flatten()
    else:
        u = u[:, None]
    return information_of_channel(pair.centre(u), pair.width(u), weights / weights.sum())


def information_of_channel(
    centre: Tensor, width: Tensor, weights: Tensor | None = None
) -> tuple[float, float]:
    """I and L in nats of x and z = centre(x) + width(x) e, with x one of n values (n,).

    weights : their probabilities (n,); by default all are equally likely.
    """
    p = torch.full_like(centre, 1 / len(centre)) if weights is None else weights
    centre, width, p = centre[:, None], width.expand(len(centre))[:, None], p[:, None]
    ends = (centre - 9 * width).min().item(), (centre + 9 * width).max().item()
    z = torch.linspace(*ends, 2401, dtype=torch.float64)
    log_p = -(((z - centre) / width) ** 2) / 2
    log_p = log_p - log_p.logsumexp(1, keepdim=True)  # log p(z|x)
    log_mean = (log_p + p.log()).logsumexp(0)  # log p(z)
    mutual = (p * log_p.exp() * (log_p - log_mean)).sum().item()
    return mutual, (p * log_mean.exp() * (log_mean - log_p)).sum().item()


def gram(x: Tensor) -> Tensor:
    """A Gaussian kernel matrix (n, n) of median width, centred."""
    d = torch.cdist(x, x).square()
    matrix = torch.exp(-d / d[d > 0].median())
    matrix = matrix - matrix.mean(0)
    return matrix - matrix.mean(1, keepdim=True)


def transfer_world() -> tuple[FiniteWorld, Tensor]:
    """Three inputs, two labels, all eight labellings, each sure up to 0.9; and a source of which
    half follows another rule."""
    rule = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], dtype=torch.float64, device="cpu")
    other = torch.tensor([[0.05, 0.55], [0.3, 0.0], [0.1, 0.0]], dtype=torch.float64, device="cpu")
    labellings = torch.cartesian_prod(*[torch.arange(2)] * 3)
    target = FiniteWorld(rule / 3, 0.1 + 0.8 * one_hot(labellings, 2).double())
    return target, (rule / 3 + other) / 2


def random_learner(generator: Generator) -> tuple[Callable[[Tensor], Learned], Tensor]:
    """In a random world with 2 to 4 hypotheses, a Gibbs learner of two examples as a function of
    the logits of its prior; and the logits (w,) of the uniform one."""
    w, x, y = (int(torch.randint(2, 5, (), generator=generator)) for _ in range(3))
    p = torch.rand(x, y, generator=generator, dtype=torch.float64)
    f = torch.softmax(2 * torch.randn(w, x, y, generator=generator, dtype=torch.float64), -1)
    gamma = 2 + 10 * torch.rand((), generator=generator).item()

    def learner(logits: Tensor) -> Learned:
        return FiniteWorld(p / p.sum(), f, logits.softmax(0)).learn(2, gamma)

    return learner, torch.zeros(w, dtype=torch.float64)
