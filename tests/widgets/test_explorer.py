"""The explorer without a kernel: every kind of control draws again when its value is set, and bad
controls are refused."""

import base64
import gc
import html
import io
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lautum_utils.widgets.controls import RESTARTED
from lautum_utils.widgets.explorer import Explorer
from lautum_utils.widgets.figures import new_figure, png_bytes, titles

PNG = b"\x89PNG\r\n\x1a\n"
CONTROLS: dict[str, Any] = {
    "line_width": (0.5, 4.0, 0.5),
    "points": (2, 10, 2),
    "noise": [0.0, 1e-3, 0.1, 1.0],
    "samples": [10, 100, 1000],
    "colour_map": ["red", "green", "blue"],
    "grid": True,
}
DEFAULTS: dict[str, Any] = {
    "line_width": 1.5,
    "points": 4,
    "noise": 1e-3,
    "samples": 100,
    "colour_map": "green",
    "grid": True,
    "offset": 7.0,
}
ENDS: dict[str, tuple[Any, Any]] = {
    "line_width": (0.5, 4.0),
    "points": (2, 10),
    "noise": (0.0, 1.0),
    "samples": (10, 1000),
    "colour_map": ("red", "blue"),
    "grid": (True, False),
}


def written(values: dict[str, Any]) -> Figure:
    """A small figure with all the values in it."""
    figure = Figure(figsize=(5, 1))
    figure.text(0.01, 0.5, " ".join(f"{value!r}" for value in values.values()))
    return figure


class Drawing:
    """A `draw` that writes down what it was called with; `offset` is for no control."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(
        self,
        line_width: float = DEFAULTS["line_width"],
        points: int = DEFAULTS["points"],
        noise: float = DEFAULTS["noise"],
        samples: int = DEFAULTS["samples"],
        colour_map: str = DEFAULTS["colour_map"],
        grid: bool = DEFAULTS["grid"],
        offset: float = DEFAULTS["offset"],
    ) -> Figure:
        self.calls.append(
            {
                "line_width": line_width,
                "points": points,
                "noise": noise,
                "samples": samples,
                "colour_map": colour_map,
                "grid": grid,
                "offset": offset,
            }
        )
        return written(self.calls[-1])


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(
    ("name", "control_type"),
    [
        ("line_width", widgets.FloatSlider),
        ("points", widgets.IntSlider),
        ("noise", widgets.SelectionSlider),
        ("samples", widgets.SelectionSlider),
        ("colour_map", widgets.ToggleButtons),
        ("grid", widgets.Checkbox),
    ],
)
def test_each_choice_has_a_control_that_fits_it(name: str, control_type: type) -> None:
    control = Explorer(Drawing(), **{name: CONTROLS[name]}).controls[name]
    assert type(control) is control_type
    assert control.value == DEFAULTS[name]
    assert type(control.value) is type(DEFAULTS[name])
    assert control.description == name.replace("_", " ")
    if "Slider" in control_type.__name__:
        assert control.continuous_update is False
    if hasattr(control, "step"):
        assert (control.min, control.max, control.step) == CONTROLS[name]
    elif hasattr(control, "options"):
        assert [value for _, value in control._options_full] == CONTROLS[name]


def test_labels_of_numbers_are_short() -> None:
    control = Explorer(Drawing(), noise=CONTROLS["noise"]).controls["noise"]
    assert [label for label, _ in control.options] == ["0", "0.001", "0.1", "1"]


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_draws_at_minimum_default_and_maximum_with_all_values(name: str) -> None:
    draw = Drawing()
    explorer = Explorer(draw, **CONTROLS)
    assert draw.calls == [DEFAULTS]
    shown = {DEFAULTS[name]: bytes(explorer.image.value)}
    for value in (*ENDS[name], DEFAULTS[name]):
        before, calls = bytes(explorer.image.value), len(draw.calls)
        changed = value != explorer.controls[name].value
        explorer.controls[name].value = value
        image = bytes(explorer.image.value)
        assert image.startswith(PNG)
        assert (image != before) == changed
        assert len(draw.calls) == calls + changed  # once for each move, not at all for none
        assert draw.calls[-1] == DEFAULTS | {name: value}
        assert shown.setdefault(value, image) == image  # the picture depends on the values only
    assert len(set(shown.values())) == len({*ENDS[name], DEFAULTS[name]})


def test_values_of_several_controls_come_together() -> None:
    draw = Drawing()
    explorer = Explorer(draw, **CONTROLS)
    for name, (_, high) in ENDS.items():
        explorer.controls[name].value = high
    assert draw.calls[-1] == {name: high for name, (_, high) in ENDS.items()} | {
        "offset": DEFAULTS["offset"]
    }
    assert len(draw.calls) == 1 + len(ENDS)


def test_arguments_without_a_control_keep_their_defaults() -> None:
    draw = Drawing()
    explorer = Explorer(draw, points=CONTROLS["points"])
    assert list(explorer.controls) == ["points"]
    explorer.controls["points"].value = 8
    assert draw.calls == [DEFAULTS, DEFAULTS | {"points": 8}]


def test_an_explorer_without_controls_is_the_picture() -> None:
    explorer = Explorer(Drawing())
    assert not explorer.controls
    assert bytes(explorer.image.value).startswith(PNG)


def test_what_was_there_before_the_first_widget_is_never_collected_again() -> None:
    Explorer(Drawing())
    frozen = gc.get_freeze_count()
    assert frozen > 0
    Explorer(Drawing())
    assert gc.get_freeze_count() <= frozen, "once; what is freed is counted no more"


def test_draw_without_widgets_is_the_static_twin() -> None:
    explorer = Explorer(Drawing(), **CONTROLS)
    assert np.array_equal(pixels(explorer.image.value), pixels(png_bytes(Drawing()())))
    explorer.controls["points"].value = 6
    assert np.array_equal(pixels(explorer.image.value), pixels(png_bytes(Drawing()(points=6))))


def test_a_cell_that_ends_with_it_shows_the_controls_above_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(
        "lautum_utils.widgets.controls.display",
        lambda bundle, metadata, raw: shown.append((bundle, metadata)),
    )
    explorer = Explorer(Drawing(), **CONTROLS)
    explorer._ipython_display_()
    (bundle, metadata), (below, marked) = shown
    assert RESTARTED in below["text/markdown"]
    assert below["text/plain"] == RESTARTED, "outside the widget, which a restart can empty"
    assert marked == {"needs_kernel": True}, "the site leaves it out"
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.box.model_id
    still = Image.open(
        io.BytesIO(base64.b64decode(bundle["image/png"]))
    )  # where no widgets are shown
    assert still.width == Image.open(io.BytesIO(explorer.image.value)).width
    assert metadata["image/png"]["alt"] == explorer.about
    controls, image, caption = explorer.box.children
    assert explorer.about in html.unescape(caption.value)
    assert controls.children == tuple(explorer.controls[name] for name in CONTROLS)
    assert image is explorer.image


# What goes wrong


def broken_above(limit: int) -> Callable[..., Figure]:
    def draw(points: int = 2) -> Figure:
        if points > limit:
            raise ZeroDivisionError(f"no picture of {points} points")
        return written({"points": points})

    return draw


def test_it_tells_the_values_of_its_controls_and_the_picture_and_words_of_any_of_them() -> None:
    explorer = Explorer(Drawing(), **CONTROLS)
    for name, values in explorer.values.items():
        assert explorer.controls[name].value in values
        assert len(values) >= 2
    png, words = explorer.at(points=6)
    assert np.array_equal(pixels(png), pixels(png_bytes(Drawing()(points=6))))
    assert words == titles(Drawing()(points=6))


def test_exceptions_of_draw_reach_the_caller_and_no_picture_of_other_values_stays() -> None:
    with pytest.raises(ZeroDivisionError, match="no picture of 2 points"):
        Explorer(broken_above(1), points=(1, 9, 1))
    explorer = Explorer(broken_above(4), points=(1, 9, 1))
    with pytest.raises(ZeroDivisionError, match="no picture of 5 points"):
        explorer.controls["points"].value = 5
    assert not explorer.image.value
    assert explorer.caption.value == "<b>This cannot be drawn: no picture of 5 points</b>"
    explorer.controls["points"].value = 3
    assert bytes(explorer.image.value).startswith(PNG)
    assert "cannot" not in explorer.caption.value


@pytest.mark.parametrize(
    ("name", "allowed", "value"),
    [
        ("points", (5, 10, 1), "4"),
        ("points", (0, 3, 1), "4"),
        ("line_width", (2.0, 4.0, 0.5), r"1\.5"),
        ("line_width", (0, 4, 1), r"1\.5"),  # whole steps only
        ("noise", [0.0, 0.1], r"0\.001"),
        ("samples", [10, 1000], "100"),
        ("colour_map", ["red", "blue"], "green"),
    ],
)
def test_a_default_out_of_range_is_refused_with_name_and_value(
    name: str, allowed: object, value: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{name.replace('_', '.')} needs .*, got '?{value}'?\."):
        Explorer(Drawing(), **{name: allowed})


def without_default(points: int, noise: float = 0.1) -> Figure:
    return written({"points": points, "noise": noise})


@pytest.mark.parametrize(
    ("draw", "name"), [(Drawing(), "size"), (without_default, "points"), (without_default, "draws")]
)
def test_a_control_that_draw_does_not_take_or_has_no_default_for_is_refused(
    draw: Callable[..., Figure], name: str
) -> None:
    with pytest.raises(
        ValueError, match=rf"arguments of draw with a default \(.*noise.*\), got '{name}'\."
    ):
        Explorer(draw, **{name: (1, 9, 1)})


def test_nothing_is_drawn_when_a_control_is_refused() -> None:
    draw = Drawing()
    with pytest.raises(ValueError, match="size"):
        Explorer(draw, points=(2, 10, 2), size=(1, 2, 1))
    assert not draw.calls


def test_a_tick_box_takes_its_state_from_the_default() -> None:
    def draw(flag: bool = False) -> Figure:
        return new_figure(3, 2, layout="none")[0]

    assert Explorer(draw, flag=True).controls["flag"].value is False
