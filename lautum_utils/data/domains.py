"""Source and target domains, and the knob that moves them apart.

digits   the 1,797 real handwritten digits of scikit-learn (UCI optical recognition), enlarged to 16 x 16
letters  A to J in the text fonts that matplotlib ships, each drawn with its own rotation, shear, scale, offset and noise
pairs    a digit beside a letter (16 x 32): the source label is the digit, the target label the letter
others   the public sets of `datasets.DATASETS`, downloaded when wanted, and folder:PATH, a folder of images for each class

Images are (n, channels, height, width) in [0, 1], bright on dark but for photographs; labels are
int64 from 0. Train and test share no handwritten image and no font (though most fonts of the test
have relatives in train: a bold beside an oblique).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lautum_utils.data.datasets import DATASETS, load_folder, load_images

SIZE = 16
EMBEDDED = ("digits", "letters")
FOLDER = "folder:"
DIGITS = tuple("0123456789")
LETTERS = tuple("ABCDEFGHIJ")
_TRAIN_FONTS = """
DejaVuSans DejaVuSans-Bold DejaVuSans-BoldOblique DejaVuSansMono DejaVuSansMono-Oblique DejaVuSansMono-BoldOblique
DejaVuSerif DejaVuSerif-Bold DejaVuSerif-BoldItalic STIXGeneral STIXGeneralItalic STIXGeneralBolIta cmr10 cmb10 cmtt10 cmmi10
"""
_TEST_FONTS = "DejaVuSans-Oblique DejaVuSansMono-Bold DejaVuSerif-Italic STIXGeneralBol cmss10"
FONTS = {"train": tuple(_TRAIN_FONTS.split()), "test": tuple(_TEST_FONTS.split())}
DEFAULT_LETTERS = 10_000
MAX_LABELS = 400  # labelled target samples of a transfer task


@dataclass(frozen=True, eq=False)
class Domain:
    """Labelled images: inputs (n, channels, height, width) in [0, 1], labels (n,) int64 from 0, one
    name a class."""

    inputs: Float[Tensor, "n channels height width"]
    labels: Int[Tensor, " n"]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def load(
    name: str, n: int | None = None, seed: int = 0, split: str = "train", device: torch.device | str = "cpu",
    shape: tuple[int, int, int] | None = None,
) -> Domain:  # fmt: skip
    """A domain by name, in a random order that `seed` fixes (the same on every device): "digits",
    "letters", one of `datasets.DATASETS`, or "folder:PATH" (see `datasets.load_folder`).

    n: how many; None takes all of the split (1,437 + 360 digits), or 10,000 letters. split: "train"
    or "test". shape: (channels, height, width) to bring the images to; None leaves them as they
    are. ValueError: an unknown name or split, n below 1, more than there are. DatasetError: a set
    that is not there.
    """
    require_domain(name, "name")
    _require_one_of(split, tuple(FONTS), "split")
    if n is not None and n < 1:
        raise ValueError(f"n needs to be 1 or more, got {n}.")
    generator = torch.Generator().manual_seed(seed)
    if name == "letters":
        n = DEFAULT_LETTERS if n is None else n
        labels = torch.randperm(n, generator=generator, device="cpu") % len(LETTERS)
        drawn = _draw_letters(labels, split, generator, device)
        return Domain(drawn if shape is None else _fit(drawn, shape), labels.to(device), LETTERS)
    pixels, labels, names = _fixed(name, split)
    if n is not None and n > len(labels):
        raise ValueError(
            f"n needs to be at most {len(labels)} for the {split} split of {name}, got {n}."
        )
    order = torch.randperm(len(labels), generator=generator, device="cpu")[:n]
    inputs = torch.empty((len(order), *(shape or pixels.shape[1:])), device=device)
    for part, rows in zip(
        inputs.split(2048), order.split(2048), strict=True
    ):  # in parts, as a whole set takes much memory
        some = pixels.index_select(0, rows).to(device)
        scale = 1 if some.is_floating_point() else 255
        if some.shape == part.shape:
            torch.div(some, scale, out=part)
        else:
            part.copy_(_fit(some / scale, tuple(part.shape[1:])))
    return Domain(inputs, labels[order].to(device), names)


def require_domain(name: str, what: str) -> None:
    """ValueError unless `load` knows the name."""
    if not (isinstance(name, str) and name.startswith(FOLDER)):
        _require_one_of(name, (*EMBEDDED, *DATASETS, f"{FOLDER}PATH"), what)


def common_shape(source: str, target: str) -> tuple[int, int, int]:
    """(channels, height, width) that images of both are brought to: colour if one is in colour, the
    size of the smaller."""
    (c, h, w), (c_too, h_too, w_too) = (
        (1, SIZE, SIZE) if name in EMBEDDED else _fixed(name, "train")[0].shape[1:]
        for name in (source, target)
    )
    return max(c, c_too), min(h, h_too), min(w, w_too)


def memory_of(source: str, target: str, swap: bool = False) -> tuple[int, int]:
    """About how many bytes the images of a task take, and how many more each network that is
    trained and tested on it."""
    more = 0 if source in EMBEDDED else 2 * len(_fixed(source, "train")[1])
    pixels = 2 * SIZE**2 if swap else math.prod(common_shape(source, target))
    return 4 * pixels * (32_000 + more), 4 * pixels * 10_000


def _fixed(name: str, split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Pixels, labels and class names of a domain with a fixed number of images; mapped from the
    cache where they are many."""
    if name == "digits":
        return *_handwritten_digits(split), DIGITS
    images = (
        load_folder(name.removeprefix(FOLDER), split, colour=True)
        if name.startswith(FOLDER)
        else load_images(name, split)
    )
    return images.pixels, images.labels, images.class_names


def _fit(
    x: Float[Tensor, "n c h w"], shape: tuple[int, int, int]
) -> Float[Tensor, "n k height width"]:
    """Grey as colour or colour as grey, and stretched; what fits already is left alone."""
    if x.shape[1] != shape[0]:
        from torchvision.transforms.v2.functional import rgb_to_grayscale

        x = rgb_to_grayscale(x) if shape[0] == 1 else x.expand(-1, shape[0], -1, -1)
    return (
        x
        if x.shape[2:] == shape[1:]
        else F.interpolate(x, shape[1:], mode="bilinear", antialias=True)
    )


def label_part_swap(
    n: int,
    severity: float,
    label: str,
    seed: int = 0,
    split: str = "train",
    device: torch.device | str = "cpu",
) -> Domain:
    """n images of a digit beside a letter; the class is the digit (the source task) or the letter
    (the target task).

    With probability 1 - severity the letter is the digit's (0 = A, ..., 9 = J), else it is drawn
    uniformly, as `swap_joint` says. Both tasks have one distribution of inputs: only what is asked
    about them changes. ValueError: n below 1, severity outside [0, 1], label other than "digit" or
    "letter", an unknown split.
    """
    _require_one_of(label, ("digit", "letter"), "label")
    _require_one_of(split, tuple(FONTS), "split")
    if n < 1:
        raise ValueError(f"n needs to be 1 or more, got {n}.")
    generator = torch.Generator().manual_seed(seed)
    cells = torch.multinomial(
        swap_joint(severity).flatten(), n, replacement=True, generator=generator
    )
    digits, letters = cells // len(LETTERS), cells % len(LETTERS)
    images, classes = _handwritten_digits(split)
    counts = classes.bincount(minlength=len(DIGITS))
    place = (counts.cumsum(0) - counts)[digits] + (
        torch.rand(n, generator=generator, device="cpu") * counts[digits]
    ).long()
    drawn = images[classes.argsort(stable=True)[place]]
    parts = (drawn.to(device), _draw_letters(letters, split, generator, device))
    chosen, names = (digits, DIGITS) if label == "digit" else (letters, LETTERS)
    return Domain(torch.cat(parts, -1), chosen.to(device), names)


def swap_joint(severity: float) -> Float[Tensor, "digit letter"]:
    """P(digit, letter) = (1 - severity) [digit = letter] / 10 + severity / 100, in float64.

    Its mutual information is what the source label says about the target label: log 10 nats at 0,
    none at 1.
    """
    _require_severity(severity)
    return (1 - severity) * torch.eye(10, dtype=torch.float64, device="cpu") / 10 + severity / 100


def shift(
    inputs: Float[Tensor, "*batch c h w"], kind: str, severity: float, seed: int = 0
) -> Float[Tensor, "*batch c h w"]:
    """Images in [0, 1] moved away from where they were: severity 0 is the identity, 1 the
    strongest.

    kind: one of `SHIFTS`. rotation: by 90 degrees * severity; blur: Gaussian, standard deviation 3
    pixels * severity; noise: Gaussian, 0.7 * severity, clipped; contrast: (1 - 0.95 severity) of it
    left, around each image's mean; inversion: each image with probability severity; background: a
    smooth random texture of height severity behind it. Random kinds depend on `seed` only, not on
    the device. The label-part swap is `label_part_swap`. ValueError: an unknown kind, severity
    outside [0, 1], NaN or infinite inputs, no image axes.
    """
    _require_one_of(kind, tuple(SHIFTS), "kind")
    _require_severity(severity)
    if inputs.ndim < 3 or not inputs.is_floating_point():
        raise ValueError(
            f"inputs need floating-point images (..., c, h, w), got {inputs.dtype} {tuple(inputs.shape)}."
        )
    if not inputs.is_meta and not bool(inputs.isfinite().all()):
        raise ValueError("inputs need finite values, got NaN or infinite values.")
    if severity == 0:
        return inputs
    return SHIFTS[kind](inputs, severity, torch.Generator().manual_seed(seed))


def _rotation(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import InterpolationMode, rotate

    flat = x.reshape(-1, *x.shape[-3:])
    return rotate(flat, 90 * severity, interpolation=InterpolationMode.BILINEAR).reshape(x.shape)


def _blur(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    size = min(13, 2 * min(x.shape[-2:]) - 1)
    sigma = max(3 * severity, 0.01)  # below it, the kernel is a single pixel, and soon 0 / 0
    return gaussian_blur(x, [size, size], [sigma, sigma])


def _noise(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    return (
        x + 0.7 * severity * torch.randn(x.shape, generator=generator, device="cpu").to(x)
    ).clamp(0, 1)


def _contrast(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    mean = x.mean((-3, -2, -1), keepdim=True)
    return mean + (1 - 0.95 * severity) * (x - mean)


def _inversion(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(x.shape[:-3], generator=generator, device="cpu").to(x.device) < severity
    return torch.where(chosen[..., None, None, None], 1 - x, x)


def _background(x: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    coarse = torch.rand((math.prod(x.shape[:-2]), 1, 5, 5), generator=generator, device="cpu").to(x)
    texture = F.interpolate(coarse, x.shape[-2:], mode="bicubic", align_corners=True).clamp(0, 1)
    return torch.maximum(x, severity * texture.reshape(x.shape))


SHIFTS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "rotation": _rotation, "blur": _blur, "noise": _noise,
    "contrast": _contrast, "inversion": _inversion, "background": _background,
}  # fmt: skip


@cache
def _handwritten_digits(split: str) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.as_tensor(data.images, dtype=torch.float32, device="cpu")[:, None] / 16
    labels = torch.as_tensor(data.target, dtype=torch.int64, device="cpu")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1797), device="cpu")
    chosen = order[:360] if split == "test" else order[360:]
    large = F.interpolate(images[chosen], (SIZE, SIZE), mode="bilinear", align_corners=False)
    return large, labels[chosen]


@cache
def _glyphs(split: str) -> Tensor:
    """(fonts, letters, 31, 31): each letter centred, scaled to 28 of 32 pixels, and smoothed for
    sampling at half the size."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    sharp = torch.stack(
        [
            torch.stack([_glyph(folder / f"{font}.ttf", letter) for letter in LETTERS])
            for font in FONTS[split]
        ]
    )
    return F.avg_pool2d(sharp, 2, stride=1)


def _glyph(font: Path, letter: str) -> Tensor:
    drawing = ImageFont.truetype(str(font), 96)
    left, top, right, bottom = drawing.getbbox(letter)
    image = Image.new("L", (160, 160))
    ImageDraw.Draw(image).text(
        (80 - (left + right) / 2, 80 - (top + bottom) / 2), letter, fill=255, font=drawing
    )
    side = int(max(right - left, bottom - top) * 32 / 28 / 2)
    image = image.crop((80 - side, 80 - side, 80 + side, 80 + side)).resize(
        (32, 32), Image.Resampling.LANCZOS
    )
    return (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(32, 32).float()
        / 255
    )


def _draw_letters(
    labels: Tensor, split: str, generator: torch.Generator, device: torch.device | str
) -> Tensor:
    n, fonts = len(labels), len(FONTS[split])
    chosen = _glyphs(split)[torch.randint(fonts, (n,), generator=generator, device="cpu"), labels][
        :, None
    ].to(device)

    def uniform(half_width: float) -> Tensor:
        return (2 * torch.rand(n, generator=generator, device="cpu") - 1) * half_width

    angle, shear, size, across, down = (
        uniform(0.25),
        uniform(0.2),
        0.95 + uniform(0.12),
        uniform(0.12),
        uniform(0.12),
    )
    cos, sin = angle.cos(), angle.sin()
    affine = torch.stack(
        (
            size * cos,
            size * (shear * cos - sin),
            across,
            size * sin,
            size * (shear * sin + cos),
            down,
        ),
        -1,
    )
    side = torch.linspace(-1 + 1 / SIZE, 1 - 1 / SIZE, SIZE, device="cpu")
    y, x = torch.meshgrid(side, side, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), -1).flatten(0, 1).to(device)
    grid = (
        (points @ affine.to(device).reshape(2 * n, 3).T).T.reshape(n, 2, SIZE, SIZE).movedim(1, -1)
    )
    warped = F.grid_sample(chosen, grid, align_corners=False)
    return (
        warped + 0.3 * torch.randn(warped.shape, generator=generator, device="cpu").to(device)
    ).clamp(0, 1)


def _require_one_of(value: str, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise ValueError(f"{name} needs to be one of {', '.join(allowed)}, got {value!r}.")


def _require_severity(severity: float) -> None:
    if not 0 <= severity <= 1:
        raise ValueError(f"severity needs to be from 0 to 1, got {severity}.")


@dataclass(frozen=True, eq=False)
class TransferTask:
    """A labelled source and a target in four disjoint parts; test uses fonts and handwriting seen
    nowhere else."""

    source: Domain
    source_test: Domain
    unlabelled: Float[Tensor, "n channels height width"]
    labelled: Domain
    validation: Domain
    test: Domain


def load_transfer_task(
    source: str = "digits", target: str = "letters", shift_kind: str = "none", severity: float = 0.0, seed: int = 0,
    device: torch.device | str = "cpu",
    *, unlabelled: int = 4000, labelled: int = MAX_LABELS, validation: int = 500, test: int = 2000,
) -> TransferTask:  # fmt: skip
    """The data of one experiment. The target is moved by `shift`; with "label_part_swap" both are
    pairs instead.

    The labelled part is ordered so that each stretch of as many samples as there are classes holds
    every class once: its first 50, 100, ... are balanced and nested. Where handwritten digits run
    out, the unlabelled and then the validation part are smaller; of a folder of your own, the
    labelled part is half of the images at most. ValueError: unknown names, a swap between anything
    but digits and letters, more labels than the target has.
    """
    _require_one_of(shift_kind, ("none", *SHIFTS, "label_part_swap"), "shift")
    _require_severity(severity)
    for name, what in ((source, "source"), (target, "target")):
        require_domain(name, what)
    if min(unlabelled, labelled, validation, test) < 2:
        raise ValueError(
            f"sizes need to be 2 or more, got {unlabelled}, {labelled}, {validation} and {test}."
        )
    seeds = torch.randint(
        2**62, (5,), generator=torch.Generator().manual_seed(seed), device="cpu"
    ).tolist()
    wanted = unlabelled + labelled + validation
    if shift_kind == "label_part_swap":
        if (source, target) != ("digits", "letters"):
            raise ValueError(
                f"label_part_swap needs source digits and target letters, got {source!r} and {target!r}."
            )
        first = label_part_swap(
            len(_handwritten_digits("train")[1]), severity, "digit", seeds[0], "train", device
        )
        first_test = label_part_swap(
            len(_handwritten_digits("test")[1]), severity, "digit", seeds[1], "test", device
        )
        pool = label_part_swap(wanted, severity, "letter", seeds[2], "train", device)
        held_out = label_part_swap(test, severity, "letter", seeds[3], "test", device)
    else:
        shape = None if source in EMBEDDED and target in EMBEDDED else common_shape(source, target)

        def some(name: str, n: int, number: int, split: str) -> Domain:
            """n of a domain, or all that there are."""
            n = n if name == "letters" else min(n, len(_fixed(name, split)[1]))
            return load(name, n, seeds[number], split, device, shape)

        first = load(source, None, seeds[0], "train", device, shape)
        first_test = some(source, test, 1, "test")
        if source == target != "letters":
            half = len(first) // 2
            first, pool = _take(first, slice(half)), _take(first, slice(half, None))
        else:
            pool = some(target, 10**9 if target == "digits" else wanted, 2, "train")
        held_out = some(target, test, 3, "test")
        if shift_kind != "none":
            pool = _shifted(pool, shift_kind, severity, seeds[4])
            held_out = _shifted(held_out, shift_kind, severity, seeds[4] + 1)
    if target.startswith(FOLDER):
        labelled = min(labelled, len(pool) // 2)
    validation = min(validation, (len(pool) - labelled) // 2)
    if validation < 2:
        raise ValueError(
            f"labelled needs to be at most {len(pool) - 4} for target {target}, got {labelled}."
        )
    chosen = _balanced_order(pool.labels[:-validation])[:labelled]
    left = torch.ones(len(pool), dtype=torch.bool, device=chosen.device)
    left[chosen] = False
    left[-validation:] = False
    few, chosen_on = _take(pool, chosen), _take(pool, slice(-validation, None))
    return TransferTask(
        first, first_test, pool.inputs[left], labelled=few, validation=chosen_on, test=held_out
    )


def _take(domain: Domain, chosen: Tensor | slice) -> Domain:
    return Domain(domain.inputs[chosen], domain.labels[chosen], domain.class_names)


def _shifted(domain: Domain, kind: str, severity: float, seed: int) -> Domain:
    return Domain(shift(domain.inputs, kind, severity, seed), domain.labels, domain.class_names)


def _balanced_order(labels: Tensor) -> Tensor:
    """Indices by how many of the same class came before, then by class: 0..9, 0..9, ..."""
    one_hot = F.one_hot(labels)
    rank = (one_hot.cumsum(0) * one_hot).sum(-1) - 1
    return (rank * one_hot.shape[-1] + labels).argsort(stable=True)
