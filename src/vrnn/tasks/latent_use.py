"""The use of latents: what they carry, and what the likelihood loses without it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from vrnn.data.batch import Batch
from vrnn.data.io.write import OutputTable
from vrnn.data.tracks import Tracks
from vrnn.errors import (
    DataError,
    Function,
    Setting,
    Text,
    UnsupportedError,
    check_at_least,
    check_seed,
    joined,
    require,
    write,
)
from vrnn.inference.random_numbers import Stream, seeded
from vrnn.inference.traits import global_units
from vrnn.objectives.latent_use import LatentUse, measure_use
from vrnn.tasks import memory
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class LatentUsage:
    """How much a model uses its latents on some tracks; all numbers are in nats per scored row.

    Attributes:
        units: name of each unit: a Gaussian dimension or a group of categories, of the latent of a
            row and then of the global latent.
        nats_per_unit: KL(posterior || prior) of each unit.
        shares: mean posterior probability of each category.
        categories_used: categories with a share of at least 1 %.
        information: mutual information between latents and data. Of Gaussians it is a lower bound,
            and cannot exceed `information_limit`.
        information_limit: the largest value that `information` can have.
        loss: what the likelihood of a row loses when its latent is drawn from the prior.
        has_posterior: whether latents have a posterior of their own. If not, it is the prior, and
            nats and loss are 0 by definition.
        idle: whether nats and loss are below 0.01.
        text: the report in words.
    """

    units: list[str]
    nats_per_unit: list[float]
    shares: list[float]
    categories_used: int
    information: float
    information_limit: float
    loss: float
    has_posterior: bool
    idle: bool
    text: str

    @property
    def nats(self) -> float:
        """Nats that all latents carry."""
        return sum(self.nats_per_unit)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON can hold them."""
        return {"nats": self.nats} | {k: v for k, v in asdict(self).items() if k != "text"}

    def to_columns(self) -> OutputTable:
        """Return a table with a row for each unit: unit, nats."""
        return {"unit": np.array(self.units, object), "nats": np.array(self.nats_per_unit)}

    def to_frame(self) -> Any:
        """Return the table as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns())

    def to_text(self) -> str:
        """Return the report in words; of idle latents, with what to change."""
        return self.text

    __str__ = to_text


def latent_use(
    tracks: Tracks | np.ndarray, *, model: ModelOrFolder, samples: int = 4, seed: int = 0
) -> LatentUsage:
    """Return how much a model uses its latents on tracks.

    nats         mean of KL(q(z_t) || p(z_t)) over the scored rows
    information  mean of log q(z_t) - log of the mean of all q, at z_t drawn from q(z_t)
    loss         mean of E_q[log p(x_t | z_t, s_t)] - E_p[log p(x_t | z_t, s_t)]

    Here s_t is the state before z_t, p the prior and q the posterior given x_t. One latent is
    swapped at a time. Categories are summed over; of Gaussians the means are over samples. Of
    categories the information is exact, H(mean of q) - mean of H(q). Of Gaussians it is a lower
    bound from 1,024 posteriors at a time, at most log 1024 = 6.93. Where a latent has both, the two
    are added.

    Source: Hoffman and Johnson 2016, "ELBO surgery"; Poole et al. 2019, arXiv:1905.06922, eq. 12.

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim).
        model: a trained model, or the path of a run folder.
        samples: passes over each track.
        seed: seed of all noise.

    Raises:
        UnsupportedError: an RNN, which has no latent.
        DataError: tracks that do not fit the model, or without a scored row.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8, latent="categorical(4)")
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> use = vrnn.latent_use(tracks, model=run.model)
        >>> use.units, len(use.shares), use.loss > use.nats > 0
        (['categories0'], 4, True)
    """
    check_seed(seed)
    check_at_least(1, samples=samples)
    model = resolve_model(model, tracks)
    if model.exact:
        raise UnsupportedError(
            "an RNN has no latent to use", hint="train a seq2seq, rollout or vrnn model"
        )
    usable = model.usable(model.as_tracks(tracks))
    longest = int(usable.tracks.lengths.max(initial=1))
    at_once = max(1, memory.USED_ROWS // (samples * longest))
    chunks = model.batches(usable, at_once=at_once, split_prefix=True)
    first, scored = model.first_scored, False

    def cases() -> Iterator[tuple[Batch | None, Batch, torch.Generator]]:
        nonlocal scored
        for chunk in chunks:
            if bool(chunk.batch.mask[:, first:].any()):
                scored = True
                yield chunk.prefix, chunk.batch, seeded(seed, Stream.LATENT_USE, chunk.start)

    rows, count = int(usable.tracks.lengths.sum()), len(usable.tracks)
    found = measure_use(
        model.network, cases(), rows=rows, sequences=count, samples=samples, first_scored=first
    )
    if found is None:
        raise DataError(
            expected="a track with a scored row", found="none", hint=("see ", Function("describe"))
        )
    text = "\n".join(write(sentence) for sentence in use_sentences(found, model))
    return LatentUsage(
        units=found.units,
        nats_per_unit=found.nats_per_unit,
        shares=found.shares,
        categories_used=found.categories_used,
        information=found.information or 0.0,
        information_limit=found.information_limit or 0.0,
        loss=found.loss or 0.0,
        has_posterior=found.has_posterior,
        idle=found.idle,
        text=text,
    )


def use_sentences(use: LatentUse, model: TrainedModel) -> list[Text]:
    """Return the use of latents in one or two sentences; of idle latents, with what to change.

    Args:
        use: with `information` and `loss`.
        model: the model; its settings say what can be changed.
    """
    kinds = ["Gaussians"] * use.has_gaussians + ["categories"] * bool(use.categories)
    both = use.has_gaussians and bool(use.categories)  # what both hold counts twice
    limited = "" if use.has_exact_information else "about " if both else "at least "
    information = f"(mutual information {limited}{max(use.information or 0.0, 0.0):.2f})"
    used = f", {use.categories_used} of {use.categories} categories in use"
    used = used if use.categories else ""
    if not use.has_posterior:
        return [f"0 nats a step: training draws latents from the prior {information}{used}"]
    loss = use.loss or 0.0
    if use.idle:
        why = f"idle ({use.nats:.3f} nats a step; the likelihood does not need them); try "
        *ways, last = _ways_out(use, model)
        return [(why, joined(ways), " or " if ways else "", last)]
    return [
        f"{use.nats:.2f} nats a step carried by {' and '.join(kinds)} {information}{used}",
        f"with latents from the prior the likelihood {'rises' if loss < 0 else 'falls'} by "
        f"{abs(loss):.2f} nats a step",
    ]


def _ways_out(use: LatentUse, model: TrainedModel) -> list[Text]:
    """Return the settings whose change may bring idle latents into use."""
    ways: list[Text] = []
    if not use.categories and hasattr(model.config, "latent"):
        ways.append(Setting("latent", "categorical(8)"))
    ways.append(("a narrower ", Setting("emission")))
    if model.network.latent.rest.units or global_units(model.network):  # else no KL is minimised
        free_bits = ("more ", Setting("free_bits"))
        ways += [free_bits] * (model.training["objective"] == "elbo")
        ways.append(("a longer ", Setting("kl_warmup")))
    return ways
