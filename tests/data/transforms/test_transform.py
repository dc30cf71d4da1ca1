"""Transforms invert, their Jacobians are those of autograd, and increments over gaps add up."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.transforms import ROW, fitted, walks

from vrnn.data.transforms import Anchor, Increments, Transform, TransformConfig
from vrnn.errors import ConfigError

PARTS = [
    TransformConfig(displacement=d, heading=h, standardise=s)
    for d in (True, False)
    for h in (True, False)
    for s in (True, False)
] + [TransformConfig(geographic="km", heading=h) for h in (True, False)]


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
    """Fill missing increments and subtract them from the next one, as the time loop does."""
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


@pytest.mark.parametrize("config", PARTS, ids=str)
def test_transforms_survive_json(config):
    import json

    transform = fitted(config, walks(3, 10, 0))
    assert Transform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform


def test_refusals():
    x = list(walks(2, 5, 0))
    with pytest.raises(
        ConfigError, match=r"observe: a heading transform .* at least 2, found None"
    ):
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
    np.testing.assert_allclose(transform.position(anchor), x[:, -1])


@settings(max_examples=20, deadline=None)
@given(row=st.integers(1, 8), seed=st.integers(0, 99))
def test_increments_read_no_later_point(row, seed):
    x = walks(2, 10, seed)
    transform, later = fitted(TransformConfig(), x), x.copy()
    later[:, row + 1 :] = np.nan
    np.testing.assert_array_equal(
        transform.encode(later)[0].values[:, :row], transform.encode(x)[0].values[:, :row]
    )
