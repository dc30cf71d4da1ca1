"""How much a model uses its latents: what they carry, and what the likelihood loses without it."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import LatentDistribution
from vrnn.distributions.tree import tree_map
from vrnn.inference.embed import Embedded, embed
from vrnn.inference.flat import at_all
from vrnn.inference.noise import Noise, draw_noise
from vrnn.inference.particle_filter import Filtered
from vrnn.inference.step import draw_global, log_joint, start_belief
from vrnn.inference.traits import has_posterior
from vrnn.inference.unroll import Unrolled, unroll, unroll_with_states
from vrnn.models.contract import GlobalLatentModel, Model, State
from vrnn.objectives.bound import BoundConfig, first_of_kl
from vrnn.objectives.mutual_information import Posteriors, mutual_information
from vrnn.objectives.terms import KL, kl_terms

IN_USE = 0.01  # share of a category from which on it is in use
IDLE = 0.01  # nats per time step below which latents are idle
POSTERIORS = 4096  # posteriors, at most, that the mutual information is estimated from
EMISSIONS = 1 << 16  # emissions of listed values that are computed together


class LatentUse(NamedTuple):
    """How much a model uses its latents, measured on some sequences.

    Attributes:
        units: name of each unit of z_t, and then of the global latent. A Gaussian dimension is a
            unit, and so is a group of categories.
        nats_per_unit: KL(q || p) of each unit, in nats per observed time step. A global latent
            counts once a sequence. 0 where the posterior is the prior.
        shares: mean posterior probability of each category of z_t, and then of the global latent.
        has_posterior: whether latents have a posterior of their own; else it is the prior.
        information: mutual information between latents and data, in nats per observed time step;
            see `mutual_information`. None where it was not measured.
        information_limit: the largest value that `information` can have.
        loss: nats that the log-likelihood of an observed time step loses when its latent is drawn
            from the prior in place of the posterior; see `prior_loss`. None where it was not
            measured, 0 where the posterior is the prior.
    """

    units: list[str]
    nats_per_unit: list[float]
    shares: list[float]
    has_posterior: bool
    information: float | None = None
    information_limit: float | None = None
    loss: float | None = None

    @property
    def nats(self) -> float:
        """Nats that all latents carry per observed time step."""
        return sum(self.nats_per_unit)

    @property
    def categories(self) -> int:
        """Number of categories, of all groups together."""
        return len(self.shares)

    @property
    def categories_used(self) -> int:
        """Number of categories with a mean posterior probability of at least 1 %."""
        return sum(share >= IN_USE for share in self.shares)

    @property
    def has_gaussians(self) -> bool:
        """Whether some unit is a Gaussian dimension."""
        return any("gaussian" in name for name in self.units)

    @property
    def has_exact_information(self) -> bool:
        """Whether `information` is no lower bound but exact: the latent is one of K categories."""
        return self.units == ["categories0"]

    @property
    def idle(self) -> bool:
        """Whether latents with a posterior of their own carry nothing that the likelihood needs."""
        largest = max(self.nats, abs(self.loss or 0.0))
        return self.has_posterior and bool(self.units) and largest < IDLE


class UseSums(NamedTuple):
    """Sums over the observed time steps of each sequence, means over samples.

    Attributes:
        rows: observed time steps, (batch,).
        nats: KL(q || p) of each unit, see `unit_nats`.
        shares: posterior probabilities of the categories of z_t.
        global_shares: posterior probabilities of the categories of the global latent.
    """

    rows: Float[Tensor, " batch"]
    nats: Float[Tensor, "batch unit"]
    shares: Float[Tensor, "batch categories"]
    global_shares: Float[Tensor, "batch global_categories"]

    def use(self, model: Model, has_posterior: bool) -> LatentUse:
        """Return what the sums say of a model."""
        nats, shares, global_shares = (part.double().sum(0).tolist() for part in self[1:])
        steps, sequences = max(float(self.rows.sum()), 1.0), max(len(self.rows), 1)
        return LatentUse(
            units=unit_names(model),
            nats_per_unit=[value / steps for value in nats],
            shares=[s / steps for s in shares] + [s / sequences for s in global_shares],
            has_posterior=has_posterior,
        )


def use_sums(passed: Unrolled | Filtered, kl: KL, first: int = 0) -> UseSums:
    """Return the sums of a pass whose latents came from the posterior.

    Args:
        passed: the pass.
        kl: its KL terms, over the time steps that count.
        first: time steps at the start that do not count.
    """
    mask, probabilities = passed.mask[:, first:], passed.posterior.probabilities
    every = probabilities.expand(*passed.latent.shape[:3], -1)[..., first:, :]
    once = passed.once.posterior.probabilities
    return UseSums(
        rows=mask.sum(-1).to(every.dtype),
        nats=unit_nats(kl),
        shares=torch.where(mask[..., None], every, 0.0).sum(-2).mean(0),
        global_shares=once.expand(len(mask), -1),
    )


def unit_nats(kl: KL) -> Float[Tensor, "batch unit"]:
    """Return the nats that each unit of the latents carries in each sequence.

    sum over observed t of KL(q(z_t) || p(z_t)),   and KL(q(z_0) || p(z_0)) of a global latent

    It is 0 where the posterior is the prior. The nats of categories that were gone through are no
    term of a bound; see `KL`.
    """
    # They may begin at different time steps, so they are summed before they meet.
    parts = (kl.kl, torch.zeros_like(kl.regulariser), kl.listed)
    steps = torch.cat([part.sum(-2).mean(0) for part in parts], -1)
    once = torch.cat([kl.global_kl, torch.zeros_like(kl.global_regulariser)], -1)
    return torch.cat([steps, once.mean(0).expand(len(steps), -1)], -1)


def unit_names(model: Model) -> list[str]:
    """Return a name for each unit of the latents, those of the global latent last.

    >>> from vrnn.models.vrnn import VRNN, VRNNConfig
    >>> unit_names(VRNN(VRNNConfig(2, latent="gaussian+categorical(8)", latent_dim=2)))
    ['gaussian0', 'gaussian1', 'categories0']
    """
    families = [("", model.latent)]
    if isinstance(model, GlobalLatentModel):
        families.append(("global_", model.global_latent))
    names = []
    for prefix, family in families:
        gaussians = family.standard(torch.zeros(1, 1)).table.shape[-2]
        names += [f"{prefix}gaussian{i}" for i in range(gaussians)]
        names += [f"{prefix}categories{i}" for i in range(family.units - gaussians)]
    return names


def prior_loss(
    model: Model,
    batch: Batch,
    passed: Unrolled,
    entering: State,
    normals: Float[Tensor, "sample batch time noise"],
) -> Float[Tensor, "sample batch time"]:
    """Return what the log-likelihood of a time step loses when its latent comes from the prior.

    E_q(z_t)[ log p(x_t | z_t, s_t) ] - E_p(z_t)[ log p(x_t | z_t, s_t) ]

    The state s_t is the same in both. One latent is swapped at a time, and all others stay those of
    the pass. Over categories that were gone through both means are sums; of everything else there
    is one draw. Where q is the exact posterior, it is KL(q || p) + KL(p || q). It is 0 where the
    posterior is the prior, and where nothing is observed.

    Args:
        passed, entering: what `unroll_with_states` returns.
        normals: for the draws from the prior.
    """
    if passed.prior is passed.posterior or not model.latent.dim:
        return torch.zeros_like(passed.log_prob)
    lead, prior = tuple(passed.latent.shape[:3]), passed.prior
    if not passed.lists:
        moved = at_all(model.with_latent, entering, prior.sample(normals), lead=lead)
        swapped = at_all(model.emission, moved, lead=lead).log_prob(passed.x, batch.present)
        return torch.where(passed.mask, passed.log_prob - swapped, 0.0)
    # E_q[log p(x | k)] = log sum_k p(k) p(x | k) + KL(q || p), because q is exact given the rest.
    drawn = passed.log_prob + kl_terms(model, passed).listed.sum(-1)
    joint = _joint_of_prior(model, batch, passed, entering, prior.rest.sample(normals[..., :-1]))
    listed = prior.listed
    assert listed is not None
    log_prob = torch.where(listed.exp() > 0, joint - listed, 0.0)
    return torch.where(passed.mask, drawn - (listed.exp() * log_prob).sum(-1), 0.0)


def _joint_of_prior(
    model: Model,
    batch: Batch,
    passed: Unrolled,
    entering: State,
    rest: Float[Tensor, "sample batch time rest"],
) -> Float[Tensor, "sample batch time values"]:
    """Return log p(k | s_t) + log p(x_t | s_t, k, rest) at all time steps at once."""
    samples, count, time = passed.latent.shape[:3]
    wide = tree_map(lambda t: t.expand(samples, count, time, t.shape[-1]).flatten(1, 2), entering)
    prior = tree_map(lambda t: t.flatten(1, 2), passed.prior)
    rest, x, present = rest.flatten(1, 2), passed.x.flatten(-3, -2), batch.present.flatten(0, 1)
    at_once, joint = max(1, EMISSIONS // (samples * model.latent.listed)), []
    for start in range(0, count * time, at_once):
        part = slice(start, start + at_once)
        states = tree_map(lambda t, part=part: t[:, part].flatten(0, 1), wide)
        here = tree_map(lambda t, part=part: t[:, part], prior)
        joint.append(log_joint(model, states, here, rest[:, part], x[..., part, :], present[part]))
    return torch.cat(joint, 1).unflatten(1, (count, time))


def global_prior_loss(
    model: Model,
    batch: Batch,
    noise: Noise,
    passed: Unrolled,
    normals: Float[Tensor, "sample batch global"],
    embedded: Embedded,
) -> Float[Tensor, "sample batch time"]:
    """Return what each time step loses when the global latent of its sequence comes from the prior.

    E_q(z_0)[ log p(x_t | z_0, s_t) ] - E_p(z_0)[ log p(x_t | z_0, s_t) ]

    by one draw of each. The latents of the time steps have the same noise in both.

    Args:
        noise: of the pass.
        normals: for the draws from the prior.
        embedded: features of the batch.
    """
    if passed.once.prior is passed.once.posterior:
        return torch.zeros_like(passed.log_prob)
    z = draw_global(model, normals, embedded.context).z
    start = start_belief(model, z, embedded.context, batch.x.shape[-1])
    swapped = unroll(model, batch, noise, embedded=embedded, start=start)
    return passed.log_prob - swapped.log_prob


class UsePart(NamedTuple):
    """What one batch adds to a `LatentUse`.

    Attributes:
        sums: nats and shares.
        loss: see `prior_loss`, summed over the time steps of each sequence, (batch,).
        steps: posteriors of z_t at some observed time steps.
        once: posteriors of the global latent of some sequences.
    """

    sums: UseSums
    loss: Float[Tensor, " batch"]
    steps: Posteriors
    once: Posteriors


@torch.no_grad()
def use_part(
    model: Model,
    batch: Batch,
    generator: torch.Generator,
    *,
    samples: int = 1,
    prefix: Batch | None = None,
    first_scored: int = 0,
    kept: tuple[float, float] = (1.0, 1.0),
) -> UsePart:
    """Return what a batch says of how much a model uses its latents.

    Args:
        generator: source of the noise, and of the choice of posteriors.
        samples: passes over each sequence.
        prefix: what is given before the batch, for a model that reads a prefix.
        first_scored: see `BoundConfig`.
        kept: probability that the posterior of a time step is kept for the mutual information, and
            that of a global latent.
    """
    embedded, (count, time) = embed(model, batch, prefix), batch.x.shape[:2]
    noise = draw_noise(model, samples, count, time, generator, observations=batch.has_missing)
    swap = draw_noise(model, samples, count, time, generator, observations=False)
    passed, entering = unroll_with_states(model, batch, noise, embedded=embedded)
    first_kl = first_of_kl(model, batch, BoundConfig(first_scored=first_scored))
    loss = prior_loss(model, batch, passed, entering, swap.latent)
    loss = loss + global_prior_loss(model, batch, noise, passed, swap.global_latent, embedded)
    counts = batch.mask.clone()
    counts[:, :first_scored] = False
    step_kept, sequence_kept = (
        torch.rand(samples, *lead, generator=generator).to(counts.device) < share
        for lead, share in zip(((count, time), (count,)), kept, strict=True)
    )
    q, once = (
        tree_map(lambda t, lead=lead: t.expand(*lead, t.shape[-1]), found)
        for found, lead in (
            (passed.posterior, (samples, count, time)),
            (passed.once.posterior, (samples, count)),
        )
    )
    part = UsePart(
        sums=use_sums(passed, kl_terms(model, passed).after(first_scored, first_kl), first_scored),
        loss=loss[..., first_scored:].sum(-1).mean(0),
        steps=_posteriors(q, passed.latent, step_kept & counts),
        once=_posteriors(once, passed.once.z, sequence_kept & counts.any(-1)),
    )
    return tree_map(Tensor.cpu, part)


def _posteriors(q: LatentDistribution, z: Tensor, kept: Bool[Tensor, "*lead"]) -> Posteriors:
    """Return those posteriors and draws that are kept; noise that can tell nothing is left out."""
    q, z = tree_map(lambda t: t[kept], (q, z))
    rest, listed = q.rest, q.listed
    units = rest.table.shape[-2] + rest.probabilities.shape[-1]
    width = rest.mean.shape[-1] if units else 0
    return Posteriors(rest, z[:, :width], z[:, :0] if listed is None else listed)


def measure_use(
    model: Model,
    cases: Iterable[tuple[Batch | None, Batch, torch.Generator]],
    *,
    rows: int,
    sequences: int,
    samples: int = 1,
    first_scored: int = 0,
) -> LatentUse | None:
    """Return how much a model uses its latents over batches; None of no batch.

    Information and loss of a global latent are added once a sequence, as its nats are.

    Args:
        cases: each a prefix or None, a batch, and the source of its noise.
        rows: time steps of all batches, at most, of which some posteriors are chosen.
        sequences: sequences of all batches.
        samples: passes over each sequence.
        first_scored: see `BoundConfig`.

    Example:
        >>> from vrnn.models.vrnn import VRNN, VRNNConfig
        >>> net = VRNN(VRNNConfig(2, hidden=8, latent="categorical(4)"))
        >>> case = (None, Batch.of(torch.randn(5, 20, 2)), torch.Generator().manual_seed(0))
        >>> use = measure_use(net, [case], rows=100, sequences=5)
        >>> use.units, use.categories, use.loss > use.nats > 0
        (['categories0'], 4, True)
    """
    kept = (POSTERIORS / max(rows * samples, 1), POSTERIORS / max(sequences * samples, 1))
    parts, own = [], False
    for prefix, batch, generator in cases:
        own = has_posterior(model, batch.u.shape[-1])
        more = {"prefix": prefix, "first_scored": first_scored, "samples": samples, "kept": kept}
        parts.append(use_part(model, batch, generator, **more))
    if not parts:
        return None
    part: UsePart = tree_map(lambda *each: torch.cat(each), *parts)
    steps = max(float(part.sums.rows.sum()), 1.0)
    share = len(part.loss) / steps
    (information, limit), (once, once_limit) = (
        mutual_information(given) for given in (part.steps, part.once)
    )
    return part.sums.use(model, own)._replace(
        information=information + share * once,
        information_limit=limit + share * once_limit,
        loss=float(part.loss.double().sum()) / steps,
    )
