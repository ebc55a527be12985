"""What is written down while stage one goes on."""

import torch

from lautum_utils.training.batches import Batches
from lautum_utils.training.loop import cross_entropy
from lautum_utils.training.methods import Method
from lautum_utils.training.networks import StackedNetwork
from lautum_utils.training.outcomes import History
from lautum_utils.training.probes import read_out_accuracy
from lautum_utils.training.stack_data import Labelled

RECORDS = 16  # about so many in a stage


def empty_history() -> History:
    """Of what trains nothing on the source."""
    return {"step": [], "loss": [], "dependence": [], "target_accuracy": []}


class Recorder:
    """Histories of a stack: loss, dependence and read-out after a step, for each model."""

    def __init__(
        self,
        network: StackedNetwork,
        batches: Batches,
        method: Method,
        steps: int,
        labelled: Labelled,
        validation: Labelled,
    ) -> None:
        self.network, self.batches, self.method, self.steps = network, batches, method, steps
        self.labelled, self.validation = labelled, validation
        self.every = max(1, steps // RECORDS)
        self.histories = [empty_history() for _ in batches.seeds]

    def after(self, step: int) -> None:
        """Write down what there is after a step, if it is its turn: the first, the last, and each
        one in between that is a multiple of `every`."""
        if step == 0 or (step + 1) % self.every == 0 or step + 1 == self.steps:
            self._record(step)

    @torch.no_grad()
    def _record(self, step: int) -> None:
        batch = self.batches.at(step, unlabelled=True)
        loss = cross_entropy(self.network.head(batch.labelled), batch.labels)
        dependence = self.method.dependence(batch)
        read_out = read_out_accuracy(
            self.network.features(self.labelled.inputs),
            self.labelled.labels,
            self.network.features(self.validation.inputs),
            self.validation.labels,
        )
        rows = zip(loss.tolist(), dependence.tolist(), read_out.tolist(), strict=True)
        for history, values in zip(self.histories, rows, strict=True):
            for name, value in zip(history, (float(step + 1), *values), strict=True):
                history[name].append(value)
