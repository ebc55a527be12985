"""The same in pytorch-adapt: its adapters, which hold the network in two parts with an optimizer
each, and its CORAL and MMD losses.

Its penalties are in our units. Its linear MMD wants as many source as target samples, so this is
the quadratic one, the mean of the same five kernels (scales 1/4 to 4), around the median squared
distance of the source samples where ours takes the mean of all.
"""

import torch
from contest import Heat, Score
from one_by_one import Job
from one_by_one import curve as curve_one_by_one
from one_by_one import prepare as prepare
from pytorch_adapt.adapters import Aligner, Classifier
from pytorch_adapt.containers import Models, Optimizers
from pytorch_adapt.hooks import AlignerHook
from pytorch_adapt.layers import CORALLoss, MMDLoss
from pytorch_adapt.layers.utils import get_kernel_scales
from pytorch_adapt.weighters import SumWeighter


def adapter_of(job: Job) -> Aligner | Classifier:
    """The network as pytorch-adapt trains it: cross-entropy + weight * the loss of the features."""
    parts = Models({"G": job.network.features, "C": job.network.head})
    adam = Optimizers((torch.optim.Adam, {"lr": job.learning_rate}))
    if job.method == "standard":
        return Classifier(models=parts, optimizers=adam)
    loss = CORALLoss()
    if job.method == "mk_mmd":
        scales = get_kernel_scales(low=-2, high=2, num_kernels=5)
        loss = MMDLoss(kernel_scales=scales, mmd_type="quadratic")
    hooks = {
        "aligner_hook": AlignerHook(loss_fn=loss, layer="features"),
        "softmax": False,
        "weighter": SumWeighter(weights={"features_confusion_loss": job.weight}),
    }
    return Aligner(models=parts, optimizers=adam, hook_kwargs=hooks)


def train(job: Job) -> None:
    """All steps of one network."""
    adapter = adapter_of(job)
    for images, labels, target in job.minibatches():
        batch = {"src_imgs": images, "src_labels": labels, "target_imgs": target}
        adapter.training_step(batch)


def curve(heat: Heat) -> list[Score]:
    """Train and probe all networks of a heat."""
    return curve_one_by_one(heat, train)
