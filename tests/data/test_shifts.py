"""How far the knob moves images, and that it moves nothing else."""

import math

import jaxtyping
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from lautum_utils.data.domains import load
from lautum_utils.data.shifts import SHIFTS, shift

NAMES = tuple(SHIFTS)


def distance(x: Tensor, name: str, severity: float) -> float:
    return float((shift(x, name, severity) - x).flatten(1).norm(dim=-1).mean())


@pytest.mark.parametrize("name", NAMES)
def test_severity_0_is_the_identity_and_more_moves_letters_further(name: str) -> None:
    x = load("letters", 200).inputs
    assert torch.equal(shift(x, name, 0.0), x)
    distances = [distance(x, name, severity) for severity in (0.25, 0.5, 1.0)]
    assert 0.5 < distances[0] < 0.95 * distances[1] < 0.95**2 * distances[2]


@given(
    name=st.sampled_from(NAMES),
    severity=st.floats(0, 1),
    batch=st.lists(st.integers(0, 3), max_size=2),
    size=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
@example(name="blur", severity=4.5e-297, batch=[2], size=(1, 4, 4), seed=0, dtype=torch.float32)
@settings(max_examples=80)
def test_any_shift_keeps_shape_type_and_range_and_repeats(
    name: str,
    severity: float,
    batch: list[int],
    size: tuple[int, int, int],
    seed: int,
    dtype: torch.dtype,
) -> None:
    if math.prod(batch) == 0:
        batch = [2]
    x = torch.rand(*batch, *size, generator=torch.Generator().manual_seed(seed)).to(dtype)
    before = x.clone()
    y = shift(x, name, severity, seed)
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert y.isfinite().all()
    tiny = 4 * torch.finfo(dtype).eps
    assert -tiny <= y.min()
    assert y.max() <= 1 + tiny
    assert torch.equal(y, shift(x, name, severity, seed))
    assert torch.equal(x, before), "the input itself stays"


@pytest.mark.parametrize("name", NAMES)
def test_shift_of_a_batch_of_batches_is_the_flattened_one(name: str) -> None:
    x = torch.rand(2, 3, 1, 16, 16)
    flat = shift(x.flatten(0, 1), name, 0.6, seed=5)
    torch.testing.assert_close(shift(x, name, 0.6, seed=5), flat.reshape(x.shape))
    torch.testing.assert_close(shift(x[0, 0], name, 0.6, seed=5).shape, x[0, 0].shape)


@pytest.mark.parametrize("name", ["noise", "inversion", "background"])
def test_random_shifts_depend_on_the_seed_only(name: str) -> None:
    x = torch.rand(20, 1, 16, 16)
    torch.manual_seed(1)
    one = shift(x, name, 0.5, seed=1)
    torch.manual_seed(2)
    assert torch.equal(one, shift(x, name, 0.5, seed=1))
    assert not torch.equal(one, shift(x, name, 0.5, seed=2))
    assert not torch.equal((one - x)[0], (one - x)[1]) or name == "inversion", (
        "each image has its own"
    )


@pytest.mark.parametrize("name", NAMES)
def test_shift_stays_on_the_device_of_its_input(name: str) -> None:
    y = shift(torch.empty(2, 3, 1, 16, 16, device="meta"), name, 0.5)
    assert y.device.type == "meta"
    assert y.shape == (2, 3, 1, 16, 16)


def test_each_shift_does_what_its_line_says() -> None:
    x = load("letters", 1000).inputs
    assert torch.allclose(shift(x, "rotation", 1.0), x.rot90(1, (-2, -1)), atol=1e-4)
    assert torch.equal(shift(x, "inversion", 1.0), 1 - x)
    inverted = (shift(x, "inversion", 0.3) != x).flatten(1).any(-1).float().mean()
    assert abs(inverted - 0.3) < 0.05
    contrast = shift(x, "contrast", 1.0).flatten(1)
    torch.testing.assert_close(contrast.mean(-1), x.flatten(1).mean(-1))
    torch.testing.assert_close(contrast.std(-1), 0.05 * x.flatten(1).std(-1), rtol=1e-3, atol=1e-6)
    grey = torch.full((200, 1, 16, 16), 0.5)
    assert abs(shift(grey, "noise", 0.2).std() - 0.14) < 0.01
    assert (shift(x, "background", 0.7) >= x).all()
    dot = torch.zeros(1, 15, 15)
    dot[0, 7, 7] = 1
    at = torch.arange(15.0) - 7
    assert abs((shift(dot, "blur", 0.5)[0].sum(0) * at**2).sum().sqrt() - 1.5) < 0.1


@pytest.mark.parametrize(
    "inputs", [torch.rand(16, 16), torch.ones(2, 1, 16, 16, dtype=torch.int64)]
)
def test_shift_refuses_what_are_no_images(inputs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        jaxtyping.config, "jaxtyping_disable", True
    )  # a reader meets our errors, not jaxtyping's
    with pytest.raises(
        ValueError, match=r"images \(\.\.\., c, h, w\), got torch\.\w+ \(.*16, 16\)"
    ):
        shift(inputs, "noise", 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load("digits", 361, split="test"), "n needs to be at most 360 .* got 361"),
        (
            lambda: shift(torch.rand(1, 4, 4), "fog", 0.5),
            "name needs to be one of rotation, .*, background, got 'fog'",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", 1.5),
            "severity needs to be from 0 to 1, got 1.5",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", -0.1),
            "severity needs to be from 0 to 1, got -0.1",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", math.nan),
            "severity needs to be from 0 to 1, got nan",
        ),
        (
            lambda: shift(torch.full((1, 4, 4), math.nan), "blur", 0.5),
            "inputs need finite values, got NaN",
        ),
        (
            lambda: shift(torch.full((1, 4, 4), math.inf), "blur", 0.0),
            "inputs need finite values, got NaN or infinite",
        ),
    ],
)
def test_bad_input_says_what_was_given_and_what_is_allowed(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
