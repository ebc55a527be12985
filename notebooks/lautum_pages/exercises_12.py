"""The exercises of notebook 12, specks from several scanners."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .checks import Exercise
from .drawing import normal, uniform

NONE, ONE_FOR_ALL, ONE_EACH = range(3)


def _layer(generator: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    h = normal(generator, 4, 2, 3, 3) * torch.arange(1, 5).view(4, 1, 1, 1) + 1
    h[:, 1] += 2
    scale, offset = 0.5 + uniform(generator, 3, 2), normal(generator, 3, 2)
    return h, scale, offset, torch.tensor([2, 0, 1, 2], device="cpu")


def _normalized(
    h: Tensor,
    scale: Tensor,
    offset: Tensor,
    branch: Tensor,
    *,
    over: tuple[int, ...] = (1, 2, 3),
    correction: int = 0,
    power: float = 0.5,
    eps: float = 0.0,
) -> Tensor:
    centred = h - h.mean(over, keepdim=True)
    variance = h.var(over, keepdim=True, correction=correction) + eps
    return _scaled(centred / variance**power, scale, offset, branch)


def _scaled(h: Tensor, scale: Tensor, offset: Tensor, branch: Tensor) -> Tensor:
    return h * scale[branch][:, :, None, None] + offset[branch][:, :, None, None]


def _runs(generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    memory = uniform(generator, 3, 4) + torch.eye(3, 4, device="cpu") + 0.2
    loudness = 0.5 + 2 * uniform(generator, 3, 8, 1)
    met = (memory[:, None] + 0.4 * normal(generator, 3, 8, 4)).abs() * loudness
    return normal(generator, 3, 8, 2), met, memory


def _alike(met: Tensor, memory: Tensor) -> Tensor:
    return F.cosine_similarity(met, memory[:, None], dim=-1)


def _of_branch(logits: Tensor, branch: Tensor) -> Tensor:
    return logits[branch, torch.arange(logits.shape[1])]


def _scores(generator: Generator) -> tuple[Tensor, Tensor]:
    """Scores of 3 methods at 4 learning rates: on spare data, and on test data for 5 seeds."""
    spare, test = uniform(generator, 3, 4), uniform(generator, 3, 4, 5)
    best = 1 + torch.randperm(3, generator=generator)
    spare[torch.arange(3), best] += 1
    test[torch.arange(3), best - 1] += 0.5
    return spare, test


def _gains(spare: Tensor, test: Tensor, control: int = ONE_FOR_ALL, **rates: Any) -> Tensor:
    ours = rates.get("ours", spare[ONE_EACH].argmax())
    return test[ONE_EACH, ours] - test[control, rates.get("theirs", spare[control].argmax())]


NORMALIZE = Exercise(
    inputs=_layer,
    reference=_normalized,
    mistakes={
        "one mean for the whole batch: an image must not depend on its neighbours.": (
            lambda h, *rest: _normalized(h, *rest, over=(0, 1, 2, 3))
        ),
        "each channel was normalized alone: take mean and variance over all channels.": (
            lambda h, *rest: _normalized(h, *rest, over=(2, 3))
        ),
        "divided by the variance: divide by its square root.": (
            lambda h, *rest: _normalized(h, *rest, power=1.0)
        ),
        "torch divides by n - 1 unless told: layer normalization takes correction=0.": (
            lambda h, *rest: _normalized(h, *rest, correction=1)
        ),
        "a floor was added to the variance: F.layer_norm does it unless eps=0.": (
            lambda h, *rest: _normalized(h, *rest, eps=1e-5)
        ),
        "all images took branch 0: each has the scale and offset of its own branch.": (
            lambda h, scale, offset, branch: _normalized(h, scale, offset, 0 * branch)
        ),
        "nothing was normalized: take off the mean and divide before the branch acts.": _scaled,
        "scale and offset came first: they act on what is normalized.": (
            lambda h, *rest: _normalized(
                _scaled(h, *rest), torch.ones_like(rest[0]), torch.zeros_like(rest[1]), rest[2]
            )
        ),
    },
)
CHOOSE_BRANCH = Exercise(
    inputs=_runs,
    reference=lambda y, met, memory: _of_branch(y, _alike(met, memory).argmax(0)),
    mistakes={
        "the least alike branch was taken: cosine similarity is large where two are alike.": (
            lambda y, met, memory: _of_branch(y, _alike(met, memory).argmin(0))
        ),
        "an inner product grows with the length of the statistics: divide by both lengths.": (
            lambda y, met, memory: _of_branch(y, (met * memory[:, None]).sum(-1).argmax(0))
        ),
        "this is the nearest by Euclidean distance: compare directions, by the cosine.": (
            lambda y, met, memory: _of_branch(y, (met - memory[:, None]).norm(dim=-1).argmin(0))
        ),
        "each branch meets statistics of its own: compare met[k] with memory[k], not met[0].": (
            lambda y, met, memory: _of_branch(y, _alike(met[:1], memory).argmax(0))
        ),
        "one branch was taken for all images: each image chooses for itself.": (
            lambda y, met, memory: y[_alike(met, memory).mean(1).argmax()]
        ),
        "the branches were averaged: only one of them is taken.": (
            lambda y, met, memory: y.mean(0)
        ),
        "the most confident branch was taken: a wrong branch can be very sure.": (
            lambda y, met, memory: _of_branch(y, y.abs().mean(-1).argmax(0))
        ),
    },
)
CONTROL_GAIN = Exercise(
    inputs=_scores,
    reference=_gains,
    mistakes={
        "this control has no normalization at all: it differs in two things, not in one.": (
            lambda spare, test: _gains(spare, test, NONE)
        ),
        "the control ran at our learning rate: it takes the best of its own on spare data.": (
            lambda spare, test: _gains(spare, test, theirs=spare[ONE_EACH].argmax())
        ),
        "the control was not tuned: it chooses among the same rates as ours.": (
            lambda spare, test: _gains(spare, test, theirs=0)
        ),
        "the rates were chosen by the test scores, which are then reported: that is a leak.": (
            lambda spare, test: _gains(
                spare,
                test,
                ours=test[ONE_EACH].mean(-1).argmax(),
                theirs=test[ONE_FOR_ALL].mean(-1).argmax(),
            )
        ),
        "each seed took its own best rate on test data: one rate a method, by spare data.": (
            lambda spare, test: test[ONE_EACH].amax(0) - test[ONE_FOR_ALL].amax(0)
        ),
        "the sign is wrong: ours minus the control.": lambda spare, test: -_gains(spare, test),
        "only the mean came back: one difference a seed is wanted, for an interval.": (
            lambda spare, test: _gains(spare, test).mean()
        ),
    },
)
EXERCISES = {
    "normalize": NORMALIZE,
    "choose_branch": CHOOSE_BRANCH,
    "control_gain": CONTROL_GAIN,
}
