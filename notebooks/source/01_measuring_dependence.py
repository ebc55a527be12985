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
# How far is a joint distribution from independence? Mutual information answers with a divergence. Lautum information exchanges the two arguments
# of that divergence and gives another answer. Here both are computed on finite alphabets, where every probability can be written down.

# %% tags=["parameters"]
seed = 0  # of all random joints
n_joints = 5000  # how many random joints each statement is checked on
alphabet_size = 4  # letters of a variable, 2 or more
halves = 1  # random joints are drawn from Dirichlet(halves / 2): 1 makes rare cells common
crossover = 0.1  # how often a channel garbles a symbol, from 0 to 1
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
import math

import pandas as pd
import torch

from lautum_pages import check
from lautum_pages.page_01 import (
    draw_candidates,
    draw_holes,
    draw_path,
    draw_plane,
    draw_terms,
)
from lautum_utils import (
    Explorer,
    entropy,
    gaussian_lautum_information,
    gaussian_mutual_information,
    kl_divergence,
    lautum_information,
    mutual_information,
    save_results,
)

differences = {}  # name of an identity -> largest absolute difference of its two sides


def vector(*values):
    """Numbers, or rows of numbers, as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def random_joints(n, *shape):
    """n joints (n, *shape) from Dirichlet(halves / 2): sums of `halves` squared normals, normalised."""
    generator = torch.Generator().manual_seed(seed)
    size = (halves, n, math.prod(shape))
    weights = (
        torch.randn(size, generator=generator, dtype=torch.float64, device="cpu").square().sum(0)
    )
    return (weights / weights.sum(-1, keepdim=True)).reshape(n, *shape)


def report(name, difference):
    """Keep the largest absolute difference of an identity and say whether it is rounding."""
    differences[name] = difference.abs().max().item()
    print(
        f"{name}: largest difference {differences[name]:.0e}, < 1e-12: {differences[name] < 1e-12}"
    )


# %% [markdown]
# ## Entropy: how much surprise, in which unit?
#
# The surprise of a value with probability $p(a)$ is $-\log p(a)$. **Entropy** is the mean surprise, in code `entropy(p)`:
#
# $$H(p) = -\sum_a p(a)\log p(a), \qquad 0\log 0 = 0.$$
#
# The natural logarithm gives **nats**, the unit of this suite; the logarithm to base 2 gives **bits**. Since $\log_2 p = \log p / \log 2$, a
# value in bits is the value in nats divided by $\log 2$.
#
# **Predict:** a fair coin has one bit of entropy. How many nats? And which has more, the fair coin or the one with heads 0.1?

# %% tags=["nbval-check-output"]
examples = {
    "a certain outcome": vector(1, 0),
    f"a coin with heads {crossover:g}": vector(crossover, 1 - crossover),
    "a fair coin": vector(0.5, 0.5),
    f"{alphabet_size} equal letters": torch.full(
        (alphabet_size,), 1 / alphabet_size, dtype=torch.float64, device="cpu"
    ),
}
for name, p in examples.items():
    nats = entropy(p).item()
    print(f"{name:24} H = {nats:.4f} nats = {nats / math.log(2):.4f} bits")
print(f"1 nat = {1 / math.log(2):.4f} bits, 1 bit = {math.log(2):.4f} nats")

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
# The **Kullback-Leibler divergence** `kl_divergence(p, q)` is the mean of a log-ratio, and the mean is taken under the *first* argument:
#
# $$D(p\,\|\,q) = \sum_a p(a)\log\frac{p(a)}{q(a)}.$$
#
# A letter counts in proportion to $p$: it costs much where $p$ has mass and $q$ hardly any. Where $q$ has mass and $p$ hardly any, it costs little.
# With the arguments exchanged it is the other way round.
#
# **Predict:** $p$ has two humps. One $q$ is flat; another sits on the left hump only. Which is nearer to $p$ by $D(p\|q)$, and which by
# $D(q\|p)$?

# %%
p = vector(0.02, 0.2, 0.26, 0.02, 0.02, 0.26, 0.2, 0.02)
candidates = {
    "flat q": torch.full((8,), 1 / 8, dtype=torch.float64, device="cpu"),
    "q on one hump": vector(0.03, 0.4, 0.44, 0.03, 0.025, 0.025, 0.025, 0.025),
}
distances = {name: (kl_divergence(p, q), kl_divergence(q, p)) for name, q in candidates.items()}
draw_candidates(p, candidates, distances)

# %% [markdown]
# $D(p\|q)$ prefers the flat $q$, which misses nothing that $p$ does. $D(q\|p)$ prefers the single hump, which hardly does what $p$ makes rare.
#
# ## Dependence: the same with a joint and a product
#
# Let $P_{AB}$ (`joint`, shape (a, b)) be a joint distribution and $P_A P_B$ the product of its marginals, the distribution of *independent* variables with the
# same marginals. **Mutual information** and **Lautum information** are the two directions:
#
# $$I(A;B) = D(P_{AB}\,\|\,P_A P_B), \qquad L(A;B) = D(P_A P_B\,\|\,P_{AB}),$$
#
# in code `mutual_information(joint)` and `lautum_information(joint)`. Draw pairs as they come: $I$ averages the log of how much more frequent
# the joint makes them. Then shuffle, so that each $a$ meets somebody else's $b$: $L$ averages the log of how much rarer the joint makes these. So
# $L$ looks where $I$ hardly looks, at the cells that the joint makes rare.
#
# **Predict:** in the joint below, which of the two is larger?

# %% tags=["nbval-check-output"]


def terms(joint):
    """The terms of I and of L, cell by cell: joint * log(joint / product) and product * log(product / joint)."""
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    ratio = torch.where(joint > 0, joint, 1).log() - torch.where(product > 0, product, 1).log()
    of_i = torch.where(joint > 0, joint * ratio, 0)
    of_l = torch.where(joint > 0, -product * ratio, torch.where(product > 0, math.inf, 0))
    return product, of_i, of_l


joint = vector([0.4, 0.1], [0.1, 0.4])
product, of_i, of_l = terms(joint)
columns = {"joint": joint, "product": product, "term of I": of_i, "term of L": of_l}
cells = pd.MultiIndex.from_product([[0, 1], [0, 1]], names=["a", "b"])
print(
    pd.DataFrame({name: values.flatten().tolist() for name, values in columns.items()}, index=cells)
    .round(4)
    .to_string()
)
for name, value in (("I", mutual_information(joint)), ("L", lautum_information(joint))):
    print(f"{name} = {value:.4f} nats = {value / math.log(2):.4f} bits")

# %% [markdown]
# The two rare cells carry all of what is positive in $L$; in $I$ they count negatively.
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
# ## What holds for both
#
# **Never negative, 0 only for independence.** For any $x > 0$, $\log x \le x - 1$, with equality only at $x = 1$. In this and the next sections $p$ is the joint and $q$ the product:
#
# $$-L = \sum q\log\frac pq \;\le\; \sum q\left(\frac pq - 1\right) = \sum p - \sum q \;\le\; 0,$$
#
# where the sums run over the cells with $q > 0$ (if $p = 0$ in one, $L = \infty$). Equality needs $p = q$ in each. For $I$, exchange the letters.
#
# **Symmetric.** To exchange $A$ and $B$ is to transpose both tables, which leaves the sums as they are.
#
# **Bounded or not.** $I = H(A) + H(B) - H(A,B) \le \log(\text{size of the smaller alphabet})$. $L$ has no bound: one **hole**, a cell where the joint is 0 and
# both marginals are not, makes it infinite.

# %%
joints = random_joints(n_joints, alphabet_size, alphabet_size + 1)
product, of_i, of_l = terms(joints)
values_i, values_l = mutual_information(joints), lautum_information(joints)
report("terms of I sum to I", of_i.sum((1, 2)) - values_i)
report("terms of L sum to L", of_l.sum((1, 2)) - values_l)
report("L of independent variables is 0", lautum_information(product))
report("L is symmetric", values_l - lautum_information(joints.mT))
report(
    "I is H(A) + H(B) - H(A,B)",
    entropy(joints.sum(2)) + entropy(joints.sum(1)) - entropy(joints.flatten(1)) - values_i,
)
positive = bool((values_i > 0).all() & (values_l > 0).all())
print(
    f"{n_joints} joints of {alphabet_size} x {alphabet_size + 1}: I and L above 0 in all: {positive}"
)

holed = joints.clone()
holed[:, 0, 0] = 0
holed /= holed.sum((1, 2), keepdim=True)
bounded = bool((mutual_information(holed) < math.log(alphabet_size)).all())
print(
    f"with one hole each: L infinite in all: {bool(lautum_information(holed).isinf().all())}, I below log {alphabet_size}: {bounded}"
)

# %% [markdown]
# ## What a second variable, or noise, does
#
# **Chain rules** (derived here). Let $W$ be one variable and $(X, Y)$ a pair. Split the logarithm of the ratio:
#
# $$\log\frac{P(w,x,y)}{P(w)P(x,y)} = \log\frac{P(w,x)}{P(w)P(x)} + \log\frac{P(y|x,w)}{P(y|x)}.$$
#
# Averaged under the joint it reads $I(W;(X,Y)) = I(W;X) + I(W;Y|X)$. Averaged under $P_W P_{XY}$, with the sign turned, it reads
#
# $$L(W;(X,Y)) = L(W;X) + L(W;Y|X), \qquad L(W;Y|X) = \sum_{w,x} P(w)P(x)\; D\big(P(\cdot|x)\,\|\,P(\cdot|x,w)\big).$$
#
# Mind the weights: $P(w)P(x)$, not $P(w,x)$. Notebook 02 rests on both rules.
#
# **Data processing.** Let $Y$ be made from $X$ by noise, $c(y|x)$, whatever $W$ is. By the log-sum inequality, for each $(w, y)$
#
# $$\sum_x q(w,x)c(y|x)\log\frac{q(w,x)c(y|x)}{p(w,x)c(y|x)} \;\ge\; q(w,y)\log\frac{q(w,y)}{p(w,y)},$$
#
# and summed over $(w, y)$: $L(W;Y) \le L(W;X)$. The same with $p$ and $q$ exchanged for $I$.

# %%
joints = random_joints(
    n_joints, alphabet_size, alphabet_size, alphabet_size
)  # axes: joint, w, x, y
p_w, p_xy = joints.sum((2, 3), keepdim=True), joints.sum(1, keepdim=True)
p_x, p_wx = joints.sum((1, 3), keepdim=True), joints.sum(3, keepdim=True)
log_ratio = ((joints / p_wx) / (p_xy / p_x)).log()
conditional_i = (joints * log_ratio).sum((1, 2, 3))
conditional_l = -(p_w * p_xy * log_ratio).sum((1, 2, 3))
whole_i, whole_l = mutual_information(joints.flatten(2)), lautum_information(joints.flatten(2))
part_i, part_l = mutual_information(p_wx[..., 0]), lautum_information(p_wx[..., 0])
report("chain rule of I", whole_i - part_i - conditional_i)
report("chain rule of L", whole_l - part_l - conditional_l)
wrong = -(p_wx * p_xy / p_x * log_ratio).sum((1, 2, 3))
print(
    f"with the weights P(w,x) the chain rule of L is off by up to {(whole_l - part_l - wrong).abs().max():.1f} nats"
)

garbled = p_wx[..., 0] @ (p_xy / p_x)[:, 0]
report("data processing: how far I ever rises", (mutual_information(garbled) - part_i).clamp_min(0))
report("data processing: how far L ever rises", (lautum_information(garbled) - part_l).clamp_min(0))

# %% [markdown]
# ## Channels: where does the value come from?
#
# A channel reads an input 0 or 1 and writes an output. Three of them garble with probability `crossover`:
#
# - **binary symmetric:** the output is the other symbol;
# - **erasure:** the output is a third symbol, "erased";
# - **Z:** a 1 is read as 0; a 0 always arrives.
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

# %% [markdown]
# The cell below defines `channel_joint`, with a `leak`: with that probability the output is drawn afresh from its marginal, so that
# $P = (1 - \text{leak})\,P_{AB} + \text{leak}\,P_A P_B$ has no hole left. The next one draws the joint beside the terms of $I$ and $L$, cell by cell.
#
# **Try:** the Z-channel with a smaller and smaller leak. Which cell grows, and in which of the two tables? Then make input 1 rare.
#
# Below the sliders is the same picture without them, at leak 0. The Z-channel never turns a 0 into a 1, but shuffled pairs do hold that
# cell: it is a hole (black), and $L$ is infinite.

# %%
ROWS = {
    "binary symmetric": lambda c: [[1 - c, c], [c, 1 - c]],
    "erasure": lambda c: [[1 - c, c, 0], [0, c, 1 - c]],
    "Z": lambda c: [[1, 0], [c, 1 - c]],
}


def channel_joint(channel, crossover, input_one=0.5, leak=0.0):
    """Joint of input (rows) and output (columns)."""
    joint = vector(*ROWS[channel](crossover)) * vector([1 - input_one], [input_one])
    return (1 - leak) * joint + leak * terms(joint)[0]


# %%
def draw_channel(channel="Z", crossover=crossover, input_one=0.5, leak=0.0):
    """Left: the probability of each pair of input and output. Middle and right: what each of these pairs adds to I and to L, in nats;
    black is infinite."""
    joint = channel_joint(channel, crossover, input_one, leak)
    _, of_i, of_l = terms(joint)
    erased = ["erased"] if channel == "erasure" else []
    outputs = ["output 0", *erased, "output 1"]
    return draw_terms(f"{channel} channel", joint, of_i, of_l, ["input 0", "input 1"], outputs)


explorer_channel = Explorer(
    draw_channel,
    channel=list(ROWS),
    crossover=(0.0, 1.0, 0.05),
    input_one=(0.0, 1.0, 0.05),
    leak=[0.0, 1e-9, 1e-6, 1e-3, 1e-2, 0.1, 0.5, 1.0],
)
explorer_channel

# %%
draw_channel("Z", crossover, leak=0.0)

# %% [markdown]
# ## Holes: how does L become infinite?
#
# Let $h$ be the mass of the product on the holes of the joint. With a leak, the joint is $\text{leak}\cdot q$ there, so each hole adds $q\log(q/(\text{leak}\cdot q))$:
#
# $$L = -h\log(\text{leak}) + \sum_{\text{other cells}} q\log\frac{q}{(1-\text{leak})\,p + \text{leak}\,q}.$$
#
# The sum tends to a constant; the first part grows without bound, though slowly. (For the binary symmetric channel with equal inputs,
# $L = -\tfrac12\log\big(4c(1-c)\big)$ with $c$ the crossover. The derivation of the second is an exercise for paper.)
#
# **Predict:** for which channels, and which crossovers, is $L$ infinite? How much does $L$ gain from a leak ten times smaller, and how much does $I$ change?

# %%
crossovers = torch.linspace(0, 1, 201, dtype=torch.float64, device="cpu")
channels = {}  # name -> I and L at each crossover
for channel in ROWS:
    joints = torch.stack([channel_joint(channel, c) for c in crossovers.tolist()])
    channels[channel] = mutual_information(joints), lautum_information(joints)
_, symmetric_l = channels["binary symmetric"]
formula = -(4 * crossovers * (1 - crossovers)).log() / 2
report("L of the binary symmetric channel", (symmetric_l - formula)[1:-1])

leaks = torch.logspace(-12, 0, 49, dtype=torch.float64, device="cpu")
leaky = torch.stack([channel_joint("Z", crossover, leak=leak) for leak in leaks.tolist()])
z_i, z_l = mutual_information(leaky), lautum_information(leaky)
clean = channel_joint("Z", crossover)
q = terms(clean)[0]
hole = (clean == 0) & (q > 0)
h = q[hole].sum().item()
others = (q * (q / torch.where(hole, 1, leaky)).log())[:, ~hole & (q > 0)].sum(1)
report("L of the leaky Z-channel", z_l + h * leaks.log() - others)

# %%
draw_holes(crossovers, channels, leaks, (z_i, z_l), h, crossover)

# %% [markdown]
# With holes (erasure, Z) $L$ is infinite at every crossover below 1; at 1 the output knows nothing, and both are 0. The symmetric channel has holes only when it never
# errs or always does. On the right, $L$ runs parallel to $-h\log(\text{leak})$, while $I$ has long settled.
#
# ## Weak dependence: are the two the same?
#
# Let $\delta = p/q - 1$, so that $\sum q\,\delta = 0$, and let $\chi^2 = \sum q\,\delta^2$ and $\chi_3 = \sum q\,\delta^3$. Expand the
# logarithm to third order (derived here):
#
# $$L = -\sum q\log(1+\delta) \approx \frac{\chi^2}{2} - \frac{\chi_3}{3}, \qquad I = \sum q\,(1+\delta)\log(1+\delta) \approx \frac{\chi^2}{2} - \frac{\chi_3}{6}.$$
#
# Both begin with $\chi^2/2$. Then $L - I \approx -\chi_3/6$: **which is larger depends on the sign of $\chi_3$**.
#
# **Predict:** we go from independence ($t = 0$) to full dependence ($t = 1$, $A = B$) with letters of unequal probability. Which of $I$ and $L$ leaves $\chi^2/2$ first, and
# which ends higher?

# %%
letters = torch.arange(1, alphabet_size + 1, dtype=torch.float64, device="cpu")
letters /= letters.sum()
independent, equal = letters[:, None] * letters, torch.diag(letters)


def on_path(t):
    """The joint at t: from independent (0) to equal (1)."""
    return (1 - t) * independent + t * equal


def chi_square(joint, power=2):
    """chi^2, or chi_3 for power 3."""
    product = terms(joint)[0]
    return (product * (joint / product - 1) ** power).sum((-2, -1))


for t in (0.1, 0.01, 0.001):
    joint = on_path(t)
    value_i, value_l, half = (
        mutual_information(joint),
        lautum_information(joint),
        chi_square(joint) / 2,
    )
    third = (value_i - value_l) / chi_square(joint, 3) * 6
    print(
        f"t = {t:<5g}  I / (χ²/2) = {value_i / half:.4f}  L / (χ²/2) = {value_l / half:.4f}  (L - I) / (-χ₃/6) = {third:.4f}"
    )


# %%
def along(path):
    """I, L and chi^2 / 2 at each t of a path."""
    joints = torch.stack([on_path(t) for t in path.tolist()])
    return {
        "I": mutual_information(joints),
        "L": lautum_information(joints),
        "χ²/2": chi_square(joints) / 2,
    }


whole = torch.linspace(0.005, 0.995, 199, dtype=torch.float64, device="cpu")
start = torch.logspace(-3, math.log10(0.95), 121, dtype=torch.float64, device="cpu")
near = along(start)
ratios = {name: values / near["χ²/2"] for name, values in near.items()}
draw_path(whole, along(whole), start, ratios, entropy(letters).item())

# %% [markdown]
# ## Is L always the larger one?
#
# For jointly Gaussian vectors it is. Notebook 03 derives, with $\rho$ a canonical correlation and $t = \rho^2$, that each adds
# $\log(1-t) + t/(1-t)$ to $L - I$, which is 0 at $t = 0$ and has the derivative $t/(1-t)^2 \ge 0$. On finite alphabets the figure above has just shown
# otherwise. Four weights, normalised, are enough to see it:
#
# ### Exercise 1.4 · Less Lautum (medium, 10 minutes)
#
# Write `less_lautum()`: no arguments; it returns a joint of shape (2, 2), float64, with $L < I$. Hunt with the sliders, by random search, or by the sign of $\chi_3$.
#
# <details><summary>Hint 1 of 2</summary>
#
# Draw 2 x 2 tables at random, normalise them, and compare `mutual_information` with `lautum_information`.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# About one in five draws of `torch.distributions.Dirichlet(torch.full((4,), 0.5))` will do (as float64, reshaped to 2 x 2).
#
# </details>
#
# **Predict:** among random 2 x 2 joints, how many have $L < I$, and what do these have in common? (The answer is below the exercise.)


# %%
def draw_table(weight_00=4.0, weight_01=1.0, weight_10=1.0, weight_11=4.0):
    """Four weights, normalised to a joint; if all are 0, the uniform joint stands in and the title says so."""
    weights = vector([weight_00, weight_01], [weight_10, weight_11])
    name = "this table" if weights.sum() > 0 else "all weights 0, so uniform"
    weights = weights if weights.sum() > 0 else torch.ones_like(weights)
    joint = weights / weights.sum()
    _, of_i, of_l = terms(joint)
    return draw_terms(name, joint, of_i, of_l, ["a = 0", "a = 1"], ["b = 0", "b = 1"])


explorer_table = Explorer(
    draw_table, **{f"weight_{cell}": (0.0, 20.0, 0.5) for cell in ("00", "01", "10", "11")}
)
explorer_table

# %%
draw_table(4, 1, 1, 4)  # the same without widgets: here L is the larger one


# %%
def less_lautum():
    """A 2 x 2 joint with L < I."""
    ### BEGIN SOLUTION
    joints = random_joints(1000, 2, 2)
    return joints[(lautum_information(joints) - mutual_information(joints)).argmin()]
    ### END SOLUTION


check("less_lautum", less_lautum)

# %%
joints = random_joints(n_joints, 2, 2)
values_i, values_l = mutual_information(joints), lautum_information(joints)
less = values_l < values_i
rho = torch.linspace(0.003, 0.999, 200, dtype=torch.float64, device="cpu")
covariances = torch.stack((torch.ones_like(rho), rho, rho, torch.ones_like(rho)), -1).reshape(
    -1, 2, 2
)
gauss_i, gauss_l = (
    gaussian_mutual_information(covariances, 1),
    gaussian_lautum_information(covariances, 1),
)

draw_plane((values_i, values_l), (gauss_i, gauss_l))

# %% tags=["nbval-check-output"]
rows, columns = joints.sum(2)[:, 0], joints.sum(1)[:, 0]
rare_together = (joints[:, 0, 0] - rows * columns).sign() * (0.5 - rows).sign() * (
    0.5 - columns
).sign() > 0
print(
    f"L < I: {100 * less.double().mean():.0f} % of {n_joints} joints, and {int((gauss_l < gauss_i).sum())} of {len(rho)} Gaussians"
)
for group, name in ((less, "L < I"), (~less, "L >= I")):
    share = (rare_together & group).sum().item() / max(group.sum().item(), 1)
    print(
        f"of the joints with {name:6} the two rarer values attract each other in {100 * share:.0f} %"
    )
print(
    f"L is up to {(values_l / values_i).max():.0f} times I, and down to {(values_l / values_i).min():.2f} times I"
)

# %% [markdown]
# A joint with $L < I$ is one in which **the rare value of $A$ goes with the rare value of $B$**: there the joint is many times the product, $\delta$ is large and $\chi_3$
# positive. $I$, weighted by the joint, sees that cell; $L$, weighted by the product, hardly does. It is not enough (57 % of the other joints have it too), but without it, where the two rare
# values avoid each other, $L$ is at least $I$ in every joint drawn.

# %%
if results_path:
    save_results([{"name": k, "difference": v} for k, v in differences.items()], results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - One divergence has two directions, and they rank two candidates in opposite order. $I$ averages under the joint, $L$ under the product.
# - Both are positive on all random joints, 0 for independent ones, symmetric; both obey a chain rule, that of $L$ with the weights $P(w)P(x)$; and no noise
#   made either larger.
# - Every joint with a hole has $L = \infty$, with $I$ below the logarithm of the smaller alphabet. For a Z-channel with a small leak, a tenth of it adds the same amount to $L$ each time.
# - For weak dependence both tend to $\chi^2/2$.
# - $L < I$ in about one in five random 2 x 2 joints, and in all of these the two rarer values attract each other. None of the Gaussian pairs has it.
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
