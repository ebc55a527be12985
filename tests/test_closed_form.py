"""Closed gradients under torch.func, and twice: against autograd, and each model by itself."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lautum_utils import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.between_views import lautum_between_views, mutual_information_between_views
from lautum_utils.closed_form import ClosedForm

U = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
Z = torch.randn(3, 20, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
Z = Z + U[..., :3].tanh()
LAUTUM = LautumRegularizer(U.flatten(0, 1), 4, 0.05)
MUTUAL = MutualInformationRegularizer(U.flatten(0, 1), 4, 0.05)
Value = Callable[[Tensor, Tensor], Tensor]
each = pytest.mark.parametrize(
    "value",
    [
        lambda z, u: LAUTUM(z, u, validate_args=False),
        lambda z, u: MUTUAL(z, u, validate_args=False),
        lambda z, u: lautum_between_views(z, u[..., :3]),
        lambda z, u: mutual_information_between_views(z, u[..., :3]),
    ],
    ids=["lautum", "mutual", "lautum between views", "mutual between views"],
)


@each
def test_func_grad_and_vmap_give_what_autograd_and_stacks_give(value: Value) -> None:
    z = Z.clone().requires_grad_()
    values = value(z, U)
    (gradient,) = torch.autograd.grad(values.sum(), z)
    grad, vmap = torch.func.grad, torch.func.vmap
    close = torch.testing.assert_close
    close(grad(value)(Z[0], U[0]), gradient[0])
    close(vmap(value)(Z, U), values)
    close(vmap(value, in_dims=(1, None))(Z.movedim(0, 1), U[0]), value(Z, U[:1].expand(3, -1, -1)))
    close(vmap(grad(value))(Z, U), gradient)
    close(grad(lambda z: vmap(value)(z, U).sum())(Z), gradient)


@each
def test_it_can_be_differentiated_twice(value: Value) -> None:
    z = Z[:2, :8].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda z: value(z, U[:2, :8]), z, fast_mode=True)

    def steepness(z: Tensor) -> Tensor:
        return torch.func.grad(lambda z: value(z, U[0]))(z).square().sum()

    z = Z[0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(z, U[0]), z, create_graph=True)
    (expected,) = torch.autograd.grad(gradient.square().sum(), z)
    torch.testing.assert_close(torch.func.grad(steepness)(Z[0]), expected)
    assert expected.abs().max() > 1e-6


def test_within_vmap_nothing_can_be_checked_and_a_sentence_says_what_helps() -> None:
    with pytest.raises(ValueError, match=r"within vmap: give \(models, n, k\) .* validate_args=F"):
        torch.func.vmap(LAUTUM)(Z, U)
    torch.testing.assert_close(torch.func.grad(LAUTUM)(Z[0], U[0]).sum(0), torch.zeros(3).double())


class Cubes:
    """Of one value a model, over ranks; its gradient is wrong, which shows who is asked."""

    group = "ranks"

    def value(self, x: Tensor) -> tuple[Tensor, ...]:
        return x**3, x.clone()

    def gradient(self, upstream: Tensor, *inputs_and_kept: Tensor) -> tuple[Tensor, ...]:
        return (10 * upstream * inputs_and_kept[1],)


def test_the_gradient_is_the_closed_one_and_no_second_one_is_made_of_one_rank() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True, device="cpu")
    value, kept = ClosedForm.apply(Cubes(), x)
    assert not kept.requires_grad
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    assert gradient.tolist() == [10, 20]
    with pytest.raises(NotImplementedError, match="all samples in one process, got a process gr"):
        gradient.sum().backward()
