"""The regularizer over process groups of 2, 3 and 4 ranks against one process on the joined batch.

Each world is started once; its ranks run every case and leave what they got in files.
"""

import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from waiting import GUARD

from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.training.networks import MLP

EQUAL = {2: (64, 64), 3: (48, 48, 48), 4: (32, 32, 32, 32)}
UNEQUAL = {2: (127, 1), 3: (80, 1, 43), 4: (90, 1, 7, 41)}
SPANS = {"equal": EQUAL, "unequal": UNEQUAL}
FEATURES, COMPONENTS, PIXELS = 12, 6, 20
# In float32 the order of the samples decides: shuffling them in one process moves values by 2e-6
# and gradients by 4e-6.
LIMITS = {torch.float64: 1e-12, torch.float32: 1e-5}
Parts = dict[str, Tensor]

# ---------------------------------------------------------------------------------------- the cases


@dataclass(frozen=True)
class Case:
    """The ranks' losses are (1 + rank) * the sum of the values: their upstream gradients differ in
    every case."""

    kind: type[LautumRegularizer] | type[MutualInformationRegularizer]
    dtype: torch.dtype
    span: str
    features: str
    prepared: bool

    @property
    def name(self) -> str:
        kind = "lautum" if self.kind is LautumRegularizer else "mutual"
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{kind} {dtype} {self.span} {self.features}{' prepared' if self.prepared else ''}"


CASES = [
    Case(*choice)
    for choice in product(
        (LautumRegularizer, MutualInformationRegularizer),
        (torch.float64, torch.float32),
        SPANS,
        ("relu", "dead columns", "models", "constant"),
        (False, True),
    )
]


def target_inputs(dtype: torch.dtype) -> Tensor:
    return torch.rand(
        200, PIXELS, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).to(dtype)


def joined(case: Case, n: int) -> tuple[Tensor, Tensor]:
    """Features and their inputs, of all ranks: the same wherever it is called."""
    generator = torch.Generator().manual_seed(2)
    x = target_inputs(case.dtype)[:n]
    weights = torch.randn(3, PIXELS, FEATURES, generator=generator, dtype=torch.float64).to(
        case.dtype
    )
    z = F.relu(
        (x - 0.5) @ weights
        + 3 * torch.randn(3, n, FEATURES, generator=generator, dtype=torch.float64).to(case.dtype)
    )
    if case.features != "models":
        z = z[0]
    if case.features == "dead columns":
        z[..., :3], z[..., 3] = 0.0, 0.7
    if case.features == "constant":
        z = torch.full_like(z, 0.3)
    return z, x


def evaluate(
    case: Case, z: Tensor, x: Tensor, factor: float, group: Any = None
) -> tuple[Tensor, Tensor]:
    """The value on z and x, and the gradient of factor * value, where each model has a weight of
    its own."""
    regularizer = case.kind(target_inputs(case.dtype), COMPONENTS, group=group)
    z = z.clone().requires_grad_()
    projected = regularizer.project(x).expand(*z.shape[:-1], COMPONENTS)
    if case.prepared:
        projected = regularizer.prepare(projected)
    value = regularizer(z, projected, prepared=case.prepared)
    (gradient,) = torch.autograd.grad(
        factor * (value * torch.arange(1, value.numel() + 1).view(value.shape)).sum(), z
    )
    return value.detach(), gradient


def difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest entry of what is wanted."""
    assert got.shape == wanted.shape
    assert bool(got.isfinite().all() & wanted.isfinite().all())
    return float((got - wanted).abs().max() / wanted.abs().max().clamp_min(1e-300))


# -------------------------------------------------------------------------- a training step by step

STEPS, STRENGTH, PIXEL_SHAPE = 6, 3e-4, (1, 4, 5)
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.03, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
}


class TwoOutputs(nn.Module):
    """Logits of the source half and features of the target half in one forward pass, as
    DistributedDataParallel needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MLP(PIXEL_SHAPE, 3, [0]).double()

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(torch.cat((source, target))[None])[0]
        return self.network.head(features[None, : len(source)])[0], features[len(source) :]


def trained(optimizer: str, rank: int, world: int, group: Any = None) -> Tensor:
    """The parameters after some steps on this rank's share of each batch, in a process group if
    there is more than one."""
    model: nn.Module = TwoOutputs()
    parameters = list(model.parameters())
    if world > 1:
        model = nn.parallel.DistributedDataParallel(model)
    step_of = OPTIMIZERS[optimizer](parameters)
    regularizer = LautumRegularizer(target_inputs(torch.float64), COMPONENTS, group=group)
    generator = torch.Generator().manual_seed(3)
    for _ in range(STEPS):
        rows = torch.randint(200, (2, 160), generator=generator)
        labels = torch.randint(3, (160,), generator=generator)
        mine = torch.arange(160).chunk(world)[rank]
        source, target = (target_inputs(torch.float64)[chosen[mine]] for chosen in rows)
        logits, features = model(source.view(-1, *PIXEL_SHAPE), target.view(-1, *PIXEL_SHAPE))
        loss = F.cross_entropy(logits, labels[mine]) - STRENGTH * regularizer(
            features, regularizer.project(target)
        )
        step_of.zero_grad()
        loss.backward()
        step_of.step()
    return torch.cat([p.detach().flatten() for p in parameters])


# ---------------------------------------------------------------------------------------- the ranks


def work(rank: int, world: int, folder: Path) -> None:
    """All that one rank does: its part of every case, saved under names."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=GUARD),
    )
    out: Parts = {}
    for case in CASES:
        sizes = SPANS[case.span][world]
        z, x = (
            part.split(sizes, dim)[rank]
            for part, dim in zip(joined(case, sum(sizes)), (-2, 0), strict=True)
        )
        out[case.name], out[f"{case.name}, gradient"] = evaluate(
            case, z, x, 1 + rank, dist.group.WORLD
        )
    case = CASES[0]
    z, x = (part.split(EQUAL[world])[rank] for part in joined(case, sum(EQUAL[world])))
    out["local"], out["local, gradient"] = evaluate(case, z, x, 1 + rank)
    ends = dist.new_group([0, world - 1])
    if rank in (0, world - 1):
        out["ends"], out["ends, gradient"] = evaluate(case, z, x, 1 + rank, ends)
    if world == 2:
        for optimizer in OPTIMIZERS:
            out[optimizer] = trained(optimizer, rank, world, dist.group.WORLD)
            out[f"{optimizer}, each rank its own"] = trained(optimizer, rank, world)
    torch.save(out, folder / f"{rank}.pt")
    dist.destroy_process_group()


@cache
def ranks_of(world: int) -> list[Parts]:
    """Forked from a server that has imported torch but has run nothing: the ranks start at once and
    share no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["torch.distributed", "lautum_utils.regularizers", "lautum_utils.training.networks"]
    )
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            context.Process(target=work, args=(rank, world, Path(folder)), daemon=True)
            for rank in range(world)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(GUARD)
        codes = [process.exitcode for process in ranks]
        for process in ranks:
            process.kill()
        assert codes == [0] * world, f"exit codes of the ranks: {codes}"
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(world)]


# ---------------------------------------------------------------------------------------- the tests

worlds = pytest.mark.parametrize("world", EQUAL, ids=lambda world: f"{world} ranks")


@worlds
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ranks_give_the_value_and_gradient_of_one_process_on_the_joined_batch(
    case: Case, world: int
) -> None:
    ranks, sizes = ranks_of(world), SPANS[case.span][world]
    value, gradient = evaluate(case, *joined(case, sum(sizes)), sum(range(1, world + 1)))
    together = torch.cat([rank[f"{case.name}, gradient"] for rank in ranks], -2)
    assert all(torch.equal(rank[case.name], ranks[0][case.name]) for rank in ranks)
    if case.features == "constant":
        assert value == ranks[0][case.name] == 0
        assert bool(together.isfinite().all())
    else:
        assert bool((value > 0.05).all())
        assert difference(ranks[0][case.name], value) <= LIMITS[case.dtype]
        assert difference(together, gradient) <= LIMITS[case.dtype]


@worlds
def test_without_a_group_a_rank_stays_with_its_own_batch(world: int) -> None:
    case, sizes = CASES[0], EQUAL[world]
    for rank, (z, x) in enumerate(
        zip(*(part.split(sizes) for part in joined(case, sum(sizes))), strict=True)
    ):
        value, gradient = evaluate(case, z, x, 1 + rank)
        assert difference(ranks_of(world)[rank]["local"], value) <= 1e-12
        assert difference(ranks_of(world)[rank]["local, gradient"], gradient) <= 1e-12


@worlds
def test_the_mean_of_what_each_rank_sees_alone_is_another_number(world: int) -> None:
    case = CASES[0]
    value, _ = evaluate(case, *joined(case, sum(EQUAL[world])), 1)
    mean = torch.stack([rank["local"] for rank in ranks_of(world)]).mean()
    assert difference(mean, value) > 0.05


@worlds
def test_a_group_of_the_first_and_the_last_rank_is_those_two_alone(world: int) -> None:
    case, sizes, ranks = CASES[0], EQUAL[world], ranks_of(world)
    z, x = (torch.cat(part.split(sizes)[:: world - 1]) for part in joined(case, sum(sizes)))
    value, gradient = evaluate(case, z, x, 1 + world)
    assert difference(ranks[0]["ends"], value) <= 1e-12
    assert (
        difference(torch.cat([ranks[0]["ends, gradient"], ranks[-1]["ends, gradient"]]), gradient)
        <= 1e-12
    )
    assert all("ends" not in rank for rank in ranks[1:-1])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_under_distributed_data_parallel_are_those_of_one_process_on_the_joined_batch(
    optimizer: str,
) -> None:
    first, second = (rank[optimizer] for rank in ranks_of(2))
    alone = trained(optimizer, 0, 1)
    assert torch.equal(first, second)
    assert difference(first, alone) <= 1e-12
    # The wrong way, the information of each rank's own batch averaged, is told apart from it.
    assert difference(ranks_of(2)[0][f"{optimizer}, each rank its own"], alone) > 1e-4
