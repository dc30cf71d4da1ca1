"""Segments of complete time steps, which a fast path can take, and the steps around gaps."""

from itertools import groupby

LEAST = 3  # steps below which a complete segment is not worth a call of its own


def segments(complete: list[bool]) -> list[tuple[int, int, bool]]:
    """Return segments of time steps: (begin, end, whether it is complete).

    A complete segment has at least `LEAST` steps, unless it is all there is.

    >>> segments([True, True, True, False, True, True, True, True])
    [(0, 3, True), (3, 4, False), (4, 8, True)]
    >>> segments([False, True, False]), segments([True])
    ([(0, 3, False)], [(0, 1, True)])
    """
    if all(complete):
        return [(0, len(complete), bool(complete))]
    cut: list[tuple[int, int, bool]] = []
    for whole, run in groupby(complete):
        begin = cut[-1][1] if cut else 0
        end = begin + len([*run])
        fast = whole and end - begin >= LEAST
        if cut and not fast and not cut[-1][2]:
            begin = cut.pop()[0]
        cut.append((begin, end, fast))
    return cut
