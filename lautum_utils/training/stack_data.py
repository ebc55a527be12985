"""The data of a stack: each distinct task once, its regularizer, and the batches of both stages."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lautum_utils.data.domains import Domain
from lautum_utils.data.tasks import TransferTask
from lautum_utils.training.batches import Batches, Samples
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.kept_tasks import TASKS, KeptTask, Pool, task_key
from lautum_utils.training.networks import StackedNetwork
from lautum_utils.training.randomness import Rows, drawn_rows, epoch_rows
from lautum_utils.training.recipes import RECIPES
from lautum_utils.training.stacks import StageTwo


class Labelled(NamedTuple):
    """A labelled part of the tasks, one entry a model."""

    inputs: Float[Tensor, "models n c h w"]
    labels: Int[Tensor, "models n"]


class StackData:
    """The tasks of a stack's models: `which` maps a model to its task. loaded: called after each.

    ValueError: more labels than there are, a labelled set without one of the classes.
    """

    def __init__(
        self,
        models: Sequence[Experiment],
        device: torch.device,
        loaded: Callable[[], object] = lambda: None,
    ) -> None:
        of_models = [task_key(e, device) for e in models]
        keys, self.device, self.kept = list(dict.fromkeys(of_models)), device, list[KeptTask]()
        for key in keys:
            self.kept.append(TASKS.get(key))
            loaded()
        self.tasks = [kept.task for kept in self.kept]
        self.which = torch.tensor([keys.index(key) for key in of_models], device=device)
        self.seeds = [key.seed for key in keys]
        self.source_classes = len(self.tasks[0].source.class_names)
        self.target_classes = len(self.tasks[0].test.class_names)
        channels, height, width = self.tasks[0].source.inputs.shape[1:]
        self.image_shape = channels, height, width

    def task(self, row: int) -> TransferTask:
        """Of a model."""
        return self.tasks[int(self.which[row])]

    def parts(self, name: str) -> Labelled:
        """That part for all models, a copy each."""
        parts: list[Domain] = [getattr(task, name) for task in self.tasks]
        inputs, labels = ([getattr(p, of) for p in parts] for of in ("inputs", "labels"))
        return Labelled(torch.stack(inputs)[self.which], torch.stack(labels)[self.which])

    def require_labels(self, labels: int, target: str) -> None:
        """ValueError unless each task has so many labelled samples, with every class among them."""
        if labels > (most := len(self.tasks[0].labelled)):
            raise ValueError(
                f"labels needs to be at most {most} for the target {target}, got {labels}."
            )
        if labels < self.target_classes:
            classes = f"the {self.target_classes} classes of the target {target}"
            raise ValueError(f"labels needs to be one or more for each of {classes}, got {labels}.")
        chosen = self.parts("labelled").labels[:, :labels]
        counts = F.one_hot(chosen, self.target_classes).sum(-2).amin(0)
        if not bool((counts > 0).all()):
            names = self.tasks[0].labelled.class_names
            empty = ", ".join(names[c] for c in (counts == 0).nonzero().flatten().tolist())
            raise ValueError(
                "the labelled set needs a sample of every class, "
                f"got none of class {empty} in {labels}."
            )

    def pools(self, settings: Experiment, inputs: str, method: str) -> list[Pool]:
        """For each task, what a method looks at."""
        measured = method, settings.n_components, settings.ridge
        return [kept.pool(inputs, *measured) for kept in self.kept]

    def stage_one_batches(
        self, network: StackedNetwork, models: Sequence[Experiment], pools: Sequence[Pool]
    ) -> Batches:
        """Labelled source samples and unlabelled ones of the pools, with replacement."""
        settings = models[0]  # in what matters here, all are alike
        source = [task.source for task in self.tasks]
        sizes = settings.source_batch, settings.target_batch
        labelled = Samples(
            [domain.inputs for domain in source],
            torch.stack([domain.labels for domain in source]),
            self._rows(settings.steps, len(source[0]), sizes[0], Rows.SOURCE),
        )
        unlabelled = Samples(
            [pool.images for pool in pools],
            torch.stack([pool.whitened for pool in pools]),
            self._rows(settings.steps, len(pools[0].images), sizes[1], Rows.UNLABELLED),
        )
        return Batches(
            network,
            labelled,
            unlabelled,
            self.which,
            [e.seed for e in models],
            [pool.regularizer for pool in pools],
            layer=settings.layer,
            augment=settings.augment,
            every=0 if settings.is_control else settings.every,
        )

    def stage_two_batches(
        self,
        network: StackedNetwork,
        experiments: Sequence[Experiment],
        stage: StageTwo,
        which: Int[Tensor, " models"],
        pools: Sequence[Pool],
    ) -> Batches:
        """The labelled target samples, with replacement, and, where there are pools, these and the
        unlabelled ones together, in epochs and without their labels."""
        settings, unlabelled = experiments[0], None
        targets = [task.labelled for task in self.tasks]
        images = [domain.inputs[: stage.labels] for domain in targets]
        size = min(settings.source_batch, stage.labels)
        labelled = Samples(
            images,
            torch.stack([domain.labels[: stage.labels] for domain in targets]),
            self._rows(stage.steps, stage.labels, size, Rows.LABELLED),
        )
        if pools:
            both = [torch.cat((p.images, extra)) for p, extra in zip(pools, images, strict=True)]
            whitened = [
                torch.cat((pool.whitened, pool.regularizer.project(extra)))
                for pool, extra in zip(pools, images, strict=True)
            ]
            rows = epoch_rows(self.seeds, stage.steps, len(both[0]), settings.target_batch)
            unlabelled = Samples(both, torch.stack(whitened), rows.to(self.device))
        return Batches(
            network,
            labelled,
            unlabelled,
            which,
            [e.seed for e in experiments],
            [pool.regularizer for pool in pools],
            layer=settings.layer,
            augment=RECIPES[stage.recipe].at_least(settings.augment),
            every=1 if pools else 0,
            stage_two=True,
        )

    def _rows(self, steps: int, n: int, size: int, stream: Rows) -> Tensor:
        return drawn_rows(self.seeds, steps, n, size, stream).to(self.device)
