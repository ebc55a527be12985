"""What other machines do differently: Windows' text and files, no home, no permission, two at
once."""

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import platformdirs
import pytest
from filelock import FileLock
from lautum_pages.progress import mark_solved, progress_path
from plan import NOTEBOOKS, ROOT
from waiting import ended

from lautum_utils.data.cache import cache_folder
from lautum_utils.data.own import load_own
from lautum_utils.files import PAUSES, user_folder, write_whole, written_whole
from notebooks.tools import build, contents, recording

OF_TESTS = ("tests/try_versions.py", "tests/processors.py", "tests/race/race.py")
COMMANDS = [*NOTEBOOKS.glob("tools/*.py"), *(ROOT / path for path in OF_TESTS)]
SAYS = ("print", "sys.exit", "SystemExit", "bar.write", "argparse.ArgumentParser")


def told(path: Path) -> Iterator[str]:
    """The texts of a command that go to a terminal, or to a file in place of it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        says = isinstance(node, ast.Call) and ast.unparse(node.func) in (*SAYS, "add_argument")
        for part in ast.walk(node) if says else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def test_what_commands_say_can_be_said_on_windows() -> None:
    texts = [text for path in COMMANDS for text in told(path)]
    assert len(texts) > len(COMMANDS)
    for text in texts:
        text.encode("cp1252")


def test_a_path_of_windows_is_one_and_its_options_are_read() -> None:
    with pytest.raises(ValueError, match=r"C:\\my pictures\b(?!\?)"):
        load_own(r"folder:C:\my pictures?size=8", "train")


def test_two_who_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with written_whole(path) as mine, written_whole(path) as other:
        mine.write_bytes(b"mine, which ends last")
        other.write_bytes(b"other")
    assert path.read_bytes() == b"mine, which ends last"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("refusals", [0, 2, len(PAUSES) + 1])
def test_a_file_that_is_being_read_on_windows_is_replaced_later(
    refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, replace = [PermissionError(13, "Access is denied")] * refusals, Path.replace

    def refused(self: Path, target: Path) -> Path:
        if left:
            raise left.pop()
        return replace(self, target)

    monkeypatch.setattr("lautum_utils.files.PAUSES", [0.0] * len(PAUSES))
    monkeypatch.setattr(Path, "replace", refused)
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    if refusals > len(PAUSES):
        with pytest.raises(PermissionError):
            write_whole(path, b"after")
    else:
        write_whole(path, b"after")
    assert path.read_bytes() == (b"before" if refusals > len(PAUSES) else b"after")
    assert list(tmp_path.iterdir()) == [path]


def nobody(_: int) -> object:
    raise KeyError("uid not found")


def old_answer(name: str) -> Path:
    return Path("~") / ".cache" / name


@pytest.mark.parametrize("find", [platformdirs.user_cache_path, old_answer])
def test_without_a_home_files_go_where_temporary_ones_do(
    find: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(pytest.importorskip("pwd"), "getpwuid", nobody)
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LAUTUM_DATA", "LAUTUM_PROGRESS"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / f"temporary/lautum_utils-{os.getuid()}"
    assert user_folder(find, "lautum_utils") == cache_folder() == folder
    assert mark_solved("entropy_bits") == ""
    assert progress_path() == tmp_path / f"temporary/lautum-lab-{os.getuid()}/progress.json"
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_two_builds_at_once_keep_both_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, lock = tmp_path / "contents.toml", tmp_path / "build/.lock"
    text = contents.CONTENTS.read_text(encoding="utf-8")
    table.write_text(text, encoding="utf-8")
    monkeypatch.setattr(contents, "CONTENTS", table)
    monkeypatch.setattr(contents, "LOCK", lock)
    lock.parent.mkdir()
    build_of_04 = Thread(target=contents.measured, args=("04_the_regularizer", 1000.0))
    with FileLock(lock):
        build_of_04.start()
        table.write_text(text.replace('"Start here"', '"Begin here"'), encoding="utf-8")
    ended(build_of_04)
    rows = {row["name"]: row for row in contents.contents()["notebook"]}
    assert rows["00_start_here"]["title"] == "Begin here"
    assert rows["04_the_regularizer"]["runs"] == 1005


def test_in_a_checkout_that_is_not_ones_own_commands_say_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(sys, "argv", ["build", "11"])
    there = re.escape(str(NOTEBOOKS))
    with pytest.raises(SystemExit, match=f"^{there} cannot be written to: copy the project to"):
        build.main()
    monkeypatch.setattr(sys, "argv", ["record"])
    with pytest.raises(SystemExit, match=r"^store needs to be a folder that can be written to"):
        recording.main("a record", [], str(tmp_path / "a.store"), Path("a.json.gz"))
