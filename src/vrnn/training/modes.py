"""Fitting a mode set: k futures of a trained model, of which one is near whatever happens."""

import math
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, Function, NonFiniteError, Setting
from vrnn.files import check_writable, user_path
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.models.draws import drawing_from
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.trained import TrainedModel
from vrnn.training.augmentation import augmentation
from vrnn.training.batch_order import BatchSampler
from vrnn.training.config import TrainConfig
from vrnn.training.ema import EMA
from vrnn.training.lock import locked
from vrnn.training.mode_context import check_modes, context_of
from vrnn.training.mode_loss import ModeFit, mode_distances, mode_terms
from vrnn.training.modes_file import MODES, save_modes
from vrnn.training.resolve import ModelOrFolder, resolve_model
from vrnn.training.run_folder import check_weights
from vrnn.training.schedule import half_cosine
from vrnn.training.splits import at_all_rates, cut_windows, split_tracks
from vrnn.training.trackers import NoProgress, ProgressBar
from vrnn.training.weights import copy_weights

GRAD_CLIP = 1.0  # largest norm of the gradient

SHORTER = ("lower ", Setting("horizon"), " or ", Setting("observe"))
"""What a message advises where no track is long enough for a future."""


def fit_modes(
    tracks: Tracks,
    *,
    model: ModelOrFolder,
    config: ModesConfig | None = None,
    out: str | Path | None = None,
    val: Tracks | None = None,
    quiet: bool = False,
) -> TrainedModel:
    """Return a model with a mode set: k futures of each track and the probability of each.

    A head on the states of the model is trained to minimise the mean over tracks of

        min_k mean_t || x^k_t - y_t ||  +  w min_k || x^k_T - y_T ||  -  log p(nearest k)

    where T is the last row and w is `final_weight`. The model stays as it is. A track trains the
    future nearest to it alone, so together the futures cover what happens. Random changes of
    the tracks are those of the model's own training.

    Args:
        tracks: training data, as a rule the model's own.
        model: a trained model of positions, or its run folder.
        config: see `ModesConfig`. None takes its defaults.
        out: the model's run folder, to keep the mode set for `vrnn.load`; None writes nothing.
        val: tracks that choose the weights. None holds out a fraction of `tracks`. These are the
            tracks that the model's training held out, if the data is the same.
        quiet: show no progress.

    Raises:
        UnsupportedError: a model whose futures no distance compares.
        ConfigError, DataError: settings or data that cannot work.
        NonFiniteError: a loss that is not finite.
        RunFolderError: `out` is no run folder, that of another model, or one that a training
            writes to.

    Source: Guzman-Rivera, Batra and Kohli 2012, "Multiple choice learning"; Rupprecht et al.
    2017, arXiv:1612.00197.

    Example:
        >>> import numpy as np, vrnn
        >>> tracks = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(20, 12, 2)).cumsum(1)))
        >>> run = vrnn.train(tracks, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> config = vrnn.ModesConfig(count=5, horizon=4, steps=5)
        >>> vrnn.fit_modes(tracks, model=run.model, config=config, quiet=True).modes.config.count
        5
    """
    config, model = config or ModesConfig(), resolve_model(model)
    tracks, val = model.as_tracks(tracks), None if val is None else model.as_tracks(val)
    check_modes(model)
    folder = None if out is None else user_path(out)
    if folder is not None:
        check_weights(folder, model)  # before any work
        check_writable(folder / MODES)
    with nullcontext() if folder is None else locked(folder):
        notes: list[str] = []
        fit = prepare_modes(model, tracks, config, val, notes)
        with closing(NoProgress() if quiet else ProgressBar(config.steps, 0)) as bar:
            for note in notes:
                bar.say(note)
            _train(fit, bar)
        if folder is not None:
            save_modes(folder, fit.head, model.network)
    return replace(model, modes=fit.head.eval())


def prepare_modes(
    model: TrainedModel, tracks: Tracks, config: ModesConfig, val: Tracks | None, notes: list[str]
) -> ModeFit:
    """Return the untrained head with the tracks or windows to train and validate on.

    Args:
        model: the trained model.
        tracks: training data.
        config: settings of the mode set.
        val: validation data; None holds out a fraction of `tracks`.
        notes: gets sentences for the user about what was held out and cut.

    Raises:
        ConfigError: `observe` does not fit the model.
        DataError: no track is long enough.
    """
    given, settings = model.preprocessor.transform.given, TrainConfig.from_dict(model.training)
    observe = _observe(model, config)
    rows = None if observe is None else observe + config.horizon
    train, val = split_tracks(tracks, val, settings, notes)
    train = cut_windows(at_all_rates(train, settings), rows, notes, "training", way_out=SHORTER)
    val = cut_windows(val, rows, notes, "validation", way_out=SHORTER)
    # A track needs a point to begin at and one to come to.
    train, val = (
        model.preprocessor.trim(part, given + 2) if len(part) else part for part in (train, val)
    )
    if not len(train):
        raise DataError(
            "no training track has a point to begin at and one to come to",
            hint=("see what the data holds with ", Function("describe")),
        )
    longest = int(train.lengths.max()) - given - 1
    if longest < config.horizon:
        raise DataError(
            f"no training track has {config.horizon} rows after those that a future begins from",
            found=f"a longest future of {longest}",
            hint=("lower ", Setting("horizon")),
        )
    weight = next(model.network.parameters())
    batch = model.preprocessor.batch(train[:1])[0].to(weight)
    width = context_of(model.network, batch, batch.u[:, :1]).state.shape[-1]
    with drawing_from(torch.Generator().manual_seed(config.seed)):
        head = ModeHead(width, batch.x.shape[-1], config).to(weight)
    standard = model.preprocessor.transform.standardise
    dim = model.preprocessor.transform.dim
    unit = weight.new_tensor(standard.scale if standard else (1.0,) * dim)
    begin = None if observe is None else observe - given
    return ModeFit(model, head, settings, train, val, begin, unit)


def _observe(model: TrainedModel, config: ModesConfig) -> int | None:
    """Return the rows of a track before its future, None for anywhere."""
    heading, given = model.preprocessor.transform.heading, model.preprocessor.transform.given
    observe = model.observe if config.observe is None else config.observe
    if heading is not None and observe != heading.row + 1:
        raise ConfigError(
            f"the model turns tracks to their heading at row {heading.row + 1}",
            setting="observe",
            expected=f"{heading.row + 1}",
            found=observe,
        )
    if observe is not None and observe < given + 1:
        raise ConfigError(setting="observe", expected=f"at least {given + 1} rows", found=observe)
    return observe


def _train(fit: ModeFit, bar: ProgressBar | NoProgress) -> None:
    """Train the head, and leave it with the weights of the best validation."""
    head, config, augment = fit.head, fit.config, fit.settings.augment
    optimiser = torch.optim.Adam(head.parameters(), lr=config.learning_rate)
    ema = EMA(head, config.ema_decay)
    sampler = BatchSampler(fit.train.lengths, config.batch_size, config.seed)
    best, least = copy_weights(head), math.inf
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * half_cosine(math.pi * step / config.steps)
        change = augmentation(augment, config.seed, step, config.steps)
        tracks = fit.train[sampler.batch(step)]
        loss = mode_terms(fit, tracks, seeded(config.seed, Stream.TRAIN_MODES, step), change).loss(
            config.final_weight
        )
        if not bool(torch.isfinite(loss)):
            raise NonFiniteError(
                "the loss of the modes is not finite",
                where=f"step {step}",
                hint=(
                    "lower ",
                    Setting("learning_rate"),
                    ", or look at the data with ",
                    Function("describe"),
                ),
            )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), GRAD_CLIP)
        optimiser.step()
        ema.update(step)
        bar.advance()
        if step + 1 == config.steps or (step + 1) % config.validate_every == 0:
            with ema.applied():
                value = _validate(fit, step + 1, bar)
                if value <= least:
                    best, least = copy_weights(head), value
    head.load_state_dict(best)


def _validate(fit: ModeFit, step: int, bar: ProgressBar | NoProgress) -> float:
    """Return the distances of the loss on the validation tracks, 0 where there are none."""
    if not len(fit.val):
        return 0.0
    found = mode_distances(fit, step)
    bar.say(
        f"step {step}/{fit.config.steps}  validation, best of {fit.config.count}: "
        f"mean distance {found.average:.4f}, at the end {found.final:.4f}, "
        f"log-probability of the nearest {found.log_weight:.3f}"
    )
    return found.average + fit.config.final_weight * found.final
