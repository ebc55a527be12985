"""What a step of the regularizer costs, measured and drawn for notebook 09."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from lautum_utils import Experiment, LautumRegularizer, grid, run
from lautum_utils.training.outcomes import Progress
from lautum_utils.widgets.figures import new_figure

PIXELS = ROWS = (64, 256, 1024, 4096)
SIZES, STACKS = (16, 32, 64, 128, 256), (1, 2, 4, 8, 16)


class Costs(NamedTuple):
    """Milliseconds of whitening once, of projecting a batch, and of value and gradient."""

    whitening: float
    projecting: float
    step: float


def measure_costs(where: torch.device) -> dict[str, dict[int, Any]]:
    """Costs by the pixels d of an image, the features k, the components r and the rows n of a
    batch; milliseconds of a training step for each network by how many are stacked."""
    return {
        "d": {d: costs(where, d=d) for d in PIXELS},
        "k": {k: costs(where, k=k) for k in SIZES},
        "r": {r: costs(where, r=r) for r in SIZES},
        "n": {n: costs(where, n=n) for n in ROWS},
        "stack": {models: step_of_a_stack(where, models) for models in STACKS},
    }


def costs(where: torch.device, d: int = 256, k: int = 64, r: int = 32, n: int = 256) -> Costs:
    """With d pixels, k features, r components and n rows in a batch."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(max(n, 512), d, generator=generator).to(where)
    z = torch.randn(n, k, generator=generator).to(where).requires_grad_()
    started = time.perf_counter()
    regularizer = LautumRegularizer(images, r)
    once = 1000 * (time.perf_counter() - started)
    projected = regularizer.project(images[:n])

    def step() -> None:
        value = regularizer(z, projected, validate_args=False)
        torch.autograd.grad(value, z)[0].sum().item()  # item() waits for a GPU

    projecting = _fastest(lambda: regularizer.project(images[:n]).sum().item())
    return Costs(once, projecting, _fastest(step))


def step_of_a_stack(where: torch.device, models: int) -> float:
    """Milliseconds of the quickest training step with the term, of so many networks, for each."""
    moments = []
    # One data set, and next to no stage two.
    quick = Experiment(steps=15, every=1, labels=10, protocol="finetune", finetune_steps=1)
    stack = grid(quick, strength=[1e-4 * (i + 1) for i in range(models)])

    def watch(now: Progress) -> None:
        if now.stage == "stage one":
            moments.append(time.perf_counter())

    run(stack, where, progress=False, callback=watch)
    return 1000 * min(b - a for a, b in pairwise(moments)) / models


def _fastest(work: Callable[[], object], enough: float = 0.03) -> float:
    """The least milliseconds of a call, after a first one that does not count."""
    work()
    best, end = math.inf, time.perf_counter() + enough
    while time.perf_counter() < end or best == math.inf:
        started = time.perf_counter()
        work()
        best = min(best, 1000 * (time.perf_counter() - started))
    return best


def draw_costs(costs: Mapping[str, Mapping[int, Any]]) -> Figure:
    """Milliseconds against a size, a panel for each size, on log axes; the last panel is for each
    network."""
    by_d, by_n, stacks = costs["d"], costs["n"], costs["stack"]
    whole = {
        "value + gradient": [cost.step for cost in by_d.values()],
        "projecting a batch": [cost.projecting for cost in by_d.values()],
        "whitening, once": [cost.whitening for cost in by_d.values()],
    }
    by_size = {
        "features k (r = 32)": [cost.step for cost in costs["k"].values()],
        "components r (k = 64)": [cost.step for cost in costs["r"].values()],
    }
    steps, alone = [cost.step for cost in by_n.values()], list(stacks.values())
    of_d = whole["value + gradient"]
    title = (
        f"64 times the pixels: {of_d[-1] / of_d[0]:.1f} times the time; "
        f"64 times the rows: {steps[-1] / steps[0]:.1f} times;\n"
        f"a network in a stack of {max(stacks)} takes {alone[-1] / alone[0]:.0%} of its time alone"
    )
    panels: dict[str, tuple[Sequence[int], Mapping[str, Sequence[float]]]] = {
        "pixels d of an image": (list(by_d), whole),
        "features k, components r": (list(costs["k"]), by_size),
        "rows n of a batch": (list(by_n), {"value + gradient": steps}),
        "networks in a stack": (list(stacks), {"a training step, for each": alone}),
    }
    return _draw_panels(panels, title)


def _draw_panels(
    panels: Mapping[str, tuple[Sequence[int], Mapping[str, Sequence[float]]]], title: str
) -> Figure:
    """By the name of the size: its values, and the times by what is timed; all on one axis."""
    figure, axes = new_figure(12, 3.6, len(panels), sharey=True)
    for ax, (label, (sizes, curves)) in zip(axes, panels.items(), strict=True):
        for name, milliseconds in curves.items():
            ax.loglog(sizes, milliseconds, label=name)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.yaxis.set_major_locator(LogLocator())
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.set_xlabel(label)
        ax.legend(fontsize=8, loc="upper left")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high * (high / low) ** 0.3)  # room for the legends
    axes[0].set_ylabel("milliseconds")
    figure.suptitle(title)
    return figure
