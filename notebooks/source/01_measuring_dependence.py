# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 01 · Measuring dependence: one divergence, two directions
#
# A shop sells pairs of shoes. Each dot below is a pair: to the right the size of its left shoe, upwards the size of its right shoe. As they come, the two agree. Now we
# **shuffle**: more and more left shoes get a right shoe from any other pair.
#
# How dependent are the two sizes? One can ask in two directions.
#
# - Take the pairs *as they come* (left picture). How much more frequent are they than among shuffled pairs? That is **mutual information**, $I$.
# - Take *shuffled* pairs (right picture). How much rarer are they among the pairs as they come? That is **Lautum information**, $L$: "mutual" spelled backwards.
#
# This notebook makes both into numbers, and finds out when they differ.

# %% tags=["parameters"]
seed = 0  # of all random joints
n_joints = 5000  # how many random joints each statement is checked on
alphabet_size = 4  # letters of a variable, 2 or more
halves = 1  # random joints are drawn from Dirichlet(halves / 2): 1 makes rare cells common
crossover = 0.1  # how often a channel garbles a symbol, from 0 to 1
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("01", globals())  # silent, unless a value above cannot work

# %%
from lautum_pages.page_01_pairs import draw_pairs, draw_shuffle

draw_shuffle(alphabet_size)

# %% [markdown]
# Blue dots are as they came, orange squares are shuffled. In the right picture every square of the grid is about as full as every other.
#
# Everything below is exact: the alphabets are small, and every probability can be written down.

# %%
import math

import torch

from lautum_pages import check
from lautum_pages.page_01 import draw_candidates, draw_holes, draw_plane, draw_terms, draw_weak
from lautum_pages.page_01 import random_joints, vector
from lautum_utils import Explorer, entropy, kl_divergence, lautum_information, mutual_information
from lautum_utils import gaussian_lautum_information, gaussian_mutual_information, save_results

differences = {}  # name of an identity -> largest absolute difference of its two sides


def same(name, left, right):
    """Keep the largest difference between the two sides of an identity."""
    differences[name] = (left - right).abs().max().item()


# %% [markdown]
# ## Entropy: how much surprise, in which unit?
#
# The surprise of a value with probability $p(a)$ is $-\log p(a)$: rare values surprise more. **Entropy** is the mean surprise, in code `entropy(p)`:
#
# $$H(p) = -\sum_a p(a)\log p(a), \qquad 0\log 0 = 0.$$
#
# The natural logarithm gives **nats**, the unit of this suite. The logarithm to base 2 gives **bits**. Since $\log_2 p = \log p / \log 2$, divide nats by $\log 2$ to get bits.
#
# **Predict:** a fair coin has one bit of entropy. How many nats? Which has more, the fair coin or the one with heads 0.1?

# %% tags=["nbval-check-output"]
examples = {
    "a certain outcome": vector(1, 0),
    f"a coin with heads {crossover:g}": vector(crossover, 1 - crossover),
    "a fair coin": vector(0.5, 0.5),
    f"{alphabet_size} equal letters": vector(*[1 / alphabet_size] * alphabet_size),
}
for name, p in examples.items():
    nats = entropy(p).item()
    print(f"{name:24} H = {nats:.4f} nats = {nats / math.log(2):.4f} bits")

# %% [markdown]
# ### Exercise 1.1 · Entropy in bits (easy, 5 minutes)
#
# Write `entropy_bits(p)`: a tensor `p` of shape (a,) holding probabilities, some of them 0, to a tensor without axes. Use torch operations
# only, not `entropy`.
#
# <details><summary>Hint 1 of 2</summary>
#
# The surprise of a value is $-\log_2$ of its probability; entropy is the mean surprise.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $0\log 0$ counts as 0: `torch.where(p > 0, ..., 0)`, or `torch.special.entr(p)`, which works in nats.
#
# </details>


# %%
def entropy_bits(p):
    """Entropy of p in bits, with 0 log 0 = 0."""
    ### BEGIN SOLUTION
    return torch.special.entr(p).sum() / math.log(2)
    ### END SOLUTION


check("entropy_bits", entropy_bits)

# %% [markdown]
# ## Divergence: which errors does each direction punish?
#
# The **Kullback-Leibler divergence** says how far a distribution $q$ is from a distribution $p$. It is the mean of a log-ratio, and the mean is taken under the *first* of the two,
# in code `kl_divergence(p, q)`:
#
# $$D(p\,\|\,q) = \sum_a p(a)\log\frac{p(a)}{q(a)}.$$
#
# A letter $a$ costs much where $p$ is large and $q$ is tiny. Where $q$ is large and $p$ is tiny, it costs little. With the arguments exchanged it is the other way round.
#
# **Predict:** $p$ has two humps. One $q$ is flat; another sits on the left hump only. Which is nearer to $p$ by $D(p\|q)$, and which by
# $D(q\|p)$?

# %%
p = vector(0.02, 0.2, 0.26, 0.02, 0.02, 0.26, 0.2, 0.02)
candidates = {
    "flat q": vector(*[1 / 8] * 8),
    "q on one hump": vector(0.03, 0.4, 0.44, 0.03, 0.025, 0.025, 0.025, 0.025),
}
distances = {name: (kl_divergence(p, q), kl_divergence(q, p)) for name, q in candidates.items()}
draw_candidates(p, candidates, distances)

# %% [markdown]
# $D(p\|q)$ prefers the flat $q$, which misses nothing that $p$ does. $D(q\|p)$ prefers the single hump, which hardly does what $p$ makes rare.
#
# ## Dependence: the same for pairs
#
# A **joint** $P_{AB}$ (`joint`, shape (a, b)) holds the probability of each pair, as they come. Its **product** $P_A P_B$ is the joint of shuffled pairs: each of the two is as
# frequent as before, and they know nothing of each other. The two directions between them are
#
# $$I(A;B) = D(P_{AB}\,\|\,P_A P_B), \qquad L(A;B) = D(P_A P_B\,\|\,P_{AB}),$$
#
# in code `mutual_information(joint)` and `lautum_information(joint)`. So $I$ averages over pairs as they come, and $L$ over shuffled pairs. A pair that is rare as it comes counts little in
# $I$ and much in $L$.
#
# **Predict:** in the joint below, which cells make $L$ large? Which of the two is larger?

# %% tags=["nbval-check-output"]
joint = vector([0.4, 0.1], [0.1, 0.4])
product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
log_ratio = (joint / product).log()
print(f"I = {(joint * log_ratio).sum():.4f} nats, the module: {mutual_information(joint):.4f}")
print(f"L = {-(product * log_ratio).sum():.4f} nats, the module: {lautum_information(joint):.4f}")

# %%
draw_terms("joint", joint)

# %% [markdown]
# Each cell adds one term to $I$ and one to $L$. The two rare cells carry all of what is positive in $L$; in $I$ they count negatively.
#
# ### Exercise 1.2 · Lautum information (easy, 5 minutes)
#
# Write `lautum(joint)`: a joint of shape (a, b) without zeros to a tensor without axes, in nats. Build the product of the marginals yourself.
#
# <details><summary>Hint 1 of 2</summary>
#
# The marginals are `joint.sum(1, keepdim=True)` and `joint.sum(0, keepdim=True)`; multiplied, they give the product.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $D(p\|q)$ is the sum of `p * (p / q).log()`. Here `p` is the product and `q` the joint.
#
# </details>


# %%
def lautum(joint):
    """Lautum information D(P_A P_B || P_AB) in nats."""
    ### BEGIN SOLUTION
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return (product * (product / joint).log()).sum()
    ### END SOLUTION


check("lautum", lautum)

# %% [markdown]
# ## Shuffle, and watch
#
# Back to the shop. A share $s$ of its pairs (`shuffled`) is shuffled, so the joint is $(1 - s)\,P_{AB} + s\,P_A P_B$.
#
# **Predict** before you move the slider: what are $I$ and $L$ when no pair is shuffled, and when all are? Which of the two is larger at 10 %, and which at 50 %?


# %%
def shoes(shuffled):
    """The joint of the sizes of left and right, with a share of the pairs shuffled."""
    matched = torch.eye(alphabet_size, dtype=torch.float64, device="cpu") / alphabet_size
    return (1 - shuffled) * matched + shuffled / alphabet_size**2


shares = torch.linspace(0, 1, 101, dtype=torch.float64, device="cpu")
along = torch.stack([shoes(share) for share in shares.tolist()])
curves = mutual_information(along), lautum_information(along)


def shop(shuffled=0.1):
    """Left: pairs as they come (dots) and shuffled ones (squares). Right: I and L at every share."""
    joint = shoes(shuffled)
    here = mutual_information(joint), lautum_information(joint)
    return draw_pairs(shuffled, here, shares, curves, alphabet_size)


explorer_shop = Explorer(shop, shuffled=(0.0, 1.0, 0.05))
explorer_shop

# %%
shop(0.5)  # the same without the slider: half of the pairs are shuffled

# %% [markdown]
# With no pair shuffled, $L$ is infinite: two sizes that do not match *never* come together, and shuffled pairs do hold them. With all pairs shuffled, both are 0. At 10 % $L$ is the larger
# one; at 50 % it is the smaller one. So neither is always larger. The rest of this notebook explains the two ends and the middle.
#
# ## Holes: how does L become infinite?
#
# A **hole** is a cell where the joint is 0 and the product is not. Its term in $L$ is $q\log(q/0)$, with $q$ the product: infinite. One hole is enough.
#
# A *channel* reads a symbol, 0 or 1, and writes one. The **symmetric** channel writes the other symbol with probability `crossover`. The **Z-channel** does that to a 1 only; a 0 always arrives.
#
# ### Exercise 1.3 · The Z-channel (easy, 5 minutes)
#
# Write `z_channel(input_one, crossover)`: two floats, the probability of input 1 and that of reading it as 0, to the joint of shape (2, 2), float64, inputs in rows, outputs in
# columns.
#
# <details><summary>Hint 1 of 2</summary>
#
# First write down the two rows $P(y|x)$: input 0 gives (1, 0), input 1 gives (crossover, 1 - crossover).
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# $P(x, y) = P(x)P(y|x)$: the first row times `1 - input_one`, the second times `input_one`.
#
# </details>


# %%
def z_channel(input_one, crossover):
    """Joint of input (rows) and output (columns) of a Z-channel."""
    ### BEGIN SOLUTION
    rows = [[1 - input_one, 0.0], [input_one * crossover, input_one * (1 - crossover)]]
    return torch.tensor(rows, dtype=torch.float64, device="cpu")
    ### END SOLUTION


check("z_channel", z_channel)

# %%
clean = vector([1, 0], [crossover, 1 - crossover]) / 2  # both inputs equally frequent
draw_terms("Z-channel", clean, ["input 0", "input 1"], ["output 0", "output 1"])

# %% [markdown]
# The Z-channel never turns a 0 into a 1. Shuffled pairs do hold that cell: it is a hole (black).
#
# **Predict:** shuffle a small share of the pairs, the *leak*, so that the hole is filled a little. If the leak gets ten times smaller, does $L$ get ten times larger? And for which crossovers is
# $L$ of the symmetric channel infinite?

# %%
crossovers = torch.linspace(0, 1, 101, dtype=torch.float64, device="cpu")
arrives, errs = (1 - crossovers) / 2, crossovers / 2
symmetric = torch.stack((arrives, errs, errs, arrives), -1).reshape(-1, 2, 2)
symmetric_il = mutual_information(symmetric), lautum_information(symmetric)

leaks = torch.logspace(-6, 0, 25, dtype=torch.float64, device="cpu")[:, None, None]
shuffled = clean.sum(1, keepdim=True) * clean.sum(0, keepdim=True)
leaky = (1 - leaks) * clean + leaks * shuffled
leaky_il = mutual_information(leaky), lautum_information(leaky)
draw_holes(crossovers, symmetric_il, leaks.flatten(), leaky_il)

# %% tags=["nbval-check-output"]
h = shuffled[0, 1].item()  # the mass of shuffled pairs on the hole
for at, name in ((4, "1e-4 to 1e-5"), (0, "1e-5 to 1e-6")):
    rise = (leaky_il[1][at] - leaky_il[1][at + 4]).item()
    print(f"leak from {name}: L rises by {rise:.4f}, h log 10 = {h * math.log(10):.4f}")
formula = -(4 * crossovers * (1 - crossovers)).log() / 2
same("L of the symmetric channel", symmetric_il[1][1:-1], formula[1:-1])

# %% [markdown]
# $L$ does not get ten times larger: each tenth of the leak *adds* about the same. The reason: with $h$ the mass of shuffled pairs on the hole (`h`), the cell's term is $h\log\frac{h}{\text{leak}\cdot h} =
# -h\log(\text{leak})$, and the other terms settle. The symmetric channel has holes only where it never errs or always errs; in between $L = -\tfrac12\log\big(4c(1-c)\big)$ with $c$ the crossover.
#
# ## What always holds
#
# In this section $p$ is the joint and $q$ the product.
#
# **Never negative, 0 only for independence.** For any $x > 0$, $\log x \le x - 1$, with equality only at $x = 1$. Put $x = p/q$ and average over $q$, over the cells with $q > 0$:
#
# $$-L = \sum q\log\frac pq \;\le\; \sum q\left(\frac pq - 1\right) = \sum p - \sum q = 0.$$
#
# Equality needs $p = q$ in each cell. For $I$, exchange the letters.
#
# **Symmetric.** To exchange $A$ and $B$ is to transpose both tables. That leaves the sums as they are.
#
# **Bounded or not.** $I = H(A) + H(B) - H(A,B)$ is at most $\log$ of the smaller alphabet's size. $L$ has no bound: one hole makes it infinite.
#
# **Chain rule.** Let $W$ be one variable and $(X, Y)$ a pair. One logarithm splits into two:
#
# $$\log\frac{P(w,x,y)}{P(w)P(x,y)} = \log\frac{P(w,x)}{P(w)P(x)} + \log\frac{P(y|x,w)}{P(y|x)}.$$
#
# - Averaged under the joint $P(w,x,y)$: $I(W;(X,Y)) = I(W;X) + I(W;Y|X)$.
# - Averaged under the product $P(w)P(x,y)$, with the sign turned: $L(W;(X,Y)) = L(W;X) + L(W;Y|X)$, where the last term is the mean of $D\big(P(\cdot|x)\,\|\,P(\cdot|x,w)\big)$ with the weights
#   $P(w)P(x)$. **Not** $P(w,x)$: that is the usual mistake. Notebook 02 rests on both rules.
#
# <details><summary><b>Data processing</b>: noise never makes I or L larger (a derivation to open)</summary>
#
# Let $Y$ be made from $X$ by noise, $c(y|x)$, whatever $W$ is. By the log-sum inequality, for each $(w, y)$
#
# $$\sum_x q(w,x)c(y|x)\log\frac{q(w,x)c(y|x)}{p(w,x)c(y|x)} \;\ge\; q(w,y)\log\frac{q(w,y)}{p(w,y)},$$
#
# and summed over $(w, y)$: $L(W;Y) \le L(W;X)$. The same with $p$ and $q$ exchanged for $I$.
#
# </details>

# %%
joints = random_joints(seed, halves, n_joints, *[alphabet_size] * 3)  # axes: joint, w, x, y
p_w, p_xy = joints.sum((2, 3), keepdim=True), joints.sum(1, keepdim=True)
p_x, p_wx = joints.sum((1, 3), keepdim=True), joints.sum(3, keepdim=True)
log_ratio = ((joints / p_wx) / (p_xy / p_x)).log()  # of P(y|x,w) to P(y|x)
whole, part, noisy = joints.flatten(2), joints.sum(3), p_wx[..., 0] @ (p_xy / p_x)[:, 0]
given = {
    mutual_information: (joints * log_ratio).sum((1, 2, 3)),
    lautum_information: -(p_w * p_xy * log_ratio).sum((1, 2, 3)),
}
for measure, label in given.items():
    same(f"{measure.__name__}: chain rule", measure(whole), measure(part) + label)
    same(f"{measure.__name__}: symmetry", measure(part), measure(part.mT))
    rises = (measure(noisy) - measure(part)).clamp_min(0)
    same(f"{measure.__name__}: how far noise makes it rise", rises, torch.zeros_like(rises))

# %%
same("product: L is 0", lautum_information(p_w[..., 0] * p_x[:, 0].mT), torch.zeros(n_joints))
entropies = entropy(part.sum(2)) + entropy(part.sum(1)) - entropy(part.flatten(1))
same("I is H(A) + H(B) - H(A,B)", entropies, mutual_information(part))
least = torch.stack((mutual_information(part), lautum_information(part))).min()
print(f"checked on {n_joints} joints: largest difference {max(differences.values()):.0e}")
print(f"the smallest I or L of these is above 0: {bool(least > 0)}")

# %% [markdown]
# ## Weak dependence: are the two the same?
#
# Shuffle nearly all pairs. Then the joint over the product is $p/q = 1 + \delta$ with small $\delta$. The natural scale is $\chi^2 = \sum q\,\delta^2$ (in words: how far the ratio is from 1, squared and averaged over shuffled pairs).
#
# **Predict:** both tend to 0. Do they tend to the *same*? And in the middle, which of the two is below?

# %%
inside = shares[1:-1]
excess = along[1:-1] * alphabet_size**2 - 1  # delta, the product is 1 / alphabet_size**2
half_chi_square = excess.square().mean((1, 2)) / 2
ratios = {name: curve[1:-1] / half_chi_square for name, curve in zip("IL", curves)}
draw_weak(1 - inside, ratios)

# %% [markdown]
# At the left end both are $\chi^2/2$. Then $L$ is the smaller one, until the holes come near.
#
# <details><summary>Why: two terms of a series decide (a derivation to open)</summary>
#
# Since $\sum q\,\delta = 0$, expand the logarithm to third order, with $\chi_3 = \sum q\,\delta^3$ (derived here):
#
# $$L = -\sum q\log(1+\delta) \approx \frac{\chi^2}{2} - \frac{\chi_3}{3},$$
#
# $$I = \sum q\,(1+\delta)\log(1+\delta) \approx \frac{\chi^2}{2} - \frac{\chi_3}{6}.$$
#
# Both begin with $\chi^2/2$. Then $L - I \approx -\chi_3/6$: for weak dependence the sign of $\chi_3$ decides. It is positive where a few cells are *much* more frequent than among shuffled pairs, as the four
# matching sizes are here.
#
# </details>
#
# ## Is L always the larger one?
#
# For jointly Gaussian vectors it is (notebook 03). On finite alphabets we have just seen otherwise. Four weights are enough, normalised to a joint of 2 x 2.
#
# ### Exercise 1.4 · Less Lautum (medium, 10 minutes)
#
# Write `less_lautum()`: no arguments; it returns a joint of shape (2, 2), float64, with $L < I$. Hunt with the sliders or by random search.
#
# <details><summary>Hint 1 of 2</summary>
#
# Draw 2 x 2 tables at random, normalise them, and compare `mutual_information` with `lautum_information`.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# About one in five of `random_joints(0, 1, 1000, 2, 2)` will do.
#
# </details>
#
# **Predict:** among random 2 x 2 joints, how many have $L < I$, and what do these have in common? (The answer is below the exercise.)


# %%
def cells(weight_00=4.0, weight_01=1.0, weight_10=1.0, weight_11=4.0):
    """Four weights, normalised, and what each cell adds to I and L; black is infinite."""
    weights = vector([weight_00, weight_01], [weight_10, weight_11])
    weights = weights if weights.sum() > 0 else torch.ones_like(weights)
    return draw_terms("these weights", weights / weights.sum())


tables = {f"weight_{cell}": (0.0, 20.0, 0.5) for cell in ("00", "01", "10", "11")}
explorer_cells = Explorer(cells, **tables)
explorer_cells

# %%
cells(1, 4, 4, 4)  # the same without sliders: here L is the larger one


# %%
def less_lautum():
    """A 2 x 2 joint with L < I."""
    ### BEGIN SOLUTION
    joints = random_joints(0, 1, 1000, 2, 2)
    return joints[(lautum_information(joints) - mutual_information(joints)).argmin()]
    ### END SOLUTION


check("less_lautum", less_lautum)

# %%
joints = random_joints(seed, halves, n_joints, 2, 2)
values_i, values_l = mutual_information(joints), lautum_information(joints)
rho = torch.linspace(0.003, 0.999, 200, dtype=torch.float64, device="cpu")
ones = torch.ones_like(rho)
covariances = torch.stack((ones, rho, rho, ones), -1).reshape(-1, 2, 2)
gauss_i = gaussian_mutual_information(covariances, 1)
gauss_l = gaussian_lautum_information(covariances, 1)
draw_plane((values_i, values_l), (gauss_i, gauss_l))

# %% tags=["nbval-check-output"]
less = values_l < values_i
rows, columns = joints.sum(2)[:, 0], joints.sum(1)[:, 0]
together = (joints[:, 0, 0] - rows * columns) * (0.5 - rows) * (0.5 - columns) > 0
share, gaussians = 100 * less.double().mean(), int((gauss_l < gauss_i).sum())
print(f"L < I: {share:.0f} % of {n_joints} joints, {gaussians} of {len(rho)} Gaussians")
for group, name in ((less, "L < I"), (~less, "L >= I")):
    share = (together & group).sum().item() / max(group.sum().item(), 1)
    print(f"of those with {name:6} the two rarer values attract each other in {100 * share:.0f} %")

# %% [markdown]
# A joint with $L < I$ is one in which **the rare value of $A$ goes with the rare value of $B$**. There the joint is many times the product. $I$, averaged over pairs as they come, sees that cell;
# $L$, averaged over shuffled pairs, hardly does. It is not enough: many of the other joints have it too.
#
# ### Exercise 1.5 · Which argument is false? (medium, 10 minutes)
#
# Six statements, each with a reason. Some of them are false. Write `false_arguments()`: it returns the set of their letters.
#
# - **A.** $L \ge 0$, because $\log x \le x - 1$; take $x$ as the joint over the product and average over the product.
# - **B.** As soon as one cell of the joint is 0, its term $q\log(q/0)$ makes $L$ infinite.
# - **C.** $I$ is at most $\log$ of the smaller alphabet's size. $L$ is the same divergence with its arguments exchanged, so it has the same bound.
# - **D.** $L(A;B) = L(B;A)$, because to exchange the variables is to transpose both tables.
# - **E.** $L$ looks at the cells that the joint makes rare, and $I$ overlooks them. So $L \ge I$.
# - **F.** If $Y$ is made from $X$ by noise, $L(W;Y) \le L(W;X)$, because the log-sum inequality holds in both directions.
#
# <details><summary>Hint 1 of 2</summary>
#
# Three of them are false. For each that you doubt, look for a table of 2 x 2 or 2 x 3 that breaks it.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# What is the product in a row of zeros? What did the shop do with no pair shuffled? What did it do at 50 %?
#
# </details>


# %%
def false_arguments():
    """The letters of the false statements, such as {"A", "F"}."""
    ### BEGIN SOLUTION
    return {"B", "C", "E"}
    ### END SOLUTION


check("false_arguments", false_arguments)

# %%
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - $L$ is not always the larger one: it is below $I$ in about one in five random 2 x 2 joints, and in the shop at 50 % shuffled. In all of these 2 x 2 joints the two rarer values attract each other. No
#   pair of Gaussian variables has it.
# - One divergence has two directions, and they rank two candidates in opposite order. $I$ averages over pairs as they come, $L$ over shuffled ones.
# - Both are above 0 on all random joints and symmetric; both obey a chain rule, that of $L$ with the weights $P(w)P(x)$; and no noise made either larger.
# - A hole makes $L$ infinite. As a hole comes near, each tenth of the leak adds about the same to $L$.
# - For weak dependence both tend to $\chi^2/2$.
#
# ## Limits
#
# All probabilities are known here. From samples it is harder: a table of counts with one empty cell already has a hole, and its $L$ is infinite. The
# share of joints with $L < I$ is that of Dirichlet(1/2) draws; change `halves` to try others.
#
# ## References
#
# - D. Palomar, S. Verdú, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008, pp. 964-975.
# - T. Cover, J. Thomas, *Elements of Information Theory*, Wiley: entropy, divergence, the log-sum inequality, data processing.
#
# ## The next question
#
# We have two measures of dependence, and no reason yet to prefer one. A network is trained on some examples and tested on others. **What have $I$ and $L$ to do with its loss, and why would one want $L$ large?**
