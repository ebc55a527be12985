"""The build of the notebooks: what it refuses before anything runs (what it makes: tests/pages)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.tools import build
from notebooks.tools.places import SOURCES
from notebooks.tools.sources import read

NAME = "01_measuring_dependence.py"


@pytest.mark.parametrize("make", [build.build, build.renew_text])
@pytest.mark.parametrize(
    "hidden", ['jupyter={"source_hidden": true}', 'tags=["hide-input"]', 'tags=["remove-cell"]']
)
def test_a_cell_that_hides_its_source_is_refused(
    make: Callable[[Path], Path], hidden: str, tmp_path: Path
) -> None:
    source = tmp_path / NAME
    text = (SOURCES / NAME).read_text(encoding="utf-8")
    source.write_text(f"{text}\n# %% {hidden}\nsecret = 1\n\n# %% [markdown]\n# End\n", "utf-8")
    with pytest.raises(ValueError, match=rf"{NAME} needs cells that show their source, got"):
        make(source)


def test_a_solution_without_its_end_is_refused(tmp_path: Path) -> None:
    source = tmp_path / NAME
    text = (SOURCES / NAME).read_text(encoding="utf-8").replace("    ### END SOLUTION\n", "", 1)
    source.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="BEGIN SOLUTION to meet its END SOLUTION"):
        read(source)


def test_a_notebook_that_is_not_in_the_table_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "99_unknown.py"
    source.write_text("# %% [markdown]\n# # Title\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"contents\.toml needs an entry .* none for 99_unknown"):
        read(source)
