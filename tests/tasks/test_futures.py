"""Prefixes that a model can continue, and those that it leaves out or refuses."""

import numpy as np
import pytest
from tests.helpers.untrained_models import made, walks

from vrnn.data.tracks import Tracks
from vrnn.errors import DataError, VrnnWarning
from vrnn.tasks.futures import long_enough, readable

LEAST = {
    "positions": ({"displacement": False}, 1),
    "displacements": ({}, 2),
    "heading": ({"heading": True}, 5),  # observe=5
}


def prefixes(*lengths: int) -> Tracks:
    walk = walks(1).x[0]
    return Tracks([walk[:n] for n in lengths], [f"w{n}" for n in lengths])


@pytest.mark.parametrize(("settings", "least"), LEAST.values(), ids=LEAST)
def test_a_prefix_needs_the_rows_that_its_transform_reads(settings, least):
    model = made("rnn", **settings)
    lengths = [n for n in range(least - 1, least + 3) if n or least == 1]
    tracks, inputs = prefixes(*lengths), np.arange(len(lengths))[:, None, None] * np.ones((1, 3, 1))
    enough = [n for n in lengths if n >= least]
    if enough == lengths:
        assert long_enough(model, tracks, inputs) == (tracks, inputs)
    else:
        with pytest.warns(VrnnWarning, match=rf"with fewer than {least} rows .*: w{least - 1}$"):
            kept, of_kept = long_enough(model, tracks, inputs)
        assert kept.ids == [f"w{n}" for n in enough]
        assert of_kept[:, 0, 0].tolist() == [lengths.index(n) for n in enough]
        with pytest.raises(DataError, match=rf"track w{least - 1}: .*at least {least} rows"):
            readable(model, tracks)
    read = readable(model, prefixes(*enough))
    expected = [least] * len(enough) if "heading" in settings else enough
    assert read.lengths.tolist() == expected
    assert all(
        np.array_equal(x, walks(1).x[0][n - len(x) : n])
        for x, n in zip(read.x, enough, strict=True)
    )


@pytest.mark.parametrize(("count", "named"), [(5, "t0, t1, t2, t3, t4$"), (6, "t4, ...$")])
def test_five_short_tracks_are_named(count, named):
    x = [np.zeros((1, 2))] * count + [walks(1).x[0]]
    tracks = Tracks(x, [f"t{i}" for i in range(count + 1)])
    with pytest.warns(VrnnWarning, match=f"{count} tracks with fewer than 2 rows .*{named}"):
        kept, inputs = long_enough(made("rnn"), tracks, None)
    assert (kept.ids, inputs) == ([f"t{count}"], None)


def test_where_all_are_short_none_is_left_out():
    tracks = prefixes(1, 1)
    assert long_enough(made("rnn"), tracks, None)[0] is tracks
