"""The loop in C++ against the plain loop: values and all gradients, over random models, shapes, lengths and gaps."""

import os
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.settings import CONFIGS, build, make_case, tensors
from vrnn.kernels import ahead, cell, native, recurrence
from vrnn.kernels.stretches import stretches
from vrnn.objectives.bounds import bound

from vrnn import kernels
from vrnn.data.batch import Batch
from vrnn.errors import UnsupportedError
from vrnn.inference.noise import Noise, draw_noise, seeded
from vrnn.models.vrnn import VRNNConfig
from vrnn.objectives.elbo import elbo

needs_compiler = pytest.mark.skipif(native.library() is None, reason="no C++ compiler")
SETTINGS = [
    name
    for name in CONFIGS
    if name.startswith("vrnn") and not {"lstm", "affine"} & set(name.split("-"))
]


def results(model, batch, noise, kernel, start=None):
    """Give all values and all gradients of a pass, those of its start and of the belief it leaves among them."""
    found = kernels.unroll(model, batch, noise, kernel=kernel, start=start)
    left = tensors(found.belief)
    value = (
        elbo(model, found).bound.sum() + found.log_weight.square().sum() + found.latent.pow(3).sum()
    )
    value = value + sum(t.square().sum() for t in left)
    inputs = [*model.parameters(), *([] if start is None else start.state)]
    gradients = torch.autograd.grad(value, inputs, allow_unused=True)
    return tensors(found), [
        torch.zeros_like(i) if g is None else g for g, i in zip(gradients, inputs, strict=True)
    ]


def compare(model, batch, noise, start=None, tolerance=1e-10):
    values, gradients = results(model, batch, noise, "native", start)
    expected, expected_gradients = results(model, batch, noise, "plain", start)
    for a, b in zip(values, expected, strict=True):
        torch.testing.assert_close(*torch.broadcast_tensors(a, b), rtol=tolerance, atol=tolerance)
    for a, b in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(
            a, b, rtol=tolerance, atol=tolerance * max(1.0, float(b.abs().max()))
        )


@needs_compiler
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(
    "name", [n for n in SETTINGS if n != "vrnn-supervised"]
)  # that one is tied
def test_equals_the_plain_loop_in_every_setting(name, gaps):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=gaps)
    compare(model, case.batch, case.noise)


@needs_compiler
def test_a_loss_that_leaves_a_head_out_gives_it_no_gradient():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    found = kernels.unroll(model, case.batch, case.noise, kernel="native")
    heads = [*model.prior_head.parameters(), *model.head.parameters()]
    of_latents = torch.autograd.grad(found.latent.sum(), heads, allow_unused=True)
    assert all(gradient is None for gradient in of_latents)


def test_the_plain_loop_builds_nothing(monkeypatch):
    def library():
        raise AssertionError("the plain loop asked for the compiled one")

    monkeypatch.setattr(recurrence, "library", library)
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    kernels.unroll(model, case.batch, case.noise, kernel="plain")
    bound(model, case.batch, case.noise, kernel="plain")
    bound(
        model,
        case.batch,
        draw_noise(model, 2, *case.batch.x.shape[:2], seeded(0), resampling=True),
        "fivo",
    )


@st.composite
def cases(draw):
    """Draw a model's widths, a batch's shape and where its points are missing."""
    size = st.integers(1, 4) | st.sampled_from([7, 31, 33])
    shape = {n: draw(size) for n in ("hidden", "latent", "batch", "time")}
    return shape | {
        "samples": draw(st.integers(1, 3)),
        "inputs": draw(st.integers(0, 2)),
        "missing": draw(st.sampled_from([0.0, 0.0, 0.02, 0.2])),
        "threads": draw(st.sampled_from([1, 2, 3])),
        "seed": draw(st.integers(0, 1000)),
    }


def random_case(shape, dtype):
    config = VRNNConfig(2, shape["inputs"], hidden=shape["hidden"], latent_dim=shape["latent"])
    model = build(config, shape["seed"]).to(dtype)
    with (
        torch.no_grad()
    ):  # wide random recurrences are chaotic: they enlarge rounding errors from step to step
        for weight in model.parameters():
            weight *= min(1.0, (5 / weight.shape[-1]) ** 0.5)
    generator = seeded(shape["seed"], 5)
    x = torch.randn(shape["batch"], shape["time"], 2, generator=generator)
    x[torch.rand(x.shape[:2], generator=generator) < shape["missing"]] = torch.nan
    u = torch.randn(*x.shape[:2], shape["inputs"], generator=generator)
    length = torch.randint(1, shape["time"] + 1, (shape["batch"],), generator=generator)
    batch = Batch.of(
        x.to(dtype), u=u.to(dtype), length=length, is_increment=torch.tensor([True, False])
    )
    return model, batch, draw_noise(model, shape["samples"], *x.shape[:2], generator)


@needs_compiler
@settings(max_examples=20, deadline=None)
@given(cases())
def test_equals_the_plain_loop_on_random_shapes(shape):
    threads = torch.get_num_threads()
    torch.set_num_threads(shape["threads"])
    try:
        compare(*random_case(shape, torch.float64))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other threads")
def test_the_pool_of_torch_is_found():
    assert native.torch_pool().value


@needs_compiler
def test_threads_of_its_own_serve_where_torch_has_no_pool():
    shape = {
        "hidden": 7,
        "latent": 3,
        "batch": 33,
        "time": 5,
        "samples": 3,
        "inputs": 1,
        "missing": 0.0,
        "seed": 0,
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    native.library().vrnn_use_pool(None)
    try:
        compare(*random_case(shape, torch.float64))
    finally:
        native.library().vrnn_use_pool(native.torch_pool())
        torch.set_num_threads(threads)


@needs_compiler
@settings(max_examples=8, deadline=None)
@given(cases())
def test_float32_is_as_near_to_float64_as_the_plain_loop(shape):
    shape = shape | {"missing": 0.0, "time": min(shape["time"], 33)}
    model, batch, noise = random_case(shape, torch.float64)
    _, exact = results(model, batch, noise, "plain")
    narrow = [*random_case(shape, torch.float32)]
    _, found = results(*narrow, "native")
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(
            a.double(), b, rtol=1e-4, atol=1e-4 * max(1.0, float(b.abs().max()))
        )


@needs_compiler
@pytest.mark.parametrize("gaps", [False, True])
def test_follows_to_the_belief_that_a_pass_leaves(gaps):
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=gaps)
    expected = kernels.unroll(model, case.batch, case.noise, kernel="plain").belief
    with torch.no_grad():
        found = kernels.follow(model, case.batch, case.noise, kernel="native")
    for a, b in zip(tensors(found), tensors(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@needs_compiler
def test_tensors_that_do_not_go_together_are_refused_or_broadcast_as_by_the_plain_loop():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    with pytest.raises(RuntimeError, match="all in float32 or all in float64"):
        kernels.unroll(
            model,
            case.batch,
            case.noise._replace(latent=case.noise.latent.float()),
            kernel="native",
        )
    start = kernels.unroll(model, case.batch, Noise(*(t[:1] for t in case.noise))).belief
    compare(model, case.batch, case.noise, start=start.map(lambda t: t.detach().requires_grad_()))
    spread = case.noise._replace(latent=case.noise.latent[:, :1].expand(-1, 4, -1, -1))
    compare(model, case.batch, spread)


@needs_compiler
def test_a_small_scale_keeps_its_gradient():
    """In single precision too: 1 - e^-y would have none left where the softplus y is far below 1."""
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    with torch.no_grad():
        bias = model.posterior_head.rest[1][0].bias
        bias[3:] = -13.0
    gradients = []
    for dtype, kernel in ((torch.float64, "plain"), (torch.float32, "native")):
        narrow = model.to(dtype)
        batch, noise = case.batch.to(narrow.h0), Noise(*(t.to(dtype) for t in case.noise))
        found = kernels.unroll(narrow, batch, noise, kernel=kernel).posterior.scale.sum()
        gradients.append(
            torch.autograd.grad(found, narrow.posterior_head.rest[1][0].bias)[0][3:].double()
        )
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=0.0)


@needs_compiler
def test_goes_on_from_a_belief():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    first = kernels.unroll(model, case.batch.time_steps(0, 2), case.noise.steps(slice(2))).belief
    begun = first.map(lambda t: t.detach().requires_grad_())
    compare(model, case.batch.after(2), case.noise.steps(slice(2, None)), start=begun)


@needs_compiler
def test_a_diverged_model_shows():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    with torch.no_grad():
        model.of_latent.weight[0, 0] = torch.nan
    assert kernels.unroll(model, case.batch, case.noise, kernel="native").log_prob.isnan().any()


@needs_compiler
@pytest.mark.parametrize("name", ["rnn", "vrnn-lstm-u", "vrnn-affine", "vrnn-supervised", "dmm"])
def test_what_it_does_not_serve_takes_the_plain_loop_or_is_refused(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name])
    assert not recurrence.fits(model, case.batch, "posterior")
    kernels.unroll(model, case.batch, case.noise)
    with pytest.raises(UnsupportedError, match="GRU and depth 1"):
        kernels.unroll(model, case.batch, case.noise, kernel="native")


def test_serves_complete_stretches_only():
    assert stretches([True] * 5) == [(0, 5, True)]
    assert stretches([False, True, True]) == [(0, 3, False)]
    assert stretches([False, *[True] * 3, False, True]) == [
        (0, 1, False),
        (1, 4, True),
        (4, 6, False),
    ]


def test_without_a_compiler_the_plain_loop_serves_and_it_is_said_once(
    monkeypatch, caplog, tmp_path
):
    monkeypatch.setenv("CXX", f"{tmp_path / 'none'} -std=c++17")
    native.library.cache_clear()
    try:
        model = build(CONFIGS["vrnn"])
        case = make_case(model, CONFIGS["vrnn"])
        for _ in range(2):
            kernels.unroll(model, case.batch, case.noise)
        assert len(caplog.records) == 1 and "runs in PyTorch" in caplog.text
    finally:
        native.library.cache_clear()


@needs_compiler
def test_is_built_once_and_whole(tmp_path):
    path = native.build(tmp_path)
    made = path.stat().st_ino
    assert native.build(tmp_path) == path and path.stat().st_ino == made
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@needs_compiler
def test_the_oldest_of_many_libraries_are_removed(tmp_path):
    for age in range(10):
        old = tmp_path / f"kernels-{age}.so"
        old.touch()
        os.utime(old, (1e9 - age, 1e9 - age))
    path = native.build(tmp_path)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {path.name, *(f"kernels-{age}.so" for age in range(native.KEPT - 1))}


@needs_compiler
def test_a_compiler_that_refuses_leaves_nothing(tmp_path, monkeypatch):
    broken = tmp_path / "broken.cpp"
    broken.write_text("this is not C++")
    monkeypatch.setattr(native, "SOURCES", [broken])
    with pytest.raises(native.subprocess.CalledProcessError):
        native.build(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "record", "mirror"),
    [(0, "Loop", recurrence.Loop), (1, "Ahead", ahead._Ahead), (2, "Run", cell.Run)],
    ids=["recurrence", "ahead", "cell"],
)
def test_the_layout_of_both_sides_is_one(source, record, mirror):
    """The fields of the C++ record, read from its source, are those that Python hands over."""
    text = native.SOURCES[source].read_text("utf-8")
    body = text[text.index(f"struct {record} {{") :]
    body = body[body.index("{") + 1 : body.index("};")]
    code = " ".join(line.split("//")[0] for line in body.splitlines())
    for word in ("const T", "std::int64_t", "double", "T *", "*"):
        code = code.replace(word, "")
    names = [
        name.strip()
        for statement in code.split(";")
        for name in statement.split(",")
        if name.strip()
    ]
    assert names == [field for field, _ in mirror._fields_]
