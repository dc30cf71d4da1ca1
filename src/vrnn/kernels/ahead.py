"""The VRNN going on alone, its step in C++: what `vrnn.inference.imagine` does, on the CPU and without gradients."""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.inference.imagine import Imagined
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief
from vrnn.kernels.native import library
from vrnn.kernels.recurrence import affine_layers, native_shape
from vrnn.models.contract import Model
from vrnn.models.vrnn import VRNN

NUMBERS = (
    "samples", "batch", "hidden", "latent", "dim", "size", "threads",
    "normals_row", "gates_row", "prior_row", "emission_row",
)  # fmt: skip
READ = (
    "x", "gates", "prior", "emission", "normals", "weights",
    "x_bias", "prior_bias", "latent_bias", "out_bias", "carry_bias",
)  # fmt: skip
WRITTEN = ("carry", "pending", "out")


class _Ahead(ctypes.Structure):
    """Mirror `Ahead` of ahead.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*READ, *WRITTEN)),
    )


def fits(model: Model, belief: Belief) -> bool:
    """Tell whether this kernel can go on from the belief: an unsupervised VRNN with a GRU and one hidden layer, on a CPU."""
    return (
        native_shape(model) and not model.supervised and not torch.is_grad_enabled() and library() is not None
    )


def imagine(
    model: Model, belief: Belief, u: Float[Tensor, "batch time inputs"], noise: Noise, *, keep: bool = False
) -> Imagined:
    """Draw joint sample paths from a belief, as `vrnn.inference.imagine.imagine` does, where `fits` holds.

    A step is one call: h_t from x_t, then the prior, z_{t+1} and the parameters of the emission. The draw from the emission
    between two calls is the distribution's own, whichever it is.
    """
    assert isinstance(model, VRNN)
    step = _Step(model, belief, u)
    x, drawn, emissions = None, [], []
    for t, (latent, normals) in enumerate(
        zip(noise.latent.unbind(2), noise.observation.unbind(2), strict=True)
    ):
        emission = model.family(step(t, x, latent))
        x = emission.sample(normals).contiguous()
        drawn.append(x)
        if keep:
            emissions.append(emission)
    return Imagined(torch.stack(drawn, -2), emissions if keep else None)


class _Step:
    """Hold the state of a pass and the weights as the compiled step reads them."""

    def __init__(self, model: VRNN, belief: Belief, u: Float[Tensor, "batch time inputs"]):
        self.carry = belief.state.h.contiguous().clone()
        samples, batch, hidden = self.carry.shape
        self.kernel = "float32" if self.carry.dtype == torch.float32 else "float64"
        self.family_size = model.family.size
        (of_x,), (of_latent,) = affine_layers(model.x_features), affine_layers(model.z_features)
        of_joint, out = affine_layers(model.head)
        carry, gates = model.cell.of_carry, model.cell.of_input
        known = model.embed_inputs(u)
        prior_weight, prior_out, self.prior_bias, self.prior = of_x.weight, of_x.weight, out.bias, None
        if not model.standard:
            of_state, to_latent = affine_layers(model.prior_head)
            prior_weight, prior_out, self.prior_bias = of_state.weight, to_latent.weight, to_latent.bias
            self.prior = _added(of_state, hidden, known)
        else:
            prior_weight, prior_out = (
                carry.weight.new_zeros(hidden, hidden),
                carry.weight.new_zeros(2 * model.latent_dim, hidden),
            )
        self.emission = _added(of_joint, 2 * hidden, known)
        self.gates = _added(gates, hidden, model.u_features(known))
        self.biases = {
            "x_bias": of_x.bias,
            "latent_bias": of_latent.bias,
            "out_bias": out.bias,
            "carry_bias": carry.bias,
        }
        layers = [
            prior_weight, of_joint.weight[:, hidden : 2 * hidden], carry.weight, prior_out, of_latent.weight,
            of_joint.weight[:, :hidden], model.of_latent.weight, out.weight, of_x.weight, gates.weight[:, :hidden],
        ]  # fmt: skip
        if not model.standard:
            layers[0] = layers[0][:, :hidden]
        layers = [layer.contiguous() for layer in layers]
        self.sizes = (hidden, model.latent_dim, of_x.in_features, self.family_size)
        self.weights = self.carry.new_empty(
            _function("vrnn_packed", self.kernel, ctypes.c_int64)(*self.sizes)
        )
        pointers = (ctypes.c_void_p * len(layers))(*(layer.data_ptr() for layer in layers))
        _function("vrnn_pack", self.kernel)(*self.sizes, pointers, ctypes.c_void_p(self.weights.data_ptr()))
        self.pending = self.carry.new_empty(samples, batch, 4 * hidden)
        self.call = _function("vrnn_ahead", self.kernel)

    def __call__(
        self,
        t: int,
        x: Float[Tensor, "sample batch dim"] | None,
        normals: Float[Tensor, "sample batch latent"],
    ) -> Float[Tensor, "sample batch size"]:
        """Read the observation of the step before, if there is one, and give the parameters of this step's emission."""
        samples, batch, _ = self.carry.shape
        normals = normals if normals.stride(0) == batch * normals.stride(1) else normals.contiguous()
        out = self.carry.new_empty(samples, batch, self.family_size)
        before, now = max(t - 1, 0), t
        tensors: dict[str, Tensor | None] = {
            "x": x, "gates": self.gates[:, before], "prior": None if self.prior is None else self.prior[:, now],
            "emission": self.emission[:, now], "normals": normals, "weights": self.weights, "prior_bias": self.prior_bias,
            "carry": self.carry, "pending": self.pending, "out": out, **self.biases,
        }  # fmt: skip
        hidden, latent, dim, size = self.sizes
        ahead = _Ahead(
            samples=samples, batch=batch, hidden=hidden, latent=latent, dim=dim, size=size, threads=torch.get_num_threads(),
            normals_row=normals.stride(1), gates_row=self.gates.stride(0), emission_row=self.emission.stride(0),
            prior_row=0 if self.prior is None else self.prior.stride(0), floor=SCALE_FLOOR,
            **{name: None if tensor is None else tensor.data_ptr() for name, tensor in tensors.items()},
        )  # fmt: skip
        self.call(ctypes.byref(ahead))
        return out


def _added(
    layer: nn.Linear, width: int, known: Float[Tensor, "batch time known"]
) -> Float[Tensor, "batch time out"]:
    """Give what the bias and the inputs, which a layer reads behind `width` other features, add to it."""
    return nn.functional.linear(known, layer.weight[:, width:], layer.bias)


def _function(name: str, kernel: str, result: Any = None) -> Any:
    """Give a compiled function for the number type."""
    function = getattr(library(), f"{name}_{kernel}")
    function.restype = result
    return function
