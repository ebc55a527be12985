"""The exercises of notebook 11: a leak between train and test, and the control of a case study."""

import torch
from torch import Generator, Tensor

from .checks import Exercise
from .drawing import normal

LABELLED, VALIDATION, TEST = 0, 1, 2


def _split(g: Generator) -> tuple[Tensor, Tensor]:
    """60 windows cut from 25 recordings, and the part that each window is in."""
    recording = torch.randint(25, (60,), generator=g)
    part = torch.randint(3, (60,), generator=g)
    part[:3] = torch.tensor([LABELLED, VALIDATION, TEST], device="cpu")
    return recording, part


def _share(of: Tensor, also: Tensor) -> Tensor:
    """How many of these are among those."""
    return torch.isin(of, also).double().mean()


def _leak(recording: Tensor, part: Tensor) -> Tensor:
    return _share(recording[part == TEST], recording[part == LABELLED])


LEAK = Exercise(
    inputs=_split,
    reference=_leak,
    mistakes={
        "this counts recordings, not windows: a recording with many test windows weighs more.": (
            lambda r, p: _share(r[p == TEST].unique(), r[p == LABELLED])
        ),
        "the other way round: this is the share of the labelled windows that have a twin in the "
        "test part.": lambda r, p: _share(r[p == LABELLED], r[p == TEST]),
        "validation windows were counted as labelled ones: asked is what training has seen.": (
            lambda r, p: _share(r[p == TEST], r[p != TEST])
        ),
        "divided by all windows: divide by the test windows.": (
            lambda r, p: _leak(r, p) * (p == TEST).double().mean()
        ),
        "this is the share without a leak.": lambda r, p: 1 - _leak(r, p),
        "this is a number of windows: a share is wanted.": (
            lambda r, p: _leak(r, p) * (p == TEST).sum()
        ),
        "windows were compared by their row: no row is in two parts, and yet a recording is.": (
            lambda r, p: torch.zeros((), dtype=torch.float64)
        ),
    },
)


def _accuracies(g: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Validation and test accuracy of the control (8 learning rates x 6 seeds), and of the method
    (4 weights x 6 seeds)."""
    found = []
    for _ in range(2):
        level = 0.7 + 0.02 * normal(g, 8, 1)
        found.append(level + 0.04 * normal(g, 8, 6))
        found.append(level + 0.05 * normal(g, 8, 1) + 0.02 * normal(g, 8, 6))
    return found[0], found[1], found[2], found[3]


def _chosen(by: Tensor) -> Tensor:
    return by.mean(1).argmax()


def _gain(
    control_validation: Tensor, control_test: Tensor, validation: Tensor, test: Tensor
) -> Tensor:
    return test[_chosen(validation)] - control_test[_chosen(control_validation)]


FAIR_GAIN = Exercise(
    inputs=_accuracies,
    reference=_gain,
    mistakes={
        "the control was not tuned, its first learning rate was taken: it has as many tries as "
        "the method.": lambda cv, ct, v, t: t[_chosen(v)] - ct[0],
        "both were chosen by test accuracy: validation data chooses.": (
            lambda cv, ct, v, t: _gain(ct, ct, t, t)
        ),
        "the method was chosen by test accuracy: it had a look that the control had not.": (
            lambda cv, ct, v, t: _gain(cv, ct, t, t)
        ),
        "the control stands in the row that the method chose: it has a best row of its own.": (
            lambda cv, ct, v, t: t[_chosen(v)] - ct[_chosen(v)]
        ),
        "the control is the mean of all its learning rates: bad ones make every method look "
        "good.": lambda cv, ct, v, t: t[_chosen(v)] - ct.mean(0),
        "each seed has another setting here: choose one for all seeds, by the mean.": (
            lambda cv, ct, v, t: (
                t.gather(0, v.argmax(0)[None])[0] - ct.gather(0, cv.argmax(0)[None])[0]
            )
        ),
        "the sign is wrong: the method's accuracy minus the control's.": (
            lambda cv, ct, v, t: -_gain(cv, ct, v, t)
        ),
        "these are validation accuracies, and they chose: report test accuracies.": (
            lambda cv, ct, v, t: _gain(cv, cv, v, v)
        ),
    },
)
EXERCISES = {"leak": LEAK, "fair_gain": FAIR_GAIN}
