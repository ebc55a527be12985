"""make app: the playground as a page, in a real browser, and what the program says when something
is in its way."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from browsing import controls, every_control_draws, note, open_more, open_page, operate, picture
from plan import ROOT
from playwright.sync_api import Browser, Locator, Page, expect
from waiting import GUARD, outcome, until

from lautum_utils.widgets.playground_settings import BASE, CONTROLS
from notebooks.tools import app

BOXES = ".widget-slider, .widget-toggle-buttons, .widget-checkbox"
APP = (sys.executable, "-m", "notebooks.tools.app")
# Where it is not the control's name.
LABELS = {"strength": "regularization weight", "labels": "labelled samples"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(*options: str) -> subprocess.Popen[str]:
    command = [*APP, "--no-browser", *options]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )


def address_of(program: subprocess.Popen[str]) -> str:
    """Where the page is, once it can be opened, with the token that it wants."""
    assert program.stdout
    line = program.stdout.readline()
    wanted = r"The playground is at http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{48} · Ctrl-C ends it\n"
    assert re.fullmatch(wanted, line), outcome(program)
    return line.split()[4]


def press_ctrl_c(program: subprocess.Popen[str]) -> None:
    """As a terminal does: all processes of the group get it."""
    os.killpg(program.pid, signal.SIGINT)


def has_ended(program: subprocess.Popen[str]) -> None:
    """Wait for its end, and demand that it is a good one."""
    said, errors = outcome(program)
    assert said == "\nThe playground has ended.\n"
    assert errors == ""
    assert program.returncode == 0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    program = start("--port", str(free_port()))
    yield address_of(program)
    press_ctrl_c(program)
    has_ended(program)


def opened(page: Page, address: str, query: str = "") -> tuple[Locator, Locator]:
    page.goto(address + query.replace("?", "&"), wait_until="commit")
    box = page.locator(".widget-vbox").filter(has_text="regularization weight")
    expect(box).to_have_count(1)
    expect(box.locator(BOXES)).to_have_count(len(CONTROLS) + 1)
    expect(box).to_contain_text("Does nothing answer?")
    open_more(box)
    return box, box.locator("img").first


def test_a_page_without_code_whose_controls_work_by_keyboard_and_mouse(
    address: str, page: Page
) -> None:
    started = time.perf_counter()
    box, image = opened(page, address)
    first = time.perf_counter() - started
    expect(page.locator("h1")).to_contain_text("The playground")
    expect(page.get_by_text("from_query")).to_have_count(0)
    assert page.title() == "Lautum Lab: the playground"
    auto = box.locator(".widget-checkbox")
    operate("widget-checkbox", auto, "keyboard")
    seconds = every_control_draws(
        box, image, ("labelled samples", "seeds", "layer", "network", "device", auto.inner_text())
    )
    note("app", {"opened": first} | seconds)
    for label in ("layer", "network"):
        for by in ("keyboard", "mouse"):
            operate(
                "widget-toggle-buttons",
                box.locator(".widget-toggle-buttons").filter(has_text=label),
                by,
            )
    for label in ("labelled samples", "seeds"):
        for by in ("keyboard", "mouse"):
            operate("widget-slider", box.locator(".widget-slider").filter(has_text=label), by)
    expect(box.locator(".widget-html-content").first).to_contain_text("recorded")
    for about in ("Left: target test accuracy", "Stage one, step by step", "Does nothing answer?"):
        expect(box).to_contain_text(about)


def test_tab_reaches_every_control_in_order(address: str, page: Page) -> None:
    opened(page, address)
    page.locator("body").click(position={"x": 5, "y": 5})
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        here = f"(e.closest('{BOXES}') || e.closest('button, a'))?.textContent"
        text = page.evaluate(f"(e => {here})(document.activeElement)")
        reached.append(str(text or "").strip())
    buttons = ["shift", "protocol", "layer", "network", "device"]
    wanted = [LABELS.get(name, name) for name in sorted(CONTROLS, key=lambda name: name in buttons)]
    found = [next((name for name in wanted if text.startswith(name)), text) for text in reached]
    at = [found.index(name) for name in wanted]
    assert at == sorted(at), reached
    assert [k for k in ("Train live", "Train all weights") if k in found], reached


def test_it_trains_stops_in_the_middle_and_runs_again(address: str, page: Page) -> None:
    # Seventy-two convolutional networks, one by one: no machine is done with them before Stop is
    # pressed.
    box, image = opened(page, address, "?seeds=8&labels=50&network=cnn&device=cpu")
    status, sentence = (box.locator(".widget-html-content").nth(k) for k in range(2))
    train, every, stop = (
        box.get_by_role("button", name=re.compile(rf"\b{x}$"))
        for x in ("Train live", "Train all weights", "Stop")
    )
    every.press("Enter")
    expect(status).to_contain_text("step ")
    stop.press("Enter")
    expect(status).to_contain_text("stopped after")
    expect(stop).to_be_disabled()
    box.get_by_role("button", name="mlp").click()
    train.click()
    expect(status).to_contain_text("done after")
    expect(sentence).to_contain_text("8 seeds")
    assert picture(image)


def test_a_link_restores_the_settings_and_two_pages_do_not_mix(
    address: str, page: Page, browser: Browser
) -> None:
    box, image = opened(page, address)
    for label in ("severity", "regularization weight", "shift"):
        for kind, control in controls(box):
            if control.inner_text().startswith(label):
                operate(kind, control, "keyboard")
    there = box.get_by_role("link", name="A link to these settings")
    expect(there).to_have_attribute("href", re.compile("shift=none"))
    link = str(there.get_attribute("href"))
    assert {"severity=0.8", "strength=0.003"} <= set(link.removeprefix("?").split("&"))
    with open_page(browser) as other:
        again, image_again = opened(other, address, link)
        expect(box.locator("b").first).to_have_text(again.locator("b").first.inner_text())
        shown = picture(image)
        assert picture(image_again) == shown
        slider = again.locator(".widget-slider").filter(has_text="regularization weight")
        source = image_again.get_attribute("src")
        operate("widget-slider", slider, "keyboard")
        expect(image_again).not_to_have_attribute("src", str(source))
        assert picture(image_again) != shown
    assert picture(image) == shown
    box, _ = opened(page, address, "?strength=5&severity=0.4")
    expect(box.locator(".widget-html-content").first).to_contain_text(
        "The link wants strength to be '5'; it can be 0.0, 1e-05"
    )
    expect(box.locator(".widget-slider").filter(has_text="regularization weight")).to_contain_text(
        f"{BASE.strength:g}"
    )


def test_only_who_has_the_token_gets_in(address: str, page: Page) -> None:
    base, token = address.split("/?token=")
    commands = [
        " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    ]
    assert not [command for command in commands if token in command], "others can read these"
    for query in ("", "?token=wrong"):
        there = requests.get(f"{base}/{query}", timeout=GUARD)
        assert "/login" in there.url
        assert "playground" not in there.text
    assert (
        requests.post(f"{base}/login", data={"password": token}, timeout=GUARD).status_code == 403
    )
    somewhere = f"{base}/api/kernels/{uuid.uuid4()}"
    assert requests.get(somewhere, timeout=GUARD).status_code == 403
    assert requests.get(f"{somewhere}/channels", timeout=GUARD).status_code == 403
    page.goto(f"{base}/?severity=0.4", wait_until="commit")
    page.locator("#password_input").fill(token)
    page.locator("#login_submit").click()
    slider = page.locator(".widget-slider").filter(has_text="severity")
    expect(slider, "the settings of the link are kept").to_contain_text("0.4")


def kernels(program: subprocess.Popen[str]) -> list[psutil.Process]:
    (server,) = psutil.Process(program.pid).children()
    return list(server.children())


def test_leaving_a_page_ends_its_kernel_and_a_request_of_another_page_does_not(
    browser: Browser,
) -> None:
    program = start("--port", str(free_port()))
    with open_page(browser) as page:
        address = address_of(program)
        opened(page, address)
        (kernel,) = kernels(program)
        number = page.evaluate(
            "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
        )
        cookies = {c["name"]: c["value"] for c in page.context.cookies() if c["name"] != "_xsrf"}
        end = address.split("?")[0] + f"voila/api/shutdown/{number}"
        forged = requests.post(end, cookies=cookies, timeout=GUARD)
        assert forged.status_code == 403
        assert kernel.is_running()
        page.goto("about:blank")
        until(lambda: not kernels(program), "the kernel has ended")
    press_ctrl_c(program)
    has_ended(program)


@pytest.mark.parametrize("token", ["", "short", "with spaces in it"])
def test_a_token_that_does_not_fit_an_address_is_a_sentence(token: str) -> None:
    said, errors = outcome(start("--token", token))
    assert said == ""
    assert errors.endswith(
        "--token: a token needs to be eight or more letters, digits, or any of . _ ~ -\n"
    )


def test_a_browser_is_sent_to_the_page_by_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Page
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(app.webbrowser, "open", asked.append)
    folder = tmp_path / "é è"
    folder.mkdir()
    app.open_in_browser(folder, (folder / "page.html").as_uri())
    (folder / "page.html").write_text("here", encoding="utf-8")
    page.goto(asked[0])
    expect(page.locator("body")).to_have_text("here")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said, errors = outcome(start("--port", str(port)))
    assert said == ""
    assert errors == (
        f"port {port} is taken, perhaps by this app: give another one with --port, "
        f"such as --port {port + 1}.\n"
    )


def test_a_server_that_does_not_end_is_killed_with_its_kernels_and_ctrl_c_can_be_pressed_again(
    browser: Browser,
) -> None:
    program = start("--port", str(free_port()), "--no-token")
    assert program.stdout
    line = program.stdout.readline()
    assert "without a token, whoever reaches this port can open it" in line
    with open_page(browser) as page:
        opened(page, line.split()[4])
        (server,) = psutil.Process(program.pid).children()
        processes = [server, *server.children(recursive=True)]
        assert len(processes) >= 2, "there is a kernel"
        server.suspend()
        until(lambda: program.poll() is not None or press_ctrl_c(program), "it has ended")
        has_ended(program)
        until(
            lambda: (
                not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
            ),
            "all have ended",
        )


def test_it_explains_itself() -> None:
    said = subprocess.run(
        [*APP, "--help"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert "--port" in said
    assert "Ctrl-C ends it" in said
