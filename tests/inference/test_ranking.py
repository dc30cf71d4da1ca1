"""The rank of an observation among draws, by its definition."""

import pytest
import torch

from vrnn.inference.random_numbers import seeded
from vrnn.inference.ranking import rank_draws


@pytest.mark.parametrize("particles", [1, 5])
def test_each_draw_is_compared_without_the_particle_that_made_it(particles):
    """Both densities leave that particle out; with a single particle nothing is left out."""
    draws, batch = 6, 3
    density = torch.randn(draws + 1, particles, batch, generator=seeded(0)).double()
    made_by = torch.randint(particles, (draws, batch), generator=seeded(1))
    own = torch.nn.functional.one_hot(made_by, particles).bool().transpose(1, 2)
    found = rank_draws(density, own)
    for b in range(batch):
        less, excess = 0, 0.0
        for k in range(draws):
            kept = [p for p in range(particles) if particles == 1 or p != made_by[k, b]]
            drawn, seen = (density[i, kept, b].exp().sum().log() for i in (k, draws))
            less, excess = less + int(drawn < seen), excess + float(drawn - seen) / draws
        assert int(found.less[b]) == less and not found.ties[b]
        assert float(found.excess[b]) == pytest.approx(excess)


def test_densities_that_differ_by_rounding_are_ties():
    density = torch.tensor([0.3, 0.3 + 1e-7, 0.2, 0.4, 0.3]).log()[:, None, None]
    found = rank_draws(density, torch.ones(4, 1, 1, dtype=torch.bool))
    assert (int(found.less), int(found.ties)) == (1, 2)
