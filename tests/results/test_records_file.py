"""A record: many results in one small file, to the digits promised; and the one that is handed
out."""

import gzip
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import HISTORY, MANY, QUICK, RESULTS, by_experiment, made_up

from lautum_utils.results.records import RECORD, read_about, read_record, write_record
from lautum_utils.results.store import versions
from lautum_utils.training.baselines import WITHOUT_NETWORK
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import OUTCOMES, Result
from notebooks.tools.record import grid

ACCURACIES = [name for name in OUTCOMES if name.endswith("accuracy")]


def somewhat(results: Iterable[Result]) -> dict[Experiment, dict[str, Any]]:
    """What a record keeps of results."""
    found = by_experiment(results)
    for row in found.values():
        curves = row["history"].items()
        row["history"] = {name: [float(f"{x:.3g}") for x in values] for name, values in curves}
        row |= {name: row[name] if row[name] is None else round(row[name], 5) for name in OUTCOMES}
    return found


@hypothesis.settings(max_examples=60)
@given(st.lists(RESULTS, max_size=6))
def test_what_is_recorded_is_read_back_to_the_digits_promised(
    drawn: list[tuple[dict[str, Any], tuple[Any, ...]]],
) -> None:
    unique = {Experiment(**given): outcome for given, outcome in drawn}
    results = [Result(experiment, *outcome) for experiment, outcome in unique.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recorded.json.gz"
        write_record(iter(results), path)
        found, made_by = read_record(path)
        assert [p.name for p in Path(folder).iterdir()] == [path.name]
    assert made_by == versions()
    assert list(found) == [result.experiment for result in results]
    assert by_experiment(found.values()) == somewhat(results)
    for result in results:
        for name in ACCURACIES:
            assert abs(getattr(found[result.experiment], name) - getattr(result, name)) <= 1e-5


def test_a_record_shares_histories_and_what_all_have_in_common(tmp_path: Path) -> None:
    results = [made_up(e) for e in MANY] + [made_up(replace(e, protocol="finetune")) for e in MANY]
    results = [replace(r, history=HISTORY | {"loss": [r.experiment.strength]}) for r in results]
    write_record(results, tmp_path / "r")
    content = json.loads(gzip.decompress((tmp_path / "r").read_bytes()))
    assert set(content) == {"format", "versions", "common", "fields", "rows", "histories"}
    assert content["fields"] == ["strength", "protocol"]
    common = {n: v for n, v in asdict(QUICK).items() if n not in ("strength", "protocol")}
    assert content["common"] == common
    assert len(content["rows"]) == 12
    assert len(content["histories"]) == 6
    before = (tmp_path / "r").read_bytes()
    write_record(results, tmp_path / "r")
    assert (tmp_path / "r").read_bytes() == before, "the same results, the same bytes"


def test_a_record_of_nothing_is_read_back(tmp_path: Path) -> None:
    write_record([], tmp_path / "r")
    assert read_record(tmp_path / "r") == ({}, versions())


def test_what_is_said_about_a_record_is_read_back_and_nothing_of_one_without(
    tmp_path: Path,
) -> None:
    about = {"images": {"mnist": {"train": 3}}, "seconds": 7}
    write_record([], tmp_path / "r", about)
    assert read_about(tmp_path / "r") == about
    assert read_record(tmp_path / "r") == ({}, versions())
    write_record([], tmp_path / "r")
    assert read_about(tmp_path / "r") == {}
    (tmp_path / "r").write_bytes(b"hello")
    with pytest.raises(ValueError, match=NO_RECORD):
        read_about(tmp_path / "r")


def damaged(path: Path) -> dict[str, bytes]:
    """By name, the content of a record after what can happen to it."""
    write_record(map(made_up, MANY), path)
    whole = path.read_bytes()
    content = json.loads(gzip.decompress(whole))
    changes = {
        "newer": content | {"format": 2},
        "no rows": {name: value for name, value in content.items() if name != "rows"},
        "no versions": {name: value for name, value in content.items() if name != "versions"},
        "a row too short": content | {"rows": [content["rows"][0][:-1]]},
        "a history too few": content | {"histories": []},
        "unknown field": content | {"common": content["common"] | {"colour": "red"}},
        "bad value": content | {"common": content["common"] | {"seed": -1}},
        "a list": [content],
        "nothing": None,
    }
    return {
        name: gzip.compress(json.dumps(change).encode()) for name, change in changes.items()
    } | {
        "empty": b"",
        "text": b"hello",
        "half": whole[: len(whole) // 2],
        "no json": gzip.compress(b"{"),
        "flipped": whole[:40] + bytes([whole[40] ^ 255]) + whole[41:],
        "binary": gzip.compress(b"\xff\xfe"),
    }


NO_RECORD = r"^path needs to be a record of format 1 \(make record writes one\), got .*\(\w+: "


def test_a_damaged_record_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json.gz"
    contents = damaged(path)
    assert len(contents) == 15
    for damage, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=NO_RECORD):
            print(damage, read_record(path))


def test_a_record_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "away", tmp_path, str(tmp_path / "away")):
        with pytest.raises(ValueError, match=NO_RECORD):
            read_record(path)


@pytest.fixture(scope="module", name="recorded")
def _recorded() -> dict[Experiment, Result]:
    assert RECORD.is_file(), "make record writes it"
    return read_record()[0]


def test_the_record_is_small_and_whole_and_says_what_made_it(
    recorded: dict[Experiment, Result],
) -> None:
    assert RECORD.stat().st_size < 2e6
    assert set(recorded) == set(grid())
    made_by = read_record()[1]
    assert set(made_by) == set(versions())
    assert all(re.match(r"\d+\.\d+", value) for name, value in made_by.items() if name != "machine")
    assert made_by["machine"]
    for result in recorded.values():
        assert (result.penalty is None) == (result.experiment.protocol == "finetune")
        without_network = result.experiment.method in WITHOUT_NETWORK
        known = [name for name in ACCURACIES if not (without_network and name == "source_accuracy")]
        assert all(0 <= getattr(result, name) <= 1 for name in known)
        assert result.history["step"][-1:] == [result.experiment.steps] * (not without_network)
        assert len({len(values) for values in result.history.values()}) == 1
