"""Experiments: pre-train on the source while staying informative about the target, then transfer
with few labels.

Stage 1, pre-train: cross-entropy of labelled source batches + strength * the term of a method on
unlabelled batches. Stage 2, transfer with n labelled target samples: "probe" (features frozen,
logistic regression) or "finetune", where a second method may use the unlabelled samples too.
Experiments that differ only in strength, seed, data or labels are stacked: one run trains them side
by side.
"""

import copy
import ctypes
import hashlib
import math
import os
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor
from tqdm.auto import tqdm

from lautum_utils.data.domains import (
    MAX_LABELS,
    SHIFTS,
    Domain,
    TransferTask,
    load_transfer_task,
    memory_of,
    require_domain,
)
from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.training.methods import (
    METHODS,
    STAGE_TWO_METHODS,
    Batch,
    Method,
    augmented,
    make_method,
    make_regularizer,
)
from lautum_utils.training.networks import NETWORKS, StackedNetwork

History = dict[str, list[float]]

PROBE_PENALTIES = (10.0, 1.0, 0.1, 0.01)
RECORDS = 16
CHECKPOINT_SECONDS = 60.0
STACK, MEMORY = 36, 1 << 30  # networks, and bytes, that a stack may take

_CHOICES: dict[str, tuple[str, ...]] = {
    "shift": ("none", *SHIFTS, "label_part_swap"),
    "network": tuple(NETWORKS),
    "method": METHODS,
    "layer": ("features", "logits"),
    "inputs": ("target", "source"),
    "protocol": ("probe", "finetune"),
    "stage_two": STAGE_TWO_METHODS,
    "augment": ("none", "moved", "mirrored"),
}
_WHOLE_NUMBERS = {
    "n_components": (1, math.inf), "labels": (10, MAX_LABELS), "seed": (0, 2**31 - 1), "steps": (1, math.inf),
    "source_batch": (2, math.inf), "target_batch": (2, math.inf), "finetune_steps": (1, math.inf),
}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """Everything that a result depends on. Hashable; a bad value raises ValueError with what was
    given and is allowed.

    shift and severity act on the target ("label_part_swap": on both, see `domains`). method: one of
    `METHODS`; strength multiplies its term, in nats of loss a nat of information; layer: which
    outputs stand in for the weights; inputs: which unlabelled inputs, so that "source" asks how
    much is plain diversity of features; n_components and ridge: see `LautumRegularizer`; labels:
    labelled target samples, balanced; batch sizes in samples; stage_two and stage_two_strength: a
    method, one of `STAGE_TWO_METHODS`, and its weight while fine-tuning, with batches of
    target_batch; augment: training images are left as they are, moved by up to 2 pixels, or also
    mirrored left to right, half of them.
    """

    source: str = "digits"
    target: str = "letters"
    shift: str = "none"
    severity: float = 0.0
    network: str = "mlp"
    method: str = "lautum"
    strength: float = 3e-4
    layer: str = "features"
    inputs: str = "target"
    n_components: int = 64
    ridge: float = 1e-2
    labels: int = 200
    protocol: str = "probe"
    seed: int = 0
    steps: int = 400
    source_batch: int = 64
    target_batch: int = 256
    learning_rate: float = 3e-3
    finetune_steps: int = 200
    stage_two: str = "standard"
    stage_two_strength: float = 0.0
    augment: str = "none"

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            require_domain(getattr(self, name), name)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} needs to be one of {', '.join(allowed)}, got {getattr(self, name)!r}."
                )
        for name, (least, most) in _WHOLE_NUMBERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                span = f"of {least} or more" if most == math.inf else f"from {least} to {most}"
                raise ValueError(f"{name} needs to be a whole number {span}, got {value!r}.")
        for name in ("strength", "ridge", "learning_rate", "severity", "stage_two_strength"):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value < math.inf
            ):
                raise ValueError(f"{name} needs to be a finite number of 0 or more, got {value!r}.")
            object.__setattr__(self, name, float(value))
        if self.severity > 1:
            raise ValueError(f"severity needs to be from 0 to 1, got {self.severity}.")
        if self.stage_two != "standard" and self.protocol == "probe":
            raise ValueError(
                f"protocol needs to be finetune for a method in stage two ({self.stage_two}), got 'probe'."
            )


@dataclass(frozen=True, eq=False)
class Result:
    """What came out. Accuracies are fractions; history holds equally long lists, one entry a record
    of stage 1.

    history: step; loss (cross-entropy on source batches, nats); dependence (of `Experiment.layer`
    and the inputs, nats: Lautum or mutual information, whichever the method measures);
    target_accuracy (least-squares read-out fitted on the labelled, scored on the validation
    samples). penalty: of the probe, chosen on validation data.
    """

    experiment: Experiment
    test_accuracy: float
    validation_accuracy: float
    source_accuracy: float
    penalty: float | None
    history: History = field(repr=False)

    def as_row(self) -> dict[str, object]:
        """One flat row of a table: the experiment's fields and the three accuracies."""
        names = ("test_accuracy", "validation_accuracy", "source_accuracy", "penalty")
        return asdict(self.experiment) | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run is: a callback gets one after each step and stops the run by returning True.

    stage: "prepare" (histories are empty), "pre-train", "probe" or "finetune".
    """

    stage: str
    step: int
    total: int
    experiments: Sequence[Experiment]
    histories: Sequence[History]


class _Stopped(Exception): ...


@cache
def _keep_freed_memory() -> None:
    """Steps ask for the same tensors again and again: glibc is not to hand them back to the system
    each time (-20 %)."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 28)  # M_TRIM_THRESHOLD


def run(
    experiments: Experiment | Iterable[Experiment], device: str | torch.device = "auto", *, progress: bool = True,
    callback: Callable[[Progress], object] | None = None, on_result: Callable[[Result], object] | None = None,
    checkpoints: str | Path | None = None,
) -> list[Result]:  # fmt: skip
    """Run experiments and return their results in the order given. On one machine the same
    experiment gives the same result, whatever is run beside it: to the bit if its batch sizes are
    multiples of 16. With other batch sizes, threads or processors rounding differs, and training
    amplifies it, by up to a point or two of accuracy: there results agree as samples do.

    device: "auto" takes CUDA, then MPS, then the CPU. progress: a bar, from the second second on.
    callback: called with a `Progress` after each step; what it returns, if true, stops the run, and
    then only the experiments already finished are returned. on_result: called with each result as
    soon as it is there, which is not always the order asked for. checkpoints: a folder in which a
    long pre-training is saved each minute; the same run, interrupted, goes on from there.
    ValueError: a device that is not there; a labelled set without one of the classes.
    """
    wanted = [experiments] if isinstance(experiments, Experiment) else list(experiments)
    where = resolve_device(device)
    plan = tasks(wanted, where)
    done: dict[Experiment, Result] = {}
    _keep_freed_memory()
    total = sum(_steps(chunk) for chunk in plan)
    with tqdm(total=total, unit="step", delay=2, disable=not progress, desc="training") as bar:
        finished = 0

        def advance(
            stage: str, experiments: Sequence[Experiment], histories: Sequence[History]
        ) -> None:
            nonlocal finished
            finished += 1
            bar.update()
            if callback is not None and callback(
                Progress(stage, finished, total, experiments, histories)
            ):
                raise _Stopped

        try:
            for chunk in plan:
                for result in _run_stacked(chunk, where, advance, checkpoints):
                    done[result.experiment] = result
                    if on_result is not None:
                        on_result(result)
        except _Stopped:
            pass
    return [done[experiment] for experiment in wanted if experiment in done]


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


_PER_MODEL = ("strength", "seed", "shift", "severity")
_STAGE_TWO = ("labels", "protocol", "finetune_steps", "stage_two", "stage_two_strength")


def _pretraining(experiment: Experiment) -> Experiment:
    """The experiment with the settings of stage 2 at their defaults: equal ones share one
    pre-training."""
    return _at_defaults(experiment, _STAGE_TWO)


def _at_defaults(experiment: Experiment, names: Sequence[str]) -> Experiment:
    defaults: dict[str, Any] = {f.name: f.default for f in fields(Experiment) if f.name in names}
    return replace(experiment, **defaults)


def tasks(
    experiments: Iterable[Experiment], device: str | torch.device = "auto", most: int | None = None
) -> list[list[Experiment]]:
    """Experiments in stacks that are trained side by side: equal but for strength, seed, shift,
    severity and stage 2.

    Weight 0 needs no unlabelled batch, so it is stacked apart: faster, and its results do not
    depend on company. Convolutions are stacked on a GPU only (one by one they are faster on a CPU).
    A stack has at most `most` networks, and no more than MEMORY (on CUDA a quarter of what is free)
    allows for their data; one pre-training is never split.
    """
    where = resolve_device(device)
    memory = torch.cuda.mem_get_info(where)[0] // 4 if where.type == "cuda" else MEMORY
    groups: dict[object, dict[Experiment, list[Experiment]]] = {}
    for experiment in dict.fromkeys(experiments):
        groups.setdefault(_alike(experiment), {}).setdefault(_pretraining(experiment), []).append(
            experiment
        )
    stacks = []
    for models in groups.values():
        stack: list[Experiment] = []
        for model in sorted(
            models, key=lambda e: (e.shift, e.severity, e.seed)
        ):  # those with the same data share a stack
            one_by_one = where.type == "cpu" and model.network != "mlp"
            if stack and (
                one_by_one or len(stack) == (most or STACK) or _bytes([*stack, model]) > memory
            ):
                stacks.append(stack)
                stack = []
            stack.append(model)
        stacks.append(stack)
    return [[e for model in stack for e in groups[_alike(model)][model]] for stack in stacks]


def _is_control(experiment: Experiment) -> bool:
    return experiment.method == "standard" or experiment.strength == 0


def _alike(e: Experiment) -> object:
    """Equal for experiments that can share a stack."""
    return _is_control(e), e.shift == "label_part_swap", _at_defaults(e, _STAGE_TWO + _PER_MODEL)


def _bytes(models: Sequence[Experiment]) -> int:
    """About what a stack takes: the images of its distinct tasks, and for each network the images
    that it is tested on."""
    task, model = memory_of(
        models[0].source, models[0].target, models[0].shift == "label_part_swap"
    )
    return task * len({(e.shift, e.severity, e.seed) for e in models}) + model * len(models)


def _steps(chunk: Sequence[Experiment]) -> int:
    """How often the callback is called: once a data set prepared, once a step of training, once a
    fitted probe."""
    data = {(e.shift, e.severity, e.seed) for e in chunk}
    finetuned = {_second_stage(e) for e in chunk if e.protocol == "finetune"}
    return (
        len(data)
        + chunk[0].steps
        + sum(steps for _, _, steps, _ in finetuned)
        + sum(e.protocol == "probe" for e in chunk)
    )


def _second_stage(e: Experiment) -> tuple[int, str, int, str]:
    """Equal for experiments of a stack that can share a second stage."""
    return (
        e.labels,
        e.protocol,
        e.finetune_steps,
        e.stage_two if e.stage_two_strength else "standard",
    )


_Done = Callable[[], None]
_Advance = Callable[[str, Sequence[Experiment], Sequence[History]], None]


@lru_cache(maxsize=8)
def _task(
    source: str, target: str, shift: str, severity: float, seed: int, device: torch.device
) -> TransferTask:
    return load_transfer_task(source, target, shift, severity, seed, device)


@lru_cache(maxsize=8)
def _unlabelled(
    source: str, target: str, shift: str, severity: float, seed: int, device: torch.device,
    inputs: str, method: str, n_components: int, ridge: float,
) -> tuple[LautumRegularizer | MutualInformationRegularizer, Tensor, Tensor]:  # fmt: skip
    """The regularizer of a task, the unlabelled inputs it looks at, and those inputs whitened."""
    task = _task(source, target, shift, severity, seed, device)
    pool = task.unlabelled if inputs == "target" else task.source.inputs
    with threadpool_limits(
        1
    ):  # with more threads, a principal component analysis is rounded in another way
        regularizer = make_regularizer(method, pool, n_components, ridge)
    return regularizer, pool, regularizer.project(pool)


class _Data:
    """The data of stacked experiments, each distinct task held once: `which` maps a model to its
    task."""

    def __init__(
        self, models: Sequence[Experiment], device: torch.device, loaded: Callable[[], None]
    ) -> None:
        keys = [(e.source, e.target, e.shift, e.severity, e.seed, device) for e in models]
        unique = list(dict.fromkeys(keys))
        self.tasks = []
        for key in unique:
            self.tasks.append(_task(*key))
            loaded()
        self.keys = unique
        self.which = torch.tensor([unique.index(key) for key in keys], device=device)
        self.classes = (len(self.tasks[0].source.class_names), len(self.tasks[0].test.class_names))
        self.device = device

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """(inputs, labels) of a part of the tasks, one entry a model."""
        parts: list[Domain] = [getattr(task, name) for task in self.tasks]
        return torch.stack([p.inputs for p in parts])[self.which], torch.stack(
            [p.labels for p in parts]
        )[self.which]


def _run_stacked(
    chunk: Sequence[Experiment],
    device: torch.device,
    advance: _Advance,
    checkpoints: str | Path | None,
) -> Iterator[Result]:
    models = list(dict.fromkeys(map(_pretraining, chunk)))
    data = _Data(models, device, partial(advance, "prepare", models, [{} for _ in models]))
    for labels in dict.fromkeys(e.labels for e in chunk):
        if labels > (most := len(data.tasks[0].labelled)):
            raise ValueError(
                f"labels needs to be at most {most} for the target {models[0].target}, got {labels}."
            )
        _require_every_class(data.part("labelled")[1][:, :labels], data.classes[1])
    pretrained, histories = _pretrain(models, data, advance, checkpoints)
    with torch.no_grad():
        source_inputs, source_labels = data.part("source_test")
        source_accuracy = _accuracy(
            pretrained(source_inputs, source_inputs.shape[1]), source_labels
        ).tolist()
    for second in dict.fromkeys(map(_second_stage, chunk)):
        labels, protocol = second[:2]
        stage = [e for e in chunk if _second_stage(e) == second]
        rows = torch.tensor([models.index(_pretraining(e)) for e in stage], device=device)
        inputs, targets = (x[rows, :labels] for x in data.part("labelled"))
        parts = [(inputs, targets)]
        for name in ("validation", "test"):
            x, y = data.part(name)
            parts.append((x[rows], y[rows]))
        step_done = partial(advance, protocol, stage, [histories[row] for row in rows.tolist()])
        if protocol == "probe":
            outcomes = _probe(pretrained.take(rows), parts, step_done)
        else:
            outcomes = _finetune(
                pretrained.take(rows), stage, parts, data, data.which[rows], step_done
            )
        for experiment, row, outcome in zip(stage, rows.tolist(), outcomes, strict=True):
            validation, test, penalty = outcome
            yield Result(
                experiment, test, validation, source_accuracy[row], penalty, histories[row]
            )


def _pretrain(
    models: Sequence[Experiment], data: _Data, advance: _Advance, checkpoints: str | Path | None
) -> tuple[StackedNetwork, list[History]]:
    first, device, classes = models[0], data.device, data.classes[0]
    shape = tuple(data.tasks[0].source.inputs.shape[1:])
    network = NETWORKS[first.network](shape, classes, [e.seed for e in models]).to(device)  # type: ignore[arg-type]
    pools = [
        _unlabelled(*key, first.inputs, first.method, first.n_components, first.ridge)
        for key in data.keys
    ]
    method = make_method(first.method, pools[0][0])
    inputs = torch.cat(
        [
            torch.cat((task.source.inputs, pool))
            for task, (_, pool, _) in zip(data.tasks, pools, strict=True)
        ]
    )
    projected = torch.cat([projected for _, _, projected in pools])
    source_labels = torch.cat([task.source.labels for task in data.tasks])
    n_source, n_pool = len(data.tasks[0].source), len(pools[0][1])
    strength = torch.tensor([e.strength for e in models], device=device)
    plain = _is_control(first)
    if not plain:
        method.start(network, strength, n_pool, classes)
    model_seeds = [e.seed for e in models]
    # Rows of `inputs` (each task's source, then its pool), of `source_labels` and of `projected`:
    # (tasks, steps, batch).
    seeds, task = (
        [key[4] for key in data.keys],
        torch.arange(len(data.keys), device=device)[:, None, None],
    )
    s = _batches(seeds, first.steps, n_source, first.source_batch, device, stream=1)
    t = _batches(seeds, first.steps, n_pool, first.target_batch, device, stream=2)
    label_rows, projected_rows = s + task * n_source, t + task * n_pool
    rows = torch.cat((s, t + n_source), -1) + task * (n_source + n_pool)
    block = 1 if plain else 16

    def take(values: Tensor, chosen: Tensor) -> Tensor:
        return values.index_select(0, chosen.flatten()).view(*chosen.shape, *values.shape[1:])

    def moved(x: Tensor, step: int) -> Tensor:
        """Augmented, if wanted; the source's images do not depend on whether there are others."""
        if first.augment == "none":
            return x
        parts = x.split((first.source_batch, x.shape[1] - first.source_batch), 1)
        mirrored = first.augment == "mirrored"
        return torch.cat(
            [
                augmented(p, model_seeds, step, 2 + i, mirrored)
                for i, p in enumerate(parts)
                if p.shape[1]
            ],
            1,
        )

    @lru_cache(maxsize=1)
    def prepared(part: int) -> Tensor:
        """The projected inputs of several steps at once, whitened by their batch: (tasks, steps,
        batch, r)."""
        return method.regularizer.prepare(
            take(projected, projected_rows[:, part * block : (part + 1) * block])
        )

    def batch_at(step: int) -> Batch:
        x = moved(take(inputs, rows[data.which, step]), step)
        labels, index = source_labels[label_rows[data.which, step]], t[data.which, step]
        features = network.features(x, first.source_batch)

        def u() -> Tensor:
            if first.augment == "none":
                return prepared(step // block)[data.which, step % block]
            each = zip(data.which.tolist(), x[:, first.source_batch :], strict=True)
            return method.regularizer.prepare(
                torch.stack([pools[task][0].project(images) for task, images in each])
            )

        return Batch(
            network,
            x,
            labels,
            features,
            u,
            first.layer,
            index,
            n_pool,
            n_source,
            step,
            first.steps,
            model_seeds,
        )

    def loss_at(step: int) -> Tensor:
        if plain:
            x = moved(take(inputs, rows[data.which, step, : first.source_batch]), step)
            return _cross_entropy(network(x), source_labels[label_rows[data.which, step]])
        return _loss(method, strength, batch_at(step))

    histories: list[History] = [
        {"step": [], "loss": [], "dependence": [], "target_accuracy": []} for _ in models
    ]
    labelled, validation = data.part("labelled"), data.part("validation")
    every = max(1, first.steps // RECORDS)

    @torch.no_grad()
    def record(step: int) -> None:
        batch = batch_at(step)
        loss, dependence = (
            _cross_entropy(network.head(batch.labelled), batch.labels),
            method.dependence(batch),
        )
        accuracy = _read_out_accuracy(
            network.features(labelled[0]),
            labelled[1],
            network.features(validation[0]),
            validation[1],
        )
        for history, *values in zip(
            histories, loss.tolist(), dependence.tolist(), accuracy.tolist(), strict=True
        ):
            for name, value in zip(history, (float(step + 1), *values), strict=True):
                history[name].append(value)

    def watch(step: int) -> None:
        if step == 0 or (step + 1) % every == 0 or step + 1 == first.steps:
            record(step)
        advance("pre-train", models, histories)

    saved = None if checkpoints is None else _Checkpoint(Path(checkpoints), models, histories)
    _optimise(
        network,
        loss_at,
        first.steps,
        first.learning_rate,
        watch,
        saved,
        partial(advance, "pre-train", models, histories),
    )
    return network, histories


class _Checkpoint:
    """A pre-training on its way: step, weights, the optimizer's state and histories, in a file
    named after its experiments."""

    def __init__(
        self, folder: Path, models: Sequence[Experiment], histories: list[History]
    ) -> None:
        self.path = folder / f"{hashlib.sha256(repr(models).encode()).hexdigest()[:32]}.pt"
        self.histories, self.written = histories, time.monotonic()

    def load(self, network: StackedNetwork, optimizer: torch.optim.Optimizer) -> int:
        """The step to go on with; 0, and everything as it was, if nothing is there that fits."""
        before = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
        try:
            saved = torch.load(
                self.path, weights_only=True, map_location=next(network.parameters()).device
            )
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            for history, kept in zip(self.histories, saved["histories"], strict=True):
                history.update(kept)
            return int(saved["step"])
        except (
            OSError,
            EOFError,
            RuntimeError,
            KeyError,
            ValueError,
            TypeError,
            pickle.UnpicklingError,
        ):
            network.load_state_dict(before[0])
            optimizer.load_state_dict(before[1])
            return 0

    def save(self, step: int, network: StackedNetwork, optimizer: torch.optim.Optimizer) -> None:
        """Written whole, once in CHECKPOINT_SECONDS. What cannot be written is not worth ending a
        training for."""
        if time.monotonic() - self.written < CHECKPOINT_SECONDS:
            return
        self.written = time.monotonic()
        state = {
            "step": step,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "histories": self.histories,
        }
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, temporary)
            temporary.replace(self.path)
        except (OSError, RuntimeError) as error:
            warnings.warn(
                f"no checkpoint could be written to {self.path.parent} ({error}).", stacklevel=2
            )


_Arrays = tuple[np.ndarray, np.ndarray]
_Part = tuple[Tensor, Tensor]
_Outcome = tuple[float, float, float | None]


def _loss(method: Method, strength: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the labelled samples + strength * the method's term."""
    loss, term = (
        _cross_entropy(batch.network.head(batch.labelled), batch.labels),
        method.term(batch),
    )
    return loss if term is None else loss + strength * term


def _finetune(
    network: StackedNetwork,
    stage: Sequence[Experiment],
    parts: Sequence[_Part],
    data: _Data,
    which: Tensor,
    step_done: _Done,
) -> list[_Outcome]:
    """All weights go on learning, with a new head. A method's unlabelled samples are the unlabelled
    and the labelled ones."""
    first, (x, y), name, seeds = (
        stage[0],
        parts[0],
        _second_stage(stage[0])[3],
        [e.seed for e in stage],
    )
    plain, classes = name == "standard", int(y.max()) + 1
    size = min(first.source_batch, x.shape[1])
    index = _batches(seeds, first.finetune_steps, x.shape[1], size, x.device, stream=3)
    model = torch.arange(len(stage), device=x.device)[:, None]
    strength = torch.tensor([e.stage_two_strength for e in stage], device=x.device)
    if not plain:
        pools = [
            _unlabelled(*key, "target", name, first.n_components, first.ridge) for key in data.keys
        ]
        few = [task.labelled.inputs[: first.labels] for task in data.tasks]
        inputs = torch.stack(
            [torch.cat((pool, extra)) for (_, pool, _), extra in zip(pools, few, strict=True)]
        )
        whitened = [
            torch.cat((u, kind.project(extra)))
            for (kind, _, u), extra in zip(pools, few, strict=True)
        ]
        projected, count = torch.stack(whitened), inputs.shape[1]
        drawn = _epochs(
            [key[4] for key in data.keys], first.finetune_steps, count, first.target_batch, x.device
        )
        method = make_method(name, pools[0][0])
        method.start(network, strength, count, classes)
    network.replace_head(classes, [e.seed + 1 for e in stage])

    def loss_at(step: int) -> Tensor:
        some, labels = x[model, index[:, step]], y[model, index[:, step]]
        if first.augment != "none":  # steps of stage 2 are counted on from 2^19
            some = augmented(some, seeds, 2**19 + step, 2, first.augment == "mirrored")
        if plain:
            return _cross_entropy(network(some), labels)
        chosen = drawn[which, step]
        both = torch.cat((some, inputs[which[:, None], chosen]), 1)
        u = partial(method.regularizer.prepare, projected[which[:, None], chosen])
        z, m, last = network.features(both), first.labels, first.finetune_steps
        batch = Batch(network, both, labels, z, u, first.layer, chosen, count, m, step, last, seeds)
        return _loss(method, strength, batch)

    _optimise(network, loss_at, first.finetune_steps, first.learning_rate, lambda step: step_done())
    with torch.no_grad():
        scores = [_accuracy(network(inputs), labels).tolist() for inputs, labels in parts[1:]]
    return [(v, t, None) for v, t in zip(*scores, strict=True)]


def _optimise(
    network: StackedNetwork, loss_at: Callable[[int], Tensor], steps: int, learning_rate: float, watch: Callable[[int], None],
    saved: _Checkpoint | None = None, skip: _Done = lambda: None,
) -> None:  # fmt: skip
    """The one training loop. Losses of stacked models add up; Adam works element by element, so
    models stay apart."""
    fused = next(network.parameters()).device.type in ("cpu", "cuda", "mps")
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=fused)
    on_cuda = next(network.parameters()).is_cuda
    precision = torch.autocast("cuda", torch.bfloat16) if on_cuda else nullcontext()
    begin = saved.load(network, optimizer) if saved else 0
    for _ in range(begin):
        skip()
    for step in range(begin, steps):
        optimizer.zero_grad()
        with precision:
            loss = loss_at(step).sum()
        loss.backward()
        optimizer.step()
        watch(step)
        if saved:
            saved.save(step + 1, network, optimizer)
    if saved:
        with suppress(OSError):
            saved.path.unlink()


def _batches(
    seeds: Sequence[int], steps: int, n: int, size: int, device: torch.device, stream: int
) -> Tensor:
    """(seeds, steps, size) indices below n, from each seed alone."""
    generators = [torch.Generator().manual_seed(4 * seed + stream) for seed in seeds]
    return torch.stack(
        [torch.randint(n, (steps, size), generator=g, device="cpu") for g in generators]
    ).to(device)


def _epochs(seeds: Sequence[int], steps: int, n: int, size: int, device: torch.device) -> Tensor:
    """(seeds, steps, size) indices below n, each at most once an epoch, from each seed alone."""
    size = min(size, n)
    each, drawn = n // size, []
    for seed in seeds:
        generator = torch.Generator().manual_seed(4 * seed + 4)
        orders = [
            torch.randperm(n, generator=generator, device="cpu")[: each * size]
            for _ in range(-(-steps // each))
        ]
        drawn.append(torch.cat(orders).view(-1, size)[:steps])
    return torch.stack(drawn).to(device)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return (
        F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        .view(labels.shape)
        .mean(-1)
    )


def _accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(-1) == labels).float().mean(-1)


@torch.no_grad()
def _probe(network: StackedNetwork, parts: Sequence[_Part], step_done: _Done) -> list[_Outcome]:
    features = [(network.features(x).float().cpu().numpy(), y.cpu().numpy()) for x, y in parts]
    outcomes: list[_Outcome] = []
    with threadpool_limits(1):  # the problems are too small to share
        for model in range(len(features[0][0])):
            labelled, validation, test = ((z[model], y[model]) for z, y in features)
            outcomes.append(fit_probe(labelled, validation, test))
            step_done()
    return outcomes


def fit_probe(labelled: _Arrays, validation: _Arrays, test: _Arrays) -> tuple[float, float, float]:
    """Logistic regression on standardised features: (validation accuracy, test accuracy, penalty).

    Each argument: features (n, k) and labels (n,). The L2 penalty is the one of `PROBE_PENALTIES`
    with the best validation accuracy, the strongest of equals; test accuracy is that one's, and
    chooses nothing.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(labelled[0])
    x, x_validation, x_test = (scale.transform(part[0]) for part in (labelled, validation, test))
    probe = LogisticRegression(solver="newton-cg", tol=1e-3, max_iter=200, warm_start=True)
    best = (-1.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The line search", RuntimeWarning)
        for penalty in PROBE_PENALTIES:  # from the strongest on, each from where the last one ended
            probe.set_params(C=1 / penalty).fit(x, labelled[1])
            score = float((probe.predict(x_validation) == validation[1]).mean())
            if score > best[0]:
                best = (score, float((probe.predict(x_test) == test[1]).mean()), penalty)
    return best


def _read_out_accuracy(
    z: Tensor, labels: Tensor, z_validation: Tensor, validation_labels: Tensor
) -> Tensor:
    """Accuracy of ridge regression onto one-hot labels: closed form, so that it can be watched
    during training."""
    mean, scale = z.mean(-2, keepdim=True), z.std((-2, -1), keepdim=True) + 1e-6
    z, z_validation = (z - mean) / scale, (z_validation - mean) / scale
    gram = z.mT @ z + 0.01 * z.shape[-2] * torch.eye(z.shape[-1], device=z.device)
    chol, _ = torch.linalg.cholesky_ex(gram)
    targets = F.one_hot(labels).to(z)
    weights = torch.cholesky_solve(z.mT @ (targets - targets.mean(-2, keepdim=True)), chol)
    return _accuracy(z_validation @ weights, validation_labels)


def _require_every_class(labels: Tensor, classes: int) -> None:
    counts = F.one_hot(labels, classes).sum(-2).amin(0)
    if not bool((counts > 0).all()):
        empty = ", ".join(str(c) for c in (counts == 0).nonzero().flatten().tolist())
        raise ValueError(
            f"the labelled set needs a sample of every class, got none of class {empty} in {labels.shape[-1]}."
        )
