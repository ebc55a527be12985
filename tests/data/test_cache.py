"""The cache: converted once, mapped, never half there."""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from filelock import FileLock
from tiny_sets import load_small, notmnist, publish, published, put, said, same, set_notmnist, tree
from waiting import GUARD, ended, until

from lautum_utils.data import archives, cache
from lautum_utils.data.cache import cache_folder
from lautum_utils.data.datasets import load_images

pytestmark = pytest.mark.usefixtures("nothing_installed")


def test_cache_is_the_users_or_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("LAUTUM_DATA", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
    monkeypatch.setenv("LAUTUM_DATA", "")
    assert cache_folder() == platformdirs.user_cache_path("lautum_utils", appauthor=False)


@pytest.mark.parametrize(
    "harm",
    [
        lambda f: (f / "about.json").write_text("{", encoding="utf-8"),
        lambda f: (f / "about.json").write_text("[]", encoding="utf-8"),
        lambda f: (f / "about.json").write_bytes(b"\xff\xfe"),
        lambda f: (f / "about.json").write_text(json.dumps({"format": 0}), encoding="utf-8"),
        lambda f: (f / "about.json").write_text(json.dumps({"format": "one"}), encoding="utf-8"),
        lambda f: (f / "about.json").write_text(
            (f / "about.json").read_text(encoding="utf-8").replace("28", "-28"), encoding="utf-8"
        ),
        lambda f: (f / "about.json").unlink(),
        lambda f: (f / "train.pixels").unlink(),
        lambda f: (f / "train.pixels").write_bytes((f / "train.pixels").read_bytes()[:-1]),
        lambda f: (f / "train.labels").write_bytes(b""),
        lambda f: (f / "train.labels").write_bytes(b"\x7f" * (f / "train.labels").stat().st_size),
        lambda f: (shutil.rmtree(f), f.mkdir()),
    ],
)
def test_damaged_or_older_cache_is_made_again(
    harm: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = published("mnist")
    publish(monkeypatch, "mnist", files, ["http://127.0.0.1:9"])
    downloads = put("mnist", files)
    load_images("mnist", progress=False)
    harm(cache_folder() / "mnist")
    for _ in range(2):
        same(load_images("mnist", progress=False), truth["train"])
        shutil.rmtree(downloads, ignore_errors=True)


def test_newer_cache_is_left_alone_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = published("mnist")
    publish(monkeypatch, "mnist", files, ["http://127.0.0.1:9"])
    put("mnist", files)
    about = cache_folder() / "mnist" / "about.json"
    load_images("mnist", progress=False)
    about.write_text(json.dumps({"format": 2, "strange": True}), encoding="utf-8")
    said(lambda: load_images("mnist", progress=False), "format 2", "above 1", "LAUTUM_DATA")
    assert json.loads(about.read_bytes())["format"] == 2


def test_cache_that_is_a_file_or_cannot_be_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_notmnist(monkeypatch, notmnist()[0])
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "/dev/null/below"):
        said(
            lambda folder=folder: load_images("notmnist_small", cache=folder),
            str(folder),
            "LAUTUM_DATA",
        )


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that root's rights do not help with: written before, read-only from where a test
    calls chmod."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_read_only_cache_is_read_and_not_written(
    as_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUTUM_DATA", str(as_nobody))
    set_notmnist(monkeypatch, notmnist()[0])
    n = len(load_small())
    as_nobody.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    assert len(load_small()) == n
    said(
        lambda: load_images("mnist", progress=False),
        str(as_nobody),
        "Permission denied",
        "LAUTUM_DATA",
    )


def test_full_cache_is_told_and_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    set_notmnist(monkeypatch, notmnist()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        said(load_small, str(cache_folder()), "File too large", "make space")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tree(cache_folder()) == {"downloads/notmnist_small/notMNIST_small.tar.gz"}
    assert len(load_small()) > 20


# ----------------------------------------------------------------------------------- many processes

fork = multiprocessing.get_context("fork")  # a child has the parent's tiny files


def test_two_processes_at_once_convert_once_and_both_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_notmnist(monkeypatch, notmnist()[0])
    write, locking, times, sizes = (
        cache._write,
        fork.Semaphore(0),
        fork.Value("i", 0),
        fork.SimpleQueue(),
    )

    class Told(FileLock):
        def acquire(self, *args: Any, **options: Any) -> Any:
            locking.release()
            return super().acquire(*args, **options)

    def waits_for_the_other(*args: Any) -> str:
        with times.get_lock():
            times.value += 1
        assert all(locking.acquire(timeout=GUARD) for _ in both), (
            "both have found no set, and want to make it"
        )
        return write(*args)

    monkeypatch.setattr(cache, "FileLock", Told)
    monkeypatch.setattr(cache, "_write", waits_for_the_other)
    both = [
        fork.Process(target=lambda: sizes.put(len(load_small())), daemon=True) for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        ended(process)
        assert process.exitcode == 0
    assert times.value == 1
    assert [sizes.get() for _ in both] == [len(load_small())] * 2


def test_process_killed_in_the_middle_leaves_nothing_that_blocks_or_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, glyphs = notmnist()
    archive = set_notmnist(monkeypatch, data)
    decode, reached = archives.decode, fork.Event()

    def stuck(*args: Any) -> Any:
        if len(list(cache_folder().glob(".*/set/*.pixels"))) == 2 and (seen := next(counter)) == 10:
            reached.set()
            signal.pause()
            pytest.fail(f"not killed after {seen}")
        return decode(*args)

    counter = iter(range(1000))
    monkeypatch.setattr(archives, "decode", stuck)
    process = fork.Process(target=load_small, daemon=True)
    process.start()
    until(lambda: reached.is_set() or not process.is_alive(), "it converts, or has failed")
    process.kill()
    ended(process)
    assert process.exitcode == -signal.SIGKILL
    assert list(cache_folder().glob(".*.tmp/set/*.pixels")), "it was in the middle"
    assert not (cache_folder() / "notmnist_small").exists()
    monkeypatch.setattr(archives, "decode", decode)
    monkeypatch.setattr(cache, "FileLock", partial(FileLock, timeout=0))  # nobody holds it
    assert len(load_small()) + len(load_small("test")) == len(glyphs)
    assert archive.exists()
    assert not list(cache_folder().glob(".*.tmp"))
