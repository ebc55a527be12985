"""The theory notebooks: their finite world at the promised size, and how soon their widgets
answer."""

import re
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from benching import Bench, Times
from cells import THEORY, explorers, extremes

from lautum_utils.finite_world import FiniteWorld
from notebooks.tools.slices import needed, run, statements
from notebooks.tools.sources import read


def test_finite_world_of_the_promised_size(bench: Bench) -> None:
    """Four inputs, three labels, 64 hypotheses, every dataset of 8 examples; all terms and the
    Gibbs identity."""
    hypotheses, examples = bench.size((64, 8), (2, 2))
    generator = torch.Generator().manual_seed(0)
    f = torch.softmax(torch.randn(hypotheses, 4, 3, generator=generator, dtype=torch.float64), -1)
    world = FiniteWorld(torch.full((4, 3), 1 / 12, dtype=torch.float64), f)

    def enumerate_all() -> None:
        learned = world.learn(examples, 5.0)
        assert abs(learned.gibbs_gap - learned.test_loss + learned.train_loss) < 1e-12
        assert learned.train_terms()
        assert learned.test_terms()

    medians = bench.medians({"world": enumerate_all}, 5, block=1)
    name = f"finite world: every dataset of {examples} examples, {hypotheses} hypotheses"
    bench.promise(name, 1e3 * medians["world"], "ms", "<= 1000")


@pytest.mark.parametrize("source", THEORY, ids=lambda p: p.stem)
def test_theory_widgets(bench: Bench, source: Path) -> None:
    """The slowest control of a notebook's widgets, at its minimum, maximum and default: from the
    new value to the new picture."""
    cells = [c.source for c in read(source, solutions=True).cells if c.cell_type == "code"]
    made = re.findall(r"^(\w+) = Explorer\(", "\n".join(cells), re.MULTILINE)
    held = [statement for cell in cells for statement in statements(cell)]
    names: dict[str, Any] = {}
    run(needed(frozenset(made), held), names)  # the rest can take long, and no widget needs it

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
    name = f"widgets of {source.stem}, the slowest"
    bench.promise(name, 1e3 * medians[slowest], "ms", "<= 200", f"({slowest})")
