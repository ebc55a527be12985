"""Information measures against independent calculations: dit, plain loops, torch.distributions,
closed forms."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

from lautum_utils.information import (
    canonical_correlations,
    entropy,
    gaussian_lautum_information,
    gaussian_mutual_information,
    kl_divergence,
    lautum_information,
    mutual_information,
)

JOINT = (mutual_information, lautum_information)
GAUSSIAN = (gaussian_mutual_information, gaussian_lautum_information, canonical_correlations)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
quick = settings(max_examples=40)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)


def probabilities(*shape: int, event: int = 2, concentration: float = 1.0, seed: int = 0) -> Tensor:
    """Dirichlet draws over the last `event` axes, in float64."""
    rng = np.random.default_rng(seed)
    p = rng.gamma(concentration, size=shape) + 1e-12
    return torch.from_numpy(p / p.sum(axis=tuple(range(-event, 0)), keepdims=True))


def covariances(*shape: int, seed: int = 0) -> Tensor:
    a = torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, shape[-1])))
    return a @ a.mT + 0.1 * torch.eye(shape[-1], dtype=torch.float64)


def divergence_by_loop(p: list[float], q: list[float]) -> float:
    total = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0:
            total += math.inf if b == 0 else a * math.log(a / b)
    return total


def close(got: Tensor, expected: object, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    torch.testing.assert_close(
        got, torch.as_tensor(expected, dtype=got.dtype).expand_as(got), rtol=rtol, atol=atol
    )


# --------------------------------------------------------------------------------- finite alphabets


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (5, 2)])
def test_mutual_and_lautum_agree_with_dit(shape: tuple[int, int]) -> None:
    import dit

    for seed in range(6):
        joint = probabilities(*shape, seed=seed)
        if seed >= 3:
            joint[0, 1] = 0  # a hole
            joint /= joint.sum()
        letters = [f"{a}{b}" for a in range(shape[0]) for b in range(shape[1])]
        distribution = dit.Distribution(letters, joint.flatten().tolist())
        close(
            lautum_information(joint),
            dit.other.lautum_information(distribution) * math.log(2),
            rtol=1e-9,
        )
        close(
            mutual_information(joint),
            dit.shannon.mutual_information(distribution, [0], [1]) * math.log(2),
            rtol=1e-9,
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("holes", [False, True])
def test_mutual_and_lautum_agree_with_pyitlib(seed: int, holes: bool) -> None:
    """pyitlib takes samples, so the joint is a table of counts; a hole makes L infinite and leaves
    I finite."""
    from pyitlib import discrete_random_variable as pyitlib

    counts = np.random.default_rng(seed).integers(1, 12, size=(2 + seed % 3, 4))
    if holes:
        counts[1, seed % 4] = 0
    rows, columns = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    joint = torch.from_numpy(counts / counts.sum())
    close(
        lautum_information(joint), pyitlib.information_lautum(rows, columns, base=math.e), rtol=1e-9
    )
    close(
        mutual_information(joint), pyitlib.information_mutual(rows, columns, base=math.e), rtol=1e-9
    )
    assert (lautum_information(joint) == math.inf) == holes


@pytest.mark.parametrize("seed", range(5))
def test_all_discrete_measures_agree_with_plain_loops(seed: int) -> None:
    p, q = probabilities(2, 6, event=1, seed=seed)
    p[0] = 0.0
    p = p / p.sum()
    close(entropy(p), -sum(x * math.log(x) for x in p.tolist() if x > 0))
    close(kl_divergence(p, q), divergence_by_loop(p.tolist(), q.tolist()))
    assert kl_divergence(q, p).item() == math.inf == divergence_by_loop(q.tolist(), p.tolist())
    joint = probabilities(3, 4, seed=seed)
    rows, columns = [sum(r) for r in joint.tolist()], [sum(c) for c in joint.T.tolist()]
    product = [a * b for a in rows for b in columns]
    close(mutual_information(joint), divergence_by_loop(joint.flatten().tolist(), product))
    close(lautum_information(joint), divergence_by_loop(product, joint.flatten().tolist()))


@pytest.mark.parametrize("error", [1e-6, 0.01, 0.11, 0.3])
def test_binary_symmetric_channel_has_its_closed_forms(error: float) -> None:
    joint = torch.tensor([[1 - error, error], [error, 1 - error]], dtype=torch.float64) / 2
    h = -error * math.log(error) - (1 - error) * math.log(1 - error)
    close(mutual_information(joint), math.log(2) - h, rtol=1e-11)
    close(lautum_information(joint), -0.5 * math.log(4 * error * (1 - error)), rtol=1e-11)


def test_zeros_and_holes() -> None:
    hole = torch.tensor([[0.5, 0.25], [0.25, 0.0]], dtype=torch.float64)
    assert lautum_information(hole).item() == math.inf
    close(
        mutual_information(hole),
        0.5 * math.log(0.5 / 0.75**2) + 0.5 * math.log(0.25 / (0.75 * 0.25)),
    )
    unused_symbol = torch.tensor(
        [[0.3, 0.2, 0.0], [0.1, 0.4, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64
    )
    for measure in JOINT:  # no mass in the marginal either: no hole
        close(measure(unused_symbol), measure(unused_symbol[:2, :2]))
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert entropy(p) == 0
    close(kl_divergence(p, q), math.log(2), rtol=1e-6)
    assert kl_divergence(q, p) == math.inf
    assert kl_divergence(p, p) == 0
    batch = torch.stack((hole, torch.full((2, 2), 0.25, dtype=torch.float64)))
    assert lautum_information(batch).tolist() == [
        math.inf,
        0.0,
    ]  # a hole stays in its own batch entry


def test_zero_exactly_for_products_and_only_for_them() -> None:
    a, b = probabilities(5, event=1, seed=1), probabilities(3, event=1, seed=2)
    product = a[:, None] * b
    bump = torch.zeros(5, 3, dtype=torch.float64)
    bump[:2, :2] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    for measure in JOINT:
        close(measure(product), 0.0)
        assert measure(product + 1e-3 * bump) > 1e-7


def test_neither_is_always_the_larger() -> None:
    joints = probabilities(2000, 2, 2, concentration=0.5, seed=3)
    share = (lautum_information(joints) < mutual_information(joints)).double().mean().item()
    assert 0.15 < share < 0.27


def test_weak_dependence_is_half_of_chi_square() -> None:
    a, b = probabilities(4, event=1, seed=4), probabilities(3, event=1, seed=5)
    product = a[:, None] * b
    direction = probabilities(4, 3, seed=6)
    for weight in (1e-3, 1e-4):
        mixed = (1 - weight) * product + weight * direction
        marginals = mixed.sum(1, keepdim=True) * mixed.sum(0)
        half = 0.5 * ((mixed - marginals).square() / marginals).sum().item()
        for measure in JOINT:
            close(measure(mixed), half, rtol=30 * weight, atol=1e-14)


@quick
@given(seeds, sizes, sizes, st.sampled_from([0.2, 1.0, 5.0]))
def test_properties_of_random_joints(seed: int, a: int, b: int, concentration: float) -> None:
    joints = probabilities(3, a, b, concentration=concentration, seed=seed)
    channel = probabilities(b, 3, event=1, seed=seed)  # rows P(c|b)
    for measure in JOINT:
        value = measure(joints)
        assert (value >= 0).all()
        assert value.isfinite().all()
        close(measure(joints.mT), value, rtol=1e-10, atol=1e-12)
        close(value, torch.stack([measure(joint) for joint in joints]))
        assert (measure(joints @ channel) <= value + 1e-12).all()  # data processing
    h = entropy(joints.flatten(1))
    assert (h >= 0).all()
    assert (h <= math.log(a * b) + 1e-12).all()
    close(
        mutual_information(joints),
        entropy(joints.sum(2)) + entropy(joints.sum(1)) - h,
        rtol=1e-9,
        atol=1e-12,
    )


@quick
@given(seeds, sizes, sizes, sizes)
def test_chain_rules(seed: int, w: int, x: int, y: int) -> None:
    joint = probabilities(w, x, y, event=3, seed=seed)
    given_x, given_wx = (
        joint.sum(0) / joint.sum((0, 2))[:, None],
        joint / joint.sum(2, keepdim=True),
    )
    product = joint.sum((1, 2))[:, None, None] * joint.sum(0)
    conditional_i, conditional_l = (
        (m * (given_wx / given_x).log()).sum() for m in (joint, product)
    )
    close(
        mutual_information(joint.flatten(1)),
        mutual_information(joint.sum(2)) + conditional_i,
        rtol=1e-9,
        atol=1e-12,
    )
    close(
        lautum_information(joint.flatten(1)),
        lautum_information(joint.sum(2)) - conditional_l,
        rtol=1e-9,
        atol=1e-12,
    )


def test_several_leading_dimensions() -> None:
    p, q = probabilities(2, 2, 3, 6, event=1)
    close(entropy(p), [[entropy(v).item() for v in row] for row in p])
    close(
        kl_divergence(p, q),
        [[kl_divergence(p[i, j], q[i, j]).item() for j in range(3)] for i in range(2)],
    )
    for measure in JOINT:
        joints = probabilities(2, 3, 4, 5)
        close(measure(joints), [[measure(joint).item() for joint in row] for row in joints])


@pytest.mark.parametrize("dtype", FLOATS)
def test_discrete_measures_keep_the_dtype(dtype: torch.dtype) -> None:
    joint = torch.tensor([[0.5, 0.125], [0.125, 0.25]], dtype=dtype)
    eps = torch.finfo(dtype).eps
    for measure in (
        *JOINT,
        lambda p: entropy(p.flatten()),
        lambda p: kl_divergence(p.flatten(), p.flatten().flip(0)),
    ):
        value = measure(joint)
        assert value.dtype == dtype
        torch.testing.assert_close(
            value.double(), measure(joint.double()), rtol=10 * eps, atol=3 * eps
        )


def test_gradients_of_discrete_measures() -> None:
    logits = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    for measure in JOINT:
        assert torch.autograd.gradcheck(
            lambda t, f=measure: f(t.flatten(1).softmax(-1).view_as(t)), logits
        )
    assert torch.autograd.gradcheck(lambda t: entropy(t.softmax(-1)), logits)
    assert torch.autograd.gradcheck(
        lambda t: kl_divergence(t[0].softmax(-1), t[1].softmax(-1)), logits
    )


def test_gradients_stay_finite_at_zeros() -> None:
    joint = torch.tensor(
        [[0.5, 0.2, 0.0], [0.3, 0.0, 0.0]], dtype=torch.float64, requires_grad=True
    )
    other = torch.tensor([0.4, 0.3, 0.0, 0.2, 0.1, 0.0], dtype=torch.float64)
    for measure in (
        *JOINT,
        lambda p: entropy(p.flatten()),
        lambda p: kl_divergence(p.flatten(), other),
    ):
        (gradient,) = torch.autograd.grad(measure(joint), joint)
        assert gradient.isfinite().all()
        assert (gradient != 0).any()
    (gradient,) = torch.autograd.grad(mutual_information(joint), joint)
    held = joint.detach() > 0
    ratio = joint.detach() / (joint.sum(1, keepdim=True) * joint.sum(0)).detach()
    close(
        gradient[held], ratio[held].log() - 1
    )  # d/dp(a,b) of sum p log p - sum p(a) log p(a) - sum p(b) log p(b)


# ---------------------------------------------------------------------------------------- Gaussians


@pytest.mark.parametrize(("d", "dim_x"), [(2, 1), (5, 2), (5, 4), (9, 3)])
def test_gaussian_measures_agree_with_torch_distributions(d: int, dim_x: int) -> None:
    for seed in range(5):
        cov = covariances(d, seed=seed)
        joint = MultivariateNormal(torch.zeros(d, dtype=torch.float64), cov)
        product = MultivariateNormal(
            joint.loc, torch.block_diag(cov[:dim_x, :dim_x], cov[dim_x:, dim_x:])
        )
        close(
            gaussian_mutual_information(cov, dim_x),
            torch.distributions.kl_divergence(joint, product),
            rtol=1e-11,
        )
        close(
            gaussian_lautum_information(cov, dim_x),
            torch.distributions.kl_divergence(product, joint),
            rtol=1e-11,
        )


@pytest.mark.parametrize(("d", "dim_x"), [(2, 1), (5, 2), (6, 4)])
def test_canonical_correlations_and_the_sums_over_them(d: int, dim_x: int) -> None:
    cov = covariances(d, seed=d)
    sx, sxy, sy = (
        part.numpy() for part in (cov[:dim_x, :dim_x], cov[:dim_x, dim_x:], cov[dim_x:, dim_x:])
    )
    t = np.linalg.eigvals(np.linalg.inv(sx) @ sxy @ np.linalg.inv(sy) @ sxy.T).real
    t = np.sort(t)[::-1][: min(dim_x, d - dim_x)]
    close(canonical_correlations(cov, dim_x), np.sqrt(t), rtol=1e-9)
    i, el = gaussian_mutual_information(cov, dim_x), gaussian_lautum_information(cov, dim_x)
    close(i, (-0.5 * np.log(1 - t)).sum(), rtol=1e-9)
    close(el, (0.5 * np.log(1 - t) + t / (1 - t)).sum(), rtol=1e-9)
    close(i + el, (t / (1 - t)).sum(), rtol=1e-9)


def test_the_value_to_remember() -> None:
    cov = torch.tensor([[1.0, 0.6], [0.6, 1.0]])
    assert round(gaussian_lautum_information(cov, 1).item(), 4) == 0.3394
    assert round(gaussian_mutual_information(cov, 1).item(), 4) == 0.2231
    close(canonical_correlations(cov, 1), [0.6], rtol=1e-6)
    close(gaussian_lautum_information(torch.eye(4), 2), 0.0)


@quick
@given(seeds, st.integers(2, 6), st.data())
def test_properties_of_gaussians(seed: int, d: int, data: st.DataObject) -> None:
    dim_x = data.draw(st.integers(1, d - 1))
    cov = covariances(3, d, seed=seed)
    swap = torch.cat((torch.arange(dim_x, d), torch.arange(dim_x)))
    scales = 10 ** torch.linspace(-2, 2, d, dtype=torch.float64)
    for measure in GAUSSIAN:
        value = measure(cov, dim_x)
        assert (value >= 0).all()
        close(value, torch.stack([measure(c, dim_x) for c in cov]), rtol=1e-10)
        close(
            measure(cov[:, swap][:, :, swap], d - dim_x), value, rtol=1e-7, atol=1e-10
        )  # symmetric
        close(
            measure(cov * scales * scales[:, None], dim_x), value, rtol=1e-7, atol=1e-10
        )  # units do not matter
    assert (
        gaussian_lautum_information(cov, dim_x) >= gaussian_mutual_information(cov, dim_x) - 1e-12
    ).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("measure", GAUSSIAN)
def test_gaussian_measures_take_any_float_and_keep_it(
    measure: Callable[..., Tensor], dtype: torch.dtype
) -> None:
    cov = torch.tensor([[2.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]], dtype=dtype)
    value = measure(cov, 1)
    assert value.dtype == dtype
    torch.testing.assert_close(
        value.double(), measure(cov.double(), 1), rtol=20 * torch.finfo(dtype).eps, atol=0
    )


@pytest.mark.parametrize("measure", GAUSSIAN)
def test_gradients_of_gaussian_measures(measure: Callable[..., Tensor]) -> None:
    root = torch.randn(2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a: measure(a @ a.mT + torch.eye(5, dtype=a.dtype), 2), root
    )


def test_every_function_runs_on_the_meta_device() -> None:
    p, joint, cov = (torch.rand(*s, device="meta") for s in ((2, 3, 4), (2, 3, 4), (2, 5, 5)))
    assert entropy(p).is_meta
    assert kl_divergence(p, p).shape == (2, 3)
    for measure in JOINT:
        assert (measure(joint).device.type, measure(joint).shape) == ("meta", (2,))
    for validate_args in (True, False):
        shapes = [measure(cov, 2, validate_args=validate_args).shape for measure in GAUSSIAN]
        assert shapes == [(2,), (2,), (2, 2)]


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([0.6, -0.1, 0.25, 0.25], r"0 or more, got -0\.1\b"),
        ([0.25, 0.25, 0.25, 0.35], r"sum to 1, got .* off by 0\.1\b"),
        ([0.5, 0.5, math.nan, 0.0], "finite .* NaN"),
        ([0.5, 0.5, math.inf, 0.0], "finite .* infinite"),
    ],
)
def test_bad_probabilities(cells: list[float], message: str) -> None:
    bad = torch.tensor(cells)
    fine = torch.full((4,), 0.25)
    batch = torch.stack((fine, bad, fine))  # one bad entry is enough
    for name, measure, arguments in [
        ("p", entropy, (batch,)),
        ("p", kl_divergence, (bad, fine)),
        ("q", kl_divergence, (fine, bad)),
        ("joint", mutual_information, (batch.view(3, 2, 2),)),
        ("joint", lautum_information, (batch.view(3, 2, 2),)),
    ]:
        with pytest.raises(ValueError, match=f"^{name} needs .*{message}"):
            measure(*arguments)


@pytest.mark.usefixtures("unchecked")
def test_bad_shapes_of_probabilities() -> None:
    third, quarter = torch.full((3,), 1 / 3), torch.full((4,), 0.25)
    with pytest.raises(ValueError, match=r"p and q need the same .*3.*4"):
        kl_divergence(third, quarter)
    with pytest.raises(ValueError, match=r"p and q need the same .*2.*5"):
        kl_divergence(third.expand(2, 3), third.expand(5, 3))
    with pytest.raises(ValueError, match=r"2 axes or more, got .*\(4,\)"):
        lautum_information(quarter)
    with pytest.raises(ValueError, match=r"floating-point .* got torch\.int64"):
        entropy(torch.tensor([1, 0]))
    with pytest.raises(ValueError, match=r"off by 1\b"):
        entropy(torch.zeros(2, 0))


@pytest.mark.parametrize("measure", GAUSSIAN)
@pytest.mark.usefixtures("unchecked")
def test_bad_covariances(measure: Callable[..., Tensor]) -> None:
    eye = torch.eye(3)
    for cov, dim_x, message in [
        (eye, 0, "dim_x needs to be from 1 to 2 .* got 0"),
        (eye, 3, "dim_x needs to be from 1 to 2 .* got 3"),
        (torch.zeros(2, 3), 1, r"square .* got .*\(2, 3\)"),
        (torch.zeros(3), 1, r"square .* got .*\(3,\)"),
        (torch.eye(3, dtype=torch.int64), 1, r"floating-point .* torch\.int64"),
        (eye * math.nan, 1, "finite .* NaN"),
        (torch.stack((eye, eye / 0)), 1, "finite .* infinite"),
        (eye + torch.ones(3, 3).triu(1) * 0.1, 1, "symmetric"),
        (torch.stack((eye, torch.ones(3, 3))), 1, "positive definite"),
    ]:
        with pytest.raises(ValueError, match=message):
            measure(cov, dim_x)
