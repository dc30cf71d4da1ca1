"""How tracks are cut into windows of training."""

import numpy as np
import pytest

from vrnn import Tracks
from vrnn.training import splits
from vrnn.training.splits import cut_windows, hold_out, in_parts


def test_every_row_begins_a_window():
    notes: list[str] = []
    cut = cut_windows(Tracks([np.zeros((9, 2)), np.zeros((4, 2))]), 4, notes, "training")
    assert cut.ids == ["0@0", "0@1", "0@2", "0@3", "0@4", "0@5", "1@0"]
    assert notes == ["2 training tracks give 7 windows of 4 rows"]


@pytest.mark.parametrize("rows", [40, 41, 57, 1000])
def test_long_tracks_give_a_bounded_number_of_windows(rows, monkeypatch):
    """They are spread evenly over the track."""
    monkeypatch.setitem(splits.MOST_WINDOWS, "training", 10)
    notes: list[str] = []
    cut = cut_windows(Tracks([np.zeros((rows, 1))]), 4, notes, "training")
    starts = np.array([t[0] for t in cut.times])
    stride = int(starts[1])
    assert 5 < len(cut) <= 10
    assert starts.tolist() == list(range(0, rows - 3, stride))
    assert notes == [
        f"1 training track gives {len(cut)} windows of 4 rows, one at every {stride} rows"
    ]


def test_parts_of_long_tracks_are_the_tracks():
    """Every row is in one part, in order, and no part is shorter than 256 rows."""
    tracks = Tracks([np.arange(n, dtype=float)[:, None] for n in (1700, 200, 1200)])
    parts = in_parts(tracks)
    assert parts.ids == [*(f"0/{i}" for i in range(1, 7)), "1", *(f"2/{i}" for i in range(1, 5))]
    assert np.array_equal(np.concatenate(parts.x), np.concatenate(tracks.x))
    assert min(len(x) for x, name in zip(parts.x, parts.ids, strict=True) if "/" in name) >= 256


@pytest.mark.parametrize("lengths", [[2559], [255] * 9, [100] * 40, [3000] * 10])
def test_short_or_many_tracks_stay_whole(lengths):
    tracks = Tracks([np.zeros((n, 1)) for n in lengths])
    assert in_parts(tracks) is tracks


def test_a_huge_track_gives_about_a_hundred_parts():
    assert len(in_parts(Tracks([np.zeros((1_000_000, 1))]))) == 100


def test_parts_of_a_long_track_are_held_out():
    notes: list[str] = []
    train, val = hold_out(Tracks([np.arange(5120.0)[:, None]], ids=["a"]), 0.1, 0, notes)
    assert (len(train), len(val)) == (18, 2)
    rows = np.sort(np.concatenate([*train.x, *val.x]).ravel())
    assert rows.tolist() == list(range(5120))
    assert notes == ["2 of 20 parts of 1 track are held out for validation"]
