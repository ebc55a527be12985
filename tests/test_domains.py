"""The domains: what they hold, what they share (nothing), and how far the knob moves them."""

import math
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import chi2_contingency, chisquare
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lautum_utils.data import domains
from lautum_utils.data.datasets import INSTALLED, Images
from lautum_utils.data.domains import (
    FONTS,
    SHIFTS,
    TransferTask,
    common_shape,
    label_part_swap,
    load,
    load_transfer_task,
    shift,
    swap_joint,
)
from lautum_utils.information import mutual_information

KINDS = tuple(SHIFTS)
FIRST = {"digits": "0", "letters": "A"}
SMALL = {"unlabelled": 60, "labelled": 50, "validation": 40, "test": 30}


def images(x: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in x}


def moved(x: Tensor, kind: str, severity: float) -> float:
    return float((shift(x, kind, severity) - x).flatten(1).norm(dim=-1).mean())


# ------------------------------------------------------------------------------------------------ digits and letters


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
    assert domain.class_names[0] == FIRST[name]
    assert 0.05 < domain.inputs.mean() < 0.5, "bright on dark"


def test_all_digits_are_1437_and_360_and_each_class_is_there_often() -> None:
    train, test = load("digits"), load("digits", split="test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.labels.bincount().min() > 120
    assert test.labels.bincount().min() > 20


def test_letters_are_ten_thousand_when_not_told_and_balanced() -> None:
    letters = load("letters")
    assert letters.labels.bincount().tolist() == [1000] * 10
    assert load("letters", 25).labels.bincount(minlength=10).unique().tolist() == [2, 3]
    assert not torch.equal(letters.labels, torch.arange(10_000) % 10), "in a random order"


def test_train_and_test_share_no_handwritten_image() -> None:
    train, test = images(load("digits").inputs), images(load("digits", split="test").inputs)
    assert len(train) > 1400
    assert not train & test


def test_train_and_test_share_no_font_and_no_glyph() -> None:
    assert not set(FONTS["train"]) & set(FONTS["test"])
    glyphs = {split: images(domains._glyphs(split).flatten(0, 1)) for split in FONTS}
    assert {split: len(glyphs[split]) for split in FONTS} == {
        split: 10 * len(FONTS[split]) for split in FONTS
    }
    assert not glyphs["train"] & glyphs["test"]


@pytest.mark.parametrize("name", ["digits", "letters"])
def test_seed_and_nothing_else_fixes_a_domain(name: str) -> None:
    one = load(name, 40, seed=3)
    torch.manual_seed(99)
    again, other = load(name, 40, seed=3, device=torch.device("cpu")), load(name, 40, seed=4)
    assert torch.equal(one.inputs, again.inputs)
    assert torch.equal(one.labels, again.labels)
    assert not torch.equal(one.inputs, other.inputs)
    assert not torch.equal(one.labels, other.labels)


# ------------------------------------------------------------------------------------------------------- the shifts


@pytest.mark.parametrize("kind", KINDS)
def test_severity_0_is_the_identity_and_more_moves_letters_further(kind: str) -> None:
    x = load("letters", 200).inputs
    assert torch.equal(shift(x, kind, 0.0), x)
    distances = [moved(x, kind, severity) for severity in (0.25, 0.5, 1.0)]
    assert 0.5 < distances[0] < 0.95 * distances[1] < 0.95**2 * distances[2]


@given(
    kind=st.sampled_from(KINDS),
    severity=st.floats(0, 1),
    batch=st.lists(st.integers(0, 3), max_size=2),
    size=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
@example(kind="blur", severity=4.5e-297, batch=[2], size=(1, 4, 4), seed=0, dtype=torch.float32)
@settings(max_examples=80)
def test_any_shift_keeps_shape_type_and_range_and_repeats(
    kind: str,
    severity: float,
    batch: list[int],
    size: tuple[int, int, int],
    seed: int,
    dtype: torch.dtype,
) -> None:
    if math.prod(batch) == 0:
        batch = [2]
    x = torch.rand(*batch, *size, generator=torch.Generator().manual_seed(seed)).to(dtype)
    before = x.clone()
    y = shift(x, kind, severity, seed)
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert y.isfinite().all()
    tiny = 4 * torch.finfo(dtype).eps
    assert -tiny <= y.min()
    assert y.max() <= 1 + tiny
    assert torch.equal(y, shift(x, kind, severity, seed))
    assert torch.equal(x, before), "the input itself stays"


@pytest.mark.parametrize("kind", KINDS)
def test_shift_of_a_batch_of_batches_is_the_flattened_one(kind: str) -> None:
    x = torch.rand(2, 3, 1, 16, 16)
    flat = shift(x.flatten(0, 1), kind, 0.6, seed=5)
    torch.testing.assert_close(shift(x, kind, 0.6, seed=5), flat.reshape(x.shape))
    torch.testing.assert_close(shift(x[0, 0], kind, 0.6, seed=5).shape, x[0, 0].shape)


@pytest.mark.parametrize("kind", ["noise", "inversion", "background"])
def test_random_shifts_depend_on_the_seed_only(kind: str) -> None:
    x = torch.rand(20, 1, 16, 16)
    torch.manual_seed(1)
    one = shift(x, kind, 0.5, seed=1)
    torch.manual_seed(2)
    assert torch.equal(one, shift(x, kind, 0.5, seed=1))
    assert not torch.equal(one, shift(x, kind, 0.5, seed=2))
    assert not torch.equal((one - x)[0], (one - x)[1]) or kind == "inversion", (
        "each image has its own"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_shift_stays_on_the_device_of_its_input(kind: str) -> None:
    y = shift(torch.empty(2, 3, 1, 16, 16, device="meta"), kind, 0.5)
    assert y.device.type == "meta"
    assert y.shape == (2, 3, 1, 16, 16)


def test_each_kind_does_what_its_line_says() -> None:
    x = load("letters", 1000).inputs
    assert torch.allclose(shift(x, "rotation", 1.0), x.rot90(1, (-2, -1)), atol=1e-4)
    assert torch.equal(shift(x, "inversion", 1.0), 1 - x)
    inverted = (shift(x, "inversion", 0.3) != x).flatten(1).any(-1).float().mean()
    assert abs(inverted - 0.3) < 0.05
    contrast = shift(x, "contrast", 1.0).flatten(1)
    torch.testing.assert_close(contrast.mean(-1), x.flatten(1).mean(-1))
    torch.testing.assert_close(contrast.std(-1), 0.05 * x.flatten(1).std(-1), rtol=1e-3, atol=1e-6)
    grey = torch.full((200, 1, 16, 16), 0.5)
    assert abs(shift(grey, "noise", 0.2).std() - 0.14) < 0.01
    assert (shift(x, "background", 0.7) >= x).all()
    dot = torch.zeros(1, 15, 15)
    dot[0, 7, 7] = 1
    at = torch.arange(15.0) - 7
    assert abs((shift(dot, "blur", 0.5)[0].sum(0) * at**2).sum().sqrt() - 1.5) < 0.1


@pytest.mark.parametrize(
    "inputs", [torch.rand(16, 16), torch.ones(2, 1, 16, 16, dtype=torch.int64)]
)
def test_shift_refuses_what_are_no_images(inputs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        jaxtyping.config, "jaxtyping_disable", True
    )  # a reader meets our errors, not jaxtyping's
    with pytest.raises(
        ValueError, match=r"images \(\.\.\., c, h, w\), got torch\.\w+ \(.*16, 16\)"
    ):
        shift(inputs, "noise", 0.5)


# ------------------------------------------------------------------------------------------------ the label-part swap


def swap_labels(n: int, severity: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    digit, letter = (label_part_swap(n, severity, label, seed) for label in ("digit", "letter"))
    assert torch.equal(digit.inputs, letter.inputs), (
        "the two tasks differ in what is asked, not in what is seen"
    )
    assert (digit.class_names, letter.class_names) == (domains.DIGITS, domains.LETTERS)
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
    assert len(images(left)) > 100, "many different handwritten digits"
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


# ------------------------------------------------------------------------------------------------- a task to transfer


def parts(task: TransferTask) -> dict[str, Tensor]:
    return {
        "unlabelled": task.unlabelled,
        "labelled": task.labelled.inputs,
        "validation": task.validation.inputs,
        "test": task.test.inputs,
        "source": task.source.inputs,
        "source_test": task.source_test.inputs,
    }


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [(s, t, "none") for s in ("digits", "letters") for t in ("digits", "letters")]
    + [("digits", "letters", "label_part_swap")],
)
def test_parts_of_every_pair_are_disjoint_and_fixed_by_the_seed(
    source: str, target: str, kind: str
) -> None:
    task, again, other = (
        load_transfer_task(source, target, kind, 0.0, seed, **SMALL) for seed in (0, 0, 1)
    )
    held = {name: images(x) for name, x in parts(task).items()}
    for a in held:
        for b in held:
            shared = held[a] & held[b]
            assert len(shared) == (len(held[a]) if a == b else 0) or (
                {a, b} == {"test", "source_test"} and source == target
            ), (
                a,
                b,
            )
    assert target == "digits" or {name: len(held[name]) for name in SMALL} == SMALL
    assert (len(held["labelled"]), len(held["validation"])) == (50, 40)
    assert task.source.class_names[0] == FIRST[source]
    assert task.test.class_names == task.labelled.class_names == task.validation.class_names
    assert task.test.class_names[0] == FIRST[target]
    assert all(
        torch.equal(x, y) for x, y in zip(parts(task).values(), parts(again).values(), strict=True)
    )
    assert not any(
        torch.equal(x, y) for x, y in zip(parts(task).values(), parts(other).values(), strict=True)
    )


@pytest.mark.parametrize(
    ("source", "target"), [(s, t) for s in ("digits", "letters") for t in ("digits", "letters")]
)
def test_every_pair_loads_with_the_sizes_of_an_experiment(source: str, target: str) -> None:
    task = load_transfer_task(source, target)
    assert len(task.labelled) == 400
    assert len(task.unlabelled) >= 2


@pytest.mark.parametrize("target", ["digits", "letters"])
def test_labelled_samples_are_nested_and_balanced(target: str) -> None:
    task = load_transfer_task("letters", target, labelled=200, unlabelled=300)
    for n in (10, 50, 100, 200):
        assert task.labelled.labels[:n].bincount(minlength=10).tolist() == [n // 10] * 10
    fewer = load_transfer_task("letters", target, labelled=100, unlabelled=400)
    assert torch.equal(fewer.labelled.inputs, task.labelled.inputs[:100])


@pytest.mark.parametrize("kind", KINDS)
def test_shift_moves_every_part_of_the_target_and_nothing_of_the_source(kind: str) -> None:
    plain, task = (
        parts(load_transfer_task(**SMALL)),
        parts(load_transfer_task(shift_kind=kind, severity=0.7, **SMALL)),
    )
    for name, x in task.items():
        if name.startswith("source"):
            assert torch.equal(x, plain[name])
        else:
            assert not torch.equal(x, plain[name]), name
            if kind in ("rotation", "blur", "contrast"):
                torch.testing.assert_close(x, shift(plain[name], kind, 0.7))


# ------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: load("mnits"),
            "name needs to be one of digits, letters, mnist, .*, folder:PATH, got 'mnits'",
        ),
        (
            lambda: load("digits", split="validation"),
            "split needs to be one of train, test, got 'validation'",
        ),
        (lambda: load("digits", 0), "n needs to be 1 or more, got 0"),
        (lambda: load("letters", -3), "n needs to be 1 or more, got -3"),
        (
            lambda: load("digits", 1438),
            "n needs to be at most 1437 for the train split of digits, got 1438",
        ),
        (lambda: load("digits", 361, split="test"), "n needs to be at most 360 .* got 361"),
        (
            lambda: shift(torch.rand(1, 4, 4), "fog", 0.5),
            "kind needs to be one of rotation, .*, background, got 'fog'",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", 1.5),
            "severity needs to be from 0 to 1, got 1.5",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", -0.1),
            "severity needs to be from 0 to 1, got -0.1",
        ),
        (
            lambda: shift(torch.rand(1, 4, 4), "blur", math.nan),
            "severity needs to be from 0 to 1, got nan",
        ),
        (
            lambda: shift(torch.full((1, 4, 4), math.nan), "blur", 0.5),
            "inputs need finite values, got NaN",
        ),
        (
            lambda: shift(torch.full((1, 4, 4), math.inf), "blur", 0.0),
            "inputs need finite values, got NaN or infinite",
        ),
        (lambda: swap_joint(2.0), "severity needs to be from 0 to 1, got 2.0"),
        (lambda: label_part_swap(10, 1.1, "digit"), "severity needs to be from 0 to 1, got 1.1"),
        (lambda: label_part_swap(0, 0.5, "digit"), "n needs to be 1 or more, got 0"),
        (
            lambda: label_part_swap(10, 0.5, "colour"),
            "label needs to be one of digit, letter, got 'colour'",
        ),
        (
            lambda: label_part_swap(10, 0.5, "digit", split="all"),
            "split needs to be one of train, test, got 'all'",
        ),
        (
            lambda: load_transfer_task("mnits"),
            "source needs to be one of digits, letters, mnist, .*, got 'mnits'",
        ),
        (
            lambda: load_transfer_task(target="mnits"),
            "target needs to be one of digits, letters, mnist, .*, got 'mnits'",
        ),
        (
            lambda: load_transfer_task(shift_kind="fog"),
            "shift needs to be one of none, .*, label_part_swap, got 'fog'",
        ),
        (
            lambda: load_transfer_task(shift_kind="none", severity=1.2),
            "severity needs to be from 0 to 1, got 1.2",
        ),
        (
            lambda: load_transfer_task("letters", "digits", "label_part_swap"),
            "label_part_swap needs .* got 'letters' and 'digits'",
        ),
        (
            lambda: load_transfer_task("letters", "digits", labelled=1434),
            "labelled needs to be at most 1433 .* got 1434",
        ),
    ],
)
def test_bad_input_says_what_was_given_and_what_is_allowed(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------------------------------ real images


def images_of(n: int, *shape: int, seed: int = 0) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, *shape), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(n) % 10, tuple("abcdefghij"), 0)


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Images]:
    """Small stand-ins of the public sets, in place of downloads."""
    found = {
        ("mnist", "train"): images_of(5200, 1, 28, 28), ("mnist", "test"): images_of(300, 1, 28, 28, seed=1),
        ("cifar10", "train"): images_of(2500, 3, 32, 32, seed=2), ("cifar10", "test"): images_of(2100, 3, 32, 32, seed=3),
    }  # fmt: skip
    monkeypatch.setattr(domains, "load_images", lambda name, split: found[name, split])
    return found


def test_a_real_set_comes_in_an_order_of_its_seed_as_floats(
    sets: dict[tuple[str, str], Images],
) -> None:
    original = sets["mnist", "train"]
    some, again, other = (load("mnist", 2500, seed) for seed in (0, 0, 1))
    assert torch.equal(some.inputs, again.inputs)
    assert not torch.equal(some.inputs, other.inputs)
    assert some.class_names == original.class_names
    weights = torch.rand(784, dtype=torch.float64)
    flat = original.pixels.flatten(1).double() @ weights
    key = (some.inputs * 255).round().flatten(1).double() @ weights
    row = torch.stack([(flat - k).abs().argmin() for k in key])
    assert len(row.unique()) == 2500, "each once"
    assert torch.equal((some.inputs * 255).round().byte(), original.pixels[row])
    assert torch.equal(some.labels, original.labels[row])
    assert len(load("mnist")) == 5200
    with pytest.raises(
        ValueError, match="n needs to be at most 300 for the test split of mnist, got 301"
    ):
        load("mnist", 301, split="test")


@pytest.mark.parametrize(
    ("source", "target", "shape"),
    [("mnist", "letters", (1, 16, 16)), ("digits", "mnist", (1, 16, 16)), ("cifar10", "mnist", (3, 28, 28)),
     ("cifar10", "letters", (3, 16, 16)), ("mnist", "mnist", (1, 28, 28))],
)  # fmt: skip
def test_both_domains_of_a_task_are_brought_to_one_shape(
    sets: dict[tuple[str, str], Images], source: str, target: str, shape: tuple[int, int, int]
) -> None:
    assert common_shape(source, target) == shape
    task = load_transfer_task(source, target, "contrast", 0.3)
    for part in (task.source, task.source_test, task.labelled, task.validation, task.test):
        assert part.inputs.shape[1:] == shape
        assert 0 <= part.inputs.min() < part.inputs.max() <= 1.0001
    assert len(task.unlabelled) + len(task.labelled) + len(task.validation) <= 4900
    assert task.labelled.labels[:10].unique().numel() == 10
    if source == target:
        assert len(task.source) == 2600, (
            "half of the training images; the target has the other half"
        )


def test_grey_and_colour_and_size_are_fitted_as_torchvision_would() -> None:
    x = torch.rand(3, 3, 8, 8)
    assert domains._fit(x, (3, 8, 8)) is x
    torch.testing.assert_close(domains._fit(x, (1, 8, 8)), TF.rgb_to_grayscale(x))
    torch.testing.assert_close(domains._fit(x[:, :1], (3, 8, 8)), x[:, :1].expand(3, 3, 8, 8))
    torch.testing.assert_close(domains._fit(x, (3, 4, 4)), TF.resize(x, [4, 4], antialias=True))


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
    assert (own.inputs.shape, own.class_names) == ((6, 3, 32, 32), ("cat", "dog"))
    assert torch.equal((own.inputs[:, 0].mean((1, 2)) * 255).round().long(), 100 * own.labels)


@pytest.mark.skipif(
    not INSTALLED["fashion_mnist"].exists(),
    reason="Debian's dataset-fashion-mnist is not installed",
)
def test_fashion_mnist_as_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path))
    task = load_transfer_task("fashion_mnist", "letters", "background", 0.5)
    assert task.source.inputs.shape == (60_000, 1, 16, 16)
    assert task.source.labels.bincount().tolist() == [6000] * 10
    assert task.source.class_names[9] == "Ankle boot"
    assert task.unlabelled.shape == (4000, 1, 16, 16)
