"""Ancestry: paths of particles followed back by hand, and by teacher-forcing them."""

import pytest
import torch
from tests.helpers.filters import filtered, particle_case
from tests.models.settings import CONFIGS, TIME, each
from torch import Tensor

from vrnn.distributions.tree import tensors_of
from vrnn.inference.ancestry import Ancestry
from vrnn.inference.embed import embed
from vrnn.inference.flat import flatten, unflatten, where
from vrnn.inference.particle_filter import FilterConfig
from vrnn.inference.step import start_belief


def hand_made() -> Ancestry:
    """Return three particles of two sequences at four steps; the values tell particle and step."""
    ancestor = torch.tensor([[[0, 0, 2, 1]], [[1, 0, 1, 1]], [[2, 1, 0, 0]]])
    ancestor = torch.cat([ancestor, ancestor.flip(0)], 1)
    who = torch.arange(3.0)[:, None, None, None]
    when = 10 * torch.arange(4.0)[:, None]
    value = (who + when).expand(3, 2, 4, 1)
    return Ancestry(who[:, :, 0].expand(3, 2, 1), ancestor, value, -value)


def test_a_path_is_what_a_particle_and_its_ancestors_drew():
    ancestry = hand_made()
    found = ancestry.trace(torch.tensor([[0, 1], [2, 1]]))
    # sequence 0: 0 <- 1 <- 1 <- 0 and 2 <- 0 <- 2 <- 1
    assert found.latent[0, 0, :, 0].tolist() == [0, 11, 21, 30]
    assert found.latent[1, 0, :, 0].tolist() == [1, 12, 20, 32]
    assert torch.equal(found.x, -found.latent) and found.global_latent[:, 0, 0].tolist() == [0, 1]


def test_ancestors_of_a_step_and_of_one_sequence():
    ancestry = hand_made()
    last = torch.tensor([[0, 1], [2, 1]])
    assert ancestry.ancestors(last, 3, 0)[:, 0].tolist() == [0, 1]
    assert torch.equal(ancestry.ancestors(last, 2, 2), last)
    alone = ancestry.of(1).trace(last[:, 1:])
    whole = ancestry.trace(last)
    assert torch.equal(alone.latent[:, 0], whole.latent[:, 1])


def test_other_particles_may_be_put_in_the_place_of_those_traced():
    def change(t: int, index: Tensor) -> Tensor:
        return torch.full_like(index, 2) if t == 1 else index

    found = hand_made().trace(torch.tensor([[0, 0]]), change)
    assert found.latent[0, 0, :, 0].tolist() == [1, 12, 21, 30]


@pytest.mark.parametrize("name", each(CONFIGS))
@torch.no_grad()
def test_particles_of_the_last_step_stem_from_the_states_they_were_drawn_with(name):
    """Teacher-forcing a traced path of latents and observations ends in its particle's state."""
    model, case = particle_case(name, samples=6)
    found = filtered(model, case, FilterConfig(threshold=0.95))
    ancestry = Ancestry(found.once.z, found.ancestor, found.latent, found.x)
    path = ancestry.trace(torch.arange(6)[:, None].expand(6, 4))
    context = embed(model, case.batch, case.prefix).context
    start = start_belief(model, path.global_latent, context, case.batch.x.shape[-1])
    lead = (6, 4)
    state, inputs = flatten(start.state, lead), model.embed_inputs(case.batch.u)
    for t in range(TIME):
        alive = (t < case.batch.length).repeat(6)
        inputs_t, x = flatten(inputs[:, t], lead), flatten(path.x[:, :, t], lead)
        after = model.with_input(state, inputs_t)
        if model.latent.dim:
            after = model.with_latent(after, flatten(path.latent[:, :, t], lead))
        after = model.with_observation(after, model.embed_observations(x, inputs_t))
        state = where(alive, after, state)
    both = zip(tensors_of(unflatten(state, lead)), tensors_of(found.belief.state), strict=True)
    for a, b in both:
        torch.testing.assert_close(a, b)
