"""Who trains beside whom. A stack is experiments whose networks train side by side: alike in all
but what their settings say may be mixed. A job of an executor is one stack.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from lautum_utils.data.sizes import memory_of
from lautum_utils.training.baselines import BASELINES, WITHOUT_NETWORK
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.experiments import SETTINGS, Experiment
from lautum_utils.training.methods import control_of
from lautum_utils.training.recipes import RECIPES

MAX_NETWORKS = 36
MEMORY = 1 << 30  # bytes that a stack may take on a CPU

_IN_STAGE_TWO = tuple(name for name, known in SETTINGS.items() if known.acts == "stage two")
_OF_A_NETWORK = tuple(
    name
    for name, known in SETTINGS.items()
    if known.acts == "stage one" and name not in ("method", "strength")
)
_MIXED = tuple(name for name, known in SETTINGS.items() if known.mixes)
_DATA = tuple(name for name, known in SETTINGS.items() if known.acts == "data")
_DEFAULTS = Experiment()


class StageTwo(NamedTuple):
    """Equal for experiments of a stack that can share a stage two."""

    labels: int
    protocol: str
    steps: int
    method: str
    recipe: str


def stage_one_of(experiment: Experiment) -> Experiment:
    """The experiment with the settings of stage two at their defaults: equal ones share stage
    one.

    At weight 0 all methods are the control, and the baseline "earlier_layer" too; both baselines
    that begin at random share that network; those without a network have no other settings.
    """
    method, unused = experiment.method, _IN_STAGE_TWO
    if experiment.is_baseline:
        method = BASELINES[method].stage_one
    elif experiment.is_control:
        method = control_of(method)
    if method in WITHOUT_NETWORK:
        unused += _OF_A_NETWORK
    strength = 0.0 if experiment.is_control else experiment.strength
    return _at_defaults(experiment, unused, method=method, strength=strength)


def stage_two_of(experiment: Experiment) -> StageTwo:
    """What it has in common with those that can share its stage two."""
    method = experiment.stage_two if experiment.stage_two_strength else "standard"
    steps = experiment.finetune_steps * RECIPES[experiment.recipe].steps
    return StageTwo(experiment.labels, experiment.protocol, steps, method, experiment.recipe)


def data_of(experiment: Experiment) -> tuple[Any, ...]:
    """The settings that say which images: equal ones share a task."""
    return tuple(getattr(experiment, name) for name in _DATA)


def stacks(
    experiments: Iterable[Experiment],
    device: str | torch.device = "auto",
    most: int | None = None,
) -> list[list[Experiment]]:
    """Experiments in stacks, each of `most` networks at most.

    Weight 0 needs no unlabelled batch, so it has stacks of its own: faster, and its results do not
    depend on company. Convolutions are stacked on a GPU only (one by one they are faster on a CPU).
    A stack takes no more than MEMORY (on CUDA a quarter of what is free) allows for its data. What
    shares stage one is never split. ValueError: a device that is not there.
    """
    where = resolve_device(device)
    memory = torch.cuda.mem_get_info(where)[0] // 4 if where.type == "cuda" else MEMORY
    groups: dict[object, dict[Experiment, list[Experiment]]] = {}
    for experiment in dict.fromkeys(experiments):
        models = groups.setdefault(_alike(experiment), {})
        models.setdefault(stage_one_of(experiment), []).append(experiment)
    found = []
    for models in groups.values():
        stack: list[Experiment] = []
        # Those with the same data share a stack.
        for model in sorted(models, key=lambda e: (e.shift, e.severity, e.seed)):
            one_by_one = where.type == "cpu" and model.network != "mlp"
            full = len(stack) == (most or MAX_NETWORKS)
            if stack and (one_by_one or full or _bytes([*stack, model]) > memory):
                found.append(stack)
                stack = []
            stack.append(model)
        found.append(stack)
    return [[e for model in stack for e in groups[_alike(model)][model]] for stack in found]


def count_steps(stack: Sequence[Experiment]) -> int:
    """How often progress is told: once a data set prepared, a step of training, a fitted probe."""
    data = {data_of(e) for e in stack}
    finetuned = {stage_two_of(e) for e in stack if e.protocol == "finetune"}
    probes = sum(e.protocol == "probe" for e in stack)
    trained = 0 if stage_one_of(stack[0]).is_baseline else stack[0].steps
    return len(data) + trained + sum(stage.steps for stage in finetuned) + probes


def _at_defaults(experiment: Experiment, names: Sequence[str], **settings: Any) -> Experiment:
    usual = {name: getattr(_DEFAULTS, name) for name in names} | settings
    if "labels" in usual:
        usual["labels"] = min(usual["labels"], experiment.labelled)
    return replace(experiment, **usual)


def _alike(e: Experiment) -> object:
    """Equal for experiments that can share a stack. Pairs are larger than single images."""
    model = stage_one_of(e)
    return model.is_control, e.shift == "label_part_swap", _at_defaults(model, _MIXED)


def _bytes(models: Sequence[Experiment]) -> int:
    """About what a stack takes: the images of its distinct tasks, and for each network the images
    that it is tested on."""
    of_all = models[0]
    is_swap = of_all.shift == "label_part_swap"
    task, model = memory_of(of_all.source, of_all.target, is_swap, of_all.sizes)
    return task * len({data_of(e) for e in models}) + model * len(models)
