"""One heat in a process of its own: reads what to do as JSON, prints what came out as JSON.

What is timed goes from the first weight to the last probe. Imports, the drawing of the arrays and a
short training to warm up, on a seed that does not count, come before.
"""

import importlib
import json
import math
import sys
import time
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from contest import CONTESTANTS, NEEDS, Heat


def measure(heat: Heat) -> dict[str, Any]:
    """Seconds, peak memory and scores of a heat; or what is missing to run it."""
    try:
        contestant = importlib.import_module(CONTESTANTS[heat.contestant])
    except ImportError as error:
        return {"missing": missing(heat.contestant, error)}
    torch.set_num_threads(heat.threads)
    warm = replace(heat, weights=heat.weights[:1], seeds=(max(heat.seeds) + 1,), steps=2)
    contestant.prepare(heat)
    contestant.prepare(warm)
    contestant.curve(warm)
    started = time.perf_counter()
    scores = contestant.curve(heat)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak": peak_megabytes(), "scores": scores}


def missing(contestant: str, error: ImportError) -> str:
    """Why a contestant does not take part: it is not there, or it is and does not start."""
    package = NEEDS.get(contestant, "")
    try:
        there = f"{package} {version(package)} does not start with torch {torch.__version__}"
        return f"{there}: {error}"
    except (PackageNotFoundError, ValueError):
        return f"not installed: {error}"


def peak_megabytes() -> float:
    """The most memory that this process ever held; nan where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    lines = status.read_text(encoding="utf-8").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) / 1024


def main() -> None:
    told = json.loads(sys.argv[1])
    told |= {name: tuple(told[name]) for name in ("weights", "seeds")}  # JSON has lists only
    heat = Heat(**told)
    print(json.dumps(measure(heat)))


if __name__ == "__main__":
    main()
