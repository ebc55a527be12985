"""What a run is told: `Experiment`, `grid`.

Stage one: cross-entropy of labelled source batches + strength * the term of a method on unlabelled
batches. Stage two, with n labelled target samples: "probe" (the features stay frozen, a logistic
regression is fitted on them) or "finetune" (all weights go on learning, and a second method may use
the unlabelled samples too).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from lautum_utils.between_views import NOISE
from lautum_utils.data.domains import require_images
from lautum_utils.data.own import elsewhere, spelled
from lautum_utils.data.shifts import SHIFTS
from lautum_utils.data.sizes import Sizes
from lautum_utils.numbers import plain_values
from lautum_utils.training.baselines import BASELINES
from lautum_utils.training.methods import METHODS, STAGE_TWO_METHODS
from lautum_utils.training.networks import NETWORKS
from lautum_utils.training.randomness import AUGMENTS
from lautum_utils.training.recipes import RECIPES
from lautum_utils.training.running import MOST_DECAY
from lautum_utils.training.settings import documented, setting, settings_of
from lautum_utils.training.views import VIEWS

_DATA, _ONE, _TWO = "data", "stage one", "stage two"


@documented
@dataclass(frozen=True)
class Experiment:
    """Everything that a result depends on. Hashable.

    A baseline has no strength: it is 0, whatever is given. Numbers of NumPy and torch are kept as
    plain ones, see `numbers.plain`. ValueError: a bad value, a baseline with another protocol than
    its own; the message says what was given and what is allowed.
    """

    source: str = setting(
        "digits", "the labelled domain, see `data.domains.load`", _DATA, check=require_images
    )
    target: str = setting("letters", "the domain to transfer to", _DATA, check=require_images)
    shift: str = setting(
        "none",
        "what moves the target away from where it was; label_part_swap makes pairs of both",
        _DATA,
        choices=("none", *SHIFTS, "label_part_swap"),
        mixes=True,
    )
    severity: float = setting(0.0, "how far", _DATA, most=1, mixes=True)
    network: str = setting("mlp", "what is trained", _ONE, choices=tuple(NETWORKS))
    method: str = setting(
        "lautum",
        "what is added to the loss, see `training.methods`, or a baseline of `training.baselines`",
        _ONE,
        choices=(*METHODS, *BASELINES),
    )
    strength: float = setting(
        3e-4, "the weight of its term, nats of loss a nat of information", _ONE, mixes=True
    )
    every: int = setting(
        8,
        "its term is added at every so many steps only, and so many times as heavy; the steps in "
        "between take no unlabelled samples, and are as fast as at weight 0",
        _ONE,
        whole=True,
        least=1,
        before=1,
    )
    weighting: str = setting(
        "nats",
        "what a strength of 1 is: the term itself, in nats, or a term whose gradient is as long as "
        "that of the cross-entropy, at each step anew: the same on every task. 0.1 is then worth "
        "about 2e-5 in nats, and 1 about 5e-4 (Lautum; between views 3e-3 and 5e-2, on "
        "photographs up to four times that)",
        _ONE,
        choices=("nats", "gradient"),
        before="nats",
    )
    views: str = setting(
        "warped",
        "what a method of views does to an image, see `training.views`",
        _ONE,
        choices=tuple(VIEWS),
        before="warped",
    )
    view_noise: float = setting(
        NOISE, "the noise on both views, see `between_views`", _ONE, before=NOISE
    )
    layer: str = setting(
        "features", "which outputs stand in for the weights", _ONE, choices=("features", "logits")
    )
    inputs: str = setting(
        "target",
        "which unlabelled inputs: those of the source ask how much is plain diversity of features",
        _ONE,
        choices=("target", "source"),
    )
    n_components: int = setting(
        64,
        "principal components of the inputs that are kept; 0: all, which is the inputs themselves, "
        "of which a batch tells something only if it is larger than they are, or with a decay",
        _ONE,
        whole=True,
    )
    ridge: float = setting(
        1e-2, "variance of the noise on the features, as a fraction of theirs", _ONE
    )
    decay: float = setting(
        0.0,
        "how much the covariances of earlier terms count, see `training.running`; 0: not at all",
        _ONE,
        most=MOST_DECAY,
        before=0.0,
    )
    labels: int = setting(
        200,
        "labelled target samples, balanced; `labelled` at most",
        _TWO,
        whole=True,
        least=10,
    )
    protocol: str = setting("probe", "what is done with them", _TWO, choices=("probe", "finetune"))
    seed: int = setting(0, "of all that is random", _DATA, whole=True, most=2**31 - 1, mixes=True)
    steps: int = setting(400, "how many", _ONE, whole=True, least=1)
    source_batch: int = setting(64, "labelled samples a step", _ONE, whole=True, least=2)
    target_batch: int = setting(256, "unlabelled samples a step", _ONE, whole=True, least=2)
    learning_rate: float = setting(3e-3, "of Adam, in both stages", _ONE)
    finetune_steps: int = setting(200, "how many, while fine-tuning", _TWO, whole=True, least=1)
    stage_two: str = setting(
        "standard", "a method while fine-tuning", _TWO, choices=STAGE_TWO_METHODS
    )
    stage_two_strength: float = setting(0.0, "the weight of its term", _TWO)
    augment: str = setting(
        "none",
        "training images as they are, moved by up to 2 pixels, or also half of them mirrored",
        _ONE,
        choices=AUGMENTS,
    )
    recipe: str = setting(
        "plain",
        "how it is fine-tuned, see `training.recipes`",
        _TWO,
        choices=tuple(RECIPES),
        before="plain",
    )
    unlabelled: int = setting(
        4000, "target samples without labels", _DATA, whole=True, least=2, before=4000
    )
    labelled: int = setting(
        400, "target samples that `labels` are taken of", _DATA, whole=True, least=10, before=400
    )
    validation: int = setting(
        500, "labelled target samples to choose by", _DATA, whole=True, least=2, before=500
    )
    test: int = setting(
        2000, "samples of each domain to test on; 0: all there are", _DATA, whole=True, before=2000
    )

    def __post_init__(self) -> None:
        for name, known in SETTINGS.items():
            given = getattr(self, name)
            kept = spelled(known.checked(name, given))
            if kept is not given:
                object.__setattr__(self, name, kept)
        if self.labels > self.labelled:
            raise ValueError(
                f"labels needs to be at most labelled ({self.labelled}), got {self.labels}."
            )
        if self.is_baseline:
            object.__setattr__(self, "strength", 0.0)
            if self.protocol != (its := BASELINES[self.method].protocol):
                raise ValueError(
                    f"protocol needs to be {its} for the baseline {self.method}, "
                    f"got {self.protocol!r}."
                )
        wanted = "protocol needs to be finetune for"
        if self.stage_two != "standard" and self.protocol == "probe":
            raise ValueError(f"{wanted} a method in stage two ({self.stage_two}), got 'probe'.")
        if self.recipe != "plain" and self.protocol == "probe":
            raise ValueError(f"{wanted} a recipe ({self.recipe}), got 'probe'.")

    @property
    def sizes(self) -> Sizes:
        """How many samples each part of the task is to have."""
        return Sizes(self.unlabelled, self.labelled, self.validation, self.test)

    @property
    def is_control(self) -> bool:
        """Standard transfer: stage one uses no unlabelled input."""
        return not self.is_baseline and (self.method == "standard" or self.strength == 0)

    @property
    def is_baseline(self) -> bool:
        """One of `BASELINES`, which are neither the control nor a method."""
        return self.method in BASELINES


SETTINGS = settings_of(Experiment)


def grid(base: Experiment | Iterable[Experiment], **settings: Any) -> list[Experiment]:
    """Every combination of settings, the last one varying fastest: `grid(base, strength=[0, 1e-3],
    seed=range(4))` are eight experiments. A baseline, which has no strength, is there once.

    base: one experiment, or several, each of which is combined with the settings. A setting is a
    list or another collection of values, or one value. ValueError: a setting that is not there.
    """
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown:
        raise ValueError(f"settings need to be among {', '.join(SETTINGS)}, got {unknown[0]!r}.")
    bases = [base] if isinstance(base, Experiment) else list(base)
    values = [plain_values(given) for given in settings.values()]
    made = [
        replace(e, **dict(zip(settings, chosen, strict=True)))
        for e in bases
        for chosen in product(*values)
    ]
    return list({(e if e.is_baseline else k): e for k, e in enumerate(made)}.values())


def baselines(base: Experiment, names: Iterable[str] = tuple(BASELINES)) -> list[Experiment]:
    """The baselines beside an experiment: the same data and seed, each with its own protocol, no
    method in stage two, and its recipe where they are fine-tuned. `grid(baselines(base),
    seed=range(4))` makes more of them.

    ValueError: a name that is not in `BASELINES`.
    """
    wanted = list(names)
    for unknown in [name for name in wanted if name not in BASELINES]:
        raise ValueError(f"names need to be among {', '.join(BASELINES)}, got {unknown!r}.")
    plain: dict[str, Any] = {"stage_two": "standard", "stage_two_strength": 0.0}
    of_probe = plain | {"recipe": "plain"}
    own = [
        (of_probe if BASELINES[n].protocol == "probe" else plain) | {"method": n} for n in wanted
    ]
    return [replace(base, protocol=BASELINES[s["method"]].protocol, **s) for s in own]


@elsewhere()
def stored_experiment(settings: Mapping[str, Any]) -> Experiment:
    """The experiment of stored settings, wherever it ran: a folder of images need not be here.
    Settings that there were not yet have the value that all had then."""
    then = {name: k.before for name, k in SETTINGS.items() if k.before is not None}
    return Experiment(**then | dict(settings))
