"""Tasks that are kept: as many as their memory holds, and none that is out of date."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from lautum_utils.data.tasks import TransferTask, load_transfer_task
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.kept_tasks import KeptTasks, TaskKey, task_key

SMALL = {"unlabelled": 40, "labelled": 20, "validation": 20, "test": 20, "labels": 10}


class Maker:
    """Makes tasks, and keeps the seeds of those that it was asked for."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def __call__(self, key: TaskKey) -> TransferTask:
        self.seeds.append(key.seed)
        return load_transfer_task(*key[:6], **key.sizes._asdict())


def key(seed: int, **settings: object) -> TaskKey:
    return task_key(Experiment(seed=seed, **SMALL | settings), torch.device("cpu"))


def test_tasks_are_kept_up_to_their_bytes_the_last_ones_and_always_one() -> None:
    make = Maker()
    one = KeptTasks(0, make).get(key(0)).nbytes
    assert one == 4 * 256 * (1437 + 20 + 40 + 20 + 20 + 20)
    tasks = KeptTasks(3 * one, make)
    for seed in (0, 1, 2, 0, 3, 0):
        tasks.get(key(seed))
    assert make.seeds == [0, 0, 1, 2, 3], "0 was asked for again, so that 1 had to go"
    tasks.get(key(1))
    assert make.seeds[5:] == [1]
    alone = KeptTasks(0, make)
    assert alone.get(key(7)) is alone.get(key(7))
    alone.get(key(8))
    assert list(alone.kept) == [key(8)]
    alone.clear()
    assert not alone.kept


def test_what_a_method_looks_at_is_made_once_counts_and_goes_with_its_task() -> None:
    kept = KeptTasks(10**9, Maker()).get(key(0))
    before = kept.nbytes
    pool = kept.pool("target", "lautum", 8, 1e-2)
    assert kept.pool("target", "lautum", 8, 1e-2) is pool
    assert pool.images is kept.task.unlabelled
    assert kept.pool("source", "lautum", 8, 1e-2).images is kept.task.source.inputs
    assert kept.nbytes == before + 4 * 8 * (40 + 1437)


def test_every_size_is_part_of_what_fixes_a_task() -> None:
    changes = {"unlabelled": 41, "labelled": 21, "validation": 21, "test": 0}
    assert len({key(0), *(key(0, **{name: n}) for name, n in changes.items())}) == 5
    assert key(0, labels=11) == key(0)


def test_a_file_that_came_makes_it_another_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    for name in "ab":
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(50):
            Image.new("L", (16, 16), k).save(tmp_path / "own" / name / f"{k}.png")
    own = {"source": f"folder:{tmp_path / 'own'}"}
    before, make = key(0, **own), Maker()
    tasks = KeptTasks(10**9, make)
    n = len(tasks.get(before).task.source)
    assert key(0, **own) == before
    for k in range(30):
        Image.new("L", (16, 16), k).save(tmp_path / "own" / "a" / f"more{k}.png")
    os.utime(tmp_path / "own" / "a", ns=(0, 1))
    assert key(0, **own) != before
    assert len(tasks.get(key(0, **own)).task.source) > n
