"""Watch it forget: what a network still holds of target images, step by step of stage one.

seen = watch_forgetting(base, strengths=[0, 1e-3], steps=[0, 25, 100])
seen.at(1e-3, 100).painted  # ten images, painted from their features
seen.at(1e-3, 100).lautum  # nats
"""

import base64
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from threadpoolctl import threadpool_limits
from torch import Tensor
from tqdm.auto import tqdm

from lautum_utils.data.cache import bars
from lautum_utils.data.domains import Domain
from lautum_utils.files import write_whole
from lautum_utils.results.store import versions
from lautum_utils.training.decoding import paint, share_kept
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.experiments import Experiment, grid, stored_experiment
from lautum_utils.training.kept_tasks import KeptTask
from lautum_utils.training.networks import StackedNetwork, alone
from lautum_utils.training.probes import fit_probe, target_parts
from lautum_utils.training.run import Teller, source_accuracy, train_stage_one
from lautum_utils.training.stack_data import StackData

_NUMBERS = ("lautum", "kept", "accuracy", "source_accuracy")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network after some steps of stage one.

    painted: the images shown, as its features hold them, see `paint`. lautum: of features and
    target images, Gaussian, nats. kept: the share of the pixels' variance that painting explains,
    on validation images (in the label-part swap: of the letter's half). accuracy: of a linear probe
    on the target's test images; source_accuracy: on the source's. Fractions.
    """

    strength: float
    step: int
    painted: Float[Tensor, "n c h w"]
    lautum: float
    kept: float
    accuracy: float
    source_accuracy: float


@dataclass(frozen=True, eq=False)
class Forgetting:
    """Snapshots of networks that differ in strength and steps only. shown: target images, one a
    class, on which nothing is fitted."""

    base: Experiment
    shown: Domain
    snapshots: tuple[Snapshot, ...]

    def at(self, strength: float, step: int) -> Snapshot:
        """The snapshot of a weight and a step. ValueError: there is none."""
        for snapshot in self.snapshots:
            if (snapshot.strength, snapshot.step) == (strength, step):
                return snapshot
        raise ValueError(
            f"strength and step need to be among {self.strengths} and {self.steps}, "
            f"got {strength} and {step}."
        )

    @property
    def strengths(self) -> list[float]:
        return sorted({snapshot.strength for snapshot in self.snapshots})

    @property
    def steps(self) -> list[int]:
        return sorted({snapshot.step for snapshot in self.snapshots})


def watch_forgetting(
    base: Experiment,
    strengths: Sequence[float],
    steps: Sequence[int],
    device: str | torch.device = "auto",
    progress: bool = True,
) -> Forgetting:
    """Train with each strength and look at the network after each of these steps of stage one; 0 is
    the network before training. The ridge that paints is the one of the base experiment.

    ValueError: as `Experiment`, for strengths and the last of the steps; no step.
    """
    if not steps or min(steps) < 0:
        raise ValueError(f"steps need to be one or more of 0 or more, got {steps}.")
    where, snapshots = resolve_device(device), []
    with tqdm(
        total=len(strengths) * max(steps),
        unit="step",
        delay=2,
        disable=not progress,
        desc="training",
    ) as bar:
        for e in grid(base, steps=max(1, *steps), strength=strengths, protocol="probe"):
            with bars(progress):
                data = StackData([e], where)
            watcher = _Watcher(e, data.kept[0], steps)
            train_stage_one([e], data, Teller(bar, bar.total, None), look=watcher)
            snapshots += watcher.snapshots
    part = watcher.kept.task.validation
    chosen = part.inputs[watcher.rows].cpu(), part.labels[watcher.rows].cpu()
    return Forgetting(base, Domain(*chosen, part.class_names), tuple(snapshots))


class _Watcher:
    """Takes a snapshot of a network after each of these steps."""

    def __init__(self, e: Experiment, kept: KeptTask, steps: Sequence[int]) -> None:
        self.experiment, self.kept, self.steps = e, kept, frozenset(steps)
        part, classes = kept.task.validation, range(len(kept.task.validation.class_names))
        # The number of the first image of each class that there is.
        self.rows = torch.cat([(part.labels == label).nonzero()[:1, 0] for label in classes])
        self.snapshots: list[Snapshot] = []

    @torch.no_grad()
    def __call__(self, step: int, stack: StackedNetwork) -> None:
        if step not in self.steps:
            return
        e, task, network = self.experiment, self.kept.task, alone(stack, 0)
        pool = self.kept.pool("target", "lautum", e.n_components, e.ridge)
        features, images = network.features(pool.images), task.validation.inputs
        painted = paint(features, pool.images, network.features(images), e.ridge)
        # Where the target is asked about half of the image, that half.
        asked = slice(images.shape[-1] // 2 if e.shift == "label_part_swap" else 0, None)
        with threadpool_limits(1):  # the problem is too small to share
            probe = fit_probe(*target_parts(task, e.labels, network.features))
        snapshot = Snapshot(
            strength=e.strength,
            step=step,
            painted=painted[self.rows.cpu()],
            lautum=pool.regularizer(features, pool.whitened, validate_args=False).item(),
            kept=share_kept(painted[..., asked], images[..., asked].cpu()),
            accuracy=probe.test_accuracy,
            source_accuracy=source_accuracy(network, e, task),
        )
        self.snapshots.append(snapshot)


# ------------------------------------------------------------------------------------- as one file


def write_forgetting(
    seen: Mapping[str, Forgetting], path: str | Path, about: Mapping[str, Any] | None = None
) -> None:
    """Write what was seen, by name, as one small file, whole: gzipped JSON; images as PNG, 256
    greys or 256 of each colour; numbers to 4 digits.

    Keys: versions, about (as given, such as which images they are), and tasks: each its experiment,
    class_names, labels, shown (a row of images) and snapshots.
    """
    tasks = {
        name: {
            "experiment": asdict(of_task.base),
            "class_names": list(of_task.shown.class_names),
            "labels": of_task.shown.labels.tolist(),
            "shown": _as_png(of_task.shown.inputs),
            "snapshots": [
                {"strength": s.strength, "step": s.step, "painted": _as_png(s.painted)}
                | {number: float(f"{getattr(s, number):.4g}") for number in _NUMBERS}
                for s in of_task.snapshots
            ],
        }
        for name, of_task in seen.items()
    }
    content = {"versions": versions(), "about": dict(about or {}), "tasks": tasks}
    text = json.dumps(content, separators=(",", ":"))
    write_whole(path, gzip.compress(text.encode(), mtime=0))


def read_forgetting(path: str | Path) -> dict[str, Forgetting]:
    """What `write_forgetting` wrote, by name. ValueError: no such file, or another one."""
    with _sentence_if_damaged(path):
        return {name: _read_task(task) for name, task in _content(path)["tasks"].items()}


def read_about(path: str | Path) -> dict[str, Any]:
    """What was said of it when it was written. ValueError: as `read_forgetting`."""
    with _sentence_if_damaged(path):
        return dict(_content(path)["about"])


def _content(path: str | Path) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(Path(path).read_bytes())))


@contextmanager
def _sentence_if_damaged(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            "path needs to be a file that make forgetting writes, "
            f"got {path} ({type(error).__name__}: {error})."
        ) from error


def _read_task(task: Mapping[str, Any]) -> Forgetting:
    labels = torch.tensor(task["labels"], device="cpu")
    shown = Domain(_from_png(task["shown"], len(labels)), labels, tuple(task["class_names"]))
    snapshots = [
        Snapshot(**row | {"painted": _from_png(row["painted"], len(labels))})
        for row in task["snapshots"]
    ]
    return Forgetting(stored_experiment(task["experiment"]), shown, tuple(snapshots))


def side_by_side(images: Iterable[Float[Tensor, "c h w"]]) -> np.ndarray:
    """Images (0 to 1) in a row: (h, n * w) greys or (h, n * w, 3) colours, from 0 to 255."""
    row = torch.cat([image.detach().cpu() for image in images], -1)
    values = (255 * row.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    return values if values.shape[-1] == 3 else values[..., 0]


def _as_png(images: Float[Tensor, "n c h w"]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(side_by_side(images)).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _from_png(text: str, n: int) -> Float[Tensor, "n c h w"]:
    row = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    values = torch.from_numpy(np.atleast_3d(row).copy()).float() / 255
    return torch.stack(values.permute(2, 0, 1).chunk(n, -1))
