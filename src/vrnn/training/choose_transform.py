"""The causal transform or none, chosen by two short trainings."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, NonFiniteError
from vrnn.models.config import ModelConfig
from vrnn.training.accelerator import make_accelerator
from vrnn.training.choose_training import PLACES, ChosenTraining
from vrnn.training.config import TrainConfig
from vrnn.training.prepare import Prepared, prepare
from vrnn.training.run import run_prepared
from vrnn.training.splits import FEWEST_TRACKS, held_out_count, in_parts

TRIAL_STEPS = 300
"""Steps of a short training, at most."""
TRIAL_SHARE = 0.1
"""Share of all steps that a short training has, at most."""
FEWEST_STEPS = 500
"""Steps of a training below which nothing is compared."""
TRIAL_ROWS = 200_000
"""Rows of the tracks that are trained on, about."""


def choose_transform(
    tracks: Tracks,
    config: ModelConfig | None,
    settings: TrainConfig,
    val: Tracks | None,
    named: Collection[str] = (),
) -> ChosenTraining:
    """Return settings with the causal transform, where a short training validates better with it.

    Where all tracks move alike but for scale and direction, as vessels do, the causal transform
    learns from few of them. It hides speed, direction and place, which matter for people in a street.
    So two short trainings, with it and without, compare their bounds on validation tracks.

    They compare only where training is on windows of positions, see `choose_training`.

    Args:
        tracks: the training data.
        config: the model; None is the one that `train` would choose.
        settings: the settings of training so far.
        val: validation tracks; None holds some out.
        named: settings that a user gave; nothing is compared if `causal` is one of them.

    Returns:
        the settings, and a reason if the two were compared.
    """
    transform = settings.transform
    compares = (
        settings.window is not None
        and "causal" not in named
        and settings.steps >= FEWEST_STEPS
        and tracks.x_dim in PLACES
        and not (tracks.u_dim or tracks.y_dim or settings.time_input or settings.position_input)
        and not (settings.augment.active or settings.augment.resamples or settings.energy_weight)
        and replace(transform, geographic="") == type(transform)()
        and (val is not None or held_out_count(tracks, settings.holdout) > 0)
    )
    if not compares:
        return ChosenTraining(settings, ())
    steps = trial_steps(settings.steps)
    short = replace(settings, steps=steps, warmup=min(settings.warmup, steps // 3), patience=None)
    causal = replace(transform, causal=True)
    parts = in_parts(tracks)
    some = parts[_some(parts)]
    try:
        both = [
            prepare(config, some, replace(short, transform=each), val)
            for each in (transform, causal)
        ]
    except (ConfigError, DataError):  # a model or data that cannot be transformed
        return ChosenTraining(settings, ())
    bounds = [_bound(prepared) for prepared in both]
    if not np.isfinite(bounds).any():
        return ChosenTraining(settings, ())
    better = bounds[1] > bounds[0]
    flag = "--causal" if better else "--no-causal"
    reason = (
        f"{flag}, which validates better: {max(bounds):.2f} against {min(bounds):.2f} nats a row "
        f"after {steps} steps"
    )
    return ChosenTraining(replace(settings, transform=causal if better else transform), (reason,))


def trial_steps(steps: int) -> int:
    """Return the steps of each of the two short trainings.

    >>> trial_steps(2000), trial_steps(10_000)
    (200, 300)
    """
    return min(TRIAL_STEPS, int(TRIAL_SHARE * steps))


def _bound(prepared: Prepared) -> float:
    """Return the bound on validation tracks after a training, -inf where it diverges."""
    try:
        history = run_prepared(prepared, make_accelerator(), None, False, None, True).history
    except NonFiniteError:
        return -np.inf
    return max((r["val_bound"] for r in history if "val_bound" in r), default=-np.inf)


def _some(tracks: Tracks) -> Int[np.ndarray, " some"]:
    """Return tracks, spread evenly over all, of about `TRIAL_ROWS` rows."""
    share = min(1.0, TRIAL_ROWS / max(int(tracks.lengths.sum()), 1))
    count = max(min(FEWEST_TRACKS, len(tracks)), round(share * len(tracks)))
    return np.unique(np.linspace(0, len(tracks) - 1, count).astype(int))
