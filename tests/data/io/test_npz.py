"""NumPy archives: arrays, groups, and what does not fit together."""

import numpy as np
import pytest

from vrnn.data.io import Columns, read_tracks
from vrnn.errors import DataError


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    x = np.array([[1, 2], [3, np.nan], [5, 6]], dtype=np.float32)
    np.savez(path, x=x, length=[2, 1])
    tracks = read_tracks(path)
    assert (tracks.ids, tracks.x_names, tracks.times[0].tolist()) == (
        ["0", "1"],
        ("x", "y"),
        [0, 1],
    )
    np.testing.assert_array_equal(np.concatenate(tracks.x), x)
    np.savez(path, x=x, length=[2, 1], t=[0, 5, 0], id=["b", "a"], u=np.ones((3, 2)), y=[7, 8, 9])
    tracks = read_tracks(path)
    assert (tracks.ids, tracks.times[0].tolist(), tracks.u_dim) == (["b", "a"], [0, 5], 2)
    assert tracks.y[0].tolist() == [[7], [8]]
    assert read_tracks(path, Columns(x=("y0",), u=("u1",))).x_names == ("y0",)


def test_npz_groups(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, train_X=np.zeros((3, 3)), train_len=[3], test_X=np.ones((2, 3)), test_len=[1, 1])
    assert read_tracks(path, group="test").lengths.tolist() == [1, 1]
    assert read_tracks(path, group="train").x_names == ("x0", "x1", "x2")
    for group in ("", "val"):
        with pytest.raises(
            DataError, match=r"found train_X.*choose one: .*group='test' or group='train'"
        ):
            read_tracks(path, group=group)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": np.zeros(3)},
            r"expected the arrays x \(rows, dim\) and length \(tracks,\), found a",
        ),
        ({"x": np.zeros((3, 2))}, "expected length with the rows of each track, found x"),
        ({"x": np.zeros((3, 2)), "length": [2, 2]}, "length adds up to 4 rows but x has 3"),
        (
            {"x": np.zeros((3, 2)), "length": [3, 0]},
            "expected length to be whole numbers of rows, at least 1",
        ),
        ({"x": np.zeros((3, 2)), "length": [3.0]}, "expected length to be whole numbers"),
        (
            {"x": np.zeros((3, 2, 1)), "length": [3]},
            r"numbers of shape \(3, width\), found float64 \(3, 2, 1\)",
        ),
        ({"x": np.array([["a"]]), "length": [1]}, "expected x to be numbers"),
        ({"x": np.array([{}]), "length": [1]}, "no pickled objects"),
        (
            {"x": np.zeros((3, 2)), "length": [1, 2], "id": ["a"]},
            "an id for each of 2 tracks, found 1",
        ),
        ({"x": np.zeros((3, 2)), "length": [1, 2], "id": ["a", "a"]}, "id repeats an id"),
        (
            {"x": np.zeros((3, 2)), "length": [3], "t": [0, 1]},
            r"expected t to be numbers of shape \(3, width\)",
        ),
        (
            {"x": np.zeros((4, 2)), "length": [4], "t": [0, 1, 1, 1]},
            "row 3: track 0 has time 1 twice, first in row 2",
        ),
        (
            {"x": np.array([[1.0], [np.inf]]), "length": [2]},
            "row 2, column 'x0': expected a finite number",
        ),
    ],
)
def test_refuses_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_tracks(tmp_path / "a.npz")


def test_refuses_a_damaged_npz(write):
    with pytest.raises(DataError, match="expected an NPZ archive"):
        read_tracks(write(b"PK\x03\x04 damaged", "a.npz"))
    with pytest.raises(DataError, match="expected an NPZ archive"):
        read_tracks(write("id,t\n", "b.npz"))


def test_the_characters(data_dir):
    tracks = read_tracks(data_dir / "uci_characters" / "char_trajectories.npz", group="train")
    assert (len(tracks), tracks.x_dim, tracks.lengths.min(), tracks.lengths.max()) == (
        1429,
        3,
        109,
        205,
    )
