# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 08 · The published tasks
#
# The papers transfer from MNIST to notMNIST, and from CIFAR-10 to ten classes of CIFAR-100. `make published` runs both here, and two tasks beside them, with every
# simple baseline and with other methods beside Lautum information. This page shows what came out of the tasks that the record holds so far (they are printed below), and
# makes a part of it again. Wherever letters are the target, remember: the views are warps much like those that our letters are drawn with, which flatters the methods
# between views there. notMNIST and CIFAR are the real test.

# %% tags=["parameters"]
source = "digits"  # of the part that is made again; "mnist", "cifar10", "fashion_mnist", "folder:PATH", ...
target = "letters"  # of the same; "notmnist_small", "cifar100", ...
profile = "record"  # its settings: "record", or "full": a larger network and more steps, for a GPU
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 2  # networks for each setting; an interval needs 2 or more
steps = 0  # of stage one; 0 takes the profile's
labels = [50]  # labelled target samples
protocols = ["probe"]  # and "finetune"
checked = ["Lautum between views"]  # methods, as the pictures call them
shift = "none"  # of the target, such as "background"; "none" leaves it as it is
severity = 0.0  # of the shift, from 0 to 1
confidence = 0.95  # of every interval
store = ""  # a folder that keeps every result, to go on from; "" keeps none
gpu_teraflops = 10.0  # of the GPU that the estimate is for, in 32 bits
results_path = ""  # where to write every result made here as JSON; "" writes nothing

# %%
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise, product
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from IPython.display import display
from torch.utils.flop_counter import FlopCounterMode

from lautum_pages import page_08_record as asked
from lautum_pages.page_08 import draw_leaderboard, draw_weights
from lautum_utils import (
    NETWORKS,
    Experiment,
    Explorer,
    Results,
    load_transfer_task,
    read_record,
    run,
    save_results,
    sweep,
)
from lautum_utils.data.tasks import common_shape
from lautum_utils.results.records import read_about
from lautum_utils.training.devices import resolve_device
from lautum_utils.widgets.plots import show_domains
from notebooks.tools import published, published_cost, published_sets
from notebooks.tools.published_grid import CHOOSING

where = resolve_device(device)
pd.set_option("display.width", 130)

# %%
record, made_by = read_record(published.PUBLISHED)
recorded, about = Results(record.values()), read_about(published.PUBLISHED)
places = asked.places(recorded)
found = {place: asked.contestants(recorded, place) for place in places}
standings = {place: asked.standings(found[place], confidence) for place in places}
TASKS = list(dict.fromkeys(map(asked.task_name, places)))
LABELS, PROTOCOLS = recorded.values("labels"), list(asked.PROTOCOLS)
LEAST, MOST = LABELS[0], LABELS[-1]
reporting = [seed for seed in recorded.values("seed") if seed not in CHOOSING]
print(f"{len(recorded):,} results: {len(CHOOSING)} seeds choose, {len(reporting)} report;", end=" ")
print(f"{about['command']}: {published_cost.in_words(about['seconds'])}", end=" ")
print(f"on {about['processes']} processes, torch {made_by['torch']}")
print(*published_sets.images_in_words(about["images"]), sep="\n")

# %% [markdown]
# ## Who beats every simple baseline?
#
# A method is worth its trouble if it beats the control **and** all that is simpler: no network at all (pixels, principal components), a network that never saw the
# source (untrained, from scratch), the control's own earlier layer. **Predict:** does Lautum information do that on the published tasks? Does anything?


# %%
def draw_tasks(labels=LEAST, protocol="probe"):
    """Difference to the control (standard transfer) on each task, paired over seeds, with intervals. A full dot beats the control
    and every simple baseline; the dashed line is the best baseline."""
    panels = {
        asked.task_name(p): found[p] for p in places if (p.labels, p.protocol) == (labels, protocol)
    }
    winners = [n for n, (won, _) in often(labels, protocol).items() if won]
    title = f"{labels} labels, {asked.PROTOCOLS[protocol]}: above every simple baseline somewhere: "
    return draw_leaderboard(panels, title + (", ".join(winners) or "nobody"), confidence)


def often(labels, protocol):
    at = [standings[p] for p in places if (p.labels, p.protocol) == (labels, protocol)]
    return asked.how_often(at)


explorer_tasks = Explorer(draw_tasks, labels=LABELS, protocol=PROTOCOLS)
explorer_tasks

# %%
draw_tasks(protocol="finetune")

# %%
print("on how many tasks a method beats the control and every simple baseline")
columns = {
    f"{n} labels, {asked.PROTOCOLS[p]}": {
        name: f"{won} of {of}" for name, (won, of) in often(n, p).items()
    }
    for n, p in product(LABELS, PROTOCOLS)
}
print(pd.DataFrame(columns).fillna("").to_string())

# %% [markdown]
# And in words, each task by itself: by how much, and who is in the way.

# %%
for place in places:
    if place.labels in (LEAST, MOST):
        print(asked.in_words(place, standings[place]))

# %% [markdown]
# ## Task by task
#
# The same for one task, with the fewest and the most labels, frozen features and fine-tuning side by side. Baselines have a protocol of their own, and stand in both.


# %%
def draw_task(task=TASKS[0]):
    """Difference to the control on one task. A full dot beats the control and every simple baseline; the dashed line is the best
    baseline."""
    panels = {
        f"{p.labels} labels, {asked.PROTOCOLS[p.protocol]}": found[p]
        for p in places
        if asked.task_name(p) == task and p.labels in (LEAST, MOST)
    }
    return draw_leaderboard(panels, task, confidence)


explorer_task = Explorer(draw_task, task=TASKS)
explorer_task

# %%
draw_task(TASKS[-1])

# %% [markdown]
# ## Where does the best weight lie?
#
# On two seeds each method has every weight, and validation data picks one; other seeds report. All panels have the same range of weights. **Predict:** is the best weight the same on
# all tasks? Does the source pay for it?

# %%
choosing = recorded.where(seed=CHOOSING)  # they run every weight, the others the chosen one
METHODS = {
    asked.NAMES[m]: m
    for m in recorded.values("method")
    if len(recorded.where(method=m).values("strength")) > 1
}


def draw_method(method="Lautum", labels=LEAST, protocol="probe"):
    """Accuracy on source and target against the weight of a method, a panel for each task. Grey: the weight that validation picks."""
    tuned = "careful" if protocol == "finetune" else "plain"
    alike = choosing.where(labels=labels, protocol=protocol, recipe=tuned, method=METHODS[method])
    at = [p for p in places if (p.labels, p.protocol) == (labels, protocol)]
    by_task = {asked.task_name(p): alike.where(source=p.source, target=p.target) for p in at}
    controls = {asked.task_name(p): asked.control_of(found[p]) for p in at}
    title = f"{method}: accuracy against its weight, {labels} labels, {asked.PROTOCOLS[protocol]}"
    return draw_weights(by_task, controls, title)


explorer_weights = Explorer(draw_method, method=list(METHODS), labels=LABELS, protocol=PROTOCOLS)
explorer_weights

# %%
draw_method("Lautum between views")

# %%
print("the weights, and at how many places validation picks the smallest, the largest")
for task, (name, method) in product(TASKS, METHODS.items()):
    picked = [found[p][name].weight for p in places if asked.task_name(p) == task]
    known = next(
        recorded.where(source=p.source, target=p.target, method=method).values("strength")
        for p in places
        if asked.task_name(p) == task
    )
    ends = f"{picked.count(known[0])}, {picked.count(known[-1])} of {len(picked)}"
    print(f"{task:26}{name:34}{', '.join(f'{w:g}' for w in known):32}{ends}")

# %% [markdown]
# ## What is known of the papers' settings
#
# | What | known | ours |
# |---|---|---|
# | tasks | MNIST to notMNIST; CIFAR-10 to ten classes of CIFAR-100 | the same, and two more; which ten classes is not known to us: for downloads we name ours in `datasets.CIFAR100_CLASSES` |
# | images | the whole sets | those that stand above; a folder may hold a part |
# | labels | few target labels | as in the pictures |
# | network, optimizer, steps, batch | not at hand | as printed below |
# | weight of the regularizer | not at hand | a share of the gradient of the cross-entropy, chosen on validation data by two other seeds, one for each task and protocol |
# | what stands for the weights in $L$ | not at hand | features of the last hidden layer |
# | stage two | fine-tuning on the labelled target samples | both: fine-tuning, and a linear probe of frozen features |
# | accuracies | not at hand; none is printed here | ours, means over seeds with intervals |

# %%
SHOWN = ["network", "augment", "views", "steps", "source_batch", "target_batch", "every"]
SHOWN += ["learning_rate", "n_components", "ridge", "finetune_steps", "unlabelled", "validation"]
settings = {}
for place in places:
    e = asked.control_of(found[place])[0].experiment
    settings[asked.task_name(place)] = {name: getattr(e, name) for name in SHOWN}
print(pd.DataFrame(settings).to_string())
print("Adam. Fine-tuning: see `training.recipes`; plain and careful are those that are compared.")

# %% [markdown]
# ## Make a part of it again
#
# `source` and `target` say which task: one of the record, or images of your own. It takes the control, every baseline, and the methods that are `checked`, each with the
# weight that validation picked in the record. Every result goes into the store the moment it is there. Interrupt this cell and run it again: with `store` set it goes on where it was.

# %%
PROFILES = {
    "record": {},
    "full": {
        "network": "large_cnn",
        "steps": 20_000,
        "learning_rate": 1e-3,
        "finetune_steps": 1000,
    },
}
changes = {"source": source, "target": target, "shift": shift, "severity": severity}
changes |= PROFILES[profile] | ({"steps": steps} if steps else {})
like = next((p for p in places if (p.source, p.target) == (source, target)), places[-1])
print(f"settings and weights as in the record of {asked.task_name(like)}")


def nearest(n, protocol):
    """The place of the record that the part with n labels takes its weights from."""
    at = [p for p in places if p[:2] == like[:2] and p.protocol == protocol]
    return min(at, key=lambda p: abs(p.labels - n))


# %%
wanted = {}
for n, protocol, seed in product(labels, protocols, range(seeds)):
    for name, contestant in found[nearest(n, protocol)].items():
        if contestant.role != asked.METHOD or name in checked:
            e = contestant.results[0].experiment
            wanted[replace(e, labels=n, seed=seed, **changes)] = name
e = next(iter(wanted))
started = time.perf_counter()
task = load_transfer_task(e.source, e.target, e.shift, e.severity)
took = time.perf_counter() - started
parts = ("source", "unlabelled", "labelled", "validation", "test")
print({part: len(getattr(task, part)) for part in parts}, "images", end=" ")
print(f"{tuple(task.source.inputs.shape[1:])}, loaded in {took:.2f} s; {len(wanted)} experiments")
show_domains(
    {"source": task.source, "target": task.validation, "target test": task.test},
    title=f"{source} to {target}",
)

# %%
folder = Path(store) if store else Path(tempfile.mkdtemp(prefix="lautum-")) / "store"
started = time.perf_counter()
if where.type == "cpu":
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        results = sweep(wanted, folder, pool, device="cpu")
else:
    stack_size = 1 if profile == "full" else None
    results = sweep(wanted, folder, device=where, stack_size=stack_size)
for error in list(results.errors.values())[:1]:
    print(f"{len(results.errors)} failed, one with: {error}")
print(f"{len(results)} results after {time.perf_counter() - started:.0f} s")

# %%
made = {p: asked.contestants(results, p) for p in asked.places(results)}
draw_leaderboard(
    {f"{p.labels} labels, {asked.PROTOCOLS[p.protocol]}": c for p, c in made.items()},
    f"{source} to {target}, made again: {seeds} seeds, {confidence:.0%} intervals",
    confidence,
)

# %%
for place, contestants in made.items():
    print(asked.in_words(place, asked.standings(contestants, confidence)))
both = [(r, record[r.experiment]) for r in results if r.experiment in record]
if both:
    off = [100 * abs(ours.test_accuracy - theirs.test_accuracy) for ours, theirs in both]
    shares = sum(off) / len(off), max(off)
    print(f"{len(both)} of these are in the record: test accuracies differ by", end=" ")
    print(f"{shares[0]:.2f} points in the mean, {shares[1]:.2f} at most")
else:
    print("none of these is in the record: other images or settings")

# %% [markdown]
# On one machine the same experiment gives the same accuracy. Other processors round differently, and training amplifies that, see
# `lautum_utils.run`: there single networks may differ by points, and only means over seeds can be compared.
#
# ## What would the full size cost?
#
# `profile = "full"` takes a larger network and more steps, for whoever has a GPU. Count before you start. PyTorch counts the operations of a step (`FlopCounterMode`) and tells what it keeps for the way
# back (`saved_tensors_hooks`). A short run measures what the machine here makes of it. Of a GPU's speed, small networks reach a part: we take a tenth, and at least 4 ms a step for launching the
# kernels. **Predict:** how many hours for CIFAR?


# %%
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}  # so that counting downloads nothing


def shape_of(e):
    return SHAPES.get(e.source) or common_shape(e.source, e.target)


def counted(e):
    """A step of stage one with the term, both batches: its floating-point operations, forward and backward, and
    the bytes kept between. Nothing is computed: tensors on the device "meta" have a shape only."""
    network, kept = NETWORKS[e.network](shape_of(e), 10, [0]).to("meta"), {}

    def keep(x):
        kept[x.untyped_storage()._cdata] = x.untyped_storage().nbytes()
        return x

    x = torch.zeros(1, e.source_batch + e.target_batch, *shape_of(e), device="meta")
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x)
    with FlopCounterMode(display=False) as counter, hooks:
        network(x).sum().backward()
    return counter.get_total_flops(), sum(kept.values())


# %%
def speed_of(e, count):
    """Operations a second that a network reaches here: the fastest of so many steps."""
    times = []

    def watch(now):
        if now.stage == "stage one":
            times.append(time.perf_counter())
        return len(times) > count  # stops the run

    run(replace(e, steps=48, strength=1e-4, every=1), where, progress=False, callback=watch)
    return counted(e)[0] / min(b - a for a, b in pairwise(times))


speeds = {}
for network, count in (("cnn", 24), ("large_cnn", 2)):
    tried = Experiment("digits", "letters", network=network, augment="mirrored")
    speeds[network] = speed_of(tried, count)
    operations = counted(tried)[0] / 1e9
    print(f"{network:9} on digits: {operations:6.2f} G operations a step with the term,", end=" ")
    print(f"{speeds[network] / 1e9:.0f} G a second here")

# %%
costs, published_tasks = {}, [t for t in published.TASKS.values() if t.base.source in SHAPES]
for task, (size, change) in product(published_tasks, PROFILES.items()):
    e = replace(task.base, **change)
    n, kept = counted(e)
    n *= (e.source_batch + e.target_batch / e.every) / (e.source_batch + e.target_batch)
    on_gpu = max(n / (0.1 * gpu_teraflops * 1e12), 0.004)
    costs[f"{task.title}, {size}"] = {
        "G operations a step, on average": f"{n / 1e9:.2f}",
        "steps": e.steps,
        "hours here": f"{e.steps * n / speeds[e.network] / 3600:.2f}",
        f"hours, {gpu_teraflops:g} teraflops": f"{e.steps * on_gpu / 3600:.3f}",
        "kept between, GB": f"{1.5 * kept / 1e9:.2f}",
    }
print(pd.DataFrame(costs).T.to_string())
print("stage one of one network, which is most of it")

# %%
if results_path:
    save_results(results, results_path)

# %% [markdown]
# ## What we saw
#
# From the record, not from memory: this cell says it of whatever the record holds.

# %%
for protocol, n in product(PROTOCOLS, (LEAST, MOST)):
    counts = often(n, protocol)
    order = sorted(counts, key=lambda name: -counts[name][0])
    won = [f"{name} on {counts[name][0]} of {counts[name][1]} tasks" for name in order]
    won = [told for name, told in zip(order, won) if counts[name][0]]
    never = [name for name in order if not counts[name][0]]
    print(f"{asked.PROTOCOLS[protocol]}, {n} labels: above the control and every simple baseline:")
    print(f"    {', '.join(won) or 'nobody'}; on none: {', '.join(never) or 'nobody'}")
for task, n in product(TASKS, (LEAST, MOST)):
    at = [p for p in places if (asked.task_name(p), p.labels) == (task, n)]
    everyone = {(name, p.protocol): c for p in at for name, c in found[p].items()}
    best = max(everyone, key=lambda key: everyone[key].results.mean())
    accuracy = 100 * everyone[best].results.mean()
    own = everyone[best].results[0].experiment.protocol
    reached = f"{accuracy:.1f} %, {best[0]}, {asked.PROTOCOLS[own]}"
    print(f"{task}, {n} labels: the highest mean test accuracy is {reached}")

# %% [markdown]
# ## Limits
#
# The network is small and learns for a short time; the images may be a part of the sets, as printed at the top. Which task profits may change with both. Intervals are over seeds: other first
# weights, batches and splits of the same images, not other images. They take the chosen weight as given, and are not corrected for how many there are: among many comparisons a few are above 0 by chance alone. "Above every baseline" asks for several at once, which is stricter. Learning rates and steps were tuned for no method; the recipe of fine-tuning was tuned for the control.
# The settings of the full profile are ours, and this page has not run it. The estimate of GPU time is a rule of thumb.
#
# ## Sources
#
# - D. Jakubovitz, M. Rodrigues, R. Giryes, *Lautum Regularization for Semi-supervised Transfer Learning*, ICCV Workshops 2019, arXiv 1904.01670.
# - D. Jakubovitz, D. Uliel, M. Rodrigues, R. Giryes, *An Information-theoretic Approach to Semi-supervised Transfer Learning*, arXiv 2306.06731.
# - A. Bardes, J. Ponce, Y. LeCun, *VICReg*, ICLR 2022. S. Becker, G. Hinton, Nature 355, 1992 (mutual information between views).
# - H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, 2017. A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009 (CIFAR). Y. LeCun et al. (MNIST). Y. Bulatov, *notMNIST*, 2011.
