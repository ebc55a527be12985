"""Pictures that stand in a notebook's words, before any code: they are kept in the assets, and
travel with the notebook as attachments."""

import base64
import io
import re

import nbformat
from PIL import Image

from lautum_utils.files import write_whole
from lautum_utils.widgets.figures import in_256_colours, png_bytes
from lautum_utils.widgets.style import SHEET
from notebooks.tools.places import ASSETS

OPENING = ASSETS / "opening.png"
ATTACHED = re.compile(r"\]\(attachment:([\w.]+)\)")


def draw_opening() -> None:
    """Draw the picture with which notebook 00 opens, from what is recorded."""
    from lautum_pages.page_00 import opening_picture

    image = Image.open(io.BytesIO(png_bytes(opening_picture(), SHEET["savefig.dpi"])))
    write_whole(OPENING, in_256_colours(image))


def attach(notebook: nbformat.NotebookNode) -> None:
    """Give each text cell the pictures that it names."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (names := ATTACHED.findall(cell.source)):
            cell.attachments = {
                name: {"image/png": base64.b64encode((ASSETS / name).read_bytes()).decode()}
                for name in names
            }


def beside(text: str) -> str:
    """The text with links to the assets in place of attachments."""
    return ATTACHED.sub(r"](tools/assets/\1)", text)
