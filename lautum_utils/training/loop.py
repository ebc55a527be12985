"""The one training loop, for both stages and for loops of your own: a generator of steps.

    for step, batch in train(network, optimizer, batches, method, strength, range(400)):
        ...  # look at what has been learnt so far; whoever wants to stop, breaks

Progress, histories and checkpoints belong to the caller.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lautum_utils.training.batches import Batch
from lautum_utils.training.devices import mixed_precision
from lautum_utils.training.methods import Method
from lautum_utils.training.networks import StackedNetwork


@runtime_checkable
class BatchSource(Protocol):
    """What the loop takes its batches from, such as `Batches`."""

    def at(self, step: int) -> Batch: ...


def train(
    network: StackedNetwork,
    optimizer: torch.optim.Optimizer,
    batches: BatchSource,
    method: Method,
    strength: Float[Tensor, " models"],
    steps: range,
    relative: bool = False,
) -> Iterator[tuple[int, Batch]]:
    """Take the steps one by one: loss = cross-entropy + strength * the method's term, in nats; if
    relative, each time with a term that is scaled until its gradient is as long as that of the
    cross-entropy, see `gradient_ratio`.

    Each network of the stack has a loss of its own, and the losses add up; no network's gradient
    depends on another, and Adam works element by element, so they learn as if each were alone.
    """
    precision = mixed_precision(network)
    for step in steps:
        optimizer.zero_grad()
        with precision:
            batch = batches.at(step)
            loss = cross_entropy(network.head(batch.labelled), batch.labels)  # one value a model
            if batch.with_term:  # in stage one at every `Experiment.every`-th step
                term = method.term(batch)
                scale = gradient_ratio(loss, term, network) if relative else 1.0
                loss = loss + scale * strength * term
        loss.sum().backward()
        optimizer.step()
        yield step, batch


def make_optimizer(network: StackedNetwork, learning_rate: float) -> torch.optim.Optimizer:
    """Adam, in one kernel where the device has it."""
    fused = next(network.parameters()).device.type in ("cpu", "cuda", "mps")
    return torch.optim.Adam(network.parameters(), lr=learning_rate, fused=fused)


def gradient_ratio(
    loss: Float[Tensor, " models"], term: Float[Tensor, " models"], network: StackedNetwork
) -> Float[Tensor, " models"]:
    """|d loss / d w| / |d term / d w| of each model, over all its weights but the head's, which
    most terms do not reach; at most 1e6, and 0 where the term has no gradient."""
    head = {id(p) for p in network.classifier.parameters()}
    body = [p for p in network.parameters() if id(p) not in head]
    of_loss, of_term = (_gradient_length(value, body) for value in (loss, term))
    return torch.where(of_term > 0, of_loss / of_term, 0.0).clamp_max(1e6).to(term)


def cross_entropy(
    logits: Float[Tensor, "models n classes"], labels: Int[Tensor, "models n"]
) -> Float[Tensor, " models"]:
    """The mean of -log p(label) over the samples of each model, in nats."""
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view(labels.shape).mean(-1)


def accuracy(
    logits: Float[Tensor, "models n classes"], labels: Int[Tensor, "models n"]
) -> Float[Tensor, " models"]:
    """The share of samples whose largest logit is their label's."""
    return (logits.argmax(-1) == labels).float().mean(-1)


def _gradient_length(
    value: Float[Tensor, " models"], weights: Sequence[Tensor]
) -> Float[Tensor, " models"]:
    """In float64 (which MPS has not), so that a model's does not depend on how sums are split
    between threads."""
    wide = torch.float32 if value.device.type == "mps" else torch.float64
    found = torch.autograd.grad(value.sum(), weights, retain_graph=True, allow_unused=True)
    squares = [g.flatten(1).to(wide).square().sum(1) for g in found if g is not None]
    return torch.stack(squares).sum(0).sqrt()
