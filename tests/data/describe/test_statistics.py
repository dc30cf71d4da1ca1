"""The numbers of a description, against cases worked by hand."""

import numpy as np
import pytest
from tests.helpers.random_walks import advice, many, walk

from vrnn.data.describe import describe
from vrnn.data.io import read_tracks
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError


def test_numbers_by_hand():
    x = [np.array([[0.0, 0], [3, 4], [6, 8], [9, np.nan]]), np.array([[1.0, 1]])]
    times = [np.array([0.0, 2, 4, 10]), np.array([0.0])]
    d = describe(
        Tracks(x, ids=["a", "b"], times=times, u=[np.full((4, 1), np.nan), np.zeros((1, 1))])
    )
    assert (d.tracks, d.rows, d.shortest, d.median_length, d.longest) == (2, 5, 1, 2.5, 4)
    assert (d.step, d.steps, d.gaps, d.longest_gap, d.irregular) == (2, 3, 1, 3, 0)
    assert (d.incomplete, d.displacement) == (0.2, 5)
    assert [(c.name, c.role, c.low, c.high) for c in d.columns] == [
        ("x", "x", 0, 9),
        ("y", "x", 0, 8),
        ("u0", "u", 0, 0),
    ]
    assert [c.missing for c in d.columns] == pytest.approx([0, 0.2, 0.8])
    assert (d.single, d.repeated, d.observe, d.horizon, d.windows) == (("b",), (), 0, 0, 0)


def test_short_tracks_get_a_shorter_window():
    d = describe(Tracks([walk(10, i) for i in range(60)]))
    assert (d.observe, d.horizon, d.windows) == (4, 6, 60)
    assert (d.gaps, d.longest_gap, d.irregular) == (0, 0, 0)
    assert "no 4 consecutive complete rows" in advice(Tracks([walk(3, i) for i in range(60)]))


def test_a_flag_beside_positions():
    x = [np.concatenate([w, np.cumsum(w > 1, axis=0)[:, :1] > 0], 1) for w in many().x]
    with_flag, without = describe(Tracks(x)), describe(many())
    assert not with_flag.binary
    assert with_flag.displacement == without.displacement
    assert "bernoulli" not in " ".join(with_flag.advice)
    assert describe(many(u=[w[:, :1] > 0 for w in many().x])).advice == without.advice


def test_a_jump_is_found_and_named():
    x = [walk(25, i) for i in range(60)]
    x[7][13:] += 500
    d = describe(Tracks(x))
    assert (d.outliers, d.worst.track, d.worst.time) == (1, "7", 13)
    assert "1 step out of proportion, the first to look at in track 7 at time 13" in " ".join(
        d.advice
    )


def test_rows_that_never_moved_or_never_came():
    assert describe(Tracks([np.zeros((30, 2))])).displacement == 0
    d = describe(Tracks([np.full((30, 2), np.nan)]))
    assert np.isnan(d.displacement)
    assert "no values" in str(d)
    assert "No value at all in x, y" in " ".join(d.advice)


@pytest.mark.parametrize("tracks", [Tracks([]), Tracks([np.zeros((0, 2))])])
def test_refuses_nothing(tracks):
    with pytest.raises(DataError, match="expected at least one track with a row"):
        describe(tracks)


def test_storms(data_dir):
    d = describe(read_tracks(data_dir / "hurdat2" / "hurdat2.txt"))
    assert (d.tracks, d.step, d.longest) == (798, 6, 118)
    assert "no multiple of 6" in " ".join(d.advice)
