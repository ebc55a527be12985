"""The letters: balanced, of other fonts in the test than in train."""

import torch
from tiny_images import image_set

from lautum_utils.data.domains import load
from lautum_utils.data.letters import FONTS, glyphs


def test_letters_are_ten_thousand_when_not_told_and_balanced() -> None:
    letters = load("letters")
    assert letters.labels.bincount().tolist() == [1000] * 10
    assert load("letters", 25).labels.bincount(minlength=10).unique().tolist() == [2, 3]
    assert not torch.equal(letters.labels, torch.arange(10_000) % 10), "in a random order"


def test_train_and_test_share_no_font_and_no_glyph() -> None:
    assert not set(FONTS["train"]) & set(FONTS["test"])
    drawn = {split: image_set(glyphs(split).flatten(0, 1)) for split in FONTS}
    sizes = {split: 10 * len(fonts) for split, fonts in FONTS.items()}
    assert {split: len(drawn[split]) for split in FONTS} == sizes
    assert not drawn["train"] & drawn["test"]
