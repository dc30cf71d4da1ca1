"""A RolloutVAE that autoencodes white noise: no bound can lie above the density of the noise."""

import math

import pytest
import torch
from tests.models.settings import build

from vrnn.data.batch import Batch
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll
from vrnn.models.contract import Model
from vrnn.models.rollout import RolloutVAE, RolloutVAEConfig
from vrnn.objectives.terms import elbo_terms

CEILING = -0.5 * math.log(2 * math.pi * math.e)  # E log p of a number of white noise
WHOLE = {"hidden": 16, "latent_dim": 4, "task": "autoencoding"}
DECODERS = (
    {"dynamics": "carried"},
    {"dynamics": "driven"},
    {"dynamics": "driven", "redraw": "sequence"},
)


@pytest.mark.parametrize("decoder", DECODERS)
def test_autoencoding_gains_nothing_on_white_noise(decoder):
    """A leak of the track past the KL gains: it once gave +0.52 nats a step, 1.9 too many."""
    bound, error = bound_on_white_noise(build(RolloutVAEConfig(1, **WHOLE, **decoder)).float())
    assert CEILING - 0.15 < bound <= CEILING + 4 * error


class Leaky(RolloutVAE):
    """The mistake itself: the last state of the encoder, which has read the track, joins h_0."""

    def with_global(self, state, z, context):
        state = super().with_global(state, z, context)
        return state._replace(h=state.h + self.leak)

    def embed_evidence(self, batch, inputs):
        self.leak = self._read(batch)
        return super().embed_evidence(batch, inputs)


def test_white_noise_would_show_a_leak():
    torch.manual_seed(0)
    bound, _ = bound_on_white_noise(Leaky(RolloutVAEConfig(1, **WHOLE)))
    assert bound > CEILING + 0.1


def bound_on_white_noise(model: Model) -> tuple[float, float]:
    """Return the bound per step on fresh white noise after a short training, and its error."""
    steps, time = 250, 3
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(steps + 1):
        last = step == steps
        count, generator = 4096 if last else 128, seeded(3, step)
        batch = Batch.of(torch.randn(count, time, 1, generator=generator))
        noise = draw_noise(model, 1, count, time, generator, observations=False)
        with torch.set_grad_enabled(not last):
            bound = elbo_terms(model, unroll(model, batch, noise)).bound[0] / time
        if not last:
            optimiser.zero_grad()
            (-bound.mean()).backward()
            optimiser.step()
    return float(bound.mean()), float(bound.std() / math.sqrt(count))
