"""What the plans share: states at all time steps."""

import torch

from vrnn.fastpath.steps import before, constant, full, last, shared


def test_what_all_samples_have_in_common_is_read_once():
    assert shared(torch.zeros(1, 2, 3).expand(4, -1, -1)).shape == (1, 2, 3)
    assert shared(torch.zeros(2, 3).expand(4, 2, 3)).shape == (1, 2, 3)
    assert shared(torch.zeros(4, 2, 3)).shape == (4, 2, 3)


def test_every_step_starts_from_what_the_step_before_left():
    after = torch.arange(24.0).view(2, 2, 3, 2)
    found = before(torch.full((1, 1, 2), -1.0), after)
    assert bool((found[..., 0, :] == -1).all())
    assert torch.equal(found[..., 1:, :], after[..., :2, :])


def test_leading_axes_are_filled_in():
    t = torch.arange(3.0).view(3, 1)
    assert torch.equal(full(t, (2, 3)), torch.stack([t, t]))
    assert torch.equal(constant(t[None], 4), torch.stack([t[None]] * 4, -2))


def test_each_sequence_ends_at_its_own_length():
    steps = torch.arange(24.0).view(2, 3, 4, 1)
    first = torch.full((2, 3, 1), -1.0)
    found = last(steps, first, torch.tensor([4, 2, 0]))
    assert found[..., 0].tolist() == [[3.0, 5.0, -1.0], [15.0, 17.0, -1.0]]
    assert torch.equal(last(steps, first, torch.tensor([4, 4, 4])), steps[:, :, 3])


def test_a_width_of_nothing_stays_as_it_was():
    first = torch.zeros(2, 3, 0)
    assert last(torch.zeros(2, 3, 4, 0), first, torch.tensor([4, 2, 0])) is first
