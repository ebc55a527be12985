"""Random numbers by name: each depends on a seed, a stream and a step alone."""

import pytest
import torch

from lautum_utils.training.randomness import (
    Rows,
    Views,
    augmented,
    drawn_rows,
    epoch_rows,
    head_seed,
    noisy_view,
)


def test_augmented_images_depend_on_seed_and_step_alone_and_keep_their_content() -> None:
    x = torch.zeros(2, 40, 1, 16, 16)
    x[..., 6:9, 2:4] = 1  # left of the middle
    one = augmented(x, [3, 8], 5, Views.LABELLED, mirrored=True)
    assert torch.equal(one[1:], augmented(x[1:], [8], 5, Views.LABELLED, mirrored=True))
    for other in (
        augmented(x, [3, 8], 6, Views.LABELLED, True),
        augmented(x, [3, 8], 5, Views.UNLABELLED, True),
        augmented(x, [4, 9], 5, Views.LABELLED, True),
    ):
        assert not torch.equal(one, other)
    torch.testing.assert_close(one.sum((-1, -2)), x.sum((-1, -2)))
    place = (one * torch.arange(16.0)).sum((-1, -2)) / one.sum((-1, -2))
    left, right = place < 7.5, place > 7.5
    assert 20 < right.sum() < 60, "about half"
    assert ((place[left] - 2.5).abs() <= 2).all()
    assert ((place[right] - 12.5).abs() <= 2).all()
    assert 2.0 < place[left].max() - place[left].min() <= 4
    still = augmented(x, [3, 8], 5, Views.LABELLED, mirrored=False)
    assert ((still * torch.arange(16.0)).sum((-1, -2)) / still.sum((-1, -2)) < 7.5).all()


def test_a_noisy_view_depends_on_seed_step_and_stream_alone_and_grows_with_its_strength() -> None:
    x = torch.rand(2, 6, 1, 16, 16)
    one = noisy_view(x, [3, 8], 5, Views.WEAK, 1.0)
    assert torch.equal(one[1:], noisy_view(x[1:], [8], 5, Views.WEAK, 1.0))
    others = ([3, 8], 6, Views.WEAK), ([3, 8], 5, Views.STRONG), ([4, 9], 5, Views.WEAK)
    for seeds, step, stream in others:
        assert not torch.equal(one, noisy_view(x, seeds, step, stream, 1.0))
    weak, strong = ((noisy_view(x, [3, 8], 5, Views.WEAK, s) - x).abs().mean() for s in (0.2, 2.0))
    assert 0 < weak < strong / 2
    torch.testing.assert_close(noisy_view(x, [3, 8], 5, Views.WEAK, 0.0), x)


@pytest.mark.parametrize("stream", [Rows.SOURCE, Rows.UNLABELLED, Rows.LABELLED])
def test_rows_of_a_seed_are_the_same_whoever_is_beside_it_and_those_of_a_stream(
    stream: Rows,
) -> None:
    rows = drawn_rows([7, 2], 50, 30, 8, stream)
    assert rows.shape == (2, 50, 8)
    assert set(rows.flatten().tolist()) == set(range(30)), "with replacement, from all of them"
    assert torch.equal(rows[1:], drawn_rows([2], 50, 30, 8, stream))
    assert torch.equal(rows, drawn_rows([7, 2], 50, 30, 8, stream))
    for other in set(Rows) - {stream}:
        assert not torch.equal(rows, drawn_rows([7, 2], 50, 30, 8, other))


def test_no_two_seeds_and_streams_share_their_random_numbers() -> None:
    drawn = [drawn_rows([seed], 1, 10**9, 4, s) for seed in range(20) for s in Rows]
    assert len({tuple(rows.flatten().tolist()) for rows in drawn}) == len(drawn)


def test_in_an_epoch_each_sample_comes_at_most_once() -> None:
    rows = epoch_rows([7, 2], 10, 30, 8)
    assert rows.shape == (2, 10, 8)
    for epoch in range(0, 9, 3):  # 30 samples are three batches of 8
        assert rows[0, epoch : epoch + 3].flatten().unique().numel() == 24
    assert torch.equal(rows[1:], epoch_rows([2], 10, 30, 8))
    assert not torch.equal(rows[0], rows[1])
    assert epoch_rows([0], 4, 5, 8).shape == (1, 4, 5), "no more than there are"


def test_the_head_of_stage_two_has_a_seed_that_the_network_has_not() -> None:
    assert head_seed(3) != 3
