"""The pictures of notebook 02: joint and product, the terms of both losses, what moves L(W;X), the
price of Lautum information."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.finite_world import Learned
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

TOTAL: dict[str, Any] = {"color": "0.35", "width": 0.75}  # the bar of a sum


def draw_ratio(ratio: Tensor, hypotheses: Tensor) -> Figure:
    """The logarithm of joint over product, as a table: hypotheses (w, x, y) by examples (x, y)."""
    figure, (ax,) = new_figure(7.4, 3.4)
    table = ratio.flatten(1)
    reach = table.abs().max().item() or 1.0
    picture = ax.imshow(table.numpy(), cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto")
    for row, values in enumerate(table.tolist()):
        for column, value in enumerate(values):
            style: dict[str, Any] = {
                "fontsize": 8,
                "color": "white" if abs(value) > 0.6 * reach else "black",
            }
            ax.text(column, row, f"{value:+.2f}", ha="center", va="center", **style)
    labellings = ["".join(map(str, labels)) for labels in hypotheses.argmax(-1).tolist()]
    examples = [f"({x}, {y})" for x in range(ratio.shape[1]) for y in range(ratio.shape[2])]
    ax.set_yticks(range(len(labellings)), labellings)
    ax.set_xticks(range(len(examples)), examples)
    ax.set_xlabel("example (x, y)")
    ax.set_ylabel("hypothesis: labels it\ngives to x = 0, 1, 2")
    ax.grid(False)
    ax.set_title("A training example favours the hypotheses that agree with it")
    figure.colorbar(picture, label="log joint / product (nats)")
    return figure


def draw_terms(one: Learned, with_gap: bool = True) -> Figure:
    """Train and test loss term by term, as bars that start where the one before ended, and the gap
    between them."""
    margins = {"left": 0.06, "right": 0.99, "bottom": 0.2, "top": 0.9}
    figure, (ax,) = new_figure(11, 3.6, layout="none", gridspec_kw=margins)
    _waterfall(ax, one.train_terms()["inputs"], one.train_loss, 0)
    _waterfall(ax, one.test_terms()["inputs, minus"], one.test_loss, 5.6)
    groups = {"training loss: joint": 2, "test loss: product": 7.6}
    gap = one.test_loss - one.train_loss
    if with_gap:
        groups["the gap"] = 12
        ax.bar(11.2, gap, **TOTAL)
        _below(ax, 11.2, f"test - train\n{gap:.3f}")
    if with_gap and one.gamma > 0:
        _gibbs_gap(ax, one.mutual_information / one.gamma, one.lautum_information / one.gamma)
    for text, place in groups.items():
        _below(ax, place, text, height=-0.15, size=10)
    ax.axhline(0, color="0.3", linewidth=1)
    ax.set(xlim=(-0.6, 14 if with_gap else 10.2), xticks=[], ylabel="nats")
    ax.locator_params(axis="y", nbins=5)
    losses = f"train {one.train_loss:.3f}, test {one.test_loss:.3f}"
    figure.suptitle(f"The terms add up: {losses}, gap {gap:.3f} nats")
    return figure


def _waterfall(ax: Axes, terms: Mapping[str, float], loss: float, start: float) -> None:
    """Bars from `start` on that start where the one before ended, and end at the loss."""
    end = 0.0
    for number, (name, value) in enumerate(terms.items()):
        place, falls = start + number, value < 0
        style = {"color": STYLES[falls]["color"], "edgecolor": "white", "width": 0.75}
        ax.bar(place, value, bottom=end, hatch="//" if falls else "", **style)
        end += value
        ax.hlines(end, place - 0.37, place + 1.37, color="0.3", linewidth=0.8)
        _below(ax, place, f"{name.replace('KL(p(.|X,W)||f)', 'KL')}\n{value:+.3f}")
    ax.bar(start + len(terms), loss, **TOTAL)
    _below(ax, start + len(terms), f"loss\n{loss:.3f}")


def _gibbs_gap(ax: Axes, information: float, lautum: float) -> None:
    """I and L, each over a gamma, one on the other."""
    ax.bar(12.6, information, color=STYLES[2]["color"], width=0.75)
    style = {"color": STYLES[3]["color"], "hatch": "xx", "edgecolor": "white", "width": 0.75}
    ax.bar(12.6, lautum, bottom=information, **style)
    spacing = 0.05 * ax.get_ylim()[1]  # small numbers overlap neither the axis nor each other
    low = max(information / 2, 0.6 * spacing)
    high = max(information + lautum / 2, low + spacing)
    for height, text in ((low, f"I: {information:.3f}"), (high, f"L: {lautum:.3f}")):
        ax.text(13.05, height, text, fontsize=8, va="center")
    _below(ax, 12.8, f"(I + L) / (a gamma)\n{information + lautum:.3f}")


def _below(ax: Axes, place: float, text: str, height: float = -0.02, size: int = 8) -> None:
    """A text below the axis: quicker than a tick, and a slider should answer at once."""
    where: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "top"}
    ax.text(place, height, text, fontsize=size, **where)


def draw_families(families: Mapping[str, Tensor], weights: Sequence[float]) -> Figure:
    """Test loss and R against L(W;X), a dot a learner: their priors differ, or the weights of the
    target.

    families: for each learner L(W;X), test loss and R, in nats. weights: of the second family.
    """
    figure, axes = new_figure(9.5, 3.6, 2)
    dots: dict[str, Any] = {"linestyle": "none", "markersize": 4, "alpha": 0.6}
    for (family, values), style in zip(families.items(), (dots, {"markersize": 6}), strict=True):
        for column, ax in enumerate(axes, 1):
            ax.plot(values[:, 0], values[:, column], label=family, **style)
    along = families["target weight"]
    for number, shift in ((0, (6, 4)), (5, (6, 4)), (10, (6, -12))):
        where = along[number, 0].item(), along[number, 1].item()
        offset: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8}
        axes[0].annotate(f"{weights[number]:g}", where, shift, **offset)
    for ax, name in zip(axes, ("test loss (nats)", "R (nats)"), strict=True):
        ax.set(xlabel="L(W;X) (nats)", ylabel=name)
    axes[0].legend()
    axes[0].set_title("numbers: the weight of the target", fontsize=10)
    axes[1].set_title("R does not stay put", fontsize=10)
    figure.suptitle("L(W;X) goes with the test loss or against it: it depends on what moves it")
    return figure


def draw_price(gammas: Sequence[float], path: Sequence[Learned]) -> Figure:
    """Both losses against gamma, and the gap between them with the shares of I and of L."""
    figure, (left, right) = new_figure(9, 3.4, 2)
    left.plot(gammas, [one.train_loss for one in path], label="train")
    left.plot(gammas, [one.test_loss for one in path], label="test")
    parts = {
        "gap = (I + L) / gamma": ([one.gibbs_gap for one in path], STYLES[6]),
        "I / gamma": ([one.mutual_information / one.gamma for one in path], STYLES[2]),
        "L / gamma": ([one.lautum_information / one.gamma for one in path], STYLES[3]),
    }
    for name, (values, style) in parts.items():
        right.plot(gammas, values, label=name, **style)
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set_xticks(gammas, [f"{value:g}" for value in gammas])
        ax.set_xlabel("gamma")
        ax.set_ylim(bottom=0)
    left.legend()
    right.legend(fontsize=8, loc=(0.54, 0.34))
    left.set_ylabel("expected loss (nats)")
    right.set_ylabel("nats")
    figure.suptitle("The more the learner trusts its data, the larger is Lautum's share of the gap")
    return figure
