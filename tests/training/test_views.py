"""Random views of images: from a seed, a step and a stream alone, and no further than they say."""

import pytest
import torch

from lautum_utils.training.randomness import Views
from lautum_utils.training.views import VIEWS, View, random_view


def blob(models: int = 2, n: int = 40, channels: int = 1) -> torch.Tensor:
    """A bright spot left of the middle."""
    x = torch.zeros(models, n, channels, 16, 16)
    x[..., 6:9, 3:6] = 1
    return x


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_depends_on_seed_step_and_stream_alone(name: str, channels: int) -> None:
    x, view = blob(channels=channels), VIEWS[name]
    one = random_view(x, view, [3, 8], 5, Views.WEAK)
    assert one.shape == x.shape
    assert one.isfinite().all()
    assert torch.equal(one[1:], random_view(x[1:], view, [8], 5, Views.WEAK))
    for seeds, step, stream in (
        ([3, 8], 6, Views.WEAK),
        ([3, 8], 5, Views.STRONG),
        ([4, 9], 5, Views.WEAK),
    ):
        assert not torch.equal(one, random_view(x, view, seeds, step, stream))


def test_no_change_is_no_change() -> None:
    x = torch.rand(2, 5, 3, 8, 8)
    assert torch.equal(random_view(x, View(), [0, 1], 0, Views.WEAK), x)


def test_a_shift_goes_as_far_as_it_says_and_keeps_the_rest() -> None:
    moved = random_view(blob(), View(shift=0.125), [0, 1], 0, Views.WEAK)
    across = (moved * torch.arange(16.0)).sum((-1, -2)) / moved.sum((-1, -2))
    assert ((across - 4).abs() <= 2.01).all()
    assert across.std() > 0.5
    torch.testing.assert_close(moved.sum((-1, -2)), blob().sum((-1, -2)))


def test_half_of_the_images_are_mirrored() -> None:
    turned = random_view(blob(), View(mirrored=True), [0, 1], 0, Views.WEAK)
    right = turned[..., 8:].sum((-1, -2, -3)) > turned[..., :8].sum((-1, -2, -3))
    assert 20 < int(right.sum()) < 60
    torch.testing.assert_close(turned[right], blob()[right].flip(-1), atol=1e-4, rtol=0)


def test_colours_change_by_channel_and_light_in_all() -> None:
    x = torch.rand(1, 200, 3, 4, 4)
    by_channel = random_view(x, View(colour=0.2), [0], 0, Views.WEAK) - x
    assert by_channel.std((-2, -1)).max() < 1e-6, "the same for each pixel of a channel"
    assert by_channel.abs().max() <= 0.2
    assert by_channel[..., 0, 0].std(2).mean() > 0.05
    contrast = random_view(x, View(contrast=0.3), [0], 0, Views.WEAK)
    torch.testing.assert_close(contrast.mean((-3, -2, -1)), x.mean((-3, -2, -1)))
    assert not torch.equal(contrast, x)


def test_noise_has_the_deviation_that_it_says() -> None:
    x = torch.zeros(1, 50, 1, 16, 16)
    assert 0.29 < random_view(x, View(noise=0.3), [0], 0, Views.WEAK).std() < 0.31


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shift": 0.8}, r"shift of a view needs to be from 0 to 0.5, .*, got 0.8"),
        ({"contrast": 1.0}, r"contrast of a view needs to be from 0 to 0.95, .*, got 1.0"),
        ({"noise": -0.1}, r"noise of a view needs to be from 0 to 1, .*, got -0.1"),
        ({"scale": float("nan")}, r"scale of a view needs to be .*, got nan"),
    ],
)
def test_a_view_that_leaves_nothing_of_an_image_is_refused(
    changes: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        View(**changes)  # type: ignore[arg-type]
