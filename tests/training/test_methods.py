"""The ways to use unlabelled inputs: oracles by loops in float64, and the checks that every method
has to pass."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from examples import CLASSES, batch_of, example
from skada.deep.losses import deepcoral_loss
from torch import Tensor

from lautum_utils.information import lautum_information, mutual_information
from lautum_utils.results.sweeps import run
from lautum_utils.training import methods
from lautum_utils.training.batches import Batch
from lautum_utils.training.experiments import Experiment, grid
from lautum_utils.training.methods import (
    METHODS,
    STAGE_TWO_METHODS,
    Method,
    TemporalEnsembling,
    make_method,
    make_regularizer,
)
from lautum_utils.training.mmd import mk_mmd
from lautum_utils.training.networks import CNN, MLP
from lautum_utils.training.outcomes import Result

NAMES = tuple(dict.fromkeys(METHODS + STAGE_TWO_METHODS))
ACTIVE = tuple(name for name in NAMES if name != "standard")
QUICK = Experiment(
    steps=6,
    labels=20,
    source_batch=16,
    target_batch=64,
    n_components=8,
    strength=0.3,
    finetune_steps=6,
    protocol="finetune",
)


@pytest.fixture(autouse=True)
def _plain_views(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Views without random numbers, where a test permutes samples or follows a formula."""
    if "plain_views" in request.keywords:
        monkeypatch.setattr(
            Batch,
            "view",
            lambda self, strength, stream=0: (
                self.inputs[:, self.labels.shape[1] :] * (1 - 0.2 * strength)
            ),
        )
        monkeypatch.setattr(
            methods,
            "random_view",
            lambda images, view, seeds, step, stream: images * (1 - 0.3 * stream) + 0.2 * stream,
        )


def started(name: str, network: MLP, regularizer: Any, n: int) -> Method:
    """A method that is about to begin, at weight 1."""
    weight = network.classifier.weight
    if name.startswith("mutual"):
        regularizer = make_regularizer(name, torch.randn(100, 16), 3, 1e-2).to(weight.dtype)
    method = make_method(name, regularizer)
    method.start(network, weight.new_ones(len(weight)), n, CLASSES)
    return method


def value(method: Method, batch: Batch) -> Tensor:
    """The term; of a method that remembers, at the second look at the same samples."""
    if isinstance(method, TemporalEnsembling):
        halved = {"features": batch.features * 0.5, "inputs": batch.inputs * 0.5}
        method.term(replace(batch, step=0, **halved))
    return method.term(batch)


def later(network: MLP) -> MLP:
    """The network a little later in its training."""
    with torch.no_grad():
        for parameter in network.parameters():
            generator = torch.Generator().manual_seed(7)
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator).to(parameter)
    return network


# ---------------------------------------------------------------------------- what all have to pass


def test_the_control_adds_nothing_and_every_other_name_is_a_method() -> None:
    network, x, y, regularizer = example()
    term = make_method("standard", regularizer).term(batch_of(network, x, y, regularizer))
    assert torch.equal(term, torch.zeros_like(term))
    assert term.shape == (2,)
    assert not term.requires_grad
    assert len({type(make_method(name, regularizer)) for name in NAMES}) == len(NAMES)
    with pytest.raises(
        ValueError, match=r"method needs to be one of standard, lautum, .*, got 'lautom'"
    ):
        make_method("lautom", regularizer)


@pytest.mark.parametrize("name", ACTIVE)
def test_gradient_reaches_the_network_from_the_unlabelled_inputs_of_each_model_alone(
    name: str,
) -> None:
    network, x, y, regularizer = example()
    method = started(name, network, regularizer, 40)
    later(network)
    term = value(method, batch_of(network, x, y, regularizer))
    assert term.shape == (2,)
    gradients = torch.autograd.grad(term[0], [layer.weight for layer in network.hidden])
    assert all(g[0].abs().max() > 1e-9 for g in gradients), "of its own weights"
    assert all((g[1] == 0).all() for g in gradients), "not of the model beside it"
    other = x.clone()
    other[0, 12:] = torch.randn(40, 1, 4, 4, dtype=x.dtype)
    network, _, _, _ = example()
    method = started(name, network, regularizer, 40)
    later(network)
    changed = value(method, batch_of(network, other, y, regularizer))
    assert changed[0] != term[0], "other unlabelled inputs, another term"
    assert changed[1] == term[1]


@pytest.mark.plain_views
@pytest.mark.parametrize("name", ACTIVE)
def test_order_within_a_batch_does_not_matter(name: str) -> None:
    network, x, y, regularizer = example()
    order = torch.cat((torch.randperm(12), 12 + torch.randperm(40)))
    values = []
    for inputs, labels in ((x, y), (x[:, order], y[:, order[:12]])):
        network, _, _, _ = example()
        method = started(name, network, regularizer, 40)
        later(network)
        index = (order[12:] - 12 if inputs is not x else torch.arange(40)).expand(2, 40)
        values.append(value(method, batch_of(network, inputs, labels, regularizer, index=index)))
    torch.testing.assert_close(*values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("name", ACTIVE)
def test_finite_with_two_samples_and_with_constant_features_in_float32(
    name: str, constant: bool
) -> None:
    network, x, y, regularizer = example(2, 2, dtype=torch.float32)
    if constant:
        with torch.no_grad():
            network.hidden[-1].weight.zero_()
            network.hidden[-1].bias.fill_(0.3)
    method = started(name, network, regularizer, 2)
    for step in range(3):
        term = method.term(batch_of(network, x, y, regularizer, step=step))
        assert term.isfinite().all()
        if term.requires_grad:
            gradients = torch.autograd.grad(
                term.sum(), list(network.parameters()), allow_unused=True
            )
            assert all(g.isfinite().all() for g in gradients if g is not None)


def outcome(result: Result) -> tuple[Any, ...]:
    return result.test_accuracy, result.validation_accuracy, result.source_accuracy


LAUTUM = replace(QUICK, strength=1e-3)
STAGES: dict[str, list[Experiment]] = {
    "stage one": grid(QUICK, method=METHODS, seed=(0, 1), strength=(0.0, 0.3)),
    "stage two": grid(
        LAUTUM, stage_two=STAGE_TWO_METHODS, seed=(0, 1), stage_two_strength=(0.0, 0.3)
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_alone_and_stacked_and_at_weight_0(stage: str) -> None:
    setting, weight = ("method", "strength")
    if stage == "stage two":
        setting, weight = ("stage_two", "stage_two_strength")
    together = run(STAGES[stage], "cpu", progress=False)
    controls = together.where(**{setting: "standard", weight: 0.0})
    for result in together:
        name, strength = (getattr(result.experiment, field) for field in (setting, weight))
        (control,) = controls.where(seed=result.experiment.seed)
        if strength == 0 or name == "standard":
            assert outcome(result) == outcome(control), name
            assert result.history["loss"] == control.history["loss"], name
        elif stage == "stage one":
            assert result.history["loss"] != control.history["loss"], name
    for result in together.where(**{"seed": 1, weight: 0.3}):
        (alone,) = run(result.experiment, "cpu", progress=False)
        assert outcome(alone) == outcome(result), result.experiment
        assert alone.history == result.history, result.experiment


def test_a_method_of_stage_two_changes_what_is_learned() -> None:
    lively = replace(QUICK, steps=80, finetune_steps=60, strength=0.0, labels=50, target_batch=256)
    strong = {"temporal_ensembling": 1000.0, "adaptive_representation_consistency": 300.0}
    wanted = [
        replace(lively, stage_two=name, stage_two_strength=strong.get(name, 3.0))
        for name in STAGE_TWO_METHODS
    ]
    control, *others = run(wanted, "cpu", progress=False)
    for result in others:
        assert result.history == control.history, "stage one is the same"
        assert result.test_accuracy != control.test_accuracy, result.experiment.stage_two


def test_data_that_no_method_can_use_gets_one_sentence() -> None:
    network, _, _, regularizer = example(models=1)
    needed = "2 or more unlabelled samples and 2 or more classes"
    for name in NAMES:
        for samples, classes in ((0, CLASSES), (40, 1)):
            got = f"{needed}, got {samples} samples and {classes} classes"
            with pytest.raises(ValueError, match=got):
                make_method(name, regularizer).start(network, torch.ones(1), samples, classes)
    with pytest.raises(ValueError, match="mk_mmd needs 2 or more samples of each, got 1 and 5"):
        mk_mmd(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(
        ValueError, match=r"target_inputs needs \(n, ...\) with 2 samples or more, got \(0, 3\)"
    ):
        make_regularizer("lautum", torch.zeros(0, 3), 2, 1e-2)


# ------------------------------------------------------------------------------------------ oracles


def mean_of(
    kernel: Callable[[Tensor, Tensor], float],
    a: Sequence[Tensor],
    b: Sequence[Tensor],
    but_equal: bool = False,
) -> float:
    values = [
        kernel(u, v) for i, u in enumerate(a) for j, v in enumerate(b) if not (but_equal and i == j)
    ]
    return sum(values) / len(values)


def squared(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().sum())


@pytest.mark.parametrize(("m", "n"), [(7, 7), (5, 9), (2, 2)])
def test_mk_mmd_equals_a_double_loop(m: int, n: int) -> None:
    x, y = torch.randn(m, 3, dtype=torch.float64), torch.randn(n, 3, dtype=torch.float64) + 1
    scale = mean_of(squared, [*x, *y], [*x, *y], but_equal=True)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (
            sum(math.exp(-squared(a, b) / (2 * scale * 2.0**power)) for power in (-3, -2, -1, 0, 1))
            / 5
        )

    expected = mean_of(kernel, x, x, True) + mean_of(kernel, y, y, True) - 2 * mean_of(kernel, x, y)
    assert mk_mmd(x, y).item() == pytest.approx(expected, abs=1e-12)
    stacked = mk_mmd(torch.stack((y, y)), torch.stack((x, x + 1)).expand(2, m, 3)[:, :m])
    assert stacked[0].item() == pytest.approx(expected, abs=1e-12)
    assert stacked[0] != stacked[1]


@pytest.mark.parametrize(("m", "n"), [(5, 9), (2, 2)])
def test_mk_mmd_has_the_gradient_of_autograd_for_each_model(m: int, n: int) -> None:
    x = torch.randn(3, m, 4, dtype=torch.float64, requires_grad=True)
    y = (torch.randn(3, n, 4, dtype=torch.float64) + 100.0).requires_grad_()
    scale = 2 * _far(torch.cat((x, y), 1).detach()).sum((-2, -1), keepdim=True)
    scale = scale / ((m + n) * (m + n - 1))

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return sum((-_far(a, b) / (scale * 2.0**power)).exp() for power in range(-3, 2)) / 5

    off = [1 - torch.eye(size, dtype=torch.float64) for size in (m, n)]
    expected = (kernel(x, x) * off[0]).sum((-2, -1)) / (m * (m - 1))
    expected = expected + (kernel(y, y) * off[1]).sum((-2, -1)) / (n * (n - 1))
    expected = expected - 2 * kernel(x, y).mean((-2, -1))
    value, heavier = mk_mmd(x, y), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    pairs = [torch.autograd.grad((of * heavier).sum(), (x, y)) for of in (value, expected)]
    for got, wanted in zip(*pairs, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def _far(a: Tensor, b: Tensor | None = None) -> Tensor:
    """Squared distances of all pairs."""
    return (a[:, :, None] - (a if b is None else b)[:, None]).square().sum(-1)


def test_mk_mmd_is_0_on_average_for_equal_distributions() -> None:
    x, y = (torch.randn(4000, n, 3, dtype=torch.float64) for n in (6, 9))
    values = mk_mmd(x, y)
    assert abs(values.mean()) < 4 * values.std() / 4000**0.5


def test_mk_mmd_does_not_send_a_gradient_through_its_scale() -> None:
    x, y = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 6))
    of_x, of_y = torch.autograd.grad(mk_mmd(x, y), (x, y))
    (far,) = torch.autograd.grad(mk_mmd(10 * x, 10 * y), x)
    torch.testing.assert_close(far, of_x)  # without a unit: the scale follows the features
    assert abs((of_x * x).sum() + (of_y * y).sum()) > 1e-3


def test_deep_coral_equals_skada() -> None:
    network, x, y, regularizer = example()
    batch = batch_of(network, x, y, regularizer)
    got = value(make_method("deep_coral", regularizer), batch)
    for g in range(2):
        expected = deepcoral_loss(batch.labelled[g], batch.unlabelled[g])
        torch.testing.assert_close(got[g], expected.to(got), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "measure"),
    [("information_maximisation", mutual_information), ("label_lautum", lautum_information)],
)
def test_terms_of_predicted_labels_are_the_measures_of_the_joint_of_sample_and_label(
    name: str, measure: Callable[[Tensor], Tensor]
) -> None:
    network, x, y, regularizer = example()
    batch = batch_of(network, x, y, regularizer)
    p = network.head(batch.unlabelled).softmax(-1)
    torch.testing.assert_close(
        value(make_method(name, regularizer), batch), -measure(p / 40), rtol=1e-9, atol=1e-12
    )


def test_label_lautum_has_no_upper_bound() -> None:
    network, x, y, regularizer = example()
    terms = []
    for scale in (1, 10, 100):
        with torch.no_grad():
            network.classifier.weight *= scale
        terms.append(
            value(make_method("label_lautum", regularizer), batch_of(network, x, y, regularizer))
            .max()
            .item()
        )
    assert terms[0] > terms[1] * 1.5 > terms[2] * 3
    informed = value(
        make_method("information_maximisation", regularizer), batch_of(network, x, y, regularizer)
    )
    assert (informed >= -math.log(CLASSES) - 1e-9).all()


@pytest.mark.plain_views
def test_temporal_ensembling_follows_the_formula_step_by_step() -> None:
    network, x, y, regularizer = example(models=1, m=4, n=6)
    method = started("temporal_ensembling", network, regularizer, 9)
    ensemble, seen = torch.zeros(9, CLASSES, dtype=torch.float64), [0] * 9
    for step in range(8):
        index = torch.randperm(9)[:6]
        later(network)
        where = {"index": index[None], "n_unlabelled": 9, "step": step, "steps": 20}
        batch = batch_of(network, x, y, regularizer, **where)
        term = method.term(batch)
        p = network(x[:, 4:] * 0.8).softmax(-1)[0].detach()
        total = 0.0
        for row, i in enumerate(index.tolist()):
            if seen[i]:
                total += (
                    float((p[row] - ensemble[i] / (1 - 0.6 ** seen[i])).square().sum()) / CLASSES
                )
            ensemble[i] = 0.6 * ensemble[i] + 0.4 * p[row]
            seen[i] += 1
        ramp = math.exp(-5 * (1 - min(step / (0.27 * 20), 1)) ** 2)
        assert term.item() == pytest.approx(4 / 9 * ramp * total / 6, rel=1e-5, abs=1e-12)


def test_knowledge_consistency_is_0_at_its_start_and_looks_only_where_the_source_is_sure() -> None:
    network, x, y, regularizer = example()
    method = started("adaptive_knowledge_consistency", network, regularizer, 40)
    assert value(method, batch_of(network, x, y, regularizer)).abs().max() < 1e-12
    before = network.features(x).detach()
    p = network.head(before).softmax(-1)
    sure = torch.special.entr(p).sum(-1) <= 0.7 * math.log(CLASSES)
    assert 0 < sure.sum() < sure.numel()
    got = value(method, batch_of(later(network), x, y, regularizer))
    after = network.features(x).detach()
    for g in range(2):
        distances = [
            float((a / a.norm() - b / b.norm()).square().sum())
            for a, b in zip(after[g][sure[g]], before[g][sure[g]], strict=True)
        ]
        assert got[g].item() == pytest.approx(sum(distances) / len(distances), rel=1e-9)


def gaussian(u: Tensor, v: Tensor) -> float:
    return math.exp(-float((u - v).square().mean()))


def test_representation_consistency_equals_a_double_loop_and_remembers_without_gradient() -> None:
    network, x, y, regularizer = example(models=1)
    method = started("adaptive_representation_consistency", network, regularizer, 40)
    sides: list[list[Tensor]] = [[], []]
    for step in range(3):
        later(network)
        inputs = x + 0.1 * step
        features = network.features(inputs).detach().requires_grad_()
        batch = batch_of(network, inputs, y, regularizer, features, step=step)
        got = method.term(batch)
        entropy = torch.special.entr(network.head(features).softmax(-1)).sum(-1)[0]
        sure = entropy <= 0.7 * math.log(CLASSES)
        for side, part in enumerate((slice(0, 12), slice(12, None))):
            sides[side] = [
                z for z, kept in zip(features[0, part].detach(), sure[part], strict=True) if kept
            ] + sides[side]
        a, b = sides

        expected = mean_of(gaussian, a, a) + mean_of(gaussian, b, b) - 2 * mean_of(gaussian, a, b)
        assert got.item() == pytest.approx((step + 1) / 100 * expected, rel=1e-9)
        (gradient,) = torch.autograd.grad(got.sum(), features)
        assert (gradient[0][~sure] == 0).all()
        assert (gradient[0][sure].abs().sum(-1) > 0).all()
    assert max(part.shape[1] for part, _ in method.earlier) <= 128  # type: ignore[attr-defined]


def test_contrastive_regularization_equals_a_double_loop() -> None:
    network, x, y, regularizer = example(n=15)
    batch = batch_of(network, x, y, regularizer)
    got = value(make_method("contrastive_regularization", regularizer), batch)
    for g in range(2):
        z = (batch.unlabelled[g] / batch.unlabelled[g].norm(dim=-1, keepdim=True)).detach()
        top, label = network.head(batch.unlabelled).softmax(-1)[g].max(-1)
        sure = [i for i in range(15) if top[i] >= 0.8]
        losses = []
        for i in range(15):
            total = sum(math.exp(float(z[i] @ z[j]) / 0.1) for j in sure if j != i)
            partners = [j for j in sure if j != i and label[j] == label[i]]
            if partners:
                losses.append(
                    -sum(float(z[i] @ z[j]) / 0.1 - math.log(total) for j in partners)
                    / len(partners)
                )
        assert 2 <= len(sure) < 15
        assert losses
        assert got[g].item() == pytest.approx(sum(losses) / len(losses), rel=1e-9)


@pytest.mark.plain_views
def test_adaptive_reinforcement_is_a_divergence_weighted_by_how_sure_the_weak_view_is() -> None:
    network, x, y, regularizer = example()
    got = value(
        make_method("adaptive_reinforcement", regularizer), batch_of(network, x, y, regularizer)
    )
    p, q = (network(x[:, 12:] * scale).softmax(-1) for scale in (0.9, 0.6))
    sure = 1 - torch.special.entr(p).sum(-1) / math.log(CLASSES)
    expected = (sure * (p * (p / q).log()).sum(-1)).mean(-1)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    assert (got > 0).all()


@pytest.mark.plain_views
def test_task_nuisance_filtration_prefers_independent_features_to_mixed_ones() -> None:
    network, x, y, regularizer = example(n=400)
    independent = torch.rand(2, 412, 64, dtype=torch.float64) - 0.5
    mix, _ = torch.linalg.qr(torch.randn(64, 64, dtype=torch.float64))
    method = make_method("task_nuisance_filtration", regularizer)
    terms = []
    for features in (independent, independent @ mix):
        network.features = lambda x, z=features: z[:, 12:]  # type: ignore[method-assign]
        terms.append(value(method, batch_of(network, x, y, regularizer, features)))
    assert (terms[0] < terms[1]).all()


@pytest.mark.parametrize("of_class", [MLP, CNN])
def test_multiple_layer_normalization_has_a_branch_for_the_source_and_one_for_the_target(
    of_class: type[MLP] | type[CNN],
) -> None:
    network = of_class((1, 8, 8), CLASSES, range(2)).double()
    x = torch.rand(2, 6, 1, 8, 8, dtype=torch.float64)
    plain = network.features(x)
    make_method(
        "multiple_layer_normalization", make_regularizer("lautum", torch.randn(9, 4), 2, 1e-2)
    ).start(network, torch.tensor([0.0, 3.0], dtype=torch.float64), 40, CLASSES)
    assert torch.equal(network.features(x)[0], plain[0]), "weight 0"
    assert not torch.equal(network.features(x)[1], plain[1])
    torch.testing.assert_close(network.features(x, 6), network.features(x), rtol=0, atol=0)
    with torch.no_grad():
        for norm in network.norms:
            norm.gain[:, 1] *= 1.5
    features = network.features(x, 4)
    torch.testing.assert_close(features[:, :4], network.features(x, 6)[:, :4])
    torch.testing.assert_close(features[:, 4:], network.features(x)[:, 4:])
    assert not torch.allclose(network.features(x, 6)[1], network.features(x)[1])
    taken = network.take(torch.tensor([1, 1]))
    torch.testing.assert_close(taken.features(x[[1, 1]], 4), features[[1, 1]])


@pytest.mark.usefixtures("unchecked")
def test_a_method_without_a_regularizer_says_so_when_dependence_is_asked_for() -> None:
    with pytest.raises(ValueError, match="needs a regularizer to measure dependence, got none"):
        make_method("lautum").dependence(None)  # type: ignore[arg-type]
