# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 10 · Limits and open questions
#
# Here we press on the weak places of the idea: what the ridge really measures, why Lautum information is also a price, what the Gaussian value cannot see, and where the
# regularizer does harm. Five projects at the end start from a number each.

# %% tags=["parameters"]
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 4  # networks for each setting; an interval needs 2 or more
steps = 100  # of stage one, on the source
shift = "label_part_swap"  # or "none", or one of shifts.SHIFTS: "rotation", "blur", "noise", ...
labels = 200  # labelled target samples in the trainings: 50, 100, 200 or 400, as recorded
weight = 1e-3  # of the regularizer, where one is compared with none; one of the recorded ones
images = 1000  # target images on which the dependence of features and inputs is measured
samples = 3000  # pairs for a neural estimate: half to train it, half to score it
worlds = 100  # random worlds in which L(W;X) is pushed up
results_path = ""  # where to write the results of the trainings as JSON; "" writes nothing

# %%
import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import display
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from lautum_pages.page_10 import draw_channel, draw_paradox, draw_price_along_gamma, draw_pushed
from lautum_pages.page_10_harm import (
    draw_bounds,
    draw_gains_by_shift,
    draw_headroom,
    draw_pairs,
    draw_read_outs,
)
from lautum_utils import (
    Batches,
    Experiment,
    Explorer,
    FiniteWorld,
    LautumRegularizer,
    Results,
    batch_covariance,
    canonical_correlations,
    gaussian_lautum_information,
    gaussian_mutual_information,
    grid,
    interval,
    lautum_information,
    load_transfer_task,
    make_method,
    make_optimizer,
    mutual_information,
    read_record,
    run,
    save_results,
    train,
)
from lautum_utils.training.batches import Samples
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.layers import StackedLinear
from lautum_utils.training.networks import MLP
from lautum_utils.training.probes import fit_probe
from lautum_utils.widgets.figures import new_figure
from lautum_utils.widgets.plots import gains

where = resolve_device(device)
everything = Results()  # of all trainings by `run`


def agree(name, value, wanted):
    """Print the largest difference, relative to 1 + |wanted|."""
    value, wanted = (torch.as_tensor(v, dtype=torch.float64, device="cpu") for v in (value, wanted))
    difference = ((value - wanted).abs() / (1 + wanted.abs())).max().item()
    print(f"{name:62} {difference:.0e}   < 1e-12: {difference < 1e-12}")


# %% [markdown]
# ## 1 · The deterministic-map paradox
#
# A trained network is a function: $z = f(x)$. The pair $(z, x)$ lives on a graph, a set without volume, while the product of the marginals covers everything around it. So the Lautum information that we
# set out to maximise is infinite *before* we train, and so is $I$ if $x$ is continuous.
#
# We watch it happen: $x$ standard normal, $z = x + \sigma e$, both cut into $m$ equally likely bins. **Predict:** what do $I$ and $L$ do as the bins get finer, for $\sigma > 0$ and for $\sigma = 0$?


# %%
# Tables: x at 2048 quantiles, the probability of each bin of z from the normal distribution.
def below(v):
    """P(normal < v), without cancellation in the tails."""
    return torch.special.erfc(-v / math.sqrt(2)) / 2


def binned(sigma, bins):
    """The table of probabilities of the bins of x and of z = x + sigma e."""
    if sigma == 0:
        return torch.eye(bins, dtype=torch.float64, device="cpu") / bins
    x = torch.special.ndtri((torch.arange(2048, dtype=torch.float64) + 0.5) / 2048)
    edges = torch.special.ndtri(torch.linspace(0, 1, bins + 1, dtype=torch.float64))
    low, high = (
        (e * math.sqrt(1 + sigma**2) - x[:, None]) / sigma for e in (edges[:-1], edges[1:])
    )
    table = torch.where(low > 0, below(-low) - below(-high), below(high) - below(low))
    return (table / len(x)).unflatten(0, (bins, -1)).sum(1)


bins = [2, 4, 8, 16, 32, 64, 128, 256]
tables = {sigma: [binned(sigma, m) for m in bins] for sigma in (1.0, 0.4, 0.2, 0.0)}
binned_i = {sigma: [float(mutual_information(t)) for t in tables[sigma]] for sigma in tables}
binned_l = {sigma: [float(lautum_information(t)) for t in tables[sigma]] for sigma in tables}

sigma = torch.logspace(-2, 0.5, 40, dtype=torch.float64)  # and without bins
one = torch.ones_like(sigma)
covariance = torch.stack((one, one, one, 1 + sigma**2), -1).unflatten(-1, (2, 2))
mutual, lautum = (
    f(covariance, 1) for f in (gaussian_mutual_information, gaussian_lautum_information)
)
agree("Gaussian pair: I = log(1 + 1/σ²) / 2", mutual, torch.log1p(sigma**-2) / 2)
agree("Gaussian pair: L = 1/σ² - I", lautum, sigma**-2 - mutual)
draw_paradox(bins, binned_i, binned_l, sigma, mutual, lautum)

# %% [markdown]
# Both are finite only for as long as there is noise (thin lines: the values without bins), and they leave at different speeds: $I$ like $-\log\sigma$, $L$ like $1/\sigma^2$.
#
# ### With noise, I + L is known before we look
#
# The ridge adds such noise. Notebook [03](03_gaussian_lautum.ipynb) shows that $\varepsilon m$ on the diagonal of $\Sigma_z$ ($m$ the mean variance of the $k$ coordinates of $z$) *is* noise $e \sim N(0, s^2)$ on each, with $s^2 = \varepsilon m$. What is the *true* $L$ of that
# noisy channel $y = f(x) + e$, for any $f$ and any distribution of $x$? As for the Gibbs learner in notebook [02](02_the_loss_bound.ipynb), what depends on $y$ alone has the same mean under joint and product and cancels:
#
# $$I(y;x) + L(y;x) = \mathbb E_{P_{xy}} \log p(y|x) - \mathbb E_{P_x P_y} \log p(y|x) = \frac{\mathbb E_{P_xP_y}|y - f(x)|^2 - \mathbb E_{P_{xy}}|y - f(x)|^2}{2 s^2} = \frac{\operatorname{tr}\Sigma_z}{s^2} = \frac{k}{\varepsilon}.$$
#
# So **$I + L = k/\varepsilon$, whatever the network does**: its weights cannot change it. Checked by quadrature, where $x$ takes a dozen values and $z$ is a number:

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(0)
sums, wanted, parts = [], [], []
for _ in range(20):
    f = 2 * torch.randn(12, generator=generator, dtype=torch.float64)  # any map at all
    ridge = 0.02 + torch.rand((), generator=generator, dtype=torch.float64)
    s = (ridge * f.var(correction=0)).sqrt()
    low, high = (f.min() - 12 * s).item(), (f.max() + 12 * s).item()
    y = torch.linspace(low, high, 4001, dtype=torch.float64)
    log_p = -((y - f[:, None]) ** 2) / (2 * s**2)  # log p(y|x), up to what cancels
    log_p = log_p - log_p.logsumexp(1, keepdim=True)
    log_mean = log_p.logsumexp(0) - math.log(12)
    i = (log_p.exp() * (log_p - log_mean)).sum(1).mean()
    lautum_of_channel = (log_mean.exp() * (log_mean - log_p)).sum(1).mean()
    parts.append((i.item(), lautum_of_channel.item()))
    sums.append(i + lautum_of_channel)
    wanted.append(1 / ridge)
agree_within = max(abs(a - b) / b for a, b in zip(sums, wanted)).item()
print("20 maps of 12 values, ridges 0.02 to 1: I + L = 1/ε up to 1e-10:", agree_within < 1e-10)
for (i, value), total in list(zip(parts, wanted))[:3]:
    print(f"I {i:.3f} + L {value:.3f} = {i + value:.3f}   1/ε = {total:.3f}")

# %% [markdown]
# Two consequences, and they are uncomfortable:
#
# 1. The true $L(f(x)+e;\,x)$ is $k/\varepsilon - I$. Whoever *maximises* it *minimises* $I(f(x)+e;\,x)$: the features that it likes best say least.
# 2. The regularizer does not compute that. It computes the Gaussian value. With $\Sigma_\text{lin}$ the part of $\Sigma_z$ that is linear in the inputs $u$, and $\Sigma_\text{rest} = \Sigma_z - \Sigma_\text{lin} \succeq 0$, its $I + L$ is
#
# $$\operatorname{tr}\left[(\Sigma_\text{rest} + s^2 \mathbb 1)^{-1}\, \Sigma_\text{lin}\right] \;\le\; \frac{k}{\varepsilon}, \qquad \text{with equality only where } f \text{ is linear in } u.$$
#
# ($u$: the 64 whitened components of the inputs.) To the Gaussian value, *what is nonlinear in $u$ counts as noise*. We train networks on the source, half of them with the regularizer, and let $x$ be one of the target images at random. **Predict:** (1) Which part of $k/\varepsilon$ does the Gaussian value
# reach without the regularizer, and with it? (2) Does the true $L$ rise or fall with the regularizer?


# %%
task = load_transfer_task("digits", "letters", shift, 1.0, device=where, labelled=800)
regularizer = LautumRegularizer(task.unlabelled, n_components=64, ridge=1e-2)
projected = regularizer.project(task.unlabelled)
strength = torch.tensor([0.0] * seeds + [weight] * seeds, device=where)
g = len(strength)  # networks, trained side by side, all on the same batches
network = MLP(tuple(task.source.inputs.shape[1:]), 10, [*range(seeds)] * 2).to(where)

generator = torch.Generator().manual_seed(0)
sizes = (len(task.source), 64), (len(task.unlabelled), 256)
rows = [[torch.randint(n, (b,), generator=generator) for n, b in sizes] for _ in range(steps)]
source_rows, unlabelled_rows = (torch.stack(of)[None].to(where) for of in zip(*rows))
batches = Batches(
    network,
    Samples(task.source.inputs[None], task.source.labels[None], source_rows),
    Samples(task.unlabelled[None], projected[None], unlabelled_rows),
    torch.zeros(g, dtype=torch.long, device=where),  # the task of each network: there is one
    [*range(seeds)] * 2,
    [regularizer],
)
method, optimizer = make_method("lautum", regularizer), make_optimizer(network, 3e-3)
for _ in train(network, optimizer, batches, method, strength, range(steps)):
    pass


# %%
@torch.no_grad()
def features(inputs):
    """(networks, n, k), on the CPU, in double precision."""
    return network.features(inputs.expand(g, *inputs.shape)).cpu().double()


def halves(values):
    """The values of the networks without, and of those with the regularizer."""
    return values[:seeds], values[seeds:]


z, u = features(task.unlabelled[:images]), projected[:images].cpu().double().expand(g, -1, -1)
k, r, ridge = z.shape[-1], u.shape[-1], 1e-2
# The ridge as noise, on these features: map (z, u, e), e independent of both, to (z + e, u).
plain, ridged = batch_covariance(z, u, 0.0), batch_covariance(z, u, ridge)
variance = ridge * plain.diagonal(dim1=1, dim2=2)[:, :k].mean(-1)
unit = torch.eye(k, dtype=z.dtype, device=z.device)
joint = torch.zeros(g, 2 * k + r, 2 * k + r, dtype=z.dtype)
joint[:, : k + r, : k + r] = plain
joint[:, k + r :, k + r :] = variance[:, None, None] * unit
add = torch.eye(k + r, 2 * k + r, dtype=z.dtype, device=z.device)
add[:k, k + r :] = unit
with_noise, with_ridge = (
    gaussian_lautum_information(cov, k) for cov in (add @ joint @ add.mT, ridged)
)
agree("real features: L with the ridge = L of (z + e, u)", with_ridge, with_noise)
top = canonical_correlations(ridged, k)[:, 0].square()
loudest = torch.linalg.eigvalsh(plain[:, :k, :k])[:, -1]
print("largest ρ² <= v / (v + ε m):", bool((top <= loudest / (loudest + variance) + 1e-12).all()))

# An invertible map of z: one live feature of network 0 becomes ten times as loud.
live = z[0][:, z[0].std(0) > 0.01 * z[0].std()]
louder = torch.cat((10 * live[:, :1], live[:, 1:]), 1)
for ridge in (0.0, 1e-2):
    values = [
        gaussian_lautum_information(batch_covariance(v, u[0], ridge), live.shape[1])
        for v in (live, louder)
    ]
    print(f"a feature ten times as loud, ridge {ridge:g}: L {values[0]:.2f} → {values[1]:.2f} nats")


# %%
# Gaussian values in closed form; the true I from noisy features, with the same noise for all networks.
def true_information(z, ridge):
    """I in nats of y = z + noise and x, x one of the images at random: the mean of log p(y|x)/p(y), a y for each image."""
    s2 = ridge * z.var(1, correction=0).mean(-1)[:, None, None]
    noise = torch.Generator().manual_seed(1)
    noise = torch.randn(z.shape[1:], generator=noise, dtype=z.dtype, device="cpu")
    distances = torch.cdist(z + s2.sqrt() * noise, z).square() / (2 * s2)
    own = distances.diagonal(dim1=1, dim2=2)
    return (math.log(z.shape[1]) - own - (-distances).logsumexp(-1)).mean(-1)


def measured(ridge):
    """What a ridge makes of the features, a value for each network."""
    cov = batch_covariance(z, u, ridge)
    gauss_i, gauss_l = gaussian_mutual_information(cov, k), gaussian_lautum_information(cov, k)
    true_i = true_information(z, ridge)
    values = {"Gaussian I": gauss_i, "Gaussian L": gauss_l}
    values |= {"true I": true_i, "true L": k / ridge - true_i}
    return values | {"part of k/ε": (gauss_i + gauss_l) * ridge / k}


at_ridge = {ridge: measured(ridge) for ridge in (1e-3, 1e-2, 0.1, 1.0, 10.0)}
changes = {}
for ridge in (1e-2, 1.0, 10.0):
    print(
        f"ridge {ridge:g}, k/ε = {k / ridge:g} nats; weight 0 → {weight:g}, mean of {seeds} seeds"
    )
    for name, value in at_ridge[ridge].items():
        before, after = halves(value)
        change = changes[ridge, name] = interval((after - before).tolist())
        print(f"   {name:11} {before.mean():9.3f} → {after.mean():9.3f}   change {change}")

names = ("weight 0", f"weight {weight:g}")
curves = {"part of k/ε": {}, "true I": {}}  # by network, then by ridge
for quantity, number in itertools.product(curves, (0, 1)):
    curves[quantity][names[number]] = {
        ridge: halves(values[quantity])[number].mean().item() for ridge, values in at_ridge.items()
    }
percent = {
    name: {e: 100 * v for e, v in curve.items()} for name, curve in curves["part of k/ε"].items()
}
shown = {name: changes[1.0, name] for name in ("Gaussian I", "Gaussian L", "true I", "true L")}
draw_channel(percent, curves["true I"], shown, weight, images)

# %% [markdown]
# The identity leaves no room: where the regularizer has made the features more informative ($I$ of the noisy channel, at the ridges of 1 and 10, where $\log n$ does not hide it), their *true* $L$ is lower by exactly as much. What rises is the Gaussian value, to 99 % of its bound: the features become
# **linear** in the 64 components, and (with $I$ up) more informative too. That may well be what helps a linear probe. But "maximise the Lautum information of features and inputs" is not what happens.
#
# Without a ridge an invertible map of $z$ changes nothing; with one, making a single feature louder changes $L$. The ridge decides what the value *means*: it is the noise level of the channel, in units of a mean variance that the network itself sets.
#
# <details><summary><b>Ask yourself:</b> the features are a deterministic map. Why is their Gaussian value at weight 0 finite even at the smallest ridge?</summary>
#
# Because ReLU features are not linear in the 64 components $u$. The part that is not linear counts as noise, and bounds the correlations below 1.
#
# </details>
#
# ## 2 · The Gibbs tension
#
# For a Gibbs learner that weighs a source loss by $1-a$ and a target loss by $a$ (notebook [02](02_the_loss_bound.ipynb)),
#
# $$\text{target test} - \text{target train} = \frac{I(W;S_t|S_s) + L(W;S_t|S_s)}{a\,\gamma}.$$
#
# Here Lautum information is a **price**. The regularizer's story wants a large $L(W;X)$. The two differ in what $W$ is paired with: a whole labelled dataset $S_t$; one labelled example, $L(W;Z) = L(W;X) + L(W;Y|X)$; or only its input, $L(W;X)$.
# **Predict:** as $\gamma$ grows, the learner trusts its data more. Can $L(W;X)$ rise while the price stays where it is?

# %%
N_SOURCE, GAMMAS = 2, (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
RULE = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], dtype=torch.float64, device="cpu") / 3
OTHER = torch.tensor([[0.05, 0.55], [0.3, 0.0], [0.1, 0.0]], dtype=torch.float64, device="cpu")
LABELLINGS = torch.cartesian_prod(*[torch.arange(2)] * 3)  # all eight, each sure up to 0.9
TARGET = FiniteWorld(RULE, 0.1 + 0.8 * F.one_hot(LABELLINGS, 2).double())


@cache
def along_gamma(target_examples, target_weight):
    """The Gibbs learner at each gamma; half of the source's probability follows another rule."""
    source = (RULE + OTHER) / 2
    return [
        TARGET.transfer(source, N_SOURCE, target_examples, gamma, target_weight) for gamma in GAMMAS
    ]


def lautum_terms(learned):
    """L(W;Z), L(W;X) and R, from the cut of the test loss in which L(W;X) has a minus."""
    terms = learned.test_terms()["inputs, minus"]
    return terms["+L(W;Z)"], -terms["-L(W;X)"], terms["R"]


def draw_price(gamma=8.0, target_examples=2, target_weight=0.5):
    """Left: the gap of test and training loss on the target, made of I and L. Right: L of the hypothesis and a dataset, an example,
    an input alone; nats, against the inverse temperature, the chosen one marked."""
    path = along_gamma(target_examples, target_weight)
    curves = {
        "L(W;S), the price": [one.lautum_information for one in path],
        "L(W;Z)": [lautum_terms(one)[0] for one in path],
        "L(W;X)": [lautum_terms(one)[1] for one in path],
    }
    return draw_price_along_gamma(path, curves, GAMMAS, GAMMAS.index(gamma))


explorer_price = Explorer(
    draw_price,
    gamma=list(GAMMAS),
    target_examples=(1, 4, 1),
    target_weight=(0.25, 1.0, 0.25),
)
explorer_price

# %%
everywhere = [one for n in range(1, 5) for a in (0.25, 0.5, 0.75, 1.0) for one in along_gamma(n, a)]
agree(
    f"gap = (I + L) / (a γ) in {len(everywhere)} settings",
    [one.test_loss - one.train_loss for one in everywhere],
    [one.gibbs_gap for one in everywhere],
)
both = [(one.mutual_information, one.lautum_information) for one in everywhere]
shares = [b / (a + b) for a, b in both]
print(f"Lautum's share of the gap: {min(shares):.1%} to {max(shares):.1%}")
rising = []
for start in range(0, len(everywhere), len(GAMMAS)):
    path = everywhere[start : start + len(GAMMAS)]
    path = [(one.lautum_information, *lautum_terms(one)[:2]) for one in path]
    rising.append(torch.tensor(path, dtype=torch.float64, device="cpu").diff(dim=0).gt(0).all(0))
for name, count in zip(("L(W;S)", "L(W;Z)", "L(W;X)"), torch.stack(rising).sum(0).tolist()):
    print(f"{name} rises all the way along γ in {count} of {len(rising)} settings")
draw_price(gamma=32.0, target_examples=4, target_weight=1.0)

# %% [markdown]
# Along $\gamma$ nobody can have the one without the other: while $L(W;X)$ rises, the price rises too, and Lautum's share of the gap with it. Where $L(W;X)$ stops, the price goes on.
#
# But $\gamma$ is not the knob that the regularizer turns. Let us turn one on purpose: in random worlds with random hypotheses, take the uniform prior and move it a small step in the direction that raises $L(W;X)$ *the fastest*. **Predict:** in how many worlds does the test loss fall?


# %%
# The gradient of L(W;X) with respect to the logits of the prior, by differences; then a step of length 0.5.
def pushed_up(generator):
    """A learner, and the same after its prior moved up the gradient of L(W;X)."""
    w, x, y = (int(torch.randint(2, 5, (), generator=generator)) for _ in range(3))
    p = torch.rand(x, y, generator=generator, dtype=torch.float64)
    f = torch.softmax(2 * torch.randn(w, x, y, generator=generator, dtype=torch.float64), -1)
    gamma = 2 + 10 * torch.rand((), generator=generator).item()

    def learner(logits):
        return FiniteWorld(p / p.sum(), f, logits.softmax(0)).learn(2, gamma)

    def value(logits):
        return lautum_terms(learner(logits))[1]

    start, tiny = torch.zeros(w, dtype=torch.float64), 1e-4
    directions = torch.eye(w, dtype=torch.float64, device="cpu")
    slope = start.new_tensor([value(tiny * e) - value(-tiny * e) for e in directions])
    return learner(start), learner(0.5 * slope / slope.norm())


def quantities_of(learned):
    """The losses, and what the test loss is made of."""
    of_z, of_x, rest = lautum_terms(learned)
    losses = {"test loss": learned.test_loss, "training loss": learned.train_loss}
    return losses | {"L(W;Z)": of_z, "L(W;X)": of_x, "R": rest}


generator = torch.Generator().manual_seed(0)
pushed = [pushed_up(generator) for _ in range(worlds)]
pushed = [(a, b) for a, b in pushed if lautum_terms(b)[1] > lautum_terms(a)[1] + 1e-6]
before, after = (pd.DataFrame(map(quantities_of, learners)) for learners in zip(*pushed))
changes = after - before
of_test, of_x = changes["test loss"], changes["L(W;X)"]
for word, number in (("falls", of_test.argmin()), ("rises", of_test.argmax())):
    print(f"the world where the test loss {word} the most:")
    for when, one in zip(("before", "after"), pushed[number]):
        terms = one.test_terms()["inputs, minus"]
        text = "  ".join(f"{name} {value:+.4f}" for name, value in terms.items())
        print(f"   {when:6} test {one.test_loss:.4f} = {text}")
rises = (changes["training loss"] > 0).sum()
print(f"the training loss rises in {rises} of {len(pushed)} worlds")
together = spearmanr(of_x, of_test).statistic
print(f"rank correlation of the rises of L(W;X) and of the test loss: {together:+.2f}")
draw_pushed(changes)

# %% [markdown]
# No identity grants that $L(W;Z)$ or $R$ stays where it is while $L(W;X)$ is pushed up, and they do not. Even steepest ascent of $L(W;X)$ raises the test loss more often than it lowers it. What differs in the real training: there the inputs are unlabelled, $z$ stands in for $W$, and the
# cross-entropy holds the hypothesis in place. So a regularizer that helps has to be shown to help, by experiment.
#
# ## 3 · What the Gaussian value misses
#
# Five pairs, one of them Gaussian; in the others, $u$ and $z$ are uncorrelated. $z = c(u) + w(u)\, e$ with a normal $e$; in *circle*, a coin gives the sign of $c$; in *product*, $c = u_1 u_2$ (a smooth XOR). Beside the Gaussian value:
#
# - **Kernel.** HSIC with a Gaussian kernel of median width, normalised to $[0,1]$, with the $p$ value of 199 permutations. It tells *whether* there is dependence, not how many nats.
# - **Neural.** For any function $T(u,z)$, $\;L \ge \mathbb E_\text{product} T - \log \mathbb E_\text{joint}\, e^{T}$ (Donsker and Varadhan; for $I$ the two measures are swapped). A small MLP learns to tell shuffled pairs from true ones on one half of the samples;
#   its logit is $T$, and the bound is computed on the other half.
# - **True.** By summation on a grid. Where only the centre moves, section 1 gives a check: $I + L = \operatorname{var}(c)/w^2$, here 1.5.
#
# **Predict:** which of the four nonlinear pairs does the kernel find, and how near does the neural bound come? In the second figure, pairs are Gaussian, so that we know the answer, and $L$ grows as large as the regularizer makes it: what does
# the bound say where the truth is 22.6 nats? (Squares: a critic that climbs the bound itself, in its form without a logarithm.)


# %%
def still(width):
    return lambda u: torch.full_like(u[..., 0], width)


PAIRS = {  # the centre and the width of z given u; does a coin give the centre's sign?
    "line": (lambda u: u[..., 0], still(1.5**-0.5), False),
    "parabola": (lambda u: u[..., 0] ** 2, still((0.8 / 1.5) ** 0.5), False),
    "product": (lambda u: u[..., 0] * u[..., 1], still(1.5**-0.5), False),
    "circle": (lambda u: (3 - u[..., 0] ** 2).clamp_min(0).sqrt(), still(0.5), True),
    "spread": (lambda u: 0 * u[..., 0], lambda u: (0.6 * u[..., 0]).exp(), False),
}


def sample_pairs(name, n, generator):
    """n pairs: u (n, 2), of which all but the product use the first; z (n, 1) with variance 1."""
    u = 3**0.5 * (2 * torch.rand(n, 2, generator=generator, device="cpu") - 1)
    if name == "line":
        u = torch.randn(n, 2, generator=generator, device="cpu")
    centre, width, coin = PAIRS[name]
    sign = 2.0 * torch.randint(2, (n,), generator=generator, device="cpu") - 1 if coin else 1.0
    z = sign * centre(u) + width(u) * torch.randn(n, generator=generator, device="cpu")
    if name != "product":
        u[:, 1] = 0
    return u, (z / z.std())[:, None]


def true_values(name, points):
    """I and L in nats, where u takes `points` values (the product: that many squared)."""
    p = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    u = torch.special.ndtri(p) if name == "line" else 3**0.5 * (2 * p - 1)
    u = torch.cartesian_prod(u, u) if name == "product" else torch.stack((u, 0 * u), -1)
    centre, width, coin = (PAIRS[name][0](u)[:, None], PAIRS[name][1](u)[:, None], PAIRS[name][2])
    reach = (centre.abs() + 9 * width).max().item()
    z = torch.linspace(-reach, reach, 1201, dtype=torch.float64)
    log_p = -(((z - centre) / width) ** 2) / 2
    if coin:
        log_p = torch.logaddexp(log_p, -(((z + centre) / width) ** 2) / 2)
    log_p = log_p - log_p.logsumexp(1, keepdim=True)
    log_mean = log_p.logsumexp(0) - math.log(len(u))
    information = (log_p.exp() * (log_p - log_mean)).sum(1).mean().item()
    return information, (log_mean.exp() * (log_mean - log_p)).sum(1).mean().item()


# %%
def gram(x):
    """A centred Gaussian kernel matrix of median width."""
    d = torch.cdist(x, x).square()
    kernel = torch.exp(-d / d[d > 0].median())
    kernel = kernel - kernel.mean(0)
    return kernel - kernel.mean(1, keepdim=True)


def hsic(x, y, generator, permutations=199):
    """Normalised HSIC, and its p value among permutations of y."""
    a, b = gram(x), gram(y)
    shuffles = [
        torch.randperm(len(x), generator=generator, device="cpu") for _ in range(permutations)
    ]
    null = torch.stack([(a * b[s][:, s]).sum() for s in shuffles])
    value = (a * b).sum()
    p = (1 + int((null >= value).sum())) / (1 + permutations)
    return (value / (a.norm() * b.norm())).item(), p


def neural_lautum(u, z, direct=False, rounds=150):
    """A lower bound of L in nats for each of m pairs, u (m, n, d) and z (m, n, k): trained on half of n, scored on the rest.

    direct: the critic climbs the bound itself (in its form without a logarithm) in place of telling the two measures apart.
    """
    m, half = len(u), u.shape[1] // 2
    sizes = (u.shape[2] + z.shape[2], 32, 32, 1)
    seeded = [torch.Generator().manual_seed(i) for i in range(m)]
    layers = torch.nn.ModuleList(
        StackedLinear(inputs, outputs, seeded) for inputs, outputs in itertools.pairwise(sizes)
    )

    def critic(u, z):
        h = F.relu(layers[0](torch.cat((u, z), -1)))
        return layers[2](F.relu(layers[1](h)))[..., 0]

    optimizer = torch.optim.Adam(layers.parameters(), lr=5e-3)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)
    generator = torch.Generator().manual_seed(0)
    for _ in range(rounds):
        i, j = torch.randint(half, (2, min(256, half)), generator=generator, device="cpu")
        joint, product = critic(u[:, i], z[:, i]), critic(u[:, i], z[:, j])
        # At the optimum of either, T = log product / joint.
        told = F.softplus(joint) + F.softplus(-product)
        losses = joint.exp() - product if direct else told
        optimizer.zero_grad()
        losses.mean(1).sum().backward()
        optimizer.step()
        slower.step()
    with torch.no_grad():
        u, z = u[:, half:], z[:, half:]
        joint = critic(u, z)
        product = torch.stack([critic(u, z.roll(by, 1)).mean(1) for by in range(1, 9)]).mean(0)
        return product - joint.logsumexp(1) + math.log(joint.shape[1])


# %%
# Three sets of samples of each of the five pairs, and of Gaussian pairs of growing correlation.
generator = torch.Generator().manual_seed(0)
DRAWS = 3
correlations = (0.6, 0.8, 0.9, 0.95, 0.98)
drawn = [sample_pairs(name, samples, generator) for name in PAIRS for _ in range(DRAWS)]
gaussian = []
for rho in correlations:
    for _ in range(DRAWS):
        x = torch.randn(samples, 2, generator=generator, device="cpu")
        other = rho * x[:, :1] + math.sqrt(1 - rho**2) * x[:, 1:]
        gaussian.append((torch.cat((x[:, :1], 0 * x[:, :1]), 1), other))
bounds = neural_lautum(*(torch.stack(part) for part in zip(*drawn, *gaussian)))
bounds = bounds.unflatten(0, (-1, DRAWS))
neural, neural_gaussian = bounds[: len(PAIRS)], bounds[len(PAIRS) :]
direct = neural_lautum(*(torch.stack(part) for part in zip(*gaussian)), direct=True)
direct = direct.unflatten(0, (-1, DRAWS))
finer = {name: true_values(name, 40 if name == "product" else 400) for name in PAIRS}
coarser = {name: true_values(name, 20 if name == "product" else 200) for name in PAIRS}


found = {}
for number, name in enumerate(PAIRS):
    x, y = drawn[DRAWS * number]
    used, true, bound = x[:, : 1 + (name == "product")], finer[name][1], neural[number]
    cov = batch_covariance(used.double(), y.double(), 0.0)
    gauss = gaussian_lautum_information(cov, used.shape[1]).item()
    value, p = hsic(used[:500], y[:500], generator)
    found[name] = {"true L": true, "Gaussian": gauss, "neural": bound.mean().item()}
    found[name] |= {"HSIC": value, "p": p}
    print(
        f"{name:9} true L {true:.3f} nats   Gaussian {gauss:.3f}   neural {bound.min():.2f} to "
        f"{bound.max():.2f}, {bound.mean() / true:4.0%} of it   HSIC {value:.3f}, p = {p:.3f}"
    )
print(f"line in closed form: {1.5 + math.log(0.4) / 2:.3f} nats")
for name in ("line", "parabola", "product"):
    print(f"{name:9} true I + L = {sum(finer[name]):.3f} nats, var(c)/w² = 1.5")
changed = max(abs(finer[name][1] - coarser[name][1]) for name in PAIRS)
print(f"half as many grid points change no true L by more than {changed:.3f}")
display(draw_pairs(dict(zip(PAIRS, drawn[::DRAWS])), pd.DataFrame(found).T))


t = torch.tensor(correlations, dtype=torch.float64, device="cpu").square()
truth = torch.log1p(-t) / 2 + t / (1 - t)
for rho, true, told, climbed in zip(correlations, truth, neural_gaussian, direct):
    ends = [f"{v.min():5.2f} to {v.max():5.2f}" for v in (told, climbed)]
    print(f"ρ {rho}: true L {true:5.2f}   told apart {ends[0]}   on the bound {ends[1]}")
draw_bounds(
    truth,
    {"trained to tell the measures apart": neural_gaussian, "trained on the bound": direct},
    scored=samples // 2,
)

# %% [markdown]
# The Gaussian value sees the line only. HSIC finds all five (0.005 is the smallest $p$ that 199 permutations can give), but its size is no measure in nats. The neural bound stays below the truth on average, and misses most of *spread*. For large $L$ it is of no use: $e^T$ is averaged over the joint, and is
# largest where samples of the joint hardly ever fall. The critic that climbs the bound itself comes nearer, and scatters. (No lower bound that holds with high confidence for *all* distributions can exceed about the logarithm of the number of samples: McAllester and Stratos. Beyond the dotted line, we owe what is right to the shape of this example.)
#
# ### Does it matter for real features?
#
# At weight 0 nearly all of the features' variance is linear in the components (at ridge 10 the Gaussian value reaches 96 % of its bound), but the small rest is louder than the noise of the training ridge, and keeps the value at 9 % there. Does that rest hold something the Gaussian value and a linear probe miss? Then a nonlinear read-out should find the target's label in the features of
# weight 0. **Predict:** does a support vector machine (Gaussian kernel) close the gap to the regularized network? All settings of the read-outs are chosen on validation data.


# %%
PARTS = ("labelled", "validation", "test")


def labels_of(task, n):
    """Labels of the three parts, the labelled one cut to n."""
    labelled, *others = (getattr(task, name).labels.cpu().numpy() for name in PARTS)
    return labelled[:n], *others


def linear(values, y):
    """Test accuracy of a linear probe; values and labels of the three parts."""
    return fit_probe((values[0][: len(y[0])], y[0]), *zip(values[1:], y[1:])).test_accuracy


def read_outs(z, u, y):
    """Test accuracy of four read-outs of features z; the nonlinear ones see z whitened, the last one sees (z, u)."""
    n = len(y[0])
    live = z[0][:n].std(0) > 1e-3 * z[0][:n].std()
    whiten = PCA(whiten=True, svd_solver="full").fit(z[0][:n, live])
    white = [whiten.transform(part[:, live]) for part in z]
    families = {
        "kernel": [SVC(C=10, gamma=width / white[0].shape[1]) for width in (0.1, 1.0)],
        "neighbours": [KNeighborsClassifier(count) for count in (1, 5, 15)],
    }
    found = {"linear": linear(z, y)}
    for name, family in families.items():
        fitted = [f.fit(white[0][:n], y[0]) for f in family]
        best = max(fitted, key=lambda f: f.score(white[1], y[1]))
        found[name] = best.score(white[2], y[2])
    return found | {"linear, z and u": linear([np.hstack(both) for both in zip(z, u)], y)}


images_of = [getattr(task, name).inputs for name in PARTS]
read = [features(inputs).numpy() for inputs in images_of]
components = [regularizer.project(inputs).cpu().double().numpy() for inputs in images_of]
found, alone = {}, {}
for n in (labels, len(task.labelled)):
    y = labels_of(task, n)
    table = pd.DataFrame([read_outs([part[i] for part in read], components, y) for i in range(g)])
    found[n], alone[n] = dict(zip(names, halves(table))), 100 * linear(components, y)
    for read_out in table:
        before, after = (100 * half[read_out].to_numpy() for half in halves(table))
        gain = interval(after - before)
        print(
            f"{n:4} labels, {read_out:15} {before.mean():5.1f} % → {after.mean():5.1f} %   "
            f"gain {gain.mean:+.1f} [{gain.low:+.1f}, {gain.high:+.1f}] points"
        )
    print(f"{n:4} labels, linear, u alone, no network: {alone[n]:.1f} %")
draw_read_outs(
    found, alone, f"Read-outs of frozen features z ({shift}, {seeds} seeds, 95 % intervals)"
)

# %% [markdown]
# The gap between the networks does not close: a kernel on whitened features does about as well as the linear probe at weight 0, and at weight 0.001 a few points worse (200 labels) or better (800); neighbours do worse. As far as these read-outs can tell, at weight 0 the letter is not hidden in a curve.
#
# The dotted line is the sobering one. A linear probe on the 64 components themselves, **without any network**, is better than one on the regularized features; and beside the components, the features of either network add little or take a little away. On this task the regularizer works by bringing back what is linear in the inputs,
# and who has the inputs can have that for nothing. A method that is to be worth its training has to beat this line.
#
# This is the *reason* for what the tables show. The Gaussian value pays for features that are **linear** in the leading components of the pixels. Features that are so to 99 % hold, for a linear probe,
# what these components hold, and hardly more: no weight lifts such a probe far above a linear classifier on the components. The first picture of notebook [00](00_start_here.ipynb) and the leaderboard of notebook
# [07](07_methods_compared.ipynb) have pixels, principal components, the control's earlier layer and a network from scratch beside all methods; 06 has fine-tuning with care. A method that asks for something
# else than pixels, such as what two views share (07), is not bound by this line; whether it beats it, the same tables say.
#
# ## 4 · Negative transfer
#
# Where does the regularizer harm? The recorded grid behind the playground holds every shift at several severities, with seeds paired. Each cell is the gain over weight 0 in points; bold where the 95 % interval leaves out 0, as by luck alone about one cell in twenty would. (At severity 0 all shifts but the swap are one and the same setting.)
#
# **Predict:** is there more orange (harm) for the probe or for fine-tuning? For which shift is it worst?

# %%
record_of_all = Results(read_record()[0].values())
recorded = record_of_all.where(method="lautum")
PLACE = ["shift", "severity", "protocol", "labels", "strength"]
record = recorded.gain().set_index(PLACE).sort_index()  # over weight 0, paired over seeds
SHIFTS = [name for name in recorded.values("shift") if name != "none"]
SEVERITIES, WEIGHTS = recorded.values("severity"), recorded.values("strength")


def recorded_gains(protocol, labels, strength):
    """The gains of a weight by shift and severity; at severity 0 all shifts but the swap are "none"."""
    settings = {"protocol": protocol, "labels": labels, "strength": strength}
    known = record.xs(tuple(settings.values()), level=tuple(settings))
    rows = {
        (name, v): known.loc[name if v or name == "label_part_swap" else "none", v]
        for name in SHIFTS
        for v in SEVERITIES
    }
    return pd.DataFrame(rows).T.astype(float).rename_axis(["shift", "severity"])


def draw_record(strength=weight, labels=labels, protocol="probe"):
    """What the record says a weight gains, in points, for each shift and severity; orange is harm, purple is gain, bold where the
    interval excludes 0."""
    title = f"Gain of weight {strength:g} in points: {protocol}, {labels} labels (orange: harm)"
    return draw_gains_by_shift(recorded_gains(protocol, labels, strength), title)


explorer_record = Explorer(
    draw_record,
    strength=WEIGHTS[1:],
    labels=recorded.values("labels"),
    protocol=["probe", "finetune"],
)
explorer_record

# %%
for strength, protocol in itertools.product((weight, 10 * weight), ("probe", "finetune")):
    if strength in WEIGHTS:
        found = recorded_gains(protocol, labels, strength)
        known = [(name, v) for name, v in found.index if v or name == "label_part_swap"]
        found = found.loc[known]
        harm, good = (found.high < 0).sum(), (found.low > 0).sum()
        print(
            f"weight {strength:g}, {protocol:8}: interval below 0 in {harm} of {len(found)} settings, "
            f"above in {good}; mean gain {100 * found.gain.mean():+.1f} points"
        )
draw_record(protocol="finetune")

# %% [markdown]
# Fine-tuning is harmed more often than helped; the probe the other way round, and worst of all for inversion near one half, which turns each image into its negative with that probability. There a pixel tells nothing by itself: what helps is the *product* of the polarity and the shape, as in our product above.
#
# That suggests where harm comes from. The regularizer makes features linear in the components. If so, its gain should follow the **headroom**: how many points better (or worse) a linear classifier on the principal components does, without a network, than a probe on the features of weight 0. (The record has it, with as many components as validation data picks.) **Predict:** do headroom and gain go together over the shifts, and is it better at the larger weight?

# %%
places = [(name, v) for name in SHIFTS for v in (0.4, 1.0)]
places += [("label_part_swap", 0.0), ("none", 0.0)]
alone = record_of_all.where(method="components", labels=labels)  # no network
probed = recorded.where(protocol="probe", labels=labels)
beside = {key: [r.where(shift=key[0], severity=key[1]) for r in (alone, probed)] for key in places}
headroom = [100 * ours.against(p.where(strength=0.0)).mean for ours, p in beside.values()]
print(f"headroom above 0 in {sum(h > 0 for h in headroom)} of {len(places)} settings")
by_weight = {}
for strength in (s for s in (weight, 10 * weight) if s in WEIGHTS):
    known = record.xs(("probe", labels, strength), level=("protocol", "labels", "strength"))
    table = 100 * known.loc[places, ["gain", "low"]]
    table = by_weight[strength] = table.assign(headroom=headroom).reset_index()
    rank = spearmanr(table.headroom, table.gain).statistic
    line = np.corrcoef(table.headroom, table.gain)[0, 1]
    print(
        f"weight {strength:g}: headroom and gain correlate by {line:+.2f}, their ranks {rank:+.2f}"
    )
    for row in table[table.headroom.rank().isin([1, len(places)])].itertuples():
        print(
            f"   {row.shift} {row.severity:g}: headroom {row.headroom:+.0f}, gain {row.gain:+.0f}"
        )
beaten = {key: p.where(strength=p.best()).against(ours) for key, (ours, p) in beside.items()}
for word, wanted in (
    ("above", [d.low > 0 for d in beaten.values()]),
    ("below", [d.high < 0 for d in beaten.values()]),
):
    told = [f"{name} {v:g}" for (name, v), there in zip(beaten, wanted) if there]
    print(f"probe at its chosen weight {word} the components in {len(told)}: {', '.join(told)}")
draw_headroom(by_weight, f"Gain against headroom, {len(places)} settings (probe, {labels} labels)")

# %% [markdown]
# The worst cell of a table is partly bad luck. So we run the worst shift again on **fresh seeds**, beside the task with nothing to gain (`shift` at severity 0: for the swap, the digit says everything about the letter), with many labels and with few. And the cure: let validation data choose among 0, `weight` and ten times as much. **Predict:** what does it choose?


# %%
worst = recorded_gains("probe", labels, weight).gain
worst = worst[worst.index.get_level_values("severity") > 0].drop(shift, errors="ignore").idxmin()
base = Experiment(steps=steps)
settings = [
    replace(base, shift=shift, severity=0.0, labels=labels),
    replace(base, shift=shift, severity=0.0, labels=20),
    replace(base, shift=worst[0], severity=worst[1], labels=labels),
]
tried = (0.0, weight, 10 * weight)
trained = run(grid(settings, strength=tried, seed=range(100, 100 + seeds)), device)
everything += trained
fresh = {}
for e in settings:
    group = trained.where(shift=e.shift, severity=e.severity, labels=e.labels)
    name = f"{e.shift} {e.severity:g}, {e.labels} labels".replace("_", " ")
    control, best = group.where(strength=0.0), group.best()
    gain = group.where(strength=best).against(control)
    print(
        f"{name:32} {100 * control.mean():.1f} % at weight 0; validation chooses {best:g}: {gain}"
    )
    for s in tried[1:]:
        gain = fresh[f"{name}: weight {s:g}"] = group.where(strength=s).against(control)
        print(f"{'':32} weight {s:g}: {gain}")
gains(fresh, f"Harm on fresh seeds? ({seeds} seeds, 95 % intervals, probe)")

# %% [markdown]
# Harm is real, on seeds that had no part in the choice, and few labels or ten times the weight make it worse. Validation data that may answer "0" is the cure here; project D asks what to do without it.
#
# <details><summary><b>Ask yourself:</b> the headroom is above 0 nearly everywhere, even where nothing is shifted ("none"). What does that say of the control, and of a gain over it?</summary>
#
# The features of weight 0 hold less of the target, for a linear classifier, than the components that every image has for nothing. A gain over weight 0 is then, for the most part, a way back to them; few settings go beyond (the lines over the picture). The explanation was found after looking, on one family of shifts and one network: other data should test it.
#
# </details>
#
# ## 5 · Five projects
#
# Each has a question, why it is open, how you would know, and a cell that runs and gives the number to start from.
#
# ### A · A regularizer that sees curves (medium, a week)
#
# *Question.* Lift $u$ and $z$ by random cosines and take the Gaussian value of the lifted pair. Does training with it transfer better? *Open:* the lift sees curves, but more coordinates mean more bias, and the ridge needs a new meaning. *You would know* by paired gains over the plain regularizer, on fresh seeds,
# at the weights that validation chooses. *Start:* does the lifted value tell dependence from none? (It does, but it is no estimate of $L$.)


# %%
def lifted(x, generator, n_features=24):
    """Random cosines of a standardised x (n, d)."""
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    directions = torch.randn(x.shape[1], n_features, generator=generator, dtype=x.dtype)
    return (x @ directions + 2 * math.pi * torch.rand(n_features, generator=generator)).cos()


generator = torch.Generator().manual_seed(0)
for number, name in enumerate(PAIRS):
    a, b = (lifted(part[:2000].double(), generator) for part in drawn[DRAWS * number])
    shuffled = b[torch.randperm(len(b), generator=generator, device="cpu")]
    seen, null = (
        gaussian_lautum_information(batch_covariance(v, a, 1e-2), v.shape[1]).item()
        for v in (b, shuffled)
    )
    print(
        f"{name:9} true L {finer[name][1]:.2f}   lifted Gaussian value {seen:.2f}, shuffled {null:.2f}"
    )

# %% [markdown]
# ### B · Which noise level? (easy, some days)
#
# *Question.* The ridge is the noise of the channel (section 1). Should it be chosen on validation data, like the weight, or start large and shrink while the network trains? *Open:* a smaller ridge sees quieter directions and is noisier in a batch. *You would know* by one more axis in the sweep of notebook
# [09](09_sweeps_at_scale.ipynb). *Start:* three ridges at one weight.

# %%
noisy = replace(base, shift=shift, severity=1.0, strength=weight, labels=labels)
trained = run(grid(noisy, ridge=(1e-3, 1e-2, 1e-1), seed=(100, 101)), device)
everything += trained
for ridge in trained.values("ridge"):
    found = trained.where(ridge=ridge)
    accuracy = [100 * result.test_accuracy for result in found]
    print(
        f"ridge {ridge:5g}: validation {100 * found.mean('validation_accuracy'):.1f} %, test {100 * found.mean():.1f} % "
        f"(mean of 2 seeds, {abs(accuracy[0] - accuracy[1]):.1f} points apart)"
    )

# %% [markdown]
# ### C · A fairer objective (medium, a week)
#
# *Question.* $L$ puts its gradient on the strongest correlations (notebook [03](03_gaussian_lautum.ipynb)). Would a concave function of the $\rho_i^2$, or a cap, keep *more* directions alive, and does that transfer better? *Open:* section 1 shows that true $L$ is the wrong thing to ask for, and notebook
# [06](06_semi_supervised_transfer.ipynb) finds mutual information, maximised, as good or better. *You would know* by the number of directions alive, and by accuracy. *Start:* how many directions get half of the gradient?

# %%
t = canonical_correlations(batch_covariance(z, u, 1e-2), k).square()
slopes = {
    "L": (1 + t) / (2 * (1 - t) ** 2),
    "I": 1 / (2 * (1 - t)),
    "sum of ρ²": torch.ones_like(t),
}
figure, axes = new_figure(9.5, 3.4, 2, sharey=True)
for number, (ax, name) in enumerate(zip(axes, names)):
    for objective, slope in slopes.items():
        ordered = halves(slope)[number].sort(-1, descending=True).values
        share = 100 * (ordered.cumsum(-1) / ordered.sum(-1, keepdim=True)).mean(0)
        ax.plot(range(1, len(share) + 1), share, label=objective, markevery=8)
        print(
            f"{name}: half of the gradient of {objective} is on {int((share < 50).sum()) + 1} of {len(share)} directions"
        )
    ax.set(xlabel="directions, strongest first", title=name, ylim=(0, 102))
axes[0].set_ylabel("share of the gradient in ρ² (%)")
axes[0].legend(loc="lower right")
figure.suptitle("L and I look after a few strong correlations, the sum of ρ² after all alike")
figure

# %% [markdown]
# ### D · The weight, without target labels (hard, two weeks)
#
# *Question.* Validation with 500 labels is a luxury where 200 are for training. Which *unlabelled* rule chooses the weight nearly as well? *Open:* the dependence itself rises with the weight and cannot judge it. *You would know* by the regret: accuracy lost against the best weight in hindsight. *Start:* the regret of some rules on the whole record.

# %% tags=["nbval-check-output"]
RULES = {
    "never (weight 0)": lambda at: 0.0,
    "always 1e-4": lambda at: 1e-4,
    "always 1e-3": lambda at: 1e-3,
    "largest that costs < 2 points of source accuracy": lambda at: max(
        s for s in WEIGHTS if at[s].source_accuracy > at[0.0].source_accuracy - 0.02
    ),
    "smallest that reaches 90 % of the largest dependence": lambda at: min(
        s
        for s in WEIGHTS
        if at[s].history["dependence"][-1]
        >= 0.9 * max(r.history["dependence"][-1] for r in at.values())
    ),
    "validation, 500 labels": lambda at: max(WEIGHTS, key=lambda s: at[s].validation_accuracy),
}
for protocol in ("probe", "finetune"):
    print(
        f"{protocol}, 200 labels: mean regret, and how often the choice loses over a point against weight 0"
    )
    places = {}  # by strength, at each shift, severity and seed
    for result in recorded.where(protocol=protocol, labels=200):
        e = result.experiment
        places.setdefault((e.shift, e.severity, e.seed), {})[e.strength] = result
    for name, rule in RULES.items():
        chosen = [at[rule(at)].test_accuracy for at in places.values()]
        highest = [max(result.test_accuracy for result in at.values()) for at in places.values()]
        regret = 100 * np.mean(np.subtract(highest, chosen))
        harmed = [a < at[0.0].test_accuracy - 0.01 for a, at in zip(chosen, places.values())]
        print(f"   {name:52} {regret:4.1f} points   {100 * np.mean(harmed):3.0f} %")

# %% [markdown]
# ### E · Is there a bound in it? (hard, a thesis)
#
# *Question.* $L(W;S_t|S_s)$ is part of the gap; $L(W;X)$, which needs no label, is part of $L(W;Z)$. Is there a class of learners for which $L(W;X)$ alone bounds the gap, or the test loss? *Open:* section 2 has counterexamples to "more $L(W;X)$, less test loss". *You would know* by a proof, and before that, by a class in which the rank
# correlation is near one. *Start:* random worlds, and what goes with what.

# %% tags=["nbval-check-output"]
found = [before for before, _ in pushed]
quantities = {
    "L(W;X)": [lautum_terms(one)[1] for one in found],
    "L(W;Z)": [lautum_terms(one)[0] for one in found],
    "L(W;S)": [one.lautum_information for one in found],
}
for name, values in quantities.items():
    with_gap = spearmanr(values, [one.test_loss - one.train_loss for one in found]).statistic
    with_test = spearmanr(values, [one.test_loss for one in found]).statistic
    print(
        f"rank correlation of {name} over {len(found)} worlds: with the gap {with_gap:+.2f}, with the test loss {with_test:+.2f}"
    )
if results_path:
    save_results(everything, results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - **Paradox.** Without noise $L$ is infinite. With the ridge as noise, the true $I + L$ of features and inputs is $k/\varepsilon$ for *every* network, so the true $L$ can only be raised by lowering $I$. The regularizer raises the Gaussian value to 99 % of $k/\varepsilon$ (9 % without it) by making features linear in the components; $I$ rises, and the true $L$ falls.
# - **Tension.** In the worlds of section 2, Lautum's share of the target's gap is 50 % to 99 %. $L(W;X)$ and this price rise together along $\gamma$. Pushed up by steepest ascent, $L(W;X)$ goes with a *larger* test loss in most random worlds, and with a smaller one in about a third.
# - **Blindness.** The Gaussian value is 0 for four dependent pairs with a true $L$ of 0.35 to 1.07 nats. A permutation test finds all; a neural bound finds 33 to 64 % of it, and of 22.6 nats a quarter, or with a critic that climbs the bound 13 to 18 nats. In the swap, a kernel finds hardly more in the features of weight 0 than a linear read-out. A linear probe on the inputs' components, without a network, does better than one on the regularized features: the value pays for what is linear in them. Where a regularized probe is above or below them, the lines over the picture of the headroom say.
# - **Harm.** At weight 0.001 and 200 labels, fine-tuning is harmed in 8 of 36 recorded settings and the probe in 5. On fresh seeds, inversion near one half and the swap at severity 0 lose again. Gain goes with headroom, over the settings, and so do their ranks: what the regularizer gains is mostly what the components had. Validation that may choose 0 chooses it.
#
# ## Limits
#
# The identity $I + L = k/\varepsilon$ takes the noise relative to the variance of the features, as the ridge does. Where $x$ is one of 1000 images, $I$ cannot exceed $\log 1000$, so at the ridge used in training (0.01) the fall of the true $L$ does not show, and we look at larger ones. The worlds of section 2 are tiny. The critic is small, and trained for a second;
# better ones come nearer. Read-outs and headroom were tried on one network, small images, and digits and letters only. The record has four seeds.
#
# ## References
#
# - D. Palomar, S. Verdú, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008.
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
# - Y. Bu, G. Aminian, L. Toni, G. Wornell, M. Rodrigues, *Characterizing and Understanding the Generalization Error of Transfer Learning with Gibbs Algorithm*, AISTATS 2022.
# - A. Gretton, O. Bousquet, A. Smola, B. Schölkopf, *Measuring Statistical Dependence with Hilbert-Schmidt Norms*, ALT 2005.
# - M. Donsker, S. Varadhan, *Asymptotic Evaluation of Certain Markov Process Expectations for Large Time*, Communications on Pure and Applied Mathematics, 1975 to 1983.
# - X. Nguyen, M. Wainwright, M. Jordan, *Estimating Divergence Functionals and the Likelihood Ratio by Convex Risk Minimization*, IEEE Transactions on Information Theory 56(11), 2010.
# - M. Belghazi et al., *Mutual Information Neural Estimation*, ICML 2018.
# - D. McAllester, K. Stratos, *Formal Limitations on the Measurement of Mutual Information*, AISTATS 2020.
# - A. Rahimi, B. Recht, *Random Features for Large-Scale Kernel Machines*, NIPS 2007.
#
# $I + L = k/\varepsilon$, the bound below it, and the headroom are derived or defined here.
