"""The compiled chain of latents against the plain one: values and all gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vrnn.inference.noise import seeded
from vrnn.kernels import chain as kernel
from vrnn.kernels import native
from vrnn.models.loops import Chain, follow_chain

pytestmark = pytest.mark.skipif(native.library() is None, reason="no C++ compiler")


def inputs(lead, time, hidden, latent, drawn, fixed=(), dtype=torch.float64, seed=0):
    """Draw what a chain is made of, the parts named in `fixed` being the same at every step of every sequence."""
    generator = seeded(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    outputs = 2 * latent if drawn else latent
    shape = lambda name, width: (1, width) if name in fixed else (*lead, time, width)  # noqa: E731
    # Small weights: a chain of large ones magnifies rounding from step to step.
    of_latent, out = (
        draw(hidden, latent) / (2 * latent**0.5),
        draw(outputs, hidden) / (2 * hidden**0.5),
    )
    parts = [of_latent, draw(*shape("inside", hidden)), out]
    parts += [draw(*shape("outside", outputs)), draw(*lead, latent)]
    return [p.requires_grad_() for p in parts], draw(*lead, time, latent if drawn else 0)


def results(run, squash, parts, normals):
    """Run a chain and give values and gradients of what comes out."""
    *parts_of_chain, start = parts
    normals.requires_grad_()
    found = run(Chain(squash, *parts_of_chain), start, normals)
    values = [found.z, *found.law]
    target = sum(
        (torch.linspace(-1, 1, v.numel(), dtype=v.dtype).view_as(v) * v).sum() + v.square().sum()
        for v in values
    )
    return [v.detach() for v in values] + list(
        torch.autograd.grad(target, [*parts, normals], materialize_grads=True)
    )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_equals_the_plain_chain_on_random_shapes(data):
    size = st.integers(1, 4) | st.sampled_from([7, 33, 70])
    hidden, latent, lead = (
        data.draw(size),
        data.draw(size),
        tuple(data.draw(st.lists(size, min_size=1, max_size=2))),
    )
    squash, drawn = data.draw(st.sampled_from(["relu", "tanh"])), data.draw(st.booleans())
    fixed = data.draw(st.sampled_from([(), ("inside",), ("outside",)]))
    time, seed = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 99))
    expected = results(
        follow_chain, squash, *inputs(lead, time, hidden, latent, drawn, fixed, seed=seed)
    )
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        made = inputs(lead, time, hidden, latent, drawn, fixed, dtype, seed)
        wanted = expected if dtype is torch.float64 else results(follow_chain, squash, *made)
        for a, b in zip(results(kernel.run_chain, squash, *made), wanted, strict=True):
            torch.testing.assert_close(
                a,
                b,
                rtol=10 * tolerance,
                atol=tolerance * float(1 + b.abs().max()) if b.numel() else 0.0,
            )


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("squash", ["relu", "tanh"])
def test_gradients_are_those_of_finite_differences(squash, drawn):
    parts, normals = inputs((2,), 4, 3, 2, drawn)

    def run(*parts):
        found = kernel.run_chain(Chain(squash, *parts[:-1]), parts[-1], normals)
        return (found.z, *found.law) if drawn else found.z

    assert torch.autograd.gradcheck(run, parts)


def test_without_gradients_nothing_is_kept_for_them(monkeypatch):
    (*parts, start), normals = inputs((2,), 3, 5, 2, True)
    seen, call = [], kernel._call
    monkeypatch.setattr(
        kernel,
        "_call",
        lambda name, tensors, *rest: (seen.append(set(tensors)), call(name, tensors, *rest)),
    )
    with torch.no_grad():
        kernel.run_chain(Chain("relu", *parts), start, normals)
    assert seen == [{"inside", "outside", "normals", "of_latent", "out", "z", "mean", "scale"}]


def test_what_does_not_fit_takes_the_plain_chain():
    (*parts, start), normals = inputs((2,), 3, 5, 2, True)
    half = lambda t: t.detach().bfloat16()  # noqa: E731
    found = kernel.run_chain(Chain("tanh", *map(half, parts)), half(start), half(normals))
    assert found.z.dtype is torch.bfloat16
    torch.testing.assert_close(
        found.z.double(), follow_chain(Chain("tanh", *parts), start, normals).z, rtol=0.1, atol=0.1
    )


def test_autocast_takes_the_plain_chain(monkeypatch):
    (*parts, start), normals = inputs((2,), 3, 5, 2, True, dtype=torch.float32)
    monkeypatch.setattr(kernel, "_call", None)  # what would run the compiled one
    with torch.autocast("cpu", torch.bfloat16):
        found = kernel.run_chain(Chain("relu", *parts), start, normals)
    expected = follow_chain(Chain("relu", *parts), start, normals)
    torch.testing.assert_close(found.z.float(), expected.z, rtol=0.1, atol=0.1)
