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
# Lautum information of two Gaussian vectors needs nothing but their covariance. That makes it cheap enough for a training loss. It also brings three dangers:
# it pulls hardest where the dependence is already strongest, it is far too large from few samples, and it sees linear dependence only.
#
# **On the 90-minute path**, read the first half: up to exercise 3.4, without the other exercises (15 minutes). The second half is about samples.

# %% tags=["parameters"]
seed = 0
covariances = 200  # random covariance matrices for each check
dims = [4, 8]  # dimensions of the two vectors: x and y in the first half, z and x in the second
draws = 400  # repetitions when we look at the bias of an estimate
grid = 300  # points along each axis where we need a density
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("03", globals())  # silent, unless a value above cannot work

# %% [markdown]
# ## The picture
#
# A covariance of two vectors looks like a tangle. But we may turn and stretch $x$, and turn and stretch $y$. Then all that is left between them is a list of *pairs*, and each pair has one number,
# its correlation $\rho$. **Predict:** of the total $L$ of the three pairs below, which part comes from the first?

# %%
from lautum_pages.page_03 import draw_idea

draw_idea()

# %%
import math

import torch
from torch.distributions import MultivariateNormal, kl_divergence

from lautum_pages import check, page_03_checks
from lautum_pages.page_03 import draw_pairs, draw_ridge, draw_slopes
from lautum_pages.page_03_checks import checked, random_covariances
from lautum_pages.page_03_samples import draw_bias, draw_cures, draw_dots, standard_normal
from lautum_pages.page_03_worlds import WORLDS, discretised, draw_worlds, sampled
from lautum_utils import Explorer, batch_covariance, canonical_correlations, save_results
from lautum_utils import gaussian_lautum_information, gaussian_mutual_information
from lautum_utils import lautum_information, mutual_information


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# %% [markdown]
# Nine tenths. (Dotted circles show an unrelated pair.) The rest of this notebook makes that picture exact, and then asks what it does to a gradient.
#
# ## The closed form
#
# Let $x$ and $y$ be jointly Gaussian with covariance $\Sigma$ (`joint`). The product of their marginals is Gaussian too. Its covariance $\Sigma_\times$ (`product`) is $\Sigma$ without
# the blocks off the diagonal. For two centred Gaussians in $d$ dimensions, with covariances $A$ and $B$, the divergence is known:
#
# $$\Sigma = \begin{pmatrix} \Sigma_x & \Sigma_{xy} \\ \Sigma_{yx} & \Sigma_y \end{pmatrix}, \qquad \Sigma_\times = \begin{pmatrix} \Sigma_x & 0 \\ 0 & \Sigma_y \end{pmatrix},$$
#
# $$D(N_A \,\|\, N_B) = \tfrac12 \left[ \operatorname{tr}(B^{-1}A) - d + \log\det B - \log\det A \right]$$
#
# So $L = D(N_{\Sigma_\times}\|N_\Sigma)$ and $I = D(N_\Sigma\|N_{\Sigma_\times})$. Put $K = \Sigma_x^{-1} \Sigma_{xy} \Sigma_y^{-1} \Sigma_{yx}$: what $y$ tells about $x$, in units of $x$. Three steps lead to the result.
#
# 1. **The determinants.** The covariance of $x$ given $y$ is $\Sigma_x - \Sigma_{xy}\Sigma_y^{-1}\Sigma_{yx} = \Sigma_x(I-K)$ (the Schur complement). So $\log\det \Sigma - \log\det \Sigma_\times = \log\det(I-K)$.
# 2. **The trace for $L$.** The $x$ block of $\Sigma^{-1}$ is the inverse of that conditional covariance. Times $\Sigma_x$, its trace is $\operatorname{tr}(I-K)^{-1}$. The $y$ block is alike. So
#    $\operatorname{tr}(\Sigma^{-1}\Sigma_\times) - d = 2\operatorname{tr}\left((I-K)^{-1} - I\right)$.
# 3. **The trace for $I$.** The diagonal blocks of $\Sigma_\times^{-1}\Sigma$ are identities, so its trace is $d$.
#
# $$L = \operatorname{tr}\left((I-K)^{-1} - I\right) + \tfrac12\log\det(I-K), \qquad I = -\tfrac12\log\det(I-K).$$
#
# (Next to a matrix, $I$ is the identity.) We compare with the divergence that torch computes from the two matrices:

# %%
d_x, d_y = dims
joint = random_covariances(covariances, d_x + d_y, seed)
one = joint[0]
product = torch.block_diag(one[:d_x, :d_x], one[d_x:, d_x:])
zero = torch.zeros(d_x + d_y, dtype=one.dtype)
by_torch = kl_divergence(MultivariateNormal(zero, product), MultivariateNormal(zero, one))
print(f"L: {by_torch:.4f} by torch, {gaussian_lautum_information(one, d_x):.4f} by the closed form")
differences = page_03_checks.closed_form_checks(joint, d_x)
print(checked(differences, f"{covariances} covariances"))

# %% [markdown]
# <details><summary>What was checked</summary>
#
# Each of the three steps, $L$ and $I$ against torch's divergences, and the library's `gaussian_lautum_information` and `gaussian_mutual_information` (`lautum_pages/page_03_checks.py`).
#
# </details>
#
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
    k = torch.linalg.solve(s_x, s_xy) @ torch.linalg.solve(s_y, s_xy.mT)
    rest = torch.eye(dim_x, dtype=cov.dtype, device=cov.device) - k
    return torch.linalg.inv(rest).trace() - dim_x + torch.linalg.slogdet(rest).logabsdet / 2
    ### END SOLUTION


check("lautum_from_covariance", lautum_from_covariance)

# %% [markdown]
# ## Canonical correlations: a sum over pairs
#
# Let $\rho_i$ be the singular values of $\Sigma_x^{-1/2} \Sigma_{xy} \Sigma_y^{-1/2}$. These are the *canonical correlations*: the numbers under the ellipses. There are at most $\min(d_x, d_y)$ of them. The eigenvalues of
# $K$ are $t_i = \rho_i^2$ and zeros. A determinant is a product of eigenvalues and a trace is their sum, so both results become sums over pairs:
#
# $$I = \sum_i -\tfrac12\log(1-t_i), \qquad L = \sum_i \tfrac12\log(1-t_i) + \frac{t_i}{1-t_i},$$
#
# $$I + L = \sum_i \frac{t_i}{1-t_i}.$$
#
# An invertible linear map of $x$, and another of $y$, change no $\rho_i$, and so neither $I$ nor $L$. **Predict** both for one pair with $\rho = 0.6$; the cell after the exercise has the answer.
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

# %% tags=["nbval-check-output"]
rho = 0.6  # the value to remember
pair = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64, device="cpu")
lautum, mutual = gaussian_lautum_information(pair, 1), gaussian_mutual_information(pair, 1)
print(f"one pair of correlation {rho}: L = {lautum:.4f} nats, I = {mutual:.4f} nats")
found = page_03_checks.correlation_checks(joint, d_x, seed) | page_03_checks.slope_checks()
print(checked(found, "the covariances"))
differences |= found

# %% [markdown]
# ## L is at least I, and steeper
#
# For one pair, the slopes in $t = \rho^2$ are
#
# $$\frac{dI}{dt} = \frac{1}{2(1-t)}, \qquad \frac{dL}{dt} = \frac{1+t}{2(1-t)^2}, \qquad \frac{d(L-I)}{dt} = \frac{t}{(1-t)^2} \ge 0.$$
#
# (Autograd agrees: the line above counts these two, and that linear maps change nothing.) Both start from 0 at $t=0$. So $L \ge I$ for *Gaussian* vectors, pair by pair. For other distributions it can be the other way round: notebook
# [01](01_measuring_dependence.ipynb). **Predict:** at $\rho = 0.9$, how many times steeper in $t$ is $L$ than $I$?

# %%
draw_slopes()

# %% [markdown]
# The ratio of the slopes is $(1+t)/(1-t)$: 9.5 at $\rho = 0.9$.
#
# ## What does gradient ascent do under a budget?
#
# A network cannot raise all correlations at once. Let two pairs share a budget, and climb along the gradient, projected so that a sum stays fixed. *What* is shared decides. We try two budgets:
#
# - **The sum of $t$** is fixed (and no $t$ passes 0.99). Both slopes grow with $t$. So both $I$ and $L$ feed the stronger pair, $L$ faster.
# - **The sum of $s$** is fixed, where $s = t/(1-t)$ is the ratio of signal to noise. (A linear feature $c_i x_i$ plus noise, both of variance 1, has $s_i = c_i^2$: a squared weight.) Here
#   $dL/ds = (1+t)/2$ and $dI/ds = (1-t)/2$, since $dt/ds = (1-t)^2$.
#
# **Predict:** with the sum of $s$ fixed, $I + L$ cannot change, because it *is* that sum. Where does the ascent of $L$ end, and where that of $I$?

# %%
SLOPES = {  # by what is climbed, and what is held fixed
    ("L", "t"): lambda t: (1 + t) / (2 * (1 - t) ** 2),
    ("I", "t"): lambda t: 1 / (2 * (1 - t)),
    ("L", "s"): lambda t: (1 + t) / 2,
    ("I", "s"): lambda t: (1 - t) / 2,
}


def ascend(climbed, fixed, strong, weak, steps=200):
    """The t of two pairs, step by step, while I or L climbs and the sum of t or of s is fixed."""
    slope = SLOPES[climbed, fixed]
    rate, most = (0.02, 0.99) if fixed == "t" else (0.1, math.inf)
    amounts = (strong, weak) if fixed == "t" else (strong / (1 - strong), weak / (1 - weak))
    path, total, amount = [(strong, weak)], sum(amounts), amounts[0]
    for _ in range(steps):
        amount += rate * (slope(path[-1][0]) - slope(path[-1][1])) / 2
        amount = min(max(amount, total - most, 0), most, total)
        now = amount, total - amount
        path.append(now if fixed == "t" else tuple(v / (1 + v) for v in now))
    return path


# %%
def draw_ascent(one_correlation=0.6, other_correlation=0.5, step=20, fixed_sum="s"):
    """Two pairs while L climbs (blue) and while I climbs (orange), one gradient step after another,
    with the sum of s = t / (1 - t) or that of t held fixed. A thin ellipse is a strong pair, a
    circle an unrelated one."""
    strong, weak = sorted((one_correlation**2, other_correlation**2), reverse=True)
    paths = {name: ascend(name, fixed_sum, strong, weak) for name in "LI"}
    return draw_pairs(paths, step, fixed_sum)


explorer_ascent = Explorer(
    draw_ascent,
    one_correlation=(0.0, 0.95, 0.05),
    other_correlation=(0.0, 0.95, 0.05),
    step=[0, 5, 10, 20, 30, 40, 60, 80, 120, 200],
    fixed_sum=["s", "t"],
)
explorer_ascent

# %%
draw_ascent(step=40)

# %% tags=["nbval-check-output"]
path = torch.tensor(ascend("L", "s", 0.36, 0.25), dtype=torch.float64, device="cpu")
total = (path / (1 - path)).sum(-1)
differences["I + L during the ascent"] = (total - total[0]).abs().max().item()
for name in "LI":
    a, b = ascend(name, "s", 0.36, 0.25)[-1]
    print(f"climbing {name} from t = 0.36 and 0.25, sum of s fixed: ends at {a:.2f} and {b:.2f}")
    a, b = (SLOPES[name, "t"](rho**2) for rho in (0.9, 0.6))
    print(f"of the gradient of {name} in t, at rho 0.9 and 0.6: {a / (a + b):.0%} for the stronger")

# %% [markdown]
# With the sum of $s$ fixed, $L$ gives everything to one pair, and $I$ makes both equal. So here **climbing $L$ is descending $I$**. The two published regularizers, "maximise $L$" and
# "minimise $I$", pull the same way; with the sum of $t$ fixed they do not. A real network has neither budget at first. (In notebook [04](04_the_regularizer.ipynb) one comes to have the second.) So this is a tendency to watch for, and no theorem
# about training.
#
# ## A ridge is noise
#
# From here on the two vectors are called as in training: a representation $z$ of $k$ dimensions comes first, then inputs $x$ of $r$ dimensions. If $z$ is a linear function of $x$ and nothing else,
# its correlations are 1 and $L$ is infinite. The usual remedy is a *ridge*: add $\varepsilon\, m$ to each variance of $z$. Here $\varepsilon$ (`ridge`) is a fraction and $m$ the mean variance of $z$.
# This is no trick. Independent noise $e$ of variance $\varepsilon m$ has $\operatorname{cov}(z+e) = \Sigma_z + \varepsilon m I$ and $\operatorname{cov}(z+e, x) = \Sigma_{zx}$. So the ridge *is* noise on $z$.
#
# It also sets a bound. A direction in which $z$ has variance $v$ has at most $v$ to be explained by $x$, out of $v + \varepsilon m$. So $\rho^2 \le v/(v + \varepsilon m)$.
#
# **Predict:** the coordinates of $z$ differ in variance. Which correlations does the ridge spare?
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
k, r = dims
found = page_03_checks.ridge_checks(joint, k)
print(checked(found, f"{covariances} covariances, ridge = noise and the bound"))
differences |= found

variance = 10 ** -torch.linspace(0, 2, min(k, r), dtype=torch.float64)
generator = torch.Generator().manual_seed(seed)
x, noise = normal(generator, 20_000, r), normal(generator, 20_000, min(k, r))
linear = x[:, : min(k, r)] * variance.sqrt()  # z = f(x), some coordinates louder than others
half = (linear + noise * variance.sqrt()) / 2**0.5
shown = {}
for ridge in (0.01, 0.1, 1.0):
    covs = (batch_covariance(z, x, ridge) for z in (linear, half))
    shown[ridge] = [canonical_correlations(cov, min(k, r)).square() for cov in covs]
draw_ridge(variance / variance.mean(), shown)

# %% [markdown]
# A $z$ that is a function of $x$ (full markers) sits on the bound. A $z$ that is half noise (hollow) lies below it. The ridge spares loud coordinates and silences quiet ones.
#
# ### Exercise 3.4 · Which argument is false? (medium, 10 minutes)
#
# Five arguments about Gaussian vectors $z$ and $x$. They concern the exact value, without a ridge and without samples. One conclusion is wrong. Which?
#
# - **A.** Replace $z$ by $2z$. Then $\Sigma_{zx}$ doubles and $\Sigma_z$ becomes four times as large. $K$ stays. So $L$ stays.
# - **B.** Add noise to $z$ that halves each $t$. $L$ is a sum of one term for each pair, and each term depends on its own $t$ only. So $L$ is halved.
# - **C.** Append to $z$ one more coordinate, independent of $z$ and of $x$. It brings one more pair, with $\rho = 0$. So $L$ stays.
# - **D.** Let $z$ be a linear function of $x$ and nothing else. Then $I$ is infinite. Gaussian vectors have $L \ge I$. So $L$ is infinite.
# - **E.** Change $z$ so that $\sum t/(1-t)$ stays as it was. If that raises $L$ by 0.1 nats, then it lowers $I$ by 0.1 nats.
#
# Let `false_argument()` return its letter.
#
# <details><summary>Hint 1 of 2</summary>
#
# Try each with one pair: put $t = 0.8$ into the formulas for $I$ and $L$.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# "A sum of terms" is one property, "proportional to $t$" is another. Look at the left of the figure of slopes.
#
# </details>


# %%
def false_argument():
    """The letter of the argument whose conclusion is wrong."""
    ### BEGIN SOLUTION
    return "B"
    ### END SOLUTION


check("false_argument", false_argument)

# %% [markdown]
# **The 90-minute path goes on with notebook [06](06_semi_supervised_transfer.ipynb).** What follows is about estimates.
#
# ## From samples: too large on average
#
# In practice the covariance comes from $n$ samples.
#
# ### Exercise 3.5 · The covariance of samples (easy, 5 minutes)
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
# Let $z$ and $x$ be *independent*: the true $I$ and $L$ are 0. What do samples show? Centred columns of $n$ samples live in $n-1$ dimensions. There the columns of $z$ span a random plane of $k$ dimensions,
# those of $x$ one of $r$ dimensions. The sample correlations are the cosines between the two planes. With $\Pi_z$ and $\Pi_x$ the projections on them, $\sum\rho_i^2 = \operatorname{tr}(\Pi_z\Pi_x)$. A Gaussian $z$ prefers no direction, so
# the mean of $\Pi_z$ is $\frac{k}{n-1} I$. Hence
#
# $$E\sum_i \rho_i^2 = \frac{k\,r}{n-1},$$
#
# $$E\,(I + L) = E\sum_i\frac{\rho_i^2}{1-\rho_i^2} = \frac{k\,r}{n-k-r-2} \quad (n > k+r+2).$$
#
# (The second comes from the mean of an inverse Wishart matrix.) **Predict:** how many samples does it take before the sum of $\rho^2$ of independent vectors is below 0.1?

# %%
generator = torch.Generator().manual_seed(seed)


def estimated_odds(n, true_rho=0.0):
    """In each of many draws of n samples: the sample rho^2, and rho^2 / (1 - rho^2), summed."""
    x, z = normal(generator, draws, n, r), normal(generator, draws, n, k)
    z[..., 0] = true_rho * x[..., 0] + math.sqrt(1 - true_rho**2) * z[..., 0]
    t = canonical_correlations(batch_covariance(z, x, 0.0), k).square()
    return t.sum(-1), (t / (1 - t)).sum(-1)


sizes = [math.ceil(f * (k + r)) + 6 for f in (1, 2, 4, 8, 16, 32)]
squares, odds = zip(*map(estimated_odds, sizes))
draw_bias(sizes, {"sum of ρ²": squares, "I + L": odds}, k, r)

# %% [markdown]
# The means follow both lines. With the default dimensions $\sum\rho^2$ is below 0.1 only for $n > 321$. With real dependence the bias does more than add. Let $s_i = t_i/(1-t_i)$ be the true ratios. Then
#
# $$E\,(I+L) = \frac{k r + (n-1)\sum s_i}{n-k-r-2},$$
#
# so what is there is inflated too (derived here from the means of a non-central Wishart matrix and of an inverse one). And a small batch of images? Two planes of $k$ and $r$ dimensions inside $n-1$ dimensions share at least
# $k + r - (n-1)$ of them. Each shared direction is a sample correlation of exactly 1.

# %% tags=["nbval-check-output"]
n, s = sizes[3], 0.81 / 0.19  # one true correlation of 0.9
mean = estimated_odds(n, 0.9)[1].mean().item()
formula = (k * r + (n - 1) * s) / (n - k - r - 2)
print(f"n = {n}: the mean estimate is within 5 % of the formula: {abs(mean / formula - 1) < 0.05}")

generator = torch.Generator().manual_seed(seed)
for n, k_, r_ in ((256, 64, 784), (256, 64, 32), (4096, 64, 32)):
    drawn = normal(generator, n, k_), normal(generator, n, r_)
    plane_z, plane_x = (torch.linalg.qr(v - v.mean(0)).Q for v in drawn)
    rho = torch.linalg.svdvals(plane_z.mT @ plane_x)
    ones, squares = (rho > 1 - 1e-9).sum().item(), rho.square().sum()
    print(f"n {n}, k {k_}, r {r_}: {ones} correlations of 1; sum of rho^2 {squares:.1f}")

# %% [markdown]
# For a batch of 256 small images (784 pixels) all 64 sample correlations are 1: the estimate says nothing.
#
# ## Three cures, the last one tried twice
#
# More samples; fewer components of $x$ by PCA; a ridge. We try each on independent vectors, and on vectors with one true correlation of 0.9. A cure should bring the second to its
# truth *and* keep it clear of the first. The correlated coordinate of $x$ is the leading one, which is kind to PCA. The ridge gets two chances: all 16 coordinates of $z$ equally loud, or the correlated one the loudest
# (coordinate $i$ has standard deviation $1/i$). **Predict:** which of the four works best?


# %%
def scales(count, power):
    return torch.arange(1, count + 1, dtype=torch.float64) ** -power


def estimated(true_rho, n=128, components=64, ridge=0.0, loudness=0.0):
    """L in 20 draws of n samples of z (16 dimensions) and x (64), one pair correlated."""
    generator = torch.Generator().manual_seed(seed)
    x, z = normal(generator, 20, n, 64), normal(generator, 20, n, 16)
    z[..., 0] = true_rho * x[..., 0] + math.sqrt(1 - true_rho**2) * z[..., 0]
    x, z = x * scales(64, 0.5), z * scales(16, loudness)
    centred = x - x.mean(1, keepdim=True)
    x = x @ torch.linalg.eigh(centred.mT @ centred).eigenvectors[..., -components:]
    return gaussian_lautum_information(batch_covariance(z, x, ridge), 16)


def truth(ridge=0.0, loudness=0.0, **_):
    """L of the one pair: its coordinate of z has variance 1, and gets noise."""
    own = 1 + ridge * scales(16, 2 * loudness).mean().item()
    cov = torch.tensor([[own, 0.9], [0.9, 1]], dtype=torch.float64, device="cpu")
    return gaussian_lautum_information(cov, 1).item()


# %%
ridges = (0.0, 0.01, 0.1, 1.0, 10.0)
CURES = {
    "more samples": ("n", (128, 256, 512, 1024, 2048), {}),
    "fewer components": ("components", (64, 32, 16, 8, 4, 2), {}),
    "ridge, equal variances": ("ridge", ridges, {}),
    "ridge, loud signal": ("ridge", ridges, {"loudness": 1.0}),
}
rows = []
for cure, (parameter, values, others) in CURES.items():
    for value in values:
        setting = others | {parameter: value}
        row = {"cure": cure, "parameter": parameter, "setting": value, "truth": truth(**setting)}
        row["one ρ of 0.9"] = estimated(0.9, **setting)
        rows.append(row | {"independent": estimated(0.0, **setting)})
draw_cures(rows)

# %% [markdown]
# Markers are means; bars run from the smallest to the largest of 20 draws. With equal variances the ridge lowers signal and bias alike, until nothing tells them apart. With a loud signal it silences mostly the
# quiet coordinates, where only bias was. Most samples come nearest to the truth. Fewest components separate the two best.
#
# Now your own. $z$ and $x$ have `dimensions` each; one pair has the correlation, all others are independent. Try 16 dimensions with
# 24 samples: without a ridge the estimate is infinite.


# %%
def draw_estimates(correlation=0.6, dimensions=8, samples=128, ridge=0.0):
    """Left: 20 estimates of I and of L from so many samples (dots), and the truth (lines). Right:
    canonical correlations of the samples by rank, mean and range, and the true ones (dashes). With
    a ridge, the truth is that of z + noise."""
    x, noise = standard_normal(samples, dimensions, seed)
    z = noise.clone()
    z[..., 0] = correlation * x[..., 0] + math.sqrt(1 - correlation**2) * noise[..., 0]
    cov = batch_covariance(z, x, ridge)
    rho = canonical_correlations(cov, dimensions, validate_args=False)
    infinite = ridge == 0 and samples - 1 < 2 * dimensions
    return draw_dots(rho, correlation / math.sqrt(1 + ridge), samples, infinite)


explorer_estimates = Explorer(
    draw_estimates,
    correlation=(0.0, 0.99, 0.01),
    dimensions=(1, 16, 1),
    samples=[24, 32, 64, 128, 256, 512, 1024],
    ridge=[0.0, 0.001, 0.01, 0.1, 1.0],
)
explorer_estimates

# %%
draw_estimates(samples=64)

# %% [markdown]
# ## When the data is not Gaussian
#
# The closed form sees a covariance and nothing else. What does it miss? In two dimensions we can put the density on a fine grid and use the sums of notebook 01. So "true" means: of the
# *discretised* variables. A grid with half as many points a side tells whether that matters. **Predict:** in which of these pictures is the Gaussian value about right? Can it be too *large*?

# %%
MEASURES = {
    "I": (gaussian_mutual_information, mutual_information),
    "L": (gaussian_lautum_information, lautum_information),
}


def both_values(name, points):
    """I and L of a world: from its covariance, and from all of it."""
    x, y, table = discretised(name, points)
    cov = torch.cartesian_prod(x, y).mT.cov(aweights=table.flatten(), correction=0)
    rows = {}
    for measure, (gaussian, exact) in MEASURES.items():
        rows[f"{measure}, Gaussian"] = gaussian(cov, 1).item()
        rows[f"{measure}, true"] = exact(table).item()
    return rows


worlds = {name: both_values(name, grid) for name in WORLDS}
draw_worlds(worlds, {name: sampled(name, grid, seed) for name in WORLDS})

# %% tags=["nbval-check-output"]
coarse = {name: both_values(name, grid // 2) for name in WORLDS}
changes = [
    abs(coarse[name][what] - value) for name in WORLDS for what, value in worlds[name].items()
]
print("half as many points a side change no number by 0.02 or more:", max(changes) < 0.02)
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# Parabola, cross and ring have zero correlation: the Gaussian value is 0 while $x$ and $y$ depend on each other. For two clusters, $I$ comes out too large and $L$ too small. (The true $I$ cannot exceed $\log 2 = 0.69$: all that $x$ and $y$ share is the cluster.)
# Two percent of correlated outliers make both too large. And $y^3$ in place of $y$ moves the Gaussian value, though nothing is lost: the true $I$ and $L$ are those of the line.
#
# ## What we saw, and what not
#
# At the default parameters:
#
# - From samples, independent vectors look dependent: $\sum\rho^2$ averages $kr/(n-1)$. At $n=256$, $k=64$, $r=784$ all 64 sample correlations are 1. More samples and fewer components help. A ridge alone makes the
#   estimate finite, not right.
# - Off the Gaussian, the value can be 0 where the true $L$ is 2.53 nats (parabola), and 0.42 where it is 0.19 (outliers).
# - $L$ and $I$ of Gaussian vectors follow from the divergence in three steps, and depend on the canonical correlations only; $\rho = 0.6$ gives $L = 0.3394$ and $I = 0.2231$.
# - $L \ge I$, and $L$ is steeper: at correlations 0.9 and 0.6, the stronger pair gets 94 % of the gradient of $L$ in $t$, and 77 % of that of $I$.
# - With a fixed sum of $t/(1-t)$, climbing $L$ ends with one pair holding everything, climbing $I$ with two equal pairs.
# - A ridge on $\Sigma_z$ is noise on $z$, exactly. It caps $\rho^2$, and most in the quiet directions of $z$.
#
# ## Limits
#
# The formulas for the bias are those of Gaussian vectors. The cures were tried on one family of covariances, with the dependence on the leading component. The
# ascent moves two free numbers, which a network's weights are not.
#
# ## References
#
# - D. Palomar, S. Verdu, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008.
# - H. Hotelling, *Relations Between Two Sets of Variates*, Biometrika 28, 1936.
# - T. Cover, J. Thomas, *Elements of Information Theory*, Wiley, 2006.
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
#
# **The question that is left:** we have a number and its gradient. Can a training step afford it, and what breaks first when a network climbs it?
