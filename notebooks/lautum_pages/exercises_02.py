"""The exercises of notebook 02, the loss bound."""

import torch
from torch import Tensor

from lautum_utils.information import mutual_information

from .checks import Exercise, Function
from .shared import between, distribution, normal, product, table, uniform


def _posterior(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return torch.softmax(prior.log() - gamma * losses, 0)


def _losses(
    j: Tensor, loss: Tensor, train: Function = lambda j: j, test: Function = product
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


GIBBS_POSTERIOR = Exercise(
    inputs=lambda g: (3 * distribution(g, 5), distribution(g, 5), between(g, 2, 6)),
    reference=_posterior,
    mistakes={
        "the sign of gamma is wrong: a larger loss makes a hypothesis less probable.": (
            lambda v, p, c: _posterior(-v, p, c)
        ),
        "the weights do not sum to 1: divide by their sum.": lambda v, p, c: p * (-c * v).exp(),
        "the prior is missing: it multiplies exp(-gamma * loss).": (
            lambda v, p, c: _posterior(v, torch.ones_like(p), c)
        ),
        "gamma divides the loss here: it is an inverse temperature and multiplies.": (
            lambda v, p, c: _posterior(v, p, 1 / c)
        ),
    },
)
TRAIN_AND_TEST_LOSS = Exercise(
    inputs=lambda g: (distribution(g, 4, 6), 5 * uniform(g, 4, 6)),
    reference=_losses,
    mistakes={
        "train and test are exchanged: in training Z shaped W, the joint holds.": (
            lambda j, v: _losses(j, v).flip(0)
        ),
        "both are averaged under the joint: a fresh Z knows nothing of W.": (
            lambda j, v: _losses(j, v, test=lambda j: j)
        ),
        "both are averaged under the product: a training example shaped W.": (
            lambda j, v: _losses(j, v, train=product)
        ),
        "the test loss is averaged uniformly: weight by P_W P_Z.": (
            lambda j, v: _losses(j, v, test=lambda j: 1 / j.numel())
        ),
    },
)
CONDITIONAL_MUTUAL_INFORMATION = Exercise(
    inputs=lambda g: (distribution(g, 3, 4, 2),),
    reference=_of_y_given_x,
    mistakes={
        "this is I(W;Y): x has been summed out, not conditioned on.": (
            lambda j: mutual_information(j.sum(1))
        ),
        "this is I(W;(X,Y)): by the chain rule it still contains I(W;X).": (
            lambda j: mutual_information(j.flatten(1))
        ),
        "the roles of x and y are exchanged: this is I(W;X|Y).": lambda j: _of_y_given_x(j.mT),
        "each x counts with its probability P(x), here all count the same.": (
            lambda j: _of_y_given_x(j, table([0.25]))
        ),
    },
)
REMAINDER = Exercise(
    inputs=lambda g: (distribution(g, 3, 4, 2), torch.softmax(normal(g, 3, 4, 2), 2)),
    reference=_remainder,
    mistakes={
        "under the joint this is the KL term of training: R averages under P_W P_XY.": (
            lambda j, f: _remainder(j, f, j)
        ),
        "the logarithm is upside down: p(y|x,w) over f_w(y|x).": lambda j, f: -_remainder(j, f),
        "p(y|x) stands for p(y|x,w): normalise over y for each w and x.": (
            lambda j, f: _remainder(j, f, seen=j.sum(0))
        ),
    },
)
EXERCISES = {
    "gibbs_posterior": GIBBS_POSTERIOR,
    "train_and_test_loss": TRAIN_AND_TEST_LOSS,
    "conditional_mutual_information": CONDITIONAL_MUTUAL_INFORMATION,
    "remainder": REMAINDER,
}
