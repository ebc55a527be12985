"""Shared by the tests of the data: a server of their own, no network but that, small stand-ins."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from tiny_sets import Server

from lautum_utils.data import domains, downloads
from lautum_utils.data.images import Images


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


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test that forgets to publish fails at once, and none touches the user's own cache."""
    monkeypatch.setenv("LAUTUM_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "INSTALLED", {})
    monkeypatch.setattr(downloads, "NOTMNIST_URL", "http://127.0.0.1:9/")
    for variable in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)


def images_of(n: int, *shape: int, seed: int = 0) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, *shape), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(n) % 10, tuple("abcdefghij"), 0)


@pytest.fixture
def public_sets(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Images]:
    """Small stand-ins of the public sets, in place of downloads."""
    found = {
        ("mnist", "train"): images_of(5200, 1, 28, 28),
        ("mnist", "test"): images_of(300, 1, 28, 28, seed=1),
        ("cifar10", "train"): images_of(2500, 3, 32, 32, seed=2),
        ("cifar10", "test"): images_of(2100, 3, 32, 32, seed=3),
    }
    monkeypatch.setattr(domains, "load_images", lambda name, split: found[name, split])
    return found
