"""Downloads on a server of our own: which files, which checks, what is said when they go wrong."""

import socket
from functools import partial
from pathlib import Path

import pytest
from tiny_sets import Server, md5, notmnist, publish, published, put, said, same, tree
from urllib3.connection import HTTPConnection
from waiting import GUARD

from lautum_utils.data import downloads
from lautum_utils.data.cache import cache_folder
from lautum_utils.data.datasets import load_images
from lautum_utils.data.downloads import DATASETS, NOTMNIST, TORCHVISION

pytestmark = pytest.mark.usefixtures("nothing_installed")


def test_download_of_another_size_stays_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, _ = notmnist()
    monkeypatch.setitem(NOTMNIST, "notmnist_small", ("small.tar.gz", len(data)))
    monkeypatch.setattr(downloads, "NOTMNIST_URL", f"{server.url}/")
    server.files = {"/small.tar.gz": data + b"more"}
    said(
        lambda: load_images("notmnist_small", progress=False),
        f"size {len(data) + 4} and needs {len(data)}",
    )
    assert tree(tmp_path) == set()
    server.files = {"/small.tar.gz": data}
    assert len(load_images("notmnist_small", progress=False)) > 20


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
        monkeypatch.setattr(downloads, "NOTMNIST_URL", f"{url}/")
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
    assert downloads.TIMEOUT[0] <= 10


def test_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = published("usps")
    monkeypatch.setattr(downloads, "TIMEOUT", (GUARD, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        publish(monkeypatch, "usps", files, [f"http://127.0.0.1:{silent.getsockname()[1]}"])
        said(lambda: load_images("usps", progress=False), "ReadTimeout")
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()  # it was asked once
