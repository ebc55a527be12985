"""The ways to use unlabelled inputs while a network trains: one small class each, for stage one,
stage two, or both.

A method says only what it adds to the loss of one step: strength * term(batch), one value for each
model of a stack. In stage one the labelled samples of a batch are the source's, in stage two the
target's; the unlabelled ones are the target's in both. A method of stage one and one of stage two
combine by addition: each acts where it belongs. Formulas and defaults are the sources'; what is
ours is said. Softmax probabilities are p, features z; C classes, n unlabelled samples.
"""

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lautum_utils.between_views import (
    NOISE,
    lautum_between_views,
    mutual_information_between_views,
)
from lautum_utils.regularizers import LautumRegularizer, MutualInformationRegularizer
from lautum_utils.training.batches import Batch
from lautum_utils.training.mmd import mk_mmd
from lautum_utils.training.randomness import Views
from lautum_utils.training.running import RunningDependence
from lautum_utils.training.views import VIEWS, random_view


class Method:
    """The control, standard transfer: the unlabelled inputs are not used."""

    def __init__(
        self,
        regularizer: LautumRegularizer | MutualInformationRegularizer | None = None,
        views: str = "warped",
        view_noise: float = NOISE,
        decay: float = 0.0,
    ) -> None:
        self.regularizer, self.views, self.view_noise = regularizer, VIEWS[views], view_noise
        self.memory: dict[
            str, Tensor
        ] = {}  # of earlier steps, kept in the checkpoints of stage one
        self.running: RunningDependence | None = None
        if regularizer is not None and decay:
            self.running = RunningDependence(regularizer, decay, self.memory)

    def start(
        self, network: Any, strength: Float[Tensor, " models"], samples: int, classes: int
    ) -> None:
        """Called before the first step with the network as it is then (in stage two: with the
        source's head).

        strength: the weight of each model; samples: how many unlabelled ones there are in all.
        ValueError: too few for a method.
        """
        if samples < 2 or classes < 2:
            raise ValueError(
                "a method needs 2 or more unlabelled samples and 2 or more classes, "
                f"got {samples} samples and {classes} classes."
            )

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        """What `strength` multiplies in the loss: nothing, here."""
        return batch.features.new_zeros(len(batch.features))

    def dependence(self, batch: Batch) -> Float[Tensor, " models"]:
        """Of representations and inputs, in nats, by the regularizer: what is watched during
        training. ValueError: there is none."""
        if self.regularizer is None:
            raise ValueError("a method needs a regularizer to measure dependence, got none.")
        return self.regularizer(
            batch.representations, batch.prepared(), prepared=True, validate_args=False
        )

    def measured(self, batch: Batch) -> Float[Tensor, " models"]:
        """The dependence that a term is made of: that of the batch, or by running covariances, of
        which the batch becomes a part."""
        if self.running is None:
            return self.dependence(batch)
        return self.running(batch.representations, batch.projected())

    def two_views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The features (models, n, k) of two random views of each unlabelled input."""
        images, streams = batch.inputs[:, batch.labels.shape[1] :], (Views.WEAK, Views.STRONG)
        both = [random_view(images, self.views, batch.seeds, batch.step, s) for s in streams]
        one, two = batch.network.features(torch.cat(both, 1)).chunk(2, 1)
        return one, two


# ----------------------------------------------------------------------------------- be informative


class Lautum(Method):
    """Maximise Lautum information: term = -L(z; x). Source: arXiv 1904.01670."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return -self.measured(batch)


class MutualInformation(Method):
    """Minimise mutual information: term = +I(z; x). Source: arXiv 2306.06731."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return self.measured(batch)


class MaximisedMutualInformation(Method):
    """Maximise mutual information: term = -I(z; x). Ours, to compare: the other sign of arXiv
    2306.06731."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return -self.measured(batch)


class InformationMaximisation(Method):
    """Maximise the mutual information of input and predicted label, in nats.

        term = mean_i H(p_i) - H(mean_i p_i)

    Each prediction is to be certain, and all classes are to be predicted. Sources: Krause et al.
    (RIM), NeurIPS 2010; Liang et al. (SHOT), ICML 2020.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        p = batch.network.head(batch.unlabelled).softmax(-1)
        return _entropy(p).mean(-1) - _entropy(p.mean(-2))


class LabelLautum(Method):
    """Its Lautum twin: term = -L(label; input). Ours.

        L = sum_c pbar_c (log pbar_c - mean_i log p_ic),  pbar = mean_i p_i

    L has no upper bound: one probability near 0 is enough to raise it without end.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        log_p = batch.network.head(batch.unlabelled).log_softmax(-1)
        mean = log_p.exp().mean(-2)
        return (mean * (log_p.mean(-2) - mean.clamp_min(1e-12).log())).sum(-1)


# ------------------------------------------------------------------------------ agree between views


class LautumBetweenViews(Method):
    """Maximise the Lautum information of two views of an input: term = -L(z1; z2), see
    `lautum_between_views`. Ours."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return -lautum_between_views(*self.two_views(batch), self.view_noise)


class MutualInformationBetweenViews(Method):
    """Maximise their mutual information: term = -I(z1; z2). Becker and Hinton, Nature 1992, for
    Gaussian features."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return -mutual_information_between_views(*self.two_views(batch), self.view_noise)


class VICReg(Method):
    """Views agree, every feature varies, and no two features vary alike.

        term = mean (z1 - z2)^2 + v(z1) + v(z2) + (c(z1) + c(z2)) / 25
        v(z) = mean_k max(0, 1 - std z_k) / 2,  c(z) = sum_{k != l} C_kl^2 / k

    C: covariances (n - 1); std of variance + 1e-4. The weights of Bardes, Ponce and LeCun, ICLR
    2022, divided by 25; the features themselves, with no expander behind them.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        z1, z2 = self.two_views(batch)
        term = (z1 - z2).square().mean((-2, -1))
        for z in (z1, z2):
            cov = _covariance(z)
            variance = cov.diagonal(dim1=-2, dim2=-1)
            spread = (1 - (variance + 1e-4).sqrt()).clamp_min(0).mean(-1) / 2
            others = cov.square().sum((-2, -1)) - variance.square().sum(-1)
            term = term + spread + others / (25 * z.shape[-1])
        return term


# ------------------------------------------------------------------------------ match distributions


class MkMMD(Method):
    """Match source and target features: term = unbiased MMD^2 of five Gaussian kernels, see
    `mk_mmd`. Long et al. (DAN), ICML 2015."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return mk_mmd(batch.labelled, batch.unlabelled)


class DeepCORAL(Method):
    """Match second moments: term = |C_s - C_t|^2 / (4 k^2), covariances (n - 1) of the features.
    Sun and Saenko, 2016."""

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        difference = _covariance(batch.labelled) - _covariance(batch.unlabelled)
        return difference.square().sum((-2, -1)) / (4 * batch.features.shape[-1] ** 2)


# ------------------------------------------------------------------------------------ be consistent


class TemporalEnsembling(Method):
    """Agree with your own earlier predictions.

        term = w(t) mean |p - Z / (1 - a^seen)|^2 / C,  Z <- a Z + (1 - a) p,  a = 0.6
        w(t) = (labelled samples / all) exp(-5 (1 - t / T)^2) up to T

    Over all samples, labelled ones too, each augmented anew; a sample counts from the second time
    it is seen, so the first epoch adds nothing, and Z is of earlier steps only. T is ours, 0.27 of
    the steps (80 of 300 epochs). strength is the paper's w_max, 30 there.
    Source: Laine and Aila, arXiv 1610.02242.
    """

    def start(
        self, network: Any, strength: Float[Tensor, " models"], samples: int, classes: int
    ) -> None:
        super().start(network, strength, samples, classes)
        self.ensemble = torch.zeros((len(strength), samples, classes), device=strength.device)
        self.seen = torch.zeros((len(strength), samples), device=strength.device)

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        p = batch.network(batch.view(1.0)).softmax(-1)
        row = torch.arange(len(p), device=p.device)[:, None]
        before, seen = self.ensemble[row, batch.index], self.seen[row, batch.index]
        target = before / (1 - 0.6**seen).clamp_min(0.4)[..., None]
        self.ensemble[row, batch.index] = 0.6 * before + 0.4 * p.detach().float()
        self.seen[row, batch.index] = seen + 1
        ramp = math.exp(-5 * (1 - min(1.0, batch.step / max(1.0, 0.27 * batch.steps))) ** 2)
        share = batch.n_labelled / batch.n_unlabelled
        return share * ramp * ((p - target).square().mean(-1) * (seen > 0)).mean(-1)


class AdaptiveReinforcement(Method):
    """Weak and strong views agree, the surer the more.

        term = mean_i c_i KL(p_i || q_i),  c_i = 1 - H(p_i) / log C

    p from a weakly augmented view (0.5) without gradient, q from a strongly augmented one (2). The
    strengths of the views and c are ours. Source of the idea: Mao et al., Sensors 22:4470, 2022.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        with torch.no_grad():
            p = batch.network(batch.view(0.5, Views.WEAK)).softmax(-1)
        sure = 1 - _entropy(p) / math.log(p.shape[-1])
        log_q = batch.network(batch.view(2.0, Views.STRONG)).log_softmax(-1)
        return (sure * (-(p * log_q).sum(-1) - _entropy(p))).mean(-1)


class AdaptiveKnowledgeConsistency(Method):
    """Stay close to the source network where it is sure.

        term = mean over kept samples of |z - z_source|^2, both of length 1

    Kept: samples, labelled or not, on which the source network's prediction has an entropy of at
    most 0.7 log C. Source: Abuduweili et al., CVPR 2021, arXiv 2103.02193 (AKC).
    """

    def start(
        self, network: Any, strength: Float[Tensor, " models"], samples: int, classes: int
    ) -> None:
        super().start(network, strength, samples, classes)
        self.source = copy.deepcopy(network).requires_grad_(False)

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        with torch.no_grad():
            z = self.source.features(batch.inputs)
            kept = _is_sure(self.source.head(z).softmax(-1))
        distance = (F.normalize(batch.features, dim=-1) - F.normalize(z, dim=-1)).square().sum(-1)
        return (distance * kept).sum(-1) / kept.sum(-1).clamp_min(1)


class AdaptiveRepresentationConsistency(Method):
    """Features of labelled and unlabelled samples have one distribution.

        term = biased MMD^2,  kernel exp(-mean_k (z - z')^2)

    Of the samples on which this network's entropy is at most 0.7 log C; each side is filled up to
    128 with the latest earlier ones, which carry no gradient. The weight grows linearly over 100
    steps. Source: arXiv 2103.02193 (ARC; strength 50 there).
    """

    def start(
        self, network: Any, strength: Float[Tensor, " models"], samples: int, classes: int
    ) -> None:
        super().start(network, strength, samples, classes)
        self.earlier: list[tuple[Tensor, Tensor] | None] = [None, None]

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        sides = []
        for side, z in enumerate((batch.labelled, batch.unlabelled)):
            kept = _is_sure(batch.network.head(z).detach().softmax(-1))
            before = self.earlier[side]
            if before is not None:
                z, kept = torch.cat((z, before[0]), 1), torch.cat((kept, before[1]), 1)
            surest = kept.argsort(dim=-1, descending=True, stable=True)[
                :, : max(128, batch.features.shape[1])
            ]
            latest = surest[:, :128]
            row = torch.arange(len(z), device=z.device)[:, None]
            self.earlier[side] = z[row, latest].detach(), kept[row, latest]
            sides.append((z[row, surest], kept[row, surest]))
        (x, w), (y, v) = ((z, kept / kept.sum(-1, keepdim=True).clamp_min(1)) for z, kept in sides)
        total = torch.zeros_like(w[:, 0])
        for (a, of_a), (b, of_b), sign in (
            ((x, w), (x, w), 1),
            ((y, v), (y, v), 1),
            ((x, w), (y, v), -2),
        ):
            kernel = (-_squared_distances(a, b) / a.shape[-1]).exp()
            total = total + sign * (of_a[:, None] @ kernel @ of_b[..., None])[:, 0, 0]
        both = (w.sum(-1) > 0) & (v.sum(-1) > 0)
        return min(1.0, (batch.step + 1) / 100) * torch.where(both, total, torch.zeros_like(total))


class ContrastiveRegularization(Method):
    """Clusters of pseudo-labels attract and repel: a supervised contrastive loss.

        term = -mean_i mean_{j in P_i} log( exp(s_ij / 0.1) / sum_{l sure, l != i} exp(s_il / 0.1) )

    s: products of features of length 1. P_i: the sure samples (max p of 0.8 or more) with the
    pseudo-label of i; every sample, sure or not, is an i. Temperature and threshold are ours.
    Source: Lee, Kim, Kim, Cheon, Cho, Han, CVPRW 2022, arXiv 2201.06247.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        z = F.normalize(batch.unlabelled, dim=-1)
        top, label = batch.network.head(batch.unlabelled).detach().softmax(-1).max(-1)
        other = ~torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
        sure = (top >= 0.8)[:, None] & other
        alike = (sure & (label[:, :, None] == label[:, None])).to(z)
        similar = (z @ z.mT) / 0.1
        highest = similar.detach().amax(-1, keepdim=True)
        log_sum = ((similar - highest).exp() * sure).sum(-1, keepdim=True).clamp_min(
            1e-12
        ).log() + highest
        partners = alike.sum(-1)
        loss = -((similar - log_sum) * alike).sum(-1) / partners.clamp_min(1)
        return loss.sum(-1) / (partners > 0).sum(-1).clamp_min(1)


# ------------------------------------------------------------------------------ take the domain out


class TaskNuisanceFiltration(Method):
    """Small, independent, smooth target features, in three terms of equal weight (ours).

        term = mean z^2 / 2                              the rate of a Gaussian bottleneck
             - mean_k (E log cosh s_k - 0.3746)^2        negentropy: independent components
             + |f(x + noise) - z|^2 / |z|^2              consistency under small noise

    s: the whitened features; the bottleneck has a noise of its own, up to a constant. Inspired by
    Uliel and Giryes, 2025 (DOI 10.1109/OJSP.2025.3536850); the form is ours.
    """

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        z = batch.unlabelled
        centred = z - z.mean(-2, keepdim=True)
        cov = _covariance(z)
        diagonal = cov.diagonal(dim1=-2, dim2=-1)
        noise = 1e-2 * diagonal.detach().mean(-1, keepdim=True) + 1e-6
        chol, _ = torch.linalg.cholesky_ex(cov + torch.diag_embed(noise.expand_as(diagonal)))
        s = torch.linalg.solve_triangular(chol, centred.mT, upper=False)
        log_cosh = F.softplus(2 * s) - s - math.log(2)
        negentropy = (log_cosh.mean(-1) - 0.37457).square().mean(-1)
        viewed = batch.network.features(batch.view(0.5))
        smooth = (viewed - z).square().sum((-2, -1)) / z.square().sum((-2, -1)).clamp_min(1e-6)
        return z.square().mean((-2, -1)) / 2 - negentropy + smooth


class MultipleLayerNormalization(InformationMaximisation):
    """A layer normalization for each domain, all else shared.

        h <- h + w (gain_d N(h) + offset_d - h),  w = min(1, strength)
        term = 0.1 (mean_i H(p_i) - H(mean_i p_i))

    The source's is learnt with its labels, the target's with the term and in stage two, where all
    samples are the target's. The idea: MLN-net (Wang et al., 2023), for labelled domains; w and
    the term are ours.
    """

    def start(
        self, network: Any, strength: Float[Tensor, " models"], samples: int, classes: int
    ) -> None:
        super().start(network, strength, samples, classes)
        network.normalize(strength.clamp(max=1))

    def term(self, batch: Batch) -> Float[Tensor, " models"]:
        return 0.1 * super().term(batch)


# -------------------------------------------------------------------------------------------- names

_BOTH_STAGES: dict[str, type[Method]] = {
    "standard": Method,
    "lautum": Lautum,
    "mutual_information": MutualInformation,
    "mutual_information_maximised": MaximisedMutualInformation,
    "information_maximisation": InformationMaximisation,
    "label_lautum": LabelLautum,
    "lautum_between_views": LautumBetweenViews,
    "mutual_information_between_views": MutualInformationBetweenViews,
    "vicreg": VICReg,
}
_STAGE_ONE_ONLY: dict[str, type[Method]] = {
    "mk_mmd": MkMMD,
    "deep_coral": DeepCORAL,
    "task_nuisance_filtration": TaskNuisanceFiltration,
    "multiple_layer_normalization": MultipleLayerNormalization,
}
_STAGE_TWO_ONLY: dict[str, type[Method]] = {
    "temporal_ensembling": TemporalEnsembling,
    "adaptive_reinforcement": AdaptiveReinforcement,
    "adaptive_knowledge_consistency": AdaptiveKnowledgeConsistency,
    "adaptive_representation_consistency": AdaptiveRepresentationConsistency,
    "contrastive_regularization": ContrastiveRegularization,
}
METHODS = (*_BOTH_STAGES, *_STAGE_ONE_ONLY)
STAGE_TWO_METHODS = (*_BOTH_STAGES, *_STAGE_TWO_ONLY)
_CLASSES = _BOTH_STAGES | _STAGE_ONE_ONLY | _STAGE_TWO_ONLY


def make_regularizer(
    name: str, inputs: Tensor, n_components: int, ridge: float
) -> LautumRegularizer | MutualInformationRegularizer:
    """What the method called `name` measures dependence with (Lautum information but for I), for
    unlabelled inputs (n, ...). n_components: 0 is all that there are.

    With all of them the value is that of the inputs themselves, for it does not see an invertible
    linear map of them.
    """
    n_components = n_components or min(len(inputs) - 1, math.prod(inputs.shape[1:]))
    if control_of(name) == "mutual_information":
        return MutualInformationRegularizer(inputs, n_components, ridge)
    return LautumRegularizer(inputs, n_components, ridge)


def control_of(name: str) -> str:
    """The method that at weight 0 learns and measures what the one called `name` does at weight 0:
    only I is measured in another way, and nothing is learnt from either."""
    return "mutual_information" if name.startswith("mutual_information") else "standard"


def make_method(
    name: str,
    regularizer: LautumRegularizer | MutualInformationRegularizer | None = None,
    views: str = "warped",
    view_noise: float = NOISE,
    decay: float = 0.0,
) -> Method:
    """A new method called `name`, with no memory of earlier steps; the regularizer and the decay of
    its covariances are for those that measure dependence, the name of a view and its noise for
    those that compare views. ValueError: an unknown name, a decay of 1 or more."""
    if name not in _CLASSES:
        raise ValueError(f"method needs to be one of {', '.join(_CLASSES)}, got {name!r}.")
    if views not in VIEWS:
        raise ValueError(f"views needs to be one of {', '.join(VIEWS)}, got {views!r}.")
    return _CLASSES[name](regularizer, views, view_noise, decay)


def _entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum(-1)


def _is_sure(p: Tensor) -> Tensor:
    """1 where the entropy is at most 0.7 log C, else 0."""
    return (_entropy(p) <= 0.7 * math.log(p.shape[-1])).to(p)


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(-2, keepdim=True)
    return centred.mT @ centred / (x.shape[-2] - 1)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Of all pairs, without the rounding of a large common offset."""
    offset = x.detach().mean(-2, keepdim=True)
    x, y = x - offset, y - offset
    return (
        x.square().sum(-1)[..., None] + y.square().sum(-1)[..., None, :] - 2 * x @ y.mT
    ).clamp_min(0)
