"""The plain loop, in the manner of DomainBed (facebookresearch/DomainBed) and in our own words.

One network at a time; each step gets a list of minibatches and one of unlabelled images, sums up an
objective and a penalty, and takes one step of Adam. DomainBed itself is not to be had from PyPI,
and its penalties are other ones: the formulas here are those of this project, written for one
network.
"""

from itertools import islice

import torch
import torch.nn.functional as F
from contest import Heat, Score
from one_by_one import Job, Minibatch
from one_by_one import curve as curve_one_by_one
from one_by_one import prepare as prepare
from small_network import SmallNetwork
from torch import Tensor

WIDTHS = (2.0, 1.0, 0.5, 0.25, 0.125)  # of the kernels, in mean squared distances


def mk_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased MMD^2 with the mean of five Gaussian kernels."""
    m, n, joint = len(x), len(y), torch.cat((x, y))
    norms = joint.square().sum(1)
    distances = (norms[:, None] + norms - 2 * joint @ joint.T).clamp_min(0)
    distances = distances.masked_fill(torch.eye(m + n, dtype=torch.bool), 0)
    mean = distances.detach().sum() / ((m + n) * (m + n - 1))
    kernel = torch.zeros_like(distances)
    for width in WIDTHS:
        kernel = kernel + (-distances / (2 * width * mean)).exp() / len(WIDTHS)
    of_x = (kernel[:m, :m].sum() - m) / (m * (m - 1))
    of_y = (kernel[m:, m:].sum() - n) / (n * (n - 1))
    return of_x + of_y - 2 * kernel[:m, m:].mean()


def deep_coral(x: Tensor, y: Tensor) -> Tensor:
    """The squared distance of the covariances, over 4 k^2."""
    return (torch.cov(x.T) - torch.cov(y.T)).square().sum() / (4 * x.shape[1] ** 2)


class Algorithm(torch.nn.Module):
    """A network with its optimizer, and what one step does to it."""

    def __init__(self, network: SmallNetwork, job: Job) -> None:
        super().__init__()
        self.network, self.method, self.weight = network, job.method, job.weight
        self.optimizer = torch.optim.Adam(network.parameters(), lr=job.learning_rate)

    def losses(
        self, minibatches: list[tuple[Tensor, Tensor]], unlabelled: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The objective, a mean over the source domains (there is one), and the penalty."""
        features = [self.network.features(x) for x, _ in minibatches]
        labels = [y for _, y in minibatches]
        each = [
            F.cross_entropy(self.network.head(z), y) for z, y in zip(features, labels, strict=True)
        ]
        objective = torch.stack(each).mean()
        if self.method == "standard":
            return objective, objective.new_zeros(())
        targets = [self.network.features(x) for x in unlabelled]
        term = {"mk_mmd": mk_mmd, "deep_coral": deep_coral}[self.method]
        pairs = [term(z, target) for z in features for target in targets]
        return objective, torch.stack(pairs).mean()

    def update(
        self, minibatches: list[tuple[Tensor, Tensor]], unlabelled: list[Tensor]
    ) -> dict[str, float]:
        """One step; its losses, as a log would hold them."""
        objective, penalty = self.losses(minibatches, unlabelled)
        loss = objective + self.weight * penalty
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "penalty": penalty.item()}


def lists(minibatch: Minibatch) -> tuple[list[tuple[Tensor, Tensor]], list[Tensor]]:
    """A list with an entry for each source domain, and one for each target domain."""
    images, labels, unlabelled = minibatch
    return [(images, labels)], [unlabelled]


def train(job: Job) -> list[dict[str, float]]:
    """All steps of one network; what each of them logged."""
    algorithm = Algorithm(job.network, job)
    steps = islice(job.minibatches(), len(job.source_rows))
    return [algorithm.update(*lists(minibatch)) for minibatch in steps]


def curve(heat: Heat) -> list[Score]:
    """Train and probe all networks of a heat."""
    return curve_one_by_one(heat, train)
