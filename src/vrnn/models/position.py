"""A model that knows where it is: the position, is_increment up from its own increments, is an input of every step."""

from collections import namedtuple
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Family
from vrnn.distributions.base import Distribution
from vrnn.models.contract import Features, Model, State, join
from vrnn.models.loops import PLAIN, Loops


class Placed(Model):
    """Give another model its position as an input: x_t is an increment, and what it leads on from is known.

    m_0 = 0,   m_t = m_{t-1} + x_t + drift,   place_t = start + factor m_{t-1}

    For maps where the place matters: currents, streets, latitudes. The inner model models increments and is told, beside its own
    inputs, the place that each one starts from. As m is part of the state, what a model draws itself moves it on: in
    forecasts, in gaps, for every particle on its own. The inputs u are those of the inner model without the place,
    then start and factor of each column, constant along a track (`Preprocessor.inputs`). What is computed before the loop reads
    the start in the place's stead.

    Args:
        inner: a model whose last inputs are the place.
        columns: the increments among the columns of x.
        drift: what each increment has been centred by, in model units, (columns,).
    """

    def __init__(self, inner: Model, columns: tuple[int, ...], drift: Float[Tensor, " columns"]):
        super().__init__()
        self.inner, self.columns = inner, list(columns)
        self.register_buffer("drift", drift, persistent=False)
        self.latent_dim, self.code_dim, self.noise_dim = (
            inner.latent_dim,
            inner.code_dim,
            inner.noise_dim,
        )
        self.tied, self.looks_ahead = inner.tied, inner.looks_ahead
        nowhere = torch.zeros(1, 1, inner.code_dim)
        self.kind = type(inner.initial_state(nowhere, torch.zeros(1, 0)))

    @property
    def family(self) -> Family:  # pyrefly: ignore
        return self.inner.family

    def embed_observations(self, x: Float[Tensor, "*lead dim"], known: Features) -> Features:
        return join(
            self.inner.embed_observations(x, self._at_start(known)),
            x[..., self.columns] + self.drift,
        )

    def embed_evidence(
        self,
        x: Float[Tensor, "*lead dim"],
        known: Features,
        seen: Features,
        batch: Batch,
        loops: Loops = PLAIN,
    ) -> Features:
        return self.inner.embed_evidence(
            x, self._at_start(known), self._inner_seen(seen), batch, loops
        )

    def code_prior(self, context: Float[Tensor, "batch context"]) -> DiagonalGaussian:
        return self.inner.code_prior(context)

    def code_posterior(
        self, context: Float[Tensor, "batch context"], evidence: Features, batch: Batch
    ) -> DiagonalGaussian:
        return self.inner.code_posterior(context, evidence, batch)

    def initial_state(
        self, code: Float[Tensor, "sample batch code"], context: Float[Tensor, "batch context"]
    ) -> State:
        return self._with(
            self.inner.initial_state(code, context),
            code.new_zeros(*code.shape[:-1], len(self.columns)),
        )

    def with_input(self, state: State, known: Features) -> State:
        return self._with(
            self.inner.with_input(self._inner(state), self._here(state, known)), state.moved
        )

    def prior(self, state: State, known: Features) -> DiagonalGaussian:
        return self.inner.prior(self._inner(state), self._here(state, known))

    def posterior(self, state: State, evidence: Features, known: Features) -> DiagonalGaussian:
        return self.inner.posterior(self._inner(state), evidence, self._here(state, known))

    def with_latent(self, state: State, z: Float[Tensor, "*lead latent"]) -> State:
        return self._with(self.inner.with_latent(self._inner(state), z), state.moved)

    def emission(self, state: State, known: Features) -> Distribution:
        return self.inner.emission(self._inner(state), self._here(state, known))

    def with_observation(self, state: State, seen: Features) -> State:
        after = self.inner.with_observation(self._inner(state), self._inner_seen(seen))
        return self._with(after, state.moved + seen[..., -len(self.columns) :])

    def _inner(self, state: State) -> State:
        return self.kind(*state[:-1])

    def _with(self, state: State, moved: Tensor) -> State:
        return placed_state(self.kind)(*state, moved)

    def _inner_seen(self, seen: Features) -> Features:
        return seen[..., : -len(self.columns)]

    def _here(self, state: State, known: Features) -> Features:
        """Features of the inner model's inputs with the place of a state."""
        count = len(self.columns)
        own, start, factor = known.split([known.shape[-1] - 2 * count, count, count], -1)
        return self.inner.embed_inputs(join(own, start + factor * state.moved))

    def _at_start(self, known: Features) -> Features:
        """The same with the place of the first row, for what is computed before the loop."""
        return self.inner.embed_inputs(known[..., : -len(self.columns)])


@cache
def placed_state(kind: type) -> Any:
    """Make the state of a placed model: the fields of the inner one's, and `moved`, (sample, batch, columns)."""
    return namedtuple(f"Placed{kind.__name__}", (*kind._fields, "moved"))
