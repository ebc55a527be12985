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
# Notebook [03](03_gaussian_lautum.ipynb) has the formula and its gradient. Can a training step afford it, and what breaks first? We build it in five versions, one change
# at a time, each checked against the one before. The last is `LautumRegularizer`. Then we break it on purpose.
#
# **Predict:** where in this picture does most of the time go, and which of the boxes does the gradient not need to touch?

# %% tags=["parameters"]
seed = 0
batch = 512  # images in a batch; versions 1 and 2 need more than n_features + 256
n_features = 16  # k, coordinates of the representation
n_components = 32  # r, principal components of the inputs that are kept
ridge = 1e-2  # variance of the noise on the representation, as a fraction of its mean variance
device = "auto"  # of the networks in the last figure; all else is float64 on the CPU
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("04", globals())  # silent, unless a value above cannot work

# %%
from lautum_pages.page_04_cost import draw_idea

draw_idea()

# %%
import torch

from lautum_pages import check
from lautum_pages.page_04 import Pairing, draw_ascent, draw_explosion, draw_pairings
from lautum_pages.page_04 import draw_small_batches, draw_weights, small_networks
from lautum_pages.page_04_cost import draw_times, once, timed
from lautum_utils import Experiment, Explorer, LautumRegularizer, batch_covariance
from lautum_utils import canonical_correlations, gaussian_lautum_information, grid, load, run
from lautum_utils import save_results

differences = {}


def agree(name, ours, theirs, limit=1e-9):
    """Print whether two results agree; the difference is relative to the largest value."""
    differences[name] = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{name}: relative difference < {limit:.0e}: {differences[name] < limit}")


# %% [markdown]
# ## Real inputs, a small network
#
# The inputs $x$ are handwritten digits of $d = 256$ pixels. The representation $z = f(x)$ (`z`) has $k$ coordinates (`n_features`), a batch has $n$ rows (`batch`).
# The network is small and random. We hold four of them side by side, for later.
#
# **Predict:** $\Sigma_x$ is the 256 x 256 covariance of the pixels. Does it have an inverse?

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(seed)
digits = load("digits", seed=seed).inputs.flatten(1).double()
x = digits + 0.05 * torch.randn(digits.shape, generator=generator, dtype=torch.float64)
for name, images in (("digits", digits), ("digits with pixel noise", x)):
    rank = torch.linalg.matrix_rank(images.mT.cov(), rtol=1e-9)
    print(f"{name}: {tuple(images.shape)}, rank of the covariance {rank}")

MODELS, d = 4, x.shape[1]
with torch.no_grad():
    all_features = small_networks(MODELS, d, n_features, seed)[1](x)
z, x_batch = all_features[0, :batch], x[:batch]

# %% [markdown]
# It has none: the digits are small images, enlarged. So `x` has a little noise on each pixel, as from a camera, and the textbook can begin.
#
# ## Version 1: the formula as it stands
#
# With the blocks $\Sigma_z, \Sigma_{zx}, \Sigma_x$ of the joint covariance and $K = \Sigma_z^{-1} \Sigma_{zx} \Sigma_x^{-1} \Sigma_{xz}$,
#
# $$L = \tfrac12 \log\det(I - K) + \operatorname{tr}\big((I-K)^{-1}\big) - k .$$


# %% tags=["nbval-check-output"]
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
# ## Version 2: Cholesky in place of inverses
#
# The Cholesky factor of the joint covariance of $(z, x)$ already holds all that we need:
#
# $$\begin{pmatrix} \Sigma_z & \Sigma_{zx} \\ \Sigma_{xz} & \Sigma_x \end{pmatrix} = \begin{pmatrix} A & 0 \\ B & F \end{pmatrix}\begin{pmatrix} A & 0 \\ B & F \end{pmatrix}^{\!\top}$$
#
# $$\Rightarrow\quad \Sigma_z = AA^\top,\quad BB^\top = \Sigma_{xz} \Sigma_z^{-1} \Sigma_{zx},\quad FF^\top = \Sigma_x - BB^\top .$$
#
# So $FF^\top$ is the covariance of $x$ given $z$. Put $M = F^{-1}B$. Its singular values are $\rho/\sqrt{1-\rho^2}$, with $\rho$ the canonical correlations. The square of one
# is $\rho^2/(1-\rho^2)$, and one plus that is $1/(1-\rho^2)$. Summed over the correlations:
#
# $$L = \|M\|_F^2 - \tfrac12 \log\det(I + M^\top M).$$
#
# No inverse is formed. And whatever rounding does to $M$, this is never negative (it can be NaN). **Predict:** in float32, which of the two versions is closer to the truth?


# %% tags=["nbval-check-output"]
def cholesky(z, x):
    """Version 2: the same value without an inverse."""
    k, cov = z.shape[1], torch.cat((z, x), 1).mT.cov()
    factor = torch.linalg.cholesky_ex(cov).L
    m = torch.linalg.solve_triangular(factor[k:, k:], factor[k:, :k], upper=False)
    one_plus = m.mT @ m + torch.eye(k, dtype=cov.dtype, device=cov.device)
    return m.square().sum() - torch.logdet(one_plus) / 2


def with_gradient(function, z, *others):
    """The value of function(z, *others) and its gradient with respect to z."""
    z = z.detach().requires_grad_()
    value = function(z, *others)
    return value.detach(), torch.autograd.grad(value.sum(), z)[0]


one, two = with_gradient(naive, z, x_batch), with_gradient(cholesky, z, x_batch)
for name, ours, theirs in zip(("value", "gradient"), two, one):
    agree(f"{name}: versions 2 and 1", ours, theirs)
off = [abs(f(z.float(), x_batch.float()) / one[0] - 1) for f in (naive, cholesky)]
print("in float32, inverses are off by more than 3 times as much:", bool(off[0] > 3 * off[1]))

# %% [markdown]
# ## Version 3: fewer components, whitened once
#
# Most of that joint covariance is $\Sigma_x$. The inputs do not change while the network trains. So we choose once what of them to look at. We take their principal
# components, keep the first $r$ (`n_components`) and scale each to variance 1: $u = (x - \bar x)\,E\,\Lambda^{-1/2}$ (`u`). Here $\bar x$ is the mean input, $E$ holds the leading eigenvectors of the covariance of all
# inputs, and $\Lambda$ their eigenvalues.
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
# `LautumRegularizer(x, r).project` does the same. With all $d$ components nothing is lost: $L$ does not see an invertible change of coordinates. With $r < d$ the value changes, and a step gets cheap.
#
# **Predict:** how large is $L$ for a batch in which each $z$ is paired with the *wrong* image, so that there is nothing to measure?

# %% tags=["nbval-check-output"]
everything = LautumRegularizer(x, d, ridge=0.0)
whitened = cholesky(z, everything.project(x_batch))
agree("value: all components, whitened and not", whitened, cholesky(z, x_batch))

u = LautumRegularizer(x, n_components).project(x_batch)
wrong = z.roll(1, 0)  # each z goes to the next image: the images are in random order
for count, inputs in ((d, x_batch), (n_components, u)):
    right_pairs, wrong_pairs = cholesky(z, inputs), cholesky(wrong, inputs)
    inflated = (len(z) - 1) / max(len(z) - n_features - count - 2, 1)
    print(
        f"{count} components: L = {right_pairs:.1f} nats, wrong pairs {wrong_pairs:.2f} nats;",
        f"what dependence there is shows {inflated:.2f} times",
    )

# %% [markdown]
# What is lost: all dependence on the components left out. What is gained, beside time: fewer components leave less noise. Wrong pairs show what is *added* where there is nothing: for few components about $kr/2(n-1)$ nats. (Notebook 03: $\sum\rho^2$ averages $kr/(n-1)$, and weak dependence has $L \approx \tfrac12\sum\rho^2$.)
# What dependence there is, is also inflated, by $(n-1)/(n-k-r-2)$ on average for $I + L$. That is more than twice for all components.
#
# ## Version 4: noise on z, and only on z
#
# Where $z$ is linear in $u$, a correlation is 1 and $L$ is infinite. The cure is observation noise on $z$ of variance $\varepsilon\, m$: $\varepsilon$ is `ridge`, $m$ the mean variance of the coordinates of
# $z$. Only $\Sigma_z$ changes, to $\Sigma_z + \varepsilon m I$. The noise is independent of $u$, so $\Sigma_{zu}$ stays; the inputs are data, so $\Sigma_u$ stays.
#
# It also gives a bound (derived here). $L$ is symmetric, so $\|M\|_F^2 = \operatorname{tr}(C^{-1} \Sigma_{zu} \Sigma_u^{-1} \Sigma_{uz})$ with $C$ the covariance of the noisy $z$ given $u$. Now $C$ is at least $\varepsilon m I$, and
# $\Sigma_{zu} \Sigma_u^{-1} \Sigma_{uz}$ is at most the $\Sigma_z$ without noise, whose trace is $k\,m$:
#
# $$L \;\le\; \|M\|_F^2 \;\le\; \frac{k\,m}{\varepsilon\, m} = \frac{k}{\varepsilon}.$$
#
# ### Exercise 4.2 · The capstone: the regularizer (hard, 20 minutes)
#
# `lautum_penalty(z, u, ridge)` takes `z` $(n, k)$ and `u` $(n, r)$ and returns $L$ in nats, a scalar with a gradient for `z`. The check looks at the value *and* at the gradient.
# Once it says "right", you have put the regularizer of this suite together yourself.
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
    one_plus = torch.eye(k, dtype=z.dtype, device=z.device) + m.mT @ m
    return m.square().sum() - torch.logdet(one_plus) / 2
    ### END SOLUTION


check("lautum_penalty", lautum_penalty)

# %% [markdown]
# ## Version 5: many networks, and a gradient that is written down
#
# A curve over the weight needs many networks. `LautumRegularizer` takes them stacked: $z$ of shape `(models, n, k)` gives one value for each. And it does not leave the gradient to autograd.
# It holds a closed form, which the fold derives. We compare it with autograd through the formula of notebook 03, and with finite differences (`gradcheck`), which know nothing of our algebra.
#
# <details><summary>The gradient in closed form</summary>
#
# $z$ enters through two small matrices only. Let $Z$ be the batch of centred $z$, and $V$ that of $u$, centred and
# whitened by its own Cholesky factor, so that $V^\top V = (n-1) I$. ($V$ depends on data only: `regularizer.prepare` makes it ahead.) With the ridge in $\Sigma$,
#
# $$b = \frac{Z^\top V}{n-1}, \qquad \Sigma = \frac{Z^\top Z}{n-1} + \varepsilon m I,$$
#
# $$C = \Sigma - bb^\top, \qquad G = b^\top C^{-1} b, \qquad L = \operatorname{tr} G - \tfrac12\log\det(I + G),$$
#
# and $\det(I+G) = \det \Sigma / \det C$. Move $b$ and $\Sigma$ by $\mathrm db$ and $\mathrm d\Sigma$; then $\mathrm dC = \mathrm d\Sigma - \mathrm db\,b^\top - b\,\mathrm db^\top$. With $N = C^{-1}b$ and
# $\langle P, Q\rangle = \operatorname{tr} P^\top Q$:
#
# $$\mathrm d \operatorname{tr} G = 2\langle N, \mathrm db\rangle - \langle NN^\top, \mathrm dC\rangle = \langle 2N(I + G), \mathrm db\rangle - \langle NN^\top, \mathrm d\Sigma\rangle,$$
# $$\tfrac12\, \mathrm d(\log\det C - \log\det \Sigma) = \tfrac12\langle C^{-1} - \Sigma^{-1}, \mathrm d\Sigma\rangle - \langle N, \mathrm db\rangle .$$
#
# Add them, and use Woodbury's identity $C^{-1} - \Sigma^{-1} = N (I+G)^{-1} N^\top$:
#
# $$\frac{\partial L}{\partial b} = N(I + 2G), \qquad \frac{\partial L}{\partial \Sigma} = \tfrac12 N (I+G)^{-1} N^\top - NN^\top .$$
#
# The chain rule through $b$ and $\Sigma$ gives the rest. ($m$ depends on $Z$ too: $\varepsilon$ times the mean of the diagonal of $\partial L/\partial \Sigma$ is added to that diagonal.) The module has the same formulas (`_BatchDependence`).
#
# </details>


# %% tags=["nbval-check-output"]
def by_autograd(z, u, ridge):
    """Notebook 03's formula on the library's covariance with noise, for one network or many."""
    cov = batch_covariance(z, u, ridge)
    return gaussian_lautum_information(cov, z.shape[-1], validate_args=False)


regularizer = LautumRegularizer(x, n_components, ridge)
all_z, all_u = all_features[:, :batch], u.expand(MODELS, *u.shape)
ours, theirs = (
    with_gradient(regularizer, all_z, all_u),
    with_gradient(by_autograd, all_z, all_u, ridge),
)
for i, name in enumerate(("value", "gradient")):
    agree(f"{name}: LautumRegularizer and autograd", ours[i], theirs[i], 1e-10)
alone = torch.stack([regularizer(each, u) for each in all_z])
agree(f"value: {MODELS} networks stacked and one by one", ours[0], alone, 1e-12)

small_z, small_u = (torch.randn(2, 30, count, generator=generator).double() for count in (3, 4))
small = LautumRegularizer(small_u[0], 4, ridge)
right_slope = torch.autograd.gradcheck(lambda z: small(z, small_u), small_z.requires_grad_())
bound = n_features / ridge if ridge else float("inf")
print(f"gradcheck: {right_slope}; L = {ours[0][0]:.1f} nats, bound k / ridge = {bound:.0f} nats")

# %% [markdown]
# ## Where the time goes
#
# **Predict:** which change saves most time? And is version 2 faster than version 1?

# %%
took = {
    "1 inverses": timed(naive, z, x_batch),
    "2 Cholesky": timed(cholesky, z, x_batch),
    f"3 r = {n_components} components": timed(cholesky, z, u),
    "4 ridge": timed(by_autograd, z, u, ridge),
}
took[f"5 one of {MODELS} stacked"] = [ms / MODELS for ms in timed(regularizer, all_z, all_u)]

dims = [16, 64, 256, 1024]
rows = dims[-1] + n_features + 100  # more than k + d at every d
noise_x = torch.randn(rows, dims[-1], generator=generator, dtype=torch.float64)
noise_z = noise_x[:, :n_features].roll(1, 0)
by_dims = {"version 1, each step": [], "whitening, once": [], "whitened, each step": []}
for dim in dims:
    inputs = noise_x[:, :dim]
    fitted, fitting = once(LautumRegularizer, inputs, min(n_components, dim), ridge)
    ways = timed(naive, noise_z, inputs), timed(fitted, noise_z, fitted.project(inputs))
    for name, ms in zip(by_dims, (sum(ways[0]), fitting, sum(ways[1]))):
        by_dims[name].append(ms)
print(f"measured on this machine: {torch.get_num_threads()} threads, torch {torch.__version__}")
draw_times(took, dims, by_dims, rows)

# %% [markdown]
# Version 1 takes about $n d^2 + d^3$ operations a step, a whitened step $n(k+r)^2$, whatever $d$ is. Whitening costs as much as some steps of
# version 1, once. Dropping components is what saves time.
#
# **Why is Cholesky not the faster one?** Forward it has less to do: a factor takes a third of the operations of an inverse. But look at the way back. In version 1, $\Sigma_x^{-1}$ depends on data only. Autograd sees that and never goes through it. The gradient passes through
# thin matrices of $k$ rows. In version 2, $z$ and $x$ share one matrix, so the gradient has to pass through the whole factor of $k + d$ rows: several solves of $d^3$ operations, and a product with all of $x$, for a part of the result that nobody asks for.
# Cholesky was for accuracy. `LautumRegularizer` has both: it takes the factor of the inputs alone, without a gradient.
#
# ## How much of the value is noise?
#
# The widget pairs features with their images (true pairs) and with the wrong ones. `dependence` mixes features with noise: at 1 they are the network's, at 0 noise alone. **Try:** raise `components` at small `n`; then raise
# `ridge`. What brings the two values together, and what drives them apart?

# %%
view_u = everything.project(x)
view_z = (all_features[0] - all_features[0].mean(0)) / all_features[0].std(0)
view_noise = torch.randn(view_z.shape, generator=generator, dtype=torch.float64)
ridges = sorted({0.0, 1e-4, 1e-2, 1e-1, 1.0, ridge})
measures = {value: LautumRegularizer(x, 1, value) for value in ridges}


def paired(z, u, ridge):
    """Correlations, value and norm of the gradient."""
    value, gradient = with_gradient(measures[ridge], z, u)
    cov = batch_covariance(z, u, ridge)
    rho = canonical_correlations(cov, n_features, validate_args=False)
    return Pairing(rho, value.item(), gradient.norm().item())


# %%
def draw_pairs(ridge=ridge, n=batch, components=n_components, dependence=1.0):
    """Correlations, value and gradient for true and for wrong pairs of n features and images."""
    inputs = view_u[:n, :components]
    mixed = dependence * view_z[:n] + (1 - dependence**2) ** 0.5 * view_noise[:n]
    pairings = paired(mixed, inputs, ridge), paired(mixed.roll(1, 0), inputs, ridge)
    return draw_pairings(*pairings, f"n = {n}, r = {components}, ridge {ridge:g}")


explorer_pairs = Explorer(
    draw_pairs,
    ridge=ridges,
    n=sorted({8, 16, 32, 64, 128, 256, 512, 1024, batch}),
    components=sorted({2, 8, 32, 64, 128, n_components}),
    dependence=(0.0, 1.0, 0.1),
)
explorer_pairs

# %%
draw_pairs(n=64, dependence=0.3)

# %% [markdown]
# At $n = 64$ and dependence 0.3, most of the value is noise: see the share in the title, and the correlations of pairs that have nothing to do with each other. They have a gradient, too, and a network would follow it.
#
# ## What does the gradient do to a network?
#
# Now we train: no labels, Adam on $L$ of one network's features, nothing else.
#
# **Predict:** the gradient for $\rho^2$ grows as $(1 - \rho^2)^{-2}$ (notebook 03). Which correlations rise, the strong or the weak? Do all?

# %%
parameters, features = small_networks(1, d, n_features, seed)
optimizer = torch.optim.Adam(parameters, lr=1e-3, maximize=True)
pool = regularizer.project(x)
snapshots, curve = {}, {}
for step in range(101):
    if step % 10 == 0:
        with torch.no_grad():
            snapshots[step] = features(x)[0]
        curve[step] = regularizer(snapshots[step], pool).item()
    chosen = torch.randint(len(x), (256,), generator=generator)
    optimizer.zero_grad()
    regularizer(features(x[chosen])[0], pool[chosen], validate_args=False).backward()
    optimizer.step()

# %%
spectra = {}
for step in (0, 10, 100):
    cov = batch_covariance(snapshots[step], pool, ridge)
    spectra[step] = canonical_correlations(cov, n_features, validate_args=False)
    variances = torch.linalg.eigvalsh(snapshots[step].mT.cov().reshape(n_features, n_features))
    share = variances[-2:].sum() / variances.sum()
    print(f"step {step:3}: two directions hold {share:.0%} of the variance of z")
even = pool[:, :n_features]
print(f"{even.shape[1]} equal directions, linear in u: L = {regularizer(even, pool):.0f} nats")
draw_ascent(spectra, curve, bound)

# %% [markdown]
# At first all rise, and the strongest term grows most. Then $z$ becomes almost linear in $u$. For every such $z$ the sum of $t/(1-t)$, with $t = \rho^2$, *is* $k/\varepsilon$: equal directions would do (last line). What is left to gain is in $L = k/\varepsilon - \tfrac12\sum\log\frac{1}{1-t}$. This is largest when few
# directions hold all: the second budget of notebook 03, a fixed sum of $t/(1-t)$, has come true. So most of the variance of $z$ goes into two directions, and the other correlations fall. $L$ alone does not make features rich. In training it is weighed against a task.
#
# ### Exercise 4.3 · Which line breaks it? (medium, 10 minutes)
#
# Someone trains with your penalty. Nothing stops, nothing is NaN. But $L$ is about 1 nat at the first step, as of wrong pairs, and stays there at every weight. The step:
#
#     A   chosen = torch.randint(len(x), (256,))
#     B   u = whiten(x[chosen], n_components)
#     C   z = features(x[torch.randint(len(x), (256,))])
#     D   loss = cross_entropy(logits, labels) - strength * lautum_penalty(z, u, ridge)
#     E   optimizer.zero_grad(); loss.backward(); optimizer.step()          # Adam
#
# One line is the reason, another is only wasteful. Let `broken_line()` return the letter of the reason.
#
# <details><summary>Hint 1 of 2</summary>
#
# Compute $kr/2(n-1)$ for $n = 256$, $k = 16$, $r = 32$. When does a batch show just that?
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $L$ is low before any training. So look for what is wrong with the batch, not for what is wrong with the step.
#
# </details>


# %%
def broken_line():
    """The letter of the line that keeps L at 1 nat."""
    ### BEGIN SOLUTION
    return "C"
    ### END SOLUTION


check("broken_line", broken_line)

# %% [markdown]
# ## Failure lab
#
# **1. No ridge.** One coordinate, $z = u_1 + \text{noise}$, and the noise goes to 0. **Predict:** what do value and gradient do? And what does float32 make of it?

# %%
target = view_u[:batch, :n_components]
noise = torch.randn(len(target), 1, generator=generator, dtype=torch.float64)
measure = measures[1e-2]
versions = {"inverses": naive, "Cholesky": cholesky, "ridge 0.01": lambda z, u: measure(z, u)}
scales = [10.0**-exponent for exponent in range(8)]
found = {name: [] for name in versions}
for scale in scales:
    near = target[:, :1] + scale * noise
    for name, function in versions.items():
        value, gradient = with_gradient(function, near, target)
        rounded = function(near.float(), target.float()).item()
        found[name].append((value.item(), gradient.norm().item(), rounded / value.item()))

coarse = regularizer(z.bfloat16(), u)
print(f"features in bfloat16: LautumRegularizer computes {coarse:.0f} nats in {coarse.dtype}")
draw_explosion(scales, found)

# %% [markdown]
# With the ridge the value stays below $k/\varepsilon = 100$, and the gradient fades where nothing is left to gain. Without it both grow until rounding takes over. In float32 both versions have lost the value long
# before: what they report may be off by orders of magnitude, negative, or not a number. **Cure:** a ridge, and statistics in float32 or better. (The module sees to that.)
#
# **2. A batch smaller than its dimensions.** $n$ rows, less their mean, span $n - 1$ dimensions, and $k$ coordinates of $z$ and $r$ of $u$ have to fit in. **Predict:** what is $L$ of pure noise and real images,
# where the truth is 0?

# %%
edge = n_features + n_components
sizes = {4, 8, 16, 32, 64, 128, 256, 512, 1024, edge - 8, edge, edge + 1, edge + 2, edge + 8}
sizes = sorted(size for size in sizes if 4 <= size <= len(x))
unrelated = torch.randn(len(x), n_features, generator=generator, dtype=torch.float64)
values, spectra = {}, []
for amount, count in ((0.0, n_components), (0.01, n_components), (0.01, min(4, n_components))):
    pairs = [(unrelated[:size], view_u[:size, :count]) for size in sizes]
    name = f"ridge {amount}, r = {count}" if amount else f"no ridge, r = {count}"
    values[name] = [measures[amount](*pair).item() for pair in pairs]
for size in sizes:
    cov = batch_covariance(unrelated[:size], view_u[:size, :n_components], 0.0)
    spectra.append(canonical_correlations(cov, n_features, validate_args=False))
ones = {f"n = {n}": int((rho > 1 - 1e-6).sum()) for n, rho in zip(sizes, spectra) if n >= edge - 8}
print("correlations of 1:", dict(list(ones.items())[:4]))
expected = [n_features * n_components / (2 * (size - 1)) for size in sizes]
draw_small_batches(sizes, values, expected, spectra, edge)

# %% [markdown]
# For $n \le k + r$ the two spans must meet, in $k + r - (n-1)$ dimensions if both fit. So many correlations are exactly 1, whatever the data. The ridge makes the value finite, not true.
#
# ### Exercise 4.4 · The loss of a step (easy, 5 minutes)
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


# %%
def training_loss(logits, labels, lautum, strength):
    """Cross-entropy on the source, less strength times the Lautum information of the target."""
    ### BEGIN SOLUTION
    return torch.nn.functional.cross_entropy(logits, labels) - strength * lautum
    ### END SOLUTION


check("training_loss", training_loss)

# %% [markdown]
# **3. Too much weight, and 4. on the logits.** The real training loop, digits to letters, 60 steps: cross-entropy on digits, and $L$ on letters, of the 64 features or of the 10 logits.
# **Predict:** at an absurd weight of 100, is the source accuracy at chance?

# %%
strengths = [0.0, 1e-4, 1e-3, 1e-2, 100.0]
base = Experiment(steps=60, seed=seed, n_components=n_components, ridge=ridge)
tried = grid(base, layer=["features", "logits"], strength=strengths)
results = run(tried, device, progress=False)
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)
draw_weights(results)

# %% [markdown]
# On features, a weight of 100 does *not* bring the network down to chance. The head is trained by the cross-entropy alone, and finds something in what the features still hold. On logits the regularizer moves the head itself:
# the network ends worse than one that guesses. **Cure:** a weight chosen on validation data. Which layer serves the *target* better is a question for
# notebook [06](06_semi_supervised_transfer.ipynb).
#
# ### Exercise 4.5 · Which cure? (medium, 5 minutes)
#
# A colleague has batches of 40 rows, $k = 16$, $r = 32$, a ridge of 0.01, all in float64. Her penalty is hundreds of nats high, for true pairs and for wrong pairs alike. Which of these helps?
#
# - **A.** Compute in a higher precision.
# - **B.** Raise the ridge to 0.1.
# - **C.** Lower the weight of the penalty.
# - **D.** Take 400 rows a batch, or keep 4 components.
# - **E.** Train longer, until true pairs stand out.
#
# Let `right_cure()` return its letter.
#
# <details><summary>Hint 1 of 2</summary>
#
# Find her batch in the figure of the second failure. On which side of the grey bar is it?
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# How many dimensions do 40 rows span, and how many have to fit in?
#
# </details>


# %%
def right_cure():
    """The letter of the cure."""
    ### BEGIN SOLUTION
    return "D"
    ### END SOLUTION


check("right_cure", right_cure)

# %% [markdown]
# ## What we saw, and what not
#
# At the default parameters:
#
# - It fails without a ridge, in batches that are small for $k + r$, and at weights that are too high, on logits sooner than on features.
# - Pushed alone, $L$ comes near its bound $k/\varepsilon$, and near it favours few directions. It does not make features rich.
# - Keeping $r$ components makes a step cheap, whatever $d$ is. It changes the value: dependence is lost, and noise with it. Whitening alone changes nothing. Cholesky is for accuracy.
# - The ridge is noise on $z$; it bounds $L$ by $k/\varepsilon$.
# - Each version agrees with the one before wherever it should. The gradient of `LautumRegularizer`, written down, is that of autograd and of finite differences.
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
#
# **The question that is left:** the penalty keeps features informative about target inputs. What do features lose when nothing keeps them, and how far can a target move before frozen features break?
