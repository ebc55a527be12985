"""The regularizer against what it replaces, and how its time grows."""

import pytest
import torch
from benching import Bench, Works
from torch import Tensor

from lautum_utils.regularizers import LautumRegularizer
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.mmd import mk_mmd

BATCH, FEATURES, COMPONENTS = 256, 64, 32
PREPARED_AT_ONCE = 16


@pytest.fixture(scope="module", autouse=True)
def _memory_is_kept_between_steps_as_in_every_training() -> None:
    run(Experiment(steps=1), "cpu", progress=False)


def _full_inverse(z: Tensor, x: Tensor, ridge: float = 1e-2) -> Tensor:
    """What whitening once saves: d x d covariance of the inputs, formed and inverted at each
    step."""
    z, x = z - z.mean(0), x - x.mean(0)
    n = len(z) - 1
    s_z = z.T @ z / n + ridge * z.var(0).mean() * torch.eye(z.shape[1])
    s_x = x.T @ x / n + ridge * x.var(0).mean() * torch.eye(x.shape[1])
    s_zx = z.T @ x / n
    k = torch.linalg.inv(s_z) @ s_zx @ torch.linalg.inv(s_x) @ s_zx.T
    rest = torch.eye(len(k)) - k
    return 0.5 * torch.linalg.slogdet(rest)[1] + torch.linalg.inv(rest).trace() - len(k)


def _five_kernels(exponent: Tensor) -> Tensor:
    total = kernel = exponent.exp()
    for _ in range(4):
        kernel = kernel.square()
        total = total + kernel
    return total.sum((1, 2))


def _mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased quadratic MMD^2 of kernels exp(-d^2 / (2 a m)), a = 2, 1, 1/2, 1/4, 1/8, m the mean
    squared distance.

    One product of matrices gives all exponents, and each kernel but the widest is the square of the
    one before.
    """
    n, joint = len(x), torch.cat((x, y))
    norms, ones = joint.square().sum(1, keepdim=True), joint.new_ones(2 * n, 1)
    with torch.no_grad():
        mean = 2 * (norms.mean() - joint.mean(0).square().sum()) * (2 * n / (2 * n - 1))
    left = torch.cat((2 * joint, -norms, -ones), 1).div(4 * mean).view(2, n, -1)
    right = torch.cat((joint, ones, norms), 1).view(2, n, -1)
    of_x, of_y, between = _five_kernels(left[[0, 1, 0]] @ right[[0, 1, 1]].mT)
    return (of_x + of_y - 10 * n) / (n * (n - 1)) - 2 * between / n**2


def _regularized(
    d: int, k: int = FEATURES, batch: int = BATCH, components: int = COMPONENTS
) -> tuple[Works, Tensor, Tensor]:
    """Forward and backward from projected inputs and from prepared ones; the representations and
    the inputs."""
    x, z = torch.randn(max(1000, batch), d), torch.randn(batch, k, requires_grad=True)
    regularizer = LautumRegularizer(x, components)
    projected = regularizer.project(x[:batch])
    prepared, several = regularizer.prepare(projected), projected.repeat(PREPARED_AT_ONCE, 1, 1)
    works: Works = {
        f"regularizer {d}": lambda: regularizer(z, projected, validate_args=False).backward(),
        f"prepared {d}": lambda: regularizer(
            z, prepared, prepared=True, validate_args=False
        ).backward(),
        f"preparing {d}": lambda: regularizer.prepare(several),
    }
    return works, z, x[:batch]


def _as_in_training(medians: dict[str, float], d: int) -> None:
    """A step's share of preparing several batches at once is added to forward and backward, as
    training pays it."""
    medians["as in training"] = (
        medians[f"prepared {d}"] + medians[f"preparing {d}"] / PREPARED_AT_ONCE
    )


@pytest.mark.parametrize(("d", "least"), [(784, 30), (3072, 500)])
def test_regularizer_against_full_inverse(bench: Bench, d: int, least: int) -> None:
    rounds, block = (20, 10) if d < 1000 else (3, 3)
    d = bench.size(d, d // 16)
    works, z, batch = _regularized(d)
    works["inverse"] = lambda: _full_inverse(z, batch).backward()
    medians = bench.medians(works, rounds, block)
    _as_in_training(medians, d)
    name = f"covariances and inverses at each step / regularizer, d = {d}"
    bench.ratio(name, medians, "inverse", "as in training", f">= {least}")
    bench.ratio(
        "    the same with each batch prepared by itself", medians, "inverse", f"regularizer {d}"
    )


def test_regularizer_against_five_kernel_mmd(bench: Bench) -> None:
    works, z, _ = _regularized(FEATURES)
    source = torch.randn(BATCH, FEATURES, requires_grad=True)
    with torch.no_grad():
        # The benchmark's is a sum of five kernels, training's their mean.
        assert torch.allclose(_mmd(source, z), 5 * mk_mmd(source, z), atol=1e-5)
    works["mmd"] = lambda: _mmd(source, z).backward()
    works["mmd in training"] = lambda: mk_mmd(source, z).backward()
    medians = bench.medians(works, 20)
    _as_in_training(medians, FEATURES)
    bench.ratio(
        "unbiased MMD with five kernels / regularizer", medians, "mmd", "as in training", ">= 4"
    )
    bench.ratio(
        "    the same with each batch prepared by itself", medians, "mmd", f"regularizer {FEATURES}"
    )
    bench.ratio(
        "    the MMD of training, its gradient in closed form / regularizer",
        medians,
        "mmd in training",
        "as in training",
    )


def test_regularizer_whatever_the_size_of_the_inputs(bench: Bench) -> None:
    small, large = 64, bench.size(4096, 128)
    medians = bench.medians(_regularized(small)[0] | _regularized(large)[0], 20)
    name = f"regularizer, d = {large} / d = {small}"
    bench.ratio(name, medians, f"regularizer {large}", f"regularizer {small}", "<= 1.2")


def test_growth_of_the_regularizer(bench: Bench) -> None:
    sizes = {
        "d": bench.size((64, 256, 1024, 4096), (64,)),
        "k": bench.size((16, 32, 64, 128, 256), (16,)),
        "batch": bench.size((64, 128, 256, 512, 1024), (64,)),
    }
    works: Works = {}
    for name, values in sizes.items():
        for value in values:
            made = iter(_regularized(**{"d": 256} | {name: value})[0].values())
            works |= {f"{name} = {value}": next(made), f"{name} = {value}, prepared": next(made)}
    medians = bench.medians(works, 6)
    for name, values in sizes.items():
        for end in ("", ", prepared"):
            cells = {value: 1e3 * medians[f"{name} = {value}{end}"] for value in values}
            bench.grows(f"regularizer{end}, ms by {name}", cells)
