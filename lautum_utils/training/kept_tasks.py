"""The tasks of the last runs, kept in memory: the next run on the same data begins at once."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

import torch
from jaxtyping import Float
from threadpoolctl import threadpool_limits
from torch import Tensor

from lautum_utils.data.own import is_own, own_times
from lautum_utils.data.sizes import Sizes
from lautum_utils.data.tasks import TransferTask, load_transfer_task
from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.methods import make_regularizer

MEMORY = 1 << 30  # bytes of tasks that are kept


class TaskKey(NamedTuple):
    """What fixes a task. times: of the folders of one's own, others when a file comes or goes."""

    source: str
    target: str
    shift: str
    severity: float
    seed: int
    device: torch.device
    sizes: Sizes
    times: tuple[tuple[tuple[str, int], ...], ...]


class Pool(NamedTuple):
    """What a method looks at."""

    regularizer: LautumRegularizer | MutualInformationRegularizer
    images: Float[Tensor, "n c h w"]
    whitened: Float[Tensor, "n r"]


class KeptTask:
    """A task, and what methods look at in it, each made when it is asked for."""

    def __init__(self, task: TransferTask) -> None:
        self.task, self.pools = task, dict[tuple[str, str, int, float], Pool]()

    def pool(self, inputs: str, method: str, n_components: int, ridge: float) -> Pool:
        """inputs: "target" or "source"; the rest as `make_regularizer` takes it."""
        key = inputs, method, n_components, ridge
        if key not in self.pools:
            images = self.task.unlabelled if inputs == "target" else self.task.source.inputs
            # With more threads, a principal component analysis is rounded in another way.
            with threadpool_limits(1):
                regularizer = make_regularizer(method, images, n_components, ridge)
            self.pools[key] = Pool(regularizer, images, regularizer.project(images))
        return self.pools[key]

    @property
    def nbytes(self) -> int:
        """Of its images, and of the whitened ones."""
        task = self.task
        domains = task.source, task.source_test, task.labelled, task.validation, task.test
        whitened = [pool.whitened for pool in list(self.pools.values())]
        return sum(x.nbytes for x in (task.unlabelled, *(d.inputs for d in domains), *whitened))


class KeptTasks:
    """The tasks asked for last, in `memory` bytes; the last one always. From any thread."""

    def __init__(self, memory: int, make: Callable[[TaskKey], TransferTask]) -> None:
        self.memory, self.make = memory, make
        self.kept, self.lock = OrderedDict[TaskKey, KeptTask](), Lock()

    def get(self, key: TaskKey) -> KeptTask:
        """A kept task, or one made now. ValueError, DatasetError: as `load_transfer_task`."""
        with self.lock:
            found = self.kept.get(key)
        made = KeptTask(self.make(key)) if found is None else found
        with self.lock:
            self.kept[key] = made
            self.kept.move_to_end(key)
            total = sum(task.nbytes for task in self.kept.values())
            while total > self.memory and len(self.kept) > 1:
                _, oldest = self.kept.popitem(last=False)
                total -= oldest.nbytes
        return made

    def clear(self) -> None:
        """Keep nothing."""
        with self.lock:
            self.kept.clear()


def task_key(e: Experiment, device: torch.device) -> TaskKey:
    """What fixes the task of an experiment."""
    times = tuple(own_times(name) for name in (e.source, e.target) if is_own(name))
    return TaskKey(e.source, e.target, e.shift, e.severity, e.seed, device, e.sizes, times)


def _load(key: TaskKey) -> TransferTask:
    return load_transfer_task(*key[:6], **key.sizes._asdict())


TASKS = KeptTasks(MEMORY, _load)
