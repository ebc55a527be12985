"""Values with a gradient in closed form, for autograd, `torch.func` and `torch.compile`.

Autograd would find the same gradient, in three times the time. What it is good for is the second
derivative, which is seldom asked for: it goes through the value once more.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Measure(Protocol):
    """A value of tensors (models, n, ...), one for each model.

    value: (value, *kept), in operations that autograd knows. gradient: what `kept` and the inputs
    make of the gradient upstream, for the leading inputs; the others are data.
    """

    group: Any  # a process group whose ranks share a batch, or None

    def value(self, *inputs: Tensor) -> tuple[Tensor, ...]: ...

    def gradient(self, upstream: Tensor, *inputs_and_kept: Tensor) -> tuple[Tensor, ...]: ...


class ClosedForm(torch.autograd.Function):
    """apply(measure, *inputs)[0] is the value."""

    @staticmethod
    def forward(measure: Measure, *inputs: Tensor) -> tuple[Tensor, ...]:
        return measure.value(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.measure, ctx.inputs = inputs[0], len(inputs) - 1
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs[1:], *output[1:])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        nothing = (None,) * (1 + ctx.inputs)
        if upstream is None:
            return nothing
        if torch.is_grad_enabled():  # somebody asks for the second derivative
            found = _Gradient.apply(ctx.measure, ctx.inputs, upstream, *ctx.saved_tensors)
        else:
            found = ctx.measure.gradient(upstream, *ctx.saved_tensors)
        return (None, *found, *nothing)[: len(nothing)]

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return _over_models(ClosedForm, info.batch_size, in_dims, arguments)


class _Gradient(torch.autograd.Function):
    """The gradient in closed form; its own derivative by autograd through the value."""

    @staticmethod
    def forward(measure: Measure, inputs: int, upstream: Tensor, *all_of: Tensor) -> Any:
        return measure.gradient(upstream, *all_of)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.measure, ctx.inputs, *tensors = inputs
        ctx.arguments, ctx.found = len(inputs), len(output)
        ctx.save_for_backward(*tensors[: 1 + ctx.inputs])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.measure.group is not None:
            raise NotImplementedError(
                "the second derivative needs all samples in one process, got a process group."
            )
        weights, *inputs = ctx.saved_tensors
        leading, data = inputs[: ctx.found], inputs[ctx.found :]
        pull = torch.func.vjp(
            lambda weights, *leading: _by_autograd(ctx.measure, weights, leading, data),
            weights,
            *leading,
        )[1]
        found = (None, None, *pull(upstream))
        return (*found, *(None,) * (ctx.arguments - len(found)))

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return _over_models(_Gradient, info.batch_size, in_dims, arguments)


def _by_autograd(
    measure: Measure, upstream: Tensor, leading: tuple[Tensor, ...], data: list[Tensor]
) -> tuple[Tensor, ...]:
    """The gradient as `Measure.gradient` gives it."""
    pull = torch.func.vjp(lambda *leading: measure.value(*leading, *data)[0], *leading)[1]
    found: tuple[Tensor, ...] = pull(upstream)
    return found


def _over_models(
    function: Any, size: int, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """One more leading dimension: as more models."""

    def folded(x: Any, dim: int | None) -> Any:
        if not isinstance(x, Tensor):
            return x
        x = x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
        return x.flatten(0, 1)

    found = function.apply(*(folded(x, d) for x, d in zip(arguments, in_dims, strict=True)))
    return tuple(x.unflatten(0, (size, -1)) for x in found), (0,) * len(found)
