"""The exercises of notebook 01, measuring dependence."""

import math

import torch
from torch import Generator, Tensor

from lautum_utils.information import entropy, lautum_information, mutual_information

from .checks import Exercise
from .drawing import distribution, table, uniform
from .observing import which_is_larger, without
from .shared import REVERSED, SIGN, product, statements


def _with_a_zero(generator: Generator) -> tuple[Tensor]:
    p = torch.cat((distribution(generator, 4), table([0.0])))
    return (p[torch.randperm(5, generator=generator)],)


def _channel(input_one: float, one_flips: float, zero_flips: float = 0.0) -> Tensor:
    conditional = table([[1 - zero_flips, zero_flips], [one_flips, 1 - one_flips]])
    return conditional * table([[1 - input_one], [input_one]])


ENTROPY_BITS = Exercise(
    inputs=_with_a_zero,
    reference=lambda p: torch.special.entr(p).sum() / math.log(2),
    mistakes={
        "these are nats: divide by log 2, or use the logarithm to base 2.": entropy,
        "only the sign is wrong: log p is negative, entropy is not.": (
            lambda p: -entropy(p) / math.log(2)
        ),
        "the result is NaN: where p is 0 the term is 0 by definition, but 0 * log 0 is NaN.": (
            lambda p: -(p * p.log2()).sum()
        ),
        "each surprise -log2 p counts with its probability p, here all count the same.": (
            lambda p: -p[p > 0].log2().mean()
        ),
        "this is the mean of the terms: they hold their weights p already, so sum them.": (
            lambda p: entropy(p) / math.log(2) / len(p)
        ),
        "times log 2 goes the wrong way: a bit is less than a nat, so there are more of them.": (
            lambda p: entropy(p) * math.log(2)
        ),
        "the logarithm to base 10 gives neither bits nor nats: take base 2.": (
            lambda p: entropy(p) / math.log(10)
        ),
    },
    refuse=without(
        "entropy", "right, but taken from `entropy`: write the sum with torch operations."
    ),
)
LAUTUM = Exercise(
    inputs=lambda g: (distribution(g, 3, 4),),
    reference=lautum_information,
    mistakes={
        REVERSED: mutual_information,
        "these are bits: the suite works in nats, with the natural logarithm.": (
            lambda j: lautum_information(j) / math.log(2)
        ),
        SIGN: lambda j: -lautum_information(j),
        "joint and product are mixed up: the logarithm is averaged under the joint.": (
            lambda j: -mutual_information(j)
        ),
        "the logarithms have no weights: average them under the product.": (
            lambda j: (product(j) / j).log().sum()
        ),
        "this is I + L (Jeffreys' divergence): only one half is wanted.": (
            lambda j: mutual_information(j) + lautum_information(j)
        ),
        "this is the mean of the terms: they hold their weights already, so sum them.": (
            lambda j: lautum_information(j) / j.numel()
        ),
        "terms below 0 belong to the sum as they are: only the sum is never negative.": (
            lambda j: (product(j) * (product(j) / j).log().abs()).sum()
        ),
    },
    refuse=without(
        "lautum_information",
        "right, but taken from `lautum_information`: build the product of the marginals.",
    ),
)
Z_CHANNEL = Exercise(
    inputs=lambda g: tuple((0.1 + 0.3 * uniform(g, 2)).tolist()),
    reference=_channel,
    mistakes={
        "these are the rows P(y|x): multiply each by P(x), so that all cells sum to 1.": (
            lambda a, e: _channel(0.5, e) * 2
        ),
        "rows and columns are exchanged: inputs are rows, outputs columns.": (
            lambda a, e: _channel(a, e).mT
        ),
        "the noise hits the wrong input: 0 always arrives, 1 is sometimes read as 0.": (
            lambda a, e: _channel(a, 0.0, e)
        ),
        "this is the binary symmetric channel: in a Z-channel one input always arrives.": (
            lambda a, e: _channel(a, e, e)
        ),
        "crossover is how often a 1 is read as 0, not how often it arrives.": (
            lambda a, e: _channel(a, 1 - e)
        ),
        "input_one is the probability of input 1: here it is that of input 0.": (
            lambda a, e: _channel(1 - a, e)
        ),
    },
)
LESS_LAUTUM = Exercise(
    inputs=lambda g: (),
    reference=lambda: table([[0.85, 0.05], [0.05, 0.05]]),
    mistakes={
        "this joint has L > I: look for the other kind. What do rare cells do to L?": (
            lambda: _channel(0.5, 0.01, 0.01)
        ),
        "here both are 0, the variables are independent: let the rows differ.": (
            lambda: _channel(0.5, 0.5, 0.5)
        ),
        "this joint has a hole, which makes L infinite: keep all four cells above 0.": (
            lambda: _channel(0.5, 0.1)
        ),
        "these numbers do not sum to 1: divide the table by its sum.": (
            lambda: table([[4.0, 1.0], [1.0, 4.0]])
        ),
        "probabilities are 0 or more: one of these is below.": (
            lambda: table([[1.2, -0.2], [0.0, 0.0]])
        ),
    },
    observe=which_is_larger,
)
FALSE_ARGUMENTS = statements(
    right="BCE",
    hints={
        "A": "A holds: the mean of x - 1, with x the joint over the product, is at most 0.",
        "B": "B: look at a value of A that never occurs. What is q in its row of zeros?",
        "C": "C: a bound for D(p||q) says nothing of D(q||p). What does a hole do?",
        "D": "D holds: transposing both tables moves each term and changes none.",
        "E": "E: the sum over the cells decides, not one kind of cell. Recall exercise 1.4.",
        "F": "F holds: the log-sum inequality does not ask which of p and q comes before.",
    },
)
EXERCISES = {
    "entropy_bits": ENTROPY_BITS,
    "lautum": LAUTUM,
    "z_channel": Z_CHANNEL,
    "less_lautum": LESS_LAUTUM,
    "false_arguments": FALSE_ARGUMENTS,
}
