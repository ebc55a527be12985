"""A picture file as it looks: upright, on white, in 8 bits a colour.

What is transparent, in part or wholly, by a channel, a palette or one colour, is laid on white. Of
an animation or a file of many pages, the first is taken. 1, L, P, RGB, CMYK, YCbCr and HSV are what
Pillow makes of them; deeper greys: `depths`. Of colours with 16 bits, Pillow reads the upper 8; a
picture that they leave black cannot be read. Nor can other modes.
"""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lautum_utils.data.depths import eight_bits, is_deep, values_of
from lautum_utils.data.images import Unreadable

THERE = 0.75  # of the pixels of a JPEG that is cut short, at least
_OTHERS = bytes(range(1, 251))  # no 255: that begins a marker


def decode(
    file: Path | BytesIO,
    height: int,
    width: int,
    mode: str,
    brightest: Callable[[str], float] | None = None,
    said: list[str] | None = None,
) -> np.ndarray:
    """(1, c, height, width) uint8. Unreadable: why it cannot be.

    mode: Pillow's, "L" or "RGB". brightest: the brightest value of all images that belong together,
    asked for by the mode of a deep one; None: its own. said: receives what Pillow warns of.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            image = _on_white(_in_8_bits(_upright(file), brightest)).convert(mode)
            pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        except Unreadable:
            raise
        except Exception as error:  # Pillow raises nearly anything on a broken file
            raise Unreadable(_reason(error)) from error
    if said is not None:
        said += dict.fromkeys(str(warning.message) for warning in warned)
    return pixels.reshape(1, height, width, -1).transpose(0, 3, 1, 2)


def why_unreadable(file: Path) -> str:
    """What `decode` has against a file; "" if it finds a picture in it."""
    try:
        decode(file, 1, 1, "RGB")
    except Unreadable as error:
        return str(error)
    return ""


def _upright(file: Path | BytesIO) -> Image.Image:
    """Loaded, turned as its camera was held. Of 16 bits a colour: `_not_black`."""
    with Image.open(file) as image:
        is_jpeg, is_cut_off = image.format in ("JPEG", "MPO"), ";16" in str(image.tile)
        try:
            upright = ImageOps.exif_transpose(image)
        except OSError:
            if not is_jpeg:
                raise
            return _mended(file)
    return _not_black(upright) if is_cut_off else upright


def _mended(file: Path | BytesIO) -> Image.Image:
    """A JPEG without its end. There is what stays the same, whatever bytes are lacking; a
    progressive one may be less sharp."""
    data = file.getvalue() if isinstance(file, BytesIO) else file.read_bytes()
    one, other = _ended(data)
    is_same = np.asarray(one) == np.asarray(other)
    if is_same.reshape(one.height, one.width, -1).all(-1).mean() < THERE:
        raise Unreadable("it is cut short")
    return one


def _ended(data: bytes) -> list[Image.Image]:
    """The picture of a JPEG's first bytes, and with others behind them, a byte a pixel or more."""
    with Image.open(BytesIO(data)) as image:
        others = _OTHERS * (1 + image.width * image.height // len(_OTHERS))
    wholes = [data.rstrip(b"\xff") + end + b"\xff\xd9" for end in (b"", others)]
    return [ImageOps.exif_transpose(Image.open(BytesIO(whole))) for whole in wholes]


def _not_black(image: Image.Image) -> Image.Image:
    colours = image.convert("RGB") if image.mode in ("RGB", "RGBA", "LA") else None
    if colours and max(high for _, high in colours.getextrema()) < 16:  # type: ignore[misc]
        raise Unreadable("of its 16 bits a colour, the upper ones are all dark")
    return image


def _in_8_bits(image: Image.Image, brightest: Callable[[str], float] | None) -> Image.Image:
    if not is_deep(image.mode):
        return image
    values = values_of(image)
    most = float(values.max()) if brightest is None else brightest(image.mode)
    pixels = eight_bits(values, most)
    pixels[values == image.info.get("transparency")] = 255  # the one value that is, if any
    return Image.fromarray(pixels)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    plain = image.convert("LA") if image.mode == "La" else image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, plain.convert("RGBA")).convert("RGB")


def _reason(error: Exception) -> str:
    """In words that hold no path: they stand behind the name of the file."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no image that Pillow knows"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels"
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return told.splitlines()[0].rstrip(".")
