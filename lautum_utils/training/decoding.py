"""Painting: what frozen features still hold of the images that they were made of, as images."""

import torch
from jaxtyping import Float
from torch import Tensor


def paint(
    features: Float[Tensor, "n k"],
    images: Float[Tensor, "n ..."],
    shown: Float[Tensor, "m k"],
    ridge: float = 1e-2,
) -> Float[Tensor, "m ..."]:
    """The best linear guess of images from their features, fitted on n pairs of both.

        x(z) = mean x + S_xz (S_zz + ridge * mean variance of z * I)^-1 (z - mean z)

    features, images: to fit on; no label is needed. shown: features of other images, to be painted.
    For Gaussian x and z it is the mean of x given z + noise, with the noise of
    `LautumRegularizer(ridge=ridge)`: what is painted is what that value counts. It is a ridge
    regression with penalty (n - 1) * ridge * mean variance. In float64, on the CPU.
    ValueError: fewer than 2 pairs, other numbers of features and images, a ridge of 0 or less.
    """
    if len(features) < 2 or len(features) != len(images):
        raise ValueError(
            "features and images need to be the same number of 2 or more, "
            f"got {len(features)} and {len(images)}."
        )
    if not 0 < ridge < float("inf"):
        raise ValueError(f"ridge needs to be a finite number above 0, got {ridge}.")
    z, x, of_shown = (t.detach().cpu().double() for t in (features, images.flatten(1), shown))
    mean_z, mean_x = z.mean(0), x.mean(0)
    z, x = z - mean_z, x - mean_x
    cov = z.mT @ z / (len(z) - 1)
    noise = max(ridge * cov.diagonal().mean().item(), torch.finfo(cov.dtype).tiny)
    cov.diagonal().add_(noise)
    weights = torch.linalg.solve(cov, z.mT @ x / (len(z) - 1))
    painted = mean_x + (of_shown - mean_z) @ weights
    return painted.to(images.dtype).view(len(shown), *images.shape[1:])


def share_kept(painted: Float[Tensor, "n ..."], images: Float[Tensor, "n ..."]) -> float:
    """The share of the variance of images that what is painted of them explains: 1 where they are
    equal, 0 for the mean image.

        1 - sum (x - painted)^2 / sum (x - mean x)^2

    ValueError: other shapes.
    """
    if painted.shape != images.shape:
        shapes = f"{tuple(painted.shape)} and {tuple(images.shape)}"
        raise ValueError(f"painted and images need the same shape, got {shapes}.")
    left, all_of_it = images - painted, images - images.mean(0)
    return 1 - (left.double().square().sum() / all_of_it.double().square().sum()).item()
