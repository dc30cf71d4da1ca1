"""The contract that every model fulfils: pure functions of an explicit state, one transition for each event.

At a step an input arrives, then a latent, then an observation:

    known    = model.embed_inputs(u)                        all t at once
    seen     = model.embed_observations(x, known)           stepwise: seen_t from x_t and known_t alone
    evidence = model.embed_evidence(x, known, seen, batch)  may look ahead; read by posteriors only
    context  = model.embed_context(seen, prefix)            a prefix that is given, not scored
    code     ~ model.code_prior(context), model.code_posterior(context, evidence, batch)
    state    = model.initial_state(code, context)
    state    = model.with_input(state, known_t)
    p, q     = model.prior(state, known_t), model.posterior(state, evidence_t, known_t)
    state    = model.with_latent(state, z)
    x_hat    = model.emission(state, known_t)
    state    = model.with_observation(state, seen_t)

Samples and particles are a leading axis: features are (batch, time, .), states (sample, batch, .). What is absent has
width 0. The identity transitions and the zero-width latents, codes, evidence and contexts are the defaults below; a
model implements what it has and overrides nothing else.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Family
from vrnn.distributions.base import Distribution
from vrnn.models.loops import PLAIN, Chain, Loops

State = Any  # a NamedTuple of tensors (sample, batch, .), one type a model
Features = Float[Tensor, "... _"]  # widths and leading axes differ from argument to argument


def join(*parts: Tensor) -> Tensor:
    """Concatenate on the last axis, broadcasting the leading axes; parts of width 0 cost nothing.

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


def observed(x: Float[Tensor, "*lead dim"], batch: Batch) -> Float[Tensor, "*lead columns"]:
    """Give x with 0 where it is missing, and beside it which entries are there: what may be read of a whole sequence."""
    return join(torch.where(batch.present, x, 0.0), batch.present.to(x.dtype))


def no_features(like: Tensor) -> Tensor:
    """Give features of width 0 with the leading axes of `like`."""
    return like.new_zeros(*like.shape[:-1], 0)


def no_latent(like: Tensor) -> DiagonalGaussian:
    """Give the Gaussian over R^0 with the leading axes of `like`."""
    return DiagonalGaussian(no_features(like), no_features(like))


def over_time(state: State, time: int) -> State:
    """Show one state at every step, time before the last axis."""
    return type(state)(*(s[..., None, :].expand(*s.shape[:-1], time, -1) for s in state))


class Model(nn.Module, ABC):
    """Base of all models; see the module's text for the order of calls.

    Attributes:
        family: the emission.
        latent_dim: width of the latent z_t of every step.
        code_dim: width of the global latent drawn once.
        noise_dim: how many dimensions of the code, the last ones, are pure noise, N(0, I) given anything.
        tied: the posterior is the prior, so test time samples from what training samples from.
        conditions: reads a prefix through `embed_context` and scores only what follows.
        looks_ahead: evidence at t is not made of x_t alone.
        apart: no latent waits for one before it: `entering` gives the states that prior and posterior read at every step, so that
            all latents are drawn at once, and `run` those that the emissions read.
        chained: a latent waits for the one before it, the field z of the state, and for no other: `entering` gives all else of the
            states, inputs and observations taken in, `chain` the posterior of each latent given the last, and emissions read what
            `with_latent` makes of both.
        supervised: y is the observation and x one of the inputs; see `Batch.swap_target`.
    """

    family: Family
    latent_dim: int = 0
    code_dim: int = 0
    noise_dim: int = 0
    tied: bool = False
    conditions: bool = False
    looks_ahead: bool = False
    apart: bool = False
    chained: bool = False
    supervised: bool = False

    def embed_inputs(self, u: Float[Tensor, "*lead inputs"]) -> Features:
        """Turn known inputs into features, for all t at once."""
        return u

    @abstractmethod
    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        """Turn x_t and known_t into what the transition reads, for all t at once; nothing but step t reaches seen_t."""

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        """Turn data into what posteriors read; the only features that may look ahead.

        Args:
            loops: what reads whole sequences.
        """
        return no_features(x)

    def embed_context(
        self, seen: Features, prefix: Batch, loops: Loops = PLAIN
    ) -> Float[Tensor, "batch context"]:
        """Read a prefix that is given and not scored, (batch, context)."""
        return seen.new_zeros(seen.shape[0], 0)

    def code_prior(self, context: Float[Tensor, "batch context"]) -> DiagonalGaussian:
        """Give the prior of the global latent, over (batch, code_dim)."""
        return no_latent(context)

    def code_posterior(
        self, context: Float[Tensor, "batch context"], evidence: Features, batch: Batch
    ) -> DiagonalGaussian:
        """Give the distribution that training draws the global latent from, over (batch, code_dim)."""
        return self.code_prior(context)

    @abstractmethod
    def initial_state(
        self, code: Float[Tensor, "sample batch code"], context: Float[Tensor, "batch context"]
    ) -> State:
        """Give the state before the first step; the code's leading axes are (sample, batch)."""

    def with_input(self, state: State, known: Features) -> State:
        """Let the input of a step arrive."""
        return state

    def prior(self, state: State, known: Features) -> DiagonalGaussian:
        """Give p(z_t | state, u_t), over (..., latent_dim)."""
        return no_latent(state[0])

    def posterior(self, state: State, evidence: Features, known: Features) -> DiagonalGaussian:
        """Give q(z_t | state, evidence_t, u_t), over (..., latent_dim); the prior where the model is tied."""
        return self.prior(state, known)

    def with_latent(self, state: State, z: Float[Tensor, "*lead latent"]) -> State:
        """Let the latent of a step arrive."""
        return state

    @abstractmethod
    def emission(self, state: State, known: Features) -> Distribution:
        """Give p(x_t | state, u_t), or of y_t in a supervised model."""

    def with_observation(self, state: State, seen: Features) -> State:
        """Let the observation of a step arrive, the data's or the model's own."""
        return state

    def entering(
        self,
        state: State,
        known: Float[Tensor, "batch time known"],
        seen: Float[Tensor, "batch time seen"],
        loops: Loops,
    ) -> State:
        """Give the states that prior and posterior of all t read, of a model that is `apart` or `chained`; time before the last axis.

        The first one at every step, of which they read what stays the same along a sequence, unless a model's laws read what was
        observed before. Of a model that is `chained`, with the first latent in the place of each step's own.
        """
        return over_time(state, known.shape[1])

    def run(
        self,
        state: State,
        known: Float[Tensor, "batch time known"],
        seen: Float[Tensor, "batch time seen"],
        z: Float[Tensor, "sample batch time latent"],
        loops: Loops,
    ) -> State:
        """Give the states that the emissions of all t read, of a model that is `apart`; time before the last axis."""
        raise NotImplementedError

    def chain(
        self,
        states: State,
        evidence: Float[Tensor, "batch time evidence"],
        known: Float[Tensor, "batch time known"],
    ) -> Chain:
        """Give the posteriors of all t, each given the latent before, of a model that is `chained`; states as from `entering`."""
        raise NotImplementedError
