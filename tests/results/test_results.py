"""Results that can be asked: which there are, what they gain, what is to be said of it."""

import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from made_up import MANY, QUICK, made_up, result
from scipy import stats

from lautum_utils.results.results import Results
from lautum_utils.results.statistics import interval, paired_difference, verdict
from lautum_utils.training.experiments import SETTINGS, grid
from lautum_utils.training.outcomes import OUTCOMES

COMPARED = ["accuracy", "gain", "low", "high", "seeds", "chosen"]
GAINS = {0.0: (0.0, 0.0), 1e-3: (0.1, 0.14), 1e-2: (0.3, 0.2)}  # by strength, of two seeds
VALIDATION = {0.0: 0.4, 1e-3: 0.5, 1e-2: 0.45}


def of_place(start: float = 0.4, **settings: object) -> Results:
    """A result for each strength and seed, the strongest first; validation data picks 1e-3."""
    return Results(
        result(start + 0.05 * seed + gain, seed, strength, VALIDATION[strength], **settings)
        for strength, pair in reversed(GAINS.items())
        for seed, gain in enumerate(pair)
    )


def several() -> Results:
    """At three places, at each of which the same is gained."""
    probe = of_place(labels=50) + of_place(labels=100, start=0.5)
    return probe + of_place(labels=50, start=0.6, protocol="finetune")


# ------------------------------------------------------------------------------------ as a sequence


def test_results_are_a_sequence_in_the_order_given() -> None:
    made = [made_up(e) for e in (*MANY[3:], *MANY[:3])]
    results = Results(iter(made))
    assert len(results) == 6
    assert list(results) == made
    assert results[0] is made[0]
    assert results[-1] is made[-1]
    assert made[2] in results
    assert results.index(made[4]) == 4
    part = results[1:4]
    assert isinstance(part, Results)
    assert list(part) == made[1:4]
    assert list(results[::-1]) == made[::-1]
    assert not Results()
    assert not Results().errors
    with pytest.raises(IndexError):
        results[6]


def test_results_are_added_with_what_went_wrong() -> None:
    made = [made_up(e) for e in MANY]
    one = Results(made[:2], {MANY[4]: "ValueError: no"})
    other = Results(made[2:3], {MANY[5]: "ValueError: nor this"})
    both = one + other
    assert list(both) == made[:3]
    assert both.errors == one.errors | other.errors
    for added in (made[3:4] + one, one + made[3:4]):
        assert isinstance(added, Results)
        assert added.errors == one.errors
    assert list(made[3:4] + one) == [made[3], *made[:2]]
    assert list(one + made[3:4]) == [*made[:2], made[3]]
    assert len(one) == 2, "neither is changed"


def test_results_travel_between_processes() -> None:
    results = Results(map(made_up, MANY), {QUICK: "lost"})
    again = pickle.loads(pickle.dumps(results))
    assert [r.as_row() for r in again] == [r.as_row() for r in results]
    assert again.errors == results.errors


# ------------------------------------------------------------------------------------------ a table


def test_a_table_has_a_row_a_result_and_those_that_failed_last() -> None:
    results = Results(map(made_up, MANY[1:]), {MANY[0]: "MemoryError: not enough"})
    table = results.table
    assert list(table.columns) == [*SETTINGS, *OUTCOMES, "error"]
    assert list(table.strength) == [e.strength for e in (*MANY[1:], MANY[0])]
    assert list(table.error) == [""] * 5 + ["MemoryError: not enough"]
    assert table.loc[5, list(OUTCOMES)].isna().all()
    assert list(table.test_accuracy[:5]) == [made_up(e).test_accuracy for e in MANY[1:]]
    assert list(Results().table.columns) == list(table.columns)


def test_results_say_how_many_they_are_and_in_what_they_differ() -> None:
    results = Results(of_place(labels=50), {QUICK: "lost"})
    assert repr(results).splitlines() == [
        "6 results; 1 failed",
        "  strength: 0.0, 0.001, 0.01",
        "  seed: 0, 1",
    ]
    assert repr(Results()) == "0 results"
    assert repr(results[:1]) == "1 results"


def test_in_a_notebook_results_are_a_table_of_what_varies_and_came_out() -> None:
    shown = of_place()._repr_html_()
    assert re.findall("<th>(.+?)</th>", shown) == ["strength", "seed", *OUTCOMES]
    assert shown.count("<tr") == 1 + 6
    assert "<table" in Results()._repr_html_()


# ------------------------------------------------------------------------------------ which of them


def test_where_takes_those_with_these_settings() -> None:
    results = several()
    assert len(results.where()) == 18
    assert {r.experiment.labels for r in results.where(labels=50)} == {50}
    assert len(results.where(labels=50)) == 12
    assert len(results.where(labels=50, protocol="probe")) == 6
    assert len(results.where(labels=50, strength=(0, 1e-2), seed=range(1))) == 4
    assert len(results.where(strength=[1e-3])) == 6
    assert not results.where(labels=200)
    assert not results.where(protocol=[])
    assert list(results.where(seed=1)) == [r for r in results if r.experiment.seed == 1]


def test_a_text_is_one_value_and_not_its_letters() -> None:
    results = of_place(shift="blur") + of_place(shift="none")
    assert results.where(shift="blur").values("shift") == ["blur"]
    assert len(results.where(shift=("blur", "none"))) == 12


def test_a_setting_that_is_not_there_is_named() -> None:
    told = r"^settings need to be among source, target, .*, got 'label'\.$"
    with pytest.raises(ValueError, match=told):
        several().where(seed=0, label=50)
    with pytest.raises(ValueError, match=told):
        several().values("label")


def test_what_varies_and_its_values() -> None:
    results = several()
    assert results.varied() == ["strength", "labels", "protocol", "seed"]
    assert results.varied(("seed", "strength")) == ["labels", "protocol"]
    assert results.values("labels") == [50, 100]
    assert results.values("protocol") == ["finetune", "probe"]
    assert results.values("source") == ["digits"]
    assert Results().varied() == Results().values("seed") == []


# -------------------------------------------------------------------------------------- comparisons


def test_accuracy_is_an_interval_by_strength() -> None:
    found = of_place().accuracy()
    assert list(found) == [0.0, 1e-3, 1e-2]
    tested = [r.test_accuracy for r in of_place().where(strength=1e-3)]
    assert found[1e-3] == interval(tested)
    assert of_place().accuracy(0.5)[1e-3] == interval(tested, 0.5)
    assert of_place().where(strength=0).mean() == pytest.approx(0.425)
    assert of_place().mean("validation_accuracy") == pytest.approx(0.45)


def test_results_against_a_control_are_one_paired_difference() -> None:
    results = of_place()
    ours, control = results.where(strength=1e-2), results.where(strength=0)
    assert ours.against(control) == paired_difference(ours, control)
    assert ours.against(list(control), 0.5) == paired_difference(ours, control, 0.5)
    assert ours.against(control).mean == pytest.approx(0.25)
    with pytest.raises(ValueError, match=r"^results needs one result a seed, got two of seed 0\.$"):
        results.against(control)
    with pytest.raises(ValueError, match=r"seeds in common, got \[0, 1\] and \[\]"):
        ours.against(Results())


def test_the_best_strength_is_the_one_that_validation_data_picks() -> None:
    assert of_place().best() == 1e-3
    assert of_place().where(strength=(0.0, 1e-2)).best() == 1e-2
    with pytest.raises(ValueError, match="one or more, got none"):
        Results().best()


def test_a_gain_is_a_row_for_each_place_and_strength() -> None:
    table = several().gain()
    assert list(table.columns) == ["labels", "protocol", "strength", *COMPARED]
    places = [(50, "probe"), (100, "probe"), (50, "finetune")]
    assert list(zip(table.labels, table.protocol, strict=True))[::3] == places
    assert list(table.strength) == 3 * [0.0, 1e-3, 1e-2]
    assert list(table.chosen) == 3 * [False, True, False], "by validation accuracy"
    assert (table.seeds == 2).all()
    expected = stats.ttest_1samp(GAINS[1e-3], 0).confidence_interval()
    for row, start in zip(table[1::3].itertuples(), (0.4, 0.5, 0.6), strict=True):
        assert row.gain == pytest.approx(0.12)
        assert row.accuracy == pytest.approx(start + 0.025 + 0.12)
        assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
    assert np.allclose(table.loc[::3, ["gain", "low", "high"]], 0), "of the control itself"
    narrow = several().gain(confidence=0.5)
    assert (narrow.high - narrow.low < table.high - table.low)[table.strength > 0].all()


def test_of_one_place_a_gain_has_a_row_a_strength() -> None:
    table = of_place().gain()
    assert list(table.columns) == ["strength", *COMPARED]
    assert list(table.gain) == pytest.approx([0, 0.12, 0.25])


def test_a_gain_needs_a_control() -> None:
    with pytest.raises(ValueError, match="seeds in common"):
        of_place().where(strength=(1e-3, 1e-2)).gain()
    assert list(Results().gain().columns) == ["strength", *COMPARED]


def test_a_place_without_a_control_of_its_own_is_not_compared_with_that_of_another() -> None:
    results = of_place(labels=50) + of_place(labels=100).where(strength=1e-2)
    with pytest.raises(ValueError, match="seeds in common"):
        results.gain()
    with pytest.raises(ValueError, match="seeds in common"):
        results.verdict()


def test_one_control_serves_all_methods_as_it_has_none_of_its_own() -> None:
    control = of_place(method="standard").where(strength=0)
    methods = [of_place(0.5, method=m).where(strength=1e-2) for m in ("lautum", "mk_mmd")]
    components = of_place(0.6, method="lautum", n_components=8).where(strength=1e-2)
    table = (control + methods[0] + methods[1] + components).gain()
    assert list(table.gain) == pytest.approx([0, 0.35, 0.35, 0.45])
    assert list(table.method) == ["standard", "lautum", "mk_mmd", "lautum"]


def test_a_control_can_be_given_and_is_taken_where_it_agrees() -> None:
    results = several()
    probes, tuned = results.where(protocol="probe"), results.where(protocol="finetune")
    controls = of_place(0.3, labels=50) + of_place(0.45, labels=100)
    table = probes.gain(controls.where(strength=0))
    assert list(table.gain) == pytest.approx([0.1, 0.22, 0.35, 0.05, 0.17, 0.3])
    one = tuned.gain(probes.where(labels=50, strength=0))
    assert list(one.gain) == pytest.approx([0.2, 0.32, 0.45]), "of another protocol"


# ----------------------------------------------------------------------------------------- verdicts


def better(scale: float, **settings: object) -> Results:
    """Four seeds, of which each gains about scale with strength 1e-3, which is chosen."""
    gains = (0.9, 1.0, 1.1, 1.0)
    return Results(
        result(0.5 + 0.01 * seed + scale * gain * (s > 0), seed, s, 0.5 + s, **settings)
        for s in (0.0, 1e-3)
        for seed, gain in enumerate(gains)
    )


def test_a_verdict_is_of_the_strength_that_validation_data_picks() -> None:
    results = better(0.1)
    gain = results.where(strength=1e-3).against(results.where(strength=0))
    said = results.verdict()
    assert said == verdict(gain, "weight 0.001, chosen on validation data,")
    assert said.startswith(
        "weight 0.001, chosen on validation data, is clearly better than weight 0: +10.0"
    )
    assert "worse" in better(-0.1).verdict()


def test_a_verdict_can_be_of_a_given_strength_and_against_a_given_control() -> None:
    results = better(0.1)
    assert results.verdict(1e-3).startswith("weight 0.001 is clearly better")
    assert results.verdict(0.0).startswith("weight 0 is not clearly different from weight 0: +0.0")
    against = results.verdict(1e-3, better(0.3).where(strength=1e-3))
    assert against.startswith("weight 0.001 is clearly worse than weight 0: -20.0")


def test_where_validation_data_picks_weight_0_nothing_is_gained() -> None:
    results = Results(replace(r, validation_accuracy=0.5) for r in better(0.1))
    assert results.verdict() == "validation data chooses weight 0: nothing is gained."


def test_several_places_have_a_sentence_each() -> None:
    results = better(0.1, labels=50) + better(-0.1, labels=100)
    one, other = results.verdict().splitlines()
    assert one.startswith("labels 50: weight 0.001, chosen on validation data, is clearly")
    assert "better" in one
    assert other.startswith("labels 100: weight 0.001")
    assert "worse" in other
    assert results.where(labels=100).verdict() == other.removeprefix("labels 100: ")


def test_a_grid_has_all_its_results_in_its_order() -> None:
    wanted = grid(QUICK, labels=(50, 100), strength=(0.0, 1e-3), seed=range(2))
    results = Results(map(made_up, wanted))
    assert [r.experiment for r in results] == wanted
    assert len(results.gain()) == 4


# ---------------------------------------------------------------------------------------- baselines


def with_baselines() -> Results:
    """Lautum at one place, beside pixels (better) and fine-tuning from scratch (worse)."""
    pixels = Results(result(0.7 + 0.01 * s, s, 0.0, 0.9, method="pixels") for s in range(4))
    scratch = {"method": "from_scratch", "protocol": "finetune"}
    worse = Results(result(0.3 + 0.01 * s, s, 0.0, 0.9, **scratch) for s in range(4))
    return better(0.1) + pixels + worse


def test_baselines_are_never_the_control_and_gain_like_a_method() -> None:
    table = with_baselines().gain().set_index(["method", "strength"])
    assert table.gain["lautum", 0.0] == 0
    assert table.gain["lautum", 1e-3] == pytest.approx(0.1)
    assert table.gain["pixels", 0.0] == pytest.approx(0.2)
    assert table.gain["from_scratch", 0.0] == pytest.approx(-0.2), "of a protocol of its own"
    assert table.seeds.tolist() == [4] * 4


def test_a_baseline_is_compared_with_the_control_of_its_protocol_where_there_is_one() -> None:
    tuned = Results(
        replace(r, experiment=replace(r.experiment, protocol="finetune"), test_accuracy=0.35)
        for r in better(0.1)
    )
    table = (with_baselines() + tuned).gain().set_index(["method", "protocol", "strength"])
    assert table.gain["from_scratch", "finetune", 0.0] == pytest.approx(0.315 - 0.35)
    assert table.gain["pixels", "probe", 0.0] == pytest.approx(0.2)


def test_baselines_alone_have_no_control() -> None:
    with pytest.raises(ValueError, match="seeds in common"):
        with_baselines().where(method=("pixels", "from_scratch")).gain()


def test_baselines_have_no_say_in_the_choice_of_a_strength() -> None:
    results = with_baselines()
    assert results.best() == 1e-3
    assert results.accuracy() == better(0.1).accuracy()
    pixels = results.where(method="pixels")
    assert pixels.best() == 0
    assert pixels.accuracy()[0.0].mean == pytest.approx(0.715)


def test_a_verdict_names_baselines() -> None:
    results = with_baselines()
    pixels, lautum = results.where(method="pixels"), results.where(method="lautum")
    for strength in (None, 1e-3):
        said = results.where(method=("lautum", "pixels")).verdict(strength).splitlines()
        assert said[0].startswith("method lautum: weight 0.001")
        assert said[1].startswith(
            "method pixels: pixels is clearly better than weight 0: +20.0 points"
        )
    assert lautum.verdict(control=pixels).startswith(
        "weight 0.001, chosen on validation data, is clearly worse than pixels: -10.0"
    )
    assert lautum.verdict(0.0, pixels).startswith("weight 0 is clearly worse than pixels")
    control = lautum.where(strength=0)
    assert control.verdict(control=pixels).startswith("weight 0, chosen on validation data, is ")
    assert control.verdict() == "validation data chooses weight 0: nothing is gained."
