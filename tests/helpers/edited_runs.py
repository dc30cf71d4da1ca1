"""Small runs of several kinds, and edits of their config.json."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import vrnn

DELETED = object()
VALUES: list[Any] = [
    DELETED, None, True, False, 0, -1, 1, 2, 5, 10**6, 10**9, 10**18, 10**30, 10**400, 0.5, -1e-3,
    1e308, -1e308, math.nan, math.inf, "", "abc", "7", "categorical(999999999)", "mixture(99999999)",
    "9" * 5000, "\x1b[31m\n", [], [1], [True, True], [[[]]], [0] * 9, {}, {"a": 1},
]  # fmt: skip


def data(seed: int = 0) -> vrnn.Tracks:
    """Return tracks with a known input and a target, in degrees."""
    random = np.random.default_rng(seed)
    x = [random.normal(size=(9, 2)).cumsum(0) for _ in range(12)]
    u, y = ([random.normal(size=(9, 1)) for _ in x] for _ in range(2))
    return vrnn.Tracks(x, u=u, y=y, x_names=("lat", "lon"), u_names=("speed",), y_names=("goal",))


def without(tracks: vrnn.Tracks, *roles: str) -> vrnn.Tracks:
    """Return tracks without their inputs or targets."""
    parts = {role: getattr(tracks, role) for role in "uy" if role not in roles}
    return vrnn.Tracks(tracks.x, x_names=tracks.x_names, **parts)


MAP = vrnn.TransformConfig(geographic="km")
RUNS: dict[str, tuple[vrnn.Tracks, Any, dict[str, Any]]] = {
    "vrnn": (
        without(data(), "y"),
        vrnn.VRNNConfig(2, hidden=6, latent="categorical(3)", emission="full_gaussian"),
        {"transform": MAP, "time_input": True, "position_input": True},
    ),
    "supervised": (data(), vrnn.RNNConfig(2, y_dim=1, hidden=6, supervised=True), {}),
    "rollout": (
        without(data(), "u", "y"),
        vrnn.RolloutVAEConfig(2, hidden=6, latent_dim=3, emission="mixture(2)"),
        {"observe": 4, "transform": vrnn.TransformConfig(heading=True)},
    ),
    "causal": (
        without(data(), "u", "y"),
        vrnn.SRNNConfig(2, hidden=6, latent_dim=3, emission="mixture(2)"),
        {"transform": vrnn.TransformConfig(causal=True)},
    ),
}


def settings_of(name: str) -> vrnn.TrainConfig:
    """Return the settings of training of a run."""
    return vrnn.TrainConfig(steps=1, batch_size=4, **RUNS[name][2])


def train_run(name: str, folder: Path) -> Path:
    """Train a run for one step, and return its folder."""
    tracks, config, _ = RUNS[name]
    vrnn.train(tracks, config=config, training=settings_of(name), out=folder, quiet=True)
    return folder


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the paths of all entries of a JSON value, from the outside in."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def edited(config: dict, path: tuple, value: Any) -> dict:
    """Return a copy of a config with one entry changed or taken out."""
    copy = json.loads(json.dumps(config))
    part = copy
    for key in path[:-1]:
        part = part[key]
    if value is DELETED:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return copy
