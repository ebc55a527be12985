"""Figures as a notebook shows them, and as images for widgets."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lautum_utils.widgets.figures import Picture, new_figure, png_bytes, with_line


def drawn() -> Figure:
    figure, axes = new_figure(5, 2, 2)
    axes[0].plot(np.arange(9.0), np.arange(9.0) ** 2)
    axes[0].set_title("It grows,\nand fast")
    axes[1].set_title("Nothing here")
    return figure


def test_a_notebook_shows_fine_dots_in_few_colours_at_the_size_of_the_figure() -> None:
    figure = drawn()
    assert isinstance(figure, Picture)
    data, metadata = figure._repr_mimebundle_()
    image = Image.open(io.BytesIO(data["image/png"]))
    assert image.size == (5 * 144, 2 * 144)
    assert image.mode == "P"
    assert metadata["image/png"]["width"] == 5 * 96
    assert len(data["image/png"]) < len(png_bytes(figure, 144)) / 1.5


def test_its_titles_are_the_text_alternative() -> None:
    figure = drawn()
    assert isinstance(figure, Picture)
    data, metadata = figure._repr_mimebundle_()
    assert data["text/plain"] == "Figure: It grows, and fast; Nothing here"
    assert metadata["image/png"]["alt"] == data["text/plain"]
    figure.suptitle("All in all")
    assert figure._repr_mimebundle_()[0]["text/plain"] == "Figure: All in all"


@pytest.mark.parametrize("dpi", [40, 96])
def test_a_png_is_as_wide_as_dpi_says(dpi: int) -> None:
    png = png_bytes(drawn(), dpi)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20]) == 5 * dpi
    assert len(png_bytes(drawn(), dpi, compression=0)) > len(png)


def test_a_line_stands_below_the_picture() -> None:
    png = png_bytes(drawn())
    before, after = (Image.open(io.BytesIO(p)).convert("L") for p in (png, with_line(png, "So.")))
    assert after.size == (before.width, before.height + 30)
    assert np.asarray(after)[before.height :].min() < 150


def test_axes_of_another_projection_can_be_had() -> None:
    figure = Picture()
    assert figure.add_subplot(projection="polar").name == "polar"
