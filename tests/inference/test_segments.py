"""Segments: complete steps for a fast path, the rest for the loop, and every step in exactly one."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from vrnn.inference.segments import LEAST, segments


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.booleans(), max_size=30))
def test_segments_cover_every_step_once(complete):
    cut = segments(complete)
    assert cut[0][0] == 0 and cut[-1][1] == len(complete)
    assert all(a[1] == b[0] for a, b in pairwise(cut))
    for begin, end, fast in cut:
        assert begin < end or not complete
        if fast:
            assert all(complete[begin:end]) and (end - begin >= LEAST or len(cut) == 1)
    assert all(a[2] or b[2] for a, b in pairwise(cut))  # no two slow ones


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.booleans(), max_size=30))
def test_every_long_run_of_complete_steps_is_fast(complete):
    fast = [t for begin, end, whole in segments(complete) if whole for t in range(begin, end)]
    runs, run = [], []
    for t, whole in enumerate([*complete, False]):
        run = [*run, t] if whole else runs.append(run) or []
    expected = [t for run in runs if len(run) >= LEAST or len(run) == len(complete) for t in run]
    assert fast == expected


def test_short_sequences():
    assert segments([True]) == [(0, 1, True)] and segments([False]) == [(0, 1, False)]
    assert segments([]) == [(0, 0, False)]
    assert segments([True, True, False]) == [(0, 3, False)]
    assert segments([False] + [True] * LEAST) == [(0, 1, False), (1, 1 + LEAST, True)]
