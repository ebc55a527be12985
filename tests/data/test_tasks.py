"""A task to transfer: parts that share nothing, labels nested and balanced."""

from pathlib import Path

import pytest
import torch
from tiny_images import FIRST_CLASS, image_set
from torch import Tensor

from lautum_utils.data.downloads import INSTALLED
from lautum_utils.data.images import Images
from lautum_utils.data.shifts import SHIFTS, shift
from lautum_utils.data.sizes import common_shape
from lautum_utils.data.tasks import TransferTask, load_transfer_task

NAMES = tuple(SHIFTS)
SMALL = {"unlabelled": 60, "labelled": 50, "validation": 40, "test": 30}


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
    ("source", "target", "shift_name"),
    [(s, t, "none") for s in ("digits", "letters") for t in ("digits", "letters")]
    + [("digits", "letters", "label_part_swap")],
)
def test_parts_of_every_pair_are_disjoint_and_fixed_by_the_seed(
    source: str, target: str, shift_name: str
) -> None:
    task, again, other = (
        load_transfer_task(source, target, shift_name, 0.0, seed, **SMALL) for seed in (0, 0, 1)
    )
    held = {name: image_set(x) for name, x in parts(task).items()}
    for a in held:
        for b in held:
            shared = held[a] & held[b]
            assert len(shared) == (len(held[a]) if a == b else 0) or (
                {a, b} == {"test", "source_test"} and source == target
            ), (
                a,
                b,
            )
    assert {name: len(held[name]) for name in SMALL} == SMALL
    assert task.source.class_names[0] == FIRST_CLASS[source]
    assert task.test.class_names == task.labelled.class_names == task.validation.class_names
    assert task.test.class_names[0] == FIRST_CLASS[target]
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


@pytest.mark.parametrize("shift_name", NAMES)
def test_shift_moves_every_part_of_the_target_and_nothing_of_the_source(shift_name: str) -> None:
    plain, task = (
        parts(load_transfer_task(**SMALL)),
        parts(load_transfer_task(shift=shift_name, severity=0.7, **SMALL)),
    )
    for name, x in task.items():
        if name.startswith("source"):
            assert torch.equal(x, plain[name])
        else:
            assert not torch.equal(x, plain[name]), name
            if shift_name in ("rotation", "blur", "contrast"):
                torch.testing.assert_close(x, shift(plain[name], shift_name, 0.7))


@pytest.mark.parametrize(
    ("source", "target", "shape"),
    [
        ("mnist", "letters", (1, 16, 16)),
        ("digits", "mnist", (1, 16, 16)),
        ("cifar10", "mnist", (3, 28, 28)),
        ("cifar10", "letters", (3, 16, 16)),
        ("mnist", "mnist", (1, 28, 28)),
    ],
)
def test_both_domains_of_a_task_are_brought_to_one_shape(
    public_sets: dict[tuple[str, str], Images],
    source: str,
    target: str,
    shape: tuple[int, int, int],
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: load_transfer_task("mnits"),
            "source needs to be one of digits, letters, mnist, .*, got 'mnits'",
        ),
        (
            lambda: load_transfer_task(target="mnits"),
            "target needs to be one of digits, letters, mnist, .*, got 'mnits'",
        ),
        (
            lambda: load_transfer_task(shift="fog"),
            "shift needs to be one of none, .*, label_part_swap, got 'fog'",
        ),
        (
            lambda: load_transfer_task(shift="none", severity=1.2),
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
