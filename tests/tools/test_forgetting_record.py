"""The record of "watch it forget": what it holds, and a part of it made again."""

import gzip
from pathlib import Path

import pytest

from lautum_utils.results.forgetting import read_about, read_forgetting, watch_forgetting
from notebooks.tools import forgetting
from notebooks.tools.forgetting import FORGETTING, TASKS, Watched


def test_the_record_holds_every_task_and_is_small() -> None:
    seen = read_forgetting(FORGETTING)
    assert list(seen) == list(TASKS)
    for name, (_, base, strengths, steps) in TASKS.items():
        assert (seen[name].base, seen[name].strengths) == (base, list(strengths))
        assert seen[name].steps == list(steps)
    assert FORGETTING.stat().st_size < 1.5e6
    text = gzip.decompress(FORGETTING.read_bytes()).decode()
    assert "folder:" not in text
    assert "idx:" not in text
    assert all(" images, " in said for said in read_about(FORGETTING)["images"].values())


@pytest.mark.slow
def test_the_label_part_swap_made_again_forgets_as_it_is_recorded() -> None:
    seen, again = read_forgetting(FORGETTING)["digits"], TASKS["digits"]
    made = watch_forgetting(again.base, [0.0, 1e-3], [0, 100], "cpu", progress=False)
    for new in made.snapshots:
        old = seen.at(new.strength, new.step)
        assert new.kept == pytest.approx(old.kept, abs=0.05)
        assert new.lautum == pytest.approx(old.lautum, rel=0.2)
        assert new.accuracy == pytest.approx(old.accuracy, abs=0.06)
        assert (new.painted.clamp(0, 1) - old.painted).abs().mean() < 0.03
    assert made.at(1e-3, 100).kept > made.at(0.0, 100).kept + 0.1


def test_a_task_is_made_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, base, strengths, _ = TASKS["digits"]
    small = Watched("small", base, strengths[:2], (0, 2))
    monkeypatch.setitem(forgetting.TASKS, "digits", small)
    output = tmp_path / "record.json.gz"
    output.write_bytes(FORGETTING.read_bytes())
    forgetting.main(["--output", str(output), "--device", "cpu"])
    seen = read_forgetting(output)
    assert seen["digits"].steps == [0, 2]
    assert list(seen) == list(TASKS)
    assert read_about(output) == read_about(FORGETTING)
    assert "as they were recorded before: MNIST to notMNIST" in capsys.readouterr().out


def test_images_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="DATA needs to hold folders called mnist"):
        forgetting.main(["--data", str(tmp_path), "--tasks", "mnist"])
