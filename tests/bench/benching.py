"""What every benchmark is given: how much to do, medians of what runs in turn, and the rows of the
table."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Works = dict[str, Callable[[], Any]]
Times = dict[str, list[float]]
T = TypeVar("T")


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def own_seconds(work: Callable[[], float]) -> float:
    """For work that says itself how long it took, because only a part of it counts."""
    return work()


@dataclass(frozen=True)
class Bench:
    """A benchmark's size and its rows.

    full: the sizes and rounds that the promises are about; else each benchmark only shows that it
    still runs. pedantic: pytest-benchmark's, for its own statistics. write: takes ("row" or
    "growth", text).
    """

    full: bool
    pedantic: Callable[..., object] | None
    write: Callable[[tuple[str, object]], None]

    def size(self, full: T, smallest: T) -> T:
        """How much of something to do: the one place where the two sizes of a benchmark part."""
        return full if self.full else smallest

    def turns(self, turn: Callable[[], Times], rounds: int, warmup: int = 1) -> Times:
        """The seconds, by name, of all rounds but those to warm up. At the smallest size: one
        round."""
        seen: list[Times] = []
        if self.full and self.pedantic is not None:
            self.pedantic(lambda: seen.append(turn()), rounds=rounds, warmup_rounds=warmup)
        else:
            seen.append(turn())
        kept = seen[-rounds:]
        return {name: [value for times in kept for value in times[name]] for name in kept[0]}

    def medians(
        self,
        works: Works,
        rounds: int,
        block: int = 10,
        warmup: int = 1,
        timed: Callable[[Any], float] = seconds,
    ) -> dict[str, float]:
        """Medians of blocks of one and of the other in turn, so that all meet the same moods of the
        machine."""
        block = self.size(block, 1)

        def turn() -> Times:
            return {name: [timed(work) for _ in range(block)] for name, work in works.items()}

        return {
            name: statistics.median(values)
            for name, values in self.turns(turn, rounds, warmup).items()
        }

    def promise(self, name: str, value: float, unit: str, promise: str = "", of: str = "") -> None:
        """A row of the table. promise: ">= 30" or "<= 1.1", or "" where nothing is promised."""
        if not math.isfinite(value):
            raise ValueError(f"a row needs a finite number, got {value} for {name}.")
        sign, bound = promise.split() if promise else ("", "nan")
        met = value >= float(bound) if sign == ">=" else value <= float(bound)
        verdict = f"{promise} {unit}: {'met' if met else 'NOT MET'}" if promise else ""
        self.write(("row", f"{name:68} {value:9.4g} {unit:2}  {verdict:22} {of}".rstrip()))

    def ratio(
        self, name: str, medians: dict[str, float], above: str, below: str, promise: str = ""
    ) -> None:
        """A row that says how many times as long one takes as the other."""
        of = f"({1e3 * medians[above]:.4g} ms / {1e3 * medians[below]:.4g} ms)"
        self.promise(name, medians[above] / medians[below], "x", promise, of)

    def grows(self, name: str, cells: dict[Any, float]) -> None:
        """A row on how time grows: a number for each size."""
        self.write(
            (
                "growth",
                f"{name:40}" + "  ".join(f"{size}: {value:.2f}" for size, value in cells.items()),
            )
        )
