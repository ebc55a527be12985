"""The ways to use unlabelled inputs while the network trains on the source: one small class each.

A method says only what it adds to the loss of one step: strength * term(batch), one value for each stacked model.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer


@dataclass(frozen=True, eq=False)
class UnlabelledBatch:
    """What a method sees of a step: the outputs of the network on unlabelled inputs, and those inputs, projected."""

    representations: Float[Tensor, "models n k"]
    projected: Float[Tensor, "models n r"]  # as `prepare` gives them


class Method:
    """The control, standard transfer: the unlabelled inputs are not used."""

    def __init__(self, regularizer: LautumRegularizer | MutualInformationRegularizer) -> None:
        self.regularizer = regularizer

    def term(self, batch: UnlabelledBatch) -> Float[Tensor, " models"] | None:
        """What `strength` multiplies in the loss, in nats; None adds nothing."""
        return None

    def dependence(self, batch: UnlabelledBatch) -> Float[Tensor, " models"]:
        """Of representations and inputs, in nats, by the regularizer: what is watched, and for most methods the term."""
        return self.regularizer(batch.representations, batch.projected, prepared=True, validate_args=False)


class Lautum(Method):
    """Maximise Lautum information: term = -L(z; x). Source: arXiv 1904.01670."""

    def term(self, batch: UnlabelledBatch) -> Float[Tensor, " models"] | None:
        return -self.dependence(batch)


class MutualInformation(Method):
    """Minimise mutual information: term = +I(z; x). Source: arXiv 2306.06731."""

    def term(self, batch: UnlabelledBatch) -> Float[Tensor, " models"] | None:
        return self.dependence(batch)


class MaximisedMutualInformation(Method):
    """Maximise mutual information: term = -I(z; x). Ours, to compare: the other sign of arXiv 2306.06731."""

    def term(self, batch: UnlabelledBatch) -> Float[Tensor, " models"] | None:
        return -self.dependence(batch)


_REGULARIZERS: dict[str, tuple[type[Method], type[LautumRegularizer] | type[MutualInformationRegularizer]]] = {
    "standard": (Method, LautumRegularizer),
    "lautum": (Lautum, LautumRegularizer),
    "mutual_information": (MutualInformation, MutualInformationRegularizer),
    "mutual_information_maximised": (MaximisedMutualInformation, MutualInformationRegularizer),
}
METHODS = tuple(_REGULARIZERS)


def make_method(name: str, inputs: Tensor, n_components: int, ridge: float) -> Method:
    """The method called `name`, one of `METHODS`, for unlabelled `inputs` (n, ...)."""
    if name not in _REGULARIZERS:
        raise ValueError(f"method needs to be one of {', '.join(METHODS)}, got {name!r}.")
    method, regularizer = _REGULARIZERS[name]
    return method(regularizer(inputs, n_components, ridge))
