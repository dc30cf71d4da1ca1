"""What the plans of the VRNN share: which models they know, features, states and weights."""

from typing import Literal
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.data.batch import Batch
from vrnn.distributions import Gaussian, OneHot
from vrnn.fastpath.densities import emission_parts
from vrnn.inference.embed import Embedded
from vrnn.models.contract import join, no_features
from vrnn.models.layers import GRUCell, affine_layers
from vrnn.models.vrnn import VRNN, VRNNState
from vrnn.ops.build import library

Latents = Literal["gaussian", "categorical"]
_KNOWN: "WeakKeyDictionary[VRNN, tuple[list[nn.Module | None], Latents | None]]" = (
    WeakKeyDictionary()
)


def known_latents(model: VRNN) -> Latents | None:
    """Return which compiled recurrence knows the model, by its latents; None where none does.

    They know a VRNN with a GRU and one hidden layer, on the CPU: with Gaussian latents and a
    posterior of its own, or with categories and an emission of a compiled density.
    """
    fits = (
        model.h0.device.type == "cpu"
        and model.h0.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and library() is not None
    )
    return _known_layers(model) if fits else None


def _known_layers(model: VRNN) -> Latents | None:
    """Return which recurrence has the layers of a model; kept until one of them is replaced."""
    layers = [model.cell, model.z_features, getattr(model, "posterior_head", None)]
    kept = _KNOWN.get(model)
    if kept is not None and all(a is b for a, b in zip(kept[0], layers, strict=True)):
        return kept[1]
    known: Latents | None = None
    if isinstance(model.cell, GRUCell) and len(affine_layers(model.head)) == 2:
        if isinstance(model.latent, Gaussian):
            own = model.learns_posterior and len(affine_layers(model.posterior_head.rest)) == 1
            known = "gaussian" if own else None
        elif isinstance(model.latent, OneHot) and model.latent.listed and not model.from_prior:
            known = "categorical" if emission_parts(model.observation) else None
    _KNOWN[model] = layers, known
    return known


def embed(model: VRNN, batch: Batch) -> Embedded:
    """Return features with those of x computed once, laid out step after step."""
    x, u = batch.x, batch.u
    turned = x.shape[1] > 1  # a single step lies in memory alike in both orders
    if turned:
        x, u = x.transpose(0, 1).contiguous(), u.transpose(0, 1).contiguous()
    inputs = model.embed_inputs(u)
    of_x = no_features(x) if model.supervised else model.x_features(x)
    of_u = model.u_features(inputs) if model.known else inputs
    features = model.cell.project(join(of_x, of_u))
    evidence = no_features(x)
    if model.learns_posterior:
        read = model.y_features(x) if model.supervised else of_x
        evidence = model.posterior_head.project(join(read, inputs))
    context = batch.x.new_zeros(len(batch.x), 0)
    if turned:
        inputs, features, evidence = (p.transpose(0, 1) for p in (inputs, features, evidence))
    return Embedded(inputs, features, evidence, context)


def same_numbers(model: VRNN, batch: Batch) -> bool:
    """Return whether the batch is where the model is, in the same type."""
    return (batch.x.device, batch.x.dtype) == (model.h0.device, model.h0.dtype)


def left_state(
    states: Float[Tensor, "states sample batch hidden"],
    features: Float[Tensor, "time sample batch features"],
    u: Float[Tensor, "sample batch time inputs"],
    first: VRNNState,
    batch: Batch,
) -> VRNNState:
    """Return the state after each sequence's own last step."""
    time, length = batch.x.shape[1], batch.length
    if bool((length == time).all()):
        return VRNNState(states[-1], features[-1], u[:, :, -1])
    each = torch.arange(len(length), device=length.device)
    step = length.clamp(min=1) - 1
    some = (length > 0)[:, None]
    z = torch.where(some, features[step, :, each].transpose(0, 1), first.z)
    u_last = torch.where(some, u[:, each, step], first.u)
    return VRNNState(states[length, :, each].transpose(0, 1), z, u_last)


def added_by_inputs(
    model: VRNN, inputs: Float[Tensor, "batch time inputs"]
) -> tuple[Float[Tensor, "#batch #time hidden"] | None, Float[Tensor, "#batch #time hidden"]]:
    """Return what inputs and bias add to the hidden layers of the prior and of the emission.

    It is None for a standard prior.
    """
    hidden = model.cell.hidden
    to_emission = added(affine_layers(model.head)[0], model.z_widths[0] + hidden, inputs)
    if model.standard:
        return None, to_emission
    return added(affine_layers(model.prior_head)[0], hidden, inputs), to_emission


def added(
    layer: nn.Linear, width: int, inputs: Float[Tensor, "batch time inputs"]
) -> Float[Tensor, "#batch #time out"]:
    """Return what the bias of a layer adds, and the inputs that it reads behind `width` features.

    Without inputs it is the same everywhere, (1, 1, out).
    """
    if inputs.shape[-1] == 0:
        return layer.bias[None, None]
    return nn.functional.linear(inputs, layer.weight[:, width:], layer.bias)


def added_to_gates(
    model: VRNN, inputs: Float[Tensor, "batch time inputs"]
) -> Float[Tensor, "#batch #time gates"]:
    """Return what known inputs and the bias add to the gates of the cell."""
    cell = model.cell
    if inputs.shape[-1] == 0:
        return cell.bias_ih[None, None]
    weight = cell.weight_ih[:, cell.hidden :]
    return nn.functional.linear(model.u_features(inputs), weight, cell.bias_ih)


def laid_out(model: VRNN, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without gradients, laid out for a step.

    Without known inputs, what is added to prior and emission is the same at every step; it is then
    among them.
    """
    found = {name: part.detach().contiguous() for name, part in weights.items()}
    if not model.known:
        fixed = added_by_inputs(model, model.h0.new_zeros(1, 1, 0))
        names = ("to_prior", "to_emission")
        found |= {n: p.detach() for n, p in zip(names, fixed, strict=True) if p is not None}
    return found


class Weights:
    """The weights of a model as they were when something was made of them.

    `current` says whether that is so still: whether no optimizer, `load_state_dict` or anything
    else that PyTorch counts has changed them. PyTorch does not count what is written through
    `.data`.
    """

    def __init__(self, model: VRNN):
        self.reads = [(m._parameters, name) for m in model.modules() for name in m._parameters]
        self.parts = [
            (m._modules, list(m._modules.values())) for m in model.modules() if m._modules
        ]
        self.held = [p.detach() for p in model.parameters()]  # where nothing else can come to lie
        self.stamp = self._stamp()

    def current(self) -> bool:
        """Return whether layers and weights are still the same."""
        same = all(list(now.values()) == then for now, then in self.parts)
        return same and self.stamp == self._stamp()

    def _stamp(self) -> list[tuple[int, int] | None]:
        held = (parameters.get(name) for parameters, name in self.reads)
        return [None if p is None or p.is_inference() else (p.data_ptr(), p._version) for p in held]
