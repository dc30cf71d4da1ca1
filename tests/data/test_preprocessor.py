"""Tracks become batches: padding, inputs with gaps, targets, time steps, and the refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.changed_tracks import changed

from vrnn.data.origin import Origin
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.data.transforms.causal import FEATURES
from vrnn.distributions import parse_emission
from vrnn.errors import ConfigError, DataError, VrnnWarning

NAN = np.nan
PLAIN = TransformConfig(displacement=False, standardise=False)


def example(**more) -> Tracks:
    random = np.random.default_rng(0)
    lengths = [5, 3, 4]
    given = {
        "x": [random.normal(size=(n, 2)).cumsum(0) for n in lengths],
        "u": [random.normal(3.0, 2.0, (n, 2)) for n in lengths],
        "y": [random.normal(-1.0, 5.0, (n, 1)) for n in lengths],
        "ids": ["a", "b", "c"],
    }
    return Tracks(**{**given, **more})


def fit(
    tracks: Tracks, transform: TransformConfig | None = None, emission: str = "gaussian", **more
) -> Preprocessor:
    dim = tracks.y_dim if more.get("supervised") else tracks.x_dim
    return Preprocessor.fit(
        tracks, transform or TransformConfig(), parse_emission(emission, dim), **more
    )


def test_tracks_of_different_lengths_are_padded():
    tracks = example()
    batch, _ = fit(tracks, PLAIN).batch(tracks)
    assert batch.length.tolist() == [5, 3, 4] and batch.x.shape == (3, 5, 2)
    assert batch.x.dtype == torch.float32
    for i, x in enumerate(tracks.x):
        np.testing.assert_allclose(batch.x[i, : len(x)], x, rtol=1e-6)
        assert not batch.present[i, len(x) :].any() and not batch.u[i, len(x) :].any()


def test_displacement_takes_the_first_row_from_every_part():
    tracks = example()
    preprocessor = fit(tracks, TransformConfig(standardise=False), supervised=True)
    batch, anchor = preprocessor.batch(tracks)
    assert batch.length.tolist() == [4, 2, 3]
    assert batch.u.shape == (3, 4, 2)
    assert batch.y.shape == (3, 4, 1)
    np.testing.assert_allclose(batch.x[0], np.diff(tracks.x[0], axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        batch.y[0], ((tracks.y[0] - preprocessor.y_mean) / preprocessor.y_scale)[1:], rtol=1e-5
    )
    found = preprocessor.transform.position(anchor)
    np.testing.assert_allclose(found, [x[-1] for x in tracks.x])
    assert batch.is_increment.all()


def test_inputs_and_targets_are_standardised():
    tracks = example()
    preprocessor = fit(tracks, PLAIN, supervised=True)
    u = preprocessor.inputs(np.concatenate(tracks.u)[None], np.zeros((1, 12, 1)), np.zeros((1, 2)))[
        0
    ].numpy()
    np.testing.assert_allclose((u.mean(0), u.std(0)), ([0, 0], [1, 1]), atol=1e-12)
    batch, _ = preprocessor.batch(tracks)
    y = batch.y[batch.y_present].double().numpy()
    np.testing.assert_allclose((y.mean(), y.std()), (0, 1), atol=1e-6)
    assert float(batch.y_log_jacobian) == pytest.approx(-np.log(preprocessor.y_scale[0]))


def test_targets_that_no_emission_scores_are_left_out():
    tracks = example()
    preprocessor = fit(tracks, PLAIN)
    assert preprocessor.y_names == () and preprocessor.batch(tracks)[0].y.shape == (3, 5, 0)
    without = example(y=[])
    supervised = fit(tracks, PLAIN, supervised=True)
    assert not supervised.batch(without)[0].y_present.any()  # to be drawn


def test_masses_are_left_as_they_are():
    random = np.random.default_rng(0)
    x = [
        np.concatenate([random.normal(size=(9, 2)), random.integers(0, 2, (9, 1))], 1)
        for _ in range(3)
    ]
    tracks = Tracks(x)
    preprocessor = fit(tracks, TransformConfig(), "gaussian:2+bernoulli:1")
    batch, _ = preprocessor.batch(tracks)
    assert set(batch.x[..., 2].flatten().tolist()) == {0.0, 1.0}
    assert batch.is_increment.tolist() == [True, True, False]
    labels = [random.integers(0, 3, (5, 1)).astype(float) for _ in range(2)]
    classes = Tracks([np.zeros((5, 1)), np.ones((5, 1))], y=labels)
    coded = fit(classes, PLAIN, "categorical(3)", supervised=True).batch(classes)[0]
    np.testing.assert_array_equal(coded.y[..., 0], np.concatenate(labels, 1).T)
    assert coded.y_log_jacobian.tolist() == [0.0]


def test_gaps_of_inputs_are_filled_with_the_last_value_and_marked():
    first = slice(2)  # nothing seen yet
    tracks = changed(example(), "u", (0, (first, 1), NAN), (0, (3, 1), NAN))
    preprocessor = fit(tracks, PLAIN)
    assert preprocessor.u_has_missing == (False, True) and preprocessor.u_dim == 3
    u = preprocessor.batch(tracks)[0].u
    assert u.isfinite().all() and u[0, :, 2].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert u[0, :2, 1].tolist() == [0.0, 0.0] and u[0, 3, 1] == u[0, 2, 1]
    assert not u[1:, :, 2].any()
    seen = np.concatenate([tracks.u[0][[2, 4], 1], tracks.u[1][:, 1], tracks.u[2][:, 1]])
    assert preprocessor.u_mean[1] == pytest.approx(seen.mean())


def test_gaps_in_an_input_without_gaps_in_training_still_give_numbers():
    preprocessor = fit(example(), PLAIN)
    later = changed(example(), "u", (1, (1, 0), NAN))
    batch, _ = preprocessor.batch(later)
    assert batch.u.shape[-1] == 2
    assert batch.u.isfinite().all()
    assert batch.u[1, 1, 0] == batch.u[1, 0, 0]


def test_time_between_rows_as_an_input():
    times = [np.array([0.0, 10, 20, 60, 70]), np.array([5.0, 15, 25]), np.array([0.0, 10, 20, 25])]
    tracks = example(times=times)
    preprocessor = fit(tracks, PLAIN, time_input=True)
    assert preprocessor.u_dim == 3 and preprocessor.step == 10.0
    steps = preprocessor.batch(tracks)[0].u[..., -1]
    assert steps.tolist() == [[1, 1, 1, 4, 1], [1, 1, 1, 0, 0], [1, 1, 1, 0.5, 0]]


def test_trim_drops_what_holds_nothing():
    hole = np.array([NAN, NAN])
    x = [
        np.array([hole, [1, 1], hole, [2, 2], hole]),
        np.array([hole, hole]),
        np.array([[1.0, 1], [2, 2], [3, 3]]),
        np.array([[NAN, 4.0], [5, 5], hole]),
    ]
    tracks = Tracks(x, ids=list("abcd"), u=[np.arange(len(a), dtype=float)[:, None] for a in x])
    whole, moving = fit(tracks[[2]], PLAIN), fit(tracks[[2]], TransformConfig())
    preprocessor = replace(whole, u_names=tracks.u_names)
    kept = preprocessor.trim(tracks, 2)
    assert kept.ids == ["a", "c", "d"] and kept.lengths.tolist() == [3, 3, 2]
    assert kept.u[0].ravel().tolist() == [1.0, 2.0, 3.0]
    assert kept.times[0].tolist() == [1.0, 2.0, 3.0]
    assert replace(moving, u_names=tracks.u_names).trim(tracks, 2).ids == [
        "a",
        "c",
    ]  # d has no whole first point but one
    assert preprocessor.trim(tracks, 2, ends=False).lengths.tolist() == [4, 3, 3]
    assert len(preprocessor.trim(tracks, 4)) == 0


def test_trimming_complete_tracks_changes_nothing():
    tracks = example()
    kept = fit(tracks).trim(tracks, 3)
    assert all(np.array_equal(a, b) for a, b in zip(kept.x, tracks.x, strict=True))


def test_refusals():
    tracks = example()
    preprocessor = fit(tracks)
    with pytest.raises(
        DataError, match=r"trained with x columns \(x, y\); the data has \(x0, x1, x2\)"
    ):
        preprocessor.batch(Tracks([np.zeros((4, 3))]))
    with pytest.raises(
        DataError, match=r"trained with u columns \(u0, u1\); the data has \(none\)"
    ):
        preprocessor.batch(example(u=[]))
    with pytest.raises(DataError, match="track b: its first point is missing"):
        preprocessor.batch(changed(tracks, "x", (1, (0, 0), NAN)))
    with pytest.raises(ConfigError, match="preprocessor: unknown settings: more"):
        Preprocessor.from_dict({**preprocessor.to_dict(), "more": 1})
    with pytest.raises(ConfigError, match="preprocessor: absent settings: step"):
        Preprocessor.from_dict({k: v for k, v in preprocessor.to_dict().items() if k != "step"})


@pytest.mark.parametrize("heading", [False, True])
def test_round_trip_through_json(heading):
    tracks = changed(example(), "u", (0, (1, 0), NAN))
    preprocessor = fit(tracks, TransformConfig(heading=heading), observe=3, time_input=True)
    again = Preprocessor.from_dict(json.loads(json.dumps(preprocessor.to_dict())))
    assert again == preprocessor
    for a, b in zip(again.batch(tracks)[0], preprocessor.batch(tracks)[0], strict=True):
        assert torch.equal(a, b)


def test_a_change_is_applied_before_the_transform():
    tracks = example()
    preprocessor = fit(tracks, TransformConfig(standardise=False))
    plain, double = preprocessor.batch(tracks)[0], preprocessor.batch(tracks, lambda x: 2 * x)[0]
    assert torch.allclose(double.x, 2 * plain.x)


def test_half_a_point_is_no_point_where_the_emission_does_not_factorise():
    """No increment ends at such a point, or the other column would seem not to have moved."""
    x = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, np.nan], [3.0, 3.0]])
    tracks = Tracks([x])
    transform = TransformConfig(standardise=False)
    for emission, after, known in (
        ("gaussian", [1.0, 2.0], [True, False]),
        ("full_gaussian", [2.0, 2.0], [False, False]),
    ):
        batch, _ = Preprocessor.fit(tracks, transform, parse_emission(emission, 2)).batch(tracks)
        assert batch.x[0, 2].tolist() == after and batch.present[0, 1].tolist() == known


def test_time_steps_since_the_last_point_count_no_padding():
    short, long = np.zeros((3, 2)), np.arange(12.0).reshape(6, 2)
    short[1:] = [[1, 1], [np.nan, np.nan]]
    tracks = Tracks([short, long])
    preprocessor = Preprocessor.fit(tracks, TransformConfig(), parse_emission("full_gaussian", 2))
    _, anchor = preprocessor.batch(tracks)
    assert anchor.since.tolist() == [[1, 1], [0, 0]]
    for i in range(2):
        alone = preprocessor.batch(tracks[i])[1]
        assert all(np.array_equal(a[i], b[0]) for a, b in zip(anchor, alone, strict=True))


def named(names, source="a.csv"):
    """Return one track whose columns hold 1, 2, ... and have these names."""
    values = np.arange(1.0, len(names) + 1) * np.ones((4, 1))
    return Tracks([values], x_names=names, origin=Origin(source=source))


def in_order(trained, tracks):
    """Return the first row of tracks in the columns of a model that was trained on others."""
    fitted = Preprocessor.fit(named(trained), PLAIN, parse_emission("gaussian", len(trained)))
    return fitted.in_order(tracks)


def test_columns_go_by_their_names():
    found = in_order(("lon", "lat"), named(("lat", "lon")))
    assert (found.x_names, found.x[0][0].tolist()) == (("lon", "lat"), [2, 1])
    with pytest.raises(DataError, match=r"x columns \(lon, lat\); the data has \(a, b\)"):
        in_order(("lon", "lat"), named(("a", "b")))


def test_arrays_have_no_names():
    found = in_order(("lon", "lat"), named(("x", "y"), source=""))
    assert (found.x_names, found.x[0][0].tolist()) == (("lon", "lat"), [1, 2])
    with pytest.raises(DataError, match="the data has"):
        in_order(("lon", "lat"), named(("x", "y")))  # a file that says x and y


def test_a_model_of_arrays_takes_other_names_in_their_order():
    with pytest.warns(VrnnWarning, match="lon, lat are taken in this order"):
        found = in_order(("x", "y"), named(("lon", "lat")))
    assert found.x[0][0].tolist() == [1, 2]


@pytest.mark.parametrize("geographic", ["", "km"])
@pytest.mark.parametrize("standardise", [True, False])
def test_positions_as_inputs_are_the_start_and_the_increments_since(geographic, standardise):
    """The standardised position is the start, plus the factor times the sum of increments."""
    random = np.random.default_rng(1)
    bits = [random.integers(0, 2, (9, 1)) for _ in range(4)]
    x = [np.concatenate([random.normal(40, 1, (9, 2)).cumsum(0) / 9, b], 1) for b in bits]
    tracks = Tracks(x, x_names=("lat", "lon", "pen"))
    config = TransformConfig(
        geographic=geographic, standardise=standardise, positions=("lat", "lon")
    )
    family = parse_emission("gaussian:2+bernoulli:1", 3)
    preprocessor = Preprocessor.fit(tracks, config, family, position_input=True)
    batch, _ = preprocessor.batch(tracks)
    assert batch.u.shape[-1] == preprocessor.u_dim == 4 and preprocessor.model_u_dim == 2
    start, factor = batch.u.numpy()[..., :2], batch.u.numpy()[..., 2:]
    moved = (batch.x[..., :2].numpy() + preprocessor.drift).cumsum(1)
    rows = np.concatenate(x)[:, :2]
    expected = (np.stack(x)[..., :2] - rows.mean(0)) / rows.std(0)
    np.testing.assert_allclose(start, np.repeat(expected[:, :1], 8, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(start + factor * moved, expected[:, 1:], rtol=1e-4, atol=1e-4)
    assert fit(tracks, config, "gaussian:2+bernoulli:1").u_dim == 0


def test_relative_scales_bring_all_increments_to_one_unit():
    """Their squares have the mean 1; columns that are no increments keep theirs."""
    random = np.random.default_rng(1)
    x = [random.normal(size=(50, 3)) * [1.0, 7.0, 3.0] for _ in range(4)]
    tracks = Tracks(x, x_names=("a", "b", "c"))
    found = fit(tracks, TransformConfig(positions=("a", "b"))).relative_scale
    deviation = np.diff(np.stack(x), axis=1)[..., :2].std((0, 1))
    expected = deviation / np.sqrt((deviation**2).mean())
    np.testing.assert_allclose(found, [*expected, 1.0], rtol=1e-12)
    plain = fit(tracks, TransformConfig(standardise=False))
    assert plain.relative_scale.tolist() == [1.0] * 3 and plain.drift.tolist() == []


def test_a_causal_transform_adds_its_features_to_the_inputs():
    tracks = example()
    preprocessor = fit(tracks, TransformConfig(causal=True), "full_gaussian", time_input=True)
    assert preprocessor.u_dim == 3 == preprocessor.batch(tracks)[0].u.shape[-1]
    assert preprocessor.model_u_dim == 3 + FEATURES
