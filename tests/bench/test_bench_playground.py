"""What a reader waits for: the playground's curve, trained or from the record, and the widgets of the theory notebooks."""

import statistics
import time
from itertools import count, islice
from pathlib import Path
from typing import Any

import build
import pytest
from benching import Bench, Times, own_seconds
from test_exercises import SOURCES, explorers, extremes, run_cells

from lautum_utils.playground import CONTROLS, STRENGTHS, Playground
from lautum_utils.sweeps import RECORD


def test_the_default_curve(bench: Bench, tmp_path: Path) -> None:
    """From "Train all weights" to the finished pictures: nothing recorded, no data drawn yet."""
    numbers, seeds = count(1), bench.size(4, 1)
    less: dict[str, Any] = bench.size({}, {"steps": 2, "labels": 10})

    def curve() -> float:
        number = next(numbers)  # a severity that nothing else asks for: its data has to be drawn
        settings = {"severity": 1 - number / 1024, "seeds": seeds, "device": "cpu"} | less
        playground = Playground(name=f"bench {number}", record=tmp_path / "none", **settings)
        started = time.perf_counter()
        playground.curve_button.click()
        playground.wait()
        taken = time.perf_counter() - started
        assert len(playground.results) == seeds * len(STRENGTHS), playground.status.value
        playground.close()
        return taken

    medians = bench.medians({"curve": curve}, 2, block=1, warmup=0, timed=own_seconds)
    name = f"default curve live, {len(STRENGTHS)} weights x {seeds} seeds, data drawn too"
    bench.promise(name, medians["curve"], "s", "<= 12")


def test_the_default_curve_from_the_record(bench: Bench) -> None:
    """From a slider's new value to the finished pictures: each weight, then the values of the other recorded sliders."""
    playground = Playground(name="bench record", seeds=4, record=RECORD, device="cpu")
    assert playground.recorded, playground.status.value
    playground.auto.value = False

    def turn() -> Times:
        times: Times = {}
        for name in ("strength", "severity", "labels", "protocol", "shift"):
            control = getattr(playground, name)
            others = [v for v in CONTROLS[name] if v != control.value and (name != "labels" or v not in (10, 20))]  # not recorded
            for value in [*islice(others, bench.size(None, 1)), control.value]:
                pictures = playground.curve.value, playground.live.value
                started = time.perf_counter()
                control.value = value
                times.setdefault(name, []).append(time.perf_counter() - started)
                assert (playground.curve.value, playground.live.value) != pictures
        return times

    times = bench.turns(turn, 2)
    playground.close()
    slowest = max(seconds for values in times.values() for seconds in values)
    bench.promise("default curve from the record, a new weight", 1e3 * statistics.median(times["strength"]), "ms", "<= 100")
    bench.promise("    the slowest of all values of all recorded sliders", 1e3 * slowest, "ms")


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_theory_widgets(bench: Bench, source: Path) -> None:
    """The slowest control of a notebook's widgets, at its minimum, maximum and default: from the new value to the new picture."""
    notebook = build.read(source, solutions=True)
    last = max(i for i, cell in enumerate(notebook.cells) if "Explorer(" in cell.source)
    notebook.cells = notebook.cells[: last + 1]  # what comes later trains networks, and no widget needs it
    names, _ = run_cells(notebook)

    def turn() -> Times:
        times: Times = {}
        for cached in names.values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
        for explorer in explorers(names)[: bench.size(None, 1)]:
            for name, control in islice(explorer.controls.items(), bench.size(None, 1)):
                for value in extremes(control)[: bench.size(3, 2)]:
                    if control.value == value:
                        continue
                    started = time.perf_counter()
                    control.value = value
                    key = f"{explorer.draw.__name__}, {name} = {value}"
                    times.setdefault(key, []).append(time.perf_counter() - started)
        return times

    medians = {name: statistics.median(values) for name, values in bench.turns(turn, 5).items()}
    slowest = max(medians, key=medians.__getitem__)
    bench.promise(f"widgets of {source.stem}, the slowest", 1e3 * medians[slowest], "ms", "<= 200", f"({slowest})")
