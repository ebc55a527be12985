"""Watch it forget: snapshots over training steps, and the file that holds them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lautum_utils import Experiment, run
from lautum_utils.results.forgetting import (
    Forgetting,
    read_about,
    read_forgetting,
    side_by_side,
    watch_forgetting,
    write_forgetting,
)

BASE = Experiment(
    shift="label_part_swap", severity=1.0, labels=20, unlabelled=300, validation=60, test=50
)


@pytest.fixture(scope="module", name="seen")
def _seen() -> Forgetting:
    return watch_forgetting(BASE, [0.0, 1e-3], [0, 3, 6], "cpu", progress=False)


def test_every_weight_and_step_is_looked_at(seen: Forgetting) -> None:
    assert (seen.strengths, seen.steps) == ([0.0, 1e-3], [0, 3, 6])
    assert len(seen.snapshots) == 6
    for snapshot in seen.snapshots:
        assert snapshot.painted.shape == seen.shown.inputs.shape == (10, 1, 16, 32)
        assert snapshot.lautum > 0
        assert 0 <= snapshot.accuracy <= 1
        assert snapshot.kept < 1
    assert seen.shown.labels.tolist() == list(range(10)), "one a class"
    before = [seen.at(strength, 0) for strength in seen.strengths]
    assert before[0].lautum == before[1].lautum, "no training, no weight"
    for steps in ([], [-1, 3]):
        with pytest.raises(ValueError, match="one or more of 0 or more"):
            watch_forgetting(BASE, [0.0], steps, "cpu")
    with pytest.raises(ValueError, match=r"\[0.0, 0.001\] and \[0, 3, 6\], got 0.1 and 3"):
        seen.at(0.1, 3)


def test_a_snapshot_is_of_the_network_that_a_run_of_so_many_steps_trains(seen: Forgetting) -> None:
    for strength in (0.0, 1e-3):
        trained = run(replace(BASE, strength=strength, steps=3), "cpu", progress=False)[0]
        snapshot = seen.at(strength, 3)
        assert snapshot.accuracy == trained.test_accuracy
        assert snapshot.source_accuracy == trained.source_accuracy


def test_what_is_written_is_read_again(seen: Forgetting, tmp_path: Path) -> None:
    path = tmp_path / "seen.json.gz"
    write_forgetting({"pairs": seen}, path, {"images": "embedded"})
    assert read_about(path) == {"images": "embedded"}
    again = read_forgetting(path)["pairs"]
    assert again.base == seen.base
    assert again.shown.class_names == seen.shown.class_names
    for old, new in zip(seen.snapshots, again.snapshots, strict=True):
        assert (old.strength, old.step) == (new.strength, new.step)
        assert new.lautum == pytest.approx(old.lautum, rel=1e-3)
        torch.testing.assert_close(new.painted, old.painted.clamp(0, 1), atol=0.51 / 255, rtol=0)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="a file that make forgetting writes"):
        read_forgetting(path)


def test_colours_are_kept() -> None:
    images = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert side_by_side(images).shape == (4, 15, 3)
    assert side_by_side(images[:, :1]).shape == (4, 15)
