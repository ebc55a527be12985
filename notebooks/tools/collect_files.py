"""What was handed in, as files: a folder or a zip, and zips in them, read without unpacking
anything onto the disk.

Nothing is written under a name that somebody else chose. An entry of a zip that leads outside, or a
link in a folder, is refused and told.
"""

import io
import os
import re
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # some browsers add an ending
LEFT_BY_PROGRAMS = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini", re.IGNORECASE)
MEGABYTES = 200  # of one file: more is no notebook
DEPTH = 3  # of zips in zips


class Handed(NamedTuple):
    """A file: the folders and zips that it lies in and its name; its time in seconds; what it
    holds, if it is a notebook; why it could not be read."""

    parts: tuple[str, ...]
    time: float
    content: bytes | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        return "/".join(self.parts)


def handed_in(place: Path) -> list[Handed]:
    """All files of a folder or a zip but those that programs leave behind. FileNotFoundError: there
    is no such place; ValueError: it is neither."""
    if place.is_dir():
        return list(_in_folder(place))
    if not place.exists():
        raise FileNotFoundError(f"FROM needs a folder or a zip that is there, got {place}.")
    if not zipfile.is_zipfile(place):
        raise ValueError(f"FROM needs a folder or a zip, got the file {place}.")
    return list(_in_zip(place, (), place.stat().st_mtime, depth=1))


def say(lines: Sequence[str]) -> None:
    """Print, names of all scripts too: a console without their letters gets their numbers."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print("\n".join(lines))


def _in_folder(place: Path) -> Iterator[Handed]:
    for folder, below, names in os.walk(place):
        within = Path(folder).relative_to(place).parts
        links = [name for name in below if Path(folder, name).is_symlink()]
        below[:] = sorted(n for n in below if n not in links and not LEFT_BY_PROGRAMS.fullmatch(n))
        for name in sorted(names + links):
            if not LEFT_BY_PROGRAMS.fullmatch(name):
                yield from _file(Path(folder, name), (*within, name))


def _file(path: Path, parts: tuple[str, ...]) -> Iterator[Handed]:
    if path.is_symlink():
        yield Handed(parts, 0, problem="a link, which is not followed")
        return
    facts = path.stat()
    if path.suffix.lower() == ".zip":
        yield from _in_zip(path, parts, facts.st_mtime, depth=1)
    elif not NOTEBOOK.search(path.name):
        yield Handed(parts, facts.st_mtime)
    elif facts.st_size > MEGABYTES * 1_000_000:
        yield Handed(parts, facts.st_mtime, problem=f"larger than {MEGABYTES} MB")
    else:
        yield Handed(parts, facts.st_mtime, path.read_bytes())


def _in_zip(
    file: Path | io.BytesIO, parts: tuple[str, ...], when: float, depth: int
) -> Iterator[Handed]:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if outside := [e.filename for e in entries if _leads_outside(e.filename)]:
                yield Handed(parts, when, problem=f"a zip that leads outside ({outside[0]})")
                return
            for entry in sorted(entries, key=lambda e: e.filename):
                within = _parts(entry.filename)
                if not any(LEFT_BY_PROGRAMS.fullmatch(part) for part in within):
                    yield from _entry(archive, entry, (*parts, *within), depth)
    except zipfile.BadZipFile:
        yield Handed(parts, when, problem="a damaged zip")


def _entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, parts: tuple[str, ...], depth: int
) -> Iterator[Handed]:
    when = time.mktime((*entry.date_time, 0, 0, -1))
    nested = parts[-1].lower().endswith(".zip")
    if not nested and not NOTEBOOK.search(parts[-1]):
        yield Handed(parts, when)
    elif entry.flag_bits & 1:
        yield Handed(parts, when, problem="locked with a password")
    elif entry.file_size > MEGABYTES * 1_000_000:
        yield Handed(parts, when, problem=f"larger than {MEGABYTES} MB")
    elif nested and depth == DEPTH:
        yield Handed(parts, when, problem=f"more than {DEPTH} zips, one in another")
    else:
        try:
            content = archive.read(entry)
        except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError) as error:
            yield Handed(parts, when, problem=f"cannot be unpacked ({error})")
            return
        if nested:
            yield from _in_zip(io.BytesIO(content), parts, when, depth + 1)
        else:
            yield Handed(parts, when, content)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _leads_outside(name: str) -> bool:
    name = name.replace("\\", "/")
    return name.startswith("/") or bool(re.match("[A-Za-z]:", name)) or ".." in name.split("/")
