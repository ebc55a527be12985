"""Networks and training: many models at once give what each gives alone, and every setting does
what it says."""

import multiprocessing
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import FrozenInstanceError, replace
from functools import cache
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lautum_utils.data.domains import Domain, TransferTask
from lautum_utils.results.sweeps import run
from lautum_utils.training import run as training
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.experiments import Experiment, Progress, Result
from lautum_utils.training.methods import METHODS
from lautum_utils.training.networks import NETWORKS, LargeCNN, StackedConv, StackedLinear
from lautum_utils.training.probes import PROBE_PENALTIES, fit_probe
from lautum_utils.training.randomness import augmented
from lautum_utils.training.stacks import tasks


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger network with fewer channels: as many layers, a hundredth of the time."""
    monkeypatch.setattr(LargeCNN, "widths", (8, 8, 8, 8, 16, 16, 32))


QUICK = Experiment(
    steps=5,
    labels=20,
    source_batch=16,
    target_batch=64,
    n_components=8,
    strength=1e-2,
    finetune_steps=3,
)


def train(*experiments: Experiment) -> list[Result]:
    return run(experiments, "cpu", progress=False)


def accuracies(result: Result) -> tuple[float, float, float, float | None]:
    return result.test_accuracy, result.validation_accuracy, result.source_accuracy, result.penalty


def assert_same(one: Result, other: Result) -> None:
    """To the last bit: accuracies, penalty and the whole history."""
    assert one.experiment == other.experiment
    assert one.history == other.history, one.experiment
    assert accuracies(one) == accuracies(other), one.experiment


def assert_all_same(ones: list[Result], others: list[Result]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert_same(one, other)


# --------------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 16, 32)])
@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_networks_are_the_networks_one_by_one(
    name: str, shape: tuple[int, int, int]
) -> None:
    seeds, x = [7, 8, 9], torch.rand(3, 5, *shape)
    network = NETWORKS[name](shape, 10, seeds)
    features = network.features(x)
    assert features.shape == (3, 5, network.widths[-1])
    assert (features >= 0).all()
    assert network.head(features).shape == (3, 5, 10)
    assert torch.equal(network(x), network.head(features))
    alone = torch.cat(
        [NETWORKS[name](shape, 10, [seed])(x[i : i + 1]) for i, seed in enumerate(seeds)]
    )
    torch.testing.assert_close(network(x), alone, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(alone[0], NETWORKS[name](shape, 10, [8])(x[:1])[0]), (
        "another seed, another network"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_of_a_model_does_not_depend_on_the_others(name: str) -> None:
    network, x = NETWORKS[name]((1, 16, 16), 10, [0, 1, 2]), torch.rand(3, 4, 1, 16, 16)

    def gradients(x: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(network(x)[1].square().sum(), list(network.parameters())))

    changed = x.clone()
    changed[0], changed[2] = 0.3, 0.9
    for one, other in zip(gradients(x), gradients(changed), strict=True):
        torch.testing.assert_close(one[1], other[1])
        assert one[1].abs().max() > 0
        assert one[[0, 2]].abs().max() == 0


def test_stacked_layers_are_those_of_torch() -> None:
    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in range(3)]

    convolution, linear = StackedConv(2, 5, 2, generators()), StackedLinear(6, 4, generators())
    maps, x = torch.rand(7, 3, 2, 9, 12), torch.rand(3, 7, 6)
    assert linear.bias.shape == (3, 1, 16), (
        "padded, so that an optimizer rounds alike wherever a model stands"
    )
    assert (linear.bias[..., 4:] == 0).all()
    y = convolution(maps.flatten(1, 2))
    assert y.shape == (7, 15, 5, 6)
    for g in range(3):
        expected = F.conv2d(
            maps[:, g], convolution.weight[g], convolution.bias[g], stride=2, padding=1
        )
        torch.testing.assert_close(y[:, 5 * g : 5 * (g + 1)], expected)
        torch.testing.assert_close(linear(x)[g], x[g] @ linear.weight[g] + linear.bias[g, 0, :4])
    for parameter, fan_in in ((convolution.weight, 18), (linear.weight, 6)):
        assert 0.8 / fan_in**0.5 < parameter.abs().max() <= 1 / fan_in**0.5
        assert abs(parameter.mean()) < 0.3 / fan_in**0.5
    linear(x).square().sum().backward()
    assert linear.bias.grad is not None
    assert (linear.bias.grad[..., :4] != 0).all()
    assert (linear.bias.grad[..., 4:] == 0).all()


@pytest.mark.parametrize("k", [1, 4, 10, 16, 17, 32, 47])
def test_bias_of_a_linear_layer_is_padded_to_sixteens_and_used_up_to_its_size(k: int) -> None:
    linear = StackedLinear(6, k, [torch.Generator().manual_seed(seed) for seed in range(2)])
    assert linear.bias.shape[-1] % 16 == 0
    assert 0 <= linear.bias.shape[-1] - k < 16
    assert torch.equal(linear(torch.zeros(2, 3, 6)), linear.bias[..., :k].expand(2, 3, k))
    assert 0 < linear.bias[..., :k].abs().max() <= 6**-0.5


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_run_forward_and_backward_on_another_device(name: str) -> None:
    network = NETWORKS[name]((1, 16, 16), 10, [0, 1]).to("meta")
    network.replace_head(7, [0, 1])
    y = network(torch.empty(2, 3, 1, 16, 16, device="meta"))
    y.sum().backward()
    assert y.shape == (2, 3, 7)
    assert all(p.grad is not None and p.grad.is_meta for p in network.parameters())


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
    monkeypatch.setattr(training, "nullcontext", precision)
    (half,) = run(experiment, "cpu", progress=False)
    assert seen, "the loop asks for its precision"
    assert half.history["loss"] != whole.history["loss"], "it did train in another precision"
    for key in ("loss", "dependence"):
        assert half.history[key][-1] == pytest.approx(
            whole.history[key][-1], rel=0.5 if name == "large_cnn" else 0.2
        )


def test_new_head_is_fixed_by_its_seeds_and_leaves_the_features_alone() -> None:
    network, other = (NETWORKS["mlp"]((1, 16, 16), 10, [seed, 5]) for seed in (0, 1))
    x = torch.rand(2, 3, 1, 16, 16)
    features, logits = network.features(x), network(x)
    network.replace_head(10, [3, 4])
    other.replace_head(10, [3, 4])
    assert torch.equal(network.features(x), features)
    assert torch.equal(network.head(features), other.head(features))
    assert not torch.allclose(network(x), logits)


@pytest.mark.parametrize("name", ["cnn", "large_cnn"])
def test_a_convolutional_network_is_its_layers_one_after_the_other(name: str) -> None:
    network = NETWORKS[name]((3, 9, 12), 10, [0, 1]).double()
    x = torch.rand(2, 4, 3, 9, 12, dtype=torch.float64)
    for g in range(2):
        h = x[g]
        for convolution in network.convolutions:  # type: ignore[attr-defined]
            h = F.conv2d(
                h, convolution.weight[g], convolution.bias[g], stride=convolution.stride, padding=1
            )
            h = F.relu(F.group_norm(h, 8) if name == "large_cnn" else h)
        h = h.mean((2, 3)) if name == "large_cnn" else h.flatten(1)
        last = network.last  # type: ignore[attr-defined]
        expected = F.relu(h @ last.weight[g] + last.bias[g, 0, : last.weight.shape[-1]])
        torch.testing.assert_close(network.features(x)[g], expected)


# ------------------------------------------------------------------------------------------------------- experiments


def test_experiment_is_frozen_and_hashable_and_equal_by_value() -> None:
    assert Experiment(severity=1, shift="blur") == Experiment(severity=1.0, shift="blur")
    assert len({Experiment(), Experiment(seed=0), Experiment(seed=1)}) == 2
    with pytest.raises(FrozenInstanceError):
        QUICK.seed = 1  # type: ignore[misc]


def test_augmented_images_depend_on_seed_and_step_alone_and_keep_their_content() -> None:
    x = torch.zeros(2, 40, 1, 16, 16)
    x[..., 6:9, 2:4] = 1  # left of the middle
    one = augmented(x, [3, 8], 5, 2, mirrored=True)
    assert torch.equal(one[1:], augmented(x[1:], [8], 5, 2, mirrored=True))
    for other in (
        augmented(x, [3, 8], 6, 2, True),
        augmented(x, [3, 8], 5, 3, True),
        augmented(x, [4, 9], 5, 2, True),
    ):
        assert not torch.equal(one, other)
    torch.testing.assert_close(one.sum((-1, -2)), x.sum((-1, -2)))
    place = (one * torch.arange(16.0)).sum((-1, -2)) / one.sum((-1, -2))
    left, right = place < 7.5, place > 7.5
    assert 20 < right.sum() < 60, "about half"
    assert ((place[left] - 2.5).abs() <= 2).all()
    assert ((place[right] - 12.5).abs() <= 2).all()
    assert 2.0 < place[left].max() - place[left].min() <= 4
    still = augmented(x, [3, 8], 5, 2, mirrored=False)
    assert ((still * torch.arange(16.0)).sum((-1, -2)) / still.sum((-1, -2)) < 7.5).all()


@pytest.mark.parametrize("network", ["mlp", "large_cnn"])
def test_augmented_runs_are_the_same_alone_and_stacked_and_the_sources_images_are_the_controls(
    network: str,
) -> None:
    base = replace(QUICK, network=network, augment="moved")
    grid = [
        replace(base, strength=s, seed=i, protocol=p)
        for s in (0.0, 1e-7)
        for i in (0, 1)
        for p in ("probe", "finetune")
    ]
    together = dict(zip(grid, run(grid, "cpu", progress=False), strict=True))
    for e in grid[1::3]:
        (alone,) = run(e, "cpu", progress=False)
        assert (alone.test_accuracy, alone.history) == (
            together[e].test_accuracy,
            together[e].history,
        )
    for protocol in ("probe", "finetune"):
        first = [
            together[replace(base, strength=s, seed=0, protocol=protocol)].history
            for s in (0.0, 1e-7)
        ]
        assert first[0]["loss"] == pytest.approx(first[1]["loss"], rel=1e-2)
        assert first[0]["loss"] != first[1]["loss"]
    (plain,) = run(replace(grid[1], augment="none"), "cpu", progress=False)
    assert plain.history["loss"] != together[grid[1]].history["loss"]


BAD: list[tuple[str, Any]] = [
    *(
        (name, "nonsense")
        for name in (
            "source",
            "target",
            "shift",
            "network",
            "method",
            "layer",
            "inputs",
            "protocol",
            "augment",
        )
    ),
    *(
        (name, 0)
        for name in (
            "n_components",
            "labels",
            "steps",
            "source_batch",
            "target_batch",
            "finetune_steps",
        )
    ),
    *(
        (name, bad)
        for name in ("strength", "ridge", "learning_rate", "severity")
        for bad in (-0.5, float("nan"), float("inf"))
    ),
    *(("steps", 2.5), ("steps", True), ("strength", "1"), ("labels", "20")),
    *(("labels", 9), ("source_batch", 1), ("target_batch", 1), ("seed", -1), ("severity", 1.5)),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_experiment_names_a_bad_field_and_its_value(
    field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jaxtyping.config, "jaxtyping_disable", True
    )  # a reader meets our errors, not jaxtyping's
    with pytest.raises(ValueError, match=rf"^{field} needs to be .*, got '?{value}'?\.$"):
        Experiment(**{field: value})


# -------------------------------------------------------------------------------------------------- what a run gives

MANY = [
    QUICK,
    replace(QUICK, seed=1),
    replace(QUICK, strength=1e-3, protocol="finetune"),
    replace(QUICK, shift="rotation", severity=0.3),
    replace(QUICK, shift="rotation", severity=0.6, labels=30, strength=0.0),
]


@pytest.fixture(scope="module", name="together")
def _together() -> list[Result]:
    return train(*MANY)


def test_a_run_gives_the_same_twice_bit_for_bit(together: list[Result]) -> None:
    assert_all_same(together, train(*MANY))


def test_a_run_gives_the_same_alone_and_stacked_bit_for_bit(together: list[Result]) -> None:
    assert_all_same(together, [train(experiment)[0] for experiment in MANY])
    assert len({r.history["loss"][-1] for r in together}) == len(MANY), "five different trainings"


# What the networks of a stack have in common; each is trained alone and stacked with other
# strengths, seeds, shifts.
LONGER = replace(QUICK, steps=20, shift="rotation", severity=0.4)
KINDS: dict[str, Experiment] = {
    "the usual sizes": replace(LONGER, source_batch=64, target_batch=256, n_components=64),
    "fine-tuned": replace(LONGER, protocol="finetune", finetune_steps=20),
    "on pairs of images": replace(LONGER, shift="label_part_swap"),
    "of the logits": replace(LONGER, layer="logits", method="mutual_information_maximised"),
    "of the source": replace(
        LONGER, inputs="source", source="letters", target="digits", method="mutual_information"
    ),
    "badly conditioned": replace(LONGER, shift="blur", severity=1.0, n_components=64),
    "cnn": replace(LONGER, network="cnn"),
}


@cache
def alone(kind: str) -> Result:
    return train(KINDS[kind])[0]


def company(one: Experiment) -> list[Experiment]:
    """It among others, in the middle, with a control of its own."""
    shift = (
        "label_part_swap" if one.shift == "label_part_swap" else "contrast"
    )  # images of the same size
    others = [
        replace(one, seed=2),
        replace(one, severity=0.2),
        replace(one, strength=1e-4),
        replace(one, strength=0.0),
    ]
    more = [replace(one, seed=1, strength=1e-3, shift=shift, severity=0.6), replace(one, seed=1)]
    return [*others[:2], one, *others[2:], *more]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_gives_the_same_alone_and_in_stacks_of_several_sizes_bit_for_bit(kind: str) -> None:
    many, one = company(KINDS[kind]), alone(kind)
    together, first_of_two = train(*many), train(many[2], many[-1])
    assert_same(together[2], one)
    assert_all_same(first_of_two, [one, together[-1]])
    assert len(one.history["loss"]) == 20
    assert len({(*r.history["loss"], r.test_accuracy) for r in together}) == len(many), (
        "different trainings"
    )


def test_weight_0_gives_the_same_alone_and_asked_for_among_others_bit_for_bit() -> None:
    one = KINDS["the usual sizes"]
    control = replace(one, strength=0.0)
    controls = [control, replace(control, protocol="finetune", finetune_steps=20)]
    single = train(*controls)
    others = [e for e in company(one) if e != control]
    assert_all_same(train(*others, *controls)[-2:], single)
    seeds = [
        replace(control, seed=seed, severity=severity) for seed in (1, 2) for severity in (0.2, 0.4)
    ]
    assert_all_same(train(*seeds[:3], *controls, *others, *seeds[3:])[3:5], single)
    assert_same(train(control)[0], single[0])


def test_with_odd_batch_sizes_company_changes_rounding_only() -> None:
    odd = replace(LONGER, source_batch=7, target_batch=45, n_components=5, labels=37, steps=5)
    stacked, alone = train(*company(odd))[2].history["loss"], train(odd)[0].history["loss"]
    assert stacked[:3] == pytest.approx(alone[:3], rel=1e-3), "before training makes more of it"
    assert stacked == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_run_gives_the_same_however_its_stacks_are_cut(most: int, together: list[Result]) -> None:
    cut = tasks(MANY, "cpu", most)
    assert (
        max(len({replace(e, labels=10, protocol="probe") for e in stack}) for stack in cut) == most
    )
    found = {result.experiment: result for stack in cut for result in train(*stack)}
    assert_all_same([found[experiment] for experiment in MANY], together)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_gives_the_same_in_a_worker_process_with_one_thread_and_with_two_bit_for_bit(
    threads: int, together: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Threads share the sums of a convolution, and those of a principal component analysis, where
    # blurred images amplify it.
    alike = (
        min(threads, os.cpu_count() or 1) == torch.get_num_threads()
    )  # here, where the others run alone
    even = [kind for kind in KINDS if alike or kind not in ("cnn", "badly conditioned")]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, str(threads))
    monkeypatch.setenv(
        "OMP_WAIT_POLICY", "passive"
    )  # a thread that waits leaves its core to the other tests
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        assert executor.submit(torch.get_num_threads).result() == min(threads, os.cpu_count() or 1)
        there = executor.submit(
            run, [*MANY, *(KINDS[kind] for kind in even)], "cpu", progress=False
        ).result()
    assert_all_same(there, [*together, *map(alone, even)])


def test_cnns_and_pairs_give_the_same_alone_and_together_bit_for_bit() -> None:
    both = [
        replace(QUICK, network="cnn", shift="label_part_swap", severity=1.0, seed=seed)
        for seed in (0, 1)
    ]
    assert_all_same(train(*both), [train(experiment)[0] for experiment in both])


def test_results_come_in_the_order_asked_with_duplicates() -> None:
    wanted = [MANY[2], MANY[0], replace(QUICK, method="standard"), MANY[0]]
    results = train(*wanted)
    assert [r.experiment for r in results] == wanted
    assert_same(results[1], results[3])
    assert run(MANY[0], "cpu", progress=False)[0].experiment == MANY[0]
    assert run([], "cpu", progress=False) == []
    assert results[0].as_row()["protocol"] == "finetune"
    assert results[0].as_row()["test_accuracy"] == results[0].test_accuracy


@pytest.mark.parametrize("network", NETWORKS)
def test_strength_0_is_standard_transfer_bit_for_bit(network: str) -> None:
    control = replace(QUICK, network=network, steps=20, severity=0.4, shift="rotation")
    standard, lautum, mutual = train(
        replace(control, method="standard"),
        replace(control, strength=0.0),
        replace(control, method="mutual_information", strength=0.0),
    )
    assert lautum.history == standard.history
    for result in (lautum, mutual):
        assert accuracies(result) == accuracies(standard)
        assert result.history["loss"] == standard.history["loss"]
        assert result.history["target_accuracy"] == standard.history["target_accuracy"]
    assert mutual.history["dependence"] != standard.history["dependence"], (
        "watched by another measure, not trained"
    )


@pytest.mark.parametrize("method", [m for m in METHODS if m != "standard"])
def test_every_method_uses_the_unlabelled_inputs_it_is_given(method: str) -> None:
    settings = replace(QUICK, method=method, steps=12)
    on, source, logits, off, off_source = train(
        settings,
        replace(settings, inputs="source"),
        replace(settings, layer="logits"),
        replace(settings, strength=0.0),
        replace(settings, strength=0.0, inputs="source"),
    )
    final = [r.history["loss"][-1] for r in (on, source, logits, off)]
    measures = "mutual_information" in method or method == "lautum"
    assert len(set(final)) == (4 if measures else 3), "the layer is where dependence is measured"
    assert off.history["loss"] == off_source.history["loss"]
    assert accuracies(off) == accuracies(off_source)


def test_each_method_moves_the_dependence_the_way_it_says() -> None:
    signs = {"lautum": 1, "mutual_information": -1, "mutual_information_maximised": 1}
    pairs = [replace(QUICK, method=m, steps=20, strength=s) for m in signs for s in (0.5, 0.0)]
    final = [r.history["dependence"][-1] for r in train(*pairs)]
    for sign, on, off in zip(signs.values(), final[::2], final[1::2], strict=True):
        assert sign * (on - off) > 0.2


def test_histories_are_equally_long_and_the_source_is_learned() -> None:
    result = train(replace(QUICK, steps=60, source_batch=64, strength=0.0))[0]
    assert set(result.history) == {"step", "loss", "dependence", "target_accuracy"}
    assert len({len(values) for values in result.history.values()}) == 1
    assert result.history["step"][0] == 1
    assert result.history["step"][-1] == 60
    assert result.history["loss"][-1] < 0.5 * result.history["loss"][0]
    assert result.source_accuracy > 0.7
    assert result.penalty in PROBE_PENALTIES


def test_more_labels_help_and_more_than_there_are_are_refused() -> None:
    few, many = train(replace(QUICK, labels=10), replace(QUICK, labels=400))
    assert many.test_accuracy > few.test_accuracy + 0.1
    with pytest.raises(ValueError, match=r"labels.*401"):
        train(replace(QUICK, labels=401))


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "letters", "target": "digits"},
        {"source": "letters", "target": "letters"},
        {"source": "digits", "target": "digits"},
        {"inputs": "source"},
        {"shift": "blur", "severity": 1.0},
    ],
    ids=str,
)
def test_every_choice_trains_with_the_other_settings_at_their_defaults(
    settings: dict[str, Any],
) -> None:
    assert 0 <= train(Experiment(steps=2, labels=10, **settings))[0].test_accuracy <= 1


# ------------------------------------------------------------------------------------------- progress, stop, devices


class Watch:
    """A callback that keeps what it is told and stops the run where `stop` says."""

    def __init__(self, stop: Callable[[Progress], bool] = lambda progress: False) -> None:
        self.seen: list[Progress] = []
        self.stop = stop

    def __call__(self, progress: Progress) -> bool:
        self.seen.append(progress)
        return self.stop(progress)


def test_a_folder_of_your_own_is_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    for value, name in enumerate(("dark", "light", "lighter")):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(60):
            Image.new("L", (20, 20), 80 * value + k % 20).save(tmp_path / "own" / name / f"{k}.png")
    e = replace(QUICK, target=f"folder:{tmp_path / 'own'}", labels=20, steps=30, finetune_steps=60)
    for result in run([e, replace(e, protocol="finetune")], "cpu", progress=False):
        assert result.test_accuracy > 0.6
    with pytest.raises(
        ValueError, match=r"labels needs to be at most \d\d for the target folder:.*, got 200"
    ):
        run(replace(e, labels=200), "cpu", progress=False)


class Interrupt(Exception): ...


@pytest.mark.parametrize("method", ["lautum", "standard", "multiple_layer_normalization"])
def test_an_interrupted_pretraining_goes_on_from_its_checkpoint_to_the_same_result(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    strength = 0.0 if method == "standard" else 1e-2
    grid = [
        replace(QUICK, steps=20, method=method, strength=strength, seed=i, protocol="finetune")
        for i in (0, 1)
    ]
    whole = run(grid, "cpu", progress=False)
    steps: list[int] = []
    counted: list[int] = []

    def stop(now: Progress) -> None:
        if now.stage == "pre-train":
            steps.append(now.step)
            if len(steps) == 13:
                raise Interrupt

    with pytest.raises(Interrupt):
        run(grid, "cpu", progress=False, callback=stop, checkpoints=tmp_path)
    (left,) = tmp_path.iterdir()
    assert torch.load(left, weights_only=True)["step"] == 12
    again = run(
        grid,
        "cpu",
        progress=False,
        callback=lambda now: counted.append(now.step),
        checkpoints=tmp_path,
    )
    for one, other in zip(again, whole, strict=True):
        assert (one.test_accuracy, one.validation_accuracy, one.history) == (
            other.test_accuracy,
            other.validation_accuracy,
            other.history,
        )
    assert counted == list(range(1, len(counted) + 1))
    assert not list(tmp_path.iterdir()), "what is done leaves no checkpoint"


def test_a_checkpoint_that_does_not_fit_is_left_aside_and_one_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    e = replace(QUICK, steps=6)
    (whole,) = run(e, "cpu", progress=False)

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


@pytest.mark.parametrize("network", NETWORKS)
def test_pretraining_is_shared_and_the_callback_counts_to_the_total(network: str) -> None:
    base = replace(QUICK, network=network)
    stages = [
        base,
        replace(base, labels=30),
        replace(base, protocol="finetune"),
        replace(base, seed=1),
    ]
    watch = Watch()
    run(stages, "cpu", progress=False, callback=watch)
    models = 1 if network == "mlp" else 2  # on a CPU MLPs train stacked, CNNs one by one
    assert Counter(p.stage for p in watch.seen) == {
        "prepare": 2,
        "pre-train": 5 * models,
        "probe": 3,
        "finetune": 3,
    }
    assert [p.step for p in watch.seen] == list(range(1, watch.seen[0].total + 1))
    assert {p.total for p in watch.seen} == {len(watch.seen)}
    assert all(len(p.experiments) == len(p.histories) for p in watch.seen)


def test_callback_that_returns_true_stops_and_leaves_what_is_finished() -> None:
    cnns = [replace(QUICK, network="cnn", seed=seed) for seed in (0, 1)]
    watch = Watch(lambda p: p.stage == "pre-train" and p.experiments[0].seed == 1)
    results = run(cnns, "cpu", progress=False, callback=watch)
    assert [r.experiment for r in results] == cnns[:1]
    assert [p.stage for p in watch.seen] == [
        "prepare",
        *["pre-train"] * 5,
        "probe",
        "prepare",
        "pre-train",
    ]
    assert run(QUICK, "cpu", progress=False, callback=lambda progress: True) == []


@pytest.mark.parametrize(
    ("progress", "seconds", "shown"), [(False, 2.1, False), (True, 2.1, True), (True, 1.9, False)]
)
def test_progress_shows_a_bar_from_the_second_second_on(
    progress: bool,
    seconds: float,
    shown: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]

    def takes_long(now: Progress) -> None:
        clock[0] += seconds * (now.step == 1)

    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    run(replace(QUICK, steps=2), "cpu", progress=progress, callback=takes_long)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("training" in captured.err) == shown
    assert shown or captured.err == ""


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


@pytest.fixture(name="_no_class_3")
def _without_a_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    load = training.load_transfer_task

    def load_without(*args: Any, **kwargs: Any) -> TransferTask:
        task = load(*args, **kwargs)
        labels = torch.where(task.labelled.labels == 3, 4, task.labelled.labels)
        return replace(
            task, labelled=Domain(task.labelled.inputs, labels, task.labelled.class_names)
        )

    monkeypatch.setattr(training, "load_transfer_task", load_without)
    training._task.cache_clear()
    yield
    training._task.cache_clear()


@pytest.mark.usefixtures("_no_class_3")
@pytest.mark.parametrize("protocol", ["probe", "finetune"])
def test_a_labelled_set_without_one_of_the_classes_is_refused(protocol: str) -> None:
    with pytest.raises(
        ValueError, match="labelled set needs a sample of every class, got none of class 3 in 20"
    ):
        train(replace(QUICK, protocol=protocol))


# ---------------------------------------------------------------------------------------- the probe, and comparisons


def test_probe_chooses_its_penalty_on_validation_data_only() -> None:
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(3), (3, 20))
    z = rng.normal(size=(3, 60, 8))
    z[..., :3] += 2 * np.eye(3)[y]
    labelled, validation, test = zip(z, y, strict=True)
    penalties = set()
    for seed in range(12):
        chosen = np.random.default_rng(seed).choice(60, 25)
        part = (validation[0][chosen], validation[1][chosen])
        score, accuracy, penalty = fit_probe(labelled, part, test)
        other = fit_probe(labelled, part, (test[0], (test[1] + 1) % 3))
        assert (other[0], other[2]) == (score, penalty)
        assert other[1] != accuracy
        penalties.add(penalty)
        assert (score, accuracy, penalty) == best_of_separate_fits(labelled, part, test)
    assert penalties <= set(PROBE_PENALTIES)
    assert len(penalties) > 2
    far = (100 * np.eye(3)[y[0]] + z[0, :, :3], y[0])
    assert fit_probe(far, far, far) == (1.0, 1.0, max(PROBE_PENALTIES)), "the strongest of equals"


def best_of_separate_fits(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[float, float, float]:
    """What `fit_probe` gives, from fits that start anew and go on to the end."""
    scale = StandardScaler().fit(parts[0][0])
    (x, y), *others = [(scale.transform(z), y) for z, y in parts]
    fits = {
        p: LogisticRegression(C=1 / p, tol=1e-8, max_iter=5000).fit(x, y) for p in PROBE_PENALTIES
    }
    (validation, penalty), _ = max(((fit.score(*others[0]), p), 0) for p, fit in fits.items())
    return validation, fits[penalty].score(*others[1]), penalty


def test_probe_says_nothing_of_fits_that_are_cut_short() -> None:
    rng = np.random.default_rng(0)
    part = (rng.normal(size=(400, 64)) * np.logspace(0, 6, 64), rng.integers(10, size=400))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert 0 <= fit_probe(part, part, part)[0] <= 1
