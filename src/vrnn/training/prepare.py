"""From a person's tracks and settings to everything training needs, with each misfit named before work starts."""

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from vrnn.data.encoding import Encoding
from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.distributions import parse_emission
from vrnn.errors import ConfigError, DataError
from vrnn.models import ModelConfig, make_model
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig

FEWEST_HELD_OUT = 10  # with fewer tracks than this none is held out


class Prepared(NamedTuple):
    """Hold what the loop works on: the untrained model and the pieces of tracks to train and validate on.

    Attributes:
        notes: sentences for the user about what was left out or split off.
        fingerprint: of the training and validation data, so that a run is resumed on its own data only.
    """

    trained: TrainedModel
    train: Tracks
    val: Tracks
    notes: list[str]
    fingerprint: str


def prepare(config: ModelConfig, tracks: Tracks, settings: TrainConfig, val: Tracks | None) -> Prepared:
    """Split, cut, fit the encoding and build the model.

    Raises:
        ConfigError: settings that fit neither each other nor the data.
        DataError: no usable track is left.
    """
    supervised = getattr(config, "supervised", False) not in (False, "no") or getattr(config, "target", "") == "supervised"
    _check(config, tracks, settings, supervised)
    notes: list[str] = []
    if val is None:
        tracks, val = _hold_out(tracks, settings, notes)
    train, val = _pieces(tracks, settings, notes, "training"), _pieces(val, settings, notes, "validation")
    family = parse_emission(config.emission, tracks.y_dim if supervised else tracks.x_dim)
    encoding = Encoding.fit(
        train, settings.frame, family, supervised=supervised, observe=settings.observe, time_input=settings.time_input
    )
    forecasts = getattr(config, "task", "") == "forecasting"
    least = max(encoding.frame.given + 1, (settings.observe or 0) + 1 if forecasts else 0)
    train, val = _usable(train, encoding, least, notes, "training"), _usable(val, encoding, least, notes, "validation")
    if not len(train):
        raise DataError(f"no training track has {least} usable rows; see what the data holds with: vrnn doctor DATA")
    widths: dict[str, Any] = {"u_dim": encoding.u_dim} | ({"y_dim": tracks.y_dim} if supervised else {})
    config = replace(config, **widths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = make_model(config)
    return Prepared(TrainedModel(network, encoding, config, settings), train, val, notes, _fingerprint(train, val))


def _check(config: ModelConfig, tracks: Tracks, settings: TrainConfig, supervised: bool) -> None:
    if not len(tracks):
        raise DataError("expected at least one track to train on, found none")
    if config.x_dim != tracks.x_dim:
        raise ConfigError(
            f"the model is configured for x_dim={config.x_dim} and the tracks have {tracks.x_dim} columns of x "
            f"({', '.join(tracks.x_names)}); set x_dim or map the columns"
        )
    if supervised and not tracks.y_dim:
        raise ConfigError("a supervised model needs a target and the tracks have none; map columns to y")
    if getattr(config, "task", "") == "forecasting" and settings.observe is None:
        raise ConfigError(
            "a RolloutVAE that forecasts is trained to go on from a prefix: set observe to its number of points"
        )
    if settings.augment.active and tracks.x_dim < 2:
        raise ConfigError("augmentation changes the first two columns of x, and the tracks have one; switch it off")
    if settings.augment.active and supervised:
        raise ConfigError("augmentation changes x and not the target y of a supervised model; switch it off")


def _hold_out(tracks: Tracks, settings: TrainConfig, notes: list[str]) -> tuple[Tracks, Tracks]:
    count = round(settings.holdout * len(tracks))
    if count == 0 or len(tracks) < FEWEST_HELD_OUT:
        if settings.patience is not None:
            raise ConfigError("stopping early needs validation tracks: give some, or set holdout above 0")
        return tracks, tracks[:0]
    order = np.random.default_rng([settings.seed, 3]).permutation(len(tracks))
    notes.append(f"{count} of {len(tracks)} tracks are held out for validation")
    return tracks[np.sort(order[count:])], tracks[np.sort(order[:count])]


def _pieces(tracks: Tracks, settings: TrainConfig, notes: list[str], name: str) -> Tracks:
    if settings.window is None or not len(tracks):
        return tracks
    try:
        cut = windows(tracks, settings.window)
    except DataError as error:
        raise DataError(f"{name} tracks: {error}; or train on whole tracks (window None), which may have gaps") from error
    notes.append(f"{len(tracks)} {name} tracks give {len(cut)} windows of {settings.window} rows")
    return cut


def _usable(tracks: Tracks, encoding: Encoding, least: int, notes: list[str], name: str) -> Tracks:
    kept = encoding.trim(tracks, least)
    if len(kept) < len(tracks):
        notes.append(f"{len(tracks) - len(kept)} {name} tracks with fewer than {least} usable rows are left out")
    return kept


def _fingerprint(*parts: Tracks) -> str:
    digest = hashlib.sha256()
    for tracks in parts:
        for arrays in (tracks.x, tracks.times, tracks.u, tracks.y):
            digest.update(len(arrays).to_bytes(8, "little"))
            for a in arrays:
                digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()[:16]
