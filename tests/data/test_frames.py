"""Frames invert, their Jacobians are those of autograd, and increments over gaps add up."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vrnn
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import (
    Anchor,
    Displacement,
    Heading,
    Increments,
    Standardise,
    Transform,
    TransformConfig,
    rotate,
)
from vrnn.distributions import parse_emission
from vrnn.errors import ConfigError, DataError
from vrnn.geo import RADIUS, great_circle
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.unroll import unroll
from vrnn.models.registry import make_model
from vrnn.models.rnn import RNNConfig
from vrnn.objectives.terms import elbo_terms, log_jacobian

PARTS = [
    TransformConfig(displacement=d, heading=h, standardise=s)
    for d in (True, False)
    for h in (True, False)
    for s in (True, False)
] + [TransformConfig(geographic="km", heading=h) for h in (True, False)]
ROW = 4  # the row a heading is read at, and the last one of the prefix


def walks(count: int, time: int, seed: int, dim: int = 2) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(count, time, dim)) + np.linspace(1.0, 2.0, dim)
    return 10.0 + steps.cumsum(1)


def fitted(config: TransformConfig, x: np.ndarray) -> Transform:
    names = ("lat", "lon") if x.shape[-1] == 2 else ()
    return Transform.fit(list(x), config, (True,) * x.shape[-1], names=names, observe=ROW + 1)


@pytest.mark.parametrize("config", PARTS, ids=str)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), holes=st.lists(st.integers(1, 9), max_size=6))
def test_the_rest_of_a_track_is_decoded_from_where_its_prefix_ends(config, seed, holes):
    x = walks(3, 10, seed)
    transform = fitted(config, x)
    x[1, holes] = np.nan  # gaps inside and, at times, at either end of the prefix
    whole, _ = transform.encode(x)
    _, anchor = transform.encode(x[:, : ROW + 1])
    future = whole.values[:, ROW + 1 - transform.given :]
    if transform.displacement is None:
        decoded = transform.decode(future[None], anchor)[0]
        np.testing.assert_allclose(decoded, x[:, ROW + 1 :], atol=1e-9)
        return
    filled = interpolated(
        transform, whole, x
    )  # what a model that draws inside the gaps would have drawn
    gap = np.stack([_tail(filled[i], x[i]) for i in range(3)])
    decoded = transform.decode(filled[None, :, ROW:], anchor, gap[None])[0]
    there = np.isfinite(x[:, ROW + 1 :])
    np.testing.assert_allclose(decoded[there], x[:, ROW + 1 :][there], atol=1e-9)


def interpolated(transform: Transform, path: Increments, x: np.ndarray) -> np.ndarray:
    """Put numbers into the missing rows and subtract them from the increment after, as the time loop does."""
    values, own = path.values.copy(), np.random.default_rng(0)
    for track, there in zip(values, np.isfinite(x[:, 1:, 0]), strict=True):
        gap = np.zeros(2)
        for t in range(len(track)):
            if there[t]:
                track[t] -= gap
                gap = np.zeros(2)
            else:
                track[t] = own.normal(size=2)
                gap += track[t]
    return values


def _tail(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sum what was put in after the last observed row of the prefix."""
    last = int(np.flatnonzero(np.isfinite(x[: ROW + 1, 0])).max())
    return values[last:ROW].sum(0)


@pytest.mark.parametrize("config", PARTS, ids=str)
def test_decoding_goes_on_from_every_end_with_samples_leading(config):
    x = walks(3, 10, 0)
    transform = fitted(config, x)
    _, anchor = transform.encode(x[:, : ROW + 1])
    drawn = np.random.default_rng(1).normal(size=(7, 3, 4, 2))
    decoded = transform.decode(drawn, anchor)
    for sample in decoded:
        path, _ = transform.encode(np.concatenate([x[:, : ROW + 1], sample], 1))
        again = path.values[:, ROW + 1 - transform.given :]
        np.testing.assert_allclose(
            again, drawn[[np.array_equal(sample, d) for d in decoded]][0], atol=1e-9
        )


@pytest.mark.parametrize("config", PARTS, ids=str)
def test_log_jacobian_is_that_of_autograd(config):
    x = walks(1, 9, 3)
    transform = fitted(config, walks(5, 9, 4))
    angle = torch.from_numpy(transform.encode(x)[1].angle)

    def encode(later: torch.Tensor) -> torch.Tensor:  # of what follows the prefix, differentiably
        track = torch.cat([torch.from_numpy(x[0, : ROW + 1]), later.reshape(-1, 2)])
        if config.geographic:
            degree = 6371.0 * np.pi / 180
            track = track * torch.tensor([degree, degree * np.cos(np.radians(x[0, 0, 0]))])
        if config.heading:
            c, s = torch.cos(angle), torch.sin(angle)
            track = torch.stack(
                [c * track[:, 0] + s * track[:, 1], c * track[:, 1] - s * track[:, 0]], -1
            )
        values = track.diff(dim=0) if config.displacement else track
        if transform.standardise:
            mean, scale = (
                np.array(transform.standardise.mean),
                np.array(transform.standardise.scale),
            )
            values = (values - torch.from_numpy(mean)) / torch.from_numpy(scale)
        return values[ROW + 1 - transform.given :].flatten()

    later = torch.from_numpy(x[0, ROW + 1 :]).flatten()
    np.testing.assert_allclose(
        encode(later).reshape(-1, 2),
        transform.encode(x)[0].values[0, ROW + 1 - transform.given :],
        atol=1e-9,
    )
    jacobian = torch.autograd.functional.jacobian(encode, later)
    rows = len(later) // 2
    assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(
        rows * transform.log_jacobian(x[:, 0]).sum(), abs=1e-9
    )


def test_heading_reads_nothing_after_its_row():
    x = walks(4, 10, 0)
    transform = fitted(TransformConfig(heading=True, standardise=False), x)
    later = x.copy()
    later[:, ROW + 1 :] *= -3.0
    assert transform.encode(later)[1].angle.tolist() == transform.encode(x)[1].angle.tolist()
    np.testing.assert_array_equal(
        transform.encode(later)[0].values[:, :ROW], transform.encode(x)[0].values[:, :ROW]
    )
    last = transform.encode(x)[0].values[:, ROW - 1]
    assert (last[:, 0] > 0).all() and np.abs(
        last[:, 1]
    ).max() < 1e-12  # the last known step points along +x


def test_a_geographic_frame_measures_small_steps_as_the_sphere_does():
    """Increments at the first point's latitude are great-circle distances; east and north have their signs."""
    random = np.random.default_rng(0)
    first = random.uniform([-70, -180], [70, 180], (50, 2))
    x = first[:, None] + np.cumsum(
        np.r_[np.zeros((1, 50, 2)), random.normal(scale=0.01, size=(3, 50, 2))], 0
    ).swapaxes(0, 1)
    for unit in ("nmi", "km"):
        transform = fitted(TransformConfig(geographic=unit, standardise=False), x)
        steps = transform.encode(x)[0].values
        np.testing.assert_allclose(
            np.linalg.norm(steps, axis=-1),
            great_circle(x[:, :-1], x[:, 1:], RADIUS[unit]),
            rtol=3e-3,
        )
        assert (np.sign(steps) == np.sign(np.diff(x, axis=1))).all()
    one = fitted(TransformConfig(geographic="nmi", standardise=False), x)
    degree = one.encode(np.array([[[60.0, 10.0], [61.0, 11.0]]]))[0].values[0, 0]
    np.testing.assert_allclose(
        degree, [60.04, 30.02], atol=0.01
    )  # a degree of latitude is 60 nautical miles


def test_a_geographic_frame_encodes_rows_one_by_one_as_all_at_once():
    x = walks(3, 6, 1)
    transform = fitted(TransformConfig(geographic="nmi"), x)
    whole = transform.encode(x)[0].values
    nowhere = np.full((3, 2), np.nan)
    anchor = Anchor(nowhere, np.zeros((3, 2)), np.zeros(3), nowhere)
    for t in range(6):
        values, anchor = transform.encode_next(x[:, t : t + 1], anchor)
        if t:
            np.testing.assert_allclose(values[:, 0], whole[:, t - 1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(transform.position(anchor), x[:, -1])
    assert Transform.from_dict(transform.to_dict()) == transform
    pole = transform.metric_scale(np.array([[90.0, 0.0]]))
    assert (pole > 0).all()


def test_a_geographic_frame_is_fitted_from_the_first_point_that_there_is():
    x = walks(20, 9, 1)
    holed = [a.copy() for a in x]
    for track in holed:
        track[:2] = np.nan
    transforms = [
        Transform.fit(tracks, TransformConfig(geographic="nmi"), (True, True), names=("lat", "lon"))
        for tracks in (holed, [a[2:] for a in x])
    ]
    assert transforms[0] == transforms[1]


def test_a_geographic_frame_refuses():
    x = walks(3, 6, 1)
    with pytest.raises(ConfigError, match="nmi, km or nothing, found 'miles'"):
        TransformConfig(geographic="miles")
    with pytest.raises(ConfigError, match="leave transform.displacement on"):
        TransformConfig(geographic="km", displacement=False)
    for augment in (vrnn.AugmentConfig(rotate=True), vrnn.AugmentConfig(speed=(0.5, 2.0))):
        tracks = Tracks(list(x), x_names=("lat", "lon"))
        settings = vrnn.TrainConfig(transform=TransformConfig(geographic="km"), augment=augment)
        with pytest.raises(ConfigError, match="on the globe that is no motion"):
            vrnn.train(tracks, config=RNNConfig(2), training=settings)
    with pytest.raises(DataError, match="latitudes from -90 to 90 degrees, found 1"):
        fitted(TransformConfig(geographic="km"), x + 100)
    for names in (("x", "y"), ("lat", "lat2"), ()):
        with pytest.raises(ConfigError, match="one column whose name begins with l"):
            Transform.fit(list(x), TransformConfig(geographic="km"), (True, True), names=names)


def test_heading_of_tracks_with_holes():
    x = np.array(
        [[[0.0, 0], [0, 1], [np.nan, np.nan], [3, 1]], [[5.0, 5]] + [[np.nan, np.nan]] * 3]
    )
    assert Heading(2).angle(x).tolist() == pytest.approx([np.pi / 2, 0.0])
    assert Heading(3).angle(x).tolist() == pytest.approx([0.0, 0.0])
    assert np.isfinite(Heading(0).angle(x)).all()


def test_turn_takes_third_columns_along():
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    turned = rotate(x, np.array([0.3, -2.0]))
    np.testing.assert_allclose(
        np.linalg.norm(turned[..., :2], axis=-1), np.linalg.norm(x[..., :2], axis=-1)
    )
    np.testing.assert_array_equal(turned[..., 2], x[..., 2])


def test_standardise_gives_unit_increments_and_leaves_masses_alone():
    x = walks(20, 30, 0, dim=3)
    x[..., 2] = np.random.default_rng(1).integers(0, 2, x[..., 2].shape)
    transform = Transform.fit(list(x), TransformConfig(), (True, True, False))
    values = transform.encode(x)[0].values.reshape(-1, 3)
    np.testing.assert_allclose(values[:, :2].mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(values[:, :2].std(0), 1.0, atol=1e-12)
    assert set(values[:, 2]) == {0.0, 1.0} and (transform.log_jacobian(x[:, 0])[:, 2] == 0.0).all()
    assert transform.is_increment.tolist() == [True, True, False]


def test_statistics_are_of_single_steps_alone():
    x = walks(20, 30, 0)
    complete = Transform.fit(list(x), TransformConfig(), (True, True)).standardise
    holed = x.copy()
    holed[::2, 10:13] = np.nan  # increments over these holes are four steps long
    steps = np.diff(holed, axis=1).reshape(-1, 2)
    expected = np.nanmean(steps, 0), np.nanstd(steps, 0)
    found = Transform.fit(list(holed), TransformConfig(), (True, True)).standardise
    np.testing.assert_allclose((found.mean, found.scale), expected)
    np.testing.assert_allclose(found.mean, complete.mean, rtol=0.1)


def test_column_that_does_not_vary_keeps_its_scale():
    x = walks(3, 5, 0)
    x[..., 1] = 4.0
    transform = Transform.fit(list(x), TransformConfig(displacement=False), (True, True))
    assert (
        transform.standardise.scale[1] == 1.0
        and np.abs(transform.encode(x)[0].values[..., 1]).max() == 0.0
    )


def test_increments_after_a_gap_by_hand():
    x = np.array([[[0.0], [1.0], [np.nan], [np.nan], [10.0], [12.0]]])
    path, position, last = Displacement((True,)).encode(x)
    assert path.count[0, :, 0].tolist() == [1, 1, 2, 3, 1] and (position[0, 0], last[0, 0]) == (
        12.0,
        5,
    )
    np.testing.assert_array_equal(path.values[0, :, 0], [1.0, np.nan, np.nan, 9.0, 2.0])
    encoded = Standardise((0.5,), (2.0,)).encode(path)
    assert encoded[0, 3, 0] == (9.0 - 3 * 0.5) / 2.0
    model_drew = np.array([0.3, -0.1])  # in the two missing rows
    rest = encoded[0, 3, 0] - model_drew.sum()
    steps = 0.5 + 2.0 * np.array([*model_drew, rest])
    assert steps.sum() == pytest.approx(9.0)  # the track reconnects


def test_rows_since_the_last_point_count_no_padding():
    short, long = np.zeros((3, 2)), np.arange(12.0).reshape(6, 2)
    short[1:] = [[1, 1], [np.nan, np.nan]]
    tracks = Tracks([short, long])
    preprocessor = Preprocessor.fit(tracks, TransformConfig(), parse_emission("full_gaussian", 2))
    _, anchor = preprocessor.batch(tracks)
    assert anchor.since.tolist() == [[1, 1], [0, 0]]
    for i in range(2):
        alone = preprocessor.batch(tracks[i])[1]
        assert all(np.array_equal(a[i], b[0]) for a, b in zip(anchor, alone, strict=True))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("displacement", [True, False])
def test_density_in_data_units_equals_the_direct_one(displacement, gaps):
    """An RNN that emits one constant Gaussian makes a random walk (or white noise), whose density scipy knows."""
    x = walks(2, 8, 5)
    if gaps:
        x[0, 3:5], x[1, 7] = np.nan, np.nan
    tracks = Tracks(list(x))
    preprocessor = Preprocessor.fit(
        tracks, TransformConfig(displacement=displacement), parse_emission("gaussian", 2)
    )
    model = make_model(RNNConfig(2, hidden=4, depth=0)).double()
    torch.nn.init.zeros_(model.head[-1].weight)
    mean, scale = np.array([0.3, -0.2]), np.array([0.8, 1.5])
    model.head[-1].bias.data[:2] = torch.tensor(mean)
    model.head[-1].bias.data[2:] = torch.tensor(np.log(np.expm1(scale - 1e-3)))
    of = preprocessor.transform.standardise
    mean, scale = np.array(of.mean) + np.array(of.scale) * mean, np.array(of.scale) * scale
    expected = np.zeros(2)
    for i, track in enumerate(x):
        rows = np.flatnonzero(np.isfinite(track[:, 0]))
        if displacement:  # independent increments: k of them between rows k apart
            k = np.diff(rows)[:, None]
            law = scipy.stats.norm(k * mean, np.sqrt(k) * scale)
            expected[i] = law.logpdf(np.diff(track[rows], axis=0)).sum()
        else:
            expected[i] = scipy.stats.norm(mean, scale).logpdf(track[rows]).sum()
    batch = preprocessor.batch(tracks)[0].to(torch.zeros(()).double())
    samples = 20000 if gaps and displacement else 1
    noise = draw_noise(model, samples, 2, batch.x.shape[1], seeded(0))
    with torch.no_grad():
        bound = elbo_terms(model, unroll(model, batch, noise)).bound
    found = bound.logsumexp(0) - np.log(samples) + log_jacobian(batch)
    np.testing.assert_allclose(
        found, expected, atol=0.05 if samples > 1 else 1e-4
    )  # data travel as float32


@pytest.mark.parametrize("config", PARTS, ids=str)
def test_frames_survive_json(config):
    import json

    transform = fitted(config, walks(3, 10, 0))
    assert Transform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform


def test_refusals():
    x = list(walks(2, 5, 0))
    with pytest.raises(ConfigError, match="observe: a heading transform .* at least 2, found None"):
        Transform.fit(x, TransformConfig(heading=True), (True, True))
    with pytest.raises(ConfigError, match="must be continuous"):
        Transform.fit(x, TransformConfig(heading=True), (True, False), observe=3)
    with pytest.raises(ConfigError, match="expected positions among the columns x, y, found z"):
        Transform.fit(x, TransformConfig(positions=("z",)), (True, True), names=("x", "y"))


def test_named_positions_alone_are_displaced():
    x = walks(2, 6, 0, dim=3)
    transform = Transform.fit(
        list(x),
        TransformConfig(positions=("a", "b"), standardise=False),
        (True,) * 3,
        names=("a", "b", "speed"),
    )
    path, anchor = transform.encode(x)
    np.testing.assert_array_equal(path.values[..., 2], x[:, 1:, 2])
    np.testing.assert_allclose(path.values[..., :2], np.diff(x[..., :2], axis=1))
    start = Anchor.zero(2, 3)._replace(origin=x[:, 0])
    np.testing.assert_allclose(transform.decode(path.values[None], start)[0], x[:, 1:])
    np.testing.assert_allclose(anchor.origin, x[:, -1])


@settings(max_examples=20, deadline=None)
@given(row=st.integers(1, 8), seed=st.integers(0, 99))
def test_increments_read_no_later_point(row, seed):
    x = walks(2, 10, seed)
    transform, later = fitted(TransformConfig(), x), x.copy()
    later[:, row + 1 :] = np.nan
    np.testing.assert_array_equal(
        transform.encode(later)[0].values[:, :row], transform.encode(x)[0].values[:, :row]
    )
