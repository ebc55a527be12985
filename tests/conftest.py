"""Shared by all tests."""

import os
import sys
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from browsing import open_page
from hypothesis import HealthCheck, settings
from plan import NO_BROWSER, TRAINING, browser_path
from plan import pytest_collection_modifyitems as pytest_collection_modifyitems  # hooks of pytest
from plan import pytest_ignore_collect as pytest_ignore_collect
from plan import pytest_sessionstart as pytest_sessionstart
from plan import pytest_terminal_summary as pytest_terminal_summary
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from waiting import GUARD

# Notebooks are read with jsonschema, which would take a second and more to read the grammar of
# addresses in any script, for nobody.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

OFF = ("gpu", "dev-shm-usage", "background-networking", "component-update", "sync")
ATTACHED = "attachment:"  # to a notebook's words
AS_ROOT = os.name == "posix" and os.geteuid() == 0
expect.set_options(timeout=1000 * GUARD)

# Here hypothesis looks for new counter-examples in every run; continuous integration repeats the
# same ones. How long an example takes to draw or to test is not judged.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("new"), derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "new")

# What the tests solve is nobody's progress: neither here nor in the kernels that they start.
os.environ["LAUTUM_PROGRESS"] = ""


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


def _without_shape_check() -> Iterator[None]:
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape check of the tests, as users run it: our own errors have to speak."""
    yield from _without_shape_check()


@pytest.fixture(scope="module", autouse=True)
def _as_users_train(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same for a whole file, if it is one that trains much."""
    yield from _without_shape_check() if request.path.name.startswith(TRAINING) else [None]


@pytest.fixture(autouse=True)
def _as_users_wait(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same for what takes long."""
    yield from _without_shape_check() if request.node.get_closest_marker("slow") else [None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's chromium, or the one of `playwright install chromium`; LAUTUM_BROWSER=required
    demands that there is one."""
    path = browser_path()
    if path is None:
        pytest.fail(NO_BROWSER) if os.environ.get("LAUTUM_BROWSER") == "required" else pytest.skip(
            NO_BROWSER
        )
    with sync_playwright() as playwright:
        flags = ["--no-first-run", *(f"--disable-{x}" for x in OFF), *["--no-sandbox"] * AS_ROOT]
        with playwright.chromium.launch(
            executable_path=path, args=flags, timeout=1000 * GUARD
        ) as browser:
            yield browser


def _is_error(said: ConsoleMessage) -> bool:
    """But for one: JupyterLab asks for a picture in the words before it finds it there."""
    return said.type == "error" and not said.location["url"].startswith(ATTACHED)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may not ask another machine for anything, and may have no error in its
    console."""
    with open_page(browser, viewport={"width": 1280, "height": 1400}) as page:
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: errors.append(said.text) if _is_error(said) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        local = ("http://127.0.0.1", "ws://127.0.0.1", "file:", "data:", "blob:", ATTACHED)
        assert not [url for url in asked if not url.startswith(local)]
        assert not errors
