# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 04 · The regularizer: from a covariance to a penalty that trains
#
# Notebook [03](03_gaussian_lautum.ipynb) has the formula. Here it becomes something that a training step can afford: six versions, one change
# at a time, each checked against an earlier one. The sixth equals `LautumRegularizer`, in value and in gradient. Then we break it on purpose.

# %% tags=["parameters"]
seed = 0
batch = 512  # images in a batch; versions 1 and 2 need more than n_features + 256
n_features = 16  # k, coordinates of the representation
n_components = 32  # r, principal components of the inputs that are kept
ridge = 1e-2  # variance of the noise on the representation, as a fraction of its mean variance
device = (
    "auto"  # where the networks of the last figure train; everything else is float64 on the CPU
)
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
import math
import time
from dataclasses import replace

import torch

from lautum_pages import check
from lautum_utils import (
    Experiment,
    Explorer,
    LautumRegularizer,
    batch_covariance,
    canonical_correlations,
    gaussian_lautum_information,
    load,
    run,
    save_results,
)
from lautum_utils.training.networks import StackedLinear
from lautum_utils.widgets.plots import STYLES, new_figure

differences = {}


def agree(name, ours, theirs, limit):
    """Print whether two results agree; the difference is relative to the largest value."""
    differences[name] = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{name}: relative difference < {limit:.0e}: {differences[name] < limit}")


def with_gradient(function, z, *others):
    """The value of function(z, *others) and its gradient with respect to z."""
    z = z.detach().requires_grad_()
    value = function(z, *others)
    return value.detach(), torch.autograd.grad(value.sum(), z)[0]


# %% [markdown]
# ## Real inputs, a small network
#
# The inputs $x$ are handwritten digits of $d = 256$ pixels, the representation $z = f(x)$ (`z`) has $k$ coordinates (`n_features`), a batch has $n$ rows (`batch`).
# The network is small and random; we hold four of them side by side, for later.
#
# ## Version 1: the formula as it stands
#
# With the blocks $\Sigma_z, \Sigma_{zx}, \Sigma_x$ of the joint covariance and $K = \Sigma_z^{-1} \Sigma_{zx} \Sigma_x^{-1} \Sigma_{xz}$,
#
# $$L = \tfrac12 \log\det(I - K) + \operatorname{tr}\big((I-K)^{-1}\big) - k .$$
#
# **Predict:** $\Sigma_x$ is the 256 x 256 covariance of the pixels. Does it have an inverse?

# %%
# NBVAL_CHECK_OUTPUT
generator = torch.Generator().manual_seed(seed)
digits = load("digits", seed=seed).inputs.flatten(1).double()
x = digits + 0.05 * torch.randn(digits.shape, generator=generator, dtype=torch.float64)
for name, images in (("digits", digits), ("digits with pixel noise", x)):
    print(
        f"{name}: {tuple(images.shape)}, rank of the covariance {torch.linalg.matrix_rank(images.mT.cov(), rtol=1e-9)}"
    )

MODELS, d = 4, x.shape[1]


def new_networks(models, width=64):
    """256 -> 64 ReLU -> k, some networks side by side: their parameters, and features(images) -> (models, n, k)."""
    seeds = [torch.Generator().manual_seed(seed + model) for model in range(models)]
    first, second = (
        StackedLinear(d, width, seeds).double(),
        StackedLinear(width, n_features, seeds).double(),
    )
    parameters = [*first.parameters(), *second.parameters()]
    return parameters, lambda images: second(first(images.expand(models, *images.shape)).relu())


with torch.no_grad():
    all_features = new_networks(MODELS)[1](x)
z, x_batch = all_features[0, :batch], x[:batch]


# %%
# NBVAL_CHECK_OUTPUT
def inverse(matrix):
    """As torch.linalg.inv, but silent where there is no inverse: we want to see what comes out."""
    return torch.linalg.inv_ex(matrix).inverse


def naive(z, x):
    """Version 1: full covariance of the inputs, explicit inverses."""
    z, x = z - z.mean(0), x - x.mean(0)
    s_z, s_zx, s_x = (a.mT @ b / (len(z) - 1) for a, b in ((z, z), (z, x), (x, x)))
    big_k = inverse(s_z) @ s_zx @ inverse(s_x) @ s_zx.mT
    rest = torch.eye(len(big_k), dtype=z.dtype, device=z.device) - big_k
    return torch.linalg.slogdet(rest)[1] / 2 + inverse(rest).trace() - len(big_k)


print(f"L = {naive(z, x_batch):.1f} nats")

# %% [markdown]
# The digits have no such inverse: they are small images, enlarged. So `x` has a little noise on each pixel, as from a camera, and the textbook can begin.
#
# ## Version 2: Cholesky in place of inverses
#
# The Cholesky factor of the joint covariance of $(z, x)$ already holds all that we need:
#
# $$\begin{pmatrix} \Sigma_z & \Sigma_{zx} \\ \Sigma_{xz} & \Sigma_x \end{pmatrix} = \begin{pmatrix} A & 0 \\ B & F \end{pmatrix}\begin{pmatrix} A & 0 \\ B & F \end{pmatrix}^{\!\top}
# \quad\Rightarrow\quad \Sigma_z = AA^\top,\quad BB^\top = \Sigma_{xz} \Sigma_z^{-1} \Sigma_{zx},\quad FF^\top = \Sigma_x - BB^\top .$$
#
# So $FF^\top$ is the covariance of $x$ given $z$. Put $M = F^{-1}B$. Its singular values are $\rho/\sqrt{1-\rho^2}$, with $\rho$ the canonical correlations: a squared
# one is $\rho^2/(1-\rho^2)$, and one plus it is $1/(1-\rho^2)$. Summed over the correlations:
#
# $$L = \|M\|_F^2 - \tfrac12 \log\det(I + M^\top M).$$
#
# No inverse is formed. And whatever rounding does to $M$, this is never negative (it can be NaN). **Predict:** in float32, which of the two versions is closer to the truth?


# %%
# NBVAL_CHECK_OUTPUT
def from_covariance(cov, k):
    """L from the joint covariance (..., k + r, k + r), z first."""
    factor = torch.linalg.cholesky_ex(cov).L
    m = torch.linalg.solve_triangular(factor[..., k:, k:], factor[..., k:, :k], upper=False)
    gram = m.mT @ m
    one_plus = gram + torch.eye(k, dtype=cov.dtype, device=cov.device)
    return gram.diagonal(dim1=-2, dim2=-1).sum(-1) - torch.logdet(one_plus) / 2


def cholesky(z, x):
    """Version 2: the same value without an inverse."""
    return from_covariance(torch.cat((z, x), 1).mT.cov(), z.shape[1])


for name, ours, theirs in zip(
    ("value", "gradient"), with_gradient(cholesky, z, x_batch), with_gradient(naive, z, x_batch)
):
    agree(f"{name}: version 2 and version 1", ours, theirs, 1e-8)
cov = torch.cat((z, x_batch), 1).mT.cov()
agree(
    "value: version 2 and information.py",
    cholesky(z, x_batch),
    gaussian_lautum_information(cov, n_features, validate_args=False),
    1e-10,
)
rounded = z.float(), x_batch.float()
off = [
    abs(version(*rounded).item() / naive(z, x_batch).item() - 1) for version in (naive, cholesky)
]
print(
    f"in float32, the inverses are off by more than 10 times as much as Cholesky: {off[0] > 10 * off[1]}"
)

# %% [markdown]
# ## Version 3: fewer components, whitened once
#
# Most of that joint covariance is $\Sigma_x$. The inputs do not change while the network trains, so we can choose once what of them to look at: we take their principal
# components, keep the first $r$ (`n_components`) and scale each to variance 1: $u = (x - \bar x)\,E\,\Lambda^{-1/2}$ (`u`), with the leading eigenvectors $E$ of the covariance of all
# inputs and their eigenvalues $\Lambda$.
#
# ### Exercise 4.1 · Whiten (easy, 10 minutes)
#
# `whiten(inputs, n_components)` takes inputs $(n, d)$ and returns $(n, r)$: centred, projected on the components with the largest variance, each scaled to variance 1. Signs and order are free.
#
# <details><summary>Hint 1 of 2</summary>
#
# The directions are eigenvectors of the sample covariance, the variances its eigenvalues: `torch.linalg.eigh`.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `centred @ directions[:, -n_components:] / variance[-n_components:] ** 0.5`.
#
# </details>


# %%
def whiten(inputs, n_components):
    """The leading principal components of the inputs, each with variance 1."""
    ### BEGIN SOLUTION
    centred = inputs - inputs.mean(0)
    variance, directions = torch.linalg.eigh(centred.mT @ centred / (len(inputs) - 1))
    return centred @ directions[:, -n_components:] / variance[-n_components:].sqrt()
    ### END SOLUTION


check("whiten", whiten)

# %% [markdown]
# `LautumRegularizer(x, r).project` does the same. With all $d$ components nothing is lost, since $L$ does not see an invertible change of coordinates: whitening itself changes no value and saves no time, but it makes the numbers well-behaved. With $r < d$ the value changes, and a step gets cheap.
#
# **Predict:** how large is $L$ for a batch in which each $z$ is paired with the *wrong* image, so that there is nothing to measure?

# %%
# NBVAL_CHECK_OUTPUT
everything = LautumRegularizer(x, d, ridge=0.0)
agree(
    "value: whitened, all components, and not whitened",
    cholesky(z, everything.project(x_batch)),
    cholesky(z, x_batch),
    1e-8,
)

plain = LautumRegularizer(x, n_components, ridge=0.0)
u = plain.project(x_batch)
wrong = z.roll(1, 0)  # each z goes to the next image: the images are in random order
spectrum = torch.linalg.eigvalsh(x.mT.cov())
print(
    f"{n_components} components hold {100 * spectrum[-n_components:].sum() / spectrum.sum():.0f} % of the variance of the inputs"
)
for name, inputs in ((f"all {d}", x_batch), (f"{n_components}", u)):
    right, mixed_up = cholesky(z, inputs), cholesky(wrong, inputs)
    room = len(z) - n_features - inputs.shape[1] - 2
    print(f"{name:>7} components: L = {right:6.1f} nats, wrong pairs {mixed_up:5.2f} nats")
    rho = canonical_correlations(
        torch.cat((wrong, inputs), 1).mT.cov(), n_features, validate_args=False
    )
    expected = n_features * inputs.shape[1] / (len(z) - 1)
    print(
        f"{'':19} wrong pairs: sum of squared correlations {rho.square().sum():.1f}, expected {expected:.1f}"
    )
    if room > 0:
        print(f"{'':19} dependence inflated {(len(z) - 1) / room:.2f} times")

# %% [markdown]
# What is lost: all dependence on the components left out. What is gained, beside time: independent variables show about $kr/(n-1)$ of squared correlation (notebook 03), so fewer components leave less noise. Wrong pairs show only what is *added*; what dependence there is, is also inflated, by $(n-1)/(n-k-r-2)$ on average for $I + L$ (notebook 03). That is more than twice for all components.
#
# ## Version 4: noise on z, and only on z
#
# Where $z$ is linear in $u$, a correlation is 1 and $L$ is infinite. The cure is observation noise on $z$ of variance $\varepsilon\, m$: $\varepsilon$ is `ridge`, $m$ the mean variance of the coordinates of
# $z$. Only $\Sigma_z$ changes, to $\Sigma_z + \varepsilon m I$: the noise is independent of $u$, so $\Sigma_{zu}$ stays; the inputs are data, so $\Sigma_u$ stays.
#
# It also gives a bound (derived here). $L$ is symmetric, so $\|M\|_F^2 = \operatorname{tr}(C^{-1} \Sigma_{zu} \Sigma_u^{-1} \Sigma_{uz})$ with $C$ the covariance of the noisy $z$ given $u$. Now $C$ is at least $\varepsilon m I$, and
# $\Sigma_{zu} \Sigma_u^{-1} \Sigma_{uz}$ at most the $\Sigma_z$ without noise, whose trace is $k\,m$:
#
# $$L \;\le\; \|M\|_F^2 \;\le\; \frac{k\,m}{\varepsilon\, m} = \frac{k}{\varepsilon}.$$
#
# ### Exercise 4.2 · The capstone: the regularizer (medium, 20 minutes)
#
# `lautum_penalty(z, u, ridge)` takes `z` $(n, k)$ and `u` $(n, r)$ and returns $L$ in nats, a scalar with a gradient for `z`. The check looks at the value *and* at the gradient. The cell after it,
# collapsed, holds our version 4 and compares it with `LautumRegularizer`. So once the check says "right", you have put the regularizer of this suite together yourself.
#
# <details><summary>Hint 1 of 2</summary>
#
# Put `z` and `u` side by side, take the sample covariance, add the noise to the block of $z$: the rest is version 2.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `torch.cov` takes samples in columns. The noise on each coordinate of $z$ is `ridge * z.var(0).mean()`.
#
# </details>


# %%
def lautum_penalty(z, u, ridge):
    """Gaussian Lautum information of z with observation noise and u, in nats."""
    ### BEGIN SOLUTION
    k = z.shape[1]
    cov = torch.cat((z, u), 1).mT.cov()
    noise = torch.zeros(len(cov), dtype=z.dtype, device=z.device)
    noise[:k] = ridge
    cov = cov + torch.diag(noise) * z.var(0).mean()
    factor = torch.linalg.cholesky(cov)
    m = torch.linalg.solve_triangular(factor[k:, k:], factor[k:, :k], upper=False)
    return (
        m.square().sum() - torch.logdet(torch.eye(k, dtype=z.dtype, device=z.device) + m.mT @ m) / 2
    )
    ### END SOLUTION


check("lautum_penalty", lautum_penalty)


# %% jupyter={"source_hidden": true}
# NBVAL_CHECK_OUTPUT
def ridged(z, u, ridge):
    """Version 4: observation noise on z."""
    k = z.shape[1]
    on_z = (torch.arange(k + u.shape[1], device=z.device) < k).to(z.dtype)
    return from_covariance(
        torch.cat((z, u), 1).mT.cov() + ridge * z.var(0).mean() * torch.diag(on_z), k
    )


regularizer = LautumRegularizer(x, n_components, ridge)
agree("value: version 4 without a ridge, and version 3", ridged(z, u, 0.0), cholesky(z, u), 1e-12)
ours, theirs = with_gradient(ridged, z, u, ridge), with_gradient(regularizer, z, u)
agree("value: version 4 and LautumRegularizer", ours[0], theirs[0], 1e-10)
agree("gradient: version 4 and LautumRegularizer", ours[1], theirs[1], 1e-10)
bound = n_features / ridge if ridge else float("inf")
print(
    f"L = {ours[0]:.1f} nats, wrong pairs {ridged(wrong, u, ridge):.2f} nats, bound k / ridge = {bound:.0f} nats"
)

# %% [markdown]
# ## Version 5: many networks at once
#
# A curve over the weight needs many networks. So a leading dimension runs over networks (`MODELS` here), and each line works on all of them. The mean over rows is now over axis -2;
# `torch.cov` takes one matrix only, so the product is written out.


# %%
# NBVAL_CHECK_OUTPUT
def stacked(z, u, ridge):
    """Version 5: z (..., n, k) and u (..., n, r) give (...) values."""
    n, k = z.shape[-2:]
    joint = torch.cat((z, u), -1)
    joint = joint - joint.mean(-2, keepdim=True)
    cov = joint.mT @ joint / (n - 1)
    on_z = (torch.arange(joint.shape[-1], device=z.device) < k).to(z.dtype)
    mean_variance = cov.diagonal(dim1=-2, dim2=-1)[..., :k].mean(-1)
    return from_covariance(cov + ridge * mean_variance[..., None, None] * torch.diag(on_z), k)


all_z, all_u = all_features[:, :batch], u.expand(MODELS, *u.shape)
one_by_one = torch.stack([ridged(each, u, ridge) for each in all_z])
agree(
    f"value: {MODELS} networks stacked and one by one",
    stacked(all_z, all_u, ridge),
    one_by_one,
    1e-12,
)
print("nats:", [round(value, 1) for value in one_by_one.tolist()])

# %% [markdown]
# ## Version 6: the gradient in closed form (optional)
#
# Autograd goes back through each factorisation. But $z$ enters through two small matrices only. Let $Z$ be the batch of centred $z$ and $V$ (`v`) that of $u$, centred and
# whitened by its own Cholesky factor, so that $V^\top V = (n-1) I$. With the ridge in $\Sigma$ (`s`),
#
# $$b = \frac{Z^\top V}{n-1}, \qquad \Sigma = \frac{Z^\top Z}{n-1} + \varepsilon m I, \qquad C = \Sigma - bb^\top, \qquad G = b^\top C^{-1} b, \qquad L = \operatorname{tr} G - \tfrac12\log\det(I + G),$$
#
# and $\det(I+G) = \det \Sigma / \det C$. Move $b$ and $\Sigma$ by $\mathrm db$ and $\mathrm d\Sigma$; then $\mathrm dC = \mathrm d\Sigma - \mathrm db\,b^\top - b\,\mathrm db^\top$. With $N = C^{-1}b$ (`big_n`) and
# $\langle P, Q\rangle = \operatorname{tr} P^\top Q$:
#
# $$\mathrm d \operatorname{tr} G = 2\langle N, \mathrm db\rangle - \langle NN^\top, \mathrm dC\rangle = \langle 2N(I + G), \mathrm db\rangle - \langle NN^\top, \mathrm d\Sigma\rangle,$$
# $$\tfrac12\, \mathrm d(\log\det C - \log\det \Sigma) = \tfrac12\langle C^{-1} - \Sigma^{-1}, \mathrm d\Sigma\rangle - \langle N, \mathrm db\rangle .$$
#
# Add them, and use Woodbury's identity $C^{-1} - \Sigma^{-1} = N (I+G)^{-1} N^\top$:
#
# $$\frac{\partial L}{\partial b} = N(I + 2G), \qquad \frac{\partial L}{\partial \Sigma} = \tfrac12 N (I+G)^{-1} N^\top - NN^\top .$$
#
# The chain rule through $b$ and $\Sigma$ gives the rest. ($m$ depends on $Z$ too: $\varepsilon$ times the mean of the diagonal of $\partial L/\partial \Sigma$ is added to that diagonal.)


# %%
# NBVAL_CHECK_OUTPUT
class ClosedForm(torch.autograd.Function):
    """Version 6: as version 5, with the gradient written down."""

    @staticmethod
    def forward(ctx, z, u, ridge):
        z, u = z - z.mean(-2, keepdim=True), u - u.mean(-2, keepdim=True)
        rows = z.shape[-2] - 1
        factor_u = torch.linalg.cholesky_ex(u.mT @ u / rows).L
        v = torch.linalg.solve_triangular(factor_u, u.mT, upper=False).mT
        b, s = z.mT @ v / rows, z.mT @ z / rows
        diagonal = s.diagonal(dim1=-2, dim2=-1)
        diagonal += ridge * diagonal.mean(-1, keepdim=True)
        big_n = torch.cholesky_solve(b, torch.linalg.cholesky_ex(s - b @ b.mT).L)
        gram = b.mT @ big_n
        one_plus = gram + torch.eye(gram.shape[-1], dtype=z.dtype, device=z.device)
        ctx.save_for_backward(z, v, big_n, gram, one_plus)
        ctx.ridge = ridge
        return gram.diagonal(dim1=-2, dim2=-1).sum(-1) - torch.logdet(one_plus) / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        z, v, big_n, gram, one_plus = ctx.saved_tensors
        d_b = big_n + 2 * big_n @ gram
        d_s = big_n @ (torch.linalg.solve(one_plus, big_n.mT) / 2 - big_n.mT)
        diagonal = d_s.diagonal(dim1=-2, dim2=-1)
        diagonal += ctx.ridge * diagonal.mean(-1, keepdim=True)
        d_z = (2 * z @ d_s + v @ d_b.mT) / (z.shape[-2] - 1)
        return upstream[..., None, None] * d_z, None, None


closed_form = ClosedForm.apply
ours = with_gradient(closed_form, all_z, all_u, ridge)
autograd, module = (
    with_gradient(stacked, all_z, all_u, ridge),
    with_gradient(regularizer, all_z, all_u),
)
for i, name in enumerate(("value", "gradient")):
    agree(f"{name}: version 6 and version 5", ours[i], autograd[i], 1e-10)
    agree(f"{name}: version 6 and LautumRegularizer", ours[i], module[i], 1e-10)

small_z = torch.randn(2, 20, 3, generator=generator, dtype=torch.float64, requires_grad=True)
small_u = torch.randn(2, 20, 4, generator=generator, dtype=torch.float64)
small = LautumRegularizer(small_u[0], 4, ridge)
for name, function in (
    ("version 6", lambda z: closed_form(z, small_u, ridge)),
    ("LautumRegularizer", lambda z: small(z, small_u)),
):
    print(
        f"gradcheck, {name}: {torch.autograd.gradcheck(function, small_z, raise_exception=False)}"
    )

# %% [markdown]
# `gradcheck` compares with finite differences, so it knows nothing of our algebra. The module (`_BatchDependence`) has the same formulas;
# $V$ depends on data only, so the training loop lets `regularizer.prepare` make it for many batches ahead.
#
# ## What does each change buy?
#
# **Predict:** which of the five changes saves most time, and by how much? And how does the time of a step grow with the number of pixels?


# %% jupyter={"source_hidden": true}
def milliseconds(step, budget=0.1):
    """The fastest of several steps, after one to warm up: other work on the machine only adds."""
    step()
    times = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 30):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1e3 * min(times)


all_components = everything.project(x_batch)
versions = {
    "1 inverses": lambda: with_gradient(naive, z, x_batch),
    "2 Cholesky": lambda: with_gradient(cholesky, z, x_batch),
    f"whitened, all {d} components": lambda: with_gradient(cholesky, z, all_components),
    f"3 whitened, r = {n_components}": lambda: with_gradient(cholesky, z, u),
    "4 ridge": lambda: with_gradient(ridged, z, u, ridge),
    f"5 stacked, per network of {MODELS}": lambda: with_gradient(stacked, all_z, all_u, ridge),
    f"6 closed form, per network of {MODELS}": lambda: with_gradient(
        closed_form, all_z, all_u, ridge
    ),
    f"LautumRegularizer, per network of {MODELS}": lambda: with_gradient(regularizer, all_z, all_u),
}
took = {
    name: milliseconds(step) / (MODELS if "per network" in name else 1)
    for name, step in versions.items()
}

dims = [16, 64, 256, 1024]
rows = dims[-1] + n_features + 100  # more than k + d at every d
noise_x = torch.randn(rows, dims[-1], generator=generator, dtype=torch.float64)
noise_z = torch.randn(rows, n_features, generator=generator, dtype=torch.float64)
every_step, once, whitened_step = [], [], []
for dim in dims:
    inputs = noise_x[:, :dim]
    started = time.perf_counter()
    fitted = LautumRegularizer(inputs, min(n_components, dim), ridge)
    once.append(1e3 * (time.perf_counter() - started))
    projected = fitted.project(inputs)
    every_step.append(
        milliseconds(lambda inputs=inputs: with_gradient(naive, noise_z, inputs), 0.1)
    )
    whitened_step.append(
        milliseconds(
            lambda fitted=fitted, projected=projected: with_gradient(fitted, noise_z, projected),
            0.1,
        )
    )

margins = {
    "left": 0.26,
    "right": 0.99,
    "bottom": 0.15,
    "top": 0.88,
    "wspace": 0.2,
    "width_ratios": (1, 1),
}
figure, (left, right) = new_figure(10.5, 3.6, 2, layout="none", gridspec_kw=margins)
for row, value in enumerate(took.values()):
    left.barh(-row, value, color=STYLES[0]["color"] if row < 3 else STYLES[2]["color"])
    left.text(value * 1.1, -row, f"{value:.2g} ms", va="center", fontsize=9)
left.set_yticks([-row for row in range(len(took))], list(took))
left.set_xscale("log")
left.set_xlim(min(took.values()) / 3, max(took.values()) * 5)
left.set_xlabel("forward and backward (ms)")
left.set_title(
    f"Keeping r = {n_components} components saves most (d = {d}, n = {len(z)})", fontsize=10
)
for name, times, style in (
    ("version 1, each step", every_step, STYLES[0]),
    ("whitening, once", once, STYLES[1]),
    (f"whitened to r = {n_components}, each step", whitened_step, STYLES[2]),
):
    right.loglog(dims, times, label=name, **style)
right.set_xticks(dims, [str(dim) for dim in dims])
right.minorticks_off()
right.set_xlabel(f"dimensions of the input, d (n = {rows})")
right.set_ylabel("ms")
right.set_title("With r fixed, a step does not grow with d", fontsize=10)
right.legend(frameon=False, fontsize=8)
print(
    f"d = {dims[-1]}: version 1 takes {every_step[-1] / whitened_step[-1]:.0f} times as long as a whitened step"
)
print(
    f"measured on this machine, one run, {torch.get_num_threads()} threads, torch {torch.__version__}"
)
figure

# %% [markdown]
# (The collapsed cell measures, then draws.) Version 1 takes about $n d^2 + d^3$ operations a step, a whitened step $n(k+r)^2$, whatever $d$ is: many times less where $d$ is large. Whitening itself costs as much as a few steps of
# version 1, once, and with all components it saves nothing: it is dropping components that does. Cholesky was for accuracy, not for speed; stacking and the closed form save some more.
#
# ## How much of the value is noise?
#
# The widget pairs features with their images (true pairs) and with the wrong ones. `dependence` mixes features with noise: at 1 they are the network's, at 0 noise alone. **Try:** raise `components` at small `n`; then raise
# `ridge`. What brings the two values together, and what apart? (The collapsed cell holds `draw_pairs`.)

# %% jupyter={"source_hidden": true}
view_u = everything.project(x)
view_z = (all_features[0] - all_features[0].mean(0)) / all_features[0].std(0)
view_noise = torch.randn(view_z.shape, generator=generator, dtype=torch.float64)
view_margins = {"left": 0.07, "right": 0.99, "bottom": 0.15, "top": 0.88, "wspace": 0.2}
ridges = sorted({0.0, 1e-4, 1e-2, 1e-1, 1.0, ridge})
measures = {value: LautumRegularizer(x, 1, value) for value in ridges}


def short(number):
    return (
        f"{number:.0e}".replace("+", "")
        if number >= 1e5
        else f"{number:.0f}"
        if number >= 100
        else f"{number:.2g}"
    )


def draw_pairs(ridge=ridge, n=batch, components=n_components, dependence=1.0):
    """Correlations, value and gradient for true and for wrong pairs of n features and images."""
    chosen_u = view_u[:n, :components]
    mixed = dependence * view_z[:n] + (1 - dependence**2) ** 0.5 * view_noise[:n]
    figure, (left, right) = new_figure(
        8.5, 3, 2, layout="none", gridspec_kw=view_margins | {"top": 0.83, "width_ratios": (3, 2)}
    )
    values, places = [], []
    pairings = (("● true pairs", mixed, STYLES[0]), ("■ wrong pairs", mixed.roll(1, 0), STYLES[1]))
    for shift, (name, pairs, style) in zip((-0.22, 0.22), pairings):
        value, gradient = with_gradient(measures[ridge], pairs, chosen_u)
        rho = canonical_correlations(
            batch_covariance(pairs, chosen_u, ridge), n_features, validate_args=False
        )
        left.plot(range(1, len(rho) + 1), rho, **style)
        left.text(
            0.5 + 2 * shift, 1.02, name, transform=left.transAxes, color=style["color"], ha="center"
        )
        values.append(value.item())
        # A logarithmic axis by hand: matplotlib's own takes too long for a slider.
        for column, number in enumerate((value.item(), gradient.norm().item())):
            places.append(math.log10(max(number, 1e-3)))
            right.plot([column + shift], places[-1:], markersize=10, **style)
            right.text(
                column + shift,
                places[-1],
                f"{short(number)}\n",
                ha="center",
                va="bottom",
                fontsize=9,
            )
    left.set_ylim(-0.03, 1.05)
    left.set_yticks([0, 0.5, 1])
    left.set_xlabel("canonical correlation, largest first")
    left.set_xticks(range(1, len(rho) + 1, 1 + len(rho) // 5))
    low, high = math.floor(min(places)), max(math.ceil(max(places)), 1)
    right.set_ylim(low - 0.3, high + 0.3 * (high - low))
    ticks = range(low, high + 1, 1 + (high - low) // 4)
    right.set_yticks(ticks, [f"{10.0**tick:g}".replace("+", "") for tick in ticks])
    right.set_xlim(-0.5, 1.5)
    right.set_xticks([0, 1], ["value (nats)", "norm of the gradient"])
    share = 100 * values[1] / values[0] if values[0] > 0 else 100
    share = f"{share:.0f} % of it" if share >= 0.5 else "less than 1 % of it"
    title = f"n = {n}, r = {components}, ridge {ridge:g}: true pairs {short(values[0])} nats, wrong pairs {share}"
    figure.suptitle(title, fontsize=11)
    return figure


explorer_pairs = Explorer(
    draw_pairs,
    ridge=ridges,
    n=sorted({8, 16, 32, 64, 128, 256, 512, 1024, batch}),
    components=sorted({2, 8, 32, 64, 128, n_components}),
    dependence=(0.0, 1.0, 0.1),
)
explorer_pairs

# %%
draw_pairs(n=64, dependence=0.5)

# %% [markdown]
# At $n = 64$ and dependence 0.5, most of the value is noise: see the share in the title, and the correlations of pairs that have nothing to do with each other. Their gradient is nearly as long.
#
# ## What does the gradient do to a network?
#
# Now we train: no labels, Adam on $L$ of the first network's features, nothing else.
#
# **Predict:** the gradient for $\rho^2$ grows as $(1 - \rho^2)^{-2}$ (notebook 03). Which correlations rise, the strong or the weak? Do all?

# %% jupyter={"source_hidden": true}
parameters, features = new_networks(1)
optimizer = torch.optim.Adam(parameters, lr=1e-3, maximize=True)
pool = regularizer.project(x)
kept, curve = {}, []
for step in range(101):
    if step % 10 == 0:
        with torch.no_grad():
            now = features(x)[0]
            curve.append(regularizer(now, pool).item())
            if step in (0, 10, 100):
                rho = canonical_correlations(
                    batch_covariance(now, pool, ridge), n_features, validate_args=False
                )
                shares = torch.linalg.eigvalsh(now.mT.cov().reshape(n_features, n_features)).flip(0)
                kept[step] = rho, shares / shares.sum()
    chosen = torch.randint(len(x), (256,), generator=generator)
    optimizer.zero_grad()
    regularizer(features(x[chosen])[0], pool[chosen], validate_args=False).backward()
    optimizer.step()

figure, axes = new_figure(
    10, 3.2, 3, layout="none", gridspec_kw=view_margins | {"top": 0.8, "wspace": 0.3}
)
for (step, (rho, _)), style in zip(kept.items(), STYLES):
    order = range(1, len(rho) + 1)
    axes[0].plot(order, rho, label=f"step {step}", **style)
    axes[1].semilogy(
        order, rho.square() / (1 - rho.square()).clamp_min(1e-15), label=f"step {step}", **style
    )
axes[2].plot(range(0, 101, 10), curve, **STYLES[0])
if ridge:
    axes[2].axhline(bound, color="0.3", linestyle="--")
    axes[2].annotate(
        "bound k / ridge",
        (100, bound),
        (0, -14),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
for ax, title in zip(
    axes, ("canonical correlation", "its term $\\rho^2 / (1 - \\rho^2)$", "L of all images (nats)")
):
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("rank, largest first")
axes[2].set_xlabel("step")
axes[2].set_ylim(bottom=0)
axes[0].set_ylim(0, 1.05)
axes[0].legend(frameon=False, loc="lower left")
figure.suptitle("Ascent of L alone: all correlations rise at first, then the strongest take all")
for step, (rho, share) in kept.items():
    print(
        f"step {step:3}: rho from {rho[-1]:.2f} to {rho[0]:.3f}; two directions hold {100 * share[:2].sum():.0f} % of the variance of z"
    )
even = pool[:, :n_features]
print(
    f"{even.shape[1]} equal directions, linear in u: L = {regularizer(even, pool):.0f} nats; at the end of the ascent {curve[-1]:.0f}"
)
figure

# %% [markdown]
# At first all rise, and the strongest term grows most. Then $z$ becomes almost linear in $u$, and for every such $z$ the term $\sum t/(1-t)$, with $t = \rho^2$, *is* $k/\varepsilon$: sixteen equal directions would do (last line). What is left to gain is in $L = k/\varepsilon - \tfrac12\sum\log\frac{1}{1-t}$, which is largest when few
# directions hold all: the second budget of notebook 03, a fixed sum of $t/(1-t)$, has come true. So nearly all of the variance of $z$ goes into two directions, and the other correlations fall. $L$ alone does not make features rich: in training it is weighed against a task.
#
# ## Failure lab
#
# **1. No ridge.** One coordinate, $z = u_1 + \text{noise}$, and the noise goes to 0. **Predict:** what do value and gradient do? And what does float32 make of it?

# %% jupyter={"source_hidden": true}
scales = [10.0**-exponent for exponent in range(8)]
target = view_u[:batch, :n_components]
noise = torch.randn(len(target), 1, generator=generator, dtype=torch.float64)
exact = {"no ridge": (0.0, [], STYLES[1]), "ridge 0.01": (0.01, [], STYLES[2])}
single = {
    "inverses": (naive, [], STYLES[0]),
    "Cholesky": (cholesky, [], STYLES[1]),
    "with ridge 0.01": (lambda *pair: ridged(*pair, 0.01), [], STYLES[2]),
}
for scale in scales:
    near = target[:, :1] + scale * noise
    for amount, found, _ in exact.values():
        value, gradient = with_gradient(measures[amount], near, target)
        found.append((value.item(), gradient.norm().item()))
    for function, found, _ in single.values():
        found.append(function(near.float(), target.float()).item() / function(near, target).item())

for i in (1, 4, 7):
    values = ", ".join(f"{name} {found[i]:.2g}" for name, (_, found, _) in single.items())
    print(f"noise {scales[i]:.0e}: float32 value as a multiple of the float64 value: {values}")
coarse = regularizer(z.bfloat16(), u)
print(
    f"features in bfloat16: LautumRegularizer gives {coarse:.0f} nats, in {coarse.dtype}; in float64 {regularizer(z, u):.0f} nats"
)
figure, axes = new_figure(
    10, 3.3, 3, layout="none", gridspec_kw=view_margins | {"top": 0.8, "wspace": 0.3}
)
for name, (_, found, style) in exact.items():
    for ax, series in zip(axes, zip(*found)):
        ax.loglog(scales, series, label=name, **style)
for name, (_, found, style) in single.items():
    axes[2].semilogx(
        scales,
        [min(max(ratio, -0.4), 1.6) if ratio == ratio else -0.6 for ratio in found],
        label=name,
        **style,
    )
axes[2].set_yticks([-0.6, 0, 0.5, 1], ["NaN", "0", "0.5", "1"])
for ax, title in zip(
    axes, ("value (nats)", "norm of the gradient", "float32 value / float64 value")
):
    ax.invert_xaxis()
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("standard deviation of the noise")
axes[0].legend(frameon=False)
axes[2].legend(frameon=False, fontsize=8)
figure.suptitle("Without a ridge, value and gradient explode, and float32 returns nonsense")
figure

# %% [markdown]
# With the ridge the value stays below $k/\varepsilon = 100$, and the gradient fades where nothing is left to gain. Without it both grow until rounding takes over. In float32 both versions have lost the value long
# before: what they report is off by orders of magnitude, negative, or not a number. **Cure:** a ridge, and statistics in float32 or better. (The module sees to that, as the last line shows.)
#
# **2. A batch smaller than its dimensions.** $n$ rows, less their mean, span $n - 1$ dimensions, and $k$ coordinates of $z$ and $r$ of $u$ have to fit in. **Predict:** what is $L$ of pure noise and real images,
# where the truth is 0?

# %% jupyter={"source_hidden": true}
edge = n_features + n_components
sizes = sorted(
    {4, 8, 16, 32, 64, 128, 256, 512, 1024, edge - 8, edge, edge + 1, edge + 2, edge + 8}
    - set(range(-8, 4))
)
sizes = [size for size in sizes if size <= len(x)]
unrelated = torch.randn(len(x), n_features, generator=generator, dtype=torch.float64)
few = min(4, n_components)
lines = {
    f"no ridge, r = {n_components}": (0.0, n_components, STYLES[1]),
    f"ridge 0.01, r = {n_components}": (0.01, n_components, STYLES[2]),
    f"ridge 0.01, r = {few}": (0.01, few, STYLES[0]),
}
figure, (left, right) = new_figure(
    10, 3.4, 2, layout="none", gridspec_kw=view_margins | {"top": 0.8}
)
for name, (amount, count, style) in lines.items():
    values = [measures[amount](unrelated[:size], view_u[:size, :count]).item() for size in sizes]
    left.loglog(sizes, [max(value, 1e-4) for value in values], label=name, **style)
left.loglog(
    sizes,
    [n_features * n_components / (2 * (size - 1)) for size in sizes],
    color="0.3",
    linestyle=":",
    label="$k r / 2 (n-1)$",
)
spectra = []
for size in sizes:
    cov = batch_covariance(unrelated[:size], view_u[:size, :n_components], 0.0)
    spectra.append(canonical_correlations(cov, n_features, validate_args=False))
right.semilogx(sizes, [rho[0] for rho in spectra], label="largest", **STYLES[1])
right.semilogx(
    sizes, [rho.square().mean().sqrt() for rho in spectra], label="root mean square", **STYLES[0]
)
for ax in (left, right):
    ax.axvline(edge, color="0.75", linewidth=5, zorder=0)
    ax.set_xlabel(f"rows in the batch, n (grey bar: k + r = {edge})")
left.set_title("L of independent z and u (nats)", fontsize=10)
right.set_title("their sample correlations, no ridge", fontsize=10)
left.legend(frameon=False, fontsize=8)
right.legend(frameon=False)
figure.suptitle("In a small batch, independence looks like perfect dependence")
for size in (edge - 8, edge, edge + 1):
    if size in sizes:
        print(f"n = {size}: {(spectra[sizes.index(size)] > 1 - 1e-6).sum()} correlations are 1")
figure

# %% [markdown]
# For $n \le k + r$ the two spans must meet, in $k + r - (n-1)$ dimensions if both fit: so many correlations are exactly 1, whatever the data. The ridge makes that finite, not true. **Cure:** more rows or fewer components;
# then the noise is about $kr/2(n-1)$ (dotted: for weak dependence, $L \approx \tfrac12\sum\rho^2$).
#
# ### Exercise 4.3 · The loss of a step (easy, 5 minutes)
#
# `training_loss(logits, labels, lautum, strength)` takes `logits` $(n, c)$ and `labels` $(n,)$ of the source, the value `lautum` (a scalar) and its weight, and returns what is minimised.
#
# <details><summary>Hint 1 of 2</summary>
#
# `torch.nn.functional.cross_entropy(logits, labels)` is the mean over the batch.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# The optimizer makes the loss *small*; we want the Lautum information *large*.
#
# </details>
#
# **3. Too much weight, and 4. on the logits.** The real training loop, digits to letters, 60 steps: cross-entropy on digits less `strength` times $L$ on letters, of the 64 features or of the 10 logits.
# **Predict:** at an absurd weight of 100, is the source accuracy at chance?


# %%
def training_loss(logits, labels, lautum, strength):
    """Cross-entropy on the source, less strength times the Lautum information of the target."""
    ### BEGIN SOLUTION
    return torch.nn.functional.cross_entropy(logits, labels) - strength * lautum
    ### END SOLUTION


check("training_loss", training_loss)

# %% jupyter={"source_hidden": true}
strengths = [0.0, 1e-4, 1e-3, 1e-2, 100.0]
base = Experiment(
    steps=60,
    seed=seed,
    n_components=n_components,
    ridge=ridge,
    protocol="finetune",
    finetune_steps=1,
    labels=10,
)
settings = [
    replace(base, layer=layer, strength=s) for layer in ("features", "logits") for s in strengths
]
results = run(settings, device, progress=False)

figure, (left, right) = new_figure(
    10, 3.3, 2, layout="none", gridspec_kw=view_margins | {"top": 0.8}
)
for layer, style in zip(("features", "logits"), STYLES):
    group = [r for r in results if r.experiment.layer == layer]
    left.plot(
        range(len(strengths)),
        [100 * r.source_accuracy for r in group],
        label=f"L of the {layer}",
        **style,
    )
    right.plot(
        range(len(strengths)),
        [r.history["loss"][-1] for r in group],
        label=f"L of the {layer}",
        **style,
    )
left.axhline(10, color="0.3", linestyle=":")
right.axhline(math.log(10), color="0.3", linestyle=":")
left.annotate("chance", (0, 10), (0, 4), textcoords="offset points", fontsize=9)
right.annotate(
    "guessing all ten alike, log 10",
    (0, math.log(10)),
    (0, 4),
    textcoords="offset points",
    fontsize=9,
)
for ax, title in (
    (left, "source test accuracy (%)"),
    (right, "cross-entropy of the last source batch (nats)"),
):
    ax.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    ax.set_xlabel("strength")
    ax.set_title(title, fontsize=10)
    ax.set_ylim(bottom=0)
left.legend(frameon=False)
figure.suptitle("Too much weight costs accuracy on features, and everything on logits")
for r in results:
    strength, loss, dependence = (
        r.experiment.strength,
        r.history["loss"][-1],
        r.history["dependence"][-1],
    )
    accuracy = f"source accuracy {100 * r.source_accuracy:3.0f} %, cross-entropy {loss:.1f} nats"
    print(f"{r.experiment.layer:8} strength {strength:6g}: {accuracy}, L {dependence:5.0f} nats")
figure

# %%
if results_path:
    save_results(
        [{"name": name, "difference": value} for name, value in differences.items()], results_path
    )

# %% [markdown]
# On features, a weight of 100 does *not* bring the network down to chance: the head is trained by the cross-entropy alone, and finds something in what the features still hold. On logits the regularizer moves the head itself;
# the network ends worse than one that guesses. (At small weights the logits cost *less* accuracy here; their $L$ is smaller too, bounded by $10/\varepsilon$ in place of $64/\varepsilon$.) **Cure:** a weight chosen on validation data; which layer serves the *target* better is a question for
# notebook [06](06_semi_supervised_transfer.ipynb).
#
# ## What we saw, at the default parameters
#
# - Each version agrees with the one before wherever it should, and from the fourth on with `LautumRegularizer`, in value and gradient; `gradcheck` agrees too.
# - Keeping $r$ components makes a step cheap, whatever $d$ is. It changes the value: dependence is lost, and noise with it. Whitening alone changes nothing.
# - The ridge is noise on $z$; it bounds $L$ by $k/\varepsilon$. Pushed alone, $L$ comes near that bound, and near it favours few directions.
# - It fails without a ridge, in batches that are small for $k + r$, and at weights that are too high, on logits sooner than on features.
#
# ## Limits
#
# One small network on digits; times of one run on one machine; one seed and 60 steps in the last lab. The Gaussian value sees linear dependence only. Whitening once, the ridge, and representations in place of weights
# are how it is done here; the paper's estimator may differ.
#
# ## References
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
# - D. Palomar, S. Verdu, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008.
# - H. Hotelling, *Relations between Two Sets of Variates*, Biometrika 28, 1936.
