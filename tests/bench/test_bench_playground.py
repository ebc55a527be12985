"""What a reader waits for: the playground's default curve, trained here or from the record."""

import statistics
import time
from itertools import count, islice
from pathlib import Path
from typing import Any

from benching import Bench, Times, Works, own_seconds

from lautum_utils.results.records import RECORD
from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import CONTROLS, STRENGTHS


def test_the_default_curve(bench: Bench, tmp_path: Path) -> None:
    """From "Train all weights" to the finished pictures: nothing recorded, no data drawn yet."""
    numbers, seeds = count(1), bench.size(4, 1)
    less: dict[str, Any] = bench.size({}, {"steps": 2, "labels": 10})
    begun: list[float] = []

    def curve(**also: Any) -> float:
        number = next(numbers)  # a severity that nothing else asks for: its data has to be drawn
        settings = {"severity": 1 - number / 1024, "seeds": seeds, "device": "cpu"} | less | also
        playground = Playground(name=f"bench {number}", record=tmp_path / "none", **settings)
        started = time.perf_counter()
        seen: list[float] = []
        playground.bar.observe(lambda _: seen.append(time.perf_counter() - started), names="value")
        playground.curve_button.click()
        playground.wait()
        taken = time.perf_counter() - started
        assert len(playground.results) == seeds * len(STRENGTHS), playground.status.value
        playground.close()
        begun.append(seen[0])
        return taken

    works: Works = {"curve": curve, "every step": lambda: curve(every=1)}
    medians = bench.medians(works, 2, block=1, warmup=0, timed=own_seconds)
    name = f"default curve live, {len(STRENGTHS)} weights x {seeds} seeds, data drawn too"
    bench.promise(name, medians["curve"], "s", "<= 12")
    bench.ratio(
        "    the same / with a term at every step", medians, "curve", "every step", "<= 0.45"
    )
    bench.promise("    its first progress", statistics.median(begun), "s", "<= 0.3")


def test_one_training(bench: Bench, tmp_path: Path) -> None:
    """From "Train live" to the finished pictures: one weight and weight 0, nothing drawn yet."""
    numbers, seeds = count(1), bench.size(4, 1)
    less: dict[str, Any] = bench.size({}, {"steps": 2, "labels": 10})

    def training() -> float:
        settings = {"severity": 1 - next(numbers) / 4096, "seeds": seeds, "device": "cpu"} | less
        playground = Playground(name="bench one", record=tmp_path / "none", **settings)
        started = time.perf_counter()
        playground.train_button.click()
        playground.wait()
        taken = time.perf_counter() - started
        assert len(playground.results) == 2 * seeds, playground.status.value
        playground.close()
        return taken

    medians = bench.medians({"training": training}, 3, block=1, timed=own_seconds)
    name = f"one training live, 2 weights x {seeds} seeds, data drawn too"
    bench.promise(name, medians["training"], "s", "<= 2.5")


def test_the_default_curve_from_the_record(bench: Bench) -> None:
    """From a slider's new value to the finished pictures: each weight, then the values of the other
    recorded sliders."""
    playground = Playground(name="bench record", seeds=4, record=RECORD, device="cpu")
    assert playground.known.recorded, playground.status.value
    playground.auto.value = False

    def turn() -> Times:
        times: Times = {}
        for name in ("strength", "severity", "labels", "protocol", "shift"):
            control = getattr(playground, name)
            others = [
                v
                for v in CONTROLS[name]
                if v != control.value and (name != "labels" or v not in (10, 20))
            ]  # not recorded
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
    bench.promise(
        "default curve from the record, a new weight",
        1e3 * statistics.median(times["strength"]),
        "ms",
        "<= 100",
    )
    bench.promise("    the slowest of all values of all recorded sliders", 1e3 * slowest, "ms")
