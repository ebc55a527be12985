"""Running covariances and all components: against sums by hand, alone and stacked, in both
stages."""

import math
from dataclasses import replace

import pytest
import torch
from examples import batch_of, example
from runs import QUICK, assert_all_same, trained
from torch import Tensor

from lautum_utils.information import gaussian_lautum_information, gaussian_mutual_information
from lautum_utils.regularizers import (
    LautumRegularizer,
    MutualInformationRegularizer,
    batch_covariance,
)
from lautum_utils.training.experiments import Experiment, grid
from lautum_utils.training.methods import make_method, make_regularizer
from lautum_utils.training.running import RunningDependence

DECAY, RIDGE = 0.8, 0.05
KINDS = [
    (LautumRegularizer, gaussian_lautum_information),
    (MutualInformationRegularizer, gaussian_mutual_information),
]


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def regularizer_of(r: int) -> LautumRegularizer:
    return LautumRegularizer(normal(200, r, seed=9), r, RIDGE)


def batches_of(count: int, n: int = 40) -> list[tuple[Tensor, Tensor]]:
    """z of 5 dimensions and u of 4 for two models, each batch with a scale of its own."""
    made = []
    for number in range(count):
        u = normal(2, n, 4, seed=2 * number)
        z = (1 + number) * normal(2, n, 5, seed=2 * number + 1)
        made.append((z + torch.cat((u, u[..., :1]), -1), u))
    return made


@pytest.mark.parametrize(("kind", "measure"), KINDS)
def test_value_and_gradient_are_those_of_a_weighted_mean_of_covariances(kind, measure) -> None:  # type: ignore[no-untyped-def]
    running = RunningDependence(kind(normal(200, 4), 4, RIDGE), DECAY, {})
    batches = batches_of(4)
    for number, (z, u) in enumerate(batches):
        z.requires_grad_()
        value = running(z, u)
        weights = [DECAY ** (number - j) for j in range(number + 1)]
        covariances = [batch_covariance(*batches[j], RIDGE).detach() for j in range(number + 1)]
        pairs = zip(weights, covariances, strict=True)
        mean = sum(w * cov for w, cov in pairs) / sum(weights)
        assert isinstance(mean, Tensor)
        mean.requires_grad_()
        expected = measure(mean, 5, validate_args=False)
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
        (slope,) = torch.autograd.grad(expected.sum(), mean)
        by_hand = (slope * batch_covariance(z, u, RIDGE)).sum()
        (wanted,) = torch.autograd.grad(by_hand, z)
        (got,) = torch.autograd.grad(value.sum(), z)
        torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("kind", "measure"), KINDS)
def test_the_first_value_is_that_of_the_batch_alone(kind, measure) -> None:  # type: ignore[no-untyped-def]
    ((z, u),) = batches_of(1)
    z.requires_grad_()
    regularizer = kind(normal(200, 4), 4, RIDGE)
    values = [RunningDependence(regularizer, DECAY, {})(z, u), regularizer(z, u)]
    torch.testing.assert_close(*values, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(value.sum(), z)[0] for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)


def test_small_batches_show_less_that_is_not_there() -> None:
    regularizer = regularizer_of(8)
    running = RunningDependence(regularizer, 0.9, {})
    for number in range(40):
        z, u = normal(1, 32, 8, seed=2 * number), normal(1, 32, 8, seed=2 * number + 1)
        value = running(z, u)
    assert 10 * value < regularizer(z, u, validate_args=False)


def test_a_memory_goes_on_from_where_it_was_and_the_models_are_apart() -> None:
    memory: dict[str, Tensor] = {}
    whole = RunningDependence(regularizer_of(4), DECAY, {})
    half, alone = (RunningDependence(regularizer_of(4), DECAY, m) for m in (memory, {}))
    for number, (z, u) in enumerate(batches_of(4)):
        if number == 2:
            half = RunningDependence(regularizer_of(4), DECAY, dict(memory))
        values = whole(z, u), half(z, u)
        assert torch.equal(*values)
        torch.testing.assert_close(alone(z[1:], u[1:]), values[0][1:], rtol=1e-10, atol=1e-12)
    assert memory["covariance"].shape == (2, 9, 9)
    assert not memory["covariance"].requires_grad


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_would_not_end_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=rf"decay needs to be from 0 to 0\.999, got {decay}"):
        RunningDependence(regularizer_of(4), decay, {})


def test_an_experiment_refuses_it_too() -> None:
    with pytest.raises(ValueError, match=r"decay needs to be from 0 to 0\.999, got 1\.0"):
        Experiment(decay=1.0)


# ------------------------------------------------------------------------------------- in a method


@pytest.mark.parametrize("name", ["lautum", "mutual_information", "mutual_information_maximised"])
def test_a_method_measures_with_running_covariances_and_watching_leaves_them_alone(
    name: str,
) -> None:
    network, x, y, _ = example()
    regularizer = make_regularizer(name, normal(100, 16), 3, RIDGE)
    sign = 1 if name == "mutual_information" else -1
    method = make_method(name, regularizer, decay=DECAY)
    by_hand = RunningDependence(regularizer, DECAY, {})
    for scale in (1.0, 0.3, 2.0):
        batch = batch_of(network, x.sin() * scale, y, regularizer)
        before = dict(method.memory)
        method.dependence(batch)
        assert method.memory == before
        expected = sign * by_hand(batch.representations, batch.projected())
        assert torch.equal(method.term(batch), expected)
    plain = make_method(name, regularizer)
    torch.testing.assert_close(plain.term(batch), sign * plain.dependence(batch), rtol=0, atol=0)
    assert not plain.memory


def test_a_batch_without_projected_inputs_is_refused() -> None:
    network, x, y, regularizer = example()
    batch = batch_of(network, x, y, regularizer)
    method = make_method("lautum", regularizer, decay=DECAY)
    with pytest.raises(ValueError, match="need a batch with projected inputs, got one without"):
        method.term(replace(batch, projected=type(batch).projected))


def test_runs_with_a_decay_are_the_same_alone_and_stacked_and_others_than_without() -> None:
    base = replace(QUICK, every=2, decay=0.9, steps=10)
    wanted = grid(base, strength=(1e-2, 1e-1), seed=(0, 1))[:3]
    together = trained(*wanted)
    alone = [result for e in wanted for result in trained(e)]
    assert_all_same(together, alone)
    (without,) = trained(replace(wanted[0], decay=0.0))
    assert together[0].history["loss"][-1] != without.history["loss"][-1]


def test_lautum_with_a_decay_in_both_stages_works_with_the_careful_recipe() -> None:
    base = replace(QUICK, protocol="finetune", recipe="careful", decay=0.9, stage_two="lautum")
    weights = []
    for result in trained(*grid(base, stage_two_strength=(0.0, 1e-1)), keep_networks=True):
        assert result.network is not None
        weights.append(next(result.network.stack.parameters()))
    assert all(bool(w.isfinite().all()) for w in weights)
    assert not torch.equal(*weights), "the term of stage two moves weights"


# ---------------------------------------------------------------------------------- all components


@pytest.mark.parametrize("name", ["lautum", "mutual_information"])
def test_all_components_are_the_inputs_themselves(name: str) -> None:
    x = normal(80, 2, 3) @ normal(3, 3, seed=1) + 4
    z = x.flatten(1)[:, :2].sin() + normal(80, 2, seed=2)
    regularizer = make_regularizer(name, x, 0, RIDGE)
    measure = gaussian_lautum_information if name == "lautum" else gaussian_mutual_information
    expected = measure(batch_covariance(z, x.flatten(1), RIDGE), 2)
    assert regularizer.components.shape == (6, 6)
    value = regularizer(z, regularizer.project(x))
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)
    assert make_regularizer(name, x[:5], 0, RIDGE).components.shape == (6, 4)


def test_all_components_with_a_decay_stay_finite_where_a_batch_is_smaller_than_they_are() -> None:
    base = replace(QUICK, n_components=0, every=2, decay=0.9, steps=9)
    for result in trained(base, replace(base, decay=0.0)):
        for values in result.history.values():
            assert all(map(math.isfinite, values))
