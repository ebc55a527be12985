"""How long a folder of one's own takes to open, once it has been converted."""

import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benching import Bench, Works, own_seconds
from PIL import Image

from lautum_utils.data import own
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.folders import load_folder
from lautum_utils.data.images import Images
from lautum_utils.data.tasks import load_transfer_task

FILES, FEWEST_FILES, CLASSES, READABLE = 60_000, 100, 10, 4
OPEN = """
import sys, time
from lautum_utils.data.folders import load_folder
started = time.perf_counter()
images = load_folder(sys.argv[1], progress=False)
print(time.perf_counter() - started, len(images))
"""


@pytest.fixture
def converted(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of tiny images, in train and test by class, that has been opened before.

    All but the READABLE of each class are empty: an opening asks for the state of all, and reads
    none, while a disk that clears what is freed takes minutes to remove as many that hold bytes.
    """
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    encoded, each = io.BytesIO(), bench.size(FILES, FEWEST_FILES) // CLASSES // len(SPLITS)
    Image.new("L", (8, 8), 100).save(encoded, "PNG")
    for split in SPLITS:
        for number in range(CLASSES):
            folder = tmp_path / "own" / split / f"class {number}"
            folder.mkdir(parents=True)
            for k in range(each):
                (folder / f"{k:05}.png").write_bytes(encoded.getvalue() if k < READABLE else b"")
    load_folder(tmp_path / "own", progress=False)
    yield tmp_path / "own"
    shutil.rmtree(tmp_path)  # pytest would keep the last three


def _in_a_fresh_process(folder: Path) -> tuple[float, int]:
    """Seconds to open a folder, without the imports, and the images of its training split."""
    command = [sys.executable, "-c", OPEN, str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    taken, images = done.stdout.split()
    return float(taken), int(images)


def _in_a_task(folder: Path, seed: int) -> float:
    """Seconds that a task between a folder and itself spends on opening it."""
    taken: list[float] = []

    def opened(*args: Any, **options: Any) -> Images:
        started = time.perf_counter()
        images = load_folder(*args, **options)
        taken.append(time.perf_counter() - started)
        return images

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "load_folder", opened)
        load_transfer_task(f"folder:{folder}", f"folder:{folder}", seed=seed)
    assert taken
    return sum(taken)


def test_open_an_unchanged_folder(bench: Bench, converted: Path) -> None:
    """Nothing is converted, but each file could have been changed in place: each is asked."""
    (before,) = (converted.parent / "cache").glob("folder-*/about.json")
    made = before.stat().st_mtime_ns

    def fresh() -> float:
        taken, images = _in_a_fresh_process(converted)
        assert images == CLASSES * READABLE
        return taken

    _in_a_task(converted, seed=0)
    works: Works = {"fresh": fresh, "task": lambda: _in_a_task(converted, seed=1)}
    medians = bench.medians(works, 5, block=1, timed=own_seconds)
    (after,) = (converted.parent / "cache").glob("folder-*/about.json")
    assert (after, after.stat().st_mtime_ns) == (before, made)
    name = f"open a folder of {bench.size(FILES, FEWEST_FILES):,} unchanged files"
    bench.promise(name, medians["fresh"], "s", "<= 0.3")
    bench.promise("    all openings of a task's next seed", medians["task"], "s", "<= 0.3")
