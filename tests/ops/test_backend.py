"""The choice between the fastest form of a recurrence and the plain reference."""

import os
from threading import Thread

import pytest
import torch
from tests.helpers.fast_paths import CONFIGS, make_case, needs_compiler, run
from tests.models.settings import build

import vrnn.fastpath.vrnn_layers
from vrnn.errors import ConfigError
from vrnn.inference.noise import draw_noise
from vrnn.inference.plans import plan_of
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import rollout
from vrnn.objectives import BOUNDS
from vrnn.ops import backend
from vrnn.ops import build as building
from vrnn.ops.backend import is_reference
from vrnn.ops.gru_scan import gru_scan


def test_the_fastest_form_is_the_default():
    assert not is_reference()
    with backend("auto"):
        assert not is_reference()


def test_blocks_may_lie_inside_one_another():
    with backend("reference"):
        with backend("auto"):
            assert not is_reference()
            with backend("reference"):
                assert is_reference()
            assert not is_reference()
        assert is_reference()
    assert not is_reference()


def test_an_error_ends_the_choice():
    with pytest.raises(KeyError), backend("reference"):
        raise KeyError
    assert not is_reference()


@pytest.mark.skipif("VRNN_SHAPES" in os.environ, reason="the check of types refuses it first")
@pytest.mark.parametrize("name", ["plain", "native", "", None])
def test_a_name_that_is_neither_is_refused(name):
    with pytest.raises(ConfigError, match="expected auto or reference, found"), backend(name):
        pass
    with backend("reference"):
        with pytest.raises(ConfigError), backend(name):
            pass
        assert is_reference()


def test_the_choice_holds_for_its_own_thread():
    found = {}

    def other():
        found["at its start"] = is_reference()
        with backend("reference"):
            found["inside"] = is_reference()
            entered.start()
            entered.join()

    def third():
        found["meanwhile elsewhere"] = is_reference()

    entered, thread = Thread(target=third), Thread(target=other)
    with backend("reference"):
        thread.start()
        thread.join()
        assert is_reference()
    expected = {"at its start": False, "inside": True, "meanwhile elsewhere": False}
    assert found == expected


def test_the_reference_builds_nothing(monkeypatch):
    def library():
        raise AssertionError("the reference asked for the compiled form")

    monkeypatch.setattr(building, "library", library)
    monkeypatch.setattr(vrnn.fastpath.vrnn_layers, "library", library)
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], "unequal")
    noise = draw_noise(model, 2, *case.batch.x.shape[:2], seeded(0), resampling=True)
    with pytest.raises(AssertionError):
        run(model, case)
    with backend("reference"):
        assert plan_of(model) is None
        passed = run(model, case)
        BOUNDS["elbo"](model, case.batch, case.noise)
        with torch.no_grad():
            BOUNDS["fivo"](model, case.batch, noise)
            rollout(model, passed.belief, case.batch.u, case.noise)


@needs_compiler
def test_what_was_computed_by_one_form_has_its_gradient_under_the_other():
    x, h = torch.randn(2, 4, 9), torch.randn(2, 3)
    weight, bias = torch.randn(9, 3, requires_grad=True), torch.randn(9)
    found = gru_scan(x, h, weight, bias).square().sum()
    with backend("reference"):
        expected = gru_scan(x, h, weight, bias).square().sum()
        gradient = torch.autograd.grad(found, weight)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, weight))
