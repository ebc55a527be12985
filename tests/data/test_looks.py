"""A folder of one's own is looked through at each opening: no change is missed, no look is made in
vain."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lautum_utils.data import folders, own
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.folders import load_folder, one_look
from lautum_utils.data.sizes import common_shape, memory_of
from lautum_utils.data.tasks import load_transfer_task

pytestmark = pytest.mark.usefixtures("nothing_installed")
CLASSES = ("cat", "dog")


def paint(file: Path, red: int, side: int = 8) -> None:
    """An image of one colour, without compression: of one size, whatever the colour is."""
    Image.new("RGB", (side, side), (red, 0, 0)).save(file, "BMP")


def folder_of(top: Path, n: int = 12) -> Path:
    """n images of each class in each split: 0, 1, ... red."""
    for split in SPLITS:
        for name in CLASSES:
            (top / split / name).mkdir(parents=True)
            for k in range(n):
                paint(top / split / name / f"{k}.bmp", k)
    return top


def later(file: Path) -> None:
    """The time of change goes on by as little as it can: a test does not wait for a clock."""
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def reds(top: Path, split: str = "train") -> list[int]:
    pixels = load_folder(top, split, size=8, colour=True, progress=False).pixels
    return pixels[:, 0, 0, 0].tolist()


def repaint(file: Path) -> None:
    size, paint_time = file.stat().st_size, file.stat().st_mtime_ns
    paint(file, 99)
    os.utime(file, ns=(paint_time, paint_time))
    later(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (size, paint_time + 1)


def enlarge(file: Path) -> None:
    paint_time = file.stat().st_mtime_ns
    paint(file, 99, side=9)
    os.utime(file, ns=(paint_time, paint_time))


def add(file: Path) -> None:
    paint(file.with_name("00.bmp"), 99)


def swap(file: Path) -> None:
    """Both names are there before and after."""
    other, away = file.with_name("1.bmp"), file.with_name("away")
    later(other)
    file.rename(away)
    other.rename(file)
    away.rename(other)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (repaint, [99, 1, 2]),
        (enlarge, [99, 1, 2]),
        (add, [0, 99, 1, 2]),  # "0.bmp" < "00.bmp"
        (lambda file: file.rename(file.with_name("9.bmp")), [1, 2, 0]),
        (swap, [1, 0, 2]),
        (Path.unlink, [1, 2]),
        (lambda file: file.rename(file.with_name("hidden.txt")), [1, 2]),
        (lambda file: file.rename(file.parents[1] / "dog" / "9.bmp"), [1, 2]),
    ],
    ids=["repaint", "enlarge", "add", "rename", "swap", "remove", "no image", "other class"],
)
def test_every_change_is_seen_at_the_next_opening(
    change: Callable[[Path], object], wanted: list[int], tmp_path: Path
) -> None:
    top = folder_of(tmp_path / "own", 3)
    test = reds(top, "test")
    assert reds(top) == [0, 1, 2] * 2
    file = top / "train" / "cat" / "0.bmp"
    change(file)
    moved = [0] * (top / "train" / "dog" / "9.bmp").exists()
    assert reds(top) == [*wanted, 0, 1, 2, *moved]
    assert reds(top, "test") == test


def test_a_renamed_class_and_what_a_link_leads_to_are_seen(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "own", 3)
    aside = tmp_path / "aside.bmp"
    paint(aside, 50)
    (top / "train" / "cat" / "3.bmp").symlink_to(aside)
    (top / "train" / "cat" / "round.bmp").symlink_to("round.bmp")
    (top / "train" / "cat" / "below.bmp").symlink_to(aside / "below")
    assert reds(top) == [0, 1, 2, 50, 0, 1, 2]
    repaint(aside)
    assert reds(top) == [0, 1, 2, 99, 0, 1, 2]
    for split in SPLITS:
        (top / split / "cat").rename(top / split / "eel")
    assert load_folder(top, progress=False).class_names == ("dog", "eel")
    assert reds(top) == [0, 1, 2, 0, 1, 2, 99]


def test_the_name_of_a_converted_folder_stays(tmp_path: Path) -> None:
    """Or everyone's folders would be converted once more with the next version."""
    top = folder_of(tmp_path / "own", 2)
    files = [
        top / split / c / f"{k}.bmp" for split in sorted(SPLITS) for c in CLASSES for k in (0, 1)
    ]
    states = [f"{f}|{f.stat().st_size}|{f.stat().st_mtime_ns}" for f in files]
    assert folders._look(top).state == folders.sha256(folders.RULES, *states)


# --------------------------------------------------------------------------------- how many looks


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the files of each folder were looked through, by the folder's name."""
    counted, look = Counter[str](), folders._look

    def counting(top: Path) -> Any:
        counted[top.name] += 1
        return look(top)

    monkeypatch.setattr(folders, "_look", counting)
    return counted


@pytest.mark.parametrize("target", ["mine", "yours"])
def test_a_task_looks_at_each_folder_once(
    target: str, looks: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, load = Counter[tuple[str, str]](), own.load_folder

    def counting(path: str, split: str, **options: Any) -> Any:
        opened[Path(path).name, split] += 1
        return load(path, split, **options)

    monkeypatch.setattr(own, "load_folder", counting)
    source, other = (f"folder:{folder_of(tmp_path / name)}" for name in ("mine", "yours"))
    names = {"mine", target}
    for seed in range(3):
        load_transfer_task(source, source if target == "mine" else other, seed=seed)
        assert looks == dict.fromkeys(names, seed + 1)
    assert set(opened) == {(name, split) for name in names for split in SPLITS}
    assert max(opened.values()) <= 3 * 4 + 1, "in each of three tasks, and for its shape"


def test_what_is_asked_again_and_again_looks_when_a_file_came_or_went(
    looks: Counter[str], tmp_path: Path
) -> None:
    mine, yours = (folder_of(tmp_path / name) for name in ("mine", "yours"))
    source, target = f"folder:{mine}", f"folder:{yours}"
    memory = memory_of(source, target)
    for _ in range(5):
        assert memory_of(source, target) == memory
        assert common_shape(source, target) == (3, 8, 8)
    assert looks == {"mine": 1, "yours": 1}
    paint(mine / "train" / "cat" / "more.bmp", 0)
    later(mine / "train" / "cat")
    assert memory_of(source, target).task == memory.task + 2 * 4 * 3 * 8 * 8
    assert looks == {"mine": 2, "yours": 1}
    with pytest.raises(ValueError, match=r"path needs to be a folder .*gone \(No such file"):
        memory_of(source, f"folder:{tmp_path / 'gone'}")


def test_a_change_in_place_between_two_tasks_is_in_the_second(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "mine")
    before, again = (load_transfer_task(f"folder:{top}", "letters") for _ in range(2))
    repaint(top / "train" / "cat" / "0.bmp")
    after = load_transfer_task(f"folder:{top}", "letters")
    assert torch.equal(before.source.inputs, again.source.inputs)
    changed = (after.source.inputs != before.source.inputs).flatten(1).any(1)
    assert changed.sum() == 1
    assert (after.source.labels[changed].tolist(), len(after.source)) == ([0], 24)


def test_within_one_look_a_change_waits_and_an_error_ends_it(
    looks: Counter[str], tmp_path: Path
) -> None:
    top = folder_of(tmp_path / "mine", 3)
    with one_look():
        reds(top)
        paint(top / "train" / "cat" / "9.bmp", 99)
        with one_look():
            assert reds(top) == [0, 1, 2] * 2
        assert reds(top) == [0, 1, 2] * 2
        assert looks == {"mine": 1}
    assert 99 in reds(top)
    with pytest.raises(ValueError, match="gone"):
        load_transfer_task(f"folder:{top}", f"folder:{tmp_path / 'gone'}")
    repaint(top / "train" / "dog" / "0.bmp")
    assert reds(top).count(99) == 2
