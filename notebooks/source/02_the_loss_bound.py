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
# **What was published.** Jakubovitz, Rodrigues and Giryes (arXiv 1904.01670) ask what a network that is trained on a source is worth on a target. Unlabelled target inputs are there during the training. Their
# theory, says the abstract, "suggests that one may improve the transferability of a deep neural network by imposing a Lautum information based regularization that relates the network weights to the
# target data". So: **keep the network informative about the target inputs.** Behind it, as far as is public, stands a decomposition of the expected test loss in which a Lautum information of weights and data
# takes part. To compute it, inputs and weights are assumed to be **jointly Gaussian**.
#
# **What we do.** We take the cross-entropy loss on the target apart, line by line, each line with its reason. A *minus* in front of a Lautum information will appear. Where we depart:
#
# - The abstract is public; the body of the paper was not at hand. Every line is derived here, and may differ from theirs.
# - We assume no Gaussian. Our world is so small that we list all its datasets. (Notebook 03 is Gaussian.)
# - We ask what the minus *promises*. **The answer, told before all: by itself, nothing.** More Lautum information lowers the loss only if the other terms stay put, and no identity grants that.
#
# The picture shows where we are going: a loss, and what is taken from it, above; what it is made of, below. Both bars of a pair are equally long.

# %% tags=["parameters"]
seed = 0  # of everything that is drawn at random
worlds = 50  # random worlds on which each identity is checked
n = 3  # examples in a dataset
gamma = 6.0  # inverse temperature of the learner: 0 ignores the data, large values trust them
label_noise = 0.1  # how often a label is flipped, from 0 to 1
confidence = 0.9  # probability that a hypothesis gives to the label it favours, above 0 and below 1
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("02", globals())  # silent, unless a value above cannot work

# %%
from lautum_pages.page_02 import draw_idea

draw_idea()

# %% [markdown]
# Here $X$ is an input, $Y$ its label, and $W$ the hypothesis that a learner has chosen (for a network: its weights). $H(Y|X)$ is what the input leaves open about the label. $I$ and $L$ measure how much $W$ depends
# on the labels. KL and $R$ are what is left.

# %%
import math

import torch
from IPython.display import display

from lautum_pages import check
from lautum_pages.page_02 import draw_balance, draw_families, draw_price, draw_ratio
from lautum_pages.page_02_worlds import blinded, identities, random_learner, random_transfer
from lautum_pages.page_02_worlds import target_world, transferred
from lautum_utils import Explorer, FiniteWorld, lautum_information, mutual_information
from lautum_utils import save_results

differences = {}  # the largest difference found between the two sides of each identity


def note(name, difference):
    """Keep the largest difference, over all calls with this name."""
    differences[name] = max(differences.get(name, 0.0), abs(difference))


# %% [markdown]
# ## A world that fits on a page
#
# An example $Z = (X, Y)$ has an input $X \in \{0, 1, 2\}$ and a label $Y \in \{0, 1\}$. The label is 1 where $x \ge 1$, but for some noise. A hypothesis $w$ is a table $f_w(y\mid x)$: how probable it holds each label.
# There are eight, one for each way to label three inputs, each sure of itself up to `confidence`. A dataset $S$ holds $n$ examples. The learner draws its hypothesis $W$ from $P(w|s)$.

# %%
world = target_world(label_noise, confidence)
learned = world.learn(n, gamma)
print("P(x, y), a row for each x:\n", world.p_xy)
print("one of the hypotheses, f_w(y|x):\n", world.hypotheses[3])

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
# example knows nothing of $W$: the pair follows the **product** $P_W P_Z$ (`learned.product`). In the words of notebook 01: pairs as they come, and shuffled pairs.
#
# **Predict:** which hypotheses are more probable together with the example $(x, y) = (0, 0)$ under the joint than under the product?

# %%
ratio = (learned.joint / learned.product).log().nan_to_num(nan=0.0)
draw_ratio(ratio, world.hypotheses)

# %% [markdown]
# Both losses average the same table $-\log f_w(y|x)$, under these two measures ($\mathbb E$ is a mean, the index says over what):
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
    """Expected loss under the joint and under the product, as a tensor of two numbers."""
    ### BEGIN SOLUTION
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.stack(((joint * losses).sum(), (product * losses).sum()))
    ### END SOLUTION


check("train_and_test_loss", train_and_test_loss)

# %% [markdown]
# ## One identity for each triple
#
# Two conditionals are needed. $p(y|x)$ is how labels follow inputs in the world. $p(y|x,w) = P(w,x,y) / P(w,x)$ is how labels follow inputs *among the training examples after which $w$ comes out*. It needs $P(w,x) > 0$.
# A Gibbs learner with finite $\gamma$ grants that: each hypothesis of positive prior can come out of each dataset. (At the end of this page we let go of it.)
#
# Multiply and divide by both. For every $(w, x, y)$:
#
# $$-\log f_w(y|x) \;=\; \underbrace{-\log p(y|x)}_{(1)} \;-\; \underbrace{\log\frac{p(y|x,w)}{p(y|x)}}_{(2)} \;+\; \underbrace{\log\frac{p(y|x,w)}{f_w(y|x)}}_{(3)}.$$
#
# ### Averaged under the joint: the training loss
#
# 1. $\mathbb E_{P_{WZ}}[-\log p(Y|X)] = H(Y|X)$, *because* the logarithm holds no $w$. Summing $w$ out of the joint leaves $P(x,y)$: a training example is one of $n$ draws from it.
# 2. $\mathbb E_{P_{WZ}}\big[\log\frac{p(Y|X,W)}{p(Y|X)}\big] = I(W;Y|X)$, *because* that is its definition: given $x$, the fraction is the joint of $w$ and $y$ over the product.
# 3. $\mathbb E_{P_{WZ}}\big[\log\frac{p(Y|X,W)}{f_W(Y|X)}\big] = \mathbb E_{P_{WX}}\, D\big(p(\cdot|X,W)\,\|\,f_W(\cdot|X)\big)$, *because* under the joint, given $(w,x)$, the label follows the numerator $p(y|x,w)$. We call it KL. It is 0 or more.
#
# $$\text{train} = H(Y|X) - I(W;Y|X) + \text{KL} \;\ge\; H(Y|X) - I(W;Y|X).$$
#
# A training loss below $H(Y|X)$ is bought with $I(W;Y|X)$: by *memorising* labels. (Achille and Soatto start from this line.)
#
# ### Averaged under the product: the test loss
#
# 1. $\mathbb E_{P_W P_Z}[-\log p(Y|X)] = H(Y|X)$, *because* the logarithm holds no $w$, and $Z$ follows $P(x,y)$ here as well.
# 2. $\mathbb E_{P_W P_Z}\big[\log\frac{p(Y|X,W)}{p(Y|X)}\big] = -L(W;Y|X)$, *because* under the product, given $(w,x)$, the label follows the *denominator* $p(y|x)$. So it is minus a divergence:
#    $L(W;Y|X) = \mathbb E_{P_W P_X}\, D\big(p(\cdot|X)\,\|\,p(\cdot|X,W)\big) \ge 0$.
# 3. $\mathbb E_{P_W P_Z}\big[\log\frac{p(Y|X,W)}{f_W(Y|X)}\big] = R$, and it is **no** divergence, *because* the label follows $p(y|x)$ and not the numerator.
#
# $$\text{test} = H(Y|X) + L(W;Y|X) + R.$$
#
# **Predict:** the same three logarithms, two measures. Which of the three means changes its sign? Is $R$ ever negative?

# %% tags=["nbval-check-output"]
true = world.p_xy / world.p_xy.sum(1, keepdim=True)  # p(y|x)
seen = learned.joint / learned.joint.sum(2, keepdim=True)  # p(y|x,w)
logarithms = [-true.log(), -(seen / true).log(), (seen / world.hypotheses).log()]
for name, measure in {"joint": learned.joint, "product": learned.product}.items():
    one, two, three = [(measure * values).sum().item() for values in logarithms]
    print(f"{name:8} (1) {one:.4f}  -(2) {two:+.4f}  (3) {three:+.4f}  sum {one + two + three:.4f}")

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(seed)
learners = [random_learner(generator) for _ in range(worlds)]
for one in learners:
    for name, difference in identities(one).items():
        note(name, difference)
negative = sum(one.test_terms()["labels, plus"]["R"] < 0 for one in learners)
agree = max(differences.values()) < 1e-12
print(f"{len(differences)} identities, on {worlds} random worlds, hold to 1e-12: {agree}")
print(f"R is negative in {negative} of {worlds} random worlds")

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
# ## Where the minus comes from, and what it is worth
#
# **A cut with a minus.** Group the logarithms otherwise. Let $D = \mathbb E_{P_W P_X} D\big(p(\cdot|X)\,\|\,f_W(\cdot|X)\big) \ge 0$ (how wrong the hypotheses are) and $H_\times = \mathbb E_{P_W P_Z}[-\log p(Y|X,W)]$. Then
#
# $$\text{test} = D + H_\times - L(W;Y|X),$$
#
# because
#
# $$-\log f_w = \log\frac{p(y|x)}{f_w(y|x)} - \log p(y|x,w) - \log\frac{p(y|x)}{p(y|x,w)}.$$
#
# This looks as if more $L(W;Y|X)$ were less loss. But the last two logarithms add up to $-\log p(y|x)$, so
#
# $$H_\times - L(W;Y|X) = H(Y|X), \qquad\text{whatever the learner does.}$$
#
# If $L(W;Y|X)$ grows, $H_\times$ grows by the same. **This cut says nothing new by itself**: it is test $= H(Y|X) + D$. Compare with the cut above it, and $R = D - L(W;Y|X)$.
#
# **The inputs alone.** Unlabelled data tell of inputs only. The chain rules of notebook 01, $I(W;Y|X) = I(W;Z) - I(W;X)$ and $L(W;Y|X) = L(W;Z) - L(W;X)$, bring them in:
#
# $$\text{train} = H(Y|X) - I(W;Z) \mathbin{\mathbf{+}} I(W;X) + \text{KL},$$
#
# $$\text{test} = H(Y|X) + L(W;Z) \mathbin{\mathbf{-}} L(W;X) + R.$$
#
# Here are the two signs of the two published regularizers: $+I(W;X)$ under the joint, which one would *minimise* (arXiv 2306.06731), and $-L(W;X)$ under the product, which one would *maximise* (arXiv 1904.01670). But put the
# chain rule into the cut with the minus, and the same $L(W;X)$ stands there with a *plus*. Both are true. **A sign says how the loss moves while the other named terms stay put.**
#
# ## Drag a term, and watch the others
#
# Do they stay put? The test loss averages under $P_W P_Z$, so it sees the learner *only through $P_W$*. Take a **twin**: it draws from the same $P_W$, but looks at the data only now and then (`looks_at_data`, from 0 to 1: how often). The slider
# drags every $I$ and $L$ at once.
#
# **Predict:** at 0, where is the test loss? Which term has taken up what $L(W;Z) - L(W;X)$ has lost?


# %%
def twin(looks_at_data=1.0, gamma=6.0):
    """A learner that looks at its data that often, and else draws from the same P(w)."""
    return draw_balance(blinded(world.learn(n, gamma), looks_at_data))


explorer_twin = Explorer(twin, looks_at_data=(0.0, 1.0, 0.1), gamma=[0.5, 2.0, 6.0, 20.0])
explorer_twin

# %%
display(twin(1.0))
twin(0.0)  # the blind twin: the same test loss

# %% [markdown]
# The test loss has not moved at all: $R$ takes up exactly what $L$ gives. So raising $L(W;X)$ cannot lower the test loss *by itself*. It helps only if what raises it also moves $P_W$ to better hypotheses.
#
# ### Exercise 2.5 · Predict the sign of R (medium, 10 minutes)
#
# Three learners. For each, is $R$ positive (`+`), negative (`-`) or zero (`0`)? No computation is needed. Write `signs_of_r()`: it returns a text of three signs, for a, b, c.
#
# - **a.** It ignores its data. All its hypotheses are wrong, $f_w \ne p(\cdot|x)$.
# - **b.** All its hypotheses are the truth, $f_w(y|x) = p(y|x)$, under different names $w$. Which name it draws depends on the labels that it has seen.
# - **c.** Its hypotheses say just how labels look after which they come out: $f_w(y|x) = p(y|x,w)$.
#
# <details><summary>Hint 1 of 2</summary>
#
# $R = D - L(W;Y|X)$. In a and b one of the two is 0.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# In c look at the fraction in the logarithm of $R$.
#
# </details>


# %%
def signs_of_r():
    """The signs of R for the learners a, b and c, such as "+++"."""
    ### BEGIN SOLUTION
    return "+-0"
    ### END SOLUTION


check("signs_of_r", signs_of_r)

# %% [markdown] tags=["why"]
# **Why?** $R$ is the mean of the logarithm of a ratio of two distributions of $y$, and so is a divergence, which is never negative. Why can $R$ be negative all the same? Answer in two sentences.
#
# <details><summary>A full answer</summary>
#
# - A divergence averages over the distribution *in the numerator*, and only this makes it 0 or more.
# - $R$ averages over a fresh example, whose $y$ follows $p(y|x)$. In the numerator stands $p(y|x,w)$, which is another distribution as soon as $W$ depends on the labels.
#
# </details>

# %% [markdown]
# ## What moves L(W;X) decides
#
# Two families of Gibbs learners. In one they differ in their **prior**. In the other they also see a source with other rules, and differ in the **weight of the target** in their loss, from 0 to 1.
#
# **Predict:** in which family does the test loss fall as $L(W;X)$ rises?

# %%
weights = [0.1 * step for step in range(11)]
priors = torch.rand(4 * worlds, 8, generator=generator, dtype=torch.float64) ** 3 + 1e-3
families = {
    "prior": [
        FiniteWorld(world.p_xy, world.hypotheses, p / p.sum()).learn(n, gamma) for p in priors
    ],
    "weight": [transferred(n, gamma, label_noise, confidence, 1.0, a) for a in weights],
}
measured = {}  # L(W;X) and test loss of each learner
for family, members in families.items():
    rows = [(lautum_information(one.joint.sum(2)).item(), one.test_loss) for one in members]
    measured[family] = torch.tensor(rows, dtype=torch.float64, device="cpu")
draw_families(measured["prior"], measured["weight"], weights)

# %% [markdown]
# Over priors, learners with more $L(W;X)$ test worse. Along the weight of the target, the test loss falls while $L(W;X)$ rises. But it is the target examples that make the learner better: in the last steps $L(W;X)$ sinks again, and the loss
# still falls.
#
# ## From one example to the dataset
#
# So far $Z$ was one example of the training set. The next theorem speaks of the whole set $S = (Z_1, \dots, Z_n)$. What changes?
#
# 1. $P_{WZ}$ is the mean of the $P_{WZ_i}$, *because* $Z$ is one of the $n$ at random. Our learner does not see their order, so all $n$ are the same.
# 2. $I(W;Z) \le I(W;S)$ and $L(W;Z) \le L(W;S)$, *because* to keep one of $n$ examples is data processing.
# 3. For $I$ even $n\,I(W;Z) \le I(W;S)$, *because* the chain rule gives $I(W;S) = \sum_i I(W;Z_i|Z_1,\dots,Z_{i-1})$, and $Z_i$ knows nothing of the earlier ones, so each term is $I\big((W,Z_1,\dots,Z_{i-1});Z_i\big) \ge I(W;Z_i)$.
# 4. For $L$ this proof stops at once: the weights of its chain rule are $P(w)P(z_1,\dots)$, not $P(w,z_1,\dots)$. We have no proof of $n\,L(W;Z) \le L(W;S)$, and count.

# %% tags=["nbval-check-output"]
held = {"I": 0, "L": 0}
for one in learners:
    pair = one.joint.flatten(1)  # (w, z)
    held["I"] += one.n * mutual_information(pair).item() <= one.mutual_information + 1e-12
    held["L"] += one.n * lautum_information(pair).item() <= one.lautum_information + 1e-12
print(
    f"n times the one of Z is at most the one of S: I in {held['I']}, L in {held['L']} of {worlds}"
)

# %% [markdown]
# ## Exact, for Gibbs learners
#
# 1. $I(W;S) + L(W;S) = \mathbb E_{P_{WS}} \log\frac{P(W|S)}{P(W)} - \mathbb E_{P_W P_S} \log\frac{P(W|S)}{P(W)}$, *because* $L$ averages the same logarithm upside down, under the product.
# 2. $\log\frac{P(w|s)}{P(w)} = \log\text{prior}(w) - \log P(w) - \log c(s) - \gamma\,\hat\ell(w,s)$, *because* that is the Gibbs learner; $c(s)$ makes its probabilities sum to 1.
# 3. **Whatever depends on $w$ alone or on $s$ alone cancels**, *because* joint and product have the same marginals, so it has the same mean under both. Only $-\gamma\,\hat\ell(w,s)$ is left.
# 4. $\mathbb E_{P_{WS}}\,\hat\ell(W,S) = \text{train}$, *because* $\hat\ell$ is the mean over the $n$ training examples. $\mathbb E_{P_W P_S}\,\hat\ell(W,S) = \text{test}$, *because* each example of a set that $W$ has not seen is fresh.
#
# $$\text{test} - \text{train} = \frac{I(W;S) + L(W;S)}{\gamma}.$$
#
# That is the theorem of Aminian, Bu and others (2021). **Here Lautum information is a price**: a part of the generalization gap.
#
# **Predict:** the learner trusts its data more and more ($\gamma$ grows). Which half of the gap wins, $I$ or $L$?

# %%
gammas = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
path = [world.learn(n, value) for value in gammas]
draw_price(gammas, path)

# %% [markdown]
# ## Transfer: a source, a target, and unlabelled inputs
#
# Now the learner has a source dataset $S_s$ beside the target dataset $S_t$, and weighs the losses: $(1-a)\,\hat\ell_s + a\,\hat\ell_t$ (`target_weight` is $a$). *Given the source dataset* each line above repeats itself with $a\gamma$ in place of $\gamma$ (Bu and others, 2022):
#
# $$\text{target test} - \text{target train} = \frac{I(W;S_t|S_s) + L(W;S_t|S_s)}{a\,\gamma}.$$
#
# (Mind how the condition is averaged: for each source dataset take the divergence, then average over source datasets. The weights are $P(w, s_s)P(s_t)$.) The cuts of both losses stay as they are, with $Z$ a target example. Of their terms, $L(W;X)$ needs no label.

# %%
for one in [*path, *learners]:
    note("Gibbs: gap = (I + L) / gamma", one.test_loss - one.train_loss - one.gibbs_gap)
for one in [random_transfer(generator) for _ in range(worlds)]:
    note("transfer: the same, with a gamma", one.test_loss - one.train_loss - one.gibbs_gap)
    for name, difference in identities(one).items():
        note(f"transfer: {name}", difference)
print(f"checked on {2 * worlds} worlds: largest difference {max(differences.values()):.0e}")
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# **Predict** before you move a slider: (1) Which term is set by the label noise alone? (2) At target weight 0, which terms vanish? (3) `distance` mixes other rules into the source. At 1, does more weight on the target raise or lower $L(W;X)$, and the test loss?


# %%
def target_loss(n=3, gamma=6.0, label_noise=0.1, distance=1.0, target_weight=0.1):
    """Both losses on the target, with what is taken from each (above) and added (below)."""
    return draw_balance(transferred(n, gamma, label_noise, confidence, distance, target_weight))


explorer_target = Explorer(
    target_loss,
    n=(1, 5, 1),
    gamma=[0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 20.0, 40.0],
    label_noise=(0.0, 0.5, 0.05),
    distance=(0.0, 1.0, 0.1),
    target_weight=(0.0, 1.0, 0.1),
)
explorer_target

# %%
target_loss(target_weight=0.9)  # without sliders: the picture above, with much weight on the target

# %% tags=["nbval-check-output"]
unseen = transferred(3, 6.0, 0.1, confidence, 1.0, 0.0)  # target weight 0
terms = unseen.train_terms()["inputs"] | unseen.test_terms()["inputs, minus"]
largest = max(abs(value) for name, value in terms.items() if "(W;" in name)
print(f"target weight 0: every I and L with the target is 0: {largest < 1e-12}")
greedy = world.learn(n, math.inf)  # the limit of large gamma
print(
    f"gamma infinite: I(W;S) = {greedy.mutual_information:.4f}, L(W;S) = {greedy.lautum_information}"
)

# %% [markdown]
# **When nothing is random.** The limit $\gamma \to \infty$ is empirical risk minimisation: it takes the hypothesis of least training loss. After some datasets a hypothesis then *never* comes out. $P(w|s)$ has holes, and $L(W;S)$ is infinite. Networks are trained by
# an almost deterministic procedure. So a Lautum information of weights and data needs some noise in between. The next two notebooks put it into the *features*.
#
# ### Exercise 2.6 · Which step is false? (hard, 10 minutes)
#
# Six steps of an argument for the regularizer. Some are false. Write `false_steps()`: it returns the set of their letters.
#
# - **A.** $\mathbb E_{P_{WZ}}[-\log p(Y|X)] = H(Y|X)$: the training example has shaped $W$, but the logarithm holds no $w$.
# - **B.** $R$ is the mean of the logarithm of $p(y|x,w)$ over $f_w(y|x)$. A mean log-ratio of two distributions is a divergence. So $R \ge 0$.
# - **C.** test $= D + H_\times - L(W;Y|X)$. So of two learners with the same hypotheses and the same $P_W$, the one with the larger $L(W;Y|X)$ tests better.
# - **D.** Once the hypotheses are fixed, the test loss depends on a learner only through $P_W$.
# - **E.** For a Gibbs learner with fixed $\gamma$, a larger $I(W;S) + L(W;S)$ means a wider gap between test and train.
# - **F.** test $= H(Y|X) + L(W;Z) - L(W;X) + R$. So whatever raises $L(W;X)$ lowers the test loss.
#
# <details><summary>Hint 1 of 2</summary>
#
# Three are false. Try C and F with the slider of the twin.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# A mean log-ratio is a divergence only if it is averaged under its numerator. How often was $R$ negative?
#
# </details>


# %%
def false_steps():
    """The letters of the false steps, such as {"A", "F"}."""
    ### BEGIN SOLUTION
    return {"B", "C", "F"}
    ### END SOLUTION


check("false_steps", false_steps)

# %% [markdown]
# ## What we saw
#
# - **What speaks against the method:** a twin that draws blindly from the same $P_W$ has the same test loss and no Lautum information at all. Among learners that differ in their prior, those with more $L(W;X)$ test worse. And in the gap of a Gibbs learner, $L(W;S)$ is a price.
# - **What speaks for it:** along the weight of the target, more $L(W;X)$ goes with a *smaller* test loss, but for the last steps. What moves it decides.
# - Training looks at $(W, Z)$ under the joint, testing under the product. $I$ belongs to the first, $L$ to the second. The inputs enter the training loss as $+I(W;X)$ and the test loss as $-L(W;X)$, or as $+L(W;X)$ in another cut.
# - $R$ is no divergence: it is negative in a good part of the random worlds. $H_\times - L(W;Y|X)$ is $H(Y|X)$, so the cut with the minus says nothing new by itself.
# - For Gibbs learners $(I + L)/\gamma$ *is* the gap, and as $\gamma$ grows Lautum's share grows.
# - In the sliders: $H(Y|X)$ is set by the label noise alone; at target weight 0 every $I$ and $L$ with the target vanishes.
#
# So the theory motivates a regularizer and does not prove that it helps. Hence the experiments of [06](06_semi_supervised_transfer.ipynb).
#
# ## From weights to features
#
# This page spoke of $L(W;X)$: weights and inputs, both random, over many trainings. A single training has one $W$, and $L(W;X)$ cannot be estimated from it. What the next notebooks measure is $L(z;x)$ between the *features* $z = f_w(x)$ of one network and
# its inputs, over a batch of images. The reason for this stand-in: the weights act on an input only through its features. A network whose features say nothing about target inputs has nothing to tell them apart by. But it is a different
# quantity: here $x$ is random and $w$ fixed, there both were random. **None of the identities above carries over to it.**
#
# ## Limits
#
# Three inputs, two labels, eight hypotheses: enough for identities, not for saying how large a term is in a real network. The Gibbs learner is a model of training, not what an optimizer does.
#
# ## References
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
# - D. Jakubovitz, D. Uliel, M. Rodrigues, R. Giryes, *An Information-theoretic Approach to Semi-supervised Transfer Learning*, arXiv 2306.06731.
# - A. Achille, S. Soatto, *Emergence of Invariance and Disentanglement in Deep Representations*, JMLR 2018.
# - G. Aminian, Y. Bu, L. Toni, M. Rodrigues, G. Wornell, *An Exact Characterization of the Generalization Error for the Gibbs Algorithm*, NeurIPS 2021.
# - Y. Bu, G. Aminian, L. Toni, G. Wornell, M. Rodrigues, *Characterizing and Understanding the Generalization Error of Transfer Learning with Gibbs Algorithm*, AISTATS 2022.
#
# ## The next question
#
# In a finite world we can sum over everything. Images and features are vectors of real numbers. **How does one compute Lautum information for those, and what does the Gaussian assumption cost?**
