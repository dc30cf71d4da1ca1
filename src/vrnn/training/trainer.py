"""The training loop: deterministic in (seed, step), however many processes share a step."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.errors import DataError
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.training.assemble import assemble, noise_of
from vrnn.training.augmentation import augmentation
from vrnn.training.batch_order import BatchSampler
from vrnn.training.early_stopping import Progress
from vrnn.training.ema import EMA
from vrnn.training.finite import check_gradient, check_terms
from vrnn.training.objective import Terms, Work, make_objective
from vrnn.training.prepare import Prepared
from vrnn.training.resume import TrainingState, optimiser_tensors, restore_optimiser, save_state
from vrnn.training.schedule import kl_weight, learning_rate
from vrnn.training.simulated import WORST
from vrnn.training.trackers import MAKE_ROOM, NoProgress, ProgressBar, Record, Tracker
from vrnn.training.validation import Validation, Validator
from vrnn.training.weights import Tensors, copy_weights, save_weights


class Counts(NamedTuple):
    """What the sums of a batch are divided by, over all processes.

    Attributes:
        rows: observed rows.
        energy_rows: rows of the futures; the observed rows where none are drawn.
        simulated: rows of the simulated tracks; the observed rows where there are none.
    """

    rows: Float[Tensor, ""]
    energy_rows: Float[Tensor, ""]
    simulated: Float[Tensor, ""]


class Trainer:
    """One training run between its first step and its last.

    Args:
        prepared: the model and the data.
        accelerator: the `Accelerator` of this process.
        folder: the run folder; None to write nothing.
        state: the state to go on from; None to begin at step 0.
    """

    def __init__(
        self,
        prepared: Prepared,
        accelerator: Accelerator,
        folder: Path | None,
        state: TrainingState | None,
    ):
        self.trained, self.network = prepared.trained, prepared.trained.network
        self.settings = settings = prepared.settings
        self.tracks, val = prepared.train, prepared.val
        self.accelerator, self.folder = accelerator, folder
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if state is not None:
            self.network.load_state_dict(state.model)
        self.plain_objective = make_objective(self.trained, settings)
        self.objective, self.optimiser = accelerator.prepare(self.plain_objective, optimiser)
        if state is not None:
            restore_optimiser(self.optimiser.optimizer, state.optimiser)
        self.simulated, self.starts_trained = prepared.simulated, prepared.starts_trained
        self.sampler = BatchSampler(self.tracks.lengths, settings.batch_size, settings.seed)
        self.validate = Validator(self.trained, self.plain_objective, val) if len(val) else None
        self.progress = state.progress if state else Progress(stopped=not prepared.trains)
        self.best: Tensors = state.best if state else copy_weights(self.network)
        self.ema = EMA(self.network, settings.ema_decay, state.ema if state else None)
        self.history: list[Record] = []

    def run(self, bar: ProgressBar | NoProgress, trackers: list[Tracker]) -> None:
        """Train to the last step, or until validation stops improving."""
        started, settings = time.perf_counter(), self.settings
        if self.starts_trained and self.validate is not None and not self.progress.step:
            first = {"step": 0, **self._validate(), "seconds": 0.0}
            self._report(first, trackers)
            bar.say(f"step 0/{settings.steps}  validation {first['val_bound']:.4f}")
        if self.progress.stopped or self.progress.step == settings.steps:
            self._save()  # again, which mends a run whose weights were lost
        while self.progress.step < settings.steps and not self.progress.stopped:
            step = self.progress.step
            record = self._train_step(step)
            self.progress.step = step + 1
            if self._is_validated(step):
                with self.ema.applied():
                    record |= self._validate()
            if self._is_reported(step):
                seconds = round(time.perf_counter() - started, 3)
                record = {"step": step + 1, **record, "seconds": seconds}
                self._report(record, trackers)
            bar.advance()
            if self._is_validated(step):
                bar.say(progress_line(record, settings.steps))
                self._save()

    def _report(self, record: Record, trackers: list[Tracker]) -> None:
        """Keep a record, and give it to all trackers."""
        self.history.append(record)
        for tracker in trackers:
            tracker.log(dict(record))

    def _is_validated(self, step: int) -> bool:
        """Return whether a validation follows a step."""
        return step + 1 == self.settings.steps or (step + 1) % self.settings.validate_every == 0

    def _is_reported(self, step: int) -> bool:
        """Return whether a step has a record."""
        return step % self.settings.log_every == 0 or self._is_validated(step)

    def _train_step(self, step: int) -> Record:
        """Take one optimiser step, and return its record if it has one."""
        settings = self.settings
        if step == settings.first_future:
            # From now on a validation measures another quantity.
            self.progress.best_value, self.progress.waited = None, 0
        work, counts, names = self._batch(step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(settings, step)
        found: Terms = self.objective(work, step)
        count = len(names)
        names += ["that was simulated"] * (len(found.nll) - count)
        check_terms(found, step, names)
        terms, beside = found.of(slice(count)), found.of(slice(count, None))
        loss = (terms.nll + terms.penalty).sum() / counts.rows
        if self.simulated is not None:
            kept = beside.nll < WORST * beside.rows
            other = torch.where(kept, beside.nll + beside.penalty, 0.0).sum() / counts.simulated
            loss = (1 - self.simulated.share) * loss + self.simulated.share * other
        loss = loss + settings.energy_weight * terms.score.sum() / counts.energy_rows
        self.optimiser.zero_grad()
        # Data-parallel wrappers average the gradients of the processes.
        self.accelerator.backward(loss * self.accelerator.num_processes)
        norm = self.accelerator.clip_grad_norm_(self.network.parameters(), settings.grad_clip)
        assert norm is not None  # accelerate returns None only under DeepSpeed
        check_gradient(norm, self.plain_objective, work, step, names)
        self.optimiser.step()
        self.ema.update(step)
        if not self._is_reported(step):
            return {}
        record = self._record(terms, loss, counts, step, drew_futures=work.future is not None)
        return {
            **record,
            "gradient_norm": float(norm),
            "learning_rate": learning_rate(settings, step),
        }

    def _batch(self, step: int) -> tuple[Work, Counts, list[str]]:
        """Return this process's part of a batch, the counts of all of it, and its tracks' names."""
        settings = self.settings
        tracks = self.tracks[self.sampler.batch(step)]
        futures = seeded(settings.seed, Stream.TRAIN_CUTS, step)
        work = assemble(
            self.trained,
            self.plain_objective,
            tracks,
            samples=settings.samples,
            noise=seeded(settings.seed, Stream.TRAIN, step),
            futures=futures if step >= settings.first_future else None,
            change=augmentation(settings.augment, settings.seed, step, settings.steps),
        )
        rows = self._rows(work)
        energy_rows = work.future.scored.sum().clamp(min=1) if work.future else rows
        part = self._part(len(tracks))
        work, simulated = work.sequences(part), rows
        if self.simulated is not None:
            beside = self._simulated_work(self.simulated.batch(step), step)
            simulated = self._rows(beside)
            work = work.joined(beside.sequences(self._part(self.simulated.count)))
        return work, Counts(rows, energy_rows, simulated), list(tracks.ids[part])

    def _rows(self, work: Work) -> Float[Tensor, ""]:
        """Return the number of observed rows that count, at least 1."""
        return work.batch.mask[:, self.trained.first_scored :].sum().clamp(min=1)

    def _part(self, count: int) -> slice:
        """Return the part of some sequences that falls to this process."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        return slice(index * count // processes, (index + 1) * count // processes)

    def _simulated_work(self, batch: Batch, step: int) -> Work:
        """Return the work on simulated tracks."""
        batch = batch.to(next(self.network.parameters()))
        source = seeded(self.settings.seed, Stream.TRAIN_SIMULATED, step)
        noise = noise_of(self.plain_objective, batch, self.settings.samples, source)
        return Work(None, batch, noise, None)

    def _record(
        self, terms: Terms, loss: Tensor, counts: Counts, step: int, drew_futures: bool
    ) -> Record:
        """Return what is reported of a step, over all processes."""
        parts = (
            loss,
            terms.nll.sum() / counts.rows,
            terms.penalty.sum() / counts.rows,
            terms.score.sum() / counts.energy_rows,
            terms.bound.sum(),
            terms.rows.sum(),
        )
        sums = self.accelerator.reduce(torch.stack([part.detach() for part in parts]), "sum")
        loss_sum, nll, penalty, score, bound, rows = sums.tolist()
        weight = kl_weight(self.settings, step)
        # A weighted KL changes which particles FIVO keeps, so that its number is no bound.
        is_bound = weight == 1.0 or self.settings.objective != "fivo"
        return {
            "loss": loss_sum,
            "nll": nll,
            "penalty": penalty,
            "kl_weight": weight,
            **({"score": score} if drew_futures else {}),
            "bound": bound / max(rows, 1.0) if is_bound else None,
        }

    def _validate(self) -> Record:
        """Measure the present weights on the validation tracks, and keep them if they are best."""
        progress, settings = self.progress, self.settings
        if self.validate is None:
            self.best, progress.best_step = copy_weights(self.network), progress.step
            return {}
        draws_futures = progress.step > settings.first_future
        found = self.validate(progress.step, draws_futures)
        counts = draws_futures or not settings.energy_weight  # no stop before futures are drawn
        if progress.validated(found.value, patience=settings.patience, counts=counts):
            self.best = copy_weights(self.network)
        return {
            "val_bound": found.bound,
            **use_record(found),
            **({"val_score": found.score} if draws_futures else {}),
        }

    def _save(self) -> None:
        """Write the best weights and the state to go on from.

        Raises:
            DataError: a place that cannot be written any more; what was written before stays whole.
        """
        if self.folder is None or not self.accelerator.is_main_process:
            return
        progress, written = self.progress, (self.folder / "model.safetensors").is_file()
        optimiser = optimiser_tensors(self.optimiser.optimizer)
        weights = copy_weights(self.network)
        state = TrainingState(weights, self.best, self.ema.weights, optimiser, progress)
        try:
            if progress.best_step == progress.step or not written:
                save_weights(self.folder, self.best)
            save_state(self.folder, state)
            if progress.step == self.settings.steps or progress.stopped:
                save_weights(self.folder, self.best)
        except DataError as error:
            raise DataError(error, hint=MAKE_ROOM) from error


def progress_line(record: Record, steps: int) -> str:
    """Return what is said after a validation."""
    parts = [f"step {record['step']}/{steps}", f"loss {record['loss']:.4f}"]
    if record["bound"] is not None:
        parts.append(f"bound {record['bound']:.4f} nats/step")
    if "val_bound" in record:
        score = f", futures {record['val_score']:.4f}" if "val_score" in record else ""
        parts.append(f"validation {record['val_bound']:.4f}{score}")
    if "val_latent_nats" in record:
        used = (
            f", {record['categories_used']} categories in use"
            if "categories_used" in record
            else ""
        )
        parts.append(f"latents {record['val_latent_nats']:.3f} nats/step{used}")
    return "  ".join([*parts, f"{record['seconds']:.0f} s"])


def use_record(found: Validation) -> Record:
    """Return what is reported of the use of latents; nothing of a model without them."""
    use, record = found.use, Record()
    if not use.units:
        return record
    if not use.has_posterior:
        record["val_regulariser"] = found.regulariser
    record |= {"val_latent_nats": use.nats, "nats_per_unit": use.nats_per_unit}
    return record | ({"categories_used": use.categories_used} if use.categories else {})
