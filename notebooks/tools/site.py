"""The built notebooks as a website that needs no server and no network: build/site/index.html.

python -m notebooks.tools.site               build/site
python -m notebooks.tools.site --to FOLDER   another folder
python -m notebooks.tools.site --ends        a quick look: of each slider the start and both ends

Each notebook becomes a page as it was saved, nothing is run. Sphinx and furo give navigation,
search, light and dark; formulas become MathML, which browsers draw themselves. The finished site is
checked (links, anchors, text alternatives, addresses outside, formulas, size), and put in place
whole or not at all.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from sphinx.errors import SphinxError
from tqdm import tqdm

from notebooks.tools.places import ROOT
from notebooks.tools.site_checks import megabytes, problems
from notebooks.tools.site_pages import Pages, SiteError
from notebooks.tools.site_sphinx import render


def build(target: Path, ends: bool = False) -> int:
    """Write the site into the folder target, whole or not at all, and return the number of its
    pages. ends: of each widget only where it starts, and each control at both of its ends."""
    target = target.resolve()
    _require_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        sources, site = Path(temporary) / "pages", Path(temporary) / "site"
        sources.mkdir()
        Pages(sources, ends).write()
        count = len(list(sources.rglob("*.md")))
        with tqdm(total=2 * count + 1, unit="step", desc="site", disable=None) as bar:
            render(sources, site, bar.update)
        if wrong := problems(site):
            raise SiteError("The site needs mending, nothing is written:\n" + "\n".join(wrong[:20]))
        if target.exists():
            target.rename(Path(temporary) / "old")
        os.replace(site, target)
    return count


def _require_replaceable(target: Path) -> None:
    if not target.exists():
        return
    empty = target.is_dir() and not any(target.iterdir())
    if not empty and not (target / "searchindex.js").exists():
        raise SiteError(
            f"--to needs a new or empty folder, or one with an older site, got {target}."
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.site",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    place = ROOT / "build" / "site"
    parser.add_argument(
        "--to", type=Path, default=place, metavar="FOLDER", help="where it goes (build/site)"
    )
    parser.add_argument(
        "--ends",
        action="store_true",
        help="draw widgets only where they start and at both ends of each control",
    )
    options = parser.parse_args()
    target = options.to
    try:
        count = build(target, options.ends)
    except KeyboardInterrupt:
        print("\nStopped: nothing was written.", file=sys.stderr)
        sys.exit(130)
    except (SiteError, SphinxError, OSError) as error:
        sys.exit(str(error))
    print(f"{target / 'index.html'}: {count} pages, {megabytes(target):.1f} MB")


if __name__ == "__main__":
    main()
