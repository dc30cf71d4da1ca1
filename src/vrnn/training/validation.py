"""Validation: the bound, the energy score and the use of the latents on held-out tracks."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from vrnn.data.tracks import Tracks
from vrnn.inference.noise import Stream, seeded
from vrnn.models.contract import GlobalLatentModel, Model
from vrnn.trained import TrainedModel
from vrnn.training.assemble import assemble
from vrnn.training.collapse import CollapseReport, collapse_report
from vrnn.training.finite import check_terms
from vrnn.training.objective import Objective, Terms

ROWS = 16384  # rows of a validation batch, padding included
CUTS = 8  # places where each validation track is cut when futures may begin anywhere


class Validation(NamedTuple):
    """What one validation found.

    Attributes:
        bound: nats per observed row.
        score: energy score per row of the futures, 0 where none are drawn.
        value: what the best weights have the most of, the bound minus the weighted score.
        report: use of the latents.
    """

    bound: float
    score: float
    value: float
    report: CollapseReport


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
        bound, kl, rows, means, score, energy_rows = (
            torch.cat([getattr(part, name).cpu() for part in parts])
            for name in ("bound", "kl", "rows", "means", "score", "energy_rows")
        )
        bound = float(bound.sum() / rows.sum().clamp(min=1))
        score = float(score.sum() / energy_rows.sum().clamp(min=1))
        report = collapse_report(kl, means, rows, _global_means(network))
        return Validation(bound, score, bound - weight * score, report)

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
        terms = objective(work, 1.0)
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


def _global_means(model: Model) -> int:
    """Return the number of Gaussian dimensions of the global latent."""
    if not isinstance(model, GlobalLatentModel):
        return 0
    return model.global_latent.standard(torch.zeros(1, 1)).table.shape[-2]
