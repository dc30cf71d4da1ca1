"""Weights come from a generator of their own: those of the shared one, which nobody touches."""

import copy
import threading

import pytest
import torch

import vrnn
from vrnn.models.draws import drawing_from
from vrnn.models.modes import ModeHead
from vrnn.models.registry import REGISTRY, make_model

MAKERS = {name: lambda row=row: make_model(row.config(x_dim=2)) for name, row in REGISTRY.items()}
MAKERS["lstm"] = lambda: make_model(vrnn.VRNNConfig(2, cell="lstm", depth=2))
MAKERS["nade"] = lambda: make_model(vrnn.RNNConfig(4, emission="nade(5)"))
MAKERS["modes"] = lambda: ModeHead(5, 2, vrnn.ModesConfig(hidden=8))


def weights(make, seed: int) -> list[torch.Tensor]:
    """Return the weights that a generator of its own gives."""
    with drawing_from(torch.Generator().manual_seed(seed)):
        return [p.detach() for p in make().parameters()]


def same(a, b) -> bool:
    return len(a) == len(b) and all(map(torch.equal, a, b))


@pytest.mark.parametrize("name", MAKERS)
def test_weights_are_those_of_the_shared_generator_and_leave_it_alone(name):
    make = MAKERS[name]
    state = torch.default_generator.get_state()
    found = weights(make, 3)
    assert torch.equal(torch.default_generator.get_state(), state)
    try:
        torch.manual_seed(3)
        expected = [p.detach() for p in make().parameters()]
    finally:
        torch.default_generator.set_state(state)
    assert same(found, expected) and not same(found, weights(make, 4))


def test_a_generator_that_is_given_counts():
    own = torch.Generator().manual_seed(0)
    other = copy.deepcopy(own)
    with drawing_from(torch.Generator().manual_seed(1)):
        assert torch.equal(torch.randn(3, generator=own), torch.randn(3, generator=other))


def test_threads_do_not_disturb_one_another():
    """While others draw from the shared generator, and seed it."""
    make, stop = MAKERS["vrnn"], threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            torch.manual_seed(0)
            torch.randn(10)

    expected, found = weights(make, 0), []
    state = torch.default_generator.get_state()
    noisy = threading.Thread(target=disturb)
    noisy.start()
    try:
        for _ in range(5):
            group = [
                threading.Thread(target=lambda: found.append(weights(make, 0))) for _ in range(3)
            ]
            for thread in group:
                thread.start()
            for thread in group:
                thread.join()
    finally:
        stop.set()
        noisy.join()
        torch.default_generator.set_state(state)
    assert len(found) == 15 and all(same(one, expected) for one in found)
