"""The pictures of notebook 02: joint and product, the identities as bars that balance, what moves
L(W;X), the price of Lautum information."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lautum_utils.finite_world import Learned
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.style import STYLES

from .page_02_worlds import target_world

CUTS = {"labels": "labels, plus", "inputs": "inputs, minus"}  # of the training loss, of the test
# What the name of a term holds -> its colour, the same in every picture.
COLOURS = {"loss": "0.45"} | {
    part: STYLES[line]["color"]
    for part, line in {"(W;X)": 2, "(W;": 1, "H": 5, "KL": 3, "R": 4}.items()
}
HEIGHT, SPACE = 0.58, 0.09  # of a bar; between two labels, as a part of the axis


def draw_idea() -> Figure:
    """The two identities of the notebook, in its world at the default parameters."""
    figure = draw_balance(target_world(0.1, 0.9).learn(3, 6.0), "labels")
    figure.suptitle(
        "Dependence on the data is taken from the training loss (I) and added to the test loss (L)"
    )
    return figure


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


def draw_balance(one: Learned, cut: str = "inputs") -> Figure:
    """Both losses as bars in balance: a loss and what is taken from it above, what it is made of
    below, equally long."""
    margins = {"left": 0.02, "right": 0.98, "bottom": 0.14, "top": 0.92}
    figure, (ax,) = new_figure(10, 4.2, layout="none", gridspec_kw=margins)
    losses = {
        "train": (one.train_loss, one.train_terms()[cut]),
        "test": (one.test_loss, one.test_terms()[CUTS[cut]]),
    }
    reach = max(sum(v for v in terms.values() if v > 0) for _, terms in losses.values())
    end = 0.5 * (int(reach / 0.5) + 1)
    for row, (name, (loss, terms)) in enumerate(losses.items()):
        taken = {term[1:]: -value for term, value in terms.items() if term[0] == "-"}
        added = {term.lstrip("+"): value for term, value in terms.items() if term[0] != "-"}
        if added.get("R", 0.0) < 0:
            taken["-R"] = -added.pop("R")
        y = 3.1 * (1 - row)
        _bar(ax, y + HEIGHT / 2, {f"{name} loss": loss} | taken, 1, end)
        _bar(ax, y - HEIGHT / 2, added, -1, end)
    ax.set(xlim=(0, end), ylim=(-1.5, 4.4), yticks=[], xlabel="nats")
    ax.spines["left"].set_visible(False)
    gap = one.test_loss - one.train_loss
    balance = "the two bars of a pair are equally long"
    losses_and_gap = f"train {one.train_loss:.3f}, test {one.test_loss:.3f}, gap {gap:.3f} nats"
    figure.suptitle(f"{losses_and_gap}: {balance}")
    return figure


def _bar(ax: Axes, y: float, segments: Mapping[str, float], side: int, end: float) -> None:
    """A bar of segments, one after the other, with their names above it (side 1) or below (-1).

    end: of the axis.
    """
    middles, start = [], 0.0
    for name, value in segments.items():
        colour = next(colour for part, colour in COLOURS.items() if part in name)
        ax.barh(y, value, left=start, height=HEIGHT, color=colour, edgecolor="white")
        middles.append(start + value / 2)
        start += value
    edge, names = y + side * HEIGHT / 2, list(segments.items())
    for middle, place, (name, value) in zip(middles, _spread(middles, end), names, strict=True):
        ax.plot([middle, place], [edge, edge + 0.2 * side], color="0.6", lw=0.8, marker="", ls="-")
        text, va = f"{name.split('(p')[0]}\n{value:.3f}", "bottom" if side > 0 else "top"
        ax.text(place, edge + 0.22 * side, text, ha="center", va=va, fontsize=9)


def _spread(places: Sequence[float], end: float) -> list[float]:
    """Places for labels near those wanted, none too near to another or to the ends of the axis."""
    spread: list[float] = []
    for place in places:
        spread.append(max(place, spread[-1] + SPACE * end if spread else 0.04 * end))
    limit = 0.96 * end
    for number in reversed(range(len(spread))):
        spread[number] = min(spread[number], limit)
        limit = spread[number] - SPACE * end
    return spread


def draw_families(priors: Tensor, along: Tensor, weights: Sequence[float]) -> Figure:
    """Test loss against L(W;X) for learners that differ in their prior; and both against the weight
    of the target.

    priors, along: for each learner L(W;X) and the test loss, in nats. weights: of `along`.
    """
    figure, (left, middle, right) = new_figure(10, 3.4, 3)
    dots: dict[str, Any] = {"linestyle": "none", "markersize": 4, "alpha": 0.6}
    left.plot(priors[:, 0], priors[:, 1], **dots)
    left.set(xlabel="L(W;X) (nats)", ylabel="test loss (nats)", title="other priors")
    middle.plot(weights, along[:, 1], **STYLES[1])
    middle.set(ylabel="test loss (nats)", title="more weight on the target")
    right.plot(weights, along[:, 0], **STYLES[1])
    right.set(ylabel="L(W;X) (nats)", title="the same learners")
    middle.sharey(left)
    for ax in (middle, right):
        ax.set_xlabel("weight of the target")
    of_priors, of_weights = (torch.corrcoef(family.mT)[0, 1].item() for family in (priors, along))
    figure.suptitle(
        "What moves L(W;X) decides: its correlation with the test loss is "
        f"{of_priors:+.2f} over priors, {of_weights:+.2f} over weights"
    )
    return figure


def draw_price(gammas: Sequence[float], path: Sequence[Learned]) -> Figure:
    """Both losses against gamma, and the gap between them with the shares of I and of L."""
    figure, (left, right) = new_figure(9.5, 3.4, 2, sharey=True)
    left.plot(gammas, [one.train_loss for one in path], label="train")
    left.plot(gammas, [one.test_loss for one in path], label="test")
    parts = {
        "gap": ([one.gibbs_gap for one in path], STYLES[6]),
        "its part I / gamma": ([one.mutual_information / one.gamma for one in path], STYLES[2]),
        "its part L / gamma": ([one.lautum_information / one.gamma for one in path], STYLES[3]),
    }
    for name, (values, style) in parts.items():
        right.plot(gammas, values, label=name, **style)
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set_xticks(gammas, [f"{value:g}" for value in gammas])
        ax.set_xlabel("gamma: how much the learner trusts its data")
        ax.set_ylim(bottom=0)
        ax.legend(loc="upper right")
    left.set_ylabel("nats")
    figure.suptitle("The more the learner trusts its data, the larger is Lautum's share of the gap")
    return figure
