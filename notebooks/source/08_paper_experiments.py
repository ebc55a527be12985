# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 08 · The published tasks, and a rehearsal on real images
#
# The papers transfer from MNIST to notMNIST, and from CIFAR-10 to ten classes of CIFAR-100. One parameter, `profile`, runs these here, on a GPU and with a network
# connection. Without either, the *rehearsal* runs the same lines on real images that need neither.
#
# **You will be able to** state the protocol of such an experiment in full, estimate what it costs before you start it, interrupt it and go on, and report
# what comes out with its interval. **You need** [06](06_semi_supervised_transfer.ipynb), [09](09_sweeps_at_scale.ipynb) for the store · **Takes** 15 minutes to read, about
# a minute to run.

# %% tags=["parameters"]
profile = "rehearsal"  # "rehearsal": a CPU, minutes; "full": the published tasks, a GPU, downloads
device = "auto"  # "auto" takes CUDA, then MPS, then the CPU
seeds = 5  # networks for each setting; an interval needs 2 or more
steps = 0  # of pre-training; 0 takes the profile's
labels = [50, 100, 200]  # labelled target samples
strengths = [0.0, 1e-4, 3e-4, 1e-3]  # weights; 0 is standard transfer, it has to be there
shift = "none"  # of the target, such as "background"; "none" leaves it as it is
severity = 0.0  # of the shift, from 0 to 1
store = ""  # a folder that keeps every result, to go on from; "" keeps none
gpu_teraflops = 10.0  # of the GPU that the estimate is for, in 32 bits
results_path = ""  # where to write every result as JSON; "" writes nothing

# %%
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from lautum_utils.datasets import DatasetError
from lautum_utils.domains import common_shape, load_transfer_task
from lautum_utils.networks import NETWORKS
from lautum_utils.playground import Explorer
from lautum_utils.plots import accuracy_against_strength, gains, show_domains
from lautum_utils.sweeps import choose_strength, paired_difference, read_store, save_results, sweep
from lautum_utils.training import Experiment, replace, resolve_device

PROFILES = {
    "rehearsal": {
        "Fashion-MNIST to letters": Experiment(
            "fashion_mnist", "letters", network="cnn", steps=150
        ),
        "digits to letters": Experiment("digits", "letters", network="cnn", steps=150),
    },
    "full": {
        "MNIST to notMNIST": Experiment(
            "mnist", "notmnist_small", network="cnn", steps=4000, learning_rate=1e-3
        ),
        "CIFAR-10 to CIFAR-100": Experiment(
            "cifar10",
            "cifar100",
            network="large_cnn",
            steps=20_000,
            augment="mirrored",
            learning_rate=1e-3,
        ),
    },
}
where = resolve_device(device)
pd.set_option("display.width", 120)

# %% [markdown]
# ## What is known of the papers' settings
#
# | | known | ours |
# |---|---|---|
# | tasks | MNIST to notMNIST; CIFAR-10 to ten classes of CIFAR-100 | the same in `full`; which ten classes is not known to us: we name ours in `datasets.CIFAR100_CLASSES` |
# | labels | few target labels | 50, 100, 200 |
# | network, optimizer, steps, batch | not at hand | as printed below |
# | weight of the regularizer | not at hand | chosen on validation data, one for each number of labels and protocol |
# | what stands for the weights in $L$ | not at hand | features of the last hidden layer |
# | after pre-training | fine-tuning on the labelled target samples | both: fine-tuning, and a linear probe of frozen features |
# | accuracies | not at hand; none is printed here | ours, means over seeds with intervals |

# %%
tasks = {
    name: replace(e, shift=shift, severity=severity, steps=steps or e.steps)
    for name, e in PROFILES[profile].items()
}
print(
    pd.DataFrame(
        {
            name: {
                k: getattr(e, k)
                for k in (
                    "source",
                    "target",
                    "network",
                    "augment",
                    "steps",
                    "source_batch",
                    "target_batch",
                    "learning_rate",
                    "n_components",
                    "ridge",
                    "finetune_steps",
                )
            }
            for name, e in tasks.items()
        }
    ).to_string()
)


def is_there(name, e):
    """Whether the data of a task is here or can be downloaded; if not, a sentence says what to do."""
    try:
        common_shape(e.source, e.target)
        return True
    except DatasetError as error:
        print(f"\n{name} is left out: {error}")
        return False


tasks = {name: e for name, e in tasks.items() if is_there(name, e)}
assert tasks, "no task has its data: see above what is missing"

# %%
name, e = next(iter(tasks.items()))
task = load_transfer_task(e.source, e.target, e.shift, e.severity)
print(
    {
        part: tuple(getattr(task, part).inputs.shape)
        for part in ("source", "labelled", "validation", "test")
    },
    "unlabelled:",
    tuple(task.unlabelled.shape),
)
show_domains(
    {"source": task.source, "target": task.validation, "target test": task.test}, title=name
)
