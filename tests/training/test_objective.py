"""What training reports of a batch: bounds in data units, rows that count, and the use of the latents."""

import numpy as np
import pytest
import torch
from tests.training.runs import walks

import vrnn
from vrnn.errors import write
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.step import embed
from vrnn.inference.unroll import unroll
from vrnn.objectives.elbo import elbo, log_jacobian
from vrnn.training.collapse import collapse_report
from vrnn.training.objective import Objective, Work
from vrnn.training.prepare import prepare

SETTINGS = vrnn.TrainConfig(observe=4, holdout=0.0)
CONFIGS = {
    "rnn": vrnn.RNNConfig(2, hidden=5),
    "vrnn": vrnn.VRNNConfig(2, hidden=5, latent_dim=3),
    "rollout": vrnn.RolloutVAEConfig(2, hidden=5, latent_dim=3),
    "rollout-step": vrnn.RolloutVAEConfig(
        2, hidden=5, latent_dim=3, latent="driven", task="autoencoding"
    ),
    "dmm": vrnn.DMMConfig(2, hidden=5, latent_dim=3),
    "srnn": vrnn.SRNNConfig(2, hidden=5, latent_dim=3),
    "storn": vrnn.STORNConfig(2, hidden=5, latent_dim=3),
}


def made(name: str, settings: vrnn.TrainConfig = SETTINGS, samples: int = 2):
    trained = prepare(CONFIGS[name], walks(), settings, None).trained
    batch = trained.preprocessor.batch(trained.preprocessor.trim(walks()))[0]
    objective = Objective(
        trained.network, settings, settings.observe - 1, trained.first_scored, torch.ones(2)
    )
    prefix, rest = objective.split(batch)
    noise = draw_noise(trained.network, samples, len(rest.x), rest.x.shape[1], seeded(0))
    return trained, objective, prefix, rest, noise


@pytest.mark.parametrize("name", CONFIGS)
def test_terms_are_means_over_samples_of_the_bound(name):
    trained, objective, prefix, rest, noise = made(name)
    terms = objective(Work(prefix, rest, noise, None), 1.0)
    model = trained.network
    expected = elbo(model, unroll(model, rest, noise, embedded=embed(model, rest, prefix)))
    torch.testing.assert_close(terms.bound, (expected.bound.mean(0) + log_jacobian(rest)).detach())
    torch.testing.assert_close(terms.nll, -expected.log_prob.sum(-1).mean(0))
    assert torch.equal(terms.rows, rest.mask.sum(-1).float()) and not terms.bound.requires_grad
    whole = -terms.nll + (0 if model.tied else -terms.penalty) + log_jacobian(rest)
    torch.testing.assert_close(terms.bound, whole.detach())


@pytest.mark.parametrize("name", ["rnn", "vrnn", "rollout-step", "dmm", "srnn", "storn"])
def test_rows_that_a_heading_was_read_from_do_not_count(name):
    """Only a posterior that looks ahead, and could tell of the future there, pays its KL on them."""
    settings = vrnn.TrainConfig(
        observe=4, holdout=0.0, transform=vrnn.TransformConfig(heading=True)
    )
    trained, objective, _, batch, noise = made(name, settings)
    assert trained.first_scored == 3
    terms = objective(Work(None, batch, noise, None), 1.0)
    assert torch.equal(terms.rows, batch.mask[:, 3:].sum(-1).float())
    whole = elbo(trained.network, unroll(trained.network, batch, noise))
    later = whole.log_prob[..., 3:].sum(-1).mean(0)
    kl = whole.kl if trained.network.looks_ahead else whole.kl[..., 3:, :]
    density = (batch.present * batch.log_jacobian[:, None])[:, 3:].sum((-1, -2))
    expected = later - kl.sum((-1, -2)).mean(0) - whole.code_kl.sum(-1).mean(0) + density
    torch.testing.assert_close(terms.bound, expected.detach())
    torch.testing.assert_close(-terms.nll, later)


def test_prefixes_end_at_an_observed_point():
    _, _, prefix, rest, _ = made("rollout")
    whole = made("rnn")[3]
    for i, cut in enumerate(prefix.length.tolist()):
        assert bool(prefix.mask[i, cut - 1]) and not whole.mask[i, cut:3].any()
        assert int(prefix.length[i] + rest.length[i]) == int(whole.length[i])
    assert prefix.length.unique().tolist() == [
        2,
        3,
    ]  # some have their gap where the prefix would end


def test_collapse_report_counts_units_whose_mean_varies():
    rows, random = torch.tensor([4.0, 6.0]), np.random.default_rng(0)
    values = torch.from_numpy(random.normal(size=(10, 3)) * np.array([1.0, 0.05, 0.2]))
    code = torch.tensor([[0.0], [1.0]]).double()
    first, second = values[:4], values[4:]
    means = torch.stack(
        [
            torch.cat([torch.stack([v.sum(0), (v**2).sum(0)]), torch.stack([c, c**2])], -1)
            for v, c in ((first, code[0]), (second, code[1]))
        ]
    )
    kl = torch.tensor([[4.0, 0, 0, 1], [6.0, 0, 2, 1]])
    report = collapse_report(kl, means, rows, code_dim=1)
    variance = torch.cat([values.var(0, correction=0), code.var(0, correction=0)])
    assert report.active == (variance > 0.01).tolist() == [True, False, True, True]
    assert report.kl == pytest.approx([1.0, 0.0, 0.2, 0.2]) and report.active_units == 3
    assert report.warning(tied=False) is None
    nothing = report._replace(active=[False] * 4)
    assert (
        "none of 4 latent dimensions is active, the posterior equals the prior"
        in write(nothing.warning(tied=False))
    )
    assert "the latents do not depend on the data" in write(nothing.warning(tied=True))
