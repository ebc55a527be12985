"""The knob that moves a domain away from where it was: six shifts of images, each by a severity."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lautum_utils.data.checks import require_one_of, require_severity
from lautum_utils.numbers import whole_number


def shift(
    inputs: Float[Tensor, "*batch c h w"], name: str, severity: float, seed: int = 0
) -> Float[Tensor, "*batch c h w"]:
    """Images in [0, 1] moved away from where they were: not at severity 0, furthest at 1.

    name: one of `SHIFTS`.
        rotation: by 90 degrees * severity
        blur: Gaussian, standard deviation 3 pixels * severity
        noise: Gaussian, 0.7 * severity, clipped
        contrast: (1 - 0.95 severity) of it left, around each image's mean
        inversion: each image with probability severity
        background: a smooth random texture of height severity behind it
    seed: the random ones depend on it only, not on the device.

    The label-part swap is `pairs.label_part_swap`. ValueError: an unknown name, severity outside
    [0, 1], NaN or infinite inputs, no image axes.
    """
    require_one_of(name, SHIFTS, "name")
    severity, seed = require_severity(severity), whole_number(seed, "seed")
    if inputs.ndim < 3 or not inputs.is_floating_point():
        got = f"{inputs.dtype} {tuple(inputs.shape)}"
        raise ValueError(f"inputs need floating-point images (..., c, h, w), got {got}.")
    if not inputs.is_meta and not bool(inputs.isfinite().all()):
        raise ValueError("inputs need finite values, got NaN or infinite values.")
    if severity == 0:
        return inputs
    return SHIFTS[name](inputs, severity, torch.Generator().manual_seed(seed))


def _rotation(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import InterpolationMode, rotate

    flat = x.reshape(-1, *x.shape[-3:])
    return rotate(flat, 90 * severity, interpolation=InterpolationMode.BILINEAR).reshape(x.shape)


def _blur(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    size = min(13, 2 * min(x.shape[-2:]) - 1)
    sigma = max(3 * severity, 0.01)  # below it, the kernel is a single pixel, and soon 0 / 0
    return gaussian_blur(x, [size, size], [sigma, sigma])


def _noise(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator, device="cpu").to(x)
    return (x + 0.7 * severity * noise).clamp(0, 1)


def _contrast(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    mean = x.mean((-3, -2, -1), keepdim=True)
    return mean + (1 - 0.95 * severity) * (x - mean)


def _inversion(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(x.shape[:-3], generator=generator, device="cpu").to(x.device) < severity
    return torch.where(chosen[..., None, None, None], 1 - x, x)


def _background(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    coarse = torch.rand((math.prod(x.shape[:-2]), 1, 5, 5), generator=generator, device="cpu").to(x)
    texture = F.interpolate(coarse, x.shape[-2:], mode="bicubic", align_corners=True).clamp(0, 1)
    return torch.maximum(x, severity * texture.reshape(x.shape))


SHIFTS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "rotation": _rotation,
    "blur": _blur,
    "noise": _noise,
    "contrast": _contrast,
    "inversion": _inversion,
    "background": _background,
}
