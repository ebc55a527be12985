"""A world small enough to enumerate: every input, label, hypothesis and dataset.

So each identity is a finite sum. Z = (X, Y) is one example, S a dataset of n examples, W the learnt
hypothesis. A learner sees a dataset only through its counts, so datasets are enumerated as counts
with multinomial weights, not as ordered tuples. All is float64 and in nats.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Multinomial

from lautum_utils.information import lautum_information, mutual_information, require_probabilities
from lautum_utils.numbers import number, plain

MAX_BYTES = 2**31
TIE = 1e-12  # losses that differ by less are equal for empirical risk minimisation


class FiniteWorld:
    """Examples from P(x, y), and hypotheses f_w(y|x) whose loss on an example is -log f_w(y|x).

    p_xy : (x, y), summing to 1.
    hypotheses : (w, x, y), each row over y a distribution without zeros (no loss is infinite).
    prior : (w,), P(w) before any data; None is uniform.
    ValueError: tensors that are not such distributions, or whose shapes do not match.
    """

    def __init__(
        self,
        p_xy: Float[Tensor, "x y"],
        hypotheses: Float[Tensor, "w x y"],
        prior: Float[Tensor, " w"] | None = None,
    ) -> None:
        self.p_xy = _distribution(p_xy, "p_xy", "x, y", (-2, -1))
        self.hypotheses = _distribution(hypotheses, "hypotheses", "w, x, y", (-1,)).to(self.p_xy)
        if self.hypotheses.shape[1:] != self.p_xy.shape:
            needs = f"(w, {', '.join(map(str, p_xy.shape))})"
            raise ValueError(f"hypotheses need the shape {needs}, got {tuple(hypotheses.shape)}.")
        if bool((self.hypotheses == 0).any()):
            raise ValueError(
                "hypotheses need probabilities above 0, "
                "got a 0, for which the loss can be infinite."
            )
        count = len(hypotheses)
        if prior is None:
            prior = torch.full((count,), 1 / count, dtype=torch.float64, device=self.p_xy.device)
        else:
            prior = _distribution(prior, "prior", "w", (-1,)).to(self.p_xy)
        if prior.shape != (count,):
            needs = f"one probability for each of the {count} hypotheses"
            raise ValueError(f"prior needs {needs}, got {tuple(prior.shape)}.")
        self.prior = prior

    @property
    def losses(self) -> Float[Tensor, "w x y"]:
        """-log f_w(y|x)."""
        return -self.hypotheses.log()

    def learn(self, n: int, gamma: float) -> "Learned":
        """The Gibbs learner, for every dataset s of n examples.

            P(w|s) proportional to prior(w) exp(-gamma * train loss(w, s))

        gamma : inverse temperature, 0 or more; math.inf is empirical risk minimisation with ties
            broken by the prior.
        ValueError: n < 1, gamma < 0, or more datasets than fit into `MAX_BYTES`.
        """
        return self.transfer(self.p_xy, 0, n, gamma, target_weight=1.0)

    def transfer(
        self,
        source_p_xy: Float[Tensor, "x y"],
        n_source: int,
        n: int,
        gamma: float,
        target_weight: float,
    ) -> "Learned":
        """The Gibbs learner from a source and this world, which is the target. Its train loss is

            (1 - target_weight) * source loss + target_weight * target loss

        source_p_xy : (x, y), from which the n_source source examples come (0: no source).
        target_weight : a in [0, 1]. n, gamma and errors as in `learn`.
        Source: Bu, Aminian, Toni, Wornell & Rodrigues (AISTATS 2022).
        """
        n, n_source, gamma = map(plain, (n, n_source, gamma))
        target_weight = number(target_weight, "target_weight", most=1)
        _require_learner(n, n_source, gamma)
        source_p_xy = _distribution(source_p_xy, "source_p_xy", "x, y", (-2, -1)).to(self.p_xy)
        if source_p_xy.shape != self.p_xy.shape:
            needs, got = tuple(self.p_xy.shape), tuple(source_p_xy.shape)
            raise ValueError(f"source_p_xy needs the shape {needs}, got {got}.")
        self._require_memory((source_p_xy, n_source), (self.p_xy, n))
        p_source, source_counts = _datasets(source_p_xy, n_source)
        p_target, counts = _datasets(self.p_xy, n)
        losses = self.losses.flatten(1).mT
        source_risk = source_counts @ losses * ((1 - target_weight) / max(n_source, 1))
        risk = source_risk[:, None] + counts @ (losses * (target_weight / n))
        log_posterior = self._gibbs(risk, gamma)
        weighted = gamma * target_weight if target_weight else 0.0
        return Learned(self, n, weighted, p_source, p_target, counts, log_posterior)

    def _gibbs(self, risk: Float[Tensor, "s t w"], gamma: float) -> Float[Tensor, "s t w"]:
        """log P(w | datasets) for the risk of each hypothesis on each pair of datasets."""
        if gamma == math.inf:
            least = torch.where(self.prior > 0, risk, math.inf).amin(-1, keepdim=True)
            chosen = torch.where(risk <= least + TIE, self.prior.log(), -math.inf)
        else:
            chosen = torch.add(self.prior.log(), risk, alpha=-gamma)
        return chosen.log_softmax(-1)

    def _require_memory(self, *datasets: tuple[Tensor, int]) -> None:
        """ValueError unless all datasets of n examples of each P(x, y) fit into `MAX_BYTES`."""
        pairs, lists = 1, 0
        for p_xy, n in datasets:
            possible = int((p_xy > 0).sum())
            count = math.comb(n + possible - 1, n)
            pairs *= count
            lists += count * (7 * possible + 2 * p_xy.numel())
        size = 8 * (4 * pairs * len(self.prior) + lists)
        if size > MAX_BYTES:
            raise ValueError(
                f"{pairs:,} datasets times {len(self.prior)} hypotheses need "
                f"{size / 2**30:,.1f} GiB, more than the {MAX_BYTES / 2**30:g} GiB allowed: "
                "take fewer examples, inputs, labels or hypotheses."
            )


@dataclass(frozen=True, eq=False)
class Learned:
    """What a learner does in a `FiniteWorld`, averaged over every dataset.

    Made by `FiniteWorld.learn` and `.transfer`. Two measures: W and a *training* example follow the
    joint P_WZ (Z uniform over the dataset), W and a *fresh* one P_W P_Z. S is the (target) dataset;
    after `transfer`, information about S is conditional on the source dataset.
    """

    world: FiniteWorld
    n: int
    gamma: float  # of the loss on S: gamma * target_weight after `transfer`
    p_source: Float[Tensor, " s"]  # probability of each source dataset (one, empty, after `learn`)
    p_target: Float[Tensor, " t"]  # probability of each dataset S
    counts: Float[Tensor, "t xy"]  # how often each example is in S
    log_posterior: Float[Tensor, "s t w"]  # log P(w | source dataset, S)

    @cached_property
    def joint(self) -> Float[Tensor, "w x y"]:
        """P(w, x, y) of the hypothesis and a training example."""
        with_target = torch.einsum("s,stw->wt", self.p_source, self.posterior) * self.p_target
        return (with_target @ self.counts / self.n).unflatten(1, self.world.p_xy.shape)

    @property
    def product(self) -> Float[Tensor, "w x y"]:
        """P(w) P(x, y): the hypothesis and a fresh example."""
        return self.joint.sum((1, 2))[:, None, None] * self.world.p_xy

    @cached_property
    def posterior(self) -> Float[Tensor, "s t w"]:
        """P(w | source dataset, S)."""
        return self.log_posterior.exp()

    @property
    def train_loss(self) -> float:
        """E_joint[-log f_W(Y|X)], the expected cross-entropy on the training examples."""
        return _mean(self.joint, self.world.losses)

    @property
    def test_loss(self) -> float:
        """E_product[-log f_W(Y|X)], the expected cross-entropy on fresh examples."""
        return _mean(self.product, self.world.losses)

    @cached_property
    def mutual_information(self) -> float:
        """I(W;S) = H(W) - H(W|S), after `transfer` both given the source dataset."""
        without = torch.special.entr(self._log_without_target.exp()).sum(-1)
        given = torch.special.entr(self.posterior).sum(-1) @ self.p_target
        value = self.p_source @ (without - given)
        return max(0.0, value.item())

    @cached_property
    def lautum_information(self) -> float:
        """L(W;S), after `transfer` given the source dataset, weighted by P(w | source) P(s).

        Infinite where P(w|s) has holes.
        """
        log_p_w = self._log_without_target
        weights = self.p_source[:, None] * log_p_w.exp()
        return max(0.0, _mean(weights, log_p_w - self.p_target @ self.log_posterior))

    @cached_property
    def _log_without_target(self) -> Tensor:
        """log P(w | source dataset), from logarithms, so that no probability underflows."""
        return (self.log_posterior + self.p_target.log()[:, None]).logsumexp(1)

    @property
    def gibbs_gap(self) -> float:
        """(I + L) / gamma, which for a Gibbs learner *is* test loss - train loss.

        gamma is times target_weight after `transfer`.
        ValueError: gamma or target_weight 0 or infinite, where the quotient has no value.
        Source: Aminian, Bu, Toni, Rodrigues & Wornell (NeurIPS 2021); transfer: Bu et al. (AISTATS
        2022).
        """
        if not 0 < self.gamma < math.inf:
            raise ValueError(
                f"gibbs_gap needs gamma (times target_weight) above 0 and finite, got {self.gamma}."
            )
        return (self.mutual_information + self.lautum_information) / self.gamma

    def train_terms(self) -> dict[str, dict[str, float]]:
        """Every decomposition of `train_loss`: its terms by name, signs included; they sum to it.

            E_joint[-log f] = H(Y|X) - I(W;Y|X) + KL,   KL = E_joint KL( p(.|X,W) || f_W(.|X) )

        and I(W;Y|X) = I(W;Z) - I(W;X).
        """
        true, seen = _log_conditional(self.world.p_xy), _log_conditional(self.joint)
        entropy, given = _mean(self.world.p_xy, -true), _mean(self.joint, seen - true)
        of_z, of_x = (
            mutual_information(p).item() for p in (self.joint.flatten(1), self.joint.sum(2))
        )
        kl = _mean(self.joint, seen + self.world.losses)
        return {
            "labels": {"H(Y|X)": entropy, "-I(W;Y|X)": -given, "KL(p(.|X,W)||f)": kl},
            "inputs": {"H(Y|X)": entropy, "-I(W;Z)": -of_z, "+I(W;X)": of_x, "KL(p(.|X,W)||f)": kl},
        }

    def test_terms(self) -> dict[str, dict[str, float]]:
        """Every decomposition of `test_loss`: its terms by name, signs included; they sum to it.

            E_product[-log f] = H(Y|X) + KL = KL + Hx - L(W;Y|X) = H(Y|X) + L(W;Y|X) + R

        with KL = E_product KL( p(.|X) || f_W(.|X) ), Hx = E_product[-log p(Y|X,W)],
        R = E_product log( p(Y|X,W) / f_W(Y|X) ), and L(W;Y|X) = L(W;Z) - L(W;X). Where P(w, z) has
        a hole (or gamma is so large that it is below 1e-308), L and Hx are infinite, R minus
        infinite, and only "true labels" has a sum.
        """
        product = self.product
        true, seen = _log_conditional(self.world.p_xy), _log_conditional(self.joint)
        entropy = _mean(self.world.p_xy, -true)
        of_z, of_x = (
            lautum_information(p).item() for p in (self.joint.flatten(1), self.joint.sum(2))
        )
        kl, given = _mean(product, true + self.world.losses), _mean(product, true - seen)
        cross, rest = _mean(product, -seen), _mean(product, seen + self.world.losses)
        of_inputs = {"-L(W;Z)": -of_z, "+L(W;X)": of_x}
        return {
            "true labels": {"H(Y|X)": entropy, "KL(p(.|X)||f)": kl},
            "labels, minus": {"KL(p(.|X)||f)": kl, "Hx(Y|X,W)": cross, "-L(W;Y|X)": -given},
            "labels, plus": {"H(Y|X)": entropy, "+L(W;Y|X)": given, "R": rest},
            "inputs, plus": {"KL(p(.|X)||f)": kl, "Hx(Y|X,W)": cross} | of_inputs,
            "inputs, minus": {"H(Y|X)": entropy, "+L(W;Z)": of_z, "-L(W;X)": -of_x, "R": rest},
        }


def _require_learner(n: int, n_source: int, gamma: float) -> None:
    whole = all(isinstance(m, int) and not isinstance(m, bool) for m in (n, n_source))
    if not whole or n < 1 or n_source < 0:
        raise ValueError(
            "n needs to be a whole number of 1 or more and n_source of 0 or more, "
            f"got {n!r} and {n_source!r}."
        )
    if not isinstance(gamma, int | float) or isinstance(gamma, bool) or not gamma >= 0:
        raise ValueError(
            "gamma needs to be 0 or more (math.inf for empirical risk minimisation), "
            f"got {gamma!r}."
        )


def _datasets(p_xy: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The probability of every dataset of n examples, and its counts (dataset, x * y).

    Impossible examples never occur.
    """
    p = p_xy.flatten()
    possible = p.nonzero().flatten()
    bars = len(possible) - 1  # counts are the gaps between `bars` bars among n + bars places
    flat = np.fromiter(chain.from_iterable(combinations(range(n + bars), bars)), dtype=np.int64)
    inner = flat.reshape(math.comb(n + bars, bars), bars)
    places = np.pad(inner, ((0, 0), (1, 1)), constant_values=(-1, n + bars))
    gaps = torch.as_tensor(np.diff(places) - 1, dtype=p.dtype, device=p.device)
    zeros = torch.zeros(len(gaps), len(p), dtype=p.dtype, device=p.device)
    counts = zeros.index_copy(1, possible, gaps)
    if n == 0:
        return torch.ones(1, dtype=p.dtype, device=p.device), counts
    return Multinomial(n, p[possible], validate_args=False).log_prob(gaps).softmax(0), counts


def _mean(weights: Tensor, values: Tensor) -> float:
    """The sum of weights * values: an infinite value without weight does not count."""
    return torch.where(weights > 0, weights * values, 0).sum().item()


def _log_conditional(joint: Tensor) -> Tensor:
    """log P(y | all else); minus infinity where the joint has a hole."""
    return torch.where(joint > 0, joint.log() - joint.sum(-1, keepdim=True).log(), -math.inf)


def _distribution(p: Tensor, name: str, shape: str, axes: tuple[int, ...]) -> Tensor:
    if not isinstance(p, Tensor) or p.is_meta or p.ndim != len(shape.split()) or not p.numel():
        given = tuple(p.shape) if isinstance(p, Tensor) else type(p).__name__
        raise ValueError(f"{name} needs a tensor ({shape}) that holds values, got {given}.")
    require_probabilities(p, name, axes)
    # Exact to float64, whatever the type it came in.
    return p.double() / p.double().sum(axes, keepdim=True)
