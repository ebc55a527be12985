"""Speed, as ratios measured side by side in one run: `make bench`. Not collected by `make test`.

Prints a table of medians, then the ratios that the project promises, with versions and thread count.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import build
import pytest
import torch
import torchvision
from test_exercises import SOURCES, explorers, extremes, run_cells
from torch import Tensor

from lautum_utils.finite_world import FiniteWorld
from lautum_utils.networks import CNN, MLP, StackedNetwork
from lautum_utils.regularizers import LautumRegularizer
from lautum_utils.training import Experiment, replace, run

BATCH, FEATURES, COMPONENTS = 256, 64, 32
MEDIANS: dict[str, float] = {}


@pytest.fixture(scope="module", autouse=True)
def _ratios() -> Iterator[None]:
    yield
    print(f"\n\ntorch {torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads, CPU")
    for name, above, below, promise in (
        ("full covariance and inverse / regularizer, d = 784", "inverse 784", "regularizer 784", ">= 20"),
        ("full covariance and inverse / regularizer, d = 3072", "inverse 3072", "regularizer 3072", ""),
        ("regularizer d = 3072 / d = 784, once projected", "regularizer 3072", "regularizer 784", ""),
        ("CNN step with regularizer / same batches, mean()", "cnn step lautum", "cnn step mean", "<= 1.25"),
        ("MLP step with regularizer / same batches, mean()", "mlp step lautum", "mlp step mean", ""),
        ("16 MLPs stacked / 16 one by one", "16 stacked", "16 one by one", ""),
    ):
        if {above, below} <= MEDIANS.keys():
            ratio = MEDIANS[above] / MEDIANS[below]
            print(f"{name:55} {1e3 * MEDIANS[above]:9.2f} ms / {1e3 * MEDIANS[below]:9.2f} ms = {ratio:7.2f}  {promise}")
    for name, median in MEDIANS.items():
        if name.startswith(("widget", "finite world")):
            print(f"{name:55} {1e3 * median:9.2f} ms  {'<= 200 ms' if name.startswith('widget') else '<= 1000 ms'}")


def _measure(benchmark: object, name: str, work: Callable[[], object], rounds: int) -> None:
    benchmark.pedantic(work, rounds=rounds, warmup_rounds=3)  # type: ignore[attr-defined]
    MEDIANS[name] = benchmark.stats.stats.median  # type: ignore[attr-defined]


def _interleaved(benchmark: object, works: dict[str, Callable[[], object]], rounds: int, block: int = 10) -> None:
    """Blocks of one and of the other in turn, so that both meet the same moods of the machine; the row is a whole turn."""
    times: dict[str, list[float]] = {name: [] for name in works}

    def turn() -> None:
        for name, work in works.items():
            for _ in range(block):
                started = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - started)

    benchmark.pedantic(turn, rounds=rounds, warmup_rounds=1)  # type: ignore[attr-defined]
    MEDIANS.update({name: statistics.median(values[block:]) for name, values in times.items()})


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


@pytest.mark.parametrize("d", [784, 3072])
def test_regularizer_against_full_inverse(benchmark: object, d: int) -> None:
    x, z = torch.randn(1000, d), torch.randn(BATCH, FEATURES, requires_grad=True)
    regularizer = LautumRegularizer(x, COMPONENTS)
    batch = x[:BATCH]
    projected = regularizer.project(batch)

    def ours() -> None:
        regularizer(z, projected, validate_args=False).backward()

    works = {f"regularizer {d}": ours, f"inverse {d}": lambda: _full_inverse(z, batch).backward()}
    _interleaved(benchmark, works, 12 if d < 1000 else 2, block=10 if d < 1000 else 3)


@pytest.mark.parametrize(("name", "kind"), [("cnn", CNN), ("mlp", MLP)])
def test_step_with_and_without(benchmark: object, name: str, kind: type[StackedNetwork]) -> None:
    x, u = torch.rand(1, 64 + BATCH, 1, 16, 16), torch.rand(1000, 1, 16, 16)
    y = torch.randint(10, (64,))
    network = kind((1, 16, 16), 10, [0])  # type: ignore[call-arg]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    regularizer = LautumRegularizer(u, 64)
    projected = regularizer.project(x[0, 64:])[None]

    def step(term: Callable[[Tensor], Tensor]) -> None:
        optimizer.zero_grad()
        features = network.features(x)
        loss = torch.nn.functional.cross_entropy(network.head(features[:, :64])[0], y)
        (loss - 3e-4 * term(features[:, 64:]).sum()).backward()
        optimizer.step()

    works: dict[str, Callable[[], object]] = {
        f"{name} step lautum": lambda: step(lambda z: regularizer(z, projected, validate_args=False)),
        f"{name} step mean": lambda: step(lambda z: z.mean()),
    }
    _interleaved(benchmark, works, 25)


def test_sixteen_stacked(benchmark: object) -> None:
    base = Experiment(steps=40, labels=50, seed=0)
    grid = [replace(base, seed=s, strength=w) for s in range(4) for w in (0.0, 1e-4, 3e-4, 1e-3)]
    run(grid[:1] + grid[4:5] + grid[8:9] + grid[12:], progress=False)  # data of all seeds is drawn once
    works: dict[str, Callable[[], object]] = {
        "16 stacked": lambda: run(grid, progress=False),
        "16 one by one": lambda: [run(e, progress=False) for e in grid],
    }
    _interleaved(benchmark, works, 2, block=1)


@pytest.mark.parametrize("seeds", [3])
def test_playground_training(benchmark: object, seeds: int) -> None:
    """What Train does at the playground's defaults: the chosen weight and weight 0, three seeds, 200 labels."""
    base = Experiment(shift="label_part_swap", severity=1.0, steps=200)
    grid = [replace(base, seed=s, strength=w) for w in (0.0, 1e-3) for s in range(seeds)]
    _measure(benchmark, "playground", lambda: run(grid, progress=False), rounds=3)
    print(f"\none playground training: {MEDIANS['playground']:.2f} s")


def test_finite_world_of_the_promised_size(benchmark: object) -> None:
    """Four inputs, three labels, 64 hypotheses, every dataset of 8 examples; all terms and the Gibbs identity."""
    generator = torch.Generator().manual_seed(0)
    f = torch.softmax(torch.randn(64, 4, 3, generator=generator, dtype=torch.float64), -1)
    world = FiniteWorld(torch.full((4, 3), 1 / 12, dtype=torch.float64), f)

    def enumerate_all() -> None:
        learned = world.learn(8, 5.0)
        assert abs(learned.gibbs_gap - learned.test_loss + learned.train_loss) < 1e-12
        assert learned.train_terms()
        assert learned.test_terms()

    _measure(benchmark, "finite world: 75,582 datasets, 64 hypotheses", enumerate_all, rounds=5)


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_theory_widgets(benchmark: object, source: Path) -> None:
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

    benchmark.pedantic(turn, rounds=5, warmup_rounds=1)  # type: ignore[attr-defined]
    slowest = max(times, key=lambda name: statistics.median(times[name]))
    MEDIANS[f"widget {source.stem}, slowest: {slowest}"] = statistics.median(times[slowest])
