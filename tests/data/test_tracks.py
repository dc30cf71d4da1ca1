"""The Tracks record: defaults, selection, and what it refuses."""

import numpy as np
import pytest

from vrnn.data.tracks import Tracks, concatenate
from vrnn.errors import DataError


def two(**more) -> Tracks:
    return Tracks([np.zeros((3, 2)), np.ones((2, 2))], ids=["a", "b"], **more)


def test_defaults_number_the_tracks_and_count_the_rows():
    tracks = Tracks([np.zeros((3, 1)), np.zeros((2, 1))])
    assert tracks.ids == ["0", "1"]
    assert [t.tolist() for t in tracks.times] == [[0, 1, 2], [0, 1]]
    assert (tracks.x_names, tracks.u_dim, tracks.y_dim) == (("x0",), 0, 0)
    assert [a.shape for a in tracks.u] == [(3, 0), (2, 0)]


def test_selection_keeps_every_part_together():
    tracks = two(u=[np.arange(3.0)[:, None], np.arange(2.0)[:, None]], u_names=("wind",))
    assert tracks[1].ids == ["b"]
    assert tracks[[1, 0]].ids == ["b", "a"]
    assert tracks[np.array([False, True])].lengths.tolist() == [2]
    assert tracks[1].u_names == ("wind",)
    assert [len(track) for track in tracks] == [1, 1]
    assert tracks.cut(stop=-1).lengths.tolist() == [2, 1]


def test_step_is_a_difference_that_occurs():
    assert Tracks([np.zeros((3, 1))], times=[np.array([0.0, 5, 15])]).step == 5.0
    assert Tracks([np.zeros((1, 1))]).step == 1.0


def test_no_tracks_are_a_record_too():
    assert (len(Tracks([])), Tracks([]).lengths.tolist(), Tracks([]).step) == (0, [], 1.0)


def test_concatenate_joins_and_refuses_other_columns():
    joined = concatenate([two(), two().rename(["c", "d"])])
    assert (joined.ids, joined.lengths.tolist()) == (["a", "b", "c", "d"], [3, 2, 3, 2])
    with pytest.raises(DataError, match=r"same x_names .* found \('x', 'y'\) and \('lat', 'lon'\)"):
        concatenate([two(), two(x_names=("lat", "lon"))])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Tracks([np.zeros(3)]),
            r"track 0: expected an array \(time, dim\).*found shape \(3,\)",
        ),
        (
            lambda: Tracks([np.zeros((3, 2)), np.zeros((3, 1))]),
            r"track 1: .*same dim.*found shape \(3, 1\)",
        ),
        (lambda: two(times=[np.arange(3.0)]), "expected times for each of 2 tracks, found 1"),
        (lambda: two(u=[np.zeros((3, 1)), np.zeros((3, 1))]), "track b: 2 rows of x but 3 of u"),
        (
            lambda: two(u=[np.zeros((3, 1)), np.zeros((2, 2))]),
            r"track b: expected u of shape .*found \(2, 2\)",
        ),
        (lambda: two(y=[np.zeros(3), np.zeros(2)]), r"track a: expected y of shape \(time, dim\)"),
        (
            lambda: two(times=[np.arange(3.0), np.array([1.0, 1.0])]),
            "track b: times must be finite and rise",
        ),
        (
            lambda: two(times=[np.array([0, np.nan, 2]), np.arange(2.0)]),
            "track a: times must be finite and rise",
        ),
        (lambda: Tracks([np.array([[0.0], [np.inf]])]), "track 0: infinite values in x"),
        (lambda: two(x_names=("x",)), "expected 2 x_names, one a column, found x"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_tracks_do_not_change_with_the_arrays_they_were_made_of():
    """Views of one buffer, arrays in other types, and read-only views of arrays that are written to."""
    buffer = np.arange(24.0).reshape(2, 6, 2)
    locked = buffer.view()
    locked.flags.writeable = False
    whole = np.arange(12).reshape(6, 2)
    ids = ["a", "b", "c", "d"]
    tracks = Tracks(
        [buffer[0], buffer[1], locked[0], whole],
        ids,
        times=[buffer[0, :, 0]] * 4,
        u=[buffer[0]] * 4,
    )
    before = [a.copy() for a in (*tracks.x, *tracks.times, *tracks.u)]
    part, joined = tracks[1:3].cut(stop=4), concatenate([tracks, tracks])
    buffer += 100
    whole += 100
    ids[0] = "z"
    assert tracks.ids == ["a", "b", "c", "d"]
    for a, b in zip((*tracks.x, *tracks.times, *tracks.u), before, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not a.flags.writeable
    np.testing.assert_array_equal(part.x[0], before[1][:4])
    np.testing.assert_array_equal(joined.x[4], before[0])


def test_selecting_and_joining_copies_nothing():
    tracks = Tracks([np.zeros((5, 2)), np.ones((3, 2))])
    assert tracks[[1]].x[0] is tracks.x[1] and concatenate([tracks, tracks]).x[3] is tracks.x[1]
    assert np.shares_memory(tracks.cut(start=2).x[0], tracks.x[0])
