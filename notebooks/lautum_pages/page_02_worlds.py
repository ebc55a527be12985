"""The worlds and learners of notebook 02, and the two sides of each identity in them."""

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from lautum_utils.finite_world import FiniteWorld, Learned
from lautum_utils.information import lautum_information, mutual_information

LABELS = [0, 1, 1]  # the label of x = 0, 1, 2, but for noise
OUTSIDE = [[0.05, 0.55], [0.3, 0.0], [0.1, 0.0]]  # P(x, y) of a source with other rules
N_SOURCE = 3


def target_world(label_noise: float, confidence: float) -> FiniteWorld:
    """Three inputs, all equally frequent, two labels, and all eight labellings as hypotheses."""
    p_y_given_x = _sure(torch.tensor(LABELS, device="cpu"), 1 - label_noise)
    labellings = torch.cartesian_prod(*[torch.arange(2)] * 3)
    return FiniteWorld(p_y_given_x / 3, _sure(labellings, confidence))


def _sure(labels: Tensor, confidence: float) -> Tensor:
    """The probability of each of two labels: `confidence` for the one named."""
    return (1 - confidence) + (2 * confidence - 1) * one_hot(labels, 2).double()


def random_learner(generator: Generator) -> Learned:
    """A learner in a random world: sizes from 2 to 4, 1 to 4 examples, gamma up to 20."""
    w, x, y = (int(torch.randint(2, 5, (), generator=generator)) for _ in range(3))
    p = torch.rand(x, y, generator=generator, dtype=torch.float64)
    f = torch.softmax(2 * torch.randn(w, x, y, generator=generator, dtype=torch.float64), -1)
    n = int(torch.randint(1, 5, (), generator=generator))
    gamma = 20 * torch.rand((), generator=generator).item()
    return FiniteWorld(p / p.sum(), f).learn(n, gamma)


def random_transfer(generator: Generator) -> Learned:
    """A learner in a random world that has seen two examples of another one."""
    target = random_learner(generator).world
    other = torch.rand(target.p_xy.shape, generator=generator, dtype=torch.float64)
    gamma, weight = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    return target.transfer(other / other.sum(), 2, 2, 15 * gamma + 0.1, 0.05 + 0.9 * weight)


@lru_cache(maxsize=512)
def transferred(
    n: int, gamma: float, label_noise: float, confidence: float, distance: float, weight: float
) -> Learned:
    """The Gibbs learner from N_SOURCE source and n target examples, with `weight` on the target;
    distance mixes other rules into the source."""
    target = target_world(label_noise, confidence)
    outside = torch.tensor(OUTSIDE, dtype=torch.float64, device="cpu")
    source = (1 - distance) * target.p_xy + distance * outside
    return target.transfer(source, N_SOURCE, n, gamma, weight)


def blinded(learned: Learned, looks: float) -> Learned:
    """The learner that looks at its data with probability `looks`, and else draws from the same
    P(w) without looking."""
    p_w = learned.joint.sum((1, 2))
    mixed = looks * learned.posterior + (1 - looks) * p_w
    return replace(learned, log_posterior=mixed.log())


def identities(one: Learned) -> dict[str, float]:
    """How far the two sides of each identity of the notebook are from each other."""
    train, test = one.train_terms(), one.test_terms()
    sides = {f"train, {cut}": (one.train_loss, sum(t.values())) for cut, t in train.items()}
    sides |= {f"test, {cut}": (one.test_loss, sum(t.values())) for cut, t in test.items()}
    pair, inputs = one.joint.flatten(1), one.joint.sum(2)
    given_i, given_l = -train["labels"]["-I(W;Y|X)"], test["labels, plus"]["+L(W;Y|X)"]
    of_i = mutual_information(pair) - mutual_information(inputs)
    of_l = lautum_information(pair) - lautum_information(inputs)
    minus, blind = test["labels, minus"], blinded(one, 0.0)
    sides |= {
        "I(W;Y|X) = I(W;Z) - I(W;X)": (given_i, of_i.item()),
        "L(W;Y|X) = L(W;Z) - L(W;X)": (given_l, of_l.item()),
        "Hx - L(W;Y|X) = H(Y|X)": (
            minus["Hx(Y|X,W)"] + minus["-L(W;Y|X)"],
            train["labels"]["H(Y|X)"],
        ),
        "R = D - L(W;Y|X)": (test["labels, plus"]["R"], minus["KL(p(.|X)||f)"] - given_l),
        "same P(w), same test loss": (one.test_loss, blind.test_loss),
    }
    return {name: abs(left - right) for name, (left, right) in sides.items()}
