"""Numbers of NumPy and torch are numbers, wherever one is asked for."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lautum_utils.data.domains import load
from lautum_utils.data.pairs import label_part_swap
from lautum_utils.data.shifts import shift
from lautum_utils.data.tasks import load_transfer_task
from lautum_utils.finite_world import FiniteWorld
from lautum_utils.numbers import number, plain, plain_values, whole_number
from lautum_utils.regularizers import LautumRegularizer
from lautum_utils.results.store import save_results
from lautum_utils.small_samples import lautum_information_bias, shuffled_value
from lautum_utils.widgets.playground_settings import require_allowed

ONE = [np.int64(1), np.uint8(1), np.array(1), torch.tensor(1), torch.tensor(1, dtype=torch.int32)]
MILLI = [
    *(np.dtype(kind).type(1e-3) for kind in ("float16", "float32", "float64", "longdouble")),
    np.array(1e-3, dtype="float32"),
    *(torch.tensor(1e-3, dtype=getattr(torch, f"float{bits}")) for bits in (16, 32, 64)),
    torch.tensor(1e-3, dtype=torch.bfloat16),
    torch.nn.Parameter(torch.tensor(1e-3)),
]


@pytest.mark.parametrize(("value", "meant"), [(v, 1) for v in ONE] + [(v, 1e-3) for v in MILLI])
def test_a_number_is_the_plain_one_that_was_meant(value: Any, meant: float) -> None:
    found = plain(value)
    assert type(found) is type(meant)
    assert found == meant


@given(st.floats(width=32))
def test_what_is_kept_of_a_narrow_number_is_that_number(value: float) -> None:
    kept = plain(np.float32(value))
    assert kept == plain(torch.tensor(value)) or math.isnan(value)
    assert np.float32(kept) == np.float32(value) or math.isnan(kept)
    assert len(repr(kept)) <= len(repr(value))


def test_what_is_no_single_number_stays_what_it_is() -> None:
    array, tensor = np.ones(1), torch.ones(1)
    for value in (array, tensor, "1", None, 2.5, [1], np.datetime64(3, "s"), np.complex64(1)):
        assert plain(value) is value
    assert plain(np.True_) is plain(torch.tensor(True)) is True
    assert type(plain(np.str_("probe"))) is str
    assert plain_values(np.array([0, 1e-3], "float32")) == plain_values([0, 1e-3]) == (0, 1e-3)
    assert plain_values(torch.tensor(3)) == plain_values(3) == (3,)
    assert plain_values("ab") == ("ab",)


@pytest.mark.parametrize("bad", [True, np.True_, torch.tensor(True), "1", None, [1], math.nan])
def test_truth_and_text_are_no_numbers(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"^n needs to be a whole number of 1 or more, got .*\.$"):
        whole_number(bad, "n", least=1)
    with pytest.raises(ValueError, match=r"^ridge needs to be a finite number of 0 or more, got "):
        number(bad, "ridge")


IMAGES = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
WORLD = FiniteWorld(torch.full((2, 2), 0.25), torch.full((2, 2, 2), 0.5))
SMALL = {"unlabelled": 4, "labelled": 10, "validation": 10, "test": 10}


def _value(n: Any, x: Any) -> torch.Tensor:
    regularizer = LautumRegularizer(IMAGES, n, x)
    assert type(regularizer.ridge) is float
    projected = regularizer.project(IMAGES)
    return shuffled_value(regularizer, IMAGES.flatten(1)[:, :2], projected, n, n)


# n = 1 and x = 1/2 of each type
TAKES: dict[str, Callable[[Any, Any], Any]] = {
    "load": lambda n, x: load("digits", n, n).inputs,
    "shift": lambda n, x: shift(IMAGES, "noise", x, n),
    "label_part_swap": lambda n, x: label_part_swap(n, x, "digit", n).inputs,
    "load_transfer_task": lambda n, x: (
        load_transfer_task(
            "digits", "digits", "blur", x, n, **{name: size * n for name, size in SMALL.items()}
        ).test.inputs
    ),
    "regularizer": _value,
    "bias": lambda n, x: torch.tensor(lautum_information_bias(9 * n, n, n)),
    "learn": lambda n, x: WORLD.transfer(WORLD.p_xy, n, n, x, x).posterior,
    "playground": lambda n, x: torch.tensor(require_allowed([], n, "cpu")),
}


@pytest.mark.parametrize("called", TAKES)
@pytest.mark.usefixtures("unchecked")
def test_numbers_of_any_make_give_the_same(called: str) -> None:
    wanted = TAKES[called](1, 0.5)
    for n, x in ((np.int64(1), np.float32(0.5)), (torch.tensor(1), torch.tensor(0.5))):
        assert torch.equal(TAKES[called](n, x), wanted)


def test_rows_of_ones_own_are_written_with_numbers_of_any_make(tmp_path: Path) -> None:
    row = {"seed": np.int64(1), "gain": np.float32(0.1), "loss": torch.tensor(0.2), "name": "a"}
    save_results([row], tmp_path / "rows.json")
    wanted = [{"seed": 1, "gain": 0.1, "loss": 0.2, "name": "a"}]
    assert json.loads((tmp_path / "rows.json").read_bytes()) == wanted
