"""Checkpoints: an interrupted stage one goes on to the same result, whatever happened to its
file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs import QUICK, assert_all_same, trained
from torch import Tensor

from lautum_utils.results.sweeps import run
from lautum_utils.training import checkpoints
from lautum_utils.training.checkpoints import Checkpoint
from lautum_utils.training.experiments import grid
from lautum_utils.training.loop import make_optimizer
from lautum_utils.training.networks import MLP
from lautum_utils.training.outcomes import Progress


class Interrupt(Exception): ...


@pytest.mark.parametrize(
    ("method", "every", "decay"),
    [
        ("lautum", 1, 0.0),
        ("lautum", 5, 0.0),
        ("lautum", 3, 0.9),
        ("standard", 1, 0.0),
        ("multiple_layer_normalization", 3, 0.0),
    ],
)
def test_an_interrupted_stage_one_goes_on_from_its_checkpoint_to_the_same_result(
    method: str, every: int, decay: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    strength = 0.0 if method == "standard" else 1e-2
    base = replace(QUICK, steps=20, method=method, strength=strength, every=every, decay=decay)
    base = replace(base, protocol="finetune", recipe="careful")
    wanted = grid(base, seed=(0, 1))
    whole = trained(*wanted)
    steps: list[int] = []
    counted: list[int] = []

    def stop(now: Progress) -> None:
        if now.stage == "stage one":
            steps.append(now.step)
            if len(steps) == 13:
                raise Interrupt

    with pytest.raises(Interrupt):
        run(wanted, "cpu", progress=False, callback=stop, checkpoints=tmp_path)
    (left,) = tmp_path.iterdir()
    assert torch.load(left, weights_only=True)["step"] == 12

    def count(now: Progress) -> None:
        counted.append(now.step)

    again = run(wanted, "cpu", progress=False, callback=count, checkpoints=tmp_path)
    assert_all_same(again, whole)
    assert counted == list(range(1, len(counted) + 1))
    assert not list(tmp_path.iterdir()), "what is done leaves no checkpoint"


def test_a_checkpoint_that_does_not_fit_is_left_aside_and_one_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    e = replace(QUICK, steps=6)
    (whole,) = trained(e)

    def stop(now: Progress) -> None:
        if now.step == 5:
            raise Interrupt

    with pytest.raises(Interrupt):
        run(e, "cpu", progress=False, callback=stop, checkpoints=tmp_path)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    saved = torch.load(path, weights_only=True)
    for damage in (b"", good[:200], b"junk" * 100):
        path.write_bytes(damage)
        (again,) = run(e, "cpu", progress=False, checkpoints=tmp_path)
        assert again.history == whole.history
    del saved["network"]["classifier.bias"]
    torch.save(saved, path)
    (again,) = run(e, "cpu", progress=False, checkpoints=tmp_path)
    assert again.history == whole.history
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.warns(UserWarning, match="no checkpoint could be written to"):
        (again,) = run(e, "cpu", progress=False, checkpoints=blocked)
    assert again.history == whole.history


def test_a_checkpoint_holds_everything_and_is_written_once_in_a_while(tmp_path: Path) -> None:
    network, other = (MLP((1, 4, 4), 3, [seed]) for seed in (0, 1))
    x = torch.rand(1, 5, 1, 4, 4)
    optimizers = [make_optimizer(n, 1e-2) for n in (network, other)]
    network(x).sum().backward()
    optimizers[0].step()
    kept = Checkpoint(tmp_path / "new", [QUICK], [{"step": [1.0]}], {"mean": torch.ones(2)})
    kept.save(1, network, optimizers[0])
    assert not (tmp_path / "new").exists(), "a minute has not gone by"
    kept.written -= checkpoints.SECONDS
    kept.save(1, network, optimizers[0])
    histories: list[dict[str, list[float]]] = [{"step": []}]
    memory: dict[str, Tensor] = {}
    fresh = Checkpoint(tmp_path / "new", [QUICK], histories, memory)
    assert fresh.load(other, optimizers[1]) == 1
    assert histories == [{"step": [1.0]}]
    assert memory["mean"].tolist() == [1.0, 1.0]
    assert torch.equal(other(x), network(x))
    for n, optimizer in zip((network, other), optimizers, strict=True):
        optimizer.zero_grad()
        n(x).sum().backward()
        optimizer.step()
    assert torch.equal(other(x), network(x)), "the optimizer goes on, too"
    others = Checkpoint(tmp_path / "new", [replace(QUICK, seed=1)], histories, {})
    assert others.load(other, optimizers[1]) == 0
    fresh.remove()
    assert not list((tmp_path / "new").iterdir())
    fresh.remove()
    nowhere = Checkpoint(None, [QUICK], histories, {})
    nowhere.written -= checkpoints.SECONDS
    nowhere.save(1, network, optimizers[0])
    nowhere.remove()
    assert nowhere.load(network, optimizers[0]) == 0
