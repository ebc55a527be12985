"""Widgets on the site: which statements they need, which positions are drawn, and that they move in
a browser, by mouse and keyboard."""

import ast
import multiprocessing
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from notebooks.tools import site_checks
from notebooks.tools.site_cells import WIDGET, code_and_outputs
from notebooks.tools.site_moves import Moves, MovesError, moves, of_cells
from notebooks.tools.site_pages import EXTRA, Pages
from notebooks.tools.site_positions import positions
from notebooks.tools.site_sphinx import render
from notebooks.tools.slices import needed, run, statements

SETUP = """
import math
from lautum_utils.widgets.explorer import Explorer
from lautum_utils.widgets.figures import new_figure
raise_it = 1 / 1
"""
DRAW = '''
power, seen = 2, []

def draw_curve(power=power, of=4, shape="line"):
    """A curve, and a number."""
    figure, (ax,) = new_figure(4, 2)
    ax.plot([x**power for x in range(of)], "o" if shape == "dots" else "-")
    ax.set_title(f"{shape}: {of} numbers to the power {power}")
    return figure
'''
SHOW = """
explorer_curve = Explorer(draw_curve, power=(1, 3, 1), of=[2, 4, 8], shape=["line", "dots"])
explorer_curve
"""
PREDICT = "prediction = Prediction(nobody_trains)\nprediction"


def notebook() -> list[Any]:
    """The cells of a notebook with two widgets, one of which is a guess."""
    cells = [nbformat.v4.new_code_cell(code) for code in (SETUP, "1 / 0", DRAW, SHOW, PREDICT)]
    for cell in cells[3:]:
        data = {WIDGET: {}, "image/png": "", "text/plain": "VBox()"}
        metadata = {"image/png": {"alt": "A curve, and a number."}}
        cell.outputs = [nbformat.v4.new_output("display_data", data, metadata=metadata)]
    return cells


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Moves]:
    """The pictures of that notebook, and what moves in it."""
    folder = tmp_path_factory.mktemp("pictures")
    found = dict(of_cells(notebook(), folder))
    assert found.keys() == {3, 4}
    assert found[4] == [None]
    (widget,) = found[3]
    assert widget is not None
    return folder, widget


# --------------------------------------------------------------------------------- what is needed


def code_of(names: str, cell: str) -> list[str]:
    return [ast.unparse(s.node) for s in needed(frozenset(names.split()), statements(cell))]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("x = 1\ny = 2\nprint(y)\nz = x", ["x = 1", "z = x"]),
        ("x = 1\nx = 2\nz = x", ["x = 2", "z = x"]),
        ("x = 1\nz = x\nx = 2", ["x = 1", "z = x"]),
        ("x = []\nx.append(1)\nz = x", ["x = []", "x.append(1)", "z = x"]),
        ("x = {}\nx[0] = 1\nz = x", ["x = {}", "x[0] = 1", "z = x"]),
        ("x = 1\nx += 1\nz = x", ["x = 1", "x += 1", "z = x"]),
        ("d = {}\nd[0] = 1\nz = d[1] = 3", ["d = {}", "z = d[1] = 3"]),
        ("def z():\n    return x\nx = 1", ["def z():\n    return x", "x = 1"]),
        ("for x in (1,):\n    z = x", ["for x in (1,):\n    z = x"]),
        ("x = 1\nz = [x for x in (2,)]", ["z = [x for x in (2,)]"]),
        ("from a import b as z, c\nimport d", ["from a import b as z, c"]),
        ("%matplotlib inline\n!ls\nz = 1", ["z = 1"]),
        ("@wrap\ndef z():\n    pass\nwrap = 1", ["@wrap\ndef z():\n    pass"]),
        ("class z:\n    a = x\nx = 1", ["class z:\n    a = x", "x = 1"]),
    ],
)
def test_a_name_needs_what_makes_it_and_no_more(cell: str, kept: list[str]) -> None:
    assert code_of("z", cell) == kept


def test_what_is_needed_runs() -> None:
    cell = "y = 1 / 1\n1 / 0\ndef f():\n    return y + k\nk = 3\nz = f()"
    names: dict[str, Any] = {}
    run(needed(frozenset({"z"}), statements(cell)), names)
    assert names["z"] == 4


# ----------------------------------------------------------------------------- which are drawn


def test_few_positions_are_all_drawn_and_many_near_the_start() -> None:
    controls, found = positions([("a", [1, 2, 3], 2), ("b", ["x", "y"], "x")], {None: 60})
    assert ([c.start for c in controls], len(found)) == ([1, 0], 6)
    limits = {None: 60, 2: 120, 1: 60}
    many = [(name, [n / 10 for n in range(11)], 0.3) for name in "abc"]
    controls, found = positions(many, limits)
    start = [c.start for c in controls]
    away = {sum(n != s for n, s in zip(at, start, strict=True)) for at in found}
    assert away == {0, 1, 2}
    assert 60 < len(found) <= 120
    for control in controls:
        assert {control.values[0], control.values[-1]} == {0.0, 1.0}
        assert control.values[control.start] == 0.3
    _, found = positions([*many, *[(name, many[0][1], 0.0) for name in "def"]], limits)
    assert len(found) == 1 + sum(len(c.values) - 1 for c in positions([*many, *many], limits)[0])
    _, found = positions(
        [("a", [1, 2, 3, 4], 2), ("b", ["x", "y", "z"], "x")], {None: 60}, ends=True
    )
    assert found == [(0, 0), (1, 0), (1, 2), (3, 0)]
    with pytest.raises(ValueError, match="controls need fewer values to be drawn, got a"):
        positions([("a", [str(n) for n in range(121)], "3")], limits)


def test_an_explorer_is_drawn_and_says_what_each_picture_says(drawn: tuple[Path, Moves]) -> None:
    folder, widget = drawn
    assert widget.names == ["power", "of", "shape"]
    assert widget.values == [["1", "2", "3"], ["2", "4", "8"], ["line", "dots"]]
    assert widget.start == [1, 1, 0]
    assert len(widget.positions) == 18
    file, words = widget.positions["2-0-1"]
    assert words == "dots: 2 numbers to the power 3"
    with Image.open(folder / file) as image:
        assert image.width == 384
    assert {file for file, _ in widget.positions.values()} == {p.name for p in folder.iterdir()}


def test_a_widget_that_cannot_be_found_is_told(tmp_path: Path) -> None:
    cells = notebook()
    cells[3].source = "[explorer_curve][0]"
    with pytest.raises(MovesError, match="a cell that shows 1 widgets by name"):
        dict(of_cells(cells, tmp_path))


def test_what_was_drawn_is_kept_until_the_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = multiprocessing.get_context("fork")  # nothing is imported again, as it is for a site
    monkeypatch.setattr(multiprocessing, "get_context", lambda how: fork)
    path, kept = tmp_path / "05_made_up.ipynb", tmp_path / "kept"
    cells = notebook()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    found = moves([path], tmp_path / "pictures", kept)[path]
    (place,) = kept.iterdir()
    (place / "moves.json").write_text('{"3": [null]}', encoding="utf-8")
    assert moves([path], tmp_path / "again", kept)[path] == {3: [None]}
    assert list((tmp_path / "again").iterdir())
    cells[2].source = cells[2].source.replace("numbers", "squares")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    changed = moves([path], tmp_path / "pictures", kept)[path]
    assert changed.keys() == found.keys() == {3, 4}
    assert changed != found
    assert len(list(kept.iterdir())) == 1
    cells[2].source = "1 / 0\ndraw_curve = 3"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(MovesError, match=r"05_made_up\.ipynb needs widgets that can be drawn, got"):
        moves([path], tmp_path / "pictures", kept)
    assert len(list(kept.iterdir())) == 1


# ------------------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def site(drawn: tuple[Path, Moves], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of one page, whose widget has lost a position."""
    folder, widget = drawn
    positions = {k: v for k, v in widget.positions.items() if not k.endswith("0-1")}
    made = tmp_path_factory.mktemp("site")
    (made / "pages" / EXTRA).mkdir(parents=True)
    (made / "pages" / EXTRA / "moves").symlink_to(folder)
    pages = Pages(made / "pages")
    cell, shown = notebook()[3], [widget._replace(positions=positions)]
    text = "\n\n".join(["# A page", *code_and_outputs(cell, pages.folder, "x", shown)])
    pages.page("index", text)
    render(pages.folder, made / "site", lambda: None)
    assert site_checks.problems(made / "site") == []
    return made / "site"


def test_a_slider_and_a_list_swap_the_picture_and_its_words(site: Path, page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((site / "index.html").as_uri())
    image, said = page.locator(".moves img"), page.get_by_role("status")
    before = image.get_attribute("src")
    slider = page.get_by_role("slider", name="power")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(image).to_have_attribute("alt", "line: 4 numbers to the power 3")
    expect(said).to_have_text("line: 4 numbers to the power 3")
    expect(slider).to_have_attribute("aria-valuetext", "3")
    assert image.get_attribute("src") != before
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    expect(image).to_have_attribute("alt", "line: 8 numbers to the power 3")
    page.get_by_role("combobox", name="shape").select_option("dots")
    expect(image).to_have_attribute("alt", "dots: 8 numbers to the power 3")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 384
    assert {address.split(":")[0] for address in requests} <= {"file", "data"}


def test_where_nothing_was_drawn_the_control_moved_longest_ago_goes_back(
    site: Path, page: Page
) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_role("slider", name="power").fill("0")
    page.get_by_role("combobox", name="shape").select_option("dots")
    page.get_by_role("slider", name="of").fill("0")
    image = page.locator(".moves img")
    expect(image).to_have_attribute("alt", "line: 2 numbers to the power 2")
    expect(page.locator(".back")).to_have_text("power is back at 2; shape is back at line")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_is_wide_enough(
    site: Path, page: Page, colours: Any
) -> None:
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / "index.html").as_uri())
    expect(page.get_by_role("slider", name="power")).to_be_visible()
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("critical", "serious")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_a_script_the_picture_stands_alone(site: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    expect(page.get_by_role("slider", name="power")).not_to_be_visible()
    expect(page.locator(".moves img")).to_have_attribute("alt", "line: 4 numbers to the power 2")
    context.close()


def test_a_picture_that_is_not_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<div class="moves"><script type="application/json">'
        '{"positions": {"0": ["gone.webp", "words"], "1": ["gone.webp", ""]}}</script></div>',
        encoding="utf-8",
    )
    assert site_checks.problems(tmp_path) == [
        "index.html: moves/gone.webp needs a text alternative",
        "index.html: moves/gone.webp leads nowhere",
    ]
