"""The objective: bounds in data units, which time steps count, and sequences read chunk by chunk."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tests.helpers.few import few
from tests.helpers.small_runs import CONFIG, SETTINGS, walks
from tests.models.settings import CONFIGS as EVERY
from tests.models.settings import build, each, make_case

import vrnn
from vrnn.inference.embed import embed
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.traits import has_global_latent, looks_ahead
from vrnn.inference.unroll import unroll
from vrnn.objectives.terms import elbo_terms, log_jacobian
from vrnn.training.objective import Objective, Work
from vrnn.training.prepare import prepare

PREFIXED = vrnn.TrainConfig(observe=4, holdout=0.0)


CONFIGS = {
    "rnn": vrnn.RNNConfig(2, hidden=5),
    "vrnn": vrnn.VRNNConfig(2, hidden=5, latent_dim=3),
    "rollout": vrnn.RolloutVAEConfig(2, hidden=5, latent_dim=3),
    "rollout-step": vrnn.RolloutVAEConfig(
        2, hidden=5, latent_dim=3, dynamics="driven", task="autoencoding"
    ),
    "dmm": vrnn.DMMConfig(2, hidden=5, latent_dim=3),
    "srnn": vrnn.SRNNConfig(2, hidden=5, latent_dim=3),
    "storn": vrnn.STORNConfig(2, hidden=5, latent_dim=3),
}


def made(name: str, settings: vrnn.TrainConfig = PREFIXED, samples: int = 2):
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
    terms = objective(Work(prefix, rest, noise, None))
    model = trained.network
    expected = elbo_terms(model, unroll(model, rest, noise, embedded=embed(model, rest, prefix)))
    torch.testing.assert_close(terms.bound, (expected.bound.mean(0) + log_jacobian(rest)).detach())
    torch.testing.assert_close(terms.nll, -expected.log_prob.sum(-1).mean(0))
    assert torch.equal(terms.rows, rest.mask.sum(-1).float()) and not terms.bound.requires_grad
    whole = -terms.nll + (-terms.penalty if trained.has_posterior else 0) + log_jacobian(rest)
    torch.testing.assert_close(terms.bound, whole.detach())


@pytest.mark.parametrize("name", ["rnn", "vrnn", "rollout-step", "dmm", "srnn", "storn"])
def test_rows_that_a_heading_was_read_from_do_not_count(name):
    """Only a posterior that looks ahead, and could tell of the future there, pays its KL on them."""
    settings = vrnn.TrainConfig(
        observe=4, holdout=0.0, transform=vrnn.TransformConfig(heading=True)
    )
    trained, objective, _, batch, noise = made(name, settings)
    assert trained.first_scored == 3
    terms = objective(Work(None, batch, noise, None))
    assert torch.equal(terms.rows, batch.mask[:, 3:].sum(-1).float())
    whole = elbo_terms(trained.network, unroll(trained.network, batch, noise))
    later = whole.log_prob[..., 3:].sum(-1).mean(0)
    ahead = looks_ahead(trained.network, 0)
    kl = whole.kl.kl if ahead else whole.kl.kl[..., 3:, :]
    density = (batch.present * batch.log_jacobian[:, None])[:, 3:].sum((-1, -2))
    expected = later - kl.sum((-1, -2)).mean(0) - whole.kl.global_kl.sum(-1).mean(0) + density
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


WHOLE = replace(SETTINGS, energy_weight=0.0)


def width(model, config) -> int:
    """Return the width of the inputs that a batch has for a model."""
    return config.u_dim + (config.x_dim + 1 if model.supervised else 0)


STEPWISE = [
    name
    for name, config in EVERY.items()
    if not has_global_latent(m := build(config)) and not looks_ahead(m, width(m, config))
]


def gradients(name: str, free_bits: float = 0.0, gaps: bool = True, **settings):
    model = build(EVERY[name])
    case = make_case(model, EVERY[name], gaps=gaps)
    config = vrnn.TrainConfig(free_bits=free_bits, kl_warmup=10, **settings)
    objective = Objective(model, config, None, 0, torch.ones(model.observation.dim).double())
    terms = objective(Work(None, case.batch, case.noise, None), 6)
    (terms.nll + terms.penalty).sum().backward()
    return terms, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("free_bits", few([0.1, 0.0]))
@pytest.mark.parametrize("chunk", few([4, 1, 8]))
@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("name", each(STEPWISE))
def test_chunks_change_neither_terms_nor_gradients(name, gaps, chunk, free_bits):
    """With gaps within and across chunks and without, and sequences that end before the last one begins."""
    whole, of_whole = gradients(name, free_bits, gaps)
    parts, of_parts = gradients(name, free_bits, gaps, chunk=chunk)
    for expected, found in zip(whole, parts, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)
    for key, expected in of_whole.items():
        torch.testing.assert_close(of_parts[key], expected, rtol=1e-8, atol=1e-10)


def test_truncated_gradients_are_those_of_a_detached_state():
    model = build(EVERY["vrnn"])
    case = make_case(model, EVERY["vrnn"], gaps=False)
    batch, noise = (
        case.batch.sequences(slice(0, 1)).time_steps(0, 8),
        case.noise.sequences(slice(0, 1)).steps(slice(0, 8)),
    )
    first = unroll(model, batch.time_steps(0, 4), noise.steps(slice(0, 4)))
    left = first.belief.map(torch.detach)
    second = unroll(model, batch.time_steps(4, 8), noise.steps(slice(4, 8)), start=left)
    loss = -sum(elbo_terms(model, part).bound.mean(0).sum() for part in (first, second))
    by_hand = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    config = vrnn.TrainConfig(chunk=4, truncate=True)
    objective = Objective(model, config, None, 0, torch.ones(model.observation.dim).double())
    terms = objective(Work(None, batch, noise, None))
    found = torch.autograd.grad(
        (terms.nll + terms.penalty).sum(), list(model.parameters()), allow_unused=True
    )
    for a, b in zip(found, by_hand, strict=True):
        torch.testing.assert_close(a, b)


def test_training_in_chunks_is_the_training():
    def run(**more):
        return vrnn.train(walks(), config=CONFIG, training=replace(WHOLE, **more), quiet=True)

    whole, parts, cut = run(), run(chunk=3), run(chunk=3, truncate=True)
    last = [r.history[-1]["val_bound"] for r in (whole, parts, cut)]
    assert last[1] == pytest.approx(last[0], abs=1e-4)
    assert last[2] != pytest.approx(last[0], abs=1e-4)


MEMORY = """
import resource, sys, numpy as np, torch, vrnn
torch.set_num_threads(1)
rows, chunk = int(sys.argv[1]), int(sys.argv[2])
tracks = vrnn.Tracks([np.random.default_rng(0).normal(size=(rows, 2)).cumsum(0)])
settings = vrnn.TrainConfig(steps=2, chunk=chunk or None, holdout=0.0, warmup=0)
vrnn.train(tracks, config=vrnn.VRNNConfig(2, hidden=64), training=settings, quiet=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_thousand_rows_are_trained_on_in_the_memory_of_a_chunk():
    def peak(rows: int, chunk: int) -> float:
        command = [sys.executable, "-c", MEMORY, str(rows), str(chunk)]
        return (
            int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024
        )

    base, long, whole = peak(200, 200), peak(10_000, 200), peak(10_000, 0)
    assert long - base < 0.3 * (whole - base), (base, long, whole)
