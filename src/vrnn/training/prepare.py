"""From tracks and settings to an untrained model and the data it trains on."""

import hashlib
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import TransformConfig
from vrnn.errors import ConfigError, DataError, Function
from vrnn.inference.traits import reads_prefix
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.draws import drawing_from
from vrnn.models.registry import make_model
from vrnn.models.vrnn import VRNNConfig
from vrnn.trained import TrainedModel, build_network
from vrnn.training.choose import choose_families
from vrnn.training.compatibility import (
    check_futures,
    check_settings_fit,
    check_tracks,
    check_values,
    observed_rows,
)
from vrnn.training.config import TrainConfig
from vrnn.training.kalman import fit_kalman
from vrnn.training.shipped import fitted
from vrnn.training.simulated import SimulatedTracks
from vrnn.training.splits import at_all_rates, cut_windows, held_out_count, split_tracks

PATIENCE = 5  # validations, in training on from a shipped model


class Prepared(NamedTuple):
    """An untrained model with the tracks to train and validate on.

    Attributes:
        trained: the model, its weights as drawn at the start.
        settings: the settings of training.
        train: training tracks or windows.
        val: validation tracks or windows.
        notes: sentences for the user about what was left out or held out.
        fingerprint: a digest of both data sets; a run resumes on its own data only.
        starts_trained: whether the weights are those of a model to start from.
        simulated: simulated tracks to train on too, or None.
        trains: whether any step is taken; else the weights stay as they are.
    """

    trained: TrainedModel
    settings: TrainConfig
    train: Tracks
    val: Tracks
    notes: list[str]
    fingerprint: str
    starts_trained: bool = False
    simulated: SimulatedTracks | None = None
    trains: bool = True


def prepare(
    config: ModelConfig | None,
    tracks: Tracks,
    settings: TrainConfig,
    val: Tracks | None,
    start: TrainedModel | None = None,
) -> Prepared:
    """Return the model to train and its data, split and cut into windows.

    Args:
        config: the settings of the model; None takes a VRNN whose emission and latent are chosen
            for the data, see `choose_families`.
        tracks: the training data.
        settings: the settings of training.
        val: the validation data; None holds out a fraction of `tracks`.
        start: the model that training goes on from, with its config, transform and weights.

    Raises:
        ConfigError: settings that fit neither each other nor the data.
        DataError: no usable track is left.
    """
    check_tracks(tracks)
    simulates = start is not None and start.fits_data and not settings.energy_weight
    if start is not None:
        validated = val is not None or held_out_count(tracks, settings.holdout) > 0
        if start.fits_data and validated and settings.patience is None:
            settings = replace(settings, patience=PATIENCE)
        start = fitted(start, tracks, settings.transform.geographic) if start.fits_data else start
        config, settings = _as_in(start, config, settings)
    elif config is None:
        chosen: dict[str, Any] = choose_families(tracks, VRNNConfig)  # pyrefly: ignore
        config = VRNNConfig(x_dim=tracks.x_dim, **chosen)
    model = _model_without_inputs(config, tracks)
    check_settings_fit(config, model, tracks, settings, val)
    notes: list[str] = []
    kept, val = split_tracks(tracks, val, settings, notes)
    train = at_all_rates(kept, settings)
    lengths = train.lengths[: len(kept)]  # of one copy
    train = cut_windows(train, settings.window, notes, "training")
    val = cut_windows(val, settings.window, notes, "validation")
    preprocessor = (
        start.preprocessor
        if start is not None
        else Preprocessor.fit(
            train,
            settings.transform,
            model.observation,
            supervised=model.supervised,
            observe=settings.observe,
            time_input=settings.time_input,
            position_input=settings.position_input,
        )
    )
    val = preprocessor.in_order(val)
    train, val = (
        _usable(part, preprocessor, model, settings, notes, name)
        for part, name in ((train, "training"), (val, "validation"))
    )
    if not len(train):
        raise DataError(
            "no training track has enough usable rows",
            hint=("see what the data holds with ", Function("describe")),
        )
    for part in (train, val):
        check_values(part, preprocessor, model)
    check_futures(train, preprocessor, model, settings)
    widths = {"u_dim": preprocessor.model_u_dim, "y_dim": tracks.y_dim if model.supervised else 0}
    config = with_widths(config, **widths)
    with drawing_from(torch.Generator().manual_seed(settings.seed)):
        network = build_network(config, preprocessor)
    if start is not None:
        network.load_state_dict(start.network.state_dict())
    kalman = None
    if not model.supervised:
        kalman = fit_kalman(kept, preprocessor.transform, model.observation)
    trained = TrainedModel(network, preprocessor, config, settings.to_dict(), kalman=kalman)
    simulated = None
    if simulates:
        simulated = SimulatedTracks(lengths, settings.batch_size, settings.seed)
    return Prepared(
        trained,
        settings,
        train,
        val,
        notes,
        fingerprint(train, val),
        starts_trained=start is not None,
        simulated=simulated,
    )


def _as_in(
    start: TrainedModel, config: ModelConfig | None, settings: TrainConfig
) -> tuple[ModelConfig, TrainConfig]:
    """Return config and settings with what a model has fixed: its layers and its coordinates.

    Raises:
        ConfigError: another model, or another transform.
    """
    if config is not None and with_widths(config, 0, 0) != with_widths(start.config, 0, 0):
        raise ConfigError(
            "training goes on from a model with its own layers",
            expected=f"the config of that model, {start.config}",
            found=str(config),
            hint="give no config",
        )
    transform, own = settings.transform, TrainConfig.from_dict(start.training).transform
    if transform not in (TransformConfig(), own, replace(own, causal=False)):
        raise ConfigError(
            "training goes on from a model with its own coordinates",
            setting=f"transform.{_first_change(transform, own)}",
            expected="none beside a model to start from",
            found=getattr(transform, _first_change(transform, own)),
            hint="leave it out",
        )
    names = ("time_input", "position_input", *(("observe",) if own.heading else ()))
    fixed = {name: start.training[name] for name in names}
    return start.config, replace(settings, transform=own, **fixed)


def _first_change(transform: TransformConfig, own: TransformConfig) -> str:
    """Return the first setting in which a transform differs from a model's own and the default."""
    default = TransformConfig()
    names = [f.name for f in fields(TransformConfig)]
    return next(
        (n for n in names if getattr(transform, n) not in (getattr(own, n), getattr(default, n))),
        names[0],
    )


def with_widths(config: ModelConfig, u_dim: int, y_dim: int) -> ModelConfig:
    """Return a config with the widths of its inputs and, where it has one, of its target."""
    widths: dict[str, Any] = {"u_dim": u_dim}
    if hasattr(config, "y_dim"):
        widths["y_dim"] = y_dim
    return replace(config, **widths)


def _model_without_inputs(config: ModelConfig, tracks: Tracks) -> Model:
    """Return a model of the same kind, to ask what it needs before its input width is known."""
    with drawing_from(torch.Generator()):
        return make_model(with_widths(config, u_dim=0, y_dim=tracks.y_dim))


def _usable(
    tracks: Tracks,
    preprocessor: Preprocessor,
    model: Model,
    settings: TrainConfig,
    notes: list[str],
    name: str,
) -> Tracks:
    """Return the tracks that have something to score, and a point in the prefix if it is read."""
    given = preprocessor.transform.given
    observe = (settings.observe or 0) if reads_prefix(model) else given
    kept = preprocessor.trim(tracks, observe + 1)
    if reads_prefix(model):
        there = [observed_rows(x[:observe], preprocessor).any() for x in kept.x]
        kept = kept[np.flatnonzero(there)]
    if len(kept) < len(tracks):
        notes.append(
            f"{len(tracks) - len(kept)} {name} tracks with fewer than {observe + 1} usable rows "
            "are left out"
        )
    return kept


def fingerprint(*parts: Tracks) -> str:
    """Return a digest of all values of some tracks."""
    digest = hashlib.sha256()
    for tracks in parts:
        for arrays in (tracks.x, tracks.times, tracks.u, tracks.y):
            digest.update(len(arrays).to_bytes(8, "little"))
            for a in arrays:
                digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()[:16]
