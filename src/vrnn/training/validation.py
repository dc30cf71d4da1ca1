"""Validation: the bound, the energy score and the use of the latents on held-out tracks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.objectives.latent_use import LatentUse, UseSums, measure_use
from vrnn.trained import TrainedModel
from vrnn.training.assemble import assemble, prefix_and_batch
from vrnn.training.finite import check_terms
from vrnn.training.objective import Objective, Terms

ROWS = 16384  # rows of a validation batch, padding included
USED_ROWS = 65536  # rows that the use of latents is measured on after training
CUTS = 8  # places where each validation track is cut when futures may begin anywhere


class Validation(NamedTuple):
    """What one validation found.

    Attributes:
        bound: nats per observed row.
        score: energy score per row of the futures, 0 where none are drawn.
        value: what the best weights have the most of, the bound minus the weighted score.
        regulariser: KL to the fixed prior in nats per observed row, where the posterior is the
            prior; else 0.
        use: how much the latents are used, what costs nothing to know.
    """

    bound: float
    score: float
    value: float
    regulariser: float
    use: LatentUse


class Validator:
    """The validation of one run. Its noise is the same every time.

    Args:
        trained: the model and its preprocessor.
        objective: the objective of the training.
        tracks: the validation tracks.
    """

    def __init__(self, trained: TrainedModel, objective: Objective, tracks: Tracks):
        self.trained, self.objective, self.tracks = trained, objective, tracks
        self.settings = objective.config

    @torch.no_grad()
    def __call__(self, step: int, draws_futures: bool) -> Validation:
        """Return what the model's present weights come to.

        Args:
            step: the step to name in errors.
            draws_futures: whether the energy score is computed.

        Raises:
            NonFiniteError: a term of a validation track is not finite.
        """
        network, weight = self.trained.network, self.settings.energy_weight
        samples = 1 if self.settings.objective == "elbo" else self.settings.samples
        most = max(samples, self.settings.energy_samples if weight else 1)
        per_batch = max(1, ROWS // most // int(self.tracks.lengths.max()))
        order = self.tracks.lengths.argsort(kind="stable")
        parts = [
            self._terms(i, order[i : i + per_batch], samples, step, draws_futures)
            for i in range(0, len(order), per_batch)
        ]
        terms = Terms(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))
        rows = terms.rows.sum().clamp(min=1)
        bound, regulariser = (float(t.sum() / rows) for t in (terms.bound, terms.regulariser))
        score = float(terms.score.sum() / terms.energy_rows.sum().clamp(min=1))
        sums = UseSums(*(getattr(terms, name) for name in UseSums._fields))
        use = sums.use(network, self.trained.has_posterior)
        return Validation(bound, score, bound - weight * score, regulariser, use)

    def measure_use(self) -> LatentUse | None:
        """Return how much the model's present weights use its latents, with all that there is.

        Of many validation tracks a random choice is enough, of about `USED_ROWS` rows.
        """
        network, generator = self.trained.network, seeded(self.settings.seed, Stream.LATENT_USE)
        chosen = torch.randperm(len(self.tracks), generator=generator).numpy()
        ends = self.tracks.lengths[chosen].cumsum()
        tracks = self.tracks[np.sort(chosen[: 1 + int(np.searchsorted(ends, USED_ROWS))])]
        order = tracks.lengths.argsort(kind="stable")
        per_batch = max(1, ROWS // int(tracks.lengths.max()))

        def cases() -> Iterator[tuple[Batch | None, Batch, torch.Generator]]:
            for i in range(0, len(order), per_batch):
                noise = seeded(self.settings.seed, Stream.LATENT_USE, i)
                part = tracks[order[i : i + per_batch]]
                prefix, batch = prefix_and_batch(self.trained, self.objective, part)
                yield prefix, batch, noise

        return measure_use(
            network,
            cases(),
            rows=int(tracks.lengths.sum()),
            sequences=len(tracks),
            first_scored=self.trained.first_scored,
        )

    def _terms(
        self,
        first: int,
        index: Int[np.ndarray, " batch"],
        samples: int,
        step: int,
        draws_futures: bool,
    ) -> Terms:
        """Return the terms of some validation tracks; `first` numbers their noise."""
        settings, objective, tracks = self.settings, self.objective, self.tracks[index]
        futures = seeded(settings.seed, Stream.VALIDATE_CUTS, first) if draws_futures else None
        noise = seeded(settings.seed, Stream.VALIDATE, first)
        work = assemble(
            self.trained, objective, tracks, samples=samples, noise=noise, futures=futures
        )
        terms = objective(work)
        if futures is not None and settings.observe is None:
            # The score of one cut of each track would vary much.
            more = [
                objective.score(objective.cut(work.prefix, work.batch, futures))
                for _ in range(CUTS - 1)
            ]
            scores, rows = zip(*more, strict=True)
            terms = terms._replace(
                score=terms.score + sum(scores), energy_rows=terms.energy_rows + sum(rows)
            )
        check_terms(terms, step, tracks.ids)
        return terms
