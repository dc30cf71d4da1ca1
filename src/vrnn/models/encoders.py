"""Recurrent networks that read whole sequences before the loop: what posteriors that look ahead, and prefixes, are read by."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vrnn.models.layers import CellName
from vrnn.models.loops import PLAIN, Loops


class SequenceEncoder(nn.Module):
    """Read whole padded sequences with a recurrent network and give its carry after each one's last row."""

    def __init__(self, name: CellName, inputs: int, hidden: int):
        super().__init__()
        self.cell = {"gru": nn.GRU, "lstm": nn.LSTM}[name](inputs, hidden, batch_first=True)
        self.carry_dim = hidden if name == "gru" else 2 * hidden

    def forward(
        self,
        x: Float[Tensor, "batch time inputs"],
        length: Int[Tensor, " batch"],
        loops: Loops = PLAIN,
    ) -> Float[Tensor, "batch carry"]:
        if isinstance(self.cell, nn.GRU):
            last = length.clamp(min=1) - 1
            there = torch.arange(x.shape[1], device=x.device) <= last[:, None]
            x = torch.where(there[..., None], x, 0.0)[:, : int(last.amax()) + 1 if len(x) else 0]
            return loops.read(self.cell, x)[torch.arange(len(x), device=x.device), last]
        packed = nn.utils.rnn.pack_padded_sequence(
            x, length.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.cell(packed)
        return torch.cat(last, -1)[0]


class RowEncoder(nn.Module):
    """Read whole padded sequences with a recurrent network and give its output at every row.

    Row t has read the rows up to t, or with `backward` those from t to the sequence's own last; rows past the length
    mean nothing.
    """

    def __init__(self, name: CellName, inputs: int, hidden: int, backward: bool):
        super().__init__()
        self.cell = {"gru": nn.GRU, "lstm": nn.LSTM}[name](inputs, hidden, batch_first=True)
        self.backward = backward

    def forward(
        self,
        x: Float[Tensor, "batch time inputs"],
        length: Int[Tensor, " batch"],
        loops: Loops = PLAIN,
    ) -> Float[Tensor, "batch time hidden"]:
        if not self.backward:
            return loops.read(self.cell, x)
        return turn_round(loops.read(self.cell, turn_round(x, length)), length)


def turn_round(
    x: Float[Tensor, "batch time width"], length: Int[Tensor, " batch"]
) -> Float[Tensor, "batch time width"]:
    """Reverse each sequence within its own length; padding stays where it is.

    >>> turn_round(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2]))[0, :, 0]
    tensor([2., 1., 0.])
    """
    time = torch.arange(x.shape[1], device=x.device)
    end = length[:, None]
    index = torch.where(time < end, end - 1 - time, time)
    return x.gather(1, index[..., None].expand_as(x))
