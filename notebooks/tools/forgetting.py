"""Watch it forget: the record of painted images that notebooks 00, 05 and 06 show.

make forgetting               the label-part swap, anew; the other tasks stay as they are recorded
make forgetting DATA=FOLDER   real images too, from a folder, see `published_sets.find_sets`

A few minutes on two cores. The file is written whole, after each task. What is trained stands in
TASKS.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from lautum_utils.data.domains import EMBEDDED
from lautum_utils.data.letters import LETTERS
from lautum_utils.results.forgetting import (
    Forgetting,
    read_about,
    read_forgetting,
    watch_forgetting,
    write_forgetting,
)
from lautum_utils.training.experiments import Experiment
from notebooks.tools import published_grid
from notebooks.tools.places import RECORDS
from notebooks.tools.published_sets import Sets, counts_of, find_sets, images_in_words

FORGETTING = RECORDS / "forgetting.json.gz"


class Watched(NamedTuple):
    """A task of the record. title: in words. strengths, steps: what is looked at."""

    title: str
    base: Experiment
    strengths: Sequence[float]
    steps: Sequence[int] = (0, 10, 25, 50, 100, 200, 400)


def _published(name: str, *strengths: float) -> Watched:
    """A task of notebook 08; weights are shares of the gradient of the cross-entropy there."""
    title, base = published_grid.TASKS[name]
    return Watched(title, replace(base, method="lautum"), (0.0, *strengths))


TASKS = {
    "digits": Watched(
        "digits beside letters",
        Experiment(shift="label_part_swap", severity=1.0),
        (0.0, 1e-4, 1e-3, 1e-2),
    ),
    "mnist": _published("mnist", 0.1, 0.3, 1.0),
    "cifar": _published("cifar", 0.03, 0.1),
}


def watched(name: str, sets: Sets, device: str = "auto") -> Forgetting:
    """A task, trained and looked at; its experiment names its sets, wherever they were found.
    ValueError: images that are not there."""
    title, base, strengths, steps = TASKS[name]
    found = {
        end: sets.domains.get(called, called)
        for end in ("source", "target")
        if (called := getattr(base, end)) not in EMBEDDED
    }
    for called in (base.source, base.target):
        if called in sets.missing:
            raise ValueError(f"{title} needs its images: {sets.missing[called]}")
    seen = watch_forgetting(replace(base, **found), strengths, steps, device)
    shown = seen.shown
    if base.target == "notmnist_small":  # files in MNIST's format have no names
        shown = replace(shown, class_names=LETTERS)
    base = replace(seen.base, source=base.source, target=base.target)
    return replace(seen, base=base, shown=shown)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.tools.forgetting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", default="", help="the folder that holds the real images")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), help="only these")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, default=FORGETTING)
    options = parser.parse_args(arguments)
    names = options.tasks or (list(TASKS) if options.data else ["digits"])
    kept, about = _recorded(options.output)
    sets = find_sets(_sets_of(names), options.data or None) if _sets_of(names) else Sets({}, {})
    about |= {"images": about.get("images", {}) | _images(sets)}
    for name in names:
        kept[name] = watched(name, sets, options.device)
        write_forgetting({n: kept[n] for n in TASKS if n in kept}, options.output, about)
        print(f"{TASKS[name].title}: {len(kept[name].snapshots)} networks looked at")
    left = [TASKS[name].title for name in kept if name not in names]
    print(f"{options.output.stat().st_size / 1e6:.2f} MB in {options.output}")
    if left:
        print(f"as they were recorded before: {', '.join(left)}")


def _recorded(path: Path) -> tuple[dict[str, Forgetting], dict[str, Any]]:
    if not path.exists():
        return {}, {}
    return read_forgetting(path), read_about(path)


def _sets_of(names: Iterable[str]) -> list[str]:
    """The sets that tasks need and that are not embedded."""
    ends = [getattr(TASKS[name].base, end) for name in names for end in ("source", "target")]
    return [called for called in dict.fromkeys(ends) if called not in EMBEDDED]


def _images(sets: Sets) -> dict[str, str]:
    """Which images were found, a sentence for each set."""
    counts = counts_of(sets.domains)
    return dict(zip(counts, images_in_words(counts), strict=True))


if __name__ == "__main__":
    main()
