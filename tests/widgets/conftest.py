"""Shared by the tests of the playground."""

from collections.abc import Iterator

import pytest
from playing import Steps

from lautum_utils.training.networks import LargeCNN


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger network with fewer channels: as many layers, a hundredth of the time."""
    monkeypatch.setattr(LargeCNN, "widths", (8, 8, 8, 8, 16, 16, 32))


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """A training waits after its first step, until it is given more."""
    steps = Steps()
    monkeypatch.setattr("lautum_utils.widgets.playground_training.run_each", steps)
    yield steps
    steps.give(float("inf"))
