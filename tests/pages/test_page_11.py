"""The made-up currents of notebook 11, and its pictures."""

import pytest
import torch
from lautum_pages.page_11 import draw_currents, draw_gains, draw_source, rows_of
from lautum_pages.page_11_currents import CLASSES, POINTS, SOURCE, measure, parts_of, target

from lautum_utils import Interval


def test_every_part_is_drawn_anew_with_as_many_of_each_class() -> None:
    parts = parts_of(0, "both", 20)
    assert {name: len(y) for name, (_, y) in parts.items()} == {
        "source": 2000,
        "source test": 500,
        "unlabelled": 600,
        "labelled": 20,
        "validation": 100,
        "test": 1000,
    }
    for x, y in parts.values():
        assert x.shape[1:] == (3, 1, POINTS)
        assert len(set(torch.bincount(y).tolist())) == 1
    assert not torch.equal(parts["validation"][0][:20], parts["labelled"][0])
    assert torch.equal(parts["test"][0], parts_of(0, "both", 20)["test"][0])


def test_the_target_is_louder_or_noisier_as_the_shift_says() -> None:
    draws = {
        shift: measure(target(shift), 500, torch.Generator().manual_seed(0))[0]
        for shift in ("load", "noise", "both")
    }
    source = measure(SOURCE, 500, torch.Generator().manual_seed(0))[0]
    assert draws["load"].std() > 1.3 * source.std()
    assert draws["noise"].diff(dim=-1).std() > 1.3 * source.diff(dim=-1).std()
    assert draws["both"].std() > draws["noise"].std()


def test_the_pictures_tell_the_finding_and_fit_a_narrow_window() -> None:
    answers = torch.tensor([[1, 1, 2, 3, 4]])
    source = draw_source({0.0: (0.8, 0.4)}, answers, torch.arange(5)[None])
    assert source.get_suptitle().endswith("is mostly taken for: A")
    low, high = Interval(0.01, -0.01, 0.03, 8), Interval(0.02, 0.01, 0.03, 8)
    chosen = {("standard", 10): 1e-3, ("Lautum", 10): 1e-4}
    none = draw_gains({"standard": {10: {1e-3: low}}, "Lautum": {10: {1e-4: low}}}, chosen)
    assert "neither method is clearly better" in none.get_suptitle()
    clear = draw_gains({"standard": {10: {1e-3: low}}, "Lautum": {10: {1e-4: high}}}, chosen)
    assert clear.get_suptitle().endswith("Lautum with 10 labels")
    for figure in (draw_currents("load"), source, none):
        assert figure.get_figwidth() <= 7.5
    assert len(draw_currents().axes) == 2 * len(CLASSES)


def test_every_result_is_a_row() -> None:
    tried = {("Lautum", 10, 1e-4): {"validation": [0.5, 0.6], "test": [0.4, 0.7]}}
    rows = rows_of(tried, steps=5)
    assert [row["seed"] for row in rows] == [0, 1]
    assert rows[1]["test_accuracy"] == pytest.approx(0.7)
    assert rows[0]["steps"] == 5
