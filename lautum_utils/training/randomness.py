"""Every random number of training, by name. Each depends on a seed, a stream and (for images) a
step alone, so that a network learns the same whatever is trained beside it.

Numbers are drawn on the CPU by local generators: the same on every device.
"""

from collections.abc import Sequence
from enum import IntEnum

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


class Rows(IntEnum):
    """Streams of a seed: which samples the batches of a stage hold."""

    SOURCE = 1  # stage one, labelled
    UNLABELLED = 2  # stage one
    LABELLED = 3  # stage two
    EPOCHS = 4  # stage two, unlabelled: in epochs


class Views(IntEnum):
    """Streams of a seed and a step: how the images of a batch are changed."""

    WEAK = 0  # of a method: the only view, or the weaker of two
    STRONG = 1
    LABELLED = 2  # augmented labelled images
    UNLABELLED = 3


AUGMENTS = ("none", "moved", "mirrored")  # each does what those before it do, and more
STAGE_TWO = 2**19  # the steps of stage two are counted on from here, so that its views are others


def head_seed(seed: int) -> int:
    """The seed of the new head in stage two; the network itself begins from the seed."""
    return seed + 1


def drawn_rows(
    seeds: Sequence[int], steps: int, n: int, size: int, stream: Rows
) -> Int[Tensor, "seeds steps size"]:
    """Indices below n, drawn with replacement, from each seed alone."""
    rows = [
        torch.randint(n, (steps, size), generator=_of_rows(seed, stream), device="cpu")
        for seed in seeds
    ]
    return torch.stack(rows)


def epoch_rows(
    seeds: Sequence[int], steps: int, n: int, size: int
) -> Int[Tensor, "seeds steps size"]:
    """Indices below n, each at most once an epoch, from each seed alone; size is n at most."""
    size = min(size, n)
    each, rows = n // size, []
    for seed in seeds:
        generator = _of_rows(seed, Rows.EPOCHS)
        orders = [
            torch.randperm(n, generator=generator, device="cpu")[: each * size]
            for _ in range(-(-steps // each))
        ]
        rows.append(torch.cat(orders).view(-1, size)[:steps])
    return torch.stack(rows)


def augmented(
    images: Float[Tensor, "models n c h w"],
    seeds: Sequence[int],
    step: int,
    stream: Views,
    mirrored: bool,
) -> Float[Tensor, "models n c h w"]:
    """Each image moved by up to 2 pixels and, if mirrored, half of them turned left to right."""
    return translated(images, 2.0, view_generators(seeds, step, stream), mirrored)


def noisy_view(
    images: Float[Tensor, "models n c h w"],
    seeds: Sequence[int],
    step: int,
    stream: Views,
    strength: float,
) -> Float[Tensor, "models n c h w"]:
    """Each image moved by up to 2 pixels and with Gaussian noise of 0.1, both times strength."""
    generators = view_generators(seeds, step, stream)
    view = translated(images, 2 * strength, generators)
    noise = [torch.randn(images.shape[1:], generator=g, device="cpu") for g in generators]
    return view + 0.1 * strength * torch.stack(noise).to(images)


def translated(
    images: Float[Tensor, "models n c h w"],
    pixels: float,
    generators: Sequence[torch.Generator],
    mirrored: bool = False,
) -> Float[Tensor, "models n c h w"]:
    """Each image moved by up to so many pixels across and down, between pixels as well."""
    n, height, width = images.shape[1], *images.shape[-2:]
    flat = images.flatten(0, 1)
    by = [2 * torch.rand((n, 2), generator=g, device="cpu") - 1 for g in generators]
    affine = torch.eye(2, 3, dtype=images.dtype, device="cpu").to(images.device)
    affine = affine.repeat(len(flat), 1, 1)
    across_and_down = torch.stack(by).to(images).flatten(0, 1)
    affine[:, :, 2] = across_and_down * 2 * pixels / images.new_tensor([width, height])
    if mirrored:
        turned = [torch.rand(n, generator=g, device="cpu") < 0.5 for g in generators]
        affine[:, 0, 0] -= 2 * torch.stack(turned).to(images.device).flatten().to(images)
    places = F.affine_grid(affine, list(flat.shape), align_corners=False)
    return F.grid_sample(flat, places, align_corners=False).view_as(images)


def _of_rows(seed: int, stream: Rows) -> torch.Generator:
    return torch.Generator().manual_seed(4 * seed + stream)


def view_generators(seeds: Sequence[int], step: int, stream: Views) -> list[torch.Generator]:
    """One a model, for the images of a step."""
    return [torch.Generator().manual_seed((s * 2**20 + step) * 4 + stream) for s in seeds]
