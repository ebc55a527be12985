"""Where data sets are kept: converted once, by one process, then mapped into memory.

The cache (`cache_folder`) holds downloads/NAME/FILE as published, or as put there by hand, and for
each set a folder that is moved there whole and never changed: about.json and, by split,
SPLIT.pixels (uint8) and SPLIT.labels (int64).
"""

import json
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import platformdirs
import torch
from filelock import FileLock
from torch import Tensor
from tqdm.auto import tqdm

from lautum_utils.data.checks import SPLITS
from lautum_utils.data.images import Block, Content, DatasetError, Images
from lautum_utils.files import user_folder, write_whole

FORMAT = 1
_bars: ContextVar[bool] = ContextVar("_bars", default=True)


@contextmanager
def bars(wanted: bool) -> Iterator[None]:
    """Within it (in this thread), a conversion or a download shows no bar unless it is wanted."""
    token = _bars.set(wanted and _bars.get())
    try:
        yield
    finally:
        _bars.reset(token)


def cache_folder(given: str | Path | None = None) -> Path:
    """Where data sets are kept: here if given, or in LAUTUM_DATA (an environment variable).

    Otherwise in the user's cache folder, or for temporary files if the user has no home.
    """
    if chosen := given or os.environ.get("LAUTUM_DATA"):
        return Path(chosen).expanduser().absolute()
    return user_folder(platformdirs.user_cache_path, "lautum_utils", appauthor=False)


def cached(
    folder: Path, split: str, read: Callable[[Path], Content], name: str, progress: bool
) -> Images:
    """A split of the converted set in `folder`; if need be, made before.

    read: reads the set, and may use the folder that it is given for what lies about in between.
    name: what errors and the progress bar call the set. What the reader has to tell is a warning.
    DatasetError: no space, no permission, a newer format; and what `read` raises.
    """
    found = _open(folder, split)
    if found is not None:
        return found
    try:
        told = _convert_once(folder, split, read, name, progress and _bars.get())
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DatasetError(
            f"the cache {folder.parent} cannot be used ({reason}): "
            "make space, give permission, or set LAUTUM_DATA to another folder."
        ) from error
    found = _open(folder, split)
    if found is None:
        raise DatasetError(
            f"{folder} cannot be read back: remove it, or set LAUTUM_DATA to another folder."
        )
    if told:
        warnings.warn(f"{name}: {told}.", stacklevel=3)
    return found


def _open(folder: Path, split: str) -> Images | None:
    """A converted set; None if it is not there, damaged, or older. DatasetError: it is newer."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if about["format"] > FORMAT:
            raise DatasetError(
                f"{folder} has format {about['format']}, above {FORMAT}: "
                "update lautum_utils or set LAUTUM_DATA."
            )
        n, *shape = about["shapes"][split]
        class_names = tuple(about["class_names"])
        pixels = _mapped(folder / f"{split}.pixels", n * math.prod(shape), torch.uint8)
        labels = _mapped(folder / f"{split}.labels", n, torch.int64)
        if about["format"] < FORMAT or labels.min() < 0 or labels.max() >= len(class_names):
            return None
        return Images(pixels.reshape(n, *shape), labels, class_names, about["skipped"][split])
    except DatasetError:
        raise
    except Exception:  # whatever a damaged file leads to
        return None


def _mapped(file: Path, size: int, dtype: torch.dtype) -> Tensor:
    return torch.from_file(str(file), False, size, dtype=dtype, device="cpu")


def _convert_once(
    folder: Path, split: str, read: Callable[[Path], Content], name: str, progress: bool
) -> str:
    """Make the set in `folder`, unless another process has while this one waited for the lock.

    Gives what there is to tell of it.
    """
    root, key = folder.parent, folder.name.partition(".")[0]
    root.mkdir(parents=True, exist_ok=True)
    work = root / f".{key}.tmp"
    with FileLock(root / f".{key}.lock"):
        if _open(folder, split) is not None:
            return ""
        try:
            # A killed process may have left it; the lock makes it ours.
            shutil.rmtree(work, ignore_errors=True)
            (work / "set").mkdir(parents=True)
            told = _write(work / "set", read(work), name, progress)
            for old in (folder, *root.glob(f"{key}.*")):
                shutil.rmtree(old, ignore_errors=True)
            (work / "set").replace(folder)
            return told
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _write(folder: Path, content: Content, name: str, progress: bool) -> str:
    """Store a set block by block, and give what its reader tells at the end.

    DatasetError: a block that is none, a split without images.
    """
    shapes: dict[str, list[int]] = {split: [0] for split in SPLITS}
    skipped = dict.fromkeys(SPLITS, 0)
    blocks = tqdm(content.blocks, f"converting {name}", disable=not progress, unit="part")
    with ExitStack() as stack:
        ends = [f"{split}.{part}" for split in SPLITS for part in ("pixels", "labels")]
        files = {end: stack.enter_context((folder / end).open("wb")) for end in ends}
        for block in blocks:
            if block.pixels is None:
                skipped[block.split] += 1
                continue
            _require_sound(block, len(content.class_names), name)
            files[f"{block.split}.pixels"].writelines(image.tobytes() for image in block.pixels)
            files[f"{block.split}.labels"].write(block.labels.astype(np.int64).tobytes())
            before, *_ = shapes[block.split]
            shapes[block.split] = [before + len(block.pixels), *block.pixels.shape[1:]]
    told = content.told()
    for split, (n, *_) in shapes.items():
        if n == 0:
            got = f"none in {split} ({skipped[split]} unreadable){'; ' * bool(told)}{told}"
            raise DatasetError(f"{name} needs images in train and test, got {got}.")
    about = {"format": FORMAT, "class_names": content.class_names}
    about |= {"shapes": shapes, "skipped": skipped}
    write_whole(folder / "about.json", json.dumps(about).encode())
    return told


def _require_sound(block: Block, classes: int, name: str) -> None:
    """DatasetError unless a block has a byte a value, and a label of a class for each image."""
    pixels, labels = block.pixels, block.labels
    sound = pixels is not None and len(pixels) == len(labels) and pixels.dtype == np.uint8
    if not sound or set(labels) - set(range(classes)):
        raise DatasetError(
            f"{name} needs 8 bits and a label below {classes} for each image, "
            f"got others in {block.split}."
        )
