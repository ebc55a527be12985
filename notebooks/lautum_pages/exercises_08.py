"""The exercises of notebook 08, the published tasks."""

from torch import Generator, Tensor

from .answers import choice, numbers
from .checks import Exercise
from .drawing import normal


def _accuracies(generator: Generator) -> tuple[Tensor, Tensor, int]:
    """Validation and test accuracy of 4 weights (rows) and 7 seeds, of which the leading ones
    choose."""
    validation = 0.6 + 0.1 * normal(generator, 4, 7)
    return validation, validation + 0.1 * normal(generator, 4, 7), 3


REPORTED = Exercise(
    inputs=_accuracies,
    reference=lambda v, t, n: t[v[:, :n].mean(1).argmax(), n:].mean(),
    mistakes={
        "the weight was chosen on test accuracy: then the test is part of the training.": (
            lambda v, t, n: t[t[:, :n].mean(1).argmax(), n:].mean()
        ),
        "the seeds that choose are in the mean, too: they have seen the choice.": (
            lambda v, t, n: t[v[:, :n].mean(1).argmax()].mean()
        ),
        "the seeds that report have chosen, too: only the leading ones may.": (
            lambda v, t, n: t[v.mean(1).argmax(), n:].mean()
        ),
        "this is the best test accuracy of all weights: what would you have taken before?": (
            lambda v, t, n: t[:, n:].mean(1).max()
        ),
        "this is validation accuracy: it says which weight, not how good it is.": (
            lambda v, t, n: v[v[:, :n].mean(1).argmax(), n:].mean()
        ),
        "each seed that reports got a weight of its own: choose one for all of them.": (
            lambda v, t, n: t[:, n:].gather(0, v[:, n:].argmax(0)[None]).mean()
        ),
    },
    read=numbers,
)
UNFAIR = choice(
    "BD",
    {
        "B": "one more is unfair: look at what each side may tune.",
        "D": "one more is unfair: look at which data picks a weight.",
        "ABD": "A is fair: both see the same samples, so the difference is paired.",
        "BCD": "C is fair: a baseline without a network is still a baseline.",
        "ABCD": "two of them are fair.",
        "AC": "these two are the fair ones.",
    },
    offered="ABCD",
)
EXERCISES = {"reported_accuracy": REPORTED, "unfair_comparisons": UNFAIR}
