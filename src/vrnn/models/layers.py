"""The layers that models are made of: feed-forward networks, Gaussian heads and recurrent cells.

A cell is split in `project`, which every step's input goes through at once before the loop, and `step`, the part
that must wait for the state. Its carry is one tensor (for the LSTM, output and memory side by side).
"""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.distributions import DiagonalGaussian, positive

CellName = Literal["gru", "lstm"]


def mlp(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """Build a network with `depth` hidden ReLU layers; depth 0 is one affine map."""
    widths = [inputs] + [hidden] * depth
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def features(inputs: int, hidden: int, depth: int) -> nn.Sequential:
    """Build a feature extractor: as `mlp` with a ReLU behind its last layer; depth 0 hands its input on."""
    if depth == 0 or inputs == 0:
        return nn.Sequential()
    return nn.Sequential(mlp(inputs, hidden, hidden, depth - 1), nn.ReLU())


def features_dim(inputs: int, hidden: int, depth: int) -> int:
    """Give the width that `features` puts out."""
    return inputs if depth == 0 or inputs == 0 else hidden


def affine_layers(network: nn.Module) -> list[nn.Linear]:
    """List the affine layers of a network from input to output."""
    if isinstance(network, nn.Linear):
        return [network]
    return [layer for part in network.children() for layer in affine_layers(part)]


class GaussianHead(nn.Module):
    """Map features to N(mu, s), s = floor + softplus(.), through a network of `depth` hidden layers."""

    def __init__(self, inputs: int, hidden: int, dim: int, depth: int):
        super().__init__()
        self.net = mlp(inputs, hidden, 2 * dim, depth)

    def forward(self, x: Float[Tensor, "*lead inputs"]) -> DiagonalGaussian:
        mean, raw = self.net(x).chunk(2, -1)
        return DiagonalGaussian(mean, positive(raw))


class JointGaussianHead(nn.Module):
    """Map (fixed, state) to N(mu, s), with the part of the first layer that reads `fixed` computed before the loop."""

    def __init__(self, fixed: int, state: int, hidden: int, dim: int, depth: int):
        super().__init__()
        width = hidden if depth else 2 * dim
        self.of_fixed = nn.Linear(fixed, width)
        self.of_state = nn.Linear(state, width, bias=False)
        self.rest = (
            nn.Sequential(nn.ReLU(), mlp(hidden, hidden, 2 * dim, depth - 1))
            if depth
            else nn.Sequential()
        )

    def project(self, fixed: Float[Tensor, "*lead fixed"]) -> Float[Tensor, "*lead width"]:
        return self.of_fixed(fixed)

    def forward(
        self, projected: Float[Tensor, "*a width"], state: Float[Tensor, "*b state"]
    ) -> DiagonalGaussian:
        mean, raw = self.rest(projected + self.of_state(state)).chunk(2, -1)
        return DiagonalGaussian(mean, positive(raw))


class GRUCell(nn.Module):
    """Gated recurrent unit (Cho et al. 2014), in the form of torch.nn.GRUCell.

    r, u = sigmoid(W x + U h),  n = tanh(W_n x + r * (U_n h + b_n)),  h' = (1 - u) * n + u * h
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, hidden, 3 * hidden
        self.of_input = nn.Linear(inputs, self.gates)
        self.of_carry = nn.Linear(hidden, self.gates)
        for i in range(3):
            nn.init.orthogonal_(self.of_carry.weight[i * hidden : (i + 1) * hidden])

    def project(self, inputs: Float[Tensor, "*lead inputs"]) -> Float[Tensor, "*lead gates"]:
        return self.of_input(inputs)

    def output(self, carry: Float[Tensor, "*lead carry"]) -> Float[Tensor, "*lead hidden"]:
        return carry

    def step(
        self, projected: Float[Tensor, "*a gates"], carry: Float[Tensor, "*b carry"]
    ) -> Float[Tensor, "*b carry"]:
        size = self.hidden
        recurrent = self.of_carry(carry)
        r, u = torch.sigmoid(projected[..., : 2 * size] + recurrent[..., : 2 * size]).chunk(2, -1)
        n = torch.tanh(torch.addcmul(projected[..., 2 * size :], r, recurrent[..., 2 * size :]))
        return torch.lerp(n.to(carry), carry, u.to(carry))  # one type under autocast

    def run(
        self, projected: Float[Tensor, "batch time gates"], carry: Float[Tensor, "batch carry"]
    ) -> Float[Tensor, "batch time hidden"]:
        """Give the outputs of all steps, `step` after `step`, in one call."""
        weights = _side_by_side(
            _identity(projected),
            self.of_carry.weight,
            torch.zeros_like(self.of_carry.bias),
            self.of_carry.bias,
        )
        return torch.gru(projected, carry[None].contiguous(), weights, *_ONE_LAYER)[0]


class LSTMCell(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), in the form of torch.nn.LSTMCell.

    i, f, o = sigmoid(W x + U h),  g = tanh(W_g x + U_g h),  c' = f * c + i * g,  h' = o * tanh(c')

    The carry is (h, c) on one axis. The forget bias starts at 1.
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, 2 * hidden, 4 * hidden
        self.of_input = nn.Linear(inputs, self.gates)
        self.of_carry = nn.Linear(hidden, self.gates, bias=False)
        nn.init.constant_(self.of_input.bias[hidden : 2 * hidden], 1.0)
        for i in range(4):
            nn.init.orthogonal_(self.of_carry.weight[i * hidden : (i + 1) * hidden])

    def project(self, inputs: Float[Tensor, "*lead inputs"]) -> Float[Tensor, "*lead gates"]:
        return self.of_input(inputs)

    def output(self, carry: Float[Tensor, "*lead carry"]) -> Float[Tensor, "*lead hidden"]:
        return carry[..., : self.hidden]

    def step(
        self, projected: Float[Tensor, "*a gates"], carry: Float[Tensor, "*b carry"]
    ) -> Float[Tensor, "*b carry"]:
        h, c = carry.chunk(2, -1)
        i, f, g, o = (projected + self.of_carry(h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)

    def run(
        self, projected: Float[Tensor, "batch time gates"], carry: Float[Tensor, "batch carry"]
    ) -> Float[Tensor, "batch time hidden"]:
        """Give the outputs of all steps, `step` after `step`, in one call."""
        none = self.of_input.bias.new_zeros(self.gates)
        weights = _side_by_side(_identity(projected), self.of_carry.weight, none, none)
        first = [part.contiguous() for part in carry[None].chunk(2, -1)]
        return torch.lstm(projected, first, weights, *_ONE_LAYER)[0]


# biases, layers, dropout, training, bidirectional, batch first
_ONE_LAYER = (True, 1, 0.0, True, False, True)


def _identity(projected: Float[Tensor, "batch time gates"]) -> Float[Tensor, "gates gates"]:
    """Give the input weights of a fused cell whose input has been projected already."""
    return torch.eye(projected.shape[-1], dtype=projected.dtype, device=projected.device)


def _side_by_side(*weights: Tensor) -> list[Tensor]:
    """Lay the weights of a layer out in one buffer, without which cuDNN copies them there itself and warns."""
    flat = torch.cat([w.flatten() for w in weights])
    parts = flat.split([w.numel() for w in weights])
    return [part.view_as(w) for part, w in zip(parts, weights, strict=True)]


def make_cell(name: CellName, inputs: int, hidden: int) -> GRUCell | LSTMCell:
    """Build the recurrent cell of that name."""
    return {"gru": GRUCell, "lstm": LSTMCell}[name](inputs, hidden)


def learned(width: int) -> nn.Parameter:
    """Give a learned constant, such as h_0, that starts at 0."""
    return nn.Parameter(torch.zeros(width))
