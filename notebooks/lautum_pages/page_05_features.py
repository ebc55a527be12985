"""The pictures of notebook 05, middle: what source-trained features hold of the target."""

# ruff: noqa: RUF001 -- Greek letters, as on the page

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from lautum_pages.page_05 import without_frame
from lautum_utils.widgets.figures import Picture, new_figure

OfSteps = Mapping[int, Tensor]  # a value for each network, after so many steps of training


def draw_spectra(spectra: Mapping[str, OfSteps]) -> Figure:
    """Canonical correlations (networks, r) of features and target inputs by rank, a panel a task, a
    line for each number of steps."""
    figure, axes = new_figure(10, 3.6, 2, sharey=True)
    for ax, (task, of_steps) in zip(axes, spectra.items(), strict=True):
        for step, rho in of_steps.items():
            ranks = range(1, rho.shape[-1] + 1)
            ax.plot(ranks, rho.mean(0), label=after(step), markevery=7)
        sums = [rho.square().sum(-1).mean().item() for rho in of_steps.values()]
        ax.set_title(f"{task}: sum of ρ² from {sums[0]:.1f} to {sums[-1]:.1f}", fontsize=10)
        ax.set(xlabel="canonical correlation, by rank", ylim=(0, 1.02))
    axes[0].set_ylabel("ρ (no unit)")
    axes[0].legend()
    figure.suptitle(
        "What the features hold of the target while the source is learnt (with 1 % of noise)"
    )
    return figure


def draw_pixels(of_pixels: Mapping[str, OfSteps], fading: tuple[float, float]) -> Figure:
    """R² of each pixel (h, w), the mean over the networks: a row a task, a column for each number
    of steps.

    fading: what is read off the pairs' letter half at random and in the end, as fractions.
    """
    columns = len(next(iter(of_pixels.values())))
    figure = Picture(figsize=(11, 3.1))
    axes = figure.subplots(len(of_pixels), columns)
    for row, (task, of_steps) in zip(axes, of_pixels.items(), strict=True):
        for ax, (step, image) in zip(row, of_steps.items(), strict=True):
            drawn = ax.imshow(image, vmin=0, vmax=1, cmap="cividis")
            without_frame(ax)
            ax.set_title(after(step), fontsize=10)
        row[0].set_ylabel(task, fontsize=9)
    figure.colorbar(drawn, ax=axes, label="R² of a pixel", shrink=0.9)
    figure.suptitle(
        "How much of each pixel can be read off the features: of the pairs' letter half "
        f"{100 * fading[0]:.0f} % at random, {100 * fading[1]:.0f} % in the end "
        "(white: never changes)"
    )
    return figure


def draw_components(
    components: Mapping[str, Tensor],
    random: Mapping[str, Tensor],
    trained: Mapping[str, Tensor],
    shown: int = 6,
) -> Figure:
    """The principal components (r, h, w) of each task that trained features hold best, and those
    that they hold least.

    random, trained: R² of each component (r,).
    """
    figure = Picture(figsize=(12, 3.3))
    axes = figure.subplots(len(components), 2 * shown, height_ratios=(1.7, 1))
    for row, (task, images) in zip(axes, components.items(), strict=True):
        order = trained[task].argsort(descending=True).tolist()
        for ax, j in zip(row, order[:shown] + order[-shown:], strict=True):
            reach = images[j].abs().max()
            ax.imshow(images[j], cmap="PuOr", vmin=-reach, vmax=reach)
            ax.set_title(f"no. {j + 1}\n{random[task][j]:.2f} → {trained[task][j]:.2f}", fontsize=9)
            without_frame(ax)
        row[0].set_ylabel(task, fontsize=9)
    figure.suptitle(
        f"Principal components, the {shown} best kept and the {shown} least: "
        "R² random → trained (no. 1 varies most)"
    )
    return figure


def after(step: int) -> str:
    """So many steps of training, in words."""
    return f"{step} steps" if step else "random"
