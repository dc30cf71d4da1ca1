"""The plan of a model that knows its position: that of the model inside.

Where nothing is missing, the positions of all time steps follow from the data, before any loop. The
model inside then reads them as known inputs.
"""

from typing import Any

import torch
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.fastpath.steps import last
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.plans import PLANS, Plan, plan_of
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.unroll import Trace
from vrnn.models.contract import State
from vrnn.models.position import PositionConditioned


def scan(
    model: PositionConditioned,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps, from particles that are at the same place."""
    plan, begin = plan_of(model.inner), start.state.moved
    if plan is None or (len(begin) > 1 and begin.stride(0) != 0):
        return None
    count = len(model.columns)
    moved = begin[0][:, None] + embedded.features[..., -count:].cumsum(1)
    before = torch.cat([begin[0][:, None], moved[:, :-1]], 1)
    known = model.known(embedded.inputs, before)
    given = embedded._replace(
        inputs=model.inner.embed_inputs(known), features=embedded.features[..., :-count]
    )
    inside = start._replace(state=model.inside(start.state))
    found = plan.scan(
        model.inner, batch._replace(u=known), noise, given, inside, proposal, heads=heads
    )
    if found is None:
        return None

    def outside(state: State, of: Tensor) -> Any:
        lead = state[0].shape[:-1]
        return model.around(state, of.expand(*lead, count))

    left = last(moved[None], begin[:1], batch.length).expand_as(begin)  # shared by the samples
    return found._replace(
        entering=outside(found.entering, before),
        emitting=outside(found.emitting, before),
        belief=found.belief._replace(state=model.around(found.belief.state, left)),
    )


PLANS[PositionConditioned] = Plan(scan)
