"""nbgrader's feedback pages without a network and without the hidden tests: nbgrader_config.py of a
course names `Offline`, which writes them."""

import re
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

HIDDEN = re.compile(r"(?ms)^### BEGIN HIDDEN TESTS\n.*?^### END HIDDEN TESTS\n?")
INSTEAD = "# (Here the answer is checked once more, on other inputs.)\n"
MATHJAX = re.compile(r"(?s)<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->")


class Formulas(IPythonRenderer):
    """Text as HTML, its formulas as MathML, which browsers draw themselves."""

    def block_math(self, body: str) -> str:
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        return mathml(body, display=False)


class Offline(HTMLExporter):
    """Notebooks as pages that ask no other machine for anything."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """A text of the notebook, or a comment of the teacher's."""
        return MarkdownWithMath(renderer=Formulas(escape=False)).render(source)

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[str, Any]:
        for cell in nb.cells:
            cell.source = HIDDEN.sub(INSTEAD, cell.source)
        page, resources = super().from_notebook_node(nb, resources, **kw)
        return MATHJAX.sub("", page), resources


def mathml(latex: str, display: bool) -> str:
    """A formula for browsers; as it stands if it cannot be read, for students write some, too."""
    from math_core import LatexError, LatexToMathML

    try:
        reader = LatexToMathML(fancy_error=False)
        return reader.convert_with_local_state(latex, displaystyle=display)
    except LatexError:
        mark = "$$" if display else "$"
        return f"<code>{mark}{escaped(latex)}{mark}</code>"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
