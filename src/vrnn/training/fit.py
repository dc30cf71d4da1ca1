"""The training loop: deterministic in (seed, step), whatever process does which part and however often it was killed."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from vrnn.data.preprocessor import Change
from vrnn.data.tracks import Tracks
from vrnn.errors import NonFiniteError
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.models import ModelConfig
from vrnn.models.vrnn import VRNNConfig
from vrnn.trained import TrainedModel
from vrnn.training.checkpoint import (
    Checkpoint,
    Tensors,
    copy_weights,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
    save_config,
    save_weights,
)
from vrnn.training.collapse import CollapseReport, collapse_report
from vrnn.training.config import TrainConfig
from vrnn.training.ema import Average
from vrnn.training.folder import open_folder
from vrnn.training.objective import Objective, Terms, Work
from vrnn.training.order import Order, augmentation
from vrnn.training.prepare import Prepared, prepare
from vrnn.training.trackers import MetricsFile, Progress, Quiet, Record, Tracker

VALIDATION_ROWS = 16384  # rows, padding included, that a validation batch holds
CUTS = 8  # places that each validation track is cut at where futures begin anywhere


class Run(NamedTuple):
    """Hold the outcome of training.

    Attributes:
        model: the model with the weights of the best validation.
        history: the records of metrics.jsonl of this call.
        report: use of the latents on validation data, None without any.
        path: the run folder, None when nothing was written.
    """

    model: TrainedModel
    history: list[Record]
    report: CollapseReport | None
    path: Path | None


def train(
    tracks: Tracks,
    *,
    config: ModelConfig | None = None,
    training: TrainConfig | None = None,
    out: str | Path | None = None,
    val: Tracks | None = None,
    resume: bool = False,
    tracker: Tracker | None = None,
    quiet: bool = False,
) -> Run:
    """Train a model by maximising the evidence lower bound.

    minimises  sum_i ( -log p(x_i | s_i) + w KL_i ) / (observed rows of the batch),  w rising to 1 in the warm-up

    and with `energy_weight`, from some step on, that times the mean energy score of the rows of futures that the model draws alone.

    Widths of inputs and targets are taken from the tracks. Under `torchrun` every process takes its part of the batch, and
    the losses are those of one process.

    Args:
        tracks: training data, in any units.
        config: the model; `x_dim` must be the number of x columns. A VRNN when None.
        training: see `TrainConfig`; its defaults when None.
        out: run folder to write; nothing is written when None.
        val: validation tracks; a share of `tracks` is held out when None.
        resume: go on from the run folder's last state, to the weights that an uninterrupted run would have had.
        tracker: receives every record that goes to metrics.jsonl.
        quiet: show no progress.

    Raises:
        ConfigError, DataError: settings or data that cannot work, before training starts.
        NonFiniteError: a loss or gradient that is not finite, with its step, term and track.
        RunFolderError: `out` holds a run already, or one that cannot be resumed.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.RNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> run.model.config.hidden
        8
    """
    from accelerate import Accelerator

    config, settings = config or VRNNConfig(x_dim=tracks.x_dim), training or TrainConfig()
    prepared = prepare(config, tracks, settings, val)
    accelerator = Accelerator()
    folder = Path(out) if out is not None else None
    main = accelerator.is_main_process
    checkpoint = open_folder(folder, prepared, resume)
    accelerator.wait_for_everyone()  # every process has looked into the folder before one writes to it
    if main and folder and not (folder / "config.json").exists():
        save_config(folder, prepared.trained, prepared.fingerprint)
    loop = Loop(prepared, accelerator, folder, checkpoint)
    progress = Progress(settings.steps, loop.step) if main and not quiet else Quiet()
    metrics = (
        MetricsFile(folder / "metrics.jsonl", loop.step if checkpoint else None)
        if main and folder
        else None
    )
    sinks = [t for t in (metrics, tracker) if t is not None and main]
    try:
        notes = prepared.notes if checkpoint is None else [f"going on from step {loop.step}"]
        if resume and checkpoint is None:
            notes = [*notes, "the run has no training state yet: starting it from step 0"]
        for note in notes:
            progress.say(note)
        loop.run(progress, sinks)
    finally:
        progress.close()
        if metrics:
            metrics.close()
    return loop.finish(folder)


class Loop:
    """One training run between its first step and its last."""

    def __init__(
        self, prepared: Prepared, accelerator, folder: Path | None, checkpoint: Checkpoint | None
    ):
        self.trained, self.data, self.val = prepared.trained, prepared.train, prepared.val
        self.settings, self.network = prepared.settings, self.trained.network
        self.accelerator, self.folder = accelerator, folder
        settings = self.settings
        preprocessor = self.trained.preprocessor
        observe = (
            None if settings.observe is None else settings.observe - preprocessor.transform.given
        )
        dim = self.network.family.dim
        scale = np.ones(dim) if self.network.supervised else preprocessor.relative_scale
        scale = np.where(self.network.family.continuous, scale, 0.0)  # kinds have no distance
        scale = torch.from_numpy(scale).to(next(self.network.parameters()))
        objective = Objective(self.network, settings, observe, self.trained.first_scored, scale)
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if checkpoint is not None:
            self.network.load_state_dict(checkpoint.model)
        self.split = objective.split
        self.plain_objective = objective
        self.objective, self.optimiser = accelerator.prepare(objective, optimiser)
        if checkpoint is not None:
            restore_optimiser(self.optimiser.optimizer, checkpoint.optimiser)
        self.order = Order(self.data.lengths, settings.batch_size, settings.seed)
        fresh: dict[str, Any] = {
            "step": 0,
            "best_value": None,
            "best_step": 0,
            "waited": 0,
            "stopped": False,
        }
        self.progress: dict[str, Any] = checkpoint.progress if checkpoint else fresh
        self.best: Tensors = checkpoint.best if checkpoint else copy_weights(self.network)
        self.average = Average(
            self.network, settings.average, checkpoint.average if checkpoint else {}
        )
        self.report: CollapseReport | None = None
        self.history: list[Record] = []

    @property
    def step(self) -> int:
        return self.progress["step"]

    def run(self, progress: Progress | Quiet, sinks: list[Tracker]) -> None:
        """Train to the last step, or until validation stops improving."""
        started, settings = time.perf_counter(), self.settings
        while self.step < settings.steps and not self.progress["stopped"]:
            step = self.step
            record = self._train_step(step)
            self.progress["step"] = step + 1
            last = step + 1 == settings.steps
            validate = last or (step + 1) % settings.validate_every == 0
            if validate:
                with self.average.applied():
                    record |= self._validate()
            if validate or step % settings.log_every == 0:
                record = {
                    "step": step + 1,
                    **record,
                    "seconds": round(time.perf_counter() - started, 3),
                }
                self.history.append(record)
                for sink in sinks:
                    sink.log(record)
            progress.advance()
            if validate:
                progress.say(_line(record, settings.steps))
                self._save()

    def finish(self, folder: Path | None) -> Run:
        """Put the best weights into the model and hand the run back."""
        self.network.load_state_dict(self.best)
        self.network.eval()
        return Run(self.trained, self.history, self.report, folder)

    def _train_step(self, step: int) -> Record:
        settings, accelerator = self.settings, self.accelerator
        index = self.order.batch(step)
        changes = step < settings.augment.until * settings.steps
        change = augmentation(settings.augment, settings.seed, step) if changes else None
        chance = (
            seeded(settings.seed, Stream.TRAIN_CUTS, step)
            if step >= settings.first_future
            else None
        )
        work = self._assemble(
            self.data[index],
            seeded(settings.seed, Stream.TRAIN, step),
            chance,
            settings.samples,
            change,
        )
        if step == settings.first_future:  # what is validated now is another quantity
            self.progress |= {"best_value": None, "waited": 0}
        count, processes = len(work.batch.x), accelerator.num_processes
        observed = work.batch.mask[:, self.trained.first_scored :].sum().clamp(min=1)
        energy_rows = work.future.scored.sum().clamp(min=1) if work.future else observed
        mine = slice(
            accelerator.process_index * count // processes,
            (accelerator.process_index + 1) * count // processes,
        )
        rate = _rate(settings, step)
        kl_weight = min(1.0, (step + 1) / settings.kl_warmup) if settings.kl_warmup else 1.0
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        index, work = index[mine], work.rows(mine)
        terms: Terms = self.objective(work, kl_weight)
        self._check_finite(terms, step, index)
        loss = (terms.nll + terms.penalty).sum() / observed
        loss = loss + settings.energy_weight * terms.score.sum() / energy_rows
        self.optimiser.zero_grad()
        accelerator.backward(loss * processes)  # data-parallel wrappers average the gradients
        norm = accelerator.clip_grad_norm_(self.network.parameters(), settings.clip)
        if not bool(torch.isfinite(norm)):
            track = self.data.ids[int(index[self._steepest(work, kl_weight)])]
            raise NonFiniteError(
                f"step {step}: the gradient of the loss of track {track} is not finite though the loss is; look at its values "
                f"with vrnn doctor, or lower learning_rate or clip"
            )
        self.optimiser.step()
        self.average.update(step)
        if (
            step % settings.log_every
            and (step + 1) % settings.validate_every
            and step + 1 < settings.steps
        ):
            return {}
        parts = (
            loss,
            terms.nll.sum() / observed,
            terms.penalty.sum() / observed,
            terms.score.sum() / energy_rows,
        )
        sums = torch.stack(
            [part.detach() for part in (*parts, terms.bound.sum(), terms.rows.sum())]
        )
        loss_sum, nll, penalty, score, bound, rows = accelerator.reduce(sums, "sum").tolist()
        # FIVO's particles are chosen by the weighted ratio
        bounds = kl_weight == 1.0 or settings.objective != "fivo"
        return {
            "loss": loss_sum, "nll": nll, "penalty": penalty, "kl_weight": kl_weight,
            **({"score": score} if work.future else {}),
            "bound": bound / max(rows, 1.0) if bounds else None, "gradient_norm": float(norm), "learning_rate": rate,
        }  # fmt: skip

    def _steepest(self, work: Work, kl_weight: float) -> int:
        """Find the sequence of a batch with the largest gradient, one that is not finite first."""
        parameters, norms = list(self.network.parameters()), []
        for i in range(len(work.batch.x)):
            terms = self.plain_objective(work.rows(slice(i, i + 1)), kl_weight)
            loss = (terms.nll + terms.penalty + self.settings.energy_weight * terms.score).sum()
            gradient = torch.autograd.grad(loss, parameters, allow_unused=True)
            norms.append(sum(float(g.norm()) for g in gradient if g is not None))
        return max(
            range(len(norms)), key=lambda i: norms[i] if math.isfinite(norms[i]) else math.inf
        )

    def _assemble(
        self,
        tracks: Tracks,
        generator: torch.Generator,
        chance: torch.Generator | None,
        samples: int,
        change: Change | None = None,
    ) -> Work:
        batch, _ = self.trained.preprocessor.batch(tracks, change)
        if self.network.supervised:
            batch = batch.swap_target()
        prefix, batch = self.split(batch.to(next(self.network.parameters())))
        noise = draw_noise(
            self.network,
            samples,
            len(batch.x),
            batch.x.shape[1],
            generator,
            observations=batch.gaps,
            resampling=self.settings.objective == "fivo",
        )
        future = None if chance is None else self.plain_objective.cut(prefix, batch, chance)
        return Work(prefix, batch, noise, future)

    @torch.no_grad()
    def _validate(self) -> Record:
        if not len(self.val):
            self.best, self.progress["best_step"] = copy_weights(self.network), self.step
            return {}
        samples = 1 if self.settings.objective == "elbo" else self.settings.samples
        most = max(samples, self.settings.energy_samples if self.settings.energy_weight else 1)
        per_batch = max(1, VALIDATION_ROWS // most // int(self.val.lengths.max()))
        order = self.val.lengths.argsort(kind="stable")
        parts = [
            self._validation_terms(i, order[i : i + per_batch], samples)
            for i in range(0, len(order), per_batch)
        ]
        bound, kl, rows, means, score, energy_rows = (
            torch.cat([getattr(p, name).cpu() for p in parts])
            for name in ("bound", "kl", "rows", "means", "score", "energy_rows")
        )
        found = float(bound.sum() / rows.sum().clamp(min=1))
        score = float(score.sum() / energy_rows.sum().clamp(min=1))
        value = found - self.settings.energy_weight * score
        self.report = collapse_report(
            kl, means, rows, self.network.code_dim - self.network.noise_dim
        )
        if self.progress["best_value"] is None or value > self.progress["best_value"]:
            self.progress |= {"best_value": value, "best_step": self.step, "waited": 0}
            self.best = copy_weights(self.network)
        elif self._draws_futures or not self.settings.energy_weight:  # no end before futures
            self.progress["waited"] += 1
            self.progress["stopped"] = self.progress["waited"] == self.settings.patience
        name = "val_regulariser" if self.network.tied else "val_kl"
        return {
            "val_bound": found, name: sum(self.report.kl), "kl_per_dimension": self.report.kl,
            "active_units": self.report.active_units, **({"val_score": score} if self._draws_futures else {}),
        }  # fmt: skip

    @property
    def _draws_futures(self) -> bool:
        """Whether the last step has drawn futures."""
        return self.step > self.settings.first_future

    def _validation_terms(self, i: int, index: Int[np.ndarray, " batch"], samples: int) -> Terms:
        """Compute the terms of some validation tracks; `i` numbers their noise."""
        seed = self.settings.seed
        chance = seeded(seed, Stream.VALIDATE_CUTS, i) if self._draws_futures else None
        work = self._assemble(self.val[index], seeded(seed, Stream.VALIDATE, i), chance, samples)
        terms = self.plain_objective(work, 1.0)
        if chance and self.settings.observe is None:  # one cut of each track would be much noise
            more = [
                self.plain_objective.cut(work.prefix, work.batch, chance) for _ in range(CUTS - 1)
            ]
            scores, rows = zip(
                *(self.plain_objective.score(future) for future in more), strict=True
            )
            terms = terms._replace(
                score=terms.score + sum(scores), energy_rows=terms.energy_rows + sum(rows)
            )
        self._check_finite(terms, self.step, index, self.val)
        return terms

    def _save(self) -> None:
        if self.folder is None or not self.accelerator.is_main_process:
            return
        if (
            self.progress["best_step"] == self.step
            or not (self.folder / "model.safetensors").is_file()
        ):
            save_weights(self.folder, self.best)
        tensors = optimiser_tensors(self.optimiser.optimizer)
        save_checkpoint(
            self.folder,
            Checkpoint(
                copy_weights(self.network), self.best, self.average.weights, tensors, self.progress
            ),
        )
        if self.step == self.settings.steps or self.progress["stopped"]:
            save_weights(self.folder, self.best)

    def _check_finite(self, terms: Terms, step: int, index, tracks: Tracks | None = None) -> None:
        if bool(torch.isfinite(terms.nll + terms.penalty + terms.score).all()):
            return
        for name, term in (
            ("log-likelihood", terms.nll),
            ("KL", terms.penalty),
            ("score of futures", terms.score),
        ):
            bad = ~torch.isfinite(term)
            if bool(bad.any()):
                track = (tracks or self.data).ids[int(index[int(bad.nonzero()[0])])]
                raise NonFiniteError(
                    f"step {step}: the {name} of track {track} is not finite; look at its values with vrnn doctor, lower "
                    f"learning_rate, or lower clip"
                )


def _rate(settings: TrainConfig, step: int) -> float:
    """Learning rate of a step: a linear rise, then constant or a half cosine down to a hundredth."""
    rise = min(1.0, (step + 1) / (settings.warmup + 1))
    if settings.schedule == "constant":
        return settings.learning_rate * rise
    done = min(1.0, max(0.0, (step - settings.warmup) / max(1, settings.steps - settings.warmup)))
    return settings.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _line(record: Record, steps: int) -> str:
    parts = [
        f"step {record['step']}/{steps}",
        f"loss {record['loss']:.4f}",
        *([f"bound {record['bound']:.4f} nats/step"] if record["bound"] is not None else []),
    ]
    if "val_bound" in record:
        score = f", futures {record['val_score']:.4f}" if "val_score" in record else ""
        parts.append(
            f"validation {record['val_bound']:.4f}{score}, {record['active_units']} active units"
        )
    return "  ".join([*parts, f"{record['seconds']:.0f} s"])
