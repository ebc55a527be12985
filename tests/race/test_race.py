"""The race is fair: the same arrays, networks and samples for all. And it says who is not there."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import contest
import ours
import plain
import pytest
import runner
import torch
import with_skada
from contest import CURVES, EVERY_STEP, OURS, SMALLEST, Heat, Score, Size, heats
from one_by_one import Job, job_of
from race import parsed
from table import Outcome, chosen, table

from lautum_utils import run
from lautum_utils.training.loop import cross_entropy
from lautum_utils.training.methods import make_method
from lautum_utils.training.networks import MLP
from lautum_utils.training.stack_data import StackData

RACE = Path(__file__).with_name("race.py")


def heat_of(method: str, contestant: str = EVERY_STEP, steps: int = 3) -> Heat:
    """The largest weight of the curve, at which the term is felt from the first step on."""
    return Heat(contestant, method, CURVES[method][-1:], (0,), steps)


def job(heat: Heat) -> Job:
    return job_of(heat, heat.weights[0], heat.seeds[0])


@pytest.mark.parametrize("method", CURVES)
def test_our_loss_of_the_first_step_is_that_of_the_plain_loop(method: str) -> None:
    heat = heat_of(method)
    models = ours.experiments(heat)
    data = StackData(models, torch.device("cpu"))
    pools = data.pools(models[0], "target", method)
    network = MLP(data.image_shape, data.source_classes, list(heat.seeds))
    batch = data.stage_one_batches(network, models, pools).at(0)
    term = make_method(method, pools[0].regularizer).term(batch)
    loss = cross_entropy(network.head(batch.labelled), batch.labels) + heat.weights[0] * term
    logged = plain.train(job(heat))
    assert logged[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert logged[0]["penalty"] == pytest.approx(term.item(), rel=1e-4)
    assert method == "standard" or logged[0]["penalty"] > 1e-9


@pytest.mark.parametrize("method", CURVES)
def test_after_a_few_steps_the_networks_are_the_same(method: str) -> None:
    heat = heat_of(method)
    (result,) = run(ours.experiments(heat), "cpu", progress=False, keep_networks=True)
    plain.train(mine := job(heat))
    with_skada.train(theirs := job(heat))
    images = mine.task.test.inputs
    assert result.network is not None
    with torch.no_grad():
        expected = result.network.features(images)
        torch.testing.assert_close(mine.network.features(images), expected, rtol=1e-3, atol=1e-3)
        apart = (theirs.network.features(images) - expected).abs().max()
    assert (apart < 1e-3) == (method != "mk_mmd"), "skada's MMD has other kernels"
    plain.train(other := replace(job(heat), weight=0.0))
    without = (other.network.features(images) - expected).abs().max()
    assert (without > 1e-2) == (method != "standard"), "the term was felt"


def test_both_give_a_score_for_each_weight_and_seed() -> None:
    heat = Heat(EVERY_STEP, "deep_coral", (1.0, 100.0), (0, 1), 2)
    own, other = ours.curve(heat), plain.curve(heat)
    assert [score[:2] for score in own] == [score[:2] for score in other]
    assert [score[:2] for score in own] == [(1.0, 0), (1.0, 1), (100.0, 0), (100.0, 1)]
    for a, b in zip(own, other, strict=True):
        assert a[2:] == pytest.approx(b[2:], abs=0.02)


def test_the_smallest_race_has_a_row_for_each_also_for_who_is_not_there(tmp_path: Path) -> None:
    absent = tmp_path / "pytorch_adapt"
    absent.mkdir()
    (absent / "__init__.py").write_text("raise ImportError('it is away')\n", encoding="utf-8")
    command = [sys.executable, str(RACE), "--smallest", "--method", "deep_coral"]
    who = [OURS, "plain loop", "pytorch-adapt"]
    done = subprocess.run(
        [*command, "--peers", str(tmp_path), "--only", *who], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[3:6]
    assert [row[:23].strip() for row in rows] == who
    ours_row, plain_row = (row[43:].split() for row in rows[:2])
    assert len(ours_row) == len(plain_row) == 8, rows
    assert ours_row[:1] + ours_row[2:3] == ["2", "1.00"]
    assert "left out" in rows[2]
    assert rows[2].endswith("it is away")


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pytorch_adapt", "pytorch_adapt.adapters"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(runner.NEEDS, "pytorch-adapt", "a-package-that-is-not-there")
    heat = Heat("pytorch-adapt", "deep_coral", (1.0,), (0,), 1)
    said = runner.measure(heat)["missing"]
    assert said.startswith("not installed")
    (line,) = table([Outcome(heat, trouble=f"left out: {said}")]).splitlines()[1:]
    assert line.startswith("pytorch-adapt")
    assert "pytorch_adapt" in line


def test_the_table_compares_with_us_and_shows_the_weight_that_validation_chose() -> None:
    scores = [Score(w, s, v, t) for w, v, t in ((1, 0.7, 0.9), (3, 0.8, 0.6)) for s in (0, 1)]
    assert chosen(scores) == 3
    heats_of_two = [Heat(name, "mk_mmd", (1, 3), (0, 1), 5) for name in ("skada", OURS)]
    outcomes = [Outcome(h, t, 9, tuple(scores)) for h, t in zip(heats_of_two, (6, 2), strict=True)]
    theirs, own = table(outcomes).splitlines()[1:]
    assert theirs.split()[3:] == ["4", "6.00", "3.00", "9", "0.600", "[0.600,", "0.600]", "3"]
    assert " 1.00 " in own


def test_the_whole_race_is_36_networks_a_curve_with_one_thread_and_two() -> None:
    names = list(contest.CONTESTANTS)
    plan = heats(names, list(CURVES), Size())
    assert {heat.threads for heat in plan} == {1, 2}
    assert {heat.networks for heat in plan if heat.method != "standard"} == {36}
    assert {heat.contestant for heat in heats(names, ["mk_mmd"], SMALLEST)} == set(names)
    assert parsed(["--smallest"]).smallest
    assert contest.NOTES.keys() == contest.CONTESTANTS.keys()
