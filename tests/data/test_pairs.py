"""The label-part swap: a digit beside a letter, and what the one says about the other."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare
from tiny_images import image_set

from lautum_utils.data.digits import DIGITS
from lautum_utils.data.domains import load
from lautum_utils.data.letters import LETTERS
from lautum_utils.data.pairs import label_part_swap, swap_joint
from lautum_utils.information import mutual_information


def swap_labels(n: int, severity: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    digit, letter = (label_part_swap(n, severity, label, seed) for label in ("digit", "letter"))
    assert torch.equal(digit.inputs, letter.inputs), (
        "the two tasks differ in what is asked, not in what is seen"
    )
    assert (digit.class_names, letter.class_names) == (DIGITS, LETTERS)
    return digit.labels.numpy(), letter.labels.numpy()


def counts(digit: np.ndarray, letter: np.ndarray) -> np.ndarray:
    return np.bincount(10 * digit + letter, minlength=100).reshape(10, 10)


def test_swap_at_0_the_letter_is_always_the_digits() -> None:
    digit, letter = swap_labels(500, 0.0)
    assert (digit == letter).all()
    assert len(set(digit.tolist())) == 10


def test_swap_at_1_digit_and_letter_are_independent_and_at_nine_tenths_not() -> None:
    assert chi2_contingency(counts(*swap_labels(4000, 1.0))).pvalue > 0.01
    assert chi2_contingency(counts(*swap_labels(4000, 0.9))).pvalue < 1e-6


def test_swap_at_half_follows_its_joint() -> None:
    observed = counts(*swap_labels(4000, 0.5)).ravel()
    assert chisquare(observed, 4000 * swap_joint(0.5).flatten()).pvalue > 0.01
    assert chisquare(observed, 4000 * swap_joint(0.6).flatten()).pvalue < 1e-6


@pytest.mark.parametrize("split", ["train", "test"])
def test_swap_shows_the_digit_and_the_letter_that_its_labels_name(split: str) -> None:
    pairs = {label: label_part_swap(300, 1.0, label, split=split) for label in ("digit", "letter")}
    handwritten = load("digits", split=split)
    known = {
        x.numpy().tobytes(): int(y)
        for x, y in zip(handwritten.inputs, handwritten.labels, strict=True)
    }
    left, right = (half.contiguous() for half in pairs["digit"].inputs.split(16, -1))
    assert pairs["digit"].inputs.shape == (300, 1, 16, 32)
    assert [known[x.numpy().tobytes()] for x in left] == pairs["digit"].labels.tolist()
    assert len(image_set(left)) > 100, "many different handwritten digits"
    letters = load("letters", 2000)
    means = torch.stack([letters.inputs[letters.labels == c].mean(0).flatten() for c in range(10)])
    guess = torch.cdist(right.flatten(1), means).argmin(-1)
    assert (guess == pairs["letter"].labels).float().mean() > 0.5


def test_swap_is_fixed_by_its_seed() -> None:
    one, again, other = (label_part_swap(30, 0.5, "letter", seed).inputs for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_what_the_digit_says_about_the_letter_falls_from_log_10_to_nothing() -> None:
    nats = [float(mutual_information(swap_joint(severity))) for severity in np.linspace(0, 1, 11)]
    assert nats[0] == pytest.approx(math.log(10), abs=1e-12)
    assert nats[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(nats) < -1e-4).all()
    torch.testing.assert_close(swap_joint(0.3).sum(0), torch.full((10,), 0.1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: swap_joint(2.0), "severity needs to be from 0 to 1, got 2.0"),
        (lambda: label_part_swap(10, 1.1, "digit"), "severity needs to be from 0 to 1, got 1.1"),
        (
            lambda: label_part_swap(0, 0.5, "digit"),
            "n needs to be a whole number of 1 or more, got 0",
        ),
        (
            lambda: label_part_swap(10, 0.5, "colour"),
            "label needs to be one of digit, letter, got 'colour'",
        ),
        (
            lambda: label_part_swap(10, 0.5, "digit", split="all"),
            "split needs to be one of train, test, got 'all'",
        ),
    ],
)
def test_bad_input_says_what_was_given_and_what_is_allowed(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
