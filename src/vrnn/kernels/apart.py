"""Models whose latents wait for no other: all of them are drawn at once, and the states are run in fused calls."""

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.inference.noise import Noise
from vrnn.inference.step import Embedded, Proposal
from vrnn.inference.unroll import Unrolled, code_laws
from vrnn.kernels.cell import run_cell
from vrnn.models.contract import Model


def fits(model: Model, batch: Batch) -> bool:
    """Tell whether this kernel can unroll the batch from the model's beginning: nothing is missing in it."""
    whole = bool((batch.present | ~batch.alive[..., None]).all())
    return model.apart and whole and batch.x.shape[1] > 0


def unroll_apart(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded,
) -> Unrolled:
    """Unroll without a loop over time; equal to the plain loop but for the belief at the end, which is left out.

    e_{1:T} = entering(s_0, x),   z_{1:T} ~ q(. | e, evidence),   s_{1:T} = run(s_0, x, z),   all emissions at once
    """
    code_prior, code_posterior = code_laws(model, batch, embedded, proposal)
    code = code_posterior.sample(noise.code)
    start = model.initial_state(code, embedded.context)
    lead = noise.latent.shape[:3]
    entering = model.entering(start, embedded.known, embedded.seen, run_cell)
    expand = lambda law: DiagonalGaussian(*(p.expand(*lead, -1) for p in law))  # noqa: E731
    posterior = prior = expand(model.prior(entering, embedded.known))
    if proposal == "posterior" and not model.tied:
        posterior = expand(model.posterior(entering, embedded.evidence, embedded.known))
    latent = posterior.sample(noise.latent)
    emission = model.emission(
        model.run(start, embedded.known, embedded.seen, latent, run_cell), embedded.known
    )
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
