"""Hidden points: where they are hidden, the factor by which intervals widen, and what it does to their coverage."""

import numpy as np
import pytest
from tests.helpers.untrained_models import SUPERVISED, holed, made, walks

import vrnn
from vrnn.errors import ConfigError, DataError, UnsupportedError
from vrnn.tasks.conformal import hide, widening


def runs(missing: np.ndarray) -> list[int]:
    """Lengths of runs of missing rows between seen ones."""
    rows = np.flatnonzero(~missing)
    return sorted(int(n) for n in np.diff(rows) - 1 if n)


def test_what_is_hidden_looks_like_what_is_missing():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(80, 2)) for _ in range(50)]
    for a in x:
        for start in np.arange(1, 60, 17):
            a[start : start + rng.integers(1, 5)] = np.nan
    tracks = vrnn.Tracks(x)
    again, hidden = hide(tracks, 0)
    for before, after, gone in zip(x, again.x, hidden, strict=True):
        missing = np.isnan(before).any(-1)
        assert not (missing & gone).any() and not gone[[0, -1]].any()
        assert np.array_equal(np.isnan(after).any(-1), missing | gone)
        assert np.array_equal(after[~gone & ~missing], before[~gone & ~missing])
        (length,) = runs(gone)  # one for four
        assert len(runs(missing)) == 4 and length in runs(missing)
        assert runs(gone | missing) == sorted([*runs(missing), length])  # none beside another
    assert all(np.array_equal(a, b) for a, b in zip(hidden, hide(tracks, 0)[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(hidden, hide(tracks, 1)[1], strict=True))


def test_nothing_is_hidden_where_there_is_no_room():
    x = np.ones((6, 2))
    x[2:4] = np.nan
    short = vrnn.Tracks([x, np.ones((9, 2)), np.full((3, 2), np.nan)])
    assert sum(gone.sum() for gone in hide(short, 0)[1]) == 0


@pytest.mark.parametrize("wide", [0.5, 1.0, 3.0])
def test_widened_intervals_hold_their_share_of_new_points(wide):
    rng = np.random.default_rng(0)
    scale, factors, held = 1.0 / wide, [], []
    for _ in range(200):
        sd = rng.uniform(0.5, 2.0, 99)
        mean = rng.normal(size=99)
        factors.append(
            widening(
                mean + sd * rng.normal(size=99),
                mean,
                mean - scale * 1.645 * sd,
                mean + scale * 1.645 * sd,
                0.9,
            )
        )
        held.append((np.abs(rng.normal(size=500)) <= factors[-1] * scale * 1.645).mean())
    assert np.mean(factors) == pytest.approx(wide, rel=0.05)
    assert np.mean(held) == pytest.approx(0.9, abs=4 * np.std(held) / np.sqrt(200))


def test_ends_count_on_their_own_side():
    truth, mean = np.array([3.0, -1.0]), np.zeros(2)
    low, high = np.array([-9.0, -2.0]), np.array([1.0, 9.0])
    assert widening(truth, mean, low, high, 0.5) == 3.0  # of 0.5 and 3, the ceil(1.5)-th
    assert widening(truth[1:], mean[1:], low[1:], high[1:], 0.4) == 0.5
    assert widening(mean, mean, mean, mean, 0.6) == 0.0
    with pytest.raises(DataError, match="all paths are one at 1 of 2 hidden entries"):
        widening(truth, mean, np.array([-9.0, 0.0]), high, 0.6)
    with pytest.raises(
        DataError, match=r"2 hidden entries say nothing about intervals of 0.9: expected at least 9"
    ):
        widening(truth, mean, low, high, 0.9)


def test_paths_through_tracks_that_are_rougher_than_those_of_the_training():
    rng = np.random.default_rng(1)
    smooth, rough = (
        vrnn.Tracks(list((scale * rng.normal(size=(60, 16, 2)) + [1.0, 0.0]).cumsum(1)))
        for scale in (0.15, 0.25)
    )
    settings = vrnn.TrainConfig(steps=300, batch_size=20, learning_rate=1e-2)
    model = vrnn.train(
        smooth,
        config=vrnn.RNNConfig(2, hidden=4, emission="full_gaussian"),
        training=settings,
        quiet=True,
    ).model
    x, gone = [a.copy() for a in rough.x], [np.zeros(16, bool) for _ in rough.x]
    for a, rows in zip(x, gone, strict=True):
        start = rng.integers(2, 12)
        rows[start : start + 2] = True
        a[rows] = np.nan
    held = {}
    for calibrate in (None, 0.9):
        filled = vrnn.impute(
            vrnn.Tracks(x), model=model, samples=50, particles=200, calibrate=calibrate
        )
        low, high = filled.interval(0.9)
        inside = [
            (a[r] <= t[r]) & (t[r] <= b[r])
            for a, t, b, r in zip(low, rough.x, high, gone, strict=True)
        ]
        held[calibrate] = np.mean(inside)
        assert all(
            np.array_equal(m[~r], t[~r]) for m, t, r in zip(filled.mean, rough.x, gone, strict=True)
        )
    assert held[None] < 0.78 and 0.82 < held[0.9] < 0.97
    assert 1.3 < filled.widening < 2.2


def test_what_comes_after_the_last_point_stays():
    tracks = holed(
        walks(24), *((i, rows) for i in range(24) for rows in (slice(4, 5), slice(10, None)))
    )
    drawn, wider = (
        vrnn.impute(tracks, model=made("rnn"), samples=20, particles=50, calibrate=share)
        for share in (None, 0.9)
    )
    assert wider.widening != 1
    for a, b, mean in zip(drawn.samples, wider.samples, drawn.mean, strict=True):
        assert np.array_equal(a[:, 5:], b[:, 5:])
        assert np.allclose(b[:, 4] - mean[4], wider.widening * (a[:, 4] - mean[4]))


def test_refusals():
    tracks = holed(walks(), (0, slice(4, 6)))
    for share in (0.0, 1.0, 90):
        with pytest.raises(ConfigError, match=f"a share between 0 and 1, found {share}"):
            vrnn.impute(tracks, model=made("rnn"), samples=5, particles=10, calibrate=share)
    with pytest.raises(
        DataError, match="expected at least 20 such rows, found 2; impute more tracks together"
    ):
        vrnn.impute(tracks, model=made("rnn"), samples=5, particles=10, calibrate=0.9)
    with pytest.raises(DataError, match=r"found 0; no row is missing between seen ones"):
        vrnn.impute(walks(), model=made("rnn"), samples=5, particles=10, calibrate=0.9)
    with pytest.raises(ConfigError, match="samples: expected at least 2 beside calibrate, found 1"):
        vrnn.impute(tracks, model=made("rnn"), samples=1, particles=10, calibrate=0.9)
    with pytest.raises(UnsupportedError, match="found a supervised model"):
        vrnn.impute(
            tracks, model=made(next(iter(SUPERVISED))), samples=5, particles=10, calibrate=0.9
        )
