"""A model around another: it adds fields to the state, and hands on what it does not change."""

from collections import namedtuple
from functools import cache
from typing import Any

from jaxtyping import Float
from torch import Tensor

from vrnn.distributions import Distribution, Family, LatentDistribution
from vrnn.models.contract import Features, Model, State


class Wrapper(Model):
    """A model whose state is that of an inner model, with fields of its own behind.

    Args:
        inner: the model inside.
        fields: names of the fields that are added to its state.
    """

    def __init__(self, inner: Model, fields: tuple[str, ...]):
        super().__init__()
        self.inner, self.latent = inner, inner.latent
        self.inner_state, self.fields = type(inner.initial_state()), fields

    @property
    def observation(self) -> Family:  # pyrefly: ignore
        return self.inner.observation

    def prior(self, state: State) -> LatentDistribution:
        return self.inner.prior(self.inside(state))

    def posterior(self, state: State, evidence: Features) -> LatentDistribution | None:
        return self.inner.posterior(self.inside(state), evidence)

    def with_latent(self, state: State, z: Float[Tensor, "n latent"]) -> State:
        return self.around(self.inner.with_latent(self.inside(state), z), *self.added(state))

    def emission(self, state: State) -> Distribution:
        return self.inner.emission(self.inside(state))

    def inside(self, state: State) -> State:
        """Return the state of the inner model."""
        return self.inner_state(*state[: -len(self.fields)])

    def added(self, state: State) -> tuple[Tensor, ...]:
        """Return the fields that are added to the state of the inner model."""
        return tuple(state[-len(self.fields) :])

    def around(self, state: State, *added: Tensor) -> State:
        """Return the state with these fields around a state of the inner model."""
        return state_type(self.inner_state, self.fields, type(self).__name__)(*state, *added)


@cache
def state_type(inner: type, fields: tuple[str, ...], name: str) -> Any:
    """Return the type of a state: the fields of the inner one, and those added."""
    return namedtuple(f"{name}{inner.__name__}", (*inner._fields, *fields))
