"""The contract that every model fulfils: pure functions of an explicit state.

A time step has three events: an input arrives, then a latent, then an observation. Each event has
one transition, which returns the next state. `prior`, `posterior` and `emission` only read.

    inputs    = model.embed_inputs(u)                      all t at once
    features  = model.embed_observations(x, inputs)        step t from x_t and u_t alone
    evidence  = model.embed_evidence(batch, inputs)        may look ahead; only posteriors read it;
                                                           None stands for the features
    state     = model.initial_state()                      a NamedTuple of (width,) tensors
    state     = model.with_input(state, inputs_t)          the state keeps u_t
    p         = model.prior(state)
    q         = model.posterior(state, evidence_t)         None where it is the prior; categories
                                                           get their exact posterior
    state     = model.with_latent(state, z)                not called where there is no latent
    x_hat     = model.emission(state)
    state     = model.with_observation(state, features_t)  x_t, or the model's own sample

Per-step methods see tensors (N, width). The algorithms flatten samples, particles and sequences
into N, so an author never meets them. `docs/how-to/add-a-model.md` shows a model from start to end.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, Family, Gaussian, LatentDistribution, LatentFamily

State = Any  # a NamedTuple of tensors whose last axis is a width, one type a model
Features = Float[Tensor, "... _"]  # widths differ from model to model


class Model(nn.Module, ABC):
    """Base of all models: pure functions of an explicit state.

    In each time step an input, a latent and an observation arrive: `with_input`, `with_latent` and
    `with_observation` return the next state. `prior`, `posterior` and `emission` read it. The
    defaults expect the fields `z` and `u` in the state.

    Attributes:
        observation: family of the emission.
        latent: family of the latent z_t; of width 0, the default, where a model has none.
        supervised: y is the observation and x one of the inputs, see `Batch.swap_target`. Nothing
            else changes.
    """

    observation: Family
    latent: LatentFamily
    supervised: bool = False

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(type(self), "latent"):
            self.latent = Gaussian(0)

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        """Return the features of the known inputs, of all t at once."""
        return u

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        """Return what the transition reads of x_t and u_t, of all t at once.

        Only step t may reach the features of step t.
        """
        return join(x, inputs)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features | None:
        """Return what posteriors read of the data, (batch, time, .); it may look ahead.

        The default is x with 0 where it is missing, which entries are present, and the inputs.
        Return None where posteriors read the features of `embed_observations`.
        """
        return join(observed(batch), inputs)

    @abstractmethod
    def initial_state(self) -> State:
        """Return the state before the first step, a NamedTuple of (width,) tensors."""

    def with_input(self, state: State, inputs: Features) -> State:
        """Return the state after the input of a step arrived; it keeps u_t."""
        return state._replace(u=inputs)

    def prior(self, state: State) -> LatentDistribution:
        """Return p(z_t | state), over (N, latent); the fixed prior of the family by default.

        The default reads the first field of the state for N, type and device.
        """
        return self.latent.standard(state[0])

    def posterior(self, state: State, evidence: Features) -> LatentDistribution | None:
        """Return q(z_t | state, evidence_t), over (N, latent) or over (N, rest of the latent).

        Categories that the family lists have an exact posterior, which the algorithm finds:

            q(k) proportional to p(k | state) p(x_t | state, k)

        Over the rest of the latent: the categories are exact. Over the whole latent: it is used as
        given; `return self.prior(state)` leaves latents to the prior. None, the default: the
        categories are exact and the rest is left to the prior.
        """
        return None

    def with_latent(self, state: State, z: Float[Tensor, "n latent"]) -> State:
        """Return the state after the latent of a step arrived."""
        return state._replace(z=z)

    @abstractmethod
    def emission(self, state: State) -> Distribution:
        """Return p(x_t | state), over (N, dim); of y_t in a supervised model."""

    def with_observation(self, state: State, features: Features) -> State:
        """Return the state after the observation of a step arrived, the data's or a sample."""
        return state


class GlobalLatentModel(Model):
    """Base of models with a latent drawn once a sequence, or a prefix that is read at once.

    The global latent is one more event, before the first step:

        context = model.embed_prefix(prefix, inputs)        a prefix that is given, not scored
        p, q    = model.global_prior(context), model.global_posterior(context, evidence)
        state   = model.with_global(model.initial_state(), z, context)

    Attributes:
        global_latent: family of the global latent.
        reads_prefix: the model reads a prefix and scores only what follows it.
    """

    global_latent: LatentFamily
    reads_prefix: bool = False

    @abstractmethod
    def encode(self, batch: Batch, inputs: Features) -> LatentDistribution:
        """Return what the model makes of whole sequences, over (batch, latent)."""

    def embed_prefix(self, prefix: Batch, inputs: Features) -> Float[Tensor, "batch context"]:
        """Return what the model keeps of a prefix; of width 0 where it reads none."""
        return prefix.x.new_zeros(len(prefix.x), 0)

    def global_prior(self, context: Float[Tensor, "batch context"]) -> LatentDistribution:
        """Return the prior of the global latent, over (batch, global)."""
        return self.global_latent.standard(context)

    def global_posterior(
        self, context: Float[Tensor, "batch context"], evidence: Features
    ) -> LatentDistribution | None:
        """Return what training draws the global latent from; None where it is the prior."""
        return None

    @abstractmethod
    def with_global(
        self, state: State, z: Float[Tensor, "n global"], context: Float[Tensor, "n context"]
    ) -> State:
        """Return the state after the global latent and the context arrived."""


def join(*parts: Tensor) -> Tensor:
    """Return the parts concatenated on the last axis, their leading axes broadcast.

    Parts of width 0 cost nothing.

    >>> join(torch.zeros(5, 3, 2), torch.ones(3, 1), torch.ones(3, 0)).shape
    torch.Size([5, 3, 3])
    """
    wide = [p for p in parts if p.shape[-1]]
    if len(wide) == 1:
        return wide[0]
    leads = {p.shape[:-1] for p in parts}
    if len(leads) == 1:
        return torch.cat(wide or parts[:1], -1)
    lead = np.broadcast_shapes(*leads)  # torch's own takes as long as a small layer
    return torch.cat([p.expand(*lead, p.shape[-1]) for p in wide or parts[:1]], -1)


def observed(batch: Batch) -> Float[Tensor, "batch time columns"]:
    """Return x with 0 where it is missing, and beside it which entries are present."""
    return join(torch.where(batch.present, batch.x, 0.0), batch.present.to(batch.x.dtype))


def no_features(like: Tensor) -> Tensor:
    """Return features of width 0 with the leading axes of `like`."""
    return like.new_zeros(*like.shape[:-1], 0)
