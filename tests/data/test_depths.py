"""A picture file as it looks: laid on white, in 8 bits, whole; or a reason why it is none."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lautum_utils.data.decoding import decode
from lautum_utils.data.depths import BITS, Brightest, eight_bits
from lautum_utils.data.folders import load_folder
from lautum_utils.data.images import Unreadable

pytestmark = pytest.mark.usefixtures("nothing_installed")


def drawing(ground: tuple[int, int, int, int]) -> Image.Image:
    """A ring with a grey square in it, on a ground of this colour and alpha."""
    image = Image.new("RGBA", (20, 20), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((3, 3, 16, 16), fill=(0, 0, 0, 255))
    draw.rectangle((8, 8, 11, 11), fill=(90, 90, 90, 255))
    return image


def in_palette(image: Image.Image) -> Image.Image:
    """PA, which Pillow's own conversions from grey do not make."""
    made = image.convert("RGB").quantize(8).convert("PA")
    made.putalpha(image.getchannel("A"))
    return made


def one_colour_out(image: Image.Image) -> Image.Image:
    """Grey; where it was transparent, 77 is what a PNG calls its transparent value."""
    made = image.convert("L")
    made.paste(77, mask=image.getchannel("A").point(lambda alpha: 255 - alpha))
    made.info["transparency"] = 77
    return made


def saved(image: Image.Image, file_type: str, **how: Any) -> io.BytesIO:
    out = io.BytesIO()
    image.save(out, file_type, **how)
    return out


@pytest.mark.parametrize(
    ("made", "file_type", "how"),
    [
        (Image.Image.copy, "png", {}),
        (lambda image: image.convert("LA"), "png", {}),
        (in_palette, "tiff", {}),
        (lambda image: image.quantize(8), "png", {}),
        (one_colour_out, "png", {"transparency": 77}),
        (Image.Image.copy, "webp", {"lossless": True}),
        (Image.Image.copy, "gif", {}),
        (Image.Image.copy, "tiff", {}),
    ],
    ids=["RGBA", "LA", "PA", "P", "L", "webp", "gif", "tiff"],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_drawing_on_a_transparent_ground_is_the_one_on_white(
    made: Callable[[Image.Image], Image.Image], file_type: str, how: dict[str, Any], mode: str
) -> None:
    clear, white = drawing((0, 0, 0, 0)), drawing((255, 255, 255, 255))
    found = decode(saved(made(clear), file_type, **how), 20, 20, mode)
    assert np.array_equal(found, decode(saved(white, "png"), 20, 20, mode))
    assert (found[0, :, 0, 0] == 255).all()
    assert sorted(np.unique(found).tolist()) == [0, 90, 255]


def test_what_is_half_transparent_is_half_white() -> None:
    half = saved(Image.new("LA", (4, 4), (0, 128)), "png")
    assert np.unique(decode(half, 4, 4, "L")).tolist() == [127]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.uint16([0, 32768, 65535]), [0, 128, 255]),
        (np.uint16([0, 2048, 4095]), [0, 128, 255]),
        (np.uint16([0, 512, 1023]), [0, 128, 255]),
        (np.int32([0, 100, 200]), [0, 100, 200]),
        (np.int32([0, 1, 1]), [0, 255, 255]),
        (np.float32([0, 0.5, 1]), [0, 128, 255]),
        (np.float32([0, 0.5, 1.02]), [0, 128, 255]),
        (np.float32([0, 100.7, 255]), [0, 100, 255]),
        (np.float32([0, 32768, 65535]), [0, 128, 255]),
    ],
    ids=str,
)
def test_deep_values_have_the_bits_that_the_brightest_needs(
    values: np.ndarray, wanted: list[int]
) -> None:
    file = saved(Image.fromarray(values[None]), "tiff")
    assert decode(file, 1, 3, "L").ravel().tolist() == wanted


@given(st.integers(2, 2**16 - 1))
def test_no_brightest_value_is_dark_and_a_larger_one_never_darker(brightest: int) -> None:
    values = np.linspace(0, brightest, 50)[None]
    made = eight_bits(values, brightest)
    assert made.max() >= (64 if brightest >= 2 ** BITS[0] else brightest)
    assert (np.diff(made.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Image.fromarray(np.float32([[0, np.nan]])), "not finite"),
        (Image.fromarray(np.float32([[0, np.inf]])), "not finite"),
        (Image.fromarray(np.float32([[-1, 1]])), "from -1 to 1, not from 0 to 65535"),
        (Image.fromarray(np.int32([[0, 70000]])), "from 0 to 70000, not"),
        (Image.new("LAB", (2, 2)), "LAB"),
    ],
    ids=["nan", "inf", "negative", "large", "LAB"],
)
def test_what_is_no_brightness_is_unreadable_and_not_black(made: Image.Image, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        decode(saved(made, "tiff"), 2, 2, "L")


def test_twelve_bits_in_a_colour_file_of_sixteen_are_unreadable() -> None:
    """Pillow reads the upper 8 of 16, and writes none: a TIFF by hand, 1 x 1."""
    tags = [(256, 1), (257, 1), (258, 158), (259, 1), (262, 2), (273, 164), (277, 3), (278, 1)]
    tags += [(279, 6), (284, 1)]
    for value, told in ((4095, Unreadable), (65535, None)):
        data = b"II*\0" + (8).to_bytes(4, "little") + len(tags).to_bytes(2, "little")
        for tag, at in tags:
            count = 3 if tag == 258 else 1
            data += b"".join(n.to_bytes(2, "little") for n in (tag, 3))
            data += count.to_bytes(4, "little") + at.to_bytes(4, "little")
        data += bytes(4)
        data = data.ljust(158, b"\0") + (16).to_bytes(2, "little") * 3
        file = io.BytesIO(data + value.to_bytes(2, "little") * 3)
        if told:
            with pytest.raises(told, match="16 bits a colour"):
                decode(file, 1, 1, "RGB")
        else:
            assert decode(file, 1, 1, "RGB").ravel().tolist() == [255] * 3


def test_a_folder_has_one_scale_and_its_files_are_only_looked_through_when_one_is_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for split in ("train", "test"):
        for name, value in (("dark", 300), ("light", 4000)):
            (tmp_path / "own" / split / name).mkdir(parents=True)
            files.append(tmp_path / "own" / split / name / "0.png")
            Image.fromarray(np.full((6, 6), value, np.uint16)).save(files[-1])
    pixels = load_folder(tmp_path / "own", progress=False).pixels
    assert pixels.amax((1, 2, 3)).tolist() == [300 // 16, 4000 // 16]
    brightest = Brightest(files)
    assert "_found" not in vars(brightest)
    assert (brightest("I;16"), brightest("F")) == (4000, 0)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_last_bytes_is_loaded_and_one_that_lacks_half_is_not(
    progressive: bool,
) -> None:
    draw = np.random.default_rng(0).integers
    painted = np.kron(draw(50, 200, (16, 16, 3)), np.ones((8, 8, 1))) + draw(0, 50, (128, 128, 3))
    image = Image.fromarray(painted.astype(np.uint8))
    data = saved(image, "jpeg", quality=90, progressive=progressive).getvalue()
    whole = decode(io.BytesIO(data), 128, 128, "L").astype(int)
    for lacking in (0, 1, 2, 3, 7, 20, 50, 100):
        found = decode(io.BytesIO(data[: len(data) - lacking]), 128, 128, "L").astype(int)
        assert (abs(found - whole) <= 24).mean() > 0.95, lacking
    scan = data.index(b"\xff\xda")
    for share in () if progressive else (0.05, 0.3, 0.6):  # progressive: less sharp, but whole
        part = data[: scan + int(share * (len(data) - scan))]
        with pytest.raises(Unreadable, match="cut short"):
            decode(io.BytesIO(part), 128, 128, "L")


def test_what_pillow_warns_of_is_told_with_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "test"):
        for name in "ab":
            (tmp_path / "own" / split / name).mkdir(parents=True)
            Image.new("L", (30, 30), 9).save(tmp_path / "own" / split / name / "0.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        load_folder(tmp_path / "own", progress=False)
    (only,) = map(str, [warning.message for warning in warned])
    assert "test/a/0.png: Image size (900 pixels) exceeds limit of 500 pixels" in only
    assert "train" not in only
