"""Sketches: what is drawn fast is what the figure shows."""

from threading import Thread

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pictures import HISTORY, pixels, results
from waiting import ended

from lautum_utils.widgets import plots
from lautum_utils.widgets.figures import new_figure, png_bytes
from lautum_utils.widgets.sketch import Sketch
from lautum_utils.widgets.style import STYLES


@pytest.mark.parametrize("name", ["explored", "history_curves"])
def test_a_sketch_is_the_picture_of_its_figure_whatever_was_drawn_in_its_frame_before(
    name: str,
) -> None:
    def sketch(accuracy: float, strength: float) -> Sketch:
        curve = results(0.0, 0.41, 0.44) + results(1e-3, accuracy, accuracy + 0.02)
        if name == "explored":
            return plots.explored(curve, strength, 0.0)
        return plots.history_curves(
            [(strength, HISTORY | {"loss": [2.3, accuracy]}), (1e-4, HISTORY)]
        )

    one, other = sketch(0.55, 1e-3), sketch(0.5, 0.0)
    assert one.key == other.key, "the same frame"
    images = {sketch: pixels(sketch.png()) for sketch in (one, other, one)}
    assert np.abs(images[one] - images[other]).max() > 100
    for sketched, image in images.items():
        difference = np.abs(image - pixels(png_bytes(sketched.figure())))
        assert (difference > 20).mean() < 0.005, "grid lines may lie over or under the data"


def empty_frame() -> tuple[Figure, list[Axes]]:
    figure, axes = new_figure(3, 2, 2, layout="none")
    for ax in axes:
        ax.set_xlim(0, 2)
        ax.set_ylim(0, 2)
    return figure, axes


def test_every_picture_of_a_frame_begins_with_the_first_line_of_the_style_sheet() -> None:
    colours = []

    def draw(axes: list[Axes]) -> None:
        colours.append([ax.plot([0, 1], [0, 1])[0].get_color() for ax in axes])

    sketch = Sketch(empty_frame, (), draw)
    assert sketch.png() == sketch.png()
    sketch.figure()
    assert colours == [[STYLES[0]["color"]] * 2] * 3


def test_a_sketch_that_fails_leaves_neither_a_lock_nor_a_changed_setting() -> None:
    before = dict(rcParams)

    def broken(axes: list[Axes]) -> None:
        raise ZeroDivisionError

    for draw in (Sketch.png, Sketch.figure):
        with pytest.raises(ZeroDivisionError):
            draw(Sketch(empty_frame, (), broken))
    assert dict(rcParams) == before
    drawn: list[bytes] = []
    thread = Thread(target=lambda: drawn.append(Sketch(empty_frame, (), lambda _: None).png()))
    thread.start()
    ended(thread)
    assert drawn[0].startswith(b"\x89PNG")


def test_a_title_stands_in_both() -> None:
    plain, titled = (Sketch(empty_frame, (), lambda _: None, title) for title in ("", "A finding"))
    assert titled.figure().get_suptitle() == "A finding"
    assert (pixels(plain.png()) != pixels(titled.png()))[:30].any()
    assert plain.png() == plain.png(), "the title of another picture does not stay"
