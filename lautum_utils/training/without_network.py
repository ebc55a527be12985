"""The baselines that train no network: what labelled target images say by themselves."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from threadpoolctl import threadpool_limits

from lautum_utils.data.tasks import TransferTask
from lautum_utils.training.baselines import WITHOUT_NETWORK
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.histories import empty_history
from lautum_utils.training.outcomes import History, Result
from lautum_utils.training.probes import Arrays, Probe, fit_probe, target_parts
from lautum_utils.training.stack_data import StackData
from lautum_utils.training.stacks import stage_one_of

COMPONENTS = (8, 16, 32, 64, 128)  # numbers of principal components, to choose from


def run_without_network(
    stack: Sequence[Experiment],
    models: Sequence[Experiment],
    data: StackData,
    tell: Callable[[str, Sequence[Experiment], Sequence[History]], None],
) -> Iterator[Result]:
    """The results of a stack of them; those that differ only in settings of a network are fitted
    once. models: its distinct `stage_one_of`."""
    fitted: dict[tuple[Experiment, int], Probe] = {}
    for e in stack:
        key, history = (stage_one_of(e), e.labels), empty_history()
        if key not in fitted:
            task = data.task(models.index(key[0]))
            with threadpool_limits(1):  # more threads would round in another way
                fitted[key] = fit_without_network(e.method, task, e.labels)
        tell("probe", [e], [history])
        validation, test, penalty = fitted[key]
        yield Result(e, test, validation, math.nan, penalty, history)


def fit_without_network(name: str, task: TransferTask, labels: int) -> Probe:
    """What "pixels" or "components" reaches with the first `labels` labelled images of a task.
    ValueError: another baseline, an unknown name.
    """
    if name not in WITHOUT_NETWORK:
        raise ValueError(f"name needs to be {' or '.join(WITHOUT_NETWORK)}, got {name!r}.")
    parts = target_parts(task, labels, partial(torch.flatten, start_dim=1))
    return fit_probe(*parts, common_scale=True) if name == "pixels" else _components(task, parts)


def _components(task: TransferTask, parts: Sequence[Arrays]) -> Probe:
    """The best number of components on validation data, of equals the smallest."""
    from sklearn.decomposition import PCA

    inputs = task.unlabelled.flatten(1).cpu().double().numpy()
    most = min(len(inputs) - 1, inputs.shape[1], COMPONENTS[-1])
    solver = "covariance_eigh" if inputs.shape[1] <= 1024 else "auto"
    pca = PCA(most, svd_solver=solver, random_state=0).fit(inputs)
    projected = [(pca.transform(x).astype(x.dtype), y) for x, y in parts]
    numbers = [k for k in COMPONENTS if k <= most] or [most]
    probes = [fit_probe(*((z[:, :k], y) for z, y in projected), common_scale=True) for k in numbers]
    return max(probes, key=lambda probe: probe.validation_accuracy)
