"""Fast forms of the loop over time, each equal to `vrnn.inference.unroll.unroll`, and the choice among them."""

from vrnn.data.batch import Batch
from vrnn.inference import unroll as plain
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, Embedded, Proposal, embed
from vrnn.inference.unroll import Unrolled
from vrnn.kernels.apart import fits, unroll_apart
from vrnn.models.contract import Model


def unroll(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
) -> Unrolled:
    """Teacher-force a batch by the fastest kernel that fits it; arguments and result as of the plain loop.

    The belief at the end, which training has no use for, is given by the plain loop alone: kernels give that of the start.
    """
    embedded = embed(model, batch) if embedded is None else embedded
    kernel = unroll_apart if fits(model, batch, start) else plain.unroll
    return kernel(model, batch, noise, proposal=proposal, embedded=embedded, start=start)
