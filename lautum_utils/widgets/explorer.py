"""`Explorer`: sliders over any figure."""

import html
import inspect
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.numbers import plain, plain_values
from lautum_utils.widgets.controls import (
    LABEL,
    answer_without_pauses,
    caption,
    grid,
    menu,
    picture,
    scale,
    show_widgets,
)
from lautum_utils.widgets.figures import png_bytes, titles
from lautum_utils.widgets.sketch import Sketch


class Explorer:
    """Sliders over a figure: moving one draws `draw(**values)` again; display it by ending a cell
    with it.

    draw: a function with a default for each argument that returns a matplotlib Figure, or a
    `Sketch`, which is faster. Called without widgets, it is the static twin of the picture; the
    first lines of its docstring stand below it.
    **controls: what each argument of `draw` can be: (low, high, step) for a slider, a list of
    numbers for a slider over just these, a list of texts for buttons, True or False for a tick box.
    The argument's name becomes the label.
    ValueError: a control that `draw` does not take, an argument without a default, a default out of
    range.
    """

    def __init__(self, draw: Callable[..., Figure | Sketch], **controls: Any) -> None:
        answer_without_pauses()
        parameters = inspect.signature(draw).parameters
        self.controls: dict[str, Any] = {}
        self.values: dict[str, list[Any]] = {}  # that each control can have
        for name, allowed in controls.items():
            if name not in parameters or parameters[name].default is inspect.Parameter.empty:
                raise ValueError(
                    "controls need to be arguments of draw with a default "
                    f"({', '.join(parameters)}), got {name!r}."
                )
            allowed = _plain(allowed)
            control = _control(name.replace("_", " "), allowed, plain(parameters[name].default))
            control.observe(self._redraw, names="value")
            self.controls[name], self.values[name] = control, _values(allowed)
        self.draw = draw
        self.about = " ".join((inspect.getdoc(draw) or "").split("\n\n")[0].split())
        self.image, self.caption = picture(), caption(self.about)
        self.box = widgets.VBox([grid(list(self.controls.values())), self.image, self.caption])
        self._redraw(None)

    def at(self, **values: Any) -> tuple[bytes, str]:
        """The picture of these values as a PNG image, and its title."""
        drawn = self.draw(**values)
        if isinstance(drawn, Sketch):
            return drawn.png(), drawn.title or titles(drawn.figure())
        return png_bytes(drawn), titles(drawn)

    def _redraw(self, change: object) -> None:
        try:
            drawn = self.draw(**{name: control.value for name, control in self.controls.items()})
            png = drawn.png() if isinstance(drawn, Sketch) else png_bytes(drawn, compression=1)
            self.image.value = png
        except Exception as error:  # the picture of other values would be a wrong answer
            self.image.value = b""
            self.caption.value = f"<b>This cannot be drawn: {html.escape(str(error))}</b>"
            raise
        self.caption.value = caption(self.about).value

    def _ipython_display_(self) -> None:
        show_widgets(self.box, self.image, self.about or self.draw.__name__.replace("_", " "))


def _plain(allowed: Any) -> Any:
    """What a control can be, with plain numbers; an array is a list."""
    if isinstance(allowed, tuple):
        return plain_values(allowed)
    return (
        list(plain_values(allowed)) if isinstance(allowed, list | np.ndarray | Tensor) else allowed
    )


def _values(allowed: Any) -> list[Any]:
    """All values among which a control chooses."""
    if isinstance(allowed, bool):
        return [False, True]
    if isinstance(allowed, list):
        return list(allowed)
    low, high, step = allowed
    values = [low + n * step for n in range(int((high - low) / step + 1e-9) + 1)]
    return [round(value, 10) if isinstance(value, float) else value for value in values]


def _control(description: str, allowed: Any, default: Any) -> widgets.Widget:
    """What is needed to choose among the allowed."""
    listed = isinstance(allowed, list) and len(allowed) > 0
    ranged = isinstance(allowed, tuple) and len(allowed) == 3
    if not (listed or ranged or (isinstance(allowed, bool) and isinstance(default, bool))):
        wanted = "(low, high, step), a list of numbers or of texts, or True or False"
        got = f"{allowed!r} with the default {default!r}"
        raise ValueError(f"{description} needs {wanted}, got {got}.")
    if listed and not isinstance(allowed[0], str):
        return scale(description, allowed, default)
    if listed and default in allowed:
        return menu(description, allowed, default)
    abbreviation = default if isinstance(allowed, bool) else allowed
    control = widgets.interactive.widget_from_abbrev(abbreviation, default)
    if control.value != default:
        raise ValueError(f"{description} needs a default within {allowed}, got {default!r}.")
    control.description = description
    control.set_trait("style", LABEL)
    control.layout.width = "330px"
    if control.has_trait("continuous_update"):
        control.continuous_update = False
    return control
