"""The layers against torch's own."""

import pytest
import torch
from torch import nn

from vrnn.models.encoders import RowEncoder, SequenceEncoder, turn_round
from vrnn.models.layers import (
    GRUCell,
    JointGaussianHead,
    LSTMCell,
    features,
    features_dim,
    mlp,
)


def test_gru_cell_is_that_of_torch():
    ours, theirs = GRUCell(3, 5), nn.GRUCell(3, 5)
    theirs.load_state_dict(
        {"weight_ih": ours.of_input.weight, "weight_hh": ours.of_carry.weight,
         "bias_ih": ours.of_input.bias, "bias_hh": ours.of_carry.bias}
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
        {"weight_ih": ours.of_input.weight, "weight_hh": ours.of_carry.weight,
         "bias_ih": ours.of_input.bias, "bias_hh": torch.zeros(20)}
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


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_run_is_the_loop_of_steps(cell):
    cell = cell(3, 5).double()
    x = torch.randn(4, 7, 3).double().requires_grad_()
    carry = torch.randn(4, cell.carry_dim).double().requires_grad_()
    state, outputs = carry, []
    for projected in cell.project(x).unbind(1):
        state = cell.step(projected, state)
        outputs.append(cell.output(state))
    loop, at_once = torch.stack(outputs, 1), cell.run(cell.project(x), carry)
    torch.testing.assert_close(at_once, loop, rtol=1e-12, atol=1e-12)
    direction, leaves = torch.randn_like(loop), [x, carry, *cell.parameters()]
    expected = torch.autograd.grad((loop * direction).sum(), leaves)
    for a, b in zip(
        torch.autograd.grad((at_once * direction).sum(), leaves), expected, strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


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
def test_row_encoder_reads_each_sequence_from_its_own_end(name, backward):
    encoder = RowEncoder(name, 3, 5, backward)
    x, length = torch.randn(4, 6, 3), torch.tensor([6, 2, 0, 4])
    rows = encoder(x, length)
    assert rows.shape == (4, 6, 5)
    for i, n in enumerate(length.tolist()):
        for t in range(n):
            part = x[i : i + 1, t:n].flip(1) if backward else x[i : i + 1, : t + 1]
            torch.testing.assert_close(rows[i, t], encoder.cell(part)[0][0, -1])


def test_turning_round_twice_changes_nothing():
    x, length = torch.randn(3, 5, 2), torch.tensor([5, 0, 3])
    once = turn_round(x, length)
    assert torch.equal(turn_round(once, length), x)
    assert torch.equal(once[0], x[0].flip(0)) and torch.equal(once[1], x[1])
    assert torch.equal(once[2], torch.cat([x[2, :3].flip(0), x[2, 3:]]))


def test_joint_head_is_one_network_of_both_parts():
    head = JointGaussianHead(3, 4, hidden=6, dim=2, depth=1)
    fixed, state = torch.randn(5, 3), torch.randn(2, 5, 4)
    weight = torch.cat([head.of_fixed.weight, head.of_state.weight], -1)
    both = torch.cat([fixed.expand(2, 5, 3), state], -1)
    expected = head.rest(both @ weight.T + head.of_fixed.bias)
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
