"""The style sheet: what `new_figure` gives without a word, and that nothing else is changed."""

import io
from threading import Thread

import matplotlib
import matplotlib.style
import pytest
from matplotlib import rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from waiting import ended

from lautum_utils.widgets.figures import new_figure, png_bytes
from lautum_utils.widgets.style import SHEET, STYLES

LOOKS = [
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", "-"),
    ("#56B4E9", "P", "--"),
    ("#808080", "X", "-."),
]


def test_lines_take_the_next_colour_with_its_marker_and_its_dash() -> None:
    _, (ax,) = new_figure()
    lines = [ax.plot([0, 1], [0, i])[0] for i in range(9)]
    looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines]
    assert looks == LOOKS + LOOKS[:2]
    assert [tuple(style.values()) for style in STYLES] == LOOKS
    _, (ax,) = new_figure()
    bars = [ax.errorbar([0, 1], [0, i], 0.1) for i in range(2)]
    assert [(bar[0].get_color(), bar[0].get_marker()) for bar in bars] == [
        look[:2] for look in LOOKS[:2]
    ]
    (dot,) = ax.plot([0], [0], **STYLES[5] | {"linestyle": "none"})
    assert dot.get_color() == "#56B4E9"
    assert ax.plot([0], [0])[0].get_color() == LOOKS[2][0], "a given look takes none from the cycle"


def luminance(colour: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])  # JupyterLab's, light and dark
def test_words_and_lines_read_on_light_pages_and_on_dark_ones(ground: str) -> None:
    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    for colour in [SHEET[name] for name in names]:
        lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) > 4
    figure, (ax,) = new_figure()
    ax.text(0.5, 0.5, "words")
    image = Image.open(io.BytesIO(png_bytes(figure))).convert("RGBA")
    assert image.getpixel((0, 0))[3] == 0, "no ground of its own"
    assert {text.get_color() for text in ax.texts} == {SHEET["text.color"]}


def test_a_figure_has_its_size_its_grid_and_neither_frames_nor_upper_spines() -> None:
    figure, (ax, _) = new_figure(columns=2)
    ax.plot([0, 1], [0, 1], label="L")
    assert figure.get_size_inches().tolist() == [7, 3.6]
    assert type(figure.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"
    visible = {name for name, spine in ax.spines.items() if spine.get_visible()}
    assert visible == {"left", "bottom"}
    ax.set_xticks([0, 1])  # made after the style sheet was in force
    for line in ax.get_xgridlines():
        assert line.get_visible()
        assert line.get_alpha() == 0.25
    assert not ax.legend().get_frame_on()
    assert not figure.legend().get_frame_on()
    assert ax.set_title("a finding").get_size() == figure.suptitle("a finding").get_size() == 11


def test_nothing_of_matplotlib_is_changed() -> None:
    before = dict(rcParams)
    _, (ax,) = new_figure()
    ax.errorbar([0], [0], 1, label="L")
    ax.legend()
    assert dict(rcParams) == before
    plain = Figure().subplots()
    assert plain.spines["top"].get_visible()
    assert plain.plot([0, 1])[0].get_marker() == "None"
    with SHEET, SHEET:
        assert rcParams["grid.alpha"] == 0.25
    assert dict(rcParams) == before


def test_what_is_set_meanwhile_and_is_not_the_sheets_stays() -> None:
    with matplotlib.rc_context():
        with SHEET:
            rcParams["image.cmap"] = "gray"
        assert rcParams["image.cmap"] == "gray"


def test_threads_that_draw_at_once_leave_everything_as_it_was() -> None:
    before, looks = dict(rcParams), []

    def draw() -> None:
        for _ in range(20):
            _, (ax,) = new_figure(layout="none")
            line = ax.plot([0, 1], label="L")[0]
            looks.append((line.get_color(), line.get_marker(), ax.legend().get_frame_on()))

    threads = [Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        ended(thread)
    assert looks == [(*LOOKS[0][:2], False)] * 80
    assert dict(rcParams) == before


def test_pyplot_can_be_told_to_look_like_this() -> None:
    with matplotlib.style.context("lautum_utils.widgets.style"):
        (line,) = Figure().subplots().plot([0, 1])
        assert (line.get_color(), line.get_marker(), line.get_linestyle()) == LOOKS[0]
        assert {name: rcParams[name] for name in SHEET.settings} == SHEET.settings
