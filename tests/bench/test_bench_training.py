"""A step of training with the regularizer and without, and stacks of networks."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from benching import Bench, Works, own_seconds
from torch import Tensor

from lautum_utils.results.sweeps import run
from lautum_utils.training.batches import Batch
from lautum_utils.training.experiments import Experiment, grid
from lautum_utils.training.methods import Lautum
from lautum_utils.training.outcomes import Progress, Result

# Every 16th step prepares inputs for 16 steps: of 144 steps, one in 16 of those that count does.
STEPS, FEWEST_STEPS = 144, 48


def _mean(method: Lautum, batch: Batch) -> Tensor:
    """As trivial a term as there is, of the same batches."""
    return -batch.unlabelled.mean((-2, -1))


def _step_seconds(network: str, models: int, steps: int) -> float:
    """Mean seconds of a step of stage one, all that it does, but for steps that are recorded in the
    history.

    Nor does the step after one of those count: it finds the processor's caches full of what was
    recorded.
    """
    base = Experiment(network=network, steps=steps, every=1)
    weights = [1e-4 * (1 + number) for number in range(-(-models // 4))]
    wanted = grid(base, strength=weights, seed=range(4))[:models]
    ends: list[float] = []
    recorded: list[int] = []

    def watch(now: Progress) -> bool:
        if now.stage == "stage one":
            assert len(now.experiments) == models, "all in one stack"
            ends.append(time.perf_counter())
            recorded.append(len(now.histories[0]["step"]))
        return len(ends) == steps

    run(wanted, "cpu", progress=False, callback=watch)
    plain = [ends[i] - ends[i - 1] for i in range(2, steps) if recorded[i] == recorded[i - 2]]
    assert plain, f"{steps} steps hold no two in a row that are not recorded: take more"
    return statistics.fmean(plain)


def _trivial_step_seconds(network: str, models: int, steps: int) -> float:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lautum, "term", _mean)
        return _step_seconds(network, models, steps)


@pytest.mark.parametrize(
    ("network", "models", "promise"),
    [("cnn", 1, "<= 1.10"), ("mlp", 1, "<= 1.5"), ("mlp", 16, "")],
    ids=["cnn", "mlp", "16 mlps"],
)
def test_step_with_and_without(bench: Bench, network: str, models: int, promise: str) -> None:
    stack = models if models == 1 else bench.size(models, 2)
    steps = bench.size(STEPS, FEWEST_STEPS)
    works: Works = {
        "lautum": lambda: _step_seconds(network, stack, steps),
        "mean": lambda: _trivial_step_seconds(network, stack, steps),
    }
    medians = bench.medians(works, 12 if models == 1 else 4, block=1, timed=own_seconds)
    name = (
        f"{network.upper()} step" if models == 1 else f"{stack} stacked {network.upper()}s, a step"
    )
    bench.ratio(
        f"{name} with the regularizer / same batches, mean()", medians, "lautum", "mean", promise
    )


def test_growth_of_a_stacked_step(bench: Bench) -> None:
    models = bench.size((1, 2, 4, 8, 16, 32), (1, 2))
    steps = bench.size(STEPS, FEWEST_STEPS)
    works: Works = {str(n): lambda n=n: _step_seconds("mlp", n, steps) for n in models}
    medians = bench.medians(works, 3, block=1, timed=own_seconds)
    bench.grows(
        "step of stacked MLPs, ms a network", {n: 1e3 * medians[str(n)] / n for n in models}
    )


def _same(one: Sequence[Result], other: Sequence[Result]) -> bool:
    return all(
        (a.as_row(), a.history) == (b.as_row(), b.history) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    "strengths",
    [(0.0, 1e-4, 3e-4, 1e-3), (3e-5, 1e-4, 3e-4, 1e-3)],
    ids=["with weight 0", "all weights > 0"],
)
def test_sixteen_stacked(
    bench: Bench, strengths: tuple[float, ...], request: pytest.FixtureRequest
) -> None:
    # Weight 0 needs no unlabelled batch: those four are cheap alone, and are two stacks with the
    # others.
    promise = "" if 0.0 in strengths else "<= 0.35"
    base, seeds = Experiment(steps=bench.size(400, 2)), bench.size(4, 1)
    wanted = grid(base, seed=range(seeds), strength=strengths[: bench.size(4, 2)])
    # The data of all seeds is drawn once, before.
    run([replace(e, steps=1) for e in wanted], "cpu", progress=False)
    results: dict[str, Sequence[Result]] = {}

    def stacked() -> None:
        results["stacked"] = run(wanted, "cpu", progress=False)

    def one_by_one() -> None:
        results["one by one"] = [run(e, "cpu", progress=False)[0] for e in wanted]

    works: Works = {"stacked": stacked, "one by one": one_by_one}
    medians = bench.medians(works, 2, block=1, warmup=0)
    assert _same(results["stacked"], results["one by one"])
    name = f"{len(wanted)} MLPs stacked / one by one, same results, {request.node.callspec.id}"
    bench.ratio(name, medians, "stacked", "one by one", promise)
