"""What depends on rounding, as other processors compute it: make processors.

Vector units differ between processors, and with them the order of sums and the last digits. Here
they are switched off, one after the other, in child processes: what is tested has to hold on
machines that are not at hand. Each with one thread and with two.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Of PyTorch's own kernels, of MKL (the second name is the one that it heeds on any maker's
# processor), of oneDNN, of OpenBLAS.
NAMES = (
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
PROCESSORS: dict[str, dict[str, str]] = {
    "default": dict(
        zip(NAMES, ("default", "SSE4_2", "COMPATIBLE", "SSE41", "Nehalem"), strict=True)
    ),
    "avx2": dict(zip(NAMES, ("avx2", "AVX2", "AVX2", "AVX2", "Haswell"), strict=True)),
    "here": {},
}
# The files of tests that depend on rounding, wherever they lie.
FILES = (
    *("information", "finite_world", "regularizers"),
    *("domains", "letters", "pairs", "shifts", "tasks"),
    *("networks", "methods", "randomness", "batches", "loop", "stacks", "probes"),
    *("checkpoints", "devices", "run", "sweeps", "exercises", "claims", "records"),
)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(processor: str, threads: int) -> dict[str, str]:
    """The variables under which a child process computes as that processor does."""
    kept = {name: value for name, value in os.environ.items() if name not in NAMES}
    # On a busy machine threads that wait are not to take the cores from those that work.
    waiting = {"OMP_WAIT_POLICY": "PASSIVE"}
    return kept | PROCESSORS[processor] | dict.fromkeys(THREADS, str(threads)) | waiting


def paths(names: Iterable[str]) -> list[str]:
    """The files of tests with these names. ValueError: none, or more than one."""
    found = []
    for name in names:
        (path,) = (ROOT / "tests").rglob(f"test_{name}.py")
        found.append(path.relative_to(ROOT).as_posix())
    return found


def tests(only: str) -> list[str]:
    """What pytest is asked for: the tests that depend on rounding, and the notebooks that have
    outputs to compare."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    compared = [
        notebook.relative_to(ROOT).as_posix()
        for notebook in notebooks
        if "nbval-check-output" in notebook.read_text(encoding="utf-8")
    ]
    words = ["-k", only] if only else []
    return ["--nbval-lax", "--nbval-current-env", *words, *paths(FILES), *compared]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--processor", nargs="+", choices=PROCESSORS, default=list(PROCESSORS), help="which (all)"
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        default=[1, 2],
        help="of PyTorch, MKL and OpenBLAS (1 and 2)",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help="the tests whose names hold them, as pytest's -k",
    )
    options = parser.parse_args()
    rows, failed = [], False
    for processor, threads in product(options.processor, options.threads):
        print(f"\n{processor}, {threads} thread{'s' * (threads > 1)}", flush=True)
        started = time.monotonic()
        workers = [
            "-n",
            str(max(1, (os.cpu_count() or 1) // threads)),
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
        ]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *workers,
            *tests(options.only),
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(processor, threads),
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        failed |= done.returncode != 0
        print(done.stdout if done.returncode else done.stdout.strip().splitlines()[-1], flush=True)
        rows.append(
            (processor, threads, done.stdout.strip().splitlines()[-1], time.monotonic() - started)
        )
    print(f"\n{'processor':10} {'threads':>7} {'seconds':>8}  result")
    for processor, threads, said, seconds in rows:
        print(f"{processor:10} {threads:7} {seconds:8.0f}  {said}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
