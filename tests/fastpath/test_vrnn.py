"""The plan of the VRNN against the loop: passes, rollouts and the steps of a filter."""

import copy
import gc
import weakref
from threading import Thread

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import (
    CONFIGS,
    LEFT_TO_THE_LOOP,
    assert_same,
    calm,
    compare,
    count_plan_calls,
    in_both,
    make_case,
    needs_compiler,
    outcome,
    run,
    settings_of,
    within,
)
from tests.models.settings import build

import vrnn
from vrnn.data.batch import Batch
from vrnn.errors import ConfigError
from vrnn.fastpath import vrnn_categorical
from vrnn.fastpath.vrnn import Stepper, fits, stepper
from vrnn.inference.embed import embed
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import filter_step, particle_filter
from vrnn.inference.plans import plan_of, stepper_of
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import rollout
from vrnn.inference.step import StepNoise, start_belief, time_steps
from vrnn.inference.unroll import filter_prefix
from vrnn.models.vrnn import VRNNConfig
from vrnn.ops import backend

pytestmark = needs_compiler
NAMES = settings_of("vrnn")
COMPILED = [name for name in NAMES if name not in LEFT_TO_THE_LOOP]
GENERATING = [name for name in COMPILED if "conditional" not in name]
SIZE = st.integers(1, 4) | st.sampled_from([7, 31, 33])
LATENT = st.just("gaussian") | st.integers(2, 17).map("categorical({})".format)


# Passes over a batch


@pytest.mark.parametrize("name", NAMES)
def test_which_features_the_plan_computes(name, monkeypatch):
    model = build(CONFIGS[name])
    calls = count_plan_calls(monkeypatch, model, "embed")
    embed(model, make_case(model, CONFIGS[name], "gaps").batch)
    assert calls == [name in COMPILED]


@st.composite
def cases(draw):
    """Draw the widths of a model, the shape of a batch, and where its points are missing."""
    shape = {n: draw(SIZE) for n in ("hidden", "latent", "batch", "time")}
    return shape | {
        "samples": draw(st.integers(1, 3)),
        "inputs": draw(st.integers(0, 2)),
        "kind": draw(LATENT),
        "missing": draw(st.sampled_from([0.0, 0.0, 0.02, 0.2])),
        "threads": draw(st.sampled_from([1, 2, 3])),
        "seed": draw(st.integers(0, 1000)),
    }


def random_case(shape, dtype):
    config = VRNNConfig(
        2, shape["inputs"], hidden=shape["hidden"], latent=shape["kind"], latent_dim=shape["latent"]
    )
    model = calm(build(config, shape["seed"]).to(dtype))
    generator = seeded(shape["seed"], 5)
    x = torch.randn(shape["batch"], shape["time"], 2, generator=generator)
    x[torch.rand(x.shape[:2], generator=generator) < shape["missing"]] = torch.nan
    u = torch.randn(*x.shape[:2], shape["inputs"], generator=generator)
    length = torch.randint(1, shape["time"] + 1, (shape["batch"],), generator=generator)
    is_increment = torch.tensor([True, False])
    batch = Batch.of(x.to(dtype), u=u.to(dtype), length=length, is_increment=is_increment)
    case = make_case(model, config, "even")
    noise = draw_noise(model, shape["samples"], *x.shape[:2], generator)
    return model, case._replace(batch=batch, noise=noise)


@settings(max_examples=20, deadline=None)
@given(cases())
def test_the_plan_equals_the_loop_on_random_shapes(shape):
    threads = torch.get_num_threads()
    torch.set_num_threads(shape["threads"])
    try:
        compare(*random_case(shape, torch.float64), tolerance=1e-9)
    finally:
        torch.set_num_threads(threads)


@settings(max_examples=8, deadline=None)
@given(cases())
def test_float32_is_near_to_float64(shape):
    shape |= {"missing": 0.0, "time": min(shape["time"], 7), "hidden": min(shape["hidden"], 7)}
    with backend("reference"):
        exact, _ = outcome(*random_case(shape, torch.float64))
    found, gradients = outcome(*random_case(shape, torch.float32))
    assert_same(found.log_prob, exact.log_prob, 1e-4)
    assert_same(found.latent, exact.latent, 1e-4)
    assert_same(found.belief, exact.belief, 1e-4)
    assert all(g.dtype is torch.float32 and g.isfinite().all() for g in gradients.values())


@pytest.mark.parametrize("name", COMPILED)
def test_gradients_in_float32_are_near_to_those_in_float64(name):
    config = CONFIGS[name]
    model = build(config)
    case = make_case(model, config, "even")
    with backend("reference"):
        _, exact = outcome(model, case)
    narrow = model.float()
    noise = Noise(*(t.float() for t in case.noise))
    case = case._replace(batch=case.batch.to(narrow.h0), noise=noise)
    _, found = outcome(narrow, case)
    for given_name, gradient in exact.items():
        assert_same(found[given_name], gradient, 1e-3)


@pytest.mark.parametrize("kind", ["unequal", "gaps"])
@pytest.mark.parametrize("name", COMPILED)
def test_a_prefix_is_filtered_without_heads(name, kind, monkeypatch):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], kind)
    calls = count_plan_calls(monkeypatch, model)
    with torch.no_grad():
        found, expected = in_both(lambda: filter_prefix(model, case.batch, case.noise))
    assert_same(found, expected)
    assert calls == [True] * (2 if kind == "gaps" else 1)


def test_tensors_of_another_type_are_refused():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], "unequal")
    narrow = case.noise._replace(latent=case.noise.latent.float())
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        run(model, case._replace(noise=narrow))


def test_tensors_are_broadcast_as_by_the_loop():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], "unequal")
    one = run(model, case._replace(noise=Noise(*(t[:1] for t in case.noise)))).belief
    compare(model, case._replace(start=one))
    latent = case.noise.latent[:, :1].expand(-1, len(case.batch.x), -1, -1)
    spread = case._replace(noise=case.noise._replace(latent=latent))
    found, expected = in_both(lambda: within(run(model, spread), spread))
    for name in ("log_prob", "latent", "prior", "posterior", "emission", "belief"):
        assert_same(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("name", ["vrnn", "vrnn-categorical"])
def test_a_diverged_model_shows(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "even")
    with torch.no_grad():
        model.head[0].weight[0, 0] = torch.nan
    assert run(model, case).log_prob.isnan().any()


@torch.no_grad()
def test_autocast_takes_the_loop(monkeypatch):
    model = build(CONFIGS["vrnn"]).float()
    case = make_case(model, CONFIGS["vrnn"], "unequal")
    batch = case.batch.to(model.h0)
    calls = count_plan_calls(monkeypatch, model)
    expected = run(model, case._replace(batch=batch)).log_prob
    with torch.autocast("cpu", torch.bfloat16):
        found = run(model, case._replace(batch=batch)).log_prob
    assert calls == [True, False]
    size = float(expected.abs().max())
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1 * size)


@pytest.mark.parametrize("name", NAMES)
def test_which_models_the_compiled_recurrences_know(name):
    model = build(CONFIGS[name])
    assert fits(model) == (name in COMPILED)
    assert not fits(model.bfloat16())


@pytest.mark.parametrize("name", COMPILED)
def test_the_gradient_of_the_observations_is_that_of_the_loop(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "unequal")

    def gradient():
        x = case.batch.x.clone().requires_grad_()
        found = run(model, case._replace(batch=case.batch._replace(x=x)))
        (of_x,) = torch.autograd.grad(found.log_prob.square().sum(), x)
        return of_x

    assert_same(*in_both(gradient))


def random_model(data):
    """Draw a model, its settings, and how many paths of how many sequences it is to draw."""
    config = VRNNConfig(
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(0, 2)),
        hidden=data.draw(SIZE),
        latent=data.draw(LATENT),
        latent_dim=data.draw(SIZE),
        prior=data.draw(st.sampled_from(["learned", "standard"])),
    )
    model = calm(build(config, data.draw(st.integers(0, 99))))
    shape = {n: data.draw(SIZE) for n in ("samples", "batch")}
    return model, config, shape


# Free generation


def paths(model, samples=2, batch=3, time=4, inputs=0, seed=0, temperature=1.0):
    """Draw paths from a belief that differs from sequence to sequence."""
    generator = seeded(seed, 1)
    noise = draw_noise(model, samples, batch, time, generator)
    belief = first_belief(model, noise)
    h = torch.randn(*belief.state.h.shape, generator=generator).to(model.h0)
    belief = belief._replace(state=belief.state._replace(h=h))
    u = torch.randn(batch, time, inputs, generator=generator).to(model.h0)
    with torch.no_grad():
        return rollout(model, belief, u, noise, keep=True, temperature=temperature)


def first_belief(model, noise):
    batch = noise.latent.shape[1]
    context = noise.latent.new_zeros(batch, 0)
    return start_belief(model, noise.global_latent, context, model.observation.dim)


@pytest.mark.parametrize("name", NAMES)
def test_a_rollout_equals_the_loop(name, monkeypatch):
    model = build(CONFIGS[name])
    if model.supervised:  # whose inputs hold x and whether it is there
        inputs = CONFIGS[name].u_dim + CONFIGS[name].x_dim + 1
    else:
        inputs = CONFIGS[name].u_dim
    calls = count_plan_calls(monkeypatch, model, "rollout")
    found, expected = in_both(lambda: paths(model, inputs=inputs))
    assert calls == [name in GENERATING]
    assert_same(found.x, expected.x)
    assert_same(tuple(found.emissions), tuple(expected.emissions))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_rollout_equals_the_loop_on_random_shapes(data):
    model, config, shape = random_model(data)
    shape |= {"time": data.draw(st.integers(1, 7)), "inputs": config.u_dim}
    found, expected = in_both(lambda: paths(model, **shape))
    assert_same(found.x, expected.x)
    assert_same(paths(model.float(), **shape).x, expected.x, 1e-4)


@pytest.mark.parametrize("latent", ["gaussian", "categorical(4)"])
@pytest.mark.parametrize("emission", ["gaussian", "student_t", "full_gaussian"])
def test_a_rollout_equals_the_loop_at_a_temperature(emission, latent):
    model = build(VRNNConfig(2, hidden=5, latent=latent, latent_dim=3, emission=emission))
    found, expected = in_both(lambda: paths(model, temperature=0.6))
    assert_same(found.x, expected.x)
    assert not torch.allclose(found.x, paths(model).x)
    for a, b in zip(found.emissions, expected.emissions, strict=True):
        torch.testing.assert_close(a.log_prob(found.x[:, :, 0]), b.log_prob(found.x[:, :, 0]))


def test_a_rollout_leaves_its_belief_as_it_was():
    model = build(CONFIGS["vrnn"])
    first, again = (paths(model, seed=3).x for _ in range(2))
    assert torch.equal(first, again)
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief = first_belief(model, noise)
    before = belief.state.h.clone()
    with torch.no_grad():
        rollout(model, belief, torch.zeros(3, 4, 0).double(), noise)
    assert torch.equal(belief.state.h, before)


@torch.no_grad()
def test_a_rollout_broadcasts_as_the_loop_does():
    model = build(CONFIGS["vrnn"])
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief, u = first_belief(model, noise), torch.zeros(3, 4, 0).double()
    spread = noise._replace(latent=noise.latent[:, :1].expand(-1, 3, -1, -1))
    assert_same(*in_both(lambda: rollout(model, belief, u, spread).x))


@torch.no_grad()
def test_a_rollout_refuses_what_does_not_go_together():
    model = build(CONFIGS["vrnn"])
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief, u = first_belief(model, noise), torch.zeros(3, 4, 0).double()
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        rollout(model, belief, u, noise._replace(latent=noise.latent.float()))
    with pytest.raises(ValueError, match="as many time steps, found"):
        rollout(model, belief, torch.zeros(3, 5, 0).double(), noise)
    with pytest.raises(ConfigError, match="temperature"):
        rollout(model, belief, u, noise, temperature=-1.0)


def test_gradients_of_a_rollout_take_the_loop(monkeypatch):
    model = build(CONFIGS["vrnn"])
    noise = draw_noise(model, 2, 3, 4, seeded(0))
    belief, u = first_belief(model, noise), torch.zeros(3, 4, 0).double()
    calls = count_plan_calls(monkeypatch, model, "rollout")
    assert rollout(model, belief, u, noise).x.requires_grad
    assert calls == [False]


def test_a_rollout_under_autocast_takes_the_loop(monkeypatch):
    model = build(CONFIGS["vrnn"]).float()
    calls = count_plan_calls(monkeypatch, model, "rollout")
    with torch.autocast("cpu", torch.bfloat16):
        assert paths(model).x.isfinite().all()
    assert calls == [False]


# The steps of a filter


def filtered(model, config, samples=3, batch=2, time=4, gaps=False, seed=0):
    """Filter sequences drawn at random, with a missing entry where there are to be gaps."""
    generator = seeded(seed, 1)
    x = torch.randn(batch, time, config.x_dim, generator=generator).to(model.h0)
    x = x if all(model.observation.continuous) or model.supervised else (x > 0).to(x)
    u = torch.randn(batch, time, config.u_dim, generator=generator).to(x)
    y = torch.randn(batch, time, config.y_dim, generator=generator).to(x)
    if gaps:
        (y if model.supervised else x)[0, time // 2] = torch.nan
    data = Batch.of(x, u=u, y=y, factorises=model.observation.factorises)
    data = data.swap_target() if model.supervised else data
    noise = draw_noise(model, samples, batch, time, seeded(seed, 2), resampling=True)
    with torch.no_grad():
        return particle_filter(model, data, noise)


def check_filtered(found, expected, tolerance=1e-10):
    for name in ("log_prob", "effective", "latent", "prior", "posterior", "x", "belief"):
        assert_same(getattr(found, name), getattr(expected, name), tolerance)
    assert torch.equal(found.ancestor, expected.ancestor)


@pytest.fixture
def taken(monkeypatch):
    """Count the steps that the compiled form takes."""
    steps = []
    for kind in (Stepper, vrnn_categorical.Stepper):

        def counted(self, *given, call=kind.__call__):
            steps.append(given)
            return call(self, *given)

        monkeypatch.setattr(kind, "__call__", counted)
    return steps


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_filter_equals_the_loop(name, gaps, taken):
    config = CONFIGS[name]
    model = build(config)
    with backend("reference"):
        expected = filtered(model, config, gaps=gaps)
    assert not taken
    found = filtered(model, config, gaps=gaps)
    # all steps but the one with the gap and the one after it
    assert len(taken) == (0 if name not in COMPILED else 2 if gaps else 4)
    check_filtered(found, expected)
    narrow = filtered(model.float(), config, gaps=gaps)
    assert torch.equal(narrow.ancestor, found.ancestor)
    torch.testing.assert_close(narrow.log_prob.double(), expected.log_prob, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_filter_equals_the_loop_on_random_shapes(data):
    model, config, shape = random_model(data)
    shape |= {"time": data.draw(st.integers(1, 5))}
    check_filtered(*in_both(lambda: filtered(model, config, **shape)), 1e-9)


def test_noise_that_does_not_fit_a_step_is_refused():
    config = VRNNConfig(2, hidden=5, latent_dim=3)
    model, wide = build(config), build(VRNNConfig(2, hidden=5, latent_dim=4))
    assert filtered(model, config).log_prob.isfinite().all()
    data = Batch.of(torch.zeros(2, 4, 2).double())
    noise = draw_noise(wide, 3, 2, 4, seeded(0), resampling=True)
    with torch.no_grad(), pytest.raises(AssertionError):
        particle_filter(model, data, noise)


@torch.inference_mode()
def streamed(model, x, particles=4):
    """Return log p of every point, given to a filter one at a time as a stream brings them."""
    normals = draw_noise(model, particles, 1, len(x), seeded(0), resampling=True)
    belief, found = first_belief(model, normals), []
    for t, point in enumerate(x):
        batch = Batch.of(point[None, None])
        (step,) = time_steps(batch, embed(model, batch), belief)
        record = filter_step(
            model,
            belief,
            step,
            StepNoise(
                normals.latent[:, :, t], normals.observation[:, :, t], normals.resampling[..., t]
            ),
            batch,
            stepper=stepper_of(model),
        )
        belief = record.belief
        found.append(record.log_prob)
    return torch.cat(found)


def stream(latent="gaussian"):
    """Return a small model in single precision and 12 points for it."""
    model = build(VRNNConfig(2, hidden=8, latent=latent, latent_dim=3)).float()
    return model, torch.randn(12, 2, generator=seeded(4))


LATENTS = pytest.mark.parametrize("latent", ["gaussian", "categorical(4)"])


@LATENTS
def test_points_that_come_one_at_a_time_are_taken_by_it(taken, latent):
    model, x = stream(latent)
    x[5] = torch.nan
    found = streamed(model, x)
    assert len(taken) == len(x) - 1  # all but the gap; nothing is an increment
    with backend("reference"):
        expected = streamed(model, x)
    assert len(taken) == len(x) - 1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_observe_takes_it(taken):
    """A trained model in data units: the first point, the gap and what follows it go by the loop."""
    walks = np.random.default_rng(0).normal(size=(20, 12, 2)).cumsum(1)
    config = vrnn.VRNNConfig(x_dim=2, hidden=8, latent_dim=3)
    training = vrnn.TrainConfig(steps=5)
    model = vrnn.train(vrnn.Tracks(list(walks)), config=config, training=training, quiet=True).model
    x = walks[0].copy()
    x[5] = np.nan

    def scores():
        belief, found = vrnn.initial_belief(model=model, particles=4), []
        for point in x:
            belief, log_prob = vrnn.observe(point, belief=belief, model=model)
            found.append(log_prob[0])
        return np.array(found)

    found = scores()
    assert len(taken) == len(x) - 3
    with backend("reference"):
        np.testing.assert_allclose(found, scores(), rtol=1e-4, atol=1e-4)
    assert len(taken) == len(x) - 3


@LATENTS
def test_weights_are_laid_out_again_after_a_change(latent):
    model, x = stream(latent)
    with torch.inference_mode():
        first = stepper(model)
        assert stepper(model) is first
    before = streamed(model, x)
    with torch.no_grad():
        model.head[0].weight.mul_(0.5)
    with torch.inference_mode():
        second = stepper(model)
    assert second is not first
    after = streamed(model, x)
    assert not torch.allclose(before, after)
    model.head[0].bias = torch.nn.Parameter(model.head[0].bias.detach() + 1)
    with torch.inference_mode():
        third = stepper(model)
    assert third is not second
    assert not torch.allclose(after, streamed(model, x))
    model.head[0] = copy.deepcopy(model.head[0])
    with torch.inference_mode():
        assert stepper(model) is not third
    state = {name: 0.5 * t for name, t in model.state_dict().items()}
    changed = streamed(model, x)
    model.load_state_dict(state)
    assert not torch.allclose(changed, streamed(model, x))
    found, expected = in_both(lambda: streamed(model, x))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_an_optimizer_changes_the_steps():
    model, x = stream()
    before = streamed(model, x)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    model.head(torch.zeros(1, 16)).sum().backward()
    optimizer.step()
    found, expected = in_both(lambda: streamed(model, x))
    assert not torch.allclose(before, found)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_there_is_no_stepper_where_it_does_not_fit():
    config = VRNNConfig(2, hidden=5, latent_dim=3)
    model = build(config)
    assert stepper(model) is None  # gradients are wanted
    with torch.no_grad():
        assert stepper(model) is not None
        with torch.autocast("cpu", torch.bfloat16):
            assert stepper(model) is None
        assert stepper(build(VRNNConfig(2, hidden=5, latent_dim=3, cell="lstm"))) is None
        with backend("reference"):
            assert plan_of(model) is None
    with torch.inference_mode():
        assert stepper(build(config)) is None  # nobody counts the changes of such weights


def test_a_model_without_a_stepper_is_filtered_by_the_loop():
    model = build(CONFIGS["rnn"])
    assert plan_of(model).stepper is None
    data = Batch.of(torch.zeros(2, 4, 2).double())
    noise = draw_noise(model, 3, 2, 4, seeded(0), resampling=True)
    with torch.no_grad():
        assert_same(*in_both(lambda: particle_filter(model, data, noise).log_prob))


@LATENTS
def test_a_stepper_is_freed_with_its_model(latent):
    model = build(VRNNConfig(2, hidden=5, latent=latent, latent_dim=3))
    with torch.no_grad():
        reference = weakref.ref(stepper(model))
    del model
    gc.collect()
    assert reference() is None


@LATENTS
def test_steps_run_in_threads(latent):
    model, x = stream(latent)
    expected, found = streamed(model, x), {}
    threads = [Thread(target=lambda i=i: found.update({i: streamed(model, x)})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert torch.equal(found[i], expected)
