"""Files that are there whole or not at all: written beside their place, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes the place of `path` when the block ends.

    If the block or the renaming fails, what was at `path` stays and the temporary file is removed.
    Processes that write the same path do not meet: the last one to finish has its content there.
    OSError: the folder is not there or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all. OSError as `written_whole`."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
