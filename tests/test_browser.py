"""The notebooks in a real JupyterLab in a real browser: a slider moves, networks train, the picture changes."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from playwright.sync_api import Error, Locator, Page, TimeoutError, expect, sync_playwright

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SMALL = {"device": "cpu", "seeds": 2, "steps": 15, "strengths": [0.0, 1e-3], "severities": [1.0]}
CASES = {
    "00_start_here": SMALL | {"labels": 100},
    "06_semi_supervised_transfer": SMALL | {"labels": [100]},
}
LONG = 4000  # steps: a training that lasts far longer than it takes to press Stop
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
AS_ROOT = os.name == "posix" and os.geteuid() == 0
expect.set_options(timeout=30_000)


class Server(NamedTuple):
    url: str
    token: str
    root: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab of its own, ended with all it started."""
    home = tmp_path_factory.mktemp("jupyter")
    settings = home / "config/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    (home / "root").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipython"}
    options = {
        "ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.port_retries": 0, "IdentityProvider.token": token,
        "ServerApp.root_dir": home / "root", "ServerApp.open_browser": False, "ServerApp.allow_root": AS_ROOT,
        "LabApp.expose_app_in_browser": True,
    }  # fmt: skip
    log = home / "server.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())],
            env=os.environ | {name: str(home / folder) for name, folder in folders.items()},
            cwd=home, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for_server(f"{url}/api/status?token={token}", process, log)
        yield Server(url, token, home / "root")
    finally:
        _end(process)


def _wait_for_server(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(url, timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            pytest.fail(f"JupyterLab refuses our token: {error}\n{log.read_text()[-3000:]}")
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab does not answer (exit code {process.poll()}):\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """First politely, so that the server ends its kernels; then with force."""
    for kind, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, kind)
            process.wait(seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Page]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            flags = ["--no-sandbox", *FLAGS] if AS_ROOT else FLAGS
            browser = playwright.chromium.launch(executable_path=path, args=flags)
        except Error as error:
            pytest.fail(f"no browser: install chromium, or run `playwright install chromium`.\n{error}")
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 1000})
        finally:
            browser.close()


@pytest.fixture
def shot(page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Take a screenshot; it also goes to the directory LAUTUM_SCREENSHOTS, if that is set."""

    def take(name: str) -> None:
        path = tmp_path / f"{request.node.callspec.id[:2]}_{name}.png"
        page.screenshot(path=path)
        if directory := os.environ.get("LAUTUM_SCREENSHOTS"):
            shutil.copy(path, directory)

    return take


def small_copy(name: str, parameters: dict[str, object], to: Path) -> None:
    """The committed notebook with other values in its cell of parameters, and nothing else changed."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    for parameter, value in parameters.items():
        cell.source, found = re.subn(rf"(?m)^{parameter} = [^#\n]*", f"{parameter} = {value!r}  ", cell.source)
        assert found == 1, f"{name} needs one parameter {parameter}, has {found}"
    nbformat.write(notebook, to / f"{name}.ipynb")


PANEL = "const panel = window.jupyterapp?.shell.currentWidget;"


def until(page: Page, what: str, condition: str, seconds: float = 60) -> None:
    """Wait until a JavaScript condition on the notebook `panel` holds."""
    try:
        page.wait_for_function(f"() => {{ {PANEL} return {condition}; }}", timeout=1000 * seconds)
    except TimeoutError:
        texts = page.locator(".widget-html-content").all_inner_texts()
        pytest.fail(f"waited {seconds:g} s in vain until {what}; the playground says {texts}")


def run_command(page: Page, command: str, seconds: float = 60) -> None:
    """Run a command of JupyterLab to its end, then demand that no cell of the notebook holds an error."""
    start = f"window.ended = false; window.jupyterapp.commands.execute('{command}').finally(() => {{ window.ended = true; }});"
    page.evaluate(f"() => {{ {start} }}")
    until(page, f"{command} ends", "window.ended", seconds)
    cells = page.evaluate(f"() => {{ {PANEL} return panel.context.model.toJSON().cells; }}")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
    assert not errors, f"{command} ends in {errors}"
    idle = [c["source"][:60] for c in cells if c["cell_type"] == "code" and c["source"] and not c["execution_count"]]
    assert not idle, f"{command} leaves cells that did not run: {idle}"


class Seen:
    """The playground as its reader sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator(".jp-OutputArea-output .widget-vbox").filter(has_text="regularization weight")
        self.status, self.sentence = (self.box.locator(".widget-html-content").nth(i) for i in range(2))
        self.curve = self.box.locator("img").first
        expect(self.box, "the notebook shows one playground").to_have_count(1)
        self.box.scroll_into_view_if_needed()
        # Some texts last milliseconds, so the page itself writes down all of them.
        self.status.evaluate(
            """status => { window.said = []; new MutationObserver(records => records.forEach(record =>
            record.addedNodes.forEach(node => window.said.push(node.textContent)))).observe(status, {childList: true}); }"""
        )

    def button(self, name: str) -> Locator:
        return self.box.get_by_role("button", name=name, exact=True)

    def move(self, description: str, key: str) -> None:
        """Move a slider by a key, and wait until what it set off has ended."""
        slider = self.box.locator(".widget-slider").filter(has_text=description)
        readout = slider.locator(".widget-readout")
        before = readout.inner_text()
        self.page.evaluate("() => { window.said = []; }")
        slider.locator(".noUi-handle").press(key)
        expect(readout, f"{key} moves the slider {description}").not_to_have_text(before)
        expect(self.status, f"moving {description} trains").to_have_text(re.compile("done after"))

    def said(self) -> list[str]:
        """Every text that the status has had since the last move."""
        return self.page.evaluate("() => window.said")

    def picture(self) -> list[int]:
        """The bytes of the curve, which has to be visible and has to be a picture."""
        expect(self.curve, "the accuracy curve is visible").to_be_visible()
        fetched = "async image => { await image.decode(); return [...new Uint8Array(await (await fetch(image.src)).arrayBuffer())]; }"
        return self.curve.evaluate(fetched)


@pytest.mark.parametrize("name", CASES)
def test_a_slider_trains_networks_and_changes_the_picture(
    name: str, server: Server, page: Page, shot: Callable[[str], None]
) -> None:
    small_copy(name, CASES[name], server.root)
    page.goto(f"{server.url}/lab/tree/{name}.ipynb?token={server.token}")
    until(page, "the kernel is ready", f"panel?.context?.path === '{name}.ipynb' && panel.sessionContext.isReady")
    until(page, "the kernel is idle", "panel.sessionContext.session?.kernel?.status === 'idle'")
    run_command(page, "notebook:run-all-cells")
    seen = Seen(page)
    expect(seen.curve, "there is no picture before the first training").to_be_hidden()
    shot("1_before")

    seen.move("regularization weight", "ArrowRight")
    assert "preparing 4 networks" in seen.said(), f"2 weights with 2 seeds are trained: {seen.said()}"
    assert any(re.search(r"step \d+ of \d+", text) for text in seen.said()), f"the status tells the step: {seen.said()}"
    expect(seen.sentence.locator("b"), "a bold sentence tells what came out").to_contain_text("weight 0.003")
    pictures = [seen.picture()]
    shot("2_weight_moved")

    if seen.box.locator(".widget-slider").filter(has_text="severity").count():
        seen.move("severity", "ArrowLeft")
        assert "preparing 4 networks" in seen.said(), f"the new severity has to be trained: {seen.said()}"
        pictures.append(seen.picture())
        shot("3_severity_moved")
    seen.move("regularization weight", "ArrowLeft")
    expect(seen.sentence.locator("b"), "the sentence follows the slider").to_contain_text("weight 0.001")
    pictures.append(seen.picture())
    assert all(a != b for a, b in zip(pictures, pictures[1:], strict=False)), "each move changes the bytes of the picture"

    stop = seen.button("Stop")
    expect(stop, "Stop is off when nothing trains").to_be_disabled()
    until(page, "steps is raised", f"panel.sessionContext.session.kernel.requestExecute({{code: 'steps = {LONG}'}}).done.then(r => r.content.status === 'ok')")
    page.locator(".jp-Cell").filter(has=seen.box).locator(".jp-InputArea-prompt").click()
    run_command(page, "notebook:run-cell")
    seen = Seen(page)
    seen.button("Train").click()
    expect(stop).to_be_enabled()
    expect(seen.status).to_contain_text(f"of {LONG}")
    stop.click()
    expect(seen.status).to_contain_text("stopped after")
    expect(stop).to_be_disabled()
    shot("4_stopped")
