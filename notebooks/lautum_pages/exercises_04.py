"""The exercises of notebook 04, the regularizer."""

from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from lautum_utils.information import gaussian_lautum_information as gaussian_lautum
from lautum_utils.information import gaussian_mutual_information as gaussian_mutual

from .answers import choice
from .checks import Exercise, Function
from .drawing import between, normal, table
from .observing import gram, value_and_gradient
from .shared import ABSOLUTE, BOTH_BLOCKS, REVERSED, UNCENTRED, WRONG_BLOCK, noisy


def _whitened(
    x: Tensor, r: int, power: float = 0.5, centred: bool = True, largest: bool = True
) -> Tensor:
    x = x - x.mean(0) if centred else x
    variance, directions = torch.linalg.eigh(x.mT @ x / (len(x) - 1))
    kept = slice(-r, None) if largest else slice(0, r)
    return x @ directions[:, kept] / variance[kept] ** power


def _batch(generator: Generator) -> tuple[Tensor, Tensor, float]:
    z = (normal(generator, 30, 3) + 1).requires_grad_()
    u = (normal(generator, 30, 4) + z.mean(1, keepdim=True)).detach()
    return z, u, between(generator, 0.02, 0.2)


def _penalty(
    z: Tensor, u: Tensor, ridge: float, measure: Function = gaussian_lautum, **noise: Any
) -> Tensor:
    k = z.shape[1]
    return measure(noisy(torch.cov(torch.cat((z, u), 1).mT), k, ridge, **noise), k)


def _averaged_squares(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    mutual = _penalty(z, u, ridge, gaussian_mutual)
    squares = _penalty(z, u, ridge) + mutual  # I + L = sum of rho^2 / (1 - rho^2) = ||M||^2
    return squares / (z.shape[1] * u.shape[1]) - mutual


def _scores(generator: Generator) -> tuple[Tensor, Tensor, Tensor, float]:
    scores, value = normal(generator, 8, 4), normal(generator, 1)[0].exp()
    return scores, torch.arange(8) % 4, value, between(generator, 0.05, 0.5)


WHITEN = Exercise(
    inputs=lambda g: (normal(g, 12, 5) * table([3.0, 2.0, 1.0, 0.5, 0.2]) + 1, 3),
    reference=_whitened,
    mistakes={
        UNCENTRED: lambda x, r: _whitened(x, r, centred=False),
        "divided by the variance: divide by its square root, the standard deviation.": (
            lambda x, r: _whitened(x, r, 1.0)
        ),
        "the components are right but not scaled: each needs variance 1.": (
            lambda x, r: _whitened(x, r, 0.0)
        ),
        "the smallest components were kept: torch.linalg.eigh sorts upwards.": (
            lambda x, r: _whitened(x, r, largest=False)
        ),
        "these are z-scores of the first coordinates: they are still correlated, project first.": (
            lambda x, r: ((x - x.mean(0)) / x.std(0))[:, :r]
        ),
    },
    observe=gram,
)
LAUTUM_PENALTY = Exercise(
    inputs=_batch,
    reference=_penalty,
    mistakes={
        REVERSED: lambda z, u, e: _penalty(z, u, e, gaussian_mutual),
        UNCENTRED: lambda z, u, e: _penalty(torch.cat((z, -z)), torch.cat((u, -u)), e),
        "the ridge is missing: one perfectly predicted direction makes L infinite.": (
            lambda z, u, e: _penalty(z, u, 0.0)
        ),
        WRONG_BLOCK: lambda z, u, e: _penalty(z, u, e, on_features=False, on_inputs=True),
        BOTH_BLOCKS: lambda z, u, e: _penalty(z, u, e, on_inputs=True, scale=z.var(0).mean()),
        ABSOLUTE: lambda z, u, e: _penalty(z, u, e, scale=1.0),
        "only the sign is wrong: return L itself, the minus comes in exercise 4.4.": (
            lambda z, u, e: -_penalty(z, u, e)
        ),
        "the value is right, the gradient is not: the mean variance, which scales the ridge, "
        "depends on z too.": lambda z, u, e: _penalty(z, u, e, scale=z.detach().var(0).mean()),
        "the value is right, but its gradient sees the ridge only: the covariance was cut off "
        "from z.": lambda z, u, e: _penalty(z.detach(), u, e, scale=z.var(0).mean()),
        "the squares of M are averaged: the norm is their sum, .sum() and not .mean().": (
            _averaged_squares
        ),
        "the value is right but no gradient reaches z: .detach(), .item() or a new tensor cuts "
        "it off.": lambda z, u, e: _penalty(z.detach(), u, e),
    },
    observe=partial(value_and_gradient, 0),
)
TRAINING_LOSS = Exercise(
    inputs=_scores,
    reference=lambda s, y, v, c: cross_entropy(s, y) - c * v,
    mistakes={
        "the sign is wrong: the loss is made small, and we want the Lautum information large.": (
            lambda s, y, v, c: cross_entropy(s, y) + c * v
        ),
        "the weight belongs to the Lautum term, not to the cross-entropy.": (
            lambda s, y, v, c: c * cross_entropy(s, y) - v
        ),
        "the cross-entropy is summed over the batch: take the mean, or the batch size changes "
        "the balance.": lambda s, y, v, c: cross_entropy(s, y, reduction="sum") - c * v,
        "cross_entropy takes logits, the softmax is its own: here it was done twice.": (
            lambda s, y, v, c: cross_entropy(s.softmax(1), y) - c * v
        ),
    },
)
BROKEN_LINE = choice(
    "C",
    {
        "A": "drawing the batch at random is right: any images will do, as long as z and u are of "
        "the same ones.",
        "B": "whitening each batch anew is wasteful, and harmless: true pairs would still stand "
        "out from wrong ones.",
        "D": "the sign is right: the loss is made small, so L grows. And a wrong sign would not "
        "hide the first value.",
        "E": "the optimizer is right: plain gradient steps would raise L as well, if there were "
        "anything to raise.",
    },
)
RIGHT_CURE = choice(
    "D",
    {
        "A": "rounding is not what inflates this value: it is as large in float64, in the figure "
        "above.",
        "B": "the ridge is there, and keeps the value finite: a larger one lowers true pairs along "
        "with wrong ones.",
        "C": "a smaller weight turns down the task's competitor, not its noise: true and wrong "
        "pairs stay alike.",
        "E": "more training changes z, not what 40 rows can say: correlations of 1 come from the "
        "dimensions.",
    },
)
EXERCISES = {
    "whiten": WHITEN,
    "lautum_penalty": LAUTUM_PENALTY,
    "broken_line": BROKEN_LINE,
    "training_loss": TRAINING_LOSS,
    "right_cure": RIGHT_CURE,
}
