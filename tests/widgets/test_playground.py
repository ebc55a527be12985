"""The playground without a kernel: setting a value or clicking a button fires the callbacks, and
real networks train."""

import random
import threading
from typing import Any

import pytest
from playing import FAST, Steps, extremes, finish, shown, trained, trains
from waiting import until

from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import CONTROLS, SHARES, STRENGTHS
from lautum_utils.widgets.playground_view import CURVE, LIVE

PNG = b"\x89PNG\r\n\x1a\n"


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


def test_shares_of_the_gradient_have_a_scale_of_their_own() -> None:
    playground = Playground(weighting="gradient")
    assert playground.strength.value == 0.3
    assert [value for _, value in playground.strength.options] == list(SHARES)
    assert "weighting=&#x27;gradient&#x27;" in playground.restore.value
    assert {e.weighting for e in playground.experiments()} == {"gradient"}
    assert Playground(weighting="gradient", strength=3.0).strength.value == 3.0


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
    earlier = playground.training.thread
    playground.severity.value = 0.4
    playground.severity.value = 0.2
    assert earlier in threading.enumerate(), "nothing has waited for its end"
    steps.give(1)
    until(lambda: len(steps.asked) == 2, "the last choice trains")
    playground.stop()
    steps.give(float("inf"))
    finish(playground)
    assert [{e.severity for e in asked} for asked in steps.asked] == [{1.0}, {0.2}]
    assert not playground.results
    assert not [t for t in threading.enumerate() if t.name == "lautum-playground"]


def test_closing_and_making_it_again_end_the_thread(steps: Steps) -> None:
    one, other = Playground(name="again", **FAST), Playground(name="other", **FAST)
    for playground, end in (
        (one, lambda: Playground(name="again", **FAST)),
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
        "steps": 4,
        "finetune_steps": 3,
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
