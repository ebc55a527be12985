"""The pictures of "watch it forget", from the record."""

import io
from itertools import product

import pytest
from PIL import Image

from lautum_utils.results.forgetting import Forgetting, read_forgetting
from lautum_utils.widgets.forgetting import draw_forgetting, draw_painted, explore_forgetting
from notebooks.tools.forgetting import FORGETTING

SEEN = read_forgetting(FORGETTING)


@pytest.mark.parametrize("name", SEEN)
def test_every_position_of_the_sliders_has_a_picture_of_its_own(name: str) -> None:
    seen = SEEN[name]
    explorer, pictures = explore_forgetting(seen), set()
    weights = [w for w in seen.strengths if w > 0][:-1]
    assert ("weight" in explorer.controls) == (len(weights) > 1)
    for step, weight in product(seen.steps, weights):
        explorer.controls["step"].value = step
        if len(weights) > 1:
            explorer.controls["weight"].value = weight
        pictures.add(bytes(explorer.image.value))
    assert len(pictures) == len(seen.steps) * len(weights)
    width, height = Image.open(io.BytesIO(pictures.pop())).size
    assert (width, height) < (970, 560)


def test_the_player_moves_the_slider_over_the_steps() -> None:
    explorer = explore_forgetting(SEEN["digits"])
    player = explorer.box.children[0].children[0]
    assert explorer.controls["step"].value == SEEN["digits"].steps[-1]
    before = bytes(explorer.image.value)
    player.value = 0
    assert explorer.controls["step"].value == 0
    assert bytes(explorer.image.value) != before
    explorer.controls["step"].value = 25
    assert player.value == SEEN["digits"].steps.index(25)


def test_two_weights_are_enough_for_a_picture() -> None:
    seen = SEEN["digits"]
    snapshots = tuple(s for s in seen.snapshots if s.strength in (0.0, 1e-3))
    explorer = explore_forgetting(Forgetting(seen.base, seen.shown, snapshots))
    assert list(explorer.controls) == ["step"]
    title = draw_forgetting(seen, 100, 1e-2, "a title").figure().get_suptitle()
    assert title == "a title"
    assert "weight 0.01" in draw_forgetting(seen, 0, 1e-2).title
    with pytest.raises(ValueError, match=r"got 0\.5 and 100"):
        draw_forgetting(seen, 100, 0.5)


def test_rows_can_stand_alone() -> None:
    seen = SEEN["digits"]
    figure = draw_painted({"the image": seen.shown.inputs, "again": seen.shown.inputs}, "Two rows")
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["the image", "again"]
