"""The layers that models are made of: feed-forward networks, heads of latents, recurrent cells.

A cell has two parts. `project` maps the inputs of all steps to gates before the loop. `step` reads
the state and so stays inside the loop; `scan` takes it over all steps at once. The carry of a cell
is one tensor; of an LSTM it holds output and memory side by side.
"""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vrnn.distributions import LatentDistribution, LatentFamily
from vrnn.ops import gru_scan, lstm_scan
from vrnn.ops.gru_scan import Feedback, gru_step

CellName = Literal["gru", "lstm"]


def mlp(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """Return a network with `depth` hidden ReLU layers; depth 0 is one affine map."""
    widths = [inputs] + [hidden] * depth
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def features(inputs: int, hidden: int, depth: int) -> nn.Sequential:
    """Return a network as `mlp` with a ReLU behind its last layer; depth 0 passes its input on."""
    if depth == 0 or inputs == 0:
        return nn.Sequential()
    return nn.Sequential(mlp(inputs, hidden, hidden, depth - 1), nn.ReLU())


def features_dim(inputs: int, hidden: int, depth: int) -> int:
    """Return the width that `features` puts out."""
    return inputs if depth == 0 or inputs == 0 else hidden


def affine_layers(network: nn.Module) -> list[nn.Linear]:
    """Return the affine layers of a network from input to output."""
    if isinstance(network, nn.Linear):
        return [network]
    return [layer for part in network.children() for layer in affine_layers(part)]


class LatentHead(nn.Module):
    """A network of `depth` hidden layers from features to the distribution of a latent."""

    def __init__(self, latent: LatentFamily, inputs: int, hidden: int, depth: int):
        super().__init__()
        self.latent = latent
        self.net = mlp(inputs, hidden, latent.size, depth)

    def forward(self, x: Float[Tensor, "*lead inputs"]) -> LatentDistribution:
        return self.latent(self.net(x))


class JointLatentHead(nn.Module):
    """A network from (evidence, state) to the distribution of a latent.

    The part of its first layer that reads the evidence is computed before the loop.
    """

    def __init__(self, latent: LatentFamily, evidence: int, state: int, hidden: int, depth: int):
        super().__init__()
        self.latent = latent
        width = hidden if depth else latent.size
        self.evidence_layer = nn.Linear(evidence, width)
        self.state_layer = nn.Linear(state, width, bias=False)
        self.rest = (
            nn.Sequential(nn.ReLU(), mlp(hidden, hidden, latent.size, depth - 1))
            if depth
            else nn.Sequential()
        )

    def project(self, evidence: Float[Tensor, "*lead evidence"]) -> Float[Tensor, "*lead width"]:
        """Return what the first layer makes of the evidence."""
        return self.evidence_layer(evidence)

    def forward(
        self, projected: Float[Tensor, "*a width"], state: Float[Tensor, "*b state"]
    ) -> LatentDistribution:
        return self.latent(self.raw(projected, state))

    def raw(
        self, projected: Float[Tensor, "*a width"], state: Float[Tensor, "*b state"]
    ) -> Float[Tensor, "*c size"]:
        """Return the outputs that the distribution is made of."""
        return self.rest(projected + self.state_layer(state))


def of_category(
    raw: Float[Tensor, "*lead outputs"], category: Float[Tensor, "*lead categories"]
) -> Float[Tensor, "*lead size"]:
    """Return the outputs that belong to a category, of outputs for each category in turn.

    With them a network has a last layer for each category. Without categories all are returned.

    Args:
        category: one-hot, or of width 0.

    >>> of_category(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 1.0]))
    tensor([3., 4.])
    """
    count = category.shape[-1]
    if not count:
        return raw
    return (raw.unflatten(-1, (count, -1)) * category[..., None]).sum(-2)


class GRUCell(nn.Module):
    """Gated recurrent unit (Cho et al. 2014), in the form of torch.nn.GRUCell.

    r, u = sigmoid(W x + U h),  n = tanh(W_n x + r * (U_n h + b_n)),  h' = (1 - u) * n + u * h
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, hidden, 3 * hidden
        self.weight_ih, self.bias_ih = linear_parameters(inputs, self.gates)
        self.weight_hh, self.bias_hh = linear_parameters(hidden, self.gates)
        for i in range(3):
            nn.init.orthogonal_(self.weight_hh[i * hidden : (i + 1) * hidden])

    def project(self, inputs: Float[Tensor, "*lead inputs"]) -> Float[Tensor, "*lead gates"]:
        """Return what the inputs add to the gates."""
        return nn.functional.linear(inputs, self.weight_ih, self.bias_ih)

    def output(self, carry: Float[Tensor, "*lead carry"]) -> Float[Tensor, "*lead hidden"]:
        """Return h of a carry."""
        return carry

    def step(
        self, gates: Float[Tensor, "*a gates"], carry: Float[Tensor, "*b carry"]
    ) -> Float[Tensor, "*b carry"]:
        """Return the next carry."""
        return gru_step(gates, carry, self.weight_hh, self.bias_hh)

    def scan(
        self,
        gates: Float[Tensor, "*lead time gates"],
        carry: Float[Tensor, "*#lead carry"],
        length: Int[Tensor, " batch"],
        feedback: Feedback | None = None,
    ) -> tuple[Float[Tensor, "*lead time carry"], Float[Tensor, "*lead carry"]]:
        """Return the carries after all steps, and after each sequence's own last step.

        Args:
            gates: projected inputs, (..., batch, time, gates).
            carry: before the first step.
            length: time steps of each sequence.
            feedback: a layer from the output back into the next gates.
        """
        carries = gru_scan(gates, carry, self.weight_hh, self.bias_hh, feedback=feedback)
        return carries, last_step(carries, carry, length)


class LSTMCell(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), in the form of torch.nn.LSTMCell.

    i, f, o = sigmoid(W x + U h),  g = tanh(W_g x + U_g h),  c' = f * c + i * g,  h' = o * tanh(c')

    The carry is (h, c) on one axis. The forget bias starts at 1.
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.hidden, self.carry_dim, self.gates = hidden, 2 * hidden, 4 * hidden
        self.weight_ih, self.bias_ih = linear_parameters(inputs, self.gates)
        self.weight_hh, _ = linear_parameters(hidden, self.gates, bias=False)
        nn.init.constant_(self.bias_ih[hidden : 2 * hidden], 1.0)
        for i in range(4):
            nn.init.orthogonal_(self.weight_hh[i * hidden : (i + 1) * hidden])

    def project(self, inputs: Float[Tensor, "*lead inputs"]) -> Float[Tensor, "*lead gates"]:
        """Return what the inputs add to the gates."""
        return nn.functional.linear(inputs, self.weight_ih, self.bias_ih)

    def output(self, carry: Float[Tensor, "*lead carry"]) -> Float[Tensor, "*lead hidden"]:
        """Return h of a carry."""
        return carry[..., : self.hidden]

    def step(
        self, gates: Float[Tensor, "*a gates"], carry: Float[Tensor, "*b carry"]
    ) -> Float[Tensor, "*b carry"]:
        """Return the next carry."""
        h, c = carry.chunk(2, -1)
        i, f, g, o = (gates + nn.functional.linear(h, self.weight_hh)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)

    def scan(
        self,
        gates: Float[Tensor, "*lead time gates"],
        carry: Float[Tensor, "*#lead carry"],
        length: Int[Tensor, " batch"],
        feedback: Feedback | None = None,
    ) -> tuple[Float[Tensor, "*lead time carry"], Float[Tensor, "*lead carry"]]:
        """Return the carries after all steps, and after each sequence's own last step.

        The memory of the first result is 0: no output reads it. Arguments are those of
        `GRUCell.scan`.
        """
        lead = gates.shape[:-2]
        carry = carry.expand(*lead, -1)
        if feedback is None:
            many = length.expand(lead).flatten()
            h, last = lstm_scan(gates.flatten(0, -3), carry.flatten(0, -2), self.weight_hh, many)
            h, last = h.unflatten(0, lead), last.unflatten(0, lead)
            return nn.functional.pad(h, (0, self.hidden)), last
        carries: list[Tensor] = []
        for gates_t in gates.unbind(-2):
            if carries:
                output, (into, bias, back) = self.output(carries[-1]), feedback
                layer = torch.relu(nn.functional.linear(output, into, bias))
                gates_t = gates_t + nn.functional.linear(layer, back)
            carries.append(self.step(gates_t, carries[-1] if carries else carry))
        stacked = torch.stack(carries, -2)
        return stacked, last_step(stacked, carry, length)


def last_step(
    carries: Float[Tensor, "*lead time carry"],
    first: Float[Tensor, "*#lead carry"],
    length: Int[Tensor, " batch"],
) -> Float[Tensor, "*lead carry"]:
    """Return the carry after each sequence's own last step, `first` where it has no step."""
    lead, time = carries.shape[:-2], carries.shape[-2]
    if not time:
        return first.expand(*lead, -1)
    if bool((length == time).all()):
        return carries[..., -1, :]
    index = (length.clamp(min=1) - 1).expand(lead)[..., None, None]
    last = carries.gather(-2, index.expand(*lead, 1, carries.shape[-1]))[..., 0, :]
    return torch.where((length > 0)[:, None], last, first)


def linear_parameters(
    inputs: int, outputs: int, bias: bool = True
) -> tuple[nn.Parameter, nn.Parameter]:
    """Return weight and bias as `torch.nn.Linear` starts them; an empty bias where there is none."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    return nn.Parameter(layer.weight), nn.Parameter(layer.bias if bias else torch.empty(0))


def make_cell(name: CellName, inputs: int, hidden: int) -> GRUCell | LSTMCell:
    """Return the recurrent cell of that name."""
    return {"gru": GRUCell, "lstm": LSTMCell}[name](inputs, hidden)


def learned(width: int) -> nn.Parameter:
    """Return a learned constant, such as h_0, that starts at 0."""
    return nn.Parameter(torch.zeros(width))
