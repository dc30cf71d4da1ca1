"""The causal transform: invertible, its Jacobian that of autograd, the same for every scale and heading."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from vrnn.data.transforms.causal import CausalTransform
from vrnn.inference.random_numbers import seeded

DIMS = (1, 2, 3)


def moves(dim: int, count: int = 6, time: int = 40) -> Tensor:
    """Return increments of all lengths: some tracks stand at first, stop, go straight or jump."""
    d = torch.randn(count, time, dim, generator=seeded(dim), dtype=torch.float64)
    d[0, :4], d[1, 10:30] = 0.0, 0.0
    d[2] = d[2, :1]
    d[3, 20] *= 1e4
    d[5, :3, :2] = 0.0  # in three dimensions it rises first
    d[4] *= torch.rand(time, 1, generator=seeded(1), dtype=torch.float64) ** 4
    return d


def at(transform: CausalTransform, t: int) -> CausalTransform:
    return CausalTransform(*(part[:, t] for part in transform))


@pytest.mark.parametrize("dim", DIMS)
def test_the_transforms_of_all_steps_are_those_of_one_step_after_another(dim):
    d = moves(dim, time=300)  # longer than a block
    start = CausalTransform.start(dim, d)
    before, after = start.along(d)
    transform = start.expand(len(d))
    for t in range(d.shape[1]):
        for found, expected in (
            (at(before, t), transform),
            (at(after, t), transform.after(d[:, t])),
        ):
            for name, a, b in zip(CausalTransform._fields, found, expected, strict=True):
                torch.testing.assert_close(a, b, msg=lambda m, n=name, t=t: f"{n}, {t}: {m}")
        transform = transform.after(d[:, t])


@pytest.mark.parametrize("dim", DIMS)
def test_a_move_comes_back(dim):
    d = moves(dim)
    before, _ = CausalTransform.start(dim, d).along(d)
    torch.testing.assert_close(before.decode(before.encode(d)), d)
    torch.testing.assert_close(before.encode(before.decode(d)), d)


@pytest.mark.parametrize("dim", DIMS)
def test_the_jacobian_of_a_track_is_that_of_autograd(dim):
    """Of the map of all moves at once: its log-determinant is the sum of -dim log s over the steps."""
    d = moves(dim)[3:5, :8]
    for track in d:

        def encoded(flat: Tensor) -> Tensor:
            rows = flat.view(1, -1, dim)
            before, _ = CausalTransform.start(dim, rows).along(rows)
            return before.encode(rows).flatten()

        jacobian = torch.autograd.functional.jacobian(encoded, track.flatten())
        before, _ = CausalTransform.start(dim, track).along(track[None])
        expected = -dim * before.scale.log().sum()
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, expected)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_scaled_and_mirrored_tracks_are_the_same_to_a_model(dim, mirrored):
    d = moves(dim)
    c, s = math.cos(2.1), math.sin(2.1)
    turn = torch.eye(dim, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    turn[:, 1] *= -1 if mirrored else 1
    (before, after), (other, behind) = (
        CausalTransform.start(dim, x).along(x) for x in (d, 37.0 * d @ turn.T)
    )
    known = before.headed * (before.side.abs() if mirrored else 1)
    assert 0.5 < known.mean() < 1
    close = {"rtol": 1e-9, "atol": 1e-9}  # a jump is thousands of scales long
    torch.testing.assert_close(
        known * before.encode(d), known * other.encode(37.0 * d @ turn.T), **close
    )
    torch.testing.assert_close(before.features, other.features, **close)
    torch.testing.assert_close(after.features, behind.features, **close)
    assert torch.equal(before.side.abs(), other.side.abs())


def test_the_transform_is_what_it_says():
    """Two moves by hand: their scale, their heading, and the side of the turn between them."""
    first, second = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
    transform = CausalTransform.start(2, first).expand(1).after(first)
    assert transform.scale.item() == pytest.approx(5 * math.sqrt(1 + 1e-4))
    assert transform.heading.tolist()[0] == pytest.approx([0.6, 0.8]) and transform.side.item() == 0
    transform = transform.after(second)
    square = (0.9 * 25 + 4) / 1.9 + 1e-4 * 29 / 2
    assert transform.scale.item() == pytest.approx(math.sqrt(square))
    m = torch.tensor([1.5, 4.0])
    assert transform.heading[0].tolist() == pytest.approx((m / m.norm()).tolist())
    assert transform.side.item() == 1  # to the left
    assert transform.encode(m[None])[0].tolist() == pytest.approx(
        [m.norm().item() / transform.scale.item(), 0.0]
    )


def test_the_features_are_what_they_say():
    """After the two moves of the last test and a third, to the right; and of a track that stands."""
    moves = torch.tensor([[[3.0, 4.0], [0.0, 2.0], [5.0, 0.0]]], dtype=torch.float64)
    _, after = CausalTransform.start(2, moves).along(moves)
    m = [np.array([3.0, 4.0])]
    m += [0.5 * m[0] + [0.0, 2.0]]
    m += [0.5 * m[1] + [5.0, 0.0]]
    squares, weights = [25.0, 4.0, 25.0], [1.0, 0.9, 0.81]
    scale = []
    for n in (1, 2, 3):
        recent = np.dot(squares[:n][::-1], weights[:n]) / sum(weights[:n])
        scale.append(math.sqrt(recent + 1e-4 * np.mean(squares[:n])))
    e = [v / np.linalg.norm(v) for v in m]
    length = np.log1p([np.linalg.norm(v) / s for v, s in zip(m, scale, strict=True)])
    change = [0.0, math.log(scale[1] / scale[0]), math.log(scale[2] / scale[1])]
    ratio = [math.log(s / math.sqrt(np.mean(squares[: n + 1]))) for n, s in enumerate(scale)]
    cosine = [0.0, e[0] @ e[1], e[1] @ e[2]]
    sine = [0.0, *(a[0] * b[1] - a[1] * b[0] for a, b in pairwise(e))]
    rows = [length, change, ratio, cosine, sine, [1, 1 / 2, 1 / 3], [1, 1, 1], [0, 1, 1]]
    np.testing.assert_allclose(after.features[0].numpy(), np.transpose(rows), atol=1e-12)
    _, still = CausalTransform.start(2, moves).along(torch.zeros_like(moves))
    expected = np.zeros((3, 8))
    expected[:, 5] = [1, 1 / 2, 1 / 3]
    np.testing.assert_allclose(still.features[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("dim", DIMS)
def test_steps_have_any_leading_axes(dim):
    """Many samples of many tracks take a step as each of them alone does."""
    d = moves(dim)[:, 18:23]
    transform = CausalTransform.start(dim, d).expand(len(d))
    many = CausalTransform.start(dim, d).expand(2, len(d))
    for t in range(5):
        both = torch.stack([d[:, t], d[:, t].flip(0)])
        many, transform = many.after(both), transform.after(d[:, t])
        for found, expected in zip(many, transform, strict=True):
            torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize("dim", DIMS)
def test_a_track_that_stands_keeps_its_heading_and_some_scale(dim):
    d = torch.zeros(1, 2000, dim)
    d[0, 0] = 2.0
    _, after = CausalTransform.start(dim, d).along(d)
    assert torch.equal(after.heading[:, -1], after.heading[:, 0])
    assert (after.scale > 0).all() and torch.isfinite(after.features).all()
    still, _ = CausalTransform.start(dim, d).along(torch.zeros(1, 5, dim))
    torch.testing.assert_close(still.scale[0, :, 0], 1 / torch.arange(1.0, 6.0))
    assert not still.heading.any() and torch.isfinite(still.features).all()


@pytest.mark.parametrize("dim", DIMS)
def test_gradients_are_finite_where_nothing_moves(dim):
    d = torch.zeros(1, 6, dim, requires_grad=True)
    before, after = CausalTransform.start(dim, d).along(d)
    (before.encode(d).sum() + after.features.sum() + after.scale.sum()).backward()
    assert d.grad is not None and torch.isfinite(d.grad).all()
