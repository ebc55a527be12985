# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 12 · Case study: specks from several scanners
#
# Small specks are to be outlined in images from several scanners. Each scanner gives its images a look of its own. One network learns
# from all of them. Should it normalize all scanners alike, or keep a normalization layer for each?
#
# Below is one scene, seen by three scanners and as a negative, and the same images after each was normalized. **Predict:** is there anything left for a layer of its own to do?

# %%
from lautum_pages.page_12 import draw_idea

draw_idea()

# %% tags=["parameters"]
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 5  # data sets and networks; an interval needs 2 or more
steps = 120  # of training
batch = 4  # images of each scanner in a batch
images = 40  # training images of each scanner
learning_rates = [2e-2, 4e-2]  # each method takes the better one, on a data set of its own
shift = "between"  # the unseen scanner: "between" the others, "beyond" them, or a "negative"
results_path = ""  # where to write every result as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("12", globals())  # silent, unless a value above cannot work

# %%
from itertools import product

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from lautum_pages import check, page_12
from lautum_pages.page_12_scanners import NEGATIVE, SCANNERS, UNSEEN, Scanner, convolutions
from lautum_pages.page_12_scanners import data_of, random, scan, scenes
from lautum_utils import Explorer, save_results
from lautum_utils.training.devices import resolve_device

# %% [markdown]
# ## Data: scenes and scanners
#
# All images here are made up (`page_12_scanners.py`). A scene is 20 x 20: a texture, coarse and fine, with two to four
# bright specks, round, of slightly different size and height. The mask is where a speck is above half its height. A scanner
# turns a scene $s$ into an image $x$ by a contrast, a gamma $\gamma$, a blur, noise and an offset:
#
# $$x = \text{offset} + \text{contrast} \cdot \text{blur}(s)^{\gamma} + \text{noise} .$$
#
# Three scanners are in the training data. A fourth one, the *unseen* scanner, comes only in the test.

# %%
where, TESTED = resolve_device(device), 40
EVERY = SCANNERS | {"unseen": UNSEEN[shift]}
training = [data_of(seed, images, SCANNERS.values()) for seed in range(seeds)]
tests = [data_of(500 + seed, TESTED, EVERY.values()) for seed in range(seeds)]
print(pd.DataFrame({name: vars(scanner) for name, scanner in EVERY.items()}).T)
print(f"share of speck pixels: {tests[0][1].mean():.3f}")

shown, shown_mask = scenes(1, random(3))
seen = {name: scan(shown, scanner, random(5))[0] for name, scanner in EVERY.items()}
page_12.draw_scanners(seen, shown_mask[0])

# %% [markdown]
# ## The method: a normalization for each scanner
#
# A layer normalization takes the values $h$ of one image in a layer, over all channels and all pixels. It turns them to mean 0 and variance 1, and then
# gives each channel a scale and an offset that are learnt. In *multiple* layer normalization each scanner $d$ has its own
# scale $\gamma_d$ and offset $\beta_d$, while the convolutions are shared:
#
# $$N_d(h) = \gamma_d \odot \frac{h - \operatorname{mean}(h)}{\operatorname{sd}(h)} + \beta_d .$$
#
# In training the scanner is known. At test time it is not.

# %% [markdown]
# ### Exercise 12.1 · Normalize for each scanner (easy, 10 minutes)
#
# `normalize(h, scale, offset, branch)` takes values `h` $(n, c, y, x)$, `scale` and `offset` $(d, c)$ of $d$ branches, and the branch of each image `branch` $(n,)$. Return $N_d(h)$ with each image's own $d$.
# Divide by the root of the plain variance: no floor added, and the mean of the squares (`correction=0`).
#
# <details><summary>Hint 1 of 2</summary>
#
# One mean for each image: `h.mean((1, 2, 3), keepdim=True)`. `F.layer_norm(h, h.shape[1:], eps=0)` does both steps.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `scale[branch]` is $(n, c)$: give it two more axes, `[:, :, None, None]`, so that it meets each pixel.
#
# </details>


# %%
def normalize(h, scale, offset, branch):
    """Layer normalization of each image, with the scale and the offset of its branch."""
    ### BEGIN SOLUTION
    h = F.layer_norm(h, h.shape[1:], eps=0)
    return h * scale[branch][:, :, None, None] + offset[branch][:, :, None, None]
    ### END SOLUTION


check("normalize", normalize)

# %% [markdown]
# The same as a layer. On the way it notes the mean and the variance of each channel before they are normalized, the *statistics* of an image: we need them below.

# %%
CHANNELS = 8


class Normalization(nn.Module):
    """Layer normalization with scale and offset for each of `branches`; none at all for 0 branches."""

    def __init__(self, branches):
        super().__init__()
        self.branches = branches
        self.scale = nn.Parameter(torch.ones(branches, CHANNELS))
        self.offset = nn.Parameter(torch.zeros(branches, CHANNELS))

    def forward(self, x, branch):
        if not torch.is_grad_enabled():  # at test time
            self.statistics = torch.stack((x.mean((2, 3)), x.var((2, 3))), 1)
        if not self.branches:
            return x
        x = F.layer_norm(x, x.shape[1:])
        return x * self.scale[branch][:, :, None, None] + self.offset[branch][:, :, None, None]


# %%
class Network(nn.Module):
    """Convolutions of 5 x 5, 3 x 3 and 1 x 1; the first two normalized, by the branches (n,)."""

    def __init__(self, branches, seed):
        super().__init__()
        self.convolutions = convolutions(CHANNELS, seed)
        self.norms = nn.ModuleList(Normalization(branches) for _ in range(2))

    def forward(self, x, branch):
        x = F.pad(x, (3, 3, 3, 3), mode="reflect")  # what the convolutions take off
        for convolution, norm in zip(self.convolutions, self.norms):
            x = F.relu(norm(convolution(x), branch))
        return self.convolutions[-1](x)


def loss_of(logits, masks):
    """Cross-entropy of the pixels, plus 1 - Dice of the probabilities."""
    p = logits.sigmoid()
    overlap = 2 * (p * masks).sum() / (p.sum() + masks.sum())
    return F.binary_cross_entropy_with_logits(logits, masks) + 1 - overlap


# %%
def fit(data, branches, seed, rate):
    """A network trained on the images of all scanners; the scanner says which branch is used."""
    network = Network(branches, seed).to(where)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    x, masks = (part.to(where) for part in data)
    scanner = torch.arange(len(SCANNERS), device=where)[:, None]
    branch = scanner.expand(-1, batch).flatten() * (branches > 1)
    drawn = torch.randint(images, (steps, len(SCANNERS), batch), generator=random(seed)).to(where)
    for rows in drawn:
        logits = network(x[scanner, rows].flatten(0, 1), branch)
        loss = loss_of(logits, masks[scanner, rows].flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    return network


# %% [markdown]
# ## Which branch, for an image of unknown origin?
#
# No label says where a test image comes from. But its statistics do. It runs through every branch $d$, and there it meets
# its statistics $\varphi_d(x)$. The branch has stored $\bar\varphi_d$, the mean of these over its own training images. We take the branch where the two point most nearly
# in the same direction:
#
# $$d^*(x) = \arg\max_d \cos\big(\varphi_d(x), \bar\varphi_d\big) .$$


# %% [markdown]
# ### Exercise 12.2 · Choose the branch without labels (medium, 10 minutes)
#
# `choose_branch(logits, met, memory)` takes what every branch says of $n$ images: its `logits` $(d, n, p)$, and the statistics `met` $(d, n, s)$ on the way. `memory` $(d, s)$ is what the branches
# stored. Return, for each image, the logits of the branch that it takes: $(n, p)$.
#
# <details><summary>Hint 1 of 2</summary>
#
# `F.cosine_similarity(met, memory[:, None], dim=-1)` is $(d, n)$: how alike, for each branch and image.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `argmax(0)` is the branch of each image; `logits[branch, torch.arange(n)]` picks one row for each.
#
# </details>


# %%
def choose_branch(logits, met, memory):
    """For each image the logits of the branch whose stored statistics are most like its own."""
    ### BEGIN SOLUTION
    branch = F.cosine_similarity(met, memory[:, None], dim=-1).argmax(0)
    return logits[branch, torch.arange(logits.shape[1])]
    ### END SOLUTION


check("choose_branch", choose_branch)


# %%
@torch.no_grad()
def through(network, x, k=0):
    """Logits of images x by branch k, and the statistics on the way: (n, numbers)."""
    logits = network(x, torch.full((len(x),), k, device=where))
    return logits, torch.stack([norm.statistics for norm in network.norms], 1).flatten(1)


def stored(network, data):
    """What the branches store, the mean statistics of their own images: (branches, numbers)."""
    own = [through(network, x.to(where), k)[1] for k, x in enumerate(data[0])]
    return torch.stack([met.mean(0) for met in own])


def choose(network, memory, x):
    """Logits of every branch, and the branch that each image takes."""
    runs = [through(network, x, k) for k in range(len(memory))]
    alike = [F.cosine_similarity(met, memory[k]) for k, (_, met) in enumerate(runs)]
    return torch.stack([logits for logits, _ in runs]), torch.stack(alike).argmax(0)


def dice(logits, masks):
    """Of each image: twice the overlap over the sum of both areas."""
    found = (logits > 0).float()
    areas = found.sum((1, 2, 3)) + masks.sum((1, 2, 3))
    return 2 * (found * masks).sum((1, 2, 3)) / areas


# %% [markdown]
# ## The control
#
# A method is judged against a control that differs in **one** thing. For "one each", a layer for each scanner, the control is "one for all": the same layers, but shared. "No
# normalization" differs in two things, and is shown beside it. The networks of a seed begin alike and see the same images. Each method takes the better of the same
# learning rates, on spare data that is used for nothing else.

# %%
BRANCHES = {"no normalization": 0, "one for all": 1, "one each": len(SCANNERS)}
spare, spare_test = (data_of(s, m, SCANNERS.values()) for s, m in ((900, images), (901, TESTED)))


def score(network, data):
    """Mean Dice of images, each scanner by the branch of its own."""
    several = network.norms[0].branches > 1
    logits = [through(network, x.to(where), k * several)[0] for k, x in enumerate(data[0])]
    return torch.stack([dice(*pair) for pair in zip(logits, data[1].to(where))]).mean().item()


rates = {}
for name, branches in BRANCHES.items():
    tried = {r: score(fit(spare, branches, 900, r), spare_test) for r in learning_rates}
    rates[name] = max(tried, key=tried.get)
print("learning rates, each the best of its method on spare data:", rates)

# %% [markdown]
# ### Exercise 12.3 · Write the control (medium, 15 minutes)
#
# Three methods were tried with four learning rates: 0 is "no normalization", 1 "one for all", 2 "one each". `spare` $(3, 4)$ holds their scores on spare data, `test` $(3, 4, s)$ on test data for $s$ seeds.
# `control_gain(spare, test)` returns what a layer *of its own* gains for each seed, $(s,)$: choose the control, choose the rates as you would have to without the test, and pair the seeds.
#
# <details><summary>Hint 1 of 2</summary>
#
# Which of the two others differs from method 2 in one thing only? And which learning rate would its friends have given it?
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `rate = spare.argmax(1)` is the best rate of each method; `test[2, rate[2]]` are the scores of method 2, a number a seed.
#
# </details>


# %%
def control_gain(spare, test):
    """What one layer for each scanner gains over its control, a number a seed."""
    ### BEGIN SOLUTION
    rate = spare.argmax(1)
    return test[2, rate[2]] - test[1, rate[1]]
    ### END SOLUTION


check("control_gain", control_gain)

# %% [markdown]
# ## Dice on every scanner
#
# The Dice score of an image is twice the overlap of what is found with the mask, divided by the sum of both areas. "One each, told" is told the scanner and need not choose a branch.
#
# **Predict:** for which scanner do the branches help most? And what becomes of the unseen one, which has none?


# %%
def evaluate(networks, memories, tests, scanners):
    """A row for each method, scanner and seed; for "one each" the share of images that takes each branch."""
    rows = []
    for seed, (k, scanner) in product(range(seeds), enumerate(scanners)):
        x, masks = (part[k].to(where) for part in tests[seed])
        by_branch, taken = choose(networks["one each", seed], memories[seed], x)
        logits = {m: through(net, x)[0] for (m, s), net in networks.items() if s == seed}
        logits["one each"] = by_branch[taken, torch.arange(len(x), device=where)]
        logits |= {"one each, told": by_branch[k]} if k < len(by_branch) else {}
        key = {"scanner": scanner, "shift": shift, "seed": seed, "steps": steps}
        key |= {name: (taken == b).double().mean().item() for b, name in enumerate(SCANNERS)}
        for method, values in logits.items():
            right = ((values > 0) == (masks > 0.5)).float().mean().item()  # share of pixels
            scores = {"dice": dice(values, masks).mean().item(), "test_accuracy": right}
            rows.append({"method": method} | scores | key)
    return pd.DataFrame(rows)


# %%
def train_all(training, names):
    """The networks of every seed, by name, and what those with branches store."""
    every = product(names, range(seeds))
    fitted = {(name, s): fit(training[s], BRANCHES[name], s, rates[name]) for name, s in every}
    return fitted, [stored(fitted["one each", s], training[s]) for s in range(seeds)]


networks, memories = train_all(training, BRANCHES)
results = evaluate(networks, memories, tests, EVERY)
page_12.draw_dice(results)

# %%
print("one each minus one for all, in Dice")
print(*page_12.gains_in_words(results), sep="\n")

# %% [markdown]
# ## Is the right branch taken?
#
# **Predict:** for which scanner is the choice hardest? Where do the images of the unseen one go?

# %%
shares = results[results.method == "one each"].groupby("scanner", sort=False)[list(SCANNERS)].mean()
page_12.draw_branches(shares)

# %% [markdown]
# ## When are branches needed?
#
# Now scanner C shows a *negative*: its specks are dark. **Predict:** can one normalization for all still serve all three?

# %%
contrary = SCANNERS | {"C": NEGATIVE}
other_training = [data_of(seed, images, contrary.values()) for seed in range(seeds)]
other_tests = [data_of(500 + seed, TESTED, contrary.values()) for seed in range(seeds)]
other = evaluate(*train_all(other_training, ["one for all", "one each"]), other_tests, contrary)
page_12.draw_dice(other)

# %% [markdown]
# ## A scanner of your own
#
# The same scene through a scanner that you set, and what two networks outline. **Try this:** which slider makes
# the choice of the branch change? Which one breaks both networks?


# %%
def draw_scanner(contrast=1.0, gamma=1.0, blur=0.4, noise=0.03, offset=0.0):
    """From the left: the scene with its specks, as this scanner sees it, and what each of two networks outlines. Dice 1 is perfect."""
    image = scan(shown, Scanner(contrast, gamma, blur, noise, offset), random(4)).to(where)
    by_branch, taken = choose(networks["one each", 0], memories[0], image)
    k, for_all = int(taken), through(networks["one for all", 0], image)[0]
    found = {
        name: ((values[0] > 0).cpu(), dice(values, shown_mask.to(where)).item())
        for name, values in (("one for all", for_all), ("one each", by_branch[k]))
    }
    return page_12.draw_outlines(shown[0], shown_mask[0], image[0].cpu(), found, "ABC"[k])


ranges = {"contrast": (-1.0, 2.0, 0.1), "gamma": (0.3, 2.0, 0.1), "blur": (0.0, 2.0, 0.2)}
ranges |= {"noise": (0.0, 0.3, 0.03), "offset": (-0.4, 1.0, 0.1)}
explorer_scanner = Explorer(draw_scanner, **ranges)
explorer_scanner

# %%
draw_scanner(contrast=0.5, gamma=0.5, blur=0.4, noise=0.03, offset=0.5)

# %%
if results_path:
    save_results(results.to_dict("records"), results_path)

# %% [markdown]
# ## What we saw, and what not, at the default parameters
#
# - **On the unseen scanner a layer for each costs more than it gains anywhere else.** "One each" is clearly worse than one for all there (the interval excludes 0), by about a tenth of Dice. These images have to take a branch
#   that was made for another scanner, and they are divided among the branches.
# - **On known scanners the gain is small:** a few hundredths of Dice at most. Some intervals exclude 0 by a hair, others do not, and which ones can change with the rounding of a processor.
# - **Choosing the branch works without labels.** More than nine in ten images of known scanners take their own branch, and being told the scanner is hardly better.
# - **Branches help where scanners contradict one another, but not reliably.** With a negative among them, one layer for all fails in several seeds, also on scanner B, which did not even change.
#   "One each" never fails there, but it fails on the negative itself in one seed. On the other two scanners nothing can be said: the seeds differ too much.
#
# ## Limits
#
# The images are made up, the network has three small layers, and the training is short. **Try this:** with `steps = 400` (a
# minute or more), does the gain on the known scanners stay? Does the loss on the unseen one? The learning rate of each method
# is chosen on one data set, which is little. Each pair of a method and a scanner is looked at by itself: among many
# intervals of 95 %, one that misses 0 by chance is no surprise.
#
# ## Sources
#
# - Wang et al., MLN-net, 2023: segmentation with multiple layer normalization. This page is *inspired by* it; the images, the
#   network and all numbers are ours, and so is the choice of which statistics to store.
#
# ## What you could do now
#
# This is the last page of the suite. You have seen an idea from its definition to experiments in which it helps, does nothing, or harms. Take it to data of your own:
#
# 1. **Write the control first.** What differs from your method in one thing only? What needs no network at all? Give each of them the same tuning as your own method.
# 2. **Settle what will be reported** before you look: the seeds, the split that chooses, the interval, and what would make you say no.
# 3. **Watch what is forgotten** (`watch_forgetting`, notebooks 00 and 05) before you try to keep it. If your features still hold what the target needs, no penalty can help.
# 4. **Start small.** `load_transfer_task("folder:PATH", ...)` reads images of your own, and one of the five projects of [notebook 10](10_limits_and_open_questions.ipynb) may be yours.
#
# The question that remains is one for you: where do you have many labels for a question that you do not ask, and hardly any for the one that you do?
