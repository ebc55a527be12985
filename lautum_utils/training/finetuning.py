"""Stage two by fine-tuning: all weights go on learning, with a new head, as a recipe says."""

from collections.abc import Iterator, Sequence

import torch

from lautum_utils.data.domains import Domain
from lautum_utils.training.experiments import Experiment
from lautum_utils.training.loop import accuracy, make_optimizer, train
from lautum_utils.training.methods import Method, make_method
from lautum_utils.training.networks import StackedNetwork, TrainedNetwork, alone
from lautum_utils.training.randomness import head_seed
from lautum_utils.training.recipes import RECIPES
from lautum_utils.training.stack_data import Pool, StackData
from lautum_utils.training.stacks import StageTwo

LOOK_EVERY = 20  # steps between two looks at the validation samples


def finetune(
    network: StackedNetwork,
    experiments: Sequence[Experiment],
    stage: StageTwo,
    rows: Sequence[int],
    data: StackData,
) -> Iterator[int]:
    """Fine-tune the networks of a stack in place, step by step, on their labelled target samples.

    A method's unlabelled samples are the unlabelled and the labelled ones.
    """
    settings, which, recipe = experiments[0], data.which[rows], RECIPES[stage.recipe]
    method, pools = Method(), list[Pool]()
    strength = torch.tensor([e.stage_two_strength for e in experiments], device=data.device)
    if stage.method != "standard":
        pools = data.pools(settings, "target", stage.method)
        how = settings.views, settings.view_noise, settings.decay
        method = make_method(stage.method, pools[0].regularizer, *how)
    batches = data.stage_two_batches(network, experiments, stage, which, pools)
    if pools:
        method.start(network, strength, batches.n_unlabelled, data.target_classes)
    network.replace_head(data.target_classes, [head_seed(e.seed) for e in experiments])
    optimizer = make_optimizer(network, settings.learning_rate)
    body, rate = Body(network), recipe.learning_rate or settings.learning_rate
    validation = [data.task(row).validation for row in rows]
    best = Best(network, validation) if recipe.early_stopping else None
    joins = round(recipe.head_first * stage.steps)  # at this step the body does
    alone_first, together = range(joins), range(joins, stage.steps)
    for steps, of_steps in ((alone_first, settings.learning_rate), (together, rate)):
        body.learns(steps is together)
        optimizer.param_groups[0]["lr"] = of_steps
        for step, _ in train(network, optimizer, batches, method, strength, steps):
            if steps is together and recipe.decay_to_start:
                body.go_back(min(1.0, rate * recipe.decay_to_start))
            if best and _is_looked_at(step, stage.steps):
                best.look()
            yield step
    if best:
        best.restore()


class Body:
    """The weights of a stack below its head, and where they started."""

    def __init__(self, network: StackedNetwork) -> None:
        of_head = set(map(id, network.classifier.parameters()))
        self.weights = [p for p in network.parameters() if id(p) not in of_head]
        self.start = [p.detach().clone() for p in self.weights]

    def learns(self, learns: bool) -> None:
        """Whether its weights have gradients: without one, Adam leaves a weight as it is."""
        for weight in self.weights:
            weight.requires_grad_(learns)

    @torch.no_grad()
    def go_back(self, share: float) -> None:
        """By a share of the way to where it started."""
        for weight, start in zip(self.weights, self.start, strict=True):
            weight.lerp_(start, share)


class Best:
    """The weights of each network of a stack when it had its best validation accuracy so far.

    Each network is scored by itself, as at the end, so that it does not depend on the others.
    """

    def __init__(self, network: StackedNetwork, validation: Sequence[Domain]) -> None:
        self.network, self.validation = network, validation
        self.weights = [p.detach().clone() for p in network.parameters()]
        self.accuracies = [-1.0] * len(validation)

    @torch.no_grad()
    def look(self) -> None:
        """Score all, and keep those that are better than ever."""
        for number, part in enumerate(self.validation):
            reached = accuracy_on(alone(self.network, number), part)
            if reached > self.accuracies[number]:
                self.accuracies[number] = reached
                for kept, now in zip(self.weights, self.network.parameters(), strict=True):
                    kept[number] = now[number]

    @torch.no_grad()
    def restore(self) -> None:
        """Back to what is kept."""
        for kept, now in zip(self.weights, self.network.parameters(), strict=True):
            now.copy_(kept)


def accuracy_on(network: TrainedNetwork, part: Domain) -> float:
    """The share of a part's samples that a network gets right."""
    return float(accuracy(network(part.inputs)[None], part.labels[None]))


def _is_looked_at(step: int, steps: int) -> bool:
    return (step + 1) % LOOK_EVERY == 0 or step + 1 == steps
