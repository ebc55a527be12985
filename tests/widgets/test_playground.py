"""The playground without a kernel: setting a value or clicking a button fires the callbacks, and
real networks train."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from waiting import GUARD, until

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import read_record, write_record
from lautum_utils.training.experiments import Experiment, Progress, Result
from lautum_utils.training.networks import LargeCNN
from lautum_utils.training.run import run_each
from lautum_utils.widgets import plots
from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import BASE, CONTROLS, SEVERITIES, STRENGTHS
from lautum_utils.widgets.playground_view import CURVE, LIVE
from lautum_utils.widgets.prediction import Prediction
from notebooks.tools.record import LABELS, PROTOCOLS, SEEDS, grid

PNG = b"\x89PNG\r\n\x1a\n"
# No recorded grid (an empty name is no file's): what moves trains.
FAST: dict[str, Any] = {"steps": 4, "finetune_steps": 3, "seeds": 1, "record": ""}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger network with fewer channels: as many layers, a hundredth of the time."""
    monkeypatch.setattr(LargeCNN, "widths", (8, 8, 8, 8, 16, 16, 32))


def trained(**settings: Any) -> Playground:
    playground = Playground(**(FAST | settings))
    playground.train_button.click()
    finish(playground)
    return playground


def trains(playground: Playground) -> bool:
    return playground.training.thread is not None and playground.training.thread.is_alive()


def finish(playground: Playground) -> None:
    """Wait until it trains no more."""
    playground.wait(GUARD)
    assert not trains(playground), f"it still trains after {GUARD} s"


class Steps:
    """Stands in for `run_each`: real networks train, but no more steps than they are given."""

    def __init__(self) -> None:
        self.asked: list[list[Experiment]] = []
        self.taken = 0
        self._left = 0.0
        self._given = threading.Condition()

    def give(self, steps: float) -> None:
        with self._given:
            self._left = steps
            self._given.notify_all()

    def follow(self, playground: Playground, steps: int) -> None:
        """Wait until so many are taken, or the training has ended; two more may be taken beside
        whatever comes next."""
        wanted = self.taken + steps
        self.give(steps + 2)
        until(lambda: self.taken >= wanted or not trains(playground), "it has gone on")

    def __call__(
        self,
        experiments: list[Experiment],
        *arguments: Any,
        callback: Callable[[Progress], object],
        **options: Any,
    ) -> list[Result]:
        self.asked.append(experiments)

        def watched(progress: Progress) -> bool:
            self.taken += 1
            if callback(progress):
                return True
            with self._given:
                assert self._given.wait_for(lambda: self._left > 0, GUARD)
                self._left -= 1
            return False

        return run_each(experiments, *arguments, callback=watched, **options)


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """A training waits after its first step, until it is given more."""
    steps = Steps()
    monkeypatch.setattr("lautum_utils.widgets.playground_training.run_each", steps)
    yield steps
    steps.give(float("inf"))


def extremes(control: Any) -> list[Any]:
    """Minimum, default and maximum."""
    if isinstance(control, widgets.IntSlider):
        return [control.min, control.value, control.max]
    values = [value for _, value in control._options_full]
    return [values[0], control.value, values[-1]]


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_at_minimum_default_and_maximum_trains(name: str) -> None:
    playground = Playground(**FAST)
    control = getattr(playground, name)
    for value in extremes(control):
        playground.sentence.value = ""
        if control.value == value:
            playground.train_button.click()
        else:
            control.value = value
        finish(playground)
        known = name == "device" and value != "auto"  # the same networks as before
        assert playground.status.value.startswith("trained here" if known else "done after")
        assert "weight" in playground.sentence.value.lower()
        assert bytes(playground.curve.value).startswith(PNG)
        assert bytes(playground.live.value).startswith(PNG)
        chosen = {e for e in playground.experiments() if e in playground.results}
        assert chosen == set(playground.experiments())
        if name not in ("seeds", "device") and not (
            name == "severity" and playground.shift.value == "none"
        ):
            assert all(getattr(e, name) in (value, 0.0) for e in chosen)


def test_train_gives_weight_zero_and_the_chosen_weight_with_each_seed() -> None:
    playground = trained(seeds=2, strength=1e-3)
    assert {(e.strength, e.seed) for e in playground.results} == {
        (0.0, 0),
        (0.0, 1),
        (1e-3, 0),
        (1e-3, 1),
    }
    assert playground.bar.value == 1
    assert "2 seeds" in playground.sentence.value
    assert playground.stop_button.disabled


def test_what_was_trained_is_kept_and_not_trained_again() -> None:
    playground = trained()
    before = dict(playground.results)
    picture = bytes(playground.curve.value)
    playground.severity.value = 0.4
    finish(playground)
    assert bytes(playground.curve.value) != picture
    assert len(playground.results) == 4
    thread = playground.training.thread
    playground.severity.value = 1.0
    assert playground.status.value == "trained here"
    assert playground.training.thread is thread, "nothing was started"
    assert {e: playground.results[e] for e in before} == before
    assert len(playground.results) == 4


def test_all_weights_button_trains_the_whole_scale() -> None:
    playground = Playground(**FAST)
    playground.curve_button.click()
    finish(playground)
    assert {e.strength for e in playground.results} == set(STRENGTHS)


def test_controls_do_not_train_when_told_not_to() -> None:
    playground = Playground(**FAST)
    playground.auto.value = False
    playground.severity.value = 0.4
    finish(playground)
    assert not playground.results
    assert playground.training.thread is None


def test_first_progress_comes_at_once_and_stop_ends_the_training_at_its_next_step(
    steps: Steps,
) -> None:
    playground = Playground(**FAST)
    playground.train_button.click()
    until(lambda: playground.bar.value > 0, "it has taken a step")
    assert steps.taken == 1
    assert not playground.stop_button.disabled
    playground.stop_button.click()
    steps.give(float("inf"))
    finish(playground)
    assert steps.taken == 2
    assert "stopped" in playground.status.value
    assert playground.stop_button.disabled
    assert not playground.results


def test_clicking_never_blocks_and_a_new_choice_replaces_the_running_one(steps: Steps) -> None:
    playground = Playground(**FAST)
    playground.train_button.click()
    until(lambda: steps.taken, "it trains")
    first = playground.training.thread
    playground.severity.value = 0.4
    playground.severity.value = 0.2
    assert first in threading.enumerate(), "nothing has waited for its end"
    steps.give(1)
    until(lambda: len(steps.asked) == 2, "the last choice trains")
    playground.stop()
    steps.give(float("inf"))
    finish(playground)
    assert [{e.severity for e in asked} for asked in steps.asked] == [{1.0}, {0.2}]
    assert not playground.results
    assert not [t for t in threading.enumerate() if t.name == "lautum-playground"]


def test_closing_and_making_it_again_end_the_thread(steps: Steps) -> None:
    first, other = Playground(name="again", **FAST), Playground(name="other", **FAST)
    for playground, end in (
        (first, lambda: Playground(name="again", **FAST)),
        (other, other.box.close),
    ):
        steps.give(0)
        before = steps.taken
        playground.train_button.click()
        until(lambda before=before: steps.taken > before, "it trains")
        end()
        steps.give(float("inf"))
        finish(playground)
        assert steps.taken == before + 2
        assert not playground.results


def test_an_error_is_shown_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no memory <left>")

    monkeypatch.setattr("lautum_utils.widgets.playground_training.run_each", broken)
    playground = Playground(**FAST)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    playground.train_button.click()
    finish(playground)
    assert "could not train: no memory &lt;left&gt;" in playground.status.value
    assert playground.stop_button.disabled


def test_the_live_figure_is_drawn_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lautum_utils.widgets.playground_training.REDRAW_SECONDS", 0.0)
    seen: list[bytes] = []
    playground = Playground(steps=8, seeds=1, record="")
    playground.live.observe(lambda change: seen.append(bytes(change["new"])), "value")
    playground.train_button.click()
    finish(playground)
    assert len(set(seen)) > 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"controls": ("strength", "colour")}, "colour"),
        ({"severity": 1.33}, "1.33"),
        ({"strength": 0.5}, "0.5"),
        ({"labels": 77}, "77"),
        ({"shift": "mirror"}, "mirror"),
        ({"strength": -1.0}, "-1.0"),
        ({"device": "tpu"}, "tpu"),
        ({"seeds": 9}, "9"),
    ],
)
def test_bad_settings_are_refused_with_the_value(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Playground(**settings)


def test_a_severity_of_its_own_is_put_on_the_slider() -> None:
    playground = Playground(severity=0.33, record="")
    assert [value for _, value in playground.severity._options_full] == [
        0.0,
        0.2,
        0.33,
        0.4,
        0.6,
        0.8,
        1.0,
    ]
    assert {e.severity for e in playground.experiments()} == {0.33}


# The recorded grid


@pytest.fixture(name="_no_training")
def _without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record alone has to answer."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a network was trained")

    monkeypatch.setattr("lautum_utils.widgets.playground_training.run_each", never)


def answered(playground: Playground) -> str:
    """What it says, after a check that it shows everything and started nothing."""
    assert playground.training.thread is None
    assert "lautum-playground" not in {thread.name for thread in threading.enumerate()}
    assert not playground.results
    assert playground.stop_button.disabled
    for image in (playground.curve, playground.live):
        assert bytes(image.value).startswith(PNG)
        assert image.layout.display == ""
    return str(playground.status.value)


@pytest.mark.usefixtures("_no_training")
def test_the_record_answers_as_soon_as_the_playground_is_there() -> None:
    _, versions = read_record()
    said = answered(Playground())
    assert said.startswith(
        f"recorded. Recorded grid: torch {versions['torch']}, {versions['machine']}"
    )
    assert "Train live" in said


RECORDED: dict[str, tuple[Any, ...]] = {
    "shift": ("label_part_swap", "none", *SHIFTS),
    "severity": SEVERITIES,
    "strength": STRENGTHS,
    "labels": LABELS,
    "protocol": PROTOCOLS,
    "seeds": tuple(n + 1 for n in SEEDS),
    "device": ("auto", "cpu"),
}


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize("name", RECORDED)
def test_every_control_is_answered_from_the_record_at_each_recorded_position(name: str) -> None:
    playground = Playground(shift="blur" if name == "severity" else BASE.shift)
    control = getattr(playground, name)
    pictures = set()
    for value in (*RECORDED[name], RECORDED[name][0]):
        playground.status.value = playground.sentence.value = ""
        playground.curve.value = b""
        if control.value == value:
            assert playground._answer()
        control.value = value
        assert answered(playground).startswith("recorded. Recorded grid:")
        assert "weight" in playground.sentence.value.lower()
        pictures.add(bytes(playground.curve.value))
    assert len(pictures) == (1 if name == "device" else len(RECORDED[name])), (
        "each position has an answer of its own"
    )


def test_the_record_holds_every_combination_of_its_positions() -> None:
    playground = Playground()
    shifts, severities, strengths, labels, protocols = (
        RECORDED[name] for name in RECORDED if name not in ("seeds", "device")
    )
    for shift, severity, strength, n, protocol, seed in product(
        shifts, severities, strengths, labels, protocols, SEEDS
    ):
        here = replace(
            BASE,
            shift=shift,
            severity=severity if shift != "none" else 0.0,
            labels=n,
            protocol=protocol,
        )
        wanted = replace(here, strength=strength, seed=seed)
        found = playground.known.find(wanted)
        assert found is not None, wanted
        assert found.experiment == wanted


@pytest.mark.usefixtures("_no_training")
def test_severity_0_is_answered_by_no_shift_but_for_the_label_part_swap() -> None:
    recorded, _ = read_record()
    playground = Playground(severity=0.0)
    for shift in ("blur", "label_part_swap"):
        playground.shift.value = shift
        here = playground.experiments()[0]
        stored = recorded[replace(here, shift="none" if shift in SHIFTS else shift)]
        found = playground.known.find(here)
        assert found is not None
        assert (found.test_accuracy, found.history) == (stored.test_accuracy, stored.history)


def made_up(path: Path, strengths: tuple[float, ...] = (0.0, 1e-3, 1e-2)) -> Path:
    """A record of the networks of a FAST playground with one seed, with accuracies that no training
    gives."""
    settings = {name: value for name, value in FAST.items() if name not in ("record", "seeds")}
    history = {name: [1.0, 2.0] for name in ("step", "loss", "dependence", "target_accuracy")}
    experiments = [replace(BASE, strength=strength, **settings) for strength in strengths]
    write_record(
        [Result(e, 0.12345 + 10 * e.strength, 0.5, 0.9, 1.0, history) for e in experiments], path
    )
    return path


def test_train_live_puts_a_real_run_in_the_place_of_the_record_and_says_so(tmp_path: Path) -> None:
    playground = Playground(**FAST | {"record": made_up(tmp_path / "record.gz")})
    assert answered(playground).startswith("recorded. ")
    assert "+1.0 points" in playground.sentence.value
    recorded = bytes(playground.curve.value)
    experiments = playground.experiments()
    playground.train_button.click()
    finish(playground)
    assert playground.status.value.startswith("done after")
    assert set(playground.results) == set(experiments)
    assert all(
        playground.results[e].test_accuracy != playground.known.recorded[e].test_accuracy
        for e in experiments
    )
    assert (
        playground.known.find(experiments[0]).test_accuracy
        == playground.results[experiments[0]].test_accuracy
    )  # type: ignore[union-attr]
    assert bytes(playground.curve.value) != recorded
    assert "+1.0 points" not in playground.sentence.value
    playground.strength.value = 1e-2  # weight 0 was trained here, this weight was not
    assert playground.status.value.startswith(
        "recorded (1 of these 2 networks trained here). Recorded grid:"
    )
    playground.strength.value = 1e-3
    assert playground.status.value == "trained here"


@pytest.mark.parametrize("content", [None, b"no gzip"])
def test_a_missing_or_damaged_record_is_said_and_everything_trains(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "away.json.gz"
    if content is not None:
        path.write_bytes(content)
    playground = Playground(**FAST | {"record": path})
    assert "No recorded grid, so everything is trained: " in playground.status.value
    assert "away.json.gz" in playground.status.value
    assert not playground.known.recorded
    assert playground.curve.layout.display == "none"
    playground.severity.value = 0.4
    finish(playground)
    assert playground.status.value.startswith("done after")
    assert len(playground.results) == 2


def test_a_record_written_since_is_read(tmp_path: Path) -> None:
    path = tmp_path / "record.gz"
    assert "No recorded grid" in Playground(**FAST | {"record": path}).status.value
    made_up(path)
    assert answered(Playground(**FAST | {"record": path})).startswith("recorded. ")


@pytest.mark.parametrize("auto", [True, False])
def test_where_nothing_is_recorded_it_trains_if_the_box_is_ticked(
    auto: bool, tmp_path: Path
) -> None:
    playground = Playground(**FAST | {"record": made_up(tmp_path / "record.gz")})
    playground.auto.value = auto
    playground.labels.value = 10
    finish(playground)
    if auto:
        assert playground.status.value.startswith("done after")
        assert {e.labels for e in playground.results} == {10}
    else:
        assert "recorded grid:" not in playground.status.value.lower(), (
            "what it shows is of another position"
        )
        assert "nothing" in playground.status.value.lower()
        assert playground.training.thread is None
        assert not playground.results
    playground.labels.value = BASE.labels
    assert playground.status.value.startswith("recorded. ")


def shown(playground: Playground) -> tuple[str, str, bytes, bytes]:
    return (
        playground.status.value,
        playground.sentence.value,
        bytes(playground.curve.value),
        bytes(playground.live.value),
    )


def test_an_answer_from_the_record_is_not_overwritten_by_what_trained_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, go_on = threading.Event(), threading.Event()

    def held(
        experiments: list[Experiment],
        *_: object,
        callback: Callable[[Progress], bool],
        **__: object,
    ) -> list[Result]:
        running.set()
        assert go_on.wait(GUARD)
        history = {name: [1.0] for name in ("step", "loss", "dependence", "target_accuracy")}
        assert callback(Progress("stage one", 1, 2, experiments, [history] * len(experiments)))
        return []

    monkeypatch.setattr("lautum_utils.widgets.playground_training.run_each", held)
    playground = Playground(**FAST | {"record": made_up(tmp_path / "record.gz")})
    playground.labels.value = 10
    assert running.wait(GUARD)
    playground.labels.value = BASE.labels
    answer = shown(playground)
    assert answer[0].startswith("recorded. ")
    go_on.set()
    finish(playground)
    assert shown(playground) == answer
    assert playground.stop_button.disabled


@pytest.mark.parametrize("picture", ["explored", "history_curves"])
def test_a_picture_that_was_being_drawn_when_the_controls_moved_on_is_not_shown(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, go_on = threading.Event(), threading.Event()
    draw = getattr(plots, picture)

    def held(*arguments: Any, **options: Any) -> plots.Sketch:
        if threading.current_thread().name == "lautum-playground":
            drawing.set()
            assert go_on.wait(GUARD)
        return draw(*arguments, **options)

    playground = Playground(**FAST | {"record": made_up(tmp_path / "record.gz")})
    monkeypatch.setattr(f"lautum_utils.widgets.playground.{picture}", held)
    playground.labels.value = 10
    assert drawing.wait(GUARD)
    playground.labels.value = BASE.labels
    answer = shown(playground)
    assert answer[0].startswith("recorded. ")
    go_on.set()
    finish(playground)
    assert shown(playground) == answer
    assert playground.stop_button.disabled


def test_the_grid_of_the_record_is_what_the_sliders_reach() -> None:
    experiments = grid()
    assert len(set(experiments)) == len(experiments)
    assert {e.strength for e in experiments} == set(STRENGTHS)
    assert {e.severity for e in experiments} == set(SEVERITIES)
    assert set(read_record()[0]) == set(experiments)


def test_200_moves_while_it_trains_leave_no_error_no_thread_and_no_stale_figure(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    playground = Playground(**FAST)
    moves, training = random.Random(0), 0
    for _ in range(200):
        control = getattr(playground, moves.choice([*CONTROLS, "auto"]))
        training += trains(playground)
        values = (
            [False, True]
            if control is playground.auto
            else extremes(control)
            if hasattr(control, "min")
            else control._options_full
        )
        value = moves.choice(values)
        control.value = value[1] if isinstance(value, tuple) else value
        steps.follow(playground, moves.choice([0, 0, 2, 10]))
        if moves.random() < 0.1:
            moves.choice(
                [playground.train_button, playground.curve_button, playground.stop_button]
            ).click()
    assert training > 100, "most moves come while networks train"
    steps.give(float("inf"))
    playground.auto.value, playground.network.value = False, "mlp"
    playground.train_button.click()
    finish(playground)
    assert not raised
    assert playground.training.thread is not None
    assert not playground.training.thread.is_alive()
    assert not [t for t in threading.enumerate() if t.name == "lautum-playground"]
    assert playground.status.value.startswith("done after")
    assert playground.stop_button.disabled
    last = shown(playground)[1:]
    playground.curve.value = playground.live.value = b""
    assert playground._answer(), "all that is asked for is known"
    assert shown(playground)[1:] == last


def test_a_link_restores_every_setting_and_says_what_it_cannot() -> None:
    playground = Playground.from_query("", **FAST)
    playground.auto.value = False
    for name in CONTROLS:
        getattr(playground, name).value = extremes(getattr(playground, name))[-1]
    link = playground.restore.value.split('"')[1].replace("&amp;", "&")
    assert link.startswith("?")
    again = Playground.from_query(link, **{k: v for k, v in FAST.items() if k != "seeds"})
    assert again.settings() == playground.settings()
    strange = Playground.from_query(
        "severity=0.4&strength=5&labels=<b>&device=cuda&utm=1", record=""
    )
    assert strange.settings() == Playground(severity=0.4, record="").settings()
    for said in (
        "The link wants strength to be &#x27;5&#x27;; it can be 0.0, 1e-05",
        "&#x27;&lt;b&gt;&#x27;",
        "default",
    ):
        assert said in strange.status.value
    assert "utm" not in strange.status.value


def test_in_a_notebook_the_settings_are_a_line_of_code() -> None:
    playground = Playground(**FAST)
    playground.auto.value = False
    playground.severity.value, playground.shift.value = 0.4, "blur"
    code = (
        playground.restore.value.split("<code>")[1].removesuffix("</code>").replace("&#x27;", "'")
    )
    assert eval(code, {"Playground": lambda **given: given}) == {
        "shift": "blur",
        "severity": 0.4,
        "seeds": 1,
    }


def test_two_playgrounds_train_at_once_and_do_not_mix() -> None:
    one, other = (
        Playground(name="one", **FAST),
        Playground(name="other", **FAST | {"severity": 0.4}),
    )
    one.train_button.click()
    other.train_button.click()
    for playground, severity in ((one, 1.0), (other, 0.4)):
        finish(playground)
        assert playground.status.value.startswith("done after")
        assert {e.severity for e in playground.results} == {severity}
    assert one.curve.value != other.curve.value


def test_what_one_is_looking_at_stands_below_each_picture_as_soon_as_there_is_one() -> None:
    playground = Playground(**FAST)
    children = list(playground.box.children)
    for image, about in ((playground.curve, CURVE), (playground.live, LIVE)):
        caption = children[children.index(image) + 1]
        assert about in caption.value
        assert caption.layout.display == image.layout.display == "none"
    playground.train_button.click()
    finish(playground)
    assert {child.layout.display for child in children[children.index(playground.curve) :]} <= {
        "",
        None,
    }


def guessed() -> Prediction:
    experiments = [Experiment(strength=s, seed=i) for s in (0.0, 1e-3, 1e-2) for i in range(2)]
    history = {"step": [0.0]}
    return Prediction(
        [
            Result(e, 0.2 + 30 * e.strength + 0.01 * e.seed, 0.5, 0.5, 1.0, history)
            for e in experiments
        ]
    )


def test_a_prediction_is_wanted_before_the_answer_is_shown() -> None:
    prediction = guessed()
    before = bytes(prediction.image.value)
    prediction.reveal_button.click()
    assert not prediction.revealed
    assert bytes(prediction.image.value) == before
    assert "Move the sliders" in prediction.sentence.value
    for value in (0, 100, 40):
        prediction.sliders[1e-2].value = value
        assert bytes(prediction.image.value) != before
        before = bytes(prediction.image.value)
    prediction.sliders[0.0].value = 10
    prediction.reveal_button.click()
    assert prediction.revealed
    # Guessed 10, 50, 40; measured 20.5, 23.5, 50.5.
    assert (
        "off by 16 points on average, most at weight 0.001: 50 %, measured 24 %"
        in prediction.sentence.value
    )
    assert (
        "You put the best weight at 0.001; the best mean is at 0.01." in prediction.sentence.value
    )
    prediction.sliders[1e-3].value = 24
    assert "off by 7 points" in prediction.sentence.value


def test_a_prediction_of_one_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="two strengths or more, got 0"):
        Prediction([])
