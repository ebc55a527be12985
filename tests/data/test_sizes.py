"""How large a task is: as asked for, or as much as there is."""

from itertools import pairwise

import pytest

from lautum_utils.data.images import Images
from lautum_utils.data.sizes import Sizes, memory_of
from lautum_utils.data.tasks import load_transfer_task


def sizes_of(*names: str, **sizes: int) -> tuple[int, ...]:
    task = load_transfer_task(*names, **sizes)
    parts = task.labelled, task.validation, task.test, task.source_test
    return (len(task.unlabelled), *map(len, parts))


def test_each_part_has_the_size_asked_for() -> None:
    sizes = {"unlabelled": 70, "labelled": 50, "validation": 40, "test": 30}
    assert sizes_of("digits", "letters", **sizes) == (70, 50, 40, 30, 30)
    assert sizes_of("letters", "digits", **sizes) == (70, 50, 40, 30, 30)
    assert sizes_of("letters", "digits") == (537, 400, 500, 360, 2000)
    assert sizes_of("digits", "letters", "label_part_swap", **sizes) == (70, 50, 40, 30, 360)


def test_test_0_is_all_there_is(public_sets: dict[tuple[str, str], Images]) -> None:
    few = {"unlabelled": 20, "labelled": 20, "validation": 20, "test": 0}
    assert sizes_of("mnist", "cifar10", **few)[-2:] == (2100, 300)
    assert sizes_of("digits", "letters", **few)[-2:] == (10_000, 360)
    assert sizes_of("digits", "letters", "label_part_swap", **few)[-2:] == (10_000, 360)


def test_a_target_that_runs_out_has_fewer_unlabelled(
    public_sets: dict[tuple[str, str], Images],
) -> None:
    assert sizes_of("mnist", "cifar10", unlabelled=9000, labelled=1000)[:3] == (1000, 1000, 500)
    assert sizes_of("mnist", "mnist", unlabelled=100)[:3] == (100, 400, 500)


def test_memory_grows_with_what_is_taken_and_no_further_than_there_is(
    public_sets: dict[tuple[str, str], Images],
) -> None:
    for name in ("unlabelled", "labelled", "validation"):
        usual = getattr(Sizes(), name)
        sizes = [Sizes()._replace(**{name: n}) for n in (usual // 2, usual, 2 * usual)]
        assert all(
            one.task < more.task
            for one, more in pairwise(memory_of("digits", "letters", sizes=s) for s in sizes)
        )
    pixels = 4 * 28 * 28 * 3
    all_there = memory_of("mnist", "cifar10", sizes=Sizes(10**6, test=0)).task
    assert all_there == 2 * pixels * (5200 + 2500 + 2100)
    assert memory_of("mnist", "cifar10", sizes=Sizes(10**6, test=10**6)).task == all_there


@pytest.mark.parametrize("sizes", [{"unlabelled": 1}, {"validation": 0}, {"test": -1}], ids=str)
def test_sizes_that_are_none_are_told(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"sizes need to be 2 or more \(test: or 0 for all\), got"):
        load_transfer_task(**sizes)
