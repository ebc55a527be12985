# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 03 · Gaussian Lautum: one number from one covariance matrix
#
# Between Gaussian vectors, Lautum information has a closed form that needs nothing but a covariance matrix. That makes it cheap enough to be part of a training
# loss. It also brings three dangers: it pulls hardest where the dependence is already strongest, it is badly overestimated from few samples, and it sees linear
# dependence only.

# %% tags=["parameters"]
seed = 0
covariances = 200  # random covariance matrices for each check
dims = [4, 8]  # dimensions of the two vectors: x and y in the first half, z and x in the second
draws = 400  # repetitions when we look at the bias of an estimate
grid = 300  # points along each axis where we need a density
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
import math
from functools import lru_cache

import pandas as pd
import torch
from torch.distributions import MultivariateNormal

from lautum_pages import check
from lautum_pages.page_03 import (
    draw_bias,
    draw_cures,
    draw_dots,
    draw_paths,
    draw_ridge,
    draw_slopes,
    draw_worlds,
)
from lautum_utils import (
    Explorer,
    batch_covariance,
    canonical_correlations,
    gaussian_lautum_information,
    gaussian_mutual_information,
    lautum_information,
    mutual_information,
    save_results,
)

differences = {}  # the largest difference of each check on this page


def compare(name, value, wanted):
    """Keep and print the largest difference, relative to 1 + |wanted|."""
    differences[name] = ((value - wanted).abs() / (1 + wanted.abs())).max().item()
    print(f"{name:58} {differences[name]:.0e}   < 1e-12: {differences[name] < 1e-12}")


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def trace_of(matrices):
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)


# %% [markdown]
# ## The closed form
#
# Let $x$ (the first `dim_x` axes) and $y$ be jointly Gaussian with covariance $\Sigma$ (`joint`). The product of the marginals is Gaussian too, with covariance
# $\Sigma_\times$ (`product`): $\Sigma$ without its off-diagonal blocks.
#
# $$\Sigma = \begin{pmatrix} \Sigma_x & \Sigma_{xy} \\ \Sigma_{yx} & \Sigma_y \end{pmatrix}, \qquad \Sigma_\times = \begin{pmatrix} \Sigma_x & 0 \\ 0 & \Sigma_y \end{pmatrix}, \qquad
# D(N_A \,\|\, N_B) = \tfrac12 \left[ \operatorname{tr}(B^{-1}A) - d + \log\det B - \log\det A \right]$$
#
# for two centred Gaussians in $d$ dimensions. So $L = D(N_{\Sigma_\times}\|N_\Sigma)$ and $I = D(N_\Sigma\|N_{\Sigma_\times})$. With $K = \Sigma_x^{-1} \Sigma_{xy} \Sigma_y^{-1} \Sigma_{yx}$ (`k_matrix`):
#
# 1. **Determinant.** The Schur complement of $\Sigma_y$ is $\Sigma_x - \Sigma_{xy}\Sigma_y^{-1}\Sigma_{yx} = \Sigma_x(I-K)$, so $\log\det \Sigma - \log\det \Sigma_\times = \log\det(I-K)$.
# 2. **Trace.** The $x$ block of $\Sigma^{-1}$ is the inverse of that complement; times $\Sigma_x$ it has trace $\operatorname{tr}(I-K)^{-1}$. The $y$ block is alike, with
#    a matrix that has the same non-zero eigenvalues. So $\operatorname{tr}(\Sigma^{-1}\Sigma_\times) - d = 2\operatorname{tr}\left((I-K)^{-1} - I\right)$.
# 3. **The other trace** is $\operatorname{tr}(\Sigma_\times^{-1}\Sigma) = d$: the diagonal blocks of $\Sigma_\times^{-1}\Sigma$ are identities.
#
# $$L = \operatorname{tr}\left((I-K)^{-1} - I\right) + \tfrac12\log\det(I-K), \qquad I = -\tfrac12\log\det(I-K).$$
#
# (Next to a matrix, $I$ is the identity.) Each step on random covariances, the last three against the divergence that torch computes:

# %%
d_x, d_y = dims
generator = torch.Generator().manual_seed(seed)
root = normal(generator, covariances, d_x + d_y, 2 * (d_x + d_y))
joint = root @ root.mT / root.shape[-1]
s_x, s_xy, s_y = joint[:, :d_x, :d_x], joint[:, :d_x, d_x:], joint[:, d_x:, d_x:]
product = joint.clone()
product[:, :d_x, d_x:] = product[:, d_x:, :d_x] = 0

identity = torch.eye(d_x, dtype=joint.dtype, device=joint.device)
k_matrix = torch.linalg.solve(s_x, s_xy) @ torch.linalg.solve(s_y, s_xy.mT)
log_det = torch.logdet(identity - k_matrix)
trace = trace_of(torch.linalg.inv(identity - k_matrix) - identity)


def divergence(a, b):
    zero = torch.zeros(a.shape[-1], dtype=a.dtype)
    return torch.distributions.kl_divergence(
        MultivariateNormal(zero, a), MultivariateNormal(zero, b)
    )


compare(
    "1. log det joint - log det product = log det(I - K)",
    torch.logdet(joint) - torch.logdet(product),
    log_det,
)
compare(
    "2. tr(joint^-1 product) - d = 2 tr((I - K)^-1 - I)",
    trace_of(torch.linalg.solve(joint, product)) - d_x - d_y,
    2 * trace,
)
compare(
    "3. tr(product^-1 joint) = d",
    trace_of(torch.linalg.solve(product, joint)),
    torch.full_like(trace, d_x + d_y),
)
compare("L = D(product || joint)", trace + log_det / 2, divergence(product, joint))
compare("I = D(joint || product)", -log_det / 2, divergence(joint, product))
compare(
    "gaussian_lautum_information",
    gaussian_lautum_information(joint, d_x),
    divergence(product, joint),
)

# %% [markdown]
# ### Exercise 3.1 · L from a covariance (medium, 10 minutes)
#
# Write `lautum_from_covariance(cov, dim_x)`: $L$ of $x$ and $y$ in nats, a tensor without axes. `cov` has shape `(d, d)`, and its first `dim_x` axes are $x$.
#
# <details><summary>Hint 1 of 2</summary>
#
# Cut `cov` into $\Sigma_x$, $\Sigma_{xy}$ and $\Sigma_y$. `torch.linalg.solve(a, b)` is $a^{-1}b$.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $L = \tfrac12\log\det(I-K) + \operatorname{tr}\left((I-K)^{-1} - I\right)$; `torch.linalg.slogdet` gives the logarithm of a determinant.
#
# </details>


# %%
def lautum_from_covariance(cov, dim_x):
    """L of the first dim_x axes and the others, in nats: a tensor without axes."""
    ### BEGIN SOLUTION
    s_x, s_xy, s_y = cov[:dim_x, :dim_x], cov[:dim_x, dim_x:], cov[dim_x:, dim_x:]
    rest = torch.eye(dim_x, dtype=cov.dtype, device=cov.device) - torch.linalg.solve(
        s_x, s_xy
    ) @ torch.linalg.solve(s_y, s_xy.mT)
    return torch.linalg.inv(rest).trace() - dim_x + torch.linalg.slogdet(rest).logabsdet / 2
    ### END SOLUTION


check("lautum_from_covariance", lautum_from_covariance)

# %% [markdown]
# ## Canonical correlations: a sum over pairs
#
# Let $\rho_i$ (`rho`) be the singular values of $\Sigma_x^{-1/2} \Sigma_{xy} \Sigma_y^{-1/2}$: the *canonical correlations*, at most $\min(d_x, d_y)$ of them. The eigenvalues of
# $K$ are $t_i = \rho_i^2$ and zeros, so determinant and trace fall apart:
#
# $$I = \sum_i -\tfrac12\log(1-t_i), \qquad L = \sum_i \tfrac12\log(1-t_i) + \frac{t_i}{1-t_i}, \qquad I + L = \sum_i \frac{t_i}{1-t_i}.$$
#
# So two Gaussian vectors are, after suitable linear maps, a list of independent pairs, each with one number. The $\rho_i$ ignore any invertible
# linear map of $x$, and another of $y$, and so do $I$ and $L$. **Predict** both for one pair with $\rho = 0.6$; the cell after the checks has the answer.
#
# ### Exercise 3.2 · L from correlations (easy, 5 minutes)
#
# Write `lautum_from_correlations(rho)`: $L$ in nats, a tensor without axes, from the canonical correlations `rho` of shape `(r,)`.
#
# <details><summary>Hint 1 of 2</summary>
#
# $L$ is a sum over the correlations, each with its $t = \rho^2$.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# Each adds $\tfrac12\log(1-t) + t/(1-t)$.
#
# </details>


# %%
def lautum_from_correlations(rho):
    """L in nats of Gaussian vectors with these canonical correlations: a tensor without axes."""
    ### BEGIN SOLUTION
    t = rho.square()
    return (torch.log1p(-t) / 2 + t / (1 - t)).sum()
    ### END SOLUTION


check("lautum_from_correlations", lautum_from_correlations)

# %%
t = canonical_correlations(joint, d_x).square()
mutual, lautum = gaussian_mutual_information(joint, d_x), gaussian_lautum_information(joint, d_x)
compare("I from the correlations", (-torch.log1p(-t) / 2).sum(-1), mutual)
compare("L from the correlations", (torch.log1p(-t) / 2 + t / (1 - t)).sum(-1), lautum)
compare("I + L = sum t / (1 - t)", (t / (1 - t)).sum(-1), mutual + lautum)


def invertible(d):
    """A rotation, a stretch by 1/2 to 2 along each axis, a rotation: with other stretches, every invertible map is of this form."""
    inner, outer = (torch.linalg.qr(normal(generator, covariances, d, d)).Q for _ in range(2))
    return outer * torch.linspace(0.5, 2, d, dtype=torch.float64) @ inner


maps = torch.zeros_like(joint)  # a map of x, and another of y
maps[:, :d_x, :d_x], maps[:, d_x:, d_x:] = invertible(d_x), invertible(d_y)
mapped = maps @ joint @ maps.mT
compare("I(Ax; By) = I(x; y)", gaussian_mutual_information(mapped, d_x), mutual)
compare("L(Ax; By) = L(x; y)", gaussian_lautum_information(mapped, d_x), lautum)
print("L >= I for every covariance:", bool((lautum >= mutual).all()))

# %% tags=["nbval-check-output"]
rho = 0.6  # the value to remember
pair = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64, device="cpu")
for name, value in (
    ("L", gaussian_lautum_information(pair, 1)),
    ("I", gaussian_mutual_information(pair, 1)),
):
    print(f"{name} = {value:.4f} nats, two such pairs {2 * value:.4f} nats")

# %% [markdown]
# ## L is at least I, and steeper
#
# For one pair, with $t = \rho^2$,
#
# $$\frac{dI}{dt} = \frac{1}{2(1-t)}, \qquad \frac{dL}{dt} = \frac{1+t}{2(1-t)^2}, \qquad \frac{d(L-I)}{dt} = \frac{t}{(1-t)^2} \ge 0.$$
#
# Both start from 0 at $t=0$, so $L \ge I$ for *Gaussian* vectors, pair by pair. (For other distributions it can be the other way round: notebook
# [01](01_measuring_dependence.ipynb).) **Predict:** at $\rho = 0.9$, how many times steeper in $t$ is $L$ than $I$?

# %%
# Derivatives by autograd through the 2 x 2 covariance, against the formulas.
t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64, requires_grad=True)
one = torch.ones_like(t)
pairs = torch.stack((one, t.sqrt(), t.sqrt(), one), -1).unflatten(-1, (2, 2))
(slope_i,) = torch.autograd.grad(gaussian_mutual_information(pairs, 1).sum(), t, retain_graph=True)
(slope_l,) = torch.autograd.grad(gaussian_lautum_information(pairs, 1).sum(), t)
t = t.detach()
compare("dI/dt = 1 / (2 (1 - t))", slope_i, 1 / (2 * (1 - t)))
compare("dL/dt = (1 + t) / (2 (1 - t)^2)", slope_l, (1 + t) / (2 * (1 - t) ** 2))

rho = torch.linspace(0, 0.97, 98, dtype=torch.float64)
t = rho.square()
curves = {"I": -torch.log1p(-t) / 2, "L": torch.log1p(-t) / 2 + t / (1 - t), "I + L": t / (1 - t)}
slopes = {"L": (1 + t) / (2 * (1 - t) ** 2), "I": 1 / (2 * (1 - t))}
draw_slopes(rho, curves, t, slopes)

# %% [markdown]
# The ratio of the slopes is $(1+t)/(1-t)$: 9.5 at $\rho = 0.9$.
#
# ## What does gradient ascent do under a budget?
#
# A network cannot raise all correlations at once. Let two pairs share a budget and climb along the gradient, projected so that the sum stays fixed. The answer depends
# on *what* is shared. We try two budgets:
#
# - $t_1 + t_2$ fixed (and no $t$ above 0.99). Both slopes grow with $t$, so both $I$ and $L$ feed the stronger pair, $L$ faster.
# - $s_1 + s_2$ fixed, with $s = t/(1-t)$ the ratio of signal to noise: for a linear feature $c_i x_i$ plus noise, both $x_i$ and noise of variance 1, $s_i = c_i^2$ is a squared weight. Here
#   $dL/ds = (1+t)/2$ and $dI/ds = (1-t)/2$ (since $dt/ds = (1-t)^2$). They add up to 1, since $I + L = \sum s_i$.
#
# **Predict:** under the second budget $I + L$ cannot change. Where does the ascent of $L$ end, and where that of $I$?
#
# The titles of the figure give the stronger pair's share of the first gradient. Move the two correlations.

# %%
SLOPES = {
    ("L", "t"): lambda t: (1 + t) / (2 * (1 - t) ** 2),
    ("I", "t"): lambda t: 1 / (2 * (1 - t)),
    ("L", "s"): lambda t: (1 + t) / 2,
    ("I", "s"): lambda t: (1 - t) / 2,
}


def share(name, budget, t):
    """The part of the gradient that goes to the pair named before the other."""
    ours, theirs = (SLOPES[name, budget](v) for v in t)
    return ours / (ours + theirs)


def ascend(name, budget, t, steps=200):
    """The path of t of two pairs that climb I or L with a fixed sum of t (no t above 0.99) or of s: steps + 1 pairs."""
    rate, cap = (0.02, 0.99) if budget == "t" else (0.1, math.inf)
    a, b = t if budget == "t" else (v / (1 - v) for v in t)
    path = [tuple(t)]
    for _ in range(steps):
        slope_a, slope_b = (SLOPES[name, budget](v) for v in path[-1])
        move = rate * (slope_a - slope_b) / 2
        move = min(move, cap - a, b) if move > 0 else max(move, -a, b - cap)
        a, b = a + move, b - move
        path.append((a, b) if budget == "t" else (a / (1 + a), b / (1 + b)))
    return path


# %%
def draw_ascent(one_correlation=0.6, other_correlation=0.5):
    """The squared correlations t of two pairs while I or L climbs, step by step; left with the sum of t held fixed, right with the
    sum of s held fixed. L gives to the stronger pair."""
    pairs = sorted((one_correlation**2, other_correlation**2), reverse=True)
    paths = {names: ascend(*names, pairs) for names in SLOPES}
    return draw_paths(paths, {names: share(*names, pairs) for names in SLOPES})


explorer_ascent = Explorer(
    draw_ascent, one_correlation=(0.0, 0.95, 0.05), other_correlation=(0.0, 0.95, 0.05)
)
explorer_ascent

# %%
draw_ascent(one_correlation=0.6, other_correlation=0.5)

# %% tags=["nbval-check-output"]
strong, weak = 0.9**2, 0.6**2
for budget in "ts":
    print(
        f"gradient in {budget}, rho 0.9 and 0.6: {share('L', budget, (strong, weak)):.0%} of L's",
        end=" and ",
    )
    print(f"{share('I', budget, (strong, weak)):.0%} of I's go to the stronger pair")
for name in "LI":
    print(f"climbing {name} with s1 + s2 fixed, from t = 0.36 and 0.25: ", end="")
    path = torch.tensor(ascend(name, "s", (0.36, 0.25)), dtype=torch.float64, device="cpu")
    total = (path / (1 - path)).sum(-1)
    print(
        "t = {:.2f} and {:.2f};".format(*path[-1]),
        "I + L stays the same:",
        bool((total - total[0]).abs().max() < 1e-12),
    )

# %% [markdown]
# With $s_1 + s_2$ fixed, $L$ gives everything to one pair while $I$ makes both equal, and **climbing $L$ is descending $I$**. The two published regularizers, "maximise $L$" and
# "minimise $I$", pull the same way here; with $t_1 + t_2$ fixed they do not. A real network has neither budget at first (in notebook [04](04_the_regularizer.ipynb) one comes to have the second), so this is a tendency to watch for, and no theorem
# about training.
#
# ## A ridge is noise
#
# From here on the pair is called as in training: a representation $z$ of $k$ dimensions, first, and inputs $x$ of $r$ dimensions. If $z$ is a deterministic linear function of $x$,
# its correlations are 1 and $L$ is infinite. The usual remedy is a *ridge*: add $\varepsilon\, m$ to the diagonal of $\Sigma_z$, with $\varepsilon$ (`ridge`) a fraction and $m$ the mean variance of $z$.
# This is no trick: independent noise $e \sim N(0, \varepsilon m I)$ has $\operatorname{cov}(z+e) = \Sigma_z + \varepsilon m I$ and $\operatorname{cov}(z+e, x) = \Sigma_{zx}$, so the ridge *is* noise on $z$.
#
# It also sets a bound. A direction in which $z$ has variance $v$ has at most $v$ to be explained by $x$, out of $v + \varepsilon m$:
#
# $$\rho^2 \le \frac{v}{v + \varepsilon m}.$$
#
# **Predict:** of a deterministic $z$ whose coordinates differ in variance, which correlations does the ridge spare? The cell after the exercise checks the equality by mapping the
# covariance of $(z, e, x)$ to that of $(z+e, x)$, and the one below it draws the answer.
#
# ### Exercise 3.3 · Noise on z (easy, 5 minutes)
#
# Write `add_noise(cov, dim_z, ridge)`: the covariance of $(z + e, x)$, of the same shape as `cov`, `(d, d)`, whose first `dim_z` axes are $z$.
#
# <details><summary>Hint 1 of 2</summary>
#
# Independent noise on $z$ changes only the variances of $z$: the first `dim_z` entries of the diagonal.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# What is added there is `ridge * cov.diagonal()[:dim_z].mean()`. Work on `cov.clone()`.
#
# </details>


# %%
def add_noise(cov, dim_z, ridge):
    """The covariance after independent noise on z, of variance ridge * mean variance of z."""
    ### BEGIN SOLUTION
    noisy = cov.clone()
    variance = noisy.diagonal()
    variance[:dim_z] += ridge * cov.diagonal()[:dim_z].mean()
    return noisy
    ### END SOLUTION


check("add_noise", add_noise)

# %%
# The equality on the random covariances above, and the bound.
k, r = dims
mean_variance = joint.diagonal(dim1=-2, dim2=-1)[:, :k].mean(-1)[:, None, None]
unit = torch.eye(k, dtype=joint.dtype, device=joint.device)
z_and_x = torch.tensor([*range(k), *range(2 * k, 2 * k + r)], device="cpu")
add = torch.zeros(k + r, k + k + r, dtype=joint.dtype)  # (z, e, x) to (z + e, x)
add[:k, :k] = add[:k, k : 2 * k] = unit
add[k:, 2 * k :] = torch.eye(r, dtype=joint.dtype, device=joint.device)
loudest = torch.linalg.eigvalsh(joint[:, :k, :k])[:, -1]  # variance of z in its loudest direction
for ridge in (0.01, 1.0):
    noise = ridge * mean_variance * unit
    with_noise = torch.zeros(covariances, k + k + r, k + k + r, dtype=joint.dtype)  # of (z, e, x)
    with_noise[:, z_and_x[:, None], z_and_x] = joint
    with_noise[:, k : 2 * k, k : 2 * k] = noise
    ridged = joint.clone()
    ridged[:, :k, :k] += noise
    wanted = gaussian_lautum_information(add @ with_noise @ add.mT, k)
    compare(f"ridge {ridge:g}: L of (z + e, x)", gaussian_lautum_information(ridged, k), wanted)
    bound = loudest / (loudest + ridge * mean_variance.flatten())
    below = canonical_correlations(ridged, k)[:, 0].square() <= bound
    print("    largest rho^2 <= v / (v + ridge m):", bool(below.all()))

# %%
pairs = min(k, r)
variance = 10 ** -torch.linspace(0, 2, pairs, dtype=torch.float64)  # of a deterministic z
m = variance.mean()
ridges = torch.logspace(-3, 1, 41, dtype=torch.float64)
t = variance / (variance + ridges[:, None] * m)
exact = (torch.log1p(-t) / 2 + t / (1 - t)).sum(-1)

generator = torch.Generator().manual_seed(seed)
x = normal(generator, 20_000, r)
z = x[:, :pairs] * variance.sqrt()
sampled = {}  # L where the noise is real
for ridge in ridges[::5]:
    noisy = z + (ridge * m).sqrt() * normal(generator, *z.shape)
    cov = torch.cov(torch.cat((noisy, x), 1).mT)
    sampled[ridge.item()] = gaussian_lautum_information(cov, pairs).item()


def correlations(noise, ridge):
    """Squares, largest first, where so much of z's own variance has nothing to do with x."""
    cov = torch.diag(torch.cat((variance, torch.ones(pairs, dtype=torch.float64))))
    cov[:pairs, pairs:] = cov[pairs:, :pairs] = torch.diag((variance * (1 - noise)).sqrt())
    cov[:pairs, :pairs] += ridge * m * torch.eye(pairs, dtype=torch.float64, device="cpu")
    return canonical_correlations(cov, pairs).square()


found = {ridge: (correlations(0.0, ridge), correlations(0.5, ridge)) for ridge in (0.01, 0.1, 1.0)}
draw_ridge((ridges, exact), sampled, variance / m, found)

# %% [markdown]
# A deterministic $z$ (full markers) sits on the bound; a $z$ that is half noise (hollow) below it. The ridge spares loud directions and silences quiet ones.
#
# ## From samples: too large on average
#
# In practice the covariance comes from $n$ samples.
#
# ### Exercise 3.4 · The covariance of samples (easy, 5 minutes)
#
# Write `sample_covariance(samples)`: from `samples` of shape `(n, d)` the unbiased covariance of shape `(d, d)`.
#
# <details><summary>Hint 1 of 2</summary>
#
# Rows are samples: subtract `samples.mean(0)`.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `centred.mT @ centred / (n - 1)`.
#
# </details>


# %%
def sample_covariance(samples):
    """The covariance of the columns, divided by n - 1."""
    ### BEGIN SOLUTION
    centred = samples - samples.mean(0)
    return centred.mT @ centred / (len(samples) - 1)
    ### END SOLUTION


check("sample_covariance", sample_covariance)

# %% [markdown]
# Let $z$ and $x$ be *independent*: the true $I$ and $L$ are 0. Centred columns of $n$ samples live in $n-1$ dimensions. There the columns of $z$ span a random $k$-dimensional subspace with projection $\Pi_z$,
# those of $x$ an $r$-dimensional one, and the sample correlations are the cosines between them: $\sum\rho_i^2 = \operatorname{tr}(\Pi_z\Pi_x)$. A Gaussian $z$ prefers no direction, so
# $E\,\Pi_z = \frac{k}{n-1} I$ and
#
# $$E\sum_i \rho_i^2 = \frac{k\,r}{n-1}, \qquad E\,(I + L) = E\sum_i\frac{\rho_i^2}{1-\rho_i^2} = \frac{k\,r}{n-k-r-2} \quad (n > k+r+2),$$
#
# the second from the mean of an inverse Wishart matrix. **Predict:** how many samples does it take before the sum of $\rho^2$ of independent vectors is below 0.1?

# %%
# Means over repeated draws of independent z and x, with 95 % intervals, against the two formulas.
generator = torch.Generator().manual_seed(seed)
sizes = [math.ceil(f * (k + r)) + 6 for f in (1, 2, 4, 8, 16, 32)]
means = {"sum": [], "I + L": [], "L": []}
reach = {"sum": [], "I + L": [], "L": []}
for n in sizes:
    cov = batch_covariance(normal(generator, draws, n, k), normal(generator, draws, n, r), 0.0)
    t = canonical_correlations(cov, k).square()
    odds = t / (1 - t)
    terms = {"sum": t, "I + L": odds, "L": odds + torch.log1p(-t) / 2}
    for name, values in ((name, term.sum(-1)) for name, term in terms.items()):
        means[name].append(values.mean().item())
        reach[name].append(1.96 * (values.std() / math.sqrt(draws)).item())
n, s = sizes[3], 0.81 / 0.19  # one true correlation of 0.9
x, z = normal(generator, draws, n, r), normal(generator, draws, n, k)
z[..., 0] = 0.9 * x[..., 0] + math.sqrt(0.19) * z[..., 0]
t = canonical_correlations(batch_covariance(z, x, 0.0), k).square()
found = (t / (1 - t)).sum(-1)
print(f"one correlation of 0.9, n = {n}: I + L is {s:.2f} nats, its estimate", end=" ")
print(f"{found.mean():.2f} ± {1.96 * found.std() / math.sqrt(draws):.2f} on average,", end=" ")
print(f"the formula says {(k * r + (n - 1) * s) / (n - k - r - 2):.2f}")
draw_bias(sizes, means, reach, k, r, draws)


# %% tags=["nbval-check-output"]
# What does this mean for a training batch of n = 256, k = 64 features and r = 784 pixels?
def sample_correlations(z, x):
    """Cosines between the spans of the centred columns: defined for any n > k."""
    basis_z, basis_x = (torch.linalg.qr(v - v.mean(0)).Q for v in (z, x))
    return torch.linalg.svdvals(basis_z.mT @ basis_x)


generator = torch.Generator().manual_seed(seed)
for n, k_, r_ in ((256, 64, 784), (256, 64, 224), (256, 64, 32), (4096, 64, 32)):
    rho = sample_correlations(normal(generator, n, k_), normal(generator, n, r_))
    ones = int((rho > 1 - 1e-9).sum())
    print(
        f"n {n}, k {k_}, r {r_}: {ones} correlations of 1; sum of rho^2 {rho.square().sum():.1f}",
        end="",
    )
    print(f" (k r / (n - 1) = {k_ * r_ / (n - 1):.1f})" if n > k_ + r_ else "; L is infinite")

# %% [markdown]
# With dependence the bias is not only added: $E\,(I+L) = \frac{k r + (n-1)\sum s_i}{n-k-r-2}$, with $s_i = t_i/(1-t_i)$ the true ones, so what is there is inflated too (the line printed above; derived here from the means of a non-central Wishart matrix and of an inverse one).
#
# The means follow both lines: with the default dimensions $\sum\rho^2$ is below 0.1 only for $n > 321$. And two subspaces of $k$ and $r$ dimensions in $n-1$ dimensions share at least $k + r - (n-1)$ of them, up to $\min(k, r)$, and each shared direction is a sample correlation of exactly 1: for a batch of small images the
# estimate is hopeless.
#
# ## Three cures, the last one tried twice
#
# More samples; fewer components of $x$ by PCA; a ridge. We try each on independent vectors, and on vectors with one true correlation of 0.9, on the leading component of $x$ (kind to PCA). A cure should bring the second to its
# truth *and* keep it apart from the first. The ridge gets two chances: all 16 coordinates of $z$ equally loud, or the correlated one the loudest (coordinate $i$ with standard deviation $1/i$). **Predict:** which of the four works best?


# %%
# 20 draws for each setting of one cure, the others at n = 128, r = 64 and no ridge; z has 16 dimensions.
def estimated(true_rho, n=128, components=64, ridge=0.0, loudness=0.0):
    generator = torch.Generator().manual_seed(seed)
    x, z = normal(generator, 20, n, 64), normal(generator, 20, n, 16)
    z[..., 0] = true_rho * x[..., 0] + math.sqrt(1 - true_rho**2) * z[..., 0]
    z = z * torch.arange(1, 17, dtype=torch.float64) ** -loudness
    if components < 64:  # with all of them PCA is an invertible map, which changes nothing
        x = x * torch.arange(1, 65, dtype=torch.float64) ** -0.5
        centred = x - x.mean(1, keepdim=True)
        x = x @ torch.linalg.eigh(centred.mT @ centred).eigenvectors[..., -components:]
    return gaussian_lautum_information(batch_covariance(z, x, ridge), 16)


def truth(true_rho, ridge=0.0, loudness=0.0, **_):
    variance = torch.arange(1, 17, dtype=torch.float64) ** (-2 * loudness)
    noise = ridge * variance.mean().item()  # the variance of the coordinate that matters is 1
    t = true_rho**2 / (1 + noise)
    return math.log1p(-t) / 2 + t / (1 - t)


# %%
ridges = [{"ridge": e} for e in (0.0, 0.01, 0.1, 1.0, 10.0)]
cures = {
    "more samples": ("samples n", [{"n": n} for n in (128, 256, 512, 1024, 2048)]),
    "fewer components": ("components r of x", [{"components": c} for c in (64, 32, 16, 8, 4, 2)]),
    "ridge, equal variances": ("ridge ε", ridges),
    "ridge, loud signal": ("ridge ε", [{"loudness": 1.0} | e for e in ridges]),
}
found, truths, axes_of = {}, {}, {}
for title, (label, settings) in cures.items():
    found[title] = {
        what: torch.stack([estimated(true_rho, **setting) for setting in settings])
        for what, true_rho in (("one ρ of 0.9", 0.9), ("independent", 0.0))
    }
    truths[title] = [truth(0.9, **setting) for setting in settings]
    axes_of[title] = label, [list(setting.values())[-1] for setting in settings]
draw_cures(found, truths, axes_of)

# %% [markdown]
# Markers are means, bars run from the smallest to the largest of 20 draws. On equal variances the ridge lowers signal and bias alike, until nothing tells them apart. With a loud signal it silences mostly the
# quiet coordinates, where only bias was, and up to $\varepsilon = 1$ their ratio grows. Most samples come nearest to the truth; fewest components separate the two best.
#
# Now your own: dots are 20 draws, lines the truth (of $z$ + noise, if there is a ridge). $z$ and $x$ have `dimensions` each; one pair has the correlation, all others are independent. Try 16 dimensions with
# 24 samples: without a ridge the estimate is infinite.


# %%
@lru_cache(maxsize=4)
def standard_normal(n, d):
    generator = torch.Generator().manual_seed(seed)
    return normal(generator, 20, n, d), normal(generator, 20, n, d)


def draw_estimates(correlation=0.6, dimensions=8, samples=128, ridge=0.0):
    """Left: 20 estimates of I and of L from so many samples (dots), and the truth (lines). Right: canonical correlations of the
    samples by rank, mean and range, and the true ones (dashes)."""
    x, z = standard_normal(samples, dimensions)
    z = z.clone()
    z[..., 0] = correlation * x[..., 0] + math.sqrt(1 - correlation**2) * z[..., 0]
    cov = batch_covariance(z, x, ridge)
    rho = canonical_correlations(cov, dimensions, validate_args=False)
    t = correlation**2 / (1 + ridge)
    true = {"I": -math.log1p(-t) / 2, "L": math.log1p(-t) / 2 + t / (1 - t)}
    estimates = None  # infinite
    if ridge > 0 or samples - 1 >= 2 * dimensions:
        functions = {"I": gaussian_mutual_information, "L": gaussian_lautum_information}
        estimates = {name: f(cov, dimensions, validate_args=False) for name, f in functions.items()}
    return draw_dots(true, estimates, rho, math.sqrt(t), samples)


explorer_estimates = Explorer(
    draw_estimates,
    correlation=(0.0, 0.99, 0.01),
    dimensions=(1, 16, 1),
    samples=[24, 32, 64, 128, 256, 512, 1024],
    ridge=[0.0, 0.001, 0.01, 0.1, 1.0],
)
explorer_estimates

# %%
draw_estimates(correlation=0.6, dimensions=8, samples=64)

# %% [markdown]
# ## When the data is not Gaussian
#
# The closed form sees a covariance and nothing else. What does it miss? In two dimensions we can put the density on a fine grid and use the sums of notebook 01. What is computed as "true" is thus $I$ and $L$ of the
# *discretised* variables; a grid with half as many points a side tells whether that matters. **Predict:** in which of these pictures is the Gaussian value about right, and can it be too *large*?


# %%
def bell(v, sigma):
    return torch.exp(-((v / sigma) ** 2) / 2)


def ring(x, y, sigma=0.2):
    radius = (x**2 + y**2).sqrt()
    # A circle of radius 1 plus noise.
    return bell(radius - 1, sigma) * torch.special.i0e(radius / sigma**2)


def clusters(x, y, sigma=0.3):
    return bell(x - 1, sigma) * bell(y - 1, sigma) + bell(x + 1, sigma) * bell(y + 1, sigma)


def outliers(x, y, part=0.02, width=10, rho=0.95):
    narrow = (1 - rho**2) ** 0.5
    wide = bell(x, width) * bell(y - rho * x, width * narrow) / (width**2 * narrow)
    return (1 - part) * bell(x, 1) * bell(y, 1) + part * wide


# Limits of x and of y, and the joint density up to a factor; in parabola and cross, x is uniform.
WORLDS = {
    "line": (6, (-6, 6), lambda x, y: bell(x, 1) * bell(y - 0.6 * x, 0.8)),
    "parabola": (3**0.5, (-2.5, 5.5), lambda x, y: bell(y - x**2, 0.5)),
    "cross": (3**0.5, (-3, 3), lambda x, y: bell(y - x, 0.3) + bell(y + x, 0.3)),
    "ring": (2, (-2, 2), ring),
    "two clusters": (3, (-3, 3), clusters),
    "2 % outliers": (50, (-50, 50), outliers),
}


# %%
def discretised(name, points):
    """The midpoints along x and y, and the table of probabilities."""
    reach, (low, high), density = WORLDS[name]
    middle = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    x, y = -reach + 2 * reach * middle, low + (high - low) * middle
    table = density(x[:, None], y)
    return x, y, table / table.sum()


def correlation_of(x, y, table):
    """The correlation of x and y, to which the table gives probabilities."""
    p_x, p_y = table.sum(1), table.sum(0)
    x, y = x - p_x @ x, y - p_y @ y
    return (x @ table @ y / ((p_x @ x**2) * (p_y @ y**2)).sqrt()).item()


def row(x, y, table):
    t = correlation_of(x, y, table) ** 2
    gauss_i, gauss_l = -math.log1p(-t) / 2, math.log1p(-t) / 2 + t / (1 - t)
    return {
        "rho": math.sqrt(t),
        "I, Gaussian": gauss_i,
        "I, true": mutual_information(table).item(),
        "L, Gaussian": gauss_l,
        "L, true": lautum_information(table).item(),
    }


def all_rows(points):
    rows = {name: row(*discretised(name, points)) for name in WORLDS}
    x, y, table = discretised("line", points)
    rows["line, y cubed"] = row(x, y**3, table)
    rows["line, exp(y)"] = row(x, y.exp(), table)
    return pd.DataFrame(rows).T


# %%
generator = torch.Generator().manual_seed(seed)
samples = {}
for name in WORLDS:
    x, y, table = discretised(name, grid)
    cells = torch.multinomial(table.flatten(), 600, replacement=True, generator=generator)
    samples[name] = x[cells // grid], y[cells % grid]
draw_worlds(all_rows(grid), samples)

# %% tags=["nbval-check-output"]
print(all_rows(grid).abs().round(2).to_string())
change = (all_rows(grid) - all_rows(grid // 2)).abs().max().max()
print("half as many points a side change no number by 0.02 or more:", change < 0.02)

# %%
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# Parabola, cross and ring have zero correlation: the Gaussian value is 0 while $x$ and $y$ depend on each other. For two clusters, $I$ comes out too large (the true one cannot exceed $\log 2 = 0.69$: all that $x$ and $y$ share is the cluster)
# and $L$ too small. Two percent of correlated outliers make both too large. And a monotone map of one variable ($y^3$, $e^y$) moves the Gaussian value, though nothing is lost: the true $I$ and $L$ are those of the line.
#
# ## What we saw, at the default parameters
#
# - $L$ and $I$ of Gaussian vectors follow from the divergence in three steps, and depend on the canonical correlations only; $\rho = 0.6$ gives $L = 0.3394$ and $I = 0.2231$.
# - $L \ge I$, and $L$ is steeper: at correlations 0.9 and 0.6, the stronger pair gets 94 % of the gradient of $L$ in $t$, and 77 % of that of $I$.
# - With a fixed sum of $t/(1-t)$, climbing $L$ ends with one pair holding everything, climbing $I$ with two equal pairs.
# - A ridge on $\Sigma_z$ is noise on $z$, exactly. It caps $\rho^2$, and the quiet directions of $z$ most.
# - From samples, independent vectors look dependent: $\sum\rho^2$ averages $kr/(n-1)$. At $n=256$, $k=64$, $r=784$ all 64 sample correlations are 1. More samples and fewer components help; a ridge alone makes the
#   estimate finite, not right.
# - Off the Gaussian, the value can be 0 where the true $L$ is 2.53 nats (parabola), and 0.42 where it is 0.19 (outliers).
#
# ## Limits
#
# The formulas for the bias are those of Gaussian vectors. The cures were tried on one family of covariances, with the dependence on the leading component. The
# ascent moves two free numbers, which a network's weights are not. Notebook 04 treats the regularizer itself.
#
# ## References
#
# - D. Palomar, S. Verdu, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008.
# - H. Hotelling, *Relations Between Two Sets of Variates*, Biometrika 28, 1936.
# - T. Cover, J. Thomas, *Elements of Information Theory*, Wiley, 2006.
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
