"""Which cells nbval runs: those that are compared, and those that they need."""

from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from compared import COMPARED, needed, read, skipped
from plan import NOTEBOOKS

PRINT = "print(z)"


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["z = 1", "y = 2", PRINT], {0, 2}),
        (["z = 1", "z = 2", PRINT], {1, 2}),
        (["y = 1", "z = y", "y = 3", PRINT], {0, 1, 3}),
        (["z = []", "z.append(1)", PRINT, "z = 1"], {0, 1, 2}),
        (["def z():\n    return y", "y = 1", "x = 2", PRINT], {0, 1, 3}),
        (["y = 1", "z = [y for _ in range(2)]", PRINT], {0, 1, 2}),
        (["y = 1", "y = 2\nz = [y for _ in range(2)]", "y = 3", PRINT], {1, 3}),
        (["one = 1", "z = 1\nfor one in (1,):\n    of = one", PRINT], {1, 2}),
        (["of = 1", "z = 1\nif z:\n    z += of", PRINT], {0, 1, 2}),
        (["trained = 1", "z = 1\nif results_path:\n    save(trained)", PRINT], {1, 2}),
    ],
)
def test_what_is_compared_needs_what_makes_it_and_no_more(cells: list[str], kept: set[int]) -> None:
    assert needed([read(cell) for cell in cells], {cells.index(PRINT)}) == kept


def items_of(sources: dict[str, list[str]], name: str = "a.ipynb") -> list[Any]:
    """What nbval collects of a notebook: sources of cells, with their tags."""
    cells = [nbformat.v4.new_code_cell(s, metadata={"tags": t}) for s, t in sources.items()]
    return [SimpleNamespace(path=NOTEBOOKS / name, cell=cell) for cell in cells]


def test_a_notebook_without_comparison_runs_whole_and_no_other_is_mixed_with_it() -> None:
    one = items_of({"z = 1": [], "z = 2": [], PRINT: [COMPARED]})
    other = items_of({"z = 3": [], "print(z, 1)": []}, "b.ipynb")
    assert list(skipped([*one, *other])) == one[:1]
