"""Filtering whole tracks: of several lengths at once, and with the seed that streaming begins with."""

import numpy as np
import pytest
import torch
from tests.helpers.untrained_models import made, walks

import vrnn
from vrnn.data.tracks import Tracks
from vrnn.tasks.filtering import filter_chunks


def ragged() -> Tracks:
    tracks = walks(4)
    return Tracks(
        [x[: 4 + 2 * i] for i, x in enumerate(tracks.x)],
        times=[t[: 4 + 2 * i] for i, t in enumerate(tracks.times)],
    )


@pytest.mark.parametrize("settings", [{}, {"displacement": False}, {"heading": True}], ids=str)
def test_tracks_of_several_lengths_leave_the_beliefs_that_each_leaves_alone(settings):
    """Of an RNN, which draws nothing; a heading is read from the first five rows."""
    tracks, model = ragged(), made("rnn", **settings)
    tracks = tracks[1:] if settings.get("heading") else tracks
    whole = vrnn.filter_tracks(tracks, model=model, particles=1)
    for i in range(len(tracks)):
        alone = vrnn.filter_tracks(tracks[i], model=model, particles=1)
        np.testing.assert_allclose(whole.log_prob[i], alone.log_prob[0])
        a, b = whole.belief, alone.belief
        for one, other in zip(
            (*a.belief.state, a.belief.pending), (*b.belief.state, b.belief.pending), strict=True
        ):
            torch.testing.assert_close(one[:, i], other[:, 0])
        for one, other in zip((*a.anchor, a.time), (*b.anchor, b.time), strict=True):
            np.testing.assert_array_equal(one[i], other[0])


def test_it_begins_with_the_seed_that_streaming_begins_with():
    model, x = made("vrnn", displacement=False), np.stack(walks(2).x)
    belief, found = vrnn.initial_belief(model=model, count=2, particles=5), []
    for row in x.swapaxes(0, 1):
        step = vrnn.observe(row, belief=belief, model=model)
        belief = step.belief
        found.append(step.log_prob)
    whole = vrnn.filter_tracks(x, model=model, particles=5)
    np.testing.assert_allclose(np.stack(found, 1), whole.log_prob, rtol=1e-6)


@pytest.mark.parametrize(("at_once", "expected"), [(None, [4]), (3, [3, 1]), (9, [4])])
def test_chunks_hold_no_more_tracks_than_asked(at_once, expected):
    chunks = filter_chunks(made("rnn"), ragged(), 1, at_once)
    assert [len(chunk.batch.x) for chunk in chunks] == expected
