"""A binary hidden Markov chain, where every probability is a sum over all paths.

The chain is a model of the contract. Its latent z_t is Gaussian, and only the sign of it matters, or
it is one of two categories:

    s_t = [z_t > 0],   z_t ~ N(m[s_{t-1}, x_{t-1}], 1),   x_t ~ p[s_t, x_{t-1}],   s_0 = x_0 = 0
    s_t = z_t's category,   P(s_t = 1 | .) = Phi(m[s_{t-1}, x_{t-1}])

so that P(s_t = 1 | .) = Phi(m[.]) in both. States and observations read the last observation. Where that is
missing, the model's own draw of it matters.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.stats
import torch
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import (
    DiagonalGaussian,
    Distribution,
    Gaussian,
    LatentDistribution,
    OneHot,
    parse_emission,
)
from vrnn.inference.random_numbers import seeded
from vrnn.models.contract import Model

TIME = 5
VALUES = {"bernoulli": 2, "categorical(3)": 3}
GAPS = {"complete": [], "inside": [1, 2], "ends": [0, 3, 4]}
LATENTS = ("gaussian", "categorical")
CASES = [(emission, gaps, latent) for emission in VALUES for gaps in GAPS for latent in LATENTS]


class ChainState(NamedTuple):
    """The state of a chain: s_t and x_t, (..., 1) each, and inputs of width 0."""

    s: Tensor
    x: Tensor
    u: Tensor


class Chain(Model):
    """A hidden Markov chain.

    A Gaussian posterior is wider than the prior, with a mean that is moved to where x_t points. That
    of the categories is exact.
    """

    def __init__(self, emission: str, latent: str = "gaussian", seed: int = 0):
        super().__init__()
        self.observation = parse_emission(emission, 1)
        self.latent = Gaussian(1) if latent == "gaussian" else OneHot(2)
        generator, values = seeded(seed), VALUES[emission]
        size = self.observation.size
        self.moves = nn.Parameter(torch.randn(2, values, generator=generator).double())
        self.emits = nn.Parameter(1.5 * torch.randn(2, values, size, generator=generator).double())

    def embed_evidence(self, batch: Batch, inputs: Tensor) -> Tensor:
        return batch.x

    def initial_state(self) -> ChainState:
        zero = self.moves.new_zeros(1)
        return ChainState(zero, zero, zero[:0])

    def symbol(self, z: Tensor) -> Tensor:
        """Return s of latents, (..., 1)."""
        return (z[..., -1:] > 0).to(z)

    def prior(self, state: ChainState) -> LatentDistribution:
        mean = self.moves[state.s.long(), state.x.long()]
        if self.latent.listed:
            return self.latent(torch.special.log_ndtr(torch.cat([-mean, mean], -1)))
        return DiagonalGaussian(mean, torch.ones_like(mean))

    def posterior(self, state: ChainState, evidence: Tensor) -> LatentDistribution | None:
        if self.latent.listed:
            return None
        mean = self.prior(state).mean + 0.8 * (evidence - 0.5)
        return DiagonalGaussian(mean, torch.full_like(mean, 1.3))

    def with_latent(self, state: ChainState, z: Tensor) -> ChainState:
        return state._replace(s=self.symbol(z))

    def emission(self, state: ChainState) -> Distribution:
        return self.observation(self.emits[state.s.long(), state.x.long()][..., 0, :])

    def with_observation(self, state: ChainState, features: Tensor) -> ChainState:
        return state._replace(x=features)


class Paths(NamedTuple):
    """All paths that agree with what is observed.

    Attributes:
        s, x: states and observations, (path, time).
        p: p(s, x), (path,); their sum is p(x_observed).
    """

    s: np.ndarray
    x: np.ndarray
    p: np.ndarray

    def seeing(self, x: np.ndarray) -> "Paths":
        """Return the paths that agree with x (time,), NaN where missing."""
        kept = (np.isnan(x) | (self.x == x)).all(-1)
        return Paths(*(part[kept] for part in self))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return E[values | x_observed], values (path, ...)."""
        return np.einsum("p,p...->...", self.p / self.p.sum(), values.astype(float))


def enumerate_paths(model: Chain, time: int = TIME) -> Paths:
    """Return every path with its probability, from the model's two tables alone."""
    moves = scipy.stats.norm.cdf(model.moves.detach().numpy())
    emits = model.emits.detach().numpy()
    weight = np.exp(
        np.concatenate([np.zeros_like(emits), emits], -1) if emits.shape[-1] == 1 else emits
    )
    emits = weight / weight.sum(-1, keepdims=True)
    s = np.array(list(product(range(2), repeat=time)))
    x = np.array(list(product(range(emits.shape[1]), repeat=time)))
    s, x = np.repeat(s, len(x), 0), np.tile(x, (len(s), 1))
    before_s, before_x = (np.pad(a, ((0, 0), (1, 0)))[:, :-1] for a in (s, x))
    up = moves[before_s, before_x]
    p = np.where(s == 1, up, 1 - up) * emits[s, before_x, x]
    return Paths(s, x, p.prod(-1))


class ChainWorld(NamedTuple):
    """A chain, one sequence drawn from it with a gap, and the paths that agree with it."""

    model: Chain
    x: np.ndarray
    batch: Batch
    paths: Paths


def make_chain_world(emission: str, gaps: str, latent: str) -> ChainWorld:
    """Return a chain with a sequence drawn from it, by the names in `CASES`."""
    model = Chain(emission, latent)
    paths = enumerate_paths(model)
    x = paths.x[np.random.default_rng(3).choice(len(paths.p), p=paths.p)].astype(float)
    x[GAPS[gaps]] = np.nan
    batch = Batch.of(torch.from_numpy(x)[None, :, None], factorises=True)
    return ChainWorld(model, x, batch, paths.seeing(x))
