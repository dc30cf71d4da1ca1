"""From a person's tracks and settings to everything training needs, with each misfit named before work starts."""

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks, concatenate
from vrnn.data.windows import at_rate, windows
from vrnn.errors import ConfigError, DataError
from vrnn.inference.noise import Stream
from vrnn.kernels.recurrence import native_shape
from vrnn.models import Model, ModelConfig, make_model
from vrnn.trained import TrainedModel, build_network
from vrnn.training.config import TrainConfig

FEWEST_HELD_OUT = 10  # with fewer tracks than this none is held out


class Prepared(NamedTuple):
    """Hold what the loop works on: the untrained model and the pieces of tracks to train and validate on.

    Attributes:
        notes: sentences for the user about what was left out or split off.
        fingerprint: of the training and validation data, so that a run is resumed on its own data only.
    """

    trained: TrainedModel
    settings: TrainConfig
    train: Tracks
    val: Tracks
    notes: list[str]
    fingerprint: str


def prepare(
    config: ModelConfig, tracks: Tracks, settings: TrainConfig, val: Tracks | None
) -> Prepared:
    """Split, cut, fit the preprocessor and build the model.

    Raises:
        ConfigError: settings that fit neither each other nor the data.
        DataError: no usable track is left.
    """
    probe = _probe(config, tracks)
    _check(config, probe, tracks, settings)
    notes: list[str] = []
    if val is None:
        if settings.patience is not None and not held_out_count(tracks, settings.holdout):
            raise ConfigError(
                "stopping early needs validation tracks: give some, or set holdout above 0"
            )
        tracks, val = hold_out(tracks, settings.holdout, settings.seed, notes)
    if settings.augment.resamples:
        tracks = concatenate([at_rate(tracks, rate) for rate in settings.augment.rates])
    train, val = (
        pieces(part, settings.window, notes, name)
        for part, name in ((tracks, "training"), (val, "validation"))
    )
    preprocessor = Preprocessor.fit(
        train,
        settings.transform,
        probe.family,
        supervised=probe.supervised,
        observe=settings.observe,
        time_input=settings.time_input,
        position_input=settings.position_input,
    )
    preprocessor.check(val)
    train = _usable(train, preprocessor, probe, settings, notes, "training")
    val = _usable(val, preprocessor, probe, settings, notes, "validation")
    if not len(train):
        raise DataError(
            "no training track has enough usable rows; see what the data holds with: vrnn doctor DATA"
        )
    for part in (train, val):
        _check_values(part, preprocessor, probe)
    if settings.energy_weight:
        _check_futures(train, preprocessor, probe, settings)
    config = replace(
        config, **_widths(config, preprocessor.model_u_dim, tracks.y_dim if probe.supervised else 0)
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(
            settings.seed
        )  # not CUDA's, which fork_rng would not restore
        network = build_network(config, preprocessor)
    if settings.kernel == "native" and not native_shape(network):
        raise ConfigError(
            f"a native kernel is for a VRNN of depth 1 whose cell is a gru, without the position as an input, its posterior apart from its prior; found "
            f"{type(network).__name__}: leave kernel auto"
        )
    return Prepared(
        TrainedModel(network, preprocessor, config, settings.to_dict()),
        settings,
        train,
        val,
        notes,
        _fingerprint(train, val),
    )


def _widths(config: ModelConfig, u_dim: int, y_dim: int) -> dict[str, Any]:
    """Widths to set in a config, y_dim only in one that has it."""
    return {"u_dim": u_dim} | ({"y_dim": y_dim} if hasattr(config, "y_dim") else {})


def _probe(config: ModelConfig, tracks: Tracks) -> Model:
    """Build a model of the right kind to ask what it needs, before the width of its inputs is known."""
    if not isinstance(tracks, Tracks):
        raise DataError(
            f"expected tracks to train on, found {type(tracks).__name__}; read a file with vrnn.read_tracks(path)"
        )
    if not len(tracks):
        raise DataError("expected at least one track to train on, found none")
    with torch.random.fork_rng(devices=[]):
        return make_model(replace(config, **_widths(config, 0, tracks.y_dim)))


def _check(config: ModelConfig, probe: Model, tracks: Tracks, settings: TrainConfig) -> None:
    if config.x_dim != tracks.x_dim:
        raise ConfigError(
            f"the model is configured for x_dim={config.x_dim} and the tracks have {tracks.x_dim} columns of x "
            f"({', '.join(tracks.x_names)}); set x_dim or map the columns"
        )
    fewest = 1 + settings.transform.displacement
    if probe.conditions and (settings.observe is None or settings.observe < fewest):
        raise ConfigError(
            "a RolloutVAE that forecasts is trained to go on from a prefix: set observe to its number of points, at "
            f"least {fewest}; found {settings.observe}"
        )
    if settings.position_input:
        _check_position_input(probe, settings)
    if settings.chunk is not None and (
        probe.looks_ahead or probe.code_dim or probe.conditions or settings.transform.heading
    ):
        what = "a heading transform" if settings.transform.heading else f"{type(probe).__name__}"
        raise ConfigError(
            f"chunk goes through a sequence part by part, of a model that does not look ahead (rnn, vrnn, seq2seq): found {what}; leave it "
            f"None, or cut tracks into windows"
        )
    if settings.energy_weight and not any(probe.family.continuous):
        raise ConfigError(
            "energy_weight trains through draws of the emission, and those of kinds have no gradient: expected an emission with a continuous "
            "column, found none; choose one or leave energy_weight 0"
        )
    if settings.transform.geographic and settings.augment.moves:
        raise ConfigError(
            "augmentation turns, scales and jitters positions as in a plane, which for latitude and longitude is no motion on the globe; "
            "switch it or the geographic transform off"
        )
    if settings.augment.resamples and not (all(probe.family.continuous) and not probe.supervised):
        raise ConfigError(
            "augment.rates interpolates between rows, which columns of kinds and supervised targets do not allow; leave it 1.0"
        )
    if settings.augment.resamples and settings.transform.geographic:
        raise ConfigError(
            "augment.rates averages neighbouring rows, which longitudes on both sides of 180 degrees do not allow; leave it 1.0 or "
            "switch the geographic transform off"
        )
    if not settings.augment.active:
        return
    if probe.supervised:
        raise ConfigError(
            "augmentation changes x and not the target y of a supervised model; switch it off"
        )
    if settings.augment.transpose and set(probe.family.counts()) != {2}:
        raise ConfigError(
            "augment.transpose shifts the keys of a piano roll: expected every column to be binary, with emission bernoulli or "
            "nade; switch it off"
        )
    if not settings.augment.moves:
        return
    names = settings.transform.positions or tracks.x_names
    first_two = zip(tracks.x_names[:2], probe.family.continuous, strict=False)
    if tracks.x_dim < 2 or not all(continuous and name in names for name, continuous in first_two):
        raise ConfigError(
            "augmentation turns, scales and jitters the first two columns of x: expected two continuous positions, found "
            f"{', '.join(tracks.x_names[:2])}; switch it off or reorder the columns"
        )


def _check_position_input(probe: Model, settings: TrainConfig) -> None:
    """Refuse positions as inputs where there are none to know, or where they would not be those of the map."""
    if probe.supervised or probe.code_dim:
        what = (
            "a supervised model reads x itself"
            if probe.supervised
            else "a RolloutVAE reads a track at once"
        )
        raise ConfigError(
            f"position_input is for models of increments that go on row by row: {what}; switch it off"
        )
    if not settings.transform.displacement or not any(probe.family.continuous):
        raise ConfigError(
            "position_input: this transform models positions, which the model reads already; switch it off"
        )
    if settings.transform.heading or settings.augment.turns:
        what = (
            "a heading transform turns"
            if settings.transform.heading
            else "augmentation turns or scales"
        )
        raise ConfigError(
            f"position_input: {what} the map, so that places mean nothing; switch one of the two off"
        )


def _check_values(tracks: Tracks, preprocessor: Preprocessor, probe: Model) -> None:
    """Refuse data in which nothing is observed, and values that a discrete emission gives no mass."""
    arrays, names = (tracks.y, tracks.y_names) if probe.supervised else (tracks.x, tracks.x_names)
    if len(tracks) and not any(_rows_seen(a, preprocessor).any() for a in arrays):
        raise DataError(
            f"no row has the columns that are scored ({', '.join(names)}) observed; are they mapped right?"
        )
    for column, count in enumerate(probe.family.counts()):
        if not count:
            continue
        for name, a in zip(tracks.ids, arrays, strict=True):
            values = a[np.isfinite(a[:, column]), column]
            bad = values[(values != np.round(values)) | (values < 0) | (values >= count)]
            if len(bad):
                raise DataError(
                    f"track {name}, column {names[column]}: expected whole numbers from 0 to {count - 1} for its discrete "
                    f"emission, found {bad[0]:g}"
                )


def _check_futures(
    tracks: Tracks, preprocessor: Preprocessor, probe: Model, settings: TrainConfig
) -> None:
    """Refuse data of which no future can be scored."""
    arrays, first = (
        tracks.y if probe.supervised else tracks.x,
        settings.observe or preprocessor.transform.given + 1,
    )
    if not any(np.isfinite(a[first:]).all(-1).any() for a in arrays):
        raise ConfigError(
            f"energy_weight scores whole rows of the future: expected one after the first {first} rows of some track, found none; shorten "
            f"observe or leave energy_weight 0"
        )


def _rows_seen(values: np.ndarray, preprocessor: Preprocessor) -> np.ndarray:
    """Rows that count as observed, (T,): with some entry where entries stand alone, else with all."""
    there = np.asarray(np.isfinite(values))[preprocessor.transform.given :]
    return np.asarray(there.any(-1) if preprocessor.factorises else there.all(-1))


def held_out_count(tracks: Tracks, share: float) -> int:
    """Tracks that are held out of so many; none of few."""
    return 0 if len(tracks) < FEWEST_HELD_OUT else round(share * len(tracks))


def hold_out(tracks: Tracks, share: float, seed: int, notes: list[str]) -> tuple[Tracks, Tracks]:
    """Split off a share of the tracks to validate on, at random."""
    count = held_out_count(tracks, share)
    if not count:
        return tracks, tracks[:0]
    order = np.random.default_rng([seed, Stream.HOLDOUT]).permutation(len(tracks))
    notes.append(f"{count} of {len(tracks)} tracks are held out for validation")
    return tracks[np.sort(order[count:])], tracks[np.sort(order[:count])]


def pieces(
    tracks: Tracks,
    rows: int | None,
    notes: list[str],
    name: str,
    way_out: str = "train on whole tracks (window None), which may have gaps",
) -> Tracks:
    """Cut tracks into windows of so many complete rows; None leaves them whole.

    Raises:
        DataError: no track has as many.
    """
    if rows is None or not len(tracks):
        return tracks
    try:
        cut = windows(tracks, rows)
    except DataError as error:
        raise DataError(f"{name} tracks: {error}; or {way_out}") from error
    notes.append(f"{len(tracks)} {name} tracks give {len(cut)} windows of {rows} rows")
    return cut


def _usable(
    tracks: Tracks,
    preprocessor: Preprocessor,
    probe: Model,
    settings: TrainConfig,
    notes: list[str],
    name: str,
) -> Tracks:
    """Keep the tracks that have something to score and, where a prefix is read, a point in it after the given row."""
    given = preprocessor.transform.given
    observe = (settings.observe or 0) if probe.conditions else given
    kept = preprocessor.trim(tracks, observe + 1)
    if probe.conditions:
        there = [_rows_seen(x[:observe], preprocessor).any() for x in kept.x]
        kept = kept[np.flatnonzero(there)]
    if len(kept) < len(tracks):
        notes.append(
            f"{len(tracks) - len(kept)} {name} tracks with fewer than {observe + 1} usable rows are left out"
        )
    return kept


def _fingerprint(*parts: Tracks) -> str:
    digest = hashlib.sha256()
    for tracks in parts:
        for arrays in (tracks.x, tracks.times, tracks.u, tracks.y):
            digest.update(len(arrays).to_bytes(8, "little"))
            for a in arrays:
                digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()[:16]
