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
import time

import torch

from lautum_pages import check
from lautum_pages.page_04 import (
    Pairing,
    draw_ascent,
    draw_explosion,
    draw_pairings,
    draw_small_batches,
    draw_times,
    draw_weights,
)
from lautum_utils import (
    Experiment,
    Explorer,
    LautumRegularizer,
    batch_covariance,
    canonical_correlations,
    gaussian_lautum_information,
    grid,
    load,
    run,
    save_results,
)
from lautum_utils.training.layers import StackedLinear

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

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(seed)
digits = load("digits", seed=seed).inputs.flatten(1).double()
x = digits + 0.05 * torch.randn(digits.shape, generator=generator, dtype=torch.float64)
for name, images in (("digits", digits), ("digits with pixel noise", x)):
    print(
        f"{name}: {tuple(images.shape)}, rank of the covariance {torch.linalg.matrix_rank(images.mT.cov(), rtol=1e-9)}"
    )

MODELS, d = 4, x.shape[1]


def new_networks(models, width=64):
    """256 -> 64 ReLU -> k, networks side by side: their parameters, and features(images) -> (models, n, k)."""
    seeds = [torch.Generator().manual_seed(seed + model) for model in range(models)]
    hidden = StackedLinear(d, width, seeds).double()
    output = StackedLinear(width, n_features, seeds).double()
    parameters = [*hidden.parameters(), *output.parameters()]
    return parameters, lambda images: output(hidden(images.expand(models, *images.shape)).relu())


with torch.no_grad():
    all_features = new_networks(MODELS)[1](x)
z, x_batch = all_features[0, :batch], x[:batch]


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


# %% tags=["nbval-check-output"]
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
    f"in float32, the inverses are off by more than 3 times as much as Cholesky: {off[0] > 3 * off[1]}"
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

# %% tags=["nbval-check-output"]
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
# `lautum_penalty(z, u, ridge)` takes `z` $(n, k)$ and `u` $(n, r)$ and returns $L$ in nats, a scalar with a gradient for `z`. The check looks at the value *and* at the gradient. The cell after it
# holds our version 4 and compares it with `LautumRegularizer`. So once the check says "right", you have put the regularizer of this suite together yourself.
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


# %% tags=["nbval-check-output"]
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


# %% tags=["nbval-check-output"]
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


# %% tags=["nbval-check-output"]
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
    ("LautumRegularizer", lambda z: small(z, small_u, validate_args=False)),
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


# %%
def milliseconds(step, budget=0.1):
    """The fastest of several steps, after one to warm up: other work on the machine only adds."""
    step()
    times = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 30):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1e3 * min(times)


def of_gradient(function, *arguments):
    """Milliseconds of a value and its gradient."""
    return milliseconds(lambda: with_gradient(function, *arguments))


took = {
    "1 inverses": of_gradient(naive, z, x_batch),
    "2 Cholesky": of_gradient(cholesky, z, x_batch),
    f"whitened, all {d} components": of_gradient(cholesky, z, everything.project(x_batch)),
    f"3 whitened, r = {n_components}": of_gradient(cholesky, z, u),
    "4 ridge": of_gradient(ridged, z, u, ridge),
}
together = {  # MODELS networks at once
    "5 stacked": of_gradient(stacked, all_z, all_u, ridge),
    "6 closed form": of_gradient(closed_form, all_z, all_u, ridge),
    "LautumRegularizer": of_gradient(regularizer, all_z, all_u),
}
took |= {f"{name}, per network of {MODELS}": ms / MODELS for name, ms in together.items()}

# %%
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
    every_step.append(of_gradient(naive, noise_z, inputs))
    whitened_step.append(of_gradient(fitted, noise_z, fitted.project(inputs)))

times = every_step[-1] / whitened_step[-1]
print(f"d = {dims[-1]}: version 1 takes {times:.0f} times as long as a whitened step")
machine = f"{torch.get_num_threads()} threads, torch {torch.__version__}"
print(f"measured on this machine, one run, {machine}")
by_dims = {"version 1, each step": every_step, "whitening, once": once}
by_dims[f"whitened to r = {n_components}, each step"] = whitened_step
finding = f"Keeping r = {n_components} components saves most (d = {d}, n = {len(z)})"
draw_times(took, dims, by_dims, finding, rows)

# %% [markdown]
# Version 1 takes about $n d^2 + d^3$ operations a step, a whitened step $n(k+r)^2$, whatever $d$ is: many times less where $d$ is large. Whitening itself costs as much as a few steps of
# version 1, once, and with all components it saves nothing: it is dropping components that does. Cholesky was for accuracy, not for speed; stacking and the closed form save some more.
#
# ## How much of the value is noise?
#
# The widget pairs features with their images (true pairs) and with the wrong ones. `dependence` mixes features with noise: at 1 they are the network's, at 0 noise alone. **Try:** raise `components` at small `n`; then raise
# `ridge`. What brings the two values together, and what apart?

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
draw_pairs(n=64, dependence=0.5)

# %% [markdown]
# At $n = 64$ and dependence 0.5, most of the value is noise: see the share in the title, and the correlations of pairs that have nothing to do with each other. Their gradient is nearly as long.
#
# ## What does the gradient do to a network?
#
# Now we train: no labels, Adam on $L$ of the first network's features, nothing else.
#
# **Predict:** the gradient for $\rho^2$ grows as $(1 - \rho^2)^{-2}$ (notebook 03). Which correlations rise, the strong or the weak? Do all?

# %%
parameters, features = new_networks(1)
optimizer = torch.optim.Adam(parameters, lr=1e-3, maximize=True)
pool = regularizer.project(x)
spectra, shares, curve = {}, {}, {}
for step in range(101):
    if step % 10 == 0:
        with torch.no_grad():
            now = features(x)[0]
            curve[step] = regularizer(now, pool).item()
    if step in (0, 10, 100):
        cov = batch_covariance(now, pool, ridge)
        spectra[step] = canonical_correlations(cov, n_features, validate_args=False)
        variances = torch.linalg.eigvalsh(now.mT.cov().reshape(n_features, n_features)).flip(0)
        shares[step] = variances / variances.sum()
    chosen = torch.randint(len(x), (256,), generator=generator)
    optimizer.zero_grad()
    regularizer(features(x[chosen])[0], pool[chosen], validate_args=False).backward()
    optimizer.step()

# %%
for step, rho in spectra.items():
    correlations = f"rho from {rho[-1]:.2f} to {rho[0]:.3f}"
    share = 100 * shares[step][:2].sum()
    print(f"step {step:3}: {correlations}; two directions hold {share:.0f} % of the variance of z")
even = pool[:, :n_features]
linear = f"{even.shape[1]} equal directions, linear in u: L = {regularizer(even, pool):.0f} nats"
print(f"{linear}; at the end of the ascent {curve[100]:.0f}")
draw_ascent(spectra, curve, bound)

# %% [markdown]
# At first all rise, and the strongest term grows most. Then $z$ becomes almost linear in $u$, and for every such $z$ the term $\sum t/(1-t)$, with $t = \rho^2$, *is* $k/\varepsilon$: sixteen equal directions would do (last line). What is left to gain is in $L = k/\varepsilon - \tfrac12\sum\log\frac{1}{1-t}$, which is largest when few
# directions hold all: the second budget of notebook 03, a fixed sum of $t/(1-t)$, has come true. So nearly all of the variance of $z$ goes into two directions, and the other correlations fall. $L$ alone does not make features rich: in training it is weighed against a task.
#
# ## Failure lab
#
# **1. No ridge.** One coordinate, $z = u_1 + \text{noise}$, and the noise goes to 0. **Predict:** what do value and gradient do? And what does float32 make of it?

# %%
scales = [10.0**-exponent for exponent in range(8)]
target = view_u[:batch, :n_components]
noise = torch.randn(len(target), 1, generator=generator, dtype=torch.float64)
versions = {
    "inverses": naive,
    "Cholesky": cholesky,
    "with ridge 0.01": lambda z, u: ridged(z, u, 0.01),
}
ratios = {name: [] for name in versions}
values, norms = ({"no ridge": [], "ridge 0.01": []} for _ in range(2))
for scale in scales:
    near = target[:, :1] + scale * noise
    for name, amount in (("no ridge", 0.0), ("ridge 0.01", 0.01)):
        value, gradient = with_gradient(measures[amount], near, target)
        values[name].append(value.item())
        norms[name].append(gradient.norm().item())
    for name, version in versions.items():
        ratio = version(near.float(), target.float()).item() / version(near, target).item()
        ratios[name].append(ratio)

# %%
for i in (1, 4, 7):
    listed = ", ".join(f"{name} {found[i]:.2g}" for name, found in ratios.items())
    print(f"noise {scales[i]:.0e}: float32 value as a multiple of the float64 value: {listed}")
coarse = regularizer(z.bfloat16(), u)
print(
    f"features in bfloat16: LautumRegularizer gives {coarse:.0f} nats, in {coarse.dtype}; "
    f"in float64 {regularizer(z, u):.0f} nats"
)
draw_explosion(scales, values, norms, ratios)

# %% [markdown]
# With the ridge the value stays below $k/\varepsilon = 100$, and the gradient fades where nothing is left to gain. Without it both grow until rounding takes over. In float32 both versions have lost the value long
# before: what they report is off by orders of magnitude, negative, or not a number. **Cure:** a ridge, and statistics in float32 or better. (The module sees to that, as the last line shows.)
#
# **2. A batch smaller than its dimensions.** $n$ rows, less their mean, span $n - 1$ dimensions, and $k$ coordinates of $z$ and $r$ of $u$ have to fit in. **Predict:** what is $L$ of pure noise and real images,
# where the truth is 0?

# %%
edge = n_features + n_components
near_edge = {edge - 8, edge, edge + 1, edge + 2, edge + 8}
sizes = sorted({4, 8, 16, 32, 64, 128, 256, 512, 1024} | near_edge)
sizes = [size for size in sizes if 4 <= size <= len(x)]
unrelated = torch.randn(len(x), n_features, generator=generator, dtype=torch.float64)
values = {}
for amount, count in ((0.0, n_components), (0.01, n_components), (0.01, min(4, n_components))):
    name = f"ridge {amount}, r = {count}" if amount else f"no ridge, r = {count}"
    values[name] = [
        measures[amount](unrelated[:size], view_u[:size, :count]).item() for size in sizes
    ]
expected = [n_features * n_components / (2 * (size - 1)) for size in sizes]
spectra = []
for size in sizes:
    cov = batch_covariance(unrelated[:size], view_u[:size, :n_components], 0.0)
    spectra.append(canonical_correlations(cov, n_features, validate_args=False))

for size in (edge - 8, edge, edge + 1):
    if size in sizes:
        print(f"n = {size}: {(spectra[sizes.index(size)] > 1 - 1e-6).sum()} correlations are 1")
draw_small_batches(sizes, values, expected, spectra, edge)

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

# %%
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
results = run(grid(base, layer=["features", "logits"], strength=strengths), device, progress=False)
for r in results:
    layer, strength = r.experiment.layer, r.experiment.strength
    loss, dependence = r.history["loss"][-1], r.history["dependence"][-1]
    accuracy = f"source accuracy {100 * r.source_accuracy:3.0f} %, cross-entropy {loss:.1f} nats"
    print(f"{layer:8} strength {strength:6g}: {accuracy}, L {dependence:5.0f} nats")
draw_weights(results)

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
