"""Speed, measured side by side in one run: `make bench`. Not collected by `make test`.

Prints one table: every ratio and time that the project promises, met or not, then how time grows, with versions and threads.
What is compared runs in turn, so that both sides meet the same moods of the machine; the figures are medians.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import build
import pytest
import torch
import torchvision
from dask.distributed import Client, LocalCluster
from test_exercises import SOURCES, explorers, extremes, run_cells
from torch import Tensor

from lautum_utils import training
from lautum_utils.finite_world import FiniteWorld
from lautum_utils.methods import Batch, Lautum, Method
from lautum_utils.playground import STRENGTHS, Playground
from lautum_utils.regularizers import LautumRegularizer
from lautum_utils.sweeps import RECORD, open_store, read_store, store_result, sweep
from lautum_utils.training import Experiment, Result, run

BATCH, FEATURES, COMPONENTS = 256, 64, 32
PREPARED_AT_ONCE = 16
TABLE: list[str] = []
GROWTH: list[str] = []

Works = dict[str, Callable[[], object]]


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    run(Experiment(steps=1), "cpu", progress=False)  # memory is kept between steps as in every training
    yield
    print(f"\n\ntorch {torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads, CPU\n")
    print("\n".join([*TABLE, "", "how time grows", *GROWTH]))


def _promise(name: str, value: float, unit: str, promise: str = "", of: str = "") -> None:
    """A row of the table. promise: ">= 30" or "<= 1.1", or "" where nothing is promised."""
    sign, bound = promise.split() if promise else ("", "nan")
    met = value >= float(bound) if sign == ">=" else value <= float(bound)
    verdict = f"{promise} {unit}: {'met' if met else 'NOT MET'}" if promise else ""
    TABLE.append(f"{name:68} {value:9.4g} {unit:2}  {verdict:22} {of}")


def _ratio(name: str, medians: dict[str, float], above: str, below: str, promise: str = "") -> None:
    of = f"({1e3 * medians[above]:.4g} ms / {1e3 * medians[below]:.4g} ms)"
    _promise(name, medians[above] / medians[below], "x", promise, of)


def _interleaved(benchmark: Any, works: Works, rounds: int, block: int = 10, warmup: int = 1) -> dict[str, float]:
    """Medians of blocks of one and of the other in turn; the benchmark's own row is a whole turn."""
    times: dict[str, list[float]] = {name: [] for name in works}

    def turn() -> None:
        for name, work in works.items():
            for _ in range(block):
                started = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - started)

    benchmark.pedantic(turn, rounds=rounds, warmup_rounds=warmup)
    return {name: statistics.median(values[warmup * block :]) for name, values in times.items()}


# ------------------------------------------------------------------------------------------------------- the regularizer


def _full_inverse(z: Tensor, x: Tensor, ridge: float = 1e-2) -> Tensor:
    """What whitening once saves: d x d covariance of the inputs, formed and inverted at each step."""
    z, x = z - z.mean(0), x - x.mean(0)
    n = len(z) - 1
    s_z = z.T @ z / n + ridge * z.var(0).mean() * torch.eye(z.shape[1])
    s_x = x.T @ x / n + ridge * x.var(0).mean() * torch.eye(x.shape[1])
    s_zx = z.T @ x / n
    k = torch.linalg.inv(s_z) @ s_zx @ torch.linalg.inv(s_x) @ s_zx.T
    rest = torch.eye(len(k)) - k
    return 0.5 * torch.linalg.slogdet(rest)[1] + torch.linalg.inv(rest).trace() - len(k)


class _FiveKernels(torch.autograd.Function):
    """The sum of exp(e), exp(e)^2, exp(e)^4, exp(e)^8, exp(e)^16 over each matrix, and its gradient, from one exp."""

    @staticmethod
    def forward(ctx: Any, exponent: Tensor) -> Tensor:
        kernel = exponent.exp()
        total, slope = kernel.clone(), kernel.clone()
        for power in (2, 4, 8, 16):
            kernel.square_()
            total.add_(kernel)
            slope.add_(kernel, alpha=power)
        ctx.save_for_backward(slope)
        return total.sum((1, 2))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return slope * upstream[:, None, None]


def _five_kernels(exponent: Tensor) -> Tensor:
    total = kernel = exponent.exp()
    for _ in range(4):
        kernel = kernel.square()
        total = total + kernel
    return total.sum((1, 2))


def _mmd(x: Tensor, y: Tensor, kernels: Callable[[Tensor], Tensor]) -> Tensor:
    """Unbiased quadratic MMD^2 of kernels exp(-d^2 / (2 a m)), a = 2, 1, 1/2, 1/4, 1/8, m the mean squared distance.

    One product of matrices gives all exponents, and each kernel but the widest is the square of the one before.
    """
    n, joint = len(x), torch.cat((x, y))
    norms, ones = joint.square().sum(1, keepdim=True), joint.new_ones(2 * n, 1)
    with torch.no_grad():
        mean = 2 * (norms.mean() - joint.mean(0).square().sum()) * (2 * n / (2 * n - 1))
    left = torch.cat((2 * joint, -norms, -ones), 1).div(4 * mean).view(2, n, -1)
    right = torch.cat((joint, ones, norms), 1).view(2, n, -1)
    of_x, of_y, between = kernels(left[[0, 1, 0]] @ right[[0, 1, 1]].mT)
    return (of_x + of_y - 10 * n) / (n * (n - 1)) - 2 * between / n**2


def _regularized(d: int, k: int = FEATURES, batch: int = BATCH, components: int = COMPONENTS) -> tuple[Works, Tensor, Tensor]:
    """Forward and backward from projected inputs and from prepared ones; the representations and the inputs."""
    x, z = torch.randn(max(1000, batch), d), torch.randn(batch, k, requires_grad=True)
    regularizer = LautumRegularizer(x, components)
    projected = regularizer.project(x[:batch])
    prepared, several = regularizer.prepare(projected), projected.repeat(PREPARED_AT_ONCE, 1, 1)
    works: Works = {
        f"regularizer {d}": lambda: regularizer(z, projected, validate_args=False).backward(),
        f"prepared {d}": lambda: regularizer(z, prepared, prepared=True, validate_args=False).backward(),
        f"preparing {d}": lambda: regularizer.prepare(several),
    }
    return works, z, x[:batch]


def _as_in_training(medians: dict[str, float], d: int) -> None:
    """A step's share of preparing several batches at once is added to forward and backward, as training pays it."""
    medians["as in training"] = medians[f"prepared {d}"] + medians[f"preparing {d}"] / PREPARED_AT_ONCE


@pytest.mark.parametrize(("d", "least"), [(784, 30), (3072, 500)])
def test_regularizer_against_full_inverse(benchmark: Any, d: int, least: int) -> None:
    works, z, batch = _regularized(d)
    works["inverse"] = lambda: _full_inverse(z, batch).backward()
    medians = _interleaved(benchmark, works, *((20, 10) if d < 1000 else (3, 3)))
    _as_in_training(medians, d)
    _ratio(f"covariances and inverses at each step / regularizer, d = {d}", medians, "inverse", "as in training", f">= {least}")
    _ratio("    the same with each batch prepared by itself", medians, "inverse", f"regularizer {d}")


def test_regularizer_against_five_kernel_mmd(benchmark: Any) -> None:
    works, z, _ = _regularized(FEATURES)
    source = torch.randn(BATCH, FEATURES, requires_grad=True)
    with torch.no_grad():
        assert torch.allclose(_mmd(source, z, _five_kernels), _mmd(source, z, _FiveKernels.apply), atol=1e-5)
    works["mmd"] = lambda: _mmd(source, z, _five_kernels).backward()
    works["mmd by hand"] = lambda: _mmd(source, z, _FiveKernels.apply).backward()
    medians = _interleaved(benchmark, works, 20)
    _as_in_training(medians, FEATURES)
    _ratio("unbiased MMD with five kernels / regularizer", medians, "mmd", "as in training", ">= 4")
    _ratio("    the same with each batch prepared by itself", medians, "mmd", f"regularizer {FEATURES}")
    _ratio("    the same as in training, the MMD's gradient by hand", medians, "mmd by hand", "as in training")


def test_regularizer_whatever_the_size_of_the_inputs(benchmark: Any) -> None:
    works = _regularized(64)[0] | _regularized(4096)[0]
    medians = _interleaved(benchmark, works, 20)
    _ratio("regularizer, d = 4096 / d = 64", medians, "regularizer 4096", "regularizer 64", "<= 1.2")


def test_growth_of_the_regularizer(benchmark: Any) -> None:
    sizes: dict[str, list[dict[str, int]]] = {
        "d": [{"d": d} for d in (64, 256, 1024, 4096)],
        "k": [{"k": k} for k in (16, 32, 64, 128, 256)],
        "batch": [{"batch": n} for n in (64, 128, 256, 512, 1024)],
    }
    works: Works = {}
    for name, rows in sizes.items():
        for row in rows:
            made = iter(_regularized(**{"d": 256} | row)[0].values())
            works |= {f"{name} = {row[name]}": next(made), f"{name} = {row[name]}, prepared": next(made)}
    medians = _interleaved(benchmark, works, 6)
    for name, rows in sizes.items():
        for end in ("", ", prepared"):
            cells = "  ".join(f"{row[name]}: {1e3 * medians[f'{name} = {row[name]}{end}']:.2f}" for row in rows)
            GROWTH.append(f"regularizer{end}, ms by {name:5}    {cells}")


# ---------------------------------------------------------------------------------------------------------------- steps


class _Mean(Method):
    """As trivial a term as there is, of the same batches."""

    def term(self, batch: Batch) -> Tensor:
        return -batch.unlabelled.mean((-2, -1))


def _step_seconds(network: str, models: int, method: type[Method], steps: int = 50) -> float:
    """Mean seconds of a step of the training loop itself, all that it does but for what is recorded for the history."""
    wanted = [
        replace(Experiment(), network=network, seed=i % 4, strength=1e-4 * (1 + i // 4), steps=steps) for i in range(models)
    ]
    times = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "RECORDS", 1)  # at the first and the last step only
        patch.setattr(training, "make_method", lambda name, regularizer: method(regularizer))
        data = training._Data(wanted, torch.device("cpu"), lambda: None)
        training._pretrain(wanted, data, lambda *_: times.append(time.perf_counter()))
    return (times[-2] - times[0]) / (len(times) - 2)


@pytest.mark.parametrize(
    ("network", "models", "promise"),
    [("cnn", 1, "<= 1.10"), ("mlp", 1, "<= 1.5"), ("mlp", 16, "")],
    ids=["cnn", "mlp", "16 mlps"],
)
def test_step_with_and_without(benchmark: Any, network: str, models: int, promise: str) -> None:
    times: dict[str, list[float]] = {"lautum": [], "mean": []}

    def turn() -> None:
        times["lautum"].append(_step_seconds(network, models, Lautum))
        times["mean"].append(_step_seconds(network, models, _Mean))

    benchmark.pedantic(turn, rounds=20 if models == 1 else 6, warmup_rounds=1)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    name = f"{network.upper()} step" if models == 1 else f"{models} stacked {network.upper()}s, a step"
    _ratio(f"{name} with the regularizer / same batches, mean()", medians, "lautum", "mean", promise)


def test_growth_of_a_stacked_step(benchmark: Any) -> None:
    models = (1, 2, 4, 8, 16, 32, 64)
    times: dict[int, list[float]] = {n: [] for n in models}
    benchmark.pedantic(lambda: [times[n].append(_step_seconds("mlp", n, Lautum, 20)) for n in models], rounds=5, warmup_rounds=1)
    seconds = {n: statistics.median(values[1:]) for n, values in times.items()}
    GROWTH.append("step of stacked MLPs, ms a network     " + "  ".join(f"{n}: {1e3 * seconds[n] / n:.2f}" for n in models))


# ------------------------------------------------------------------------------------------------------------- whole runs


def _same(one: Sequence[Result], other: Sequence[Result]) -> bool:
    return all((a.as_row(), a.history) == (b.as_row(), b.history) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "strengths", [(0.0, 1e-4, 3e-4, 1e-3), (3e-5, 1e-4, 3e-4, 1e-3)], ids=["with weight 0", "all weights > 0"]
)
def test_sixteen_stacked(benchmark: Any, strengths: tuple[float, ...], request: pytest.FixtureRequest) -> None:
    grid = [replace(Experiment(), seed=s, strength=w) for s in range(4) for w in strengths]
    run([replace(e, steps=1) for e in grid], "cpu", progress=False)  # data of all seeds is drawn once
    results: dict[str, list[Result]] = {}
    works: Works = {
        "stacked": lambda: results.update({"stacked": run(grid, "cpu", progress=False)}),
        "one by one": lambda: results.update({"one by one": [run(e, "cpu", progress=False)[0] for e in grid]}),
    }
    medians = _interleaved(benchmark, works, 2, block=1, warmup=0)
    assert _same(results["stacked"], results["one by one"])
    name = f"16 MLPs stacked / one by one, same results, {request.node.callspec.id}"
    # Weight 0 needs no unlabelled batch: those four are cheap alone, and are two stacks with the others.
    _ratio(name, medians, "stacked", "one by one", "" if 0.0 in strengths else "<= 0.35")


def test_the_default_curve(benchmark: Any, tmp_path: Path) -> None:
    """From "Train all weights" to the finished pictures: nothing recorded, no data drawn yet."""
    numbers = count()
    times = []

    def curve() -> None:
        training._task.cache_clear()
        training._unlabelled.cache_clear()
        playground = Playground(name=f"bench {next(numbers)}", seeds=4, record=tmp_path / "none", device="cpu")
        started = time.perf_counter()
        playground.curve_button.click()
        playground.wait()
        times.append(time.perf_counter() - started)
        assert len(playground.results) == 4 * len(STRENGTHS)
        playground.close()

    benchmark.pedantic(curve, rounds=2, warmup_rounds=0)
    _promise(f"default curve live, {len(STRENGTHS)} weights x 4 seeds, data drawn too", statistics.median(times), "s", "<= 12")


def test_the_default_curve_from_the_record(benchmark: Any) -> None:
    """From a slider's new value to the finished pictures: each weight, then the values of the other recorded sliders."""
    playground = Playground(name="bench record", seeds=4, record=RECORD, device="cpu")
    assert playground.recorded, playground.status.value
    playground.auto.value = False
    times: dict[str, list[float]] = {}

    def turn() -> None:
        for name in ("strength", "severity", "labels", "protocol", "shift"):
            control = getattr(playground, name)
            values = [value for _, value in control._options_full]
            for value in [v for v in values if v != control.value and v not in (10, 20)] + [control.value]:
                pictures = playground.curve.value, playground.live.value
                started = time.perf_counter()
                control.value = value
                times.setdefault(name, []).append(time.perf_counter() - started)
                assert (playground.curve.value, playground.live.value) != pictures

    benchmark.pedantic(turn, rounds=2, warmup_rounds=1)
    playground.close()
    every = [seconds for name in times for seconds in times[name]]
    _promise("default curve from the record, a new weight", 1e3 * statistics.median(times["strength"]), "ms", "<= 100")
    _promise("    the slowest of all values of all recorded sliders", 1e3 * max(every), "ms")


# --------------------------------------------------------------------------------------------------------------- sweeps


def test_sweep_on_one_and_two_workers(benchmark: Any, tmp_path: Path) -> None:
    """The same 8 tasks of 4 networks on one worker and on two; start of the workers, imports and data are not counted."""
    base = replace(Experiment(), steps=200)
    grid = [replace(base, strength=1e-4 * (1 + i)) for i in range(32)]
    first = [replace(base, strength=1e-5 * (1 + i), steps=2) for i in range(16)]
    numbers, rows = count(), []
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn) as one,
        ProcessPoolExecutor(2, spawn) as two,
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        names = sorted(client.scheduler_info()["workers"])
        executors: dict[str, Executor] = {
            "process 1": one,
            "process 2": two,
            "Dask worker 1": client.get_executor(workers=names[:1]),
            "Dask worker 2": client.get_executor(workers=names),
        }

        def work(executor: Executor, experiments: list[Experiment], size: int) -> None:
            store = tmp_path / str(next(numbers))
            rows.append(sweep(experiments, store, executor, device="cpu", task_size=size, progress=False))

        for executor in executors.values():
            work(executor, first, 2)
        rows.clear()
        works: Works = {name: lambda executor=executor: work(executor, grid, 4) for name, executor in executors.items()}  # type: ignore[misc]
        medians = _interleaved(benchmark, works, 2, block=1, warmup=0)
    assert all(table.equals(rows[0]) for table in rows)
    for kind, plural in (("process", "processes"), ("Dask worker", "Dask workers")):
        _ratio(f"sweep on one {kind} / on two, one thread each", medians, f"{kind} 1", f"{kind} 2", ">= 1.7")
        cells = "  ".join(f"{n}: {medians[f'{kind} {n}']:.2f}" for n in (1, 2))
        GROWTH.append(f"sweep of 32 networks, s by {plural:13}{cells}")


def test_what_the_store_costs(benchmark: Any, tmp_path: Path) -> None:
    (result,) = run(Experiment(steps=50), "cpu", progress=False)
    results = [replace(result, experiment=replace(result.experiment, seed=seed)) for seed in range(200)]
    store = open_store(tmp_path / "store")
    works: Works = {
        "write": lambda: [store_result(one, store) for one in results],
        "read": lambda: read_store(store),
    }
    medians = _interleaved(benchmark, works, 5, block=1)
    assert len(read_store(store)) == len(results)
    write, read = (1e3 * medians[name] / len(results) for name in works)
    _promise("store: writing and reading a result", write + read, "ms", "<= 2", f"({write:.3g} ms + {read:.3g} ms)")


# ------------------------------------------------------------------------------------------------- finite world, widgets


def test_finite_world_of_the_promised_size(benchmark: Any) -> None:
    """Four inputs, three labels, 64 hypotheses, every dataset of 8 examples; all terms and the Gibbs identity."""
    generator = torch.Generator().manual_seed(0)
    f = torch.softmax(torch.randn(64, 4, 3, generator=generator, dtype=torch.float64), -1)
    world = FiniteWorld(torch.full((4, 3), 1 / 12, dtype=torch.float64), f)

    def enumerate_all() -> None:
        learned = world.learn(8, 5.0)
        assert abs(learned.gibbs_gap - learned.test_loss + learned.train_loss) < 1e-12
        assert learned.train_terms()
        assert learned.test_terms()

    medians = _interleaved(benchmark, {"world": enumerate_all}, 5, block=1)
    _promise("finite world: 75,582 datasets, 64 hypotheses", 1e3 * medians["world"], "ms", "<= 1000")


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_theory_widgets(benchmark: Any, source: Path) -> None:
    """The slowest control of a notebook's widgets, at its minimum, maximum and default: from the new value to the new picture."""
    names, _ = run_cells(build.read(source, solutions=True))
    times: dict[str, list[float]] = {}

    def turn() -> None:
        for cached in names.values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
        for explorer in explorers(names):
            for name, control in explorer.controls.items():
                for value in extremes(control):
                    if control.value == value:
                        continue
                    started = time.perf_counter()
                    control.value = value
                    key = f"{explorer.draw.__name__}, {name} = {value}"
                    times.setdefault(key, []).append(time.perf_counter() - started)

    benchmark.pedantic(turn, rounds=5, warmup_rounds=1)
    slowest = max(times, key=lambda name: statistics.median(times[name]))
    _promise(f"widgets of {source.stem}, the slowest", 1e3 * statistics.median(times[slowest]), "ms", "<= 200", f"({slowest})")
