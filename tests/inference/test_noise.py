"""Quasi-random noise: each draw is normal, the draws of a sequence cover it evenly, and forecasts of them are the model's."""

import numpy as np
import pytest
import scipy.stats
import torch
from tests.inference.small import KINDS, SUPERVISED, made, walks

import vrnn
from vrnn.inference.noise import Stream, draw_noise, quasi_normals, seeded


def test_each_draw_is_standard_normal_and_sequences_are_independent():
    z = quasi_normals(1, 20000, 2, seeded(0))[0].double()
    for column in z.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 1e-3
    assert abs(float(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1])) < 0.03
    assert abs(float(np.corrcoef(z.T)[0, 1])) < 0.03


def test_draws_of_a_sequence_cover_the_normal_evenly():
    """The mean of 32 has less than a quarter of the variance that independent draws would have; in every dimension."""
    z = quasi_normals(32, 500, 6, seeded(1)).double()
    assert float((z.mean(0).var(0) * 32).max()) < 0.25
    below = (z < 0).double().mean(0)
    assert bool(((below - 0.5).abs() <= 1.5 / 32).all())
    pairs = ((z[..., 0] < 0) & (z[..., 1] < 0)).double().mean(0)  # two dimensions at once
    assert float(pairs.std()) < 0.5 * np.sqrt(0.25 * 0.75 / 32)


def test_past_the_known_dimensions_the_rest_is_independent():
    z = quasi_normals(4, 2, torch.quasirandom.SobolEngine.MAXDIM + 3, seeded(2))
    assert z.shape == (4, 2, torch.quasirandom.SobolEngine.MAXDIM + 3) and bool(z.isfinite().all())


def test_what_is_drawn_apart_is_independent():
    """Latents and observations of a pass have a sequence each; over many samples of one sequence they do not go together."""
    network, count = made("vrnn").network, 2048
    for seed in range(3):
        noise = draw_noise(network, count, 4, 2, seeded(seed), qmc=True)
        for i in range(4):
            both = torch.cat(
                [noise.latent[:, i].flatten(1), noise.observation[:, i].flatten(1)], 1
            ).double()
            off = torch.corrcoef(both.T) - torch.eye(both.shape[1]).double()
            assert float(off.abs().max()) < 5 / count**0.5


def test_the_same_seed_gives_the_same_noise():
    network = made("vrnn").network
    one, two, other = (draw_noise(network, 4, 3, 5, seeded(s), qmc=True) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.latent, other.latent) and one.latent.shape == (4, 3, 5, 3)
    assert one.latent.dtype == next(network.parameters()).dtype


@pytest.mark.parametrize("name", [*KINDS, "rollout", *SUPERVISED])
def test_forecasts_of_every_model(name):
    model, tracks = made(name), walks(3, y=name in SUPERVISED)
    drawn = [
        vrnn.forecast(tracks, model=model, horizon=4, samples=16, seed=s, qmc=q).samples
        for s, q in ((1, True), (1, True), (1, False))
    ]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert drawn[0].shape == drawn[2].shape


def test_means_vary_less_and_agree():
    """Over seeds, the mean of 20 quasi-random paths scatters less around the same point than that of independent ones."""
    model, tracks = made("vrnn"), walks(2)
    means = {
        q: np.stack(
            [
                vrnn.forecast(tracks, model=model, horizon=3, samples=32, seed=s, qmc=q).mean
                for s in range(40)
            ]
        )
        for q in (True, False)
    }
    assert means[True].std(0).mean() < 0.6 * means[False].std(0).mean()
    error = means[False].std(0) / np.sqrt(40)
    assert (np.abs(means[True].mean(0) - means[False].mean(0)) < 5 * error).all()


def test_evaluation_says_so():
    found = vrnn.evaluate(walks(), model=made("vrnn"), observe=5, horizon=4, samples=8, qmc=True)
    assert found.qmc and "8 quasi-random samples" in found.to_text()


def test_no_two_purposes_share_a_stream():
    assert len(set(Stream)) == len(Stream.__members__)
    draws = {tuple(torch.randn(3, generator=seeded(0, s, 1)).tolist()) for s in Stream}
    assert len(draws) == len(Stream)
