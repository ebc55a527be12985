"""The data of one experiment: a labelled source, and a target in four disjoint parts."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lautum_utils.data import shifts
from lautum_utils.data.checks import require_one_of, require_severity
from lautum_utils.data.domains import (
    DEFAULT_LETTERS,
    EMBEDDED,
    Domain,
    Shape,
    load,
    require_domain,
    stored,
)
from lautum_utils.data.folders import one_look
from lautum_utils.data.own import is_own
from lautum_utils.data.pairs import label_part_swap
from lautum_utils.data.sizes import Sizes, common_shape
from lautum_utils.numbers import whole_number

_USUAL = Sizes()


@dataclass(frozen=True, eq=False)
class TransferTask:
    """A labelled source and a target in four disjoint parts.

    The two tests use fonts and handwriting that are seen nowhere else.
    """

    source: Domain
    source_test: Domain
    unlabelled: Float[Tensor, "n channels height width"]
    labelled: Domain
    validation: Domain
    test: Domain


class Seeds(NamedTuple):
    """What each part of a task is drawn with; the test is shifted with `shift` + 1."""

    source: int
    source_test: int
    pool: int
    test: int
    shift: int


class _Domains(NamedTuple):
    """The pool is the target's training split, before it is parted."""

    source: Domain
    source_test: Domain
    pool: Domain
    test: Domain


@one_look()
def load_transfer_task(
    source: str = "digits",
    target: str = "letters",
    shift: str = "none",
    severity: float = 0.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    unlabelled: int = _USUAL.unlabelled,
    labelled: int = _USUAL.labelled,
    validation: int = _USUAL.validation,
    test: int = _USUAL.test,
) -> TransferTask:
    """The data of one experiment: the target is shifted, or both are pairs ("label_part_swap").

    The labelled part is ordered so that each stretch of as many samples as there are classes holds
    every class once: its first 50, 100, ... are balanced and nested. Where a target runs out, the
    unlabelled and then the validation part are smaller; of images of your own, the labelled part is
    half at most. test: of either domain; 0 takes all that there are (letters and pairs: 10,000).
    ValueError: unknown names, a swap between anything but digits and letters, more labels than the
    target has.
    """
    wanted = Sizes(unlabelled, labelled, validation, test)
    sizes = Sizes(*map(whole_number, wanted, wanted._fields))
    severity = require_severity(severity)
    _require_task(source, target, shift, sizes)
    seeds = _draw_seeds(whole_number(seed, "seed"))
    if shift == "label_part_swap":
        domains = _load_pairs(severity, sizes, seeds, device)
    else:
        domains = _load_domains(source, target, sizes, seeds, device)
        if shift != "none":
            domains = _shift_target(domains, shift, severity, seeds.shift)
    return _part_pool(domains, target, sizes)


def _require_task(source: str, target: str, shift: str, sizes: Sizes) -> None:
    require_one_of(shift, ("none", *shifts.SHIFTS, "label_part_swap"), "shift")
    require_domain(source, "source")
    require_domain(target, "target")
    if min(sizes[:3]) < 2 or sizes.test < 0:
        *others, last = sizes
        got = f"{', '.join(map(str, others))} and {last}"
        raise ValueError(f"sizes need to be 2 or more (test: or 0 for all), got {got}.")
    if shift == "label_part_swap" and (source, target) != ("digits", "letters"):
        got = f"{source!r} and {target!r}"
        raise ValueError(f"label_part_swap needs source digits and target letters, got {got}.")


def _draw_seeds(seed: int) -> Seeds:
    generator = torch.Generator().manual_seed(seed)
    count = len(Seeds._fields)
    return Seeds(*torch.randint(2**62, (count,), generator=generator, device="cpu").tolist())


def _load_pairs(
    severity: float, sizes: Sizes, seeds: Seeds, device: torch.device | str
) -> _Domains:
    """Pairs labelled with the digit, as many as there are digits, and pairs with the letter."""
    tested = sizes.test or DEFAULT_LETTERS
    train, test = (len(stored("digits", split).labels) for split in ("train", "test"))
    return _Domains(
        label_part_swap(train, severity, "digit", seeds.source, "train", device),
        label_part_swap(test, severity, "digit", seeds.source_test, "test", device),
        label_part_swap(sizes.pool, severity, "letter", seeds.pool, "train", device),
        label_part_swap(tested, severity, "letter", seeds.test, "test", device),
    )


def _load_domains(
    source: str, target: str, sizes: Sizes, seeds: Seeds, device: torch.device | str
) -> _Domains:
    """Both domains at one shape; if they are the same, each has half of the training images."""
    both_embedded = source in EMBEDDED and target in EMBEDDED
    shape = None if both_embedded else common_shape(source, target)
    train = load(source, None, seeds.source, "train", device, shape)
    if source == target != "letters":
        half = len(train) // 2
        train, pool = _take(train, slice(half)), _take(train, slice(half, None))
    else:
        wanted = None if target == "digits" else sizes.pool
        pool = _load_at_most(wanted, target, seeds.pool, "train", device, shape)
    tested = sizes.test or None
    source_test = _load_at_most(tested, source, seeds.source_test, "test", device, shape)
    test = _load_at_most(tested, target, seeds.test, "test", device, shape)
    return _Domains(train, source_test, pool, test)


def _load_at_most(
    n: int | None, name: str, seed: int, split: str, device: torch.device | str, shape: Shape | None
) -> Domain:
    """n images of a domain, or (None) all that there are; letters never run out."""
    if n is not None and name != "letters":
        n = min(n, len(stored(name, split).labels))
    return load(name, n, seed, split, device, shape)


def _shift_target(domains: _Domains, name: str, severity: float, seed: int) -> _Domains:
    return domains._replace(
        pool=_shifted(domains.pool, name, severity, seed),
        test=_shifted(domains.test, name, severity, seed + 1),
    )


def _part_pool(domains: _Domains, target: str, sizes: Sizes) -> TransferTask:
    """The pool as labelled, validation (its end) and unlabelled (what is left), disjoint."""
    pool = domains.pool
    labelled = min(sizes.labelled, len(pool) // 2) if is_own(target) else sizes.labelled
    validation = min(sizes.validation, (len(pool) - labelled) // 2)
    if validation < 2:
        most = f"at most {len(pool) - 4} for target {target}"
        raise ValueError(f"labelled needs to be {most}, got {labelled}.")
    chosen = _balanced_order(pool.labels[:-validation])[:labelled]
    left = torch.ones(len(pool), dtype=torch.bool, device=chosen.device)
    left[chosen] = False
    left[-validation:] = False
    return TransferTask(
        source=domains.source,
        source_test=domains.source_test,
        unlabelled=pool.inputs[left][: sizes.unlabelled],
        labelled=_take(pool, chosen),
        validation=_take(pool, slice(-validation, None)),
        test=domains.test,
    )


def _take(domain: Domain, chosen: Tensor | slice) -> Domain:
    return Domain(domain.inputs[chosen], domain.labels[chosen], domain.class_names)


def _shifted(domain: Domain, name: str, severity: float, seed: int) -> Domain:
    inputs = shifts.shift(domain.inputs, name, severity, seed)
    return Domain(inputs, domain.labels, domain.class_names)


def _balanced_order(labels: Tensor) -> Tensor:
    """Indices by how many of the same class came before, then by class: 0..9, 0..9, ..."""
    one_hot = F.one_hot(labels)
    rank = (one_hot.cumsum(0) * one_hot).sum(-1) - 1
    return (rank * one_hot.shape[-1] + labels).argsort(stable=True)
