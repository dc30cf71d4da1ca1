"""The compiled rollout of the VRNN against its equations, written out step by step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.fast_paths import needs_compiler
from tests.helpers.vrnn_equations import gru, moments

from vrnn.inference.random_numbers import seeded
from vrnn.ops.vrnn_rollout import LAYERS, VRNNRollout

pytestmark = needs_compiler


def drawn(
    samples=2,
    batch=3,
    time=4,
    hidden=5,
    latent=3,
    dim=2,
    size=4,
    *,
    classes=0,
    standard=False,
    dtype=torch.float64,
    seed=0,
):
    """Return random arguments of a rollout, and observations to feed it.

    With classes the latent is a category.
    """
    generator = seeded(seed, 9)

    def one(*shape, scale=1.0):
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(dtype)

    def layer(outputs, width):
        return one(outputs, width, scale=0.7 * width**-0.5)

    shapes = {
        "prior_state": (hidden, hidden),
        "emission_state": (hidden, hidden),
        "weight_hh": (3 * hidden, hidden),
        "prior_out": (2 * latent, hidden),
        "of_latent": (hidden, latent),
        "emission_features": (hidden, hidden),
        "of_features": (3 * hidden, hidden),
        "emission_out": (size, hidden),
        "of_x": (hidden, dim),
        "weight_ih": (3 * hidden, hidden),
    }
    assert set(shapes) == set(LAYERS)
    biases = {
        "x_bias": one(hidden),
        "latent_bias": one(hidden),
        "out_bias": one(size),
        "bias_hh": one(3 * hidden),
    }
    added = {"gates": one(batch, time, 3 * hidden), "emission": one(batch, time, hidden)}
    if not standard:
        biases["prior_bias"] = one(2 * latent)
        added["prior"] = one(batch, time, hidden)
    normals = one(samples, batch, time, 1 if classes else latent)
    if classes:
        shapes["prior_out"] = (classes, hidden)
        shapes["emission_out"] = (classes * size, hidden)
        biases["out_bias"] = one(classes * size)
        for name in ("of_latent", "emission_features", "of_features"):
            del shapes[name]
        del biases["latent_bias"]
        biases |= {} if standard else {"prior_bias": one(classes)}
        normals = torch.special.ndtr(normals)
    if standard and classes:
        del shapes["prior_state"], shapes["prior_out"]
    given = {
        "state": one(samples, batch, hidden),
        "normals": normals,
        "layers": {name: layer(*shape) for name, shape in shapes.items()},
        "biases": biases,
        "added": added,
        "size": size,
        "table": one(classes, 3 * hidden) if classes else None,
    }
    return given, one(time, samples, batch, dim)


def by_equations(given, x):
    """Return the parameters of the emission of every step, and the state before the last."""
    w, b, added = given["layers"], given["biases"], given["added"]
    h, found = given["state"], []
    for t in range(len(x)):
        z = given["normals"][:, :, t]
        if given["table"] is not None:
            chosen = category(given, h, t)
            e = torch.relu(added["emission"][:, t] + h @ w["emission_state"].T)
            outputs = (e @ w["emission_out"].T + b["out_bias"]).unflatten(-1, (-1, given["size"]))
            found.append(torch.take_along_dim(outputs, chosen[..., None, None], -2)[..., 0, :])
            of_x = torch.relu(x[t] @ w["of_x"].T + b["x_bias"])
            gates = added["gates"][:, t] + of_x @ w["weight_ih"].T + given["table"][chosen]
            last, h = h, gru(gates, h, w["weight_hh"], b["bias_hh"])
            continue
        if "prior" in added:
            p = torch.relu(added["prior"][:, t] + h @ w["prior_state"].T)
            mean, scale = moments(p, w["prior_out"], b["prior_bias"])
            z = mean + scale * z
        f = torch.relu(z @ w["of_latent"].T + b["latent_bias"])
        e = added["emission"][:, t] + h @ w["emission_state"].T + f @ w["emission_features"].T
        found.append(torch.relu(e) @ w["emission_out"].T + b["out_bias"])
        of_x = torch.relu(x[t] @ w["of_x"].T + b["x_bias"])
        gates = added["gates"][:, t] + of_x @ w["weight_ih"].T + f @ w["of_features"].T
        last, h = h, gru(gates, h, w["weight_hh"], b["bias_hh"])
    return torch.stack(found), last


def category(given, h, t):
    """Return the category drawn from the prior."""
    w, b, added = given["layers"], given["biases"], given["added"]
    logits = h.new_zeros(*h.shape[:2], len(given["table"]))
    if "prior" in added:
        p = torch.relu(added["prior"][:, t] + h @ w["prior_state"].T)
        logits = p @ w["prior_out"].T + b["prior_bias"]
    cumulative = logits.softmax(-1).cumsum(-1)
    return (cumulative <= given["normals"][:, :, t]).sum(-1)


def taken(given, x):
    """Return the same by the compiled step."""
    take = VRNNRollout(**given)
    steps = [take(t, None if t == 0 else x[t - 1]) for t in range(len(x))]
    return torch.stack(steps), take.carry


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equals_the_equations_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    names = ("samples", "batch", "time", "hidden", "latent", "dim", "size")
    shape = {n: data.draw(size) for n in names} | {"standard": data.draw(st.booleans())}
    shape["classes"] = data.draw(st.just(0) | st.integers(2, 17))
    given, x = drawn(**shape, seed=data.draw(st.integers(0, 99)))
    expected, threads = by_equations(given, x), torch.get_num_threads()
    torch.set_num_threads(data.draw(st.sampled_from([1, 3])))
    try:
        found = taken(given, x)
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("standard", [True, False])
def test_float32_is_near_to_float64(standard, classes):
    expected = by_equations(*drawn(standard=standard, classes=classes))
    found = taken(*drawn(standard=standard, classes=classes, dtype=torch.float32))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


def test_the_state_that_it_begins_with_stays_as_it_was():
    given, x = drawn()
    before = given["state"].clone()
    first, again = (taken(given, x)[0] for _ in range(2))
    assert torch.equal(first, again) and torch.equal(given["state"], before)


@pytest.mark.parametrize("name", ["state", "normals"])
def test_tensors_that_do_not_go_together_are_refused(name):
    given, _ = drawn()
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        VRNNRollout(**given | {name: given[name].float()})


def test_observations_that_do_not_fit_are_refused():
    given, x = drawn()
    take = VRNNRollout(**given)
    take(0, None)
    for wrong in (x[0, :1], x[0, ..., :1], x[0].float()):
        with pytest.raises(AssertionError):
            take(1, wrong)
