"""What the tests of plots and sketches draw, and how they look at it."""

import io

import numpy as np
from PIL import Image

from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Result

HISTORY = {
    "step": [1.0, 5.0],
    "loss": [2.3, 1.0],
    "dependence": [0.1, 3.0],
    "target_accuracy": [0.1, 0.6],
}


def results(strength: float, *accuracies: float, **settings: object) -> list[Result]:
    """One of each accuracy, with a seed of its own."""
    return [
        Result(
            Experiment(seed=seed, strength=strength, **settings),  # type: ignore[arg-type]
            accuracy,
            0.5,
            0.9,
            1.0,
            HISTORY,
        )
        for seed, accuracy in enumerate(accuracies)
    ]


CURVE = results(0.0, 0.4, 0.44) + results(1e-3, 0.6, 0.64) + results(1e-2, 0.5)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)
