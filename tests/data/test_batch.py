"""Batches: what is missing, what is padding, and cutting them in two."""

import pytest
import torch

import vrnn
from vrnn.data.batch import Batch
from vrnn.errors import DataError

NAN = float("nan")


def example(**more) -> Batch:
    x = torch.arange(24.0).reshape(2, 6, 2)
    x[0, 2, 1] = NAN
    y = 100 + torch.arange(36.0).reshape(2, 6, 3)
    y[1, 0, 0] = NAN
    return Batch.of(
        x,
        length=torch.tensor([6, 4]),
        u=torch.arange(12.0).reshape(2, 6, 1),
        y=y,
        log_jacobian=torch.tensor([1.0, 2.0]).expand(2, -1),
        y_log_jacobian=torch.tensor([3.0, 4.0, 5.0]),
        is_increment=torch.tensor([True, False]),
        **more,
    )


@pytest.mark.parametrize("factorises", [False, True])
def test_row_with_a_hole_is_missing_unless_the_emission_factorises(factorises):
    batch = example(factorises=factorises)
    assert batch.present[0, 2].tolist() == [factorises, False]
    assert batch.y_present[1, 0].tolist() == [False, factorises, factorises]
    assert batch.x[0, 2].tolist() == [4.0 if factorises else 0.0, 0.0]
    assert batch.mask[0].tolist() == [True, True, factorises, True, True, True]


def test_padding_is_zero_and_not_present():
    batch = example()
    assert batch.in_sequence.tolist() == [[True] * 6, [True] * 4 + [False] * 2]
    assert not batch.present[1, 4:].any() and not batch.y_present[1, 4:].any()
    for values in (batch.x, batch.y, batch.u):
        assert values.isfinite().all() and not values[1, 4:].any()


@pytest.mark.parametrize("observe", [0, 3, 5, 6])
def test_split(observe):
    batch = example()
    prefix, rest = batch.split(observe)
    assert prefix.x.shape[1] == observe and rest.x.shape[1] == 6 - observe
    assert prefix.length.tolist() == [min(observe, n) for n in (6, 4)]
    assert (prefix.length + rest.length).tolist() == [6, 4]
    for name in ("x", "present", "u", "y", "y_present"):
        assert torch.equal(
            torch.cat([getattr(prefix, name), getattr(rest, name)], 1), getattr(batch, name)
        )


def test_split_at_moves_each_rest_to_row_0():
    batch = example()
    prefix, rest = batch.split_at(torch.tensor([4, 1]))
    assert (prefix.length.tolist(), rest.length.tolist()) == ([4, 1], [2, 3])
    assert (prefix.x.shape[1], rest.x.shape[1]) == (4, 3)
    for i, cut in enumerate([4, 1]):
        length = int(rest.length[i])
        for name in ("x", "present", "u", "y", "y_present"):
            whole = getattr(batch, name)[i]
            assert torch.equal(getattr(rest, name)[i, :length], whole[cut : cut + length]), name
            assert torch.equal(getattr(prefix, name)[i, :cut], whole[:cut]), name
        assert not rest.present[i, length:].any() and not prefix.present[i, cut:].any()
    same = batch.split_at(torch.tensor([3, 3]))
    assert all(
        torch.equal(a, b)
        for x, y in zip(same, batch.split(3), strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_split_at_beyond_the_end_of_a_sequence():
    prefix, rest = example().split_at(torch.tensor([2, 4]))
    assert rest.length.tolist() == [4, 0] and not rest.present[1].any()
    assert prefix.length.tolist() == [2, 4]


def test_swap_target_makes_y_the_observation():
    batch = example()
    swapped = batch.swap_target()
    assert torch.equal(swapped.x, batch.y) and torch.equal(swapped.present, batch.y_present)
    assert swapped.u.shape[-1] == 1 + 2 + 1
    assert torch.equal(swapped.u[..., :1], batch.u) and torch.equal(swapped.u[..., 1:3], batch.x)
    assert swapped.u[0, :, 3].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert swapped.log_jacobian[0].tolist() == [3.0, 4.0, 5.0]
    assert swapped.is_increment.tolist() == [False] * 3
    assert swapped.y.shape[-1] == 0 and swapped.y_log_jacobian.shape == (0,)


def test_an_index_selects_sequences_and_keeps_what_is_shared():
    batch = example()
    picked = batch.sequences(torch.tensor([1]))
    assert picked.length.tolist() == [4] and torch.equal(picked.x[0], batch.x[1])
    assert torch.equal(picked.is_increment, batch.is_increment)
    assert torch.equal(picked.log_jacobian, batch.log_jacobian[1:])


def test_to_changes_floats_alone():
    batch = example().to(torch.zeros((), dtype=torch.float64))
    assert batch.x.dtype == batch.log_jacobian.dtype == torch.float64
    assert batch.present.dtype == torch.bool and batch.length.dtype == torch.int64


def test_a_batch_of_nothing_but_observations():
    x = torch.arange(6.0).reshape(1, 3, 2)
    batch = vrnn.Batch.of(x)
    assert torch.equal(batch.x, x) and batch.present.all() and batch.length.tolist() == [3]
    assert batch.u.shape == batch.y.shape == batch.y_present.shape == (1, 3, 0)
    assert not batch.is_increment.any() and not batch.log_jacobian.any()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"x": torch.zeros(3, 2)}, r"x of shape \(batch, time, dim\), found \(3, 2\)"),
        ({"u": torch.zeros(1, 4, 1)}, r"u of shape \(1, 3, width\) as x has, found \(1, 4, 1\)"),
        ({"y": torch.zeros(1, 3)}, r"y of shape \(1, 3, width\) as x has, found \(1, 3\)"),
        ({"length": torch.tensor(3)}, r"length of shape \(1,\).*found \(\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(more, message):
    with pytest.raises(DataError, match=message):
        Batch.of(**{"x": torch.zeros(1, 3, 2), **more})


def test_joined_batches_are_those_of_each_alone():
    one = Batch.of(torch.randn(2, 3, 2), u=torch.randn(2, 3, 1))
    other = Batch.of(torch.randn(1, 5, 2), u=torch.randn(1, 5, 1), length=torch.tensor([4]))
    for a, b in ((one, other), (other, one)):
        both = a.joined(b)
        assert both.x.shape == (3, 5, 2) and both.length.tolist() == [*a.length, *b.length]
        for part, rows in ((a, slice(len(a.x))), (b, slice(len(a.x), None))):
            found = both.sequences(rows).split(part.x.shape[1])[0]
            for mine, given in zip(found, part, strict=True):
                assert torch.equal(mine, given)
        assert not both.present[both.length[:, None] <= torch.arange(5)].any()


@pytest.mark.parametrize("length", [None, torch.tensor([6, 4])])
def test_a_batch_does_not_change_with_the_tensors_it_was_made_of(length):
    given = {
        "x": torch.randn(2, 6, 3),
        "u": torch.randn(2, 6, 1),
        "y": torch.randn(2, 6, 2),
        "is_increment": torch.tensor([True, False, True]),
        "log_jacobian": torch.randn(2, 3),
        "y_log_jacobian": torch.randn(2),
        **({} if length is None else {"length": length.clone()}),
    }
    batch = Batch.of(**given)
    before = [part.clone() for part in batch]
    for part in given.values():
        part.zero_()
    for part, expected in zip(batch, before, strict=True):
        assert torch.equal(part, expected)
