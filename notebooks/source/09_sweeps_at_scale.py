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
# One network takes seconds. The questions of notebook [06](06_semi_supervised_transfer.ipynb) take hundreds of networks. They can be trained in several places, and nothing is lost when
# something breaks: that is the first half. The second half spreads *one* batch over several devices. That is another matter, as the first picture says.

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
from lautum_pages.parameters import read_parameters

read_parameters("09", globals())  # silent, unless a value above cannot work

# %%
import json
import math
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import papermill
import torch
from distributed import Client
from lautum_pages import check, page_09, page_09_costs
from lautum_pages import page_09_work as work

from lautum_utils import Experiment, Explorer, LautumRegularizer, grid, save_results, sweep
from lautum_utils.results.store import versions
from lautum_utils.training.devices import resolve_device

page_09.draw_idea()

# %% [markdown]
# ## A sweep and its store
#
# `sweep(experiments, store)` runs what the store does not hold yet and returns the results of all. The store is a folder. Each result goes there as a file of its own, the moment it is there.
#
# **Predict:** what must a file hold, so that a figure can be drawn from it in a year?

# %%
context = work.ready_workers()  # how processes are started, further down
temporary = tempfile.TemporaryDirectory()  # all that this page writes goes with the kernel
folder = Path(temporary.name)
differences = {}  # what has to be equal on this page, and by how much it is not
quietly = {"device": "cpu", "progress": False}

experiments = grid(Experiment(steps=steps), strength=strengths, seed=range(seeds))
whole = sweep(experiments, folder / "whole", **quietly)
work.held_by(folder / "whole")

# %% [markdown]
# Everything that the result depends on, what came out, the curves of the training, and the versions that made it. The file's name is a hash of the experiment, so the same experiment is never there twice.
# To read a store takes pandas and one line: `pd.DataFrame(json.loads(path.read_bytes()) for path in folder.glob("*.json"))`.
#
# **Predict:** we call the same sweep again, then with one more seed. How many networks train?


# %%
def new_files(wanted):
    """How many results a sweep adds to the store."""
    before = work.written(folder / "whole")
    sweep(wanted, folder / "whole", **quietly)
    return len(work.written(folder / "whole")) - len(before)


print("the same again:", new_files(experiments), "networks")
one_more = [*experiments, replace(experiments[0], seed=seeds)]
print("one more seed:", new_files(one_more), "network")

# %% [markdown]
# ### Killed in the middle
#
# Now the same sweep in a process of its own, into an empty store. When half of the results are there, the process is killed. It gets no chance to tidy up (`SIGKILL`): so it is when a machine loses power, or when a job has used up its time. Then we go on, here.
#
# **Predict:** how many results are lost? How many networks are trained twice? Is the table the same as without the accident?

# %%
half = len(experiments) // 2
killed, exit_code = work.sweep_and_kill(context, experiments, folder / "killed", half)
kept = work.written(folder / "killed")
print(f"exit code {exit_code}, results in the store: {len(kept)} of {len(experiments)}")

# %%
resumed = sweep(experiments, folder / "killed", **quietly)
after = work.written(folder / "killed")
lost = sum(name not in after for name in kept)
again = sum(after.get(name, moment) != moment for name, moment in kept.items())
differences["resumed"] = work.largest_difference(resumed, whole)
print(f"{lost} lost, {again} trained twice; largest difference: {differences['resumed']}")
title = f"Killed with {len(kept)} results, {len(after) - len(kept)} more since: {lost} lost"
page_09.draw_resumed(after, killed, title)

# %% [markdown]
# The process trained its networks one by one. The resumed sweep trains the missing ones side by side (a *stack*), so their results come together. A kill costs the time of the stack that was training. Small stacks lose less; what large ones gain is in the last figure of this page.
#
# ### One that fails
#
# **Predict:** one experiment asks for more principal components than an image has pixels. What happens to the others?

# %%
bad = replace(experiments[-1], n_components=10_000)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # sweep warns of each; we look at the table
    mixed = sweep([bad, *experiments], folder / "whole", **quietly)
print(f"failed: {len(mixed.errors)}, in the store: {len(mixed)}")
mixed.table[["strength", "seed", "n_components", "test_accuracy", "error"]].tail(3)

# %% [markdown]
# The failure is a value in the column `error`. It is not stored: after a repair the same call runs it again.
#
# ### Exercise 9.1 · Mend an interrupted sweep (easy, 5 minutes)
#
# A colleague sends a table from a cluster that was switched off. `missing_runs(wanted, stored)` says which runs are still to be done. `wanted` is a list of runs (strength, seed). `stored` is a `dict`: the accuracy of each run in the table, `nan` for a run that failed.
# Return the places in `wanted`, counted from 0, as a list in rising order.
#
# <details><summary>Hint 1 of 2</summary>
#
# A run is done if it is in the table *and* its accuracy is a number. `enumerate(wanted)` gives the place of each run.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `stored.get(run, math.nan)` is `nan` for both kinds of missing runs, and `math.isnan` asks for it.
#
# </details>


# %%
def missing_runs(wanted, stored):
    """The places in `wanted` of the runs that are still to be done."""
    ### BEGIN SOLUTION
    return [i for i, run in enumerate(wanted) if math.isnan(stored.get(run, math.nan))]
    ### END SOLUTION


check("missing_runs", missing_runs)

# %% [markdown]
# ## A notebook as a function: papermill
#
# A sweep varies an `Experiment`. papermill varies a whole *notebook*: it puts a cell with your values after the cell tagged `parameters`, runs everything in a fresh kernel, and saves what it looked like. The notebooks of this suite write their results to `results_path`. So [00](00_start_here.ipynb) becomes a function of the shift:

# %%
notebook = work.notebook_here("00_start_here.ipynb")
small = {"steps": 10, "seeds": 2, "strengths": [0.0, 1e-3], "severities": [1.0], "labels": 50}


def results_of_00(shift):
    """Run notebook 00 with this shift, quickly; what it wrote."""
    wrote, looked = folder / f"{shift}.json", folder / f"{shift}.ipynb"
    values = small | {"shift": shift, "device": "cpu", "results_path": str(wrote)}
    how = {"cwd": str(notebook.parent), "kernel_name": "python3", "progress_bar": False}
    papermill.execute_notebook(str(notebook), str(looked), values, **how)
    return json.loads(wrote.read_bytes())


with ThreadPoolExecutor(2) as pool:  # threads that wait, each for a kernel
    of_notebooks = list(pool.map(results_of_00, shifts))
rows = pd.DataFrame([row for of_one in of_notebooks for row in of_one])
rows = rows.drop_duplicates(["shift", "strength", "seed"])
rows.pivot_table("test_accuracy", "shift", "strength", aggfunc=["mean", "count"]).round(3)

# %% [markdown]
# From a shell, one of them is `papermill 00_start_here.ipynb blur.ipynb -p shift blur -p results_path blur.json`. Which of the two? Take papermill for a page that you want to *look at* for each value, and `sweep` for numbers: it resumes, and it trains networks side by side.
#
# ## The same sweep in other places
#
# `sweep(experiments, store, executor)` takes any `concurrent.futures` executor. The workers get experiments and send results back. Only *this* process writes to the store, so the workers need `lautum_utils` and no common disk. First here, then in a pool of processes, then on a Dask cluster, whose dashboard shows each job.
#
# **Predict:** with `workers` workers, how many times as fast is it? Are the accuracies the same to the last digit?

# %%
# Seeds whose data nobody has loaded yet.
jobs = grid(Experiment(strength=1e-3, steps=steps), seed=range(100, 100 + 4 * workers))
swept, seconds_of = {}, {}


def measure(place, executor=None, began=None):
    """The sweep in a place: its results, and the seconds that starting and running take."""
    ready = time.perf_counter()
    swept[place] = sweep(jobs, folder / place, executor, stack_size=2, **quietly)
    seconds_of[place] = ready - (began or ready), time.perf_counter() - ready


measure("this process")

# %%
began = time.perf_counter()
with ProcessPoolExecutor(workers, context) as pool:
    for job in [pool.submit(versions) for _ in range(workers)]:
        job.result()  # a job before it counts: each worker has imported what it needs
    measure(f"{workers} processes", pool, began)

# %%
began = time.perf_counter()
with work.local_cluster(workers, folder, context) as cluster, Client(cluster) as client:
    client.run(versions)
    measure(f"Dask, {workers} workers", client.get_executor(), began)

for place, results in swept.items():
    differences[place] = work.largest_difference(results, swept["this process"])
    print(f"{place}: largest difference to this process {differences[place]}")
page_09.draw_places(seconds_of, workers)

# %% [markdown]
# On this machine the tables agree to the last digit, wherever an experiment is trained and whatever is trained beside it. Another kind of processor rounds in another way, and training amplifies that: results from two kinds agree as samples do, paired over seeds.
#
# How far the speed-up stays below the number of workers depends on the machine, and on what else it is doing. A sweep of seconds, as this one, can even be slower with workers: each draws the data anew and has one thread. A worker on another machine has to import PyTorch first. So start a pool or a cluster once, for many sweeps.
#
# <details><summary>On a cluster of machines: SLURM, Kubernetes</summary>
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
# Then `client = Client(cluster)` and `sweep(experiments, store, client.get_executor())`, as above. A worker that runs out of its time costs the jobs that it was working on: Dask gives them to another.
#
# </details>
#
# ### Exercise 9.2 · Budget an experiment (easy, 5 minutes)
#
# Before you start a sweep, you want to know when it ends. `hours(tasks, strengths, seeds, seconds, start, workers)`: each task is run at each strength with each seed, and one run takes `seconds`. All workers start together, once, which takes `start` seconds; then each runs one network at a time. How many hours until the last result?
#
# <details><summary>Hint 1 of 2</summary>
#
# The runs go in rounds of `workers`. The last round takes as long as the others, even if some workers have nothing left to do.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# `math.ceil(runs / workers)` rounds. Add the start, and divide by the seconds of an hour.
#
# </details>


# %%
def hours(tasks, strengths, seeds, seconds, start, workers):
    """Hours until the last result of a sweep is there."""
    ### BEGIN SOLUTION
    rounds = math.ceil(tasks * strengths * seeds / workers)
    return (start + rounds * seconds) / 3600
    ### END SOLUTION


check("hours", hours)

# %% [markdown]
# ## One batch on several devices
#
# So far each network lived in one process. When *one* network is trained on several devices, each device (each *rank*) sees its part of the batch, and the gradients are averaged. For the cross-entropy that is right, because it is a mean over images. The Lautum information $L$ is no mean over images. It comes from the *covariance of the batch*, and that is not the mean of the covariances of the parts.
#
# What does add up over ranks $j$ is what the covariance $\Sigma$ is made of: the number of rows $n$, their sum $s$, and their second moments $Q$ (the sum of $x x^\top$ over the rows $x$):
#
# $$n = \sum_j n_j, \qquad s = \sum_j s_j, \qquad Q = \sum_j Q_j, \qquad \Sigma = \frac{Q - s s^\top / n}{n - 1}.$$
#
# We draw Gaussian $z$ and $u$, so that the truth is known, and split a batch of `batch` rows into 4: once as it comes, once sorted by the first coordinate (as when every device reads a file of its own).
#
# **Predict:** for which of the two is the mean of the covariances further from the covariance of the batch?

# %%
K, R, RIDGE, RHO = 8, 16, 1e-2, 0.6  # K pairs with correlation RHO; R - K coordinates are noise
generator = torch.Generator().manual_seed(0)
u = work.normal(generator, 100, batch, R)  # 100 batches
z = RHO * u[..., :K] + math.sqrt(1 - RHO**2) * work.normal(generator, 100, batch, K)
regularizer = LautumRegularizer(u.flatten(0, 1), R, RIDGE)
u = regularizer.project(u.flatten(0, 1)).view_as(u)

# %%
rows = torch.cat((z[0], u[0]), 1)
whole_cov, missed = rows.mT.cov(), {}
for name, order in (("as it comes", torch.arange(batch)), ("sorted", u[0, :, 0].argsort())):
    parts = rows[order].tensor_split(4)
    s, q = sum(x.sum(0) for x in parts), sum(x.mT @ x for x in parts)
    added = (q - torch.outer(s, s) / batch) / (batch - 1)
    mean = sum(x.mT.cov() for x in parts) / 4
    missed[name] = work.relative(mean, whole_cov)
    differences[f"statistics, {name}"] = work.relative(added, whole_cov)

print(f"mean of four covariances, as it comes: off by {missed['as it comes']:.0%}")
print("added statistics: off by less than 1e-12:", max(list(differences.values())[-2:]) < 1e-12)
title = f"Sorted rows: the mean of four covariances is off by {missed['sorted']:.0%}"
page_09.draw_covariances(whole_cov, {"mean of four": mean, "from added statistics": added}, title)

# %% [markdown]
# The covariance of a part does not say how far the *means* of the parts lie apart. Where the rows are sorted, those means hold nearly all of the first coordinate's variance.
#
# ### Exercise 9.3 · Combine two devices (medium, 10 minutes)
#
# Two devices send you the number of their rows, the mean $(k,)$ and the covariance $(k, k)$, which divides by the number of rows minus 1. `combine(n_a, mean_a, cov_a, n_b, mean_b, cov_b)` returns the covariance of all rows together, again divided by their number minus 1.
#
# <details><summary>Hint 1 of 2</summary>
#
# Add sums of squares, not covariances: $(n_a - 1)\,\Sigma_a$ are the squares around the mean of the first part. What is missing are the squares of the two means around the mean of the batch.
#
# </details>
#
# <details><summary>Hint 2 of 2</summary>
#
# With $d$ the difference of the two means, these are $\frac{n_a n_b}{n_a + n_b}\, d\, d^\top$: `torch.outer(d, d)`.
#
# </details>


# %%
def combine(n_a, mean_a, cov_a, n_b, mean_b, cov_b):
    """The covariance (k, k) of the rows of both devices."""
    ### BEGIN SOLUTION
    d = mean_a - mean_b
    within = (n_a - 1) * cov_a + (n_b - 1) * cov_b
    return (within + n_a * n_b / (n_a + n_b) * torch.outer(d, d)) / (n_a + n_b - 1)
    ### END SOLUTION


check("combine", combine)

# %% [markdown]
# ### Ranks that do not talk
#
# What if each rank uses the $L$ of its own rows, and we take the mean? Each value comes from few rows, and $L$ from few rows is too large (notebook [03](03_gaussian_lautum.ipynb)). A mean does not help, because all are too large.
#
# **Predict:** from one rank to sixteen, by what factor does the mean of the ranks' $L$ grow? Does its gradient at least point the right way?


# %%
def truth(rho):
    """The true L of z with its noise and u, in nats: K pairs with correlation rho."""
    t = rho**2 / (1 + RIDGE)
    return K * (math.log1p(-t) / 2 + t / (1 - t))


def mean_of_ranks(z, u, count):
    """The mean over so many ranks of the L of their own rows, for each batch, and its gradient."""
    size = batch // count  # the few rows that are left over are not looked at
    z = z.clone().requires_grad_()
    parts = [x[:, : size * count].unflatten(1, (count, size)) for x in (z, u)]
    values = regularizer(*parts, validate_args=False).mean(1)
    return values.detach(), torch.autograd.grad(values.sum(), z)[0].flatten(1)


counts = [count for count in (1, 2, 4, 8, 16) if batch // count >= 2]
own = {count: mean_of_ranks(z, u, count) for count in counts}

# %%
joined, gradient = own[1]
means = [values.mean().item() for values, _ in own.values()]
reach = [1.96 * values.std().item() / 10 for values, _ in own.values()]
cosines = [torch.cosine_similarity(g, gradient).mean().item() for _, g in own.values()]
sizes = {count: batch // count for count in counts}
page_09.draw_silent_ranks(sizes, (means, reach), cosines, joined.mean().item(), truth(RHO))

# %% [markdown]
# ### Ranks that talk
#
# `LautumRegularizer(..., group=torch.distributed.group.WORLD)` adds up $n$ and $s$ over the ranks, centres, then adds up the second moments. (Centred first, because $Q - ss^\top/n$ cancels in float32.) That is $k^2 + kr + r^2$ numbers for $k$ features and $r$ components, whatever the batch. Then every rank holds the value of the whole batch.
#
# [train_on_ranks.py](lautum_pages/train_on_ranks.py) is a whole script for `torchrun`, from the import to the last step. Its core:
#
# ```python
# regularizer = LautumRegularizer(images, 8, ridge=0.1, group=group)
# model = DistributedDataParallel(network, process_group=group)
# ...
# logits, z = model(images[source], images[target])
# value = regularizer(z, regularizer.project(images[target]))
# loss = weight * F.cross_entropy(logits, labels[source]) - STRENGTH * value
# ```
#
# It trains in four ways. The target rows are always split as 1 : 2 : .... The source rows are split equally in the first two ways, the second of which leaves out the `group`; then as 1 : 2 : ..., without a `weight` and with one. `DistributedDataParallel` gives every rank the same weight.
#
# **Predict:** in which of the four is the trained network the one that a single process gets from the whole batch?

# %%
together = batch - batch % ranks  # so that equal parts are equal
work.torchrun(ranks, together, folder / "ranks.json")
gaps = work.compared(folder / "ranks.json", together)
exact = gaps["float64"].drop(columns="parameters").drop(index="equal, no group")
differences["value, gradient"] = exact.to_numpy().max()
trained = gaps.loc[["equal", "unequal, weighted"], ("float64", "parameters")]
differences["parameters"] = trained.max()
page_09.draw_equal(gaps, work.LIMITS)

# %% [markdown]
# With the `group`, value and gradient of $L$ are those of the whole batch, however its rows are split. In float32 the last digits differ; so they do within one process when the rows come in another order (last line), since float32 adds up in another order then.
#
# The trained network is the same in two ways. Without the `group` each rank climbs its own $L$. And where the *source* parts are unequal, a plain average gives the images of a small part more weight. The cure: multiply the cross-entropy of a rank by `ranks * len(source) / batch`. The term of $L$ needs no weight.
#
# <details><summary>On GPUs, and on several machines</summary>
#
# `init_process_group("nccl")`, and network and data go `.to(f"cuda:{os.environ['LOCAL_RANK']}")`. On one machine with eight GPUs, and on each of four such machines:
#
# ```shell
# torchrun --standalone --nproc-per-node=8 train_on_ranks.py 4096 out.json
# torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=FIRST_MACHINE:29500 train_on_ranks.py 4096 out.json
# ```
#
# </details>
#
# ### With sliders
#
# The rows are drawn once; the sliders split them and mix them. **Try this:** find a batch for which four ranks on their own are good enough. Then set the correlation to 0: what do sixteen ranks see?

# %%
generator = torch.Generator().manual_seed(1)
pool_u, pool_e = work.normal(generator, 1024, R), work.normal(generator, 1024, K)
whitened = LautumRegularizer(pool_u, R, RIDGE)
pool_v = whitened.project(pool_u)
SPLITS = [1, 2, 4, 8, 16]


def draw_ranks(ranks=4, rows=256, correlation=0.6):
    """Left: L of each rank's own rows, in nats; right: their mean against the number of ranks. The line is L of the joined batch,
    the dots are the truth."""
    mixed = correlation * pool_u[:, :K] + math.sqrt(1 - correlation**2) * pool_e
    values = {}
    for count in SPLITS:
        parts = [x[:rows].unflatten(0, (count, -1)) for x in (mixed, pool_v)]
        values[count] = whitened(*parts, validate_args=False)
    return page_09.draw_own_values(values, ranks, rows, truth(correlation))


SLIDERS = {"ranks": SPLITS, "rows": [64, 128, 256, 512, 1024], "correlation": (0.0, 0.9, 0.1)}
explorer_ranks = Explorer(draw_ranks, **SLIDERS)
explorer_ranks

# %%
draw_ranks(ranks=8, rows=256, correlation=0.6)

# %% [markdown]
# ## How does the cost grow?
#
# What a step costs decides what is worth spreading. **Predict:** of these four, which hardly matters for the time of the regularizer in a training step: the pixels $d$ of an image, the features $k$, the components $r$, the rows of a batch? And is a network in a stack of sixteen cheaper than alone?

# %%
page_09_costs.draw_costs(page_09_costs.measure_costs(resolve_device(device)))

# %%
if results_path:
    found = [{"name": name, "difference": value} for name, value in differences.items()]
    save_results(found, results_path)

# %% [markdown]
# ## What we saw, at the default parameters
#
# - A sweep is a list of experiments and a folder. Killed in the middle it loses no result, and the same call goes on. A failure is a row of the table.
# - papermill makes a function of a notebook; `results_path` is what it returns.
# - An executor moves a sweep to other processes and leaves every digit where it was. What starting the workers takes is hatched.
# - On several devices the statistics add up; neither the covariances nor $L$ do. With a `group` the value, the gradient and the trained network are those of one process, up to rounding; unequal source batches need a weight on the cross-entropy.
# - Once the inputs are projected, their number of pixels hardly matters for the time of a step.
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
#
# ## The next question
#
# We can now compute $L$ exactly for any batch, on any number of machines. But for a network without noise the true Lautum information is infinite. What, then, does our finite number measure, and when does it hurt to make it large?
