"""Plans of models in which no latent depends on an earlier one: all latents are drawn at once.

e_{1:T} = states before the latents,   z_{1:T} ~ q(. | e, evidence),   then one scan over all z
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import LatentDistribution, tree_map
from vrnn.fastpath.steps import before, constant, full, last, shared, without
from vrnn.inference.embed import Embedded
from vrnn.inference.flat import at_all
from vrnn.inference.noise import Noise
from vrnn.inference.plans import PLANS, Plan
from vrnn.inference.step import Belief, Proposal
from vrnn.inference.traits import has_posterior
from vrnn.inference.unroll import Trace
from vrnn.models.contract import Model, State, join
from vrnn.models.layers import LSTMCell, affine_layers
from vrnn.models.rnn import RNN, RNNState
from vrnn.models.rollout import RolloutState, RolloutVAE
from vrnn.models.seq2seq import Seq2SeqState, Seq2SeqVAE
from vrnn.models.storn import STORN, STORNState
from vrnn.ops import LatentChain, latent_scan
from vrnn.ops.gru_scan import Feedback


def draw_all(
    model: Model,
    read: State,
    evidence: Float[Tensor, "batch time evidence"],
    noise: Noise,
    proposal: Proposal,
    u_dim: int,
) -> tuple[LatentDistribution, LatentDistribution, Float[Tensor, "sample batch time latent"]]:
    """Return priors, posteriors and latents of all time steps.

    Args:
        read: the states, with the fields that prior and posterior read.
        u_dim: width of the known inputs of the batch.
    """
    lead = tuple(noise.latent.shape[:3])
    if not model.latent.dim:
        nothing = model.latent.standard(noise.latent)
        return nothing, nothing, noise.latent
    prior = at_all(model.prior, read, lead=lead)
    posterior = None
    if proposal == "posterior" and has_posterior(model, u_dim):
        posterior = at_all(model.posterior, read, evidence, lead=lead)
    posterior = prior if posterior is None else posterior
    return prior, posterior, posterior.sample(noise.latent)


def scan_rnn(
    model: RNN,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace:
    """Return the trace of complete time steps of an RNN."""
    lead = tuple(noise.latent.shape[:3])
    h = shared(start.state.h)
    gates = embedded.inputs[..., model.known :] if model.supervised else embedded.features
    after, end = model.cell.scan(full(gates, (len(h), *lead[1:])), h, batch.length)
    entering = after if model.supervised else before(h, after)
    u = full(embedded.inputs[..., : model.known], lead)
    state = RNNState(full(entering, lead), u)
    left = RNNState(full(end, lead[:2]), last(u, start.state.u, batch.length))
    nothing = model.latent.standard(noise.latent)
    belief = start._replace(state=left)
    return Trace(state, nothing, nothing, noise.latent, state, batch.x, belief)


def scan_seq2seq(
    model: Seq2SeqVAE,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of a Seq2SeqVAE: encoder, latents, decoder.

    A posterior that goes on from the memory of an LSTM is left to the loop.
    """
    if model.latent.listed or (model.same and isinstance(model.encoder, LSTMCell)):
        return None
    lead = tuple(noise.latent.shape[:3])
    first = shared(start.state.encoder)
    gates = embedded.inputs[..., model.known :] if model.supervised else embedded.features
    after, end = model.encoder.scan(full(gates, (len(first), *lead[1:])), first, batch.length)
    encoder = full(after if model.supervised else before(first, after), lead)
    u = full(embedded.inputs[..., : model.known], lead)
    entering = Seq2SeqState(encoder, constant(start.state.decoder, lead[2]), u)
    if model.same and proposal == "posterior":  # the encoder has read x_t already
        read = join(model.encoder.output(after), embedded.inputs)
        prior = model.latent.standard(noise.latent)
        posterior = tree_map(lambda t: full(t, lead), model.latent_head(read))
        z = posterior.sample(noise.latent)
    else:
        read = without(entering, "decoder")
        prior, posterior, z = draw_all(
            model, read, embedded.evidence, noise, proposal, batch.u.shape[-1]
        )
    decoder, decoded = model.decoder.scan(
        model.decoder.project(z), start.state.decoder, batch.length
    )
    left = Seq2SeqState(full(end, lead[:2]), decoded, last(u, start.state.u, batch.length))
    emitting = entering._replace(decoder=decoder)
    belief = start._replace(state=left)
    emission = at_all(model.emission, without(emitting, "encoder"), lead=lead) if heads else None
    return Trace(entering, prior, posterior, z, emitting, batch.x, belief, emission)


def scan_storn(
    model: STORN,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of a STORN."""
    if model.latent.listed:
        return None
    lead = tuple(noise.latent.shape[:3])
    features = full(embedded.features, lead)
    x, u = before(start.state.x, features), full(embedded.inputs, lead)
    entering = STORNState(constant(start.state.h, lead[2]), x, u)
    read = without(entering, "h", "x")
    prior, posterior, z = draw_all(
        model, read, embedded.evidence, noise, proposal, batch.u.shape[-1]
    )
    h, end = model.cell.scan(x + model.latent_gates(z), start.state.h, batch.length)
    left = STORNState(
        end,
        last(features, start.state.x, batch.length),
        last(u, start.state.u, batch.length),
    )
    emitting = entering._replace(h=h)
    belief = start._replace(state=left)
    emission = at_all(model.emission, without(emitting, "x"), lead=lead) if heads else None
    return Trace(entering, prior, posterior, z, emitting, batch.x, belief, emission)


def scan_rollout(
    model: RolloutVAE,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of a RolloutVAE.

    Driven: run the latents first, because they do not read h; then run the cell over all steps.
    Carried: the latent depends on h, so both advance together, in one scan with a layer from the
    output of the cell back to its input.
    """
    if model.latent.listed or (model.carried and len(affine_layers(model.next_latent)) != 2):
        return None
    lead, state = tuple(noise.latent.shape[:3]), start.state
    features = full(embedded.features, lead)
    u = full(embedded.inputs[..., : model.known], lead)
    read = (
        before(state.x, features) + full(embedded.inputs[..., model.known :], lead)
        if model.known
        else before(state.x, features)
    )
    entering = RolloutState(
        constant(state.h, lead[2]), constant(state.z, lead[2]), read,
        constant(state.fixed, lead[2]), u,
    )  # fmt: skip
    fixed = without(entering, "h", "z", "x")
    prior, posterior, z = draw_all(
        model, fixed, embedded.evidence, noise, proposal, batch.u.shape[-1]
    )
    if model.carried:
        h, end = _carried(model, read, state, batch)
        latent_end = model.next_latent(model.cell.output(end))
        latent_end = torch.where((batch.length > 0)[:, None], latent_end, state.z)
        emitting = entering._replace(h=h)
    else:
        latent = _driven(model, z if model.per_step else state.fixed[..., None, :], state.z, noise)
        h, end = model.cell.scan(read + model.latent_gates(latent), state.h, batch.length)
        latent_end = last(latent, state.z, batch.length)
        emitting = entering._replace(h=h, z=latent)
    left = RolloutState(
        end,
        latent_end,
        last(features, state.x, batch.length),
        state.fixed,
        last(u, state.u, batch.length),
    )
    if not model.latent.dim:
        entering = emitting
    belief = start._replace(state=left)
    read = without(emitting, "z", "x", "fixed")
    emission = at_all(model.emission, read, lead=lead) if heads else None
    return Trace(entering, prior, posterior, z, emitting, batch.x, belief, emission)


def _carried(
    model: RolloutVAE,
    read: Float[Tensor, "*lead time gates"],
    state: RolloutState,
    batch: Batch,
) -> tuple[Float[Tensor, "*lead time carry"], Float[Tensor, "*lead carry"]]:
    """Return the carries of the carried decoder at all steps, and at the end."""
    into, out = affine_layers(model.next_latent)
    first = model.latent_gates(state.z)[..., None, :]
    gates = torch.cat(
        [read[..., :1, :] + first, read[..., 1:, :] + model.latent_gates(out.bias)], -2
    )
    feedback = Feedback(into.weight, into.bias, model.latent_gates.weight @ out.weight)
    return model.cell.scan(gates, state.h, batch.length, feedback)


def _driven(
    model: RolloutVAE,
    z0: Float[Tensor, "*lead #time table"],
    first: Float[Tensor, "*lead latent"],
    noise: Noise,
) -> Float[Tensor, "*lead steps latent"]:
    """Return z'_1 to z'_T of the driven decoder, from z_0, drawn at every step or once, and z'_0."""
    time, width = noise.latent.shape[2], z0.shape[-1]
    layers = affine_layers(model.next_latent)
    if len(layers) == 2:
        into, out = layers
        chain = LatentChain(
            activation="relu",
            weight_z=into.weight[:, width:],
            inside=nn.functional.linear(z0, into.weight[:, :width], into.bias),
            out=out.weight,
            outside=out.bias.expand(1, 1, 1, -1),
        )
        return latent_scan(chain, first, noise.latent.new_zeros(*noise.latent.shape[:3], 0)).z[
            ..., 1:, :
        ]
    steps = [first]
    for z0_t in z0.expand(*z0.shape[:-2], time, -1).unbind(-2):
        steps.append(model.next_latent(join(z0_t, steps[-1])))
    return torch.stack(steps[1:], -2)


PLANS[RNN] = Plan(scan_rnn)
PLANS[Seq2SeqVAE] = Plan(scan_seq2seq)
PLANS[STORN] = Plan(scan_storn)
PLANS[RolloutVAE] = Plan(scan_rollout)
