"""Target inputs in batches against all at once, as arrays, and reloaded without them."""

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lautum_utils import LautumRegularizer, MutualInformationRegularizer, pool_batches, whitening

IMAGES = torch.rand(400, 3, 4, 5, generator=torch.Generator().manual_seed(1))
RIDGE = 0.3


def made() -> LautumRegularizer:
    return LautumRegularizer(IMAGES, 6, RIDGE)


def value_and_gradient(measure: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Of representations that know a part of the images."""
    z = (IMAGES.flatten(1)[:, :7] + 0.1 * IMAGES.flatten(1)[:, 7:14].sin()).requires_grad_()
    value = measure(z, IMAGES)
    return value.detach(), torch.autograd.grad(value, z)[0]


def own_value(regularizer: LautumRegularizer) -> tuple[Tensor, Tensor]:
    return value_and_gradient(lambda z, x: regularizer(z, regularizer.project(x)))


def saved_and_loaded(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# --------------------------------------------------------------------------------------- in batches


@pytest.mark.parametrize(
    ("n", "d", "r", "exact"),
    [
        (12, 20, 6, None),  # fewer inputs than dimensions
        (300, 20, 6, None),  # all eigenvectors
        (1100, 1030, 9, None),  # random directions, as PCA takes them
        (550, 60, 5, 30),
        (550, 60, 20, 30),  # fewer iterations
        (550, 60, 50, 30),  # too many components for random directions
    ],
)
def test_batches_tell_what_the_whole_pool_tells_to_rounding_with_its_signs(
    n: int, d: int, r: int, exact: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pool_batches, whitening) if exact else ():
        monkeypatch.setattr(module, "EXACT_UP_TO", exact)
    x = torch.randn(n, d, dtype=torch.float64) + 5  # a spectrum that is nearly flat
    whole = LautumRegularizer(x, r)
    batches = LautumRegularizer.from_batches((x[:1], *x[1:].split(n // 4)), r)
    torch.testing.assert_close(batches.mean, whole.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(batches.project(x), whole.project(x), rtol=1e-7, atol=1e-7)


def reused() -> Iterator[np.ndarray]:
    """Batches that overwrite one another."""
    buffer = np.empty((20, 3, 4, 5), np.float32)
    for part in IMAGES.split(20):
        buffer[:] = part
        yield buffer


@pytest.mark.parametrize("rows", [400, 40], ids=["sums", "kept"])
@pytest.mark.parametrize(
    "batches",
    [
        lambda: DataLoader(TensorDataset(IMAGES, torch.zeros(400)), 64),
        lambda: DataLoader(IMAGES, 64),  # type: ignore[arg-type]
        lambda: np.array_split(IMAGES.numpy(), 7),
        reused,
    ],
    ids=["(inputs, labels)", "inputs", "arrays", "one buffer"],
)
def test_batches_may_be_what_a_loader_or_a_generator_gives(
    batches: Callable[[], Iterable[Any]], rows: int
) -> None:
    found = MutualInformationRegularizer.from_batches(
        (batch if rows == 400 else _rows(batch, 3) for batch in batches()), 6, RIDGE
    )
    assert type(found) is MutualInformationRegularizer
    assert found.components.dtype == torch.float32
    assert found.ridge == RIDGE
    if rows == 400:
        expected = made().project(IMAGES)
        torch.testing.assert_close(found.project(IMAGES), expected, rtol=1e-4, atol=1e-4)


def _rows(batch: Any, rows: int) -> Any:
    return [x[:rows] for x in batch] if isinstance(batch, list) else batch[:rows]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("batches", "kind", "message"),
    [
        (TensorDataset(IMAGES), TypeError, "batches needs to be a DataLoader, .* TensorDataset"),
        (IMAGES, TypeError, "batches needs to be a DataLoader, .* got Tensor"),
        (3, TypeError, "batches needs to be a DataLoader, .* got int"),
        ([{"pixels": IMAGES}], TypeError, "a batch needs a tensor or an array .* got dict"),
        ([()], TypeError, "a batch needs a tensor or an array .* got tuple"),
        ([], ValueError, "2 samples or more, got 0"),
        ([IMAGES[:0], IMAGES[:1]], ValueError, "2 samples or more, got 1"),
        ([IMAGES, IMAGES[:, :2]], ValueError, r"one shape, got \(3, 4, 5\) and \(2, 4, 5\)"),
        ([IMAGES[0, 0, 0]], ValueError, r"a batch needs inputs \(n, ...\), got \(5,\)"),
        ([IMAGES, IMAGES / 0], ValueError, "a batch needs finite values"),
        ([torch.full((50, 9), 0.1)] * 2, ValueError, "differ from one another, got a constant"),
        ([IMAGES.flatten(1)[:, :3]], ValueError, "n_components needs to be from 1 to 3 .* got 4"),
    ],
)
def test_bad_batches(batches: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        LautumRegularizer.from_batches(batches, 4)


def test_a_pool_that_fits_in_neither_way_is_refused_with_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_batches, "MOST_BYTES", 8 * 60 * 60)
    LautumRegularizer.from_batches(IMAGES.split(50), 4)
    monkeypatch.setattr(pool_batches, "MOST_BYTES", 8 * 60 * 60 - 1)
    LautumRegularizer.from_batches(IMAGES[:100].split(50), 4)  # kept as they are
    with pytest.raises(ValueError, match=r"d = 60: make its inputs smaller, say by .*avg_pool2d"):
        LautumRegularizer.from_batches(IMAGES.split(50), 4)


# ------------------------------------------------------------------------------- arrays and numbers


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("dtype", ["f4", ">f4", "u1", ">u2", "i8", "?"])
def test_an_array_is_as_good_as_a_tensor(dtype: str) -> None:
    array = (IMAGES.numpy() * 200 if dtype != "?" else IMAGES.numpy() > 0.5).astype(dtype)
    array.flags.writeable = False
    tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="))[::-1].copy())
    of_array, of_tensor = LautumRegularizer(array[::-1], np.int64(5)), LautumRegularizer(tensor, 5)
    assert torch.equal(of_array.components, of_tensor.components)
    assert torch.equal(of_array.project(array), of_tensor.project(tensor.flip(0)))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((DataLoader(TensorDataset(IMAGES)),), TypeError, "got DataLoader. .* from_batches"),
        ((IMAGES.tolist(),), TypeError, "target_inputs needs a tensor or an array .* got list"),
        ((IMAGES + 0j,), TypeError, "real numbers, got Tensor of torch.complex64"),
        ((np.array(["a"]),), TypeError, "real numbers, got ndarray of <U1"),
        ((IMAGES, 2.5), ValueError, "n_components needs .* got 2.5"),
        ((IMAGES, "6"), ValueError, "n_components needs .* got '6'"),
        ((IMAGES, 6, "1e-2"), ValueError, "ridge needs .* got '1e-2'"),
    ],
)
def test_what_is_no_array_or_number_gets_a_sentence(
    arguments: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        LautumRegularizer(*arguments)


# ----------------------------------------------------------------------------- copies and reloading


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda regularizer: pickle.loads(pickle.dumps(regularizer)),
        lambda regularizer: LautumRegularizer.from_state_dict(
            saved_and_loaded(regularizer.state_dict())
        ),
    ],
    ids=["deepcopy", "pickle", "state"],
)
def test_a_copy_gives_the_same_value_and_gradient_bit_for_bit(
    copied: Callable[[LautumRegularizer], LautumRegularizer],
) -> None:
    regularizer = made()
    copy_of_it = copied(regularizer)
    regularizer.components.zero_()  # it shares nothing
    for got, wanted in zip(own_value(copy_of_it), own_value(made()), strict=True):
        assert torch.equal(got, wanted)


COMPILED = """
import torch
from lautum_utils import LautumRegularizer

x = torch.rand(400, 60, generator=torch.Generator().manual_seed(1))
z = (x[:, :7] + 0.1 * x[:, 7:14].sin()).requires_grad_()
regularizer = LautumRegularizer(x, 6)


def measure(z, x):
    return regularizer(z, regularizer.project(x), validate_args=False)


compiled = torch.compile(measure, backend="aot_eager", fullgraph=True)
pairs = [(v, *torch.autograd.grad(v, z)) for v in (compiled(z, x), measure(z, x))]
for got, wanted in zip(*pairs):
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-7)
print("the same")
"""


def test_compiled_as_one_graph_it_gives_the_same_value_and_gradient() -> None:
    # In a process without the run-time checks of shapes, which are no part of a graph.
    command = [sys.executable, "-W", "ignore", "-c", COMPILED]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.stdout == "the same\n", done.stderr


def test_a_state_brings_its_ridge_also_within_a_larger_model() -> None:
    model, other = (
        nn.ModuleDict({"measure": LautumRegularizer(IMAGES + shift, 6, ridge)})
        for shift, ridge in ((0, RIDGE), (IMAGES.sin(), 1e-2))
    )
    state = saved_and_loaded(model.state_dict())
    assert all(isinstance(value, Tensor) for value in state.values())
    assert not other.load_state_dict(state).unexpected_keys
    assert all(map(torch.equal, own_value(other["measure"]), own_value(made())))
    with pytest.raises(RuntimeError, match="size mismatch for components"):
        LautumRegularizer(IMAGES, 4).load_state_dict(made().state_dict())


def test_a_state_of_an_older_version_keeps_loading_and_says_what_it_lacks() -> None:
    old = {name: value for name, value in made().state_dict().items() if name != "ridge"}
    regularizer = LautumRegularizer(IMAGES + 1, 6, 0.5)
    with pytest.warns(UserWarning, match=r"holds no ridge .*: 0\.5 stays"):
        regularizer.load_state_dict(old)
    assert torch.equal(regularizer.mean, old["mean"])
    with pytest.raises(ValueError, match="state needs mean, components and ridge, got none for ri"):
        LautumRegularizer.from_state_dict(old)
