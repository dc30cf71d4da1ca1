"""How much is computed at once, so that memory does not grow with the number of tracks."""

PATHS = 16384  # sample paths, or particles, that go through a network together
PATH_ROWS = 1 << 23  # rows of sample paths, padding included, whose noise is held together
UNROLLED_ROWS = 1 << 19  # rows of sample paths, padding included, that a bound unrolls together
ENCODED_ROWS = 16384  # rows, padding included, that are encoded together
USED_ROWS = 1 << 16  # rows of sample paths, padding included, that `latent_use` unrolls together
RANKED_DENSITIES = 1 << 23  # densities that `score` ranks together, times columns
COMPARED_DENSITIES = 1 << 22  # densities that `reliability` compares together, times columns
CANDIDATE_DENSITIES = 1 << 22  # densities of candidates under particles, times columns


def tracks_at_once(paths: int, longest: int = 1) -> int:
    """Return how many tracks go through a network together.

    Args:
        paths: sample paths or particles of each track.
        longest: rows of the longest track, where the noise of all rows is drawn at once.

    >>> tracks_at_once(100), tracks_at_once(10**6)
    (163, 1)
    """
    return max(1, min(PATHS // paths, PATH_ROWS // (paths * longest)))
