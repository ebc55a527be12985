"""A digit beside a letter (16 x 32): one distribution of inputs, and two questions about it.

The source label is the digit, the target label the letter. The severity of the label-part swap is
how little the one says about the other.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lautum_utils.data.checks import require_one_of, require_severity, require_split
from lautum_utils.data.digits import DIGITS, handwritten_digits
from lautum_utils.data.domains import Domain
from lautum_utils.data.letters import LETTERS, draw_letters
from lautum_utils.numbers import whole_number


def label_part_swap(
    n: int,
    severity: float,
    label: str,
    seed: int = 0,
    split: str = "train",
    device: torch.device | str = "cpu",
) -> Domain:
    """n images of a digit beside a letter; the class is the digit (source) or the letter (target).

    With probability 1 - severity the letter is the digit's (0 = A, ..., 9 = J), else it is drawn
    uniformly, as `swap_joint` says. Both tasks have one distribution of inputs: only what is asked
    about them changes. ValueError: n below 1, severity outside [0, 1], label other than "digit" or
    "letter", an unknown split.
    """
    require_one_of(label, ("digit", "letter"), "label")
    require_split(split)
    n = whole_number(n, "n", least=1)
    joint = swap_joint(severity).flatten()
    generator = torch.Generator().manual_seed(whole_number(seed, "seed"))
    cells = torch.multinomial(joint, n, replacement=True, generator=generator)
    digits, letters = cells // len(LETTERS), cells % len(LETTERS)
    left = _draw_digits(digits, split, generator).to(device)
    right = draw_letters(letters, split, generator, device)
    labels, names = (digits, DIGITS) if label == "digit" else (letters, LETTERS)
    return Domain(torch.cat((left, right), -1), labels.to(device), names)


def swap_joint(severity: float) -> Float[Tensor, "digit letter"]:
    """P(digit, letter) = (1 - severity) [digit = letter] / 10 + severity / 100, in float64.

    Its mutual information is what the source label says about the target label: log 10 nats at 0,
    none at 1. ValueError: severity outside [0, 1].
    """
    severity = require_severity(severity)
    return (1 - severity) * torch.eye(10, dtype=torch.float64, device="cpu") / 10 + severity / 100


def _draw_digits(classes: Tensor, split: str, generator: torch.Generator) -> Tensor:
    """For each class a handwritten digit of it, drawn with replacement: (n, 1, 16, 16)."""
    images, labels = handwritten_digits(split)
    counts = labels.bincount(minlength=len(DIGITS))
    starts = counts.cumsum(0) - counts
    share = torch.rand(len(classes), generator=generator, device="cpu")
    places = starts[classes] + (share * counts[classes]).long()
    return images[labels.argsort(stable=True)[places]]
