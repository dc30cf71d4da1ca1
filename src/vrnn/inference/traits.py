"""What algorithms find out about a model by asking it, so that an author need not declare it."""

import copy
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions.tree import tensors_of, tree_map
from vrnn.models.contract import Features, GlobalLatentModel, Model

PROBES = 8  # sets of weights that a model is asked with

_LOOKS_AHEAD: "WeakKeyDictionary[Model, bool]" = WeakKeyDictionary()
_POSTERIORS: "WeakKeyDictionary[Model, Posterior]" = WeakKeyDictionary()


def reads_prefix(model: Model) -> bool:
    """Return whether a model reads a prefix at once and scores only what follows it."""
    return isinstance(model, GlobalLatentModel) and model.reads_prefix


def has_global_latent(model: Model) -> bool:
    """Return whether a model draws a latent once a sequence."""
    return isinstance(model, GlobalLatentModel)


def global_units(model: Model) -> int:
    """Return the units of the global latent; 0 of a model without one."""
    return model.global_latent.units if isinstance(model, GlobalLatentModel) else 0


def evidence_of(
    model: Model, batch: Batch, inputs: Features, features: Features | None = None
) -> Features:
    """Return what posteriors read of a batch.

    Args:
        features: what `embed_observations` returns, when it is there already.
    """
    evidence = model.embed_evidence(batch, inputs)
    if evidence is not None:
        return evidence
    return model.embed_observations(batch.x, inputs) if features is None else features


@torch.no_grad()
def looks_ahead(model: Model, u_dim: int) -> bool:
    """Return whether the evidence of a time step depends on later ones.

    The evidence of a first step is computed twice, with other values of x at all steps behind it.
    That is done with weights moved at random. A layer that starts at 0, or whose units are
    all off, would hide what it reads. The answer is kept for each model.

    Args:
        u_dim: width of the known inputs of a batch for the model.
    """
    known = _LOOKS_AHEAD.get(model)
    if known is None:
        generator = torch.Generator().manual_seed(0)
        known = any(_reaches_first(model, u_dim, generator) for _ in range(PROBES))
        _LOOKS_AHEAD[model] = known
    return known


def _reaches_first(model: Model, u_dim: int, generator: torch.Generator) -> bool:
    """Return whether later values of x reach the evidence of a first step, with weights moved."""
    weight = next(model.parameters())

    def draw(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    # 0 and 1 are values of every family, so no model refuses them.
    x, u = (
        (draw(weight.new_zeros(8, 4, width)) > 0).to(weight)
        for width in (model.observation.dim, u_dim)
    )
    later = torch.cat([x[:, :1], 1 - x[:, 1:]], 1)
    moved = _moved(model, generator)
    first, second = (
        evidence_of(moved, batch, moved.embed_inputs(batch.u))[:, 0]
        for batch in (Batch.of(values, u=u) for values in (x, later))
    )
    return not torch.equal(first, second)


class Posterior(NamedTuple):
    """Which parts of the latents have a posterior of their own.

    Attributes:
        any: some latent, or the global latent.
        rest: what is not listed of the latent of a time step; False where there is no such part.
    """

    any: bool
    rest: bool


def has_posterior(model: Model, u_dim: int) -> bool:
    """Return whether latents, or the global latent, have a posterior of their own.

    Else the posterior is the prior, and training samples from what test time samples from. The
    model is asked at a first step, with weights moved at random, and the answer is kept. Listed
    categories have a posterior unless the model returns its prior.

    Args:
        u_dim: width of the known inputs of a batch for the model.
    """
    return posterior_of(model, u_dim).any


@torch.no_grad()
def posterior_of(model: Model, u_dim: int) -> Posterior:
    """Return which parts of the latents have a posterior of their own; see `has_posterior`."""
    known = _POSTERIORS.get(model)
    if known is None:
        x, u = _zeros(model, u_dim)
        moved = _moved(model, torch.Generator().manual_seed(0))
        known = _POSTERIORS[model] = _asked(moved, Batch.of(x, u=u))
    return known


def known_posterior(model: Model) -> Posterior:
    """Return the answer of `posterior_of` for a model that has been asked already, as in a pass."""
    return _POSTERIORS[model]


def _asked(model: Model, batch: Batch) -> Posterior:
    """Return which posteriors the model returns at a first step."""
    inputs = model.embed_inputs(batch.u)
    evidence = evidence_of(model, batch, inputs)
    state = tree_map(lambda t: t.expand(1, -1), model.initial_state())
    once = False
    if isinstance(model, GlobalLatentModel):
        context = model.embed_prefix(batch, inputs)
        once = model.global_posterior(context, evidence) is not None
        normals = batch.x.new_zeros(1, model.global_latent.noise_size)
        state = model.with_global(state, model.global_prior(context).sample(normals), context)
    if not model.latent.dim:
        return Posterior(once, rest=False)
    state = model.with_input(state, inputs[:, 0])
    found = model.posterior(state, evidence[:, 0])
    if found is None:
        return Posterior(once or model.latent.listed > 0, rest=False)
    own, prior = tensors_of(found), tensors_of(model.prior(state))
    differs = len(own) != len(prior) or not all(map(torch.equal, own, prior))
    return Posterior(once or differs, rest=differs)


def _zeros(model: Model, u_dim: int) -> tuple[Tensor, Tensor]:
    """Return x and u of one sequence of two steps, all 0."""
    weight = next(model.parameters())
    return weight.new_zeros(1, 2, model.observation.dim), weight.new_zeros(1, 2, u_dim)


def _moved(model: Model, generator: torch.Generator) -> Model:
    """Return a copy of a model with each weight moved at random; others may be using the model."""
    moved = copy.deepcopy(model)
    for p in moved.parameters():
        draw = torch.randn(p.shape, generator=generator).to(p)
        p.copy_(p + draw / max(p.shape[-1] if p.dim() else 1, 1) ** 0.5)
    return moved
