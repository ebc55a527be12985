"""Shared by the tests of training."""

import pytest

from lautum_utils.training.networks import LargeCNN


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger network with fewer channels: as many layers, a hundredth of the time."""
    monkeypatch.setattr(LargeCNN, "widths", (8, 8, 8, 8, 16, 16, 32))
