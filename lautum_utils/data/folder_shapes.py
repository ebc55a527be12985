"""The size and colours that a folder's images are brought to: told by their headers, or by you."""

import statistics
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from lautum_utils.data.images import quietly

MOST = 64  # pixels a side, unless more are asked for


class Target(NamedTuple):
    """What every image of a folder becomes. mode: Pillow's, "L" (grey) or "RGB"."""

    height: int
    width: int
    mode: str


class Header(NamedTuple):
    """What an image is before it is decoded."""

    height: int
    width: int
    mode: str


def common_target(
    files: Iterable[Path], size: int | None, colour: bool | None, folder: str
) -> Target:
    """The size and the mode for all images of a folder, from the headers of those that can be read.

    Images that all have one size up to 64 x 64 keep it. Others are stretched to a square: its side
    is the median of their shorter sides, 64 at most. They stay grey if all are grey. A warning says
    when images change for it. size, colour: given ones win; with both, no file is opened.
    """
    if size is not None and colour is not None:
        return Target(size, size, "RGB" if colour else "L")
    headers = [header for file in files if (header := _header(file))]
    if not headers:  # then nothing can be decoded either
        return Target(1, 1, "L")
    sizes = Counter((header.height, header.width) for header in headers)
    modes = {header.mode for header in headers}
    height, width = (size, size) if size is not None else _common_size(sizes)
    mode = "RGB" if colour or (colour is None and "RGB" in modes) else "L"
    told = []
    if size is None and set(sizes) != {(height, width)}:
        told.append(f"{len(sizes)} sizes" if len(sizes) > 1 else _in_pixels(*next(iter(sizes))))
    if colour is None and len(modes) > 1:
        told.append("grey and colour")
    if told:
        warnings.warn(
            f"{folder} holds images of {' and of '.join(told)}: all become {height} x {width} "
            f"in {'colour' if mode == 'RGB' else 'grey'}, unless size or colour is given.",
            stacklevel=2,
        )
    return Target(height, width, mode)


def _common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    if len(sizes) == 1 and max(only := next(iter(sizes))) <= MOST:
        return only
    side = min(MOST, statistics.median_low(min(size) for size in sizes.elements()))
    return side, side


def _header(file: Path) -> Header | None:
    """Of an image as it is looked at (a camera held upright says so); None if it has none."""
    try:
        with quietly(), Image.open(file) as image:
            width, height = image.size
            # Asked without this, Pillow decodes a whole PNG to look for it.
            exif = image.getexif() if "exif" in image.info else {}
            if exif.get(ExifTags.Base.Orientation, 1) >= 5:
                width, height = height, width
            return Header(height, width, "L" if _is_grey(image) else "RGB")
    except Exception:  # Pillow raises nearly anything on a broken file
        return None


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = image.getpalette() or []
        return palette[::3] == palette[1::3] == palette[2::3]
    return image.mode.startswith(("1", "L", "I", "F"))


def _in_pixels(height: int, width: int) -> str:
    return f"{height} x {width} pixels"
