"""The small networks, many at a time: G models side by side are G copies along the first axis of every parameter.

Every network has `features(x)` (models, n, k) and `head(features)` (models, n, classes). Model g is initialised from
seeds[g] alone and never sees another model, so a run gives the same result alone and stacked.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 64


class StackedLinear(nn.Module):
    """y = x W + b for G models: x (G, n, d) -> (G, n, k). Weights and biases uniform in +-1/sqrt(d), as nn.Linear.

    The bias is padded to a multiple of 16: an optimizer rounds numbers that do not fill a vector register in another way, and a
    model is to be rounded the same wherever it stands in a stack.
    """

    def __init__(self, d: int, k: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = _uniform((d, k), d, generators)
        self.bias = nn.Parameter(F.pad(_uniform((1, k), d, generators).detach(), (0, -k % 16)))

    def forward(self, x: Float[Tensor, "models n d"]) -> Float[Tensor, "models n k"]:
        return torch.baddbmm(self.bias[..., : self.weight.shape[-1]], x, self.weight)


class StackedConv(nn.Module):
    """A 3 x 3 convolution of G models with stride 2, as one grouped convolution: x (n, G c, h, w) -> (n, G k, h/2, w/2)."""

    def __init__(self, c: int, k: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = _uniform((k, c, 3, 3), 9 * c, generators)
        self.bias = _uniform((k,), 9 * c, generators)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.flatten(0, 1), self.bias.flatten(), stride=2, padding=1, groups=len(self.weight))


class StackedNetwork(nn.Module):
    """What the loop trains: `features`, `head`, and a fresh head for the target task."""

    classifier: StackedLinear

    def features(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        raise NotImplementedError

    def head(self, features: Float[Tensor, "models n k"]) -> Float[Tensor, "models n classes"]:
        return self.classifier(features)

    def forward(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n classes"]:
        return self.head(self.features(x))

    def replace_head(self, classes: int, seeds: Sequence[int]) -> None:
        """A new random head with `classes` outputs, on the device of the old one."""
        fresh = StackedLinear(self.classifier.weight.shape[-2], classes, _generators(seeds))
        self.classifier = fresh.to(self.classifier.weight)


class MLP(StackedNetwork):
    """Flattened image -> 128 -> 64 features -> classes, ReLU after both hidden layers."""

    def __init__(self, image_shape: tuple[int, int, int], classes: int, seeds: Sequence[int]) -> None:
        super().__init__()
        generators = _generators(seeds)
        self.first = StackedLinear(math.prod(image_shape), 2 * WIDTH, generators)
        self.second = StackedLinear(2 * WIDTH, WIDTH, generators)
        self.classifier = StackedLinear(WIDTH, classes, generators)

    def features(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        return F.relu(self.second(F.relu(self.first(x.flatten(2)))))


class CNN(StackedNetwork):
    """Two 3 x 3 convolutions of stride 2 (16, 32 channels) with ReLU -> 64 features, ReLU -> classes."""

    def __init__(self, image_shape: tuple[int, int, int], classes: int, seeds: Sequence[int]) -> None:
        super().__init__()
        generators = _generators(seeds)
        channels, height, width = image_shape
        cells = math.ceil(height / 4) * math.ceil(width / 4)
        self.first = StackedConv(channels, 16, generators)
        self.second = StackedConv(16, 32, generators)
        self.third = StackedLinear(32 * cells, WIDTH, generators)
        self.classifier = StackedLinear(WIDTH, classes, generators)

    def features(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        models, n = x.shape[:2]
        maps = x.transpose(0, 1).flatten(1, 2)
        for convolution in (self.first, self.second):
            maps = F.relu(convolution(maps))
        return F.relu(self.third(maps.reshape(n, models, -1).transpose(0, 1)))


NETWORKS: dict[str, type[MLP] | type[CNN]] = {"mlp": MLP, "cnn": CNN}


def _generators(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _uniform(shape: tuple[int, ...], fan_in: int, generators: Sequence[torch.Generator]) -> nn.Parameter:
    unit = torch.stack([torch.rand(shape, generator=generator, device="cpu") for generator in generators])
    return nn.Parameter((2 * unit - 1) / math.sqrt(fan_in))
