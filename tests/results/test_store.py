"""A store: each result a file that is whole or not there; what is stored is read back."""

import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pytest
import torch
from hypothesis import given
from made_up import (
    MANY,
    QUICK,
    RESULTS,
    Runs,
    assert_equal,
    by_experiment,
    contents,
    files,
    made_up,
    quietly,
)

from lautum_utils.results import store as storing
from lautum_utils.results.records import write_record
from lautum_utils.results.store import (
    open_store,
    read_store,
    save_results,
    store_result,
    versions,
)
from lautum_utils.results.sweeps import run
from lautum_utils.training.experiments import SETTINGS, Experiment
from lautum_utils.training.outcomes import OUTCOMES, Result


def test_a_store_holds_one_file_a_result_with_what_is_documented(tmp_path: Path) -> None:
    wanted = [QUICK, replace(QUICK, strength=0.0, protocol="finetune")]
    table = quietly(wanted, tmp_path / "a" / "store").table
    store = tmp_path / "a" / "store"
    assert json.loads((store / "store.json").read_bytes()) == {"format": 1}
    assert len(files(store)) == 2
    assert len(list(store.iterdir())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}\.json", path.name) for path in files(store))
    results = {result.experiment: result for result in run(wanted, "cpu", progress=False)}
    for path in files(store):
        row = json.loads(path.read_bytes())
        result = results[Experiment(**{name: row[name] for name in SETTINGS})]
        assert row == result.as_row() | {"history": result.history, "versions": versions()}
    assert list(table.columns) == [*SETTINGS, *OUTCOMES, "error"]
    rows = table[list(SETTINGS)].to_dict("records")
    assert [Experiment(**row) for row in rows] == wanted
    assert list(table.error) == ["", ""]
    assert list(table.test_accuracy) == [results[e].test_accuracy for e in wanted]
    assert table.penalty[0] == results[wanted[0]].penalty
    assert math.isnan(table.penalty[1]), "fine-tuning has none"
    packages = {"lautum-utils", "torch", "numpy", "scikit-learn", "matplotlib"}
    assert set(versions()) == {"python", "machine"} | packages
    assert versions()["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_a_store_is_read_by_the_lines_of_pandas_that_is_documented(
    runs: Runs, tmp_path: Path
) -> None:
    quietly(MANY, tmp_path)
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    lines = [line.strip() for line in str(storing.__doc__).splitlines() if line.startswith("    ")]
    names = {"pd": pd, "json": json, "Path": Path, "store": tmp_path}
    exec("\n".join([*lines[:-1], f"table = {lines[-1]}"]), names)
    table: Any = names["table"]
    assert sorted(table.strength) == [e.strength for e in MANY]
    assert set(table.columns) == {*SETTINGS, *OUTCOMES, "history", "versions"}
    assert {made_up(e).test_accuracy for e in MANY} == set(table.test_accuracy)


@hypothesis.settings(max_examples=100)
@given(RESULTS)
def test_what_is_stored_is_read_back_to_the_last_bit(
    drawn: tuple[dict[str, Any], tuple[Any, ...]],
) -> None:
    settings, outcome = drawn
    result = Result(Experiment(**settings), *outcome)
    with tempfile.TemporaryDirectory() as folder:
        path = store_result(result, open_store(folder))
        assert path in files(Path(folder))
        assert by_experiment(read_store(folder)) == by_experiment([result])
        other = replace(result, test_accuracy=0.25)
        assert store_result(other, folder) == path, "the same experiment, the same file"
        (again,) = read_store(folder)
        assert again.test_accuracy == 0.25


def test_a_store_that_is_a_file_or_cannot_be_written_to_is_refused(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^store needs to be a folder, got the file .*/file\.$"):
        quietly(MANY, tmp_path / "file")
    told = r"^store needs to be a folder that can be written to, got .*/file/sub \(.+\)\.$"
    with pytest.raises(ValueError, match=told):
        quietly(MANY, tmp_path / "file" / "sub")
    open_store(tmp_path / "store")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(
        ValueError, match=r"^store needs to be a folder .* got .*/store \(Permission denied\)\.$"
    ):
        quietly(MANY, tmp_path / "store")
    assert not runs.asked
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"1", b"\xff\xfe\x00"])
def test_a_damaged_sign_of_a_store_is_shown_and_left_alone(
    content: bytes, runs: Runs, tmp_path: Path
) -> None:
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(ValueError, match=r'store\.json needs to hold \{"format": 1\}, got '):
        quietly(MANY, tmp_path)
    assert not runs.asked
    assert contents(tmp_path) == {"store.json": content}


@pytest.mark.parametrize("found", [2, 0, "1", None])
def test_a_store_of_another_format_is_refused(found: object, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": found}), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"has format {found!r}, this lautum_utils reads up to 1: update it"
    ):
        quietly(MANY, tmp_path)
    assert not runs.asked


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_a_truncated_result_is_named_and_run_again(keep: float, runs: Runs, tmp_path: Path) -> None:
    results = quietly(MANY, tmp_path)
    before = contents(tmp_path)
    victim = files(tmp_path)[2]
    whole = victim.read_bytes()
    victim.write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else int(keep)])
    runs.asked.clear()
    with pytest.warns(
        UserWarning, match=f"^{re.escape(str(victim))} is not a whole result .* left alone"
    ):
        assert len(read_store(tmp_path)) == 5
    with pytest.warns(UserWarning, match=re.escape(victim.name)):
        assert_equal(quietly(MANY, tmp_path), results)
    assert len(runs.asked) == 1
    assert contents(tmp_path) == before


def test_foreign_files_are_named_and_left_alone(runs: Runs, tmp_path: Path) -> None:
    quietly(MANY, tmp_path)
    whole = json.loads(files(tmp_path)[0].read_bytes())
    strange = {
        "notes.json": {"remember": "milk"},
        "list.json": [1, 2],
        "number.json": 3,
        "newer.json": whole | {"colour": "red"},
        "bad.json": whole | {"seed": -1},
        "older.json": {name: value for name, value in whole.items() if name != "history"},
    }
    for name, content in strange.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    for other in (".0123456789abcdef.json.7.tmp", "readme.txt"):
        (tmp_path / other).write_text("half a res", encoding="utf-8")
    (tmp_path / "folder.json" / "x").write_text("", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    runs.asked.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = quietly(MANY, tmp_path)
    told = [re.search(r"/([a-z]+\.json) is not a whole", str(w.message)) for w in caught]
    assert {match[1] for match in told if match} == {*strange, "binary.json", "folder.json"}
    assert any("unknown: colour" in str(warning.message) for warning in caught)
    assert len(results) == 6
    assert not runs.asked
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_results_are_saved_as_a_list_of_rows(tmp_path: Path) -> None:
    results = [made_up(e) for e in MANY]
    save_results([*results, {"name": "mean", "value": 0.5}], tmp_path / "results.json")
    rows = json.loads((tmp_path / "results.json").read_bytes())
    assert rows == [*(r.as_row() for r in results), {"name": "mean", "value": 0.5}]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("write", [write_record, save_results])
def test_an_interrupted_write_leaves_the_whole_earlier_file(
    write: Callable[[list[Result], Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write([made_up(QUICK)], path)
    before = contents(tmp_path)
    written = Path.write_bytes

    def half(path: Path, data: Any) -> int:
        written(path, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        write([made_up(e) for e in MANY], path)
    assert contents(tmp_path) == before
