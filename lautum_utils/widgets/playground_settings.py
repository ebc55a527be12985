"""What a playground can be set to, and how its settings are kept: in a link, in a line of code."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lautum_utils.data.shifts import SHIFTS
from lautum_utils.numbers import whole_number
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.networks import NETWORKS

STRENGTHS = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
# Shares of the gradient of the cross-entropy: the best one of every published task lies inside.
SHARES = (0.0, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SEVERITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_SEEDS = 8
CONTROLS: dict[str, Sequence[Any]] = {  # what each can be
    "shift": ("label_part_swap", "none", *SHIFTS),
    "severity": SEVERITIES,
    "strength": STRENGTHS,
    "labels": (10, 20, 50, 100, 200, 400),
    "protocol": ("probe", "finetune"),
    "layer": ("features", "logits"),
    "network": tuple(NETWORKS),
    "seeds": range(1, MAX_SEEDS + 1),
    "device": ("auto", "cuda", "mps", "cpu"),
}
NOT_OF_AN_EXPERIMENT = ("seeds", "device")
BASE = Experiment(shift="label_part_swap", severity=1.0, strength=1e-3, steps=100)


def require_allowed(controls: Sequence[str], seeds: object, device: object) -> int:
    """The number of seeds as a plain one. ValueError: a control that is not there, a number of
    seeds or a device that cannot be."""
    for name in controls:
        if name not in CONTROLS:
            raise ValueError(f"controls need to be among {', '.join(CONTROLS)}, got {name!r}.")
    resolve_device(str(device))
    return whole_number(seeds, "seeds", 1, MAX_SEEDS)


def weights(weighting: str) -> tuple[float, ...]:
    """The scale of the weight's slider."""
    return SHARES if weighting == "gradient" else STRENGTHS


def without_control(base: Experiment) -> dict[str, Any]:
    """The settings of an experiment that have no control here, but for those of the default."""
    return {
        name: value
        for name, value in asdict(base).items()
        if name not in CONTROLS and value != getattr(BASE, name)
    }


def is_there(device: str) -> bool:
    """Whether networks can be trained on a device."""
    try:
        resolve_device(device)
    except ValueError:
        return False
    return True


def read_query(query: str) -> tuple[dict[str, Any], list[str]]:
    """The settings of a link, such as "severity=0.4&strength=0.001", and a sentence on each that
    cannot be had."""
    found, problems = {}, []
    for name, text in parse_qsl(query.removeprefix("?")):
        allowed = CONTROLS.get(name, ())
        value = next((v for v in allowed if text in (str(v), _short(v))), None)
        if value is not None and (name != "device" or is_there(value)):
            found[name] = value
        elif name in CONTROLS:
            can_be = ", ".join(map(str, allowed))
            problems.append(f"The link wants {name} to be {text!r}; it can be {can_be}.")
    return found, problems


def as_link(settings: Mapping[str, Any]) -> str:
    """HTML: the address of the page with these settings."""
    query = html.escape(urlencode({name: _short(v) for name, v in settings.items()}))
    link = f'<a href="?{query}" style="text-decoration: underline">A link to these settings</a>'
    return f"{link}, to be kept or sent to others"


def as_code(settings: Mapping[str, Any]) -> str:
    """HTML: the line of code with these settings, but for those of the default."""
    given = {
        name: value
        for name, value in settings.items()
        if name not in NOT_OF_AN_EXPERIMENT and value != getattr(BASE, name)
    }
    given["seeds"] = settings["seeds"]
    call = html.escape(", ".join(f"{name}={value!r}" for name, value in given.items()))
    return f"These settings in a cell of your own: <code>Playground({call})</code>"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
