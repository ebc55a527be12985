"""The bias of small samples: closed forms against simulation and shuffles, what is left when it is
taken away, and who is warned of it."""

import warnings

import pytest
import torch
from torch import Tensor

from lautum_utils.information import gaussian_lautum_information, gaussian_mutual_information
from lautum_utils.regularizers import (
    LautumRegularizer,
    MutualInformationRegularizer,
    batch_covariance,
)
from lautum_utils.small_samples import (
    SmallSampleWarning,
    corrected_value,
    lautum_information_bias,
    mutual_information_bias,
    shuffled_value,
)

SIZES = pytest.mark.parametrize(("n", "k", "r"), [(30, 3, 4), (40, 1, 6), (60, 5, 2), (24, 6, 6)])


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def regularizer_of(r: int, ridge: float = 1e-2) -> LautumRegularizer:
    return LautumRegularizer(normal(500, r, seed=9), r, ridge)


def is_near(values: Tensor, expected: float) -> bool:
    """The mean is within six standard errors."""
    error = float(values.std()) / len(values) ** 0.5
    return abs(float(values.mean()) - expected) < 6 * error


@SIZES
def test_the_closed_forms_are_the_means_of_many_independent_samples(n: int, k: int, r: int) -> None:
    cov = batch_covariance(normal(4000, n, k), normal(4000, n, r, seed=1), 0.0)
    lautum = gaussian_lautum_information(cov, k, validate_args=False)
    mutual = gaussian_mutual_information(cov, k, validate_args=False)
    assert is_near(lautum, lautum_information_bias(n, k, r))
    assert is_near(mutual, mutual_information_bias(n, k, r))


@SIZES
def test_the_bias_does_not_tell_z_from_u_and_its_sum_is_simple(n: int, k: int, r: int) -> None:
    for bias in (lautum_information_bias, mutual_information_bias):
        assert bias(n, k, r) == pytest.approx(bias(n, r, k), rel=1e-12)
    total = lautum_information_bias(n, k, r) + mutual_information_bias(n, k, r)
    assert total == pytest.approx(k * r / (n - k - r - 2), rel=1e-12)


def test_the_bias_falls_to_that_of_a_sum_of_squares_and_grows_without_end_near_k_plus_r() -> None:
    assert lautum_information_bias(100_000, 8, 5) == pytest.approx(40 / 2 / 1e5, rel=1e-3)
    assert mutual_information_bias(100_000, 8, 5) == pytest.approx(40 / 2 / 1e5, rel=1e-3)
    assert lautum_information_bias(16, 8, 5) > 30
    assert mutual_information_bias(14, 8, 5) < mutual_information_bias(14, 8, 5 - 1) * 2
    with pytest.raises(ValueError, match="n needs to be 16 or more for k = 8 and r = 5, got 15"):
        lautum_information_bias(15, 8, 5)
    with pytest.raises(ValueError, match="n needs to be 14 or more for k = 8 and r = 5, got 13"):
        mutual_information_bias(13, 8, 5)
    with pytest.raises(ValueError, match="k and r need to be 1 or more, got 0 and 5"):
        mutual_information_bias(13, 0, 5)


@pytest.mark.parametrize("kind", [LautumRegularizer, MutualInformationRegularizer])
def test_shuffles_show_the_bias_whatever_z_has_to_do_with_u(
    kind: type[LautumRegularizer] | type[MutualInformationRegularizer],
) -> None:
    u = normal(300, 40, 4)
    z = u[..., :3] + 0.5 * normal(300, 40, 3, seed=1)
    regularizer = kind(normal(500, 4, seed=9), 4, 0.0)
    is_lautum = kind is LautumRegularizer
    bias = lautum_information_bias if is_lautum else mutual_information_bias
    expected = bias(40, 3, 4)
    shuffled = shuffled_value(regularizer, z, u)
    assert float(shuffled.mean()) == pytest.approx(expected, rel=0.15)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SmallSampleWarning)  # 40 of 28 are enough
        assert regularizer(z, u).mean() > 5 * expected


@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_what_is_corrected_is_about_0_for_independent_pairs(ridge: float) -> None:
    z, u = normal(400, 64, 8), normal(400, 64, 6, seed=1)
    corrected = corrected_value(regularizer_of(6, ridge), z, u)
    assert is_near(corrected, 0.0)
    assert 0.2 < float((corrected < 0).double().mean()) < 0.8
    assert corrected_value(regularizer_of(6, ridge), u, u).min() > 10


def test_shuffles_come_from_the_seed_and_are_the_same_for_each_model_of_a_stack() -> None:
    regularizer, z, u = regularizer_of(4), normal(2, 60, 3), normal(2, 60, 4, seed=1)
    before = torch.get_rng_state()
    both = shuffled_value(regularizer, z, u, shuffles=3, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert both.shape == (2,)
    assert both.dtype == torch.float64
    alone = shuffled_value(regularizer, z[1], u[1], shuffles=3, seed=5)
    torch.testing.assert_close(alone, both[1], rtol=1e-10, atol=1e-12)
    assert torch.equal(both, shuffled_value(regularizer, z, u, shuffles=3, seed=5))
    assert not torch.equal(both, shuffled_value(regularizer, z, u, shuffles=3, seed=6))
    with pytest.raises(ValueError, match="shuffles needs to be a whole number of 1 or more, got 0"):
        shuffled_value(regularizer, z, u, shuffles=0)


def test_the_gradient_of_a_corrected_value_is_its_own() -> None:
    regularizer, z, u = regularizer_of(2), normal(24, 3).requires_grad_(), normal(24, 2, seed=1)
    assert torch.autograd.gradcheck(lambda x: corrected_value(regularizer, x, u, 2), z)


# ------------------------------------------------------------------------------------ who is warned


def told(regularizer: LautumRegularizer, n: int, k: int, **how: bool) -> list[str]:
    """The warnings of one call on samples without dependence."""
    z, u = normal(n, k), normal(n, regularizer.components.shape[1], seed=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regularizer(z, u, **how)
    return [str(w.message) for w in caught if w.category is SmallSampleWarning]


def test_a_small_batch_is_told_of_once_by_each_regularizer_with_its_sizes_and_bias() -> None:
    regularizer = regularizer_of(6)
    (sentence,) = told(regularizer, 30, 10)
    assert "4 (k + r) = 64 samples or more, got n = 30 with k = 10 and r = 6" in sentence
    about = float(sentence.split("about ")[1].split(" nats")[0])
    expected = float(shuffled_value(regularizer, normal(30, 10), normal(30, 6, seed=1), 20))
    assert about == pytest.approx(expected, rel=0.5)
    assert "drop_last=True" in sentence
    assert not told(regularizer, 30, 10)
    assert len(told(regularizer_of(6), 63, 10)) == 1


def test_a_last_batch_that_saturates_is_told_of_once_though_a_small_one_was() -> None:
    regularizer = regularizer_of(6)
    assert len(told(regularizer, 17, 10)) == 1, "one sample more than k + r"
    (sentence,) = told(regularizer, 16, 10)
    assert "got n = 16 with k = 10 and r = 6, which saturates whatever the weights" in sentence
    assert "drop_last=True" in sentence
    assert not told(regularizer, 5, 10)
    at_once = regularizer_of(6)
    assert "saturates" in told(at_once, 5, 10)[0]
    assert not told(at_once, 17, 10)
    z, u = normal(5, 10), normal(5, 6, seed=1)
    bound = 10 / regularizer.ridge
    assert 0.9 * bound < regularizer(z, u) < bound


def test_no_warning_where_samples_are_enough_or_nothing_is_to_be_checked() -> None:
    assert not told(regularizer_of(6), 64, 10)
    unchecked = regularizer_of(6)
    assert not told(unchecked, 30, 10, validate_args=False)
    assert told(unchecked, 30, 10), "one that has not been told yet"


def test_a_warning_changes_neither_value_nor_gradient() -> None:
    regularizer, z, u = regularizer_of(6), normal(30, 10).requires_grad_(), normal(30, 6, seed=1)
    with pytest.warns(SmallSampleWarning):
        value = regularizer(z, u)
    again = regularizer(z, u)
    assert torch.equal(value, again)
    gradients = [torch.autograd.grad(v, z)[0] for v in (value, again)]
    assert torch.equal(*gradients)
