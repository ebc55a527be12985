"""The public sets, on tiny files in their true formats: what is read. No network."""

import gzip
import multiprocessing
import shutil
from functools import partial
from pathlib import Path

import pytest
import torchvision
from tiny_sets import HUNDRED, TEN, Server, publish, published, put, said, same, tree
from waiting import ended

from lautum_utils.data import cache, datasets, downloads
from lautum_utils.data.cache import cache_folder
from lautum_utils.data.checks import SPLITS
from lautum_utils.data.datasets import CIFAR100_CLASSES, load_images
from lautum_utils.data.downloads import DATASETS, TORCHVISION

pytestmark = pytest.mark.usefixtures("nothing_installed")
DEBIAN = downloads.INSTALLED["fashion_mnist"]
READERS = (
    (datasets, "find_files"),
    (datasets, "read_torchvision"),
    (cache, "_write"),
    (cache, "FileLock"),
)
fork = multiprocessing.get_context("fork")  # a child has the parent's tiny files


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
    for module, reader in READERS:
        monkeypatch.setattr(module, reader, None)
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
    wrong = partial(said, error=ValueError)
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


# -------------------------------------------------------------------------- Fashion-MNIST by Debian


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
    monkeypatch.setattr(downloads, "INSTALLED", {"fashion_mnist": DEBIAN})
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
    for module, reader in READERS:
        monkeypatch.setattr(module, reader, None)
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
    monkeypatch.setattr(downloads, "INSTALLED", {"fashion_mnist": tmp_path / "installed"})
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
