"""The advice on sets of tracks that have something wrong with them."""

import numpy as np
from tests.helpers.random_walks import advice, many, walk

from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks


def test_a_good_set_gets_one_sentence():
    d = describe(many())
    assert (d.observe, d.horizon, d.windows, d.windowed) == (8, 12, 60 * 6, 60)
    assert d.advice == (
        "Windows for evaluation: observe=8 horizon=12 gives 360 windows from 60 tracks.",
    )


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


def test_advice_on_identity():
    assert "1 id (a) stand for several tracks" in advice(many(ids=["a", "a", *map(str, range(58))]))
    assert "1 track of a single row (60)" in advice(Tracks([*many().x, np.zeros((1, 2))]))
    assert "Only 1 track (100 rows)" in advice(Tracks([walk(100)]))
    assert "All rows are one track" in advice(Tracks([walk(300)]))
