"""Fast forms of the loop over time, each equal to `vrnn.inference.unroll`, and the choice among them."""

from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.errors import UnsupportedError
from vrnn.inference import rollout as plain_ahead
from vrnn.inference import unroll as plain
from vrnn.inference.noise import Noise
from vrnn.inference.rollout import Imagined
from vrnn.inference.step import Belief, Embedded, Proposal
from vrnn.inference.step import embed as plain_embed
from vrnn.inference.unroll import Loop, Unrolled
from vrnn.kernels import ahead, apart, recurrence
from vrnn.kernels.stretches import in_stretches
from vrnn.models.contract import Model
from vrnn.models.loops import PLAIN, Loops

Kernel = Literal["auto", "plain", "native"]


def embed(
    model: Model,
    batch: Batch,
    prefix: Batch | None = None,
    *,
    kernel: Kernel = "auto",
    row_by_row: bool = False,
) -> Embedded:
    """Compute everything that needs no recurrent state, as `vrnn.inference.step.embed` does, laid out as the kernel reads it.

    Args:
        row_by_row: lay it out for what goes through the rows one by one, such as a particle filter.
    """
    if kernel != "plain" and not row_by_row and recurrence.fits(model, batch, "posterior"):
        return recurrence.embed(model, batch)
    return plain_embed(model, batch, prefix, loops_of(kernel))


def loops_of(kernel: Kernel = "auto") -> Loops:
    """Give what runs recurrences over all steps, and reads whole sequences."""
    return PLAIN if kernel == "plain" else apart.COMPILED


def unroll(
    model: Model,
    batch: Batch,
    noise: Noise,
    *,
    proposal: Proposal = "posterior",
    embedded: Embedded | None = None,
    start: Belief | None = None,
    leaves: bool = False,
    kernel: Kernel = "auto",
) -> Unrolled:
    """Teacher-force a batch by the fastest kernel that fits it; other arguments and the result as of the plain loop.

    Args:
        leaves: give the belief that the pass leaves, which is None where no loop goes there; `follow` gives it alone.
        kernel: auto; plain, loop and readers in PyTorch that every other form is held against; or native, the loop in C++ for a VRNN on a
            CPU, refused where it does not fit. It takes complete stretches of at least three rows; the plain loop serves between.

    Raises:
        UnsupportedError: a native kernel for a model, device or number type that has none, or no compiler to build it.
    """
    embedded = embed(model, batch, kernel=kernel) if embedded is None else embedded
    if kernel == "auto" and not leaves and start is None and apart.fits(model, batch, proposal):
        return apart.unroll_apart(model, batch, noise, proposal=proposal, embedded=embedded)
    loop = _loop(model, batch, proposal, kernel)
    return plain.unroll(
        model, batch, noise, proposal=proposal, embedded=embedded, start=start, loop=loop
    )


def follow(model: Model, batch: Batch, noise: Noise, *, kernel: Kernel = "auto") -> Belief:
    """Give the belief that a pass leaves, by the fastest kernel that fits; see `unroll`."""
    loop = _loop(model, batch, "posterior", kernel, heads=False)
    return plain.follow(model, batch, noise, embedded=embed(model, batch, kernel=kernel), loop=loop)


def _loop(
    model: Model, batch: Batch, proposal: Proposal, kernel: Kernel, heads: bool = True
) -> Loop:
    """Choose what goes through the rows, and through the heads too where it can and is asked to."""
    if kernel != "plain" and recurrence.fits(model, batch, proposal):
        return in_stretches(recurrence.run_rows, partial(recurrence.run_rows, heads=heads))
    if kernel == "native":
        raise UnsupportedError(
            f"no native kernel fits: expected a VRNN with a GRU and depth 1, its latents drawn from the posterior, on a CPU in "
            f"float32 or float64, and a C++ compiler; found {type(model).__name__} on {batch.x.device} in {batch.x.dtype}"
        )
    return plain.run_rows


def imagine(
    model: Model,
    belief: Belief,
    u: Float[Tensor, "batch time inputs"],
    noise: Noise,
    *,
    keep: bool = False,
    temperature: float = 1.0,
    kernel: Kernel = "auto",
) -> Imagined:
    """Go on alone by the fastest kernel that fits; other arguments and the result as of `vrnn.inference.rollout`.

    Args:
        kernel: as of `unroll`; the native one gives no gradients.

    Raises:
        UnsupportedError: a native kernel where there is none.
    """
    if kernel != "plain" and ahead.fits(model, belief):
        return ahead.imagine(model, belief, u, noise, keep=keep, temperature=temperature)
    if kernel == "native":
        raise UnsupportedError(
            f"no native kernel fits: expected an unsupervised VRNN with a GRU and depth 1 on a CPU, no gradients asked for, and a C++ "
            f"compiler; found {type(model).__name__}"
        )
    return plain_ahead.imagine(model, belief, u, noise, keep=keep, temperature=temperature)
