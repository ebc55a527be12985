"""Where networks train: the device, its precision, and memory that is kept between steps."""

import ctypes
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import nn


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" is CUDA, then MPS, then the CPU; ValueError if the device asked for is not there."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return torch.device(next(name for name, available in there.items() if available))
    name, _, index = str(device).partition(":")
    count = torch.cuda.device_count() if name == "cuda" else 1
    if not there.get(name) or (index and (not index.isdecimal() or int(index) >= count)):
        available = ", ".join(name for name, available in there.items() if available)
        raise ValueError(
            f"device needs to be auto or one that is there ({available}), got {str(device)!r}."
        )
    return torch.device(device)


def mixed_precision(network: nn.Module) -> AbstractContextManager[object]:
    """bfloat16 for the products of a network on CUDA; nothing elsewhere."""
    on_cuda = next(network.parameters()).is_cuda
    return torch.autocast("cuda", torch.bfloat16) if on_cuda else nullcontext()


@cache
def keep_freed_memory() -> None:
    """Steps ask for the same tensors again and again: glibc is not to hand them back to the system
    each time (a step of an MLP takes 20 % less). For the whole process, from a first run on."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 28)  # M_TRIM_THRESHOLD
