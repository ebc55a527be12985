"""The real data sets, on tiny files in their true formats: what is read, and what is said of bad
files. No network."""

import bz2
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import socket
import struct
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import platformdirs
import pytest
import scipy.io
import torch
import torchvision
from filelock import FileLock
from PIL import Image
from urllib3.connection import HTTPConnection
from waiting import GUARD, ended, until

from lautum_utils.data import datasets
from lautum_utils.data.datasets import (
    CIFAR100_CLASSES,
    DATASETS,
    INSTALLED,
    NOTMNIST,
    TORCHVISION,
    DatasetError,
    Images,
    _kind,
    cache_folder,
    load_folder,
    load_images,
)

DEBIAN = INSTALLED["fashion_mnist"]
SPLITS = ("train", "test")
COUNTS = {"train": 12, "test": 7}
Truth = dict[str, tuple[np.ndarray, list[int]]]
rng = np.random.default_rng(0)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def said(what: Callable[[], object], *parts: str, kind: type[Exception] = DatasetError) -> str:
    """The one sentence of an error."""
    with pytest.raises(kind) as caught:
        what()
    sentence = str(caught.value)
    print(sentence)
    assert type(caught.value) is kind
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    for part in parts:
        assert part in sentence
    return sentence


# ------------------------------------------------------------------------------------------- tiny files and a server


@dataclass
class Server:
    """What it serves by path; which paths were asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    here = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            data = here.files.get(self.path)
            self.send_response(404 if data is None else 200)
            cut = data is not None and data.startswith(b"CUT")
            self.send_header("Content-Length", str(len(data or b"") + 100 * cut))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        here.url = f"http://127.0.0.1:{http.server_port}"
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield here
        http.shutdown()


def tar_gz(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def draw(*shape: int, classes: int = 10) -> Truth:
    return {
        s: (
            rng.integers(0, 256, (n, *shape), dtype=np.uint8),
            [(3 * i + 1) % classes for i in range(n)],
        )
        for s, n in COUNTS.items()
    }


def idx() -> tuple[dict[str, bytes], Truth]:
    truth, files = draw(1, 28, 28), {}
    for split, start in (("train", "train"), ("test", "t10k")):
        x, y = truth[split]
        files[f"{start}-images-idx3-ubyte.gz"] = gzip.compress(
            struct.pack(">4i", 0x803, len(x), 28, 28) + x.tobytes()
        )
        files[f"{start}-labels-idx1-ubyte.gz"] = gzip.compress(
            struct.pack(">2i", 0x801, len(y)) + bytes(y)
        )
    return files, truth


def cifar_members(kind: Any, truth: Truth, key: str, names: list[str]) -> dict[str, bytes]:
    """The batches as CIFAR pickles them, each with its own part of the images."""
    members = {}
    for split, batches in (("train", kind.train_list), ("test", kind.test_list)):
        x, y = truth[split]
        parts = np.array_split(np.arange(len(x)), len(batches))
        for (batch, _), at in zip(batches, parts, strict=True):
            content = {
                "data": x[at].reshape(len(at), -1),
                key: [y[i] for i in at],
                "batch_label": batch,
            }
            members[f"{kind.base_folder}/{batch}"] = pickle.dumps(content, protocol=2)
    members[f"{kind.base_folder}/{kind.meta['filename']}"] = pickle.dumps(
        {kind.meta["key"]: names}, protocol=2
    )
    return members | {f"{kind.base_folder}/readme.html": b"to be passed over"}


HUNDRED = sorted([*CIFAR100_CLASSES, "horseshoe", *(f"thing_{i:02}" for i in range(89))])
TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def published(name: str) -> tuple[dict[str, bytes], Truth]:
    """The files of a tiny set, and what is in them."""
    if name in ("mnist", "fashion_mnist"):
        return idx()
    kind = _kind(name)
    if name == "cifar10":
        truth = draw(3, 32, 32)
        return {kind.filename: tar_gz(cifar_members(kind, truth, "labels", TEN))}, truth
    if name == "cifar100":
        truth = {
            s: (
                rng.integers(0, 256, (200, 3, 32, 32), dtype=np.uint8),
                [(7 * i) % 100 for i in range(200)],
            )
            for s in SPLITS
        }
        return {kind.filename: tar_gz(cifar_members(kind, truth, "fine_labels", HUNDRED))}, truth
    if name == "svhn":
        truth, files = draw(3, 32, 32), {}
        for split, (x, y) in truth.items():
            out = io.BytesIO()
            ones_to_ten = np.array([[10 if label == 0 else label] for label in y], dtype=np.uint8)
            scipy.io.savemat(
                out, {"X": x.transpose(2, 3, 1, 0), "y": ones_to_ten}, do_compression=True
            )
            files[f"{split}_32x32.mat"] = out.getvalue()
        return files, truth
    truth, files = {}, {}
    for split, file in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        n = COUNTS[split]
        values, y = rng.integers(-1000, 1001, (n, 256)) / 1000, [i % 10 for i in range(n)]
        lines = (
            f"{label + 1} " + " ".join(f"{i + 1}:{v}" for i, v in enumerate(row))
            for row, label in zip(values, y, strict=True)
        )
        files[file] = bz2.compress("\n".join(lines).encode() + b"\n")
        truth[split] = (
            ((values.astype(np.float32) + 1) / 2 * 255).astype(np.uint8).reshape(n, 1, 16, 16),
            y,
        )
    return files, truth


def publish(
    monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, bytes], urls: list[str]
) -> None:
    """Let torchvision's own table name these files, at these addresses, with their checksums."""
    kind = _kind(name)
    if name in ("mnist", "fashion_mnist"):
        monkeypatch.setattr(kind, "mirrors", [f"{url}/" for url in urls])
        monkeypatch.setattr(kind, "resources", [(file, md5(data)) for file, data in files.items()])
    elif name.startswith("cifar"):
        (data,) = files.values()
        monkeypatch.setattr(kind, "url", f"{urls[0]}/{kind.filename}")
        monkeypatch.setattr(kind, "tgz_md5", md5(data))
        sums = {}
        with suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)) as tar:
            sums = {Path(m.name).name: md5(tar.extractfile(m).read()) for m in tar if m.isfile()}
        for part in ("train_list", "test_list"):
            monkeypatch.setattr(
                kind, part, [[batch, sums.get(batch, "")] for batch, _ in getattr(kind, part)]
            )
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums.get(kind.meta["filename"], "")})
    else:
        table = {
            s: [f"{urls[0]}/{f}", f, md5(d)]
            for s, (f, d) in zip(SPLITS, files.items(), strict=True)
        }
        monkeypatch.setattr(kind, "split_list", table)


@pytest.fixture(autouse=True)
def _no_network_and_nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test that forgets to publish fails at once, and none touches the user's own cache."""
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "INSTALLED", {})
    monkeypatch.setattr(datasets, "NOTMNIST_URL", "http://127.0.0.1:9/")
    for variable in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)


def put(name: str, files: dict[str, bytes]) -> Path:
    """Files where a person without a network would put them."""
    folder = cache_folder() / "downloads" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return folder


def same(images: Images, truth: tuple[np.ndarray, list[int]]) -> None:
    assert images.pixels.dtype == torch.uint8
    assert images.labels.dtype == torch.int64
    assert images.pixels.device.type == "cpu"
    assert torch.equal(images.pixels, torch.from_numpy(truth[0]))
    assert images.labels.tolist() == truth[1]
    assert len(images) == len(truth[1])


def tree(folder: Path) -> set[str]:
    return {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"
    }


# ---------------------------------------------------------------------------------------------- what the loaders read


@pytest.mark.parametrize("name", [name for name in TORCHVISION if name != "cifar100"])
def test_set_is_downloaded_once_and_every_pixel_and_label_is_as_published(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = published(name)
    server.files = {f"/{file}": data for file, data in files.items()}
    publish(monkeypatch, name, files, [server.url])
    for split in SPLITS:
        images = load_images(name, split, progress=False)
        same(images, truth[split])
        assert images.skipped == 0
    assert sorted(server.asked) == sorted(server.files), "each file once"
    names = {"cifar10": TEN, "fashion_mnist": torchvision.datasets.FashionMNIST.classes}
    assert images.class_names == tuple(names.get(name, "0123456789"))
    here = {f"downloads/{name}/{file}" for file in files}
    converted = {
        f"{name}/{end}"
        for end in ("about.json", *(f"{s}.{part}" for s in SPLITS for part in ("pixels", "labels")))
    }
    assert tree(cache_folder()) == here | converted, "nothing half-made is left"


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_second_load_maps_the_cache_and_reads_no_archive(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = published(name)
    publish(monkeypatch, name, files, ["http://127.0.0.1:9"])
    downloads = put(name, files)
    load_images(name, progress=False)
    shutil.rmtree(downloads)
    for reader in ("_files", "_torchvision", "_write", "FileLock"):
        monkeypatch.setattr(datasets, reader, None)
    for split in SPLITS:
        same(load_images(name, split, download=False), truth[split])
    images = load_images(name)
    mapped = Path("/proc/self/maps")
    if mapped.exists():
        assert f"{name}/train.pixels" in mapped.read_text(encoding="utf-8")
    images.pixels.zero_()
    same(load_images(name), truth["train"])


def test_progress_shows_one_bar_for_the_download_and_one_for_converting(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    files, _ = published("usps")
    server.files = {f"/{file}": data for file, data in files.items()}
    publish(monkeypatch, "usps", files, [server.url])
    load_images("usps", cache=cache_folder() / "loud")
    assert "converting usps: 2part" in capfd.readouterr().err
    load_images("usps", cache=cache_folder() / "quiet", progress=False)
    out = capfd.readouterr()
    assert out.out + out.err == ""


def test_cifar100_takes_ten_classes_and_labels_them_in_the_order_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files, truth = published("cifar100")
    publish(monkeypatch, "cifar100", files, ["http://127.0.0.1:9"])
    put("cifar100", files)
    other = ("thing_42", "apple", *(f"thing_{i:02}" for i in range(7, 0, -1)), "orchid")
    for classes, wanted in (
        (None, CIFAR100_CLASSES),
        (other, other),
        (list(other[::-1]), other[::-1]),
    ):
        for split, (x, y) in truth.items():
            images = load_images("cifar100", split, classes=classes, progress=False)
            at = [i for i, label in enumerate(y) if HUNDRED[label] in wanted]
            assert len(at) == 20
            same(images, (x[at], [wanted.index(HUNDRED[y[i]]) for i in at]))
            assert images.class_names == tuple(wanted)


def test_cifar100_classes_are_ten_and_none_is_one_of_cifar10() -> None:
    assert len(set(CIFAR100_CLASSES)) == 10
    assert not set(CIFAR100_CLASSES) & {
        *TEN,
        "pickup_truck",
        "bus",
        "wolf",
        "fox",
        "cattle",
        "streetcar",
    }


def test_unknown_names_and_classes_say_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = published("cifar100")
    publish(monkeypatch, "cifar100", files, ["http://127.0.0.1:9"])
    put("cifar100", files)
    wrong = partial(said, kind=ValueError)
    classes = [*CIFAR100_CLASSES[:9], "orchd"]
    wrong(
        lambda: load_images("cifar100", classes=classes, progress=False),
        "'orchd'",
        "orchid",
        "cifar100",
    )
    wrong(lambda: load_images("cifar100", classes=["apple"] * 10), "ten different names")
    wrong(lambda: load_images("cifar100", classes=["apple"]), "ten different names")
    wrong(lambda: load_images("cifar100", classes="abcdefghij"), "ten different names")
    wrong(lambda: load_images("mnist", classes=["0"]), "cifar100 only", "mnist")
    wrong(lambda: load_images("imagenet"), "imagenet", *DATASETS)
    wrong(lambda: load_images("mnist", "validation"), "validation", "train, test")


# ------------------------------------------------------------------------------------------------------------ notMNIST


def notmnist() -> tuple[bytes, dict[tuple[str, str], np.ndarray]]:
    glyphs = {
        (letter, f"font{i}.png"): rng.integers(0, 256, (28, 28), dtype=np.uint8)
        for letter in "ABCJ"
        for i in range(9)
    }
    members: dict[str, bytes | tarfile.TarInfo] = {
        f"notMNIST_small/{a}/{b}": png(x) for (a, b), x in glyphs.items()
    }
    folder = tarfile.TarInfo("notMNIST_small/D")
    folder.type = tarfile.DIRTYPE
    broken = png(rng.integers(0, 256, (28, 28), dtype=np.uint8))
    members |= {
        "notMNIST_small/D": folder,
        "notMNIST_small/A/empty.png": b"",
        "notMNIST_small/B/broken.png": broken[:400],
    }
    return tar_gz(
        members
        | {"notMNIST_small/A/._font0.png": b"left by a Mac", "notMNIST_small/readme.txt": b"?"}
    ), glyphs


def set_notmnist(monkeypatch: pytest.MonkeyPatch, data: bytes) -> Path:
    monkeypatch.setitem(NOTMNIST, "notmnist_small", ("notMNIST_small.tar.gz", len(data)))
    return put("notmnist_small", {"notMNIST_small.tar.gz": data}) / "notMNIST_small.tar.gz"


def load_small(split: str = "train") -> Images:
    return load_images("notmnist_small", split, download=False, progress=False)


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
        "notmnist_small": ("notMNIST_small.tar.gz", 8458043), "notmnist_large": ("notMNIST_large.tar.gz", 247336696)
    }  # fmt: skip


def member(name: str, kind: bytes, link: str = "") -> dict[str, bytes | tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
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


def test_download_of_another_size_stays_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, _ = notmnist()
    monkeypatch.setitem(NOTMNIST, "notmnist_small", ("small.tar.gz", len(data)))
    monkeypatch.setattr(datasets, "NOTMNIST_URL", f"{server.url}/")
    server.files = {"/small.tar.gz": data + b"more"}
    said(
        lambda: load_images("notmnist_small", progress=False),
        f"size {len(data) + 4} and needs {len(data)}",
    )
    assert tree(tmp_path) == set()
    server.files = {"/small.tar.gz": data}
    assert len(load_images("notmnist_small", progress=False)) > 20


# -------------------------------------------------------------------------------------------- downloads that go wrong


def test_second_address_is_tried_when_the_first_has_it_not_or_wrong(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = published("mnist")
    first, *others = files
    server.files = {f"/good/{file}": data for file, data in files.items()} | {
        f"/bad/{first}": b"something else"
    }
    server.files |= {f"/bad/{others[0]}": b"CUT short"}
    publish(monkeypatch, "mnist", files, [f"{server.url}/bad", f"{server.url}/good"])
    same(load_images("mnist", progress=False), truth["train"])
    assert server.asked == [f"/{place}/{file}" for file in files for place in ("bad", "good")]


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "usps"])
def test_wrong_checksum_names_file_and_sums_and_leaves_nothing(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files, _ = published(name)
    first = next(iter(files))
    server.files = {f"/{file}": data[: len(data) // 2] for file, data in files.items()}
    publish(monkeypatch, name, files, [server.url])
    monkeypatch.setattr(
        "pickle.load",
        lambda *a, **k: pytest.fail("a pickle was read before its checksum was known"),
    )
    wanted, found = md5(files[first]), md5(server.files[f"/{first}"])
    said(
        lambda: load_images(name, progress=False),
        first,
        wanted,
        found,
        server.url,
        *files,
        'load("digits")',
    )
    assert tree(tmp_path) == set()
    monkeypatch.undo()


def test_wrong_file_put_by_hand_is_not_used_and_a_right_one_takes_its_place(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = published("usps")
    publish(monkeypatch, "usps", files, [server.url])
    folder = put("usps", files | {"usps.bz2": b"wrong"})
    sentence = said(
        lambda: load_images("usps", download=False, progress=False),
        md5(b"wrong"),
        "download=False",
        str(folder),
    )
    assert "usps.t.bz2" not in sentence, "that one is there"
    server.files = {f"/{file}": data for file, data in files.items()}
    same(load_images("usps", progress=False), truth["train"])
    assert server.asked == ["/usps.bz2"]
    assert (folder / "usps.bz2").read_bytes() == files["usps.bz2"]


def test_offline_is_told_at_once_with_what_to_put_where_and_what_to_take_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried, connect = [], HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda to: (tried.append(to.port), connect(to)))
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits before it tries again"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setattr(datasets, "NOTMNIST_URL", f"{url}/")
        for name in DATASETS:
            if name in TORCHVISION:
                files = published(name)[0]
                publish(monkeypatch, name, files, [url])
            else:
                files = {NOTMNIST[name][0]: b""}
            other = 'domains.load("letters")' if name in NOTMNIST else 'domains.load("digits")'
            for download in (True, False):
                folder = cache_folder() / "downloads" / name
                load = partial(load_images, name, download=download, progress=False)
                said(
                    load,
                    name,
                    str(folder),
                    *files,
                    other,
                    "failed (ConnectionError)" if download else "download=False",
                )
    assert tried == [port] * len(DATASETS), "each set asks once, for its first file"
    assert tree(cache_folder()) == set()
    assert datasets.TIMEOUT[0] <= 10


def test_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = published("usps")
    monkeypatch.setattr(datasets, "TIMEOUT", (GUARD, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        publish(monkeypatch, "usps", files, [f"http://127.0.0.1:{silent.getsockname()[1]}"])
        said(lambda: load_images("usps", progress=False), "ReadTimeout")
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()  # it was asked once


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


# ---------------------------------------------------------------------------------------------------------- the cache


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
    for cache in (tmp_path / "file", tmp_path / "file" / "below", "/dev/null/below"):
        said(
            lambda cache=cache: load_images("notmnist_small", cache=cache),
            str(cache),
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


# ---------------------------------------------------------------------------------------------------- many processes

fork = multiprocessing.get_context("fork")  # a child has the parent's tiny files


def test_two_processes_at_once_convert_once_and_both_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_notmnist(monkeypatch, notmnist()[0])
    write, locking, times, sizes = (
        datasets._write,
        fork.Semaphore(0),
        fork.Value("i", 0),
        fork.SimpleQueue(),
    )

    class Told(FileLock):
        def acquire(self, *args: Any, **options: Any) -> Any:
            locking.release()
            return super().acquire(*args, **options)

    def waits_for_the_other(*args: Any) -> None:
        with times.get_lock():
            times.value += 1
        assert all(locking.acquire(timeout=GUARD) for _ in both), (
            "both have found no set, and want to make it"
        )
        write(*args)

    monkeypatch.setattr(datasets, "FileLock", Told)
    monkeypatch.setattr(datasets, "_write", waits_for_the_other)
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
    decode, reached = datasets._decode, fork.Event()

    def stuck(*args: Any) -> Any:
        if len(list(cache_folder().glob(".*/set/*.pixels"))) == 2 and (seen := next(counter)) == 10:
            reached.set()
            signal.pause()
            pytest.fail(f"not killed after {seen}")
        return decode(*args)

    counter = iter(range(1000))
    monkeypatch.setattr(datasets, "_decode", stuck)
    process = fork.Process(target=load_small, daemon=True)
    process.start()
    until(lambda: reached.is_set() or not process.is_alive(), "it converts, or has failed")
    process.kill()
    ended(process)
    assert process.exitcode == -signal.SIGKILL
    assert list(cache_folder().glob(".*.tmp/set/*.pixels")), "it was in the middle"
    assert not (cache_folder() / "notmnist_small").exists()
    monkeypatch.setattr(datasets, "_decode", decode)
    monkeypatch.setattr(datasets, "FileLock", partial(FileLock, timeout=0))  # nobody holds it
    assert len(load_small()) + len(load_small("test")) == len(glyphs)
    assert archive.exists()
    assert not list(cache_folder().glob(".*.tmp"))


# ----------------------------------------------------------------------------------------------------- a folder of one's own


def folder_of(top: Path, n: int = 30, classes: tuple[str, ...] = ("cat", "émeu")) -> Path:
    for k, name in enumerate(classes):
        (top / name).mkdir(parents=True)
        for i in range(n):
            pixels = np.full((20, 10 + i, 3), (10 * i % 256, 100 * k, 7), np.uint8)
            Image.fromarray(pixels).save(top / name / f"{i}.png")
    return top


def test_folder_gives_each_class_its_label_and_every_image_one_size(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "mine")
    (top / "cat" / "bad.JPG").write_bytes(b"no image")
    (top / "cat" / "empty.png").write_bytes(b"")
    (top / "cat" / "notes.txt").write_text("passed over", encoding="utf-8")
    (top / "cat" / ".hidden.png").write_bytes(b"passed over")
    (top / "cat" / "gone.png").symlink_to(tmp_path / "nowhere")
    (top / "cat" / "folder.png").mkdir()
    (top / ".hidden").mkdir()
    seen = {}
    for split in SPLITS:
        images = load_folder(top, split, size=8, colour=True, progress=False)
        assert images.pixels.shape[1:] == (3, 8, 8)
        assert images.class_names == ("cat", "émeu")
        for x, y in zip(images.pixels, images.labels.tolist(), strict=True):
            assert x.flatten(1).unique(dim=1).shape == (3, 1), "one colour all over"
            red, green, blue = x[:, 0, 0].tolist()
            assert (green, blue) == (100 * y, 7)
            seen[y, red // 10 if red % 10 == 0 else (red + 256) // 10] = split
    wanted = {
        (k, i): "train"
        if int(hashlib.sha256(f"{name}/{i}.png".encode()).hexdigest(), 16) % 6
        else "test"
        for k, name in enumerate(("cat", "émeu"))
        for i in range(30)
    }
    assert seen == wanted
    skipped = [
        load_folder(top, split, size=8, colour=True, progress=False).skipped for split in SPLITS
    ]
    assert sum(skipped) == 2


def test_folder_in_grey_has_pillows_luminance_and_a_square_size(tmp_path: Path) -> None:
    top = folder_of(tmp_path / "mine")
    images = load_folder(top, progress=False)
    assert images.pixels.shape[1:] == (1, 32, 32)
    with Image.open(top / "cat" / "0.png") as first:
        assert int(images.pixels[0, 0, 0, 0]) in {
            round(0.299 * 10 * i % 256 + 0.114 * 7) for i in range(30)
        } | {first.convert("L").getpixel((0, 0))}


def test_folder_with_train_and_test_is_taken_as_it_is(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine" / "train", 5)
    folder_of(tmp_path / "mine" / "test", 3)
    sizes = [
        load_folder(tmp_path / "mine", split, progress=False).labels.tolist() for split in SPLITS
    ]
    assert sizes == [[0] * 5 + [1] * 5, [0] * 3 + [1] * 3]


def test_folder_is_converted_once_and_again_when_a_file_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, decode, decoded = folder_of(tmp_path / "mine"), datasets._decode, []
    monkeypatch.setattr(datasets, "_decode", lambda *a: (decoded.append(a[0]), decode(*a))[1])
    before = {split: load_folder(top, split, progress=False) for split in SPLITS}
    assert len(decoded) == 60
    shutil.copy(top / "cat" / "3.png", top / "cat" / "zzz.png")
    after = {split: load_folder(top, split, progress=False) for split in SPLITS}
    assert len(decoded) == 60 + 61
    assert sum(map(len, after.values())) == 61
    old = {split: {x.numpy().tobytes() for x in images.pixels} for split, images in before.items()}
    new = {split: {x.numpy().tobytes() for x in images.pixels} for split, images in after.items()}
    assert all(old[split] <= new[split] for split in SPLITS), "no old image changed sides"
    assert len(list(cache_folder().glob("folder-*"))) == 1, "the old one is gone"


def test_folder_reads_odd_images_as_they_look(tmp_path: Path) -> None:
    for split in SPLITS:
        for name in ("deep", "turned"):
            (tmp_path / "mine" / split / name).mkdir(parents=True)
        Image.fromarray(np.full((9, 9), 128 * 256, np.uint16)).save(
            tmp_path / "mine" / split / "deep" / "16bit.png"
        )
        exif, upside_down = Image.Exif(), np.zeros((8, 8), np.uint8)
        exif[0x0112], upside_down[:4] = 3, 255
        Image.fromarray(upside_down).save(
            tmp_path / "mine" / split / "turned" / "phone.png", exif=exif
        )
    images = load_folder(tmp_path / "mine", size=8, progress=False)
    assert images.pixels[0].unique().tolist() == [128]
    assert images.pixels[1, 0, 0].tolist() == [0] * 8
    assert images.pixels[1, 0, -1].tolist() == [255] * 8


def test_folder_that_is_none_or_too_little_is_told(tmp_path: Path) -> None:
    wrong, bad = partial(said, kind=ValueError), tmp_path / "bad"
    wrong(lambda: load_folder(bad), str(bad), "No such file")
    bad.mkdir()
    wrong(lambda: load_folder(bad), str(bad), "two folders")
    (bad / "train" / "cat").mkdir(parents=True)
    wrong(lambda: load_folder(bad), str(bad), "both train and test")
    (tmp_path / "file").write_text("", encoding="utf-8")
    wrong(lambda: load_folder(tmp_path / "file"), "file", "Not a directory")
    wrong(lambda: load_folder(folder_of(tmp_path / "few", 1), size=0), "size", "0")
    wrong(lambda: load_folder(tmp_path / "few", "validation"), "validation")
    (tmp_path / "none" / "a").mkdir(parents=True)
    (tmp_path / "none" / "b").mkdir()
    said(lambda: load_folder(tmp_path / "none", progress=False), "none", "got none in train")


# ------------------------------------------------------------------------------------------- Fashion-MNIST by Debian


def peak_mib() -> float:
    return (
        int(Path("/proc/self/status").read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0])
        / 1024
    )


@pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="the package dataset-fashion-mnist is not installed"
)
def test_debians_fashion_mnist_is_found_whole_then_mapped_and_within_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(datasets, "INSTALLED", {"fashion_mnist": DEBIAN})
    told = fork.SimpleQueue()

    def measure() -> None:
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="utf-8"
        )  # the peak so far is the parent's
        before = peak_mib()
        load_images("fashion_mnist", download=False, progress=False)
        told.put((before, peak_mib()))

    process = fork.Process(target=measure, daemon=True)
    process.start()
    ended(process)
    assert process.exitcode == 0
    before, peak = told.get()
    print(f"{peak - before:.0f} MiB more than {before:.0f} MiB at the peak")
    assert peak - before < 400
    for reader in ("_files", "_torchvision", "_write", "FileLock"):
        monkeypatch.setattr(datasets, reader, None)
    train, test = (load_images("fashion_mnist", split, download=False) for split in SPLITS)
    assert train.pixels.shape == (60_000, 1, 28, 28)
    assert test.pixels.shape == (10_000, 1, 28, 28)
    assert train.labels.bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert test.labels[:4].tolist() == [9, 2, 1, 1]
    assert train.class_names[0] == "T-shirt/top"
    assert train.class_names[9] == "Ankle boot"
    assert float(train.pixels.float().mean()) / 255 == pytest.approx(0.2860, abs=1e-4)
    with gzip.open(DEBIAN / "t10k-images-idx3-ubyte.gz") as raw:
        assert test.pixels.numpy().tobytes() == raw.read()[16:]


def test_damaged_debian_file_is_named_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files, truth = published("fashion_mnist")
    publish(
        monkeypatch,
        "fashion_mnist",
        {file: data + b"repacked" for file, data in files.items()},
        ["http://127.0.0.1:9"],
    )
    monkeypatch.setattr(datasets, "INSTALLED", {"fashion_mnist": tmp_path / "installed"})
    (tmp_path / "installed").mkdir()
    for file, data in files.items():
        (tmp_path / "installed" / file).write_bytes(data[:-10])
    said(
        lambda: load_images("fashion_mnist", progress=False),
        str(tmp_path / "installed" / next(iter(files))),
        "get it again",
    )
    for file, data in files.items():
        (tmp_path / "installed" / file).write_bytes(data)
    same(load_images("fashion_mnist", progress=False), truth["train"])
