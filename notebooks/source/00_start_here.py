# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 00 · Start here: one idea, two sliders
#
# A network trained on a *source* task is to be used for a *target* task. We have many **unlabelled** target inputs now, and will get
# only a few labels later. The idea of this suite: **while the network trains on the source, keep its features informative about
# the target inputs**, and measure how informative they are by *Lautum information*.
#
# The first picture says what that is worth beside the simplest things that one can do with the same labels.

# %% tags=["parameters"]
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 3  # networks for each setting; an interval needs 2 or more
steps = 100  # of stage one, on the source
strengths = [0.0, 1e-4, 1e-3, 1e-2]  # weights; 0 is standard transfer, it has to be there
shift = "label_part_swap"  # how source and target differ
severities = [0.0, 0.5, 1.0]  # how strongly, from 0 to 1; the last one is used for the main figure
labels = 200  # labelled target samples
results_path = ""  # where to write every result as JSON; "" writes nothing

# %% [markdown]
# ## Is everything there?

# %%
import platform

import torch
import torchvision

from lautum_pages.competitors import NAMES, chosen_accuracy, named_runs
from lautum_pages.page_00 import compared_with, competitors, draw_competitors
from lautum_pages.progress import show_progress
from lautum_utils import (
    Experiment,
    Playground,
    Prediction,
    Results,
    baselines,
    gaussian_lautum_information,
    gaussian_mutual_information,
    grid,
    load_transfer_task,
    read_record,
    run,
    save_results,
)
from lautum_utils.training.devices import resolve_device
from lautum_utils.widgets.plots import accuracy_against_strength, gains, show_domains
from notebooks.tools import compare

versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
print(f"Python {platform.python_version()}, {versions}")
print(f"networks train on: {resolve_device(device)}")

# %% [markdown]
# ## What is it worth?
#
# A small network learns handwritten **digits**. Then it is to name **letters** in front of a texture, from 50 to 400 labels. All of this has been recorded
# (`make methods`), with ten seeds, and notebook [07](07_methods_compared.ipynb) takes it apart. Here compete:
#
# - **pixels, no network:** a linear classifier on the labelled images themselves. It is in both panels.
# - **standard transfer:** weight 0. **The control's earlier layer** is the same network, asked one layer earlier.
# - **from scratch:** the same network without the digits.
# - **Lautum**, this suite's subject: the features stay informative about the *pixels* of the letters. **Lautum between views** asks for what two
#   distorted views of a letter share. (Our letters are drawn with much the same distortions, which flatters it here.)
#
# Left, the features stay frozen, and a linear *probe* is fitted on them. Right, all weights learn on. Validation data picks each weight.
#
# **Predict:** with frozen features, does keeping them informative beat the pixels? Does it still help where all weights learn on?

# %% tags=["headline"]
record, _ = read_record(compare.COMPARED)
accuracy = chosen_accuracy(named_runs(Results(record.values()), compare.BASE))
competing = competitors(accuracy, "letters")
at = min(compare.LABELS, key=lambda n: abs(n - labels))  # of the numbers recorded
best_of = {
    protocol: rows.xs(at, level="labels").mean(axis=1).idxmax()
    for protocol, rows in competing.items()
}
draw_competitors(
    competing,
    f"Letters from {at} labels. Best, features frozen: {best_of['probe']}; "
    f"all weights learn on: {best_of['finetune']}",
)

# %%
for protocol, rows in competing.items():
    for name in (NAMES["lautum"], NAMES["lautum_between_views"]):
        print(f"{protocol}, {at} labels: {name} is")
        for sentence in compared_with(rows, name, at):
            print(f"   {sentence}")

# %% [markdown]
# ## The quantity
#
# Mutual information compares a joint distribution with the product of its marginals. Lautum information ("mutual" spelled backwards)
# exchanges the two arguments of the same divergence:
#
# $$I(A;B) = D(P_{AB}\,\|\,P_A P_B), \qquad L(A;B) = D(P_A P_B\,\|\,P_{AB}).$$
#
# Both are 0 exactly when $A$ and $B$ are independent. For two Gaussian variables with correlation $\rho$ (`rho`) both have a closed form.
#
# **Predict:** at $\rho = 0.6$, which of the two is larger?

# %% tags=["nbval-check-output"]
rho = 0.6
covariance = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64, device="cpu")
print(f"I = {gaussian_mutual_information(covariance, 1):.4f} nats")
print(f"L = {gaussian_lautum_information(covariance, 1):.4f} nats")

# %% [markdown]
# $L$ is larger here. Notebook [06](06_semi_supervised_transfer.ipynb) puts it to work: during training, the loss is
#
# $$\text{cross-entropy on the source} \;-\; \text{weight} \cdot L(\text{features of target inputs};\ \text{target inputs}).$$
#
# ## Two tasks on the same kind of image
#
# Each image holds a handwritten digit beside a letter. The **source** label is the digit, the **target** label is the letter. At severity 0 the letter
# can be read off the digit (0 = A, 1 = B, ...); at severity 1 the digit says nothing about it.

# %%
task = load_transfer_task("digits", "letters", shift, severities[-1], seed=0)
show_domains(
    {"source": task.source, "target": task.test},
    title=f"The same kind of image, two questions (severity {severities[-1]:g})",
)

# %% [markdown]
# A network trained to name the digit has no reason to keep what it saw of the letter.
#
# **Predict:** we freeze its features and fit a linear classifier for the *letter* on a few labels. There are 10 letters. How
# good will it be with weight 0, and how good if the features were kept informative about the target images? Set the sliders to what
# you expect (mouse or arrow keys), then press **Reveal**. The answer has been recorded; below it, the same networks are trained anew.

# %%
base = Experiment(shift=shift, severity=severities[-1], labels=labels, steps=steps)
experiments = grid(base, strength=strengths, seed=range(seeds))
recorded, _ = read_record()
expected = [recorded[e] for e in experiments if e in recorded]
complete = len(expected) == len(experiments)
prediction = Prediction(Results(expected) if complete else run(experiments, device))
prediction

# %%
results = run(experiments, device)
best = results.best()  # the strength that validation data picks
chosen = best or max(strengths)
pixels = run(grid(baselines(base, ["pixels"]), seed=range(seeds)), device)
accuracy_against_strength(
    {f"linear probe, {labels} labels": results},
    f"Frozen features: {results.verdict(chosen)}",
    levels={"pixels, no network": pixels},
)

# %%
for strength in strengths[1:]:
    print(results.verdict(strength))
print(f"weight chosen on validation data: {best:g}")
ahead = results.where(strength=chosen).against(pixels)
print(f"weight {chosen:g} against pixels without a network: {ahead}")

# %% [markdown]
# ## Two sliders
#
# Move one: the picture tells whether the difference with and without the regularizer can be told from chance. What is on the
# sliders has been **recorded**, so the answer is there at once. **Train live** trains the same networks here, in a few seconds, and
# puts its result in the record's place; **Stop** ends it. (Here are only two sliders; notebook 06 has all the controls.)

# %%
playground = Playground(
    ("severity", "strength"),
    shift=shift,
    labels=labels,
    steps=steps,
    seeds=min(seeds, 8),
    device=device,
)
playground

# %% [markdown]
# ## The same without widgets
#
# The more the two tasks have in common, the less there is to gain:

# %%
swept = run(grid(base, severity=severities, strength=[0.0, chosen], seed=range(seeds)), device)
by_severity = {
    v: swept.where(severity=v, strength=chosen).against(swept.where(severity=v, strength=0.0))
    for v in severities
}
gains(
    {f"severity {v:g}": gain for v, gain in by_severity.items()},
    f"What weight {chosen:g} gains, by how far the tasks are apart",
)

# %%
for v, gain in by_severity.items():
    span = f"95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
    print(f"severity {v:g}: {100 * gain.mean:+.1f} points, {span}")

# %%
if results_path:
    save_results(results + swept, results_path)

# %% [markdown]
# ## What we saw, and what not
#
# - With frozen features and a target label that the source label says nothing about, the regularizer gains a lot over weight 0 (the picture of the pairs).
# - A gain over weight 0 is not yet worth a training. The first picture, and the dashed line in the picture of the pairs, show what a linear classifier reaches on the
#   pixels, with no network at all. Where this line is higher, the network has only been kept from losing what the pixels had.
# - The gain depends on severity: see the last figure for where it is small, or even a loss.
# - We did *not* see that it always helps: at severity 0, above, it does not. Notebook 06 asks more: fine-tuning, other ways to be informative, other controls.
#   Notebook 07 holds all methods against the simple baselines; notebook 10 says why the pixels are so hard to beat.
#
# ## The map
#
# <!-- map -->
#
# Notebooks 01 to 04 have exercises, with folded hints in two steps. `check(...)` says at once whether your answer is right, and if not, which mistake it looks
# like. The solutions are notebooks too: [01](solutions/01_measuring_dependence.ipynb), [02](solutions/02_the_loss_bound.ipynb),
# [03](solutions/03_gaussian_lautum.ipynb), [04](solutions/04_the_regularizer.ipynb).
#
# ## Your progress
#
# What `check` found right is kept in a file on this machine, and nowhere else (`lautum_pages.progress.progress_path()` tells where; deleting
# it forgets). Run this cell again to see where you are.

# %%
show_progress()

# %% [markdown]
# ## Notation
#
# All information is in **nats** (natural logarithm; 1 bit is 0.693 nats).
#
# <!-- notation -->
#
# ## Glossary
#
# <!-- glossary -->
#
# ## References
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019.
# - D. Palomar, S. Verdú, *Lautum Information*, IEEE Transactions on Information Theory 54(3), 2008.
