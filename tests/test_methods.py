"""The ways to use unlabelled inputs: oracles by loops in float64, and the checks that every method
has to pass."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from skada.deep.losses import deepcoral_loss
from torch import Tensor

from lautum_utils.information import lautum_information, mutual_information
from lautum_utils.results.sweeps import run
from lautum_utils.training.batches import Batch
from lautum_utils.training.experiments import Experiment, Result
from lautum_utils.training.methods import (
    METHODS,
    STAGE_TWO_METHODS,
    Method,
    TemporalEnsembling,
    make_method,
    make_regularizer,
    mk_mmd,
)
from lautum_utils.training.networks import CNN, MLP, DomainNorm

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
CLASSES = 10


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


def example(
    m: int = 12, n: int = 40, models: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[MLP, Tensor, Tensor, Any]:
    """A network that is sure of some samples, inputs, labels, and a regularizer of the unlabelled
    ones."""
    generator = torch.Generator().manual_seed(seed)
    network = MLP((1, 4, 4), CLASSES, range(models)).to(dtype)
    with torch.no_grad():
        network.classifier.weight *= 15
    x = torch.randn((models, m + n, 1, 4, 4), generator=generator, dtype=dtype) * 2
    y = torch.randint(CLASSES, (models, m), generator=generator)
    return (
        network,
        x,
        y,
        make_regularizer(
            "lautum", torch.randn((100, 16), generator=generator, dtype=dtype), 3, 1e-2
        ),
    )


def batch_of(
    network: MLP,
    x: Tensor,
    y: Tensor,
    regularizer: Any,
    features: Tensor | None = None,
    **more: Any,
) -> Batch:
    unlabelled = x[:, y.shape[1] :]
    projected = torch.stack([regularizer.project(one) for one in unlabelled])
    n = unlabelled.shape[1]
    settings: dict[str, Any] = {
        "index": torch.arange(n).expand(len(x), n), "samples": n, "few": y.shape[1], "seeds": range(len(x)),
        "step": 5, "steps": 10,
    }  # fmt: skip
    features = network.features(x, y.shape[1]) if features is None else features
    return Batch(network, x, y, features, lambda: regularizer.prepare(projected), **settings | more)


def started(name: str, network: MLP, regularizer: Any, n: int) -> Method:
    kind = make_regularizer(name, torch.randn(100, 16), 3, 1e-2).to(
        next(network.parameters()).dtype
    )
    method = make_method(name, kind if name.startswith("mutual") else regularizer)
    method.start(network, torch.ones(len(x := network.classifier.weight)).to(x), n, CLASSES)
    return method


def value(method: Method, batch: Batch) -> Tensor:
    """The term; of a method that remembers, at the second look at the same samples."""
    if isinstance(method, TemporalEnsembling):
        method.term(
            replace(batch, features=batch.features * 0.5, inputs=batch.inputs * 0.5, step=0)
        )
    term = method.term(batch)
    assert term is not None
    return term


def moved(network: MLP) -> MLP:
    """The network a little later in its training."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(7)
            ).to(parameter)
    return network


# ------------------------------------------------------------------------------------------------- what all have to pass


def test_the_control_adds_nothing_and_every_other_name_is_a_method() -> None:
    network, x, y, regularizer = example()
    assert make_method("standard", regularizer).term(batch_of(network, x, y, regularizer)) is None
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
    moved(network)
    term = value(method, batch_of(network, x, y, regularizer))
    assert term.shape == (2,)
    gradients = torch.autograd.grad(term[0], [network.first.weight, network.second.weight])
    assert all(g[0].abs().max() > 1e-9 for g in gradients), "of its own weights"
    assert all((g[1] == 0).all() for g in gradients), "not of the model beside it"
    other = x.clone()
    other[0, 12:] = torch.randn(40, 1, 4, 4, dtype=x.dtype)
    network, _, _, _ = example()
    method = started(name, network, regularizer, 40)
    moved(network)
    changed = value(method, batch_of(network, other, y, regularizer))
    assert changed[0] != term[0], "other unlabelled inputs, another term"
    assert changed[1] == term[1]


@pytest.mark.plain_views
@pytest.mark.parametrize("name", ACTIVE)
def test_order_within_a_batch_does_not_matter(name: str) -> None:
    network, x, y, regularizer = example()
    order = torch.cat((torch.randperm(12), 12 + torch.randperm(40)))
    values = []
    for some, labels in ((x, y), (x[:, order], y[:, order[:12]])):
        network, _, _, _ = example()
        method = started(name, network, regularizer, 40)
        moved(network)
        index = (order[12:] - 12 if some is not x else torch.arange(40)).expand(2, 40)
        values.append(value(method, batch_of(network, some, labels, regularizer, index=index)))
    torch.testing.assert_close(*values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("name", ACTIVE)
def test_finite_with_two_samples_and_with_constant_features_in_float32(
    name: str, constant: bool
) -> None:
    network, x, y, regularizer = example(2, 2, dtype=torch.float32)
    if constant:
        with torch.no_grad():
            network.second.weight.zero_()
            network.second.bias.fill_(0.3)
    method = started(name, network, regularizer, 2)
    for step in range(3):
        term = method.term(batch_of(network, x, y, regularizer, step=step))
        assert term is not None
        assert term.isfinite().all()
        if term.requires_grad:
            gradients = torch.autograd.grad(
                term.sum(), list(network.parameters()), allow_unused=True
            )
            assert all(g.isfinite().all() for g in gradients if g is not None)


def outcome(result: Result) -> tuple[Any, ...]:
    return result.test_accuracy, result.validation_accuracy, result.source_accuracy, result.history


@pytest.mark.parametrize("stage", [1, 2])
def test_alone_and_stacked_and_at_weight_0(stage: int) -> None:
    if stage == 1:
        grid = [
            replace(QUICK, method=name, strength=s, seed=i)
            for name in METHODS
            for i in (0, 1)
            for s in (0.0, 0.3)
        ]
    else:
        lautum = replace(QUICK, strength=1e-3)
        grid = [
            replace(lautum, stage_two=name, stage_two_strength=s, seed=i)
            for name in STAGE_TWO_METHODS for i in (0, 1) for s in (0.0, 0.3)
        ]  # fmt: skip
    together = dict(zip(grid, run(grid, "cpu", progress=False), strict=True))
    control = {i: together[grid[2 * i]] for i in (0, 1)}
    for experiment, result in together.items():
        name, strength = (
            (experiment.method, experiment.strength)
            if stage == 1
            else (experiment.stage_two, experiment.stage_two_strength)
        )
        base = control[experiment.seed]
        if strength == 0 or name == "standard":
            assert outcome(result)[:3] == outcome(base)[:3], name
            assert result.history["loss"] == base.history["loss"], name
        elif stage == 1:
            assert result.history["loss"] != base.history["loss"], name
    some = [e for e in grid if e.seed == 1 and (e.strength if stage == 1 else e.stage_two_strength)]
    for experiment in some:
        assert outcome(run(experiment, "cpu", progress=False)[0]) == outcome(
            together[experiment]
        ), experiment


def test_a_method_of_stage_two_changes_what_is_learned() -> None:
    lively = replace(QUICK, steps=80, finetune_steps=60, strength=0.0, labels=50, target_batch=256)
    strong = {"temporal_ensembling": 1000.0, "adaptive_representation_consistency": 300.0}
    grid = [
        replace(lively, stage_two=name, stage_two_strength=strong.get(name, 3.0))
        for name in STAGE_TWO_METHODS
    ]
    control, *others = run(grid, "cpu", progress=False)
    for result in others:
        assert result.history == control.history, "stage 1 is the same"
        assert result.test_accuracy != control.test_accuracy, result.experiment.stage_two


def test_a_method_of_stage_two_needs_finetuning_and_a_known_name() -> None:
    with pytest.raises(ValueError, match="protocol needs to be finetune for a method in stage two"):
        Experiment(stage_two="temporal_ensembling", stage_two_strength=1.0)
    with pytest.raises(
        ValueError, match=r"stage_two needs to be one of standard, .*, got 'mk_mmd'"
    ):
        Experiment(protocol="finetune", stage_two="mk_mmd")
    with pytest.raises(
        ValueError, match="stage_two_strength needs to be a finite number of 0 or more, got -1"
    ):
        Experiment(protocol="finetune", stage_two_strength=-1)


def test_data_that_no_method_can_use_gets_one_sentence() -> None:
    network, x, y, regularizer = example(models=1)
    for name in NAMES:
        with pytest.raises(
            ValueError,
            match="2 or more unlabelled samples and 2 or more classes, got 0 samples and 10 classes",
        ):
            make_method(name, regularizer).start(network, torch.ones(1), 0, CLASSES)
        with pytest.raises(
            ValueError,
            match="2 or more unlabelled samples and 2 or more classes, got 40 samples and 1 classes",
        ):
            make_method(name, regularizer).start(network, torch.ones(1), 40, 1)
    for m, n in ((1, 40), (12, 1), (12, 0), (0, 40)):
        with pytest.raises(
            ValueError,
            match=f"2 or more labelled and 2 or more unlabelled samples, got {m} and {n}",
        ):
            batch_of(network, x[:, 12 - m : 12 + n], y[:, :m], regularizer)
    with pytest.raises(ValueError, match="mk_mmd needs 2 or more samples of each, got 1 and 5"):
        mk_mmd(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(
        ValueError, match=r"target_inputs needs \(n, ...\) with 2 samples or more, got \(0, 3\)"
    ):
        make_regularizer("lautum", torch.zeros(0, 3), 2, 1e-2)
    for size in ("source_batch", "target_batch"):
        with pytest.raises(
            ValueError, match=f"{size} needs to be a whole number of 2 or more, got 1"
        ):
            Experiment(**{size: 1})


# --------------------------------------------------------------------------------------------------------------- oracles


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


def test_mk_mmd_is_0_on_average_for_equal_distributions_and_does_not_send_a_gradient_through_its_scale() -> (
    None
):
    values = mk_mmd(
        torch.randn(4000, 6, 3, dtype=torch.float64), torch.randn(4000, 9, 3, dtype=torch.float64)
    )
    assert abs(values.mean()) < 4 * values.std() / 4000**0.5
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(6, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(mk_mmd(x, y), x)
    far = torch.autograd.grad(mk_mmd(10 * x, 10 * y), x)[0]
    torch.testing.assert_close(far, gradient)  # without a unit: the scale follows the features
    assert (
        abs(
            (gradient * x).sum()
            + (torch.autograd.grad(mk_mmd(x.detach(), y.requires_grad_()), y)[0] * y).sum()
        )
        > 1e-3
    )


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
        moved(network)
        batch = batch_of(
            network, x, y, regularizer, index=index[None], samples=9, few=4, step=step, steps=20
        )
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
        assert term is not None
        assert term.item() == pytest.approx(4 / 9 * ramp * total / 6, rel=1e-5, abs=1e-12)


def test_knowledge_consistency_is_0_at_its_start_and_looks_only_where_the_source_network_is_sure() -> (
    None
):
    network, x, y, regularizer = example()
    method = started("adaptive_knowledge_consistency", network, regularizer, 40)
    assert value(method, batch_of(network, x, y, regularizer)).abs().max() < 1e-12
    before = network.features(x).detach()
    p = network.head(before).softmax(-1)
    sure = torch.special.entr(p).sum(-1) <= 0.7 * math.log(CLASSES)
    assert 0 < sure.sum() < sure.numel()
    got = value(method, batch_of(moved(network), x, y, regularizer))
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
        moved(network)
        some = x + 0.1 * step
        features = network.features(some).detach().requires_grad_()
        batch = batch_of(network, some, y, regularizer, features, step=step)
        got = method.term(batch)
        sure = torch.special.entr(network.head(features).softmax(-1)).sum(-1)[0] <= 0.7 * math.log(
            CLASSES
        )
        for side, part in enumerate((slice(0, 12), slice(12, None))):
            sides[side] = [
                z for z, kept in zip(features[0, part].detach(), sure[part], strict=True) if kept
            ] + sides[side]
        a, b = sides

        expected = mean_of(gaussian, a, a) + mean_of(gaussian, b, b) - 2 * mean_of(gaussian, a, b)
        assert got is not None
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


def test_a_domain_norm_follows_the_formula_for_each_sample_by_itself() -> None:
    share = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    norm = DomainNorm(3, share)
    h = torch.randn(3, 7, 3, 4, dtype=torch.float64) + 1
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += torch.rand_like(parameter)
    got = norm(h, 5)
    for g, weight in enumerate(share):
        for i in range(7):
            normal = (h[g, i] - h[g, i].mean()) / (h[g, i].var(unbiased=False) + 1e-5).sqrt()
            domain = int(i >= 5)
            branch = norm.gain[g, domain, 0] * normal + norm.offset[g, domain, 0]
            torch.testing.assert_close(
                got[g, i], (1 - weight) * h[g, i] + weight * branch, rtol=1e-12, atol=1e-12
            )
    assert torch.equal(got[0], h[0])


@pytest.mark.parametrize("kind", [MLP, CNN])
def test_multiple_layer_normalization_has_a_branch_for_the_source_and_one_for_the_target(
    kind: type[MLP],
) -> None:
    network = kind((1, 8, 8), CLASSES, range(2)).double()
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
    some = network.take(torch.tensor([1, 1]))
    torch.testing.assert_close(some.features(x[[1, 1]], 4), features[[1, 1]])
    with torch.no_grad():
        some.norms[0].gain += 1
    torch.testing.assert_close(network.features(x, 4), features)


def test_a_view_is_the_same_for_a_model_whatever_stands_beside_it_and_differs_between_steps() -> (
    None
):
    network, x, y, regularizer = example(dtype=torch.float32)
    batch = batch_of(network, x, y, regularizer, seeds=(3, 8))
    alone = batch_of(MLP((1, 4, 4), CLASSES, [1]), x[1:], y[1:], regularizer, seeds=(8,))
    assert torch.equal(batch.view(1.0)[1:], alone.view(1.0))
    assert torch.equal(batch.view(1.0), batch.view(1.0))
    for other in (batch.view(1.0, 1), replace(batch, step=6).view(1.0)):
        assert not torch.equal(batch.view(1.0), other)
    weak, strong = ((batch.view(s) - x[:, 12:]).abs().mean() for s in (0.2, 2.0))
    assert 0 < weak < strong / 2
    torch.testing.assert_close(batch.view(0.0), x[:, 12:], rtol=1e-5, atol=1e-5)
