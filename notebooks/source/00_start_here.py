# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 00 · Start here: watch a network forget
#
# **Training on a source makes a network forget what it does not need. An unlabelled penalty slows that.**
# Why *Lautum information*, how much does it help, and is it worth it?
#
# ![Rows of images of a digit beside a letter, as a linear map paints them from a network's features: before training both can be read; after learning the digits the letter is a grey blob; with the penalty it can be read again.](attachment:opening.png)

# %% tags=["parameters"]
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 3  # networks for each setting; an interval needs 2 or more
steps = 100  # of stage one, on the source
strengths = [0.0, 1e-4, 1e-3, 1e-2]  # weights; 0 is standard transfer, it has to be there
shift = "label_part_swap"  # how source and target differ
severities = [0.0, 0.5, 1.0]  # how strongly, from 0 to 1; the last one is used for the main figure
labels = 200  # labelled target samples
results_path = ""  # where to write every result as JSON; "" writes nothing

# %%
from lautum_pages.parameters import read_parameters

read_parameters("00", globals())  # silent, unless a value above cannot work

# %% [markdown]
# ## What you have just seen
#
# Each image is a handwritten digit beside a letter. The network learned to name the **digit** (the *source* task). Nobody asked it about the letter. Then we froze it and fitted a linear map
# from its 64 features back to the pixels, on other images, without any label. The map paints what the features still hold. The digit stays sharp. The letter fades to grey.
#
# If someone asks for the **letter** tomorrow (the *target* task), the frozen features have little left to say. The last row is the same network, trained with a penalty for forgetting. The penalty
# needs target *images* only, no target labels.
#
# Move the steps, or press play. **Predict** before you look at the other images: MNIST digits are the source and notMNIST letters the target; then CIFAR-10 and CIFAR-100. Is the same thing lost there?

# %%
import torch

from lautum_pages import page_00
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
    read_record,
    run,
    save_results,
)
from lautum_utils.results.forgetting import watch_forgetting
from lautum_utils.training.devices import resolve_device
from lautum_utils.widgets.forgetting import draw_forgetting
from lautum_utils.widgets.plots import accuracy_against_strength, gains
from notebooks.tools.published import PUBLISHED

print(f"torch {torch.__version__}; networks train on: {resolve_device(device)}")

# %%
seen = page_00.recorded_forgetting()


def watch(images="MNIST to notMNIST", step=400, weight="larger"):
    """Target images, and what a linear map can still paint of them from the features after so many steps on the source.
    Rows below: weight 0, and two weights of the penalty. The grey bar marks the step."""
    return page_00.watch_it_forget(seen, images, step, weight)


explorer_forget = page_00.explorer(watch, seen)
explorer_forget

# %%
watch("digits beside letters", weight="smaller")

# %% [markdown]
# The two curves give the pictures a number.
#
# - **Lautum information**, in nats, says how much the features tell about the *whole* image, linearly. A network that names digits better also paints the digit better, so the number may rise
#   while the letter fades. Compare the weights at one step: with the penalty it is far higher.
# - **The probe** is a linear classifier for the *target* label, fitted on a few labelled target images. Guessing has 10 %.
#
# These pictures were recorded. The next cell trains the same kind of networks now, in a few seconds.

# %%
base = Experiment(shift=shift, severity=severities[-1], labels=labels, steps=steps)
middle = sorted(strengths)[len(strengths) // 2]
anew = watch_forgetting(base, [0.0, middle], [0, steps // 4, steps // 2, steps], device)
draw_forgetting(anew, steps, middle)

# %% [markdown]
# ## The idea: two stages, one penalty

# %%
page_00.draw_stages()

# %% [markdown]
# In stage one, the loss is
#
# $$\text{cross-entropy on the source} - \text{weight} \cdot L(\text{target features};\ \text{target inputs}).$$
#
# $L$ is Lautum information: "mutual" spelled backwards. Mutual information $I(A;B)$ compares how two things occur together, $P_{AB}$, with how they would occur if they had nothing to do with each
# other, $P_A P_B$. Lautum information $L(A;B)$ exchanges the two, in the same measure of distance, the Kullback-Leibler divergence $D$:
#
# $$I(A;B) = D(P_{AB}\,\|\,P_A P_B), \qquad L(A;B) = D(P_A P_B\,\|\,P_{AB}).$$
#
# Both are 0 exactly when $A$ and $B$ are independent. For two Gaussian variables with correlation $\rho$ (`rho`) both have a closed form. **Predict:** at $\rho = 0.6$, which of the two is larger?

# %% tags=["nbval-check-output"]
rho = 0.6
covariance = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64, device="cpu")
print(f"I = {gaussian_mutual_information(covariance, 1):.4f} nats")
print(f"L = {gaussian_lautum_information(covariance, 1):.4f} nats")

# %% [markdown]
# $L$ is larger here. Why should one want it large? Notebook [02](02_the_loss_bound.ipynb) answers that, and says what the answer does not promise.
#
# ## Is it worth it? The published task, and all that competes
#
# MNIST digits are the source, notMNIST letters the target. All of this has been recorded (`make published`, eight seeds; notebook [08](08_paper_experiments.ipynb) takes it apart). Here compete:
#
# - **no network at all:** a linear classifier on the pixels, or on their principal components;
# - **without the source:** the same network, trained **from scratch** on the few labelled letters;
# - **standard transfer:** weight 0, and **its earlier layer**: the same network, asked one layer earlier;
# - **Lautum**, this suite's subject, and **mutual information, maximised**;
# - **two views:** Lautum information between two distorted copies of an image, and VICReg, a method that is widely used. They ask for what the copies *share*, not for pixels.
#
# Left, the features stay frozen. Right, all weights learn on. Validation data picks each weight.
#
# **Predict:** with frozen features, does Lautum beat weight 0? Does it beat the pixels? And what is left of its gain where all weights learn on?

# %% tags=["headline"]
recorded = Results(read_record(PUBLISHED)[0].values())
at = min(recorded.values("labels"), key=lambda n: abs(n - labels))
competing = page_00.competitors(recorded, "mnist", "notmnist_small", at)
page_00.draw_competitors(competing, page_00.finding(competing))

# %%
for protocol, found in competing.items():
    print(f"{protocol}, {at} labels: by how many points Lautum is ahead, with 95 % intervals")
    print(page_00.in_words(found))

# %% [markdown]
# So there are two answers. **Yes:** the penalty does what it is made for; the frozen features keep more than at weight 0. **No:** on this task something simpler is clearly better (the interval
# excludes 0), and where all weights learn on, its gain over weight 0 is gone. Keep both in mind: the notebooks explain why each is so, and what two views do better.
#
# ## Your turn to predict
#
# Back to digits beside letters. A network learns the digits, for each weight; we freeze it and fit a linear classifier for the letter. Ten letters: guessing has 10 %. Set the sliders to what you
# expect (mouse or arrow keys), then press **Reveal**. The answer has been recorded; below it, the same networks are trained anew.

# %%
experiments = grid(base, strength=strengths, seed=range(seeds))
known, _ = read_record()
expected = [known[e] for e in experiments if e in known]
complete = len(expected) == len(experiments)
prediction = Prediction(Results(expected) if complete else run(experiments, device))
prediction

# %%
results = run(experiments, device)
pixels = run(grid(baselines(base, ["pixels"]), seed=range(seeds)), device)
chosen = results.best() or max(strengths)  # validation data picks it
accuracy_against_strength(
    {f"linear probe, {labels} labels": results},
    f"Frozen features: {results.verdict(chosen)}",
    levels={"pixels, no network": pixels},
)

# %%
print(results.verdict())
behind = results.where(strength=chosen).against(pixels)
print(f"weight {chosen:g} minus pixels, in points: {behind.points}")

# %% [markdown]
# ## Two sliders
#
# **Severity** says how little the digit tells about the letter: at 0 the letter follows from the digit (0 = A, 1 = B, ...), at 1 it is drawn by chance. **Weight** is that of the penalty.
# What has been recorded is there at once. **Train live** trains the same networks here, in a few seconds; **Stop** ends it. Notebook [06](06_semi_supervised_transfer.ipynb) has all the controls.

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
# The same without widgets:

# %%
swept = run(grid(base, severity=severities, strength=[0.0, chosen], seed=range(seeds)), device)
gained = swept.gain()
gains(gained, page_00.along_severity(gained, chosen))

# %%
if results_path:
    save_results(results + swept, results_path)

# %% [markdown]
# ## What we saw, and what not
#
# - **A gain over weight 0 is not yet worth a training.** On the published task, pixels without a network and a network from scratch are ahead of Lautum's frozen features. On the pairs, the dashed line of
#   the pixels is far above the whole curve.
# - **Where all weights learn on,** Lautum's gain over weight 0 is gone on the published task.
# - **Forgetting is real, and the penalty slows it.** At weight 0 the letter fades from the features while the digit is learned. With the penalty more of it stays, and the probe names more letters.
# - **The gain depends on the severity:** where the digit already says everything about the letter, there is nothing to gain, and the penalty costs.
# - **The number is not the picture.** Lautum information counts the whole image, digit and letter alike.
#
# What we did *not* see: why $L$ should be large at all, how it is measured in a network, and whether the loss is bound by it.
#
# ## The map
#
# **In a hurry? The 90-minute path:** what has bold words in the last column, from top to bottom.
#
# <!-- map -->
#
# Every notebook from 01 on has exercises, with folded hints in two steps. `check(...)` says at once whether your answer is right, and if not, which mistake it looks
# like. The solutions are notebooks too: <!-- solutions -->.
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
#
# **The question that comes next:** two things are dependent. How much, and why are there two numbers for it?
