"""The cipher against its published answers, its compiled form, and its numbers against a uniform distribution."""

import numpy as np
import pytest
import scipy.stats
import torch

from vrnn.ops import backend
from vrnn.ops.philox import philox, philox_uniforms

ANSWERS = [  # of the authors' own library, Random123: counter, key, what comes out
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
KEYS = np.random.default_rng(0).integers(0, 2**64, 40, dtype=np.uint64)


@pytest.mark.parametrize(("counter", "key", "expected"), ANSWERS)
def test_published_answers(counter, key, expected):
    words = lambda numbers: [np.array(n, np.uint64) for n in numbers]  # noqa: E731
    assert philox(words(counter), words(key)).tolist() == list(expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_compiled_form_gives_the_same_bits(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for steps, count, first in (
            (3, 7, 0),
            (1, 1, 5),
            (40, 64, 2**32 - 3),
            (0, 5, 0),
            (2, 0, 0),
        ):
            found = philox_uniforms(KEYS, steps, count, first=first)
            with backend("reference"):
                expected = philox_uniforms(KEYS, steps, count, first=first)
            assert found.shape == expected.shape == (40, steps, count)
            assert torch.equal(found, expected)
    finally:
        torch.set_num_threads(before)


def test_numbers_depend_on_key_and_place_alone():
    whole = philox_uniforms(KEYS, 6, 50)
    assert torch.equal(philox_uniforms(KEYS[7:9], 2, 21, first=3), whole[7:9, 3:5, :21])
    assert len(whole.unique()) > 0.99 * whole.numel()


def test_they_are_uniform_and_independent():
    u = philox_uniforms(np.arange(200, dtype=np.uint64), 20, 100).double()
    assert float(u.min()) > 0 and float(u.max()) < 1
    assert scipy.stats.kstest(u.flatten(), "uniform").pvalue > 1e-3
    for a, b in ((u[1:], u[:-1]), (u[:, 1:], u[:, :-1]), (u[..., 1:], u[..., :-1])):
        assert abs(np.corrcoef(a.flatten(), b.flatten())[0, 1]) < 4 / a.numel() ** 0.5
