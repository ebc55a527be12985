"""What whitens a pool of inputs: its mean, and its leading principal components, each divided by
its standard deviation."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lautum_utils.batch_statistics import statistics_dtype
from lautum_utils.numbers import whole_number

EXACT_UP_TO = 1024  # dimensions: all eigenvectors, then those that lead are kept


class Whitening(NamedTuple):
    """(x - mean) @ components: uncorrelated, of unit variance over the pool."""

    mean: Tensor  # (d,)
    components: Tensor  # (d, r)


def whitening_of(target_inputs: Any, n_components: int) -> Whitening:
    """Of inputs (n, ...) in memory. Errors: see `LautumRegularizer`."""
    from sklearn.decomposition import PCA

    batches = " Batches, as of a DataLoader, are what from_batches takes."
    inputs = real_tensor(target_inputs, "target_inputs", batches)
    if inputs.ndim < 2 or len(inputs) < 2:
        got = tuple(inputs.shape)
        raise ValueError(f"target_inputs needs (n, ...) with 2 samples or more, got {got}.")
    flat = flat_and_finite(inputs, "target_inputs").numpy()
    n_components = require_components(n_components, *flat.shape)
    if (flat == flat[0]).all():
        raise ValueError("target_inputs needs inputs that differ from one another, got a constant.")
    solver = "covariance_eigh" if flat.shape[1] <= EXACT_UP_TO else "auto"
    pca = PCA(n_components, svd_solver=solver, random_state=0).fit(flat)
    return whitening(pca.mean_, pca.components_, pca.explained_variance_, inputs)


def whitening(mean: Any, components: Any, variance: Any, like: Tensor) -> Whitening:
    """From principal components (r, d) and their variances, as arrays; on the device of the inputs,
    and as wide as they are."""
    # Directions in which the inputs hardly vary are not blown up beyond what float32 resolves.
    least = variance[0] * components.shape[1] * torch.finfo(torch.float32).eps
    variance = variance.clip(min=least)
    scaled = (components / variance[:, None] ** 0.5).T.copy()
    dtype, device = statistics_dtype(like), like.device
    return Whitening(*(torch.as_tensor(x, dtype=dtype, device=device) for x in (mean, scaled)))


def real_tensor(x: Any, name: str, hint: str = "") -> Tensor:
    """A tensor of real numbers from a tensor or an array. TypeError, with a hint: anything else."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf" and x.dtype.itemsize <= 8:
        # torch knows no other byte order, no negative steps, and warns of what is read-only.
        x = torch.from_numpy(np.require(x, x.dtype.newbyteorder("="), ["C", "W"]))
    if isinstance(x, Tensor) and not x.is_complex():
        return x
    of = f" of {x.dtype}" if isinstance(x, np.ndarray | Tensor) else ""
    got = f"{type(x).__name__}{of}"
    raise TypeError(f"{name} needs a tensor or an array of real numbers, got {got}.{hint}")


def flat_and_finite(inputs: Tensor, name: str) -> Tensor:
    """(n, d) in float64 on the CPU. ValueError: NaN, infinite values."""
    if not bool(inputs.isfinite().all()):
        raise ValueError(f"{name} needs finite values, got NaN or infinite values.")
    return inputs.detach().flatten(1).cpu().double()


def require_components(n_components: Any, n: int | None = None, d: int | None = None) -> int:
    """As a plain number. ValueError: no whole number of 1 or more, or beyond min(n - 1, d)."""
    if n is None or d is None:
        return whole_number(n_components, "n_components", least=1)
    n_components = whole_number(n_components, "n_components")
    if not 1 <= n_components <= min(n - 1, d):
        wanted = f"from 1 to {min(n - 1, d)} for inputs {(n, d)}"
        raise ValueError(f"n_components needs to be {wanted}, got {n_components}.")
    return n_components
