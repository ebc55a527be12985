# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 06 · Semi-supervised transfer: does it work?
#
# More weight on the penalty keeps more of the target in the features. But a network has only so much room. What does the target gain, and what does the source pay?

# %%
from lautum_pages import page_06

page_06.opening_picture()

# %% tags=["parameters"]
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 4  # networks for each setting; an interval needs 2 or more
network = "mlp"  # "mlp" or "cnn"
steps = 100  # of stage one, on the source
strengths = [0.0, 1e-4, 1e-3, 1e-2, 1e-1]  # weights; 0 is standard transfer, it has to be there
shift = "label_part_swap"  # or "none", "rotation", "blur", "noise", "contrast", "inversion", "background"
severity = 1.0  # from 0 to 1
severities = [0.0, 0.5, 1.0]  # for the figure of the gain against severity
labels = [100, 200, 400]  # labelled target samples
ablation_seeds = 5  # the same for the last two questions; 2 or more
results_path = ""  # where to write every result as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("06", globals())  # silent, unless a value above cannot work

# %% [markdown]
# The pictures were painted from the features by a linear map, as in [00](00_start_here.ipynb). In this notebook we train such networks ourselves.

# %%
import time
from dataclasses import replace

import torch

from lautum_pages import check
from lautum_pages.page_00 import along_severity, draw_stages, in_words
from lautum_utils import (
    Experiment,
    Playground,
    Prediction,
    Results,
    baselines,
    grid,
    load_transfer_task,
    run,
    save_results,
)
from lautum_utils.widgets.plots import (
    accuracy_against_strength,
    gains,
    show_domains,
    training_curves,
)

base = Experiment(shift=shift, severity=severity, network=network, steps=steps)
everything = Results()  # all results of this page

# %% [markdown]
# ## The two stages

# %%
draw_stages()

# %% [markdown]
# **Stage one.** With features $z = f(x)$ of an input $x$, the cross-entropy CE and the weight $\lambda$ (`strength`), training makes this small:
#
# $$\text{loss} = \text{CE}(\text{source}) - \lambda\, L(z_\text{target};\, x_\text{target}).$$
#
# **Stage two** uses a few labelled target images, in one of two protocols. **Probe:** the features stay frozen, and a linear classifier is fitted on them. **Finetune:** all weights learn on, with a
# new last layer.
#
# The target data is split four ways: 4,000 images without labels for stage one, 400 with labels for stage two, 500 for **validation**, 2,000 for the **test**. Whatever is chosen, is chosen on validation
# data. The test images use other handwriting and other fonts than all the rest.

# %%
task = load_transfer_task("digits", "letters", shift, severity)
show_domains(
    {"source": task.source, "target": task.validation, "target test": task.test},
    title="One kind of image, two questions: above each image stands what is asked",
)

# %% [markdown]
# ## How good is a probe, and at which weight?
#
# **Predict:** the target accuracy against the weight: does it rise, and does it fall again? Set the sliders to what you expect with the fewest labels, then press **Reveal**. And which would you choose
# with so few labels: a probe at the best weight, fine-tuning, or a linear classifier on the pixels, with no network at all?

# %%
fewest = labels[0]
probed = grid(base, labels=labels, strength=strengths, seed=range(seeds))
finetuned = grid(base, labels=fewest, protocol="finetune", strength=strengths, seed=range(seeds))
both = run(probed + finetuned, device)  # stage one is run once for all of them
everything += both
probe, fine = both.where(protocol="probe"), both.where(protocol="finetune")
prediction = Prediction(probe.where(labels=fewest))
prediction

# %% [markdown]
# Now the answer. **Careful** fine-tuning learns the new head first, takes three times the steps, and moves the images about (`training.recipes`).

# %%
weight = probe.where(labels=fewest).best() or max(strengths)  # validation data picks it
with_few = replace(base, labels=fewest)
with_care = replace(with_few, protocol="finetune", recipe="careful")
careful = run(grid(with_care, strength=[0.0, weight], seed=range(seeds)), device)
names = ["pixels", "components", "from_scratch"]
simple = run(grid(baselines(with_few, names), seed=range(seeds)), device)
everything += careful + simple
pixels = simple.where(method="pixels")

# %%
page_06.draw_reached(
    {f"{n} labels": probe.where(labels=n) for n in labels},
    {"probe": probe.where(labels=fewest), "fine-tuning": fine, "careful": careful},
    pixels.mean(),
    "A steep rise from weight 0, then a plateau; fine-tuning starts higher",
)

# %%
print(probe.verdict())
print("fine-tuning:", fine.verdict(weight))
print("careful fine-tuning:", careful.verdict(weight))

# %% [markdown]
# A difference is worth something only with its interval. The seeds are *paired*: the same data, the same first weights, the same batches, with and without the penalty. So we look at the difference seed
# by seed. Who is ahead of the best probe, with the fewest labels? (Clearly: the interval excludes 0.)

# %%
rivals = {
    "best probe": probe.where(labels=fewest, strength=weight),
    "probe at weight 0": probe.where(labels=fewest, strength=0.0),
    "fine-tuning at weight 0": fine.where(strength=0.0),
    "careful fine-tuning at weight 0": careful.where(strength=0.0),
    "pixels, no network": pixels,
    "principal components, no network": simple.where(method="components"),
    "from scratch": simple.where(method="from_scratch"),
}
print(f"with {fewest} labels, the best probe is")
print(in_words(rivals, "best probe"))

# %% [markdown]
# ## Turn the knobs yourself
#
# What the sliders reach at these settings has been **recorded**: the answer is there at once. **Train live** trains here, in any case. The other controls are under **More**. Things to try:
#
# 1. Move **severity** from 1 to 0. Where does the gain go?
# 2. Is there a weight past which it gets worse?
# 3. Under More, switch the **protocol** to finetune, or the **layer** to logits.
# 4. The dashed line needs no network. Where does the curve get above it?
# 5. A weight in nats means something else on every task. In a cell of your own, `Playground(weighting="gradient")` takes weights as *shares of the gradient*: at 1 the penalty pulls as hard as the
#    cross-entropy. One scale then fits all tasks. Is the best share here near those of [08](08_paper_experiments.ipynb)?

# %%
playground = Playground(
    shift=shift, severity=severity, network=network, steps=steps, seeds=min(seeds, 8), device=device
)
playground

# %% [markdown]
# The same without widgets, as trained above:

# %%
behind = rivals["best probe"].against(pixels)
accuracy_against_strength(
    {"linear probe": probe.where(labels=fewest)},
    f"{fewest} labels, the best probe against the pixels without a network: {behind.points} points",
    levels={"pixels, no network": pixels},
)

# %% [markdown]
# ## What the weight costs
#
# The loss has two parts that pull. **Predict:** at which weight does the source lose more than the target gains?

# %%
shown = probe.where(labels=fewest)
page_06.draw_trade(shown, "The target soon has what it can gain, and the source goes on paying")

# %%
print(*page_06.trade_in_words(shown), sep="\n")

# %% [markdown]
# And during training: left the loss on the source; in the middle the Gaussian Lautum information of features and target inputs, in nats; right how well the target can be read off the features, on
# validation data, while the network trains on the *source* only.

# %%
training_curves(
    shown, "With more weight, the source is learned more slowly and the target fades less"
)

# %% [markdown]
# ### Exercise 6.1 · Choose a weight, and leave the test alone (easy, 10 minutes)
#
# `choose_weight(weights, validation, test)` takes a list of weights, and two tensors of accuracies with a row for each weight and a column for each seed. It returns two numbers: the weight to use, and the
# accuracy that may be reported for it.
#
# <details><summary>Hint 1 of 2</summary>
#
# Only one of the two tensors may say which weight it is.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `validation.mean(1)` has one number for each weight; `.argmax()` is the row of the largest.
#
# </details>


# %%
def choose_weight(weights, validation, test):
    """The weight that validation data picks, and its mean test accuracy."""
    ### BEGIN SOLUTION
    row = int(validation.mean(1).argmax())
    return weights[row], test[row].mean()
    ### END SOLUTION


check("choose_weight", choose_weight)

# %% [markdown]
# ### Exercise 6.2 · A paired interval by hand (medium, 10 minutes)
#
# `paired_interval(ours, control, t)` takes the test accuracies of $n$ seeds with and without the penalty, in the same order, and the quantile $t$ of Student's distribution for $n - 1$ degrees of freedom. It
# returns three numbers: the mean gain, and the low and the high end of its interval, mean $\pm\ t\, s/\sqrt n$. Here $s$ is the standard deviation of the $n$ differences.
#
# <details><summary>Hint 1 of 2</summary>
#
# Subtract seed by seed first. What both share, such as a lucky split of the data, cancels.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `differences.std()` divides by $n - 1$, as it has to here.
#
# </details>


# %%
def paired_interval(ours, control, t):
    """Mean gain over the control with the ends of its interval, paired over seeds."""
    ### BEGIN SOLUTION
    differences = ours - control
    half = t * differences.std() / len(differences) ** 0.5
    return torch.stack((differences.mean(), differences.mean() - half, differences.mean() + half))
    ### END SOLUTION


check("paired_interval", paired_interval)

# %% [markdown]
# ## Must the term be there at every step?
#
# A step with the term takes 256 unlabelled images through the network beside 64 labelled ones. That is most of the work. So we add it at every $m$-th step only, $m$ times as heavy (`every`; 8 is the
# default). **Predict:** does the target lose? Does the source?

# %%
rare, seconds = {}, {}
medium = sorted(strengths)[len(strengths) // 2]
for m in (1, 2, 4, 8, 16):
    begun = time.perf_counter()
    rare[m] = run(grid(base, labels=200, every=m, strength=medium, seed=range(seeds)), device)
    seconds[m] = time.perf_counter() - begun
    everything += rare[m] if m != base.every else []
page_06.draw_how_often(rare, seconds)

# %% [markdown]
# ## When is there something to gain?
#
# In the pairs, severity is how little the digit says about the letter; that can be read in nats. For the other shifts it is how strongly the target images are changed.

# %%
grown = grid(base, labels=200, severity=severities, strength=[0.0, weight], seed=range(seeds))
swept = run(grown, device)
everything += swept
gained = swept.gain()
gains(gained, along_severity(gained, weight))

# %%
if shift == "label_part_swap":
    print(*page_06.told_by_the_digit(severities), sep="\n")

# %% [markdown]
# ## What makes the difference?
#
# Is it *target* information, or would any diversity of features do? We take **target** inputs or **source** inputs, **features** or **logits**, Lautum or **mutual information**, maximised or minimised. Here the
# source is plain digits and the target plain letters, whose images differ. **Predict:** which of the five comes out best? (Each gets two weights; validation data picks one.)

# %%
plain = replace(base, shift="none", severity=0.0, labels=200)
variants = {  # the settings, and the weights to choose from
    "Lautum, target inputs": ({}, (3e-5, 3e-4)),
    "Lautum, source inputs": ({"inputs": "source"}, (3e-5, 3e-4)),
    "Lautum, logits": ({"layer": "logits"}, (3e-5, 3e-4)),
    "I, maximised": ({"method": "mutual_information_maximised"}, (1e-3, 1e-2)),
    "I, minimised": ({"method": "mutual_information"}, (1e-3, 1e-2)),
}
picked = {}
for name, (settings, weights) in variants.items():
    variant = replace(plain, **settings)
    tried = run(grid(variant, strength=weights, seed=range(ablation_seeds)), device)
    picked[name] = tried.where(strength=tried.best())
    everything += tried

# %%
control = run(grid(plain, strength=0.0, seed=range(ablation_seeds)), device)
without = run(grid(baselines(plain, ["pixels", "components"]), seed=range(ablation_seeds)), device)
everything += control + without
picked |= {"pixels, no network": without.where(method="pixels")}
picked |= {"principal components": without.where(method="components")}
over = {name: results.against(control) for name, results in picked.items()}
most = max(over, key=lambda name: over[name].mean)
gains(over, f"Digits to letters, over weight 0: most is gained by '{most}', {over[most].points}")

# %%
print("Lautum on target inputs is")
print(in_words(picked | {"weight 0": control}, "Lautum, target inputs"))

# %% [markdown]
# ## Is the control a fair one?
#
# A gain over a badly trained control is worth nothing, and the learning rate used here was chosen with the gain in sight. **Predict:** with a third of it, does the control transfer better or worse, and
# what is left of the gain?

# %%
rates = sorted({base.learning_rate, 1e-3}, reverse=True)
pair = grid(plain, learning_rate=rates, strength=[0.0, 3e-4], seed=range(ablation_seeds))
fair = run(pair, device)
everything += fair.where(learning_rate=1e-3)  # the others are there already
gains(fair.gain(), "At a third of the learning rate, about the same is gained, less surely")

# %%
fair.gain().round(3)

# %%
if results_path:
    save_results(everything, results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - **Without a network** a linear classifier on the pixels is far above the whole curve of the probe. The penalty brings back a part of what the network had thrown away.
# - **Fine-tuning** gains less from the penalty than the probe. **With care** it is clearly better than the best probe, and then hardly anything is left for a penalty to add. If you can fine-tune, do it with
#   care, and hold it against the pixels.
# - **Frozen features:** a steep rise from weight 0, then a plateau. Past the first decades more weight does little for the target, while the source pays more and more.
# - **Why:** without the penalty the target fades from the features *while the source is learned*; with it, less does.
# - **How often:** a term at every 8th step trains faster (the seconds count records and probes too).
# - **Severity:** where the digit already says everything about the letter, the penalty costs accuracy. The gain grows with severity.
# - **What makes the difference:** on digits to letters, being informative about *target* inputs is what helps, and *minimising* mutual information hurts. Lautum has no monopoly: mutual information *maximised* does better here.
#   Notebook [07](07_methods_compared.ipynb) has more seeds, and finds that part of the gain is plain diversity of features.
# - **The control** is about as good at a third of the learning rate, and about the same is gained over it; but that interval is wider.
#
# ## Limits
#
# The Gaussian value measures *linear* dependence on the leading principal components of pixels. So what it keeps for a linear probe is what a linear classifier on these components has without any network.
# Notebook [10](10_limits_and_open_questions.ipynb) says more. The features stand in for the weights of the paper's quantity. The networks and images are small. 500 validation labels are more than one often has; they
# choose one weight and one penalty of the probe.
#
# ## References
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
# - D. Jakubovitz, D. Uliel, M. Rodrigues, R. Giryes, *An Information-theoretic Approach to Semi-supervised Transfer Learning*, arXiv 2306.06731.
#
# **The question that comes next:** many methods use unlabelled target inputs. Is this one better than the others, and than the simple baselines?
