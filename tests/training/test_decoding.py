"""What is painted from features, against scikit-learn and against what it says of itself."""

import pytest
import torch
from sklearn.linear_model import Ridge

from lautum_utils.training.decoding import paint, share_kept


def features_and_images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((60, 1, 4, 5), generator=generator, dtype=torch.float64)
    mixing = torch.randn((20, 7), generator=generator, dtype=torch.float64)
    return images.flatten(1) @ mixing + 3, images, images[:5].flatten(1) @ mixing + 2.9


@pytest.mark.parametrize("ridge", [1e-3, 1e-2, 1.0])
def test_painting_is_the_ridge_regression_of_scikit_learn(ridge: float) -> None:
    features, images, shown = features_and_images()
    penalty = (len(features) - 1) * ridge * features.var(0).mean().item()
    oracle = Ridge(alpha=penalty).fit(features.numpy(), images.flatten(1).numpy())
    expected = torch.from_numpy(oracle.predict(shown.numpy())).view(5, 1, 4, 5)
    torch.testing.assert_close(paint(features, images, shown, ridge), expected)


def test_features_that_hold_nothing_paint_the_mean_image() -> None:
    _, images, _ = features_and_images()
    painted = paint(torch.ones(60, 3), images.float(), torch.ones(2, 3))
    torch.testing.assert_close(painted, images.float().mean(0).expand(2, -1, -1, -1))
    assert share_kept(images.mean(0).expand_as(images), images) == pytest.approx(0.0)


def test_features_that_are_the_pixels_paint_the_image() -> None:
    _, images, _ = features_and_images()
    painted = paint(images.flatten(1), images, images.flatten(1), 1e-9)
    torch.testing.assert_close(painted, images)
    assert share_kept(painted, images) == pytest.approx(1.0)


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_painted_is_said() -> None:
    features, images, shown = features_and_images()
    with pytest.raises(ValueError, match="got 59 and 60"):
        paint(features[1:], images, shown)
    with pytest.raises(ValueError, match="got 1 and 1"):
        paint(features[:1], images[:1], shown)
    for ridge in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"finite number above 0, got {ridge}"):
            paint(features, images, shown, ridge)
    with pytest.raises(ValueError, match="same shape"):
        share_kept(images[1:], images)
