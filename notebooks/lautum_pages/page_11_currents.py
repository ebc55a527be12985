"""The data of notebook 11: currents of a made-up transformer, and its conditions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

CLASSES = ("no fault", "A", "B", "C", "ABC")
POINTS = 48  # of two periods
FAULTY = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]  # classes x phases


@dataclass(frozen=True)
class Condition:
    """How a transformer runs, and how well it is measured."""

    load: float = 1.0
    harmonics: tuple[float, float] = (0.05, 0.03)  # third, fifth
    imbalance: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.15
    severity: tuple[float, float] = (0.1, 0.7)  # of faults, uniform


SOURCE = Condition()
OTHER_LOAD: dict[str, Any] = {
    "load": 1.4,
    "harmonics": (0.15, 0.1),
    "imbalance": (0.25, 0.0, -0.2),
}
CHANGES: Mapping[str, dict[str, Any]] = {
    "load": OTHER_LOAD,
    "noise": {"noise": 0.4},
    "both": OTHER_LOAD | {"noise": 0.4},
}


def target(shift: str) -> Condition:
    """That of the target: "load", "noise" or "both" differ from `SOURCE`."""
    return replace(SOURCE, **CHANGES[shift])


def measure(condition: Condition, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """n samples (n, 3, 1, POINTS), as many of each class, in turn, and their classes.

        i_p(t) = a (1 + b_p) [(1 + s_p) sin x + (h_3 + 0.2 s_p) sin 3x + h_5 sin 5x]
                 + 0.5 a s_p exp(-t / tau) + noise,        x = omega t - 2 pi p / 3

    Load a, imbalance b, harmonics h, severity s of a fault, which is 0 in healthy phases.
    """
    y = torch.arange(n) % len(CLASSES)
    t = 2 * torch.arange(POINTS) / POINTS
    theta = 2 * math.pi * (t - torch.arange(3)[:, None] / 3 + _uniform(n, -0.03, 0.03, generator))
    faulty = torch.tensor(FAULTY, dtype=torch.float32, device="cpu")[y]
    s = faulty[:, :, None] * _uniform(n, *condition.severity, generator)
    a = condition.load * _uniform(n, 0.85, 1.15, generator)
    h3, h5 = condition.harmonics
    b = torch.tensor(condition.imbalance, device="cpu")[:, None]
    wave = (1 + s) * theta.sin() + (h3 + 0.2 * s) * (3 * theta).sin() + h5 * (5 * theta).sin()
    sign = (torch.rand(n, 1, 1, generator=generator) < 0.5) * 2.0 - 1
    decay = torch.exp(-t / _uniform(n, 0.3, 0.8, generator))
    i = a * ((1 + b) * wave + 0.5 * sign * s * decay)
    i = i + condition.noise * torch.randn(i.shape, generator=generator)
    return i[:, :, None], y


def parts_of(seed: int, shift: str, labelled: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs and labels of a seed: source and target, every part drawn anew."""
    generator = Generator().manual_seed(1000 + seed)
    found = {
        "source": measure(SOURCE, 2000, generator),
        "source test": measure(SOURCE, 500, generator),
    }
    sizes = {"unlabelled": 600, "labelled": labelled, "validation": 100, "test": 1000}
    return found | {name: measure(target(shift), n, generator) for name, n in sizes.items()}


def _uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, 1, 1, generator=generator)
