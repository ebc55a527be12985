"""What notebook 08 asks of results on the published tasks: who stands where, and who beats all."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import NamedTuple

from lautum_utils import Interval, Result, Results
from lautum_utils.training.baselines import BASELINES
from notebooks.tools.published_grid import CHOOSING, best_weight

METHOD, BASELINE, PLAIN, CONTROL = "method", "baseline", "plainly fine-tuned", "control"
PROTOCOLS = {"probe": "probe", "finetune": "fine-tuning"}
SETS = {
    "mnist": "MNIST",
    "notmnist_small": "notMNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "fashion_mnist": "Fashion-MNIST",
}
CONTROL_NAME = "standard transfer"
NAMES = {
    "standard": CONTROL_NAME,
    "lautum": "Lautum",
    "mutual_information_maximised": "maximised mutual information",
    "mk_mmd": "Mk-MMD",
    "lautum_between_views": "Lautum between views",
    "mutual_information_between_views": "mutual information between views",
    "vicreg": "VICReg",
    "temporal_ensembling": "Temporal Ensembling",
    "components": "principal components",
    "earlier_layer": "the control's earlier layer",
}


class Place(NamedTuple):
    """Where methods meet: a task, a number of labelled samples, a protocol."""

    source: str
    target: str
    labels: int
    protocol: str

    def __str__(self) -> str:
        return f"{task_name(self)}, {self.labels} labels, {PROTOCOLS[self.protocol]}"


class Contestant(NamedTuple):
    """Results at a place, a seed each. weight: that validation data picked; None: it has none."""

    role: str
    weight: float | None
    results: Results


class Standing(NamedTuple):
    """How a method stands at a place. gain: over the control, paired. closest: over the baseline
    that comes closest to it, paired, and its name. not_above: whom it does not beat, control or
    baselines: the interval of the difference reaches 0."""

    gain: Interval
    closest: tuple[str, Interval]
    not_above: tuple[str, ...]


def task_name(place: Place) -> str:
    """In words: "MNIST to notMNIST"."""
    return f"{SETS.get(place.source, place.source)} to {SETS.get(place.target, place.target)}"


def places(results: Results) -> list[Place]:
    """Where the control has results: tasks in their order, then labels, then protocols."""
    controls = results.where(method="standard", stage_two_strength=0.0)
    tasks = dict.fromkeys((r.experiment.source, r.experiment.target) for r in controls)
    return [
        Place(*task, labels, protocol)
        for task in tasks
        for labels in results.values("labels")
        for protocol in PROTOCOLS
        if controls.where(source=task[0], target=task[1], labels=labels, protocol=protocol)
    ]


def contestants(results: Results, place: Place, recipe: str = "careful") -> dict[str, Contestant]:
    """Whoever has results at a place, by name: "standard transfer" is the control.

    recipe: of fine-tuning; those fine-tuned in another way are there beside it, but for methods of
    stage two, which go their own way. Baselines have a protocol of their own, and are compared with
    both.
    """
    here = results.where(source=place.source, target=place.target, labels=place.labels)
    found = {}
    for (method, stage_two, tuned), group in _by_method(here, place.protocol).items():
        name = NAMES.get(method, method.replace("_", " "))
        if stage_two != "standard":
            name = NAMES.get(stage_two, stage_two.replace("_", " "))
        role = BASELINE if method in BASELINES else METHOD
        is_tuned = stage_two == "standard" and group[0].experiment.protocol == "finetune"
        if is_tuned and tuned != recipe:
            name, role = f"{name} ({tuned} recipe)", role if role == BASELINE else PLAIN
        elif method == stage_two == "standard":
            role = CONTROL
        found[name] = Contestant(role, *_chosen(group))
    return found


def standings(found: Mapping[str, Contestant], confidence: float = 0.95) -> dict[str, Standing]:
    """How each method stands against the control and every baseline, by intervals of paired
    differences, each by itself. The control of a method that is fine-tuned in another way than the
    others is fine-tuned so, too, where it is there. ValueError: no control among them."""
    others = {n: c.results for n, c in found.items() if c.role == BASELINE}
    table = {}
    for name, ours in found.items():
        if ours.role != METHOD:
            continue
        gain = ours.results.against(control_of(found, ours), confidence)
        over = {n: ours.results.against(other, confidence) for n, other in others.items()}
        closest = min(over.items(), key=lambda pair: pair[1].mean, default=("the control", gain))
        beaten = {CONTROL_NAME: gain} | over
        not_above = tuple(n for n, difference in beaten.items() if not difference.low > 0)
        table[name] = Standing(gain, closest, not_above)
    return table


def control_of(found: Mapping[str, Contestant], ours: Contestant | None = None) -> Results:
    """The results of the control; of the one that is fine-tuned as `ours` is, where there is one.
    ValueError: there is none."""
    recipe = ours.results[0].experiment.recipe if ours else ""
    if alike := found.get(f"{CONTROL_NAME} ({recipe} recipe)"):
        return alike.results
    for contestant in found.values():
        if contestant.role == CONTROL:
            return contestant.results
    raise ValueError(f"found needs to hold the control, got {', '.join(found) or 'none'}.")


def in_words(place: Place, table: Mapping[str, Standing]) -> str:
    """Who beats the control and every simple baseline there, and by how many points the control and
    the baseline that comes closest; who beats the control only; who does not."""
    winners = {name: s for name, s in table.items() if not s.not_above}
    won = [
        f"  {name}: {s.gain.points} over the control, {s.closest[1].points} over '{s.closest[0]}'"
        for name, s in sorted(winners.items(), key=lambda pair: -pair[1].gain.mean)
    ]
    behind = [name for name, s in table.items() if CONTROL_NAME in s.not_above]
    others = [name for name in table if name not in winners and name not in behind]
    lines = [f"{place}: above all is {'' if won else 'nobody'}".rstrip(), *won]
    lines += [_listed("above the control only", others)] * bool(others)
    lines += [_listed("not above the control", behind)] * bool(behind)
    return "\n".join(lines)


def _listed(said: str, names: Sequence[str]) -> str:
    return fill(f"  {said}: {', '.join(names)}", 100, subsequent_indent="    ")


def how_often(tables: Iterable[Mapping[str, Standing]]) -> dict[str, tuple[int, int]]:
    """Of each method, at how many places it beats the control and every baseline, and at how many
    it stands."""
    counts: dict[str, tuple[int, int]] = {}
    for table in tables:
        for name, standing in table.items():
            won, of = counts.get(name, (0, 0))
            counts[name] = won + (not standing.not_above), of + 1
    return counts


def _by_method(results: Results, protocol: str) -> dict[tuple[str, str, str], Results]:
    """By method, method of stage two and recipe; of other protocols only baselines."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        e = result.experiment
        if e.protocol == protocol or e.is_baseline:
            groups.setdefault((e.method, e.stage_two, e.recipe), []).append(result)
    return {key: Results(group) for key, group in groups.items()}


def _chosen(group: Results) -> tuple[float | None, Results]:
    """The weight, of stage one or two, that validation data picks, and its results on the seeds
    that report. Seeds that choose do so alone; where there are none, all do."""
    reporting = Results(r for r in group if r.experiment.seed not in CHOOSING) or group
    e = group[0].experiment
    if e.is_baseline or (e.method == "standard" and e.stage_two == "standard"):
        return None, reporting
    stage = "stage_two_strength" if e.stage_two != "standard" else "strength"
    weights = reporting.values(stage)
    choosing = Results(r for r in group if r.experiment.seed in CHOOSING) or group
    known = [w for w in weights if choosing.where(**{stage: w})]
    best = best_weight(choosing.where(**{stage: known}), stage) if len(known) > 1 else weights[0]
    return best, reporting.where(**{stage: best})
