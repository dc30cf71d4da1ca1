"""The plan of a model under a causal transform: that of the model inside.

Where nothing is missing, the transforms of all time steps follow from the data, before any loop. The
model inside then works on transformed increments, and their features are known inputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.transforms.causal import CausalTransform
from vrnn.distributions import FullGaussian, Gaussian
from vrnn.distributions.tree import tree_map
from vrnn.fastpath import vrnn_categorical
from vrnn.fastpath.steps import last
from vrnn.fastpath.vrnn_layers import known_latents, same_numbers
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.plans import PLANS, Plan, plan_of
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.unroll import Trace
from vrnn.models.causal import CausalCoordinates, column_pairs, signs
from vrnn.models.contract import State, join
from vrnn.models.vrnn import VRNN


def scan(
    model: CausalCoordinates,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps, from particles that have the same transform."""
    inner, plan, begin = model.inner, plan_of(model.inner), model.transform_of(start.state)
    shared = all(len(part) == 1 or part.stride(0) == 0 for part in begin)
    if plan is None or not shared:
        return None
    d = embedded.features[..., : model.dim]
    before, after = CausalTransform(*(part[0] for part in begin)).along(d)
    known = join(embedded.inputs, before.features)
    inputs = inner.embed_inputs(known)
    features = inner.embed_observations(model.read(d, before, after), inputs)
    inside = batch._replace(x=before.encode(d), u=known)
    given = embedded._replace(inputs=inputs, features=features)
    single = 2 * model.dim + model.known
    if model.looks_ahead and not embedded.evidence[..., -single - 1].any():
        given = given._replace(evidence=embedded.evidence[..., : -single - 1])
    else:
        evidence = model.evidence(d, batch.present, embedded.inputs, before, after, batch.length)
        given = given._replace(evidence=evidence)
    first = start._replace(state=model.inside(start.state))
    if model.latent.listed:
        factor = factor_of(model, before)
        compiled = isinstance(inner, VRNN) and same_numbers(inner, batch)
        if factor is None or proposal != "posterior" or not compiled:
            return None
        volume = model.dim * before.scale[..., 0].log()
        found = vrnn_categorical.scan(inner, inside, noise, given, first, factor, volume)
    else:
        found = plan.scan(inner, inside, noise, given, first, proposal, heads=heads)
    if found is None:
        return None
    samples = len(begin.scale)
    of_steps = CausalTransform(*(part[None] for part in before))

    def outside(state: State) -> State:
        lead = state[0].shape[:-1]
        return model.around(state, *tree_map(lambda t: t.expand(*lead, -1), of_steps))

    left = (
        last(part[None], old[:1], batch.length).expand(samples, -1, -1)
        for part, old in zip(after, begin, strict=True)
    )
    changes = {
        "entering": outside(found.entering),
        "emitting": outside(found.emitting),
        "belief": found.belief._replace(state=model.around(found.belief.state, *left)),
        "x": batch.x,
    }
    if found.emission is not None:
        changes["emission"] = model.transformed(found.emission, of_steps)
    return found._replace(**changes)


def factor_of(
    model: CausalCoordinates, transform: CausalTransform
) -> Float[Tensor, "batch time size"] | None:
    """Return the factors that make an emission symmetric; None where the scan knows none.

    They are those of `symmetric`.
    """
    inner, family = model.inner, model.observation
    if not isinstance(inner, VRNN) or known_latents(inner) != "categorical":
        return None
    if not isinstance(family, Gaussian | FullGaussian):
        return None
    known = signs(transform, model.dim)
    parts = [known, transform.moved.expand_as(known)]
    if isinstance(family, FullGaussian):
        first, second = column_pairs(model.dim)
        parts.append(known[..., first] * known[..., second])
    return torch.cat(parts, -1)


PLANS[CausalCoordinates] = Plan(scan)
