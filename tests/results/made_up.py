"""Results without training: made up, or drawn; and what is asked of the folders that hold them."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import strategies as st

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import sweep
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.methods import METHODS
from lautum_utils.training.outcomes import Result

QUICK = Experiment(
    steps=2,
    labels=20,
    source_batch=16,
    target_batch=64,
    n_components=8,
    strength=1e-2,
    finetune_steps=2,
)


HISTORY = {
    "step": [1.0, 2.0],
    "loss": [2.3, 1.0],
    "dependence": [0.1, 3.0],
    "target_accuracy": [0.1, 0.6],
}


MANY = [replace(QUICK, strength=1e-3 * i) for i in range(6)]
MIXED = [
    *MANY[:3],
    replace(QUICK, seed=1),
    replace(QUICK, strength=1e-3, protocol="finetune"),
    replace(QUICK, network="cnn"),
]


def quietly(
    experiments: Iterable[Experiment],
    store: str | Path,
    executor: Executor | None = None,
    **options: Any,
) -> Results:
    return sweep(experiments, store, executor, device="cpu", progress=False, **options)


def files(store: Path) -> list[Path]:
    return sorted(store.glob("[0-9a-f]*.json"))


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def by_experiment(results: Iterable[Result]) -> dict[Experiment, dict[str, Any]]:
    """Everything that a result holds (results themselves have no equality)."""
    return {
        result.experiment: {f.name: getattr(result, f.name) for f in fields(Result)}
        for result in results
    }


def assert_equal(one: Results, other: Results) -> None:
    """To the last bit, but for histories, which a table does not hold."""
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)


class Runs:
    """Stands in for `run_each`, without training: keeps what it is asked for, and fails as it is
    told."""

    def __init__(self) -> None:
        self.asked: list[Experiment] = []
        self.threads: list[int] = []
        self.fail: Callable[[Sequence[Experiment]], None] = lambda experiments: None

    def __call__(
        self, experiments: Sequence[Experiment], *_: object, **__: object
    ) -> Iterator[Result]:
        self.threads.append(torch.get_num_threads())
        self.fail(experiments)
        for experiment in experiments:
            self.asked.append(experiment)
            yield made_up(experiment)


def made_up(experiment: Experiment) -> Result:
    accuracy = random.Random(str(experiment)).random()
    penalty = None if experiment.protocol == "finetune" else 0.1
    return Result(experiment, accuracy, 0.5, 0.9, penalty, HISTORY | {"loss": [2.3, accuracy]})


UNIT = st.floats(0, 1)


CURVE = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)


EXPERIMENTS = st.fixed_dictionaries(
    {
        "shift": st.sampled_from(["none", *SHIFTS, "label_part_swap"]),
        "severity": UNIT,
        "method": st.sampled_from(METHODS),
        "strength": st.floats(0, 1e300),
        "ridge": st.floats(0, 1e9),
        "learning_rate": st.floats(0, 1e300),
        "labels": st.integers(10, 400),
        "seed": st.integers(0, 2**31 - 1),
        "steps": st.integers(1, 10**12),
        "protocol": st.sampled_from(["probe", "finetune"]),
        "inputs": st.sampled_from(["target", "source"]),
    }
)


OUTCOME = st.tuples(
    UNIT, UNIT, UNIT, st.none() | UNIT, st.fixed_dictionaries(dict.fromkeys(HISTORY, CURVE))
)


RESULTS = st.tuples(EXPERIMENTS, OUTCOME)


def full_from(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full once `count` results are there: half of the next is written."""
    written = Path.write_bytes

    def write(path: Path, data: Any) -> int:
        if len(files(path.parent)) >= count:
            written(path, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)


def result(
    test: float, seed: int = 0, strength: float = 0.0, validation: float = 0.5, **settings: Any
) -> Result:
    experiment = Experiment(seed=seed, strength=strength, **settings)
    return Result(experiment, test, validation, 0.9, None, {"step": []})
