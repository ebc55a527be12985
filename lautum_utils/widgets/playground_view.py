"""`View`: what one sees of a playground: its controls, what it says, its pictures."""

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from lautum_utils.training.experiments import Experiment
from lautum_utils.widgets.controls import (
    Panels,
    caption,
    grid,
    menu,
    scale,
    show_widgets,
    wide,
)
from lautum_utils.widgets.playground_known import Answer
from lautum_utils.widgets.playground_settings import (
    CONTROLS,
    MAX_SEEDS,
    SEVERITIES,
    as_code,
    as_link,
    is_there,
    weights,
    without_control,
)

CURVE = (
    "Left: target test accuracy for each weight that is known, mean over seeds with its 95 %"
    " interval; weight 0 is standard transfer, the grey bar is the chosen weight. Dashed, where it"
    " is recorded: a linear classifier on the pixels, without any network. Right: by how many"
    " points the chosen weight beats weight 0, for each severity; above 0 it helps."
)
LIVE = (
    "Stage one, step by step: loss on the source; dependence between features and unlabelled target"
    " inputs, which the regularizer raises; how well the target can be read off the features, on"
    " validation data."
)
IN_SIGHT = ("severity", "strength", "labels")  # the other controls are under More
CURVE_CUTS, LIVE_CUTS = (0.592,), (0.281, 0.57)  # between the panels of the pictures
LOST = "Does nothing answer? The kernel was restarted: load the page again."


class View:
    """The widgets of a playground. They say and show what they are told, from any thread."""

    def __init__(
        self, base: Experiment, shown: Sequence[str], seeds: int, device: str, as_page: bool
    ) -> None:
        self._as_page, self._settled = as_page, without_control(base)
        self._make_controls(base, seeds, device)
        self._make_buttons()
        self._make_pictures()
        buttons = widgets.HBox([self.train_button, self.stop_button, self.more_button])
        progress = widgets.HBox([self.bar, self.status])
        pictures = [widget for pair in self._captions.items() for widget in pair]
        lost = [caption(LOST)] if as_page else []  # a notebook says it below the widgets
        in_sight = grid([getattr(self, name) for name in IN_SIGHT if name in shown])
        above = [in_sight, buttons, self._fold(shown), progress, self.sentence]
        self.box = widgets.VBox([*above, *pictures, self.restore, *lost])

    def _fold(self, shown: Sequence[str]) -> widgets.Box:
        """What More shows: the other controls, sliders before rows of buttons. (The header of an
        accordion cannot be reached by keyboard.)"""
        names = [name for name in CONTROLS if name in shown and name not in IN_SIGHT]
        controls = [getattr(self, name) for name in names]
        controls.sort(key=lambda control: isinstance(control, widgets.ToggleButtons))
        fold = grid([*controls, self.auto, self.curve_button])
        fold.layout.display = "none"
        self.more_button.observe(self._unfold, names="value")
        return fold

    def _unfold(self, change: Any) -> None:
        self.box.children[2].layout.display = "flex" if change["new"] else "none"
        self.more_button.icon = "caret-down" if change["new"] else "caret-right"

    def _make_controls(self, base: Experiment, seeds: int, device: str) -> None:
        shifts = [(name.replace("_", " "), name) for name in CONTROLS["shift"]]
        devices = [name for name in CONTROLS["device"] if is_there(name)]
        self.shift = menu("shift", shifts, base.shift)
        self.severity = scale("severity", sorted({*SEVERITIES, base.severity}), base.severity)
        self.strength = scale("regularization weight", weights(base.weighting), base.strength)
        self.labels = scale("labelled samples", CONTROLS["labels"], base.labels)
        self.protocol = menu("protocol", CONTROLS["protocol"], base.protocol)
        self.layer = menu("layer", CONTROLS["layer"], base.layer)
        self.network = menu("network", CONTROLS["network"], base.network)
        self.seeds = widgets.IntSlider(
            seeds, 1, MAX_SEEDS, description="seeds", continuous_update=False, **wide()
        )
        self.device = menu("device", devices, device)
        about = "train where nothing is recorded"
        self.auto = widgets.Checkbox(value=True, description=about, indent=False)

    def _make_buttons(self) -> None:
        self.train_button = widgets.Button(
            description="Train live", button_style="primary", icon="play"
        )
        self.curve_button = widgets.Button(description="Train all weights", icon="line-chart")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.more_button = widgets.ToggleButton(description="More", icon="caret-right")
        place = widgets.Layout(width="320px", flex="0 0 auto")
        self.bar = widgets.FloatProgress(value=0, min=0, max=1, layout=place)
        self.status, self.sentence = widgets.HTML(), widgets.HTML()

    def _make_pictures(self) -> None:
        self.curve, self.live = (Panels(cuts, display="none") for cuts in (CURVE_CUTS, LIVE_CUTS))
        about = {self.curve: CURVE, self.live: LIVE}
        self._captions = {image: caption(text, display="none") for image, text in about.items()}
        self.restore = widgets.HTML()

    def _ipython_display_(self) -> None:
        show_widgets(self.box, self.curve, CURVE, in_notebook=not self._as_page)

    def settings(self) -> dict[str, Any]:
        """The values of the controls."""
        return {name: getattr(self, name).value for name in CONTROLS}

    def tell_settings(self) -> None:
        """Say how these settings can be had again."""
        settings = self.settings()
        self.restore.value = (
            as_link(settings) if self._as_page else as_code(self._settled | settings)
        )

    def say(self, text: str) -> None:
        """What goes on."""
        self.status.value = html.escape(text)

    def show(self, answer: Answer) -> None:
        """A sentence and both pictures."""
        self.sentence.value = f"<b>{html.escape(answer.sentence)}</b>"
        self.show_picture(self.curve, answer.curve)
        self.show_picture(self.live, answer.live)

    def show_picture(self, image: Panels, png: bytes) -> None:
        """A picture, with its caption."""
        image.value = png
        image.layout.display = self._captions[image].layout.display = ""
