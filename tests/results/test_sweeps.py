"""Sweeps: nothing is run twice or lost, whatever fails; results come in the order asked for."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up import (
    MANY,
    MIXED,
    QUICK,
    Runs,
    assert_equal,
    by_experiment,
    contents,
    files,
    full_from,
    made_up,
    quietly,
)

from lautum_utils.results import sweeps
from lautum_utils.results.results import Results
from lautum_utils.results.store import StoreError, read_store
from lautum_utils.results.sweeps import NETWORKS_A_JOB, run
from lautum_utils.training.experiments import SETTINGS, Experiment
from lautum_utils.training.outcomes import OUTCOMES
from lautum_utils.training.run import run_each


def test_nothing_is_run_twice_and_a_second_sweep_gives_the_same_rows(
    runs: Runs, tmp_path: Path
) -> None:
    results = quietly(iter(MANY), tmp_path)
    before = contents(tmp_path)
    again = quietly(reversed(MANY), tmp_path)
    assert Counter(runs.asked) == Counter(MANY)
    assert [r.experiment for r in results] == MANY
    assert_equal(again[::-1], results)
    assert contents(tmp_path) == before
    assert [made_up(e).test_accuracy for e in MANY] == [r.test_accuracy for r in results]


def test_sweeps_share_a_store_and_each_gets_the_rows_it_asked_for(
    runs: Runs, tmp_path: Path
) -> None:
    assert len(quietly(MANY[:4], tmp_path)) == 4
    results = quietly(MANY[2:], str(tmp_path))
    assert [r.experiment for r in results] == MANY[2:]
    assert Counter(runs.asked) == Counter(MANY)
    assert len(files(tmp_path)) == 6
    assert by_experiment(read_store(tmp_path)) == by_experiment(map(made_up, MANY))


def test_a_sweep_over_nothing_is_an_empty_table(runs: Runs, tmp_path: Path) -> None:
    results = quietly([], tmp_path)
    assert not results
    assert list(results.table.columns) == [*SETTINGS, *OUTCOMES, "error"]
    assert not runs.asked


def test_an_experiment_asked_for_twice_is_refused(runs: Runs, tmp_path: Path) -> None:
    told = r"^experiments need to differ .* this one 3 times: Experiment\(.*strength=0\.01"
    with pytest.raises(ValueError, match=told):
        quietly([MANY[0], QUICK, QUICK, MANY[1], MANY[1], QUICK], tmp_path / "store")
    assert not runs.asked
    assert not (tmp_path / "store").exists()


def test_a_full_disk_ends_the_sweep_and_keeps_what_is_stored(runs: Runs, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        full_from(2, patch)
        told = r"^store .* cannot be written to any more \(No space left on device\)\.$"
        with pytest.raises(StoreError, match=told):
            quietly(MANY, tmp_path)
    assert len(runs.asked) == 3, "no more is run for nothing"
    assert set(tmp_path.iterdir()) == {tmp_path / "store.json", *files(tmp_path)}
    assert len(read_store(tmp_path)) == 2
    results = quietly(MANY, tmp_path)
    assert len(runs.asked) == 3 + 4
    assert [r.test_accuracy for r in results] == [made_up(e).test_accuracy for e in MANY]


# scikit-learn's, of NaN
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_an_experiment_that_fails_in_a_stack_is_reported_and_the_others_are_stored(
    tmp_path: Path,
) -> None:
    # of a stack, and alone
    wrong = [replace(QUICK, strength=1e300), replace(QUICK, learning_rate=1e30, strength=0.0)]
    right = MANY[:3]
    wanted = [*right[:2], wrong[0], right[2], wrong[1]]
    with pytest.warns(UserWarning, match="failed: ValueError") as caught:
        results = quietly(wanted, tmp_path)
    told = [str(warning.message) for warning in caught if "failed" in str(warning.message)]
    assert len(told) == 2
    assert set(results.errors) == set(wrong)
    for experiment, error in results.errors.items():
        assert error.startswith("ValueError: ")
        assert "NaN" in error
        assert f"{experiment} failed: {error}" in told
    table = results.table
    assert list(table.error[:3]) == ["", "", ""]
    assert list(table.error[3:]) == list(results.errors.values())
    assert table.loc[3:, list(OUTCOMES)].isna().all(axis=None)
    assert_equal(Results(results), quietly(right, tmp_path / "other"))
    assert {r.experiment for r in read_store(tmp_path)} == set(right)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_only_the_experiments_at_fault_fail(count: int, runs: Runs, tmp_path: Path) -> None:
    wrong = set(random.Random(count).sample(MANY, count))

    def fail(experiments: Sequence[Experiment]) -> None:
        if wrong & set(experiments):
            raise MemoryError("not enough")

    runs.fail = fail
    with pytest.warns(UserWarning, match="MemoryError: not enough"):
        results = quietly(MANY, tmp_path)
    assert results.errors == dict.fromkeys(wrong, "MemoryError: not enough")
    assert [r.experiment for r in results] == [e for e in MANY if e not in wrong]
    assert Counter(runs.asked) == Counter(set(MANY) - wrong)
    assert len(files(tmp_path)) == len(MANY) - count
    runs.fail = lambda experiments: None
    again = quietly(MANY, tmp_path)
    assert not again.errors
    assert Counter(runs.asked) == Counter(MANY), "only what had failed is run again"


def test_threads_give_what_no_executor_gives(here: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = quietly(MIXED, tmp_path, pool, stack_size=2)
    assert_equal(results, quietly(MIXED, here))
    assert contents(tmp_path) == contents(here)


def test_each_job_of_an_executor_gets_the_threads_asked_for(runs: Runs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(torch.get_num_threads).result()
        results = quietly(MANY, tmp_path, pool, stack_size=1, threads=before + 2)
        assert pool.submit(torch.get_num_threads).result() == before
        runs.fail = lambda experiments: (_ for _ in ()).throw(ValueError("no"))
        with pytest.warns(UserWarning, match="ValueError: no"):
            failed = quietly([QUICK], tmp_path, pool, threads=before + 2)
        assert pool.submit(torch.get_num_threads).result() == before
    assert set(runs.threads) == {before + 2}
    assert len(runs.threads) == len(MANY) + 1
    assert list(failed.errors.values()) == ["ValueError: no"]
    assert [r.test_accuracy for r in results] == [made_up(e).test_accuracy for e in MANY]


class Futures(Executor):
    """Runs so many jobs at once; the others wait for ever."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.futures: list[Future[Any]] = []

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        if len(self.futures) <= self.at_once:
            future.set_result(function(*arguments, **options))
        return future


def test_interrupted_it_keeps_what_the_workers_have_finished_and_takes_back_the_rest(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(futures: list[Future[Any]]) -> Iterator[Future[Any]]:
        yield futures[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeps, "as_completed", interrupted)
    executor = Futures(3)
    with pytest.raises(
        KeyboardInterrupt,
        match=r"^interrupted: 3 of 6 results are in .*; the same sweep goes on from there\.$",
    ):
        quietly(MANY, tmp_path, executor, stack_size=1)
    assert len(read_store(tmp_path)) == 3
    assert all(future.cancelled() for future in executor.futures[3:])


def test_a_full_disk_takes_back_what_the_workers_have_not_begun(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_from(1, monkeypatch)
    executor = Futures(3)
    with pytest.raises(StoreError, match="No space left on device"):
        quietly(MANY, tmp_path, executor, stack_size=1)
    assert len(read_store(tmp_path)) == 1
    assert all(future.cancelled() for future in executor.futures[3:])


@pytest.mark.parametrize("error", [CancelledError(), BrokenProcessPool("gone")])
def test_an_executor_that_ends_is_told_with_what_is_kept(
    error: BaseException, runs: Runs, tmp_path: Path
) -> None:
    executor = Futures(2)
    submit = executor.submit

    def ends(*arguments: Any) -> Future[Any]:
        future = submit(*arguments)
        if len(executor.futures) == 6:
            for pending in executor.futures[2:]:
                pending.set_exception(error)
        return future

    executor.submit = ends  # type: ignore[method-assign, assignment]
    died = rf"^the executor died \({type(error).__name__}\)"
    sentence = rf"{died}: 2 of 6 results are in .*, with another executor\.$"
    with pytest.raises(RuntimeError, match=sentence):
        quietly(MANY, tmp_path, executor, stack_size=1)
    assert len(read_store(tmp_path)) == 2


def test_an_executor_that_ends_while_jobs_are_given_to_it_loses_nothing(
    runs: Runs, tmp_path: Path
) -> None:
    executor = Futures(2)
    submit = executor.submit

    def ends(*arguments: Any) -> Future[Any]:
        if len(executor.futures) == 4:
            raise BrokenProcessPool("gone")
        return submit(*arguments)

    executor.submit = ends  # type: ignore[method-assign, assignment]
    with pytest.raises(
        RuntimeError, match=r"^the executor died \(BrokenProcessPool\): 2 of 6 results are in "
    ):
        quietly(MANY, tmp_path, executor, stack_size=1)
    assert len(read_store(tmp_path)) == 2
    assert all(future.cancelled() for future in executor.futures[2:])


def test_a_job_lost_on_its_way_is_an_error_of_its_experiments(runs: Runs, tmp_path: Path) -> None:
    executor = Futures(6)
    submit = executor.submit

    def loses(function: Any, *arguments: Any) -> Future[Any]:
        future = submit(function, *arguments)
        if len(executor.futures) == 2:
            executor.futures[1] = future = Future()
            future.set_exception(TypeError("cannot pickle"))
        return future

    executor.submit = loses  # type: ignore[method-assign, assignment]
    with pytest.warns(UserWarning, match="TypeError: cannot pickle"):
        results = quietly(MANY, tmp_path, executor, stack_size=1)
    assert results.errors == {MANY[1]: "TypeError: cannot pickle"}
    assert len(read_store(tmp_path)) == 5


def test_a_stack_is_as_large_as_is_said_and_a_job_holds_eight_networks_if_nothing_is(
    runs: Runs, tmp_path: Path
) -> None:
    wanted = [replace(QUICK, seed=seed) for seed in range(20)]
    executor = Futures(20)
    quietly(wanted, tmp_path / "jobs", executor)
    assert len(executor.futures) == -(-20 // NETWORKS_A_JOB)
    executor = Futures(20)
    quietly(wanted, tmp_path / "small", executor, stack_size=3)
    assert len(executor.futures) == 7
    runs.threads.clear()
    quietly(wanted, tmp_path / "here")
    assert len(runs.threads) == 1, "without an executor, all in one stack"


def test_run_gives_the_results_of_run_each_in_the_order_asked_for() -> None:
    cnns = [replace(QUICK, network="cnn", seed=seed) for seed in (1, 0)]
    wanted = [cnns[0], QUICK, cnns[1], QUICK]
    results = run(wanted, "cpu", progress=False)
    assert isinstance(results, Results)
    assert [r.experiment for r in results] == wanted
    each = list(run_each(wanted, "cpu", progress=False))
    assert len(each) == 3, "what is asked for twice is run once"
    assert by_experiment(results) == by_experiment(each)


def test_a_kept_network_answers_for_its_result() -> None:
    (result,) = run(QUICK, "cpu", progress=False, keep_networks=True)
    assert result.network is not None
    features = result.network.features(torch.rand(3, 1, 16, 16))
    assert features.shape == (3, 64)
    assert run(QUICK, "cpu", progress=False)[0].network is None
