"""Numbers of each track's own: the same in any split, standard normal, and independent of each other."""

import numpy as np
import pytest
import scipy.stats
import torch

from vrnn.inference.random_numbers import Stream, TrackNumbers, track_numbers
from vrnn.ops import backend

NAMES = [f"track {i}" for i in range(30)]
SHAPES = [(7, 30), (7, 30, 5), (7, 30, 5, 3)]


def numbers(names=NAMES, *more: int) -> TrackNumbers:
    return track_numbers(0, Stream.FUTURE, names, *more)


@pytest.mark.parametrize("kind", ["normals", "uniforms"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_they_are_the_same_in_any_split(kind, shape):
    every = getattr(numbers(), kind)(*shape)
    assert every.shape == shape and every.dtype == torch.float32
    some = getattr(numbers(NAMES[4:6]), kind)(4, 2, *shape[2:])
    assert torch.equal(some, every[:4, 4:6])
    assert torch.equal(getattr(numbers()[4:6], kind)(4, 2, *shape[2:]), some)
    with backend("reference"):
        assert torch.equal(getattr(numbers(), kind)(*shape), every)


def test_steps_may_be_drawn_one_by_one():
    every = numbers().normals(3, 30, 6, 2)
    for t in range(6):
        assert torch.equal(numbers().from_step(t).normals(3, 30, 1, 2)[:, :, 0], every[:, :, t])


def test_seeds_purposes_numbers_parts_and_copies_are_apart():
    different = [
        numbers(),
        track_numbers(1, Stream.FUTURE, NAMES),
        track_numbers(0, Stream.PREFIX, NAMES),
        numbers(NAMES, 1),
        numbers(NAMES, 0, 0),
        *(numbers().part(*p) for p in ((0,), (1,), (0, 0), (0, 1), (1, 0))),
        numbers().part(9).copies(2),
    ]
    keys = np.concatenate([n.keys for n in different])
    assert len(np.unique(keys)) == len(keys)
    shared = [n.shared for n in different]
    assert len(set(shared)) == len(shared)
    assert np.array_equal(numbers().part(3).keys, numbers().part(3).keys)


def test_draws_are_standard_normal_and_independent():
    z = numbers().normals(50, 30, 40, 4).double()
    assert scipy.stats.kstest(z.flatten(), "norm").pvalue > 1e-3
    flat = z.permute(1, 2, 0, 3)  # (track, step, sample, width): neighbours along each
    for dim in range(4):
        n = flat.shape[dim]
        a, b = flat.narrow(dim, 1, n - 1).flatten(), flat.narrow(dim, 0, n - 1).flatten()
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / len(a) ** 0.5
        assert abs(np.corrcoef(a**2, b**2)[0, 1]) < 4 / len(a) ** 0.5


def test_ids_of_any_text():
    odd = ["", "\ud800", "é", "a\0b", "x" * 10_000]
    assert len(set(numbers(odd).keys.tolist())) == len(odd)
