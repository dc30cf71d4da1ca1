"""Evaluation: the scores of the very forecasts, exact densities, units, and supervised models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.changed_tracks import changed
from tests.helpers.trained_models import CONFIGS, SETTINGS, walks

import vrnn
from vrnn.errors import UnsupportedError
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll


@pytest.mark.parametrize("name", CONFIGS)
def test_evaluate_scores_the_paths_that_forecast_draws(trained, name):
    tracks = walks(6, 14, seed=5)
    scores = vrnn.evaluate(tracks, model=trained[name], observe=5, horizon=7, samples=5)
    assert scores.windows == 6 * 3 and scores.selection == "samples"
    cut = vrnn.windows(tracks, 12)
    drawn = vrnn.forecast(cut.cut(stop=5), model=trained[name], horizon=7, samples=5)
    truth = np.stack(cut.x)[:, 5:]
    far = np.linalg.norm(drawn.samples - truth, axis=-1)
    assert scores.model.min_ade == pytest.approx(far.mean(-1).min(0).mean())
    assert scores.model.min_fde == pytest.approx(far[..., -1].min(0).mean())
    assert scores.model.ade == pytest.approx(np.linalg.norm(drawn.mean - truth, axis=-1).mean())
    assert np.isfinite(list(vars(scores.model).values())).all()
    assert list(scores.baselines) == ["constant_velocity", "random_walk", "kalman"]
    assert scores.kalman_fit == "training tracks"


def test_a_baseline_that_is_better_beyond_noise_is_named():
    """Straight lines, which an RNN that is hardly trained forecasts worse than constant velocity."""
    rng = np.random.default_rng(0)
    lines = [np.arange(12.0)[:, None] * v + 5 for v in rng.normal(size=(20, 1, 2))]
    tracks, one = vrnn.Tracks(lines), vrnn.TrainConfig(steps=1)
    config = vrnn.RNNConfig(x_dim=2, hidden=4)
    model = vrnn.train(tracks, config=config, training=one, quiet=True).model
    found = vrnn.evaluate(tracks, model=model, observe=5, horizon=4, samples=5)
    assert set(found.better_baselines) == {"constant_velocity", "random_walk", "kalman"}
    assert vrnn.evaluate(tracks[:1], model=model, observe=5, horizon=4).better_baselines == ()
    for scores in found.baselines.values():
        assert scores.energy_score < 1e-4 < found.model.energy_score


def test_the_model_that_needs_no_training_stands_beside_a_filter_of_the_observed_rows():
    found = vrnn.evaluate(walks(6, 14, seed=5), observe=5, horizon=7, samples=5)
    assert found.kalman_fit == "observed rows" and len(found.baselines) == 3
    for name in ("random_walk", "kalman"):
        assert np.isfinite(list(vars(found.baselines[name]).values())).all()


def test_baselines_stand_beside_models_with_inputs_and_prefixes_with_gaps():
    """Windows are complete, so a gap only ends one; inputs are read by the model alone."""
    tracks = walks(20)
    tracks = changed(tracks, "x", (0, 6, np.nan))
    tracks = replace(tracks, u=[x[:, :1] for x in walks(20, seed=3).x])
    config = vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3)
    model = vrnn.train(tracks, config=config, training=SETTINGS, quiet=True).model
    found = vrnn.evaluate(tracks, model=model, observe=4, horizon=3, samples=4)
    assert found.windows == 19 * 8 + 1 and len(found.baselines) == 3
    without = vrnn.evaluate(vrnn.Tracks(tracks.x), observe=4, horizon=3, samples=4)
    assert found.baselines["random_walk"] == without.baselines["random_walk"]


def test_columns_of_categories_are_evaluated_without_baselines():
    rolls = [np.random.default_rng(i).integers(0, 2, (12, 3)).astype(float) for i in range(12)]
    config = vrnn.RNNConfig(x_dim=3, hidden=4, emission="bernoulli")
    one = vrnn.TrainConfig(steps=1)
    run = vrnn.train(vrnn.Tracks(rolls), config=config, training=one, quiet=True)
    found = vrnn.evaluate(vrnn.Tracks(rolls), model=run.model, observe=5, horizon=4, samples=3)
    assert run.model.kalman is None and not found.baselines and np.isfinite(found.model.nll)


def test_the_nll_of_an_rnn_is_the_exact_density_of_the_future_in_data_units():
    """log p(future | past) = log p(whole) - log p(past), from two separate passes; the model has no latents."""
    model = vrnn.train(
        walks(),
        config=vrnn.RNNConfig(x_dim=2, hidden=8, emission="full_gaussian"),
        training=SETTINGS,
        quiet=True,
    ).model
    tracks = walks(5, 9, seed=6)
    scores = vrnn.evaluate(tracks, model=model, observe=4, horizon=5, samples=3)

    def log_density(some: vrnn.Tracks) -> float:
        batch, _ = model.preprocessor.batch(some)
        count, time = batch.x.shape[:2]
        noise = draw_noise(model.network, 1, count, time, seeded(0))
        jacobian = (batch.present * batch.log_jacobian[:, None]).sum((-1, -2))
        with torch.no_grad():
            return float((unroll(model.network, batch, noise).log_prob.sum(-1)[0] + jacobian).sum())

    exact = -(log_density(tracks) - log_density(tracks.cut(stop=4))) / (5 * 5)
    assert scores.model.nll == pytest.approx(exact, abs=1e-4)


def test_the_nll_does_not_depend_on_units():
    """In centimetres a density is 100 times smaller a dimension: the NLL rises by 2 log 100 a step."""
    metres, centimetres = walks(), vrnn.Tracks([100 * x for x in walks().x])
    nll = []
    for tracks in (metres, centimetres):
        model = vrnn.train(tracks, config=CONFIGS["vrnn"], training=SETTINGS, quiet=True).model
        nll.append(vrnn.evaluate(tracks, model=model, observe=5, horizon=7, samples=5).model.nll)
    assert nll[1] - nll[0] == pytest.approx(2 * np.log(100), abs=1e-3)


@pytest.mark.parametrize(
    "config",
    [
        vrnn.RNNConfig(x_dim=2, hidden=8, supervised=True),
        vrnn.Seq2SeqVAEConfig(x_dim=2, hidden=8, latent_dim=3, target="supervised"),
        vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3, supervised="encoder"),
        vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3, supervised="conditional"),
    ],
    ids=lambda c: type(c).__name__ + str(getattr(c, "supervised", "")),
)
def test_supervised_models_draw_and_score_y(config):
    tracks = walks(20)
    y = [x[:, :1] * 2 + 30 for x in tracks.x]
    tracks = replace(tracks, y=y, y_names=("load",))
    model = vrnn.train(tracks, config=config, training=SETTINGS, quiet=True).model
    drawn = vrnn.forecast(tracks, model=model, horizon=3, samples=4)
    assert drawn.samples.shape == (4, 20, 3, 1) and drawn.names == ("load",)
    assert abs(drawn.samples.mean() - 30) < 40
    scores = vrnn.evaluate(tracks, model=model, samples=4)
    assert scores.rows == 20 * 13 and np.isfinite([scores.rmse, scores.nll]).all()
    with pytest.raises(UnsupportedError, match="cannot generate x"):
        vrnn.generate(model=model)
    with pytest.raises(UnsupportedError, match="leave temperature 1"):
        vrnn.evaluate(tracks, model=model, temperature=0.5)
    with pytest.raises(UnsupportedError, match="supervised"):
        vrnn.forecast(tracks, model=model, horizon=3, prefix_samples=1)
