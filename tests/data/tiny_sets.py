"""Tiny data sets in the true formats of the public ones, and what their tests share."""

import bz2
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from lautum_utils.data.cache import cache_folder
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.datasets import CIFAR100_CLASSES, load_images
from lautum_utils.data.downloads import NOTMNIST, torchvision_class
from lautum_utils.data.images import DatasetError, Images

COUNTS = {"train": 12, "test": 7}
Truth = dict[str, tuple[np.ndarray, list[int]]]
rng = np.random.default_rng(0)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def said(what: Callable[[], object], *parts: str, error: type[Exception] = DatasetError) -> str:
    """The one sentence of an error."""
    with pytest.raises(error) as caught:
        what()
    sentence = str(caught.value)
    print(sentence)
    assert type(caught.value) is error
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    for part in parts:
        assert part in sentence
    return sentence


@dataclass
class Server:
    """What it serves by path; which paths were asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""


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


def cifar_members(dataset: Any, truth: Truth, key: str, names: list[str]) -> dict[str, bytes]:
    """The batches as CIFAR pickles them, each with its own part of the images."""
    members = {}
    for split, batches in (("train", dataset.train_list), ("test", dataset.test_list)):
        x, y = truth[split]
        parts = np.array_split(np.arange(len(x)), len(batches))
        for (batch, _), at in zip(batches, parts, strict=True):
            content = {
                "data": x[at].reshape(len(at), -1),
                key: [y[i] for i in at],
                "batch_label": batch,
            }
            members[f"{dataset.base_folder}/{batch}"] = pickle.dumps(content, protocol=2)
    members[f"{dataset.base_folder}/{dataset.meta['filename']}"] = pickle.dumps(
        {dataset.meta["key"]: names}, protocol=2
    )
    return members | {f"{dataset.base_folder}/readme.html": b"to be passed over"}


HUNDRED = sorted([*CIFAR100_CLASSES, "horseshoe", *(f"thing_{i:02}" for i in range(89))])
TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def published(name: str) -> tuple[dict[str, bytes], Truth]:
    """The files of a tiny set, and what is in them."""
    if name in ("mnist", "fashion_mnist"):
        return idx()
    dataset = torchvision_class(name)
    if name == "cifar10":
        truth = draw(3, 32, 32)
        return {dataset.filename: tar_gz(cifar_members(dataset, truth, "labels", TEN))}, truth
    if name == "cifar100":
        truth = {
            s: (
                rng.integers(0, 256, (200, 3, 32, 32), dtype=np.uint8),
                [(7 * i) % 100 for i in range(200)],
            )
            for s in SPLITS
        }
        return {
            dataset.filename: tar_gz(cifar_members(dataset, truth, "fine_labels", HUNDRED))
        }, truth
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
    dataset = torchvision_class(name)
    if name in ("mnist", "fashion_mnist"):
        monkeypatch.setattr(dataset, "mirrors", [f"{url}/" for url in urls])
        monkeypatch.setattr(
            dataset, "resources", [(file, md5(data)) for file, data in files.items()]
        )
    elif name.startswith("cifar"):
        (data,) = files.values()
        monkeypatch.setattr(dataset, "url", f"{urls[0]}/{dataset.filename}")
        monkeypatch.setattr(dataset, "tgz_md5", md5(data))
        sums = {}
        with suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)) as tar:
            sums = {Path(m.name).name: md5(tar.extractfile(m).read()) for m in tar if m.isfile()}
        for part in ("train_list", "test_list"):
            monkeypatch.setattr(
                dataset, part, [[batch, sums.get(batch, "")] for batch, _ in getattr(dataset, part)]
            )
        monkeypatch.setattr(
            dataset, "meta", dataset.meta | {"md5": sums.get(dataset.meta["filename"], "")}
        )
    else:
        table = {
            s: [f"{urls[0]}/{f}", f, md5(d)]
            for s, (f, d) in zip(SPLITS, files.items(), strict=True)
        }
        monkeypatch.setattr(dataset, "split_list", table)


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
