"""The particle filter against importance sampling, exact densities and its own definition."""

import math

import pytest
import torch
from tests.models.settings import CONFIGS, TIME, alone, build, make_case, run, tensors
from tests.models.test_linear_gaussian import CONFIGS as LINEAR
from tests.models.test_linear_gaussian import TIME as SHORT
from tests.models.test_linear_gaussian import make_world

from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.particle_filter import Lineage, particle_filter
from vrnn.inference.step import Path, embed
from vrnn.objectives.fivo import fivo
from vrnn.objectives.iwae import iwae, log_weights

ALL = pytest.mark.parametrize("name", CONFIGS)


def made(name: str, samples: int = 4):
    config = CONFIGS[name]
    model = build(config)
    case = make_case(model, config, samples=samples)
    return model, case._replace(
        noise=draw_noise(model, samples, 4, TIME, seeded(0, 3), resampling=True)
    )


def filtered(model, case, **more):
    return particle_filter(
        model, case.batch, case.noise, embedded=embed(model, case.batch, case.prefix), **more
    )


@ALL
@pytest.mark.parametrize("proposal", ["posterior", "prior"])
def test_without_resampling_it_is_importance_sampling(name, proposal):
    model, case = made(name)
    expected = iwae(run(model, case, proposal).log_weight)
    found = filtered(model, case, threshold=0.0, proposal=proposal)
    torch.testing.assert_close(fivo(found), expected, rtol=1e-9, atol=1e-10)
    same = torch.arange(4)[:, None, None].expand_as(found.ancestor)
    assert torch.equal(found.ancestor, same) and not found.log_choice.any()
    gradients = [
        torch.autograd.grad(value.sum(), list(model.parameters()), allow_unused=True)
        for value in (fivo(found), expected)
    ]
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


@ALL
@torch.no_grad()
def test_sequence_alone_gives_the_numbers_it_gives_in_a_batch(name):
    model, case = made(name)
    together = filtered(model, case, threshold=0.9)
    for i in range(4):
        one = alone(case, i)
        one = one._replace(noise=one.noise._replace(resampling=case.noise.resampling[:, i : i + 1]))
        found = filtered(model, one, threshold=0.9)
        length = int(case.batch.length[i])
        torch.testing.assert_close(found.log_prob[0], together.log_prob[i, :length])
        assert float(together.log_prob[i, length:].abs().sum()) < 1e-12
        assert torch.equal(found.ancestor[:, 0], together.ancestor[:, i, :length])
        for a, b in zip(tensors(found.belief), tensors(together.belief), strict=True):
            torch.testing.assert_close(a[:, 0], b[:, i].expand(a[:, 0].shape))


@ALL
@torch.no_grad()
def test_particles_of_the_last_row_stem_from_the_states_they_were_drawn_with(name):
    """Teacher-forcing a traced path of latents and drawn observations ends in the state of its particle."""
    model, case = made(name, samples=6)
    found = filtered(model, case, threshold=0.95)
    lineage = Lineage(found.code, found.ancestor, found.latent, found.x)
    path = lineage.trace(torch.arange(6)[:, None].expand(6, 4))
    context = embed(model, case.batch, case.prefix).context
    state, known = model.initial_state(path.code, context), model.embed_inputs(case.batch.u)
    for t in range(TIME):
        alive = t < case.batch.length
        after = model.with_latent(model.with_input(state, known[:, t]), path.latent[:, :, t])
        after = model.with_observation(
            after, model.embed_observations(path.x[:, :, t], known[:, t])
        )
        both = zip(tensors(after), tensors(state), strict=True)
        state = type(state)(*(torch.where(alive[:, None], new, old) for new, old in both))
    for a, b in zip(tensors(state), tensors(found.belief.state), strict=True):
        torch.testing.assert_close(a.expand(b.shape), b)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("gaps", ["complete", "gaps", "is_increment"])
@pytest.mark.parametrize("scheme", ["systematic", "multinomial"])
@torch.no_grad()
def test_estimate_of_the_likelihood_is_unbiased(name, gaps, scheme):
    """E[exp(estimate)] = p(x) with resampling at nearly every row, and its log lies below log p(x)."""
    world = make_world(name, gaps)
    exact, model, runs, particles = world.exact(), world.model, 2000, 5
    batch = repeat(world.batch, runs)
    prefix = None if world.prefix is None else repeat(world.prefix, runs)
    noise = draw_noise(model, particles, runs, SHORT, seeded(7), resampling=True)
    found = particle_filter(
        model, batch, noise, embedded=embed(model, batch, prefix), threshold=0.9, scheme=scheme
    )
    log_ratio = fivo(found) - exact
    ratio = log_ratio.exp()
    error = float(ratio.std() / math.sqrt(runs))
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error + 1e-9)
    assert float(log_ratio.mean()) <= 4 * float(log_ratio.std()) / math.sqrt(runs) + 1e-9


def repeat(batch, count: int):
    """Put the one sequence of a batch into it many times."""
    return batch.sequences(torch.zeros(count, dtype=torch.long))


@torch.no_grad()
def test_conditional_filter_keeps_the_given_path():
    model, case = made("vrnn")
    first = filtered(model, case, threshold=0.9)
    path = Path(first.code[1], first.latent[1], first.x[1])
    again = filtered(model, case, threshold=0.9, scheme="multinomial", path=path)
    torch.testing.assert_close(again.latent[0], path.latent)
    assert not again.ancestor[0].any()
    missing = ~case.batch.present & case.batch.in_sequence[..., None]
    torch.testing.assert_close(again.x[0][missing], path.x[missing])


def test_gradient_with_the_resampling_term_is_that_of_the_expected_bound():
    """By common random numbers against central differences; without the term the difference is seen."""
    from vrnn.objectives.fivo import resampling_term

    world = make_world("vrnn", "complete")
    model, runs, particles = world.model, 60000, 2
    batch = repeat(world.batch, runs)
    noise = draw_noise(model, particles, runs, SHORT, seeded(3), resampling=True)
    parameter = model.head[-1].bias
    direction = torch.zeros_like(parameter)
    direction[:2] = 1.0

    def bound():
        return particle_filter(model, batch, noise, threshold=1.0, scheme="multinomial")

    found = bound()
    per_run = []
    for value in (fivo(found), resampling_term(found)):
        (gradient,) = torch.autograd.grad(value.mean(), parameter, retain_graph=True)
        per_run.append(float(gradient @ direction))
    plain, term = per_run
    step = 0.2
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter += sign * step * direction
            values.append(fivo(bound()))
            parameter -= sign * step * direction
    slope = (values[0] - values[1]) / (2 * step)
    error = float(slope.std() / math.sqrt(runs))
    print(plain, term, float(slope.mean()), error)
    assert plain + term == pytest.approx(float(slope.mean()), abs=5 * error)


@ALL
def test_log_weights_leave_out_rows(name):
    model, case = made(name)
    unrolled = run(model, case)
    torch.testing.assert_close(log_weights(unrolled), unrolled.log_weight)
    later = log_weights(unrolled, start=2, ratio_start=0)
    torch.testing.assert_close(later, unrolled.log_weight - unrolled.log_prob[..., :2].sum(-1))
