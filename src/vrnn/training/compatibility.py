"""Whether settings, a model and data fit each other, checked before any work."""

import numpy as np

from vrnn.data.preprocessor import Preprocessor
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Function, Setting
from vrnn.inference.traits import has_global_latent, looks_ahead, reads_prefix
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.training.config import TrainConfig
from vrnn.training.splits import held_out_count


def check_tracks(tracks: Tracks) -> None:
    """Refuse what is not a set of tracks, or an empty one.

    Raises:
        DataError: names what was found.
    """
    if not isinstance(tracks, Tracks):
        raise DataError(
            expected="tracks to train on",
            found=type(tracks).__name__,
            hint=("read a file with ", Function("read_tracks")),
        )
    if not len(tracks):
        raise DataError(expected="at least one track to train on", found="none")


def check_settings_fit(
    config: ModelConfig, model: Model, tracks: Tracks, settings: TrainConfig, val: Tracks | None
) -> None:
    """Refuse settings that fit neither the model nor the columns of the tracks.

    Args:
        config: the settings of the model.
        model: a model of that kind, of which only its properties are asked.
        tracks: the training data.
        settings: the settings of training.
        val: the validation data; None when a fraction of the tracks is held out.

    Raises:
        ConfigError: names the setting, what was expected and what was found.
    """
    if config.x_dim != tracks.x_dim:
        raise ConfigError(
            f"the tracks have {tracks.x_dim} columns of x ({', '.join(tracks.x_names)})",
            setting="x_dim",
            expected=f"{tracks.x_dim}",
            found=config.x_dim,
            hint=("set it, or map the columns with ", Setting("Columns.x")),
        )
    _check_prefix(model, settings)
    _check_causal(model, settings)
    _check_position_input(model, settings)
    _check_chunk(model, settings)
    if settings.energy_weight and not any(model.observation.continuous):
        raise ConfigError(
            "a score of futures trains through draws of the emission, and draws of discrete "
            "columns have no gradient",
            setting="energy_weight",
            expected="an emission with a continuous column",
            found="none",
            hint=("choose one, or set ", Setting("energy_weight", 0)),
        )
    _check_rates(model, settings)
    _check_random_changes(model, tracks, settings)
    if val is None and settings.patience and not held_out_count(tracks, settings.holdout):
        usual = TrainConfig().holdout
        enough = held_out_count(tracks, usual) > 0
        other = Setting("holdout", usual) if enough else Setting("patience", None)
        raise ConfigError(
            "stopping early needs validation tracks",
            hint=("give some as ", Setting("val"), ", or set ", other),
        )


def _check_prefix(model: Model, settings: TrainConfig) -> None:
    """Refuse a model that reads a prefix without the length of that prefix."""
    fewest = 1 + settings.transform.displacement
    if reads_prefix(model) and (settings.observe is None or settings.observe < fewest):
        raise ConfigError(
            "a RolloutVAE that forecasts is trained to go on from a prefix",
            found=settings.observe,
            hint=("set ", Setting("observe"), f" to its number of points, at least {fewest}"),
        )


def _check_causal(model: Model, settings: TrainConfig) -> None:
    """Refuse a causal transform for a model that does not read one row after the other."""
    if settings.transform.causal and (model.supervised or has_global_latent(model)):
        what = "a supervised model" if model.supervised else "a RolloutVAE"
        raise ConfigError(
            "a causal transform changes from row to row",
            setting="transform.causal",
            expected="a model of increments that reads one row at a time",
            found=what,
            hint="switch it off",
        )


def _check_position_input(model: Model, settings: TrainConfig) -> None:
    """Refuse positions as inputs where none are known, or where they are not those of the map."""
    if not settings.position_input:
        return
    if settings.transform.causal:
        raise ConfigError(
            "a causal transform makes all places alike",
            setting="position_input",
            hint="switch one of the two off",
        )
    if model.supervised or has_global_latent(model):
        what = (
            "a supervised model reads x itself"
            if model.supervised
            else "a RolloutVAE reads a track at once"
        )
        raise ConfigError(
            setting="position_input",
            expected="a model of increments that reads one row at a time",
            found=what,
            hint="switch it off",
        )
    if not settings.transform.displacement or not any(model.observation.continuous):
        raise ConfigError(
            "this transform models positions, which the model reads already",
            setting="position_input",
            hint="switch it off",
        )
    if settings.transform.heading or settings.augment.turns:
        what = (
            "a heading transform turns"
            if settings.transform.heading
            else "augmentation turns or scales"
        )
        raise ConfigError(
            f"{what} the map, so that places mean nothing",
            setting="position_input",
            hint="switch one of the two off",
        )


def _check_chunk(model: Model, settings: TrainConfig) -> None:
    """Refuse chunks of a sequence that is read as a whole."""
    if settings.chunk is None:
        return
    heading = settings.transform.heading
    if heading or looks_ahead(model, 0) or has_global_latent(model):
        found = "a heading transform" if heading else type(model).__name__
        raise ConfigError(
            setting="chunk",
            expected=(
                "a model that does not look ahead (rnn, vrnn, seq2seq) and no heading transform"
            ),
            found=found,
            cause="chunks are read one after the other",
            hint=("leave ", Setting("chunk"), " out, and cut long tracks with ", Setting("window")),
        )


def _check_rates(model: Model, settings: TrainConfig) -> None:
    """Refuse copies at other rates where rows cannot be interpolated."""
    if not settings.augment.resamples:
        return
    if model.supervised or not all(model.observation.continuous):
        raise ConfigError(
            "copies at other rates interpolate between rows, which discrete columns and "
            "supervised targets do not allow",
            setting="augment.rates",
            hint="leave it 1.0",
        )
    if settings.transform.geographic:
        raise ConfigError(
            "copies at other rates average neighbouring rows, which longitudes on both sides "
            "of 180 degrees do not allow",
            setting="augment.rates",
            hint=("leave it 1.0, or set ", Setting("transform.geographic", "")),
        )


def _check_random_changes(model: Model, tracks: Tracks, settings: TrainConfig) -> None:
    """Refuse random changes that the columns of the tracks do not allow."""
    augment = settings.augment
    if augment.moves and settings.transform.geographic:
        raise ConfigError(
            "augmentation turns, scales and jitters positions of a plane",
            cause="on the globe that is no motion",
            hint=("switch it off, or set ", Setting("transform.geographic", "")),
        )
    if augment.active and model.supervised:
        raise ConfigError(
            "augmentation changes x and not the target y of a supervised model",
            hint="switch it off",
        )
    if augment.transpose and set(model.observation.counts()) != {2}:
        raise ConfigError(
            "it shifts the keys of a piano roll",
            setting="augment.transpose",
            expected="every column to be binary, with emission bernoulli or nade",
            hint="switch it off",
        )
    if not augment.moves:
        return
    names = settings.transform.positions or tracks.x_names
    first_two = zip(tracks.x_names[:2], model.observation.continuous, strict=False)
    if tracks.x_dim < 2 or not all(continuous and name in names for name, continuous in first_two):
        raise ConfigError(
            "augmentation turns, scales and jitters the first two columns of x",
            expected="two continuous positions",
            found=", ".join(tracks.x_names[:2]),
            hint=("switch it off, or reorder the columns of ", Setting("Columns.x")),
        )


def check_values(tracks: Tracks, preprocessor: Preprocessor, model: Model) -> None:
    """Refuse data without an observed row, and values that a discrete emission gives no mass.

    Raises:
        DataError: names the columns, or the track, the column and the value.
    """
    role = "y" if model.supervised else "x"
    arrays, names = getattr(tracks, role), getattr(tracks, f"{role}_names")
    if len(tracks) and not any(observed_rows(a, preprocessor).any() for a in arrays):
        raise DataError(
            f"no row has the columns that are scored ({', '.join(names)}) observed",
            hint=("are those of ", Setting(f"Columns.{role}"), " the right ones?"),
        )
    for column, count in enumerate(model.observation.counts()):
        if not count:
            continue
        for name, a in zip(tracks.ids, arrays, strict=True):
            values = a[np.isfinite(a[:, column]), column]
            bad = values[(values != np.round(values)) | (values < 0) | (values >= count)]
            if len(bad):
                raise DataError(
                    where=f"track {name}, column {names[column]}",
                    expected=f"whole numbers from 0 to {count - 1} for its discrete emission",
                    found=f"{bad[0]:g}",
                )


def check_futures(
    tracks: Tracks, preprocessor: Preprocessor, model: Model, settings: TrainConfig
) -> None:
    """Refuse an energy score of data that has no future to score.

    Raises:
        ConfigError: names the rows that were expected.
    """
    if not settings.energy_weight:
        return
    first = settings.observe or preprocessor.transform.given + 1
    arrays = tracks.y if model.supervised else tracks.x
    if not any(np.isfinite(a[first:]).all(-1).any() for a in arrays):
        raise ConfigError(
            "a score of futures is over whole rows",
            setting="energy_weight",
            expected=f"one after the first {first} rows of some track",
            found="none",
            hint=("shorten ", Setting("observe"), " or set ", Setting("energy_weight", 0)),
        )


def observed_rows(values: np.ndarray, preprocessor: Preprocessor) -> np.ndarray:
    """Return which rows of a track (T, dim) count as observed, (T,).

    A row counts when one entry is there, or all of them where the emission needs whole rows.
    """
    there = np.asarray(np.isfinite(values))[preprocessor.transform.given :]
    return np.asarray(there.any(-1) if preprocessor.factorises else there.all(-1))
