"""Batches: the samples that a stage learns from, step by step, for networks side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.training.randomness import STAGE_TWO, Views, augmented, noisy_view

STEPS_AT_ONCE = 16  # inputs are whitened by their batch for so many steps in one go


def _not_projected() -> Tensor:
    raise ValueError("running covariances need a batch with projected inputs, got one without.")


@dataclass(frozen=True, eq=False)
class Batch:
    """What a method sees of a step: the first m samples of each model are labelled, the n others
    are not."""

    network: Any  # a StackedNetwork: features(inputs, source), head(features)
    inputs: Float[Tensor, "models all c h w"]
    labels: Int[Tensor, "models m"]
    features: Float[Tensor, "models all k"]
    prepared: Callable[[], Float[Tensor, "models n r"]]  # the unlabelled inputs, as `prepare` does
    index: Int[Tensor, "models n"]  # which of all unlabelled samples these are
    layer: str = "features"  # whose outputs are `representations`
    n_labelled: int = 0  # how many labelled samples there are in all
    n_unlabelled: int = 0  # how many unlabelled samples there are in all
    step: int = 0
    steps: int = 1
    seeds: Sequence[int] = ()  # of the models
    with_term: bool = True  # whether the method's term is added at this step
    projected: Callable[[], Float[Tensor, "models n r"]] = _not_projected  # as `project` does

    def __post_init__(self) -> None:
        m, n = self.labels.shape[1], self.inputs.shape[1] - self.labels.shape[1]
        if m < 2 or n == 1:
            raise ValueError(
                "a batch needs 2 or more labelled and 2 or more unlabelled samples (or none), "
                f"got {m} and {n}."
            )

    @property
    def labelled(self) -> Float[Tensor, "models m k"]:
        """The features of the labelled samples."""
        m = self.labels.shape[1]
        return self.features if m == self.features.shape[1] else self.features[:, :m]

    @property
    def unlabelled(self) -> Float[Tensor, "models n k"]:
        """The features of the unlabelled samples."""
        return self.features[:, self.labels.shape[1] :]

    @property
    def representations(self) -> Float[Tensor, "models n k"]:
        """What stands in for the weights in L and I: features, or logits, of the unlabelled
        samples."""
        return self.network.head(self.unlabelled) if self.layer == "logits" else self.unlabelled

    def view(self, strength: float, stream: Views = Views.WEAK) -> Float[Tensor, "models n c h w"]:
        """The unlabelled inputs moved by up to 2 pixels and with Gaussian noise of 0.1, both times
        strength (ours)."""
        unlabelled = self.inputs[:, self.labels.shape[1] :]
        return noisy_view(unlabelled, self.seeds, self.step, stream, strength)


class Samples(NamedTuple):
    """What one part of the batches is drawn from, for each distinct task."""

    images: Sequence[Float[Tensor, "n c h w"]]
    values: Tensor  # (tasks, n) labels, or (tasks, n, r) whitened inputs
    rows: Int[Tensor, "tasks steps batch"]  # which samples each step takes


class Batches:
    """The batches of a stage for the networks of a stack.

    labelled, unlabelled: what is drawn from, unlabelled None if there is none. which: (models,),
    the task of each model. seeds: of the models. regularizers: one a task; they whiten. layer: see
    `Batch`. augment: see `Experiment`. every: at every so many steps, from the first one on, there
    are unlabelled samples and the method's term is added; 0: never. stage_two: all samples are the
    target's, and only labelled ones are augmented.
    """

    def __init__(
        self,
        network: Any,
        labelled: Samples,
        unlabelled: Samples | None,
        which: Int[Tensor, " models"],
        seeds: Sequence[int],
        regularizers: Sequence[LautumRegularizer | MutualInformationRegularizer] = (),
        *,
        layer: str = "features",
        augment: str = "none",
        every: int = 1,
        stage_two: bool = False,
    ) -> None:
        self.network, self.which, self.seeds = network, which, seeds
        self.regularizers = regularizers
        self.layer, self.augment, self.stage_two = layer, augment, stage_two
        self.every, self.has_unlabelled = every, unlabelled is not None
        self.n_labelled = len(labelled.images[0])
        self.n_unlabelled = 0 if unlabelled is None else len(unlabelled.images[0])
        task = torch.arange(len(labelled.images), device=which.device)[:, None, None]
        self.labels = labelled.values.flatten()
        self.label_rows = labelled.rows + task * self.n_labelled
        parts = [labelled] if unlabelled is None else [labelled, unlabelled]
        # One table of images, so that a step takes what it needs at once: each task's labelled
        # ones, then its unlabelled ones.
        by_task = zip(*(part.images for part in parts), strict=True)
        self.images = torch.cat([images for task in by_task for images in task])
        rows = [labelled.rows] + [part.rows + self.n_labelled for part in parts[1:]]
        self.image_rows = torch.cat(rows, -1) + task * (self.n_labelled + self.n_unlabelled)
        if unlabelled is not None:
            self.index = unlabelled.rows
            self.whitened = unlabelled.values.flatten(0, 1)
            self.whitened_rows = unlabelled.rows + task * self.n_unlabelled
        self._prepared_part, self._prepared = -1, torch.empty(0, device=which.device)

    def at(self, step: int, unlabelled: bool | None = None) -> Batch:
        """The batch of a step; unlabelled: with unlabelled samples? By default if the
        method's term is added."""
        with_term = self._is_with_term(step)
        with_unlabelled = self.has_unlabelled and with_term if unlabelled is None else unlabelled
        m, rows = self.label_rows.shape[-1], self.image_rows[self.which, step]
        images = self._augmented(_take(self.images, rows if with_unlabelled else rows[:, :m]), step)
        return Batch(
            self.network,
            images,
            _take(self.labels, self.label_rows[self.which, step]),
            self.network.features(images, 0 if self.stage_two else m),
            lambda: self._whitened(images, step),
            self.index[self.which, step] if with_unlabelled else rows[:, :0],
            self.layer,
            self.n_labelled,
            self.n_unlabelled,
            step,
            self.label_rows.shape[1],
            self.seeds,
            with_term,
            lambda: self._projected(images, step),
        )

    def _is_with_term(self, step: int) -> bool:
        return self.every > 0 and step % self.every == 0

    def _augmented(self, images: Tensor, step: int) -> Tensor:
        """As `augment` says; labelled images do not depend on whether there are others."""
        if self.augment == "none":
            return images
        m, mirrored = self.label_rows.shape[-1], self.augment == "mirrored"
        labelled, unlabelled = images[:, :m], images[:, m:]
        counted = step + (STAGE_TWO if self.stage_two else 0)
        labelled = augmented(labelled, self.seeds, counted, Views.LABELLED, mirrored)
        if unlabelled.shape[1] and not self.stage_two:
            unlabelled = augmented(unlabelled, self.seeds, counted, Views.UNLABELLED, mirrored)
        return torch.cat((labelled, unlabelled), 1)

    def _whitened(self, images: Tensor, step: int) -> Tensor:
        """The unlabelled inputs of a step, whitened by their batch: (models, n, r)."""
        prepare = self.regularizers[0].prepare
        if self.augment != "none" and not self.stage_two:
            return prepare(self._projected(images, step))
        if not self._is_with_term(step):
            return prepare(_take(self.whitened, self.whitened_rows[:, step]))[self.which]
        part, place = divmod(step // self.every, STEPS_AT_ONCE)
        if part != self._prepared_part:
            rows = self.whitened_rows[:, :: self.every].split(STEPS_AT_ONCE, 1)[part]
            self._prepared_part, self._prepared = part, prepare(_take(self.whitened, rows))
        return self._prepared[self.which, place]

    def _projected(self, images: Tensor, step: int) -> Tensor:
        """The unlabelled inputs of a step, whitened over all of their task: (models, n, r)."""
        if self.augment != "none" and not self.stage_two:
            unlabelled = images[:, self.label_rows.shape[-1] :]
            each = zip(self.which.tolist(), unlabelled, strict=True)
            return torch.stack([self.regularizers[task].project(x) for task, x in each])
        return _take(self.whitened, self.whitened_rows[:, step])[self.which]


def _take(values: Tensor, rows: Tensor) -> Tensor:
    return values.index_select(0, rows.flatten()).view(*rows.shape, *values.shape[1:])
