"""Where a forecast or a generation begins: the belief after a prefix."""

import math

import torch

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, embed_prefix, start_belief
from vrnn.kernels import Kernel, follow, loops_of
from vrnn.models.contract import Model


def begin(model: Model, prefix: Batch, noise: Noise, *, kernel: Kernel = "auto") -> Belief:
    """Give the belief after a prefix: filtered through its posterior, or encoded at once where the model conditions.

    A prefix of no rows gives the model's own beginning.
    """
    if prefix.x.shape[1] and not model.conditions:
        return follow(model, prefix, noise, kernel=kernel)
    context = embed_prefix(model, prefix, loops_of(kernel))
    code = model.code_prior(context).sample(noise.code)
    return start_belief(model, code, context, prefix.x.shape[-1])


def fan_out(belief: Belief, samples: int) -> Belief:
    """Let so many samples go on from the particles of a belief (sample, batch, ...) in turn, sample i from particle i modulo their number.

    The particles are taken as equally likely; so are the samples.
    """
    particles = belief.gap.shape[0]
    if particles == samples:
        return belief
    chosen = torch.arange(samples, device=belief.gap.device) % particles
    wider = belief.map(lambda part: part[chosen])
    return wider._replace(log_weight=torch.full_like(wider.log_weight, -math.log(samples)))
