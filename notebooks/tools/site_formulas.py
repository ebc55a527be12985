"""Formulas as MathML, which browsers draw themselves: an extension of Sphinx."""

from functools import partial
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx

from notebooks.tools.site_pages import SiteError

TO_MATHML = LatexToMathML(fancy_error=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls: it gets the renderer "mathml"."""
    inline, block = partial(_formula, display=False), partial(_formula, display=True)
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _formula(writer: Any, node: nodes.Element, display: bool) -> None:
    """Write one formula. SiteError: it cannot be read."""
    latex = node.astext()
    try:
        formula = TO_MATHML.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        raise SiteError(
            f"Page {writer.builder.current_docname} needs a formula that can be read, "
            f"got {latex}: {error}"
        ) from error
    writer.body.append(f'<div class="math">{formula}</div>\n' if display else formula)
    raise nodes.SkipNode
