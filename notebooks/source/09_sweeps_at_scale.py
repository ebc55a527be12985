# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 09 · Sweeps at scale: many experiments, many places
#
# One network takes seconds; the questions of notebook [06](06_semi_supervised_transfer.ipynb) take hundreds of networks. Here they are run so that nothing is lost when
# something breaks, in several processes and on a cluster; then one *batch* is spread over several devices, which is another matter.

# %% tags=["parameters"]
seeds = 4  # networks for each strength
strengths = [0.0, 1e-3]  # weights of the sweep
steps = 40  # of stage one
shifts = ["rotation", "blur"]  # what papermill gives to notebook 00, one after the other
workers = 2  # processes of a pool, and of a local cluster
ranks = 2  # processes that share one batch
batch = 240  # images of that batch
device = "auto"  # where the costs are measured; the rest runs on the CPU, whatever there is
results_path = ""  # where to write the largest differences as JSON; "" writes nothing

# %%
import json
import math
import multiprocessing.forkserver
import os
import platform
import runpy
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise, product
from pathlib import Path

# One thread each: small matrices gain nothing from more, and all processes share the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Processes are forked from a server, which imports once what they need, while this cell goes on.
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
context = multiprocessing.get_context(START)
context.set_forkserver_preload(["lautum_utils.results.sweeps", "distributed"])
if START == "forkserver":
    multiprocessing.forkserver.ensure_running()

from dataclasses import replace

import dask
import distributed
import pandas as pd
import papermill
import torch

import lautum_pages
from lautum_pages.page_09 import (
    draw_costs,
    draw_own_values,
    draw_places,
    draw_resumed,
    draw_silent_ranks,
)
from lautum_utils import (
    Experiment,
    Explorer,
    LautumRegularizer,
    grid,
    run,
    save_results,
    sweep,
)
from lautum_utils.results.store import versions
from lautum_utils.training.devices import resolve_device

torch.set_num_threads(1)
temporary = tempfile.TemporaryDirectory()  # all that this page writes: it goes with the kernel
folder = Path(temporary.name)
pd.set_option("display.width", 120)
differences = {}  # what has to be equal on this page, and by how much it is not


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def largest_difference(name, ours, theirs):
    """Keep the largest difference of two sweeps, in any accuracy."""
    columns = ["test_accuracy", "validation_accuracy", "source_accuracy"]
    gap = (ours.table[columns] - theirs.table[columns]).abs()
    differences[name] = float(gap.max(skipna=False).max())
    return differences[name]


# %% [markdown]
# ## A sweep and its store
#
# `sweep(experiments, store)` runs what the store does not hold yet and returns the results of them all. The store is a folder; each result goes there the moment it is there, as a file of its own.
#
# **Predict:** what does a file have to hold, so that a figure can be drawn from it in a year?

# %%
experiments = grid(Experiment(steps=steps), strength=strengths, seed=range(seeds))
started = time.perf_counter()
whole = sweep(experiments, folder / "whole", device="cpu", progress=False)
took = time.perf_counter() - started


def files(store):
    """The results of a store: when each was written, by name."""
    found = (folder / store).glob("[0-9a-f]*.json")
    return {path.name: path.stat().st_mtime_ns for path in found}


print(f"{len(experiments)} experiments, {len(files('whole'))} files, {took:.2f} s")
path = next((folder / "whole").glob("[0-9a-f]*.json"))
content = json.loads(path.read_bytes())
print(f"\n{path.name}, {path.stat().st_size} bytes:")
for name, value in content.items():
    if name == "history":
        value = {key: f"{len(curve)} numbers" for key, curve in value.items()}
    print(f"  {name}: {value}")

# %% [markdown]
# Everything that the result depends on, what came out, the curves of the training, and the versions that made it. The file's name is a hash of the experiment: the same experiment is never there twice. Reading a store takes pandas and one line:

# %%
store = folder / "whole"
table = pd.DataFrame(json.loads(path.read_bytes()) for path in Path(store).glob("[0-9a-f]*.json"))
print(table.groupby("strength")[["test_accuracy", "source_accuracy"]].agg(["mean", "count"]))

# %% [markdown]
# **Predict:** the same call again. And with one more seed?

# %%
for name, wanted in {
    "the same again": experiments,
    "one more seed": [*experiments, replace(experiments[0], seed=seeds)],
}.items():
    before, started = files("whole"), time.perf_counter()
    sweep(wanted, store, device="cpu", progress=False)
    took = time.perf_counter() - started
    print(f"{name}: {len(files('whole')) - len(before)} new files, {took:.2f} s")

# %% [markdown]
# ### Killed in the middle
#
# The same sweep in a process of its own, into an empty store. When half of the results are there, the process is killed (`SIGKILL`: it gets no chance to tidy up, as when a machine loses power or a job its time). Then we go on, here. (The button *Interrupt* is the mild form of the same.)
#
# **Predict:** how many results are lost, how many are run twice, and is the table the same as without the accident?

# %%
settings = {"device": "cpu", "stack_size": 1, "progress": False}
process = context.Process(target=sweep, args=(experiments, folder / "killed"), kwargs=settings)
process.start()
while process.is_alive() and len(files("killed")) < len(experiments) // 2:
    time.sleep(0.002)
killed = time.time_ns()
process.kill()
process.join()
print("exit code of the process:", process.exitcode)

kept = files("killed")
read = [json.loads((folder / "killed" / name).read_bytes())["test_accuracy"] for name in kept]
print(f"killed with {len(kept)} of {len(experiments)} results; whole files: {len(read)}")

resumed = sweep(experiments, folder / "killed", device="cpu", progress=False)
after = files("killed")
lost = sum(name not in after for name in kept)
again = sum(after[name] != written for name, written in kept.items() if name in after)
print(f"resumed: {len(after) - len(kept)} run, {again} run twice, {lost} lost")
gap = largest_difference("resumed", resumed, whole)
print("largest difference to the sweep that nobody killed:", gap)

# %%
began = min(after.values())
moments = sorted((written - began) / 1e9 for written in after.values())
draw_resumed(
    moments,
    (killed - began) / 1e9,
    f"Killed with {len(kept)} results, resumed with {len(moments) - len(kept)} more: {lost} lost",
)

# %% [markdown]
# The process ran its networks one by one (`stack_size=1`); the resumed sweep trains the missing ones side by side, so their results come together. That is why a kill loses time: what a stack has trained so far is not stored. Small stacks lose less; what large ones gain is in the last figure of this page.
#
# ### One that fails
#
# **Predict:** one experiment of a sweep asks for more principal components than an image has pixels. What happens to the others?

# %%
bad = replace(experiments[-1], n_components=10_000)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # sweep warns of each; we look at the table
    mixed = sweep([bad, *experiments], store, device="cpu", progress=False)
shown = mixed.table[["strength", "seed", "n_components", "test_accuracy", "error"]]
print(shown.tail(3).to_string(max_colwidth=70))
print(f"failed: {len(mixed.errors)}, in the store: {len(mixed)}")

# %% [markdown]
# The failure is a value in the column `error`, and in `mixed.errors`. It is not stored: after a repair the same call runs it again.
#
# ## A notebook as a function: papermill
#
# A sweep varies an `Experiment`. papermill varies a whole *notebook*: it puts a cell with your values after the cell tagged `parameters`, runs everything in a fresh kernel, and saves what it looked like. The notebooks of this suite write their results to `results_path`. So [00](00_start_here.ipynb) becomes a function of the shift:

# %%
places = [
    Path.cwd(),
    Path(lautum_pages.__file__).parent.parent,
]  # here, or beside the exercises
notebook = next(place / "00_start_here.ipynb" for place in places if list(place.glob("00_*.ipynb")))
known = papermill.inspect_notebook(str(notebook))
print("parameters of 00:", ", ".join(f"{name} = {known[name]['default']}" for name in known))


def results_of_00(shift):
    """Run notebook 00 with this shift, quickly; what it wrote."""
    results = folder / f"{shift}.json"
    values = {
        "shift": shift,
        "steps": 10,
        "seeds": 2,
        "strengths": [0.0, 1e-3],
        "severities": [1.0],
        "labels": 50,
        "device": "cpu",
        "results_path": str(results),
    }
    papermill.execute_notebook(
        str(notebook),
        str(folder / f"{shift}.ipynb"),
        values,
        cwd=str(notebook.parent),
        kernel_name="python3",
        progress_bar=False,
    )
    return json.loads(results.read_bytes())


started = time.perf_counter()
with ThreadPoolExecutor(2) as pool:  # threads that wait, each for a kernel
    collected = [row for rows_of_one in pool.map(results_of_00, shifts) for row in rows_of_one]
print(f"{len(shifts)} notebooks, {len(collected)} results, {time.perf_counter() - started:.0f} s\n")
table = pd.DataFrame(collected).drop_duplicates(["shift", "strength", "seed"])
print(table.pivot_table("test_accuracy", "shift", "strength", aggfunc=["mean", "count"]).round(3))

# %% [markdown]
# From a shell, one of them is `papermill 00_start_here.ipynb blur.ipynb -p shift blur -p results_path blur.json`. Which of the two? papermill for a page that you want to *look at* for each value; `sweep` for numbers, since it resumes and stacks.
#
# ## The same sweep in other places
#
# `sweep(experiments, store, executor)` takes any `concurrent.futures` executor. The workers get experiments and send results back; only *this* process writes to the store, so the workers need `lautum_utils` and no common disk. First here; then in a pool of processes; then on a Dask cluster, whose dashboard shows each job while it runs.
#
# **Predict:** how near to `workers` times as fast does it get? And will the accuracies be the same to the last digit?

# %%
# Seeds whose data nobody has loaded yet.
work = grid(Experiment(strength=1e-3, steps=steps), seed=range(100, 100 + 4 * workers))
swept, seconds_of = {}, {}


def measure(place, executor=None, started=None):
    """The sweep in a place: its results, and the seconds that starting and running take."""
    ready, settings = time.perf_counter(), {"device": "cpu", "stack_size": 2, "progress": False}
    swept[place] = sweep(work, folder / place, executor, **settings)
    seconds_of[place] = ready - (started or ready), time.perf_counter() - ready


measure("this process")

started = time.perf_counter()
with ProcessPoolExecutor(workers, context) as pool:
    for future in [pool.submit(versions) for _ in range(workers)]:
        future.result()  # a job before it counts: each worker has imported what it needs
    measure(f"{workers} processes", pool, started)

# %%
started = time.perf_counter()
dask.config.set({"distributed.worker.multiprocessing-method": START})
with (
    distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        local_directory=str(folder),
        silence_logs=50,  # critical messages only
    ) as cluster,
    distributed.Client(cluster) as client,
):
    print("dashboard, while the cluster lives:", cluster.dashboard_link)
    client.run(versions)
    measure(f"Dask, {workers} workers", client.get_executor(), started)

alone = swept["this process"]
for place, (start, took) in seconds_of.items():
    gap, same = (
        largest_difference(place, swept[place], alone),
        swept[place].table.equals(alone.table),
    )
    equal = f"equal to the first table: {same}, largest difference {gap}"
    print(f"{place:16} start {start:5.1f} s, sweep {took:5.1f} s; {equal}")

# %%
draw_places(seconds_of, workers)

# %% [markdown]
# On this machine the tables agree to the last digit, in whichever process and beside whichever network an experiment is trained. (Another kind of processor rounds in another way, and training amplifies that: results from two kinds agree as samples do, paired over seeds.) How far the speed-up stays below the number of workers depends on the machine and on what else it is doing. A sweep of seconds, as this one, can even be slower with workers: each of them draws the data anew and has one thread. The workers here start from a server that had imported PyTorch long before (the first cell started it: `forkserver`). A worker on another machine, or one that is started by `spawn`, has to import it first; so start a pool or a cluster once for many sweeps.
#
# ### On a cluster of machines
#
# Only the line that makes the cluster changes. With SLURM (package `dask-jobqueue`; `cluster.job_script()` shows what is submitted):
#
# ```python
# cluster = dask_jobqueue.SLURMCluster(cores=1, memory="4GB", walltime="01:00:00")
# cluster.scale(jobs=20)
# ```
#
# With Kubernetes (package `dask-kubernetes`, its operator installed in the cluster; the image has to hold `lautum_utils`):
#
# ```python
# cluster = dask_kubernetes.operator.KubeCluster(name="lautum", image="my-registry/lautum-lab:latest")
# cluster.scale(20)
# ```
#
# Then `client = distributed.Client(cluster)` and `sweep(experiments, store, client.get_executor())`, as above. A worker that runs out of its time costs the jobs that it was working on: Dask gives them to another.
#
# ## One batch on several devices
#
# So far each network lived in one process. When a single network is trained on several devices, each of them (each *rank*) sees its part of the batch, and the gradients are averaged. For the cross-entropy that is right: it is a mean over images. $L$ is not. It comes from the *covariance of the batch*, and that is not the mean of the covariances of its parts. What does add up over ranks are the statistics that it is made of: the number of rows, their sum, and their second moments,
#
# $$n = \sum_j n_j, \qquad s = \sum_j s_j, \qquad Q = \sum_j Q_j, \qquad \Sigma = \frac{Q - s s^\top / n}{n - 1}.$$
#
# We take Gaussian $z$ and $u$, so that the truth is known, and split a batch of `batch` rows into 4: as it comes, and sorted by the first coordinate (as when every device reads a file of its own).
#
# **Predict:** for which of the two is the mean of the covariances further from the covariance of the batch?

# %%
K, R, RIDGE, RHO = 8, 16, 1e-2, 0.6  # K pairs with correlation RHO; R - K coordinates are noise
generator = torch.Generator().manual_seed(0)
u = normal(generator, 100, batch, R)  # 100 batches
z = RHO * u[..., :K] + math.sqrt(1 - RHO**2) * normal(generator, 100, batch, K)
regularizer = LautumRegularizer(u.flatten(0, 1), R, RIDGE)
u = regularizer.project(u.flatten(0, 1)).view_as(u)


def nats(rho, ridge=RIDGE):
    """The true L of z with noise: K pairs."""
    t = rho**2 / (1 + ridge)
    return K * (math.log1p(-t) / 2 + t / (1 - t))


joined = torch.cat((z[0], u[0]), 1)
wanted = joined.mT.cov()


def relative(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


for name, order in (("as it comes", torch.arange(batch)), ("sorted", u[0, :, 0].argsort())):
    parts = joined[order].tensor_split(4)
    n, s, q = (
        sum(values) for values in zip(*((len(x), x.sum(0), x.mT @ x) for x in parts), strict=True)
    )
    added = (q - torch.outer(s, s) / n) / (n - 1)
    differences[f"statistics, {name}"] = relative(added, wanted)
    mean = sum(x.mT.cov() for x in parts) / len(parts)
    print(f"{name}: the batch's covariance is missed by", end=" ")
    print(f"{relative(mean, wanted):.1%} (mean of four covariances),", end=" ")
    print(f"{differences[f'statistics, {name}']:.0e} (added statistics)")

# %% [markdown]
# The covariance of a part says nothing of how far the *means* of the parts lie apart.
#
# A mean of four $L$ is worse, even where the covariances nearly do: each comes from a quarter of the rows, and $L$ from few rows is too large (notebook [03](03_gaussian_lautum.ipynb)). Averaging does not help, because all are too large. **Predict:** from one rank to sixteen, by what factor does the mean of the ranks' $L$ grow? And the gradient: does it at least point the right way?

# %%
counts = [count for count in (1, 2, 4, 8, 16) if batch // count >= 2]
z.requires_grad_()
exact = regularizer(z, u)
(exact_gradient,) = torch.autograd.grad(exact.sum(), z)
means, cosines, reach = [], [], []
for count in counts:
    size = batch // count  # rows of each rank; the few that are left over are not looked at
    part_z, part_u = (x[:, : size * count].unflatten(1, (count, size)) for x in (z, u))
    values = regularizer(part_z, part_u).mean(1)  # the mean over ranks
    (gradient,) = torch.autograd.grad(values.sum(), z)
    cosine = torch.cosine_similarity(gradient.flatten(1), exact_gradient.flatten(1))
    means.append(values.mean().item())
    reach.append(1.96 * values.std().item() / 10)
    cosines.append(round(cosine.mean().item(), 3) + 0.0)  # no -0.00
z = z.detach()

joined_mean = exact.mean().item()
for count, value, cosine in zip(counts, means, cosines):
    print(f"{count:2} ranks: mean of L {value:7.2f} nats, cosine of the gradients {cosine:.2f}")
print(f"joined batch: {joined_mean:.2f} nats, truth {nats(RHO):.2f}")
rows = {count: batch // count for count in counts}
draw_silent_ranks(rows, (means, reach), cosines, joined_mean, nats(RHO))

# %% [markdown]
# So the ranks have to talk. `LautumRegularizer(..., group=torch.distributed.group.WORLD)` adds up $n$ and $s$ over the ranks, centres, then adds up the second moments (centred first, because $Q - ss^\top/n$ cancels in float32). That is $k^2 + kr + r^2$ numbers, whatever the batch. Every rank then holds the value of the joined batch.
#
# Here is a whole script for `torchrun`, from the import to the last step. (Each rank needs the same inputs to whiten with, and one call of the wrapped network a step.)

# %%
SCRIPT = '''"""Train one network on several ranks: torchrun --nproc-per-node 2 train.py BATCH OUTPUT"""

import json
import sys

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lautum_utils import LautumRegularizer

STRENGTH, STEPS = 1e-3, 5


class Network(nn.Module):
    """Logits of source images and features of target images, in one call."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
        self.head = nn.Linear(8, 10)

    def forward(self, source, target):
        return self.head(self.features(source)), self.features(target)


def train(dtype, batch, source_rows, target_rows, group=None, talk=True, weighted=False):
    """Train on these rows of each batch: value and gradient of L at the first step, parameters after the last."""
    ranks = group.size() if group else 1
    images, labels = (torch.as_tensor(x) for x in load_digits(return_X_y=True))
    images = images.to(dtype) / 16
    regularizer = LautumRegularizer(images, 8, ridge=0.1, group=group if talk else None)
    torch.manual_seed(0)  # the same first weights and the same batches on every rank
    network = Network().to(dtype)
    model = DistributedDataParallel(network, process_group=group) if group else network
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    at_start = None  # value and gradient
    for _ in range(STEPS):
        source, target = torch.randint(len(images), (2, batch))
        source, target = source[source_rows], target[target_rows]
        logits, z = model(images[source], images[target])
        value = regularizer(z, regularizer.project(images[target]))
        if at_start is None:  # autograd gives the gradient of the sum of what all ranks ask for
            (gradient,) = torch.autograd.grad(value, z, retain_graph=True)
            at_start = value.item(), (gradient / ranks).tolist()
        weight = ranks * len(source) / batch if weighted else 1
        loss = weight * F.cross_entropy(logits, labels[source]) - STRENGTH * value
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return *at_start, torch.cat([p.detach().flatten() for p in network.parameters()]).tolist()


def main(batch, output):
    distributed.init_process_group("gloo")  # "nccl" on GPUs
    group, rank = distributed.group.WORLD, distributed.get_rank()
    ranks, rows = group.size(), torch.arange(batch)
    equal = rows.chunk(ranks)[rank]
    cuts = [batch * i * (i + 1) // (ranks * (ranks + 1)) for i in range(1, ranks)]
    unequal = rows.tensor_split(cuts)[rank]  # shares as 1 : 2 : 3 ...
    cases = {
        "equal": (equal, unequal, group),
        "equal, no group": (equal, unequal, group, False),
        "unequal": (unequal, unequal, group),
        "unequal, weighted": (unequal, unequal, group, True, True),
    }
    results = {}
    for dtype in (torch.float64, torch.float32):
        for name, case in cases.items():
            value, gradient, parameters = train(dtype, batch, *case)
            parts = [None] * ranks
            distributed.all_gather_object(parts, gradient)
            gradient = [row for part in parts for row in part]
            results[f"{str(dtype)[6:]}, {name}"] = value, gradient, parameters
    if rank == 0:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(results, file)
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
'''

# %% [markdown]
# In all its cases the target rows are split as 1 : 2 : .... The source rows are split equally in the first two cases, the second of which leaves out the `group`; then as 1 : 2 : ..., without a weight and with one. `DistributedDataParallel` gives every rank the same weight. **Predict:** in which of the four does it train the network that one process gets from the whole batch?

# %%
script = folder / "train.py"
script.write_text(SCRIPT, encoding="utf-8")
together = batch - batch % ranks  # so that equal parts are equal
command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
command += [f"--nproc-per-node={ranks}", str(script), str(together), str(folder / "ranks.json")]
started = time.perf_counter()
done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
if done.returncode:
    raise RuntimeError(done.stderr[-3000:])
print(f"torchrun with {ranks} ranks: {time.perf_counter() - started:.1f} s")

# %%
train = runpy.run_path(str(script))["train"]  # the same function, in this process
answers = json.loads((folder / "ranks.json").read_bytes())
rows = torch.arange(together)
table = []
# What has to be the same.
expected = set(product(("equal", "unequal", "unequal, weighted"), ("value", "gradient")))
expected |= {("equal", "parameters"), ("unequal, weighted", "parameters")}
for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
    name = str(dtype)[6:]
    alone = train(dtype, together, rows, rows)
    value, gradient, parameters = train(dtype, together, rows.flip(0), rows.flip(0))
    cases = {key.split(", ", 1)[1]: answers[key] for key in answers if key.startswith(name)}
    cases["one process, rows reversed"] = value, gradient[::-1], parameters
    for case, answer in cases.items():
        gaps = [
            relative(*(torch.tensor(x, dtype=torch.float64, device="cpu") for x in pair))
            for pair in zip(answer, alone)
        ]
        line = {"": name, "case": case}
        for what, gap in zip(("value", "gradient", "parameters"), gaps):
            line[what] = f"{gap:.0e}" + (" (!)" if gap > limit else "    ")
            if dtype == torch.float64 and (case, what) in expected:
                differences[f"{what}, {case}"] = gap
        table.append(line)
print("relative differences to one process with the whole batch; (!): above", end=" ")
print("1e-12 in float64, 1e-5 in float32\n")
print(pd.DataFrame(table).to_string(index=False))

# %% [markdown]
# With the `group`, value and gradient of $L$ are those of the whole batch, however its rows are split. In float32 they differ in their last digits; so they do within one process when the rows come in another order (last line), since float32 adds up in another order then.
#
# The trained network is the same in two cases. Without the `group` each rank climbs its own $L$. And when the *source* parts are unequal, a plain average gives the images of a small part more weight: the cure is to multiply the cross-entropy of a rank by `ranks * len(source) / batch`. The term of $L$ needs no weight.
#
# On GPUs it is `init_process_group("nccl")`, and network and data go `.to(f"cuda:{os.environ['LOCAL_RANK']}")`. On one machine with eight, and on each of four such machines:
#
# ```shell
# torchrun --standalone --nproc-per-node=8 train.py 4096 out.json
# torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=FIRST_MACHINE:29500 train.py 4096 out.json
# ```
#
# ### With sliders
#
# The rows are drawn once; the sliders split them and mix them. **Try this:** find a batch for which four ranks on their own are good enough. Then set the correlation to 0: what do sixteen ranks see?

# %%
generator = torch.Generator().manual_seed(1)
pool_u, pool_e = normal(generator, 1024, R), normal(generator, 1024, K)
whitened = LautumRegularizer(pool_u, R, RIDGE)
pool_v = whitened.project(pool_u)
SPLITS = [1, 2, 4, 8, 16]


def own_values(z, v, count):
    """The L that each of `count` ranks finds in its own rows."""
    return whitened(*(x.unflatten(0, (count, -1)) for x in (z, v)), validate_args=False)


def draw_ranks(ranks=4, rows=256, correlation=0.6):
    """Left: L of each rank's own rows, in nats; right: their mean against the number of ranks. The line is L of the joined batch,
    the dots are the truth."""
    mixed = correlation * pool_u[:, :K] + math.sqrt(1 - correlation**2) * pool_e
    z, v, truth = mixed[:rows], pool_v[:rows], nats(correlation)
    values = {count: own_values(z, v, count) for count in SPLITS}
    joined, mean = values[1].item(), values[ranks].mean().item()
    title = (
        f"{ranks} x {rows // ranks} rows: the ranks see {mean:.3g} nats on average, "
        f"their batch has {joined:.3g}, the truth is {truth:.3g}"
    )
    return draw_own_values(values, ranks, joined, truth, title)


explorer_ranks = Explorer(
    draw_ranks, ranks=SPLITS, rows=[64, 128, 256, 512, 1024], correlation=(0.0, 0.9, 0.1)
)
explorer_ranks

# %%
draw_ranks(ranks=8, rows=256, correlation=0.6)

# %% [markdown]
# ## How does the cost grow?
#
# What a step costs decides what is worth spreading. **Predict:** of these four, which hardly matters for the time of the regularizer in a training step: the pixels $d$ of an image, the features $k$, the components $r$, the rows of a batch? And is a network in a stack of sixteen cheaper than alone?

# %%
where = resolve_device(device)


def fastest(work, enough=0.03):
    """The least milliseconds of a call, after a first one that does not count."""
    work()
    best, end = math.inf, time.perf_counter() + enough
    while time.perf_counter() < end or best == math.inf:
        started = time.perf_counter()
        work()
        best = min(best, 1000 * (time.perf_counter() - started))
    return best


def costs(d=256, k=64, r=32, n=256):
    """Milliseconds of whitening once, of projecting a batch, and of value and gradient."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(max(n, 512), d, generator=generator).to(where)
    z = torch.randn(n, k, generator=generator).to(where).requires_grad_()
    started = time.perf_counter()
    regularizer = LautumRegularizer(images, r)
    once = 1000 * (time.perf_counter() - started)
    projected = regularizer.project(images[:n])

    def step():
        value = regularizer(z, projected, validate_args=False)
        torch.autograd.grad(value, z)[0].sum().item()  # item() waits for a GPU

    return once, fastest(lambda: regularizer.project(images[:n]).sum().item()), fastest(step)


def step_of_a_stack(models):
    """Milliseconds of the quickest training step with the term, of so many networks, for each."""
    moments = []
    # One data set, and next to no stage two.
    quick = Experiment(steps=15, every=1, labels=10, protocol="finetune", finetune_steps=1)
    stack = grid(quick, strength=[1e-4 * (i + 1) for i in range(models)])

    def watch(now):
        if now.stage == "stage one":
            moments.append(time.perf_counter())

    run(stack, where, progress=False, callback=watch)
    return 1000 * min(b - a for a, b in pairwise(moments)) / models


# %%
pixels, rows = [64, 256, 1024, 4096], [64, 256, 1024, 4096]
sizes, stacks = [16, 32, 64, 128, 256], [1, 2, 4, 8, 16]
whitening, projecting, by_d = zip(*(costs(d=d) for d in pixels))
by_k = [costs(k=k)[2] for k in sizes]
by_r = [costs(r=r)[2] for r in sizes]
by_n = [costs(n=n)[2] for n in rows]
by_stack = [step_of_a_stack(models) for models in stacks]
print(f"on {where}, {torch.get_num_threads()} threads, {os.cpu_count()} CPUs;", end=" ")
print(f"Python {platform.python_version()}, torch {torch.__version__}, dask {dask.__version__}")
for name, values in (
    ("d, once projected", by_d),
    ("features k", by_k),
    ("components r", by_r),
    ("rows n", by_n),
    ("stacked networks", by_stack),
):
    print(f"{name:18} from smallest to largest: {values[0]:.2f} to {values[-1]:.2f} ms")

# %%
of_pixels = {
    "value + gradient": by_d,
    "projecting a batch": projecting,
    "whitening, once": whitening,
}
draw_costs(
    {
        "pixels d of an image": (pixels, of_pixels),
        "features k, components r": (
            sizes,
            {"features k (r = 32)": by_k, "components r (k = 64)": by_r},
        ),
        "rows n of a batch": (rows, {"value + gradient": by_n}),
        "networks in a stack": (stacks, {"a training step": by_stack}),
    },
    f"Value and gradient: {by_d[-1] / by_d[0]:.1f} times the time for 64 times the pixels, "
    f"{by_n[-1] / by_n[0]:.1f} times for 64 times the rows;\n"
    f"in a stack of {stacks[-1]} a network takes {by_stack[-1] / by_stack[0]:.0%} of its time alone",
)

# %%
if results_path:
    found = [{"name": name, "difference": value} for name, value in differences.items()]
    save_results(found, results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - A sweep is a list of experiments and a folder. Killed in the middle it loses no result, and the same call goes on; a failure is a row of the table.
# - papermill makes a function of a notebook; `results_path` is what it returns.
# - An executor moves a sweep to other processes and leaves every digit where it was; on machines with another kind of processor results agree as samples do. What starting the workers takes is hatched.
# - On several devices the statistics add up, and neither the covariances nor $L$ do. With a `group` the value, the gradient and the trained network are those of one process, up to rounding; unequal source batches need a weight on the cross-entropy.
# - Once the inputs are projected, the time of the regularizer in a step does not depend on their size.
#
# ## Limits
#
# One machine, a small network, processes in place of devices: what the network between real ones costs is not measured. The times are of one run, beside whatever else the machine was doing. No SLURM and no Kubernetes was at hand: what their packages do with the lines above is in their documentation, not in an output here.
#
# ## References
#
# - M. Rocklin, *Dask: Parallel Computation with Blocked algorithms and Task Scheduling*, SciPy 2015.
# - S. Li et al., *PyTorch Distributed: Experiences on Accelerating Data Parallel Training*, VLDB 2020.
# - T. Chan, G. Golub, R. LeVeque, *Algorithms for Computing the Sample Variance*, The American Statistician 37(3), 1983.
