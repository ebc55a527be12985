"""The small networks, many at a time: G models side by side are G copies along the first axis of
every parameter.

Every network has `features(x)` (models, n, k) and `head(features)` (models, n, classes). Model g is
initialised from seeds[g] alone and never sees another model, so on one machine a run gives the same
result alone and stacked.
"""

import copy
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lautum_utils.training.layers import DomainNorm, StackedConv, StackedLinear

WIDTH = 64
AT_ONCE = 2048  # images that a trained network looks at: more take gigabytes
EARLIER_CELLS = 4  # across and down, of the maps of an earlier layer


class StackedNetwork(nn.Module):
    """What the loop trains: `features`, `head`, and a fresh head for the target task.

    The first `source` samples go through the source's normalizations, the others through the
    target's, if there are any.
    """

    classifier: StackedLinear
    widths: tuple[int, ...]  # channels of the hidden layers
    norms: nn.ModuleList

    def features(
        self, x: Float[Tensor, "models n c h w"], source: int = 0
    ) -> Float[Tensor, "models n k"]:
        raise NotImplementedError

    def earlier(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        """What an earlier layer says of target images, after its ReLU: the first hidden layer of an
        MLP; the maps of the last convolution, pooled to 4 x 4 cells at most and flattened."""
        raise NotImplementedError

    def head(self, features: Float[Tensor, "models n k"]) -> Float[Tensor, "models n classes"]:
        return self.classifier(features)

    def forward(
        self, x: Float[Tensor, "models n c h w"], source: int = 0
    ) -> Float[Tensor, "models n classes"]:
        return self.head(self.features(x, source))

    def normalize(self, share: Float[Tensor, " models"]) -> None:
        """From now on a `DomainNorm` comes after each hidden layer, before its ReLU."""
        self.norms = nn.ModuleList(DomainNorm(width, share) for width in self.widths)

    def activate(
        self, layer: int, h: Float[Tensor, "models n channels cells"], source: int
    ) -> Tensor:
        """ReLU of a hidden layer, normalized if there is something to normalize it."""
        return F.relu(self.norms[layer](h, source) if len(self.norms) else h)

    def take(self, models: Int[Tensor, " chosen"]) -> "StackedNetwork":
        """A copy that holds these of the models, in this order; one can be there twice."""
        chosen: dict[int, Tensor] = {
            id(p): nn.Parameter(p.data.index_select(0, models), p.requires_grad)
            for p in self.parameters()
        }
        chosen |= {id(b): b.index_select(0, models) for b in self.buffers()}
        return copy.deepcopy(self, chosen)  # copies all but what has been chosen

    def replace_head(self, classes: int, seeds: Sequence[int]) -> None:
        """A new random head with `classes` outputs, on the device of the old one."""
        fresh = StackedLinear(self.classifier.weight.shape[-2], classes, _generators(seeds))
        self.classifier = fresh.to(self.classifier.weight)


class MLP(StackedNetwork):
    """Flattened image -> 128 -> 64 features -> classes, ReLU after both hidden layers."""

    widths = (2 * WIDTH, WIDTH)

    def __init__(
        self, image_shape: tuple[int, int, int], classes: int, seeds: Sequence[int]
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList()
        generators = _generators(seeds)
        sizes = (math.prod(image_shape), *self.widths)
        layers = [StackedLinear(d, k, generators) for d, k in pairwise(sizes)]
        self.hidden = nn.ModuleList(layers)
        self.classifier = StackedLinear(WIDTH, classes, generators)

    def features(
        self, x: Float[Tensor, "models n c h w"], source: int = 0
    ) -> Float[Tensor, "models n k"]:
        return self.hidden_layers(x, source)[-1]

    def earlier(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        return self.hidden_layers(x, 0)[0]

    def hidden_layers(
        self, x: Float[Tensor, "models n c h w"], source: int
    ) -> list[Float[Tensor, "models n k"]]:
        """Both, after their ReLU."""
        h, layers = x.flatten(2), []
        for layer, linear in enumerate(self.hidden):
            h = self.activate(layer, linear(h)[..., None], source)[..., 0]
            layers.append(h)
        return layers


class CNN(StackedNetwork):
    """Two 3 x 3 convolutions of stride 2 (16, 32 channels) with ReLU -> 64 features, ReLU ->
    classes."""

    widths: tuple[int, ...] = (16, 32, WIDTH)
    strides: tuple[int, ...] = (2, 2)

    def __init__(
        self, image_shape: tuple[int, int, int], classes: int, seeds: Sequence[int]
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList()
        generators = _generators(seeds)
        channels, self.cells = (image_shape[0], *self.widths[:-1]), list(image_shape[1:])
        self.convolutions = nn.ModuleList()
        for c, k, stride in zip(channels[:-1], channels[1:], self.strides, strict=True):
            self.convolutions.append(StackedConv(c, k, stride, generators))
            self.cells = [math.ceil(side / stride) for side in self.cells]
        self.last = StackedLinear(self.flat_width(), self.widths[-1], generators)
        self.classifier = StackedLinear(self.widths[-1], classes, generators)

    def flat_width(self) -> int:
        return self.widths[-2] * math.prod(self.cells)

    def flatten(
        self, maps: Float[Tensor, "n channels height width"], models: int
    ) -> Float[Tensor, "models n d"]:
        return maps.reshape(len(maps), models, -1).transpose(0, 1)

    def normalized(self, maps: Float[Tensor, "n channels height width"], models: int) -> Tensor:
        """What comes between a convolution and its ReLU: nothing."""
        return maps

    def features(
        self, x: Float[Tensor, "models n c h w"], source: int = 0
    ) -> Float[Tensor, "models n k"]:
        h = self.last(self.flatten(self.maps(x, source), len(x)))
        return self.activate(len(self.convolutions), h[..., None], source)[..., 0]

    def earlier(self, x: Float[Tensor, "models n c h w"]) -> Float[Tensor, "models n k"]:
        maps = self.maps(x, 0)
        height, width = (min(EARLIER_CELLS, side) for side in maps.shape[-2:])
        pooled = F.adaptive_avg_pool2d(maps, (height, width))
        return pooled.reshape(len(pooled), len(x), -1).transpose(0, 1)

    def maps(
        self, x: Float[Tensor, "models n c h w"], source: int
    ) -> Float[Tensor, "n channels height width"]:
        """Of the last convolution, after its ReLU; the channels are those of all models."""
        models, n = x.shape[:2]
        maps = x.transpose(0, 1).flatten(1, 2)
        if maps.is_cuda:
            maps = maps.contiguous(memory_format=torch.channels_last)
        for layer, convolution in enumerate(self.convolutions):
            maps = self.normalized(convolution(maps), models)
            of_models = maps.reshape(n, models, self.widths[layer], -1).transpose(0, 1)
            maps = self.activate(layer, of_models, source).transpose(0, 1).reshape(maps.shape)
        return maps


class LargeCNN(CNN):
    """For photographs: six 3 x 3 convolutions (64, 64, 128, 128, 256, 256 channels; every second
    one of stride 2), each with a group normalization (8 groups a model, no parameters) and ReLU ->
    mean over the cells -> 128 features, ReLU -> classes."""

    widths = (64, 64, 128, 128, 256, 256, 2 * WIDTH)
    strides = (1, 2, 1, 2, 1, 2)

    def flat_width(self) -> int:
        return self.widths[-2]

    def flatten(
        self, maps: Float[Tensor, "n channels height width"], models: int
    ) -> Float[Tensor, "models n d"]:
        return super().flatten(maps.mean((2, 3), keepdim=True), models)

    def normalized(self, maps: Float[Tensor, "n channels height width"], models: int) -> Tensor:
        return F.group_norm(maps, 8 * models)


class TrainedNetwork(nn.Module):
    """One network of a stack by itself: images (n, c, h, w) -> features (n, k) -> logits.

    What comes in is taken for images of the target, where that makes a difference.
    """

    def __init__(self, stack: StackedNetwork) -> None:
        super().__init__()
        self.stack = stack

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        parts = [self.stack.features(part[None])[0] for part in images.split(AT_ONCE)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def earlier(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        parts = [self.stack.earlier(part[None])[0] for part in images.split(AT_ONCE)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def head(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "n classes"]:
        return self.stack.head(features[None])[0]

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        return self.head(self.features(images))


def alone(network: StackedNetwork, number: int) -> TrainedNetwork:
    """One network of a stack, a copy, which learns no more."""
    device = next(network.parameters()).device
    return TrainedNetwork(network.take(torch.tensor([number], device=device))).requires_grad_(False)


NETWORKS: dict[str, type[MLP] | type[CNN]] = {"mlp": MLP, "cnn": CNN, "large_cnn": LargeCNN}


def _generators(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]
