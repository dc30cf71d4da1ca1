"""The bounds by name, one call for training and evaluation: ELBO, IWAE-K, FIVO-N."""

from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.inference.noise import Noise
from vrnn.inference.particle_filter import Filtered, particle_filter
from vrnn.inference.step import Belief, Embedded
from vrnn.inference.unroll import Unrolled
from vrnn.kernels import Kernel, embed, unroll
from vrnn.models.contract import Model
from vrnn.objectives.elbo import Elbo, Kl, kl_terms, loss_terms
from vrnn.objectives.fivo import fivo, resampling_term
from vrnn.objectives.iwae import iwae, log_weights

BoundName = Literal["elbo", "iwae", "fivo"]
BOUNDS: tuple[BoundName, ...] = ("elbo", "iwae", "fivo")


class Bounded(NamedTuple):
    """Hold a pass and what it bounds.

    Attributes:
        passed: the pass.
        kl: its KL terms over the rows that count.
        nll, penalty: what training minimises, their sum, for each sequence, (batch,).
        bound: the bound on log p of each sequence in nats of model units, (batch,); of the ELBO the mean over samples.
    """

    passed: Unrolled | Filtered
    kl: Kl
    nll: Float[Tensor, " batch"]
    penalty: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]


def bound(
    model: Model,
    batch: Batch,
    noise: Noise,
    objective: BoundName = "elbo",
    *,
    embedded: Embedded | None = None,
    belief: Belief | None = None,
    leaves: bool = False,
    start: int = 0,
    kl_weight: float = 1.0,
    free_bits: float = 0.0,
    regulariser_weight: float = 0.0,
    resample_below: float = 0.5,
    with_resampling_term: bool = False,
    kernel: Kernel = "auto",
) -> Bounded:
    """Bound log p of each sequence from below with the samples of the noise.

    ELBO <= IWAE-K <= log p(x), and FIVO-N <= log p(x), each in expectation; see `elbo`, `iwae` and `fivo`.

    Args:
        noise: standard normals; its sample axis is K or N. FIVO needs those for `resampling`.
        embedded: what `embed` gives; needed with a prefix that is not scored.
        belief: of the ELBO and IWAE, where to go on from; the model's beginning when omitted.
        leaves: of the ELBO and IWAE, whether the belief that the pass leaves is wanted.
        start: rows that do not count, those a heading transform was read from; a posterior that looks ahead pays there all
            the same, or it would tell of the future for nothing.
        kl_weight: factor on the KL, or on log p(z) - log q(z) in the weights, of what is minimised; below 1 the value of FIVO,
            whose particles are chosen by those weights, is no bound.
        free_bits, regulariser_weight: see `loss_terms`; free bits are of the ELBO.
        resample_below: of FIVO, the effective sample size, as a share of N, under which particles are resampled.
        with_resampling_term: of FIVO, add the gradient through the choice of ancestors, by multinomial resampling.
        kernel: see `vrnn.kernels.unroll`; FIVO's particles have one form, what they read is computed by it too.
    """
    if embedded is None:
        embedded = embed(model, batch, kernel=kernel, row_by_row=objective == "fivo")
    kl_start = 0 if model.looks_ahead else start
    if objective == "fivo":
        filtered = particle_filter(
            model,
            batch,
            noise,
            embedded=embedded,
            threshold=resample_below,
            scheme="multinomial" if with_resampling_term else "systematic",
            ratio_weight=kl_weight,
            unscored=start,
        )
        kl, value = kl_terms(model, filtered).after(start, kl_start), fivo(filtered)
        gain = value + resampling_term(filtered) if with_resampling_term else value
        return Bounded(
            filtered, kl, -gain, kl_weight * regulariser_weight * kl.regularisation, value
        )
    unrolled = unroll(
        model, batch, noise, embedded=embedded, start=belief, leaves=leaves, kernel=kernel
    )
    kl = kl_terms(model, unrolled).after(start, kl_start)
    if objective == "iwae":
        weighted, value = (
            iwae(log_weights(unrolled, ratio_weight=w, start=start, ratio_start=kl_start))
            for w in (kl_weight, 1.0)
        )
        return Bounded(
            unrolled, kl, -weighted, kl_weight * regulariser_weight * kl.regularisation, value
        )
    terms = Elbo(unrolled.log_prob[..., start:], *kl)
    nll, penalty = loss_terms(
        terms,
        unrolled.mask[:, kl_start:],
        kl_weight=kl_weight,
        free_bits=free_bits,
        regulariser_weight=regulariser_weight,
    )
    return Bounded(unrolled, kl, nll.mean(0), penalty.mean(0), terms.bound.mean(0))
