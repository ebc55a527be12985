"""The exercises of notebook 05, domain shift."""

from typing import Any

import torch
from torch import Generator, Tensor

from .checks import Exercise
from .drawing import between, normal

FIT, JUDGED = slice(0, None, 2), slice(1, None, 2)


def _two_samples(generator: Generator) -> tuple[Tensor, Tensor]:
    gap = between(generator, 0.3, 1.5)
    return normal(generator, 31, 3) + 1, normal(generator, 23, 3) + 1 + gap


def _wrong_sides(
    x: Tensor, y: Tensor, fit: slice = FIT, judged: slice = JUDGED, threshold: bool = True
) -> tuple[Tensor, Tensor]:
    """Whether each judged sample of x, and of y, lies on the other's side: 1 or 0."""
    centres = x[fit].mean(0), y[fit].mean(0)
    direction = centres[1] - centres[0]
    boundary = direction @ (centres[0] + centres[1]) / 2 * threshold
    wrong = x[judged] @ direction > boundary, y[judged] @ direction < boundary
    return wrong[0].double(), wrong[1].double()


def _a_distance(x: Tensor, y: Tensor, **how: Any) -> Tensor:
    return 2 - 4 * torch.cat(_wrong_sides(x, y, **how)).mean()


def _of_two_rates(x: Tensor, y: Tensor) -> Tensor:
    wrong_x, wrong_y = _wrong_sides(x, y)
    return 2 - 2 * (wrong_x.mean() + wrong_y.mean())


def _moved(x: Tensor, factor: float) -> Tensor:
    return x.mean(0) + factor * (x - x.mean(0))


def _features_and_images(generator: Generator) -> tuple[Tensor, Tensor, Tensor, float]:
    z = (2 * normal(generator, 45, 3) + 1) * torch.arange(1, 4)
    x = z @ normal(generator, 3, 6) + normal(generator, 45, 6) + 0.5
    return z[:40], x[:40], z[40:], between(generator, 0.02, 0.2)


def _painted(
    z: Tensor,
    x: Tensor,
    z_new: Tensor,
    ridge: float,
    *,
    through_origin: bool = False,
    scale: Tensor | None = None,
) -> Tensor:
    """The images that a ridge regression from features reads off new features."""
    mean_z, mean_x = (0 * v.mean(0) if through_origin else v.mean(0) for v in (z, x))
    z, x = z - mean_z, x - mean_x
    cov, cross = z.mT @ z / (len(z) - 1), z.mT @ x / (len(z) - 1)
    noise = ridge * (cov.diagonal().mean() if scale is None else scale)
    weights = torch.linalg.solve(
        cov + noise * torch.eye(len(cov), dtype=z.dtype, device=z.device), cross
    )
    return (z_new - mean_z) @ weights + mean_x


PROXY_A_DISTANCE = Exercise(
    inputs=_two_samples,
    reference=_a_distance,
    mistakes={
        "judged on the samples that the means come from: the error has to be one of the other "
        "half.": lambda x, y: _a_distance(x, y, judged=FIT),
        "the means were taken over all samples, also over those that are judged.": (
            lambda x, y: _a_distance(x, y, fit=slice(None))
        ),
        "this is half of it: 2 (1 - 2 error) is 2 for a classifier that is always right.": (
            lambda x, y: _a_distance(x, y) / 2
        ),
        "the sign is wrong: the share of right answers was taken for the error.": (
            lambda x, y: -_a_distance(x, y)
        ),
        "this is twice the error: a distance has to grow as the samples come apart.": (
            lambda x, y: 1 - _a_distance(x, y) / 2
        ),
        "the two error rates were averaged: here each held-out sample counts the same.": (
            _of_two_rates
        ),
        "the boundary goes through 0: it lies midway between the two means.": (
            lambda x, y: _a_distance(x, y, threshold=False)
        ),
    },
)
UNSEEN_SHIFT = Exercise(
    inputs=lambda g: (normal(g, 12, 3).exp() + 0.5,),
    reference=lambda x: _moved(x, -1.0),
    mistakes={
        "nothing has moved: c = 1 is the sample itself.": lambda x: x,
        "the same samples in another order: no measure sees that, and nothing has moved.": (
            lambda x: x.flip(0)
        ),
        "mirrored at 0: the covariance stays, but the mean moves, and the distance sees that.": (
            lambda x: -x
        ),
        "mirrored at 1/2, as inverted images are: the covariance stays, the mean moves.": (
            lambda x: 1 - x
        ),
        "mirrored at one mean of all numbers: each feature has a mean of its own.": (
            lambda x: 2 * x.mean() - x
        ),
        "c = 2 makes the covariance four times as large: which other c leaves c² = 1?": (
            lambda x: _moved(x, 2.0)
        ),
        "c = 0 puts every sample on the mean: the covariance is gone.": lambda x: _moved(x, 0.0),
    },
)
PAINTED = Exercise(
    inputs=_features_and_images,
    reference=_painted,
    mistakes={
        "no means were taken off: the fit is forced through 0.": (
            lambda z, x, new, e: _painted(z, x, new, e, through_origin=True)
        ),
        "the mean image is missing: add it back in the end.": (
            lambda z, x, new, e: _painted(z, x, new, e) - x.mean(0)
        ),
        "the new features lost their own mean: take off the mean of those that were fitted.": (
            lambda z, x, new, e: _painted(z, x, new - new.mean(0) + z.mean(0), e)
        ),
        "the ridge is missing: without it, noise in quiet directions is painted too.": (
            lambda z, x, new, e: _painted(z, x, new, 0.0)
        ),
        "the ridge is a fraction: multiply it by the mean variance of the features.": (
            lambda z, x, new, e: _painted(z, x, new, e, scale=torch.ones((), dtype=z.dtype))
        ),
        "the ridge met z'z undivided: divide by n - 1 first, so that it is a covariance.": (
            lambda z, x, new, e: _painted(z, x, new, e / (len(z) - 1))
        ),
    },
)
EXERCISES = {
    "proxy_a_distance": PROXY_A_DISTANCE,
    "unseen_shift": UNSEEN_SHIFT,
    "painted": PAINTED,
}
