"""Simulated motion: moments of every kind, and of what recording does to it."""

import numpy as np
import pytest

from vrnn.data.synthetic.motion import motion
from vrnn.data.synthetic.motion.kinds import KINDS, log_uniform, mean_reverting, paced
from vrnn.data.synthetic.motion.prior import SHARES
from vrnn.data.synthetic.motion.recording import (
    FINEST,
    MARGIN,
    coarser,
    key_frames,
    noisy,
    rounded,
    with_outliers,
)

COUNT, TIME = 2000, 40


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def turns(moves: np.ndarray) -> np.ndarray:
    """The angle from each move to the next, where both are of some length."""
    heading = np.arctan2(moves[..., 1], moves[..., 0])
    length = np.linalg.norm(moves, axis=-1)
    angle = (np.diff(heading, axis=1) + np.pi) % (2 * np.pi) - np.pi
    return angle[(length[:, 1:] > 1e-6) & (length[:, :-1] > 1e-6)]


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_finite_and_repeats_with_its_seed(name):
    one, two = (KINDS[name](rng(3), 50, TIME) for _ in range(2))
    assert one.shape == (50, TIME, 2) and np.isfinite(one).all()
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, KINDS[name](rng(4), 50, TIME))


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_no_preferred_direction(name):
    """The mean of unit moves is near 0: within four standard errors of independent tracks."""
    moves = KINDS[name](rng(), COUNT, TIME)
    way = moves.sum(1)
    way = way / (np.linalg.norm(way, axis=-1, keepdims=True) + 1e-12)
    assert np.abs(way.mean(0)).max() < 4 / np.sqrt(2 * COUNT)


def test_mean_reverting_numbers_have_their_spread_and_memory():
    memory, spread = np.full(COUNT, 0.8), np.full(COUNT, 3.0)
    x = mean_reverting(rng(), TIME, memory, spread)[..., 0]
    assert x.std() == pytest.approx(3.0, rel=0.03)
    np.testing.assert_allclose(x.std(0), 3.0, rtol=0.08)  # stationary from the first row on
    product = (x[:, 1:] * x[:, :-1]).mean() / (x**2).mean()
    assert product == pytest.approx(0.8, abs=0.02)


def test_log_uniform_numbers_have_a_uniform_logarithm():
    x = np.log(log_uniform(rng(), 20_000, 0.1, 10.0))
    assert x.mean() == pytest.approx(0.0, abs=0.03)
    assert x.std() == pytest.approx(np.log(100) / np.sqrt(12), rel=0.02)


def test_kinds_turn_as_their_names_say():
    spread = {name: np.median(np.abs(turns(KINDS[name](rng(), COUNT, TIME)))) for name in KINDS}
    assert spread["steady"] < 0.02 < spread["strokes"]
    assert spread["junctions"] < spread["turning"] < spread["resting"]
    assert spread["resting"] > 1.0


def test_resting_tracks_stay_where_they_are():
    moves = KINDS["resting"](rng(), COUNT, 400)
    length = np.linalg.norm(moves, axis=-1).sum(1)
    away = np.linalg.norm(moves.sum(1), axis=-1)
    assert np.median(away / length) < 0.1
    straight = KINDS["steady"](rng(), COUNT, 40)
    assert np.median(np.linalg.norm(straight.sum(1), axis=-1) / 40) > 0.5


def test_steady_tracks_stop_now_and_then():
    """A third of them may stop; the others keep moving."""
    pace = np.linalg.norm(KINDS["steady"](rng(), COUNT, 200), axis=-1)
    stops = (pace == 0).any(1).mean()
    assert 0.15 < stops < 0.35
    assert np.median(pace[pace > 0]) == pytest.approx(1.0, abs=0.1)


def test_a_share_of_the_tracks_changes_its_pace():
    factor = paced(rng(), COUNT, 200, 0.3)
    assert (np.ptp(factor, axis=1) > 0).mean() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(factor[:, 0], 1.0)
    assert np.exp(-2.5) <= factor.min() and factor.max() <= np.exp(2.5)


def test_velocities_revert_to_their_mean():
    """Over a long track the mean velocity is that of the process: 0 in half of the tracks."""
    velocity = KINDS["correlated"](rng(), COUNT, 2000)
    size = np.sqrt(((velocity - velocity.mean(1, keepdims=True)) ** 2).mean((1, 2)))
    near = np.abs(velocity.mean(1)).max(-1) < 0.3 * size
    assert near.mean() == pytest.approx(0.55, abs=0.1)


def test_coarser_tracks_pass_the_same_places():
    moves = rng().standard_normal((COUNT, 4 * TIME, 2))
    found = coarser(moves, 4).cumsum(1)
    np.testing.assert_allclose(found, moves.cumsum(1)[:, 3::4])


def test_noise_has_its_size_and_share():
    x, scale = np.zeros((COUNT, TIME, 2)), np.full(COUNT, 2.0)
    found = noisy(rng(), x, scale, 0.5)
    size = found.std((1, 2))
    assert (size > 0).mean() == pytest.approx(0.5, abs=0.04)
    assert size[size > 0].min() > 0.004 and size.max() < 2.0


def test_rounded_tracks_lie_on_a_grid():
    x = rng().standard_normal((COUNT, TIME, 2))
    found = rounded(rng(1), x, np.ones(COUNT), 1.0)
    few = [len(np.unique(np.round(track, 9))) for track in found]
    assert np.mean(np.array(few) < 2 * TIME) > 0.5 and np.abs(found - x).max() <= 0.5
    fine = rounded(rng(1), x, np.ones(COUNT), 0.0)
    np.testing.assert_allclose(fine, x, atol=0.5 * FINEST + 1e-12)
    assert not np.array_equal(fine, x)


def test_key_frames_keep_their_points_and_straight_lines():
    rows = TIME + 2 * MARGIN
    inside = slice(MARGIN, MARGIN + TIME)
    line = np.arange(rows)[:, None] * np.array([1.0, 2.0]) + np.zeros((COUNT, 1, 1))
    np.testing.assert_allclose(key_frames(rng(), line, 1.0), line[:, inside], atol=1e-9)
    x = rng().standard_normal((COUNT, rows, 2)).cumsum(1)
    kept = np.isclose(key_frames(rng(1), x, 1.0), x[:, inside]).all(-1).mean()
    assert 0.1 < kept < 0.4  # a frame every 2 to 12 rows
    assert np.array_equal(key_frames(rng(1), x, 0.0), x[:, inside])


def test_outliers_are_single_and_far():
    x = np.zeros((COUNT, TIME, 2))
    found = with_outliers(rng(), x, np.ones(COUNT), 1.0)
    hit = np.abs(found).max(-1) > 0
    assert 0.01 < hit.mean() < 0.05
    assert np.median(np.linalg.norm(found[hit], axis=-1)) > 2


def test_the_prior_mixes_all_kinds_at_all_scales():
    assert SHARES.keys() == KINDS.keys() and sum(SHARES.values()) == pytest.approx(1.0)
    x = motion(rng(), COUNT, TIME)
    assert x.shape == (COUNT, TIME, 2) and np.isfinite(x).all() and not x[:, 0].any()
    np.testing.assert_array_equal(x[:50], motion(rng(), COUNT, TIME)[:50])
    size = np.sqrt((np.diff(x, axis=1) ** 2).sum(-1).mean(1))
    low, high = np.quantile(size, [0.1, 0.9])
    assert low < 0.15 and high > 8
    ends = x[:, -1] / np.linalg.norm(x[:, -1], axis=-1, keepdims=True).clip(1e-12)
    assert np.abs(ends.mean(0)).max() < 4 / np.sqrt(2 * COUNT)
