"""What "# Worth 1 point" in a test cell says, whoever changes the points in nbgrader:
nbgrader_config.py of a course names `Worth`, which runs whenever the students' version is made."""

import re
from typing import Any

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor

from notebooks.tools.course_cells import in_words

WORTH = re.compile(r"\A# Worth [^.]*\.")


class Worth(NbGraderPreprocessor):
    """The points of a test cell's metadata, in its first line."""

    def preprocess_cell(
        self, cell: nbformat.NotebookNode, resources: Any, cell_index: int
    ) -> tuple[nbformat.NotebookNode, Any]:
        role = cell.metadata.get("nbgrader", {})
        if role.get("grade") and cell.cell_type == "code":
            cell.source = WORTH.sub(f"# Worth {in_words(role['points'])}.", cell.source)
        return cell, resources
