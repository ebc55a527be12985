"""The playground without a kernel: setting a value or clicking a button fires the callbacks, and real networks train."""

import threading
import time
from typing import Any

import ipywidgets as widgets
import pytest

from lautum_utils.playground import CONTROLS, STRENGTHS, Playground

PNG = b"\x89PNG\r\n\x1a\n"
FAST: dict[str, Any] = {"steps": 4, "finetune_steps": 3, "seeds": 1}


def trained(**settings: Any) -> Playground:
    playground = Playground(**(FAST | settings))
    playground.train_button.click()
    playground.wait(60)
    return playground


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
        playground.wait(120)
        assert "done after" in playground.status.value
        assert "weight" in playground.sentence.value.lower()
        assert bytes(playground.curve.value).startswith(PNG)
        assert bytes(playground.live.value).startswith(PNG)
        chosen = {e for e in playground.experiments() if e in playground.results}
        assert chosen == set(playground.experiments())
        if name not in ("seeds", "device") and not (name == "severity" and playground.shift.value == "none"):
            assert all(getattr(e, name) in (value, 0.0) for e in chosen)


def test_train_gives_weight_zero_and_the_chosen_weight_with_each_seed() -> None:
    playground = trained(seeds=2, strength=1e-3)
    assert {(e.strength, e.seed) for e in playground.results} == {(0.0, 0), (0.0, 1), (1e-3, 0), (1e-3, 1)}
    assert playground.bar.value == 1
    assert "2 seeds" in playground.sentence.value
    assert playground.stop_button.disabled


def test_what_was_trained_is_kept_and_not_trained_again() -> None:
    playground = trained()
    before = dict(playground.results)
    picture = bytes(playground.curve.value)
    playground.severity.value = 0.5
    playground.wait(60)
    assert bytes(playground.curve.value) != picture
    assert len(playground.results) == 4
    playground.severity.value = 1.0
    playground.wait(60)
    assert {e: playground.results[e] for e in before} == before
    assert len(playground.results) == 4


def test_all_weights_button_trains_the_whole_scale() -> None:
    playground = Playground(**FAST)
    playground.curve_button.click()
    playground.wait(120)
    assert {e.strength for e in playground.results} == set(STRENGTHS)


def test_controls_do_not_train_when_told_not_to() -> None:
    playground = Playground(**FAST)
    playground.auto.value = False
    playground.severity.value = 0.5
    playground.wait(5)
    assert not playground.results
    assert playground._thread is None


def test_first_progress_comes_at_once_and_stop_ends_the_training() -> None:
    playground = Playground(steps=20_000, seeds=1)
    playground.train_button.click()
    deadline = time.monotonic() + 30
    while playground.bar.value == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert playground.bar.value > 0
    assert not playground.stop_button.disabled
    playground.stop_button.click()
    playground.wait(20)
    assert playground._thread is not None
    assert not playground._thread.is_alive()
    assert "stopped" in playground.status.value
    assert playground.stop_button.disabled
    assert not playground.results


def test_clicking_never_blocks_and_a_new_choice_replaces_the_running_one() -> None:
    playground = Playground(steps=20_000, seeds=1)
    started = time.monotonic()
    playground.train_button.click()
    playground.severity.value = 0.5
    playground.severity.value = 0.2
    assert time.monotonic() - started < 5
    time.sleep(0.5)
    playground.stop()
    playground.wait(30)
    assert not [t for t in threading.enumerate() if t.name == "lautum-playground"]


def test_closing_and_making_it_again_end_the_thread() -> None:
    first = Playground(name="again", steps=20_000, seeds=1)
    first.train_button.click()
    Playground(name="again", **FAST)
    first.wait(20)
    assert first._thread is not None
    assert not first._thread.is_alive()
    other = Playground(name="other", steps=20_000, seeds=1)
    other.train_button.click()
    other.box.close()
    other.wait(20)
    assert other._thread is not None
    assert not other._thread.is_alive()


def test_an_error_is_shown_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no memory <left>")

    monkeypatch.setattr("lautum_utils.playground.run", broken)
    playground = Playground(**FAST)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    playground.train_button.click()
    playground.wait(20)
    assert "could not train: no memory &lt;left&gt;" in playground.status.value
    assert playground.stop_button.disabled


def test_the_live_figure_is_drawn_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lautum_utils.playground.REDRAW_SECONDS", 0.0)
    seen: list[bytes] = []
    playground = Playground(steps=8, seeds=1)
    playground.live.observe(lambda change: seen.append(bytes(change["new"])), "value")
    playground.train_button.click()
    playground.wait(60)
    assert len(set(seen)) > 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"controls": ("strength", "colour")}, "colour"),
        ({"severity": 0.33}, "0.33"),
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
