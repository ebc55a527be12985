"""The loop, used by hand: batches of one's own, a method of one's own, and an end by `break`."""

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from examples import batch_of, example
from torch import Tensor

from lautum_utils.training.batches import Batch
from lautum_utils.training.loop import accuracy, cross_entropy, make_optimizer, train
from lautum_utils.training.methods import Lautum, Method
from lautum_utils.training.networks import MLP


class Own:
    """Batches of one's own: at each step other samples of a few."""

    def __init__(self, network: MLP, unlabelled: bool = True) -> None:
        _, self.x, self.y, self.regularizer = example(m=60, n=200)
        self.network, self.unlabelled = network, unlabelled

    def at(self, step: int) -> Batch:
        take = torch.Generator().manual_seed(step)
        rows = torch.randperm(60, generator=take)[:12]
        others = 60 + torch.randperm(200, generator=take)[:40] if self.unlabelled else rows[:0]
        inputs = self.x[:, torch.cat((rows, others))]
        return batch_of(self.network, inputs, self.y[:, rows], self.regularizer, step=step)


def begin(unlabelled: bool = True) -> tuple[MLP, torch.optim.Optimizer, Own]:
    network = MLP((1, 4, 4), 10, range(2)).double()
    return network, make_optimizer(network, 1e-2), Own(network, unlabelled)


def weights(network: MLP) -> Tensor:
    return torch.cat([p.detach().flatten(1) for p in network.parameters()], 1)


def test_a_step_goes_down_the_gradient_of_cross_entropy_plus_strength_times_the_term() -> None:
    network, _, batches = begin()
    strength, before = torch.tensor([0.3, 2.0], dtype=torch.float64), copy.deepcopy(network)
    method = Lautum(batches.regularizer)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    ((step, batch),) = train(network, optimizer, batches, method, strength, range(4, 5))
    assert step == batch.step == 4
    for g, weight in enumerate(strength):
        logits = before(batch.inputs[:, :12])[g]
        features = before.features(batch.inputs)[:, 12:]
        value = batches.regularizer(features, batch.prepared(), prepared=True)[g]
        loss = F.cross_entropy(logits, batch.labels[g]) - weight * value
        for parameter, after in zip(before.parameters(), network.parameters(), strict=True):
            (gradient,) = torch.autograd.grad(loss, parameter, retain_graph=True)
            expected = parameter[g] - 0.1 * gradient[g]
            torch.testing.assert_close(after[g], expected, rtol=1e-9, atol=1e-12)


def test_whoever_wants_to_stop_breaks_and_can_go_on_later() -> None:
    whole, stopped = begin(), begin()
    strength = torch.tensor([0.0, 1e-2], dtype=torch.float64)

    def steps(network: MLP, optimizer: torch.optim.Optimizer, batches: Own, of: range) -> Iterator:
        return train(network, optimizer, batches, Lautum(batches.regularizer), strength, of)

    assert [step for step, _ in steps(*whole, range(6))] == list(range(6))
    seen = []
    for step, _ in steps(*stopped, range(100)):
        seen.append(step)
        if step == 2:
            break
    assert seen == [0, 1, 2]
    assert not torch.equal(weights(stopped[0]), weights(whole[0]))
    for _ in steps(*stopped, range(3, 6)):
        pass
    assert torch.equal(weights(stopped[0]), weights(whole[0]))


def test_nothing_is_trained_that_is_not_asked_for() -> None:
    network, optimizer, batches = begin()
    before = weights(network)
    control = Method(batches.regularizer)
    steps = train(network, optimizer, batches, control, torch.zeros(2).double(), range(3))
    assert torch.equal(weights(network), before)
    next(steps)
    assert not torch.equal(weights(network), before)
    after = weights(network)
    steps.close()  # type: ignore[attr-defined]
    assert torch.equal(weights(network), after)


@pytest.mark.parametrize("unlabelled", [True, False])
def test_the_control_learns_its_labels_with_unlabelled_samples_or_without(
    unlabelled: bool,
) -> None:
    network, optimizer, batches = begin(unlabelled)
    batches.y = (batches.x[:, :60].mean((2, 3, 4)) > 0).long()
    losses = []
    for _, batch in train(
        network, optimizer, batches, Method(batches.regularizer), torch.ones(2).double(), range(60)
    ):
        assert batch.unlabelled.shape[1] == (40 if unlabelled else 0)
        losses.append(cross_entropy(network(batch.inputs[:, :12]), batch.labels))
    assert (losses[-1] < 0.5 * losses[0]).all()
    assert (accuracy(network(batches.x[:, :60]), batches.y) > 0.9).all()


def test_no_networks_weights_depend_on_those_beside_it() -> None:
    found = []
    for strong in (1e-3, 10.0):
        network, optimizer, batches = begin()
        strength = torch.tensor([1e-2, strong], dtype=torch.float64)
        for _ in train(
            network, optimizer, batches, Lautum(batches.regularizer), strength, range(5)
        ):
            pass
        found.append(weights(network))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])


class SmallWeights(Method):
    """A method of one's own: the features are to be small, no unlabelled input is needed."""

    def term(self, batch: Batch) -> Tensor:
        return batch.labelled.square().mean((-2, -1))


def test_a_method_of_ones_own_is_a_class_with_a_term() -> None:
    size = []
    for strength in (0.0, 10.0):
        network, optimizer, batches = begin(unlabelled=False)
        method, weight = SmallWeights(batches.regularizer), torch.full((2,), strength).double()
        for _ in train(network, optimizer, batches, method, weight, range(30)):
            pass
        size.append(network.features(batches.x).square().mean())
    assert size[1] < 0.1 * size[0]


def test_cross_entropy_and_accuracy_are_means_of_each_model() -> None:
    logits, labels = torch.randn(3, 7, 4), torch.randint(4, (3, 7))
    for g in range(3):
        torch.testing.assert_close(
            cross_entropy(logits, labels)[g], F.cross_entropy(logits[g], labels[g])
        )
        hits = (logits[g].argmax(-1) == labels[g]).float().mean()
        assert accuracy(logits, labels)[g] == hits


class Scaled(Lautum):
    """The same term in another unit."""

    unit = 1000.0

    def term(self, batch: Batch) -> Tensor:
        return self.unit * super().term(batch)


class Silent(Method):
    """A term that no weight can change."""

    def term(self, batch: Batch) -> Tensor:
        return batch.features.new_zeros(len(batch.features), requires_grad=True) + 0 * (
            batch.features.sum((1, 2))
        )


def test_a_relative_strength_is_the_ratio_of_the_two_gradients_of_each_model() -> None:
    network, _, batches = begin()
    strength, before = torch.tensor([0.3, 2.0], dtype=torch.float64), copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    method = Lautum(batches.regularizer)
    list(train(network, optimizer, batches, method, strength, range(4, 5), relative=True))
    batch = Own(before).at(4)
    loss = cross_entropy(before.head(batch.labelled), batch.labels).sum()
    body = [p for layer in before.hidden for p in layer.parameters()]
    of_loss = torch.autograd.grad(loss, body, retain_graph=True)
    moves = zip(body, (p for layer in network.hidden for p in layer.parameters()), strict=True)
    added = [(w - after) / 0.1 - g for (w, after), g in zip(moves, of_loss, strict=True)]
    for g, ratio in enumerate(strength):
        lengths = (sum(x[g].square().sum() for x in of) for of in (added, of_loss))
        of_term, of_cross_entropy = (float(length) ** 0.5 for length in lengths)
        assert of_term == pytest.approx(float(ratio) * of_cross_entropy, rel=1e-6)


def test_a_relative_strength_does_not_depend_on_the_unit_of_the_term() -> None:
    ends = []
    for method in (Lautum, Scaled):
        network, optimizer, batches = begin()
        strength = torch.tensor([0.3, 2.0], dtype=torch.float64)
        own = method(batches.regularizer)
        list(train(network, optimizer, batches, own, strength, range(3), relative=True))
        ends.append(weights(network))
    torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-9)


def test_a_term_without_a_gradient_adds_nothing_even_if_its_strength_is_relative() -> None:
    ends = []
    for method, relative in ((Silent(), True), (Method(), False)):
        network, optimizer, batches = begin()
        list(train(network, optimizer, batches, method, torch.ones(2), range(3), relative))
        ends.append(weights(network))
    torch.testing.assert_close(*ends)
