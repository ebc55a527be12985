"""What a notebook's parameters can be, and how they may be spelled: only its cells of parameters
are run, nothing trains."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import papermill
import pytest
import torch
from lautum_pages.page_08_record import NAMES
from lautum_pages.parameters import read_parameters
from lautum_pages.parameters_known import (
    METHODS_OF_07,
    METHODS_OF_08,
    READERS,
    RECORDED_LABELS,
    SEVERITIES_OF_07,
    WEIGHTS_OF_10,
)
from papermill.exceptions import PapermillExecutionError
from plan import NOTEBOOKS
from test_notebooks import PARAMETERS

from lautum_utils.widgets.playground_settings import STRENGTHS
from notebooks.tools import compare
from notebooks.tools.published_grid import STAGE_TWO, WEIGHTS
from notebooks.tools.sources import read

SOURCES = {name[:2]: NOTEBOOKS / "source" / f"{name}.py" for name in PARAMETERS}
GIVEN = {name[:2]: values for name, values in PARAMETERS.items()}


@cache
def cells(notebook: str) -> tuple[str, str]:
    """The cell of parameters, and the one below it, which reads them."""
    code = [cell for cell in read(SOURCES[notebook]).cells if cell.cell_type == "code"]
    at = next(i for i, c in enumerate(code) if "parameters" in c.metadata.get("tags", []))
    return code[at].source, code[at + 1].source


def names_after(notebook: str, injected: str = "", **given: Any) -> dict[str, Any]:
    """The parameters as the notebook goes on with them, after some are given in a cell of
    papermill's."""
    defaults, reads = cells(notebook)
    injected = injected or "".join(f"{name} = 0\n" for name in given)
    names: dict[str, Any] = {"In": ["", defaults, *(["# Parameters\n" + injected] * bool(given))]}
    exec(defaults, names)
    names |= given
    exec(reads, names)
    return {name: names[name] for name in READERS[notebook]}


def bad(notebook: str, **given: Any) -> str:
    with pytest.raises(ValueError, match=r"\.$") as error:
        names_after(notebook, **given)
    return str(error.value)


@pytest.mark.parametrize("notebook", SOURCES)
def test_the_parameters_of_a_notebook_are_known_and_its_own_values_stay_as_they_are(
    notebook: str,
) -> None:
    defaults, reads = cells(notebook)
    names: dict[str, Any] = {}
    exec(defaults, names)
    assert names_after(notebook) == {n: v for n, v in names.items() if n != "__builtins__"}
    assert reads.splitlines()[-1].startswith(f'read_parameters("{notebook}", globals())')


@pytest.mark.parametrize("notebook", SOURCES)
@pytest.mark.parametrize("spelled", [str, np.array])
def test_a_value_in_another_spelling_is_the_same_value(notebook: str, spelled: Any) -> None:
    given = GIVEN[notebook]
    found = names_after(notebook, **{name: spelled(value) for name, value in given.items()})
    wanted = names_after(notebook, **given)
    assert found == wanted
    assert list(map(repr, found.values())) == list(map(repr, wanted.values()))


@pytest.mark.parametrize("notebook", SOURCES)
def test_a_truth_value_a_table_and_nonsense_are_refused_by_the_name_of_the_parameter(
    notebook: str,
) -> None:
    for name, wrong in [(n, w) for n in READERS[notebook] for w in (True, {"a": 1}, ["?", "!"])]:
        assert re.search(rf"\b{name} needs? (to|a)\b", bad(notebook, **{name: wrong})), name
    assert "among" in bad(notebook, strenghts=[0.0])


SPELLED: list[tuple[str, str, Any, Any]] = [
    ("00", "strengths", "[0, 1e-3]", [0.0, 1e-3]),
    ("00", "strengths", ["0", "1e-3"], [0.0, 1e-3]),
    ("00", "strengths", torch.tensor([0, 1e-3]), [0.0, 1e-3]),
    ("00", "severities", "0.5", [0.5]),
    ("00", "steps", 1e3, 1000),
    ("01", "n_joints", "1e3", 1000),
    ("04", "ridge", "1e-3", 1e-3),
    ("04", "ridge", np.float32(1e-3), 1e-3),
    ("06", "labels", 50, [50]),
    ("07", "severity", np.float32(0.6), 0.6),
    ("08", "store", None, ""),
    ("09", "shifts", "rotation, blur", ["rotation", "blur"]),
    ("09", "shifts", "['noise']", ["noise"]),
    ("10", "weight", "1e-3", 1e-3),
]


@pytest.mark.parametrize(("notebook", "name", "given", "meant"), SPELLED)
def test_natural_spellings(notebook: str, name: str, given: Any, meant: Any) -> None:
    found = names_after(notebook, **{name: given})[name]
    assert repr(found) == repr(meant)


REFUSED: list[tuple[str, str, Any, str]] = [
    ("00", "severities", [1.5], "each of severities needs to be from 0 to 1, got 1.5."),
    ("00", "seeds", 2.5, "seeds needs to be a whole number of 1 or more, got 2.5."),
    ("00", "strengths", 1e-3, "strengths needs a list of 2 or more, got 0.001."),
    ("00", "strengths", [1e-4, 1e-3], "strengths needs to hold 0, got [0.0001, 0.001]."),
    ("00", "labels", [50], "labels needs to be a whole number from 10 to 400, got [50]."),
    ("02", "confidence", 1, "confidence needs to be above 0 and below 1, got 1."),
    ("03", "dims", [4], "dims needs a list of 2, got [4]."),
    ("04", "batch", 200, "batch needs to be n_features + 257 = 273 or more, got 200."),
    ("05", "severities", 0, "severities needs one above 0 at least, got 0 only."),
    (
        "05",
        "shift",
        "rotated",
        "shift needs to be one of rotation, blur, noise, contrast, "
        "inversion, background, got 'rotated'.",
    ),
    (
        "08",
        "target",
        "folder:nowhere",
        "target needs a folder that is there, got 'folder:nowhere': nowhere is not there.",
    ),
    ("11", "labels", "7", "each of labels needs to be a multiple of 5, got 7."),
    ("12", "results_path", ".", "results_path needs the name of a file, got the folder '.'."),
]


@pytest.mark.parametrize(("notebook", "name", "given", "said"), REFUSED)
def test_what_cannot_work_is_one_sentence(notebook: str, name: str, given: Any, said: str) -> None:
    assert bad(notebook, **{name: given}) == said


def test_an_unknown_parameter_is_told_with_the_one_that_may_be_meant() -> None:
    known = ", ".join(READERS["01"])
    said = f"parameters need to be among {known}, got 'n_joint' (is n_joints meant?)."
    assert bad("01", n_joint=3) == said


def test_a_parameter_that_is_misspelled_by_hand_is_missing() -> None:
    defaults = cells("01")[0]
    names: dict[str, Any] = {"In": [defaults, "x = 1\nresults_path = x", "def f(): pass"]}
    exec(defaults, names)
    read_parameters("01", names)  # what is no cell of parameters is left alone
    names["In"].append(defaults.replace("halves", "halfs") + "helper = 3")
    with pytest.raises(ValueError, match=r"^halves needs a value in the cell of parameters, "):
        read_parameters("01", names)
    names["In"].append(defaults + "helper = 3")
    read_parameters("01", names)


def test_the_folder_of_the_results_is_made_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "results.json"
    assert names_after("01", results_path=path)["results_path"] == str(path)
    assert path.parent.is_dir()
    (tmp_path / "file").touch()
    said = bad("01", results_path=str(tmp_path / "file" / "results.json"))
    assert said.startswith("results_path needs to lie in a folder that can be written to, got ")


def test_papermill_ends_at_once_where_a_parameter_is_not_known(tmp_path: Path) -> None:
    notebook, out = NOTEBOOKS / "02_the_loss_bound.ipynb", tmp_path / "out.ipynb"
    with pytest.raises(PapermillExecutionError, match=r"got 'world' \(is worlds meant\?\)\."):
        papermill.execute_notebook(
            str(notebook), str(out), {"world": 5}, progress_bar=False, kernel_name="python3"
        )


AGREE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "methods of 07": lambda: (METHODS_OF_07, tuple(compare.STAGE_ONE)),
    "severities of 07": lambda: (SEVERITIES_OF_07, compare.SEVERITIES),
    "labels": lambda: (RECORDED_LABELS, compare.LABELS),
    "weights of 10": lambda: (WEIGHTS_OF_10, STRENGTHS[1:]),
    "methods of 08": lambda: (METHODS_OF_08, tuple(NAMES[m] for m in (*WEIGHTS, *STAGE_TWO))),
}


@pytest.mark.parametrize("what", AGREE)
def test_what_a_parameter_can_be_is_what_is_recorded(what: str) -> None:
    listed, recorded = AGREE[what]()
    assert listed == recorded
