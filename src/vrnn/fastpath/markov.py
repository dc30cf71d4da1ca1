"""Plans of models in which a latent depends on the one before it, and on no other.

The states that do not depend on latents come first, from one scan. The latents are a second scan.
"""

import torch
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Gaussian
from vrnn.fastpath.steps import before, full, last, shared
from vrnn.inference.embed import Embedded
from vrnn.inference.flat import at_all
from vrnn.inference.noise import Noise
from vrnn.inference.plans import PLANS, Plan
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.unroll import Trace
from vrnn.models.contract import Model, State, join
from vrnn.models.dmm import DMM, DMMState
from vrnn.models.layers import affine_layers
from vrnn.models.srnn import SRNN, SRNNState
from vrnn.ops import LatentChain, latent_scan


def scan_srnn(
    model: SRNN,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of an SRNN with one hidden layer."""
    gaussian = proposal == "posterior" and isinstance(model.latent, Gaussian)
    if not gaussian or len(affine_layers(model.prior_head)) != 2:
        return None
    lead = tuple(noise.latent.shape[:3])
    first = shared(start.state.d)
    features = full(embedded.features, (len(first), *embedded.features.shape[:2]))
    after, end = model.cell.scan(features, first, batch.length)
    d = before(first, after)
    chain = chain_of_srnn(model, model.cell.output(d), embedded)
    return _trace(
        model,
        chain,
        lambda z: SRNNState(full(d, lead), z, full(embedded.inputs, lead)),
        lambda z, u: SRNNState(full(end, lead[:2]), z, u),
        batch,
        noise,
        embedded,
        start,
    )


def chain_of_srnn(model: SRNN, d: Tensor, embedded: Embedded) -> LatentChain:
    """Return the chain of an SRNN's posterior.

    The hidden layers of the prior, whose mean is corrected, and of the correction lie side by side.
    """
    width, evidence, inputs = model.latent.dim, embedded.evidence, embedded.inputs
    (first, out), into = affine_layers(model.prior_head), model.posterior_head.state_layer
    (correction,) = affine_layers(model.posterior_head.rest)

    def mean_only(part: Tensor) -> Tensor:
        return torch.cat([part[:width], torch.zeros_like(part[:width])])

    of_prior = nn.functional.linear(join(d, inputs), first.weight[:, width:], first.bias)
    of_correction = evidence + nn.functional.linear(d, into.weight[:, width:])
    return LatentChain(
        activation="relu",
        weight_z=torch.cat([first.weight[:, :width], into.weight[:, :width]]),
        inside=torch.cat([of_prior, of_correction], -1),
        out=torch.cat([mean_only(out.weight), correction.weight], 1),
        outside=(mean_only(out.bias) + correction.bias).expand(1, 1, 1, -1),
    )


def scan_dmm(
    model: DMM,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of a DMM that is not affine."""
    gaussian = proposal == "posterior" and isinstance(model.latent, Gaussian)
    if not gaussian or not isinstance(model.activation, nn.Tanh):
        return None
    lead = tuple(noise.latent.shape[:3])
    (out,) = affine_layers(model.posterior_head)
    chain = LatentChain(
        activation="tanh",
        weight_z=model.latent_layer.weight,
        inside=model.latent_layer.bias.expand(1, 1, 1, -1),
        out=out.weight / 2,
        outside=out(embedded.evidence / 2)[None],
    )
    return _trace(
        model,
        chain,
        lambda z: DMMState(z, full(embedded.inputs, lead)),
        lambda z, u: DMMState(z, u),
        batch,
        noise,
        embedded,
        start,
    )


def _trace(
    model: Model,
    chain: LatentChain,
    state_of,
    left_of,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
) -> Trace:
    """Return the trace of a chain of latents.

    Args:
        state_of: makes the states of all steps of their latents.
        left_of: makes the state after the last step of its latent and inputs.
    """
    lead = tuple(noise.latent.shape[:3])
    path = latent_scan(chain, start.state.z, noise.latent)
    entering: State = state_of(path.z[..., :-1, :])
    latent = path.z[..., 1:, :]
    u = last(full(embedded.inputs, lead), start.state.u, batch.length)
    return Trace(
        entering=entering,
        prior=at_all(model.prior, entering, lead=lead),
        posterior=DiagonalGaussian(path.mean, path.scale),
        latent=latent,
        emitting=entering._replace(z=latent),
        x=batch.x,
        belief=start._replace(state=left_of(last(latent, start.state.z, batch.length), u)),
    )


PLANS[SRNN] = Plan(scan_srnn)
PLANS[DMM] = Plan(scan_dmm)
