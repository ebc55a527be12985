"""Files that are there whole or not at all: written beside their place, then renamed. And where a
user's own files belong."""

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PAUSES = (0.01, 0.03, 0.1, 0.3)  # seconds, until a reader has closed the file


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes the place of `path` when the block ends.

    If the block or the renaming fails, what was at `path` stays and the temporary file is removed.
    Whoever else writes the same path, another thread, process or machine, is not met: the last one
    to finish has its content there. Windows refuses to replace a file while someone reads it, so
    that is tried a few times. OSError: the folder is not there or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        for pause in PAUSES:
            try:
                temporary.replace(path)
                return
            except PermissionError:
                time.sleep(pause)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all. OSError as `written_whole`."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def user_folder(find: Callable[..., Path], name: str, **options: bool) -> Path:
    """A folder of this user's own, as a function of platformdirs finds it by a program's name.

    Without a home (no HOME, and a user that the system has no entry for, as in some containers) it
    is one with the user's number in the folder for temporary files.
    """
    folder = Path()
    with suppress(RuntimeError):
        folder = find(name, **options)
    if folder.is_absolute():  # older versions answer with a folder called ~
        return folder
    return Path(tempfile.gettempdir(), f"{name}-{getattr(os, 'getuid', int)()}")
