"""The plan of the VRNN: its loop over time, its rollout and its single steps in C++ on the CPU."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian, Distribution, LatentDistribution
from vrnn.distributions.tempered import check_temperature, temper
from vrnn.fastpath import vrnn_categorical, vrnn_layers
from vrnn.fastpath.vrnn_layers import (
    Weights,
    added,
    added_by_inputs,
    added_to_gates,
    known_latents,
    laid_out,
    left_state,
    same_numbers,
)
from vrnn.inference.embed import Embedded
from vrnn.inference.noise import Noise
from vrnn.inference.plans import PLANS, Plan
from vrnn.inference.rollout import Rollout
from vrnn.inference.step import Belief, Proposal, Step, TimeStep
from vrnn.inference.unroll import Trace
from vrnn.models.layers import affine_layers
from vrnn.models.vrnn import VRNN, VRNNState
from vrnn.ops.vrnn_rollout import VRNNRollout
from vrnn.ops.vrnn_scan import vrnn_scan
from vrnn.ops.vrnn_step import VRNNStepper


def fits(model: VRNN) -> bool:
    """Return whether a compiled recurrence knows the model; see `known_latents`."""
    return known_latents(model) is not None


def embed(model: VRNN, batch: Batch) -> Embedded | None:
    """Return features with those of x computed once; see `vrnn_layers.embed`."""
    return vrnn_layers.embed(model, batch) if fits(model) and same_numbers(model, batch) else None


def scan(
    model: VRNN,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool,
) -> Trace | None:
    """Return the trace of complete time steps of a VRNN.

    Args:
        heads: compute prior and emission in the recurrence too.
    """
    latents = known_latents(model)
    if proposal != "posterior" or latents is None or not same_numbers(model, batch):
        return None
    if latents == "categorical":
        return vrnn_categorical.scan(model, batch, noise, embedded, start)
    samples, count = noise.latent.shape[:2]
    to_prior, to_emission = added_by_inputs(model, embedded.inputs) if heads else (None, None)
    found = vrnn_scan(
        start.state.h.expand(samples, count, -1),
        noise.latent,
        {
            "gates": embedded.features,
            "evidence": embedded.evidence,
            "to_prior": to_prior,
            "to_emission": to_emission,
        },
        weights_of(model, heads),
    )
    h, mean, scale, z, features = (
        part.permute(1, 2, 0, 3)
        for part in (found.states[:-1], found.mean, found.scale, found.z, found.features)
    )
    u = embedded.inputs[None].expand(samples, -1, -1, -1)
    state = VRNNState(h, features, u)
    prior = model.latent.standard(z) if model.standard else None
    if found.prior_mean is not None and found.prior_scale is not None:
        moved = (part.permute(1, 2, 0, 3) for part in (found.prior_mean, found.prior_scale))
        prior = DiagonalGaussian(*moved)
    return Trace(
        entering=state,
        prior=prior,
        posterior=DiagonalGaussian(mean, scale),
        latent=z,
        emitting=state,
        x=batch.x,
        belief=start._replace(
            state=left_state(found.states, found.features, u, start.state, batch)
        ),
        emission=None if found.raw is None else model.observation(found.raw.permute(1, 2, 0, 3)),
    )


def weights_of(model: VRNN, heads: bool = True) -> dict[str, Tensor]:
    """Return what the scan multiplies by, and its biases, by the names in `vrnn_scan.WEIGHTS`.

    The biases of the first layers of prior and emission are in `added_by_inputs`.
    """
    (out,), (of_latent,) = (
        affine_layers(model.posterior_head.rest),
        affine_layers(model.z_features),
    )
    found: dict[str, Any] = {
        "of_state": model.posterior_head.state_layer.weight,
        "out": out.weight,
        "out_bias": out.bias,
        "of_latent": of_latent.weight,
        "latent_bias": of_latent.bias,
        "of_features": model.latent_gates.weight,
        "weight_hh": model.cell.weight_hh,
        "bias_hh": model.cell.bias_hh,
    }
    if not heads:
        return found
    hidden = model.cell.hidden
    first, last = affine_layers(model.head)
    found["emission_features"], found["emission_state"] = first.weight[:, : 2 * hidden].split(
        hidden, 1
    )
    found |= {"emission_out": last.weight, "emission_bias": last.bias}
    if not model.standard:
        first, last = affine_layers(model.prior_head)
        found["prior_state"] = first.weight[:, :hidden]
        found |= {"prior_out": last.weight, "prior_bias": last.bias}
    return found


def rollout(
    model: VRNN,
    belief: Belief,
    u: Float[Tensor, "batch time inputs"],
    noise: Noise,
    *,
    keep: bool = False,
    temperature: float = 1.0,
) -> Rollout | None:
    """Return joint sample paths of an unsupervised VRNN; gradients are left to the loop."""
    latents = known_latents(model)
    if model.supervised or torch.is_grad_enabled() or latents is None:
        return None
    check_temperature(model.observation, temperature)
    steps = (u.shape[1], noise.latent.shape[2], noise.observation.shape[2])
    if len(set(steps)) > 1:
        raise ValueError(f"expected inputs and noise of as many time steps, found {steps}")
    count = belief.state.h.shape[1]
    inputs = model.embed_inputs(u).expand(count, -1, -1)
    prepare = vrnn_categorical.prepare_rollout if latents == "categorical" else prepare_rollout
    take = prepare(model, belief.state.h, inputs, noise.latent, temperature)
    x, drawn, emissions = None, [], []
    for t, normals in enumerate(noise.observation.unbind(2)):
        emission = temper(model.observation(take(t, x)), model.observation, temperature)
        x = emission.sample(normals).contiguous()
        drawn.append(x)
        if keep:
            emissions.append(emission)
    return Rollout(torch.stack(drawn, -2), emissions if keep else None)


def prepare_rollout(
    model: VRNN,
    h: Float[Tensor, "sample batch hidden"],
    inputs: Float[Tensor, "batch time inputs"],
    normals: Float[Tensor, "sample batch time latent"],
    temperature: float,
) -> VRNNRollout:
    """Return the compiled rollout of a model from a state."""
    hidden, cell = model.cell.hidden, model.cell
    (of_x,), (of_latent,) = affine_layers(model.x_features), affine_layers(model.z_features)
    joint, out = affine_layers(model.head)
    adds = {"emission": added(joint, 2 * hidden, inputs), "gates": added_to_gates(model, inputs)}
    layers: dict[str, Any] = {
        "emission_state": joint.weight[:, hidden : 2 * hidden],
        "weight_hh": cell.weight_hh,
        "of_latent": of_latent.weight,
        "emission_features": joint.weight[:, :hidden],
        "of_features": model.latent_gates.weight,
        "emission_out": out.weight,
        "of_x": of_x.weight,
        "weight_ih": cell.weight_ih[:, :hidden],
    }
    biases: dict[str, Any] = {
        "x_bias": of_x.bias,
        "latent_bias": of_latent.bias,
        "out_bias": out.bias,
        "bias_hh": cell.bias_hh,
    }
    if model.standard:
        layers["prior_state"] = cell.weight_hh.new_zeros(hidden, hidden)
        layers["prior_out"] = cell.weight_hh.new_zeros(2 * model.latent.dim, hidden)
    else:
        first, second = affine_layers(model.prior_head)
        layers["prior_state"] = first.weight[:, :hidden]
        layers["prior_out"], biases["prior_bias"] = second.weight, second.bias
        adds["prior"] = added(first, hidden, inputs)
    adds = {name: part.expand(*inputs.shape[:2], -1) for name, part in adds.items()}
    return VRNNRollout(h, temperature * normals, layers, biases, adds, model.observation.size)


_STEPPERS: "WeakKeyDictionary[VRNN, Stepper | vrnn_categorical.Stepper]" = WeakKeyDictionary()


def stepper(model: VRNN) -> "Stepper | vrnn_categorical.Stepper | None":
    """Return what takes one complete step of a model; None where it has none.

    Its weights are laid out once, and again after they were changed; see `Weights`.
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return None
    found = _STEPPERS.get(model)
    if found is not None and found.weights.current():
        return found
    latents = known_latents(model)
    if latents is None or any(p.is_inference() for p in model.parameters()):
        return None
    kind = vrnn_categorical.Stepper if latents == "categorical" else Stepper
    found = _STEPPERS[model] = kind(model)
    return found


class Stepper:
    """A step of a VRNN where nothing is missing, with its prior and emission.

    It equals `advance`, `model.prior` and `model.emission` to rounding.
    """

    def __init__(self, model: VRNN):
        self.weights = Weights(model)
        self.has_inputs = model.known > 0
        self.take = VRNNStepper(
            laid_out(model, weights_of(model)),
            standard=model.standard,
            hidden=model.cell.hidden,
            latent=model.latent.dim,
            size=model.observation.size,
            dtype=model.h0.dtype,
        )

    def __call__(
        self,
        model: VRNN,
        belief: Belief,
        step: TimeStep,
        normals: Float[Tensor, "sample batch latent"],
    ) -> tuple[Step, LatentDistribution, Distribution]:
        """Return the record of the step, the prior of its latent and the emission."""
        more = added_by_inputs(model, step.inputs[:, None]) if self.has_inputs else ()
        found = self.take(belief.state.h, step.features, step.evidence, normals, *more)
        prior = (
            model.latent.standard(found.z)
            if found.prior_mean is None or found.prior_scale is None
            else DiagonalGaussian(found.prior_mean, found.prior_scale)
        )
        u = step.inputs.expand(*normals.shape[:2], -1)
        record = Step(
            entering=None,
            prior=prior,
            posterior=DiagonalGaussian(found.mean, found.scale),
            latent=found.z,
            exact=None,
            emitting=None,
            emission=None,
            x=step.x,
            state=VRNNState(found.after, found.features, u),
            pending=belief.pending,
        )
        return record, prior, model.observation(found.raw)


PLANS[VRNN] = Plan(scan, embed, rollout, stepper)
