"""The layers of the networks, for G models side by side: G copies along the first axis of every
parameter. Model g is initialised from generators[g] alone and never sees another model.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """y = x W + b for G models: x (G, n, d) -> (G, n, k).

    Weights and biases begin uniform in +-1/sqrt(d), as nn.Linear's.

    The bias is padded to a multiple of 16: an optimizer rounds numbers that do not fill a vector
    register in another way, and a model is to be rounded the same wherever it stands in a stack.
    """

    def __init__(self, d: int, k: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = _uniform((d, k), d, generators)
        self.bias = nn.Parameter(F.pad(_uniform((1, k), d, generators).detach(), (0, -k % 16)))

    def forward(self, x: Float[Tensor, "models n d"]) -> Float[Tensor, "models n k"]:
        return torch.baddbmm(self.bias[..., : self.weight.shape[-1]], x, self.weight)


class StackedConv(nn.Module):
    """A 3 x 3 convolution of G models, as one grouped convolution.

    x (n, G c, h, w) -> (n, G k, h/stride, w/stride)
    """

    def __init__(self, c: int, k: int, stride: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.stride = stride
        self.weight = _uniform((k, c, 3, 3), 9 * c, generators)
        self.bias = _uniform((k,), 9 * c, generators)

    def forward(self, x: Tensor) -> Tensor:
        models = len(self.weight)
        return F.conv2d(
            x,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            stride=self.stride,
            padding=1,
            groups=models,
        )


class DomainNorm(nn.Module):
    """A layer normalization for each of two domains, mixed with what it normalizes.

        h + share (gain_d N(h) + offset_d - h)

    h: (models, n, channels, cells); N: mean 0 and variance 1 over channels and cells; domain d is 0
    for the first `source` samples, 1 for the others. share: (models,), from 0 (nothing is
    normalized) to 1.
    """

    def __init__(self, channels: int, share: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(share.new_ones((len(share), 2, 1, channels, 1)))
        self.offset = nn.Parameter(share.new_zeros((len(share), 2, 1, channels, 1)))
        self.register_buffer("share", share[:, None, None, None].clone())

    def forward(
        self, h: Float[Tensor, "models n channels cells"], source: int
    ) -> Float[Tensor, "models n channels cells"]:
        parts = F.layer_norm(h, h.shape[-2:]).split((source, h.shape[1] - source), 1)
        branches = zip(parts, self.gain.unbind(1), self.offset.unbind(1), strict=True)
        both = [part * gain + offset for part, gain, offset in branches]
        return torch.lerp(h, torch.cat(both, 1), self.get_buffer("share"))


def _uniform(
    shape: tuple[int, ...], fan_in: int, generators: Sequence[torch.Generator]
) -> nn.Parameter:
    unit = torch.stack(
        [torch.rand(shape, generator=generator, device="cpu") for generator in generators]
    )
    return nn.Parameter((2 * unit - 1) / math.sqrt(fan_in))
