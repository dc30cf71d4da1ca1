"""Recurrent networks that read whole sequences: for posteriors that look ahead, and for prefixes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vrnn.models.layers import CellName
from vrnn.ops import gru_scan


class SequenceEncoder(nn.Module):
    """A recurrent network that reads whole padded sequences.

    Calling it returns the carry after each sequence's last step, (batch, carry).
    """

    def __init__(self, name: CellName, inputs: int, hidden: int):
        super().__init__()
        self.network = {"gru": nn.GRU, "lstm": nn.LSTM}[name](inputs, hidden, batch_first=True)
        self.carry_dim = hidden if name == "gru" else 2 * hidden

    def forward(
        self, x: Float[Tensor, "batch time inputs"], length: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch carry"]:
        if isinstance(self.network, nn.GRU):
            last = length.clamp(min=1) - 1
            there = torch.arange(x.shape[1], device=x.device) <= last[:, None]
            x = torch.where(there[..., None], x, 0.0)[:, : int(last.amax()) + 1 if len(x) else 0]
            return run(self.network, x)[torch.arange(len(x), device=x.device), last]
        packed = nn.utils.rnn.pack_padded_sequence(
            x, length.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.network(packed)
        return torch.cat(last, -1)[0]


class StepEncoder(nn.Module):
    """A recurrent network that reads whole padded sequences, with an output at every time step.

    Step t has read the steps up to t, or with `backward` those from t to the sequence's own last.
    Outputs past the length mean nothing.
    """

    def __init__(self, name: CellName, inputs: int, hidden: int, backward: bool):
        super().__init__()
        self.network = {"gru": nn.GRU, "lstm": nn.LSTM}[name](inputs, hidden, batch_first=True)
        self.backward = backward

    def forward(
        self, x: Float[Tensor, "batch time inputs"], length: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time hidden"]:
        if not self.backward:
            return run(self.network, x)
        return reverse(run(self.network, reverse(x, length)), length)


def run(
    network: nn.GRU | nn.LSTM, x: Float[Tensor, "batch time inputs"]
) -> Float[Tensor, "batch time hidden"]:
    """Return the output of a recurrent network at every time step."""
    if isinstance(network, nn.LSTM) or not x.is_cpu:
        return network(x)[0]
    weight_ih, weight_hh, bias_ih, bias_hh = network.all_weights[0]
    start = x.new_zeros(1, network.hidden_size)
    return gru_scan(x, start, weight_hh, bias_hh, weight_ih=weight_ih, bias_ih=bias_ih)


def reverse(
    x: Float[Tensor, "batch time width"], length: Int[Tensor, " batch"]
) -> Float[Tensor, "batch time width"]:
    """Return each sequence reversed within its own length; padding stays where it is.

    >>> reverse(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2]))[0, :, 0]
    tensor([2., 1., 0.])
    """
    time = torch.arange(x.shape[1], device=x.device)
    end = length[:, None]
    index = torch.where(time < end, end - 1 - time, time)
    return x.gather(1, index[..., None].expand_as(x))
