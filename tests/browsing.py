"""Widgets in a browser, as a reader uses them: every kind of control by keyboard and by mouse, and
the picture that follows."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect
from waiting import GUARD


def open_page(browser: Browser, **options: Any) -> Page:
    """A page that waits as long as it takes."""
    page = browser.new_page(**options)
    page.set_default_timeout(1000 * GUARD)
    return page


def picture(image: Locator) -> str:
    """The bytes of an image, which has to be visible and a picture."""
    expect(image, "the picture is visible").to_be_visible()
    read = "image.decode().then(() => fetch(image.src)).then(file => file.arrayBuffer())"
    return str(image.evaluate(f"image => {read}.then(bytes => new Uint8Array(bytes).join())"))


def open_more(box: Locator) -> None:
    """Show the controls of a playground that are not in sight, by keyboard."""
    more = box.get_by_role("button", name=re.compile(r"\bMore$"))
    expect(box.locator(".widget-checkbox"), "the rest is folded").to_be_hidden()
    more.press("Enter")
    expect(box.locator(".widget-checkbox"), "More shows it").to_be_visible()


def controls(box: Locator) -> list[tuple[str, Locator]]:
    """Kind and place of each slider, row of buttons and tick box; its label is its text."""
    found = []
    for kind in ("widget-slider", "widget-toggle-buttons", "widget-checkbox"):
        here = box.locator(f".{kind}")
        found += [(kind, here.nth(k)) for k in range(here.count())]
    return found


def operate(kind: str, control: Locator, by: str) -> None:
    """Move a control to another value, by "keyboard" or by "mouse"."""
    if kind == "widget-slider":
        readout, handle = control.locator(".widget-readout"), control.locator(".noUi-handle")
        shown = readout.inner_text()
        if by == "keyboard":
            at_its_end = handle.get_attribute("aria-valuenow") == handle.get_attribute(
                "aria-valuemax"
            )
            handle.press("ArrowLeft" if at_its_end else "ArrowRight")
        else:
            track = control.locator(".noUi-target")
            size, at = track.bounding_box(), handle.bounding_box()
            assert size
            assert at
            left = at["x"] + at["width"] / 2 - size["x"] < size["width"] / 2
            track.click(
                position={"x": size["width"] * (0.9 if left else 0.1), "y": size["height"] / 2}
            )
        expect(readout, "the slider tells its value").not_to_have_text(shown)
    elif kind == "widget-toggle-buttons":
        buttons, active = control.locator("button"), control.locator("button.mod-active")
        shown, count = active.inner_text(), buttons.count()
        at = [button.inner_text() for button in buttons.all()].index(shown)
        other = buttons.nth((at + (1 if by == "keyboard" else count - 1)) % count)
        other.press("Enter") if by == "keyboard" else other.click()
        expect(active, "the pressed button is marked").not_to_have_text(shown)
    else:
        tick = control.locator("input")
        ticked = tick.is_checked()
        tick.press("Space") if by == "keyboard" else tick.click()
        expect(tick, "the box is ticked, or no longer").to_be_checked(checked=not ticked)


def every_control_draws(
    box: Locator, image: Locator, skip: tuple[str, ...] = ()
) -> dict[str, float]:
    """Each control of a box by both ways: another picture each time. Seconds until it was there."""
    seconds = {}
    for kind, control in controls(box):
        label = (
            control.locator("label").first.inner_text()
            if kind != "widget-checkbox"
            else control.inner_text()
        )
        if label in skip:
            continue
        before = {picture(image)}
        for by in ("keyboard", "mouse"):
            shown, started = image.get_attribute("src"), time.perf_counter()
            operate(kind, control, by)
            expect(image, f"{label}, moved by {by}, draws another picture").not_to_have_attribute(
                "src", str(shown)
            )
            seconds[f"{label}, {by}"] = time.perf_counter() - started
            before.add(picture(image))
        assert len(before) >= 2, f"{label} changes the bytes of the picture"
    return seconds


def note(name: str, seconds: dict[str, float]) -> None:
    """Write times beside the screenshots, if they are asked for (LAUTUM_SCREENSHOTS)."""
    if directory := os.environ.get("LAUTUM_SCREENSHOTS"):
        (Path(directory) / f"{name}.json").write_text(
            json.dumps(seconds, indent=1), encoding="utf-8"
        )
