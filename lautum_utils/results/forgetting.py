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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lautum_utils.data.domains import Domain
from lautum_utils.files import write_whole
from lautum_utils.results.store import versions
from lautum_utils.results.sweeps import run
from lautum_utils.training.decoding import paint, share_kept
from lautum_utils.training.devices import resolve_device
from lautum_utils.training.experiments import Experiment, baselines, grid, stored_experiment
from lautum_utils.training.kept_tasks import TASKS, KeptTask, task_key
from lautum_utils.training.outcomes import Result

_NUMBERS = ("lautum", "kept", "accuracy", "source_accuracy")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network after some steps of stage one.

    painted: the images shown, as its features hold them, see `paint`. lautum: of features and
    target images, Gaussian, nats. kept: the share of the pixels' variance that painting explains,
    on validation images (in the label-part swap: of the letter's half). accuracy: of a linear probe
    on the target's test images; source_accuracy: on the source's, NaN before training. Fractions.
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
    """Train with each strength and look at the network after each number of steps; 0 is the network
    before training. The ridge that paints is the one of the base experiment.

    A network after 50 steps is the one that has 100 ahead, stopped there: batches depend on the
    seed and the step alone. ValueError: as `Experiment`, for strengths and steps.
    """
    device = resolve_device(device)
    wanted = grid(base, steps=[n for n in steps if n], strength=strengths, protocol="probe")
    trained = run(wanted, device, progress=progress, keep_networks=True)
    kept = TASKS.get(task_key(base, device))
    rows = _one_a_class(kept.task.validation)
    snapshots = []
    if 0 in steps:
        begin = run(
            baselines(base, ["untrained_features"]), device, progress=False, keep_networks=True
        )
        of_begin = _snapshot(begin[0], kept, rows, base.ridge)
        snapshots = [replace(of_begin, strength=s, step=0) for s in strengths]
    snapshots += [_snapshot(result, kept, rows, base.ridge) for result in trained]
    part = kept.task.validation
    shown = Domain(part.inputs[rows].cpu(), part.labels[rows].cpu(), part.class_names)
    return Forgetting(base, shown, tuple(snapshots))


def _one_a_class(part: Domain) -> Tensor:
    """The number of the first image of each class that there is."""
    found = [(part.labels == label).nonzero()[:1, 0] for label in range(len(part.class_names))]
    return torch.cat(found)


def _snapshot(result: Result, kept: KeptTask, rows: Tensor, ridge: float) -> Snapshot:
    e, network, task = result.experiment, result.network, kept.task
    assert network is not None
    pool = kept.pool("target", "lautum", e.n_components, ridge)
    features, images = network.features(pool.images), task.validation.inputs
    painted = paint(features, pool.images, network.features(images), ridge)
    # Where the target is asked about half of the image, that half.
    asked = slice(images.shape[-1] // 2 if e.shift == "label_part_swap" else 0, None)
    return Snapshot(
        strength=e.strength,
        step=e.steps,
        painted=painted[rows.cpu()],
        lautum=pool.regularizer(features, pool.whitened, validate_args=False).item(),
        kept=share_kept(painted[..., asked], images[..., asked].cpu()),
        accuracy=result.test_accuracy,
        source_accuracy=result.source_accuracy,
    )


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
