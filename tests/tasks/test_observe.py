"""Streaming a track point by point against filtering it whole, for every kind of model."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.changed_tracks import changed
from tests.models.settings import tensors

import vrnn
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, UnsupportedError
from vrnn.models.config import ModelConfig
from vrnn.tasks.belief import TrackBelief
from vrnn.tasks.filtering import filter_chunks, steps
from vrnn.trained import TrainedModel
from vrnn.training.prepare import prepare

SMALL = {"hidden": 5}
LATENT = {**SMALL, "latent_dim": 3}
ROLLOUTS = {
    "carried": {},
    "step": {"dynamics": "driven"},
    "sequence": {"dynamics": "driven", "redraw": "sequence"},
}
KINDS: dict[str, ModelConfig] = {
    "rnn": vrnn.RNNConfig(2, **SMALL),
    "rnn-supervised": vrnn.RNNConfig(2, y_dim=1, supervised=True, **SMALL),
    "seq2seq-next": vrnn.Seq2SeqVAEConfig(2, **LATENT),
    "seq2seq-same": vrnn.Seq2SeqVAEConfig(2, target="same", **LATENT),
    "seq2seq-supervised": vrnn.Seq2SeqVAEConfig(2, y_dim=1, target="supervised", **LATENT),
    **{
        f"autoencoding-{name}": vrnn.RolloutVAEConfig(2, task="autoencoding", **decoder, **LATENT)
        for name, decoder in ROLLOUTS.items()
    },
    "vrnn": vrnn.VRNNConfig(2, **LATENT),
    "vrnn-full-lstm": vrnn.VRNNConfig(2, cell="lstm", emission="full_gaussian", **LATENT),
    "vrnn-supervised": vrnn.VRNNConfig(2, y_dim=1, supervised="encoder", **LATENT),
    "vrnn-conditional": vrnn.VRNNConfig(2, y_dim=1, supervised="conditional", **LATENT),
    "srnn": vrnn.SRNNConfig(2, **LATENT),
    "storn": vrnn.STORNConfig(2, emission="mixture(2)", **LATENT),
    "dmm": vrnn.DMMConfig(2, **LATENT),
}
FORECASTING = {
    name: vrnn.RolloutVAEConfig(2, **decoder, **LATENT) for name, decoder in ROLLOUTS.items()
}
ALL = pytest.mark.parametrize("name", KINDS)
EITHER_FRAME = pytest.mark.parametrize(
    "displacement", [True, False], ids=["displacement", "positions"]
)
ROWS = 12
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def walks(count: int = 2, rows: int = ROWS, seed: int = 0) -> Tracks:
    """Walks with a load as known input and a target, at irregular times; nothing is missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, rows, 2)).cumsum(1)
    times = np.cumsum(random.choice([0.5, 1.0, 1.0, 2.5], size=(count, rows)), 1)
    u, y = random.normal(size=(2, count, rows, 1))
    return Tracks(
        list(x),
        times=list(times),
        u=list(u),
        y=list(30 + 3 * y),
        u_names=("load",),
        y_names=("power",),
    )


def holed(tracks: Tracks, leading: int = 2) -> Tracks:
    """Take away leading rows, the row after the first, rows inside and at the end, single entries, inputs and targets.

    The last two of the leading rows keep an entry each: they begin a track of positions, and none of displacements.
    """
    x, u, y = (np.stack(part) for part in (tracks.x, tracks.u, tracks.y))
    if leading:
        x[:, : leading - 2] = x[:, leading - 2, 0] = x[:, leading - 1, 1] = np.nan
    x[0, leading + 1] = x[0, 5:7] = x[-1, 8] = x[0, -1] = np.nan
    x[-1, 6, 0] = x[0, 9, 1] = np.nan
    u[:, 1 : leading + 3] = u[0, 8:10] = np.nan
    y[0, 4] = y[-1, 6:8] = np.nan
    return replace(tracks, x=list(x), u=list(u), y=list(y))


def untrained(
    config: ModelConfig, displacement: bool = True, *, inputs: bool = False, heading: bool = False
) -> TrainedModel:
    """Make a model with an preprocessor fitted to walks, in float64, its weights further apart than at the start of training."""
    tracks = holed(walks(8, seed=1)) if inputs else without_inputs(holed(walks(8, seed=1)))
    settings = vrnn.TrainConfig(
        transform=vrnn.TransformConfig(displacement=displacement, heading=heading),
        time_input=inputs,
        observe=5,
        holdout=0,
    )
    model = prepare(config, tracks, settings, None).trained
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for parameter in model.network.double().parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def without_inputs(tracks: Tracks) -> Tracks:
    return replace(tracks, u=[], u_names=())


def stream(
    model: TrainedModel, tracks: Tracks, belief: TrackBelief, first: int = 0
) -> tuple[TrackBelief, np.ndarray]:
    """Observe the rows of tracks of one length from `first` on; give the last belief and every log_prob (track, time)."""
    found = []
    for t in range(first, len(tracks.x[0])):
        at = lambda arrays: np.stack([a[t] for a in arrays])  # noqa: E731, B023
        u, y = (
            at(tracks.u) if tracks.u_dim else None,
            at(tracks.y) if model.network.supervised else None,
        )
        belief, log_prob = vrnn.observe(
            at(tracks.x), belief=belief, model=model, u=u, y=y, time=at(tracks.times)
        )
        found.append(log_prob)
    return belief, np.stack(found, -1)


def assert_same(a: TrackBelief, b: TrackBelief) -> None:
    for one, other in zip(tensors(a.belief), tensors(b.belief), strict=True):
        torch.testing.assert_close(*torch.broadcast_tensors(one, other), rtol=1e-5, atol=1e-5)
    assert (a.steps, a.seed) == (b.steps, b.seed)
    np.testing.assert_array_equal(a.time, b.time)
    np.testing.assert_array_equal(a.u, b.u)


@ALL
@EITHER_FRAME
@pytest.mark.parametrize("inputs", [False, True], ids=["alone", "inputs"])
@pytest.mark.parametrize("particles", [1, 6])
def test_streaming_equals_the_whole_track(name, displacement, inputs, particles):
    """With leading and other gaps, known inputs that are missing and irregular times; data are rounded to float32 in a batch."""
    model = untrained(KINDS[name], displacement, inputs=inputs)
    tracks = holed(walks()) if inputs else without_inputs(holed(walks()))
    whole = vrnn.filter_tracks(tracks, model=model, particles=particles, seed=3)
    belief, log_prob = stream(
        model, tracks, vrnn.initial_belief(model=model, count=2, particles=particles, seed=3)
    )
    np.testing.assert_allclose(log_prob, np.stack(whole.log_prob), **CLOSE)
    assert_same(belief, whole.belief)
    scored = np.isfinite(log_prob)
    assert scored.any(0).sum() >= 6 and not (displacement and scored[:, :3].any())


@ALL
@EITHER_FRAME
@pytest.mark.parametrize("first", [4, 7], ids=["after-a-gap", "between"])
def test_a_belief_after_whole_tracks_goes_on_row_by_row(name, displacement, first):
    model, tracks = untrained(KINDS[name], displacement, inputs=True), holed(walks())
    whole = vrnn.filter_tracks(tracks, model=model, particles=6, seed=3)
    begun = vrnn.filter_tracks(tracks.cut(stop=first), model=model, particles=6, seed=3).belief
    belief, log_prob = stream(model, tracks, begun, first)
    np.testing.assert_allclose(log_prob, np.stack(whole.log_prob)[:, first:], **CLOSE)
    assert_same(belief, whole.belief)


@pytest.mark.parametrize("name", ["vrnn", "srnn", "autoencoding-carried"])
def test_particles_are_resampled_on_the_way(name):
    """Or the tests above would prove nothing of the noise that resampling takes."""
    model, tracks = untrained(KINDS[name]), without_inputs(holed(walks()))
    (chunk,) = filter_chunks(model, tracks, 6)
    kept = torch.arange(6)[:, None]
    assert any(bool((step.ancestor != kept).any()) for step, _ in steps(model, chunk, 6, seed=3))


def test_a_row_of_one_track_may_be_flat_and_its_time_left_out():
    model, track = untrained(KINDS["vrnn"]), without_inputs(walks(1))
    track = replace(track, times=[np.arange(ROWS) * model.preprocessor.step])
    given, log_prob = stream(model, track, vrnn.initial_belief(model=model, count=1, particles=6))
    belief, found = vrnn.initial_belief(model=model, count=1, particles=6), []
    for row in track.x[0]:
        belief, value = vrnn.observe(row, belief=belief, model=model)
        found.append(value)
    np.testing.assert_array_equal(np.stack(found, -1), log_prob)
    assert_same(belief, given)


def test_single_precision_streams_alike():
    model, tracks = untrained(KINDS["vrnn"]), without_inputs(holed(walks()))
    model.network.float()
    whole = vrnn.filter_tracks(tracks, model=model, particles=6)
    _, log_prob = stream(model, tracks, vrnn.initial_belief(model=model, count=2, particles=6))
    np.testing.assert_allclose(log_prob, np.stack(whole.log_prob), rtol=1e-4, atol=1e-4)


@EITHER_FRAME
def test_tracks_that_begin_at_different_rows_run_side_by_side(displacement):
    """An RNN draws nothing without gaps: each track has exactly the numbers it has alone."""
    model = untrained(KINDS["rnn"], displacement, inputs=True)
    tracks = changed(walks(3), "x", (1, slice(3), np.nan), (2, slice(7), np.nan))
    belief, log_prob = stream(model, tracks, vrnn.initial_belief(model=model, count=3, particles=1))
    for i, track in enumerate(tracks):
        alone = vrnn.filter_tracks(track, model=model, particles=1)
        np.testing.assert_allclose(log_prob[i], alone.log_prob[0], **CLOSE)
        for one, other in zip(tensors(belief.belief), tensors(alone.belief.belief), strict=True):
            torch.testing.assert_close(one[:, i], other[:, 0], rtol=1e-5, atol=1e-5)


@ALL
@EITHER_FRAME
def test_a_track_beside_another_is_not_touched_by_it(name, displacement):
    """Neither before its first point nor after, whatever the other one does in the same rows."""
    model, found = untrained(KINDS[name], displacement, inputs=True), []
    for seed in (0, 5):
        tracks = holed(walks(1, seed=seed), leading=0)
        late = holed(walks(1, seed=9), leading=4)
        both = replace(
            tracks, **{part: getattr(tracks, part) + getattr(late, part) for part in ("x", "u", "y", "times")}, ids=[]
        )  # fmt: skip
        start = vrnn.initial_belief(model=model, count=2, particles=6)
        early, _ = stream(model, both.cut(stop=2), start)
        for one, other in zip(tensors(early.belief), tensors(start.belief), strict=True):
            assert torch.equal(one[:, 1], other.expand(one.shape)[:, 1])
        found.append(stream(model, both, start))
    (belief, log_prob), (other_belief, other_log_prob) = found
    assert not np.allclose(log_prob[0], other_log_prob[0], equal_nan=True)
    np.testing.assert_allclose(log_prob[1], other_log_prob[1], **CLOSE)
    given = 5 if displacement else 2  # rows before the first that is scored, see `holed`
    assert np.isnan(log_prob[1, :given]).all()
    for one, other in zip(tensors(belief.belief), tensors(other_belief.belief), strict=True):
        torch.testing.assert_close(one[:, 1], other[:, 1])


@pytest.mark.parametrize("name", FORECASTING)
@pytest.mark.parametrize("inputs", [False, True], ids=["alone", "inputs"])
@pytest.mark.parametrize("first", [5, 7])
@pytest.mark.parametrize("gone", [4, 6])
def test_a_forecasting_rollout_begins_with_a_whole_prefix(name, inputs, first, gone):
    """Of 5 rows; the prefix that is read ends with the last point observed in them."""
    model = untrained(FORECASTING[name], inputs=inputs)
    with pytest.raises(UnsupportedError, match=r"vrnn\.filter_tracks returns for a prefix"):
        vrnn.initial_belief(model=model)
    track = walks(1) if inputs else without_inputs(walks(1))
    track = changed(track, "x", (0, gone, np.nan), (0, (9, 1), np.nan))
    whole = vrnn.filter_tracks(track, model=model, particles=6, seed=3)
    begun = vrnn.filter_tracks(track.cut(stop=first), model=model, particles=6, seed=3).belief
    belief, log_prob = stream(model, track, begun, first)
    np.testing.assert_allclose(log_prob[0], whole.log_prob[0][first:], **CLOSE)
    assert np.isnan(whole.log_prob[0][:5]).all() and np.isfinite(log_prob).sum() > 2
    assert_same(belief, whole.belief)


@pytest.mark.parametrize(
    "name", [n for n in KINDS if "supervised" not in n and n != "vrnn-conditional"]
)
@EITHER_FRAME
def test_a_heading_frame_begins_with_a_whole_prefix(name, displacement):
    """Of 5 rows, from which the heading is read; none of them is scored."""
    model = untrained(KINDS[name], displacement, inputs=True, heading=True)
    with pytest.raises(UnsupportedError, match=r"vrnn\.filter_tracks returns for a prefix"):
        vrnn.initial_belief(model=model)
    track = changed(walks(1), "x", (0, 6, np.nan), (0, (8, 0), np.nan))
    whole = vrnn.filter_tracks(track, model=model, particles=6, seed=3)
    begun = vrnn.filter_tracks(track.cut(stop=5), model=model, particles=6, seed=3)
    belief, log_prob = stream(model, track, begun.belief, first=5)
    np.testing.assert_allclose(log_prob[0], whole.log_prob[0][5:], **CLOSE)
    assert np.isnan(begun.log_prob[0]).all() and np.isnan(whole.log_prob[0][:5]).all()
    assert_same(belief, whole.belief)


@EITHER_FRAME
@pytest.mark.parametrize("particles", [1, 3])
def test_the_density_of_an_rnn_is_exact(displacement, particles):
    """By scipy, of positions in the units of the data, from the mean and scale that a loop by hand gives."""
    model, track = untrained(KINDS["rnn"], displacement), without_inputs(walks(1))
    network, transform, x = model.network, model.preprocessor.transform, track.x[0]
    shift, scale = np.array(transform.standardise.mean), np.array(transform.standardise.scale)
    _, log_prob = stream(
        model, track, vrnn.initial_belief(model=model, count=1, particles=particles)
    )
    h = network.h0[None]
    nothing, start = torch.zeros(1, 0).double(), int(displacement)
    for t in range(start, ROWS):
        before = x[t - 1] if displacement else 0.0
        raw = network.head(h).detach().numpy()[0]
        mean, spread = before + shift + scale * raw[:2], scale * (1e-3 + np.log1p(np.exp(raw[2:])))
        exact = scipy.stats.norm(mean, spread).logpdf(x[t]).sum()
        assert log_prob[0, t] == pytest.approx(exact, rel=1e-9)
        value = torch.from_numpy((x[t] - before - shift) / scale)[None]
        h = network.cell.step(network.embed_observations(value, nothing), h)
    assert np.isnan(log_prob[0, :start]).all()


@pytest.mark.parametrize("name", ["rnn", "vrnn", "dmm"])
def test_a_belief_is_a_value(name):
    model, tracks = untrained(KINDS[name], inputs=True), holed(walks())
    belief, _ = stream(
        model, tracks.cut(stop=6), vrnn.initial_belief(model=model, count=2, particles=6)
    )
    arrays = (*belief.anchor, belief.time, belief.u)
    before = [t.clone() for t in tensors(belief.belief)], [a.copy() for a in arrays]
    first, log_prob = stream(model, tracks, belief, 6)
    again, same = stream(model, tracks, belief, 6)
    assert all(torch.equal(a, b) for a, b in zip(before[0], tensors(belief.belief), strict=True))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before[1], arrays, strict=True))
    np.testing.assert_array_equal(log_prob, same)
    assert_same(first, again)
    assert np.allclose(first.weights.sum(0), 1)
    assert first.effective.min() >= 1 and first.effective.max() <= 6 + 1e-9
    assert repr(first) == f"TrackBelief(6 particles of 2 tracks after {first.steps} steps)"


ROW = np.zeros((2, 2))
BAD = {
    "no x": ({"x": None}, "expected a row of x, found None; write a missing row as NaN"),
    "x of one track": ({"x": ROW[:1]}, r"expected x of shape \(2, 2\), a row \(x, y\) for each of 2 tracks, found \(1, 2\)"),
    "x too wide": ({"x": np.zeros((2, 3))}, r"expected x of shape \(2, 2\).*found \(2, 3\)"),
    "x of two rows": ({"x": np.zeros((2, 5, 2))}, r"found \(2, 5, 2\)"),
    "x infinite": ({"x": np.array([[0.0, np.inf], [0.0, 0.0]])}, "expected finite x or NaN where it is missing"),
    "u too wide": ({"u": np.zeros((2, 2))}, r"expected u of shape \(2, 1\), a row \(load\)"),
    "u infinite": ({"u": np.full((2, 1), -np.inf)}, "expected finite u"),
    "y without a target": ({"y": np.zeros((2, 1))}, r"expected y of shape \(2, 0\), a row \(no columns\)"),
    "time going back": ({"time": 2.5}, "expected a time after the last row's, 3, found 2.5; rows come in order"),
    "time of one going back": ({"time": [4.0, 2.0]}, "after the last row's, 3, found 2;"),
    "time standing still": ({"time": 3.0}, "after the last row's, 3, found 3"),
    "time unknown": ({"time": np.nan}, "expected a finite time, found NaN or infinity; leave it out"),
    "time without end": ({"time": [4.0, np.inf]}, "expected a finite time"),
    "too many times": ({"time": [4.0, 4.0, 4.0]}, r"expected a time or one for each of 2 tracks, found shape \(3,\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_refused(case):
    model = untrained(KINDS["vrnn"], inputs=True)
    belief, _ = vrnn.observe(
        ROW, belief=vrnn.initial_belief(model=model, count=2, particles=4), model=model, time=3.0
    )
    given, message = BAD[case]
    with pytest.raises(DataError, match=message):
        vrnn.observe(belief=belief, model=model, **{"x": ROW, **given})


def test_bad_beginnings_are_refused():
    model = untrained(KINDS["vrnn"])
    for name in ("count", "particles"):
        with pytest.raises(ConfigError, match=f"{name}: expected at least 1, found 0"):
            vrnn.initial_belief(model=model, **{name: 0})
    with pytest.raises(ConfigError, match="seed: expected at least 0, found -1"):
        vrnn.initial_belief(model=model, seed=-1)
    with pytest.raises(ConfigError, match="particles: expected at least 1, found 0"):
        vrnn.filter_tracks(walks(1), model=model, particles=0)
    nowhere = changed(without_inputs(walks(2)), "x", (1, slice(None), np.nan))
    with pytest.raises(DataError, match="track 1: expected a row to filter, found none"):
        vrnn.filter_tracks(nowhere, model=model)


def test_a_belief_does_not_change_with_the_arrays_that_it_has_taken_in():
    """A sensor may write each row into the same buffers."""
    model, tracks = untrained(KINDS["vrnn"], inputs=True), walks(2)
    buffers = [np.empty((2, part[0].shape[1])) for part in (tracks.x, tracks.u)]
    now, expected = np.empty(2), stream(model, tracks, vrnn.initial_belief(model=model, count=2))[1]
    belief, found = vrnn.initial_belief(model=model, count=2), []
    for t in range(len(tracks.x[0])):
        for buffer, part in zip(buffers, (tracks.x, tracks.u), strict=True):
            buffer[:] = [a[t] for a in part]
        now[:] = [a[t] for a in tracks.times]
        belief, log_prob = vrnn.observe(
            buffers[0], u=buffers[1], time=now, belief=belief, model=model
        )
        found.append(log_prob)
        for buffer in (*buffers, now):
            buffer[:] = -1e6
    np.testing.assert_array_equal(np.stack(found, 1), expected)
