"""The notebooks in a real JupyterLab in a real browser: a slider moves, networks train, the picture
changes."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import cells
import nbformat
import pytest
import waiting
from browsing import every_control_draws, note, open_more, operate, picture
from plan import NOTEBOOKS
from playwright.sync_api import Page, TimeoutError, expect
from waiting import GUARD

from lautum_utils.widgets.controls import RESTARTED
from lautum_utils.widgets.playground_settings import BASE

SMALL = {"device": "cpu", "seeds": 2, "steps": 5, "strengths": [0.0, 1e-3], "severities": [1.0]}
THEORY = [p.stem for p in cells.THEORY]  # those with trainings are opened elsewhere
CASES = {
    "00_start_here": SMALL | {"labels": 100},
    "06_semi_supervised_transfer": SMALL | {"labels": [100]},
}
UNRECORDED = (
    "layer",
    "network",
    "device",
)  # menus whose other values are not recorded, or give the same picture
PARTLY = ("labelled samples", "seeds")  # sliders of which some values are recorded
# For four networks, one by one: no machine is done with them before Stop is pressed.
LONG = "network='cnn', steps=4000"
ORIGINAL = "(network=network, )?steps=steps"  # what the cells of the playgrounds say instead
AS_ROOT = os.name == "posix" and os.geteuid() == 0
Shot: TypeAlias = Callable[[str], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab with folders of its own: the address of a notebook, but for its name, and where
    to put the notebook."""
    home = tmp_path_factory.mktemp("jupyter")
    settings = (
        home
        / "JUPYTER_CONFIG_DIR/lab/user-settings/@jupyterlab/apputils-extension"
        / "notification.jupyterlab-settings"
    )
    settings.parent.mkdir(parents=True)
    settings.write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False}), encoding="utf-8"
    )
    (home / "root").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    options = [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--port-retries=0",
        f"--IdentityProvider.token={token}",
        f"--notebook-dir={home / 'root'}",
        "--LabApp.expose_app_in_browser=True",
        *["--allow-root"] * AS_ROOT,
    ]
    own = {
        f: str(home / f)
        for f in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    log, command = home / "server.log", [sys.executable, "-m", "jupyterlab", *options]
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            command, env=os.environ | own, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        waiting.until(
            lambda: _listens(port) or process.poll() is not None, "JupyterLab answers, or has ended"
        )
        if process.poll() is not None:
            pytest.fail(
                f"JupyterLab does not answer (exit code {process.poll()}):\n"
                f"{log.read_text(encoding='utf-8')[-3000:]}"
            )
        yield (
            f"http://127.0.0.1:{port}/lab/workspaces/{{0}}/tree/{{0}}.ipynb?token={token}",
            home / "root",
        )
    finally:
        _end(process)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Politely, so that the server ends its kernels; by force only what hangs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GUARD)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@pytest.fixture
def shot(page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> Shot:
    """Take a screenshot; it also goes to the directory LAUTUM_SCREENSHOTS, if that is set."""

    def take(name: str) -> None:
        path = tmp_path / f"{request.node.callspec.params['name'][:2]}_{name}.png"
        page.screenshot(path=path)
        if directory := os.environ.get("LAUTUM_SCREENSHOTS"):
            shutil.copy(path, directory)

    return take


def small_copy(name: str, parameters: dict[str, object], copy: Path) -> None:
    """The committed notebook with other values in its cell of parameters, and nothing else
    changed."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    for parameter, value in parameters.items():
        cell.source, found = re.subn(
            rf"(?m)^{parameter} = [^#\n]*", f"{parameter} = {value!r}  ", cell.source
        )
        assert found == 1, f"{name} needs one parameter {parameter}, has {found}"
    nbformat.write(notebook, copy)


COMMANDS = "window.jupyterapp.commands"
PANEL = "const panel = window.jupyterapp?.shell.currentWidget;"


def until(page: Page, what: str, condition: str) -> None:
    """Wait until a JavaScript condition on the notebook `panel` holds."""
    try:
        page.wait_for_function(f"() => {{ {PANEL} return {condition}; }}", polling=100)
    except TimeoutError:
        texts = page.locator(".widget-html-content").all_inner_texts()
        pytest.fail(f"waited {GUARD} s in vain until {what}; the playground says {texts}")


def run_command(page: Page, command: str) -> None:
    """Run a command of JupyterLab to its end, then demand that every cell has run and that none
    holds an error."""
    page.evaluate(
        f"() => {{ window.ended = false; {COMMANDS}.execute('{command}')"
        ".finally(() => { window.ended = true; }); }"
    )
    until(page, f"{command} ends", "window.ended")
    cells = page.evaluate(f"() => {{ {PANEL} return panel.context.model.toJSON().cells; }}")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
    assert not errors, f"{command} ends in {errors}"
    left = [
        c["source"][:60] for c in cells if c["cell_type"] == "code" and not c["execution_count"]
    ]
    assert not left, f"{command} leaves cells that did not run: {left}"


class Seen:
    """The playground as its reader sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator(".jp-OutputArea-output .widget-vbox").filter(
            has_text="regularization weight"
        )
        expect(self.box, "the notebook shows one playground").to_have_count(1)
        expect(self.box.locator(".widget-html-content"), "all its texts are there").to_have_count(5)
        self.status, self.sentence = (
            self.box.locator(".widget-html-content").nth(i) for i in range(2)
        )
        self.curve = self.box.locator("img").first
        self.train, self.stop = (
            self.box.get_by_role("button", name=re.compile(rf"\b{x}$"))
            for x in ("Train live", "Stop")
        )
        open_more(self.box)
        self.box.scroll_into_view_if_needed()
        page.evaluate("() => { window.said = []; }")
        # Some texts last milliseconds, so the page itself writes down all of them.
        note = (
            "records => records.forEach("
            "r => r.addedNodes.forEach(node => window.said.push(node.textContent)))"
        )
        self.status.evaluate(
            f"status => new MutationObserver({note}).observe(status, {{childList: true}})"
        )

    def move(self, description: str, key: str, networks: int) -> None:
        """Move a slider by a key; wait until so many networks were trained for that."""
        slider = self.box.locator(".widget-slider").filter(has_text=description)
        readout = slider.locator(".widget-readout")
        before = readout.inner_text()
        self.page.evaluate("() => { window.said = []; }")
        slider.locator(".noUi-handle").press(key)
        expect(readout, f"{key} moves the slider {description}").not_to_have_text(before)
        until(
            self.page,
            f"moving {description} trains",
            "window.said.some(text => text.startsWith('done after'))",
        )
        expect(self.stop, "Stop is off when nothing trains").to_be_disabled()
        said = self.page.evaluate("() => window.said")
        assert f"preparing {networks} networks" in said, (
            f"moving {description} trains {networks} networks, it says {said}"
        )
        assert any(re.search(r"step \d+ of \d+", text) for text in said), (
            f"the status tells the step, it says {said}"
        )

    def picture(self) -> str:
        return picture(self.curve)


def change_and_run_again(
    page: Page, before: str, after: str, command: str = "notebook:run-cell"
) -> None:
    """Do what a reader does who wants another training: edit the playground's cell and run it."""
    edit = f"""const cells = panel.content.widgets.map(cell => cell.model.sharedModel);
        const at = cells.findIndex(cell => cell.source.includes('= Playground('));
        panel.content.activeCellIndex = at;
        cells[at].setSource(cells[at].source.replace(/{before}/, "{after}"));
        return cells[at].source;"""
    assert after in page.evaluate(f"() => {{ {PANEL} {edit} }}"), (
        f"the playground's cell holds {before}"
    )
    run_command(page, command)


def open_notebook(name: str, server: tuple[str, Path], page: Page) -> None:
    page.goto(server[0].format(name))
    until(
        page,
        "the kernel is ready",
        f"panel?.context?.path === '{name}.ipynb' && panel.sessionContext.isReady",
    )


def clear_and_run(page: Page) -> None:
    page.evaluate(
        f"() => {COMMANDS}.execute('notebook:clear-all-cell-outputs')"
    )  # what is committed proves nothing
    run_command(page, "notebook:run-all-cells")


@pytest.mark.parametrize("name", CASES)
def test_sliders_train_networks(
    name: str, server: tuple[str, Path], page: Page, shot: Shot
) -> None:
    small_copy(name, CASES[name], server[1] / f"{name}.ipynb")
    open_notebook(name, server, page)
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    pictures = sum(
        "image/png" in output.get("data", {})
        for cell in cells
        for output in cell.get("outputs", [])
    )
    expect(
        page.locator(".jp-RenderedImage img"), "a copy is not trusted: still pictures"
    ).to_have_count(pictures)
    expect(page.locator(".jupyter-widgets"), "and no controls that do nothing").to_have_count(0)
    clear_and_run(page)
    predict(page, shot)
    seen = Seen(page)
    expect(seen.curve, "there is no picture before the first training").to_be_hidden()
    shot("1_before")

    sentence = seen.sentence.locator("b")
    seen.move("regularization weight", "ArrowRight", 4)  # weights 0 and 0.003, two seeds
    expect(sentence, "a bold sentence tells what came out").to_contain_text("weight 0.003")
    first = seen.picture()
    shot("2_weight_moved")
    seen.move("regularization weight", "ArrowLeft", 2)  # weight 0 has been trained
    expect(sentence, "the sentence follows the slider").to_contain_text("weight 0.001")
    second = seen.picture()
    assert first != second, "another weight changes the bytes of the picture"
    seen.move("severity", "ArrowLeft", 4)
    assert seen.picture() != second, "another severity changes the bytes of the picture"
    shot("3_severity_moved")

    change_and_run_again(page, ORIGINAL, LONG)
    seen = Seen(page)
    seen.train.press("Enter")
    expect(seen.status, "a long training has begun").to_contain_text(
        re.compile(r"step \d+ of 16\d\d\d")
    )
    expect(seen.stop, "Stop is on while networks train").to_be_enabled()
    seen.stop.click()
    expect(seen.status, "Stop ends the training").to_contain_text("stopped after")
    expect(seen.stop, "Stop is off when it has stopped").to_be_disabled()
    shot("4_stopped")

    change_and_run_again(page, LONG, f"steps={BASE.steps}")
    seen = Seen(page)
    expect(seen.status, "what is recorded is there before anything trains").to_contain_text(
        "recorded"
    )
    auto = seen.box.locator(".widget-checkbox")
    for by in ("keyboard", "mouse", "keyboard"):
        operate("widget-checkbox", auto, by)
    note(name, every_control_draws(seen.box, seen.curve, (*UNRECORDED, *PARTLY, auto.inner_text())))
    expect(seen.status, "it says where the picture is from").to_contain_text("Recorded grid: torch")
    for label in PARTLY:
        slider = seen.box.locator(".widget-slider").filter(has_text=label)
        for by in ("keyboard", "mouse") * slider.count():
            operate("widget-slider", slider, by)
            expect(seen.status).to_contain_text("recorded")
    for label in UNRECORDED:
        control = seen.box.locator(".widget-toggle-buttons").filter(has_text=label)
        for by in ("keyboard", "mouse") * control.count():
            operate("widget-toggle-buttons", control, by)
            expect(seen.status).to_contain_text("recorded")
    expect(seen.stop, "nothing trains").to_be_disabled()
    shot("5_recorded")


def predict(page: Page, shot: Shot) -> None:
    """Set a guess, by keyboard and by mouse, and reveal."""
    box = page.locator(".jp-OutputArea-output .widget-vbox").filter(
        has_text="Your guess of the target"
    )
    expect(box).to_have_count(1)
    reveal, image = box.get_by_role("button", name="Reveal"), box.locator("img")
    reveal.click()
    expect(box.locator("b"), "no answer without a guess").to_contain_text("Move the sliders")
    every_control_draws(box, image)
    before = picture(image)
    reveal.press("Enter")
    expect(box.locator("b")).to_contain_text("Your guess is off by")
    assert picture(image) != before
    shot("0_predicted")


def test_a_kernel_restarted_while_it_trains_is_said_and_run_again(
    server: tuple[str, Path], page: Page
) -> None:
    # A copy with a kernel of its own: JupyterLab gives the kernel of an earlier test four seconds
    # to tell which widgets it has, and when a cell closes one that was not told in time, it logs
    # "Comm not found".
    small_copy("00_start_here", CASES["00_start_here"], server[1] / "restarted.ipynb")
    open_notebook("restarted", server, page)
    clear_and_run(page)
    change_and_run_again(page, ORIGINAL, LONG)
    seen = Seen(page)
    seen.train.click()
    expect(seen.status, "a long training has begun").to_contain_text("step ")
    lines = page.locator(".jp-OutputArea-output").filter(has_text=RESTARTED)
    expect(lines.first, "there is a line for what comes now, outside the widget").to_be_attached()
    expect(lines.filter(has=page.locator(".widget-vbox"))).to_have_count(0)
    page.evaluate(f"() => {{ {PANEL} return panel.sessionContext.session.kernel.restart(); }}")
    until(page, "the kernel is back", "panel.sessionContext.session.kernel.status === 'idle'")
    change_and_run_again(page, LONG, "steps=5", "notebook:run-all-cells")
    Seen(page).move("severity", "ArrowLeft", 4)


@pytest.mark.parametrize("name", THEORY)
def test_theory_runs_without_solutions_and_sliders_move_pictures(
    name: str, server: tuple[str, Path], page: Page, shot: Shot
) -> None:
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", server[1])
    open_notebook(name, server, page)
    clear_and_run(page)
    boxes = page.locator(".jp-OutputArea-output .widget-vbox:has(img)")
    count = boxes.count()
    assert count >= 1, "a theory notebook has a widget"
    for number in range(count):
        box = boxes.nth(number)
        box.scroll_into_view_if_needed()
        image = box.locator("img")
        note(f"{name}_{number}", every_control_draws(box, image))
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
        shot(f"widget_{number + 1}")
    pages = page.locator(".jp-OutputArea-output img")
    assert pages.count() >= 3, "the figures are there"
