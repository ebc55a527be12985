"""Short trainings, and what it means that two gave the same."""

from collections.abc import Callable, Iterable

from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Progress, Result

QUICK = Experiment(
    steps=5,
    labels=20,
    source_batch=16,
    target_batch=64,
    n_components=8,
    strength=1e-2,
    finetune_steps=3,
)


def trained(*experiments: Experiment, keep_networks: bool = False) -> Results:
    return run(experiments, "cpu", progress=False, keep_networks=keep_networks)


def accuracies(result: Result) -> tuple[float, float, float, float | None]:
    return result.test_accuracy, result.validation_accuracy, result.source_accuracy, result.penalty


def assert_same(one: Result, other: Result) -> None:
    """To the last bit: accuracies, penalty and the whole history."""
    assert one.experiment == other.experiment
    assert one.history == other.history, one.experiment
    assert accuracies(one) == accuracies(other), one.experiment


def assert_all_same(ones: Iterable[Result], others: Iterable[Result]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert_same(one, other)


class Watch:
    """A callback that keeps what it is told and stops the run where `stop` says."""

    def __init__(self, stop: Callable[[Progress], bool] = lambda progress: False) -> None:
        self.seen: list[Progress] = []
        self.stop = stop

    def __call__(self, progress: Progress) -> bool:
        self.seen.append(progress)
        return self.stop(progress)
