"""Models whose latents wait for no other, or for the one before alone: states and latents are run in fused calls."""

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.inference.noise import Noise
from vrnn.inference.step import Embedded, Proposal
from vrnn.inference.unroll import Unrolled, code_laws
from vrnn.kernels.cell import read, run_cell
from vrnn.kernels.chain import run_chain
from vrnn.models.contract import Model
from vrnn.models.loops import Loops

COMPILED = Loops(run_cell, run_chain, read)


def fits(model: Model, batch: Batch, proposal: Proposal) -> bool:
    """Tell whether this kernel can unroll the batch from the model's beginning: nothing is missing in it.

    A chain is of posteriors, so it does not serve the prior as proposal.
    """
    whole = bool((batch.present | ~batch.alive[..., None]).all())
    loopless = model.apart or (model.chained and proposal == "posterior")
    return loopless and whole and batch.x.shape[1] > 0


def unroll_apart(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded,
) -> Unrolled:
    """Unroll without a loop over time in Python; equal to the plain loop but for the belief at the end, which is left out.

    e_{1:T} = entering(s_0, x),   z_{1:T} ~ q(. | e, evidence),   s_{1:T} = run(s_0, x, z),   all emissions at once

    Where a latent waits for the one before it, z_{1:T} comes from `chain`.
    """
    known, seen, evidence = embedded.known, embedded.seen, embedded.evidence
    code_prior, code_posterior = code_laws(model, batch, embedded, proposal)
    code = code_posterior.sample(noise.code)
    start = model.initial_state(code, embedded.context)
    lead = noise.latent.shape[:3]
    entering = model.entering(start, known, seen, COMPILED)
    expand = lambda law: DiagonalGaussian(*(p.expand(*lead, -1) for p in law))  # noqa: E731
    if model.chained:
        chained = COMPILED.chain(model.chain(entering, evidence, known), start.z, noise.latent)
        entering = entering._replace(z=chained.z[..., :-1, :])
        latent, posterior = chained.z[..., 1:, :], chained.law
        prior, emitting = expand(model.prior(entering, known)), model.with_latent(entering, latent)
    else:
        posterior = prior = expand(model.prior(entering, known))
        if proposal == "posterior" and not model.tied:
            posterior = expand(model.posterior(entering, evidence, known))
        latent = posterior.sample(noise.latent)
        emitting = model.run(start, known, seen, latent, COMPILED)
    emission = model.emission(emitting, known)
    return Unrolled(
        log_prob=emission.log_prob(batch.x, batch.present),
        prior=prior,
        posterior=posterior,
        latent=latent,
        code_prior=code_prior,
        code_posterior=code_posterior,
        code=code,
        emission=emission,
        x=batch.x,
        mask=batch.mask,
        belief=None,
    )
