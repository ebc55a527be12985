"""How much of a Gaussian value is bias: what independent pairs would show with as few samples.

With representations of k dimensions, inputs of r and n samples, n not well above k + r, most of the
value is there whatever z has to do with u. For independent Gaussians and no ridge the bias has a
closed form. Else shuffling tells it: pairs that are put together anew share nothing, but have the
same n, the same z with its ridge, and the same u.

The bias hardly depends on the weights, so training gains little from its being taken away: it is
there to know how much of a number means anything.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lautum_utils.numbers import whole_number

ENOUGH = 4  # times k + r samples: with fewer, a regularizer that is called directly warns


class SmallSampleWarning(UserWarning):
    """Most of a value is bias. To be told of it never:

    warnings.simplefilter("ignore", SmallSampleWarning)
    """


def mutual_information_bias(n: int, k: int, r: int) -> float:
    """E[I] in nats of n samples of independent Gaussians of k and r dimensions, ridge 0.

        E[ -1/2 log det(I - K) ] = 1/2 sum_{i=1..k} psi( (n - i) / 2 ) - psi( (n - r - i) / 2 )

    psi: digamma. det(I - K) is Wilks' Lambda, a product of independent
    Beta( (n - r - i) / 2, r / 2 ). ValueError: k or r below 1, n of k + r or less, where it is
    infinite. Source: Muirhead, Aspects of Multivariate Statistical Theory, 1982, sections 10.5 and
    11.2.
    """
    n, k, r = _sizes(n, k, r, beyond=1)
    i = torch.arange(1, k + 1, dtype=torch.float64, device="cpu")
    terms = torch.special.digamma((n - i) / 2) - torch.special.digamma((n - r - i) / 2)
    return float(terms.sum()) / 2


def lautum_information_bias(n: int, k: int, r: int) -> float:
    """E[L] in nats of n samples of independent Gaussians of k and r dimensions, ridge 0.

        E[ tr( (I - K)^-1 - I ) ] = k r / (n - k - r - 2)
        E[L] = k r / (n - k - r - 2) - E[I]

    (I - K)^-1 - I is E^-1 H, with independent Wishart matrices H of r and E of n - 1 - r degrees of
    freedom, and E[E^-1] = I / (n - r - k - 2). ValueError: k or r below 1, n of k + r + 2 or less,
    where it is infinite. Source: Muirhead, 1982, section 3.2 for the mean of an inverse Wishart
    matrix; the sum is derived here.
    """
    n, k, r = _sizes(n, k, r, beyond=3)
    return k * r / (n - k - r - 2) - mutual_information_bias(n, k, r)


def shuffled_value(
    regularizer: Any,
    representations: Float[Tensor, "*models n k"],
    projected: Float[Tensor, "*models n r"],
    shuffles: int = 8,
    seed: int = 0,
) -> Float[Tensor, "*models"]:
    """The mean value in nats over random pairings of the same samples, with its gradient.

    regularizer: a `LautumRegularizer` or a `MutualInformationRegularizer`; arguments as it takes
    them. All models have the same pairings, made from the seed. ValueError: as the regularizer
    does, and shuffles below 1.
    """
    shuffles = whole_number(shuffles, "shuffles", least=1)
    generator = torch.Generator().manual_seed(whole_number(seed, "seed"))
    u = projected.to(torch.promote_types(projected.dtype, representations.dtype))
    v, total = regularizer.prepare(u), torch.zeros((), device=u.device)
    for _ in range(shuffles):
        order = torch.randperm(v.shape[-2], generator=generator, device="cpu").to(v.device)
        total = total + regularizer(
            representations, v[..., order, :], prepared=True, validate_args=False
        )
    return total / shuffles


def corrected_value(
    regularizer: Any,
    representations: Float[Tensor, "*models n k"],
    projected: Float[Tensor, "*models n r"],
    shuffles: int = 8,
    seed: int = 0,
) -> Float[Tensor, "*models"]:
    """The value less the shuffled one, in nats: about 0 if z has nothing to do with u, and then
    below 0 as often as above. Arguments and errors as those of `shuffled_value`.

    What is there is inflated too, and that stays: for Gaussians and ridge 0,
    E[I + L] = (k r + (n - 1) sum_i rho_i^2 / (1 - rho_i^2)) / (n - k - r - 2).
    """
    value: Tensor = regularizer(representations, projected)
    return value - shuffled_value(regularizer, representations, projected, shuffles, seed)


def warn_of_bias(regularizer: Any, representations: Tensor, prepared: Tensor) -> None:
    """A warning, once a regularizer, where n < ENOUGH (k + r), and once more where n <= k + r, as
    the last batch of an epoch may have it. prepared: as `prepare` gives it."""
    (n, k), r = representations.shape[-2:], prepared.shape[-1]
    saturated = n <= k + r
    told = regularizer.told_of_saturation if saturated else regularizer.told_of_bias
    if n >= ENOUGH * (k + r) or told or regularizer.group is not None:
        return
    regularizer.told_of_bias = True
    regularizer.told_of_saturation = saturated or regularizer.told_of_saturation
    with torch.no_grad():
        bias = float(shuffled_value(regularizer, representations, prepared, shuffles=4).mean())
    what = "which saturates whatever the weights" if saturated else "most of it bias"
    warnings.warn(
        f"a value needs {ENOUGH} (k + r) = {ENOUGH * (k + r)} samples or more, got n = {n} with "
        f"k = {k} and r = {r}, {what}: about {bias:.4g} nats are there for any pairs, even "
        "shuffled ones; take a larger batch, leave out a last one that is smaller "
        "(drop_last=True), take fewer components, or a projection of wide features.",
        SmallSampleWarning,
        stacklevel=5,  # whoever called the module
    )


def _sizes(n: Any, k: Any, r: Any, beyond: int) -> tuple[int, int, int]:
    """n, k and r as plain numbers. ValueError: k or r below 1, n below k + r + beyond."""
    n, k, r = (whole_number(x, name) for x, name in ((n, "n"), (k, "k"), (r, "r")))
    least = k + r + beyond
    if k < 1 or r < 1:
        raise ValueError(f"k and r need to be 1 or more, got {k} and {r}.")
    if n < least:
        raise ValueError(f"n needs to be {least} or more for k = {k} and r = {r}, got {n}.")
    return n, k, r
