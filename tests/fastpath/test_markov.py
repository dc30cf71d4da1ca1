"""The chain of latents that a plan takes from an SRNN, against the model's posterior."""

import pytest
import torch
from tests.helpers.fast_paths import CONFIGS, make_case
from tests.models.settings import build

from vrnn.distributions import positive
from vrnn.fastpath.markov import chain_of_srnn
from vrnn.inference.embed import embed


@pytest.mark.parametrize("name", ["srnn", "srnn-lstm-u", "srnn-pen"])
def test_the_chain_of_an_srnn_is_its_posterior(name):
    """At one step, from any latent: mean and raw scale of the chain are the posterior's."""
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], "even")
    embedded = embed(model, case.batch)
    d = torch.randn(len(case.batch.x), case.batch.x.shape[1], model.cell.carry_dim).double()
    z = torch.randn(*d.shape[:2], model.latent.dim).double()
    chain = chain_of_srnn(model, model.cell.output(d), embedded)
    layer = torch.relu(z @ chain.weight_z.T + chain.inside)
    mean, raw = (layer @ chain.out.T + chain.outside)[0].chunk(2, -1)
    state = model.initial_state()._replace(d=d, z=z, u=embedded.inputs)
    expected = model.posterior(state, embedded.evidence)
    torch.testing.assert_close(mean, expected.mean, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(positive(raw), expected.scale, rtol=1e-10, atol=1e-10)
