"""Notebook 07 on two views: what they are, and what happens without the noise; and the training of
a method of one's own."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils import Experiment
from lautum_utils.training.loop import make_optimizer, train
from lautum_utils.training.methods import Method, make_method
from lautum_utils.training.networks import NETWORKS, StackedNetwork, alone
from lautum_utils.training.probes import fit_probe, target_parts
from lautum_utils.training.randomness import Views
from lautum_utils.training.stack_data import StackData
from lautum_utils.training.views import VIEWS, random_view
from lautum_utils.widgets.figures import Picture
from lautum_utils.widgets.style import STYLES


def draw_views(images: Tensor, seed: int = 0) -> Figure:
    """Letters (n, 1, h, w), and below them a pair of views of each, by every named view."""
    names, n = list(VIEWS), len(images)
    figure = Picture(figsize=(7.4, 0.48 * (2 * len(names) + 1) + 0.5))
    rows = figure.subplots(2 * len(names) + 1, n, subplot_kw={"xticks": [], "yticks": []})
    shown = {"as it is": images}
    for name in names:
        for number, stream in enumerate((Views.WEAK, Views.STRONG)):
            label = "" if number else name.replace("_", " ")
            view = random_view(images[None], VIEWS[name], [seed], 0, stream)[0]
            shown[label or f"{name}, again"] = view
    for axes, (name, row) in zip(rows, shown.items(), strict=True):
        for ax, image in zip(axes, row, strict=True):
            ax.imshow(image[0].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
            ax.spines[:].set_visible(False)
        label = "" if name.endswith("again") else name
        axes[0].set_ylabel(label, rotation=0, ha="right", va="center")
    figure.suptitle("Two views of a letter: what they share is the letter, not its pixels")
    return figure


def distances(z: Float[Tensor, "models n k"]) -> Float[Tensor, "models n"]:
    """The squared Mahalanobis distance of each image's features to their mean, over its mean over
    the images.

        d_i = (z_i - m)' S^-1 (z_i - m) / mean_j (z_j - m)' S^-1 (z_j - m)

    S: the covariance, with 0.001 of the mean variance on every coordinate, as
    `lautum_between_views` has it.
    """
    z = z.double() - z.double().mean(1, keepdim=True)
    cov = z.mT @ z / z.shape[1]
    diagonal = cov.diagonal(dim1=1, dim2=2)
    diagonal.add_(1e-3 * diagonal.mean(1, keepdim=True))
    d = (z @ torch.linalg.inv(cov) * z).sum(-1)
    return d / d.mean(1, keepdim=True)


def learn(
    method: Method,
    experiments: Sequence[Experiment],
    device: torch.device,
    watch: Callable[[int, StackedNetwork, StackData], object] = lambda step, network, data: None,
) -> tuple[StackedNetwork, StackData]:
    """Stage one of experiments that differ in their seeds alone, side by side, with any method in
    the place of theirs. watch: called with the number of steps taken, after each."""
    e, data = experiments[0], StackData(experiments, device)
    make = NETWORKS[e.network]
    network = make(data.image_shape, data.source_classes, [e.seed for e in experiments]).to(device)
    batches = data.stage_one_batches(network, experiments, data.pools(e, e.inputs, e.method))
    strength = torch.full((len(experiments),), e.strength, device=device)
    optimizer = make_optimizer(network, e.learning_rate)
    for step, _ in train(network, optimizer, batches, method, strength, range(e.steps)):
        watch(step + 1, network, data)
    return network, data


def probed(network: StackedNetwork, data: StackData, labels: int) -> list[float]:
    """The target test accuracy of a probe on the frozen features of each network, in percent."""
    found = []
    for row in range(len(data.which)):
        parts = target_parts(data.task(row), labels, alone(network, row).features)
        found.append(100 * fit_probe(*parts).test_accuracy)
    return found


def watch_collapse(
    noise: float, experiments: Sequence[Experiment], device: torch.device
) -> tuple[dict[int, list[tuple[float, float]]], list[float]]:
    """Train them by Lautum between views with this noise: `how_collapsed` each network is, by step,
    and what a probe with 200 labels reaches at the end."""
    e = experiments[0]
    by_step: dict[int, list[tuple[float, float]]] = {}

    def watch(step: int, network: StackedNetwork, data: StackData) -> None:
        if step % max(1, e.steps // 15) == 0:
            by_step[step] = how_collapsed(network, data)

    method = make_method("lautum_between_views", views=e.views, view_noise=noise)
    return by_step, probed(*learn(method, experiments, device, watch), 200)


@torch.no_grad()
def how_collapsed(network: StackedNetwork, data: StackData) -> list[tuple[float, float]]:
    """For each network, on 1000 unlabelled images: the mean of their squared `distances`, and the
    share of those with a distance below 0.1, of which the features say next to nothing."""
    models = range(len(data.which))
    images = torch.stack([data.task(row).unlabelled[:1000] for row in models])
    d = distances(network.features(images))
    means, shares = d.square().mean(1), (d < 0.1).double().mean(1)
    return list(zip(means.tolist(), shares.tolist(), strict=True))


def draw_collapse(
    watched: Mapping[float, Mapping[int, Sequence[tuple[float, float]]]], gaussian: float
) -> Figure:
    """During training, without noise and with it: `how_collapsed` the features are.

    watched: by noise, then by step: a pair for each network. gaussian: that distance if features
    were Gaussian.
    """
    figure = Picture(figsize=(6.4, 4.6))
    axes = figure.subplots(2, 1, sharex=True)
    for style, (noise, by_step) in zip(STYLES, watched.items(), strict=False):
        steps, found = list(by_step), np.array(list(by_step.values()))
        for network in range(found.shape[1]):
            name = None if network else f"noise {noise:g}"
            for which, (ax, factor) in enumerate(zip(axes, (1, 100), strict=True)):
                ax.plot(steps, factor * found[:, network, which], label=name, **style)
    axes[0].axhline(gaussian, color="0.5", linewidth=1, linestyle=":")
    axes[0].set_ylabel("mean of d²\n(dotted: a Gaussian)")
    axes[1].set(ylabel="images with\nd below 0.1 (%)", ylim=(-3, 103), xlabel="step of stage one")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.suptitle("Without noise, a few images carry every correlation, and the others nothing")
    return figure
