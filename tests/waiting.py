"""Wait for a state, never for a time: no test may depend on how fast the machine is, or on what
else it has to do."""

import subprocess
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import TypeVar

# Seconds after which something hangs for certain: no test judges by them, and none comes near them,
# however slow the machine.
GUARD = 300
T = TypeVar("T")


def until(condition: Callable[[], T], what: str) -> T:
    """Wait until a condition holds, and return what it gives; what: the state that is waited for,
    for the message."""
    end = time.monotonic() + GUARD
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {GUARD} s in vain until {what}"
        time.sleep(0.005)
    return found


def ended(work: Thread | BaseProcess) -> None:
    """Wait until a thread or a process has ended."""
    work.join(GUARD)
    assert not work.is_alive(), f"waited {GUARD} s in vain until {work.name} ends"


def outcome(program: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait until a program has ended: what it said, and what it said on stderr."""
    try:
        return program.communicate(timeout=GUARD)
    except subprocess.TimeoutExpired:
        program.kill()
        raise
