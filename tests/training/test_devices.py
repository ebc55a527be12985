"""Devices: the best one is taken, an absent one refused, and CUDA's precision trains as well."""

import pytest
import torch
from runs import QUICK

from lautum_utils.results.sweeps import run
from lautum_utils.training import devices
from lautum_utils.training.devices import mixed_precision, resolve_device
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.networks import NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_training_in_bfloat16_as_autocast_does_on_cuda(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def precision() -> torch.autocast:
        seen.append(name)
        return torch.autocast("cpu", torch.bfloat16)

    experiment = Experiment(network=name, steps=20, strength=1e-3, labels=20)
    (whole,) = run(experiment, "cpu", progress=False)
    monkeypatch.setattr(devices, "nullcontext", precision)
    (half,) = run(experiment, "cpu", progress=False)
    assert seen, "the loop asks for its precision"
    assert half.history["loss"] != whole.history["loss"], "it did train in another precision"
    for key in ("loss", "dependence"):
        assert half.history[key][-1] == pytest.approx(
            whole.history[key][-1], rel=0.5 if name == "large_cnn" else 0.2
        )


def test_device_auto_is_the_best_one_there_and_an_absent_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert (
        resolve_device("auto")
        == resolve_device("cpu")
        == resolve_device(torch.device("cpu"))
        == torch.device("cpu")
    )
    for absent in ("cuda", "cuda:3", "mps", "tpu", "meta", torch.device("cuda", 1)):
        with pytest.raises(
            ValueError,
            match=rf"device needs to be auto or one that is there \(cpu\), got '{absent}'",
        ):
            run(QUICK, absent, progress=False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="got 'cuda:2'"):
        resolve_device("cuda:2")


def test_on_a_cpu_nothing_is_rounded_to_fewer_bits() -> None:
    network, x = NETWORKS["mlp"]((1, 4, 4), 3, [0]), torch.rand(1, 2, 1, 4, 4)
    with mixed_precision(network):
        assert network(x).dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
