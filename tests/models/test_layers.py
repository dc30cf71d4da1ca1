"""The layers against torch's own."""

import pytest
import torch
from torch import nn

from vrnn.distributions import Gaussian
from vrnn.models.encoders import SequenceEncoder, StepEncoder, reverse
from vrnn.models.layers import (
    GRUCell,
    JointLatentHead,
    LSTMCell,
    features,
    features_dim,
    mlp,
)
from vrnn.ops import backend


def test_gru_cell_is_that_of_torch():
    ours, theirs = GRUCell(3, 5), nn.GRUCell(3, 5)
    theirs.load_state_dict(
        {"weight_ih": ours.weight_ih, "weight_hh": ours.weight_hh,
         "bias_ih": ours.bias_ih, "bias_hh": ours.bias_hh}
    )  # fmt: skip
    x, h = torch.randn(7, 3), torch.randn(7, 5)
    torch.testing.assert_close(ours.step(ours.project(x), h), theirs(x, h))
    assert ours.output(h) is h


def test_gru_cell_keeps_the_type_of_its_carry_under_autocast():
    cell, carry = GRUCell(3, 5), torch.randn(7, 5)
    projected = cell.project(torch.randn(7, 3))
    with torch.autocast("cpu", torch.bfloat16):
        found = cell.step(projected, carry)
    assert found.dtype is carry.dtype
    torch.testing.assert_close(found, cell.step(projected, carry), rtol=0.05, atol=0.05)


def test_lstm_cell_is_that_of_torch():
    ours, theirs = LSTMCell(3, 5), nn.LSTMCell(3, 5)
    theirs.load_state_dict(
        {"weight_ih": ours.weight_ih, "weight_hh": ours.weight_hh,
         "bias_ih": ours.bias_ih, "bias_hh": torch.zeros(20)}
    )  # fmt: skip
    x, h, c = torch.randn(7, 3), torch.randn(7, 5), torch.randn(7, 5)
    carry = ours.step(ours.project(x), torch.cat([h, c], -1))
    torch.testing.assert_close(carry, torch.cat(theirs(x, (h, c)), -1))
    assert torch.equal(ours.output(carry), carry[:, :5])


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_samples_lead_and_share_what_is_projected(cell):
    cell = cell(3, 5)
    x, carry = torch.randn(4, 3), torch.randn(2, 4, cell.carry_dim)
    both = cell.step(cell.project(x), carry)
    torch.testing.assert_close(both, torch.stack([cell.step(cell.project(x), c) for c in carry]))
    assert cell.project(x).shape[-1] == cell.gates


@pytest.mark.parametrize("backend_name", ["auto", "reference"])
@pytest.mark.parametrize("lengths", [[7, 7, 7, 7], [7, 2, 0, 4]])
@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_scan_is_the_loop_of_steps(cell, lengths, backend_name):
    cell, length = cell(3, 5).double(), torch.tensor(lengths)
    x = torch.randn(2, 4, 7, 3).double().requires_grad_()
    carry = torch.randn(2, 4, cell.carry_dim).double().requires_grad_()
    state, outputs, last = carry, [], carry
    for t, gates in enumerate(cell.project(x).unbind(2)):
        state = cell.step(gates, state)
        outputs.append(cell.output(state))
        last = torch.where((t < length)[:, None], state, last)
    loop = torch.stack(outputs, 2)
    with backend(backend_name):
        carries, end = cell.scan(cell.project(x), carry, length)
    there = (torch.arange(7) < length[:, None])[..., None]
    at_once = torch.where(there, cell.output(carries), 0.0)
    loop = torch.where(there, loop, 0.0)
    torch.testing.assert_close(at_once, loop, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(end, last, rtol=1e-12, atol=1e-12)
    direction, leaves = torch.randn_like(loop), [x, carry, cell.weight_ih, cell.weight_hh]
    value = lambda h, c: (h * direction).sum() + (c * c).sum()  # noqa: E731
    expected = torch.autograd.grad(value(loop, last), leaves)
    for a, b in zip(torch.autograd.grad(value(at_once, end), leaves), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_sequence_encoder_stops_at_each_end(name):
    encoder = SequenceEncoder(name, 3, 5)
    x, length = torch.randn(4, 6, 3), torch.tensor([6, 2, 1, 4])
    carry = encoder(x, length)
    assert carry.shape == (4, encoder.carry_dim)
    for i, n in enumerate(length.tolist()):
        torch.testing.assert_close(carry[i], encoder(x[i : i + 1, :n], torch.tensor([n]))[0])


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_step_encoder_reads_each_sequence_from_its_own_end(name, backward):
    encoder = StepEncoder(name, 3, 5, backward)
    x, length = torch.randn(4, 6, 3), torch.tensor([6, 2, 0, 4])
    rows = encoder(x, length)
    assert rows.shape == (4, 6, 5)
    for i, n in enumerate(length.tolist()):
        for t in range(n):
            part = x[i : i + 1, t:n].flip(1) if backward else x[i : i + 1, : t + 1]
            torch.testing.assert_close(rows[i, t], encoder.network(part)[0][0, -1])


def test_reversing_twice_changes_nothing():
    x, length = torch.randn(3, 5, 2), torch.tensor([5, 0, 3])
    once = reverse(x, length)
    assert torch.equal(reverse(once, length), x)
    assert torch.equal(once[0], x[0].flip(0)) and torch.equal(once[1], x[1])
    assert torch.equal(once[2], torch.cat([x[2, :3].flip(0), x[2, 3:]]))


def test_joint_head_is_one_network_of_both_parts():
    head = JointLatentHead(Gaussian(2), 3, 4, hidden=6, depth=1)
    fixed, state = torch.randn(5, 3), torch.randn(2, 5, 4)
    weight = torch.cat([head.evidence_layer.weight, head.state_layer.weight], -1)
    both = torch.cat([fixed.expand(2, 5, 3), state], -1)
    expected = head.rest(both @ weight.T + head.evidence_layer.bias)
    found = head(head.project(fixed), state)
    torch.testing.assert_close(found.mean, expected[..., :2])
    assert bool((found.scale > 0).all())


def test_depth_zero_is_affine():
    assert [type(layer) for layer in mlp(3, 9, 2, 0)] == [nn.Linear]
    assert [type(layer) for layer in mlp(3, 9, 2, 1)] == [nn.Linear, nn.ReLU, nn.Linear]
    x = torch.randn(4, 3)
    assert features(3, 9, 0)(x) is x and features_dim(3, 9, 0) == 3
    for depth in (1, 2):
        out = features(3, 9, depth)(x)
        assert out.shape[-1] == features_dim(3, 9, depth) == 9 and bool((out >= 0).all())
