# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 02 · The loss bound: two measures, two signs
#
# Why should a network be kept informative about target inputs, and why measure it by *Lautum* information? We take the cross-entropy of a learner apart, once on
# the examples that it was trained on and once on fresh ones, and watch mutual information appear in the first and Lautum information in the second. Every
# expectation is an exact sum, in a world so small that we can list all its datasets.

# %% tags=["parameters"]
seed = 0  # of everything that is drawn at random
worlds = 50  # random worlds on which each identity is checked
n = 3  # examples in a dataset
gamma = 6.0  # inverse temperature of the learner: 0 ignores the data, large values trust them
label_noise = 0.1  # how often a label is flipped, from 0 to 1
confidence = 0.9  # probability that a hypothesis gives to the label it favours, above 0 and below 1
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
import math
from functools import lru_cache

import torch
from IPython.display import display

from lautum_pages import check
from lautum_pages.page_02 import draw_families, draw_price, draw_ratio, draw_terms
from lautum_utils import (
    Explorer,
    FiniteWorld,
    entropy,
    kl_divergence,
    lautum_information,
    mutual_information,
    save_results,
)

differences = {}  # the largest difference found for each identity


def agree(name, left, right):
    """Note how far the two sides of an identity are apart, over all calls with this name."""
    differences[name] = max(differences.get(name, 0.0), abs(float(left) - float(right)))


def report(*names):
    """Tell whether the two sides agreed everywhere."""
    for name in names:
        print(f"{name:52} largest difference < 1e-12: {differences[name] < 1e-12}")


# %% [markdown]
# ## A world that fits on a page
#
# An example $Z = (X, Y)$ has an input $X \in \{0, 1, 2\}$ and a label $Y \in \{0, 1\}$ with the joint $P(x, y)$ (`p_xy`). The label is 1 where $x \ge 1$, but for some
# noise. A hypothesis $w$ is a table $f_w(y|x)$ (`hypotheses`): there are eight, one for each way to label three inputs, each sure of itself up to `confidence`.
# A dataset $S$ holds $n$ examples; the learner draws its hypothesis $W$ from $P(w|s)$.
#
# The learner sees a dataset only through *how often* each example is in it, so `FiniteWorld` lists counts, each with its multinomial probability.


# %%
def target_world(noise=label_noise):
    """Three inputs, two labels, all eight labellings."""
    label = torch.tensor([0, 1, 1], device="cpu")
    p_y_given_x = noise + (1 - 2 * noise) * torch.nn.functional.one_hot(label, 2).double()
    labellings = torch.cartesian_prod(*[torch.arange(2)] * 3)
    hypotheses = (1 - confidence) + (2 * confidence - 1) * torch.nn.functional.one_hot(
        labellings, 2
    ).double()
    return FiniteWorld(p_y_given_x / 3, hypotheses)


def random_world(generator):
    """Random sizes, probabilities and hypotheses, for the checks."""
    w, x, y = (int(torch.randint(2, 5, (), generator=generator)) for _ in range(3))
    p = torch.rand(x, y, generator=generator, dtype=torch.float64)
    f = torch.softmax(2 * torch.randn(w, x, y, generator=generator, dtype=torch.float64), -1)
    return FiniteWorld(p / p.sum(), f)


world = target_world()
learned = world.learn(n, gamma)
print(f"{math.comb(n + 5, 5)} different datasets of {n} examples, {len(world.prior)} hypotheses")
print(f"training loss {learned.train_loss:.4f} nats, test loss {learned.test_loss:.4f} nats")

# %% [markdown]
# ### Exercise 2.1 · The Gibbs learner (easy, 5 minutes)
#
# Our learner is a *Gibbs* learner: $P(w|s) \propto \text{prior}(w)\, e^{-\gamma\, \hat\ell(w, s)}$, where $\hat\ell(w,s)$ is the mean loss of $w$ on the dataset. Write `gibbs_posterior(losses, prior, gamma)`:
# `losses` (w,) and `prior` (w,) in, $P(w|s)$ (w,) out.
#
# <details><summary>Hint 1 of 2</summary>
#
# $P(w|s)$ is proportional to `prior * torch.exp(-gamma * losses)`.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# Divide by the sum; or `torch.softmax(prior.log() - gamma * losses, 0)`.
#
# </details>


# %%
def gibbs_posterior(losses, prior, gamma):
    """P(w|s) of the Gibbs learner."""
    ### BEGIN SOLUTION
    weights = prior * torch.exp(-gamma * losses)
    return weights / weights.sum()
    ### END SOLUTION


check("gibbs_posterior", gibbs_posterior)

# %% [markdown]
# ## Two measures
#
# Take an example *out of the training set* (any of the $n$, at random). It has helped to choose $W$, so the pair $(W, Z)$ follows a **joint** distribution $P_{WZ}$ (`learned.joint`). A *fresh*
# example knows nothing of $W$: the pair follows the **product** $P_W P_Z$ (`learned.product`).
#
# **Predict:** which hypotheses are more probable together with the example $(x, y) = (0, 0)$ under the joint than under the product?

# %%
ratio = (learned.joint / learned.product).log().nan_to_num(nan=0.0)
draw_ratio(ratio, world.hypotheses)

# %% [markdown]
# Both losses average the same table $-\log f_w(y|x)$, under these two measures:
#
# $$\text{train} = \mathbb E_{P_{WZ}}\left[-\log f_W(Y|X)\right], \qquad \text{test} = \mathbb E_{P_W P_Z}\left[-\log f_W(Y|X)\right].$$
#
# ### Exercise 2.2 · Train and test loss (easy, 5 minutes)
#
# Write `train_and_test_loss(joint, losses)`: `joint` (w, z) is $P(w, z)$ and `losses` (w, z) the table; return a tensor of the two numbers.
#
# <details><summary>Hint 1 of 2</summary>
#
# Both are the same table of losses, weighted differently.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `joint.sum(1, keepdim=True)` is $P_W$ and `joint.sum(0, keepdim=True)` is $P_Z$; at the end `torch.stack((train, test))`.
#
# </details>


# %%
def train_and_test_loss(joint, losses):
    """Expected loss under the joint and under the product of its marginals, as a tensor of two numbers."""
    ### BEGIN SOLUTION
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.stack(((joint * losses).sum(), (product * losses).sum()))
    ### END SOLUTION


check("train_and_test_loss", train_and_test_loss)

# %% [markdown]
# ## The training loss
#
# Let $p(y|x,w)$ be the conditional of the *joint*: how labels of training examples are distributed once we know the hypothesis that came out. Multiply and divide by $p(y|x)$ and $p(y|x,w)$:
#
# $$-\log f_w(y|x) \;=\; -\log p(y|x) \;-\; \log\frac{p(y|x,w)}{p(y|x)} \;+\; \log\frac{p(y|x,w)}{f_w(y|x)},$$
#
# and average under the joint. Each term becomes a known quantity:
#
# $$\text{train} = H(Y|X) \;-\; I(W;Y|X) \;+\; \mathbb E_{P_{WX}}\, D\big(p(\cdot|X,W)\,\|\,f_W(\cdot|X)\big).$$
#
# The last term is a divergence, so this is a bound: train $\ge H(Y|X) - I(W;Y|X)$. A training loss below $H(Y|X)$ can only be bought with $I(W;Y|X)$: by *memorising* labels. (Achille and Soatto start from this decomposition.) We build the three terms by hand and then ask the module, on many random worlds.

# %%
generator = torch.Generator().manual_seed(seed)


def random_learner():
    """A random world and a learner in it: any dataset size from 1 to 4, any gamma up to 20."""
    return random_world(generator).learn(
        int(torch.randint(1, 5, (), generator=generator)),
        20 * torch.rand((), generator=generator).item(),
    )


for _ in range(worlds):
    one = random_learner()
    joint, p_xy, f = one.joint, one.world.p_xy, one.world.hypotheses
    p_x = p_xy.sum(1)
    h = (p_x * entropy(p_xy / p_x[:, None])).sum()  # H(Y|X)
    i = (p_x * mutual_information((joint / p_x[:, None]).movedim(1, 0))).sum()  # I(W;Y|X)
    p_wx = joint.sum(2)
    kl = (p_wx * kl_divergence(joint / p_wx[..., None], f)).sum()
    agree("train = H(Y|X) - I(W;Y|X) + KL", one.train_loss, h - i + kl)
    agree("the same, from train_terms()", one.train_loss, sum(one.train_terms()["labels"].values()))
    agree(
        "chain rule: I(W;Y|X) = I(W;Z) - I(W;X)",
        i,
        mutual_information(joint.flatten(1)) - mutual_information(p_wx),
    )
report(
    "train = H(Y|X) - I(W;Y|X) + KL",
    "the same, from train_terms()",
    "chain rule: I(W;Y|X) = I(W;Z) - I(W;X)",
)

# %% [markdown]
# ### Exercise 2.3 · What the labels tell, given the inputs (medium, 10 minutes)
#
# Write `conditional_mutual_information(joint)`: `joint` (w, x, y) is $P(w,x,y)$; return $I(W;Y|X)$ in nats.
#
# <details><summary>Hint 1 of 2</summary>
#
# For each $x$ there is a joint $P(w, y|x)$; average its mutual information over $x$.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# Or the chain rule: $I(W;(X,Y)) - I(W;X)$, with `joint.flatten(1)` and `joint.sum(2)`.
#
# </details>


# %%
def conditional_mutual_information(joint):
    """I(W;Y|X) in nats."""
    ### BEGIN SOLUTION
    return mutual_information(joint.flatten(1)) - mutual_information(joint.sum(2))
    ### END SOLUTION


check("conditional_mutual_information", conditional_mutual_information)

# %% [markdown]
# ## The test loss
#
# Now average the *same* three logarithms under the product. The first gives $H(Y|X)$ again. The second is no longer minus a divergence: under the product, $\log \frac{p(y|x)}{p(y|x,w)}$ averages to
#
# $$L(W;Y|X) = \mathbb E_{P_W P_{XY}} \log\frac{p(Y|X)}{p(Y|X,W)} \;\ge 0,$$
#
# the **Lautum** information of weights and labels given inputs, with a *plus*. So (derived here)
#
# $$\text{test} = H(Y|X) \;+\; L(W;Y|X) \;+\; R, \qquad R = \mathbb E_{P_W P_{XY}} \log\frac{p(Y|X,W)}{f_W(Y|X)}.$$
#
# $R$ looks like a divergence but is none, because it averages over $p(y|x)$ and not over $p(y|x,w)$. Two more ways to cut the same loss:
#
# $$\text{test} = H(Y|X) + D, \qquad \text{test} = D + H_\times(Y|X,W) - L(W;Y|X),$$
#
# with $D = \mathbb E_{P_W P_X} D(p(\cdot|X)\|f_W(\cdot|X)) \ge 0$ and $H_\times = \mathbb E_{P_W P_{XY}}[-\log p(Y|X,W)]$. So test $\ge H(Y|X)$, and test $\ge H_\times - L(W;Y|X)$.
#
# **Predict:** is $R$ ever negative?

# %% tags=["nbval-check-output"]
negative = 0
for _ in range(worlds):
    one = random_learner()
    for name, terms in one.test_terms().items():
        agree(f"test loss, decomposition '{name}'", one.test_loss, sum(terms.values()))
    negative += one.test_terms()["labels, plus"]["R"] < 0
    sizes = one.joint.flatten(1), one.joint.sum(2)
    given = one.test_terms()["labels, plus"]["+L(W;Y|X)"]
    agree(
        "chain rule: L(W;Y|X) = L(W;Z) - L(W;X)",
        given,
        lautum_information(sizes[0]) - lautum_information(sizes[1]),
    )
report(
    *[name for name in differences if name.startswith("test loss")],
    "chain rule: L(W;Y|X) = L(W;Z) - L(W;X)",
)
print(f"R is negative in {negative} of {worlds} random worlds")

# %% [markdown]
# ### Exercise 2.4 · The remainder (medium, 10 minutes)
#
# Write `remainder(joint, hypotheses)`: both (w, x, y); return $R$.
#
# <details><summary>Hint 1 of 2</summary>
#
# $R$ is the mean of $\log\frac{p(y|x,w)}{f_w(y|x)}$ under the product $P_W P_{XY}$.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $p(y|x,w)$ is `joint / joint.sum(2, keepdim=True)`; the product is `joint.sum((1, 2))[:, None, None] * joint.sum(0)`.
#
# </details>


# %%
def remainder(joint, hypotheses):
    """R = E_product log( p(Y|X,W) / f_W(Y|X) )."""
    ### BEGIN SOLUTION
    seen = joint / joint.sum(2, keepdim=True)
    product = joint.sum((1, 2))[:, None, None] * joint.sum(0)
    return (product * (seen / hypotheses).log()).sum()
    ### END SOLUTION


check("remainder", remainder)

# %% [markdown]
# ## Two signs
#
# Cut the label terms once more by the chain rules: $I(W;Y|X) = I(W;Z) - I(W;X)$ and $L(W;Y|X) = L(W;Z) - L(W;X)$. The *inputs alone* appear, and they are what unlabelled data can tell us about:
#
# $$\text{train} = H(Y|X) - I(W;Z) \mathbin{\mathbf{+}} I(W;X) + \text{KL}, \qquad \text{test} = H(Y|X) + L(W;Z) \mathbin{\mathbf{-}} L(W;X) + R.$$
#
# (KL is the last term of the training loss.) Here are the two signs of the two published regularizers: under the joint, $+I(W;X)$, which one would *minimise* (arXiv 2306.06731); under the product, $-L(W;X)$, which one would *maximise* (arXiv 1904.01670). Each bar below starts where the one
# before it ended; the last one is the loss itself.


# %%
OUTSIDE = torch.tensor(
    [[0.05, 0.55], [0.3, 0.0], [0.1, 0.0]], dtype=torch.float64, device="cpu"
)  # another rule, other inputs
N_SOURCE = 3


@lru_cache(maxsize=512)
def transferred(n, gamma, label_noise, distance, target_weight):
    """The Gibbs learner from N_SOURCE source and n target examples; distance mixes another rule into the source."""
    target = target_world(label_noise)
    source = (1 - distance) * target.p_xy + distance * OUTSIDE
    return target.transfer(source, N_SOURCE, n, gamma, target_weight)


# %%
draw_terms(transferred(n, gamma, label_noise, 0.0, 1.0), with_gap=False)

# %% [markdown]
# Look closely before believing in a sign. The test loss has *another* cut, $D + H_\times - L(W;Z) + L(W;X)$, where the same $L(W;X)$ stands with a **plus**. Both are true. The sign says only how the loss moves *while the
# other named terms stay put*.

# %% tags=["nbval-check-output"]
learned = world.learn(n, gamma)
for name, terms in {**learned.train_terms(), **learned.test_terms()}.items():
    print(
        f"{name:15}",
        "  ".join(f"{term} {value:+.4f}" for term, value in terms.items()),
        f" = {sum(terms.values()):.4f}",
    )

# %% [markdown]
# ## What no identity grants
#
# Do the other terms stay put? Here is the sharpest answer that we know (derived here). The test loss averages under $P_W P_Z$, so it depends on the learner *only through the marginal* $P_W$. Take a learner, and build a second one that draws its hypothesis from
# the same $P_W$ **without looking at the data**.
#
# **Predict:** the second has $L(W;X) = 0$. How do its test loss, $L(W;Z)$ and $R$ compare?

# %% tags=["nbval-check-output"]
blind = FiniteWorld(world.p_xy, world.hypotheses, prior=learned.joint.sum((1, 2))).learn(
    n, gamma=0.0
)
for name, one in {"looks at the data": learned, "draws from the same P(w)": blind}.items():
    terms = one.test_terms()["inputs, minus"]
    print(
        f"{name:25} test loss {one.test_loss:.4f}   "
        + "  ".join(
            f"{t} {abs(v) * (1 if v > 0 else -1 if v < -1e-9 else 0):+.4f}"
            for t, v in terms.items()
        )
    )
agree("same P(w), same test loss", learned.test_loss, blind.test_loss)
report("same P(w), same test loss")

# %% [markdown]
# All of $L$ is gone, and $R$ has taken up the difference exactly. So raising $L(W;X)$ cannot lower the test loss *by itself*; it helps only if the means by which we raise it also move $P_W$ to better hypotheses. No identity promises that. Two ways to change
# $L(W;X)$ in this world: Gibbs learners that differ in their **prior**; and, with a source that follows another rule (below), learners that differ in the **weight of the target**, from 0 to 1.
#
# **Predict:** in which of the two families does the test loss fall as $L(W;X)$ rises?

# %%
generator = torch.Generator().manual_seed(seed + 1)
families = {"prior": [], "target weight": []}
for _ in range(4 * worlds):
    prior = torch.rand(8, generator=generator, dtype=torch.float64) ** 3 + 1e-3
    families["prior"].append(
        FiniteWorld(world.p_xy, world.hypotheses, prior / prior.sum()).learn(n, gamma)
    )
weights = [0.1 * step for step in range(11)]
families["target weight"] = [transferred(n, gamma, label_noise, 1.0, weight) for weight in weights]

measured = {}  # L(W;X), test loss and R of each learner
for family, members in families.items():
    terms = [one.test_terms()["inputs, minus"] for one in members]
    rows = [(-t["-L(W;X)"], one.test_loss, t["R"]) for t, one in zip(terms, members)]
    measured[family] = torch.tensor(rows, dtype=torch.float64, device="cpu")
    correlation = torch.corrcoef(measured[family][:, :2].mT)[0, 1]
    print(f"{family:13}: correlation of L(W;X) and test loss {correlation:+.2f}")
draw_families(measured, weights)

# %% [markdown]
# ## Exact, for Gibbs learners
#
# For $P(w|s) = \text{prior}(w)\, e^{-\gamma \hat\ell(w,s)} / c(s)$ the logarithm is $\log P(w|s) = \log \text{prior}(w) - \gamma \hat\ell(w,s) - \log c(s)$. Now
#
# $$I(W;S) + L(W;S) = \mathbb E_{P_{WS}} \log\frac{P(W|S)}{P(W)} - \mathbb E_{P_W P_S} \log\frac{P(W|S)}{P(W)}.$$
#
# Whatever depends on $w$ alone or $s$ alone has the same mean under both measures and cancels; $-\gamma\hat\ell$ is left. Under the joint it gives the training loss, under the product the test loss:
#
# $$\text{test} - \text{train} = \frac{I(W;S) + L(W;S)}{\gamma}.$$
#
# That is the theorem of Aminian, Bu and others (2021). **Here Lautum information is a price**: it is part of the generalization gap.
#
# **Predict:** the learner trusts its data more and more ($\gamma$ grows). Which half of the gap wins, $I$ or $L$?

# %%
gammas = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
path = [world.learn(n, value) for value in gammas]
for one in [*path, *(random_learner() for _ in range(worlds))]:
    agree("Gibbs: test - train = (I + L) / gamma", one.test_loss - one.train_loss, one.gibbs_gap)
report("Gibbs: test - train = (I + L) / gamma")
draw_price(gammas, path)

# %% [markdown]
# ## Transfer: a source, a target, and unlabelled inputs
#
# Now the learner has a source dataset $S_s$ too, and weighs the losses: $(1-a)\,\hat\ell_s + a\,\hat\ell_t$ (`target_weight` is $a$). (`Learned.gamma` is then $a\gamma$.) Given the source dataset everything above repeats itself with $a\gamma$ in place of $\gamma$ (Bu and others, 2022):
#
# $$\text{target test} - \text{target train} = \frac{I(W;S_t|S_s) + L(W;S_t|S_s)}{a\,\gamma}.$$
#
# Here the condition is averaged otherwise than in $L(W;Y|X)$: for each source dataset take $D(P_{W|s_s}P_{S_t}\,\|\,P_{WS_t|s_s})$, then average over $P(s_s)$; the weights are $P(w, s_s)P(s_t)$.
# The decompositions of the target's losses stay as they are, with $Z$ a target example. Of their terms, $L(W;X)$ needs no label.

# %%
for _ in range(worlds):
    target, source = (
        random_world(generator),
        torch.rand(1, generator=generator, dtype=torch.float64),
    )
    other = torch.rand(target.p_xy.shape, generator=generator, dtype=torch.float64)
    one = target.transfer(
        other / other.sum(), 2, 2, 15 * source.item() + 0.1, 0.05 + 0.9 * source.item()
    )
    agree(
        "transfer: gap = (I + L) / (a gamma), given the source",
        one.test_loss - one.train_loss,
        one.gibbs_gap,
    )
    for terms, loss in ((one.train_terms(), one.train_loss), (one.test_terms(), one.test_loss)):
        for parts in terms.values():
            agree("transfer: every decomposition on the target", sum(parts.values()), loss)
report(
    "transfer: gap = (I + L) / (a gamma), given the source",
    "transfer: every decomposition on the target",
)

# %% [markdown]
# **Predict** before you move a slider: (1) Which term is set by the label noise alone? (2) At target weight 0, which terms vanish? (3) `distance` mixes another rule into the source, and at 1 the source follows that rule only. Does more weight on the target raise or lower $L(W;X)$, and the test loss?


# %%
def terms_at(n=3, gamma=6.0, label_noise=0.1, distance=0.5, target_weight=0.5):
    """Train and test loss on the target, term by term, and the gap between them."""
    return draw_terms(transferred(n, gamma, label_noise, distance, target_weight))


explorer_terms = Explorer(
    terms_at,
    n=(1, 5, 1),
    gamma=[0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 20.0, 40.0],
    label_noise=(0.0, 0.5, 0.05),
    distance=(0.0, 1.0, 0.1),
    target_weight=(0.0, 1.0, 0.1),
)
explorer_terms

# %% [markdown]
# The same at two settings, for those who read without widgets: a source with another rule, first with little weight on the target, then with much.

# %%
display(terms_at(distance=1.0, target_weight=0.1))
terms_at(distance=1.0, target_weight=0.9)

# %% tags=["nbval-check-output"]
for noise in (0.0, 0.1, 0.3):
    ends = [
        transferred(3, 6.0, noise, 1.0, weight).test_terms()["inputs, minus"]
        for weight in (0.1, 0.9)
    ]
    print(
        f"label noise {noise}: H(Y|X) {ends[0]['H(Y|X)']:.4f} at weight 0.1, {ends[1]['H(Y|X)']:.4f} at 0.9"
    )
blind = transferred(3, 6.0, 0.1, 1.0, 0.0)
found = [blind.mutual_information, blind.lautum_information]
for terms in (blind.train_terms()["inputs"], blind.test_terms()["inputs, minus"]):
    found += [value for name, value in terms.items() if "(W;" in name]
print("target weight 0: every I and L with the target is 0:", max(map(abs, found)) < 1e-12)

# %% [markdown]
# ## When nothing is random
#
# Empirical risk minimisation is the limit $\gamma \to \infty$. On some datasets a hypothesis then *never* comes out: $P(w|s)$ has holes, and the Lautum information of $W$ and $S$ is infinite. Networks are trained by an almost deterministic procedure. Whoever speaks of
# $L$ of weights and data needs some noise in between; the next two notebooks put it into the *representation*.

# %% tags=["nbval-check-output"]
greedy = world.learn(n, math.inf)
print(f"I(W;S) = {greedy.mutual_information:.4f}, L(W;S) = {greedy.lautum_information} nats")
print(f"training loss {greedy.train_loss:.4f}, test loss {greedy.test_loss:.4f} nats")
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# ## What we saw
#
# - Training looks at $(W, Z)$ under the joint, testing under the product. Mutual information belongs to the first, Lautum information to the second. Every decomposition adds up to better than $10^{-12}$ in every world we drew.
# - $R$ is no divergence: it is negative in a good part of the random worlds.
# - The inputs enter the training loss as $+I(W;X)$ and the test loss as $-L(W;X)$, or as $+L(W;X)$ in another cut. A sign holds only while the other terms stay put, and a learner that draws blindly from the same $P_W$ shows that they need not.
# - Among learners that differ in their prior, those with more $L(W;X)$ test worse; along the weight of the target, more $L(W;X)$ goes with a *smaller* test loss, but for the last steps. What moves it decides.
# - For Gibbs learners $(I + L)/\gamma$ *is* the generalization gap, and as $\gamma$ grows Lautum's share grows.
# - In the sliders: $H(Y|X)$ is set by the label noise alone; at target weight 0 every $I$ and $L$ with the target vanishes.
#
# So the theory motivates a regularizer and does not prove that it helps. Hence the experiments of [06](06_semi_supervised_transfer.ipynb).
#
# ## From weights to features
#
# This page spoke of $L(W;X)$: weights and inputs, both random, over many trainings. A single training has one $W$, and $L(W;X)$ cannot be estimated from it. What the next notebooks measure is $L(z;x)$ between the *features* $z = f_w(x)$ of one network and
# its inputs, over a batch of images. The reason for this stand-in: the weights act on an input only through its features, so a network whose features say nothing about target inputs has nothing to tell them apart by. But it is a different
# quantity: here $x$ is random and $w$ fixed, there both were random. **None of the identities above carries over to it.** (The papers assume weights and inputs to be jointly Gaussian; we do not reproduce their argument.)
#
# ## Limits
#
# Three inputs, two labels, eight hypotheses: enough for identities, not for saying how large a term is in a real network. The Gibbs learner is a model of training, not what an optimizer does.
#
# ## References
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019.
# - D. Jakubovitz, D. Uliel, M. Rodrigues, R. Giryes, *An Information-theoretic Approach to Semi-supervised Transfer Learning*, arXiv 2306.06731.
# - A. Achille, S. Soatto, *Emergence of Invariance and Disentanglement in Deep Representations*, JMLR 2018.
# - G. Aminian, Y. Bu, L. Toni, M. Rodrigues, G. Wornell, *An Exact Characterization of the Generalization Error for the Gibbs Algorithm*, NeurIPS 2021.
# - Y. Bu, G. Aminian, L. Toni, G. Wornell, M. Rodrigues, *Characterizing and Understanding the Generalization Error of Transfer Learning with Gibbs Algorithm*, AISTATS 2022.
