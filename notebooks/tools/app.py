"""The playground as a page without code: make app, or python -m notebooks.tools.app.

A page opened again, or by someone else, starts afresh; the link at the bottom of the page holds its
settings. Only this machine can reach it (127.0.0.1), and of its users only who has the token that
the printed address holds. Ctrl-C ends it, and every training with it.
"""

import argparse
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Any

ABOUT = """\
# The playground

A network learns a *source* task, while it is kept informative about unlabelled *target* inputs: the
loss is the source's cross-entropy minus **regularization weight** times the Lautum information
between features and target inputs. Then its features are frozen (**probe**), or it learns on
(**finetune**), with a few **labelled samples** of the target. **Severity** is how far the target is
from the source. Does the weight help?

Mouse or keyboard: Tab goes from control to control, the arrow keys move one, Enter or Space presses
a button. What has been recorded answers at once; elsewhere real networks train, a few seconds for
MLPs.
"""
CODE = """\
import os

from lautum_utils.widgets.playground import Playground

playground = Playground.from_query(os.environ.get("QUERY_STRING", ""))
playground
"""
END = "The notebooks explain all of this, beginning with 00: `make lab`."
# Voila's own page loads icons from another machine; ours asks no other machine for anything.
TEMPLATE = """{%- extends 'voila/templates/lab/index.html.j2' -%}
{%- block notebook_css -%}
{{ super() | replace('href="https://cdn.jsdelivr.net', 'href="data:text/css,') }}
{%- endblock notebook_css -%}
"""
# The token stands in a file: all users of a machine see the commands that run on it. The page gets
# the cookie of XSRF checks, which its last request, when it is closed, has to hold.
CONFIG = """\
c.Voila.token = {token!r}
c.VoilaConfiguration.prelaunch_hook = lambda handler, **_: handler.xsrf_token and None
"""
# What a browser is sent to, so that its command does not show the token either.
REDIRECT = '<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}">\n'
# A parser of addresses that jsonschema takes along if it is there, and that nothing here uses,
# takes two seconds to import.
SERVER = "import sys; sys.modules['rfc3987_syntax'] = None; from voila.app import main; main()"
NEEDED = ("@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager")
PATIENCE = 8  # seconds for the server to end its kernels, of which it kills those that take five


def write(folder: Path) -> Path:
    """The page as a notebook, and the template that shows it, in a folder for JUPYTER_PATH."""
    template = folder / "voila/templates/lautum/index.html.j2"
    template.parent.mkdir(parents=True)
    template.write_text(TEMPLATE, encoding="utf-8")
    template.with_name("conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
    cells = [_cell("markdown", ABOUT), _cell("code", CODE), _cell("markdown", END)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"title": "Lautum Lab: the playground", "kernelspec": kernel}
    page = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    path = folder / "playground.ipynb"
    path.write_text(json.dumps(page), encoding="utf-8")  # nbformat would be two seconds of imports
    return path


def _cell(cell_type: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": cell_type, "metadata": {}, "source": source}
    return cell | ({"outputs": [], "execution_count": None} if cell_type == "code" else {})


def serve(folder: Path, port: int, token: str) -> subprocess.Popen[bytes]:
    """Start the server; what it says goes to server.log in the folder. Without a token everyone is
    let in."""
    (folder / "voila.py").write_text(CONFIG.format(token=token), encoding="utf-8")
    options = {
        "port": port,
        "template": "lautum",
        "show_tracebacks": True,
        "Voila.ip": "127.0.0.1",
        "Voila.port_retries": 0,
        "Voila.config_file_paths": str(folder),
        "MappingKernelManager.cull_idle_timeout": 1800,
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    given += [f"--VoilaConfiguration.extension_allowlist={extension}" for extension in NEEDED]
    command = [sys.executable, "-c", SERVER, str(write(folder)), "--no-browser", *given]
    paths = os.pathsep.join([str(folder), os.environ.get("JUPYTER_PATH", "")]).rstrip(os.pathsep)
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            command, env=os.environ | {"JUPYTER_PATH": paths}, stdout=log, stderr=log
        )


def listens(port: int) -> bool:
    """Whether a program of this machine answers at a port."""
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


def wait_until_it_listens(server: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    """SystemExit, with what the server says, if it ends instead."""
    while not listens(port):
        if server.poll() is not None:
            said = (folder / "server.log").read_text(encoding="utf-8")[-2000:]
            sys.exit(f"{said}\nThe server did not come up on port {port}; above is what it says.")
        time.sleep(0.1)


def interrupted(*_: object) -> None:
    """Ctrl-C; another one is not to get in the way of the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def end(server: subprocess.Popen[bytes]) -> None:
    """Politely, so that the server ends its kernels; if it has to be killed, they miss it within a
    second and end themselves."""
    server.terminate()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def open_in_browser(folder: Path, address: str) -> None:
    """By a file that only this user can read: the folder is his."""
    redirect = folder / "open.html"
    redirect.write_text(REDIRECT.format(address), encoding="utf-8")
    webbrowser.open(redirect.as_uri())


def show(port: int, browser: bool, token: str) -> None:
    """Serve the page until Ctrl-C, to everyone if the token is empty."""
    with tempfile.TemporaryDirectory() as folder:
        # The server takes this over: a terminal's Ctrl-C reaches both, but the server is ended from
        # here, and once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = serve(Path(folder), port, token)
        try:
            signal.signal(signal.SIGINT, interrupted)
            wait_until_it_listens(server, Path(folder), port)
            address = f"http://127.0.0.1:{port}" + (f"/?token={token}" if token else "")
            who = "" if token else "without a token, whoever reaches this port can open it · "
            print(f"The playground is at {address} · {who}Ctrl-C ends it", flush=True)
            if browser:
                open_in_browser(Path(folder), address)
            server.wait()
        except KeyboardInterrupt:
            print("\nThe playground has ended.", flush=True)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            end(server)


def fit_for_an_address(token: str) -> str:
    """A token of one's own; argparse wants this error where it is another."""
    if not re.fullmatch(r"[\w.~-]{8,}", token, re.ASCII):
        raise argparse.ArgumentTypeError(
            "a token needs to be eight or more letters, digits, or any of . _ ~ -"
        )
    return token


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.app",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8866, help="of the page on this machine (8866)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--token",
        type=fit_for_an_address,
        default=os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24),
        help="what the address has to hold (a new random one each time, or what JUPYTER_TOKEN "
        "holds: other users see options, but no variables)",
    )
    access.add_argument(
        "--no-token",
        dest="token",
        action="store_const",
        const="",
        help="let everyone in who reaches the port: to host the page publicly, behind a web server",
    )
    options = parser.parse_args()
    if listens(options.port):
        sys.exit(
            f"port {options.port} is taken, perhaps by this app: give another one with --port, "
            f"such as --port {options.port + 1}."
        )
    show(options.port, not options.no_browser, options.token)


if __name__ == "__main__":
    main()
