"""Random views of images, by name: what two views of one image share is what a method of views asks
of the features. What a view changes is what they forget: choose it for the images at hand.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lautum_utils.training.randomness import Views, view_generators

_NUMBERS = 10  # uniform ones that an image's view takes


@dataclass(frozen=True)
class View:
    """How far an image is changed at most; each change is drawn evenly from minus that to that.

    rotation: radians; scale, shear: shares; shift: a share of the side, across and down; mirrored:
    half of them; contrast, brightness: shares of the range from 0 to 1; colour: brightness of each
    channel by itself; noise: standard deviation of Gaussian noise on every pixel.

    ValueError: a change that can leave nothing of an image, such as a shift by more than half of
    it, a contrast of 1 or more; a negative one.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    mirrored: bool = False
    contrast: float = 0.0
    brightness: float = 0.0
    colour: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        most = dict.fromkeys(("scale", "contrast"), 0.95) | {"rotation": math.pi, "shift": 0.5}
        for name, value in asdict(self).items():
            limit = most.get(name, 1.0)
            if not 0 <= value <= limit:
                raise ValueError(
                    f"{name} of a view needs to be from 0 to {limit:.3g}, so that something of the "
                    f"image is left, got {value}."
                )


VIEWS = {
    "warped": View(rotation=0.15, scale=0.1, shear=0.1, shift=0.08, noise=0.15),
    "strongly_warped": View(rotation=0.3, scale=0.15, shear=0.2, shift=0.15, noise=0.15),
    "noisy": View(noise=0.3),
    "photographed": View(
        rotation=0.1,
        scale=0.2,
        shift=0.12,
        mirrored=True,
        contrast=0.3,
        brightness=0.15,
        colour=0.1,
        noise=0.03,
    ),
}


def random_view(
    images: Float[Tensor, "models n c h w"],
    view: View,
    seeds: Sequence[int],
    step: int,
    stream: Views,
) -> Float[Tensor, "models n c h w"]:
    """A view of each image, from each model's seed, the step and the stream alone."""
    generators = view_generators(seeds, step, stream)
    n, channels = images.shape[1:3]
    drawn = [torch.rand((n, _NUMBERS), generator=g, device="cpu") for g in generators]
    numbers = (2 * torch.stack(drawn) - 1).to(images)
    viewed = _warped(images, view, numbers)
    if view.contrast or view.brightness or view.colour:
        viewed = _lit(viewed, view, numbers[..., 5:9, None, None])
    if view.noise:
        shape = n, channels, *images.shape[-2:]
        noise = [torch.randn(shape, generator=g, device="cpu") for g in generators]
        viewed = viewed + view.noise * torch.stack(noise).to(images)
    return viewed


def _warped(images: Tensor, view: View, numbers: Tensor) -> Tensor:
    if not any((view.rotation, view.scale, view.shear, view.shift, view.mirrored)):
        return images
    flat, u = images.flatten(0, 1), numbers.flatten(0, 1)
    angle, size, slant = view.rotation * u[:, 0], 1 + view.scale * u[:, 1], view.shear * u[:, 2]
    cos, sin = size * angle.cos(), size * angle.sin()
    side = torch.where(u[:, 9] < 0, -1.0, 1.0) if view.mirrored else torch.ones_like(cos)
    across = torch.stack((side * cos, slant * cos - sin, 2 * view.shift * u[:, 3]), -1)
    down = torch.stack((side * sin, slant * sin + cos, 2 * view.shift * u[:, 4]), -1)
    places = F.affine_grid(torch.stack((across, down), 1), list(flat.shape), align_corners=False)
    return F.grid_sample(flat, places, align_corners=False).view_as(images)


def _lit(images: Tensor, view: View, u: Tensor) -> Tensor:
    """u: (models, n, 4, 1, 1), the first for contrast, the others for channels."""
    mean = images.mean((-3, -2, -1), keepdim=True)
    lit = mean + (1 + view.contrast * u[:, :, :1]) * (images - mean)
    channels = images.shape[2]
    each = u[:, :, 1 : 1 + channels] if channels <= 3 else u[:, :, 1:2]
    return lit + view.brightness * u.mean(2, keepdim=True) + view.colour * each
