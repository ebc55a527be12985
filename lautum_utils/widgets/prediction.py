"""`Prediction`: a guess before the answer."""

import html
from collections.abc import Mapping, Sequence

import ipywidgets as widgets

from lautum_utils.results.statistics import summarise
from lautum_utils.training.outcomes import Result
from lautum_utils.widgets.controls import (
    answer_without_pauses,
    caption,
    grid,
    picture,
    show_widgets,
    wide,
)
from lautum_utils.widgets.plots import predicted

GUESS = (
    "Your guess of the target test accuracy for each weight; after Reveal, the measured one with"
    " its 95 % interval."
)
ASKED = "Move the sliders to where you expect the accuracy, then press Reveal."


class Prediction:
    """A guess before the answer: sliders for the accuracy at each weight, and Reveal, which lays
    the measured curve over it.

    results: of one experiment at several strengths and seeds. ValueError: fewer than two strengths.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        answer_without_pauses()
        self.measured = summarise(results)
        if len(self.measured) < 2:
            raise ValueError(f"results need two strengths or more, got {len(self.measured)}.")
        self.sliders = {s: self._slider(s) for s in self.measured}
        self.reveal_button = widgets.Button(
            description="Reveal", button_style="primary", icon="eye"
        )
        self.reveal_button.on_click(lambda _: self.reveal())
        self.sentence, self.image = widgets.HTML(), picture()
        self._touched = self.revealed = False
        sliders = grid(list(self.sliders.values()))
        children = [sliders, self.reveal_button, self.sentence, self.image, caption(GUESS)]
        self.box = widgets.VBox(children)
        self._draw()

    def _slider(self, strength: float) -> widgets.IntSlider:
        name = f"weight {strength:g} (%)"
        slider = widgets.IntSlider(50, 0, 100, description=name, continuous_update=False, **wide())
        slider.observe(self._guessed, names="value")
        return slider

    def _guessed(self, change: object) -> None:
        self._touched = True
        self._draw()

    def reveal(self) -> None:
        """Show the measured curve and tell the difference, if there is a guess."""
        self.revealed = self._touched
        self._draw()

    def _draw(self) -> None:
        guess = {s: slider.value / 100 for s, slider in self.sliders.items()}
        self.image.value = predicted(guess, self.measured if self.revealed else {}).png()
        told = self._compared(guess) if self.revealed else ASKED
        self.sentence.value = f"<b>{html.escape(told)}</b>"

    def _compared(self, guess: Mapping[float, float]) -> str:
        measured = {s: point.mean for s, point in self.measured.items()}
        errors = {s: abs(mean - guess[s]) for s, mean in measured.items()}
        worst, average = max(errors, key=errors.__getitem__), sum(errors.values()) / len(errors)
        best, yours = (max(of, key=of.__getitem__) for of in (measured, guess))
        return (
            f"Your guess is off by {100 * average:.0f} points on average, most at weight {worst:g}:"
            f" {100 * guess[worst]:.0f} %, measured {100 * measured[worst]:.0f} %."
            f" You put the best weight at {yours:g}; the best mean is at {best:g}."
        )

    def _ipython_display_(self) -> None:
        show_widgets(self.box, self.image, GUESS)
