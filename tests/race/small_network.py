"""The network that all train: a plain nn.Module with the layers of our MLP."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lautum_utils.training.networks import MLP


class SmallNetwork(nn.Module):
    """Flattened image -> 128 -> 64 features -> classes, ReLU after both hidden layers."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, MLP.widths[0]),
            nn.ReLU(),
            nn.Linear(MLP.widths[0], MLP.widths[1]),
            nn.ReLU(),
        )
        self.head = nn.Linear(MLP.widths[1], classes)

    def forward(self, images: Tensor, sample_weight: None = None) -> Tensor:
        """Logits; skada hands over the weights of samples, of which there are none."""
        return self.head(self.features(images))


@torch.no_grad()
def begun_from(seed: int, image_shape: Sequence[int], classes: int) -> SmallNetwork:
    """The network with the weights that our own begins with from this seed."""
    channels, height, width = image_shape
    own = MLP((channels, height, width), classes, [seed])
    plain = SmallNetwork(math.prod(image_shape), classes)
    linear = [layer for layer in plain.modules() if isinstance(layer, nn.Linear)]
    for layer, stacked in zip(linear, [*own.hidden, own.classifier], strict=True):
        layer.weight.copy_(stacked.weight[0].T)
        layer.bias.copy_(stacked.bias[0, 0, : len(layer.bias)])  # the rest is padding
    return plain
