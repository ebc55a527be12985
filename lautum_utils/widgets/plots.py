"""Figures of results, as matplotlib Figure objects: no pyplot state, safe to draw from any thread.

A `Picture` is a Figure that a notebook shows, with its title as text alternative, where it is the
last value of a cell; `png_bytes` turns one into an image for a widget. Accuracies are in percent.
"""

import io
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import cycle
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from lautum_utils.data.domains import Domain
from lautum_utils.results.sweeps import Interval, interval, paired_difference
from lautum_utils.training.run import Result

# Okabe and Ito's colours, each with a marker and a dash of its own: no figure depends on colour
# alone.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    {"color": "#009E73", "marker": "^", "linestyle": "-."},
    {"color": "#CC79A7", "marker": "D", "linestyle": ":"},
    {"color": "#E69F00", "marker": "v", "linestyle": "-"},
    {"color": "#56B4E9", "marker": "P", "linestyle": "--"},
    {"color": "#000000", "marker": "X", "linestyle": "-."},
)
PERCENT = (-2, 104)  # an axis of accuracies, with room for a mark at either end


class Picture(Figure):
    """A Figure that shows itself as the last value of a cell, without pyplot; its titles are the
    text alternative."""

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        titles = (
            [self.get_suptitle()] if self.get_suptitle() else [ax.get_title() for ax in self.axes]
        )
        text = "Figure: " + "; ".join(title.replace("\n", " ") for title in titles if title)
        small = io.BytesIO()  # a third of the size in a saved notebook, by 256 colours of its own
        Image.open(io.BytesIO(png_bytes(self))).convert("RGB").quantize(256).save(
            small, "png", optimize=True
        )
        return {"image/png": small.getvalue(), "text/plain": text}, {"image/png": {"alt": text}}


def new_figure(
    width: float = 7,
    height: float = 3.6,
    columns: int = 1,
    layout: str = "constrained",
    **subplots: Any,
) -> tuple[Figure, list[Axes]]:
    """An empty figure of `columns` axes side by side, width and height in inches."""
    figure = Picture(figsize=(width, height), layout=layout)  # type: ignore[arg-type]
    axes = np.atleast_1d(figure.subplots(1, columns, **subplots)).ravel().tolist()
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
    return figure, axes


def png_bytes(figure: Figure, dpi: int = 96, compression: int = 6) -> bytes:
    """The figure as a PNG image; compression from 0 (at once) to 9 (small)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": compression})
    return buffer.getvalue()


def with_line(png: bytes, line: str) -> bytes:
    """A PNG image with a line of text below it, in 256 colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    canvas = Image.new("RGB", (image.width, image.height + 30), "white")
    canvas.paste(image)
    ImageDraw.Draw(canvas).text(
        (12, image.height + 6), line, fill="#333333", font=ImageFont.load_default(15)
    )
    buffer = io.BytesIO()
    canvas.quantize(256).save(buffer, "png", optimize=True)
    return buffer.getvalue()


class Sketch(NamedTuple):
    """A figure in two parts: `frame(*key)` makes the axes with their ticks and labels, `fill(axes)`
    draws the data."""

    frame: Callable[..., tuple[Figure, list[Axes]]]
    key: tuple[Any, ...]
    fill: Callable[[list[Axes]], None]
    title: str = ""  # of the figure; what changes from picture to picture belongs here or into fill

    def _repr_mimebundle_(self, **_: object) -> Any:
        picture = self.figure()
        assert isinstance(picture, Picture)
        return picture._repr_mimebundle_()

    def figure(self) -> Figure:
        figure, axes = self.frame(*self.key)
        self.fill(axes)
        if self.title:
            figure.suptitle(self.title, fontsize=11)
        return figure

    def png(self) -> bytes:
        """The figure as a PNG image. Drawn frames are kept, which makes the next picture with equal
        ticks much faster."""
        with _DRAWING:
            canvas, axes, background = _drawn(self.frame, self.key)
            canvas.restore_region(background)
            kept = [set(ax.get_children()) for ax in axes]
            self.fill(axes)
            for ax, frame in zip(axes, kept, strict=True):
                for artist in sorted(
                    (a for a in ax.get_children() if a not in frame), key=lambda a: a.zorder
                ):
                    ax.draw_artist(artist)
                    artist.remove()
                ax.containers.clear()
            if self.title:
                title = canvas.figure.text(
                    0.5, 0.98, self.title, ha="center", va="top", fontsize=11
                )
                canvas.figure.draw_artist(title)
                title.remove()
            buffer = io.BytesIO()
            Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(
                buffer, "png", compress_level=1
            )
        return buffer.getvalue()


_DRAWING = threading.Lock()


@lru_cache(maxsize=32)
def _drawn(
    frame: Callable[..., tuple[Figure, list[Axes]]], key: tuple[Any, ...]
) -> tuple[FigureCanvasAgg, list[Axes], Any]:
    figure, axes = frame(*key)
    figure.set_dpi(96)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas, axes, canvas.copy_from_bbox(figure.bbox)


def _limits(values: Sequence[float], step: float) -> tuple[float, float]:
    """Multiples of step around the values, so that pictures to be compared mostly have the same
    axis (and are drawn fast)."""
    low, high = min(values), max(values)
    return step * math.floor(low / step), step * max(
        math.ceil(high / step), math.floor(low / step) + 1
    )


def show_domains(domains: dict[str, Domain], n: int = 10, title: str = "") -> Figure:
    """A row of n images of each domain, each under its label."""
    height, width = next(iter(domains.values())).inputs.shape[-2:]
    figure = Picture(
        figsize=(0.8 * n + 1.6, (0.8 * height / width + 0.3) * len(domains) + 0.3),
        layout="constrained",
    )
    rows = figure.subplots(len(domains), n, squeeze=False)
    for axes, (name, domain) in zip(rows, domains.items(), strict=True):
        for ax, image, label in zip(axes, domain.inputs, domain.labels, strict=False):
            ax.imshow(image[0].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
            ax.set_title(domain.class_names[int(label)], fontsize=9, pad=2)
            ax.set_xticks([])
            ax.set_yticks([])
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    return figure


def accuracy_against_strength(
    groups: dict[str, Sequence[Result]], title: str = "", confidence: float = 0.95
) -> Figure:
    """Target test accuracy against strength (logarithmic, 0 at the left): mean and interval over
    seeds, a line a group."""
    figure, (ax,) = new_figure()
    points = {name: summarise(results, confidence) for name, results in groups.items()}
    _draw_accuracy(ax, points, _strength_axis(ax, [s for group in points.values() for s in group]))
    if any(groups):
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
    ax.set_title(fill(title, 66))
    return figure


def explored(results: Sequence[Result], strength: float, severity: float) -> Sketch:
    """What has been trained so far: accuracy against strength at one severity, and gain against
    severity at one strength.

    results: alike but for strength, severity and seed. The gain is the paired difference to
    strength 0, with interval.
    """
    groups: dict[tuple[float, float], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.experiment.severity, result.experiment.strength].append(result)
    points = summarise([r for (at, _), group in groups.items() if at == severity for r in group])
    gained = {}
    for at in sorted({at for at, _ in groups}):
        ours, control = groups.get((at, strength), []), groups.get((at, 0.0), [])
        if {r.experiment.seed for r in ours} & {r.experiment.seed for r in control}:
            gained[at] = paired_difference(ours, control)
    reach = [100 * (gain.mean - gain.low) if gain.n > 1 else 0 for gain in gained.values()]
    means = [100 * gain.mean for gain in gained.values()]
    places = strength_places(list(points))

    def draw(axes: list[Axes]) -> None:
        left, right = axes
        _draw_accuracy(left, {"": points}, places)
        left.axvline(places[strength], color="0.8", linewidth=6, zorder=0)
        right.errorbar(list(gained), means, reach, capsize=3, **(STYLES[1] | {"linestyle": "none"}))
        right.axvline(severity, color="0.8", linewidth=6, zorder=0)

    reached = [-20.0, 40.0, *np.subtract(means, reach), *np.add(means, reach)]
    return Sketch(_explored_frame, (tuple(places), PERCENT, _limits(reached, 20)), draw)


def _explored_frame(
    strengths: Sequence[float], *limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    margins = {
        "left": 0.06,
        "right": 0.99,
        "bottom": 0.15,
        "top": 0.97,
        "wspace": 0.2,
        "width_ratios": (3, 2),
    }
    figure, (left, right) = new_figure(10, 3.4, 2, layout="none", gridspec_kw=margins)
    places = _strength_axis(left, strengths).values()
    left.set_xlim(min(places, default=0) - 0.2, max(places, default=0) + 0.2)
    right.axhline(0, color="0.3", linewidth=1)
    right.set_xlim(-0.05, 1.05)
    right.set_xticks([0, 0.5, 1])
    right.set_xlabel("severity of the shift")
    right.set_ylabel("gain of the chosen weight (points)")
    for ax, limit in zip((left, right), limits, strict=True):
        ax.set_ylim(limit)
        ax.yaxis.set_major_locator(MaxNLocator(4))
    return figure, [left, right]


def _strength_axis(ax: Axes, strengths: Sequence[float]) -> dict[float, float]:
    places = strength_places(strengths)
    names = [
        f"{s:g}" if s == 0 or s >= 1e-3 else np.format_float_scientific(s, trim="-", exp_digits=1)
        for s in places
    ]
    ax.set_xticks(list(places.values()), names)
    ax.set_xlabel("regularization weight (0 = standard transfer)")
    ax.set_ylabel("target test accuracy (%)")
    return places


def _draw_accuracy(
    ax: Axes, groups: dict[str, dict[float, Interval]], places: dict[float, float]
) -> None:
    for (name, points), style in zip(groups.items(), cycle(STYLES), strict=False):
        mean, low, high = (
            100 * np.array([getattr(p, k) for p in points.values()])
            for k in ("mean", "low", "high")
        )
        reach = np.where(np.isfinite([mean - low, high - mean]), [mean - low, high - mean], 0)
        ax.errorbar(
            [places[s] for s in points], mean, reach, label=name, capsize=3, markersize=6, **style
        )


def predicted(guess: dict[float, float], measured: dict[float, Interval]) -> Sketch:
    """A guess of the accuracy (fractions) at each strength, and, unless it is empty, the measured
    one over it."""
    places = strength_places(list(guess))

    def draw(axes: list[Axes]) -> None:
        axes[0].plot(
            [places[s] for s in guess],
            [100 * v for v in guess.values()],
            label="your guess",
            **STYLES[1],
        )
        _draw_accuracy(axes[0], {"measured": measured} if measured else {}, places)
        axes[0].legend(frameon=False, loc="lower right")

    return Sketch(_predicted_frame, (tuple(places),), draw)


def _predicted_frame(strengths: Sequence[float]) -> tuple[Figure, list[Axes]]:
    margins = {"left": 0.09, "right": 0.99, "bottom": 0.15, "top": 0.97}
    figure, axes = new_figure(7, 3.4, layout="none", gridspec_kw=margins)
    places = _strength_axis(axes[0], strengths).values()
    axes[0].set_xlim(min(places) - 0.2, max(places) + 0.2)
    axes[0].set_ylim(PERCENT)
    return figure, axes


def gains(
    intervals: dict[str, Interval],
    title: str = "",
    unit: str = "gain over weight 0 (points of test accuracy)",
) -> Figure:
    """A dot and its interval for each named paired difference, given as fractions and drawn in
    points."""
    figure, (ax,) = new_figure(7, 0.5 * len(intervals) + 1.2)
    for row, (point, style) in enumerate(zip(intervals.values(), cycle(STYLES), strict=False)):
        reach = 100 * (point.mean - point.low) if point.n > 1 else 0
        ax.errorbar(
            [100 * point.mean], [-row], xerr=[reach], capsize=4, **(style | {"linestyle": "none"})
        )
    ax.set_yticks([-row for row in range(len(intervals))], list(intervals))
    ax.set_ylim(0.5 - len(intervals), 0.5)
    ax.axvline(0, color="0.3", linewidth=1)
    ax.set_xlabel(unit)
    figure.suptitle(fill(title, 66))
    return figure


def training_curves(results: Sequence[Result], title: str = "") -> Figure:
    """Loss, dependence and target accuracy during pre-training: a line a strength, the mean over
    its seeds."""
    return history_curves([(r.experiment.strength, r.history) for r in results], title).figure()


def history_curves(
    histories: Sequence[tuple[float, dict[str, list[float]]]], title: str = "", steps: int = 0
) -> Sketch:
    """As `training_curves`, from (strength, history) pairs that may still be growing, up to
    `steps`."""
    by_strength: dict[float, list[dict[str, list[float]]]] = defaultdict(list)
    for strength, history in sorted(histories, key=lambda pair: pair[0]):
        by_strength[strength].append(history)

    def mean(group: list[dict[str, list[float]]], key: str) -> tuple[list[float], Any]:
        n = min(len(h[key]) for h in group)
        return group[0]["step"][:n], np.mean([h[key][:n] for h in group], 0) * (
            100 if key == "target_accuracy" else 1
        )

    curves = [
        [mean(group, key) for group in by_strength.values()]
        for key in ("loss", "dependence", "target_accuracy")
    ]

    def draw(axes: list[Axes]) -> None:
        for ax, lines in zip(axes, curves, strict=True):
            for strength, (x, y), style in zip(by_strength, lines, cycle(STYLES), strict=False):
                ax.plot(x, y, label=f"weight {strength:g}", markersize=3, **style)
        if by_strength:
            axes[0].legend(frameon=False, fontsize=8)

    loss, dependence = ([float(value) for _, y in lines for value in y] for lines in curves[:2])
    last = max([steps or 1, *(x[-1] for x, _ in curves[0] if x)])
    decades = _limits([1.0, 4.0, *(math.log10(value) for value in dependence if value > 0)], 1)
    limits = last, _limits([0.0, 2.5, *loss], 0.5), (10 ** decades[0], 10 ** decades[1]), PERCENT
    return Sketch(_history_frame, (title, *limits), draw)


def _history_frame(
    title: str, steps: float, *limits: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    # Fixed margins in place of a layout engine: drawn every second while training, that halves the
    # time.
    margins = {
        "left": 0.05,
        "right": 0.99,
        "bottom": 0.16,
        "top": 0.8 if title else 0.9,
        "wspace": 0.2,
    }
    figure, axes = new_figure(10, 3, 3, layout="none", gridspec_kw=margins)
    labels = (
        "source cross-entropy (nats)",
        "dependence of features and inputs (nats)",
        "target validation accuracy (%)",
    )
    for ax, label, limit in zip(axes, labels, limits, strict=True):
        ax.set_xlabel("pre-training step")
        ax.set_title(label, fontsize=10, y=1.0)
        ax.set_xlim(0, steps * 1.03)
        ax.set_ylim(limit)
        ax.xaxis.set_major_locator(MaxNLocator(4))
    axes[0].yaxis.set_major_locator(MaxNLocator(4))
    axes[1].set_yscale("log", nonpositive="clip")
    axes[1].minorticks_off()
    figure.suptitle(title)
    return figure, axes


def strength_places(strengths: Sequence[float]) -> dict[float, float]:
    """Where each strength goes on a logarithmic axis that also has room for 0, a decade left of the
    smallest."""
    positive = [s for s in strengths if s > 0]
    left = np.log10(min(positive)) - 1 if positive else 0.0
    return {s: float(np.log10(s)) if s > 0 else float(left) for s in sorted(strengths)}


def summarise(results: Sequence[Result], confidence: float = 0.95) -> dict[float, Interval]:
    """Test accuracy by strength: mean and interval over seeds."""
    accuracies: dict[float, list[float]] = defaultdict(list)
    for result in results:
        accuracies[result.experiment.strength].append(result.test_accuracy)
    return {
        strength: interval(values, confidence) for strength, values in sorted(accuracies.items())
    }


def verdict(results: Sequence[Result], control: Sequence[Result], name: str = "this weight") -> str:
    """One sentence: is the difference to the control distinguishable from none, in points of test
    accuracy?"""
    d = paired_difference(results, control)
    if d.n == 1:
        return f"{name}: {100 * d.mean:+.1f} points against weight 0 on one seed; train more seeds for an interval."
    span = f"95 % interval {100 * d.low:+.1f} to {100 * d.high:+.1f}, {d.n} seeds"
    distinguished = (
        f"distinguishably {'better' if d.low > 0 else 'worse'} than"
        if d.low > 0 or d.high < 0
        else ""
    )
    return f"{name} is {distinguished or 'not distinguishable from'} weight 0: {100 * d.mean:+.1f} points ({span})."
