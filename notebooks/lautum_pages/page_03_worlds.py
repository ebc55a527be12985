"""Notebook 03's worlds that are not Gaussian: their densities on a grid, samples, a picture."""

import math
from collections.abc import Callable, Mapping

import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

Density = Callable[[Tensor, Tensor], Tensor]
Samples = tuple[Tensor, Tensor]


def _bell(v: Tensor, sigma: float) -> Tensor:
    return torch.exp(-((v / sigma) ** 2) / 2)


def _ring(x: Tensor, y: Tensor, sigma: float = 0.2) -> Tensor:
    """A circle of radius 1 plus noise."""
    radius = (x**2 + y**2).sqrt()
    return _bell(radius - 1, sigma) * torch.special.i0e(radius / sigma**2)


def _clusters(x: Tensor, y: Tensor, sigma: float = 0.3) -> Tensor:
    one, other = (_bell(x + at, sigma) * _bell(y + at, sigma) for at in (-1, 1))
    return one + other


def _outliers(x: Tensor, y: Tensor, part: float = 0.02, width: float = 10) -> Tensor:
    rho = 0.95
    narrow = math.sqrt(1 - rho**2)
    wide = _bell(x, width) * _bell(y - rho * x, width * narrow) / (width**2 * narrow)
    return (1 - part) * _bell(x, 1) * _bell(y, 1) + part * wide


# The largest |x|, the limits of y, and the joint density up to a factor; x is uniform in parabola
# and cross.
WORLDS: dict[str, tuple[float, tuple[float, float], Density]] = {
    "line": (6, (-6, 6), lambda x, y: _bell(x, 1) * _bell(y - 0.6 * x, 0.8)),
    "line, y cubed": (6, (-6, 6), lambda x, y: _bell(x, 1) * _bell(y - 0.6 * x, 0.8)),
    "parabola": (3**0.5, (-2.5, 5.5), lambda x, y: _bell(y - x**2, 0.5)),
    "cross": (3**0.5, (-3, 3), lambda x, y: _bell(y - x, 0.3) + _bell(y + x, 0.3)),
    "ring": (2, (-2, 2), _ring),
    "two clusters": (3, (-3, 3), _clusters),
    "2 % outliers": (50, (-50, 50), _outliers),
}


def discretised(name: str, points: int) -> tuple[Tensor, Tensor, Tensor]:
    """A world on a grid: the values of x and of y (points,), and the table of probabilities."""
    reach, (low, high), density = WORLDS[name]
    middle = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    x, y = -reach + 2 * reach * middle, low + (high - low) * middle
    table = density(x[:, None], y)
    return x, y**3 if "cubed" in name else y, table / table.sum()


def sampled(name: str, points: int, seed: int) -> Samples:
    """600 samples of a world."""
    x, y, table = discretised(name, points)
    generator = Generator().manual_seed(seed)
    cells = torch.multinomial(table.flatten(), 600, replacement=True, generator=generator)
    return x[cells // points], y[cells % points]


def draw_worlds(found: Mapping[str, Mapping[str, float]], samples: Mapping[str, Samples]) -> Figure:
    """Samples of each world, above them what the covariance says and what is true."""
    margins = {"left": 0.05, "right": 0.99, "bottom": 0.15, "top": 0.66, "wspace": 0.3}
    figure, axes = new_figure(11, 3.1, len(samples), layout="none", gridspec_kw=margins)
    for ax, (name, (x, y)) in zip(axes, samples.items(), strict=True):
        ax.scatter(x, y, s=3, color=STYLES[0]["color"], alpha=0.4)
        of = found[name]
        rows = [f"{m} {of[f'{m}, Gaussian']:.2f}, true {of[f'{m}, true']:.2f}" for m in "LI"]
        ax.set_title("\n".join((name, *rows)), fontsize=9)
        ax.set_xlabel("x")
        ax.tick_params(labelsize=8)
        ax.locator_params(nbins=4)
    axes[0].set_ylabel("y")
    figure.suptitle("Only for the line are the Gaussian values the true ones (nats)")
    return figure
