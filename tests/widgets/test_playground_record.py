"""The playground and its record: what is recorded is answered at once, and the rest trains."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playing import FAST, finish, made_up, shown
from waiting import GUARD

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.records import read_record, write_record
from lautum_utils.training.experiments import Experiment, baselines
from lautum_utils.training.outcomes import Progress, Result
from lautum_utils.widgets import playground_known, playground_training, plots
from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import BASE, SEVERITIES, STRENGTHS
from lautum_utils.widgets.sketch import Sketch
from notebooks.tools.record import LABELS, PROTOCOLS, SEEDS, grid

PNG = b"\x89PNG\r\n\x1a\n"


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


def test_pixels_are_beside_every_network_and_protocol_where_they_are_recorded(
    tmp_path: Path,
) -> None:
    seen = {}
    for accuracy in (0.3, 0.9):
        path = made_up(tmp_path / "record.gz")
        known = read_record(path)[0]
        (pixels,) = baselines(BASE, ["pixels"])
        result = replace(next(iter(known.values())), experiment=pixels, test_accuracy=accuracy)
        settings = {name: v for name, v in FAST.items() if name not in ("record", "seeds")}
        here = replace(BASE, network="cnn", protocol="finetune", **settings)
        trained = [
            replace(r, experiment=replace(here, strength=e.strength)) for e, r in known.items()
        ]
        path = tmp_path / f"{accuracy}.gz"
        write_record([*known.values(), *trained, result], path)
        for more in ({}, {"network": "cnn", "protocol": "finetune"}):
            playground = Playground(**FAST | {"record": path} | more)
            assert answered(playground).startswith("recorded. ")
            seen[accuracy, len(more)] = bytes(playground.curve.value)
    assert seen[0.3, 0] != seen[0.9, 0]
    assert seen[0.3, 2] != seen[0.9, 2]
    assert seen[0.9, 0] == seen[0.9, 2]


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

    def held(*arguments: Any, **options: Any) -> Sketch:
        if threading.current_thread().name == "lautum-playground":
            drawing.set()
            assert go_on.wait(GUARD)
        return draw(*arguments, **options)

    playground = Playground(**FAST | {"record": made_up(tmp_path / "record.gz")})
    for module in (playground_known, playground_training):
        if hasattr(module, picture):
            monkeypatch.setattr(module, picture, held)
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
