"""Figures by the style sheet, as matplotlib Figure objects: no pyplot state, drawn on any thread.

    figure, (ax,) = new_figure()
    ax.plot(x, y, label="L")  # the next colour, with its marker and dash
    ax.legend()
    figure

A `Picture` is a Figure that a notebook shows, with its title as text alternative, where it is the
last value of a cell; `png_bytes` turns one into an image for a widget.
"""

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from lautum_utils.widgets.style import SHEET

WIDTH, HEIGHT = SHEET["figure.figsize"]  # inches
WIDGET_DPI = 96  # a dot is one of the page; with 144 dots a slider answers in 46 ms, not in 33


class StyledAxes(Axes):
    """Axes on which the style sheet also holds for what is added later."""

    plot = SHEET(Axes.plot)
    errorbar = SHEET(Axes.errorbar)
    legend = SHEET(Axes.legend)
    set_title = SHEET(Axes.set_title)
    text = SHEET(Axes.text)
    annotate = SHEET(Axes.annotate)


class Picture(Figure):
    """A Figure by the style sheet that shows itself as the last value of a cell, without pyplot;
    its titles are the text alternative."""

    suptitle = SHEET(Figure.suptitle)
    legend = SHEET(Figure.legend)
    text = SHEET(Figure.text)
    colorbar = SHEET(Figure.colorbar)

    @SHEET
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)

    @SHEET
    def add_subplot(self, *args: Any, **settings: Any) -> Axes:
        own = {} if "projection" in settings else {"axes_class": StyledAxes}
        ax = super().add_subplot(*args, **own | settings)
        ax.tick_params(grid_alpha=SHEET["grid.alpha"])  # grid lines are made when first needed
        return ax

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        text = f"Figure: {titles(self)}"
        image = Image.open(io.BytesIO(png_bytes(self, SHEET["savefig.dpi"])))
        # As large on a page as at WIDGET_DPI, with finer dots.
        size = {"width": round(image.width * WIDGET_DPI / SHEET["savefig.dpi"])}
        return (
            {"image/png": in_256_colours(image), "text/plain": text},
            {"image/png": {"alt": text} | size},
        )


def new_figure(
    width: float = WIDTH, height: float = HEIGHT, columns: int = 1, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure of `columns` axes side by side, width and height in inches.

    subplots: as `Figure.subplots` takes them; layout: "none" for fixed margins, which are drawn
    faster.
    """
    figure = Picture(figsize=(width, height), layout=subplots.pop("layout", None))
    return figure, np.atleast_1d(figure.subplots(1, columns, **subplots)).ravel().tolist()


def plain(text: str) -> str:
    """A person's own words, for matplotlib: a dollar sign is one, and begins no formula."""
    return text.replace("$", r"\$")


def titles(figure: Figure) -> str:
    """The title of a figure, or those of its axes: what it says in words."""
    found = [figure.get_suptitle()] if figure.get_suptitle() else map(Axes.get_title, figure.axes)
    return "; ".join(title.replace("\n", " ").replace(r"\$", "$") for title in found if title)


def png_bytes(figure: Figure, dpi: float = WIDGET_DPI, compression: int = 6) -> bytes:
    """The figure as a PNG image; compression from 0 (at once) to 9 (small)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": compression})
    return buffer.getvalue()


def in_256_colours(image: Image.Image) -> bytes:
    """A PNG image with 256 colours of its own, which makes it a third of the size."""
    buffer = io.BytesIO()
    image.convert("RGBA").quantize(256).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def with_line(png: bytes, line: str) -> bytes:
    """A PNG image with a line of text below it."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    canvas = Image.new("RGBA", (image.width, image.height + 30), (255, 255, 255, 0))
    canvas.paste(image)
    place, font = (12, image.height + 6), ImageFont.load_default(15)
    ImageDraw.Draw(canvas).text(place, line, fill="#767676", font=font)
    return in_256_colours(canvas)
