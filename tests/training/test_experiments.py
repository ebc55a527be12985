"""Experiments: fields that say what they can be, and every combination of them."""

import json
import re
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from runs import QUICK

from lautum_utils.training.experiments import SETTINGS, Experiment, grid, stored_experiment
from lautum_utils.training.outcomes import Result
from lautum_utils.training.settings import ACTS, Setting, documented, setting, settings_of


def test_experiment_is_frozen_and_hashable_and_equal_by_value() -> None:
    assert Experiment(severity=1, shift="blur") == Experiment(severity=1.0, shift="blur")
    assert len({Experiment(), Experiment(seed=0), Experiment(seed=1)}) == 2
    with pytest.raises(FrozenInstanceError):
        QUICK.seed = 1  # type: ignore[misc]


NAMED = [name for name, known in SETTINGS.items() if known.choices or known.check]
WHOLE = [name for name, known in SETTINGS.items() if known.whole]
NUMBERS = [name for name in SETTINGS if name not in (*NAMED, *WHOLE)]
BAD: list[tuple[str, Any]] = [
    *((name, "nonsense") for name in NAMED),
    *((name, bad) for name in WHOLE for bad in (SETTINGS[name].least - 1, 2.5, True, "20", None)),
    *((name, bad) for name in NUMBERS for bad in (-0.5, float("nan"), float("inf"), True, "1")),
    *(("labels", 9), ("labels", 401), ("source_batch", 1), ("target_batch", 1), ("steps", 0)),
    *(("seed", -1), ("seed", 2**31), ("severity", 1.5)),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_experiment_names_a_bad_field_and_its_value(
    field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A reader meets our errors, not jaxtyping's.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=rf"^{field} needs to be .*, got '?{value}'?\.$"):
        Experiment(**{field: value})


def test_a_method_of_stage_two_needs_finetuning_and_a_known_name() -> None:
    with pytest.raises(ValueError, match="protocol needs to be finetune for a method in stage two"):
        Experiment(stage_two="temporal_ensembling", stage_two_strength=1.0)
    with pytest.raises(
        ValueError, match=r"stage_two needs to be one of standard, .*, got 'mk_mmd'"
    ):
        Experiment(protocol="finetune", stage_two="mk_mmd")
    with pytest.raises(
        ValueError, match="stage_two_strength needs to be a finite number of 0 or more, got -1"
    ):
        Experiment(protocol="finetune", stage_two_strength=-1)


def test_what_is_allowed_is_said_in_words() -> None:
    said = {
        "labels": "labels needs to be at most labelled (400), got 401.",
        "steps": "steps needs to be a whole number of 1 or more, got 0.",
        "severity": "severity needs to be from 0 to 1, got 1.5.",
        "strength": "strength needs to be a finite number of 0 or more, got -1.",
        "protocol": "protocol needs to be one of probe, finetune, got 'zero-shot'.",
    }
    bad = {"labels": 401, "steps": 0, "severity": 1.5, "strength": -1, "protocol": "zero-shot"}
    for name, sentence in said.items():
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            Experiment(**{name: bad[name]})


def test_a_number_is_kept_as_a_float_and_a_whole_number_as_it_is() -> None:
    e = Experiment(severity=1, strength=0, labels=10)
    assert isinstance(e.severity, float)
    assert isinstance(e.strength, float)
    assert isinstance(e.labels, int)
    for name, known in SETTINGS.items():
        default = getattr(Experiment(), name)
        assert known.checked(name, default) == default


MADE_BY = {
    "numpy": (np.int64, np.float32),
    "torch": (torch.tensor, torch.tensor),
    "arrays": (np.array, np.array),
}


@pytest.mark.parametrize("maker", MADE_BY)
@pytest.mark.usefixtures("unchecked")
def test_numbers_of_any_make_are_kept_as_plain_ones(maker: str) -> None:
    whole, number = MADE_BY[maker]
    wanted = Experiment(seed=1, strength=1e-3)
    given = {n: whole(getattr(wanted, n)) for n in WHOLE}
    given |= {n: number(getattr(wanted, n)) for n in NUMBERS}
    found = Experiment(**given)
    assert hash(found) == hash(wanted)
    assert json.dumps(asdict(found)) == json.dumps(asdict(wanted))
    assert grid(QUICK, seed=np.arange(2), strength=number(1e-3)) == grid(
        QUICK, seed=[0, 1], strength=1e-3
    )


def test_only_what_uses_unlabelled_inputs_is_no_control() -> None:
    assert Experiment(method="standard").is_control
    assert Experiment(strength=0.0).is_control
    assert not Experiment().is_control


# ----------------------------------------------------------------------------------------- settings


def test_every_field_says_what_it_is_where_it_acts_and_what_it_can_be() -> None:
    assert list(SETTINGS) == [field.name for field in fields(Experiment)]
    text = " ".join(str(Experiment.__doc__).split())
    places = [text.index(f"{acts.capitalize()}:") for acts in ACTS]
    assert places == sorted(places)
    ends = dict(zip(ACTS, [*places[1:], len(text)], strict=True))
    begins = dict(zip(ACTS, places, strict=True))
    for name, known in SETTINGS.items():
        default = getattr(Experiment(), name)
        line = f"{name} = {default!r}: {known.about}; {known.allowed}."
        assert text.count(line) == 1
        assert begins[known.acts] < text.index(line) < ends[known.acts]
    assert max(map(len, str(Experiment.__doc__).splitlines())) <= 100


def test_every_choice_is_a_value_and_every_range_ends_where_it_says() -> None:
    for name, known in SETTINGS.items():
        for choice in known.choices:
            finetuned = name in ("stage_two", "recipe") or choice == "from_scratch"
            protocol = {"protocol": "finetune"} if finetuned else {}
            assert getattr(Experiment(**{name: choice} | protocol), name) == choice
        if not known.choices and known.check is None:
            for end in (known.least, known.most):
                if end != float("inf"):
                    assert getattr(Experiment(**{"labels": 10} | {name: end}), name) == end


def test_what_may_differ_in_a_stack_is_no_shape_and_no_way_to_train() -> None:
    mixed = {name for name, known in SETTINGS.items() if known.mixes}
    assert mixed == {"shift", "severity", "strength", "seed"}


def test_settings_of_another_class_are_checked_and_documented_alike() -> None:
    @documented
    @dataclass
    class Cake:
        """A cake."""

        layers: int = setting(3, "how many", "data", whole=True, least=1, most=5)
        icing: str = setting("none", "on top", "stage two", choices=("none", "sugar"))

    known = settings_of(Cake)
    assert list(known) == ["layers", "icing"]
    assert "layers = 3: how many; a whole number from 1 to 5." in str(Cake.__doc__)
    assert "icing = 'none': on top; 'none' or 'sugar'." in str(Cake.__doc__)
    assert str(Cake.__doc__).startswith("A cake.")
    assert known["layers"].checked("layers", 5) == 5
    with pytest.raises(ValueError, match=r"^icing needs to be one of none, sugar, got 'salt'\.$"):
        known["icing"].checked("icing", "salt")
    assert Setting("a name", "data", check=lambda value, name: None).allowed == "a name"


# --------------------------------------------------------------------------------------------- grid


def test_a_grid_is_every_combination_and_the_last_setting_varies_fastest() -> None:
    found = grid(QUICK, strength=[0, 1e-3], labels=50, seed=range(3), method="mk_mmd")
    base = replace(QUICK, labels=50, method="mk_mmd")
    assert found == [replace(base, strength=s, seed=i) for s in (0.0, 1e-3) for i in range(3)]
    assert grid(QUICK) == [QUICK]
    assert grid(QUICK, seed=[]) == []
    assert grid(QUICK, seed=(i for i in range(2))) == [QUICK, replace(QUICK, seed=1)]


def test_a_grid_of_several_experiments_takes_each_with_all_settings() -> None:
    bases = [replace(QUICK, shift="blur"), replace(QUICK, target="digits")]
    found = grid(iter(bases), seed=(0, 1))
    assert found == [replace(base, seed=seed) for base in bases for seed in (0, 1)]


def test_a_grid_names_a_setting_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"^settings need to be among source, .*, got 'strenght'"):
        grid(QUICK, seed=range(2), strenght=[0.0])
    with pytest.raises(ValueError, match="labels needs to be a whole number of 10 or more, got 3"):
        grid(QUICK, labels=[50, 3])


def test_settings_that_were_stored_before_there_were_sizes_are_those_that_all_had() -> None:
    now, sizes = Experiment(seed=3), ("unlabelled", "labelled", "validation", "test")
    then = {name: value for name, value in asdict(now).items() if name not in sizes}
    assert stored_experiment(then) == now
    assert [SETTINGS[name].before for name in sizes] == [4000, 400, 500, 2000] == list(now.sizes)


def test_as_many_labels_as_are_set_aside_can_be_asked_for_and_not_one_more() -> None:
    assert Experiment(labelled=1000, labels=1000).labels == 1000
    with pytest.raises(
        ValueError, match=r"^labels needs to be at most labelled \(50\), got 200\.$"
    ):
        Experiment(labelled=50)


def test_settings_that_were_stored_before_there_was_every_are_those_of_a_term_at_each_step() -> (
    None
):
    now = Experiment(every=5, seed=3)
    assert stored_experiment(asdict(now)) == now
    then = {name: value for name, value in asdict(now).items() if name != "every"}
    assert stored_experiment(then) == Experiment(every=1, seed=3)
    with pytest.raises(TypeError, match="colour"):
        stored_experiment(asdict(now) | {"colour": "red"})


def test_a_result_is_a_row_of_its_settings_and_what_came_out() -> None:
    result = Result(QUICK, 0.5, 0.4, 0.9, None, {"step": [1.0]})
    outcomes = {"test_accuracy": 0.5, "validation_accuracy": 0.4, "source_accuracy": 0.9}
    assert result.as_row() == asdict(QUICK) | outcomes | {"penalty": None}
    assert "history" not in repr(result)
    assert "network=None" not in repr(result)
