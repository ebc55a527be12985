"""A long stage one, saved on its way, so that an interrupted run goes on from there."""

import copy
import hashlib
import pickle
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from lautum_utils.files import written_whole
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.networks import StackedNetwork
from lautum_utils.training.outcomes import History

SECONDS = 60.0  # between two checkpoints

_UNREADABLE = (
    OSError, EOFError, RuntimeError, KeyError, ValueError, TypeError, pickle.UnpicklingError,
)  # fmt: skip


class Checkpoint:
    """Step, weights, the optimizer's state, histories and a method's memory, in a file named after
    the experiments.

    folder: None saves nothing. memory: filled by `load` with what it was.
    """

    def __init__(
        self,
        folder: str | Path | None,
        models: Sequence[Experiment],
        histories: list[History],
        memory: dict[str, Tensor],
    ) -> None:
        name = hashlib.sha256(repr(models).encode()).hexdigest()[:32]
        self.path = None if folder is None else Path(folder) / f"{name}.pt"
        self.histories, self.memory, self.written = histories, memory, time.monotonic()

    def load(self, network: StackedNetwork, optimizer: torch.optim.Optimizer) -> int:
        """The step to go on with; 0, and everything as it was, if nothing is there that fits."""
        if self.path is None or not self.path.exists():
            return 0
        before = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
        try:
            device = next(network.parameters()).device
            saved = torch.load(self.path, weights_only=True, map_location=device)
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            for history, kept in zip(self.histories, saved["histories"], strict=True):
                history.update(kept)
            self.memory.update(saved["memory"])
            return int(saved["step"])
        except _UNREADABLE:
            weights, state = before
            network.load_state_dict(weights)
            optimizer.load_state_dict(state)
            return 0

    def save(self, step: int, network: StackedNetwork, optimizer: torch.optim.Optimizer) -> None:
        """Written whole, once in SECONDS. What cannot be written is not worth ending a training
        for."""
        if self.path is None or time.monotonic() - self.written < SECONDS:
            return
        self.written = time.monotonic()
        state = {
            "step": step,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "histories": self.histories,
            "memory": self.memory,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self.path) as temporary:
                torch.save(state, temporary)
        except (OSError, RuntimeError) as error:
            warnings.warn(
                f"no checkpoint could be written to {self.path.parent} ({error}).", stacklevel=2
            )

    def remove(self) -> None:
        """The stage has ended: nothing is left to go on with."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()
