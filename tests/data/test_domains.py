"""The domains: what they hold, and what train and test share (nothing)."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_images import FIRST_CLASS, image_set
from torchvision.transforms.v2 import functional as TF

from lautum_utils.data.domains import fit, load
from lautum_utils.data.images import Images


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["digits", "letters"])
def test_domain_holds_images_in_0_1_and_labels_of_ten_named_classes(name: str, split: str) -> None:
    domain = load(name, 50, split=split)
    assert domain.inputs.shape == (50, 1, 16, 16)
    assert domain.inputs.dtype == torch.float32
    assert domain.labels.shape == (50,)
    assert domain.labels.dtype == torch.int64
    assert len(domain) == 50
    assert 0 <= domain.inputs.min() < 0.05
    assert 0.8 < domain.inputs.max() <= 1
    assert len(domain.class_names) == 10
    assert domain.class_names[0] == FIRST_CLASS[name]
    assert 0.05 < domain.inputs.mean() < 0.5, "bright on dark"


def test_all_digits_are_1437_and_360_and_each_class_is_there_often() -> None:
    train, test = load("digits"), load("digits", split="test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.labels.bincount().min() > 120
    assert test.labels.bincount().min() > 20


def test_train_and_test_share_no_handwritten_image() -> None:
    train, test = image_set(load("digits").inputs), image_set(load("digits", split="test").inputs)
    assert len(train) > 1400
    assert not train & test


@pytest.mark.parametrize("name", ["digits", "letters"])
def test_seed_and_nothing_else_fixes_a_domain(name: str) -> None:
    one = load(name, 40, seed=3)
    torch.manual_seed(99)
    again, other = load(name, 40, seed=3, device=torch.device("cpu")), load(name, 40, seed=4)
    assert torch.equal(one.inputs, again.inputs)
    assert torch.equal(one.labels, again.labels)
    assert not torch.equal(one.inputs, other.inputs)
    assert not torch.equal(one.labels, other.labels)


def test_a_real_set_comes_in_an_order_of_its_seed_as_floats(
    public_sets: dict[tuple[str, str], Images],
) -> None:
    original = public_sets["mnist", "train"]
    images, again, other = (load("mnist", 2500, seed) for seed in (0, 0, 1))
    assert torch.equal(images.inputs, again.inputs)
    assert not torch.equal(images.inputs, other.inputs)
    assert images.class_names == original.class_names
    weights = torch.rand(784, dtype=torch.float64)
    flat = original.pixels.flatten(1).double() @ weights
    key = (images.inputs * 255).round().flatten(1).double() @ weights
    row = torch.stack([(flat - k).abs().argmin() for k in key])
    assert len(row.unique()) == 2500, "each once"
    assert torch.equal((images.inputs * 255).round().byte(), original.pixels[row])
    assert torch.equal(images.labels, original.labels[row])
    assert len(load("mnist")) == 5200
    with pytest.raises(
        ValueError, match="n needs to be at most 300 for the test split of mnist, got 301"
    ):
        load("mnist", 301, split="test")


def test_grey_and_colour_and_size_are_fitted_as_torchvision_would() -> None:
    x = torch.rand(3, 3, 8, 8)
    assert fit(x, (3, 8, 8)) is x
    torch.testing.assert_close(fit(x, (1, 8, 8)), TF.rgb_to_grayscale(x))
    torch.testing.assert_close(fit(x[:, :1], (3, 8, 8)), x[:, :1].expand(3, 3, 8, 8))
    torch.testing.assert_close(fit(x, (3, 4, 4)), TF.resize(x, [4, 4], antialias=True))


def test_a_folder_of_images_is_a_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    for split in ("train", "test"):
        for value, name in enumerate(("cat", "dog")):
            (tmp_path / "own" / split / name).mkdir(parents=True)
            for k in range(3):
                Image.new("RGB", (20, 30), (100 * value, k, 255)).save(
                    tmp_path / "own" / split / name / f"{k}.png"
                )
    own = load(f"folder:{tmp_path / 'own'}", split="test")
    assert (own.inputs.shape, own.class_names) == ((6, 3, 30, 20), ("cat", "dog"))
    assert torch.equal((own.inputs[:, 0].mean((1, 2)) * 255).round().long(), 100 * own.labels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: load("mnits"),
            "name needs to be one of digits, letters, .*, folder:PATH, idx:PATH, got 'mnits'",
        ),
        (
            lambda: load("digits", split="validation"),
            "split needs to be one of train, test, got 'validation'",
        ),
        (lambda: load("digits", 0), "n needs to be a whole number of 1 or more, got 0"),
        (lambda: load("letters", -3), "n needs to be a whole number of 1 or more, got -3"),
        (
            lambda: load("digits", 1438),
            "n needs to be at most 1437 for the train split of digits, got 1438",
        ),
    ],
)
def test_bad_input_says_what_was_given_and_what_is_allowed(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
