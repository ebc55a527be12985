"""The checks of the exercises: students' wrong answers get their own hint, right ones pass, and
nothing else breaks a check."""

import importlib
import math
import re
import sys
from collections.abc import Callable
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lautum_pages import EXERCISES, check, checks
from lautum_pages.answers import NOT_IT, choice, numbers
from lautum_pages.checks import Exercise, Report
from lautum_pages.stored import FILE, read_stored
from torch import Tensor
from torch.distributions import Categorical, MultivariateNormal, kl_divergence

from lautum_utils.information import entropy, lautum_information
from notebooks.tools import hints
from notebooks.tools.package import write_values

# Without the shape check of the tests, as readers run it: what a check says of a bad answer has to
# be our own sentence.
pytestmark = pytest.mark.usefixtures("unchecked")

Function = Callable[..., Any]
F64 = torch.float64
HINTS = 240  # wrong answers with a hint of their own, in all exercises: at least so many
WRONG: list[tuple[str, str, Function, str]] = []
RIGHT: list[tuple[str, str, Function]] = []
# Those that want tensors; the others take numbers or letters.
TENSORS = [e for e in EXERCISES if EXERCISES[e].read is None]
PLAIN = [e for e in TENSORS if EXERCISES[e].observe is Exercise.observe]
# What is compared is not the value that the function returns.
FREE = ("less_lautum", "whiten", "lautum_penalty")
# A number, a table, and these: enough where the numbers do not matter.
ENOUGH = ("entropy_bits", "z_channel", *FREE)


def wrong(exercise: str, name: str, words: str) -> Callable[[Function], Function]:
    """A student's wrong answer, and distinctive words of the hint that it gets."""

    def add(function: Function) -> Function:
        WRONG.append((exercise, name, function, words))
        return function

    return add


def right(exercise: str, name: str) -> Callable[[Function], Function]:
    """A right answer, written differently from the reference."""

    def add(function: Function) -> Function:
        RIGHT.append((exercise, name, function))
        return function

    return add


@pytest.fixture
def three_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three inputs instead of 20, where the numbers do not matter."""
    monkeypatch.setattr(checks, "CASES", 3)


# -------------------------------------------------------------- wrong answers: measuring dependence


@wrong("entropy_bits", "nats for bits", "divide by log 2")
def _(p: Tensor) -> Tensor:
    kept = p[p > 0]
    return -torch.sum(kept * torch.log(kept))


@wrong("entropy_bits", "minus sign forgotten", "only the sign is wrong: log p is negative")
def _(p: Tensor) -> Tensor:
    kept = p[p > 0]
    return torch.sum(kept * torch.log2(kept))


@wrong("entropy_bits", "zero times log zero", "0 * log 0 is NaN")
def _(p: Tensor) -> Tensor:
    total = torch.zeros((), dtype=p.dtype)
    for value in p:
        total = total - value * torch.log2(value)
    return total


@wrong("entropy_bits", "mean surprise without weights", "here all count the same")
def _(p: Tensor) -> Tensor:
    surprises = [-math.log2(value) for value in p.tolist() if value > 0]
    return torch.tensor(sum(surprises) / len(surprises), dtype=F64)


@wrong("lautum", "KL the wrong way round", "the two arguments change places")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return (joint * torch.log(joint / independent)).sum()


@wrong("lautum", "KL the wrong way round, from entropies", "the two arguments change places")
def _(joint: Tensor) -> Tensor:
    a, b = joint.sum(1), joint.sum(0)
    return (joint * joint.log()).sum() - (a * a.log()).sum() - (b * b.log()).sum()


@wrong("lautum", "bits for nats", "these are bits")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return (independent * torch.log2(independent / joint)).sum()


@wrong("lautum", "fraction upside down", "only the sign is wrong: a divergence is never negative")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return (independent * torch.log(joint / independent)).sum()


@wrong("lautum", "joint and product mixed up", "averaged under the joint")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return (joint * torch.log(independent / joint)).sum()


@wrong("lautum", "no weights", "the logarithms have no weights")
def _(joint: Tensor) -> Tensor:
    a, b = joint.sum(1), joint.sum(0)
    return sum(torch.log(a[i] * b[j] / joint[i, j]) for i in range(len(a)) for j in range(len(b)))


@wrong("lautum", "both directions added", "I + L (Jeffreys' divergence)")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return ((independent - joint) * torch.log(independent / joint)).sum()


@wrong("z_channel", "conditional rows for the joint", "these are the rows P(y|x)")
def _(input_one: float, crossover: float) -> Tensor:
    return torch.tensor([[1.0, 0.0], [crossover, 1 - crossover]], dtype=F64)


@wrong("z_channel", "transposed", "rows and columns are exchanged")
def _(input_one: float, crossover: float) -> Tensor:
    return torch.tensor(
        [[1 - input_one, input_one * crossover], [0.0, input_one * (1 - crossover)]], dtype=F64
    )


@wrong("z_channel", "zero is the noisy input", "the noise hits the wrong input")
def _(input_one: float, crossover: float) -> Tensor:
    zero = 1 - input_one
    return torch.tensor([[zero * (1 - crossover), zero * crossover], [0.0, input_one]], dtype=F64)


@wrong("z_channel", "both inputs noisy", "binary symmetric channel")
def _(input_one: float, crossover: float) -> Tensor:
    channel = torch.tensor([[1 - crossover, crossover], [crossover, 1 - crossover]], dtype=F64)
    return torch.diag(torch.tensor([1 - input_one, input_one], dtype=F64)) @ channel


@wrong("z_channel", "crossover is how often it arrives", "not how often it arrives")
def _(input_one: float, crossover: float) -> Tensor:
    return torch.tensor(
        [[1 - input_one, 0.0], [input_one * (1 - crossover), input_one * crossover]], dtype=F64
    )


@wrong("less_lautum", "a clean symmetric channel", "this joint has L > I")
def _() -> Tensor:
    return torch.tensor([[0.49, 0.01], [0.01, 0.49]], dtype=F64)


@wrong("less_lautum", "a hole makes L infinite", "this joint has a hole")
def _() -> Tensor:
    return torch.tensor([[0.5, 0.25], [0.0, 0.25]], dtype=F64)


@wrong("less_lautum", "weights that are not normalised", "these numbers do not sum to 1")
def _() -> Tensor:
    return torch.tensor([[12.0, 1.0], [1.0, 2.0]], dtype=F64)


@wrong("less_lautum", "independent", "the variables are independent")
def _() -> Tensor:
    return torch.tensor([[0.06, 0.14], [0.24, 0.56]], dtype=F64)


# -------------------------------------------------------------------- wrong answers: the loss bound


@wrong("gibbs_posterior", "sign of gamma", "the sign of gamma is wrong")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    weights = prior * torch.exp(gamma * losses)
    return weights / weights.sum()


@wrong("gibbs_posterior", "not normalised", "the weights do not sum to 1")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return prior * torch.exp(-gamma * losses)


@wrong("gibbs_posterior", "no prior", "the prior is missing")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return torch.softmax(-gamma * losses, dim=0)


@wrong("gibbs_posterior", "gamma as a temperature", "gamma divides the loss here")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    weights = prior * torch.exp(-losses / gamma)
    return weights / weights.sum()


@wrong("gibbs_posterior", "prior without its logarithm", "the prior needs its logarithm")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return torch.softmax(prior - gamma * losses, dim=0)


@wrong("train_and_test_loss", "hypotheses as a plain mean", "all hypotheses count the same")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    return torch.stack(((joint * losses).sum(), losses.mean(0) @ joint.sum(0)))


@wrong("train_and_test_loss", "joint and product mixed up", "train and test are exchanged")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    train = torch.einsum("w,z,wz->", joint.sum(1), joint.sum(0), losses)
    test = torch.einsum("wz,wz->", joint, losses)
    return torch.stack((train, test))


@wrong("train_and_test_loss", "both under the joint", "both are averaged under the joint")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    return (joint * losses).sum().repeat(2)


@wrong("train_and_test_loss", "both under the product", "both are averaged under the product")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    return (joint.sum(1) @ losses @ joint.sum(0)).repeat(2)


@wrong("train_and_test_loss", "test as a plain mean", "the test loss is averaged uniformly")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    return torch.stack(((joint * losses).sum(), losses.mean()))


@wrong("conditional_mutual_information", "x summed out", "this is I(W;Y)")
def _(joint: Tensor) -> Tensor:
    wy = joint.sum(1)
    return (wy * torch.log(wy / torch.outer(wy.sum(1), wy.sum(0)))).sum()


@wrong("conditional_mutual_information", "x and y together", "this is I(W;(X,Y))")
def _(joint: Tensor) -> Tensor:
    independent = joint.sum((1, 2))[:, None, None] * joint.sum(0)
    return (joint * torch.log(joint / independent)).sum()


@wrong("conditional_mutual_information", "conditioned on y", "this is I(W;X|Y)")
def _(joint: Tensor) -> Tensor:
    wy, xy, y = (
        joint.sum(1, keepdim=True),
        joint.sum(0, keepdim=True),
        joint.sum((0, 1), keepdim=True),
    )
    return (joint * torch.log(joint * y / (wy * xy))).sum()


@wrong(
    "conditional_mutual_information", "plain mean over x", "each x counts with its probability P(x)"
)
def _(joint: Tensor) -> Tensor:
    total = 0.0
    for x in range(joint.shape[1]):
        table = joint[:, x] / joint[:, x].sum()
        total = total + (table * (table / (table.sum(1, keepdim=True) * table.sum(0))).log()).sum()
    return total / joint.shape[1]


@wrong("remainder", "averaged under the joint", "the KL term of training")
def _(joint: Tensor, f: Tensor) -> Tensor:
    p = joint / joint.sum(2, keepdim=True)
    return (joint * (torch.log(p) - torch.log(f))).sum()


@wrong("remainder", "fraction upside down", "the logarithm is upside down")
def _(joint: Tensor, f: Tensor) -> Tensor:
    p = joint / joint.sum(2, keepdim=True)
    return torch.einsum("w,xy,wxy->", joint.sum((1, 2)), joint.sum(0), torch.log(f / p))


@wrong("remainder", "w forgotten in the conditional", "p(y|x) stands for p(y|x,w)")
def _(joint: Tensor, f: Tensor) -> Tensor:
    xy = joint.sum(0)
    p = xy / xy.sum(1, keepdim=True)
    return torch.einsum("w,xy,wxy->", joint.sum((1, 2)), xy, torch.log(p / f))


# ------------------------------------------------------------------- wrong answers: Gaussian Lautum


def blocks(cov: Tensor, dim_x: int) -> tuple[Tensor, Tensor]:
    """K = Sx^-1 Sxy Sy^-1 Syx and the identity, as a student computes them."""
    sx, sxy, sy = cov[:dim_x, :dim_x], cov[:dim_x, dim_x:], cov[dim_x:, dim_x:]
    return torch.inverse(sx) @ sxy @ torch.inverse(sy) @ sxy.T, torch.eye(dim_x, dtype=cov.dtype)


@wrong("lautum_from_correlations", "1/2 missing", "the factor 1/2 of the logarithm is missing")
def _(rho: Tensor) -> Tensor:
    return (torch.log(1 - rho**2) + rho**2 / (1 - rho**2)).sum()


@wrong("lautum_from_correlations", "1/2 before everything", "has no 1/2: only the logarithm has")
def _(rho: Tensor) -> Tensor:
    return 0.5 * (torch.log(1 - rho**2) + rho**2 / (1 - rho**2)).sum()


@wrong("lautum_from_correlations", "rho not squared", "the correlations enter squared")
def _(rho: Tensor) -> Tensor:
    return sum(0.5 * torch.log(1 - r) + r / (1 - r) for r in rho)


@wrong("lautum_from_correlations", "sign of the logarithm", "the sign of the logarithm is wrong")
def _(rho: Tensor) -> Tensor:
    return (rho**2 / (1 - rho**2) - 0.5 * torch.log(1 - rho**2)).sum()


@wrong(
    "lautum_from_correlations",
    "mutual information",
    "this is mutual information: Lautum information also has the ratio",
)
def _(rho: Tensor) -> Tensor:
    return -torch.log(torch.sqrt(1 - rho**2)).sum()


@wrong("lautum_from_correlations", "not summed", "adds its own term: sum them")
def _(rho: Tensor) -> Tensor:
    return 0.5 * torch.log(1 - rho**2) + rho**2 / (1 - rho**2)


@wrong("lautum_from_correlations", "mean for sum", "this is the mean over the pairs")
def _(rho: Tensor) -> Tensor:
    t = rho**2
    return (0.5 * torch.log(1 - t) + t / (1 - t)).mean()


@wrong("lautum_from_covariance", "KL the wrong way round", "the two arguments change places")
def _(cov: Tensor, dim_x: int) -> Tensor:
    return 0.5 * torch.log(
        torch.det(cov[:dim_x, :dim_x]) * torch.det(cov[dim_x:, dim_x:]) / torch.det(cov)
    )


@wrong(
    "lautum_from_covariance",
    "KL the wrong way round, by torch.distributions",
    "the two arguments change places",
)
def _(cov: Tensor, dim_x: int) -> Tensor:
    joint = MultivariateNormal(torch.zeros(len(cov), dtype=cov.dtype), cov)
    independent = MultivariateNormal(
        joint.loc, torch.block_diag(cov[:dim_x, :dim_x], cov[dim_x:, dim_x:])
    )
    return kl_divergence(joint, independent)


@wrong("lautum_from_covariance", "no trace", "the trace part is missing")
def _(cov: Tensor, dim_x: int) -> Tensor:
    k, eye = blocks(cov, dim_x)
    return 0.5 * torch.logdet(eye - k)


@wrong("lautum_from_covariance", "identity not subtracted", "the trace still contains the identity")
def _(cov: Tensor, dim_x: int) -> Tensor:
    k, eye = blocks(cov, dim_x)
    return 0.5 * torch.logdet(eye - k) + torch.trace(torch.inverse(eye - k))


@wrong("lautum_from_covariance", "1/2 missing", "the factor 1/2 of log det is missing")
def _(cov: Tensor, dim_x: int) -> Tensor:
    k, eye = blocks(cov, dim_x)
    return torch.logdet(eye - k) + torch.trace(torch.inverse(eye - k) - eye)


@wrong(
    "lautum_from_covariance",
    "trace for log-determinant",
    "a trace stands where the log-determinant should",
)
def _(cov: Tensor, dim_x: int) -> Tensor:
    k, eye = blocks(cov, dim_x)
    return 0.5 * torch.trace(eye - k) + torch.trace(torch.inverse(eye - k) - eye)


@wrong("sample_covariance", "not centred", "the mean has not been taken off")
def _(samples: Tensor) -> Tensor:
    return sum(torch.outer(row, row) for row in samples) / (len(samples) - 1)


@wrong("sample_covariance", "n for n - 1", "divided by n")
def _(samples: Tensor) -> Tensor:
    mean = samples.mean(0)
    return torch.einsum("ni,nj->ij", samples, samples) / len(samples) - torch.outer(mean, mean)


@wrong("sample_covariance", "samples with samples", "compares samples with samples (n x n)")
def _(samples: Tensor) -> Tensor:
    centred = samples - samples.mean(1, keepdim=True)
    return centred @ centred.T / (samples.shape[1] - 1)


@wrong("sample_covariance", "correlations", "these are correlations")
def _(samples: Tensor) -> Tensor:
    scaled = (samples - samples.mean(0)) / samples.std(0)
    return scaled.T @ scaled / (len(samples) - 1)


@wrong("add_noise", "ridge on the wrong block", "the ridge went to the block of the inputs")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    noisy = cov.clone()
    for i in range(dim_z, len(cov)):
        noisy[i, i] += ridge * cov.diagonal()[dim_z:].mean()
    return noisy


@wrong("add_noise", "ridge on every axis", "the ridge went to all axes")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    return cov + ridge * cov[:dim_z, :dim_z].trace() / dim_z * torch.eye(len(cov), dtype=cov.dtype)


@wrong("add_noise", "ridge without the scale", "the ridge is a fraction")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    cov[:dim_z, :dim_z] += ridge * torch.eye(dim_z, dtype=cov.dtype)
    return cov


@wrong("add_noise", "ridge on every entry of the block", "adds to the diagonal only")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    noisy = cov.clone()
    noisy[:dim_z, :dim_z] += ridge * cov.diagonal()[:dim_z].mean()
    return noisy


@wrong("add_noise", "the mean over all variances", "the mean variance is that of z alone")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    noisy = cov.clone()
    for i in range(dim_z):
        noisy[i, i] += ridge * cov.trace() / len(cov)
    return noisy


@wrong("add_noise", "the mean over the block", "the mean runs over the whole block of z")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    block = cov[:dim_z, :dim_z]
    noise = ridge * block.mean() * torch.eye(dim_z, dtype=cov.dtype)
    return cov + torch.block_diag(noise, torch.zeros_like(cov[dim_z:, dim_z:]))


# ------------------------------------------------------------------- wrong answers: the regularizer


@wrong("whiten", "not centred", "the mean has not been taken off")
def _(x: Tensor, n_components: int) -> Tensor:
    u, _, _ = torch.linalg.svd(x, full_matrices=False)
    return u[:, :n_components] * math.sqrt(len(x) - 1)


@wrong("whiten", "divided by the variance", "divided by the variance: divide by its square root")
def _(x: Tensor, n_components: int) -> Tensor:
    centred = x - x.mean(0)
    _, s, vt = torch.linalg.svd(centred, full_matrices=False)
    return (centred @ vt.T / (s**2 / (len(x) - 1)))[:, :n_components]


@wrong("whiten", "not scaled", "the components are right but not scaled")
def _(x: Tensor, n_components: int) -> Tensor:
    u, s, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, :n_components] * s[:n_components]


@wrong("whiten", "smallest components", "the smallest components were kept")
def _(x: Tensor, n_components: int) -> Tensor:
    centred = x - x.mean(0)
    variance, directions = torch.linalg.eigh(torch.cov(x.T))
    return centred @ directions[:, :n_components] / variance[:n_components].sqrt()


@wrong("whiten", "z-scores", "these are z-scores of the first coordinates")
def _(x: Tensor, n_components: int) -> Tensor:
    return torch.stack([(c - c.mean()) / c.std() for c in x.T[:n_components]], 1)


def beside(z: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The sample covariance of z and u side by side, and ones on the axes of z."""
    both = torch.cat((z, u), dim=1)
    both = both - both.mean(0)
    return both.T @ both / (len(both) - 1), torch.tensor(
        [1.0] * z.shape[1] + [0.0] * u.shape[1], dtype=z.dtype
    )


def lautum_of(cov: Tensor, dim_x: int) -> Tensor:
    k, eye = blocks(cov, dim_x)
    return 0.5 * torch.logdet(eye - k) + torch.trace(torch.inverse(eye - k) - eye)


@wrong("lautum_penalty", "KL the wrong way round", "the two arguments change places")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    k, eye = blocks(cov + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1])
    return -0.5 * torch.logdet(eye - k)


@wrong("lautum_penalty", "not centred", "the mean has not been taken off")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    both = torch.cat((z, u), dim=1)
    cov, dim_z = both.T @ both / (len(both) - 1), z.shape[1]
    noise = ridge * cov.diagonal()[:dim_z].mean() * torch.eye(dim_z, dtype=z.dtype)
    return lautum_of(cov + torch.block_diag(noise, torch.zeros_like(cov[dim_z:, dim_z:])), dim_z)


@wrong("lautum_penalty", "no ridge", "the ridge is missing")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    return lautum_of(beside(z, u)[0], z.shape[1])


@wrong("lautum_penalty", "ridge on the wrong block", "the ridge went to the block of the inputs")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov + torch.diag(1 - on) * ridge * u.var(0).mean(), z.shape[1])


@wrong("lautum_penalty", "ridge on every axis", "the ridge went to all axes")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, _ = beside(z, u)
    return lautum_of(cov + torch.eye(len(cov), dtype=z.dtype) * ridge * z.var(0).mean(), z.shape[1])


@wrong("lautum_penalty", "ridge without the scale", "the ridge is a fraction")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov + ridge * torch.diag(on), z.shape[1])


@wrong("lautum_penalty", "minus sign", "only the sign is wrong: return L itself")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return -lautum_of(cov + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1])


@wrong("lautum_penalty", "mean variance detached", "the value is right, the gradient is not")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov + torch.diag(on) * ridge * z.var(0).mean().item(), z.shape[1])


@wrong("lautum_penalty", "covariance detached", "its gradient sees the ridge only")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov.detach() + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1])


@wrong("lautum_penalty", "mean for sum", ".sum() and not .mean()")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    factor = torch.linalg.cholesky(cov + torch.diag(on) * ridge * z.var(0).mean())
    k = z.shape[1]
    m = torch.inverse(factor[k:, k:]) @ factor[k:, :k]
    return m.square().mean() - torch.logdet(torch.eye(k, dtype=z.dtype) + m.T @ m) / 2


@wrong("lautum_penalty", "without gradients", "no gradient reaches z")
@torch.no_grad()
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1])


@wrong("lautum_penalty", "a new tensor", "no gradient reaches z")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return torch.tensor(
        lautum_of(cov + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1]).item(), dtype=z.dtype
    )


@wrong("training_loss", "wrong sign", "we want the Lautum information large")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -log_p[torch.arange(len(labels)), labels].mean() + strength * lautum


@wrong("training_loss", "weight on the cross-entropy", "the weight belongs to the Lautum term")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -strength * log_p[torch.arange(len(labels)), labels].mean() - lautum


@wrong("training_loss", "summed over the batch", "the cross-entropy is summed over the batch")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -sum(log_p[i, label] for i, label in enumerate(labels.tolist())) - strength * lautum


@wrong("training_loss", "softmax twice", "here it was done twice")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    return torch.nn.CrossEntropyLoss()(torch.softmax(logits, dim=1), labels) - strength * lautum


# ------------------------------------------------------------------------------------ right answers


@right("entropy_bits", "a loop")
def _(p: Tensor) -> Tensor:
    return torch.tensor(-sum(x * math.log2(x) for x in p.tolist() if x > 0), dtype=F64)


@right("entropy_bits", "torch.special.entr")
def _(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum() / math.log(2)


@right("entropy_bits", "torch.distributions")
def _(p: Tensor) -> Tensor:
    return Categorical(probs=p).entropy() / math.log(2)


@right("lautum", "a loop")
def _(joint: Tensor) -> Tensor:
    table = joint.tolist()
    a, b = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    terms = (
        x * y * math.log(x * y / table[i][j]) for i, x in enumerate(a) for j, y in enumerate(b)
    )
    return torch.tensor(math.fsum(terms), dtype=F64)


@right("lautum", "cross-entropy minus entropies")
def _(joint: Tensor) -> Tensor:
    a, b = joint.sum(1), joint.sum(0)
    return -(a @ joint.log() @ b) - torch.special.entr(a).sum() - torch.special.entr(b).sum()


@right("lautum", "torch.distributions")
def _(joint: Tensor) -> Tensor:
    independent = torch.outer(joint.sum(1), joint.sum(0))
    return kl_divergence(Categorical(independent.flatten()), Categorical(joint.flatten()))


@right("z_channel", "cell by cell")
def _(input_one: float, crossover: float) -> Tensor:
    joint = torch.zeros(2, 2, dtype=F64)
    joint[0, 0] = 1 - input_one
    joint[1, 0] = input_one * crossover
    joint[1, 1] = input_one - joint[1, 0]
    return joint


@right("z_channel", "a matrix product")
def _(input_one: float, crossover: float) -> Tensor:
    p = torch.tensor([1 - input_one, input_one], dtype=F64)
    return p.diag() @ torch.tensor([[1.0, 0.0], [crossover, 1 - crossover]], dtype=F64)


@right("less_lautum", "one frequent pair")
def _() -> Tensor:
    return torch.tensor([[0.9, 0.04], [0.03, 0.03]], dtype=F64)


@right("gibbs_posterior", "normalised by hand")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    weights = [
        q * math.exp(-gamma * loss) for q, loss in zip(prior.tolist(), losses.tolist(), strict=True)
    ]
    return torch.tensor(weights, dtype=F64) / sum(weights)


@right("gibbs_posterior", "logsumexp")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    logits = torch.log(prior) - gamma * (losses - losses.min())
    return torch.exp(logits - torch.logsumexp(logits, 0))


@right("gibbs_posterior", "torch.distributions")
def _(losses: Tensor, prior: Tensor, gamma: float) -> Tensor:
    return Categorical(logits=prior.log() - gamma * losses).probs


@right("train_and_test_loss", "loops")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    train = test = torch.zeros((), dtype=F64)
    for w, z in product(range(joint.shape[0]), range(joint.shape[1])):
        train = train + joint[w, z] * losses[w, z]
        test = test + joint[w].sum() * joint[:, z].sum() * losses[w, z]
    return torch.stack((train, test))


@right("train_and_test_loss", "matrix products")
def _(joint: Tensor, losses: Tensor) -> Tensor:
    return torch.stack(((joint.T @ losses).trace(), joint.sum(1) @ losses @ joint.sum(0)))


@right("conditional_mutual_information", "four entropies")
def _(joint: Tensor) -> Tensor:
    wx, xy, x, all_ = (
        torch.special.entr(p).sum() for p in (joint.sum(2), joint.sum(0), joint.sum((0, 2)), joint)
    )
    return wx + xy - x - all_


@right("conditional_mutual_information", "a loop over x")
def _(joint: Tensor) -> Tensor:
    total = torch.zeros((), dtype=F64)
    for x in range(joint.shape[1]):
        p_x = joint[:, x].sum()
        table = joint[:, x] / p_x
        independent = torch.outer(table.sum(1), table.sum(0))
        total += p_x * kl_divergence(
            Categorical(table.flatten()), Categorical(independent.flatten())
        )
    return total


@right("remainder", "loops")
def _(joint: Tensor, f: Tensor) -> Tensor:
    p_w, p_xy = joint.sum((1, 2)), joint.sum(0)
    total = torch.zeros((), dtype=F64)
    for w, x, y in product(*map(range, joint.shape)):
        total += p_w[w] * p_xy[x, y] * torch.log(joint[w, x, y] / joint[w, x].sum() / f[w, x, y])
    return total


@right("remainder", "einsum of logarithms")
def _(joint: Tensor, f: Tensor) -> Tensor:
    log_p = torch.log_softmax(joint.log(), dim=2)
    return torch.einsum("w,xy,wxy->", joint.sum((1, 2)), joint.sum(0), log_p - f.log())


@right("lautum_from_correlations", "a loop")
def _(rho: Tensor) -> Tensor:
    return torch.tensor(
        sum(math.log(math.sqrt(1 - r * r)) + 1 / (1 - r * r) - 1 for r in rho.tolist()), dtype=F64
    )


@right("lautum_from_correlations", "pairs in torch.distributions")
def _(rho: Tensor) -> Tensor:
    covs = torch.eye(2, dtype=F64) + rho[:, None, None] * torch.tensor(
        [[0.0, 1.0], [1.0, 0.0]], dtype=F64
    )
    zero = torch.zeros(len(rho), 2, dtype=F64)
    return kl_divergence(
        MultivariateNormal(zero, torch.eye(2, dtype=F64)), MultivariateNormal(zero, covs)
    ).sum()


@right("lautum_from_covariance", "eigenvalues of K")
def _(cov: Tensor, dim_x: int) -> Tensor:
    t = torch.linalg.eigvals(blocks(cov, dim_x)[0]).real
    return (0.5 * torch.log(1 - t) + t / (1 - t)).sum()


@right("lautum_from_covariance", "log-determinant and inverse")
def _(cov: Tensor, dim_x: int) -> Tensor:
    return lautum_of(cov, dim_x)


@right("lautum_from_covariance", "torch.distributions")
def _(cov: Tensor, dim_x: int) -> Tensor:
    joint = MultivariateNormal(torch.zeros(len(cov), dtype=cov.dtype), cov)
    independent = MultivariateNormal(
        joint.loc, torch.block_diag(cov[:dim_x, :dim_x], cov[dim_x:, dim_x:])
    )
    return kl_divergence(independent, joint)


@right("sample_covariance", "a loop of outer products")
def _(samples: Tensor) -> Tensor:
    mean = samples.sum(0) / len(samples)
    return sum(torch.outer(row - mean, row - mean) for row in samples) / (len(samples) - 1)


@right("sample_covariance", "half the mean squared difference of pairs")
def _(samples: Tensor) -> Tensor:
    pairs = torch.stack([a - b for a, b in combinations(samples, 2)])
    return pairs.T @ pairs / len(pairs) / 2


@right("add_noise", "in place, in a loop")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    noise = ridge * sum(cov[i, i].item() for i in range(dim_z)) / dim_z
    for i in range(dim_z):
        cov[i, i] += noise
    return cov


@right("add_noise", "a block matrix")
def _(cov: Tensor, dim_z: int, ridge: float) -> Tensor:
    noise = ridge * cov[:dim_z, :dim_z].trace() / dim_z * torch.eye(dim_z, dtype=F64)
    return cov + torch.block_diag(noise, torch.zeros(len(cov) - dim_z, len(cov) - dim_z, dtype=F64))


def whitened_by_svd(x: Tensor, n_components: int) -> Tensor:
    u, _, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, :n_components] * math.sqrt(len(x) - 1)


right("whiten", "singular vectors")(whitened_by_svd)


@right("whiten", "eigenvectors of the n x n matrix")
def _(x: Tensor, n_components: int) -> Tensor:
    centred = x - x.mean(0)
    _, vectors = torch.linalg.eigh(centred @ centred.T)
    return vectors[:, -n_components:] * math.sqrt(len(x) - 1)


@right("whiten", "flipped signs")
def _(x: Tensor, n_components: int) -> Tensor:
    return -whitened_by_svd(x, n_components)


@right("lautum_penalty", "log-determinant and inverse")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    return lautum_of(cov + torch.diag(on) * ridge * z.var(0).mean(), z.shape[1])


@right("lautum_penalty", "torch.distributions")
def _(z: Tensor, u: Tensor, ridge: float) -> Tensor:
    cov, on = beside(z, u)
    cov = cov + torch.diag(on) * ridge * z.var(0).mean()
    d, zero = z.shape[1], torch.zeros(len(cov), dtype=F64)
    independent = MultivariateNormal(zero, torch.block_diag(cov[:d, :d], cov[d:, d:]))
    return kl_divergence(independent, MultivariateNormal(zero, cov))


@right("training_loss", "log-probabilities by hand")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -p[torch.arange(len(labels)), labels].log().mean() - strength * lautum


@right("training_loss", "torch.distributions")
def _(logits: Tensor, labels: Tensor, lautum: Tensor, strength: float) -> Tensor:
    return -Categorical(logits=logits).log_prob(labels).mean() - strength * lautum


# --------------------------------------------------------------------------- right, wrong, own hint


@pytest.mark.parametrize(
    ("exercise", "function", "words"),
    [pytest.param(e, f, words, id=f"{e}-{name}") for e, name, f, words in WRONG],
)
@pytest.mark.usefixtures("three_inputs")
def test_a_wrong_answer_gets_its_own_hint(exercise: str, function: Function, words: str) -> None:
    report = check(exercise, function)
    assert report.status == "wrong"
    assert words in report.text
    assert report.text in EXERCISES[exercise].mistakes


def test_wrong_answers_are_many_and_meet_every_mistake_of_the_table() -> None:
    assert len(WRONG) >= 65
    assert len({(e, name) for e, name, _, _ in WRONG}) == len(WRONG)
    met: dict[str, set[str]] = {e: set() for e, _, _, _ in WRONG}
    for e, _, _, words in WRONG:
        matching = [text for text in EXERCISES[e].mistakes if words in text]
        assert len(matching) == 1, f"{words!r} is not distinctive"
        met[e].update(matching)
    assert sum(map(len, met.values())) >= 60, "the mistakes that a student makes here, in own words"
    assert len(met) >= 15


@pytest.mark.parametrize(
    ("exercise", "function"), [pytest.param(e, f, id=f"{e}-{name}") for e, name, f in RIGHT]
)
def test_a_right_answer_is_right_however_it_is_written(exercise: str, function: Function) -> None:
    for seed in (0, 7):
        report = check(exercise, function, seed=seed)
        assert report.status == "right"
        if exercise == "less_lautum":  # it takes no inputs
            assert report.text == "right."
            continue
        printed = re.search(
            r"Largest difference to the reference: (\S+) over 20 random inputs\.$", report.text
        )
        assert printed is not None
        assert 0 <= float(printed[1]) < 1e-9
        assert report.difference == pytest.approx(float(printed[1]), rel=0.05)
        assert str(report) == f"✓ {exercise}: {report.text}"


def test_wrong_answers_with_a_hint_of_their_own_are_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That each gets its own hint: test_no_two_mistakes_compute_the_same."""
    monkeypatch.setattr(sys, "argv", ["hints"])
    hints.main()
    printed = capsys.readouterr().out
    told = [(e, hint) for e in EXERCISES for hint in EXERCISES[e].mistakes]
    assert len(told) >= HINTS
    assert all(hint in printed for _, hint in told)
    assert printed.endswith(f"\n{len(told)} wrong answers, {len(EXERCISES)} exercises\n")


@pytest.mark.usefixtures("three_inputs")
def test_values_in_place_of_references_say_the_same(tmp_path: Path) -> None:
    write_values(tmp_path / FILE, [0, 9])
    stored = read_stored(tmp_path / FILE)
    assert list(stored) == list(EXERCISES)
    given = [(e, function) for e, _, function, _ in WRONG[::6]]
    given += [(e, function) for e, _, function in RIGHT[::6]]
    given += [(e, partial(str, letters)) for e in stored for letters in EXERCISES[e].offered]
    given += [(e, answer(e, lambda v: v * 1.5)) for e in stored]
    for e, function in given:
        ours, theirs = (checks.check(e, function, x, seed=9) for x in (EXERCISES, stored))
        assert (theirs.status, theirs.text) == (ours.status, ours.text), e
    with pytest.raises(ValueError, match=r"^seed needs to be one of 0, 9, got 1\.$"):
        stored["lautum"].known(1)
    for e in (e for e in stored if EXERCISES[e].offered):
        cases, wanted, mistakes = stored[e].known(0)
        assert not cases[0]
        assert not wanted[0].value.any(), "the shape, and not which choice is right"
        assert not any(wanted[0].observed.equal(given[0]) for _, given in mistakes)


def test_right_answers_are_many() -> None:
    assert len({e for e, _, _ in RIGHT}) >= 15


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, -1), (-1, 1, 1), (-1, -1, -1)])
def test_whitening_is_free_in_signs_and_order(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    report = check(
        "whiten", lambda x, n: (whitened_by_svd(x, n) * torch.tensor(signs))[:, list(order)]
    )
    assert report.status == "right"


def test_whitening_is_not_free_in_anything_else() -> None:
    for change in (torch.tensor([2.0, 1.0, 1.0]), torch.tensor([1.0, 1.0, 0.0])):
        assert check("whiten", lambda x, n, c=change: whitened_by_svd(x, n) * c).status == "wrong"
    assert check("whiten", lambda x, n: whitened_by_svd(x, n + 1)).status == "wrong"
    assert (
        check("whiten", lambda x, n: whitened_by_svd(x, n)[torch.randperm(len(x))]).status
        == "wrong"
    )


def mutual_and_lautum(joint: Tensor) -> tuple[float, float]:
    logs = (torch.outer(joint.sum(1), joint.sum(0)) / joint).log()
    return -(joint * logs).sum().item(), (
        torch.outer(joint.sum(1), joint.sum(0)) * logs
    ).sum().item()


@pytest.mark.usefixtures("three_inputs")
def test_any_joint_with_less_lautum_information_than_mutual_is_right() -> None:
    shape, rng, seen = (2, 2), np.random.default_rng(3), set()
    for _ in range(12):
        joint = torch.from_numpy(rng.dirichlet([0.5] * math.prod(shape)) + 1e-6).view(shape)
        joint = joint / joint.sum()
        mutual, lautum = mutual_and_lautum(joint)
        seen.add(lautum < mutual)
        assert check("less_lautum", lambda j=joint: j).status == (
            "right" if lautum < mutual else "wrong"
        )
    skewed = torch.full(shape, 0.15 / (math.prod(shape) - 1), dtype=F64)
    skewed[0, 0] = 0.85
    mutual, lautum = mutual_and_lautum(skewed)
    assert check("less_lautum", lambda: skewed).status == ("right" if lautum < mutual else "wrong")
    assert False in seen


@pytest.mark.usefixtures("three_inputs")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_independent_variables_do_not_have_less_lautum(dtype: torch.dtype) -> None:
    for i, j in product((1, 3, 6, 8), (1, 4, 5, 7)):
        rows, columns = (torch.tensor([1 - p, p], dtype=dtype) for p in (i / 10, j / 10))
        assert check("less_lautum", lambda r=rows, c=columns: torch.outer(r, c)).status == "wrong"


@pytest.mark.parametrize("exercise", PLAIN)
@pytest.mark.usefixtures("three_inputs")
def test_a_difference_counts_from_the_tolerance_on(exercise: str) -> None:
    reference = EXERCISES[exercise].reference
    near = check(exercise, lambda *inputs: reference(*inputs) + 5e-10)
    assert near.status == "right"
    assert near.difference == pytest.approx(5e-10, rel=1e-3)
    far = check(exercise, lambda *inputs: reference(*inputs) + 2e-9)
    assert far.status == "wrong"
    assert "differs from the reference by up to 2e-09 over 3 random inputs" in far.text
    assert far.text.endswith("The hints above help, one step at a time.")


# ------------------------------------------------------------------------------------ not attempted


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_stub_is_not_attempted(exercise: str) -> None:
    def raises(*inputs: object) -> None:
        raise NotImplementedError

    def says(*inputs: object) -> None:
        raise NotImplementedError("your turn")

    def passes(*inputs: object) -> None:
        pass

    for stub in (raises, says, passes, lambda *inputs: None, lambda *inputs: ...):
        report = check(exercise, stub)
        assert report.status == "not attempted"
        assert report.text.startswith("not attempted yet")
        assert str(report).startswith(f"○ {exercise}: ")
        sentence(exercise, report)


def test_what_torch_does_not_implement_is_not_a_stub() -> None:
    with pytest.raises(RuntimeError, match="not implemented for"):
        torch.arange(5).softmax(0)
    report = check("gibbs_posterior", lambda losses, prior, gamma: torch.arange(5).softmax(0))
    assert report.status == "wrong"
    assert "not implemented for" in report.text


# -------------------------------------------------------------------------------- malformed answers


def answer(exercise: str, change: Callable[[Tensor], Any]) -> Function:
    """A right answer, changed."""
    reference = EXERCISES[exercise].reference
    return lambda *inputs: change(reference(*inputs))


def reference_shape(exercise: str) -> tuple[int, ...]:
    e = EXERCISES[exercise]
    return tuple(e.reference(*e.inputs(torch.Generator().manual_seed(0))).shape)


def sentence(exercise: str, report: Report) -> str:
    """The text of a report, after what holds for all: one line, short, finished, and no shape that
    no reader has seen."""
    text = report.text
    assert report.name == exercise
    assert "\n" not in text
    assert len(text) < 400
    assert text.endswith(".")
    assert not re.search(r"[:?!] ?\.(\s|$)", text), f"empty or doubled end: {text}"
    for shape in re.findall(r"a tensor of shape (\(.*?\)) is wanted", text):
        assert shape == str(reference_shape(exercise)), (
            f"the shape of what is compared, not of the answer: {text}"
        )
    return text


malformed = pytest.mark.usefixtures("three_inputs")
every = pytest.mark.parametrize("exercise", EXERCISES)
every_tensor = pytest.mark.parametrize("exercise", TENSORS)
each_kind = pytest.mark.parametrize("exercise", ENOUGH)


@malformed
@each_kind
def test_a_wrong_shape_is_named_with_the_wanted_one(exercise: str) -> None:
    wanted = reference_shape(exercise)
    changes = [(lambda v: v[None], (1, *wanted))]
    if exercise != "less_lautum":  # any alphabet will do there
        changes += [
            (lambda v: torch.stack((v, v), -1), (*wanted, 2)),
            (lambda v: v.flatten()[:0], (0,)),
        ]
    for change, shape in changes:
        report = check(exercise, answer(exercise, change))
        assert report.status == "wrong"
        text = sentence(exercise, report)
        assert str(shape) in text
        assert str(wanted) in text or exercise == "less_lautum"


@malformed
@pytest.mark.parametrize(
    ("exercise", "words"), [("whiten", r"\(3, 12\)"), ("less_lautum", r"\(4,\)|2 axes")]
)
def test_a_flat_or_transposed_answer_is_told_by_its_shape(exercise: str, words: str) -> None:
    report = check(
        exercise, answer(exercise, lambda v: v.T if exercise == "whiten" else v.flatten())
    )
    assert report.status == "wrong"
    assert re.search(words, sentence(exercise, report))


@malformed
@every_tensor
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda v: v.detach().numpy(), "numpy.", id="numpy"),
        pytest.param(lambda v: v.detach().tolist(), "list|float", id="tolist"),
        pytest.param(
            lambda v: np.flip(np.flip(v.detach().numpy()).astype(">f8")),
            "numpy.",
            id="NumPy, turned, of another byte order",
        ),
    ],
)
def test_right_numbers_that_are_no_tensor_count_where_no_gradient_is_asked_for(
    exercise: str, change: Function, words: str
) -> None:
    report = check(exercise, answer(exercise, change))
    if exercise in ("lautum_penalty", "own_term"):
        assert report.status == "wrong"
        assert "gradient" in sentence(exercise, report)
    else:
        assert report.status == "right"
        assert re.search(rf"came as ({words})", report.text)


def test_what_numpy_computed_in_float32_is_told_so() -> None:
    report = check("entropy_bits", lambda p: np.float32(EXERCISES["entropy_bits"].reference(p)))
    assert report.text.startswith("the numbers are right to the precision of float32")


@malformed
@each_kind
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_or_tuple_of_tensors(exercise: str, kind: type) -> None:
    report = check(exercise, answer(exercise, lambda v: kind(v) if v.ndim else kind([v, v])))
    assert report.status == "wrong"
    assert re.search(rf"{kind.__name__}|\(2,\)", sentence(exercise, report))


@malformed
@each_kind
@pytest.mark.parametrize(
    "value",
    ["0.5", "", b"0.5", {"value": 0.5}, {0.5}, object(), float, len, NotImplemented, [None], 1j],
)
def test_what_is_no_tensor_at_all(exercise: str, value: object) -> None:
    report = check(exercise, lambda *inputs: value)
    assert report.status == "wrong"
    assert type(value).__name__ in sentence(exercise, report)


@malformed
@each_kind
@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        -1,
        1.0,
        0.5,
        10**30,
        pytest.param(10**400, id="10**400"),
        math.nan,
        math.inf,
        -math.inf,
        True,
    ],
)
def test_python_numbers(exercise: str, value: float) -> None:
    report = check(exercise, lambda *inputs: value)
    assert report.status == "wrong"
    text = sentence(exercise, report)
    assert "numbers are right" not in text
    assert text not in EXERCISES[exercise].mistakes or (
        exercise == "entropy_bits" and math.isnan(value)
    )


@malformed
@each_kind
@pytest.mark.parametrize(
    ("value", "word"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "inf")]
)
def test_nan_and_infinity_are_called_so(exercise: str, value: float, word: str) -> None:
    report = check(exercise, answer(exercise, lambda v: v + value))
    assert report.status == "wrong"
    text = sentence(exercise, report).lower()
    assert word in text
    assert "1.8e+308" not in text
    assert word == "inf" or "by up to inf" not in text


@malformed
@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_low_precision_is_named_or_enough(exercise: str, dtype: torch.dtype) -> None:
    report = check(exercise, answer(exercise, lambda v: v.to(dtype)))
    text = sentence(exercise, report)
    assert report.status == (
        "right" if exercise == "less_lautum" else "wrong"
    )  # only the sign of a difference counts
    assert exercise == "less_lautum" or str(dtype).removeprefix("torch.") in text


@malformed
@each_kind
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_integers_and_booleans(exercise: str, dtype: torch.dtype) -> None:
    report = check(exercise, answer(exercise, lambda v: (10 * v).to(dtype)))
    assert report.status == "wrong"
    sentence(exercise, report)


@malformed
@each_kind
def test_complex_numbers_are_not_right(exercise: str) -> None:
    report = check(exercise, answer(exercise, lambda v: v + 5j))
    assert report.status == "wrong"
    sentence(exercise, report)


@malformed
@each_kind
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda v: v.to_sparse(), id="sparse"),
        pytest.param(lambda v: torch.nested.nested_tensor([v.flatten(), v.flatten()]), id="nested"),
    ],
)
def test_unusual_tensors(exercise: str, change: Function) -> None:
    report = check(exercise, answer(exercise, change))
    assert report.status == "wrong"
    text = sentence(exercise, report)
    assert "a tensor is wanted, your function returned Tensor" not in text


ERRORS = [
    (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    (IndexError("index 5 is out of range."), "IndexError: index 5 is out of range"),
    (ValueError("not like this"), "ValueError: not like this"),
    (KeyError("cov"), "KeyError: 'cov'"),
    (
        RuntimeError("The size of tensor a (3) must match\n  the size of tensor b (4)"),
        "RuntimeError: The size of tensor a",
    ),
    (RuntimeError("word " * 500), "RuntimeError: word"),
    (ValueError(), "ValueError"),
    (AssertionError(), "AssertionError"),
    (ValueError("why?"), "ValueError: why?"),
    (RecursionError("maximum recursion depth exceeded"), "RecursionError"),
]


@malformed
@each_kind
@pytest.mark.parametrize(
    ("error", "words"),
    [pytest.param(*case, id=f"{i}-{case[1][:24]}") for i, case in enumerate(ERRORS)],
)
def test_an_exception_becomes_a_sentence(exercise: str, error: Exception, words: str) -> None:
    def stops(*inputs: object) -> None:
        raise error

    report = check(exercise, stops)
    assert report.status == "wrong"
    assert f"stopped with {words}" in sentence(exercise, report)


@malformed
@each_kind
def test_a_wrong_number_of_arguments(exercise: str) -> None:
    arguments = len(EXERCISES[exercise].inputs(torch.Generator()))
    many = check(exercise, lambda a, b, c, d, e: a)
    assert "missing" in sentence(exercise, many)
    assert "TypeError" in many.text
    if arguments:
        none = check(exercise, lambda: torch.zeros(()))
        assert "takes 0 positional arguments" in sentence(exercise, none)
    assert many.status == "wrong"


@malformed
@each_kind
def test_an_answer_that_fails_at_a_later_input(exercise: str) -> None:
    for later in (torch.zeros(1, 2, 3, dtype=F64), "text"):
        calls = []

        def changing(*inputs: Any, calls: list[int] = calls, later: Any = later) -> Any:
            calls.append(1)
            return EXERCISES[exercise].reference(*inputs) if len(calls) == 1 else later

        report = check(exercise, changing)
        assert report.status == "wrong"
        text = sentence(exercise, report)
        assert "your function returned Tensor" not in text
        numbers = re.search(r"(\S+) is wanted, yours is (\S+)\. ", text)
        assert numbers is None or numbers[1] != numbers[2], f"tells two equal numbers apart: {text}"


@malformed
@pytest.mark.parametrize(
    ("joint", "words"),
    [
        (torch.full((2, 2), 0.3), "sum to 1"),
        (torch.tensor([[1.2, -0.2], [0.0, 0.0]]), "0 or more"),
        (torch.tensor([0.5, 0.5]), "shape (2, 2) is wanted"),
        (torch.eye(2, dtype=torch.int64), "sum to 1"),
    ],
)
def test_what_is_no_joint_is_told_so_and_not_that_the_function_stopped(
    joint: Tensor, words: str
) -> None:
    report = check("less_lautum", lambda: joint)
    assert report.status == "wrong"
    assert words in sentence("less_lautum", report)
    assert "your function stopped" not in report.text


@malformed
@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda v: v.item(), id="item"),
        pytest.param(lambda v: v.detach(), id="detach"),
        pytest.param(lambda v: torch.tensor(v.item(), dtype=F64), id="new tensor"),
        pytest.param(
            lambda v: torch.tensor(v.item(), dtype=F64, requires_grad=True),
            id="new tensor that wants gradients",
        ),
        pytest.param(lambda v: v.detach().requires_grad_(), id="detached and wants gradients"),
    ],
)
def test_a_penalty_cut_off_from_z_is_told_so(cut: Function) -> None:
    report = check("lautum_penalty", answer("lautum_penalty", cut))
    assert report.status == "wrong"
    assert "no gradient reaches z" in sentence("lautum_penalty", report)


@malformed
@each_kind
def test_what_is_not_even_a_function(exercise: str) -> None:
    report = check(exercise, None)  # type: ignore[arg-type]
    assert report.status == "wrong"
    assert "not callable" in sentence(exercise, report)


# ----------------------------------------------------------------------------- inputs and gradients


@every
@pytest.mark.usefixtures("three_inputs")
def test_changing_the_inputs_in_place_spoils_nothing(exercise: str) -> None:
    def destructive(function: Function) -> Function:
        def inner(*inputs: Any) -> Any:
            value = function(*inputs)
            value = value.clone() if isinstance(value, Tensor) else value
            for tensor in inputs:
                if (
                    isinstance(tensor, Tensor) and not tensor.requires_grad
                ):  # a leaf is not the reader's to change
                    tensor.zero_()
            return value

        return inner

    mine = next((f for e, _, f in RIGHT if e == exercise), EXERCISES[exercise].reference)
    assert check(exercise, destructive(mine)).status == "right"
    for e, _, function, words in WRONG:
        if e == exercise:
            assert words in check(exercise, destructive(function)).text


@every_tensor
def test_answers_that_carry_gradients(exercise: str) -> None:
    def with_gradients(*inputs: Any) -> Tensor:
        for tensor in inputs:
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.requires_grad_()
        return EXERCISES[exercise].reference(*inputs)

    assert check(exercise, with_gradients).status == "right"
    if exercise in PLAIN:  # in a penalty the gradient has to reach z
        assert check(exercise, answer(exercise, lambda v: torch.nn.Parameter(v))).status == "right"


@every
@pytest.mark.usefixtures("three_inputs")
def test_the_same_seed_gives_the_same_inputs_and_another_one_others(exercise: str) -> None:
    def seen(seed: int) -> list[Any]:
        inputs: list[Any] = []

        def spy(*given: Any) -> Tensor:
            inputs.append([repr(v) for v in given if not callable(v)])
            return EXERCISES[exercise].reference(*given)

        assert check(exercise, spy, seed=seed).status == "right"
        return inputs

    first = seen(0)
    assert len(first) == checks.CASES
    assert seen(0) == first
    if first[0]:  # some take no inputs
        assert seen(1) != first
        others = [case != first[0] for case in first[1:]]
        assert all(others) if exercise in TENSORS else any(others)


@every
@pytest.mark.usefixtures("three_inputs")
def test_reports_repeat_and_leave_the_random_state_alone(exercise: str) -> None:
    function = answer(exercise, lambda v: v * 1.5)
    before = torch.get_rng_state()
    assert check(exercise, function, seed=3) == check(exercise, function, seed=3)
    assert check(exercise, function) == check(exercise, function, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@every
@pytest.mark.usefixtures("three_inputs")
def test_the_reference_is_right_with_any_seed(exercise: str) -> None:
    for seed in (1, 12345, 2**40):
        report = check(exercise, EXERCISES[exercise].reference, seed=seed)
        assert (report.status, report.difference) == ("right", 0.0)


# --------------------------------------------------------------------------------------- properties


def constant_tensors() -> st.SearchStrategy[Tensor]:
    dtypes = st.sampled_from([torch.float32, F64, torch.int64, torch.complex128, torch.bool])
    fills = st.sampled_from([0.0, 1.0, -1.0, 0.25, math.nan, math.inf, 1e300])
    shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple) | st.sampled_from(
        [reference_shape(e) for e in TENSORS]
    )
    return st.builds(lambda s, d, f: torch.full(s, f, dtype=F64).to(d), shapes, dtypes, fills)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=5)
    | st.binary(max_size=3)
)
values = (
    scalars
    | constant_tensors()
    | st.lists(scalars | constant_tensors(), max_size=3)
    | st.tuples(scalars, scalars)
)


@pytest.mark.usefixtures("three_inputs")
@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(sorted(EXERCISES)), values)
def test_no_constant_is_right_or_raises(exercise: str, value: object) -> None:
    report = check(exercise, lambda *inputs: value)
    if EXERCISES[exercise].read is not None and isinstance(value, (str, list, tuple, int, float)):
        return  # this may be right by chance
    assert report.status == ("not attempted" if value is None else "wrong")
    assert "\n" not in report.text
    assert report.text.endswith((".", "?"))


# ---------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("name", ["lautm", "", "Lautum"])
def test_an_unknown_name_raises_with_the_list(name: str) -> None:
    with pytest.raises(ValueError, match=f"^name needs to be one of .*, got {name!r}") as raised:
        check(name, lambda: None)
    assert all(exercise in str(raised.value) for exercise in EXERCISES)


def test_an_exercise_of_ones_own() -> None:
    def number(generator: torch.Generator) -> tuple[Tensor]:
        return (torch.rand((), generator=generator, dtype=F64),)

    mine = {
        "double": Exercise(
            number, lambda x: 2 * x, {"this is the square: add, do not multiply.": lambda x: x * x}
        )
    }
    assert checks.check("double", lambda x: x + x, mine).status == "right"
    assert (
        checks.check("double", lambda x: x**2, mine).text
        == "this is the square: add, do not multiply."
    )
    with pytest.raises(ValueError, match=r"^name needs to be one of double, got 'lautum'\.$"):
        checks.check("lautum", lambda x: x, mine)


@pytest.mark.parametrize(
    ("exercise", "function", "words"),
    [
        ("entropy_bits", lambda p: entropy(p) / math.log(2), "taken from `entropy`"),
        ("lautum", lambda joint: lautum_information(joint), "taken from `lautum_information`"),
    ],
)
def test_a_right_answer_that_is_the_librarys_is_told_so(
    exercise: str, function: Function, words: str
) -> None:
    report = check(exercise, function)
    assert report.status == "wrong"
    assert words in report.text


@pytest.mark.parametrize(
    ("exercise", "value", "words"),
    [
        ("false_arguments", "BC", "E: the sum over the cells"),
        ("false_arguments", {"A", "D"}, "A holds"),
        ("false_arguments", ["E", "C", "B", "F"], "F holds"),
        ("false_steps", "F", "B: the mean is a divergence if"),
        ("signs_of_r", "---", "a: R < 0 needs"),
        ("signs_of_r", ["+", "0", "0"], "b: D = 0, but"),
        ("signs_of_r", "+-", 'a text of 3 signs is wanted, such as "+++", your function returned'),
        ("signs_of_r", 1.0, "your function returned float."),
    ],
)
def test_of_several_judgements_the_one_that_is_wrong_before_all_else_gets_its_hint(
    exercise: str, value: object, words: str
) -> None:
    report = check(exercise, lambda: value)
    assert report.status == "wrong"
    assert report.text.startswith(words) or words in report.text


# --------------------------------------------------------------------- answers that are no tensors

QUESTION = {
    "one": choice("B", {"A": "this is the joint.", "C": "this is 0.", "D": "not in nats."}),
    "number": choice(2, {1: "too few.", 3: "too many."}),
    "two": choice("AC", {"A": "one is missing.", "AB": "B is an equality."}, offered="ABCD"),
}


def asked(question: str, value: object) -> Report:
    return checks.check(question, lambda: value, QUESTION)


@pytest.mark.parametrize("value", ["B", "b", " B ", ["B"], ("b",), {"B"}, frozenset("B")])
def test_the_right_letter_is_right_however_it_is_given(value: object) -> None:
    assert asked("one", value).text == "right."
    assert asked("one", value).status == "right"


@pytest.mark.parametrize("value", [2, 2.0, "2", [2], {2}, torch.tensor(2.0), np.int64(2)])
def test_answers_can_be_numbered(value: object) -> None:
    assert asked("number", value).text == "right."
    assert asked("number", 1).text == "too few."
    for other in (4, 2.5, -1, math.nan, math.inf, None.__class__, 10**30):
        assert asked("number", other).text.startswith("one or more of 1, 2, 3 are wanted")


@pytest.mark.parametrize("value", ["AC", "ca", "A, C", ["C", "A"], {"A", "C"}, frozenset("AC")])
def test_several_letters_are_right_in_any_order(value: object) -> None:
    assert asked("two", value).status == "right"


@pytest.mark.parametrize(
    ("question", "value", "words"),
    [
        ("one", "A", "this is the joint."),
        ("one", {"c"}, "this is 0."),
        ("two", "BA", "B is an equality."),
        ("two", {"A"}, "one is missing."),
        ("two", "ABC", NOT_IT + checks.HELP),
        ("one", "AB", NOT_IT + checks.HELP),
    ],
)
def test_other_letters_get_their_hint_or_no_more_than_that_they_are_wrong(
    question: str, value: object, words: str
) -> None:
    assert asked(question, value).status == "wrong"
    assert asked(question, value).text == words


@pytest.mark.parametrize(
    ("value", "got"),
    [("E", "'E'"), ("", "''"), (2, "2"), (True, "True"), ([], "list"), ({"B": 1}, "dict")],
)
def test_what_is_not_offered_gets_one_sentence_with_the_letters(value: object, got: str) -> None:
    report = asked("one", value)
    assert report.status == "wrong"
    assert report.text == (
        f"one or more of A, B, C, D are wanted, your function returned {got}.{checks.HELP}"
    )


@pytest.mark.parametrize("value", [None, ...])
def test_a_question_without_an_answer_is_not_attempted(value: object) -> None:
    assert asked("one", value).status == "not attempted"


@pytest.mark.parametrize(
    ("right", "wrong", "offered", "words"),
    [
        ("B", {"A": "no."}, "ABC", "got none for C"),
        ("B", {"A": "no.", "B": "yes."}, "", "got one twice"),
        ("AC", {"CA": "no."}, "", "got one twice"),
        ("AC", {"AB": "no.", "BA": "no!"}, "", "got one twice"),
    ],
)
def test_a_question_needs_a_hint_for_each_wrong_letter(
    right: str, wrong: dict[str, str], offered: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        choice(right, wrong, offered)


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.0],
        (1, 2),
        {2, 1},
        {"b": 2, "a": 1},
        np.array([1, 2]),
        torch.tensor([1, 2]),
        [torch.tensor(1.0, requires_grad=True).detach(), np.float32(2)],
        [np.array(1.0), 2],
    ],
)
def test_numbers_come_in_any_container(value: object) -> None:
    assert numbers(value).tolist() == [1.0, 2.0]
    assert numbers(value).dtype == F64


@pytest.mark.parametrize("value", ["1", b"1", [1, "2"], [1, [2, 3]], {1: None}, 1j, {"a", 1}, len])
def test_what_is_no_number_is_told_so(value: object) -> None:
    mine = {"sum": Exercise(lambda g: (), lambda: 3.0, {"no.": lambda: 2.0}, read=numbers)}
    report = checks.check("sum", lambda: value, mine)
    assert report.text.startswith(
        "a number is wanted, or several in a list, your function returned"
    )
    assert checks.check("sum", lambda: 3, mine).status == "right"
    assert checks.check("sum", lambda: torch.tensor(2), mine).text == "no."


def test_containers_that_a_function_changes_are_whole_for_the_next() -> None:
    def emptied(values: list[float]) -> float:
        total = sum(values)
        values.clear()
        return total

    mine = {
        "sum": Exercise(
            lambda g: ([1.0, 2.0],), sum, {"this is their product.": math.prod}, read=numbers
        )
    }
    assert checks.check("sum", emptied, mine).status == "right"


@every
def test_texts_are_short_and_finished(exercise: str) -> None:
    e = EXERCISES[exercise]
    assert len(e.mistakes) >= 2
    for text in e.mistakes:
        assert re.match(r"[^A-Za-z]|[a-z]|[A-Z](?![a-z])", text), (
            f"begins with a capital that is no symbol: {text}"
        )
        assert re.search(r"[^.\s][.?]$|\.\.\.$", text), f"is not finished: {text}"
        assert len(text) <= 130
        assert "  " not in text


@every
def test_no_two_mistakes_compute_the_same(exercise: str, request: pytest.FixtureRequest) -> None:
    e = EXERCISES[exercise]
    if exercise in TENSORS:  # random numbers tell two mistakes apart at once, counts may not
        request.getfixturevalue("three_inputs")
    for seed in (0, 5):
        for text, function in e.mistakes.items():
            report = check(exercise, function, seed=seed)
            assert (report.status, report.text) == ("wrong", text)
            assert report.difference > 1e-6


@pytest.fixture(scope="module")
def annotated(pytestconfig: pytest.Config) -> dict[str, Exercise]:
    """The exercises with their annotations checked, imported once more beside those of readers."""
    checker = pytestconfig.getoption("jaxtyping_packages").partition(",")[2]
    known = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("lautum_pages")
    }
    try:
        with jaxtyping.install_import_hook("lautum_pages", checker):
            return importlib.import_module("lautum_pages").EXERCISES
    finally:
        sys.modules.update(known)


@pytest.mark.usefixtures("three_inputs")
@every
def test_annotations_hold_in_the_reference_and_in_each_mistake(
    exercise: str, annotated: dict[str, Exercise]
) -> None:
    jaxtyping.config.update("jaxtyping_disable", False)
    e = annotated[exercise]
    assert checks.check(exercise, e.reference, annotated).status == "right"
    for text, function in e.mistakes.items():
        assert checks.check(exercise, function, annotated).text == text
