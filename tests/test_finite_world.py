"""The enumerated world against brute force over ordered datasets, and every identity of notebook 02
on random worlds."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lautum_utils import finite_world
from lautum_utils.finite_world import FiniteWorld, Learned
from lautum_utils.information import lautum_information, mutual_information

LIMIT = 1e-12


def joint(generator: torch.Generator, *shape: int, holes: bool = False) -> Tensor:
    p = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.01
    if holes:
        p.view(-1)[1] = 0
    return p / p.sum()


def world(
    seed: int, w: int, x: int, y: int, holes: bool = False
) -> tuple[FiniteWorld, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    f = torch.softmax(2 * torch.randn(w, x, y, generator=generator, dtype=torch.float64), -1)
    return FiniteWorld(joint(generator, x, y, holes=holes), f, joint(generator, w)), generator


sizes = st.tuples(
    st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3), st.integers(2, 3), st.booleans()
)
Sizes = tuple[int, int, int, int, bool]


def worst(one: Learned) -> float:
    """The largest difference of any decomposition to its loss."""
    pairs = ((one.train_terms(), one.train_loss), (one.test_terms(), one.test_loss))
    return max(
        abs(sum(terms.values()) - loss) for all_terms, loss in pairs for terms in all_terms.values()
    )


def brute_force_transfer(
    at: FiniteWorld, source: Tensor, n_source: int, n: int, gamma: float, target_weight: float
) -> tuple[Tensor, float, float]:
    """P(w, z) of a target example, and I and L of W and S given the source, over *ordered* datasets
    by plain loops."""
    kinds, losses, p, q = (
        range(source.numel()),
        at.losses.flatten(1),
        at.p_xy.flatten(),
        source.flatten(),
    )
    of_examples = torch.zeros(len(at.prior), len(kinds), dtype=torch.float64)
    mutual = lautum = 0.0
    for first in itertools.product(kinds, repeat=n_source):
        p_first, joints = q[list(first)].prod(), []
        for second in itertools.product(kinds, repeat=n):
            risk = (1 - target_weight) * losses[:, list(first)].mean(1) + target_weight * losses[
                :, list(second)
            ].mean(1)
            weights = at.prior * torch.exp(-gamma * risk)
            joints.append(p[list(second)].prod() * weights / weights.sum())
            for z in second:
                of_examples[:, z] += p_first * joints[-1] / n
        mutual += (p_first * mutual_information(torch.stack(joints, 1))).item()
        lautum += (p_first * lautum_information(torch.stack(joints, 1))).item()
    return of_examples, mutual, lautum


@pytest.mark.parametrize(
    ("n_source", "n", "target_weight"), [(1, 1, 0.5), (2, 2, 0.3), (3, 1, 0.9), (1, 3, 0.1)]
)
def test_transfer_is_the_same_as_ordered_source_and_target_datasets(
    n_source: int, n: int, target_weight: float
) -> None:
    at, generator = world(n_source + n, 3, 2, 2)
    source = joint(generator, 2, 2)
    one = at.transfer(source, n_source, n, 7.0, target_weight)
    of_examples, mutual, lautum = brute_force_transfer(at, source, n_source, n, 7.0, target_weight)
    assert one.joint.flatten(1).sub(of_examples).abs().max() < LIMIT
    assert abs(one.mutual_information - mutual) < LIMIT
    assert abs(one.lautum_information - lautum) < LIMIT


def brute_force(at: FiniteWorld, n: int, gamma: float) -> tuple[Tensor, Tensor]:
    """P(w, s) over *ordered* datasets and P(w, z), by plain loops."""
    kinds = at.p_xy.numel()
    p, losses = at.p_xy.flatten(), at.losses.flatten(1)
    of_datasets, of_examples = [], torch.zeros(len(at.prior), kinds, dtype=torch.float64)
    for dataset in itertools.product(range(kinds), repeat=n):
        weights = at.prior * torch.exp(-gamma * losses[:, list(dataset)].mean(1))
        p_ws = p[list(dataset)].prod() * weights / weights.sum()
        of_datasets.append(p_ws)
        for z in dataset:
            of_examples[:, z] += p_ws / n
    return torch.stack(of_datasets, 1), of_examples


@pytest.mark.parametrize(
    ("seed", "n", "gamma"), [(0, 1, 3.0), (1, 2, 8.0), (2, 3, 0.5), (3, 4, 20.0), (4, 3, 0.0)]
)
def test_counts_with_weights_are_the_same_as_ordered_datasets(
    seed: int, n: int, gamma: float
) -> None:
    at, _ = world(seed, 3, 2, 2)
    one = at.learn(n, gamma)
    of_datasets, of_examples = brute_force(at, n, gamma)
    assert one.joint.flatten(1).sub(of_examples).abs().max() < LIMIT
    assert abs(one.mutual_information - mutual_information(of_datasets).item()) < LIMIT
    assert abs(one.lautum_information - lautum_information(of_datasets).item()) < LIMIT
    assert one.posterior.shape[1] == math.comb(n + 3, 3) <= 4**n


@settings(max_examples=200)
@given(sizes, st.integers(1, 4), st.floats(0.05, 30))
def test_every_identity_holds_in_every_world(drawn: Sizes, n: int, gamma: float) -> None:
    """200 worlds, holes in P(x, y) included: the decompositions, the Gibbs identity, the
    definitions, the chain rules."""
    at, _ = world(*drawn)
    one = at.learn(n, gamma)
    assert worst(one) < LIMIT
    assert abs(one.test_loss - one.train_loss - one.gibbs_gap) < LIMIT
    of_s = (one.posterior[0] * one.p_target[:, None]).mT
    assert abs(one.mutual_information - mutual_information(of_s).item()) < LIMIT
    train, test = one.train_terms(), one.test_terms()
    assert (
        min(
            train["labels"]["KL(p(.|X,W)||f)"],
            -train["labels"]["-I(W;Y|X)"],
            test["labels, plus"]["+L(W;Y|X)"],
        )
        > -LIMIT
    )
    chain = test["inputs, minus"]["+L(W;Z)"] + test["inputs, minus"]["-L(W;X)"]
    assert abs(chain - test["labels, plus"]["+L(W;Y|X)"]) < LIMIT
    assert (one.joint.sum(0) - at.p_xy).abs().max() < LIMIT


@settings(max_examples=200)
@given(sizes, st.integers(1, 3), st.integers(1, 2), st.floats(0.05, 20), st.floats(0.02, 1.0))
def test_every_identity_holds_after_transfer(
    drawn: Sizes, n_source: int, n: int, gamma: float, target_weight: float
) -> None:
    at, generator = world(*drawn)
    one = at.transfer(joint(generator, *at.p_xy.shape), n_source, n, gamma, target_weight)
    assert worst(one) < LIMIT
    assert abs(one.test_loss - one.train_loss - one.gibbs_gap) < LIMIT * max(1, 1 / target_weight)
    each = [(post * one.p_target[:, None]).mT for post in one.posterior]
    conditional = sum(p * lautum_information(j) for p, j in zip(one.p_source, each, strict=True))
    assert abs(one.lautum_information - float(conditional)) < LIMIT * max(1, one.lautum_information)


def test_the_terms_are_not_the_loss_cut_at_random() -> None:
    """Each named term against its definition, written out in loops."""
    at, _ = world(7, 3, 2, 3)
    one = at.learn(2, 6.0)
    j, f, p = one.joint, at.hypotheses, at.p_xy
    given_wx, true = j / j.sum(2, keepdim=True), p / p.sum(1, keepdim=True)
    sums = {"i": 0.0, "kl": 0.0, "l": 0.0, "r": 0.0, "hx": 0.0, "d": 0.0, "h": 0.0}
    for w, x, y in itertools.product(*map(range, j.shape)):
        here, product = j[w, x, y].item(), j[w].sum().item() * p[x, y].item()
        seen, label, says = (q.item() for q in (given_wx[w, x, y], true[x, y], f[w, x, y]))
        sums["i"] += here * math.log(seen / label)
        sums["kl"] += here * math.log(seen / says)
        sums["l"] += product * math.log(label / seen)
        sums["r"] += product * math.log(seen / says)
        sums["hx"] -= product * math.log(seen)
        sums["d"] += product * math.log(label / says)
        sums["h"] -= here * math.log(label)
    train, test = one.train_terms()["labels"], one.test_terms()
    wanted = {"H(Y|X)": sums["h"], "-I(W;Y|X)": -sums["i"], "KL(p(.|X,W)||f)": sums["kl"]}
    assert train == pytest.approx(wanted, abs=LIMIT)
    assert test["labels, plus"] == pytest.approx(
        {"H(Y|X)": sums["h"], "+L(W;Y|X)": sums["l"], "R": sums["r"]}, abs=LIMIT
    )
    z, x = j.flatten(1), j.sum(2)
    outer = {
        name: q.sum(1, keepdim=True) * q.sum(0, keepdim=True) for name, q in (("z", z), ("x", x))
    }
    of_z, of_x = ((q * (q / outer[name]).log()).sum().item() for name, q in (("z", z), ("x", x)))
    lautum_z, lautum_x = (
        (outer[name] * (outer[name] / q).log()).sum().item() for name, q in (("z", z), ("x", x))
    )
    assert one.train_terms()["inputs"]["-I(W;Z)"] == pytest.approx(-of_z, abs=LIMIT)
    assert one.train_terms()["inputs"]["+I(W;X)"] == pytest.approx(of_x, abs=LIMIT)
    assert test["inputs, minus"]["+L(W;Z)"] == pytest.approx(lautum_z, abs=LIMIT)
    assert test["inputs, minus"]["-L(W;X)"] == pytest.approx(-lautum_x, abs=LIMIT)
    minus = {"KL(p(.|X)||f)": sums["d"], "Hx(Y|X,W)": sums["hx"], "-L(W;Y|X)": -sums["l"]}
    assert test["labels, minus"] == pytest.approx(minus, abs=LIMIT)


def test_gamma_zero_ignores_the_data_and_the_test_loss_depends_on_the_marginal_alone() -> None:
    at, _ = world(3, 4, 2, 2)
    one = at.learn(3, 8.0)
    blind = FiniteWorld(at.p_xy, at.hypotheses, one.joint.sum((1, 2))).learn(3, 0.0)
    assert abs(blind.mutual_information) + abs(blind.lautum_information) < LIMIT
    assert blind.train_loss == pytest.approx(blind.test_loss, abs=LIMIT)
    assert blind.test_loss == pytest.approx(one.test_loss, abs=LIMIT)
    assert one.test_terms()["inputs, minus"]["-L(W;X)"] < -1e-4


def test_target_weight_zero_makes_target_data_and_hypothesis_independent() -> None:
    at, generator = world(5, 4, 2, 2)
    one = at.transfer(joint(generator, 2, 2), 3, 2, 10.0, 0.0)
    assert abs(one.mutual_information) + abs(one.lautum_information) < LIMIT
    assert one.train_loss == pytest.approx(one.test_loss, abs=LIMIT)
    with pytest.raises(ValueError, match="above 0"):
        _ = one.gibbs_gap


def test_no_source_is_plain_learning() -> None:
    at, generator = world(6, 3, 2, 2)
    one, other = at.learn(3, 5.0), at.transfer(joint(generator, 2, 2), 0, 3, 10.0, 0.5)
    torch.testing.assert_close(other.log_posterior, one.log_posterior, rtol=1e-13, atol=1e-13)
    assert other.gamma == one.gamma
    assert one.posterior.shape[0] == 1


def test_losses_that_differ_by_rounding_are_ties() -> None:
    """Three equal hypotheses whose training losses are sums in another order: all three come out,
    not one."""
    f = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64).expand(3, 2, 2).clone()
    f[1] += torch.tensor([[1e-15, -1e-15], [-1e-15, 1e-15]], dtype=torch.float64)
    p = torch.full((2, 2), 0.25, dtype=torch.float64)
    posterior = FiniteWorld(p, f / f.sum(-1, keepdim=True)).learn(3, math.inf).posterior
    torch.testing.assert_close(posterior, torch.full_like(posterior, 1 / 3))


def test_a_hypothesis_that_the_prior_forbids_never_comes_out() -> None:
    at, _ = world(4, 3, 2, 2)
    prior = torch.tensor([0.0, 0.5, 0.5], dtype=torch.float64)
    for gamma in (3.0, math.inf):
        some, rest = (
            FiniteWorld(at.p_xy, at.hypotheses, prior).learn(2, gamma),
            FiniteWorld(at.p_xy, at.hypotheses[1:]).learn(2, gamma),
        )
        assert some.train_loss == pytest.approx(rest.train_loss, abs=LIMIT)
        assert some.mutual_information == pytest.approx(rest.mutual_information, abs=LIMIT)
        assert some.posterior[..., 0].max() == 0


def test_a_blind_greedy_learner_has_gamma_zero_and_no_information() -> None:
    at, generator = world(2, 3, 2, 2)
    one = at.transfer(joint(generator, 2, 2), 1, 2, math.inf, 0.0)
    assert one.gamma == 0
    assert one.mutual_information < LIMIT


def test_empirical_risk_minimisation_is_the_limit_of_gibbs_with_ties_broken_by_the_prior() -> None:
    at, _ = world(8, 4, 2, 2)
    greedy, nearly = at.learn(3, math.inf), at.learn(3, 1e5)
    assert greedy.train_loss <= nearly.train_loss + LIMIT
    assert greedy.train_loss == pytest.approx(nearly.train_loss, abs=1e-3)
    assert greedy.lautum_information == math.inf
    twins = FiniteWorld(
        at.p_xy, at.hypotheses[[0, 0, 1]], torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    )
    tied = twins.learn(2, math.inf).posterior[0]
    both = (tied[:, 0] > 0) & (tied[:, 1] > 0)
    assert both.any()
    assert torch.allclose(tied[both, 0], 2 * tied[both, 1])


def test_holes_give_infinite_terms_and_the_true_labels_still_add_up() -> None:
    f = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]], dtype=torch.float64)
    one = FiniteWorld(torch.tensor([[0.5, 0.5]], dtype=torch.float64), f).learn(1, math.inf)
    test = one.test_terms()
    assert test["labels, plus"]["+L(W;Y|X)"] == math.inf
    assert test["labels, plus"]["R"] == -math.inf
    assert sum(test["true labels"].values()) == pytest.approx(one.test_loss, abs=LIMIT)
    assert worst_of(one.train_terms(), one.train_loss) < LIMIT


def worst_of(terms: dict[str, dict[str, float]], loss: float) -> float:
    return max(abs(sum(parts.values()) - loss) for parts in terms.values())


def test_information_of_the_dataset_does_not_underflow_at_very_large_gamma() -> None:
    at, _ = world(9, 3, 2, 2)
    one = at.learn(2, 5000.0)
    assert one.lautum_information > 100
    assert one.gibbs_gap == pytest.approx(one.test_loss - one.train_loss, abs=1e-9)


def test_the_promised_size_is_enumerated() -> None:
    """|X| = 4, |Y| = 3, n = 8, 64 hypotheses: 75,582 datasets. (`make bench` measures the time.)"""
    at, _ = world(0, 64, 4, 3)
    one = at.learn(8, 5.0)
    assert worst(one) < LIMIT
    assert abs(one.test_loss - one.train_loss - one.gibbs_gap) < LIMIT
    assert one.posterior.shape == (1, 75_582, 64)
    assert one.p_target.sum().item() == pytest.approx(1, abs=LIMIT)


def test_float32_is_taken_and_computed_in_float64() -> None:
    at, _ = world(1, 3, 2, 2)
    p = at.p_xy.float()
    one = FiniteWorld(p / p.sum(), at.hypotheses.float(), at.prior.float()).learn(2, 4.0)
    assert one.joint.dtype == torch.float64
    assert one.test_loss == pytest.approx(at.learn(2, 4.0).test_loss, abs=1e-5)


GOOD = torch.full((2, 2), 0.25, dtype=torch.float64)
ROWS = torch.full((3, 2, 2), 0.5, dtype=torch.float64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD * 2, ROWS), r"p_xy needs probabilities that sum to 1"),
        (
            (GOOD.expand(2, 2, 2), ROWS.expand(2, 3, 2, 2)),
            r"p_xy needs a tensor \(x, y\) that holds values, got \(2, 2, 2\)",
        ),
        ((GOOD.tolist(), ROWS), r"p_xy needs a tensor \(x, y\) that holds values, got list"),
        (
            (GOOD, ROWS[:0]),
            r"hypotheses needs a tensor \(w, x, y\) that holds values, got \(0, 2, 2\)",
        ),
        ((GOOD.to("meta"), ROWS), r"p_xy needs a tensor"),
        (
            (GOOD - torch.tensor([[0.3, 0], [0, -0.3]]), ROWS),
            r"p_xy needs probabilities of 0 or more",
        ),
        ((GOOD * math.nan, ROWS), r"p_xy needs finite"),
        ((GOOD, ROWS * 0.9), r"hypotheses needs probabilities that sum to 1"),
        ((GOOD, ROWS[:, :1]), r"hypotheses need the shape \(w, 2, 2\), got \(3, 1, 2\)"),
        ((GOOD, torch.eye(2, dtype=torch.float64).expand(3, 2, 2)), r"above 0, got a 0"),
        (
            (GOOD, ROWS, torch.full((2,), 0.5, dtype=torch.float64)),
            r"one probability for each of the 3 hypotheses",
        ),
        (
            (GOOD, ROWS, torch.full((3,), 0.5, dtype=torch.float64)),
            r"prior needs probabilities that sum to 1",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_distribution_is_refused(arguments: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FiniteWorld(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda at: at.learn(0, 1.0), "got 0 and 0"),
        (lambda at: at.learn(2.5, 1.0), "whole number of 1 or more .* got 2.5"),
        (lambda at: at.learn("2", 1.0), "whole number .* got '2'"),
        (lambda at: at.learn(True, 1.0), "whole number .* got True"),
        (lambda at: at.learn(2, "1"), "gamma needs to be 0 or more .*got '1'"),
        (lambda at: at.learn(2, -1.0), "gamma needs to be 0 or more .*got -1.0"),
        (lambda at: at.learn(2, math.nan), "gamma needs to be 0 or more"),
        (
            lambda at: at.transfer(GOOD, 2, 2, 1.0, 1.5),
            "target_weight needs to be from 0 to 1, got 1.5",
        ),
        (lambda at: at.transfer(GOOD, -1, 2, 1.0, 0.5), "got 2 and -1"),
        (
            lambda at: at.transfer(GOOD[:1] * 2, 1, 2, 1.0, 0.5),
            r"source_p_xy needs the shape \(2, 2\)",
        ),
        (lambda at: at.learn(2, 0.0).gibbs_gap, "gamma .*above 0"),
        (lambda at: at.learn(2, math.inf).gibbs_gap, "finite, got inf"),
        (
            lambda at: at.learn(800, 1.0),
            r"85,974,801 datasets times 3 hypotheses need 30.7 GiB, more than the 2 GiB allowed",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_settings_get_one_clear_sentence(call: object, message: str) -> None:
    at = FiniteWorld(GOOD, ROWS)
    with pytest.raises(ValueError, match=message) as caught:
        call(at)  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_what_would_not_fit_in_memory_is_refused_with_its_size_before_any_dataset_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, _ = world(0, 64, 4, 3)
    monkeypatch.setattr(
        finite_world, "_datasets", lambda *_: pytest.fail("datasets are enumerated")
    )
    with pytest.raises(ValueError, match=r"need 8,568.5 GiB, more than the 2 GiB allowed"):
        at.learn(30, 1.0)
