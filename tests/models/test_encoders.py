"""Networks that read whole sequences, compiled and plain, against PyTorch's packed sequences."""

import pytest
import torch
from tests.helpers.fast_paths import in_both

from vrnn.models.encoders import SequenceEncoder, StepEncoder, reverse

LENGTH = torch.tensor([4, 1, 0, 6])


def drawn():
    """Return padded sequences, NaN past the end of each, and the same with 0 there."""
    x = torch.randn(4, 6, 2, dtype=torch.float64)
    past = (torch.arange(6) >= LENGTH.clamp(min=1)[:, None])[..., None]
    return torch.where(past, torch.nan, x), torch.where(past, 0.0, x)


def packed(x):
    return torch.nn.utils.rnn.pack_padded_sequence(
        x, LENGTH.clamp(min=1), batch_first=True, enforce_sorted=False
    )


def gradients(found, network):
    value = found.square().sum() + found.sum()
    return torch.autograd.grad(value, list(network.parameters()), retain_graph=True)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_lies_past_a_sequence_is_not_read(cell):
    encoder = SequenceEncoder(cell, 2, 5).double()
    x, filled = drawn()
    last = encoder.network(packed(filled))[1]
    expected = last[0] if cell == "gru" else torch.cat(last, -1)[0]
    for found in in_both(lambda: encoder(x, LENGTH)):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        for a, b in zip(gradients(found, encoder), gradients(expected, encoder), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_step_has_read_its_own_part(cell, backward):
    encoder = StepEncoder(cell, 2, 5, backward).double()
    _, x = drawn()
    for found in in_both(lambda: encoder(x, LENGTH)):
        for i, length in enumerate(LENGTH.tolist()):
            for t in range(length):
                part = x[i : i + 1, t:length].flip(1) if backward else x[i : i + 1, : t + 1]
                expected = encoder.network(part)[0][0, -1]
                torch.testing.assert_close(found[i, t], expected, rtol=1e-10, atol=1e-10)


def test_each_sequence_is_reversed_within_its_own_length():
    x = torch.arange(24.0).view(4, 6, 1)
    found = reverse(x, LENGTH)[..., 0].tolist()
    assert found[0] == [3, 2, 1, 0, 4, 5]
    assert found[1] == [6, 7, 8, 9, 10, 11] and found[2] == [12, 13, 14, 15, 16, 17]
    assert found[3] == [23, 22, 21, 20, 19, 18]
