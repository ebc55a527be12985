"""Batches: what a step sees of the samples, for networks side by side."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from examples import CLASSES, batch_of, example

from lautum_utils.regularizers import LautumRegularizer
from lautum_utils.training.batches import STEPS_AT_ONCE, Batch, Batches, Samples
from lautum_utils.training.networks import MLP
from lautum_utils.training.randomness import STAGE_TWO, Views, augmented

TASKS, STEPS = 2, 40
WHICH = torch.tensor([1, 0, 1])  # the task of each of three networks
SEEDS = (3, 8, 5)


def test_a_view_is_the_same_whatever_stands_beside_it_and_differs_between_steps() -> None:
    network, x, y, regularizer = example(dtype=torch.float32)
    batch = batch_of(network, x, y, regularizer, seeds=(3, 8))
    alone = batch_of(MLP((1, 4, 4), CLASSES, [1]), x[1:], y[1:], regularizer, seeds=(8,))
    assert torch.equal(batch.view(1.0)[1:], alone.view(1.0))
    assert torch.equal(batch.view(1.0), batch.view(1.0))
    for other in (batch.view(1.0, Views.STRONG), replace(batch, step=6).view(1.0)):
        assert not torch.equal(batch.view(1.0), other)
    weak, strong = ((batch.view(s) - x[:, 12:]).abs().mean() for s in (0.2, 2.0))
    assert 0 < weak < strong / 2
    torch.testing.assert_close(batch.view(0.0), x[:, 12:], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("m", "n"), [(1, 40), (12, 1), (1, 1), (0, 40)])
def test_a_batch_that_is_too_small_is_refused(m: int, n: int) -> None:
    network, x, y, regularizer = example(models=1)
    sentence = rf"2 or more labelled and 2 or more unlabelled samples \(or none\), got {m} and {n}"
    with pytest.raises(ValueError, match=sentence):
        batch_of(network, x[:, 12 - m : 12 + n], y[:, :m], regularizer)


def test_a_batch_without_unlabelled_samples_is_one_of_labelled_samples() -> None:
    network, x, y, regularizer = example()
    batch = batch_of(network, x[:, :12], y, regularizer)
    assert torch.equal(batch.labelled, network.features(x[:, :12]))
    assert batch.unlabelled.shape == (2, 0, 64)
    assert batch.index.shape == (2, 0)


def test_what_stands_in_for_the_weights_are_features_or_logits_of_the_unlabelled_samples() -> None:
    network, x, y, regularizer = example()
    batch = batch_of(network, x, y, regularizer)
    assert torch.equal(batch.labelled, batch.features[:, :12])
    assert torch.equal(batch.representations, network.features(x)[:, 12:])
    logits = replace(batch, layer="logits")
    assert torch.equal(logits.representations, network.head(batch.unlabelled))


# --------------------------------------------------------------------------- the batches of a stage


def samples() -> tuple[Samples, Samples, list[LautumRegularizer]]:
    """Labelled and unlabelled samples of two tasks, and what whitens the unlabelled ones."""
    images, others = torch.rand(TASKS, 20, 1, 6, 6), torch.rand(TASKS, 30, 1, 6, 6)
    labels = torch.randint(CLASSES, (TASKS, 20))
    regularizers = [LautumRegularizer(x, 4) for x in others]
    pairs = zip(regularizers, others, strict=True)
    whitened = torch.stack([regularizer.project(x) for regularizer, x in pairs])
    rows = torch.randint(20, (TASKS, STEPS, 5)), torch.randint(30, (TASKS, STEPS, 7))
    return Samples(images, labels, rows[0]), Samples(others, whitened, rows[1]), regularizers


def batches_of(
    labelled: Samples, unlabelled: Samples | None, *regularizers: LautumRegularizer, **how: Any
) -> Batches:
    network = MLP((1, 6, 6), CLASSES, SEEDS)
    return Batches(network, labelled, unlabelled, WHICH, SEEDS, regularizers, **how)


@pytest.mark.parametrize("step", [0, STEPS_AT_ONCE - 1, STEPS_AT_ONCE, STEPS - 1])
def test_each_network_gets_the_samples_of_its_own_task(step: int) -> None:
    labelled, unlabelled, regularizers = samples()
    batches = batches_of(labelled, unlabelled, *regularizers)
    batch = batches.at(step)
    prepared = batch.prepared()
    for model, task in enumerate(WHICH.tolist()):
        of_source, of_target = (part.rows[task, step] for part in (labelled, unlabelled))
        assert torch.equal(batch.inputs[model, :5], labelled.images[task, of_source])
        assert torch.equal(batch.inputs[model, 5:], unlabelled.images[task, of_target])
        assert torch.equal(batch.labels[model], labelled.values[task, of_source])
        assert torch.equal(batch.index[model], of_target)
        whitened = regularizers[task].prepare(unlabelled.values[task, of_target])
        torch.testing.assert_close(prepared[model], whitened)
        assert torch.equal(batch.projected()[model], unlabelled.values[task, of_target])
    assert torch.equal(batch.features, batches.network.features(batch.inputs, 5))
    assert (batch.n_labelled, batch.n_unlabelled) == (20, 30)
    assert (batch.step, batch.steps, batch.seeds) == (step, STEPS, SEEDS)


def test_batches_are_the_same_in_any_order() -> None:
    labelled, unlabelled, regularizers = samples()
    batches = batches_of(labelled, unlabelled, *regularizers)
    forwards = [batches.at(step).prepared() for step in range(STEPS)]
    for step in (39, 3, 17, 0):
        batch = batches.at(step)
        assert torch.equal(batch.prepared(), forwards[step])
        assert torch.equal(batch.inputs, batches.at(step).inputs)


def test_where_the_steps_use_no_unlabelled_samples_they_are_there_for_those_who_ask() -> None:
    labelled, unlabelled, regularizers = samples()
    batches = batches_of(labelled, unlabelled, *regularizers, every=0)
    without, asked = batches.at(4), batches.at(4, unlabelled=True)
    assert without.inputs.shape[1] == 5
    assert torch.equal(without.inputs, asked.inputs[:, :5])
    assert asked.inputs.shape[1] == 12
    usual = batches_of(labelled, unlabelled, *regularizers).at(4)
    assert torch.equal(asked.inputs, usual.inputs)
    torch.testing.assert_close(asked.prepared(), usual.prepared())


@pytest.mark.parametrize("every", [2, 3, 16, 100])
@pytest.mark.parametrize("augment", ["none", "moved"])
def test_unlabelled_samples_are_there_at_every_mth_step_and_are_those_of_that_step(
    every: int, augment: str
) -> None:
    labelled, unlabelled, regularizers = samples()
    usual = batches_of(labelled, unlabelled, *regularizers, augment=augment)
    rarely = batches_of(labelled, unlabelled, *regularizers, augment=augment, every=every)
    for step in [*range(STEPS), 30, 1, 0]:  # also back again
        expected, batch = usual.at(step), rarely.at(step)
        asked = rarely.at(step, unlabelled=True)
        assert batch.with_term == asked.with_term == (step % every == 0)
        m = 12 if batch.with_term else 5
        assert torch.equal(batch.inputs, expected.inputs[:, :m])
        assert torch.equal(batch.labels, expected.labels)
        assert batch.index.shape[1] == m - 5
        for there in (batch, asked) if batch.with_term else (asked,):
            assert torch.equal(there.index, expected.index)
            torch.testing.assert_close(there.prepared(), expected.prepared())


def test_there_need_be_no_unlabelled_samples_at_all() -> None:
    labelled, _, _ = samples()
    batch = batches_of(labelled, None, stage_two=True).at(3)
    assert batch.inputs.shape == (3, 5, 1, 6, 6)
    assert batch.n_unlabelled == 0


@pytest.mark.parametrize("augment", ["moved", "mirrored"])
def test_labelled_and_unlabelled_images_are_augmented_each_with_its_own_random_numbers(
    augment: str,
) -> None:
    labelled, unlabelled, regularizers = samples()
    plain = batches_of(labelled, unlabelled, *regularizers).at(4).inputs
    batches = batches_of(labelled, unlabelled, *regularizers, augment=augment)
    batch, mirrored = batches.at(4), augment == "mirrored"
    parts = (plain[:, :5], Views.LABELLED), (plain[:, 5:], Views.UNLABELLED)
    expected = torch.cat([augmented(x, SEEDS, 4, stream, mirrored) for x, stream in parts], 1)
    assert torch.equal(batch.inputs, expected)
    prepared = batch.prepared()
    for model, task in enumerate(WHICH.tolist()):
        projected = regularizers[task].project(expected[model, 5:])
        torch.testing.assert_close(batch.projected()[model], projected)
        whitened = regularizers[task].prepare(projected)
        torch.testing.assert_close(prepared[model], whitened)
    control = batches_of(labelled, unlabelled, *regularizers, augment=augment, every=0)
    assert torch.equal(control.at(4).inputs, expected[:, :5])


def test_in_stage_two_only_labelled_images_are_augmented_and_all_are_of_the_target() -> None:
    labelled, unlabelled, regularizers = samples()
    how = {"stage_two": True, "augment": "moved"}
    batches = batches_of(labelled, unlabelled, *regularizers, **how)
    plain = batches_of(labelled, unlabelled, *regularizers).at(4)
    batch = batches.at(4)
    expected = augmented(plain.inputs[:, :5], SEEDS, STAGE_TWO + 4, Views.LABELLED, False)
    assert torch.equal(batch.inputs[:, :5], expected)
    assert torch.equal(batch.inputs[:, 5:], plain.inputs[:, 5:])
    torch.testing.assert_close(batch.prepared(), plain.prepared())
    batches.network.normalize(torch.full((3,), 0.5))
    with torch.no_grad():
        for norm in batches.network.norms:
            norm.gain[:, 1] *= 2  # the target's
    again = batches.at(4)
    assert torch.equal(again.features, batches.network.features(batch.inputs, 0))
    assert not torch.allclose(again.features, batches.network.features(batch.inputs, 5))


def test_the_layer_of_a_batch_is_that_of_its_batches() -> None:
    labelled, unlabelled, regularizers = samples()
    batch = batches_of(labelled, unlabelled, *regularizers, layer="logits").at(0)
    assert isinstance(batch, Batch)
    assert batch.representations.shape == (3, 7, CLASSES)
