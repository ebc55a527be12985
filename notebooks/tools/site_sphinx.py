"""From Markdown pages to the site: Sphinx and furo, with what they need mended."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from notebooks.tools.places import ASSETS
from notebooks.tools.site_cells import ANSI
from notebooks.tools.site_pages import EXTRA, SiteError

STATIC = ("site.css", "site.js", "STIXTwoMath.woff", "OFL.txt")
SETTINGS: dict[str, Any] = {
    "project": "Lautum Lab",
    "language": "en",
    "extensions": ["myst_parser", "notebooks.tools.site_formulas"],
    "source_suffix": {".md": "markdown"},
    "myst_enable_extensions": ["dollarmath"],
    "myst_dmath_allow_labels": False,
    "myst_dmath_double_inline": True,
    # These are no part of Jupyter's Markdown.
    "myst_disable_syntax": ["myst_line_comment", "myst_block_break", "myst_target", "myst_role"],
    "myst_heading_anchors": 6,
    "myst_heading_slug_func": "notebooks.tools.site_sphinx.jupyter_anchor",
    "html_math_renderer": "mathml",
    "html_theme": "furo",
    "html_title": "Lautum Lab",
    "html_static_path": [str(ASSETS / name) for name in STATIC],
    "html_css_files": ["site.css"],
    "html_js_files": [("site.js", {"defer": "defer"})],
    "html_show_copyright": False,
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_scaled_image_link": False,
    "html_use_index": False,
    # It would fetch pages, which a browser refuses to a page opened from a file.
    "html_show_search_summary": False,
}
NOT_NEEDED = ("*.map", ".buildinfo*", "objects.inv")
MENDED = {  # what the theme leaves out for those who hear the page
    'role="heading"': 'role="heading" aria-level="2"',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    '<div id="search-results">': '<h1>Search</h1>\n<div id="search-results">',
}


def jupyter_anchor(heading: str) -> str:
    """The anchor that JupyterLab gives to a heading."""
    return heading.replace(" ", "-")


def render(pages: Path, site: Path, progress: Callable[[], object]) -> None:
    """Run Sphinx; progress is called twice a page. Warnings are errors."""
    warnings = io.StringIO()
    with tempfile.TemporaryDirectory() as cache, patch_docutils(), docutils_namespace():
        extra = [str(pages / EXTRA)] if (pages / EXTRA).exists() else []
        settings = SETTINGS | {"html_extra_path": extra, "exclude_patterns": [EXTRA]}
        app = Sphinx(
            pages, None, site, cache, "html", settings, status=None, warning=warnings, freshenv=True
        )
        for event in ("doctree-read", "html-page-context"):
            app.connect(event, lambda *_: progress())
        app.build(force_all=True)
    lines = ANSI.sub("", warnings.getvalue()).replace(str(pages), "").strip().splitlines()
    if lines:
        raise SiteError("The site needs pages without warnings, got:\n" + "\n".join(lines[:20]))
    for path in [path for pattern in NOT_NEEDED for path in site.rglob(pattern)]:
        path.unlink()
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        for wanting, mended in MENDED.items():
            html = html.replace(wanting, mended)
        path.write_text(html, encoding="utf-8")
