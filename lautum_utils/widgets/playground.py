"""Widgets: `Explorer`, sliders over any figure; `Prediction`, a guess before the answer;
`Playground`, where networks train.

The only module that imports ipywidgets. Training runs on a daemon thread that sets widget traits
and nothing else; figures are drawn on private Figures and shown as PNG images, so that no thread
shares state with pyplot. Where no widget can be shown (a notebook that is not trusted or does not
run, a printed page), its picture stands in.
"""

import base64
import gc
import html
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import ipywidgets as widgets
import torch
from IPython.display import display
from matplotlib.figure import Figure

from lautum_utils.data.domains import SHIFTS
from lautum_utils.results.sweeps import RECORD, read_record
from lautum_utils.training.networks import NETWORKS
from lautum_utils.training.run import Experiment, Progress, Result, resolve_device, run
from lautum_utils.widgets.plots import (
    Sketch,
    explored,
    history_curves,
    png_bytes,
    predicted,
    summarise,
    verdict,
    with_line,
)

# A full garbage collection looks at all that torch and its companions hold, a quarter of a second
# in the middle of a slider's answer: what is imported by now is left out of it.
gc.collect()
gc.freeze()

STRENGTHS = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
SEVERITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_SEEDS = 8
CONTROLS: dict[str, Sequence[Any]] = {  # what each can be
    "shift": ("label_part_swap", "none", *SHIFTS),
    "severity": SEVERITIES,
    "strength": STRENGTHS,
    "labels": (10, 20, 50, 100, 200, 400),
    "protocol": ("probe", "finetune"),
    "layer": ("features", "logits"),
    "network": tuple(NETWORKS),
    "seeds": range(1, MAX_SEEDS + 1),
    "device": ("auto", "cuda", "mps", "cpu"),
}
BASE = Experiment(shift="label_part_swap", severity=1.0, strength=1e-3, steps=100)
REDRAW_SECONDS = 1.5  # at least, and so rarely that drawing takes about a tenth of the time
STILL = "A still picture: run this cell to move the controls."
CURVE = (
    "Left: target test accuracy for each weight that is known, mean over seeds with its 95 % interval; weight 0 is standard"
    " transfer, the grey bar is the chosen weight. Right: by how many points the chosen weight beats weight 0, for each severity;"
    " above 0 it helps."
)
GUESS = "Your guess of the target test accuracy for each weight; after Reveal, the measured one with its 95 % interval."
LIVE = (
    "Stage 1, step by step: loss on the source; dependence between features and unlabelled target inputs, which the regularizer"
    " raises; how well the target can be read off the features, on validation data."
)


def _wide() -> dict[str, Any]:
    return {"style": {"description_width": "140px"}, "layout": widgets.Layout(width="330px")}


def _image(
    **layout: str,
) -> (
    widgets.Image
):  # a tooltip, or any other text of its own, keeps an Image from being shown at all
    return widgets.Image(
        format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%", **layout)
    )


def _caption(about: str, **layout: str) -> widgets.HTML:
    text = (
        f'<span style="line-height: 1.4; opacity: 0.8">{html.escape(about)}</span>' if about else ""
    )
    return widgets.HTML(
        text, layout=widgets.Layout(max_width="960px", margin="0 0 8px 0", **layout)
    )


def _display(box: widgets.Box, image: widgets.Image, about: str) -> None:
    """Show widgets, and to whoever cannot show widgets their picture."""
    bundle = box._repr_mimebundle_()
    if image.value:
        bundle["image/png"] = base64.b64encode(with_line(bytes(image.value), STILL)).decode()
    display(bundle, metadata={"image/png": {"alt": about}}, raw=True)


def _grid(controls: list[widgets.Widget]) -> widgets.Box:
    return widgets.Box(
        controls, layout=widgets.Layout(display="flex", flex_flow="row wrap", grid_gap="2px 12px")
    )


def _scale(description: str, values: Sequence[float], value: float) -> widgets.SelectionSlider:
    if value not in values:
        raise ValueError(
            f"{description} needs to be one of {', '.join(f'{v:g}' for v in values)}, got {value!r}."
        )
    options = [(f"{v:g}", v) for v in values]
    return widgets.SelectionSlider(
        options=options, value=value, description=description, continuous_update=False, **_wide()
    )


def _menu(description: str, options: Sequence[Any], value: Any) -> widgets.ToggleButtons:
    """Buttons: in JupyterLab the keys of a drop-down list are commands for its cells."""
    style, layout = (
        {"description_width": "140px", "button_width": "auto"},
        widgets.Layout(width="auto", max_width="960px"),
    )
    return widgets.ToggleButtons(
        options=list(options), value=value, description=description, style=style, layout=layout
    )


class Explorer:
    """Sliders over a figure: moving one draws `draw(**values)` again; display it by ending a cell
    with it.

    draw : a function with a default for each argument that returns a matplotlib Figure, or a
        `Sketch`, which is faster. Called without widgets, it is the static twin of the picture; the
        first lines of its docstring stand below it.
    **controls : what each argument of `draw` can be: (low, high, step) for a slider, a list of
        numbers for a slider over just these, a list of texts for buttons, True or False for a tick
        box. The argument's name becomes the label.
    ValueError: a control that `draw` does not take, an argument without a default, a default out of
    range.
    """

    def __init__(self, draw: Callable[..., Figure | Sketch], **controls: Any) -> None:
        parameters = inspect.signature(draw).parameters
        self.controls: dict[str, Any] = {}
        for name, allowed in controls.items():
            if name not in parameters or parameters[name].default is inspect.Parameter.empty:
                raise ValueError(
                    f"controls need to be arguments of draw with a default ({', '.join(parameters)}), got {name!r}."
                )
            control = _control(name.replace("_", " "), allowed, parameters[name].default)
            control.observe(self._redraw, names="value")
            self.controls[name] = control
        self.draw = draw
        self.about = " ".join((inspect.getdoc(draw) or "").split("\n\n")[0].split())
        self.image, self.caption = _image(), _caption(self.about)
        self.box = widgets.VBox([_grid(list(self.controls.values())), self.image, self.caption])
        self._redraw(None)

    def _redraw(self, change: object) -> None:
        try:
            figure = self.draw(**{name: control.value for name, control in self.controls.items()})
            self.image.value = (
                figure.png() if isinstance(figure, Sketch) else png_bytes(figure, compression=1)
            )
        except Exception as error:  # the picture of other values would be a wrong answer
            self.image.value = b""
            self.caption.value = f"<b>This cannot be drawn: {html.escape(str(error))}</b>"
            raise
        self.caption.value = _caption(self.about).value

    def _ipython_display_(self) -> None:
        _display(self.box, self.image, self.about or self.draw.__name__.replace("_", " "))


def _control(description: str, allowed: Any, default: Any) -> widgets.Widget:
    numbers_or_texts = (isinstance(allowed, list) and len(allowed) > 0) or (
        isinstance(allowed, tuple) and len(allowed) == 3
    )
    if not numbers_or_texts and not (isinstance(allowed, bool) and isinstance(default, bool)):
        wanted = "(low, high, step), a list of numbers or of texts, or True or False"
        raise ValueError(
            f"{description} needs {wanted}, got {allowed!r} with the default {default!r}."
        )
    if isinstance(allowed, list) and not isinstance(allowed[0], str):
        return _scale(description, allowed, default)
    if isinstance(allowed, list) and default in allowed:
        return _menu(description, allowed, default)
    control = widgets.interactive.widget_from_abbrev(
        default if isinstance(allowed, bool) else allowed, default
    )
    if control.value != default:
        raise ValueError(f"{description} needs a default within {allowed}, got {default!r}.")
    control.description = description
    control.set_trait("style", {"description_width": "140px"})
    control.layout.width = "330px"
    if control.has_trait("continuous_update"):
        control.continuous_update = False
    return control


class Prediction:
    """A guess before the answer: sliders for the accuracy at each weight, and Reveal, which lays
    the measured curve over it.

    results : of one experiment at several strengths and seeds. ValueError: fewer than two
    strengths.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.measured = summarise(results)
        if len(self.measured) < 2:
            raise ValueError(f"results need two strengths or more, got {len(self.measured)}.")
        self.sliders = {s: self._slider(s) for s in self.measured}
        self.reveal_button = widgets.Button(
            description="Reveal", button_style="primary", icon="eye"
        )
        self.reveal_button.on_click(lambda _: self.reveal())
        self.sentence = widgets.HTML()
        self.image, self._touched, self.revealed = _image(), False, False
        children = [
            _grid(list(self.sliders.values())),
            self.reveal_button,
            self.sentence,
            self.image,
            _caption(GUESS),
        ]
        self.box = widgets.VBox(children)
        self._draw()

    def _slider(self, strength: float) -> widgets.IntSlider:
        name = f"weight {strength:g} (%)"
        slider = widgets.IntSlider(50, 0, 100, description=name, continuous_update=False, **_wide())
        slider.observe(self._moved, names="value")
        return slider

    def _moved(self, change: object) -> None:
        self._touched = True
        self._draw()

    def reveal(self) -> None:
        """Show the measured curve and tell the difference, if there is a guess."""
        self.revealed = self._touched
        self._draw()

    def _draw(self) -> None:
        guess = {s: slider.value / 100 for s, slider in self.sliders.items()}
        self.image.value = predicted(guess, self.measured if self.revealed else {}).png()
        told = "Move the sliders to where you expect the accuracy, then press Reveal."
        if self.revealed:
            apart = {s: abs(point.mean - guess[s]) for s, point in self.measured.items()}
            worst, mean = max(apart, key=apart.__getitem__), 100 * sum(apart.values()) / len(apart)
            best, yours = (
                max(of, key=of.__getitem__)
                for of in ({s: p.mean for s, p in self.measured.items()}, guess)
            )
            said, came = f"{100 * guess[worst]:.0f} %", f"{100 * self.measured[worst].mean:.0f} %"
            told = f"Your guess is off by {mean:.0f} points on average, most at weight {worst:g}: {said}, measured {came}. "
            told += f"You put the best weight at {yours:g}; the best mean is at {best:g}."
        self.sentence.value = f"<b>{html.escape(told)}</b>"

    def _ipython_display_(self) -> None:
        _display(self.box, self.image, GUESS)


class Playground:
    """Widgets that train networks and show what they reach; display one by ending a cell with it.

    Parameters
    ----------
    controls : which of `CONTROLS` are shown; the others stay at their values.
    name : a playground with the same name as an earlier one replaces it, which ends the earlier
        one's training. (So re-running a cell leaves no thread behind.)
    record : the file of the recorded grid, which answers at once; Train live replaces its answer by
    a real run.
    as_page : on a page of its own, where the settings are kept in its address; in a notebook, as a
    line of code.
    **settings : initial values of the controls (`seeds` is how many), or of any other field of
        `Experiment`. A strength or number of labels that is not on its slider's scale raises
        ValueError; a severity is put there.
    """

    _named: ClassVar["weakref.WeakValueDictionary[str, Playground]"] = weakref.WeakValueDictionary()

    def __init__(
        self, controls: Sequence[str] = tuple(CONTROLS), name: str = "playground", record: Any = RECORD, as_page: bool = False,
        **settings: Any,
    ) -> None:  # fmt: skip
        unknown = [c for c in controls if c not in CONTROLS]
        if unknown:
            raise ValueError(
                f"controls need to be among {', '.join(CONTROLS)}, got {unknown[0]!r}."
            )
        seeds, device = settings.pop("seeds", 3), settings.pop("device", "auto")
        if not isinstance(seeds, int) or not 1 <= seeds <= MAX_SEEDS:
            raise ValueError(f"seeds needs to be from 1 to {MAX_SEEDS}, got {seeds!r}.")
        resolve_device(str(device))
        self._base, self._as_page = replace(BASE, **settings), as_page
        self.results: dict[Experiment, Result] = {}
        self.recorded, self._source = _recorded(record)
        self._lock = (
            threading.RLock()
        )  # of _stop; a training holds it while it shows something, so that it is still wanted
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._build(controls, seeds, device)
        self.box.observe(
            lambda _: self.stop(), names="comm"
        )  # closing the box closes its connection
        previous = Playground._named.get(name)
        if previous is not None:
            previous.close()
        Playground._named[name] = self
        self._say(f"Move a slider or press Train live. {self._source}")
        self._tell_settings()
        self._answer()

    def _build(self, controls: Sequence[str], seeds: object, device: object) -> None:
        base = self._base
        devices = [
            d
            for d, there in (
                ("cuda", torch.cuda.is_available()),
                ("mps", torch.backends.mps.is_available()),
            )
            if there
        ]
        self.shift = _menu(
            "shift", [(s.replace("_", " "), s) for s in CONTROLS["shift"]], base.shift
        )
        self.severity = _scale("severity", sorted({*SEVERITIES, base.severity}), base.severity)
        self.strength = _scale("regularization weight", STRENGTHS, base.strength)
        self.labels = _scale("labelled samples", CONTROLS["labels"], base.labels)
        self.protocol = _menu("protocol", CONTROLS["protocol"], base.protocol)
        self.layer = _menu("layer", CONTROLS["layer"], base.layer)
        self.network = _menu("network", CONTROLS["network"], base.network)
        self.seeds = widgets.IntSlider(
            value=seeds,
            min=1,
            max=MAX_SEEDS,
            description="seeds",
            continuous_update=False,
            **_wide(),
        )
        self.device = _menu("device", ["auto", *devices, "cpu"], device)
        self.auto = widgets.Checkbox(
            value=True, description="train where nothing is recorded", indent=False
        )
        self.train_button = widgets.Button(
            description="Train live", button_style="primary", icon="play"
        )
        self.curve_button = widgets.Button(description="Train all weights", icon="line-chart")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.bar = widgets.FloatProgress(
            value=0, min=0, max=1, layout=widgets.Layout(width="320px", flex="0 0 auto")
        )
        self.status = widgets.HTML()
        self.sentence = widgets.HTML()
        self.curve, self.live = _image(display="none"), _image(display="none")
        self._captions = {
            self.curve: _caption(CURVE, display="none"),
            self.live: _caption(LIVE, display="none"),
        }
        self.restore = widgets.HTML()
        shown = [getattr(self, c) for c in CONTROLS if c in controls]
        shown.sort(
            key=lambda control: isinstance(control, widgets.ToggleButtons)
        )  # sliders, then rows of buttons
        for control in CONTROLS:
            getattr(self, control).observe(self._control_moved, names="value")
        self.train_button.on_click(lambda _: self.train())
        self.curve_button.on_click(lambda _: self.train_curve())
        self.stop_button.on_click(lambda _: self.stop())
        buttons = widgets.HBox([self.train_button, self.curve_button, self.stop_button])
        progress = widgets.HBox([self.bar, self.status])
        pictures = [widget for pair in self._captions.items() for widget in pair]
        help_line = _caption(
            f"Does nothing answer? The kernel was restarted: {'load the page' if self._as_page else 'run this cell'} again."
        )
        self.box = widgets.VBox(
            [
                _grid(shown),
                self.auto,
                buttons,
                progress,
                self.sentence,
                *pictures,
                self.restore,
                help_line,
            ]
        )

    def _ipython_display_(self) -> None:
        _display(self.box, self.curve, CURVE)

    @classmethod
    def from_query(cls, query: str, **settings: Any) -> "Playground":
        """The playground of a link, such as "severity=0.4&strength=0.001"; what the link asks in
        vain is told in the status."""
        found, problems = {}, []
        for name, text in parse_qsl(query.removeprefix("?")):
            value = next(
                (
                    v
                    for v in CONTROLS.get(name, ())
                    if text in (str(v), f"{v:g}" if isinstance(v, float) else "")
                ),
                None,
            )
            if value is not None and (name != "device" or _is_there(value)):
                found[name] = value
            elif name in CONTROLS:
                problems.append(
                    f"The link wants {name} to be {text!r}; it can be {', '.join(map(str, CONTROLS[name]))}."
                )
        playground = cls(as_page=True, **found | settings)
        if problems:
            playground._say(" ".join([*problems, "What is shown is the default."]))
        return playground

    def settings(self) -> dict[str, Any]:
        """The values of the controls."""
        return {c: getattr(self, c).value for c in CONTROLS}

    def experiments(self, strengths: tuple[float, ...] | None = None) -> list[Experiment]:
        """What Train runs: the chosen weight and weight 0 (or `strengths`), with every seed."""
        chosen = {c: value for c, value in self.settings().items() if c not in ("seeds", "device")}
        if chosen["shift"] == "none":
            chosen["severity"] = 0.0
        wanted = dict.fromkeys((0.0, self.strength.value) if strengths is None else strengths)
        return [
            replace(self._base, **chosen | {"strength": s, "seed": i})
            for s in wanted
            for i in range(self.seeds.value)
        ]

    def train(self) -> None:
        """Train the chosen weight and weight 0, in the background; what has been trained before is
        not trained again."""
        self._start(self.experiments())

    def train_curve(self) -> None:
        """Train every weight on the slider's scale, in the background."""
        self._start(self.experiments(STRENGTHS))

    def stop(self) -> None:
        """Ask the training to stop; it does at its next step. What had finished stays."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the training has ended: for scripts and tests, not for callbacks."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def close(self) -> None:
        """End the training and remove the widgets."""
        self.box.close()

    def _control_moved(self, change: object) -> None:
        self.severity.disabled = self.shift.value == "none"
        self._tell_settings()
        if self._answer():
            return
        if self.auto.value:
            self.train()
        else:
            self._leave()
            self._say(
                "Nothing is recorded for these values: press Train live. What is shown is of the values before."
            )

    def _tell_settings(self) -> None:
        if self._as_page:
            query = html.escape(
                urlencode(
                    {c: f"{v:g}" if isinstance(v, float) else v for c, v in self.settings().items()}
                )
            )
            link = f'<a href="?{query}" style="text-decoration: underline">A link to these settings</a>'
            self.restore.value = f"{link}, to be kept or sent to others"
        else:
            moved = {
                c: v
                for c, v in self.settings().items()
                if c not in ("seeds", "device") and v != getattr(BASE, c)
            }
            moved |= {"seeds": self.seeds.value}
            call = ", ".join(f"{c}={v!r}" for c, v in moved.items())
            self.restore.value = f"These settings in a cell of your own: <code>Playground({html.escape(call)})</code>"

    def _leave(self) -> None:
        """What trains now would be an answer to an earlier question."""
        with self._lock:
            self._stop.set()
            self._stop = threading.Event()
        self.stop_button.disabled = True

    def _answer(self) -> bool:
        """Show what is known of the controls' values, trained here or recorded, without training;
        False if it is not enough."""
        experiments = self.experiments()
        if not all(self._known(e) for e in experiments):
            return False
        self._leave()
        self._show(*self._drawn(experiments))
        live = sum(e in self.results for e in experiments)
        some = f" ({live} of these {len(experiments)} networks trained here)" if live else ""
        self._say("trained here" if live == len(experiments) else f"recorded{some}. {self._source}")
        return True

    def _known(self, experiment: Experiment) -> Result | None:
        """Its result: trained here, or recorded (severity 0 of every shift but the label-part swap
        under shift "none")."""
        same = (
            replace(experiment, shift="none")
            if not experiment.severity and experiment.shift in SHIFTS
            else experiment
        )
        found = self.results.get(experiment) or self.recorded.get(same)
        return found and replace(found, experiment=experiment)

    def _start(self, experiments: list[Experiment]) -> None:
        with self._lock:
            self._stop.set()
            earlier, self._stop = self._thread, threading.Event()
            arguments = (experiments, self.device.value, self._stop, earlier)
            self._thread = threading.Thread(
                target=self._work, args=arguments, daemon=True, name="lautum-playground"
            )
            self._thread.start()

    def _work(
        self,
        experiments: list[Experiment],
        device: str,
        stop: threading.Event,
        earlier: threading.Thread | None,
    ) -> None:
        if earlier is not None:
            earlier.join()
        started, next_drawing = time.monotonic(), 0.0
        missing = [e for e in experiments if e not in self.results]
        with self._lock:
            if stop.is_set():
                return
            self.stop_button.disabled = False
            self.bar.value = 0
            self._say(f"preparing {len(missing)} networks" if missing else "already trained")

        def watch(progress: Progress) -> bool:
            nonlocal next_drawing
            now = time.monotonic()
            self.bar.value = progress.step / progress.total
            if not stop.is_set() and now > next_drawing and progress.histories[0].get("step"):
                pairs = [
                    (e.strength, h)
                    for e, h in zip(progress.experiments, progress.histories, strict=True)
                ]
                picture = history_curves(pairs, steps=self._base.steps).png()
                with self._lock:
                    if not stop.is_set():
                        self._say(
                            f"{progress.stage}: step {progress.step} of {progress.total}, {now - started:.0f} s"
                        )
                        self._show_picture(self.live, picture)
                next_drawing = time.monotonic() + REDRAW_SECONDS * max(
                    1.0, 6 * (time.monotonic() - now)
                )
            return stop.is_set()

        try:
            for result in run(missing, device, progress=False, callback=watch):
                self.results[result.experiment] = result
            drawn = (
                self._drawn(experiments)
                if all(e in self.results for e in experiments) and self._stop is stop
                else None
            )
            with self._lock:
                if self._stop is stop:
                    if drawn:
                        self._show(*drawn)
                        self.bar.value = 1
                    left = (
                        ""
                        if drawn or not self.curve.value
                        else ". What is shown is of the values before."
                    )
                    self._say(
                        f"{'done' if drawn else 'stopped'} after {time.monotonic() - started:.1f} s{left}"
                    )
        except Exception as error:
            with self._lock:
                if self._stop is stop:
                    self._say(f"could not train: {error}")
            raise
        finally:
            with self._lock:
                if self._stop is stop:
                    self.stop_button.disabled = True

    def _drawn(self, experiments: list[Experiment]) -> tuple[str, bytes, bytes]:
        """What is known of experiments: a sentence, and both pictures."""
        strength = (
            max(e.strength for e in experiments)
            if len({e.strength for e in experiments}) <= 2
            else self.strength.value
        )
        here = experiments[0]
        results = [found for e in experiments if (found := self._known(e))]
        points = product([v for _, v in self.severity.options], STRENGTHS, range(self.seeds.value))
        around = [replace(here, severity=v, strength=s, seed=i) for v, s, i in points]
        alike = [found for e in dict.fromkeys([*experiments, *around]) if (found := self._known(e))]
        ours = [r for r in results if r.experiment.strength == strength]
        control = [r for r in results if r.experiment.strength == 0]
        text = "Weight 0 is standard transfer: raise the weight to compare."
        if strength:
            text = verdict(ours, control, f"weight {strength:g}")
        curves = [(r.experiment.strength, r.history) for r in results]
        return (
            f"<b>{html.escape(text)}</b>",
            explored(alike, strength, here.severity).png(),
            history_curves(curves).png(),
        )

    def _show(self, sentence: str, curve: bytes, live: bytes) -> None:
        self.sentence.value = sentence
        self._show_picture(self.curve, curve)
        self._show_picture(self.live, live)

    def _show_picture(self, image: widgets.Image, png: bytes) -> None:
        image.value = png
        image.layout.display = self._captions[image].layout.display = ""

    def _say(self, text: str) -> None:
        self.status.value = html.escape(text)


def _is_there(device: str) -> bool:
    try:
        resolve_device(device)
    except ValueError:
        return False
    return True


_read_once = lru_cache(maxsize=4)(read_record)


def _recorded(path: Any) -> tuple[dict[Experiment, Result], str]:
    """What a record holds, and a sentence on where it comes from or why there is none."""
    try:
        results, versions = _read_once(path)
    except ValueError as error:
        return {}, f"No recorded grid, so everything is trained: {error}"
    return (
        results,
        f"Recorded grid: torch {versions['torch']}, {versions['machine']}; Train live runs it here.",
    )
