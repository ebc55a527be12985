"""Baselines: each gives what one gets by hand, and stands in a table beside the others."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from runs import QUICK, Watch, trained
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lautum_utils.data.tasks import TransferTask, load_transfer_task
from lautum_utils.results.records import read_record, write_record
from lautum_utils.results.results import Results
from lautum_utils.results.store import read_store, save_results
from lautum_utils.results.sweeps import run, sweep
from lautum_utils.training import without_network
from lautum_utils.training.baselines import BASELINES, WITHOUT_NETWORK
from lautum_utils.training.experiments import Experiment, baselines, grid
from lautum_utils.training.networks import CNN, MLP, NETWORKS, TrainedNetwork
from lautum_utils.training.outcomes import Result
from lautum_utils.training.probes import MORE_PENALTIES, Arrays, fit_probe
from lautum_utils.training.randomness import Rows, drawn_rows, head_seed
from lautum_utils.training.without_network import COMPONENTS, fit_without_network

CONTROL = replace(QUICK, strength=0.0, labels=60)


def task_of(e: Experiment) -> TransferTask:
    return load_transfer_task(e.source, e.target, e.shift, e.severity, e.seed)


def arrays(e: Experiment, represent: Any) -> list[Arrays]:
    """The target's labelled, validation and test parts, represented by hand."""
    task, n = task_of(e), e.labels
    parts = (
        (task.labelled.inputs[:n], task.labelled.labels[:n]),
        (task.validation.inputs, task.validation.labels),
        (task.test.inputs, task.test.labels),
    )
    return [(represent(x).numpy(), y.numpy()) for x, y in parts]


def outcomes(result: Result) -> tuple[object, ...]:
    """Everything but the network, so that NaN equals NaN."""
    row = [result.test_accuracy, result.validation_accuracy, result.source_accuracy, result.penalty]
    return result.experiment, str(row), result.history


# ------------------------------------------------------------------------------------------ by hand


def regressed(parts: Sequence[Arrays]) -> list[tuple[float, float]]:
    """Validation and test accuracy for each penalty, on one common scale, fitted to the end."""
    centre = parts[0][0].mean(0)
    scale = math.sqrt(parts[0][0].var(0).mean())
    (x, y), *others = (((z - centre) / scale, labels) for z, labels in parts)
    fits = [LogisticRegression(C=1 / p, max_iter=2000).fit(x, y) for p in MORE_PENALTIES]
    scores = [[fit.score(*part) for part in others] for fit in fits]
    return [(validation, test) for validation, test in scores]


def assert_near(result: Result, scores: Sequence[tuple[float, float]]) -> None:
    """Chosen on validation data among these (of near equals, rounding decides)."""
    best = max(validation for validation, _ in scores)
    assert result.validation_accuracy == pytest.approx(best, abs=0.01)
    near = [test for validation, test in scores if validation > best - 0.012]
    assert min(near) - 0.01 <= result.test_accuracy <= max(near) + 0.01


def test_pixels_is_a_logistic_regression_on_the_pixels() -> None:
    (result,) = trained(replace(CONTROL, method="pixels"))
    parts = arrays(CONTROL, lambda x: x.flatten(1).double())
    assert_near(result, regressed(parts))
    assert result.penalty in MORE_PENALTIES
    assert result.test_accuracy > 0.5


def test_components_is_a_logistic_regression_on_as_many_principal_components_as_serve_best() -> (
    None
):
    (result,) = trained(replace(CONTROL, method="components"))
    unlabelled = task_of(CONTROL).unlabelled.flatten(1).double()
    mean = unlabelled.mean(0)
    directions = torch.linalg.svd(unlabelled - mean, full_matrices=False).Vh
    scores = []
    for k in COMPONENTS:
        parts = arrays(CONTROL, lambda x, k=k: (x.flatten(1).double() - mean) @ directions[:k].T)
        scores += regressed(parts)
    assert_near(result, scores)
    assert result.test_accuracy > 0.5


def test_of_few_unlabelled_images_there_are_fewer_components() -> None:
    task = task_of(CONTROL)
    for n in (21, 6):
        probe = fit_without_network("components", replace(task, unlabelled=task.unlabelled[:n]), 60)
        assert 0.2 < probe.test_accuracy < 1


@pytest.mark.parametrize("name", NETWORKS)
def test_untrained_features_are_those_of_the_network_at_its_random_beginning(name: str) -> None:
    e = replace(CONTROL, method="untrained_features", network=name, seed=3)
    (result,) = run(e, "cpu", progress=False, keep_networks=True)
    network = NETWORKS[name]((1, 16, 16), 10, [3])
    parts = arrays(e, lambda x: network.features(x[None])[0].detach())
    probe = fit_probe(*parts, common_scale=True)
    assert (result.validation_accuracy, result.test_accuracy, result.penalty) == probe
    assert result.network is not None
    for mine, its in zip(network.parameters(), result.network.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_from_scratch_is_trained_on_the_labelled_target_images_alone() -> None:
    e = replace(CONTROL, method="from_scratch", protocol="finetune", finetune_steps=12)
    (result,) = run(e, "cpu", progress=False, keep_networks=True)
    network, task = MLP((1, 16, 16), 10, [0]), task_of(e)
    network.replace_head(10, [head_seed(0)])
    optimizer = torch.optim.Adam(network.parameters(), lr=e.learning_rate)
    for rows in drawn_rows([0], 12, e.labels, e.source_batch, Rows.LABELLED)[0]:
        optimizer.zero_grad()
        logits = network(task.labelled.inputs[rows][None])[0]
        F.cross_entropy(logits, task.labelled.labels[rows]).backward()
        optimizer.step()
    assert result.network is not None
    for mine, its in zip(network.parameters(), result.network.parameters(), strict=True):
        torch.testing.assert_close(mine.detach(), its, rtol=0, atol=1e-3)
    reached = (result.network(task.test.inputs).argmax(-1) == task.test.labels).float().mean()
    assert result.test_accuracy == pytest.approx(reached.item())
    assert result.penalty is None


def by_hand(network: TrainedNetwork, x: Tensor) -> Tensor:
    """An earlier layer, written out."""
    stack = network.stack
    if isinstance(stack, MLP):
        linear: Any = stack.hidden[0]
        return F.relu(x.flatten(1) @ linear.weight[0] + linear.bias[0, 0, :128])
    assert isinstance(stack, CNN)
    layers: Any = stack.convolutions
    for layer in layers:
        x = F.conv2d(x, layer.weight[0], layer.bias[0], stride=layer.stride, padding=1)
        x = F.relu(F.group_norm(x, 8) if len(layers) > 2 else x)
    return F.adaptive_avg_pool2d(x, min(4, x.shape[-1])).flatten(1)


@pytest.mark.parametrize(("name", "width"), [("mlp", 128), ("cnn", 512), ("large_cnn", 16 * 4)])
def test_earlier_layer_is_a_probe_on_an_earlier_layer_of_the_control(name: str, width: int) -> None:
    control = replace(CONTROL, network=name)
    earlier = replace(control, method="earlier_layer")
    one, other = run([control, earlier], "cpu", progress=False, keep_networks=True)
    assert one.network is not None
    assert other.network is not None
    for mine, its in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(mine, its)
    x = task_of(control).test.inputs
    assert one.network.earlier(x).shape == (len(x), width)
    torch.testing.assert_close(one.network.earlier(x), by_hand(one.network, x))
    probe = fit_probe(*arrays(control, one.network.earlier), common_scale=True)
    assert (other.validation_accuracy, other.test_accuracy, other.penalty) == probe
    assert (other.history, other.source_accuracy) == (one.history, one.source_accuracy)
    assert other.test_accuracy != one.test_accuracy


def test_maps_of_larger_images_are_pooled_to_4_x_4_cells() -> None:
    x = torch.rand(2, 3, 3, 32, 48)  # two models, three images
    network = CNN((3, 32, 48), 10, [0, 1])
    maps = network.maps(x, 0).reshape(3, 2, 32, 4, 2, 4, 3).mean((4, 6))
    torch.testing.assert_close(network.earlier(x), maps.transpose(0, 1).flatten(2))


# --------------------------------------------------------------------------------------- in company


@pytest.fixture(scope="module", name="together")
def _together() -> Results:
    """All baselines of two seeds, among trainings of other things."""
    others = [CONTROL, QUICK, replace(CONTROL, protocol="finetune")]
    return trained(*grid([*others, *baselines(CONTROL)], seed=(0, 1)))


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_the_same_alone_and_in_company(name: str, together: Results) -> None:
    for result in together.where(method=name):
        (alone,) = trained(result.experiment)
        assert outcomes(alone) == outcomes(result)


def test_seeds_differ_and_baselines_too(together: Results) -> None:
    reached = [r.test_accuracy for r in together if r.experiment.is_baseline]
    assert len(set(reached)) == 2 * len(BASELINES)


def test_only_what_learns_the_source_has_a_source_accuracy_and_a_history(together: Results) -> None:
    for result in together:
        learns = result.experiment.method in ("lautum", "earlier_layer")
        assert math.isnan(result.source_accuracy) != learns
        assert set(result.history) == {"step", "loss", "dependence", "target_accuracy"}
        assert all(bool(values) == learns for values in result.history.values())


def test_each_baseline_works_on_pairs_of_images_and_with_a_cnn() -> None:
    base = replace(CONTROL, shift="label_part_swap", severity=1.0, network="cnn")
    results = trained(*baselines(base))
    assert [r.experiment.method for r in results] == list(BASELINES)
    assert all(0 < r.test_accuracy < 1 for r in results)


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_progress_counts_to_its_total_and_the_controls_network_is_trained_once(
    network: str,
) -> None:
    base, watch = replace(CONTROL, network=network), Watch()
    wanted = [base, *grid(base, method=("mk_mmd", "standard")), *baselines(base)]
    wanted.append(replace(wanted[-1], labels=30))
    run(wanted, "cpu", progress=False, callback=watch)
    assert Counter(p.stage for p in watch.seen) == {
        "prepare": 4,  # with the control; at random; pixels; components
        "stage one": QUICK.steps,
        "probe": 3 + 5,
        "finetune": QUICK.finetune_steps,
    }
    assert [p.step for p in watch.seen] == list(range(1, watch.seen[0].total + 1))
    assert {p.total for p in watch.seen} == {len(watch.seen)}


def test_what_has_no_network_is_fitted_once_whatever_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []

    def fitted(name: str, task: TransferTask, labels: int) -> Any:
        asked.append((name, labels))
        return fit_without_network("pixels", task, labels)

    monkeypatch.setattr(without_network, "fit_without_network", fitted)
    wanted = grid(CONTROL, method=WITHOUT_NETWORK, network=("mlp", "cnn"), labels=(20, 30))
    results = trained(*wanted)
    assert [r.experiment for r in results] == wanted
    assert Counter(asked) == Counter((n, labels) for n in WITHOUT_NETWORK for labels in (20, 30))
    for labels in (20, 30):
        assert len({r.test_accuracy for r in results.where(method="pixels", labels=labels)}) == 1


# ------------------------------------------------------------------------------------------- stored


def test_a_sweep_stores_baselines_and_reads_them_back(together: Results, tmp_path: Path) -> None:
    wanted = baselines(CONTROL)
    swept = sweep(wanted, tmp_path, device="cpu", progress=False)
    its = {r.experiment: outcomes(r) for r in together}
    assert [outcomes(r) for r in swept] == [its[e] for e in wanted]
    assert {outcomes(r)[1] for r in read_store(tmp_path)} == {its[e][1] for e in wanted}
    assert all("NaN" not in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    again = sweep(wanted, tmp_path, device="cpu", progress=False)
    assert [outcomes(r) for r in again] == [outcomes(r) for r in swept], "nothing is run again"


def test_a_record_and_a_list_hold_baselines(together: Results, tmp_path: Path) -> None:
    write_record(together, tmp_path / "r")
    found, _ = read_record(tmp_path / "r")
    for result in together:
        kept = found[result.experiment]
        assert math.isnan(kept.source_accuracy) == math.isnan(result.source_accuracy)
        assert kept.test_accuracy == pytest.approx(result.test_accuracy, abs=1e-5)
        assert (kept.penalty, len(kept.history["loss"])) == (
            result.penalty,
            len(result.history["loss"]),
        )
    save_results(together, tmp_path / "list.json")
    text = (tmp_path / "list.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    rows = json.loads(text)
    assert [row["source_accuracy"] is None for row in rows] == [
        math.isnan(r.source_accuracy) for r in together
    ]


# ---------------------------------------------------------------------------------------- asked for


def test_a_baseline_has_no_strength_and_is_once_in_a_grid() -> None:
    pixels = Experiment(method="pixels", strength=0.5)
    assert pixels == Experiment(method="pixels", strength=0.0)
    assert pixels.is_baseline
    assert not pixels.is_control
    both = grid(QUICK, method=("lautum", "pixels"), strength=(0.0, 1e-3), seed=(0, 1))
    assert [e.method for e in both] == ["lautum"] * 4 + ["pixels"] * 2
    assert [e.seed for e in both] == [0, 1] * 3
    back = replace(pixels, method="lautum", strength=1e-3)
    assert back == Experiment(strength=1e-3)


def test_baselines_beside_an_experiment_have_its_data_and_their_own_protocol() -> None:
    base = Experiment(
        protocol="finetune", stage_two="lautum", stage_two_strength=0.1, seed=3, labels=50
    )
    made = baselines(base)
    assert [e.method for e in made] == list(BASELINES)
    assert [e.protocol for e in made] == [b.protocol for b in BASELINES.values()]
    assert {(e.seed, e.labels, e.stage_two, e.stage_two_strength) for e in made} == {
        (3, 50, "standard", 0.0)
    }
    assert baselines(made[0], ["from_scratch"]) == [made[3]]
    assert baselines(base, ()) == []
    assert all(b.about for b in BASELINES.values())


def test_the_recipe_of_fine_tuning_is_kept_by_what_is_fine_tuned_only() -> None:
    made = baselines(Experiment(protocol="finetune", recipe="careful"))
    recipes = {e.method: e.recipe for e in made}
    assert recipes == {name: "plain" for name in BASELINES} | {"from_scratch": "careful"}
    assert [e.protocol for e in made] == [b.protocol for b in BASELINES.values()]


def test_a_baseline_with_a_protocol_that_is_not_its_own_is_refused() -> None:
    for name, baseline in BASELINES.items():
        other = "probe" if baseline.protocol == "finetune" else "finetune"
        told = (
            f"^protocol needs to be {baseline.protocol} for the baseline {name}, got '{other}'\\.$"
        )
        with pytest.raises(ValueError, match=told):
            Experiment(method=name, protocol=other)


def test_unknown_names_and_more_labels_than_there_are_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"^names need to be among pixels, .*, got 'pixel'\.$"):
        baselines(QUICK, ["pixels", "pixel"])
    with pytest.raises(
        ValueError, match=r"^name needs to be pixels or components, got 'earlier_layer'\.$"
    ):
        fit_without_network("earlier_layer", task_of(QUICK), 20)
    for name in ("dark", "light"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(40):
            Image.new("L", (8, 8), k + 100 * (name == "light")).save(
                tmp_path / "own" / name / f"{k}.png"
            )
    own = replace(QUICK, target=f"folder:{tmp_path / 'own'}", method="pixels")
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    assert trained(own)[0].test_accuracy == 1
    with pytest.raises(ValueError, match=r"labels needs to be at most \d\d for the target folder:"):
        trained(replace(own, labels=200))


def test_a_method_stands_against_a_baseline(together: Results) -> None:
    lautum = together.where(method="lautum", strength=QUICK.strength)
    pixels = together.where(method="pixels")
    difference = lautum.against(pixels)
    by_seed = [a.test_accuracy - b.test_accuracy for a, b in zip(lautum, pixels, strict=True)]
    assert difference.mean == pytest.approx(np.mean(by_seed))
    assert lautum.verdict(control=pixels).startswith("weight 0.01, chosen on validation data, is ")
    assert " pixels: " in lautum.verdict(control=pixels)
    table = together.where(labels=60).gain()
    assert set(table.method) == {"lautum", *BASELINES}
