"""What runs when: which tests are slow, which come first, what is said of a browser that is not
there."""

import os
import shutil
from pathlib import Path

import pytest
from slow import SLOW_FILES, SLOW_TESTS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "No browser: get one by .venv/bin/playwright install chromium, or install chromium or Chrome."
)
# Files that train much, or read whole records, do it as users do, without a check of every call,
# which takes longer than the call; the same calls are checked in the others.
TRAINING = ("test_records.py", "test_claims.py", "test_stacks.py", "test_playground.py")
TRAINING += ("test_published.py", "test_forgetting_record.py", "test_compare.py")
TRAINING += ("test_sweeps_ended.py", "test_race.py", "test_bench_")
TRAINING += ("test_playground_record.py", "test_verdicts.py", "test_competitors.py", "test_page_")
# Two processes take file after file: the longest first, so that neither waits for the other at the
# end.
LONGEST = (
    "test_notebooks",
    "test_browser",
    "test_records.py",
    "test_site",
    "test_processors",
    "test_course",
    "test_app",
)
LONGEST += (
    "test_claims",
    "test_exercises",
    "test_playground",
    "test_sweeps_ended",
    "test_stacks",
    "test_methods",
    "test_bench",
)


def is_slow(item: pytest.Item) -> bool:
    place = f"{item.path.name}::{item.name}"
    return (
        item.path.suffix == ".ipynb"
        or item.path.name.startswith(SLOW_FILES)
        or place.startswith(SLOW_TESTS)
    )


def browser_path() -> str | None:
    """The system's browser, or the one of `playwright install chromium`; None if there is
    neither."""
    if found := next((found for name in BROWSERS if (found := shutil.which(name))), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """make check does without what only slow tests import."""
    fast = config.getoption("markexpr") == "not slow"
    return True if fast and collection_path.name.startswith(SLOW_FILES) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("nbval_lax", False):
        from compared import skipped  # what make check does without

        config.hook.pytest_deselected(items=(spared := list(skipped(items))))
        items[:] = [item for item in items if item not in spared]
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: next(
            (rank[name] for name in rank if item.path.name.startswith(name)), len(rank)
        )
    )
    for item in items:
        if is_slow(item):
            item.add_marker("slow")


def pytest_sessionstart(session: pytest.Session) -> None:
    here = not hasattr(session.config, "workerinput")
    if here and os.environ.get("LAUTUM_BROWSER") != "required" and not browser_path():
        _say(session.config, NO_BROWSER)


def pytest_terminal_summary(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    without = [
        report for report in reporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)
    ]
    if without:
        _say(config, f"{len(without)} tests in a browser were skipped. {NO_BROWSER}")


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.ensure_newline()
    reporter.write_line(line)
