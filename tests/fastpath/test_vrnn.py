"""The compiled step of a filter against the plain one: the same particles, weights and likelihoods from the same noise."""

import copy
import gc
import weakref
from threading import Thread

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.settings import CONFIGS, build
from vrnn.kernels import native
from vrnn.kernels.online import OnlineStep, online_step

import vrnn
from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.particle_filter import particle_filter
from vrnn.models.vrnn import VRNNConfig
from vrnn.tasks import observe as observing

pytestmark = pytest.mark.skipif(native.library() is None, reason="no C++ compiler")
SETTINGS = [
    name
    for name in CONFIGS
    if name.startswith("vrnn") and not {"lstm", "affine", "supervised"} & set(name.split("-"))
]


def filtered(model, config, kernel, samples=3, batch=2, time=4, gaps=False, seed=0):
    """Filter sequences drawn at random, some entries missing where there are to be gaps."""
    dtype, generator = model.h0.dtype, seeded(seed, 1)
    x = torch.randn(batch, time, config.x_dim, generator=generator).to(dtype)
    x = x if all(model.observation.continuous) or model.supervised else (x > 0).to(dtype)
    u = torch.randn(batch, time, config.u_dim, generator=generator).to(dtype)
    y = torch.randn(batch, time, config.y_dim, generator=generator).to(dtype)
    if gaps:
        (y if model.supervised else x)[0, time // 2] = torch.nan
    data = Batch.of(x, u=u, y=y, factorises=model.observation.factorises)
    data = data.swap_target() if model.supervised else data
    noise = draw_noise(model, samples, batch, time, seeded(seed, 2), resampling=True)
    with torch.no_grad():
        assert online_step(model) is not None
        return particle_filter(model, data, noise, kernel=kernel)


def check_equal(found, expected, tolerance):
    for name in ("log_prob", "latent", "prior", "posterior", "x"):
        torch.testing.assert_close(
            getattr(found, name), getattr(expected, name), rtol=tolerance, atol=tolerance
        )
    for a, b in zip(found.belief.state, expected.belief.state, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(
        found.belief.log_weight, expected.belief.log_weight, rtol=tolerance, atol=tolerance
    )


@pytest.fixture
def taken(monkeypatch):
    """Count the steps that the compiled form takes."""
    rows, call = [], OnlineStep.__call__
    monkeypatch.setattr(
        OnlineStep, "__call__", lambda self, *given: (rows.append(given), call(self, *given))[1]
    )
    return rows


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_filter_is_the_same_in_every_setting(name, gaps, taken):
    config = CONFIGS[name]
    model = build(config)
    expected = filtered(model, config, "plain", gaps=gaps)
    assert not taken
    found = filtered(model, config, "auto", gaps=gaps)
    assert len(taken) == (
        2 if gaps else 4
    )  # all rows but the one with the gap and the one behind it
    check_equal(found, expected, 1e-10)
    narrow = filtered(model.float(), config, "auto", gaps=gaps)
    assert torch.equal(narrow.ancestor, found.ancestor)
    torch.testing.assert_close(narrow.log_prob.double(), expected.log_prob, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_filter_is_the_same_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    config = VRNNConfig(
        data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2)), hidden=data.draw(size), latent_dim=data.draw(size),
        prior=data.draw(st.sampled_from(["learned", "standard"])),
    )  # fmt: skip
    model = build(config, data.draw(st.integers(0, 99)))
    with torch.no_grad():
        for weight in model.parameters():
            weight *= min(1.0, (5 / weight.shape[-1]) ** 0.5)
    shape = {n: data.draw(size) for n in ("samples", "batch")} | {
        "time": data.draw(st.integers(1, 5))
    }
    found, expected = (filtered(model, config, kernel, **shape) for kernel in ("auto", "plain"))
    check_equal(found, expected, 1e-9)


def trained():
    tracks = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(20, 12, 2)).cumsum(1)))
    config = VRNNConfig(x_dim=2, hidden=8, latent_dim=3)
    return vrnn.train(
        tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True
    ).model, tracks.x[0]


def streamed(model, x, particles=4):
    belief, found = vrnn.initial_belief(model=model, particles=particles), []
    for point in x:
        belief, log_prob = vrnn.observe(point, belief=belief, model=model)
        found.append(log_prob[0])
    return np.array(found)


def test_observations_are_taken_by_it(monkeypatch, taken):
    model, x = trained()
    x[5] = np.nan
    found = streamed(model, x)
    # All but the first, which displacements start from, the gap and the row behind it.
    assert len(taken) == len(x) - 3
    monkeypatch.setattr(observing, "online_step", lambda network: None)
    np.testing.assert_allclose(found, streamed(model, x), rtol=1e-4, atol=1e-4)


def test_noise_that_does_not_fit_is_refused():
    model, config = (
        build(VRNNConfig(2, hidden=5, latent_dim=3)),
        VRNNConfig(2, hidden=5, latent_dim=3),
    )
    assert filtered(model, config, "auto").log_prob.isfinite().all()
    wide, data = (
        build(VRNNConfig(2, hidden=5, latent_dim=4)),
        Batch.of(torch.zeros(2, 4, 2).double()),
    )
    noise = draw_noise(wide, 3, 2, 4, seeded(0), resampling=True)
    with torch.no_grad(), pytest.raises(AssertionError):
        particle_filter(model, data, noise)


def test_changed_weights_are_seen():
    model, x = trained()
    network = model.network
    with torch.inference_mode():
        first = online_step(network)
        assert online_step(network) is first
    before = streamed(model, x)
    with torch.no_grad():
        network.head[0].weight.mul_(0.5)
    with torch.inference_mode():
        second = online_step(network)
    assert second is not first
    after = streamed(model, x)
    assert not np.allclose(before[1:], after[1:])
    network.head[0].bias = torch.nn.Parameter(network.head[0].bias.detach() + 1)
    with torch.inference_mode():
        third = online_step(network)
    assert third is not second
    assert not np.allclose(after[1:], streamed(model, x)[1:])
    network.head[0] = copy.deepcopy(network.head[0])
    with torch.inference_mode():
        assert online_step(network) is not third


def test_is_not_taken_where_it_does_not_fit():
    model = build(VRNNConfig(2, hidden=5, latent_dim=3))
    assert online_step(model) is None  # gradients are wanted
    with torch.no_grad():
        assert online_step(model) is not None
        with torch.autocast("cpu", torch.bfloat16):
            assert online_step(model) is None
        assert online_step(build(VRNNConfig(2, hidden=5, latent_dim=3, cell="lstm"))) is None
        assert online_step(build(vrnn.RNNConfig(2, hidden=5))) is None
    with torch.inference_mode():
        # Nobody counts the changes of such weights.
        assert online_step(build(VRNNConfig(2, hidden=5, latent_dim=3))) is None


def test_is_freed_with_the_model():
    model = build(VRNNConfig(2, hidden=5, latent_dim=3))
    with torch.no_grad():
        step = weakref.ref(online_step(model))
    del model
    gc.collect()
    assert step() is None


def test_runs_in_threads():
    model, x = trained()
    expected, found = streamed(model, x), {}
    threads = [Thread(target=lambda i=i: found.update({i: streamed(model, x)})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        np.testing.assert_array_equal(found[i], expected)
