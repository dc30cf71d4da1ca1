"""Going on alone in C++ against the plain loop: the same paths from the same noise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.settings import CONFIGS, build
from vrnn.kernels import native

from vrnn import kernels
from vrnn.errors import UnsupportedError
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.step import start_belief
from vrnn.models.vrnn import VRNNConfig

pytestmark = pytest.mark.skipif(native.library() is None, reason="no C++ compiler")
SETTINGS = [
    name
    for name in CONFIGS
    if name.startswith("vrnn")
    and not {"lstm", "affine", "supervised", "conditional"} & set(name.split("-"))
]


def paths(model, kernel, samples=2, batch=3, time=4, inputs=0, seed=0, temperature=1.0):
    """Draw paths from a belief that differs from sequence to sequence."""
    dtype, generator = model.h0.dtype, seeded(seed, 1)
    noise = draw_noise(model, samples, batch, time, generator)
    belief = start_belief(model, noise.code, noise.code[0], model.observation.dim)
    h = torch.randn(*belief.state.h.shape, generator=generator).to(dtype)
    belief = belief._replace(state=belief.state._replace(h=h))
    u = torch.randn(batch, time, inputs, generator=generator).to(dtype)
    with torch.no_grad():
        return kernels.imagine(
            model, belief, u, noise, keep=True, temperature=temperature, kernel=kernel
        )


@pytest.mark.parametrize("name", SETTINGS)
def test_equals_the_plain_loop_in_every_setting(name):
    model = build(CONFIGS[name])
    found, expected = (paths(model, k, inputs=CONFIGS[name].u_dim) for k in ("native", "plain"))
    torch.testing.assert_close(found.x, expected.x, rtol=1e-10, atol=1e-10)
    for a, b in zip(found.emissions, expected.emissions, strict=True):
        torch.testing.assert_close(a.mean, b.mean, rtol=1e-10, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equals_the_plain_loop_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    config = VRNNConfig(
        data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2)), hidden=data.draw(size), latent_dim=data.draw(size),
        prior=data.draw(st.sampled_from(["learned", "standard"])),
    )  # fmt: skip
    model = build(config, data.draw(st.integers(0, 99)))
    with (
        torch.no_grad()
    ):  # wide random recurrences are chaotic: they enlarge rounding errors from step to step
        for weight in model.parameters():
            weight *= min(1.0, (5 / weight.shape[-1]) ** 0.5)
    shape = {n: data.draw(size) for n in ("samples", "batch")}
    shape |= {"time": data.draw(st.integers(1, 7)), "inputs": config.u_dim}
    found, expected = (paths(model, k, **shape) for k in ("native", "plain"))
    torch.testing.assert_close(found.x, expected.x, rtol=1e-10, atol=1e-10)
    narrow = paths(model.float(), "native", **shape)
    torch.testing.assert_close(narrow.x.double(), expected.x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["vrnn", "vrnn-student_t", "vrnn-full_gaussian"])
def test_equals_the_plain_loop_at_a_temperature(name):
    kind = name.partition("-")[2] or "gaussian"
    model = build(VRNNConfig(2, hidden=5, latent_dim=3, emission=kind))
    found, expected = (paths(model, k, temperature=0.6) for k in ("native", "plain"))
    torch.testing.assert_close(found.x, expected.x, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(found.x, paths(model, "native").x)
    for a, b in zip(found.emissions, expected.emissions, strict=True):
        torch.testing.assert_close(a.log_prob(found.x[:, :, 0]), b.log_prob(found.x[:, :, 0]))


def test_leaves_the_belief_as_it_was():
    model = build(CONFIGS["vrnn"])
    first, again = (paths(model, "native", seed=3).x for _ in range(2))
    assert torch.equal(first, again)
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief = start_belief(model, noise.code, noise.code[0], 2)
    before = belief.state.h.clone()
    with torch.no_grad():
        kernels.imagine(model, belief, torch.zeros(3, 4, 0).double(), noise, kernel="native")
    assert torch.equal(belief.state.h, before)


def test_tensors_that_do_not_go_together_are_refused_or_broadcast_as_by_the_plain_loop():
    model = build(CONFIGS["vrnn"])
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief = start_belief(model, noise.code, noise.code[0], 2)
    u = torch.zeros(1, 4, 0).double()  # one for all sequences
    with torch.no_grad():
        found, expected = (
            kernels.imagine(model, belief, u, noise, kernel=k).x for k in ("native", "plain")
        )
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        shared = noise._replace(latent=noise.latent[:, :1].expand(-1, 3, -1, -1))
        found, expected = (
            kernels.imagine(model, belief, u, shared, kernel=k).x for k in ("native", "plain")
        )
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
            kernels.imagine(
                model, belief, u, noise._replace(latent=noise.latent.float()), kernel="native"
            )
        with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
            kernels.imagine(
                model,
                belief,
                u,
                noise._replace(observation=noise.observation.float()),
                kernel="native",
            )
        with pytest.raises(ValueError, match="as many rows"):
            kernels.imagine(model, belief, torch.zeros(3, 5, 0).double(), noise, kernel="native")


def test_gradients_take_the_plain_loop():
    model = build(CONFIGS["vrnn"])
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief = start_belief(model, noise.code, noise.code[0], 2)
    u = torch.zeros(3, 4, 0).double()
    assert kernels.imagine(model, belief, u, noise).x.requires_grad
    with pytest.raises(UnsupportedError, match="no gradients asked for"):
        kernels.imagine(model, belief, u, noise, kernel="native")
