"""The regularizers against explicit inverses in numpy, and on every batch that could break them;
the methods' signs."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import lautum_utils
from lautum_utils.information import (
    canonical_correlations,
    gaussian_lautum_information,
    gaussian_mutual_information,
)
from lautum_utils.regularizers import (
    LautumRegularizer,
    MutualInformationRegularizer,
    batch_covariance,
)
from lautum_utils.training.batches import Batch
from lautum_utils.training.methods import make_method, make_regularizer

Regularizer = type[LautumRegularizer] | type[MutualInformationRegularizer]
both = pytest.mark.parametrize("kind", [LautumRegularizer, MutualInformationRegularizer])
CASES = (
    "random",
    "constant",
    "one constant",
    "duplicated rows",
    "equal columns",
    "far from 0",
    "mixed scales",
    "linear in u",
)


def inputs_and_representations(
    *shape: int, k: int = 4, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Inputs of the shape given, and k representations that depend on them in part."""
    x = torch.randn(*shape, dtype=dtype) * torch.linspace(0.5, 2, shape[-1], dtype=dtype) + 3
    flat = x.flatten(1)
    z = (
        flat @ torch.randn(flat.shape[1], k, dtype=dtype) * 0.5
        + torch.randn(len(x), k, dtype=dtype)
        - 1
    )
    return x, z.relu() + 0.1 * z


def value_by_inverses(kind: Regularizer, z: Tensor, u: Tensor, ridge: float) -> float:
    joint = np.concatenate((z.detach().double().numpy(), u.double().numpy()), axis=1)
    k, cov = z.shape[1], np.cov(joint, rowvar=False)
    szz, szu, suu = cov[:k, :k], cov[:k, k:], cov[k:, k:]
    szz = szz + ridge * np.mean(np.diag(szz)) * np.eye(k)
    kk = np.linalg.inv(szz) @ szu @ np.linalg.inv(suu) @ szu.T
    half_log_det = 0.5 * np.linalg.slogdet(np.eye(k) - kk)[1]
    if kind is MutualInformationRegularizer:
        return float(-half_log_det)
    return float(half_log_det + np.trace(np.linalg.inv(np.eye(k) - kk) - np.eye(k)))


def close(got: Tensor, expected: object, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    torch.testing.assert_close(
        got, torch.as_tensor(expected, dtype=got.dtype), rtol=rtol, atol=atol
    )


# ---------------------------------------------------------------------------------------- the value


@both
@pytest.mark.parametrize("ridge", [0, 1e-2, 1.0])
@pytest.mark.parametrize(("k", "r"), [(1, 1), (4, 3), (2, 6)])
def test_value_equals_the_formula_with_inverses(
    kind: Regularizer, ridge: float, k: int, r: int
) -> None:
    x, z = inputs_and_representations(60, 8, k=k)
    regularizer = kind(x, r, ridge)
    u = regularizer.project(x)
    close(regularizer(z, u), value_by_inverses(kind, z, u, ridge))
    close(
        regularizer(z[:20], u[:20]), value_by_inverses(kind, z[:20], u[:20], ridge)
    )  # of a batch, not of all
    if ridge > 0:  # without it, the floor of float32 is a ridge of its own
        close(regularizer(z.float(), u), value_by_inverses(kind, z, u, ridge), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(60, 8), (40, 1, 5, 5), (30, 100), (600, 700)])
def test_projection_whitens_the_target_inputs(shape: tuple[int, ...]) -> None:
    x, _ = inputs_and_representations(*shape)
    regularizer = LautumRegularizer(x, 6)
    u = regularizer.project(x)
    close(u.mean(0), torch.zeros(6))
    close(u.T.cov(), torch.eye(6), rtol=1e-8, atol=1e-8)
    close(u, regularizer.project(x.flatten(1)))
    variance = torch.linalg.svdvals(x.flatten(1) - x.flatten(1).mean(0)).square()[:6] / (len(x) - 1)
    if shape[0] < 500:  # the leading components, by an exact decomposition
        close(1 / regularizer.components.square().sum(0), variance)
    assert regularizer.project(x[:3] + 1).shape == (3, 6)
    assert (
        regularizer.project(x[:3] + 1) - u[:3]
    ).abs().max() > 1e-3  # the mean is that of the target inputs


@both
def test_directions_without_variance_count_for_nothing(kind: Regularizer) -> None:
    x, z = inputs_and_representations(60, 2, dtype=torch.float32)
    low_rank = x @ torch.randn(2, 5)
    regularizer = kind(low_rank, 4)
    u = regularizer.project(low_rank)
    close(u.T.cov(), torch.tensor([1.0, 1, 0, 0]).diag(), atol=1e-4)
    close(regularizer(z, u), regularizer(z, u[:, :2]).item(), rtol=2e-3)


@both
def test_ridge_is_observation_noise(kind: Regularizer) -> None:
    x, z = inputs_and_representations(80, 6)
    u, ridge = kind(x, 3).project(x), 0.3
    # Noise whose *sample* covariance is exactly ridge * mean variance * identity, and 0 with z and
    # u.
    basis, _ = torch.linalg.qr(torch.cat((torch.ones(80, 1), z, u, torch.randn(80, 4)), 1).double())
    noise = basis[:, -4:] * (79 * ridge * z.var(0).mean()).sqrt()
    close(kind(x, 3, ridge)(z, u), kind(x, 3, 0.0)(z + noise, u))
    close(batch_covariance(z, u, ridge), torch.cat((z + noise, u), 1).T.cov())
    plain, ridged = batch_covariance(z, u, 0.0), batch_covariance(z, u, ridge)
    close(
        ridged - plain,
        torch.diag(ridge * z.var(0).mean() * torch.tensor([1, 1, 1, 1, 0, 0, 0]).double()),
    )


def test_ridge_bounds_the_correlations() -> None:
    x, _ = inputs_and_representations(80, 6)
    u = LautumRegularizer(x, 3).project(x)
    z = u @ torch.randn(
        3, 3, dtype=torch.float64
    )  # determined by u: without the ridge every correlation is 1
    ridge = 0.05
    v = torch.linalg.eigvalsh(z.T.cov()).flip(0)
    t = v / (v + ridge * v.mean())
    close(canonical_correlations(batch_covariance(z, u, ridge), 3).square(), t)
    close(LautumRegularizer(x, 3, ridge)(z, u), (0.5 * (1 - t).log() + t / (1 - t)).sum())
    noisy = z + torch.randn_like(z)
    v = torch.linalg.eigvalsh(noisy.T.cov()).max()
    assert canonical_correlations(batch_covariance(noisy, u, ridge), 3)[0] ** 2 < v / (
        v + ridge * noisy.var(0).mean()
    )


@both
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-6), (torch.float32, 5e-3)])
def test_value_does_not_see_scale_shift_rotation_or_order(
    kind: Regularizer, dtype: torch.dtype, rtol: float
) -> None:
    x, z = inputs_and_representations(64, 8, dtype=dtype)
    regularizer = kind(x, 3)
    u = regularizer.project(x)
    value = regularizer(z, u)
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, dtype=dtype))
    order = torch.randperm(64)
    assert value > 0.05
    for changed in (
        z * 1e-3,
        z * -7,
        z * 1e4,
        z + 100,
        z + torch.randn(4, dtype=dtype),
        z @ rotation,
    ):
        close(regularizer(changed, u), value.item(), rtol=rtol)
    close(regularizer(z[order], u[order]), value.item(), rtol=rtol)
    assert (
        abs(regularizer(z[order], u) / value - 1) > 0.1
    )  # but it does see which input a row belongs to


@both
def test_leading_dimensions_equal_one_by_one(kind: Regularizer) -> None:
    x, _ = inputs_and_representations(50, 8)
    regularizer = kind(x, 3)
    z = torch.randn(2, 3, 50, 5, dtype=torch.float64) * torch.tensor([1e-3, 1, 1e3])[:, None, None]
    u = regularizer.project(x) + torch.randn(2, 3, 50, 3, dtype=torch.float64)
    z[0, 1] = 4.2  # a constant model leaves the others alone
    value = regularizer(z, u)
    close(value, [[regularizer(z[i, j], u[i, j]).item() for j in range(3)] for i in range(2)])
    assert value[0, 1] == 0
    assert ((value > 0) == (torch.arange(6).view(2, 3) != 1)).all()


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_prepared_inputs_give_the_same_value_and_gradient_bit_for_bit(
    kind: Regularizer, dtype: torch.dtype
) -> None:
    x, z = inputs_and_representations(50, 8, dtype=dtype)
    regularizer = kind(x, 3)
    u = regularizer.project(x)
    u = torch.stack(
        (u, u.flip(0) + 2 * u[:, :1])
    ).requires_grad_()  # the second is neither white nor centred
    v = regularizer.prepare(u)
    assert not v.requires_grad
    close(
        v.mT @ v,
        torch.eye(3, dtype=dtype).expand(2, 3, 3),
        rtol=0,
        atol=1e-4 if dtype == torch.float32 else 1e-12,
    )
    close(v.sum(-2), torch.zeros(2, 3, dtype=dtype), atol=1e-4)
    for one, whitened in zip(u, v, strict=True):
        close(regularizer.prepare(one), whitened, rtol=1e-5 if dtype == torch.float32 else 1e-12)
    stacked = torch.stack((z, z.sin())).requires_grad_()
    values = [regularizer(stacked, u), regularizer(stacked, v, prepared=True)]
    gradients = [torch.autograd.grad(value.sum(), stacked)[0] for value in values]
    assert (values[0] > 0).all()
    assert torch.equal(*values)
    assert torch.equal(*gradients)


# -------------------------------------------------------------------------------------- every batch


@both
@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(
        st.sampled_from([2, 3, 5, 20]), st.sampled_from([1, 2, 7, 24]), st.sampled_from([1, 3, 12])
    ),
    case=st.sampled_from(CASES),
    scale=st.floats(1e-3, 1e4),
    ridge=st.sampled_from([0.0, 1e-6, 1e-2, 1.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    same_inputs=st.booleans(),
)
def test_no_batch_gives_nan_or_a_negative_value(
    kind: Regularizer,
    seed: int,
    sizes: tuple[int, int, int],
    case: str,
    scale: float,
    ridge: float,
    dtype: torch.dtype,
    same_inputs: bool,
) -> None:
    n, k, r = sizes
    generator = torch.Generator().manual_seed(seed)
    x, z = (
        torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((30, r + 2), (n, k))
    )
    regularizer = kind(x, r, ridge)
    u = regularizer.project(x[:1].expand(n, -1) if same_inputs else x[:n])
    if case == "one constant":
        z[:, 0] = z[0, 0]
    else:
        z = {
            "random": z,
            "constant": z[:1].expand(n, k),
            "duplicated rows": z[torch.arange(n) // 2],
            "equal columns": z[:, :1].expand(n, k),
            "far from 0": z + 100,
            "mixed scales": z * torch.logspace(-3, 3, k, dtype=dtype),
            "linear in u": u @ torch.randn(r, k, generator=generator, dtype=dtype),
        }[case]
    z = (z * scale).requires_grad_()
    value = regularizer(z, u)
    (gradient,) = torch.autograd.grad(value, z)
    assert value.dtype == dtype
    assert value.isfinite()
    assert value >= 0
    assert gradient.isfinite().all()
    if case == "constant":
        assert value == 0
        assert (gradient == 0).all()


@both
def test_gradient_is_that_of_the_value(kind: Regularizer) -> None:
    x, z = inputs_and_representations(12, 5, k=3)
    for ridge in (0.0, 1e-2):
        regularizer = kind(x, 2, ridge)
        u = regularizer.project(x).expand(2, 12, 2)
        stacked = torch.stack((z, z.tanh())).requires_grad_()
        assert torch.autograd.gradcheck(lambda v, f=regularizer, u=u: f(v, u), stacked)


# ---------------------------------------------------------------------------- devices and precision


@both
def test_autocast_does_not_lower_the_precision(kind: Regularizer) -> None:
    x, z = inputs_and_representations(50, 8, dtype=torch.float32)
    regularizer = kind(x, 3)
    u = regularizer.project(x)
    z.requires_grad_()
    value = regularizer(z, u)
    (gradient,) = torch.autograd.grad(value, z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = regularizer(z, u)
        assert (z @ z.mT).dtype == torch.bfloat16  # autocast is on
    assert cast.dtype == torch.float32
    assert cast == value
    assert (torch.autograd.grad(cast, z)[0] == gradient).all()


def test_autocast_does_not_lower_the_precision_of_the_projection() -> None:
    x, _ = inputs_and_representations(50, 8, dtype=torch.float32)
    regularizer = LautumRegularizer(x, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = regularizer.project(x)
    assert cast.dtype == torch.float32
    assert (cast == regularizer.project(x)).all()


@both
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_promoted(kind: Regularizer, half: torch.dtype) -> None:
    x, z = inputs_and_representations(50, 8, dtype=torch.float32)
    regularizer = kind(x.to(half), 3)
    u = regularizer.project(x.to(half))
    assert u.dtype == torch.float32
    z = z.to(half).requires_grad_()
    value = regularizer(z, u)
    assert value.dtype == torch.float32
    assert value == regularizer(z.float(), u)
    assert torch.autograd.grad(value, z)[0].dtype == half


@both
def test_state_moves_and_a_step_never_waits_for_the_host(kind: Regularizer) -> None:
    x, z = inputs_and_representations(50, 8, dtype=torch.float32)
    regularizer = kind(x, 3).to("meta")
    assert set(regularizer.state_dict()) == {"mean", "components", "ridge"}
    u = regularizer.project(x.to("meta"))
    stacked = z.to("meta").expand(2, 50, 4).clone().requires_grad_()
    value = regularizer(
        stacked, u.expand(2, 50, 3), validate_args=False
    )  # any .item() or bool() would fail here
    value.sum().backward()
    assert (value.device.type, value.shape) == ("meta", (2,))
    assert stacked.grad is not None
    assert stacked.grad.is_meta
    with pytest.raises(RuntimeError, match="meta"):
        regularizer(stacked, u.expand(2, 50, 3))  # the check itself does wait


def test_the_sources_are_short_device_neutral_and_form_no_inverse() -> None:
    folder = Path(lautum_utils.__file__).parent
    sources = [
        (folder / name).read_text(encoding="utf-8")
        for name in ("information.py", "regularizers.py")
    ]
    assert sum(len(source.splitlines()) for source in sources) < 500
    creators = {
        "tensor",
        "zeros",
        "ones",
        "full",
        "eye",
        "empty",
        "arange",
        "linspace",
        "rand",
        "randn",
    }
    unwanted = {
        "cuda",
        "inverse",
        "inv",
        "inv_ex",
        "pinv",
        "pinverse",
        "eig",
        "eigh",
        "eigvals",
        "eigvalsh",
    }
    for node in ast.walk(ast.parse("\n".join(sources))):
        if isinstance(node, ast.Attribute | ast.Name):
            assert ast.unparse(node).split(".")[-1] not in unwanted, ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("torch.") in creators:
            assert "device" in {keyword.arg for keyword in node.keywords}, ast.unparse(node)


# ---------------------------------------------------------------------------------------- bad input


@both
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # PCA of constant inputs
def test_bad_target_inputs(kind: Regularizer) -> None:
    x = torch.randn(10, 4)
    nan, inf = x.clone(), x.clone()
    nan[3, 1], inf[0, 0] = float("nan"), float("inf")
    for arguments, message in [
        ((nan, 2), "target_inputs needs finite values, got NaN"),
        ((inf, 2), "target_inputs needs finite values, got .*infinite"),
        ((x[:1], 1), r"2 samples or more, got \(1, 4\)"),
        ((x[0], 1), r"2 samples or more, got \(4,\)"),
        ((x, 5), r"n_components needs to be from 1 to 4 .* got 5"),
        ((x[:3], 3), r"n_components needs to be from 1 to 2 .* got 3"),
        ((x, 0), "n_components needs to be from 1 to 4 .* got 0"),
        ((torch.ones(10, 4), 2), "differ from one another, got a constant"),
        (
            (torch.full((10, 4), 0.1).double() / 3, 2),
            "differ from one another, got a constant",
        ),  # whose mean is rounded
        ((x, 2, -0.5), r"ridge needs .* 0 or more, got -0\.5"),
        ((x, 2, float("nan")), "ridge needs .* finite .* got nan"),
        ((x, 2, float("inf")), "ridge needs .* finite .* got inf"),
    ]:
        with pytest.raises(ValueError, match=message):
            kind(*arguments)


@both
def test_bad_values_in_a_batch(kind: Regularizer) -> None:
    x, z = inputs_and_representations(10, 5)
    regularizer = kind(x, 2)
    u = regularizer.project(x)
    for bad in (float("nan"), float("inf"), -float("inf")):
        spoiled_z, spoiled_u = z.clone(), u.clone()
        spoiled_z[4, 1] = spoiled_u[4, 1] = bad
        for batch in ((spoiled_z, u), (z, spoiled_u)):
            with pytest.raises(
                ValueError, match="representations and projected need finite values"
            ):
                regularizer(*batch)


@both
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("z_shape", "u_shape"),
    [
        ((9, 4), (10, 2)),
        ((1, 4), (1, 2)),
        ((3, 10, 4), (2, 10, 2)),
        ((3, 10, 4), (10, 2)),
        ((10,), (10, 2)),
    ],
)
def test_bad_shapes_of_a_batch(
    kind: Regularizer, z_shape: tuple[int, ...], u_shape: tuple[int, ...]
) -> None:
    regularizer = kind(torch.randn(10, 5), 2)
    message = f"^representations .* got {re.escape(str(z_shape))} and {re.escape(str(u_shape))}"
    with pytest.raises(ValueError, match=message):
        regularizer(torch.randn(z_shape), torch.randn(u_shape))


@pytest.mark.parametrize("shape", [(3, 6), (3, 2, 3), (5,)])
def test_bad_shapes_of_inputs(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"inputs need 5 values each, got "):
        LautumRegularizer(torch.randn(10, 5), 2).project(torch.randn(shape))


# ------------------------------------------------------------------------------------------ methods


@pytest.mark.parametrize(
    ("name", "sign"),
    [("lautum", -1), ("mutual_information", 1), ("mutual_information_maximised", -1)],
)
def test_a_method_that_measures_has_its_sign_and_moves_its_measure_that_way(
    name: str, sign: int
) -> None:
    x, z = inputs_and_representations(40, 6)
    regularizer = make_regularizer(name, x, 3, 0.02)
    kind = LautumRegularizer if name == "lautum" else MutualInformationRegularizer
    assert type(regularizer) is kind
    z, u = torch.stack((z, z.sin())).requires_grad_(), regularizer.project(x).expand(2, 40, 3)
    images, labels = (
        torch.cat((x, x[:2])).view(1, 42, 1, 1, -1).expand(2, -1, -1, -1, -1),
        torch.zeros((2, 2), dtype=torch.int64),
    )
    batch = Batch(
        None,
        images,
        labels,
        torch.cat((torch.zeros_like(z[:, :2]), z), 1),
        lambda: regularizer.prepare(u),
        torch.arange(40).expand(2, -1),
    )
    term = make_method(name, regularizer).term(batch)
    assert term is not None
    close(term, [sign * value_by_inverses(kind, one, u[0], 0.02) for one in z.detach()])
    (gradient,) = torch.autograd.grad(term[0], z)
    assert gradient[0].abs().max() > 1e-6
    assert (gradient[1] == 0).all()  # models that are stacked do not touch each other
    change = (regularizer(z - 1e-3 * gradient, u) - regularizer(z, u))[0]
    assert (
        change * sign < 0
    )  # a step down the term moves the measure the way that the method promises


def test_bad_settings_of_a_regularizer_by_name() -> None:
    with pytest.raises(ValueError, match="ridge"):
        make_regularizer("lautum", torch.randn(10, 4), 2, -1.0)


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        (LautumRegularizer, gaussian_lautum_information),
        (MutualInformationRegularizer, gaussian_mutual_information),
    ],
)
def test_value_and_gradient_are_those_of_autograd_through_information(
    kind: Regularizer, formula: Callable[..., Tensor]
) -> None:
    generator = torch.Generator().manual_seed(5)
    z = torch.randn(3, 40, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    u = torch.randn(3, 40, 4, generator=generator, dtype=torch.float64) + z.detach()[..., :4]
    regularizer = kind(torch.randn(50, 9, generator=generator, dtype=torch.float64), 4, ridge=0.05)
    joint = torch.cat((z, u), -1)
    centred = joint - joint.mean(-2, keepdim=True)
    cov = centred.mT @ centred / 39
    noise = 0.05 * cov[..., :6, :6].diagonal(dim1=-2, dim2=-1).mean(-1)
    cov = cov + torch.diag_embed(
        torch.cat((noise[:, None].expand(3, 6), torch.zeros(3, 4, dtype=torch.float64)), -1)
    )
    expected = formula(cov, 6)
    value = regularizer(z, u)
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-11)
    weights = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    (wanted,) = torch.autograd.grad(expected @ weights, z)
    (got,) = torch.autograd.grad(value @ weights, z)
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-11)
