"""The exercises of notebook 02, the loss bound."""

import torch
from torch import Tensor

from lautum_utils.information import lautum_information, mutual_information

from .checks import Exercise, Function
from .drawing import between, distribution, normal, table, uniform
from .shared import product, signs, statements


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


def _measure(j: Tensor) -> Tensor:
    """P(w) P(x,y)."""
    return j.sum((1, 2))[:, None, None] * j.sum(0)


def _remainder(
    j: Tensor, f: Tensor, measure: Tensor | None = None, seen: Tensor | None = None
) -> Tensor:
    measure = _measure(j) if measure is None else measure
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
        "the prior needs its logarithm inside the softmax: log prior - gamma * loss.": (
            lambda v, p, c: torch.softmax(p - c * v, 0)
        ),
        "gamma is missing: it multiplies the loss.": lambda v, p, c: _posterior(v, p, 1.0),
        "these are logarithms of probabilities: take exp, or softmax for log_softmax.": (
            lambda v, p, c: _posterior(v, p, c).log()
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
        "in the test loss all hypotheses count the same: weight each by P_W.": (
            lambda j, v: _losses(j, v, test=lambda j: j.sum(0) / len(j))
        ),
        "in the test loss all examples count the same: weight each by P_Z.": (
            lambda j, v: _losses(j, v, test=lambda j: j.sum(1, keepdim=True) / j.shape[1])
        ),
        "these are means of weighted losses: the weights sum to 1 already, so sum.": (
            lambda j, v: _losses(j, v) / j.numel()
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
        "the difference is the wrong way round: I(W;(X,Y)) is the larger one.": (
            lambda j: -_of_y_given_x(j)
        ),
        "this is L(W;Y|X), by the chain rule of L: mutual information is wanted.": (
            lambda j: lautum_information(j.flatten(1)) - lautum_information(j.sum(2))
        ),
        "I(W;Y) - I(W;X) is no chain rule: begin with I(W;(X,Y)), the pair.": (
            lambda j: mutual_information(j.sum(1)) - mutual_information(j.sum(2))
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
        "f is missing: p(y|x,w) over p(y|x) averages to -L(W;Y|X).": (
            lambda j, f: _remainder(j, j.sum(0) / j.sum((0, 2))[:, None])
        ),
        "the joint stands for p(y|x,w): divide it by its sum over y.": (
            lambda j, f: (_measure(j) * (j / f).log()).sum()
        ),
        "this is p(x,y|w), normalised over x and y: normalise over y alone.": (
            lambda j, f: (_measure(j) * (j / j.sum((1, 2), keepdim=True) / f).log()).sum()
        ),
        "this is the mean of weighted terms: the weights sum to 1 already, so sum.": (
            lambda j, f: _remainder(j, f) / j.numel()
        ),
    },
)
SIGNS_OF_R = signs(
    right="+-0",
    hints={
        (0, "-"): "a: R < 0 needs L above D, but here W knows nothing of the data: L = 0.",
        (0, "0"): "a: L = 0 leaves R = D, and D is 0 only if all hypotheses are the truth.",
        (1, "+"): "b: the hypotheses are the truth, so D = 0. What is left of R = D - L?",
        (1, "0"): "b: D = 0, but W depends on labels. Which L has a W that does?",
        (2, "+"): "c: R > 0 needs fractions above 1. Put f into the logarithm: what is it?",
        (2, "-"): "c: R < 0 needs fractions below 1. Put f into the logarithm: what is it?",
    },
)
FALSE_STEPS = statements(
    right="BCF",
    hints={
        "A": "A holds: the logarithm has no w, and a training example alone follows P(x,y).",
        "B": "B: the mean is a divergence if y follows the numerator. Which p does y follow?",
        "C": "C: with P(w) as it was, what does a larger L do to the middle term?",
        "D": "D holds: its mean is over P(w) P(x,y), and the loss is the same table.",
        "E": "E holds: it is the identity, read from right to left.",
        "F": "F: R and L(W;Z) may move as well. What did the blind twin show?",
    },
)
EXERCISES = {
    "gibbs_posterior": GIBBS_POSTERIOR,
    "train_and_test_loss": TRAIN_AND_TEST_LOSS,
    "conditional_mutual_information": CONDITIONAL_MUTUAL_INFORMATION,
    "remainder": REMAINDER,
    "signs_of_r": SIGNS_OF_R,
    "false_steps": FALSE_STEPS,
}
