"""What algorithms find out about models: the known answer for every architecture, and for an author's own."""

from typing import NamedTuple

import pytest
import torch
from tests.helpers.widths import inputs_width
from tests.models.settings import CONFIGS, build, each, unwrapped
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Gaussian
from vrnn.inference.embed import embed, embed_online
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.traits import (
    global_units,
    has_global_latent,
    has_posterior,
    looks_ahead,
    reads_prefix,
)
from vrnn.inference.unroll import unroll
from vrnn.models.contract import Model, join, observed
from vrnn.models.dmm import DMMConfig
from vrnn.models.registry import make_model
from vrnn.models.srnn import SRNNConfig
from vrnn.models.storn import STORNConfig


def kind_of(name: str) -> str:
    """Return the name of a setting without what it has for all architectures."""
    return unwrapped(name)


LOOK_AHEAD = ("dmm", "srnn", "storn", "rollout-autoencoding")
WITHOUT_POSTERIOR = (
    "rnn",
    "seq2seq-next",
    "seq2seq-supervised",
    "rollout-forecasting",
    "vrnn-supervised",
)


@pytest.mark.parametrize("name", each(CONFIGS))
def test_answers_for_every_architecture(name):
    model, u_dim, kind = build(CONFIGS[name]), inputs_width(CONFIGS[name]), kind_of(name)
    seq2seq = kind.startswith("seq2seq") and "same" not in kind  # a position in front of one too
    listed = kind.endswith(("-categorical", "-both"))
    networks = not kind.endswith("-categorical") or kind.startswith("rollout")  # for a posterior
    assert looks_ahead(model, u_dim) is (kind.startswith(LOOK_AHEAD) and networks)
    without = kind.startswith(WITHOUT_POSTERIOR) or seq2seq
    exact = listed and model.latent.dim > 0 and "supervised" not in kind
    assert has_posterior(model, u_dim) is (exact or not without)
    assert has_global_latent(model) is kind.startswith("rollout")
    assert reads_prefix(model) is kind.startswith("rollout-forecasting")
    redrawn = "step" in kind  # then the latent is drawn at every step, and only noise once
    units = {"categorical": 1, "both": 3 + 1, "groups": 3 + 2}.get(kind.rsplit("-", 1)[-1], 3)
    assert global_units(model) == (units if kind.startswith("rollout") and not redrawn else 0)


class FlipState(NamedTuple):
    """The state of a `Flipped`."""

    z: Tensor
    u: Tensor


class Flipped(Model):
    """A model that an author writes in a few lines, with evidence made of all that is to come.

    No layer of the library tells that it looks ahead: the evidence is a sum from the back.
    """

    def __init__(self, ahead: bool = True):
        super().__init__()
        self.observation, self.latent, self.ahead = Gaussian(1), Gaussian(1), ahead
        self.net, self.head = nn.Linear(3, 2), nn.Linear(1, 2)

    def embed_evidence(self, batch: Batch, inputs: Tensor) -> Tensor:
        read = join(observed(batch), inputs)
        return torch.flip(torch.flip(read, [1]).cumsum(1), [1]) if self.ahead else read

    def initial_state(self) -> FlipState:
        zero = self.net.weight.new_zeros(1)
        return FlipState(zero, zero[:0])

    def posterior(self, state: FlipState, evidence: Tensor) -> DiagonalGaussian:
        return self.latent(self.net(join(evidence, state.z)))

    def emission(self, state: FlipState) -> DiagonalGaussian:
        return self.observation(self.head(state.z))


@pytest.mark.parametrize("ahead", [True, False])
def test_a_model_that_an_author_writes(ahead):
    model = Flipped(ahead)
    assert looks_ahead(model, 0) is ahead and has_posterior(model, 0)
    assert not has_global_latent(model) and not reads_prefix(model) and global_units(model) == 0


@torch.no_grad()
def test_evidence_of_an_authors_model_is_kept_where_it_looks_ahead():
    """At a step with a missing entry the evidence of the whole sequence still counts."""
    model = Flipped().double()
    x = torch.randn(2, 5, 1, generator=seeded(0)).double()
    x[0, 2] = torch.nan
    batch = Batch.of(x, is_increment=torch.tensor([True]))
    read: list[Tensor] = []
    assert has_posterior(model, 0)  # asked once
    posterior = model.posterior
    model.posterior = lambda state, evidence: read.append(evidence) or posterior(state, evidence)
    unroll(model, batch, draw_noise(model, 1, 2, 5, seeded(1)))
    torch.testing.assert_close(torch.stack(read, 1), embed(model, batch).evidence)


@torch.no_grad()
def test_online_evidence_of_an_authors_model_is_that_of_single_steps():
    model = Flipped().double()
    x = torch.randn(2, 5, 1, generator=seeded(0)).double()
    x[0, 2] = torch.nan
    batch = Batch.of(x)
    torch.testing.assert_close(embed_online(model, batch).evidence, observed(batch))


class Tied(Flipped):
    """A model without a posterior of its own."""

    def posterior(self, state: FlipState, evidence: Tensor) -> None:
        return None


class Opted(Flipped):
    """A model that returns its prior: it has no posterior of its own."""

    def posterior(self, state: FlipState, evidence: Tensor) -> DiagonalGaussian:
        return self.prior(state)


def test_a_prior_in_place_of_a_posterior_is_none():
    assert not has_posterior(Tied(), 0) and not has_posterior(Opted(), 0)


class Hidden(Flipped):
    """A model that looks ahead through a layer of a few units, which may all be off at the start."""

    def __init__(self, ahead: bool, zero: bool):
        super().__init__(ahead)
        self.read = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        if zero:
            nn.init.zeros_(self.read[-1].weight)

    def embed_evidence(self, batch: Batch, inputs: Tensor) -> Tensor:
        return self.read(super().embed_evidence(batch, inputs))


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("zero", [True, False])
def test_no_start_of_the_weights_hides_that_a_model_looks_ahead(ahead, zero):
    """Neither a layer that starts at 0 nor one whose units are off for a few values."""
    with torch.random.fork_rng(devices=[]):
        for seed in range(50):
            torch.manual_seed(seed)
            model = Hidden(ahead, zero)
            before = [p.detach().clone() for p in model.parameters()]
            assert looks_ahead(model, 0) is ahead
            assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("config", [STORNConfig, SRNNConfig, DMMConfig])
def test_narrow_models_look_ahead_whatever_their_weights(config):
    with torch.random.fork_rng(devices=[]):
        for seed in range(50):
            torch.manual_seed(seed)
            assert looks_ahead(make_model(config(2, hidden=2, latent_dim=1)), 0)


def test_asking_leaves_the_weights_of_a_model_in_their_place():
    """The very tensors, not copies: an optimizer holds them."""
    model = build(CONFIGS["srnn-lstm-u"])
    before = [*model.parameters()]
    looks_ahead(model, 1)
    assert all(a is b for a, b in zip(model.parameters(), before, strict=True))


def test_answers_are_kept_for_each_model():
    """A model is asked once, however it is changed after."""
    model, other = Flipped(), Flipped(ahead=False)
    assert looks_ahead(model, 0) and not looks_ahead(other, 0)
    model.ahead = False
    assert looks_ahead(model, 0)


def test_asking_leaves_random_numbers_and_gradients_alone():
    model = build(CONFIGS["vrnn"])
    state = torch.get_rng_state()
    looks_ahead(model, 0), has_posterior(model, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())
