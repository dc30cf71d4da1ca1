"""Trained models whose answers about tracks are known exactly: by a Kalman smoother, by enumeration."""

from typing import NamedTuple

import numpy as np
from tests.helpers.enumeration import Chain, Paths, enumerate_paths
from tests.helpers.kalman import Kalman, StateSpace, draw, kalman
from tests.helpers.kalman_worlds import CONFIGS, draw_linear, state_space

import vrnn
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Displacement, Standardise, Transform
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.trained import TrainedModel


def trained_chain(model: Chain) -> TrainedModel:
    """Return a chain that takes tracks of one column, in its own units."""
    preprocessor = Preprocessor(transform=Transform(1), x_names=("note",), factorises=True)
    return TrainedModel(model, preprocessor, vrnn.RNNConfig(1), vrnn.TrainConfig().to_dict())


def chain_tracks(model: Chain, count: int, gap: slice | None = None) -> tuple[Tracks, Paths]:
    """Return tracks drawn from a chain, all with the same gap, and all paths of the chain."""
    paths = enumerate_paths(model)
    chosen = np.random.default_rng(8).choice(len(paths.p), size=count, p=paths.p)
    x = paths.x[chosen].astype(float)
    if gap is not None:
        x[:, gap] = np.nan
    return Tracks(list(x[..., None]), x_names=("note",)), paths


def trained_linear(model: Model, config: ModelConfig, displacement: bool) -> TrainedModel:
    """Return a model behind a transform that shifts and scales, with or without displacements."""
    moves = Displacement((True, True)) if displacement else None
    transform = Transform(2, None, moves, Standardise(mean=(0.3, -0.2), scale=(2.0, 0.5)))
    return TrainedModel(
        model,
        Preprocessor(transform, ("x", "y"), factorises=True),
        config,
        vrnn.TrainConfig().to_dict(),
    )


class ExactTracks(NamedTuple):
    """A model that takes tracks, tracks with gaps, and the exact answers in their units.

    Attributes:
        whole: the positions before points were taken away, (track, time, dim).
        exact: of each track; without its first row under displacements, where that is given.
        of_state: H, from states to positions.
    """

    model: TrainedModel
    tracks: Tracks
    whole: np.ndarray
    exact: list[Kalman]
    of_state: np.ndarray


def make_exact_tracks(
    name: str,
    displacement: bool,
    count: int,
    time: int,
    *,
    seed: int = 1,
    wider: float = 1.0,
    blind: bool = False,
    holes: list[np.ndarray] | None = None,
) -> ExactTracks:
    """Return tracks drawn from a linear model, with holes in all rows but the first.

    Positions are a part of the state: v = (x_t - mean) / scale, or under displacements
    v = (x_t - x_{t-1} - mean) / scale.

    Args:
        wider: factor on the variance of the noise that the tracks are drawn with.
        blind: see `draw_linear`.
        holes: where, (time, dim), for the tracks in turn. When None, a quarter of the rows and
            entries of each, in places drawn.
    """
    config, random = CONFIGS[name], np.random.default_rng([seed, time, count])
    model = trained_linear(draw_linear(config, seed, blind=blind), config, displacement)

    space, transform = state_space(model.network), model.preprocessor.transform
    scale, shift, n = (
        np.diag(transform.standardise.scale),
        np.array(transform.standardise.mean),
        len(space.m),
    )
    F = np.block(
        [[space.F, np.zeros((n, 2))], [scale @ space.H @ space.F, np.eye(2) * displacement]]
    )
    wide = np.concatenate([np.eye(n), scale @ space.H])
    c, m = (np.concatenate([part, scale @ space.H @ part + shift]) for part in (space.c, space.m))
    Q = wide @ space.Q @ wide.T
    space = StateSpace(F, c, Q, m, Q, np.eye(2, n + 2, n), space.d, space.R)
    wide_space, rows, exact = space._replace(Q=wider * Q, P=wider * Q), [], []
    whole = np.empty((count, time, 2))
    for i in range(count):
        origin = np.zeros(2)
        if displacement:
            whole[i, 0] = origin = 5 * random.normal(size=2)
        m = space.m + np.pad(origin, (n, 0))
        whole[i, int(displacement) :] = draw(wide_space._replace(m=m), time - displacement, random)
        row = whole[i].copy()
        hole = (random.random((time, 1)) < 0.15) | (random.random((time, 2)) < 0.15)
        row[1:][(hole if holes is None else holes[i % len(holes)])[1:]] = np.nan
        rows.append(row)
        exact.append(kalman(space._replace(m=m), row[int(displacement) :]))
    return ExactTracks(model, Tracks(rows), whole, exact, space.H)


def hole(rows: list[int], *entries: tuple[int, int]) -> np.ndarray:
    """Return a mask of rows and of single entries of a track of 5 rows."""
    mask = np.zeros((5, 2), bool)
    mask[rows] = True
    for entry in entries:
        mask[entry] = True
    return mask


HOLES = [hole([2], (4, 0)), hole([3]), hole([2, 4], (3, 1)), hole([1, 3])]
