"""What a mode head reads of the past."""

import pytest
import torch
from tests.training.forks import MODELS

from vrnn.data.batch import Batch
from vrnn.models import make_model
from vrnn.training.mode_context import context_of


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name != "rollout"]
)  # whose prefixes all have one length
def test_the_head_reads_nothing_of_the_future(name):
    torch.manual_seed(0)
    model, x = make_model(MODELS[name]), torch.randn(6, 9, 2)
    length, observe = torch.tensor([9, 9, 8, 7, 9, 5]), torch.tensor([2, 5, 3, 6, 8, 4])
    later = torch.arange(9) >= observe[:, None]
    states = []
    for values in (x, torch.where(later[..., None], 50 * torch.randn(6, 9, 2), x)):
        prefix, rest = Batch.of(values, length=length).split_at(observe)
        states.append(context_of(model, prefix, rest.u[:, :4]))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
