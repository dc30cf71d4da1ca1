"""TrainedModel: which tracks it can read, its chunks of batches, and the way back to data units."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from tests.helpers.untrained_models import SUPERVISED, holed, made, walks

import vrnn
from vrnn.errors import DataError


def test_it_does_not_load_training():
    code = (
        "import vrnn.trained, sys; print(any(m.startswith('vrnn.training') for m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_usable_tracks_begin_at_their_first_point_and_keep_their_places():
    tracks = holed(walks(5), (0, slice(0, 3)), (2, slice(None)), (3, slice(0, 11)))
    usable = made("vrnn").usable(tracks)
    assert usable.index.tolist() == [0, 1, 4] and usable.offset.tolist() == [3, 0, 0]
    np.testing.assert_array_equal(usable.tracks.x[0], tracks.x[0][3:])
    assert made("vrnn", displacement=False).usable(tracks).index.tolist() == [0, 1, 3, 4]
    chosen = usable.select(np.array([2, 0]))
    assert chosen.index.tolist() == [4, 0] and chosen.offset.tolist() == [0, 3]


@pytest.mark.parametrize("displacement", [True, False], ids=["displacement", "positions"])
def test_chunks_hold_every_track_once_and_decode_to_the_data(displacement):
    model, tracks = made("vrnn", displacement=displacement), walks(5)
    given, seen = int(displacement), []
    for chunk in model.batches(tracks, at_once=2):
        assert chunk.index.tolist() == list(range(5))[chunk.rows] and chunk.prefix is None
        assert (chunk.offset == given).all() and chunk.batch.x.dtype == model.weight.dtype
        first = np.stack([tracks.x[i][0] for i in chunk.index])
        anchor = model.preprocessor.transform.begin(first)
        found = model.decode(chunk.batch.x[None], anchor)[0]
        expected = np.stack([tracks.x[i][given:] for i in chunk.index])
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        seen += chunk.index.tolist()
    assert seen == list(range(5))


@pytest.mark.parametrize("name", SUPERVISED)
def test_the_observations_of_a_supervised_model_are_its_targets(name):
    model, tracks = made(name), walks(4, y=True)
    (chunk,) = model.batches(tracks, at_once=10)
    expected = np.stack(tracks.y)[:, 1:]
    np.testing.assert_allclose(model.decode(chunk.batch.x, chunk.anchor), expected, rtol=1e-5)
    assert model.output_names == ("power",) and chunk.batch.x.shape[-1] == 1
    jacobian = model.output_transform.log_jacobian(np.zeros((4, 1)))
    np.testing.assert_allclose(chunk.batch.log_jacobian, jacobian, rtol=1e-5)


def test_a_prefix_is_split_off_for_a_model_that_conditions_on_one():
    model, tracks = made("rollout"), walks(3)
    (whole,) = model.batches(tracks, at_once=3)
    (split,) = model.batches(tracks, at_once=3, split_prefix=True)
    assert model.observe == 5 and split.prefix is not None and split.offset.tolist() == [5, 5, 5]
    torch.testing.assert_close(torch.cat([split.prefix.x, split.batch.x], 1), whole.batch.x)


def test_arrays_are_taken_as_tracks_and_anything_else_is_refused():
    model = made("vrnn")
    array = np.stack(walks(3).x)
    assert len(model.as_tracks(array)) == 3 and model.as_tracks(array[0]).ids == ["0"]
    for bad, message in (
        ("walks.csv", "read it with vrnn.read_tracks"),
        (np.zeros(3), r"an array of shape \(3,\)"),
        (np.zeros((2, 5, 3)), r"found shape \(2, 5, 3\)"),
        (vrnn.Tracks([]), "at least one track, found none"),
    ):
        with pytest.raises(DataError, match=message):
            model.as_tracks(bad)
