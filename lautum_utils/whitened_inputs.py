"""What a regularizer knows of the target inputs, and how it is kept: made of a tensor, an array or
batches, saved without any of them, and loaded again."""

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from lautum_utils.batch_statistics import full_precision
from lautum_utils.numbers import number
from lautum_utils.pool_batches import whitening_of_batches
from lautum_utils.whitening import Whitening, real_tensor, require_components, whitening_of

Made = TypeVar("Made", bound="WhitenedInputs")


class WhitenedInputs(nn.Module):
    """Mean and whitening of target inputs, and the ridge: all that a value depends on but the batch
    and the group. They make up its `state_dict`. Parameters: see `LautumRegularizer`."""

    mean: Tensor  # (d,)
    components: Tensor  # (d, r)

    def __init__(
        self,
        target_inputs: Tensor | np.ndarray,
        n_components: int = 32,
        ridge: float = 1e-2,
        group: Any = None,
    ) -> None:
        super().__init__()
        ridge = number(ridge, "ridge")
        self._keep(whitening_of(target_inputs, n_components), ridge, group)

    @classmethod
    def from_batches(
        cls: type[Made],
        batches: Iterable[Any],
        n_components: int = 32,
        ridge: float = 1e-2,
        group: Any = None,
    ) -> Made:
        """From a pool that does not fit in memory: the same as from all of it at once, to rounding.

        batches: a DataLoader, or what else gives inputs (n, ...), or (inputs, ...), batch by batch;
        gone through once. Up to d inputs of d values are kept as they are; of more, d x d sums in
        float64 (`pool_batches`). Either may take 2 GiB, which sums do for d up to 16,384, as of
        3 x 73 x 73 pixels; larger inputs are to be made smaller first. Measured: 50,000 inputs of
        3 x 32 x 32 bytes take 18 s on one core and 0.2 GB.

        TypeError: single samples or one tensor in place of batches. ValueError: as for a tensor,
        batches of other shapes, inputs that are too many or too large.
        """
        ridge, n_components = number(ridge, "ridge"), require_components(n_components)
        return cls._made(whitening_of_batches(batches, n_components), ridge, group)

    @classmethod
    def from_state_dict(cls: type[Made], state: Mapping[str, Any], group: Any = None) -> Made:
        """From a `state_dict` alone, on its device. ValueError: it lacks something."""
        if missing := [name for name in ("mean", "components", "ridge") if name not in state]:
            raise ValueError(
                f"state needs mean, components and ridge, got none for {', '.join(missing)}."
            )
        whitening = Whitening(state["mean"].clone(), state["components"].clone())
        return cls._made(whitening, float(state["ridge"]), group)

    @classmethod
    def _made(cls: type[Made], whitening: Whitening, ridge: float, group: Any) -> Made:
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._keep(whitening, ridge, group)
        return made

    def _keep(self, whitening: Whitening, ridge: float, group: Any) -> None:
        self.ridge, self.group = float(ridge), group
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("components", whitening.components)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        ridge = torch.tensor(self.ridge, dtype=torch.float64, device="cpu")
        destination[f"{prefix}ridge"] = ridge

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *how: Any) -> None:
        ridge = state_dict.pop(f"{prefix}ridge", None)
        super()._load_from_state_dict(state_dict, prefix, *how)
        if ridge is not None:
            self.ridge = float(ridge)
        elif f"{prefix}mean" in state_dict:
            warnings.warn(
                f"the state of a {type(self).__name__} holds no ridge (it is of an older version): "
                f"{self.ridge} stays, on which the value depends.",
                stacklevel=2,
            )

    def project(
        self, inputs: Shaped[Tensor, "n ..."] | Shaped[np.ndarray, "n ..."]
    ) -> Float[Tensor, "n r"]:
        """Whitened inputs u = (x - mean) V diag(variance)^-1/2.

        Uncorrelated and of unit variance over `target_inputs`.
        """
        x = real_tensor(inputs, "inputs")
        x = x.to(self.mean.device) if isinstance(inputs, np.ndarray) else x
        values = math.prod(x.shape[1:])
        if x.ndim < 2 or values != len(self.mean):
            raise ValueError(
                f"inputs need {len(self.mean)} values each, got {values}: {tuple(x.shape)}."
            )
        with full_precision(x.device):
            return (x.flatten(1).to(self.mean.dtype) - self.mean) @ self.components
