"""The notebooks with their solutions filled in, run without a kernel: checks, identities, every
widget's controls. Of those that train, only the exercises run."""

import itertools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from cells import SOURCES, THEORY, TRAININGS, explorers, extremes, only_exercises, run_cells
from lautum_pages import EXERCISES
from lautum_pages.checks import Report
from plan import NOTEBOOKS

from lautum_utils.small_samples import SmallSampleWarning
from notebooks.tools.sources import read

# Notebook 04 compares algorithms on covariances of real images, of condition numbers up to 1e5.
LIMITS = {"04_the_regularizer": 1e-9}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module", params=THEORY, ids=lambda p: p.stem)
def solved(request: pytest.FixtureRequest) -> Iterator[tuple[Path, dict[str, Any], list[Any]]]:
    """A notebook with its solutions, run to the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", SmallSampleWarning)  # batches that are too small on purpose
        yield request.param, *run_cells(read(request.param, solutions=True))


def test_solutions_pass_every_check_and_every_identity_holds(
    solved: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    source, names, values = solved
    reports = [value for value in values if isinstance(value, Report)]
    assert [r.status for r in reports] == ["right"] * len(reports), reports
    assert len(reports) == source.read_text(encoding="utf-8").count("### BEGIN SOLUTION")
    assert 2 <= len(reports) <= 8
    assert names["differences"]
    assert max(names["differences"].values()) < LIMITS.get(source.stem, 1e-12), names["differences"]


@pytest.mark.parametrize("source", TRAININGS, ids=lambda p: p.stem)
def test_exercises_beside_trainings_need_only_the_imports_and_their_solutions_pass(
    source: Path,
) -> None:
    """A reader can start with an exercise: nothing has to be trained before."""
    _, values = run_cells(only_exercises(read(source, solutions=True)))
    reports = [value for value in values if isinstance(value, Report)]
    assert [r.status for r in reports] == ["right"] * len(reports), reports
    assert len(reports) == source.read_text(encoding="utf-8").count("### BEGIN SOLUTION")
    assert 1 <= len(reports) <= 5


def test_only_the_exercises_run_where_cells_train() -> None:
    def code(source: str, **metadata: list[str]) -> nbformat.NotebookNode:
        return nbformat.v4.new_code_cell(source, metadata=metadata)

    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# 05"),
            code("seeds = 4", tags=["parameters"]),
            code("shown = 1"),
            code("import math\nfrom lautum_pages import check"),
            code("trained = 1 / 0"),
            code(
                "def entropy_bits(p):\n    kept = p[p > 0]\n"
                '    return -(kept * kept.log2()).sum()\n\n\ncheck("entropy_bits", entropy_bits)'
            ),
        ]
    )
    names, values = run_cells(only_exercises(notebook))
    assert (names["seeds"], names["shown"], "trained" in names) == (4, 1, False)
    assert [value.status for value in values if isinstance(value, Report)] == ["right"]
    del notebook.cells[3]
    with pytest.raises(AssertionError, match="imports `check`"):
        only_exercises(notebook)


def test_every_control_at_minimum_default_and_maximum_draws(
    solved: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    for explorer in explorers(solved[1]):
        for name, control in explorer.controls.items():
            pictures = set()
            for value in extremes(control):
                control.value = value
                pictures.add(bytes(explorer.image.value))
            assert all(picture.startswith(PNG) for picture in pictures)
            assert len(pictures) >= 2, f"{name} does not change the picture"


def test_combinations_of_extremes_draw(solved: tuple[Path, dict[str, Any], list[Any]]) -> None:
    for explorer in explorers(solved[1]):
        ends = {name: extremes(control)[:2] for name, control in explorer.controls.items()}
        for values in itertools.islice(itertools.product(*ends.values()), 0, None, 3):
            assert explorer.draw(**dict(zip(ends, values, strict=True))).axes


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_readers_find_stubs_that_say_not_attempted(source: Path) -> None:
    built = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    checks = [
        c
        for c in built.cells
        if c.cell_type == "code" and re.search(r"^check\(", c.source, re.MULTILINE)
    ]
    assert len(checks) == source.read_text(encoding="utf-8").count("### BEGIN SOLUTION")
    for cell in checks:
        assert "SOLUTION" not in cell.source
        assert "raise NotImplementedError()" in cell.source
        (output,) = cell.outputs
        assert "not attempted yet" in output.data["text/plain"]


def test_the_solutions_that_are_committed_are_the_sources() -> None:
    assert sorted(p.stem for p in (NOTEBOOKS / "solutions").glob("*.ipynb")) == [
        p.stem for p in SOURCES
    ]
    for source in SOURCES:
        filled = nbformat.read(NOTEBOOKS / "solutions" / f"{source.stem}.ipynb", as_version=4)
        expected = read(source, solutions=True)
        assert [(c.cell_type, c.source) for c in filled.cells] == [
            (c.cell_type, c.source) for c in expected.cells
        ]
        assert not [
            c
            for c in filled.cells
            if c.cell_type == "code" and (c.outputs or "SOLUTION" in c.source)
        ]


def test_every_exercise_is_asked_for_in_one_notebook_and_announced() -> None:
    asked = [
        name
        for source in sorted((NOTEBOOKS / "source").glob("*.py"))
        for name in re.findall(r'^check\("(\w+)"', source.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(asked) == sorted(EXERCISES)
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        number = int(source.stem[:2])
        announced = re.findall(
            rf"^# ### Exercise {number}\.(\d) · .+ \((easy|medium|hard), \d+ minutes\)$",
            text,
            re.MULTILINE,
        )
        assert [int(n) for n, _ in announced] == list(
            range(1, text.count("### BEGIN SOLUTION") + 1)
        )
        steps = re.findall(
            r"^# <details><summary>Hint (\d) of 2</summary>\n#\n# \S.+\n#\n# </details>$",
            text,
            re.MULTILINE,
        )
        assert steps == ["1", "2"] * len(announced), "each exercise has hints in two steps, folded"
