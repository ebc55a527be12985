"""Source and target domains, by name.

digits   the 1,797 real handwritten digits of scikit-learn, enlarged to 16 x 16: `digits`
letters  A to J in the text fonts that matplotlib ships, each drawn anew: `letters`
others   the public sets of `datasets.DATASETS`, downloaded when wanted,
         and images of your own, folder:PATH or idx:PATH: `own`

Images are (n, channels, height, width) in [0, 1], bright on dark but for photographs; labels are
int64 from 0. Train and test share no handwritten image and no font.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lautum_utils.data.checks import SPLITS, require_one_of, require_split
from lautum_utils.data.datasets import DATASETS, load_images
from lautum_utils.data.digits import DIGITS, SIZE, handwritten_digits
from lautum_utils.data.folders import one_look
from lautum_utils.data.letters import LETTERS, draw_letters
from lautum_utils.data.own import OWN, is_own, load_own, own_times, require_own, require_there
from lautum_utils.numbers import whole_number

EMBEDDED = ("digits", "letters")
DEFAULT_LETTERS = 10_000
_PART = 2048  # images that are made floating-point at a time: a whole set takes much memory

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Domain:
    """Labelled images in [0, 1], their labels (n,) int64 from 0, and one name a class."""

    inputs: Float[Tensor, "n channels height width"]
    labels: Int[Tensor, " n"]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


class Stored(NamedTuple):
    """All images of a split: pixels in [0, 1] (floating-point) or from 0 to 255 (uint8)."""

    pixels: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


class Extent(NamedTuple):
    """How many images each split has, and the shape of each."""

    train: int
    test: int
    shape: Shape


def load(
    name: str,
    n: int | None = None,
    seed: int = 0,
    split: str = "train",
    device: torch.device | str = "cpu",
    shape: Shape | None = None,
) -> Domain:
    """A domain by name, in a random order that `seed` fixes (the same on every device).

    name: "digits", "letters", one of `datasets.DATASETS`, "folder:PATH" or "idx:PATH" (see `own`).
    n: how many; None takes all of the split (1,437 + 360 digits), or 10,000 letters.
    split: "train" or "test".
    shape: (channels, height, width) to bring the images to; None leaves them as they are.

    ValueError: an unknown name or split, n below 1, more than there are. DatasetError: a set that
    is not there.
    """
    require_domain(name, "name")
    require_split(split)
    if n is not None:
        n = whole_number(n, "n", least=1)
    generator = torch.Generator().manual_seed(whole_number(seed, "seed"))
    if name != "letters":
        return _choose(name, n, split, generator, device, shape)
    n = DEFAULT_LETTERS if n is None else n
    labels = torch.randperm(n, generator=generator, device="cpu") % len(LETTERS)
    drawn = draw_letters(labels, split, generator, device)
    return Domain(drawn if shape is None else fit(drawn, shape), labels.to(device), LETTERS)


def require_domain(name: str, what: str) -> None:
    """ValueError, about the argument `what`, unless `load` knows the name."""
    if is_own(name):
        require_own(name, what)
    else:
        require_one_of(name, (*EMBEDDED, *DATASETS, *OWN), what)


def require_images(name: str, what: str) -> None:
    """As `require_domain`; of images of one's own, their folder has to be there, too."""
    require_domain(name, what)
    if is_own(name):
        require_there(name, what)


def stored(name: str, split: str) -> Stored:
    """A domain with a fixed number of images (any but letters); mapped where there are many.

    DatasetError: a set that is not there.
    """
    if name == "digits":
        return Stored(*handwritten_digits(split), DIGITS)
    images = load_own(name, split) if is_own(name) else load_images(name, split)
    return Stored(images.pixels, images.labels, images.class_names)


def image_shape(name: str) -> Shape:
    """(channels, height, width) of a domain's images, as they are."""
    if name in EMBEDDED:
        return 1, SIZE, SIZE
    return extent_of(name).shape


def extent_of(name: str) -> Extent:
    """How large a domain with a fixed number of images (any but letters) is.

    For estimates, as often as they are wanted: the files of a folder are only looked at again when
    one has come or gone since. DatasetError: a set that is not there.
    """
    return _own_extent(name, own_times(name)) if is_own(name) else _extent(name)


def fit(x: Float[Tensor, "n c h w"], shape: Shape) -> Float[Tensor, "n k height width"]:
    """Grey as colour or colour as grey, and stretched; what fits already is left alone."""
    channels, *size = shape
    if x.shape[1] != channels:
        from torchvision.transforms.v2.functional import rgb_to_grayscale

        x = rgb_to_grayscale(x) if channels == 1 else x.expand(-1, channels, -1, -1)
    if list(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", antialias=True)


@lru_cache
def _own_extent(name: str, times: tuple[tuple[str, int], ...]) -> Extent:
    return _extent(name)


@one_look()
def _extent(name: str) -> Extent:
    train, test = (stored(name, split) for split in SPLITS)
    channels, height, width = train.pixels.shape[1:]
    return Extent(len(train.labels), len(test.labels), (channels, height, width))


def _choose(
    name: str,
    n: int | None,
    split: str,
    generator: torch.Generator,
    device: torch.device | str,
    shape: Shape | None,
) -> Domain:
    """n stored images of a domain, in a random order; ValueError: more than there are."""
    pixels, labels, class_names = stored(name, split)
    if n is not None and n > len(labels):
        most = f"at most {len(labels)} for the {split} split of {name}"
        raise ValueError(f"n needs to be {most}, got {n}.")
    order = torch.randperm(len(labels), generator=generator, device="cpu")[:n]
    inputs = torch.empty((len(order), *(shape or pixels.shape[1:])), device=device)
    for part, rows in zip(inputs.split(_PART), order.split(_PART), strict=True):
        _fill(part, pixels.index_select(0, rows).to(device))
    return Domain(inputs, labels[order].to(device), class_names)


def _fill(part: Tensor, chosen: Tensor) -> None:
    """In place: the chosen images as values in [0, 1], at the shape of `part`."""
    scale = 1 if chosen.is_floating_point() else 255
    if chosen.shape == part.shape:
        torch.div(chosen, scale, out=part)
    else:
        channels, height, width = part.shape[1:]
        part.copy_(fit(chosen / scale, (channels, height, width)))
