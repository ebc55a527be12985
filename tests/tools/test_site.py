"""The website: every page there, every link right, everything has words, nothing from outside, and
it works in a browser."""

import html
import re
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import open_page
from plan import NOTEBOOKS as FOLDER
from playwright.sync_api import Browser, Page, expect
from waiting import outcome, until

from lautum_utils.widgets.prediction import GUESS
from notebooks.tools import site_checks, site_pages
from notebooks.tools.site import build
from notebooks.tools.site_cells import NOTE, WIDGET, shown
from notebooks.tools.site_pages import Pages, SiteError

NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1400, "height": 1000}
UNFOLD = "document.querySelectorAll('details').forEach(hint => hint.open = true)"
# What looks alike has equal contrast, and axe takes its time: of code one piece of each colour, of
# blocks one of each markup. (Given are the keys of what was seen on other pages; back come those of
# this one.)
THIN = """known => {
    const seen = new Set(known), first = key => !seen.has(key) && seen.add(key);
    for (const piece of document.querySelectorAll(".highlight span"))
        if (!piece.children.length && !first(piece.className)) piece.replaceWith(piece.textContent);
    for (const formula of document.querySelectorAll("math"))
        if (!first(getComputedStyle(formula).color)) formula.remove();
    const blocks = "section > :not(section, h1, h2, h3, h4), .sidebar-tree li, .toc-tree li, tr";
    for (const block of document.querySelectorAll(blocks)) {
        const parts = [block, ...block.querySelectorAll("*:not(math *)")];
        const markup = parts.map(
            e => [e.tagName, e.className, e.tabIndex, e.scrollWidth > e.clientWidth].join("."));
        if (!first([...new Set(markup)].sort().join())) block.remove();
    }
    return [...seen];
}"""
ATTACHED_ALT = re.compile(r"!\[([^\]]*)\]\(attachment:")
AXE = {"preload": False, "resultTypes": ["violations"]}
COLOURS = AXE | {"runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("built") / "site"
    build(target, ends=True)
    return target


@pytest.fixture(scope="module")
def seen(site: Path, browser: Browser) -> dict[str, list[str]]:
    """What a reader's browser meets on a walk through all pages, by kind."""
    found: dict[str, list[str]] = defaultdict(list)
    dark_seen: list[str] = []
    with open_page(browser, viewport=DESK, color_scheme="light") as page:
        page.on("request", lambda request: found["requests"].append(request.url))
        page.on("requestfailed", lambda request: found["failed"].append(request.url))
        page.on(
            "console", lambda message: found["console"].append(f"{message.type}: {message.text}")
        )
        page.on("pageerror", lambda error: found["console"].append(str(error)))
        for path in sorted(site.rglob("*.html")):
            name = str(path.relative_to(site))
            page.emulate_media(color_scheme="light")
            page.goto(path.as_uri())
            for screen in (PHONE, DESK):
                page.set_viewport_size(screen)
                if (width := page.evaluate("document.documentElement.scrollWidth")) > screen[
                    "width"
                ]:
                    found["too wide"].append(f"{name}: {width} of {screen['width']}")
            found["flat"] += page.evaluate(
                "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
            )
            found["flat"] += page.evaluate(
                "[...document.querySelectorAll('math')]"
                ".filter(m => m.checkVisibility() && !m.getBoundingClientRect().height)"
                ".map(m => m.outerHTML)"
            )
            page.evaluate(UNFOLD)
            page.evaluate(THIN, [])
            for colours, options in ("light", AXE), ("dark", COLOURS):
                page.emulate_media(color_scheme=colours)
                dark_seen = page.evaluate(THIN, dark_seen) if colours == "dark" else dark_seen
                for violation in Axe().run(page, options=options).response["violations"]:
                    places = [
                        f"{name}, {colours}: {violation['id']}: {node['html'][:200]}"
                        for node in violation["nodes"]
                    ]
                    found[violation["impact"]] += places
    return found


def test_each_notebook_has_a_page_with_its_words(site: Path) -> None:
    for notebook in NOTEBOOKS:
        text = (site / f"{notebook.stem}.html").read_text(encoding="utf-8")
        cells = nbformat.read(notebook, as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert site_pages.title(notebook) in text
        pictures = sum("image/png" in output.get("data", {}) for output in outputs)
        pictures += sum(len(cell.get("attachments", {})) for cell in cells)
        assert text.count("<img ") == pictures
        assert text.count("<summary>") == sum(cell.source.count("<summary>") for cell in cells)
        assert "nbval" not in text
        assert "widget-view" not in text
        formulas = site_checks.Page(site / f"{notebook.stem}.html").formulas
        assert (formulas > 0) == any(
            "$" in site_pages.CODE.sub("", c.source) for c in cells if c.cell_type == "markdown"
        )


def moves(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a widget that moves on the site; a guess needs a kernel."""
    alternative = output.get("metadata", {}).get("image/png", {}).get("alt")
    return WIDGET in output.get("data", {}) and bool(alternative) and alternative != GUESS


def test_each_widget_moves_and_no_line_asks_for_a_kernel(site: Path) -> None:
    for notebook in NOTEBOOKS:
        text = (site / f"{notebook.stem}.html").read_text(encoding="utf-8")
        cells = nbformat.read(notebook, as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert text.count('<div class="moves">') == sum(map(moves, outputs))
        assert text.count('<div class="control">') >= text.count('<div class="moves">')
        assert "The kernel was restarted" not in text


def test_alternatives_are_those_of_the_notebooks(site: Path) -> None:
    for notebook in NOTEBOOKS:
        shown = re.findall(
            r'<img alt="([^"]+)"', (site / f"{notebook.stem}.html").read_text(encoding="utf-8")
        )
        cells = nbformat.read(notebook, as_version=4).cells
        outputs = [o for cell in cells for o in cell.get("outputs", [])]
        attached = [alt for cell in cells for alt in ATTACHED_ALT.findall(cell.source)]
        pictured = [o for o in outputs if "image/png" in o.get("data", {})]
        said = [" ".join(o.metadata["image/png"]["alt"].split()) for o in pictured]
        still = [alt for alt, o in zip(said, pictured, strict=True) if not moves(o)]
        assert [html.unescape(alt) for alt in shown] == attached + still


def test_nothing_is_wrong_with_the_finished_site(site: Path) -> None:
    assert site_checks.problems(site) == []
    assert site_checks.megabytes(site) < 30


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("<img src='index.html'>", "text alternative"),
        ("<img src='index.html' alt=' '>", "text alternative"),
        ("<a href='gone.html'>", "leads nowhere"),
        ("<img src='gone.png' alt='x'>", "leads nowhere"),
        ("<a href='#Gone'>", "no such place"),
        ("<a href='index.html#Gone'>", "no such place"),
        ("<script src='https://example.org/a.js'></script>", "from outside"),
        ("<link rel='stylesheet' href='//example.org/a.css'>", "from outside"),
        ("<p>as $x^2$ says</p>", "no formula yet"),
        (r"<p>\frac12</p>", "no formula yet"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, body: str, wrong: str) -> None:
    (tmp_path / "index.html").write_text(
        f"<p id='here'><a href='#here'></a><a href='https://example.org'></a>{body}</p>",
        encoding="utf-8",
    )
    (found,) = site_checks.problems(tmp_path)
    assert wrong in found


def test_too_large_and_styles_from_outside_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.css").write_text(
        "@import 'https://example.org/a.css'; a { background: url(//example.org/b.png) }",
        encoding="utf-8",
    )
    monkeypatch.setattr(site_checks, "MEGABYTES", 1e-5)
    assert [line.split(" ")[-1] for line in site_checks.problems(tmp_path)] == [
        "outside",
        "outside",
        "0.0",
    ]


def test_links_find_their_pages(tmp_path: Path) -> None:
    pages, path = Pages(tmp_path), NOTEBOOKS[1]
    same = "`[b](c.ipynb)` [d](https://a.org) [e](#here)"
    text = f"[a](00_start_here.ipynb#The-map) {same} [f](../lautum_utils/information.py)"
    wanted = f"[a](/00_start_here.md#The-map) {same} [f](/files/lautum_utils/information_py.md)"
    assert pages.linked(text, path) == wanted
    with pytest.raises(SiteError, match=r"needs links to files that are there, got c\.ipynb"):
        pages.linked("[b](c.ipynb)", path)


def test_widgets_without_a_picture_get_a_note_and_progress_bars_vanish(tmp_path: Path) -> None:
    def of(data: dict[str, str]) -> str:
        metadata = {"image/png": {"alt": "a *b*", "width": 70}}
        output = nbformat.v4.new_output("display_data", {WIDGET: {}} | data, metadata=metadata)
        return shown(output, tmp_path / "x.png")

    assert of({"text/plain": "VBox(...)"}) == NOTE
    assert of({"text/plain": "sweep:   0%|    | 0/180"}) == ""
    picture = of({"image/png": "", "text/plain": "VBox(...)"})
    assert picture == f'```{{image}} /x.png\n:alt: "a *b*"\n:width: 70px\n\n\n```\n\n{NOTE}'


def test_another_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(SiteError, match="--to needs a new or empty folder"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_formula_that_cannot_be_read_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Pages,
        "write",
        lambda self: self.page("index", r"# Title" "\n\n" r"$\unknown{x}$"),
    )
    with pytest.raises(
        SiteError,
        match=r"Page index needs a formula that can be read, got \\unknown\{x\}",
    ):
        build(tmp_path / "site")
    assert not list(tmp_path.iterdir())


# A build that waits for its end once a page is read.
HELD = """
import signal
import sys
from pathlib import Path

from notebooks.tools import site, site_pages

signal.signal(signal.SIGINT, signal.default_int_handler)
sign, render = Path(sys.argv.pop()), site.render

def held(pages, folder, progress):
    def hold():
        sign.touch()
        signal.pause()

    render(pages, folder, hold)

site.render = held
site_pages.moves = lambda *arguments: {}  # takes long, and comes before
site.main()
"""


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    folder, sign = tmp_path / "built", tmp_path / "held"
    command = [sys.executable, "-c", HELD, "--to", str(folder / "site"), str(sign)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        until(lambda: sign.exists() or process.poll() is not None, "it is in the middle")
        half_made = list(folder.iterdir()) if folder.exists() else []
        process.send_signal(signal.SIGINT)
        _, said = outcome(process)
    assert half_made, said
    assert (process.returncode, said.strip().splitlines()[-1:]) == (
        130,
        ["Stopped: nothing was written."],
    )
    assert "Traceback" not in said
    assert not list(folder.iterdir())


def test_no_request_leaves_the_machine(seen: dict[str, list[str]]) -> None:
    assert {address.split(":")[0] for address in seen["requests"]} <= {"file", "data"}
    assert (seen["failed"], seen["console"]) == ([], [])


def test_pictures_and_formulas_show(seen: dict[str, list[str]]) -> None:
    assert seen["flat"] == []


def test_no_page_is_wider_than_a_phone_or_a_desk(seen: dict[str, list[str]]) -> None:
    assert seen["too wide"] == []


def test_axe_finds_nothing_serious_in_light_and_dark(seen: dict[str, list[str]]) -> None:
    assert seen["critical"] + seen["serious"] == []


def test_search_finds_gibbs_in_02(site: Path, page: Page) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_role("searchbox").or_(page.locator("input[name=q]")).first.fill("Gibbs")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    expect(page.locator(".search-summary"), "all results are there").to_contain_text(
        "Search finished"
    )
    addresses = results.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert not any(address.startswith(("solutions/", "files/")) for address in addresses)
    results.and_(page.locator("[href^='02_the_loss_bound.html']")).first.click()
    expect(page).to_have_title(re.compile("^02"))


def test_the_button_turns_the_lights_off_and_they_stay_off(site: Path, page: Page) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    page.goto((site / "index.html").as_uri())
    light = page.evaluate(colour)
    button = page.locator(".theme-toggle-content .theme-toggle")
    for _ in range(3):
        if page.evaluate("document.body.dataset.theme") != "dark":
            button.click()
    dark = page.evaluate(colour)
    page.goto((site / f"{NOTEBOOKS[2].stem}.html").as_uri())
    assert dark != light
    assert page.evaluate(colour) == dark


def test_a_hint_unfolds_with_its_formulas(site: Path, page: Page) -> None:
    page.goto((site / "02_the_loss_bound.html").as_uri())
    hint = page.locator("details", has=page.locator("math")).first
    expect(hint.locator("math").first).not_to_be_visible()
    hint.locator("summary").click()
    expect(hint.locator("math").first).to_be_visible()


def test_a_link_to_the_map_leads_to_its_heading(site: Path, page: Page) -> None:
    page.goto((site / "10_limits_and_open_questions.html").as_uri())
    page.locator("article a[href^='00_start_here.html#']").first.click()
    expect(page.locator("section:target h2").first).to_have_text(
        re.compile("^(The map|Notation|Glossary)")
    )


def test_what_a_click_opens_the_focus_opens_in_a_narrow_window(site: Path, page: Page) -> None:
    page.set_viewport_size({"width": 800, "height": 900})
    page.goto((site / "01_measuring_dependence.html").as_uri())
    for menu in (".sidebar-drawer", ".toc-drawer"):
        link = page.locator(f"{menu} a:visible").first
        expect(link, "closed").not_to_be_in_viewport()
        link.focus()
        expect(link, "open while the focus is in it").to_be_in_viewport(ratio=1)
    term = page.locator("article a[title]:not(.headerlink)").first
    term.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # a focus by keyboard
    expect(page.locator(".toc-drawer a:visible").first, "closed again").not_to_be_in_viewport()
    shown = term.evaluate("link => getComputedStyle(link, '::after').content")
    assert shown.strip('"') == term.get_attribute("title"), "the explanation, without a mouse"
