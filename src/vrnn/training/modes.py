"""Multiple-choice learning: k futures of a trained model that are to have one near whatever happens."""

import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Change, Preprocessor
from vrnn.data.tracks import Tracks, concatenate
from vrnn.data.windows import at_rate
from vrnn.errors import ConfigError, DataError, NonFiniteError
from vrnn.inference.noise import Stream, seeded
from vrnn.models.modes import ModeHead, ModesConfig
from vrnn.objectives.best_of import BestOf, best_of_paths
from vrnn.objectives.futures import cut_rows, positions
from vrnn.trained import TrainedModel
from vrnn.training.checkpoint import check_weights, copy_weights, save_representatives
from vrnn.training.config import TrainConfig
from vrnn.training.ema import Average
from vrnn.training.mode_context import check_modes, context_of
from vrnn.training.order import Order, augmentation
from vrnn.training.prepare import hold_out, pieces
from vrnn.training.resolve import ModelOrFolder, resolve_model
from vrnn.training.trackers import Progress, Quiet

CLIP = 1.0  # largest norm of the gradient
VALIDATION_BATCH = 512


def fit_modes(
    tracks: Tracks,
    *,
    model: ModelOrFolder,
    config: ModesConfig | None = None,
    out: str | Path | None = None,
    val: Tracks | None = None,
    quiet: bool = False,
) -> TrainedModel:
    """Train a head on the states of a model, which stays as it is, to give k futures and how likely each is.

    minimise  mean over tracks of  min_k mean_t || x^k_t - y_t ||  +  w min_k || x^k_T - y_T ||  -  log p(nearest k),  T the last row

    Each future is pulled by the tracks it is nearest to, so that together they cover what happens: what the best of k measures, where
    samples are independent of one another. Random changes of the tracks are those that the model was trained with.

    Args:
        model: a trained model of positions.
        tracks: training data, the model's own as a rule.
        config: see `ModesConfig`.
        val: tracks that choose the weights; when None a share of `tracks` is held out, the one that the model's training held out where
            the tracks are the same.
        out: the model's run folder, to keep them in for `vrnn.load`; nothing is written when None.
        quiet: show no progress.

    Returns:
        the model with its representatives.

    Raises:
        UnsupportedError: a model whose futures no distance compares.
        ConfigError, DataError: settings or data that cannot work.
        NonFiniteError: a loss that is not finite.
        RunFolderError: `out` is no run folder, or another model's.

    Source: Guzman-Rivera, Batra and Kohli 2012, "Multiple choice learning"; Rupprecht et al. 2017, arXiv:1612.00197.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> config = vrnn.ModesConfig(count=5, horizon=4, steps=5)
        >>> vrnn.fit_modes(tracks, model=run.model, config=config, quiet=True).modes.config.count
        5
    """
    config = config or ModesConfig()
    model = resolve_model(model)
    tracks, val = model.as_tracks(tracks), None if val is None else model.as_tracks(val)
    check_modes(model)
    folder = None if out is None else Path(out)
    if folder is not None:
        check_weights(folder, model)  # before any work
    notes: list[str] = []
    work = _prepare(model, tracks, config, val, notes)
    progress = Quiet() if quiet else Progress(config.steps, 0)
    try:
        for note in notes:
            progress.say(note)
        _fit(work, progress)
    finally:
        progress.close()
    if folder is not None:
        save_representatives(folder, work.head, model)
    return replace(model, modes=work.head.eval())


class _Work(NamedTuple):
    """Hold what the loop works on: the head to train, cut tracks, and where their futures begin in batches."""

    model: TrainedModel
    head: ModeHead
    train: Tracks
    val: Tracks
    observe: int | None
    unit: Float[Tensor, " dim"]

    @property
    def config(self) -> ModesConfig:
        return self.head.config


def _prepare(
    model: TrainedModel,
    tracks: Tracks,
    config: ModesConfig,
    val: Tracks | None,
    notes: list[str],
) -> _Work:
    """Cut the tracks and build the head."""
    preprocessor, settings = model.preprocessor, TrainConfig.from_dict(model.training)
    augment = settings.augment
    observe = _observe(model, config)
    if val is None:
        tracks, val = hold_out(tracks, settings.holdout, settings.seed, notes)
    if augment.resamples:
        tracks = concatenate([at_rate(tracks, rate) for rate in augment.rates])
    rows = None if observe is None else observe + config.horizon
    given = preprocessor.transform.given
    train, val = (
        _usable(
            pieces(part, rows, notes, name, "lower horizon or observe"), preprocessor, given + 2
        )
        for part, name in ((tracks, "training"), (val, "validation"))
    )
    if not len(train):
        raise DataError(
            "no training track has a point to begin at and one to come to; see what the data holds with: vrnn doctor DATA"
        )
    longest = int(train.lengths.max()) - given - 1
    if longest < config.horizon:
        raise DataError(
            f"no training track has {config.horizon} rows after those that a future begins from: the longest future has {longest}; lower horizon"
        )
    weight = next(model.network.parameters())
    batch = preprocessor.batch(train[:1])[0].to(weight)
    width = context_of(model.network, batch, batch.u[:, :1]).state.shape[-1]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        head = ModeHead(width, batch.x.shape[-1], config).to(weight)
    standard = preprocessor.transform.standardise
    unit = weight.new_tensor(standard.scale if standard else (1.0,) * preprocessor.transform.dim)
    return _Work(model, head, train, val, None if observe is None else observe - given, unit)


def _observe(model: TrainedModel, config: ModesConfig) -> int | None:
    """Give the rows of a track before its future, None for anywhere."""
    heading, given = model.preprocessor.transform.heading, model.preprocessor.transform.given
    observe = model.observe if config.observe is None else config.observe
    if heading is not None and observe != heading.row + 1:
        raise ConfigError(
            f"the model turns tracks to their heading at row {heading.row + 1}: expected observe of {heading.row + 1}, found {observe}"
        )
    if observe is not None and observe < given + 1:
        raise ConfigError(f"expected observe of at least {given + 1} rows, found {observe}")
    return observe


def _usable(tracks: Tracks, preprocessor: Preprocessor, least: int) -> Tracks:
    return preprocessor.trim(tracks, least) if len(tracks) else tracks


def _fit(work: _Work, progress: Progress | Quiet) -> None:
    """Train the head, and leave it with the averaged weights of the best validation."""
    head, config = work.head, work.config
    optimiser = torch.optim.Adam(head.parameters(), lr=config.learning_rate)
    average = Average(head, config.average, {})
    order = Order(work.train.lengths, config.batch_size, config.seed)
    best, least = copy_weights(head), math.inf
    augment = TrainConfig.from_dict(work.model.training).augment
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * (
                0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / config.steps))
            )
        change = (
            augmentation(augment, config.seed, step)
            if step < augment.until * config.steps
            else None
        )
        found = _terms(
            work,
            work.train[order.batch(step)],
            seeded(config.seed, Stream.TRAIN_MODES, step),
            change,
        )
        loss = found.loss(config.final_weight)
        if not bool(torch.isfinite(loss)):
            raise NonFiniteError(
                f"step {step}: the loss of the representatives is not finite; lower learning_rate, or look at the data with vrnn doctor"
            )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP)
        optimiser.step()
        average.update(step)
        progress.advance()
        if step + 1 == config.steps or (step + 1) % config.validate_every == 0:
            with average.applied():
                value = _validate(work, step + 1, progress)
                if value <= least:
                    best, least = copy_weights(head), value
    head.load_state_dict(best)


class _Terms(NamedTuple):
    """Hold the distances of a batch and the log-probability of the nearest futures; `counted` are the tracks that have a future."""

    best: BestOf
    log_weight: Float[Tensor, " batch"]
    counted: Tensor

    def loss(self, final_weight: float) -> Tensor:
        each = self.best.average + final_weight * self.best.final - self.log_weight
        return torch.where(self.counted, each, 0.0).sum() / self.counted.sum().clamp(min=1)


def _terms(
    work: _Work, tracks: Tracks, generator: torch.Generator, change: Change | None = None
) -> _Terms:
    """Measure the futures that the head gives of some tracks."""
    network, config = work.model.network, work.config
    batch: Batch = work.model.preprocessor.batch(tracks, change)[0].to(work.unit)
    prefix, rest = cut_rows(batch, generator, rows=config.horizon, observe=work.observe)
    horizon = rest.x.shape[1]
    u = torch.nn.functional.pad(rest.u, (0, 0, 0, config.horizon - horizon))
    seen = context_of(network, prefix, u)
    x, log_weight = work.head(seen.state, seen.rollout)
    paths = positions(x[:, :, :horizon], seen.gap, rest.is_increment) * work.unit
    truth = positions(rest.x, torch.zeros_like(seen.gap), rest.is_increment) * work.unit
    there = rest.present.all(-1)
    best = best_of_paths(paths, truth, there)
    return _Terms(best, log_weight.gather(0, best.nearest[None])[0], there.any(-1))


@torch.no_grad()
def _validate(work: _Work, step: int, progress: Progress | Quiet) -> float:
    """Give the distances of the loss on the validation tracks, without that of the probabilities; 0 where there are none."""
    if not len(work.val):
        return 0.0
    order = work.val.lengths.argsort(kind="stable")
    parts = [
        _terms(
            work,
            work.val[order[i : i + VALIDATION_BATCH]],
            seeded(work.config.seed, Stream.VALIDATE_MODES, i),
        )
        for i in range(0, len(order), VALIDATION_BATCH)
    ]
    counted = torch.cat([p.counted for p in parts])
    average, final, log_weight = (
        float(torch.cat(column)[counted].double().mean()) if bool(counted.any()) else 0.0
        for column in zip(
            *((p.best.average, p.best.final, p.log_weight) for p in parts), strict=True
        )
    )
    if not math.isfinite(average + final):
        raise NonFiniteError(
            f"step {step}: the distances on the validation tracks are not finite; look at them with vrnn doctor"
        )
    progress.say(
        f"step {step}/{work.config.steps}  validation, best of {work.config.count}: mean distance {average:.4f}, at the end {final:.4f}, "
        f"log-probability of the nearest {log_weight:.3f}"
    )
    return average + work.config.final_weight * final
