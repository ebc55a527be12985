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
from playwright.sync_api import Browser, Error, Locator, Page, TimeoutError, expect, sync_playwright

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
def browser() -> Iterator[Browser]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *FLAGS] if AS_ROOT else FLAGS)
        except Error as error:
            pytest.fail(f"no browser: install chromium, or run `playwright install chromium`.\n{error}")
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    yield page
    page.close()


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


def run_command(page: Page, command: str) -> None:
    """Run a command of JupyterLab to its end, then demand that every cell has run and that none holds an error."""
    start = f"window.ended = false; window.jupyterapp.commands.execute('{command}').finally(() => {{ window.ended = true; }});"
    page.evaluate(f"() => {{ {start} }}")
    until(page, f"{command} ends", "window.ended", 120)
    cells = page.evaluate(f"() => {{ {PANEL} return panel.context.model.toJSON().cells; }}")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
    assert not errors, f"{command} ends in {errors}"
    left = [c["source"][:60] for c in cells if c["cell_type"] == "code" and c["source"] and not c["execution_count"]]
    assert not left, f"{command} leaves cells that did not run: {left}"


class Seen:
    """The playground as its reader sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator(".jp-OutputArea-output .widget-vbox").filter(has_text="regularization weight")
        expect(self.box, "the notebook shows one playground").to_have_count(1)
        self.status, self.sentence = (self.box.locator(".widget-html-content").nth(i) for i in range(2))
        self.curve = self.box.locator("img").first
        self.train, self.stop = (self.box.get_by_role("button", name=re.compile(rf"\b{x}$")) for x in ("Train", "Stop"))
        self.box.scroll_into_view_if_needed()
        # Some texts last milliseconds, so the page itself writes down all of them.
        self.status.evaluate(
            """status => { window.said = []; new MutationObserver(records => records.forEach(record =>
            record.addedNodes.forEach(node => window.said.push(node.textContent)))).observe(status, {childList: true}); }"""
        )

    def move(self, description: str, key: str) -> None:
        """Move a slider by a key; wait until four networks (two weights, two seeds) were trained for that."""
        slider = self.box.locator(".widget-slider").filter(has_text=description)
        readout = slider.locator(".widget-readout")
        before = readout.inner_text()
        self.page.evaluate("() => { window.said = []; }")
        slider.locator(".noUi-handle").press(key)
        expect(readout, f"{key} moves the slider {description}").not_to_have_text(before)
        until(self.page, f"moving {description} trains", "window.said.some(text => text.startsWith('done after'))")
        expect(self.stop, "Stop is off when nothing trains").to_be_disabled()
        said = self.page.evaluate("() => window.said")
        assert "preparing 4 networks" in said, f"moving {description} trains 4 networks, it says {said}"
        assert any(re.search(r"step \d+ of \d+", text) for text in said), f"the status tells the step, it says {said}"

    def picture(self) -> list[int]:
        """The bytes of the accuracy curve, which has to be visible and a picture."""
        expect(self.curve, "the accuracy curve is visible").to_be_visible()
        return self.curve.evaluate(
            "async image => { await image.decode(); const file = await fetch(image.src);"
            "return [...new Uint8Array(await file.arrayBuffer())]; }"
        )


def raise_steps_and_run_again(page: Page) -> None:
    """Do what a reader does who wants a longer training: edit the playground's cell and run it."""
    edit = f"""const notebook = panel.content;
        notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.sharedModel.source.includes('= Playground('));
        const cell = notebook.activeCell.model.sharedModel;
        cell.setSource(cell.source.replace('steps=steps', 'steps={LONG}'));
        return cell.source;"""
    assert f"steps={LONG}" in page.evaluate(f"() => {{ {PANEL} {edit} }}"), "the playground's cell sets steps=steps"
    run_command(page, "notebook:run-cell")


@pytest.mark.parametrize("name", CASES)
def test_sliders_train_networks(name: str, server: Server, page: Page, shot: Callable[[str], None]) -> None:
    small_copy(name, CASES[name], server.root)
    page.goto(f"{server.url}/lab/tree/{name}.ipynb?token={server.token}")
    until(page, "the kernel is ready", f"panel?.context?.path === '{name}.ipynb' && panel.sessionContext.isReady")
    run_command(page, "notebook:run-all-cells")
    seen = Seen(page)
    expect(seen.curve, "there is no picture before the first training").to_be_hidden()
    shot("1_before")

    sentence = seen.sentence.locator("b")
    seen.move("regularization weight", "ArrowRight")
    expect(sentence, "a bold sentence tells what came out").to_contain_text("weight 0.003")
    first = seen.picture()
    shot("2_weight_moved")
    seen.move("regularization weight", "ArrowLeft")
    expect(sentence, "the sentence follows the slider").to_contain_text("weight 0.001")
    second = seen.picture()
    assert first != second, "another weight changes the bytes of the picture"
    seen.move("severity", "ArrowLeft")
    assert seen.picture() != second, "another severity changes the bytes of the picture"
    shot("3_severity_moved")

    raise_steps_and_run_again(page)
    seen = Seen(page)
    seen.train.click()
    expect(seen.status, "a long training has begun").to_contain_text(re.compile(rf"step \d+ of {LONG // 1000}\d\d\d"))
    expect(seen.stop, "Stop is on while networks train").to_be_enabled()
    seen.stop.click()
    expect(seen.status, "Stop ends the training").to_contain_text("stopped after")
    expect(seen.stop, "Stop is off when it has stopped").to_be_disabled()
    shot("4_stopped")
