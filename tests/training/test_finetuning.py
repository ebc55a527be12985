"""Fine-tuning: each ingredient of a recipe does what it says, alone, stacked, and with methods."""

import copy
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from runs import QUICK, Watch, accuracies, assert_all_same, trained
from torch import Tensor

from lautum_utils.data.domains import Domain
from lautum_utils.data.tasks import TransferTask
from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import run
from lautum_utils.training import finetuning, kept_tasks
from lautum_utils.training.batches import Batch, Batches
from lautum_utils.training.experiments import Experiment, grid, stored_experiment
from lautum_utils.training.finetuning import Best, accuracy_on, finetune
from lautum_utils.training.loop import cross_entropy, make_optimizer
from lautum_utils.training.methods import STAGE_TWO_METHODS, Method, make_method
from lautum_utils.training.networks import NETWORKS, StackedNetwork, alone
from lautum_utils.training.randomness import Rows, drawn_rows, head_seed
from lautum_utils.training.recipes import RECIPES, Recipe
from lautum_utils.training.stack_data import StackData
from lautum_utils.training.stacks import count_steps, stage_one_of, stage_two_of

CPU = torch.device("cpu")
PLAIN = replace(QUICK, protocol="finetune", finetune_steps=6, strength=0.0)
CAREFUL = replace(PLAIN, recipe="careful")
RATE = PLAIN.learning_rate


@pytest.fixture(name="careful")
def _careful(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What "careful" means in a test."""

    def use(**ingredients: Any) -> Recipe:
        monkeypatch.setitem(RECIPES, "careful", Recipe(**ingredients))
        return RECIPES["careful"]

    return use


def begin(*experiments: Experiment) -> tuple[StackedNetwork, StackData]:
    """A stack of networks that have learnt nothing yet, and their data."""
    data = StackData([stage_one_of(e) for e in experiments], CPU)
    seeds = [e.seed for e in experiments]
    return NETWORKS[experiments[0].network](data.image_shape, data.source_classes, seeds), data


def steps(network: StackedNetwork, data: StackData, *experiments: Experiment) -> Iterator[int]:
    rows = range(len(experiments))
    return finetune(network, experiments, stage_two_of(experiments[0]), rows, data)


def body(network: StackedNetwork) -> Tensor:
    named = network.named_parameters()
    return torch.cat([p.detach().flatten() for name, p in named if "classifier" not in name])


def head(network: StackedNetwork) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.classifier.parameters()])


@pytest.mark.parametrize("network", NETWORKS)
def test_plain_is_adam_on_the_labelled_samples_at_the_rate_of_stage_one(network: str) -> None:
    e = replace(PLAIN, network=network)
    tuned, data = begin(e)
    by_hand = copy.deepcopy(tuned)
    for _ in steps(tuned, data, e):
        pass
    by_hand.replace_head(10, [head_seed(e.seed)])
    optimizer, chosen = make_optimizer(by_hand, RATE), data.task(0).labelled
    for rows in drawn_rows([e.seed], e.finetune_steps, e.labels, 16, Rows.LABELLED)[0]:
        optimizer.zero_grad()
        cross_entropy(by_hand(chosen.inputs[None, rows]), chosen.labels[None, rows]).backward()
        optimizer.step()
    for one, other in zip(tuned.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_head_learns_first_and_then_the_body_takes_steps_of_its_own_rate(
    network: str, careful: Any
) -> None:
    careful(head_first=0.5, learning_rate=1e-4)
    e = replace(CAREFUL, network=network)
    tuned, data = begin(e)
    start, heads, bodies = body(tuned), [], []
    for _ in steps(tuned, data, e):
        heads.append(head(tuned))
        bodies.append(body(tuned))
    assert all(torch.equal(weights, start) for weights in bodies[:3])
    assert heads[1].sub(heads[0]).abs().max() > 5e-4, "at the experiment's rate"
    assert heads[4].sub(heads[3]).abs().max() < 3e-4
    a_step = bodies[3].sub(start).abs().max().item()
    assert a_step == pytest.approx(1e-4, rel=0.05), "Adam's state begins with the body"
    assert not torch.equal(bodies[4], bodies[3])


def test_a_head_that_is_all_that_learns_leaves_the_body_as_it_is(careful: Any) -> None:
    careful(head_first=1.0)
    tuned, data = begin(CAREFUL)
    start = body(tuned)
    assert list(steps(tuned, data, CAREFUL)) == list(range(6))
    assert torch.equal(body(tuned), start)
    assert all(p.requires_grad for p in tuned.parameters())


@pytest.mark.parametrize(("rate", "expected"), [(None, RATE), (1e-4, 1e-4)])
def test_a_recipe_can_have_a_rate_of_its_own(
    rate: float | None, expected: float, careful: Any
) -> None:
    careful(learning_rate=rate)
    tuned, data = begin(CAREFUL)
    start = body(tuned)
    next(steps(tuned, data, CAREFUL))
    assert body(tuned).sub(start).abs().max().item() == pytest.approx(expected, rel=0.05)


def test_decay_pulls_the_body_back_to_the_start_and_leaves_the_head_alone(careful: Any) -> None:
    ends = []
    for share in (0.0, 0.5, 1.0):
        careful(learning_rate=1e-3, decay_to_start=share / 1e-3)
        tuned, data = begin(CAREFUL)
        start = body(tuned)
        heads = [head(tuned) for _ in steps(tuned, data, CAREFUL)]
        ends.append(body(tuned).sub(start).norm().item())
        assert heads[-1].sub(heads[0]).abs().max() > 2e-3
    assert ends[0] > 2 * ends[1] > 0
    assert ends[2] == 0, "all the way"


def test_a_step_of_decay_is_the_share_that_the_formula_says(careful: Any) -> None:
    starts, after = [], []
    for decay in (0.0, 100.0):
        careful(learning_rate=1e-3, decay_to_start=decay)
        tuned, data = begin(CAREFUL)
        starts.append(body(tuned))
        next(steps(tuned, data, CAREFUL))
        after.append(body(tuned))
    expected = after[0] - 1e-3 * 100.0 * (after[0] - starts[0])
    torch.testing.assert_close(after[1], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "of_recipe", "used"),
    [
        ("none", "none", "none"),
        ("none", "moved", "moved"),
        ("moved", "none", "moved"),
        ("mirrored", "moved", "mirrored"),
        ("moved", "mirrored", "mirrored"),
    ],
)
def test_images_are_changed_as_the_stronger_of_experiment_and_recipe_says(
    given: str, of_recipe: str, used: str, careful: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    known = Batches.at

    def at(self: Batches, step: int, unlabelled: bool | None = None) -> Any:
        seen.append(self.augment)
        return known(self, step, unlabelled)

    monkeypatch.setattr(Batches, "at", at)
    careful(augment=of_recipe)
    e = replace(CAREFUL, augment=given)
    next(steps(*begin(e), e))
    assert seen == [used]


def test_a_recipe_takes_a_multiple_of_the_steps_and_progress_counts_them(careful: Any) -> None:
    careful(steps=3)
    watch = Watch()
    run([CAREFUL, PLAIN], "cpu", progress=False, callback=watch)
    assert sum(p.stage == "finetune" for p in watch.seen) == 3 * 6 + 6
    assert watch.seen[0].total == len(watch.seen) == count_steps([CAREFUL, PLAIN])


# ------------------------------------------------------------------------------------ stopped early


@pytest.fixture(name="_looks_often")
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuning, "LOOK_EVERY", 2)


STOPPED = replace(CAREFUL, finetune_steps=15, learning_rate=0.03)


@pytest.mark.usefixtures("_looks_often")
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_the_weights_that_are_kept_are_those_of_the_best_step_by_validation(
    network: str, careful: Any
) -> None:
    careful(early_stopping=True)
    wanted = [replace(STOPPED, network=network, seed=seed) for seed in (0, 1)]
    tuned, data = begin(*wanted)
    looks: list[list[tuple[float, dict[str, Tensor]]]] = [[], []]
    for step in steps(tuned, data, *wanted):
        for row, seen in enumerate(looks):
            if step % 2 == 1 or step == 14:  # the last step is always looked at
                one = alone(tuned, row)
                reached = accuracy_on(one, data.task(row).validation)
                seen.append((reached, copy.deepcopy(one.state_dict())))
    for row, seen in enumerate(looks):
        _, expected = max(seen, key=lambda look: look[0])  # the earliest of equals
        kept = alone(tuned, row).state_dict()
        assert all(torch.equal(kept[name], expected[name]) for name in expected)


def test_each_network_of_a_stack_keeps_the_earliest_of_its_best_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tuned, data = begin(PLAIN, replace(PLAIN, seed=1))
    reached = iter([0.5, 0.2, 0.4, 0.6, 0.5, 0.3])  # of both networks, look after look
    monkeypatch.setattr(finetuning, "accuracy_on", lambda network, part: next(reached))
    best = Best(tuned, [data.task(row).validation for row in (0, 1)])
    for look in (1.0, 2.0, 3.0):
        with torch.no_grad():
            for weights in tuned.parameters():
                weights.fill_(look)
        best.look()
    best.restore()
    for weights in tuned.parameters():
        assert set(weights[0].flatten().tolist()) == {1.0}
        assert set(weights[1].flatten().tolist()) == {2.0}


@pytest.mark.usefixtures("_looks_often")
def test_the_result_has_the_best_validation_accuracy_that_was_seen(
    careful: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful(early_stopping=True)
    seen: list[float] = []
    known = Best.look

    def look(self: Best) -> None:
        known(self)
        seen.append(accuracy_on(alone(self.network, 0), self.validation[0]))

    monkeypatch.setattr(Best, "look", look)
    (result,) = trained(STOPPED)
    assert len(seen) == 8
    assert result.validation_accuracy == max(seen) > seen[0]


@pytest.fixture(name="with_other_labels")
def _with_other_labels(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Trains again, with the labels of a part of the target turned round."""
    load = kept_tasks.load_transfer_task

    def again(name: str) -> Results:
        def load_other(*args: Any, **kwargs: Any) -> TransferTask:
            task = load(*args, **kwargs)
            part: Domain = getattr(task, name)
            other = Domain(part.inputs, 9 - part.labels, part.class_names)
            return replace(task, **{name: other})

        monkeypatch.setattr(kept_tasks, "load_transfer_task", load_other)
        kept_tasks.TASKS.clear()
        return trained(STOPPED)

    yield again
    kept_tasks.TASKS.clear()


@pytest.mark.usefixtures("_looks_often")
def test_validation_samples_choose_the_step_and_test_samples_choose_nothing(
    careful: Any, with_other_labels: Any
) -> None:
    careful(early_stopping=True)
    (before,), (other_test,) = trained(STOPPED), with_other_labels("test")
    (other_validation,) = with_other_labels("validation")
    assert other_test.validation_accuracy == before.validation_accuracy
    assert other_test.test_accuracy != before.test_accuracy
    assert other_validation.test_accuracy != before.test_accuracy
    careful(early_stopping=False)
    assert with_other_labels("validation")[0].test_accuracy == trained(STOPPED)[0].test_accuracy


# --------------------------------------------------------------- alone and stacked, methods, stored


ALL = {"steps": 2, "learning_rate": 1e-2, "head_first": 0.3, "augment": "moved"} | {
    "decay_to_start": 3.0,
    "early_stopping": True,
}


@pytest.mark.usefixtures("_looks_often")
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_a_careful_run_gives_the_same_alone_and_stacked_bit_for_bit(
    network: str, careful: Any
) -> None:
    careful(**ALL)
    strengths = (0.0, 1e-2) if network == "mlp" else (0.0,)
    wanted = grid(replace(CAREFUL, network=network), strength=strengths, seed=(0, 1))
    together = trained(*wanted)
    assert_all_same(together, [trained(e)[0] for e in wanted])
    assert len({accuracies(result) for result in together}) == len(wanted)


@pytest.mark.parametrize("name", [name for name in STAGE_TWO_METHODS if name != "standard"])
def test_the_term_of_a_method_of_stage_two_is_added_at_every_step_of_a_careful_one_too(
    name: str, careful: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful(**ALL)
    method, terms = make_method(name), list[Tensor]()
    known = method.term

    def term(batch: Batch) -> Tensor:
        terms.append(known(batch))
        return terms[-1]

    def make(name: str, regularizer: Any, *how: Any) -> Method:
        method.regularizer = regularizer
        return method

    monkeypatch.setattr(method, "term", term)
    monkeypatch.setattr(finetuning, "make_method", make)
    e = replace(CAREFUL, stage_two=name, stage_two_strength=1.0)
    tuned, data = begin(e)
    for _ in steps(tuned, data, e):
        pass
    assert len(terms) == 12
    assert all(torch.isfinite(weights).all() for weights in (*terms, body(tuned), head(tuned)))


def test_what_a_method_adds_moves_the_weights(careful: Any) -> None:
    careful(**ALL | {"early_stopping": False})
    ends = []
    for weight in (0.0, 1.0):
        e = replace(CAREFUL, stage_two="lautum", stage_two_strength=weight)
        tuned, data = begin(e)
        ends += [body(tuned) for _ in steps(tuned, data, e)][3::8]
    assert torch.equal(ends[0], ends[2]), "only the head has learnt"
    assert not torch.equal(ends[1], ends[3])


def test_recipes_share_stage_one_and_not_stage_two() -> None:
    assert stage_one_of(CAREFUL) == stage_one_of(PLAIN)
    assert stage_two_of(CAREFUL) != stage_two_of(PLAIN)
    assert RECIPES["plain"] == Recipe()
    plain, careful = trained(PLAIN, CAREFUL)
    assert plain.history == careful.history


def test_results_that_were_stored_before_there_were_recipes_are_plain() -> None:
    then = {name: value for name, value in asdict(CAREFUL).items() if name != "recipe"}
    assert stored_experiment(then) == PLAIN
    assert stored_experiment(asdict(CAREFUL)) == CAREFUL


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"steps": 0}, "steps needs to be a whole number of 1 or more, got 0."),
        ({"learning_rate": 0.0}, "learning_rate needs to be None or more than 0, got 0.0."),
        ({"head_first": 1.5}, "head_first needs to be from 0 to 1, got 1.5."),
        ({"augment": "up"}, "augment needs to be one of none, moved, mirrored, got 'up'."),
        ({"decay_to_start": -1.0}, "decay_to_start needs to be 0 or more, got -1.0."),
    ],
)
def test_a_bad_recipe_is_refused(bad: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Recipe(**bad)


def test_an_experiment_needs_a_recipe_that_is_there_and_to_be_fine_tuned() -> None:
    with pytest.raises(ValueError, match="recipe needs to be one of plain, careful, got 'best'"):
        Experiment(protocol="finetune", recipe="best")
    with pytest.raises(
        ValueError, match=r"protocol needs to be finetune for a recipe \(careful\), got 'probe'"
    ):
        Experiment(recipe="careful")
