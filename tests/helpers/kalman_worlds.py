"""State-space models as models of the contract, with the exact answers of a Kalman smoother.

A VRNN and a deep Markov model whose networks are linear and whose scales are constant are a
state-space model in (state, z_t, x_t). One step of the model's own maps, from every basis vector of
(state, noise), gives its matrices. The observation is part of the state, so a missing one, which
the model replaces by its own draw, needs no case of its own.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from tests.helpers.kalman import Kalman, StateSpace, draw, kalman
from tests.helpers.linear_models import build_linear, set_scales
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions.scale import SCALE_FLOOR, positive
from vrnn.inference.random_numbers import seeded
from vrnn.models.config import ModelConfig
from vrnn.models.contract import Model
from vrnn.models.dmm import DMM, DMMConfig
from vrnn.models.vrnn import VRNNConfig

CONFIGS = {
    "vrnn": VRNNConfig(2, hidden=3, latent_dim=2, depth=0),
    "dmm": DMMConfig(2, hidden=3, latent_dim=2, depth=0),
}
SEEDS = range(3)
TIME = 5


class BackwardEncoder(nn.Module):
    """What the posterior of a DMM reads: a_t = W (x_t, present_t) + [t < T] (U a_{t+1} + v)."""

    def __init__(self, of_x: Tensor, of_next: Tensor, constant: Tensor):
        super().__init__()
        self.of_x, self.of_next, self.constant = of_x, of_next, constant

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        rows, a = [], torch.zeros_like(self.constant)
        for t in reversed(range(x.shape[1])):
            later = torch.where((t + 1 < length)[:, None], a @ self.of_next.T + self.constant, 0.0)
            a = x[:, t] @ self.of_x.T + later
            rows.append(a)
        return torch.stack(rows[::-1], 1)


@torch.no_grad()
def draw_linear(config: ModelConfig, seed: int, share: float = 0.6, blind: bool = False) -> Model:
    """Return a linear model with random maps and constant scales.

    The mean of the posterior is close to the true one. In the VRNN that is the mean of z_t given
    x_t and h_{t-1}; in the DMM that of z_t given z_{t-1} and all later steps of a long sequence. The
    variance is the largest of the true posterior given a complete point. It is at least such a
    `share` of the prior's that weights have a variance after a point with one entry as well.

    Args:
        blind: the posterior of a DMM has the mean of the prior.
    """
    model, generator = build_linear(config), seeded(seed, 20)
    for parameter in model.parameters():
        spread = 0.8 / math.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.3
        parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    prior, emission = model.prior_head.net[-1], model.head[-1]
    emission.weight *= 1.5
    n = model.latent.dim
    set_scales(emission, 2, raw=0.0, shrink=1.0)
    set_scales(prior, n, raw=0.3, shrink=1.0)
    Q, R = torch.diag(positive(prior.bias[n:])) ** 2, torch.diag(positive(emission.bias[2:])) ** 2
    growth = np.linalg.norm(np.linalg.matrix_power(state_space(model).F, 3), 2) ** (1 / 3)
    # All that a state leaves in the next one goes through these layers.
    for layer in (
        [prior] if isinstance(model, DMM) else [model.cell.gates_layer, model.cell.carry_layer]
    ):
        layer.weight *= 0.85 / growth
    if isinstance(model, DMM):
        look_ahead(model, Q, R * 1e12 if blind else R)
        layers = [model.posterior_head.net[-1]]
    else:
        follow_observation(model, Q, R)
        layers = [model.posterior_head.evidence_layer, model.posterior_head.state_layer]
    C = emission.weight[:2, :n]
    least = torch.linalg.eigvalsh(torch.linalg.inv(Q) + C.T @ torch.linalg.inv(R) @ C).min()
    scale = float((1 / least).clamp(min=share * Q[0, 0]).sqrt())
    for layer in layers:
        set_scales(layer, n, raw=math.log(math.expm1(scale - SCALE_FLOOR)), shrink=1.0)
    return model


def follow_observation(model: Model, Q: Tensor, R: Tensor) -> None:
    """Make the mean of a VRNN's posterior that of z given x and h.

    The model is z ~ N(A h + a, Q), x ~ N(C z + D h + c, R).
    """
    prior, emission, head = model.prior_head.net[-1], model.head[-1], model.posterior_head
    n, c = model.latent.dim, emission.bias[:2]
    A, a, (C, D) = prior.weight[:n], prior.bias[:n], emission.weight[:2].tensor_split([n], 1)
    gain = Q @ C.T @ torch.linalg.inv(C @ Q @ C.T + R)
    head.evidence_layer.weight[:n], head.state_layer.weight[:n] = gain, A - gain @ (C @ A + D)
    head.evidence_layer.bias[:n] = a - gain @ (C @ a + c)


def look_ahead(model: DMM, Q: Tensor, R: Tensor) -> None:
    """Make the mean of a DMM's posterior that of z_t given z_{t-1} and x_{t:T}, T far off.

    The model is z' ~ N(A z + a, Q), x ~ N(C z + c, R). p(x_{t:T} | z_t) is exp(-z^T L z / 2 + z^T a_t)
    up to a factor, with a_t by a backward recursion and L its limit.
    """
    prior, emission = model.prior_head.net[-1], model.head[-1]
    A, a, C, c = prior.weight[:2], prior.bias[:2], emission.weight[:2, :2], emission.bias[:2]
    of_x, precision = C.T @ torch.linalg.inv(R), torch.linalg.inv(Q)
    L = of_x @ C
    for _ in range(50):
        cov = torch.linalg.inv(precision + L)
        left = precision - precision @ cov @ precision
        L = of_x @ C + A.T @ left @ A
    rows = lambda part: torch.cat([part, part.new_zeros(1, *part.shape[1:])])  # noqa: E731  # to the width of a_t, 3
    square = lambda part: rows(rows(part).T).T  # noqa: E731
    model.reader = BackwardEncoder(
        2 * rows(torch.cat([of_x, -of_x * c], -1)),
        square(A.T @ precision @ cov),
        -2 * rows(A.T @ left @ a),
    )
    model.latent_layer.weight.copy_(2 * rows(precision @ A))
    model.latent_layer.bias.copy_(2 * rows(precision @ a))
    model.posterior_head.net[-1].weight[:2] = rows(cov.T).T
    model.posterior_head.net[-1].bias[:2] = 0.0


@torch.no_grad()
def state_space(model: Model) -> StateSpace:
    """Return the matrices of a linear model without inputs and without a global latent.

    x_t is the last part of the state, and is seen as it is.
    """
    start = model.initial_state()
    widths, kind = [part.shape[-1] for part in start], type(start)
    carried, noise = sum(widths), [model.latent.dim, model.observation.noise_size]
    size = carried + sum(noise)

    def step(v: Tensor) -> Tensor:
        *before, latent, observation = v.split([*widths, *noise], -1)
        nothing = v[:, :0]
        state = model.with_input(kind(*before), nothing)
        z = model.prior(state).sample(latent)
        state = model.with_latent(state, z)
        x = model.emission(state).sample(observation)
        after = model.with_observation(state, model.embed_observations(x, nothing))
        return torch.cat([*after, z, x], -1)

    probes = torch.randn(3, size, generator=seeded(0)).double()
    c = step(torch.zeros(1, size).double())
    columns = step(torch.eye(size).double()) - c
    torch.testing.assert_close(step(probes), probes @ columns + c)  # linear indeed
    first = step(torch.cat([*start, torch.zeros(sum(noise)).double()])[None])
    c, columns, first = c[0].numpy(), columns.T.numpy(), first[0].numpy()
    n, dim = len(c), model.observation.dim
    F = np.concatenate([columns[:, :carried], np.zeros((n, n - carried))], 1)
    Q = columns[:, carried:] @ columns[:, carried:].T
    return StateSpace(
        F, c, Q, first, Q, np.eye(dim, n, n - dim), np.zeros(dim), np.zeros((dim, dim))
    )


class KalmanWorld(NamedTuple):
    """A linear model, a sequence drawn from it with gaps, and the exact answers.

    Attributes:
        z: where the latent is in the state of the space; x comes after it.
    """

    model: Model
    space: StateSpace
    x: np.ndarray
    batch: Batch
    exact: Kalman
    z: slice


def make_kalman_world(name: str, seed: int) -> KalmanWorld:
    """Return a world drawn at random; a fifth of the points and of the single entries are missing."""
    model, random = draw_linear(CONFIGS[name], seed), np.random.default_rng(seed)
    space = state_space(model)
    x = draw(space, TIME, random)
    x[random.random(TIME) < 0.2] = np.nan
    x[random.random(x.shape) < 0.2] = np.nan
    n = len(space.m) - 2
    batch = Batch.of(torch.from_numpy(x)[None], factorises=True)
    return KalmanWorld(model, space, x, batch, kalman(space, x), slice(n - model.latent.dim, n))


@torch.no_grad()
def make_exact_posterior(seed: int) -> tuple[Model, Batch, np.ndarray]:
    """Return a VRNN whose posterior is exact, a sequence of it, and log p(x_t | x_{<t}).

    No latent reaches the next step, so q(z_t | x_t, h_{t-1}) can be the posterior itself.
    """
    config = VRNNConfig(2, hidden=3, latent_dim=1, depth=0)
    model = draw_linear(config, seed, share=0.0)
    model.latent_gates.weight.zero_()
    space = state_space(model)
    x = draw(space, TIME, np.random.default_rng(seed))
    return model, Batch.of(torch.from_numpy(x)[None]), kalman(space, x).log_prob
