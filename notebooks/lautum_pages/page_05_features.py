"""Notebook 05, second half: networks kept while they learn a source, and the pictures of what their
features hold of a target."""

import copy
from collections.abc import Collection, Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Batches, Domain, Interval, interval, make_method, make_optimizer, train
from lautum_utils.training.batches import Samples
from lautum_utils.training.networks import MLP
from lautum_utils.widgets.figures import new_figure

Held = Mapping[tuple[str, float, int], Tensor]  # (task, noise, step): R² (networks, components)


def learn(
    source: Domain, seeds: int, steps: int, kept: Collection[int], device: torch.device
) -> dict[int, MLP]:
    """MLPs trained side by side on a source by cross-entropy alone, one a seed, as `run` trains
    them; a copy of what they were after each of the steps `kept`, and before the start (0)."""
    x, y = source.inputs.to(device), source.labels.to(device)
    network = MLP(tuple(x.shape[1:]), len(source.class_names), range(seeds)).to(device)
    generators = [torch.Generator().manual_seed(i) for i in range(seeds)]
    rows = torch.stack([torch.randint(len(x), (steps, 64), generator=g) for g in generators])
    labelled = Samples(x.expand(seeds, *x.shape), y.expand(seeds, -1), rows.to(device))
    batches = Batches(network, labelled, None, torch.arange(seeds, device=device), range(seeds))
    optimizer, nothing = make_optimizer(network, 3e-3), torch.zeros(seeds, device=device)
    copies = {0: copy.deepcopy(network)}
    method = make_method("standard")
    for step, _ in train(network, optimizer, batches, method, nothing, range(steps)):
        if step + 1 in kept:
            copies[step + 1] = copy.deepcopy(network)
    return copies


def draw_held(held: Held) -> Figure:
    """How much of the target's components is read off the features while the source is learnt: the
    sum of R² with intervals over networks, a panel a task, a line for each noise."""
    tasks, noises, steps = ([*dict.fromkeys(k)] for k in zip(*held, strict=True))
    figure, axes = new_figure(10, 3.8, len(tasks), sharey=True)
    for ax, task in zip(axes, tasks, strict=True):
        changes = []
        for noise in noises:
            sums = {step: held[task, noise, step].sum(-1) for step in steps}
            points = [interval(of_step.tolist()) for of_step in sums.values()]
            reach = [point.reach for point in points]
            ax.errorbar(range(len(steps)), [p.mean for p in points], reach, label=_noise(noise))
            changes.append(interval((sums[max(steps)] - sums[0]).tolist()))
        ax.set_title(f"{task}: {_loss(*changes)}")
        ax.set_xticks(range(len(steps)), [f"{step}" for step in steps])
        ax.set(xlabel="steps of learning the source", ylim=(0, None))
    axes[0].set_ylabel("sum of R² (components)")
    axes[0].legend(loc="lower left")
    figure.suptitle("What the features hold of the target, while they learn the source")
    return figure


def draw_kept(held: Held, noise: float, together: int = 8) -> Figure:
    """Mean R² of components, `together` at a time, random and trained, with intervals over
    networks, a panel a task."""
    tasks = list(dict.fromkeys(task for task, _, _ in held))
    steps = sorted({step for _, _, step in held})
    figure, axes = new_figure(10, 3.4, len(tasks), sharey=True)
    for ax, task in zip(axes, tasks, strict=True):
        ends = []
        for step in (steps[0], steps[-1]):
            groups = held[task, noise, step].unflatten(-1, (-1, together)).mean(-1)
            points = [interval(group.tolist()) for group in groups.mT]
            at = range(1, len(points) * together, together)
            ax.errorbar(at, [p.mean for p in points], [p.reach for p in points], label=after(step))
            ends.append((points[0].mean, points[-1].mean))
        ax.set_xticks(at, [f"{k} to {k + together - 1}" for k in at], fontsize=8)
        (leading, trailing), (leading_then, trailing_then) = ends
        ax.set_title(
            f"{task}: the leading {together} from {leading:.2f} to {leading_then:.2f},\n"
            f"the last {together} from {trailing:.2f} to {trailing_then:.2f}",
            fontsize=10,
        )
        ax.set(xlabel="components (1 varies most)", ylim=(0, 1))
    axes[0].set_ylabel("R² (no unit)")
    axes[0].legend(loc="upper right")
    figure.suptitle(f"What varies most is kept best ({_noise(noise)})")
    return figure


def after(step: int) -> str:
    """So many steps of training, in words."""
    return f"{step} steps" if step else "random"


def _noise(noise: float) -> str:
    return "1 % of noise" if noise == 1e-2 else "a ten-thousandth of it"


def _loss(with_noise: Interval, without: Interval) -> str:
    """What the changes of two sums say, with noise and with next to none."""
    if with_noise.high >= 0:
        return "no clear loss"
    change = f"({without.mean:+.1f} [{without.low:+.1f}, {without.high:+.1f}] without noise)"
    gone = "what is lost is gone" if without.high < 0 else "what is lost is only quiet"
    return f"{gone}\n{change}"
