"""The exercises of notebook 03, Gaussian Lautum."""

import torch
from torch import Tensor

from lautum_utils.information import canonical_correlations
from lautum_utils.information import gaussian_lautum_information as gaussian_lautum
from lautum_utils.information import gaussian_mutual_information as gaussian_mutual

from .answers import choice
from .checks import Exercise
from .drawing import between, covariance, normal, uniform
from .shared import ABSOLUTE, BOTH_BLOCKS, REVERSED, UNCENTRED, WRONG_BLOCK, noisy


def _from_correlations(
    rho: Tensor, log: float = 0.5, ratio: float = 1.0, power: int = 2, subtract: float = 0.0
) -> Tensor:
    t = rho**power
    return (log * torch.log1p(-t) + ratio * t / (1 - t)).sum() - subtract


def _trace_for_the_logarithm(cov: Tensor, k: int) -> Tensor:
    rho = canonical_correlations(cov, k)
    return _from_correlations(rho, 0.0) + (k - rho.square().sum()) / 2


def _noise_on_every_entry(cov: Tensor, k: int, ridge: float) -> Tensor:
    noise = (noisy(cov, k, ridge) - cov)[:k, :k].sum(0).expand(k, k)
    return cov + torch.block_diag(noise, 0 * cov[k:, k:])


LAUTUM_FROM_CORRELATIONS = Exercise(
    inputs=lambda g: (0.9 * uniform(g, 4),),
    reference=_from_correlations,
    mistakes={
        "the factor 1/2 of the logarithm is missing.": lambda r: _from_correlations(r, log=1.0),
        "the ratio rho^2 / (1 - rho^2) has no 1/2: only the logarithm has.": (
            lambda r: _from_correlations(r, ratio=0.5)
        ),
        "the correlations enter squared: rho^2, not rho.": (
            lambda r: _from_correlations(r, power=1)
        ),
        "the sign of the logarithm is wrong: log(1 - rho^2) stays negative.": (
            lambda r: _from_correlations(r, log=-0.5)
        ),
        "this is mutual information: Lautum information also has the ratio.": (
            lambda r: _from_correlations(r, -0.5, 0.0)
        ),
        "each pair of canonical variables adds its own term: sum them.": (
            torch.vmap(_from_correlations)
        ),
        "this is the mean over the pairs: independent pairs add up, so take the sum.": (
            lambda r: _from_correlations(r) / len(r)
        ),
    },
)
LAUTUM_FROM_COVARIANCE = Exercise(
    inputs=lambda g: (covariance(g, 5), int(between(g, 2, 4))),
    reference=gaussian_lautum,
    mistakes={
        REVERSED: gaussian_mutual,
        "the trace part is missing: tr( (I - K)^-1 - I ).": lambda c, k: -gaussian_mutual(c, k),
        "the trace still contains the identity: subtract the dimension of x.": (
            lambda c, k: gaussian_lautum(c, k) + k
        ),
        "the factor 1/2 of log det is missing.": (
            lambda c, k: _from_correlations(canonical_correlations(c, k), log=1.0)
        ),
        "a trace stands where the log-determinant should: log det K adds up the logarithms of "
        "the eigenvalues.": _trace_for_the_logarithm,
    },
)
SAMPLE_COVARIANCE = Exercise(
    inputs=lambda g: (normal(g, 12, 3) + 1,),
    reference=lambda x: torch.cov(x.mT),
    mistakes={
        UNCENTRED: lambda x: x.mT @ x / (len(x) - 1),
        "divided by n: the mean comes from the same samples, n - 1 is unbiased.": (
            lambda x: torch.cov(x.mT, correction=0)
        ),
        "this compares samples with samples (n x n): the covariance of the coordinates is "
        "d x d.": torch.cov,
        "these are correlations: do not divide by the standard deviations.": (
            lambda x: torch.corrcoef(x.mT)
        ),
    },
)
ADD_NOISE = Exercise(
    inputs=lambda g: (covariance(g, 5), int(between(g, 2, 4)), between(g, 0.05, 0.5)),
    reference=noisy,
    mistakes={
        WRONG_BLOCK: lambda c, k, e: noisy(c, k, e, False, True),
        BOTH_BLOCKS: lambda c, k, e: noisy(c, k, e, True, True, c.diagonal()[:k].mean()),
        ABSOLUTE: lambda c, k, e: noisy(c, k, e, scale=1.0),
        "noise that is independent in each coordinate adds to the diagonal only, not to every "
        "entry of the block.": _noise_on_every_entry,
        "the mean variance is that of z alone: here the variances of x are averaged in.": (
            lambda c, k, e: noisy(c, k, e, scale=c.diagonal().mean())
        ),
        "the mean runs over the whole block of z, covariances too: a variance stands on the "
        "diagonal.": lambda c, k, e: noisy(c, k, e, scale=c[:k, :k].mean()),
    },
)
FALSE_ARGUMENT = choice(
    "B",
    {
        "A": "this one holds: with z doubled, the two factors 2 of Szx cancel against the 4 of Sz "
        "in K.",
        "C": "this one holds: K gets a row and a column of zeros, so one more rho of 0, which adds "
        "nothing.",
        "D": "this one holds: L >= I pair by pair, so an infinite I leaves L no choice.",
        "E": "this one holds: I + L is that very sum, so what one gains the other loses.",
    },
)
EXERCISES = {
    "false_argument": FALSE_ARGUMENT,
    "lautum_from_correlations": LAUTUM_FROM_CORRELATIONS,
    "lautum_from_covariance": LAUTUM_FROM_COVARIANCE,
    "sample_covariance": SAMPLE_COVARIANCE,
    "add_noise": ADD_NOISE,
}
