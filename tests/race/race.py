"""Race this project against others: the same curves, trained and probed by each of them.

    make race                           all of it: a quarter of an hour
    make race RACE_ARGS="--smallest"    does each still run?

Each heat has a process of its own. Seconds go from the first weight to the last probe; imports and
the drawing of the arrays do not count. The peak is that of the whole process. The accuracy is the
target's, by one and the same probe, at the weight that validation data chose.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import fill

import torch
from contest import CONTESTANTS, CURVES, NOTES, SMALLEST, Heat, Score, Size, heats
from table import Outcome, table
from tqdm import tqdm

RUNNER = Path(__file__).with_name("runner.py")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run(heat: Heat, peers: Path | None) -> Outcome:
    """One heat in a fresh process."""
    environment = os.environ | dict.fromkeys(THREADS, str(heat.threads))
    if peers is not None:
        before = [environment[name] for name in ("PYTHONPATH",) if environment.get(name)]
        environment["PYTHONPATH"] = os.pathsep.join([str(peers.resolve()), *before])
    command = [sys.executable, "-W", "ignore", str(RUNNER), json.dumps(asdict(heat))]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return Outcome(heat, trouble=f"FAILED  {said[-1]}")
    came = json.loads(done.stdout.splitlines()[-1])
    if "missing" in came:
        return Outcome(heat, trouble=f"left out: {came['missing']}")
    scores = tuple(Score(*score) for score in came["scores"])
    return Outcome(heat, came["seconds"], came["peak"], scores)


def raced(plan: Sequence[Heat], peers: Path | None) -> list[Outcome]:
    """All heats one after the other; stopped, those that have ended."""
    outcomes: list[Outcome] = []
    with tqdm(plan, unit="heat") as bar:
        try:
            for heat in bar:
                threads = f"{heat.threads} thread{'s' * (heat.threads > 1)}"
                bar.set_postfix_str(f"{heat.contestant}, {heat.method}, {threads}")
                outcomes.append(run(heat, peers))
        except KeyboardInterrupt:
            bar.write(f"Stopped: {len(plan) - len(outcomes)} heats are left.", file=sys.stderr)
    return outcomes


def where(peers: Path | None) -> str:
    """The versions and the machine."""
    found = [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    for name in ("skada", "skorch"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    beside = sorted(peers.glob("*.dist-info")) if peers is not None else []
    found += [folder.stem.replace("-", " ").replace("_", "-") for folder in beside]
    return ", ".join((*found, f"{os.cpu_count()} cores"))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="who runs (all)"
    )
    parser.add_argument(
        "--method", nargs="+", choices=CURVES, default=list(CURVES), help="which methods (all)"
    )
    parser.add_argument("--threads", nargs="+", type=int, help="with how many each (1 and 2)")
    parser.add_argument("--steps", type=int, help=f"of each network ({Size.steps})")
    parser.add_argument(
        "--smallest", action="store_true", help="2 weights, 1 seed, 3 steps, 1 thread"
    )
    parser.add_argument(
        "--peers", type=Path, help="a folder with packages of others that the project does not need"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 1 if a heat failed; who is not installed is left out, and a row says so."""
    options = parsed(arguments)
    size = SMALLEST if options.smallest else Size()
    size = replace(size, steps=options.steps or size.steps)
    size = replace(size, threads=tuple(options.threads or size.threads))
    outcomes = raced(heats(options.only, options.method, size), options.peers)
    print(f"{where(options.peers)}; {size.steps} steps a network\n\n{table(outcomes)}\n")
    for name in dict.fromkeys(outcome.heat.contestant for outcome in outcomes):
        print(fill(f"{name}: {NOTES[name]}.", 100, subsequent_indent="    "))
    return int(any(outcome.trouble.startswith("FAILED") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
