"""A prediction: a guess before the answer."""

import pytest

from lautum_utils.training.experiments import Experiment
from lautum_utils.training.outcomes import Result
from lautum_utils.widgets.prediction import Prediction


def guessed() -> Prediction:
    experiments = [Experiment(strength=s, seed=i) for s in (0.0, 1e-3, 1e-2) for i in range(2)]
    history = {"step": [0.0]}
    return Prediction(
        [
            Result(e, 0.2 + 30 * e.strength + 0.01 * e.seed, 0.5, 0.5, 1.0, history)
            for e in experiments
        ]
    )


def test_a_prediction_is_wanted_before_the_answer_is_shown() -> None:
    prediction = guessed()
    before = bytes(prediction.image.value)
    prediction.reveal_button.click()
    assert not prediction.revealed
    assert bytes(prediction.image.value) == before
    assert "Move the sliders" in prediction.sentence.value
    for value in (0, 100, 40):
        prediction.sliders[1e-2].value = value
        assert bytes(prediction.image.value) != before
        before = bytes(prediction.image.value)
    prediction.sliders[0.0].value = 10
    prediction.reveal_button.click()
    assert prediction.revealed
    # Guessed 10, 50, 40; measured 20.5, 23.5, 50.5.
    assert (
        "off by 16 points on average, most at weight 0.001: 50 %, measured 24 %"
        in prediction.sentence.value
    )
    assert (
        "You put the best weight at 0.001; the best mean is at 0.01." in prediction.sentence.value
    )
    prediction.sliders[1e-3].value = 24
    assert "off by 7 points" in prediction.sentence.value


def test_a_prediction_of_one_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="two strengths or more, got 0"):
        Prediction([])
