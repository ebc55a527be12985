"""What of a playground is in sight, and how its pictures stand on a narrow page."""

import io

import numpy as np
import pytest
from PIL import Image
from playing import FAST, trained

from lautum_utils.widgets.controls import Panels
from lautum_utils.widgets.playground import Playground
from lautum_utils.widgets.playground_settings import CONTROLS
from lautum_utils.widgets.playground_view import IN_SIGHT


def test_three_controls_are_in_sight_and_all_the_others_under_more() -> None:
    playground = Playground(**FAST)
    in_sight, buttons, fold = playground.box.children[:3]
    assert list(in_sight.children) == [getattr(playground, name) for name in IN_SIGHT]
    assert [button.description for button in buttons.children] == ["Train live", "Stop", "More"]
    others = {getattr(playground, name) for name in CONTROLS if name not in IN_SIGHT}
    assert set(fold.children) == {*others, playground.auto, playground.curve_button}
    assert fold.layout.display == "none"
    for opened in (True, False):
        playground.more_button.value = opened
        assert fold.layout.display == ("flex" if opened else "none")


@pytest.mark.parametrize("controls", [("severity", "strength"), ("network", "strength"), ()])
def test_only_the_controls_that_are_asked_for_are_there(controls: tuple[str, ...]) -> None:
    playground = Playground(controls, **FAST)
    shown = {*playground.box.children[0].children, *playground.box.children[2].children}
    assert shown == {
        *(getattr(playground, name) for name in controls),
        playground.auto,
        playground.curve_button,
    }


def test_a_picture_is_cut_between_its_panels_and_nothing_is_lost() -> None:
    playground = trained()
    for whole, n in ((playground.curve, 2), (playground.live, 3)):
        assert len(whole.children) == n
        parts = [np.asarray(Image.open(io.BytesIO(bytes(p.value)))) for p in whole.children]
        picture = np.asarray(Image.open(io.BytesIO(bytes(whole.value))))
        assert (np.concatenate(parts, 1) == picture).all()
        for part in parts[1:]:
            assert (part[:, 0, 3] == 0).all(), "the cut goes through no mark"
        assert max(part.shape[1] for part in parts) < 600, "a panel fits into a narrow page"


def test_panels_without_a_picture_are_empty() -> None:
    panels = Panels((0.5,))
    buffer = io.BytesIO()
    Image.new("RGB", (10, 4)).save(buffer, "png")
    panels.value = buffer.getvalue()
    assert all(panel.value for panel in panels.children)
    panels.value = b""
    assert not any(panel.value for panel in panels.children)
