"""What is read from the archives of the public sets, and what is said of bad ones."""

import bz2
import gzip
import hashlib
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_sets import (
    load_small,
    notmnist,
    png,
    publish,
    published,
    put,
    said,
    same,
    set_notmnist,
    tar_gz,
    tree,
)

from lautum_utils.data.cache import cache_folder
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.datasets import load_images
from lautum_utils.data.downloads import NOTMNIST

pytestmark = pytest.mark.usefixtures("nothing_installed")


def test_notmnist_skips_and_counts_broken_files_and_splits_by_the_hash_of_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, glyphs = notmnist()
    set_notmnist(monkeypatch, data)
    hashed = {at: int(hashlib.sha256("/".join(at).encode()).hexdigest(), 16) % 6 for at in glyphs}
    for split in SPLITS:
        mine = [at for at in glyphs if (hashed[at] == 0) == (split == "test")]
        images = load_small(split)
        assert len(mine) > 2
        same(
            images,
            (
                np.stack([glyphs[at][None] for at in mine]),
                ["ABCDEFGHIJ".index(letter) for letter, _ in mine],
            ),
        )
        assert images.class_names == tuple("ABCDEFGHIJ")
    assert load_small().skipped + load_small("test").skipped == 2


def test_notmnist_sizes_and_urls_are_the_published_ones() -> None:
    assert NOTMNIST == {
        "notmnist_small": ("notMNIST_small.tar.gz", 8458043),
        "notmnist_large": ("notMNIST_large.tar.gz", 247336696),
    }


def member(name: str, member_type: bytes, link: str = "") -> dict[str, bytes | tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = member_type, link
    return {name: info}


@pytest.mark.parametrize(
    "odd",
    [
        {"../../evil.png": b"x"},
        {"notMNIST_small/A/../../../evil.png": b"x"},
        {"/tmp/evil.png": b"x"},
        {"notMNIST_small\\..\\evil.png": b"x"},
        member("notMNIST_small/A/link.png", tarfile.SYMTYPE, "/etc/passwd"),
        member("notMNIST_small/A/hard.png", tarfile.LNKTYPE, "notMNIST_small/A/font0.png"),
        member("notMNIST_small/A/null.png", tarfile.CHRTYPE),
        member("notMNIST_small/A/pipe.png", tarfile.FIFOTYPE),
    ],
    ids=["above", "traversal", "absolute", "backslash", "symlink", "hardlink", "device", "pipe"],
)
def test_odd_member_of_an_archive_is_refused_and_the_archive_removed(
    odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = set_notmnist(
        monkeypatch, tar_gz({"notMNIST_small/A/a.png": png(np.zeros((28, 28), np.uint8)), **odd})
    )
    said(load_small, str(archive), repr(next(iter(odd))), "removed")
    assert tree(tmp_path) == set()


def test_archive_cut_or_flipped_is_told_and_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, _ = notmnist()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    checksum = data[:-8] + bytes(4) + data[-4:]
    short_tar = gzip.compress(gzip.decompress(data)[:3000])
    for bad in (
        data[: len(data) // 2],
        bytes(flipped),
        checksum,
        short_tar,
        b"",
        b"<html>gone</html>",
    ):
        archive = set_notmnist(monkeypatch, bad)
        said(load_small, str(archive), "removed", "load again")
        assert tree(tmp_path) == set()


def test_archive_without_images_or_of_another_size_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    set_notmnist(monkeypatch, tar_gz({"notMNIST_small/A/a.png": b""}))
    said(load_small, "notmnist_small", "train", "test", "unreadable")
    archive = set_notmnist(monkeypatch, notmnist()[0])
    size = archive.stat().st_size
    archive.write_bytes(archive.read_bytes()[:-1])
    said(load_small, f"size {size - 1} and needs {size}", 'load("letters")')


def idx_header(n: int) -> bytes:
    return struct.pack(">4i", 0x803, n, 28, 28)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("mnist", b"no gzip"),
        ("mnist", gzip.compress(b"\0" * 5000)[:-12]),
        ("mnist", gzip.compress(b"")),
        ("mnist", gzip.compress(b"<html>")),
        ("mnist", gzip.compress(idx_header(12) + bytes(100))),
        ("mnist", gzip.compress(idx_header(3) + bytes(3 * 784))),
        ("mnist", gzip.compress(idx_header(-1) + bytes(784))),
        ("cifar10", tar_gz({"cifar-10-batches-py/data_batch_1": b"no pickle"})),
        ("cifar10", tar_gz({"elsewhere/x": b""})),
        ("cifar10", tar_gz({"../x": b""})),
        ("cifar10", b"no tar"),
        ("svhn", b"no mat"),
        ("svhn", b""),
        ("usps", b"no bz2"),
        ("usps", bz2.compress(b"1 1:0.5 2:x\n")),
        ("usps", bz2.compress(b"12 " + b" ".join(b"%d:0" % i for i in range(1, 257)) + b"\n")),
        ("usps", bz2.compress(b"")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_file_with_the_right_checksum_gets_one_sentence(
    name: str, bad: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = published(name)
    files[next(iter(files))] = bad
    publish(monkeypatch, name, files, ["http://127.0.0.1:9"])
    put(name, files)
    said(lambda: load_images(name, download=False, progress=False), name)
    assert not (cache_folder() / name).exists()
