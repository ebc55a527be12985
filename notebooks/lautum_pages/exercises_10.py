"""The exercises of notebook 10, limits and open questions."""

import torch
from torch import Generator, Tensor

from .checks import Exercise
from .drawing import normal, uniform
from .shared import REVERSED

FALSE = 3  # of the five arguments


def _features(generator: Generator) -> tuple[Tensor, Tensor]:
    u = normal(generator, 40, 3) @ normal(generator, 3, 3) + 1
    curved = u @ normal(generator, 3, 4) + normal(generator, 40, 4) + u[:, :1] ** 2
    return curved * (uniform(generator, 4) + 0.5), u


def _share(
    z: Tensor,
    u: Tensor,
    centred: bool = True,
    by_coordinate: bool = False,
    white: bool = False,
    power: float = 1.0,
) -> Tensor:
    """The part of the variance of z that is linear in u."""
    if centred:
        z, u = z - z.mean(0), u - u.mean(0)
    fit = u.mT @ z / (len(u) - 1) if white else torch.linalg.lstsq(u, z).solution
    explained, whole = (u @ fit).square().sum(0), z.square().sum(0)
    if by_coordinate:
        return (explained / whole).mean()
    return (explained.sum() / whole.sum()) ** power


def _numbers(generator: Generator) -> tuple[Tensor]:
    return (torch.randperm(5, generator=generator, device="cpu") + 1,)


def _only(number: int, numbers: Tensor) -> Tensor:
    return (numbers == number).double()


def _learner(generator: Generator) -> tuple[Tensor, ...]:
    information, lautum, train = (uniform(generator) + 0.1 for _ in range(3))
    gamma, a = 1 + 9 * uniform(generator), 0.1 + 0.3 * uniform(generator)
    return train, train + (information + lautum) / (a * gamma), information, gamma, a


def _curve(generator: Generator) -> tuple[Tensor, ...]:
    a, b, c = (normal(generator) for _ in range(3))
    return a, b, c, 0.5 + uniform(generator)


def _of_curve(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    s: Tensor,
    *,
    slope: Tensor | None = None,
    variance: Tensor | None = None,
    mutual: bool = False,
    squared: bool = True,
) -> Tensor:
    """The Gaussian value of u and z = a u + b u^2 + c u^3 + s e."""
    slope = a + 3 * c if slope is None else slope
    if variance is None:
        variance = a**2 + 6 * a * c + 15 * c**2 + 2 * b**2 + s**2
    t = slope**2 / variance if squared else slope.abs() / variance.sqrt()
    logarithm = torch.log1p(-t) / 2
    return -logarithm if mutual else logarithm + t / (1 - t)


LINEAR_SHARE = Exercise(
    inputs=_features,
    reference=_share,
    mistakes={
        "the means are still in z and u: take them off over the samples, or a constant counts as "
        "variance.": lambda z, u: _share(z, u, centred=False),
        "this is the rest, what no linear map of u reaches: the linear part is 1 minus it.": (
            lambda z, u: 1 - _share(z, u)
        ),
        "the roles are exchanged: this is how much of u a linear map of z explains.": (
            lambda z, u: _share(u, z)
        ),
        "each coordinate counts alike: add the variances first, then divide once, so that a loud "
        "one counts more.": lambda z, u: _share(z, u, by_coordinate=True),
        "u is taken for white, as if its covariance were the identity: solve the least squares.": (
            lambda z, u: _share(z, u, white=True)
        ),
        "norms are compared: variances add up, norms do not. Square them.": (
            lambda z, u: _share(z, u, power=0.5)
        ),
    },
)
FALSE_ARGUMENT = Exercise(
    inputs=_numbers,
    reference=lambda numbers: _only(FALSE, numbers),
    mistakes={
        "1 is sound: without noise the joint has holes wherever z differs from f(x).": (
            lambda numbers: _only(1, numbers)
        ),
        "2 is sound: what depends on z alone cancels, and the noise is scaled by the variance "
        "itself.": lambda numbers: _only(2, numbers),
        "4 is sound: noise of one size on all features drowns the quiet ones first.": (
            lambda numbers: _only(4, numbers)
        ),
        "5 is sound: at one ridge the sum of I and L is fixed, so one falls as the other rises.": (
            lambda numbers: _only(5, numbers)
        ),
        "one of them is false: which one takes the Gaussian value for the true one?": (
            lambda numbers: torch.zeros_like(numbers, dtype=torch.float64)
        ),
        "the marks are exchanged: 1 for what is false, 0 for what is sound.": (
            lambda numbers: 1 - _only(FALSE, numbers)
        ),
        "only one is false: for each of the others find the line above that says it.": (
            lambda numbers: torch.ones_like(numbers, dtype=torch.float64)
        ),
    },
)
PRICE = Exercise(
    inputs=_learner,
    reference=lambda train, test, i, gamma, a: a * gamma * (test - train) - i,
    mistakes={
        "this is I + L: the mutual information is a part of it, take it off.": (
            lambda train, test, i, gamma, a: a * gamma * (test - train)
        ),
        "the target's weight a is missing: the identity divides by a times gamma.": (
            lambda train, test, i, gamma, a: gamma * (test - train) - i
        ),
        "a and gamma stand below the fraction: to solve for I + L, multiply the gap by them.": (
            lambda train, test, i, gamma, a: (test - train) / (a * gamma) - i
        ),
        "the gap has the wrong sign: it is test minus train.": (
            lambda train, test, i, gamma, a: a * gamma * (train - test) - i
        ),
        "I is in nats already: multiply the gap alone by a gamma, then subtract I.": (
            lambda train, test, i, gamma, a: a * gamma * (test - train - i)
        ),
        "1 - a is the weight of the source: the gap of the target has a.": (
            lambda train, test, i, gamma, a: (1 - a) * gamma * (test - train) - i
        ),
    },
)
GAUSSIAN_OF_A_CURVE = Exercise(
    inputs=_curve,
    reference=_of_curve,
    mistakes={
        "the covariance is not a alone: u^3 leans along u, E[u u^3] = 3.": (
            lambda a, b, c, s: _of_curve(a, b, c, s, slope=a)
        ),
        "the curve counts as noise: the variance of z has all of it, not only its linear part.": (
            lambda a, b, c, s: _of_curve(a, b, c, s, variance=(a + 3 * c) ** 2 + s**2)
        ),
        "u^2 has the mean 1: its variance is E[u^4] - 1 = 2, not 3.": (
            lambda a, b, c, s: _of_curve(
                a, b, c, s, variance=a**2 + 6 * a * c + 15 * c**2 + 3 * b**2 + s**2
            )
        ),
        "a u and c u^3 go together: their sum has the variance a^2 + 6 a c + 15 c^2.": (
            lambda a, b, c, s: _of_curve(a, b, c, s, variance=a**2 + 15 * c**2 + 2 * b**2 + s**2)
        ),
        REVERSED: lambda a, b, c, s: _of_curve(a, b, c, s, mutual=True),
        "the correlation enters squared.": lambda a, b, c, s: _of_curve(a, b, c, s, squared=False),
    },
)
EXERCISES = {
    "linear_share": LINEAR_SHARE,
    "false_infinity": FALSE_ARGUMENT,
    "price": PRICE,
    "gaussian_of_a_curve": GAUSSIAN_OF_A_CURVE,
}
