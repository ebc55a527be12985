"""Probes: a penalty chosen on validation data, and a read-out in closed form."""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from lautum_utils.training.probes import (
    MORE_PENALTIES,
    PENALTIES,
    Arrays,
    Probe,
    fit_probe,
    read_out_accuracy,
)


def test_probe_chooses_its_penalty_on_validation_data_only() -> None:
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(3), (3, 20))
    z = rng.normal(size=(3, 60, 8))
    z[..., :3] += 2 * np.eye(3)[y]
    labelled, validation, test = zip(z, y, strict=True)
    penalties = set()
    for seed in range(12):
        chosen = np.random.default_rng(seed).choice(60, 25)
        part = (validation[0][chosen], validation[1][chosen])
        probe = fit_probe(labelled, part, test)
        other = fit_probe(labelled, part, (test[0], (test[1] + 1) % 3))
        assert other == probe._replace(test_accuracy=other.test_accuracy)
        assert other.test_accuracy != probe.test_accuracy
        penalties.add(probe.penalty)
        assert probe == best_of_separate_fits(labelled, part, test)
    assert penalties <= set(PENALTIES)
    assert len(penalties) > 2
    far = (100 * np.eye(3)[y[0]] + z[0, :, :3], y[0])
    assert fit_probe(far, far, far) == Probe(1.0, 1.0, max(PENALTIES)), "the strongest of equals"


def best_of_separate_fits(labelled: Arrays, validation: Arrays, test: Arrays) -> Probe:
    """What `fit_probe` gives, from fits that start anew and go on to the end."""
    scale = StandardScaler().fit(labelled[0])
    (x, y), on_validation, on_test = (
        (scale.transform(z), labels) for z, labels in (labelled, validation, test)
    )
    fits = {p: LogisticRegression(C=1 / p, tol=1e-8, max_iter=5000).fit(x, y) for p in PENALTIES}
    score, penalty = max((fit.score(*on_validation), p) for p, fit in fits.items())
    return Probe(score, fits[penalty].score(*on_test), penalty)


def test_on_one_common_scale_what_varies_little_stays_small() -> None:
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(3), (3, 20))
    z = np.concatenate([2 * np.eye(3)[y], np.zeros((3, 60, 37))], -1)
    z += rng.normal(size=z.shape) * np.repeat([0.5, 0.02], [3, 37])
    parts = list(zip(z, y, strict=True))
    probe = fit_probe(*parts, common_scale=True)
    assert probe.penalty in MORE_PENALTIES
    assert probe.test_accuracy > fit_probe(*parts).test_accuracy + 0.02
    for moved in (100 * z + 7, z[..., ::-1]):
        assert fit_probe(*zip(moved, y, strict=True), common_scale=True) == probe
    one = [(x / math.sqrt(z[0].var(0).mean()), labels) for x, labels in parts]
    fits = {p: LogisticRegression(C=1 / p, tol=1e-8, max_iter=5000) for p in MORE_PENALTIES}
    scores = {p: fit.fit(*one[0]).score(*one[1]) for p, fit in fits.items()}
    assert probe.validation_accuracy == max(scores.values())
    assert probe.test_accuracy == fits[probe.penalty].score(*one[2])


def test_on_one_common_scale_constant_features_say_nothing_and_do_no_harm() -> None:
    part = (np.ones((30, 4)), np.arange(30) % 3)
    assert fit_probe(part, part, part, common_scale=True).test_accuracy == pytest.approx(1 / 3)


def test_probe_says_nothing_of_fits_that_are_cut_short() -> None:
    rng = np.random.default_rng(0)
    part = (rng.normal(size=(400, 64)) * np.logspace(0, 6, 64), rng.integers(10, size=400))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert 0 <= fit_probe(part, part, part).validation_accuracy <= 1


def test_the_read_out_is_ridge_regression_onto_the_labels() -> None:
    z, z_validation = torch.randn(2, 60, 5) + 3, torch.randn(2, 90, 5) + 3
    shift = 2 * torch.eye(3, 5)
    labels, validation = torch.arange(60).expand(2, 60) % 3, torch.arange(90).expand(2, 90) % 3
    z, z_validation = z + shift[labels], z_validation + shift[validation]
    found = read_out_accuracy(z, labels, z_validation, validation)
    for model in range(2):
        scaled = [
            (part - z[model].mean(0)) / z[model].std() for part in (z[model], z_validation[model])
        ]
        y = F.one_hot(labels[model]).float()
        ridge = Ridge(alpha=0.01 * 60, fit_intercept=False).fit(scaled[0], y - y.mean(0))
        predicted = torch.from_numpy(ridge.predict(scaled[1])).argmax(-1)
        accuracy = (predicted == validation[model]).float().mean().item()
        assert found[model].item() == pytest.approx(accuracy)
        assert accuracy > 0.5
