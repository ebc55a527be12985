"""Letters A to J, drawn from the text fonts that matplotlib ships.

Each letter gets its own rotation, shear, scale, offset and noise. Train and test share no font
(though most fonts of the test have relatives in train: a bold beside an oblique).
"""

from functools import cache
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lautum_utils.data.digits import SIZE

LETTERS = tuple("ABCDEFGHIJ")
_TRAIN_FONTS = """
DejaVuSans DejaVuSans-Bold DejaVuSans-BoldOblique
DejaVuSansMono DejaVuSansMono-Oblique DejaVuSansMono-BoldOblique
DejaVuSerif DejaVuSerif-Bold DejaVuSerif-BoldItalic
STIXGeneral STIXGeneralItalic STIXGeneralBolIta cmr10 cmb10 cmtt10 cmmi10
"""
_TEST_FONTS = "DejaVuSans-Oblique DejaVuSansMono-Bold DejaVuSerif-Italic STIXGeneralBol cmss10"
FONTS = {"train": tuple(_TRAIN_FONTS.split()), "test": tuple(_TEST_FONTS.split())}


def draw_letters(
    labels: Tensor, split: str, generator: torch.Generator, device: torch.device | str
) -> Tensor:
    """A letter for each label (n,) from 0: (n, 1, 16, 16) in [0, 1], bright on dark, on `device`.

    Everything random comes from `generator`, on the CPU: the same letters on every device.
    """
    n = len(labels)
    fonts = torch.randint(len(FONTS[split]), (n,), generator=generator, device="cpu")
    chosen = glyphs(split)[fonts, labels][:, None].to(device)
    grid = _sampling_grid(_random_affine(n, generator).to(device))
    warped = F.grid_sample(chosen, grid, align_corners=False)
    noise = torch.randn(warped.shape, generator=generator, device="cpu").to(device)
    return (warped + 0.3 * noise).clamp(0, 1)


@cache
def glyphs(split: str) -> Tensor:
    """(fonts, letters, 31, 31): each letter of each font of a split, centred.

    It is scaled to 28 of 32 pixels, and smoothed for sampling at half the size.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = [folder / f"{font}.ttf" for font in FONTS[split]]
    sharp = [torch.stack([_glyph(file, letter) for letter in LETTERS]) for file in files]
    return F.avg_pool2d(torch.stack(sharp), 2, stride=1)


def _glyph(font: Path, letter: str) -> Tensor:
    """(32, 32) in [0, 1]: a letter as its font has it."""
    drawing = ImageFont.truetype(str(font), 96)
    left, top, right, bottom = drawing.getbbox(letter)
    corner = (80 - (left + right) / 2, 80 - (top + bottom) / 2)
    image = Image.new("L", (160, 160))
    ImageDraw.Draw(image).text(corner, letter, fill=255, font=drawing)
    half = int(max(right - left, bottom - top) * 32 / 28 / 2)
    cropped = image.crop((80 - half, 80 - half, 80 + half, 80 + half))
    small = cropped.resize((32, 32), Image.Resampling.LANCZOS)
    pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
    return pixels.reshape(32, 32).float() / 255


def _random_affine(n: int, generator: torch.Generator) -> Tensor:
    """(n, 6): the two rows of n random affine maps, from the drawn image to the glyph."""
    angle = _uniform(n, 0.25, generator)
    shear = _uniform(n, 0.2, generator)
    size = 0.95 + _uniform(n, 0.12, generator)
    across = _uniform(n, 0.12, generator)
    down = _uniform(n, 0.12, generator)
    cos, sin = angle.cos(), angle.sin()
    upper = (size * cos, size * (shear * cos - sin), across)
    lower = (size * sin, size * (shear * sin + cos), down)
    return torch.stack((*upper, *lower), -1)


def _uniform(n: int, half_width: float, generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(n, generator=generator, device="cpu") - 1) * half_width


def _sampling_grid(affine: Tensor) -> Tensor:
    """(n, 16, 16, 2): where each pixel of the n drawn images looks in its glyph, in [-1, 1]."""
    n = len(affine)
    side = torch.linspace(-1 + 1 / SIZE, 1 - 1 / SIZE, SIZE, device="cpu")
    y, x = torch.meshgrid(side, side, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), -1).flatten(0, 1).to(affine.device)
    mapped = (points @ affine.reshape(2 * n, 3).T).T
    return mapped.reshape(n, 2, SIZE, SIZE).movedim(1, -1)
