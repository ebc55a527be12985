"""Stacks: who trains beside whom changes no result, to the last bit."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache

import pytest
import torch
from runs import QUICK, assert_all_same, assert_same, trained

from lautum_utils.results.results import Results
from lautum_utils.results.sweeps import run
from lautum_utils.training import stacks as stacking
from lautum_utils.training.experiments import Experiment, baselines, grid
from lautum_utils.training.outcomes import Result
from lautum_utils.training.stacks import count_steps, stacks, stage_one_of, stage_two_of

MANY = [
    QUICK,
    replace(QUICK, seed=1),
    replace(QUICK, strength=1e-3, protocol="finetune"),
    replace(QUICK, shift="rotation", severity=0.3),
    replace(QUICK, shift="rotation", severity=0.6, labels=30, strength=0.0),
]


@pytest.fixture(scope="module", name="together")
def _together() -> Results:
    return trained(*MANY)


def test_a_run_gives_the_same_twice_bit_for_bit(together: Results) -> None:
    assert_all_same(together, trained(*MANY))


def test_a_run_gives_the_same_alone_and_stacked_bit_for_bit(together: Results) -> None:
    assert_all_same(together, [trained(experiment)[0] for experiment in MANY])
    assert len({r.history["loss"][-1] for r in together}) == len(MANY), "five different trainings"


# By name, what the networks of a stack have in common; each is trained alone and stacked with other
# strengths, seeds, shifts.
LONGER = replace(QUICK, steps=20, shift="rotation", severity=0.4)


STACKS: dict[str, Experiment] = {
    "the usual sizes": replace(LONGER, source_batch=64, target_batch=256, n_components=64),
    "fine-tuned": replace(LONGER, protocol="finetune", finetune_steps=20),
    "on pairs of images": replace(LONGER, shift="label_part_swap"),
    "of the logits": replace(LONGER, layer="logits", method="mutual_information_maximised"),
    "of the source": replace(
        LONGER, inputs="source", source="letters", target="digits", method="mutual_information"
    ),
    "badly conditioned": replace(LONGER, shift="blur", severity=1.0, n_components=64),
    "cnn": replace(LONGER, network="cnn"),
    "at every third step": replace(LONGER, every=3, method="mk_mmd"),
    "at every third step, augmented": replace(LONGER, every=3, augment="moved"),
}


@cache
def alone(name: str) -> Result:
    return trained(STACKS[name])[0]


def company(one: Experiment) -> list[Experiment]:
    """It among others, in the middle, with a control of its own."""
    # images of the same size
    shift = "label_part_swap" if one.shift == "label_part_swap" else "contrast"
    others = [
        replace(one, seed=2),
        replace(one, severity=0.2),
        replace(one, strength=1e-4),
        replace(one, strength=0.0),
    ]
    more = [replace(one, seed=1, strength=1e-3, shift=shift, severity=0.6), replace(one, seed=1)]
    return [*others[:2], one, *others[2:], *more]


@pytest.mark.parametrize("name", STACKS)
def test_a_run_gives_the_same_alone_and_in_stacks_of_several_sizes_bit_for_bit(name: str) -> None:
    many, one = company(STACKS[name]), alone(name)
    together, of_two = trained(*many), trained(many[2], many[-1])
    assert_same(together[2], one)
    assert_all_same(of_two, [one, together[-1]])
    assert len(one.history["loss"]) == 20
    assert len({(*r.history["loss"], r.test_accuracy) for r in together}) == len(many), (
        "different trainings"
    )


def test_weight_0_gives_the_same_alone_and_asked_for_among_others_bit_for_bit() -> None:
    one = STACKS["the usual sizes"]
    control = replace(one, strength=0.0)
    controls = [control, replace(control, protocol="finetune", finetune_steps=20)]
    single = trained(*controls)
    others = [e for e in company(one) if e != control]
    assert_all_same(trained(*others, *controls)[-2:], single)
    seeds = [
        replace(control, seed=seed, severity=severity) for seed in (1, 2) for severity in (0.2, 0.4)
    ]
    assert_all_same(trained(*seeds[:3], *controls, *others, *seeds[3:])[3:5], single)
    assert_same(trained(control)[0], single[0])


def test_with_odd_batch_sizes_company_changes_rounding_only() -> None:
    odd = replace(LONGER, source_batch=7, target_batch=45, n_components=5, labels=37, steps=5)
    stacked, alone = trained(*company(odd))[2].history["loss"], trained(odd)[0].history["loss"]
    assert stacked[:3] == pytest.approx(alone[:3], rel=1e-3), "before training makes more of it"
    assert stacked == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_run_gives_the_same_however_its_stacks_are_cut(most: int, together: Results) -> None:
    cut = stacks(MANY, "cpu", most)
    assert max(len(set(map(stage_one_of, stack))) for stack in cut) == most
    found = {result.experiment: result for stack in cut for result in trained(*stack)}
    assert_all_same([found[experiment] for experiment in MANY], together)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_gives_the_same_in_a_worker_process_with_one_thread_and_with_two_bit_for_bit(
    threads: int, together: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Threads share the sums of a convolution, and those of a principal component analysis, where
    # blurred images amplify it.
    here = torch.get_num_threads()  # where the others run alone
    alike = min(threads, os.cpu_count() or 1) == here
    even = [name for name in STACKS if alike or name not in ("cnn", "badly conditioned")]
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, str(threads))
    # A thread that waits leaves its core to the other tests.
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        assert executor.submit(torch.get_num_threads).result() == min(threads, os.cpu_count() or 1)
        wanted = [*MANY, *(STACKS[name] for name in even)]
        there = executor.submit(run, wanted, "cpu", progress=False).result()
    assert_all_same(there, [*together, *map(alone, even)])


def test_cnns_and_pairs_give_the_same_alone_and_together_bit_for_bit() -> None:
    both = [
        replace(QUICK, network="cnn", shift="label_part_swap", severity=1.0, seed=seed)
        for seed in (0, 1)
    ]
    assert_all_same(trained(*both), [trained(experiment)[0] for experiment in both])


@pytest.mark.parametrize("network", ["mlp", "large_cnn"])
def test_augmented_runs_are_the_same_alone_and_stacked_and_the_sources_images_are_the_controls(
    network: str,
) -> None:
    base = replace(QUICK, network=network, augment="moved")
    wanted = grid(base, strength=(0.0, 1e-7), seed=(0, 1), protocol=("probe", "finetune"))
    together = trained(*wanted)
    for result in together[1::3]:
        assert_same(result, trained(result.experiment)[0])
    for protocol in ("probe", "finetune"):
        alike = together.where(seed=0, protocol=protocol)
        control, regularized = (result.history["loss"] for result in alike)
        assert control == pytest.approx(regularized, rel=1e-2)
        assert control != regularized
    (plain,) = trained(replace(wanted[1], augment="none"))
    assert plain.history["loss"] != together[1].history["loss"]


# ------------------------------------------------------------------------------------ who with whom


def test_what_mixes_shares_a_stack_and_what_does_not_has_one_of_its_own() -> None:
    mixed = grid(QUICK, strength=(1e-3, 1e-2), seed=(0, 1), severity=(0.2, 0.4), shift="blur")
    assert [len(stack) for stack in stacks(mixed, "cpu")] == [8]
    of_stage_one = (
        {"method": "mk_mmd"}, {"layer": "logits"}, {"inputs": "source"}, {"n_components": 9},
        {"ridge": 0.1}, {"steps": 6}, {"source_batch": 32}, {"target_batch": 32},
        {"augment": "moved"}, {"learning_rate": 1e-2}, {"strength": 0.0},
        {"decay": 0.9},
    )  # fmt: skip
    of_data = (
        {"target": "digits"}, {"source": "letters"}, {"shift": "label_part_swap"},
        {"unlabelled": 99}, {"labelled": 50}, {"validation": 99}, {"test": 0},
    )  # fmt: skip
    for change in (*of_stage_one, *of_data):
        both = [QUICK, replace(QUICK, **change)]
        assert stacks(both, "cpu") == [[e] for e in both], change


def test_experiments_that_share_stage_one_are_one_network_and_never_parted() -> None:
    two = {"labels": 30}, {"protocol": "finetune"}, {"protocol": "finetune", "finetune_steps": 7}
    alike = [QUICK, *(replace(QUICK, **change) for change in two)]
    assert {stage_one_of(e) for e in alike} == {stage_one_of(QUICK)}
    assert len({stage_two_of(e) for e in alike}) == 4
    others = [replace(e, seed=1) for e in alike]
    assert stacks([*alike, *others, *alike], "cpu", 1) == [alike, others]
    assert stacks([*alike, *others], "cpu") == [[*alike, *others]]


def test_at_weight_0_all_methods_are_one_network_but_for_what_is_measured() -> None:
    names = "lautum", "mk_mmd", "standard", "earlier_layer"
    controls = grid(QUICK, method=names, strength=0.0)
    assert {stage_one_of(e) for e in controls} == {stage_one_of(controls[2])}
    mutual = grid(
        QUICK, method=("mutual_information", "mutual_information_maximised"), strength=0.0
    )
    assert len({stage_one_of(e) for e in [*controls, *mutual]}) == 2
    assert stage_one_of(replace(QUICK, method="standard")) == stage_one_of(controls[2])
    assert stacks([*controls, QUICK], "cpu") == [controls, [QUICK]]


def test_baselines_share_what_they_begin_from_and_nothing_else() -> None:
    base = replace(QUICK, network="cnn")
    pixels, components, untrained, scratch, earlier = baselines(base)
    assert stage_one_of(untrained) == stage_one_of(scratch)
    assert stage_one_of(pixels) == stage_one_of(replace(pixels, network="mlp", steps=9))
    together = [*baselines(base), replace(base, strength=0.0)]
    alike = [[pixels], [components], [untrained, scratch], [earlier, together[-1]]]
    assert stacks(together, "cpu") == alike


def test_a_method_of_stage_two_at_weight_0_is_the_control_of_stage_two() -> None:
    tuned = replace(QUICK, protocol="finetune")
    off = replace(tuned, stage_two="lautum")
    on = replace(off, stage_two_strength=0.1)
    assert stage_two_of(off) == stage_two_of(tuned) != stage_two_of(on)
    assert stage_two_of(on).method == "lautum"


def test_convolutions_train_one_by_one_on_a_cpu_and_a_stack_takes_no_more_than_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = grid(QUICK, strength=range(1, 41))
    assert [len(stack) for stack in stacks(weights, "cpu")] == [stacking.MAX_NETWORKS, 4]
    cnns = grid(QUICK, network=("cnn", "large_cnn"), seed=range(3))
    assert [len(stack) for stack in stacks(cnns, "cpu")] == [1] * 6
    monkeypatch.setattr(stacking, "MEMORY", 1)
    assert [len(stack) for stack in stacks(weights[:3], "cpu")] == [1, 1, 1]
    assert stacks([], "cpu") == []


def test_the_steps_of_a_stack_are_those_that_its_progress_tells() -> None:
    stack = [QUICK, replace(QUICK, labels=30), replace(QUICK, protocol="finetune", seed=1)]
    assert count_steps(stack) == 2 + QUICK.steps + 2 + QUICK.finetune_steps
