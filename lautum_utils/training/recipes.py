"""How stage two fine-tunes, by name: what a recipe is, and those that there are."""

from dataclasses import dataclass

from lautum_utils.training.randomness import AUGMENTS


@dataclass(frozen=True)
class Recipe:
    """What is done while fine-tuning, beside the cross-entropy and a method's term.

    steps: so many times `Experiment.finetune_steps` are taken. learning_rate: of Adam; None: the
    experiment's own. head_first: the share of the steps in which only the new head learns, at the
    experiment's own rate, and the body stays as it is. augment: labelled images are changed at
    least so much, see `Experiment.augment`. decay_to_start: a weight of the body goes back to where
    it started, after each step of Adam, by

        w <- w - learning_rate * decay_to_start * (w - w_start)

    which is L2-SP (Li, Grandvalet and Davoine, ICML 2018), decoupled from Adam as in AdamW
    (Loshchilov and Hutter, ICLR 2019). early_stopping: each network keeps the weights that had the
    best accuracy on the validation samples, the earliest of equals.

    ValueError: a bad value.
    """

    steps: int = 1
    learning_rate: float | None = None
    head_first: float = 0.0
    augment: str = "none"
    decay_to_start: float = 0.0
    early_stopping: bool = False

    def __post_init__(self) -> None:
        rate = self.learning_rate
        needs = {
            "steps": (self.steps >= 1, "a whole number of 1 or more"),
            "learning_rate": (rate is None or rate > 0, "None or more than 0"),
            "head_first": (0 <= self.head_first <= 1, "from 0 to 1"),
            "augment": (self.augment in AUGMENTS, f"one of {', '.join(AUGMENTS)}"),
            "decay_to_start": (self.decay_to_start >= 0, "0 or more"),
        }
        for name, (good, wanted) in needs.items():
            if not good:
                raise ValueError(f"{name} needs to be {wanted}, got {getattr(self, name)!r}.")

    def at_least(self, augment: str) -> str:
        """The stronger of the experiment's augmentation and the recipe's."""
        return max(augment, self.augment, key=AUGMENTS.index)


# "careful" was tuned for the control, on target samples that it neither learns from nor is tested
# on: notMNIST after MNIST, ten classes of CIFAR-100 after CIFAR-10, letters after digits. A smaller
# learning rate, decay to the start and early stopping gained nothing there beside the rest.
RECIPES = {
    "plain": Recipe(),
    "careful": Recipe(steps=3, head_first=0.1, augment="moved"),
}
