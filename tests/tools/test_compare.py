"""The comparison of methods: the same number of weights for each, and its command (what it
recorded: test_records.py)."""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from lautum_utils.results.records import read_record
from lautum_utils.results.sweeps import run
from lautum_utils.training.baselines import BASELINES
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.methods import METHODS, STAGE_TWO_METHODS
from notebooks.tools import compare, recording


def test_every_method_has_as_many_weights_at_every_place_and_the_control_stands_once() -> None:
    everything = compare.grid()
    assert set(read_record(compare.COMPARED)[0]) == set(everything)
    plain = [e for e in everything if not e.is_baseline and e.recipe == "plain"]
    assert len(set(everything)) == len(everything)
    base, fields = compare.BASE, ("layer", "inputs", "ridge", "n_components", "decay")
    usual = [e for e in plain if all(getattr(e, name) == getattr(base, name) for name in fields)]
    grid = [e for e in usual if "standard" in (e.method, e.stage_two)]
    weights = defaultdict(set)
    for e in grid:
        weights[e.method, e.stage_two, e.protocol].add(e.strength + e.stage_two_strength)
    assert {method for method, _, _ in weights} == set(METHODS)
    assert {two for _, two, _ in weights} == set(STAGE_TWO_METHODS) - set(compare.NOT_IN_STAGE_TWO)
    for (method, two, protocol), strengths in weights.items():
        assert len(strengths) == (1 if method == two == "standard" else 4), (method, two, protocol)
    places = {(e.target, e.severity, e.seed, e.labels) for e in grid}
    assert len(places) == 2 * 3 * 10 * 4
    assert len(grid) == len(places) * sum(len(strengths) for strengths in weights.values())
    assert len(plain) - len(grid) == len(places) * 4 * 2 + 2 * 10 * 4 * (
        2 + len(compare.ABLATIONS) + 2 * len(compare.ON_SOURCE)
    )


def test_every_baseline_stands_once_at_every_place_and_care_is_taken_of_who_is_named() -> None:
    everything = compare.grid()
    places = {(e.target, e.severity, e.seed, e.labels) for e in everything}
    simple = [e for e in everything if e.is_baseline and e.recipe == "plain"]
    assert {e.method for e in simple} == set(BASELINES)
    assert len(simple) == len(places) * len(BASELINES)
    careful = [e for e in everything if e.recipe == "careful"]
    assert {e.protocol for e in careful} == {"finetune"}
    assert {e.stage_two for e in careful} == {"standard"}
    assert {e.method for e in careful} == set(compare.CAREFUL)
    weights = sum(map(len, compare.CAREFUL.values()))
    assert len(careful) == len(places) * weights
    assert all(e.strength in compare.CAREFUL[e.method] for e in careful)


def test_the_comparison_runs_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grid() -> list[Experiment]:
        quick = replace(
            compare.BASE,
            steps=3,
            finetune_steps=3,
            labels=20,
            severity=0.3,
            protocol="finetune",
        )
        two = {"stage_two": "temporal_ensembling", "stage_two_strength": 30.0}
        return [
            replace(quick, method="standard", strength=0.0, seed=i, **more)
            for i in (0, 1)
            for more in ({}, two)
        ]

    output = tmp_path / "compared.json.gz"
    arguments = ["--store", str(tmp_path / "store"), "--output", str(output), "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    recording.main("a part", grid(), "store", output)
    results, versions = read_record(output)
    assert set(results) == set(grid())
    assert versions["torch"]
    again = run(list(results), "cpu", progress=False)
    assert [r.test_accuracy for r in again] == pytest.approx(
        [r.test_accuracy for r in results.values()], abs=1e-5
    )
