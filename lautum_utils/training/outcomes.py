"""What comes out of a run: `Result`, and where a run is: `Progress`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from lautum_utils.training.experiments import Experiment
from lautum_utils.training.networks import TrainedNetwork

History = dict[str, list[float]]
OUTCOMES = ("test_accuracy", "validation_accuracy", "source_accuracy", "penalty")


@dataclass(frozen=True, eq=False)
class Result:
    """What came out. Accuracies are fractions; history holds equally long lists, one entry a record
    of stage one.

    history: step; loss (cross-entropy on source batches, nats); dependence (of `Experiment.layer`
    and the inputs, nats: Lautum or mutual information, whichever the method measures);
    target_accuracy (least-squares read-out fitted on the labelled, scored on the validation
    samples). source_accuracy: NaN where nothing is learnt from the source. penalty: of the probe,
    chosen on validation data. network: what was trained, if it was to be kept.
    """

    experiment: Experiment
    test_accuracy: float
    validation_accuracy: float
    source_accuracy: float
    penalty: float | None
    history: History = field(repr=False)
    network: TrainedNetwork | None = field(default=None, repr=False)

    def as_row(self) -> dict[str, object]:
        """One flat row of a table: the experiment's settings, the accuracies and the penalty."""
        return asdict(self.experiment) | {name: getattr(self, name) for name in OUTCOMES}


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run is: a callback gets one after each step and stops the run by returning True.

    stage: "prepare" (histories are empty), "stage one", "probe" or "finetune".
    """

    stage: str
    step: int
    total: int
    experiments: Sequence[Experiment]
    histories: Sequence[History]
