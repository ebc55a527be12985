"""What all widgets are made of: sliders, rows of buttons, pictures, captions, and how they are
shown.

Figures are drawn on private Figures and shown as PNG images, so that no thread shares state with
pyplot. Where no widget can be shown (a notebook that is not trusted or does not run, a printed
page), its picture stands in.
"""

import base64
import gc
import html
import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import ipywidgets as widgets
import traitlets
from IPython.display import display
from PIL import Image

from lautum_utils.widgets.figures import with_line

STILL = "A still picture: run this cell to move the controls."
# What stands below a widget, outside of it: after a restart the widget itself may be empty.
RESTARTED = (
    "Does nothing move, or is there nothing? The kernel was restarted: choose Run > Run All Above "
    "Selected Cell, then run this cell again."
)
LABEL = {"description_width": "140px"}


@cache
def answer_without_pauses() -> None:
    """A full garbage collection looks at all that torch and its companions hold, 0.14 s in the
    middle of a slider's answer: what is there by now is left out of it, which leaves 0.02 s. For
    the whole process, from the first widget on."""
    gc.collect()
    gc.freeze()


def wide() -> dict[str, Any]:
    """The look of a slider."""
    return {"style": LABEL, "layout": widgets.Layout(width="330px")}


def scale(description: str, values: Sequence[float], value: float) -> widgets.SelectionSlider:
    """A slider over just these numbers."""
    if value not in values:
        allowed = ", ".join(f"{v:g}" for v in values)
        raise ValueError(f"{description} needs to be one of {allowed}, got {value!r}.")
    options = [(f"{v:g}", v) for v in values]
    return widgets.SelectionSlider(
        options=options, value=value, description=description, continuous_update=False, **wide()
    )


def menu(description: str, options: Sequence[Any], value: Any) -> widgets.ToggleButtons:
    """Buttons: in JupyterLab the keys of a drop-down list are commands for its cells."""
    return widgets.ToggleButtons(
        options=list(options),
        value=value,
        description=description,
        style=LABEL | {"button_width": "auto"},
        layout=widgets.Layout(width="auto", max_width="960px"),
    )


def grid(controls: Sequence[widgets.Widget]) -> widgets.Box:
    """Controls beside and below each other, as the page is wide."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", grid_gap="2px 12px")
    return widgets.Box(controls, layout=layout)


def picture(**layout: str) -> widgets.Image:
    """Room for a PNG image. (A tooltip, or any other text of its own, keeps an Image from being
    shown at all.)"""
    place = widgets.Layout(align_self="flex-start", max_width="100%", **layout)
    return widgets.Image(format="png", layout=place)


class Panels(widgets.Box):
    """Room for a PNG image that is cut into panels: side by side, or below one another where the
    page is narrow.

    value: the whole image. cuts: where, as shares of its width.
    """

    value = traitlets.Bytes()

    def __init__(self, cuts: Sequence[float], **layout: str) -> None:
        self.cuts = (0.0, *cuts, 1.0)
        place = widgets.Layout(flex_flow="row wrap", **layout)
        super().__init__([picture() for _ in self.cuts[1:]], layout=place)
        self.observe(self._cut, names="value")

    def _cut(self, change: Any) -> None:
        if not change["new"]:
            for panel in self.children:
                panel.value = b""
            return
        whole = Image.open(io.BytesIO(change["new"]))
        places = [round(share * whole.width) for share in self.cuts]
        for panel, left, right in zip(self.children, places, places[1:], strict=False):
            buffer = io.BytesIO()
            whole.crop((left, 0, right, whole.height)).save(buffer, "png", compress_level=1)
            panel.value = buffer.getvalue()


def caption(about: str, **layout: str) -> widgets.HTML:
    """Text below a picture."""
    text = f'<span style="line-height: 1.4; opacity: 0.8">{html.escape(about)}</span>'
    place = widgets.Layout(max_width="960px", margin="0 0 8px 0", **layout)
    return widgets.HTML(text if about else "", layout=place)


def show_widgets(
    box: widgets.Box, image: widgets.Image, about: str, in_notebook: bool = True
) -> None:
    """Show widgets, and to whoever cannot show widgets their picture; in a notebook, below them,
    what to run when they do not answer. (`needs_kernel`: the website leaves that line out.)"""
    bundle = box._repr_mimebundle_()
    if image.value:
        bundle["image/png"] = base64.b64encode(with_line(bytes(image.value), STILL)).decode()
    display(bundle, metadata={"image/png": {"alt": about}}, raw=True)
    if in_notebook:
        line = {"text/markdown": f"*{RESTARTED}*", "text/plain": RESTARTED}
        display(line, metadata={"needs_kernel": True}, raw=True)
