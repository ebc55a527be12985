"""The exercises of notebooks 01 to 04: for each its random inputs (float64), a reference, and what
the usual mistakes compute.

`check("name", function)`, in the cell below an exercise, says right, not attempted yet, or the hint
for the mistake that was made. `checks` does the work; here is only what it needs to know. Readers:
the references are the solutions.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from lautum_utils.information import (
    canonical_correlations,
    entropy,
    lautum_information,
    mutual_information,
)
from lautum_utils.information import gaussian_lautum_information as gaussian_lautum
from lautum_utils.information import gaussian_mutual_information as gaussian_mutual

from . import checks
from .checks import Exercise, Function, Report
from .progress import mark_solved


def check(name: str, function: Function, seed: int = 0) -> Report:
    """Compare the reader's function with the reference of an exercise of the notebooks, as
    `checks.check` does.

    name : an exercise; ValueError with the list if there is none of that name. If the answer is
    right, `progress` keeps that.
    """
    report = checks.check(name, function, EXERCISES, seed)
    problem = mark_solved(name) if report.status == "right" else ""
    return replace(report, text=f"{report.text} {problem}") if problem else report


# ---------------------------------------------------------------------------------- what references and mistakes share


def _table(rows: Any) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def _between(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def _distribution(generator: Generator, *shape: int) -> Tensor:
    weights = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.02
    return weights / weights.sum()


def _normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _covariance(generator: Generator, d: int) -> Tensor:
    root = _normal(generator, d, 2 * d)
    return root @ root.mT / d


def _product(joint: Tensor) -> Tensor:
    return joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)


def _channel(input_one: float, one_flips: float, zero_flips: float = 0.0) -> Tensor:
    return _table([[1 - zero_flips, zero_flips], [one_flips, 1 - one_flips]]) * _table(
        [[1 - input_one], [input_one]]
    )


def _losses(
    j: Tensor, loss: Tensor, train: Function = lambda j: j, test: Function = _product
) -> Tensor:
    return torch.stack(((train(j) * loss).sum(), (test(j) * loss).sum()))


def _of_y_given_x(j: Tensor, weights: Tensor | None = None) -> Tensor:
    p_x = j.sum((0, 2))
    each = mutual_information((j / p_x[:, None]).movedim(1, 0))
    return ((p_x if weights is None else weights) * each).sum()


def _remainder(
    j: Tensor, f: Tensor, measure: Tensor | None = None, seen: Tensor | None = None
) -> Tensor:
    measure = j.sum((1, 2))[:, None, None] * j.sum(0) if measure is None else measure
    seen = j if seen is None else seen
    return (measure * (seen / seen.sum(-1, keepdim=True) / f).log()).sum()


def _posterior(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return torch.softmax(prior.log() - gamma * losses, 0)


def _from_correlations(
    rho: Tensor, log: float = 0.5, ratio: float = 1.0, power: int = 2, subtract: float = 0.0
) -> Tensor:
    t = rho**power
    return (log * torch.log1p(-t) + ratio * t / (1 - t)).sum() - subtract


def _noisy(
    cov: Tensor, k: int, ridge: float, first: bool = True, second: bool = False, scale: Any = None
) -> Tensor:
    """The ridge on the first block of k axes, the second block, or both."""
    on = torch.where(torch.arange(len(cov)) < k, first, second)
    return cov + torch.diag(
        on.to(cov.dtype) * ridge * (cov.diagonal()[on].mean() if scale is None else scale)
    )


def _penalty(
    z: Tensor, u: Tensor, ridge: float, measure: Function = gaussian_lautum, **noise: Any
) -> Tensor:
    return measure(
        _noisy(torch.cov(torch.cat((z, u), 1).mT), z.shape[1], ridge, **noise), z.shape[1]
    )


def _whitened(
    x: Tensor, r: int, power: float = 0.5, centred: bool = True, largest: bool = True
) -> Tensor:
    x = x - x.mean(0) if centred else x
    variance, directions = torch.linalg.eigh(x.mT @ x / (len(x) - 1))
    kept = slice(-r, None) if largest else slice(0, r)
    return x @ directions[:, kept] / variance[kept] ** power


def _gram(u: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    return u @ u.mT  # whatever the order and signs of the columns


def _value_and_gradient(value: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    gradient = (
        torch.autograd.grad(value, inputs[0], allow_unused=True)[0] if value.requires_grad else None
    )
    gradient = torch.zeros_like(inputs[0]) if gradient is None else gradient
    return torch.cat((value.flatten(), gradient.flatten()))


def _which_is_larger(joint: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """1 if I is the larger, -1 if L is; 0 if they are the same to the precision of float32."""
    joint = joint / joint.sum() if (joint.sum() - 1).abs() < 2e-3 else joint  # float16
    difference = mutual_information(joint) - lautum_information(joint)
    return torch.where(difference.abs() < 1e-6, 0.0, difference.sign())


REVERSED = "this is mutual information, D(P_AB || P_A P_B): for Lautum information the two arguments change places."
SIGN = "only the sign is wrong: a divergence is never negative. Which distribution stands in the numerator of the logarithm?"
UNCENTRED = "the mean has not been taken off: subtract it over the sample axis before multiplying."
WRONG_BLOCK = "the ridge went to the block of the inputs: noise is added to the representation z, which comes first."
BOTH_BLOCKS = (
    "the ridge went to all axes: only the representation z gets noise, the inputs are data."
)
ABSOLUTE = "the ridge is a fraction: multiply it by the mean variance of z, so that the scale of z does not matter."

# fmt: off
EXERCISES: dict[str, Exercise] = {
    # ------------------------------------------------------------------------------------- 01 measuring dependence
    "entropy_bits": Exercise(
        lambda g: (torch.cat((_distribution(g, 4), _table([0.0])))[torch.randperm(5, generator=g)],),
        lambda p: entropy(p) / math.log(2), {
            "these are nats: divide by log 2, or use the logarithm to base 2.": entropy,
            "only the sign is wrong: log p is negative, entropy is not.": lambda p: -entropy(p) / math.log(2),
            "the result is NaN: where p is 0 the term is 0 by definition, but 0 * log 0 is NaN.": lambda p: -(p * p.log2()).sum(),
            "each surprise -log2 p counts with its probability p, here all count the same.": lambda p: -p[p > 0].log2().mean(),
        }),
    "lautum": Exercise(
        lambda g: (_distribution(g, 3, 4),),
        lautum_information, {
            REVERSED: mutual_information,
            "these are bits: the suite works in nats, with the natural logarithm.": lambda j: lautum_information(j) / math.log(2),
            SIGN: lambda j: -lautum_information(j),
            "joint and product are mixed up: the logarithm is averaged under the joint.": lambda j: -mutual_information(j),
            "the logarithms have no weights: average them under the product.": lambda j: (_product(j) / j).log().sum(),
            "this is I + L (Jeffreys' divergence): only one half is wanted.":
                lambda j: mutual_information(j) + lautum_information(j),
        }),
    "z_channel": Exercise(
        lambda g: tuple((0.1 + 0.3 * torch.rand(2, generator=g, dtype=torch.float64)).tolist()),
        _channel, {
            "these are the rows P(y|x): multiply each by P(x), so that all cells sum to 1.": lambda a, e: _channel(0.5, e) * 2,
            "rows and columns are exchanged: inputs are rows, outputs columns.": lambda a, e: _channel(a, e).mT,
            "the noise hits the wrong input: 0 always arrives, 1 is sometimes read as 0.": lambda a, e: _channel(a, 0.0, e),
            "this is the binary symmetric channel: in a Z-channel one input always arrives.": lambda a, e: _channel(a, e, e),
            "crossover is how often a 1 is read as 0, not how often it arrives.": lambda a, e: _channel(a, 1 - e),
        }),
    "less_lautum": Exercise(
        lambda g: (),
        lambda: _table([[0.85, 0.05], [0.05, 0.05]]), {
            "this joint has L > I: look for the other kind. What do rare cells do to L?": lambda: _channel(0.5, 0.01, 0.01),
            "here both are 0, the variables are independent: let the rows differ.": lambda: _channel(0.5, 0.5, 0.5),
        },
        _which_is_larger),
    # --------------------------------------------------------------------------------------------- 02 the loss bound
    "gibbs_posterior": Exercise(
        lambda g: (3 * _distribution(g, 5), _distribution(g, 5), _between(g, 2, 6)),
        _posterior, {
            "the sign of gamma is wrong: a larger loss makes a hypothesis less probable.": lambda v, p, c: _posterior(-v, p, c),
            "the weights do not sum to 1: divide by their sum.": lambda v, p, c: p * (-c * v).exp(),
            "the prior is missing: it multiplies exp(-gamma * loss).": lambda v, p, c: _posterior(v, torch.ones_like(p), c),
            "gamma divides the loss here: it is an inverse temperature and multiplies.": lambda v, p, c: _posterior(v, p, 1 / c),
        }),
    "train_and_test_loss": Exercise(
        lambda g: (_distribution(g, 4, 6), 5 * torch.rand(4, 6, generator=g, dtype=torch.float64)),
        _losses, {
            "train and test are exchanged: in training Z shaped W, the joint holds.": lambda j, v: _losses(j, v).flip(0),
            "both are averaged under the joint: a fresh Z knows nothing of W.": lambda j, v: _losses(j, v, test=lambda j: j),
            "both are averaged under the product: a training example shaped W.": lambda j, v: _losses(j, v, train=_product),
            "the test loss is averaged uniformly: weight by P_W P_Z.": lambda j, v: _losses(j, v, test=lambda j: 1 / j.numel()),
        }),
    "conditional_mutual_information": Exercise(
        lambda g: (_distribution(g, 3, 4, 2),),
        _of_y_given_x, {
            "this is I(W;Y): x has been summed out, not conditioned on.": lambda j: mutual_information(j.sum(1)),
            "this is I(W;(X,Y)): by the chain rule it still contains I(W;X).": lambda j: mutual_information(j.flatten(1)),
            "the roles of x and y are exchanged: this is I(W;X|Y).": lambda j: _of_y_given_x(j.mT),
            "each x counts with its probability P(x), here all count the same.": lambda j: _of_y_given_x(j, _table([0.25])),
        }),
    "remainder": Exercise(
        lambda g: (_distribution(g, 3, 4, 2), torch.softmax(_normal(g, 3, 4, 2), 2)),
        _remainder, {
            "under the joint this is the KL term of training: R averages under P_W P_XY.": lambda j, f: _remainder(j, f, j),
            "the logarithm is upside down: p(y|x,w) over f_w(y|x).": lambda j, f: -_remainder(j, f),
            "p(y|x) stands for p(y|x,w): normalise over y for each w and x.": lambda j, f: _remainder(j, f, seen=j.sum(0)),
        }),
    # -------------------------------------------------------------------------------------------- 03 Gaussian Lautum
    "lautum_from_correlations": Exercise(
        lambda g: (0.9 * torch.rand(4, generator=g, dtype=torch.float64),),
        _from_correlations, {
            "the factor 1/2 of the logarithm is missing.": lambda r: _from_correlations(r, log=1.0),
            "the ratio rho^2 / (1 - rho^2) has no 1/2: only the logarithm has.": lambda r: _from_correlations(r, ratio=0.5),
            "the correlations enter squared: rho^2, not rho.": lambda r: _from_correlations(r, power=1),
            "the sign of the logarithm is wrong: log(1 - rho^2) stays negative.": lambda r: _from_correlations(r, log=-0.5),
            "this is mutual information: Lautum information also has the ratio.": lambda r: _from_correlations(r, -0.5, 0.0),
            "each pair of canonical variables adds its own term: sum them.": torch.vmap(_from_correlations),
        }),
    "lautum_from_covariance": Exercise(
        lambda g: (_covariance(g, 5), int(_between(g, 2, 4))),
        gaussian_lautum, {
            REVERSED: gaussian_mutual,
            "the trace part is missing: tr( (I - K)^-1 - I ).": lambda c, k: -gaussian_mutual(c, k),
            "the trace still contains the identity: subtract the dimension of x.": lambda c, k: gaussian_lautum(c, k) + k,
            "the factor 1/2 of log det is missing.": lambda c, k: _from_correlations(canonical_correlations(c, k), log=1.0),
            "a trace stands where the log-determinant should: log det K adds up the logarithms of the eigenvalues.":
                lambda c, k: _from_correlations(rho := canonical_correlations(c, k), 0.0) + (k - rho.square().sum()) / 2,
        }),
    "sample_covariance": Exercise(
        lambda g: (_normal(g, 12, 3) + 1,),
        lambda x: torch.cov(x.mT), {
            UNCENTRED: lambda x: x.mT @ x / (len(x) - 1),
            "divided by n: the mean comes from the same samples, n - 1 is unbiased.": lambda x: torch.cov(x.mT, correction=0),
            "this compares samples with samples (n x n): the covariance of the coordinates is d x d.": torch.cov,
            "these are correlations: do not divide by the standard deviations.": lambda x: torch.corrcoef(x.mT),
        }),
    "add_noise": Exercise(
        lambda g: (_covariance(g, 5), int(_between(g, 2, 4)), _between(g, 0.05, 0.5)),
        _noisy, {
            WRONG_BLOCK: lambda c, k, e: _noisy(c, k, e, False, True),
            BOTH_BLOCKS: lambda c, k, e: _noisy(c, k, e, True, True, c.diagonal()[:k].mean()),
            ABSOLUTE: lambda c, k, e: _noisy(c, k, e, scale=1.0),
            "noise that is independent in each coordinate adds to the diagonal only, not to every entry of the block.":
                lambda c, k, e: c + torch.block_diag((_noisy(c, k, e) - c)[:k, :k].sum(0).expand(k, k), 0 * c[k:, k:]),
        }),
    # ---------------------------------------------------------------------------------------------- 04 the regularizer
    "whiten": Exercise(
        lambda g: (_normal(g, 12, 5) * _table([3.0, 2.0, 1.0, 0.5, 0.2]) + 1, 3),
        _whitened, {
            UNCENTRED: lambda x, r: _whitened(x, r, centred=False),
            "divided by the variance: divide by its square root, the standard deviation.": lambda x, r: _whitened(x, r, 1.0),
            "the components are right but not scaled: each needs variance 1.": lambda x, r: _whitened(x, r, 0.0),
            "the smallest components were kept: torch.linalg.eigh sorts upwards.": lambda x, r: _whitened(x, r, largest=False),
        },
        _gram),
    "lautum_penalty": Exercise(
        lambda g: ((z := _normal(g, 30, 3) + 1).requires_grad_(), (_normal(g, 30, 4) + z.mean(1, keepdim=True)).detach(),
                   _between(g, 0.02, 0.2)),
        _penalty, {
            REVERSED: lambda z, u, e: _penalty(z, u, e, gaussian_mutual),
            UNCENTRED: lambda z, u, e: _penalty(torch.cat((z, -z)), torch.cat((u, -u)), e),
            "the ridge is missing: one perfectly predicted direction makes L infinite.": lambda z, u, e: _penalty(z, u, 0.0),
            WRONG_BLOCK: lambda z, u, e: _penalty(z, u, e, first=False, second=True),
            BOTH_BLOCKS: lambda z, u, e: _penalty(z, u, e, second=True, scale=z.var(0).mean()),
            ABSOLUTE: lambda z, u, e: _penalty(z, u, e, scale=1.0),
            "only the sign is wrong: return L itself, the minus comes in exercise 4.3.": lambda z, u, e: -_penalty(z, u, e),
            "the value is right, the gradient is not: the mean variance, which scales the ridge, depends on z too.":
                lambda z, u, e: _penalty(z, u, e, scale=z.detach().var(0).mean()),
            "the value is right but no gradient reaches z: .detach(), .item() or a new tensor cuts it off.":
                lambda z, u, e: _penalty(z.detach(), u, e),
        },
        _value_and_gradient),
    "training_loss": Exercise(
        lambda g: (_normal(g, 8, 4), torch.arange(8) % 4, _normal(g, 1)[0].exp(), _between(g, 0.05, 0.5)),
        lambda s, y, v, c: cross_entropy(s, y) - c * v, {
            "the sign is wrong: the loss is made small, and we want the Lautum information large.":
                lambda s, y, v, c: cross_entropy(s, y) + c * v,
            "the weight belongs to the Lautum term, not to the cross-entropy.": lambda s, y, v, c: c * cross_entropy(s, y) - v,
            "the cross-entropy is summed over the batch: take the mean, or the batch size changes the balance.":
                lambda s, y, v, c: cross_entropy(s, y, reduction="sum") - c * v,
            "cross_entropy takes logits, the softmax is its own: here it was done twice.":
                lambda s, y, v, c: cross_entropy(s.softmax(1), y) - c * v,
        }),
}
