"""Dependence between two views: against explicit inverses in numpy, its gradient, and what its
noise is for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lautum_utils.between_views import (
    LEAST,
    _between,
    lautum_between_views,
    mutual_information_between_views,
)
from lautum_utils.information import gaussian_lautum_information, gaussian_mutual_information

both = pytest.mark.parametrize("value", [lautum_between_views, mutual_information_between_views])


def two_sides(
    *models: int, n: int = 40, k: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Representations of two views, which agree in part."""
    generator = torch.Generator().manual_seed(seed)
    shared, one, two = torch.randn((3, *models, n, k), generator=generator, dtype=torch.float64)
    return ((shared + 0.5 * one).relu().to(dtype), (shared - 0.7 * two).exp().to(dtype))


def noisy_covariance(z: np.ndarray, noise: float) -> np.ndarray:
    """By a loop over samples, from the formula of the module."""
    n, k = z.shape
    products = z.T @ z
    products += LEAST * np.trace(products) / k * np.eye(k)
    inverse, total = np.linalg.inv(products), products.copy()
    for sample in z:
        distance = sample @ inverse @ sample * n / k
        total += noise * distance * np.outer(sample, sample)
    return total


def by_inverses(z1: Tensor, z2: Tensor, noise: float) -> tuple[float, float]:
    """Lautum and mutual information from the joint covariance."""
    one, two = (z.numpy() - z.numpy().mean(0) for z in (z1, z2))
    cross, k = one.T @ two, one.shape[1]
    joint = np.block(
        [[noisy_covariance(one, noise), cross], [cross.T, noisy_covariance(two, noise)]]
    )
    cov = torch.from_numpy(joint)
    return (
        float(gaussian_lautum_information(cov, k)),
        float(gaussian_mutual_information(cov, k)),
    )


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_both_values_are_those_of_the_joint_covariance(noise: float) -> None:
    z1, z2 = two_sides(3)
    for i in range(3):
        lautum, mutual = by_inverses(z1[i], z2[i], noise)
        torch.testing.assert_close(float(lautum_between_views(z1[i], z2[i], noise)), lautum)
        torch.testing.assert_close(
            float(mutual_information_between_views(z1[i], z2[i], noise)), mutual
        )


@both
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_closed_gradient_is_that_of_the_value_on_both_sides(
    value: object, noise: float
) -> None:
    z1, z2 = (z.requires_grad_() for z in two_sides(2, n=12, k=3))
    assert torch.autograd.gradcheck(lambda a, b: value(a, b, noise), (z1, z2))  # type: ignore[operator]


@both
def test_it_is_symmetric_and_the_same_alone_and_beside_others(value: object) -> None:
    z1, z2 = two_sides(4)
    together = value(z1, z2)  # type: ignore[operator]
    assert together.shape == (4,)
    torch.testing.assert_close(value(z2, z1), together)  # type: ignore[operator]
    for i in range(4):
        torch.testing.assert_close(value(z1[i], z2[i]), together[i])  # type: ignore[operator]


def test_for_gaussian_sides_every_correlation_shrinks_by_the_same_factor() -> None:
    rho, noise, n = torch.tensor([0.9, 0.5, 0.2], dtype=torch.float64), 0.1, 200_000
    generator = torch.Generator().manual_seed(0)
    z1, other = torch.randn((2, n, 3), generator=generator, dtype=torch.float64)
    z2 = rho * z1 + (1 - rho.square()).sqrt() * other
    shrunk = (rho / (1 + noise * 5 / 3) / (1 + LEAST)).square()
    expected = (0.5 * (1 - shrunk).log() + shrunk / (1 - shrunk)).sum()
    torch.testing.assert_close(lautum_between_views(z1, z2, noise), expected, rtol=0.02, atol=0)


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.02, 0.05, 0.1]))
@settings(max_examples=20, deadline=None)
def test_features_of_a_small_share_of_samples_are_worth_little(seed: int, share: float) -> None:
    """Two views of them agree fully, and without noise that pays most of all."""
    generator = torch.Generator().manual_seed(seed)
    told, asleep = (torch.randn((400, 4), generator=generator, dtype=torch.float64) for _ in "ab")
    asleep[int(400 * share) :] = 0
    slight = 0.3 * torch.randn((2, 400, 4), generator=generator, dtype=torch.float64)
    agree = 0.001 * slight
    tells = lautum_between_views(told + slight[0], told + slight[1], 0.1)
    sleeps = lautum_between_views(asleep + agree[0], asleep + agree[1], 0.1)
    assert sleeps < tells
    without = lautum_between_views(asleep + agree[0], asleep + agree[1], 0.0)
    assert without > lautum_between_views(told + slight[0], told + slight[1], 0.0)


@both
@pytest.mark.parametrize("case", ["two samples", "constant", "one constant", "equal", "scales"])
def test_value_and_gradient_are_finite_in_float32_whatever_the_batch(
    value: object, case: str
) -> None:
    z1, z2 = two_sides(2, n=2 if case == "two samples" else 64, k=8, dtype=torch.float32)
    if case in ("constant", "one constant"):
        z1 = torch.full_like(z1, 3.0)
    if case in ("constant", "equal"):
        z2 = z1.clone()
    if case == "scales":
        z1 = z1 * torch.logspace(-6, 6, 8)
    z1, z2 = z1.requires_grad_(), z2.requires_grad_()
    found = value(z1, z2)  # type: ignore[operator]
    found.sum().backward()
    assert found.isfinite().all()
    assert (found >= -1e-4).all()
    for z in (z1, z2):
        assert z.grad is not None
        assert z.grad.isfinite().all()
    if case in ("constant", "one constant"):
        assert found.abs().max() < 1e-6


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: (z[:1], z[:1]), r"n of 2 or more, got \(1, 5\) and \(1, 5\)"),
        (lambda z: (z, z, -0.1), r"noise needs to be a finite number of 0 or more, got -0.1"),
    ],
)
def test_bad_input_is_named(value: object, change: object, message: str) -> None:
    z, _ = two_sides()
    with pytest.raises(ValueError, match=message):
        value(*change(z))  # type: ignore[operator]
    with pytest.raises(
        ValueError, match=r"z1 and z2 need one shape .*, got \(40, 5\) and \(40, 4\)"
    ):
        _between(z, z[:, :-1], 0.1, lautum=True)  # where shapes are not checked on the way
