"""An LSTM over inputs that are there from beginning to end."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vrnn.ops.gru_scan import identity_like, side_by_side


def lstm_scan(
    gates: Float[Tensor, "batch time gates"],
    carry: Float[Tensor, "batch carry"],
    weight_hh: Float[Tensor, "gates hidden"],
    length: Int[Tensor, " batch"] | None = None,
) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "batch carry"]]:
    """Return the outputs of all steps and the carry after each sequence's own last step.

    i, f, o = sigmoid(gates + W h),   g = tanh(.),   c' = f c + i g,   h' = o tanh(c')

    Args:
        gates: inputs, projected already, in the order i, f, g, o.
        carry: (h, c) before the first step, side by side.
        weight_hh: W.
        length: time steps of each sequence; all of them when None. Later outputs mean nothing.
    """
    none = weight_hh.new_zeros(len(weight_hh))
    weights = side_by_side(identity_like(gates), weight_hh, none, none)
    first = [part.contiguous() for part in carry[None].chunk(2, -1)]
    settings = (True, 1, 0.0, True, False)  # biases, layers, dropout, training, bidirectional
    time = gates.shape[1]
    if length is None or bool((length == time).all()):
        h, *last = torch.lstm(gates, first, weights, *settings, True)
        return h, torch.cat(last, -1)[0]
    packed = nn.utils.rnn.pack_padded_sequence(
        gates, length.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
    )
    order, back = packed.sorted_indices, packed.unsorted_indices
    first = [part[:, order] for part in first]
    data, *last = torch.lstm(packed.data, packed.batch_sizes, first, weights, *settings)
    h = nn.utils.rnn.PackedSequence(data, packed.batch_sizes, order, back)
    padded, _ = nn.utils.rnn.pad_packed_sequence(h, batch_first=True, total_length=time)
    after = torch.cat(last, -1)[0][back]
    return padded, torch.where((length > 0)[:, None], after, carry)
