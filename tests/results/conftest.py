"""Shared by the tests of results."""

from pathlib import Path

import pytest
from made_up import MIXED, Runs, quietly

from lautum_utils.results import sweeps


@pytest.fixture(name="runs")
def _runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """No test with it trains."""
    runs = Runs()
    monkeypatch.setattr(sweeps, "run_each", runs)
    return runs


@pytest.fixture(scope="module", name="here")
def _here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MIXED, run without an executor."""
    store = tmp_path_factory.mktemp("here")
    quietly(MIXED, store)
    return store
