"""What algorithms find out about a model by asking it, so that an author need not declare it."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions.tree import tree_map
from vrnn.models.contract import GlobalLatentModel, Model

_LOOKS_AHEAD: "WeakKeyDictionary[Model, bool]" = WeakKeyDictionary()
_HAS_POSTERIOR: "WeakKeyDictionary[Model, bool]" = WeakKeyDictionary()


def reads_prefix(model: Model) -> bool:
    """Return whether a model reads a prefix at once and scores only what follows it."""
    return isinstance(model, GlobalLatentModel) and model.reads_prefix


def has_global_latent(model: Model) -> bool:
    """Return whether a model draws a latent once a sequence."""
    return isinstance(model, GlobalLatentModel)


def global_units(model: Model) -> int:
    """Return the units of the global latent; 0 of a model without one."""
    return model.global_latent.units if isinstance(model, GlobalLatentModel) else 0


@torch.no_grad()
def looks_ahead(model: Model, u_dim: int) -> bool:
    """Return whether the evidence of a time step depends on later ones.

    The evidence of the first of two steps is computed twice, with two values of x at the second.
    The answer is kept for each model.

    Args:
        u_dim: width of the known inputs of a batch for the model.
    """
    known = _LOOKS_AHEAD.get(model)
    if known is None:
        batch, inputs = _probe(model, u_dim)
        later = torch.cat([batch.x[:, :1], batch.x[:, 1:] + 1], 1)
        first, second = (
            model.embed_evidence(batch._replace(x=x), inputs)[:, 0] for x in (batch.x, later)
        )
        known = _LOOKS_AHEAD[model] = not torch.equal(first, second)
    return known


@torch.no_grad()
def has_posterior(model: Model, u_dim: int) -> bool:
    """Return whether latents, or the global latent, have a posterior of their own.

    Else the posterior is the prior, and training samples from what test time samples from. The
    model is asked at a first step, and the answer is kept.

    Args:
        u_dim: width of the known inputs of a batch for the model.
    """
    known = _HAS_POSTERIOR.get(model)
    if known is None:
        known = _HAS_POSTERIOR[model] = _asked(model, *_probe(model, u_dim))
    return known


def _asked(model: Model, batch: Batch, inputs: Tensor) -> bool:
    """Return whether the model returns a posterior at a first step."""
    evidence = model.embed_evidence(batch, inputs)
    state = tree_map(lambda t: t.expand(1, -1), model.initial_state())
    if isinstance(model, GlobalLatentModel):
        context = model.embed_prefix(batch, inputs)
        if model.global_posterior(context, evidence) is not None:
            return True
        normals = batch.x.new_zeros(1, model.global_latent.noise_size)
        state = model.with_global(state, model.global_prior(context).sample(normals), context)
    if not model.latent.dim:
        return False
    return model.posterior(model.with_input(state, inputs[:, 0]), evidence[:, 0]) is not None


def _probe(model: Model, u_dim: int) -> tuple[Batch, Tensor]:
    """Return a batch of one sequence of two steps, all 0, and the features of its inputs."""
    weight = next(model.parameters())
    x, u = (weight.new_zeros(1, 2, width) for width in (model.observation.dim, u_dim))
    batch = Batch.of(x, u=u)
    return batch, model.embed_inputs(batch.u)
