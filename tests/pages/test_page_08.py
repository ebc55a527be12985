"""The record of the published tasks, asked and drawn: by results that are made up."""

from dataclasses import replace
from pathlib import Path

import pytest
from lautum_pages import page_08_cost, page_08_published
from lautum_pages.page_08 import draw_leaderboard, draw_weights
from lautum_pages.page_08_chosen import chosen_weights, draw_chosen
from lautum_pages.page_08_published import Published
from lautum_pages.page_08_record import (
    BASELINE,
    CONTROL,
    METHOD,
    PLAIN,
    Contestant,
    Place,
    contestants,
    control_of,
    how_often,
    in_words,
    places,
    standings,
    task_name,
)
from lautum_pages.page_08_why import correlation, draw_why, pixels_and_lautum
from lautum_pages.page_08_wins import ALL, draw_wins

from lautum_utils import Experiment, Result, Results
from lautum_utils.training.baselines import BASELINES
from lautum_utils.widgets.figures import png_bytes
from notebooks.tools import published_grid

# Above all; above the control but not above the pixels; below both.
ACCURACIES = {"vicreg": 0.8, "pixels": 0.7, "lautum": 0.6, "standard": 0.5, "mk_mmd": 0.4}
SEEDS = range(3)
PLACE = Place("mnist", "notmnist_small", 50, "probe")


def made_up(e: Experiment, test: float | None = None) -> Result:
    """Each seed with an offset of its own, which pairing takes out but for a little."""
    accuracy = ACCURACIES.get(e.method, 0.45) if test is None else test
    accuracy += (0.1, -0.1, 0.0)[e.seed % 3] + 0.001 * (len(e.method) * (e.seed + 1) % 3)
    validation = 0.9 - abs(e.strength - 0.3) - e.stage_two_strength / 1000
    return Result(e, accuracy, validation, 0.95, None, {"step": []})


@pytest.fixture(scope="module", name="results")
def _results() -> Results:
    tasks = ["mnist", "digits"]
    choosing = [made_up(e) for e in published_grid.choosing(tasks)]
    weights = published_grid.chosen(choosing)
    return Results([*choosing, *map(made_up, published_grid.reporting(tasks, weights, SEEDS))])


def test_places_are_tasks_then_labels_then_protocols(results: Results) -> None:
    found = places(results)
    assert found[:2] == [PLACE, PLACE._replace(protocol="finetune")]
    assert len(found) == 2 * 3 * 2
    assert [task_name(place) for place in found] == 6 * ["MNIST to notMNIST"] + 6 * [
        "digits to letters"
    ]
    assert str(found[1]) == "MNIST to notMNIST, 50 labels, fine-tuning"


def test_a_place_has_the_control_each_method_and_each_baseline_once(results: Results) -> None:
    probe, tuned = (contestants(results, PLACE._replace(protocol=p)) for p in ("probe", "finetune"))
    for found, others in ((probe, 0), (tuned, 2)):
        roles = [contestant.role for contestant in found.values()]
        assert roles.count(CONTROL) == 1
        assert roles.count(METHOD) == 6 + others // 2
        assert roles.count(BASELINE) == 6
        assert roles.count(PLAIN) == others
        assert all(len(contestant.results) == len(SEEDS) for contestant in found.values())
    assert set(tuned) - set(probe) == {
        "Temporal Ensembling",
        "standard transfer (plain recipe)",
        "Lautum (plain recipe)",
    }
    assert {r.experiment.recipe for r in control_of(tuned)} == {"careful"}


def test_validation_data_picks_the_weight_of_each(results: Results) -> None:
    found = contestants(results, PLACE._replace(protocol="finetune"))
    assert found["Lautum"].weight == 0.3
    assert {r.experiment.strength for r in found["Lautum"].results} == {0.3}
    smallest = min(published_grid.STAGE_TWO["temporal_ensembling"])
    assert found["Temporal Ensembling"].weight == smallest
    assert found["pixels"].weight is None
    assert found["standard transfer"].weight is None


def test_only_what_is_above_the_control_and_every_baseline_beats_all(results: Results) -> None:
    table = standings(contestants(results, PLACE))
    assert {name for name, s in table.items() if not s.not_above} == {"VICReg"}
    assert table["VICReg"].gain.mean == pytest.approx(0.3, abs=0.01)
    assert table["VICReg"].closest[0] == "pixels"
    assert table["VICReg"].closest[1].mean == pytest.approx(0.1, abs=0.01)
    assert table["Lautum"].not_above == ("pixels",)
    assert set(table["Mk-MMD"].not_above) > {"standard transfer", "pixels"}


def test_one_seed_has_no_interval_and_beats_nobody(results: Results) -> None:
    table = standings(contestants(results.where(seed=0), PLACE))
    assert all(s.not_above for s in table.values())


def test_words_say_who_beats_all_by_how_much_and_who_is_in_the_way(results: Results) -> None:
    table = standings(contestants(results, PLACE))
    place, won, but, *behind = in_words(PLACE, table).split("\n")
    gain, closest = table["VICReg"].gain.points, table["VICReg"].closest[1].points
    assert place == "MNIST to notMNIST, 50 labels, probe: above all is"
    assert won == f"  VICReg: {gain} over the control, {closest} over 'pixels'"
    assert but == "  above the control only: Lautum"
    assert behind[0].startswith("  not above the control: maximised mutual information, Mk-MMD, ")
    one_seed = in_words(PLACE, standings(contestants(results.where(seed=0), PLACE)))
    assert one_seed.startswith(f"{place} nobody\n  not above the control: ")
    three = contestants(results.where(method=("standard", "pixels", "vicreg")), PLACE)
    assert in_words(PLACE, standings(three)) == f"{place}\n{won}"


def test_it_is_counted_at_how_many_places_a_method_beats_all(results: Results) -> None:
    tables = [standings(contestants(results, place)) for place in places(results)]
    counts = how_often(tables)
    assert counts["VICReg"] == (12, 12)
    assert counts["Lautum"] == (0, 12)
    assert counts["Temporal Ensembling"] == (0, 6)


def test_without_a_control_there_is_nothing_to_compare_with(results: Results) -> None:
    with pytest.raises(ValueError, match=r"^found needs to hold the control, got Lautum\.$"):
        standings(contestants(results.where(method="lautum"), PLACE))


def test_a_leaderboard_marks_who_beats_all_and_draws_every_row(results: Results) -> None:
    panels: dict[str, dict[str, Contestant]] = {
        str(place): contestants(results, place) for place in places(results)[:2]
    }
    figure = draw_leaderboard(panels, "who beats all")
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names[:2] == ["Lautum", "maximised mutual information"]
    assert "standard transfer" not in names
    assert names[-1] == "untrained features"
    full = {
        names[round(line.get_ydata()[0])]  # type: ignore[index, arg-type]
        for container in left.containers
        for line in container[:1]
        if line.get_marker() == "o" and line.get_markerfacecolor() != "white"
    }
    assert full == {"VICReg"}
    assert len(left.containers) == len(panels[str(PLACE)]) - 1
    assert len(right.containers) == len(names)
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_weights_are_drawn_over_one_range_with_the_chosen_one_marked(results: Results) -> None:
    tasks = {"MNIST to notMNIST": "mnist", "digits to letters": "digits"}
    at = results.where(labels=50, protocol="probe")
    by_task = {name: at.where(source=s, method="lautum") for name, s in tasks.items()}
    controls = {name: at.where(source=s, method="standard") for name, s in tasks.items()}
    sketch = draw_weights(by_task, controls, "Lautum")
    figure = sketch.figure()
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    for ax, results_of in zip((left, right), by_task.values(), strict=True):
        curves = [line for line in ax.lines if len(line.get_xdata()) > 2]  # type: ignore[arg-type]
        assert len(curves) == 3
        for line in curves:
            assert len(line.get_xdata()) == len(results_of.values("strength"))  # type: ignore[arg-type]
    assert sketch.png().startswith(b"\x89PNG")


def test_other_images_are_called_by_their_own_name(results: Results, tmp_path: Path) -> None:
    own = Results(
        replace(r, experiment=replace(r.experiment, source=f"folder:{tmp_path}"))
        for r in results.where(source="digits", labels=50)
    )
    assert task_name(places(own)[0]) == f"folder:{tmp_path} to letters"


def test_a_method_that_is_fine_tuned_plainly_meets_a_control_that_is(results: Results) -> None:
    place = PLACE._replace(protocol="finetune")
    found = contestants(results, place)
    plainly = found["standard transfer (plain recipe)"]
    assert control_of(found, found["Temporal Ensembling"]) is plainly.results
    assert control_of(found, found["VICReg"]) is found["standard transfer"].results
    worse = Results(replace(r, test_accuracy=r.test_accuracy - 0.2) for r in plainly.results)
    lowered = found | {"standard transfer (plain recipe)": plainly._replace(results=worse)}
    gain = standings(lowered)["Temporal Ensembling"].gain
    assert gain.mean == pytest.approx(standings(found)["Temporal Ensembling"].gain.mean + 0.2)


# -------------------------------------------------------------------------------------- one object


@pytest.fixture(scope="module", name="recorded")
def _recorded(results: Results) -> Published:
    found = {place: contestants(results, place) for place in places(results)}
    tables = {place: standings(there) for place, there in found.items()}
    return Published(results, {}, "2", found, tables)


def test_places_are_asked_by_task_labels_and_protocol(recorded: Published) -> None:
    assert recorded.tasks == ["MNIST to notMNIST", "digits to letters"]
    assert len(recorded.places()) == 12
    assert recorded.places("MNIST to notMNIST", [50], "probe") == [PLACE]
    assert list(recorded.panels(recorded.places(labels=[50], protocol="probe"))) == recorded.tasks
    of_one = recorded.panels(recorded.places("MNIST to notMNIST", [50]))
    assert list(of_one) == ["50 labels, probe", "50 labels, fine-tuning"]


def test_winners_are_named_with_the_number_of_their_places(recorded: Published) -> None:
    assert recorded.winners(recorded.found) == "VICReg at 12 of 12"
    one_seed = {PLACE: standings(contestants(recorded.results.where(seed=0), PLACE))}
    assert replace(recorded, standings=one_seed).winners([PLACE]) == "nobody"


def test_a_part_takes_the_weights_of_the_nearest_place(recorded: Published) -> None:
    where = page_08_published.places_of([60], ["probe"], 2)
    part = page_08_published.part_to_make_again(
        recorded, ("mnist", "notmnist_small"), ["VICReg"], where, {"steps": 7}
    )
    assert {e.method for e in part} == {"standard", "vicreg", *BASELINES}
    assert {(e.labels, e.steps, e.seed) for e in part} == {(60, 7, 0), (60, 7, 1)}
    assert {e.strength for e in part if e.method == "vicreg"} == {0.3}
    elsewhere = page_08_published.part_to_make_again(
        recorded, ("folder:a", "folder:b"), [], [(50, "probe", 0)], {}
    )
    assert {e.source for e in elsewhere} == {"digits"}


def test_agreement_is_told_in_points(recorded: Published) -> None:
    same = list(recorded.results)[:2]
    moved_up = [replace(r, test_accuracy=r.test_accuracy + 0.01) for r in same]
    told = page_08_published.agreement(Results(moved_up), recorded)
    assert "differ by 1.00 points in the mean, 1.00 at most" in told
    nowhere = replace(same[0], experiment=replace(same[0].experiment, labels=77))
    assert "none of these" in page_08_published.agreement(Results([nowhere]), recorded)


def test_every_win_has_a_mark(recorded: Published) -> None:
    left, right = draw_wins(recorded).axes
    assert len(left.lines) == 6 * 6 + 1  # 6 methods at 6 places, a line between the tasks
    assert len(right.lines) == 7 * 6 + 1
    full = [line for line in left.lines if line.get_markerfacecolor() == ALL["color"]]
    assert len([line for line in full if line.get_marker() == "o"]) == 6


def test_chosen_weights_stand_in_the_range_that_was_tried(recorded: Published) -> None:
    chosen = chosen_weights(recorded)
    assert len(chosen) == 6 * 2 * 2
    weight, tried = chosen["Mk-MMD", "digits to letters", "probe"]
    assert (weight, tried) == (0.3, list(published_grid.RANGE))
    title = draw_chosen(recorded).get_suptitle()
    assert title == "Chosen weights lie between 0.3 and 0.3, 24 of 24 inside of what was tried"


def test_the_cost_of_a_step_counts_both_batches_and_less_where_the_term_is_rare() -> None:
    e = Experiment("mnist", "notmnist_small", network="mlp", every=1)
    once, rare = (page_08_cost.cost_of(replace(e, every=m), 1e9, 10.0) for m in (1, 8))
    operations, kept = page_08_cost.counted(e)
    assert once.operations == operations
    assert rare.operations < once.operations
    assert once.hours_here == pytest.approx(e.steps * operations / 1e9 / 3600)
    assert once.hours_on_gpu == pytest.approx(e.steps * page_08_cost.LAUNCH / 3600)
    assert once.gigabytes == pytest.approx(1.5 * kept / 1e9)
    weights = 28 * 28 * 64  # of the layer that has most of them, forward and backward
    assert operations > 2 * 2 * (e.source_batch + e.target_batch) * weights
    found = page_08_cost.costs({"small": {"network": "mlp"}}, {"mlp": 1e9}, 10.0)
    assert list(found) == ["MNIST to notMNIST, small", "CIFAR-10 to CIFAR-100, small"]
    assert "GPU" in page_08_cost.draw_costs(found, 10.0).get_suptitle()


def test_what_lautum_gains_stands_against_what_the_pixels_are_ahead(recorded: Published) -> None:
    points = pixels_and_lautum(recorded)
    assert len(points) == 6  # two tasks, three numbers of labels, frozen features
    for _, pixels, lautum in points:
        assert pixels.mean == pytest.approx(0.2, abs=0.01)
        assert lautum.mean == pytest.approx(0.1, abs=0.01)
    task, pixels, lautum = points[0]
    line = [(task, replace(pixels, mean=x), replace(lautum, mean=1 - x)) for x in (0.1, 0.3, 0.2)]
    assert correlation(line) == pytest.approx(-1)
    assert "correlation" in draw_why(recorded).get_suptitle()
