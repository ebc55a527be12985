"""What the published tasks cost at full size: counted, not run."""

import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from lautum_utils import NETWORKS, Experiment, run
from lautum_utils.data.tasks import common_shape
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES
from notebooks.tools import published
from notebooks.tools.published_cost import in_words

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}  # so that counting downloads nothing
A_TENTH, LAUNCH = (
    0.1,
    0.004,
)  # of a GPU's speed, which small networks reach; seconds a step at least


class Cost(NamedTuple):
    """Of stage one of one network: operations of a step on average, its steps, hours here and on a
    GPU, gigabytes kept between forward and backward."""

    operations: float
    steps: int
    hours_here: float
    hours_on_gpu: float
    gigabytes: float


def counted(e: Experiment) -> tuple[int, int]:
    """A step of stage one with the term, both batches: its floating-point operations, forward and
    backward, and the bytes kept between. Nothing is computed: tensors on the device "meta" have a
    shape only."""
    shape = SHAPES.get(e.source) or common_shape(e.source, e.target)
    network, kept = NETWORKS[e.network](shape, 10, [0]).to("meta"), {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage()._cdata] = x.untyped_storage().nbytes()
        return x

    x = torch.zeros(1, e.source_batch + e.target_batch, *shape, device="meta")
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x)
    with FlopCounterMode(display=False) as counter, hooks:
        network(x).sum().backward()
    return counter.get_total_flops(), sum(kept.values())


def speed_of(network: str, steps: int, device: Any) -> float:
    """Operations a second that a network reaches here: the fastest of so many steps."""
    e = Experiment("digits", "letters", network=network, augment="mirrored")
    times: list[float] = []

    def watch(now: Any) -> bool:
        if now.stage == "stage one":
            times.append(time.perf_counter())
        return len(times) > steps  # stops the run

    changed = replace(e, steps=48, strength=1e-4, every=1)
    run(changed, device, progress=False, callback=watch)
    return counted(e)[0] / min(b - a for a, b in pairwise(times))


def cost_of(e: Experiment, speed: float, gpu_teraflops: float) -> Cost:
    """speed: of this network here, operations a second."""
    n, kept = counted(e)
    both = e.source_batch + e.target_batch
    mean = n * (e.source_batch + e.target_batch / e.every) / both
    on_gpu = max(mean / (A_TENTH * gpu_teraflops * 1e12), LAUNCH)
    hours = e.steps * mean / speed / 3600, e.steps * on_gpu / 3600
    return Cost(mean, e.steps, *hours, 1.5 * kept / 1e9)


def costs(
    profiles: Mapping[str, Mapping[str, Any]], speeds: Mapping[str, float], gpu_teraflops: float
) -> dict[str, Cost]:
    """Of the published tasks in each profile. speeds: by network."""
    tasks = [task for task in published.TASKS.values() if task.base.source in SHAPES]
    found = {}
    for task in tasks:
        for profile, changes in profiles.items():
            e = replace(task.base, **changes)
            found[f"{task.title}, {profile}"] = cost_of(e, speeds[e.network], gpu_teraflops)
    return found


def draw_costs(found: Mapping[str, Cost], gpu_teraflops: float) -> Figure:
    """Hours of stage one of one network, here and on a GPU."""
    longest = max(found, key=lambda name: found[name].hours_here)
    cost = found[longest]
    here, there = f"{cost.hours_here:.1f} hours", f"{60 * cost.hours_on_gpu:.0f} minutes"
    title = f"{longest}: {here} a network here, {there} on the GPU"
    figure, (ax,) = new_figure(8, 0.45 * len(found) + 1.5)
    rows = range(len(found))
    on_gpu = f"a GPU of {gpu_teraflops:g} teraflops"
    bars = {"here": [c.hours_here for c in found.values()]}
    bars[on_gpu] = [c.hours_on_gpu for c in found.values()]
    for number, (label, hours) in enumerate(bars.items()):
        places = [row + 0.36 * number - 0.18 for row in rows]
        drawn = ax.barh(places, hours, 0.34, color=STYLES[number]["color"], label=label)
        ax.bar_label(drawn, [_in_words(h) for h in hours], padding=3, fontsize=8)
    ax.set_yticks(rows, list(found))
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="hours of stage one of one network, logarithmic")
    ax.margins(x=0.15)
    figure.suptitle(title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _in_words(hours: float) -> str:
    """ "10 seconds", "3 minutes", "4.2 hours"."""
    return f"{3600 * hours:.0f} seconds" if hours < 0.05 else in_words(3600 * hours)
