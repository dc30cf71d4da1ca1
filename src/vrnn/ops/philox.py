"""Numbers between 0 and 1 by a counter: each is a function of a key and of its place alone."""

import ctypes
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt64

from vrnn.ops.backend import is_reference
from vrnn.ops.build import function, library

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


class _Struct(ctypes.Structure):
    """The struct `Philox` of philox.cpp."""

    _fields_ = (
        *((n, ctypes.c_int64) for n in ("keys", "steps", "blocks", "first", "threads")),
        ("key", ctypes.c_void_p),
        ("out", ctypes.c_void_p),
    )


def philox_uniforms(
    keys: UInt64[np.ndarray, " keys"], steps: int, count: int, *, first: int = 0
) -> Float[torch.Tensor, "keys steps count"]:
    """Return `count` numbers between 0 and 1 for every key and step, in float32.

    Block i of a key and a step is philox(counter (i mod 2^32, i div 2^32, step, 0), key), four
    words. A word w of 32 bits becomes (floor(w / 2^9) + 1/2) / 2^23, so 0 and 1 are never reached.
    The same numbers come out whichever keys, steps and numbers are asked for together.

    Args:
        keys: one number of 64 bits each.
        steps: steps of each key.
        count: numbers of each step.
        first: the first step.

    Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".

    >>> keys = np.array([1, 2], np.uint64)
    >>> both, one = philox_uniforms(keys, 2, 3), philox_uniforms(keys[1:], 1, 2, first=1)
    >>> both.shape, torch.equal(both[1:, 1:, :2], one)
    (torch.Size([2, 2, 3]), True)
    """
    blocks = -(-count // 4)
    if is_reference() or library() is None:
        step = np.arange(first, first + steps, dtype=np.uint64)[:, None] & WORD
        block, key = np.arange(blocks, dtype=np.uint64), keys[:, None, None]
        counter = np.broadcast_arrays(block & WORD, block >> HALF, step, np.uint64(0))
        words = philox(counter, (key & WORD, key >> HALF))
        drawn = ((words >> np.uint64(9)).astype(np.float32) + np.float32(0.5)) * np.float32(2**-23)
        return torch.from_numpy(drawn.reshape(len(keys), steps, 4 * blocks)[..., :count])
    keys = np.ascontiguousarray(keys)
    drawn = torch.empty(len(keys), steps, 4 * blocks)
    threads, places = torch.get_num_threads(), (keys.ctypes.data, drawn.data_ptr())
    struct = _Struct(len(keys), steps, blocks, first, threads, *places)
    if function("philox", torch.float32)(ctypes.byref(struct)):
        raise RuntimeError("a compiled draw ran out of memory")
    return drawn[..., :count]


def philox(
    counter: Sequence[np.ndarray], key: Sequence[np.ndarray]
) -> UInt64[np.ndarray, "*lead 4"]:
    """Return what the cipher makes of four words of a counter and two of a key, (*lead, 4).

    All words are arrays of uint64 that hold 32 bits.

    >>> zero = np.zeros((), np.uint64)
    >>> [f"{word:08x}" for word in philox((zero,) * 4, (zero,) * 2)]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    m0, m1 = (np.uint64(m) for m in MULTIPLIERS)
    w0, w1 = (np.uint64(w) for w in WEYL)
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = m0 * c0, m1 * c2
        c0, c1, c2, c3 = (
            (p1 >> HALF) ^ c1 ^ k0,
            p1 & WORD,
            (p0 >> HALF) ^ c3 ^ k1,
            p0 & WORD,
        )
        k0, k1 = (k0 + w0) & WORD, (k1 + w1) & WORD
    return np.stack([c0, c1, c2, c3], -1)
