"""The VRNN going on alone, its step in C++: what `vrnn.inference.rollout` does, on the CPU and without gradients."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.distributions.tempered import check_temperature, temper
from vrnn.inference.noise import Noise
from vrnn.inference.rollout import Imagined
from vrnn.inference.step import Belief
from vrnn.kernels.native import compiled, library, packed_size
from vrnn.kernels.recurrence import added, native_shape
from vrnn.models.contract import Model
from vrnn.models.layers import affine_layers
from vrnn.models.vrnn import VRNN

NUMBERS = (
    "samples", "batch", "hidden", "latent", "dim", "size", "threads",
    "gates_row", "prior_row", "emission_row",
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
        native_shape(model)
        and not model.supervised
        and not torch.is_grad_enabled()
        and library() is not None
    )


def imagine(
    model: Model,
    belief: Belief,
    u: Float[Tensor, "batch time inputs"],
    noise: Noise,
    *,
    keep: bool = False,
    temperature: float = 1.0,
) -> Imagined:
    """Draw joint sample paths from a belief, as `vrnn.inference.rollout.imagine` does, where `fits` holds.

    A step is one call: h_t from x_t, then the prior, z_{t+1} and the parameters of the emission. The draw from the emission
    between two calls is the distribution's own, whichever it is.
    """
    assert isinstance(model, VRNN)
    check_temperature(model.family, temperature)
    rows = (u.shape[1], noise.latent.shape[2], noise.observation.shape[2])
    if len(set(rows)) > 1:
        raise ValueError(f"expected inputs and noise of as many rows, found {rows}")
    step = _Step(model, belief, u, noise._replace(latent=temperature * noise.latent))
    x, drawn, emissions = None, [], []
    for t, normals in enumerate(noise.observation.unbind(2)):
        emission = temper(model.family(step(t, x)), model.family, temperature)
        x = emission.sample(normals).contiguous()
        drawn.append(x)
        if keep:
            emissions.append(emission)
    return Imagined(torch.stack(drawn, -2), emissions if keep else None)


class _Step:
    """Hold the state of a pass, its draws of latents and the weights, as the compiled step reads them."""

    def __init__(
        self, model: VRNN, belief: Belief, u: Float[Tensor, "batch time inputs"], noise: Noise
    ):
        self.carry = belief.state.h.contiguous().clone()
        samples, batch, hidden = self.carry.shape
        assert noise.latent.shape == (samples, batch, u.shape[1], model.latent_dim)
        (of_x,), (of_latent,) = affine_layers(model.x_features), affine_layers(model.z_features)
        of_joint, out = affine_layers(model.head)
        carry, gates = model.cell.of_carry, model.cell.of_input
        known = model.embed_inputs(u).expand(batch, -1, -1)
        self.fixed: dict[str, Tensor] = {
            "x_bias": of_x.bias, "latent_bias": of_latent.bias, "out_bias": out.bias, "carry_bias": carry.bias
        }  # fmt: skip
        known_adds = {
            "emission": added(of_joint, 2 * hidden, known),
            "gates": added(gates, hidden, model.u_features(known)),
        }
        of_state, to_latent = (
            carry.weight.new_zeros(hidden, hidden),
            carry.weight.new_zeros(2 * model.latent_dim, hidden),
        )
        if not model.standard:
            first, second = affine_layers(model.prior_head)
            of_state, to_latent, self.fixed["prior_bias"] = (
                first.weight[:, :hidden],
                second.weight,
                second.bias,
            )
            known_adds["prior"] = added(first, hidden, known)
        known_adds = {name: part.expand(*known.shape[:2], -1) for name, part in known_adds.items()}
        self.of_step = {name: part.transpose(0, 1) for name, part in known_adds.items()}
        self.of_step["normals"] = noise.latent.permute(2, 0, 1, 3).contiguous()
        self.places = {name: part.data_ptr() for name, part in self.of_step.items()}
        self.strides = {
            name: part.stride(0) * part.element_size() for name, part in self.of_step.items()
        }
        layers = [
            of_state, of_joint.weight[:, hidden : 2 * hidden], carry.weight, to_latent, of_latent.weight,
            of_joint.weight[:, :hidden], model.of_latent.weight, out.weight, of_x.weight, gates.weight[:, :hidden],
        ]  # fmt: skip
        layers = [layer.contiguous() for layer in layers]
        self.sizes = {
            "hidden": hidden,
            "latent": model.latent_dim,
            "dim": of_x.in_features,
            "size": model.family.size,
        }
        self.fixed["weights"] = carry.weight.new_empty(
            packed_size(carry.weight.dtype, *self.sizes.values())
        )
        pointers = (ctypes.c_void_p * len(layers))(*(layer.data_ptr() for layer in layers))
        to = ctypes.c_void_p(self.fixed["weights"].data_ptr())
        held = [
            *layers,
            *self.fixed.values(),
            *self.of_step.values(),
            noise.observation,
            self.carry,
        ]
        compiled("pack", held)(*self.sizes.values(), pointers, to)
        self.run = compiled("ahead", held)
        self.pending = self.carry.new_empty(samples, batch, 4 * hidden)
        self.fixed |= {"carry": self.carry, "pending": self.pending}
        self.ahead = _Ahead(
            samples=samples,
            batch=batch,
            threads=torch.get_num_threads(),
            floor=SCALE_FLOOR,
            **self.sizes,
            **{f"{name}_row": part.stride(0) for name, part in known_adds.items()},
            **{name: tensor.data_ptr() for name, tensor in self.fixed.items()},
        )

    def __call__(
        self, t: int, x: Float[Tensor, "sample batch dim"] | None
    ) -> Float[Tensor, "sample batch size"]:
        """Read the observation of the step before, if there is one, and give the parameters of this step's emission."""
        lead = self.carry.shape[:2]
        out = self.carry.new_empty(*lead, self.sizes["size"])
        self.ahead.out = out.data_ptr()
        if x is not None:
            assert x.shape == (*lead, self.sizes["dim"]) and x.dtype == self.carry.dtype
            self.ahead.x = x.data_ptr()
        for name, place in self.places.items():
            step = max(t - 1, 0) if name == "gates" else t
            setattr(self.ahead, name, place + step * self.strides[name])
        self.run(ctypes.byref(self.ahead))
        return out
