"""Noise: each draw is standard normal, quasi-random draws cover it evenly, every purpose has a stream."""

import numpy as np
import pytest
import scipy.stats
import torch
from tests.models.settings import CONFIGS, build, each

from vrnn.inference.noise import draw_noise, global_noise_size, no_noise
from vrnn.inference.random_numbers import Stream, quasi_normals, seeded


def test_noise_is_standard_normal():
    """The draws are not uniform, as `torch.rand` in a reparameterisation is."""
    noise = draw_noise(build(CONFIGS["vrnn"]), 50, 50, 20, seeded(0))
    for values in (noise.latent.flatten(), noise.observation.flatten()):
        assert abs(float(values.mean())) < 0.01 and abs(float(values.var()) - 1) < 0.02
        assert abs(float(values.pow(4).mean()) - 3) < 0.1


@pytest.mark.parametrize("name", each(CONFIGS))
def test_shapes_are_what_the_model_draws(name):
    model = build(CONFIGS[name])
    noise = draw_noise(model, 2, 3, 4, seeded(0), resampling=True)
    assert noise.global_latent.shape == (2, 3, global_noise_size(model))
    assert noise.latent.shape == (2, 3, 4, model.latent.noise_size)
    assert noise.observation.shape == (2, 3, 4, model.observation.noise_size)
    assert noise.resampling.shape == (2, 3, 4)
    still = no_noise(model, 3, 4)
    for a, b in zip(still[:3], noise[:3], strict=True):
        assert a.shape == (1, *b.shape[1:]) and a.dtype == b.dtype and not a.any()
    assert still.resampling.shape == (1, 3, 0)


@pytest.mark.parametrize("name", ["vrnn", "rollout-autoencoding-sequence", "rnn"])
def test_what_may_be_left_out_changes_nothing_else(name):
    model = build(CONFIGS[name])
    every = draw_noise(model, 2, 3, 4, seeded(1), resampling=True)
    fewer = draw_noise(model, 2, 3, 4, seeded(1), observations=False)
    assert torch.equal(fewer.global_latent, every.global_latent)
    assert torch.equal(fewer.latent, every.latent)
    assert fewer.observation.shape[2] == fewer.resampling.shape[2] == 0
    more = draw_noise(model, 2, 3, 4, seeded(1), resampling=True, observations=False)
    assert torch.equal(more.resampling, every.resampling)


def test_part_of_the_sequences_and_of_the_steps():
    noise = draw_noise(build(CONFIGS["rollout-autoencoding-sequence"]), 2, 3, 4, seeded(0))
    one, late = noise.sequences(slice(1, 2)), noise.steps(slice(2, 4))
    assert torch.equal(one.global_latent, noise.global_latent[:, 1:2])
    assert torch.equal(one.observation, noise.observation[:, 1:2])
    assert late.global_latent is noise.global_latent
    assert torch.equal(late.observation, noise.observation[:, :, 2:])
    assert late.resampling.shape == (2, 3, 0)  # drawn at no step


def test_each_quasi_draw_is_standard_normal_and_sequences_are_independent():
    z = quasi_normals(1, 20000, 2, seeded(0))[0].double()
    for column in z.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 1e-3
    assert abs(float(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1])) < 0.03
    assert abs(float(np.corrcoef(z.T)[0, 1])) < 0.03


def test_draws_of_a_sequence_cover_the_normal_evenly():
    """The mean of 32 has less than a quarter of the variance of independent draws, in every dimension."""
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
    """Latents and observations of a pass do not go together, over many samples of one sequence."""
    model, count = build(CONFIGS["vrnn"]), 2048
    for seed in range(3):
        noise = draw_noise(model, count, 4, 2, seeded(seed), qmc=True)
        for i in range(4):
            parts = noise.latent[:, i].flatten(1), noise.observation[:, i].flatten(1)
            both = torch.cat(parts, 1).double()
            off = torch.corrcoef(both.T) - torch.eye(both.shape[1]).double()
            assert float(off.abs().max()) < 5 / count**0.5


@pytest.mark.parametrize("qmc", [True, False])
def test_the_same_seed_gives_the_same_noise(qmc):
    model = build(CONFIGS["vrnn"])
    one, two, other = (draw_noise(model, 4, 3, 5, seeded(s), qmc=qmc) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.latent, other.latent) and one.latent.shape == (4, 3, 5, 3)
    assert one.latent.dtype == next(model.parameters()).dtype


def test_no_two_purposes_share_a_stream():
    assert len(set(Stream)) == len(Stream.__members__)
    draws = {tuple(torch.randn(3, generator=seeded(0, s, 1)).tolist()) for s in Stream}
    assert len(draws) == len(Stream)


def test_every_number_of_a_stream_counts():
    """Other numbers, or the same ones in another order, are another stream."""
    numbers = [(1,), (2,), (0, 1), (1, 2), (2, 1), (0, 1, 1), (0, 1, 2), (2, 1, 1), (1, 1, 2)]
    draws = {tuple(torch.randn(3, generator=seeded(*n)).tolist()) for n in numbers}
    assert len(draws) == len(numbers)
    same = [torch.randn(3, generator=seeded(3, 4)) for _ in range(2)]
    assert torch.equal(*same)
