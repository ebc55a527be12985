"""The images of notebook 12: made-up scenes with specks, and the scanners that see them."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

SIZE = 20


@dataclass(frozen=True)
class Scanner:
    """What a scanner does to a scene: offset + contrast * blur(scene)^gamma + noise."""

    contrast: float = 1.0
    gamma: float = 1.0
    blur: float = 0.0  # standard deviation, in pixels
    noise: float = 0.03  # standard deviation
    offset: float = 0.0


SCANNERS = {
    "A": Scanner(contrast=1.0, gamma=1.0, blur=0.4, noise=0.03, offset=0.0),
    "B": Scanner(contrast=0.5, gamma=0.5, blur=0.4, noise=0.03, offset=0.5),
    "C": Scanner(contrast=1.6, gamma=1.8, blur=1.0, noise=0.03, offset=-0.3),
}
UNSEEN = {
    "between": Scanner(contrast=0.7, gamma=0.75, blur=0.4, noise=0.045, offset=0.25),
    "beyond": Scanner(contrast=0.25, gamma=0.4, blur=0.6, noise=0.03, offset=0.9),
    "negative": Scanner(contrast=-0.7, gamma=0.75, blur=0.4, noise=0.045, offset=0.9),
}
NEGATIVE = Scanner(contrast=-1.0, blur=0.4, offset=0.9)


def random(seed: int) -> Generator:
    """A generator of its own for each seed."""
    return torch.Generator().manual_seed(seed)


def smooth(x: Tensor, sd: float) -> Tensor:
    """Gaussian blur of images (n, 1, SIZE, SIZE)."""
    if sd == 0:
        return x
    reach = torch.arange(-6.0, 7)
    weights = torch.exp(-(reach**2) / (2 * sd**2))
    weights = weights / weights.sum()
    x = F.pad(x, (6, 6, 6, 6), mode="reflect")
    return F.conv2d(F.conv2d(x, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))


def scenes(n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """n scenes with values from 0 to 1, and their masks, both (n, 1, SIZE, SIZE).

    A texture with two to four bright specks; the mask is where one is above half its height.
    """
    ground = 0.3 + 0.1 * _texture(n, 3.0, generator) + 0.07 * _texture(n, 1.0, generator)
    at = 2 + (SIZE - 5) * torch.rand(n, 4, 2, 1, 1, generator=generator)
    width, height, there = torch.rand(3, n, 4, 1, 1, generator=generator)
    grid = torch.arange(SIZE)
    squared = (grid[:, None] - at[:, :, 0]) ** 2 + (grid - at[:, :, 1]) ** 2
    profile = torch.exp(-squared / (2 * (0.8 + 0.6 * width) ** 2))
    profile = profile * ((there < 0.5) | (torch.arange(4)[:, None, None] < 2))
    specks = (profile * (0.4 + 0.3 * height)).amax(1, keepdim=True)
    return (ground + specks).clamp(0, 1), (profile > 0.5).float().amax(1, keepdim=True)


def _texture(n: int, sd: float, generator: Generator) -> Tensor:
    field = smooth(torch.randn(n, 1, SIZE, SIZE, generator=generator), sd)
    return field / field.std((2, 3), keepdim=True)


def scan(scene: Tensor, scanner: Scanner, generator: Generator) -> Tensor:
    """Scenes (n, 1, SIZE, SIZE) as a scanner sees them."""
    x = scanner.contrast * smooth(scene, scanner.blur) ** scanner.gamma + scanner.offset
    return x + scanner.noise * torch.randn(x.shape, generator=generator)


def data_of(seed: int, n: int, scanners: Collection[Scanner]) -> tuple[Tensor, Tensor]:
    """For each scanner n images and masks of its own: both (scanners, n, 1, SIZE, SIZE)."""
    generator = random(1000 + seed)
    drawn = [scenes(n, generator) for _ in scanners]
    images = [
        scan(scene, scanner, generator) for (scene, _), scanner in zip(drawn, scanners, strict=True)
    ]
    return torch.stack(images), torch.stack([mask for _, mask in drawn])


def convolutions(channels: int, seed: int) -> nn.ModuleList:
    """Of 5 x 5, 3 x 3 and 1 x 1, drawn from a seed; the last one begins at "no speck": specks are
    rare."""
    shapes = ((1, channels, 5), (channels, channels, 3), (channels, 1, 1))
    layers, generator = [nn.Conv2d(*shape) for shape in shapes], random(seed)
    with torch.no_grad():
        for layer in layers:
            unit = 2 * torch.rand(layer.weight.shape, generator=generator) - 1
            layer.weight.copy_(unit * (6 / layer.weight[0].numel()) ** 0.5)
            bias = -2.0 if layer is layers[-1] else 0.0
            layer.bias = nn.Parameter(torch.full((layer.out_channels,), bias))
    return nn.ModuleList(layers)
