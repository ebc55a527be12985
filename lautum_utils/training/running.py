"""Dependence by covariances that are running means over the batches of a training.

A batch of n samples says little of k + r dimensions. A mean over batches, of which the latest count
most, says more, though of weights that have changed since: the usual cure of small batches.

Of arXiv 1904.01670 it is known that Lautum information of the weights and the target inputs is
maximised, both taken as jointly Gaussian. Not known here, since its text is not at hand: what stood
in for the weights, how covariances were estimated, whether the inputs were reduced, and in which
stages it was used. So each is an option of `Experiment`: layer, decay, n_components, stage_two.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lautum_utils.batch_statistics import full_precision
from lautum_utils.information import gaussian_lautum_information, gaussian_mutual_information
from lautum_utils.numbers import number
from lautum_utils.regularizers import (
    LautumRegularizer,
    MutualInformationRegularizer,
    batch_covariance,
)

MOST_DECAY = 0.999


class RunningDependence:
    """L or I of z (with the ridge) and u, in nats, from running covariances of each model.

        S(t) = S(t-1) + (1 - a) / (1 - a^t) (S_batch - S(t-1)),  a the decay,  S(1) = S_batch

    so that a batch j terms ago counts in proportion to a^j; about (1 + a) / (1 - a) batches count
    in all. Each batch is centred by itself. The gradient is that of S with respect to S_batch, as
    if all of S were the batch's: it takes the way through the batch's share only, and is divided by
    that share, so that a strength means the same for every decay. The covariances of earlier
    batches are data.

    regularizer: whose ridge and whose quantity. memory: where S (models, k + r, k + r) and t are
    kept; a dictionary that holds them already goes on from there. ValueError: a decay below 0 or
    above MOST_DECAY.
    """

    def __init__(
        self,
        regularizer: LautumRegularizer | MutualInformationRegularizer,
        decay: float,
        memory: dict[str, Tensor],
    ) -> None:
        decay = number(decay, "decay", MOST_DECAY)
        self.ridge, self.decay, self.memory = regularizer.ridge, decay, memory
        is_lautum = isinstance(regularizer, LautumRegularizer)
        self.measure = gaussian_lautum_information if is_lautum else gaussian_mutual_information

    def __call__(
        self, z: Float[Tensor, "models n k"], u: Float[Tensor, "models n r"]
    ) -> Float[Tensor, " models"]:
        """The value with this batch, which becomes a part of the covariances."""
        with full_precision(z.device):
            own = batch_covariance(z.to(torch.promote_types(z.dtype, u.dtype)), u, self.ridge)
            now = own.detach()
            mean = self.memory.get("covariance", now)
            count = self.memory.get("count", now.new_zeros(())) + 1
            mean = torch.lerp(mean, now, (1 - self.decay) / (1 - self.decay**count))
            self.memory.update(covariance=mean, count=count)
            return self.measure(mean + (own - now), z.shape[-1], validate_args=False)
