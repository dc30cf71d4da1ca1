"""Walks whose displacement is the one before plus an innovation, and the exact smoother of them."""

import math

import torch
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, rollout
from vrnn.models.registry import make_model
from vrnn.models.vrnn import VRNN, VRNNConfig


class Remember(nn.Module):
    """A recurrent cell with h_t = x_t: it remembers the last displacement."""

    hidden = carry_dim = gates = 1

    def project(self, inputs: Tensor) -> Tensor:
        return inputs[..., :1]

    def output(self, carry: Tensor) -> Tensor:
        return carry

    def step(self, gates: Tensor, carry: Tensor) -> Tensor:
        return gates.expand(carry.shape)


def velocity_model(by_latent: bool = True) -> VRNN:
    """Return a VRNN of displacements that are the one before plus an innovation.

    Args:
        by_latent: the latent carries the innovation and is seen sharply; else the emission has it.
    """
    model = make_model(VRNNConfig(1, hidden=1, latent_dim=1, depth=0, emission="gaussian")).double()
    model.cell = Remember()
    model.latent_gates = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        narrow = math.log(math.expm1(0.03 - 1e-3))
        wide = math.log(math.expm1(0.3 - 1e-3))
        model.prior_head.net[-1].bias[1] = wide
        joint = model.posterior_head  # q(z | x_t, x_{t-1}) = N(x_t - x_{t-1}, 0.1)
        joint.evidence_layer.weight[0, 0] = float(by_latent)
        joint.state_layer.weight[0, 0] = -float(by_latent)
        joint.evidence_layer.bias[1] = math.log(math.expm1(0.1 - 1e-3)) if by_latent else wide
        model.head[-1].weight[0, 0] = float(by_latent)  # x_t = z_t + x_{t-1}
        model.head[-1].weight[0, 1] = 1.0
        model.head[-1].bias[1] = narrow if by_latent else wide
    return model


def drawn_with_gaps(model: VRNN, time: int, starts: list[int], count: int = 40) -> Batch:
    """Return sequences of the model without four points from every start on.

    What is seen after them is the sum of the whole way.
    """
    empty = Batch.of(torch.zeros(count, time, 1).double())
    noise = draw_noise(model, 1, count, time, seeded(3))
    x = rollout(model, condition(model, empty.split(0)[0], noise), empty.u, noise).x[0]
    for start in starts:
        x[:, start + 4] = x[:, start : start + 5].sum(1)
        x[:, start : start + 4] = torch.nan
    return Batch.of(x, is_increment=torch.tensor([True]))


def exact_displacements(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of every displacement given what is seen.

    All are jointly Gaussian: x_t = x_{t-1} + 0.3 e_t, x_0 = 0.3 e_0.
    """
    count, time, _ = batch.x.shape
    steps = torch.arange(1, time + 1)
    cov = 0.09 * torch.minimum(*torch.meshgrid(steps, steps, indexing="ij")).double()
    means, deviations = [], []
    for i in range(count):
        seen, since, values = [], 0, []
        for t in range(time):
            if bool(batch.mask[i, t]):
                sums = torch.zeros(time).double()
                sums[since : t + 1] = 1.0
                seen.append(sums)
                values.append(batch.x[i, t, 0])
                since = t + 1
        a, y = torch.stack(seen), torch.stack(values)
        gain = cov @ a.T @ torch.linalg.inv(a @ cov @ a.T + 1e-9 * torch.eye(len(a)).double())
        means.append(gain @ y)
        deviations.append((cov - gain @ a @ cov).diagonal().clamp(min=0).sqrt())
    return torch.stack(means), torch.stack(deviations)
