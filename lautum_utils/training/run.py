"""From experiments to trained networks and results: the two stages, stack after stack.

    for result in run_each(experiments):
        ...

`lautum_utils.run` collects the results in the order asked for.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from lautum_utils.data.cache import bars
from lautum_utils.data.tasks import TransferTask
from lautum_utils.training.baselines import WITHOUT_NETWORK
from lautum_utils.training.checkpoints import Checkpoint
from lautum_utils.training.devices import keep_freed_memory, resolve_device
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.finetuning import accuracy_on, finetune
from lautum_utils.training.histories import Recorder, empty_history
from lautum_utils.training.loop import accuracy, make_optimizer, train
from lautum_utils.training.methods import Method, make_method
from lautum_utils.training.networks import (
    AT_ONCE,
    NETWORKS,
    StackedNetwork,
    TrainedNetwork,
    alone,
)
from lautum_utils.training.outcomes import History, Progress, Result
from lautum_utils.training.probes import fit_probe, target_parts
from lautum_utils.training.stack_data import StackData
from lautum_utils.training.stacks import (
    StageTwo,
    count_steps,
    stacks,
    stage_one_of,
    stage_two_of,
)
from lautum_utils.training.without_network import run_without_network

Outcome = tuple[float, float, float | None]  # validation accuracy, test accuracy, penalty


class Stopped(Exception):
    """A callback wants no more."""


class Teller:
    """Tells a bar and a callback how far a run is; raises `Stopped` if the callback says so."""

    def __init__(
        self, bar: tqdm, total: int, callback: Callable[[Progress], object] | None
    ) -> None:
        self.bar, self.total, self.callback, self.step = bar, total, callback, 0

    def __call__(
        self, stage: str, experiments: Sequence[Experiment], histories: Sequence[History]
    ) -> None:
        self.step += 1
        self.bar.update()
        if self.callback is not None and self.callback(
            Progress(stage, self.step, self.total, experiments, histories)
        ):
            raise Stopped


def run_each(
    experiments: Experiment | Iterable[Experiment],
    device: str | torch.device = "auto",
    *,
    progress: bool = True,
    callback: Callable[[Progress], object] | None = None,
    checkpoints: str | Path | None = None,
    keep_networks: bool = False,
) -> Iterator[Result]:
    """Run experiments and yield each result as soon as it is there, which is not always the order
    asked for. On one machine the same experiment gives the same result, whatever is run beside it:
    to the bit if its batch sizes are multiples of 16. With other batch sizes, threads or processors
    rounding differs, and training amplifies it, by up to a point or two: results agree as samples.

    device: "auto" takes CUDA, then MPS, then the CPU. progress: bars, from the second second on.
    callback: called with a `Progress` after each step; what it returns, if true, stops the run.
    checkpoints: a folder in which a long stage one is saved each minute; the same run, interrupted,
    goes on from there. keep_networks: each result gets its trained network.
    ValueError: a device that is not there; a labelled set without one of the classes.
    """
    where = resolve_device(device)
    wanted = [experiments] if isinstance(experiments, Experiment) else experiments
    with bars(progress):
        plan = stacks(wanted, where)
    total = sum(count_steps(stack) for stack in plan)
    keep_freed_memory()
    with tqdm(total=total, unit="step", delay=2, disable=not progress, desc="training") as bar:
        tell = Teller(bar, total, callback)
        try:
            for stack in plan:
                yield from run_stack(stack, where, tell, checkpoints, keep_networks)
        except Stopped:
            return


def run_stack(
    stack: Sequence[Experiment],
    device: torch.device,
    tell: Teller,
    checkpoints: str | Path | None = None,
    keep_networks: bool = False,
) -> Iterator[Result]:
    """Stage one for all networks of a stack, then stage two for those that can share it."""
    models = list(dict.fromkeys(map(stage_one_of, stack)))
    with bars(not tell.bar.disable):
        data = StackData(models, device, lambda: tell("prepare", models, [{} for _ in models]))
    for labels in dict.fromkeys(e.labels for e in stack):
        data.require_labels(labels, models[0].target)
    if models[0].method in WITHOUT_NETWORK:
        yield from run_without_network(stack, models, data, tell)
        return
    learnt, histories = train_stage_one(models, data, tell, checkpoints)
    of_source = [
        source_accuracy(alone(learnt, row), e, data.task(row)) for row, e in enumerate(models)
    ]
    for stage in dict.fromkeys(map(stage_two_of, stack)):
        alike = [e for e in stack if stage_two_of(e) == stage]
        rows = [models.index(stage_one_of(e)) for e in alike]
        network = learnt.take(torch.tensor(rows, device=device))
        ends = train_stage_two(network, alike, stage, rows, data, histories, tell)
        for e, row, (one, outcome) in zip(alike, rows, ends, strict=True):
            validation, test, penalty = outcome
            kept = one if keep_networks else None
            yield Result(e, test, validation, of_source[row], penalty, histories[row], kept)


def train_stage_one(
    models: Sequence[Experiment],
    data: StackData,
    tell: Teller,
    checkpoints: str | Path | None = None,
    look: Callable[[int, StackedNetwork], object] = lambda step, network: None,
) -> tuple[StackedNetwork, list[History]]:
    """Learn the source, and stay informative about unlabelled inputs: loss = cross-entropy of the
    source + strength * the method's term. look: called before training (0) and after each step."""
    settings, seeds = models[0], [e.seed for e in models]  # in the rest, all are alike
    network = NETWORKS[settings.network](data.image_shape, data.source_classes, seeds)
    network.to(data.device)
    if settings.is_baseline:  # the network stays as it begins
        return network, [empty_history() for _ in models]
    pools = data.pools(settings, settings.inputs, settings.method)
    batches = data.stage_one_batches(network, models, pools)
    strength = torch.tensor([e.strength for e in models], device=data.device)
    views = settings.views, settings.view_noise, settings.decay
    watched = method = make_method(settings.method, pools[0].regularizer, *views)
    if settings.is_control:
        method = Method()
    else:
        method.start(network, strength, batches.n_unlabelled, data.source_classes)
    parts = data.parts("labelled"), data.parts("validation")
    recorder = Recorder(network, batches, watched, settings.steps, *parts)
    optimizer = make_optimizer(network, settings.learning_rate)
    checkpoint = Checkpoint(checkpoints, models, recorder.histories, method.memory)
    begin = checkpoint.load(network, optimizer)
    for _ in range(begin):
        tell("stage one", models, recorder.histories)
    look(begin, network)
    # A term that is added so much more rarely has so much more weight.
    how = settings.every * strength, range(begin, settings.steps), settings.weighting == "gradient"
    for step, _ in train(network, optimizer, batches, method, *how):
        recorder.after(step)
        look(step + 1, network)
        tell("stage one", models, recorder.histories)
        checkpoint.save(step + 1, network, optimizer)
    checkpoint.remove()
    return network, recorder.histories


def train_stage_two(
    network: StackedNetwork,
    experiments: Sequence[Experiment],
    stage: StageTwo,
    rows: Sequence[int],
    data: StackData,
    histories: Sequence[History],
    tell: Teller,
) -> Iterator[tuple[TrainedNetwork, Outcome]]:
    """Learn the target from its labelled samples: a probe on frozen features, or fine-tuning. Each
    network is scored by itself, so that only one has its images in memory."""
    known = [histories[row] for row in rows]
    if stage.protocol == "finetune":
        for _ in finetune(network, experiments, stage, rows, data):
            tell("finetune", experiments, known)
    for number, (e, row) in enumerate(zip(experiments, rows, strict=True)):
        one, task = alone(network, number), data.task(row)
        if stage.protocol == "finetune":
            yield one, (accuracy_on(one, task.validation), accuracy_on(one, task.test), None)
        else:
            represent = one.earlier if e.method == "earlier_layer" else one.features
            parts = target_parts(task, stage.labels, represent)
            with threadpool_limits(1):  # the problem is too small to share
                probe = fit_probe(*parts, common_scale=e.is_baseline)
            tell("probe", experiments, known)
            yield one, probe


def source_accuracy(network: TrainedNetwork, model: Experiment, task: TransferTask) -> float:
    """On the source's test samples, which go through the source's normalizations, if there are
    any; NaN if nothing was learnt from the source."""
    if model.is_baseline:
        return math.nan
    part = task.source_test
    logits = [network.stack(x[None], len(x)) for x in part.inputs.split(AT_ONCE)]
    return float(accuracy(torch.cat(logits, 1), part.labels[None]))
