"""Probes: what can be read off frozen features."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lautum_utils.data.tasks import TransferTask
from lautum_utils.training.loop import accuracy

PENALTIES = (10.0, 1.0, 0.1, 0.01)  # from the strongest on
MORE_PENALTIES = (
    1e4,
    1000.0,
    100.0,
    *PENALTIES,
)  # on one common scale, where there are more inputs

Arrays = tuple[np.ndarray, np.ndarray]  # features (n, k), labels (n,)


class Probe(NamedTuple):
    """What a probe reaches: accuracies are fractions."""

    validation_accuracy: float
    test_accuracy: float
    penalty: float


def target_parts(
    task: TransferTask,
    labels: int,
    represent: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n k"]],
) -> list[Arrays]:
    """Representations and labels of the target's labelled (the first `labels`), validation and test
    images: what `fit_probe` takes."""
    return [
        (represent(part.inputs[:n]).float().cpu().numpy(), part.labels[:n].cpu().numpy())
        for part, n in ((task.labelled, labels), (task.validation, None), (task.test, None))
    ]


def fit_probe(
    labelled: Arrays, validation: Arrays, test: Arrays, *, common_scale: bool = False
) -> Probe:
    """Logistic regression on standardised features.

    Each argument: features (n, k) and labels (n,). The L2 penalty is the one of `PENALTIES` with
    the best validation accuracy, the strongest of equals; test accuracy is that one's, and chooses
    nothing. common_scale: all features are divided by one number, the root of their mean variance,
    so that a feature keeps its share of it; the penalty is one of `MORE_PENALTIES`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(labelled[0])
    if common_scale:
        scale.scale_ = np.full_like(scale.scale_, scale.var_.mean() ** 0.5 or 1.0)
    x, x_validation, x_test = (scale.transform(z) for z, _ in (labelled, validation, test))
    probe = LogisticRegression(solver="newton-cg", tol=1e-3, max_iter=200, warm_start=True)
    best = Probe(-1.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The line search", RuntimeWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        for penalty in (
            MORE_PENALTIES if common_scale else PENALTIES
        ):  # each from where the last one ended
            probe.set_params(C=1 / penalty).fit(x, labelled[1])
            score = float((probe.predict(x_validation) == validation[1]).mean())
            if score > best.validation_accuracy:
                tested = float((probe.predict(x_test) == test[1]).mean())
                best = Probe(score, tested, penalty)
    return best


def read_out_accuracy(
    z: Float[Tensor, "models n k"],
    labels: Int[Tensor, "models n"],
    z_validation: Float[Tensor, "models m k"],
    validation_labels: Int[Tensor, "models m"],
) -> Float[Tensor, " models"]:
    """Accuracy of ridge regression onto one-hot labels: closed form, so that it can be watched
    during training."""
    mean, scale = z.mean(-2, keepdim=True), z.std((-2, -1), keepdim=True) + 1e-6
    z, z_validation = (z - mean) / scale, (z_validation - mean) / scale
    gram = z.mT @ z + 0.01 * z.shape[-2] * torch.eye(z.shape[-1], device=z.device)
    chol, _ = torch.linalg.cholesky_ex(gram)
    targets = F.one_hot(labels).to(z)
    weights = torch.cholesky_solve(z.mT @ (targets - targets.mean(-2, keepdim=True)), chol)
    return accuracy(z_validation @ weights, validation_labels)
