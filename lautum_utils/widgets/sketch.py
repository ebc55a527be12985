"""`Sketch`: a figure that is drawn again and again, fast, because its frame is kept."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lautum_utils.widgets.figures import WIDGET_DPI, Picture
from lautum_utils.widgets.style import SHEET

Frame = Callable[..., tuple[Figure, list[Axes]]]


@dataclass(frozen=True, repr=False)
class Sketch:
    """A figure in two parts: `frame(*key)` makes the axes with their ticks and labels, `fill(axes)`
    draws the data.

    title: of the figure. What changes from picture to picture belongs here or into fill.
    """

    frame: Frame
    key: tuple[Any, ...]
    fill: Callable[[list[Axes]], None]
    title: str = ""

    def _repr_mimebundle_(self, **_: object) -> Any:
        picture = self.figure()
        assert isinstance(picture, Picture)
        return picture._repr_mimebundle_()

    @SHEET
    def figure(self) -> Figure:
        figure, axes = self.frame(*self.key)
        self._fill(axes)
        if self.title:
            figure.suptitle(self.title)
        return figure

    @SHEET  # one thread at a time: frames are shared
    def png(self) -> bytes:
        """The figure as a PNG image. Drawn frames are kept, which makes the next picture with equal
        ticks much faster."""
        canvas, axes, background = _drawn(self.frame, self.key)
        canvas.restore_region(background)
        framed = [set(ax.get_children()) for ax in axes]
        self._fill(axes)
        for ax, frame in zip(axes, framed, strict=True):
            added = [artist for artist in ax.get_children() if artist not in frame]
            for artist in sorted(added, key=lambda a: a.zorder):
                ax.draw_artist(artist)
                artist.remove()
            ax.containers.clear()
        if self.title:
            size = SHEET["figure.titlesize"]
            title = canvas.figure.text(0.5, 0.98, self.title, ha="center", va="top", size=size)
            canvas.figure.draw_artist(title)
            title.remove()
        image, buffer = Image.fromarray(np.asarray(canvas.buffer_rgba())), io.BytesIO()
        image.save(buffer, "png", compress_level=1)
        return buffer.getvalue()

    def _fill(self, axes: list[Axes]) -> None:
        """Draw the data, beginning with the first line of the style sheet."""
        for ax in axes:
            ax.set_prop_cycle(None)
        self.fill(axes)


@lru_cache(maxsize=32)
def _drawn(frame: Frame, key: tuple[Any, ...]) -> tuple[FigureCanvasAgg, list[Axes], Any]:
    figure, axes = frame(*key)
    figure.set_dpi(WIDGET_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas, axes, canvas.copy_from_bbox(figure.bbox)
