"""The description of a set of tracks, against cases worked by hand."""

import numpy as np
import pytest

from vrnn.data.describe import describe
from vrnn.data.io import read_tracks
from vrnn.data.tracks import Tracks
from vrnn.errors import DataError


def walk(rows: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, 2)), axis=0) * scale


def many(**more) -> Tracks:
    return Tracks([walk(25, i) for i in range(60)], **more)


def advice(tracks: Tracks) -> str:
    return " ".join(describe(tracks).advice)


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


def test_a_good_set_gets_one_sentence():
    d = describe(many())
    assert (d.observe, d.horizon, d.windows, d.windowed) == (8, 12, 60 * 6, 60)
    assert d.advice == (
        "Windows for evaluation: observe=8 horizon=12 gives 360 windows from 60 tracks.",
    )


def test_short_tracks_get_a_shorter_window():
    d = describe(Tracks([walk(10, i) for i in range(60)]))
    assert (d.observe, d.horizon, d.windows) == (4, 6, 60)
    assert "no 4 consecutive complete rows" in advice(Tracks([walk(3, i) for i in range(60)]))


def test_advice_on_time():
    gap = np.delete(np.arange(31.0), [7, 8, 9, 20, 21, 22])
    assert "120 gaps in time, the longest 4 steps" in advice(many(times=[gap] * 60))
    odd = np.arange(25.0) + 0.5 * (np.arange(25) > 20)
    assert "4.2 % of time steps are no multiple of 1" in advice(many(times=[odd] * 60))
    few = [odd, *[np.arange(25.0)] * 59]
    assert "1 time step of 1,440 no multiple of 1" in advice(many(times=few))


def test_advice_on_values():
    assert "Constant: heat. " in advice(many(u=[np.full((25, 1), 3.0)] * 60, u_names=("heat",)))
    assert "No value at all in heat" in advice(
        many(y=[np.full((25, 1), np.nan)] * 60, y_names=("heat",))
    )
    scaled = Tracks([walk(25, i) * [1, 1000] for i in range(60)])
    assert "y varies" in advice(scaled) and "keep standardisation on" in advice(scaled)
    holes = [walk(25, i) for i in range(60)]
    holes[0][3:18, 1] = np.nan
    assert "1 % of rows lack an observed value" in advice(Tracks(holes))


def binary(width: int = 6) -> Tracks:
    return Tracks(
        [(walk(25, i) > 0)[:, [0, 1, 0, 1, 0, 1][:width]].astype(float) for i in range(60)]
    )


def test_zeros_and_ones():
    d = describe(binary())
    assert d.binary
    assert all(c.binary for c in d.columns)
    assert d.advice[0].startswith("All observed values are 0 or 1: train with emission='bernoulli'")
    assert len(d.advice) == 2
    ones = np.concatenate(binary().x).sum(axis=1).mean()
    (line,) = (line for line in str(d).splitlines() if "x0" in line)
    assert (
        line
        == f"columns       x0 to x5 (6 columns, observed): 0 or 1, in a row on average {ones:.3g} of them 1"
    )
    assert "displacement" not in str(d).partition("advice")[0]


def test_few_zeros_and_ones_and_columns_that_never_change():
    assert "x (observed): 0 to 1" in str(describe(binary(2)))
    silent = binary()
    for x in silent.x:
        x[:, 0] = 0
        x[1, 2] = np.nan
    d = describe(silent)
    assert "of them 1, 1 never, up to 4 % missing" in str(d)
    assert "Constant" not in " ".join(d.advice)
    zeros = describe(Tracks([np.zeros((25, 2))] * 60, ids=list(map(str, range(60)))))
    assert not zeros.binary
    assert "Constant: x, y." in " ".join(zeros.advice)


def test_a_flag_beside_positions():
    x = [np.concatenate([w, np.cumsum(w > 1, axis=0)[:, :1] > 0], 1) for w in many().x]
    with_flag, without = describe(Tracks(x)), describe(many())
    assert not with_flag.binary
    assert with_flag.displacement == without.displacement
    assert "bernoulli" not in " ".join(with_flag.advice)
    assert describe(many(u=[w[:, :1] > 0 for w in many().x])).advice == without.advice


def test_advice_on_identity():
    assert "1 id (a) stand for several tracks" in advice(many(ids=["a", "a", *map(str, range(58))]))
    assert "1 track of a single row (60)" in advice(Tracks([*many().x, np.zeros((1, 2))]))
    assert "Only 1 track (100 rows)" in advice(Tracks([walk(100)]))
    assert "All rows are one track" in advice(Tracks([walk(300)]))


def test_a_jump_is_found_and_named():
    x = [walk(25, i) for i in range(60)]
    x[7][13:] += 500
    d = describe(Tracks(x))
    assert (d.outliers, d.worst.track, d.worst.time) == (1, "7", 13)
    assert "1 step out of proportion, the first to look at in track 7 at time 13" in " ".join(
        d.advice
    )


def test_text_is_the_string():
    d = describe(many())
    assert str(d) == d.to_text()
    assert str(d).splitlines()[0] == "tracks        60"


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
