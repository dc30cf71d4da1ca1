"""The plan of a VRNN whose latents are categories: its passes, rollouts and steps in C++.

The draw of a category has no gradient. What each category adds to the gates is a table, and the
emission has a last layer for each of them.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import Distribution, LatentDistribution
from vrnn.fastpath.densities import emission_parts
from vrnn.fastpath.vrnn_layers import (
    Weights,
    added_by_inputs,
    added_to_gates,
    laid_out,
    left_state,
)
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, Step, TimeStep
from vrnn.inference.unroll import Trace
from vrnn.models.layers import affine_layers
from vrnn.models.vrnn import VRNN, VRNNState
from vrnn.ops.category_scan import Part, category_scan
from vrnn.ops.category_step import CategoryStepper
from vrnn.ops.vrnn_rollout import VRNNRollout


def scan(
    model: VRNN,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    factor: Float[Tensor, "batch time size"] | None = None,
    log_volume: Float[Tensor, "batch time"] | None = None,
) -> Trace:
    """Return the trace of complete time steps, with prior and emission.

    Args:
        factor: what the parameters of the emission are multiplied by; None for 1.
        log_volume: what is subtracted from the log-densities of x; None for 0.
    """
    samples, count = noise.latent.shape[:2]
    to_prior, to_emission = added_by_inputs(model, embedded.inputs)
    seen = batch.present.any(-1)
    found = category_scan(
        start.state.h.expand(samples, count, -1),
        torch.special.ndtr(noise.latent.detach()[..., 0]),
        {
            "gates": embedded.features,
            "to_prior": to_prior,
            "to_emission": to_emission,
            "x": batch.x,
            "seen": seen[..., None].to(batch.x),
            "factor": factor,
        },
        weights_of(model),
        parts_of(model),
    )
    h, joint, raw = (
        part.permute(1, 2, 0, 3) for part in (found.states[:-1], found.joint, found.raw)
    )
    category = one_hot(found.chosen, joint)
    exact = found.exact.permute(1, 2, 0)
    if log_volume is not None:
        volume = torch.where(seen, log_volume, 0.0)
        joint, exact = joint - volume[..., None], exact - volume
    latent = category.permute(1, 2, 0, 3)
    u = embedded.inputs[None].expand(samples, -1, -1, -1)
    state = VRNNState(h, latent, u)
    prior = (
        model.latent.standard(latent)
        if found.prior is None
        else model.latent(found.prior.permute(1, 2, 0, 3))
    )
    left = left_state(found.states, category, u, start.state, batch)
    return Trace(
        entering=state,
        prior=prior,
        posterior=model.latent.complete(prior.rest, joint),
        latent=latent,
        emitting=state,
        x=batch.x,
        belief=start._replace(state=left),
        emission=model.observation(raw),
        exact=torch.where(seen, exact, 0.0),
    )


def parts_of(model: VRNN) -> tuple[Part, ...]:
    """Return the parts of the emission, all of which have a compiled density."""
    parts = emission_parts(model.observation)
    assert parts is not None
    return parts


def one_hot(chosen: Tensor, like: Float[Tensor, "*lead classes"]) -> Tensor:
    """Return the categories as one-hot vectors, in the type of `like`."""
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)[chosen]


def weights_of(model: VRNN) -> dict[str, Tensor]:
    """Return what the scan multiplies by, and its biases, by the names in `category_scan.WEIGHTS`.

    The biases of the first layers of prior and emission are in `added_by_inputs`.
    """
    hidden = model.cell.hidden
    first, last = affine_layers(model.head)
    found: dict[str, Any] = {
        "table": model.latent_gates.weight.T.contiguous(),
        "weight_hh": model.cell.weight_hh,
        "bias_hh": model.cell.bias_hh,
        "emission_state": first.weight[:, :hidden],
        "emission_out": last.weight,
        "emission_bias": last.bias,
    }
    if not model.standard:
        first, last = affine_layers(model.prior_head)
        found["prior_state"] = first.weight[:, :hidden]
        found |= {"prior_out": last.weight, "prior_bias": last.bias}
    return found


def prepare_rollout(
    model: VRNN,
    h: Float[Tensor, "sample batch hidden"],
    inputs: Float[Tensor, "batch time inputs"],
    normals: Float[Tensor, "sample batch time 1"],
    temperature: float,
) -> VRNNRollout:
    """Return the compiled rollout of a model from a state."""
    hidden, cell = model.cell.hidden, model.cell
    weights = weights_of(model)
    (of_x,) = affine_layers(model.x_features)
    to_prior, to_emission = added_by_inputs(model, inputs)
    layers = {
        "emission_state": weights["emission_state"],
        "weight_hh": weights["weight_hh"],
        "emission_out": weights["emission_out"],
        "of_x": of_x.weight,
        "weight_ih": cell.weight_ih[:, :hidden],
    }
    biases: dict[str, Any] = {
        "x_bias": of_x.bias,
        "out_bias": weights["emission_bias"],
        "bias_hh": cell.bias_hh,
    }
    adds = {"emission": to_emission, "gates": added_to_gates(model, inputs)}
    if to_prior is not None:
        adds["prior"] = to_prior
        layers["prior_state"] = weights["prior_state"]
        layers["prior_out"] = weights["prior_out"] / temperature
        biases["prior_bias"] = weights["prior_bias"] / temperature
    adds = {name: part.expand(*inputs.shape[:2], -1) for name, part in adds.items()}
    uniform = torch.special.ndtr(normals)
    size = model.observation.size
    return VRNNRollout(h, uniform, layers, biases, adds, size, table=weights["table"])


class Stepper:
    """A step of a VRNN with categories where nothing is missing, with its prior and emission.

    It equals `advance`, `model.prior` and `model.emission` to rounding.
    """

    def __init__(self, model: VRNN):
        self.weights = Weights(model)
        self.has_inputs = model.known > 0
        self.take = CategoryStepper(laid_out(model, weights_of(model)), parts_of(model))

    def __call__(
        self,
        model: VRNN,
        belief: Belief,
        step: TimeStep,
        normals: Float[Tensor, "sample batch 1"],
    ) -> tuple[Step, LatentDistribution, Distribution]:
        """Return the record of the step, the prior of its latent and the emission."""
        more = added_by_inputs(model, step.inputs[:, None]) if self.has_inputs else ()
        uniform = torch.special.ndtr(normals[..., 0])
        seen = step.present.any(-1)
        found = self.take(belief.state.h, step.features, step.x, seen.to(step.x), uniform, *more)
        z = one_hot(found.chosen, found.joint)
        prior = model.latent.standard(z) if found.prior is None else model.latent(found.prior)
        u = step.inputs.expand(*uniform.shape, -1)
        record = Step(
            entering=None,
            prior=prior,
            posterior=model.latent.complete(prior.rest, found.joint),
            latent=z,
            exact=torch.where(seen, found.exact, 0.0),
            emitting=None,
            emission=None,
            x=step.x,
            state=VRNNState(found.after, z, u),
            pending=belief.pending,
        )
        return record, prior, model.observation(found.raw)
