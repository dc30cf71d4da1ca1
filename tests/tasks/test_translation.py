"""Tasks and training at coordinates far from 0, such as those of UTM: the same tracks, moved.

Positions are multiples of 2^-16, so that moving them by a whole number rounds nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import vrnn
from vrnn.tasks.imputed import Imputed
from vrnn.tasks.predictive import Predictive
from vrnn.trained import TrainedModel

FAR = np.array([4.5e7, 1e8])
SETTINGS = vrnn.TrainConfig(steps=8, batch_size=8, warmup=0, learning_rate=5e-3, holdout=0.25)
NET = vrnn.VRNNConfig(2, hidden=6, latent_dim=2)
TRANSFORMS = {
    "displacement": (NET, SETTINGS),
    "dmm": (vrnn.DMMConfig(2, hidden=6, latent_dim=2), SETTINGS),
    "causal": (
        replace(NET, emission="full_gaussian"),
        replace(SETTINGS, transform=vrnn.TransformConfig(causal=True)),
    ),
    "heading": (
        NET,
        replace(SETTINGS, window=10, observe=5, transform=vrnn.TransformConfig(heading=True)),
    ),
    "augmented": (
        NET,
        replace(SETTINGS, augment=vrnn.AugmentConfig(flip=True, rotate=True, speed=(0.8, 1.2))),
    ),
    "positions": (NET, replace(SETTINGS, transform=vrnn.TransformConfig(displacement=False))),
    "position-input": (NET, replace(SETTINGS, position_input=True)),
}
EXACT = ("displacement", "dmm", "causal", "heading")
EVERY = pytest.mark.parametrize("name", TRANSFORMS)


def walks(count: int, rows: int, seed: int, *, far: bool) -> vrnn.Tracks:
    """Return random walks with a drift, around 0 or far from it."""
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(size=(count, rows, 2)) + random.normal(size=(count, 1, 2)), 1)
    return vrnn.Tracks(list(np.round(x * 2**16) / 2**16 + FAR * far))


@cache
def trained(name: str, far: bool) -> TrainedModel:
    config, settings = TRANSFORMS[name]
    tracks = walks(16, 12, 0, far=far)
    return vrnn.train(tracks, config=config, training=settings, quiet=True).model


def weights(model: TrainedModel) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in model.network.parameters()]).numpy()


@EVERY
def test_training_does_not_depend_on_where_the_tracks_are(name):
    here, there = (weights(trained(name, far)) for far in (False, True))
    if name in EXACT:
        np.testing.assert_array_equal(there, here)
    # Means and places far from 0 are rounded, and the network is in float32.
    np.testing.assert_allclose(there, here, atol=2e-5)


def ahead(model: TrainedModel, tracks: vrnn.Tracks) -> Predictive:
    belief = vrnn.filter_tracks(tracks, model=model, particles=20).belief
    return vrnn.predictive(belief, model=model)


def observed(model: TrainedModel, tracks: vrnn.Tracks) -> np.ndarray:
    if model.preprocessor.transform.heading:
        return np.zeros(1)  # such a model does not begin at a first point
    belief, found = vrnn.initial_belief(model=model, particles=20), []
    for point in tracks.x[0]:
        belief, log_prob = vrnn.observe(point, belief=belief, model=model)
        found.append(log_prob)
    return np.stack(found)


def imputed(model: TrainedModel, tracks: vrnn.Tracks) -> Imputed | None:
    if model.preprocessor.transform.heading:
        return None
    x = [np.where((np.arange(len(x)) == 5)[:, None], np.nan, x) for x in tracks.x]
    return vrnn.impute(replace(tracks, x=x), model=model, particles=30, samples=6)


def modes(model: TrainedModel, tracks: vrnn.Tracks) -> np.ndarray:
    if model.preprocessor.transform.causal:
        return np.stack([x[:1] for x in tracks.x])  # which has no modes
    config = vrnn.ModesConfig(count=3, horizon=3, steps=3)
    fitted = vrnn.fit_modes(tracks, model=model, config=config, quiet=True)
    return vrnn.predict_modes(tracks, model=fitted).samples


def evaluated(model: TrainedModel, tracks: vrnn.Tracks, selection: str) -> np.ndarray:
    found = vrnn.evaluate(tracks, model=model, observe=5, horizon=4, samples=4, selection=selection)
    return np.array([*vars(found.model).values()])


Task = Callable[[TrainedModel, vrnn.Tracks], np.ndarray]
PLACES: dict[str, Task] = {
    "forecast": lambda m, t: vrnn.forecast(t, model=m, horizon=3, samples=4).samples,
    "forecast of a belief": lambda m, t: (
        vrnn.forecast(
            vrnn.filter_tracks(t, model=m, particles=10).belief, model=m, horizon=3, samples=4
        ).samples
    ),
    "mean of a forecast": lambda m, t: vrnn.forecast(t, model=m, horizon=3, samples=7).mean,
    "predictive mean": lambda m, t: ahead(m, t).mean,
    "predictive sample": lambda m, t: ahead(m, t).sample(4),
    "impute": lambda m, t: (
        t.x[0] if (found := imputed(m, t)) is None else np.concatenate(found.mean)
    ),
    "modes": modes,
}
NUMBERS: dict[str, Task] = {
    "predictive density": lambda m, t: ahead(m, t).log_prob(np.stack([x[-1] + 1 for x in t.x])),
    "filter": lambda m, t: np.concatenate(vrnn.filter_tracks(t, model=m, particles=20).log_prob),
    "observe": observed,
    "score": lambda m, t: vrnn.score(t, model=m, particles=20).score,
    "pit": lambda m, t: np.concatenate(vrnn.score(t, model=m, particles=20, ranks=True).pit),
    "likelihood": lambda m, t: vrnn.likelihood(t, model=m, samples=10).values,
    "encode": lambda m, t: np.concatenate(vrnn.encode(t, model=m).tables),
    "evaluate": lambda m, t: evaluated(m, t, "samples"),
    "evaluate clusters": lambda m, t: evaluated(m, t, "clusters"),
    "reliability": lambda m, t: vrnn.reliability(t, model=m, observe=5, horizon=4, samples=20).nll,
}


@EVERY
@pytest.mark.parametrize("task", PLACES | NUMBERS)
def test_results_move_with_the_tracks(name, task):
    run = (PLACES | NUMBERS)[task]
    here, there = (run(trained(name, far), walks(5, 12, 1, far=far)) for far in (False, True))
    there = there - FAR if task in PLACES else there
    np.testing.assert_array_equal(np.isnan(here), np.isnan(there))
    # A place at 1e8 is rounded by 1.5e-8, and a distance of places too.
    measured = task in PLACES or task.startswith("evaluate")
    tolerance = 1e-7 * measured if name in EXACT else 2e-6 * np.nanmax(np.abs(here))
    np.testing.assert_allclose(there, here, rtol=0, atol=tolerance)


@pytest.mark.parametrize("task", PLACES | NUMBERS)
def test_the_model_that_needs_no_training_sees_no_place(task):
    if task in ("observe", "modes"):
        pytest.skip("it has no such task")
    run, model = (PLACES | NUMBERS)[task], vrnn.load("tracks-2d")
    here, there = (run(model, walks(5, 12, 1, far=far)) for far in (False, True))
    there = there - FAR if task in PLACES else there
    np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-7)


@pytest.mark.parametrize("unit", [1e-15, 1e-3, 1e6])
@pytest.mark.parametrize("far", [0.0, 1e8], ids=["around-0", "far"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_model_is_the_same_in_every_unit(name, far, unit):
    """Femtometres or megametres: the standardised values are equal, so the weights are."""
    config, settings = TRANSFORMS[name]
    settings = replace(settings, steps=2)
    tracks = walks(16, 12, 0, far=bool(far))
    scaled = replace(tracks, x=[unit * x for x in tracks.x])
    one, other = (
        vrnn.train(t, config=config, training=settings, quiet=True).model for t in (tracks, scaled)
    )
    first, second = (m.preprocessor.transform.standardise for m in (one, other))
    np.testing.assert_allclose(second.scale, unit * np.array(first.scale), rtol=1e-6)
    np.testing.assert_allclose(weights(other), weights(one), atol=1e-5)
