"""A run: every setting does what it says, progress is told, and a callback can stop it."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image
from runs import QUICK, Watch, accuracies, assert_same, trained
from torch import Tensor

from lautum_utils.data.domains import Domain
from lautum_utils.data.tasks import TransferTask, load_transfer_task
from lautum_utils.results.sweeps import run
from lautum_utils.training import kept_tasks
from lautum_utils.training import run as running
from lautum_utils.training.batches import Batch
from lautum_utils.training.experiments import Experiment, grid
from lautum_utils.training.methods import METHODS, Lautum, make_regularizer
from lautum_utils.training.networks import NETWORKS, StackedNetwork, TrainedNetwork
from lautum_utils.training.outcomes import Progress, Result
from lautum_utils.training.probes import PENALTIES, fit_probe
from lautum_utils.training.run import run_each


def test_results_come_in_the_order_asked_with_duplicates() -> None:
    finetuned = replace(QUICK, strength=1e-3, protocol="finetune")
    wanted = [finetuned, QUICK, replace(QUICK, method="standard"), QUICK]
    results = trained(*wanted)
    assert [r.experiment for r in results] == wanted
    assert_same(results[1], results[3])
    assert run(QUICK, "cpu", progress=False)[0].experiment == QUICK
    assert not trained()
    assert results[0].as_row()["protocol"] == "finetune"
    assert results[0].as_row()["test_accuracy"] == results[0].test_accuracy


@pytest.mark.parametrize("network", NETWORKS)
def test_strength_0_is_standard_transfer_bit_for_bit(network: str) -> None:
    control = replace(QUICK, network=network, steps=20, severity=0.4, shift="rotation")
    standard, lautum, mutual = trained(
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
    on, source, logits, off, off_source = trained(
        settings,
        replace(settings, inputs="source"),
        replace(settings, layer="logits"),
        replace(settings, strength=0.0),
        replace(settings, strength=0.0, inputs="source"),
    )
    final = [r.history["loss"][-1] for r in (on, source, logits, off)]
    measures = method in ("lautum", "mutual_information", "mutual_information_maximised")
    assert len(set(final)) == (4 if measures else 3), "the layer is where dependence is measured"
    assert off.history["loss"] == off_source.history["loss"]
    assert accuracies(off) == accuracies(off_source)


def test_each_method_moves_the_dependence_the_way_it_says() -> None:
    signs = {"lautum": 1, "mutual_information": -1, "mutual_information_maximised": 1}
    pairs = [replace(QUICK, method=m, steps=20, strength=s) for m in signs for s in (0.5, 0.0)]
    final = [r.history["dependence"][-1] for r in trained(*pairs)]
    for sign, on, off in zip(signs.values(), final[::2], final[1::2], strict=True):
        assert sign * (on - off) > 0.2


def test_histories_are_equally_long_and_the_source_is_learned() -> None:
    result = trained(replace(QUICK, steps=60, source_batch=64, strength=0.0))[0]
    assert set(result.history) == {"step", "loss", "dependence", "target_accuracy"}
    assert len({len(values) for values in result.history.values()}) == 1
    assert result.history["step"][0] == 1
    assert result.history["step"][-1] == 60
    assert result.history["loss"][-1] < 0.5 * result.history["loss"][0]
    assert result.source_accuracy > 0.7
    assert result.penalty in PENALTIES


def test_more_labels_help_and_more_than_there_are_are_refused() -> None:
    fewest, most = trained(replace(QUICK, labels=10), replace(QUICK, labels=400))
    assert most.test_accuracy > fewest.test_accuracy + 0.1
    with pytest.raises(ValueError, match=r"labels.*401"):
        trained(replace(QUICK, labels=401))


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
    assert 0 <= trained(Experiment(steps=2, labels=10, **settings))[0].test_accuracy <= 1


def test_a_folder_of_your_own_is_a_target_and_tells_what_it_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    for value, name in enumerate(("dark", "light", "lighter")):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(60):
            Image.new("L", (20, 20), 80 * value + k % 20).save(tmp_path / "own" / name / f"{k}.png")
    (tmp_path / "own" / "dark" / "1.heic").write_bytes(b"")
    e = replace(QUICK, target=f"folder:{tmp_path / 'own'}", labels=20, steps=30, finetune_steps=60)
    with pytest.warns(UserWarning, match="1 of 181 files passed over: .*1.heic") as warned:
        results = run([e, replace(e, protocol="finetune")], "cpu", progress=False)
    assert len(warned) == 1
    assert capsys.readouterr() == ("", "")
    for result in results:
        assert result.test_accuracy > 0.6
    with pytest.raises(
        ValueError, match=r"labels needs to be at most \d\d for the target folder:.*, got 200"
    ):
        run(replace(e, labels=200), "cpu", progress=False)


@pytest.mark.parametrize("classes", [2, 30])
def test_a_target_may_have_two_classes_or_thirty_with_a_label_for_each(
    classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    for number in range(classes):
        (tmp_path / "own" / f"{number:02}").mkdir(parents=True)
        for k in range(60):
            image = Image.new("L", (9, 9), 8 * number + k % 8)
            image.save(tmp_path / "own" / f"{number:02}" / f"{k}.png")
    e = replace(QUICK, target=f"folder:{tmp_path / 'own'}", labels=max(10, classes))
    for result in trained(e, replace(e, protocol="finetune"), replace(e, source=e.target)):
        assert 0 <= result.test_accuracy <= 1
    if classes > 10:
        with pytest.raises(ValueError, match=r"for each of the 30 classes of .*own, got 29\.$"):
            trained(replace(e, labels=29))


@pytest.mark.parametrize("network", NETWORKS)
def test_stage_one_is_shared_and_the_callback_counts_to_the_total(network: str) -> None:
    base = replace(QUICK, network=network)
    others = {"labels": 30}, {"protocol": "finetune"}, {"seed": 1}
    watch = Watch()
    run(
        [base, *(replace(base, **other) for other in others)], "cpu", progress=False, callback=watch
    )
    models = 1 if network == "mlp" else 2  # on a CPU MLPs train stacked, CNNs one by one
    assert Counter(p.stage for p in watch.seen) == {
        "prepare": 2,
        "stage one": 5 * models,
        "probe": 3,
        "finetune": 3,
    }
    assert [p.step for p in watch.seen] == list(range(1, watch.seen[0].total + 1))
    assert {p.total for p in watch.seen} == {len(watch.seen)}
    assert all(len(p.experiments) == len(p.histories) for p in watch.seen)


def test_callback_that_returns_true_stops_and_leaves_what_is_finished() -> None:
    cnns = [replace(QUICK, network="cnn", seed=seed) for seed in (0, 1)]
    watch = Watch(lambda p: p.stage == "stage one" and p.experiments[0].seed == 1)
    results = run(cnns, "cpu", progress=False, callback=watch)
    assert [r.experiment for r in results] == cnns[:1]
    until_then = ["prepare", *["stage one"] * 5, "probe", "prepare", "stage one"]
    assert [p.stage for p in watch.seen] == until_then
    assert not run(QUICK, "cpu", progress=False, callback=lambda progress: True)


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


@pytest.fixture(name="_no_class_3")
def _without_a_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    load = kept_tasks.load_transfer_task

    def load_without(*args: Any, **kwargs: Any) -> TransferTask:
        task = load(*args, **kwargs)
        labels = torch.where(task.labelled.labels == 3, 4, task.labelled.labels)
        domain = Domain(task.labelled.inputs, labels, tuple("abcdefghij"))
        return replace(task, labelled=domain)

    monkeypatch.setattr(kept_tasks, "load_transfer_task", load_without)
    kept_tasks.TASKS.clear()
    yield
    kept_tasks.TASKS.clear()


@pytest.mark.usefixtures("_no_class_3")
@pytest.mark.parametrize("protocol", ["probe", "finetune"])
def test_a_labelled_set_without_one_of_the_classes_is_refused(protocol: str) -> None:
    with pytest.raises(
        ValueError, match="labelled set needs a sample of every class, got none of class d in 20"
    ):
        trained(replace(QUICK, protocol=protocol))


# ------------------------------------------------------------- one result after the other, networks


def test_each_result_is_yielded_as_soon_as_it_is_there_and_nothing_more_is_trained() -> None:
    cnns = [replace(QUICK, network="cnn", seed=seed) for seed in (0, 1)]
    watch = Watch()
    each = run_each(cnns, "cpu", progress=False, callback=watch)
    assert not watch.seen, "nothing begins before it is asked for"
    result = next(each)
    assert result.experiment == cnns[0]
    assert result.network is None, "nothing is kept that was not asked for"
    assert {p.experiments[0].seed for p in watch.seen} == {0}
    each.close()
    assert_same(result, trained(cnns[0])[0])


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_the_networks_that_are_kept_reach_what_their_results_say(network: str) -> None:
    base = replace(QUICK, network=network, labels=40)
    wanted = [base, replace(base, seed=1), replace(base, protocol="finetune"), base]
    results = run(wanted, "cpu", progress=False, keep_networks=True)
    for result, plain in zip(results, trained(*wanted), strict=True):
        assert_same(result, plain)
        e, kept = result.experiment, result.network
        assert isinstance(kept, TrainedNetwork)
        task = load_transfer_task(e.source, e.target, e.shift, e.severity, e.seed)
        assert not any(parameter.requires_grad for parameter in kept.parameters())
        assert kept.features(task.test.inputs).shape == (len(task.test), 64)
        if e.protocol == "finetune":
            predicted = kept(task.test.inputs).argmax(-1)
            assert (predicted == task.test.labels).float().mean().item() == result.test_accuracy
            continue
        tested = kept(task.source_test.inputs).argmax(-1) == task.source_test.labels
        assert tested.float().mean().item() == result.source_accuracy
        chosen = task.labelled.inputs[: e.labels], task.labelled.labels[: e.labels]
        others = ((part.inputs, part.labels) for part in (task.validation, task.test))
        parts = [(kept.features(x).numpy(), y.numpy()) for x, y in (chosen, *others)]
        probe = fit_probe(*parts)
        assert (probe.validation_accuracy, probe.test_accuracy, probe.penalty) == (
            result.validation_accuracy,
            result.test_accuracy,
            result.penalty,
        )


def test_networks_that_are_kept_share_no_weights() -> None:
    base = replace(QUICK, labels=40)
    pair = [base, replace(base, seed=1), replace(base, labels=20)]
    one, other, again = (r.network for r in run(pair, "cpu", progress=False, keep_networks=True))
    assert one is not None
    assert other is not None
    assert again is not None
    images = torch.rand(3, 1, 16, 16)
    before = other(images), again(images)
    assert not torch.equal(one(images), before[0])
    assert torch.equal(one(images), before[1]), "stage one is shared"
    with torch.no_grad():
        for parameter in one.parameters():
            parameter += 1
    assert torch.equal(other(images), before[0])
    assert torch.equal(again(images), before[1])


def test_plain_fine_tuning_needs_no_regularizer_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    whitened = []

    def watched(*arguments: Any) -> Any:
        whitened.append(arguments)
        return make_regularizer(*arguments)

    monkeypatch.setattr(kept_tasks, "make_regularizer", watched)
    kept_tasks.TASKS.clear()
    run(replace(QUICK, inputs="source", protocol="finetune"), "cpu", progress=False)
    assert len(whitened) == 1, "of stage one, for the source's inputs"


class Counted(Lautum):
    """Keeps the steps at which it is asked for its term."""

    steps: ClassVar[list[int]] = []

    def term(self, batch: Batch) -> Tensor:
        self.steps.append(batch.step)
        return super().term(batch)


def test_at_every_mth_step_the_term_is_m_times_as_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a term that is the same at each step, plain gradient descent ends where it ends with the
    term at every step."""
    monkeypatch.setattr(running, "make_optimizer", _descent)
    monkeypatch.setattr(Lautum, "term", _pull_on_the_last_bias)
    base = replace(QUICK, steps=12, strength=0.5, learning_rate=0.01, source_batch=64)
    results = run(grid(base, every=(1, 4)), "cpu", progress=False, keep_networks=True)
    control = run(replace(base, strength=0.0), "cpu", progress=False, keep_networks=True)[0]
    biases = [_head_bias(result) for result in [*results, control]]
    pulled = biases[0] - biases[2]
    torch.testing.assert_close(biases[1] - biases[2], pulled, rtol=0.02, atol=1e-4)
    assert pulled.abs().min() > 0.01


def test_the_term_is_asked_for_at_every_mth_step_only_and_the_history_is_as_long_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counted, "steps", [])
    monkeypatch.setattr(running, "make_method", lambda name, *how: Counted(*how))
    base = replace(QUICK, steps=40)
    histories = [trained(replace(base, every=every))[0].history for every in (1, 7)]
    assert Counted.steps == [*range(40), *range(0, 40, 7)]
    assert histories[0]["step"] == histories[1]["step"]
    assert all(len(values) == len(histories[0]["step"]) for values in histories[1].values())
    assert min(histories[1]["dependence"]) > 0


@pytest.mark.parametrize("method", [name for name in METHODS if name != "standard"])
def test_each_method_can_act_at_every_mth_step(method: str) -> None:
    base = replace(QUICK, method=method, steps=9)
    rarely, control = trained(replace(base, every=4), replace(base, strength=0.0))
    assert rarely.history["loss"][-1] != control.history["loss"][-1]
    assert all(map(math.isfinite, rarely.history["loss"]))


def _descent(network: StackedNetwork, learning_rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=learning_rate)


def _pull_on_the_last_bias(self: Lautum, batch: Batch) -> Tensor:
    return batch.network.classifier.bias[:, 0, :10].sum(-1)


def _head_bias(result: Result) -> Tensor:
    assert result.network is not None
    return result.network.stack.classifier.bias[0, 0, :10]
