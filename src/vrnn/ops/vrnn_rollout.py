"""A VRNN that goes on alone, one time step after the other, in C++ on the CPU; no gradients.

The draw from the emission between two steps is the caller's, so every emission is served.
"""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.ops.build import compiled, packed_size

NUMBERS = (
    "samples", "batch", "hidden", "latent", "dim", "size", "classes", "threads",
    "gates_row", "prior_row", "emission_row",
)  # fmt: skip
READ = (
    "x", "gates", "prior", "emission", "normals", "weights", "table", "emission_out",
    "x_bias", "prior_bias", "latent_bias", "out_bias", "bias_hh",
)  # fmt: skip
WRITTEN = ("carry", "pending", "out")
LAYERS = (
    "prior_state", "emission_state", "weight_hh", "prior_out", "of_latent",
    "emission_features", "of_features", "emission_out", "of_x", "weight_ih",
)  # fmt: skip


class _Struct(ctypes.Structure):
    """The struct `RolloutStep` of vrnn_rollout.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*READ, *WRITTEN)),
    )


class VRNNRollout:
    """The state of a rollout, with its noise and weights as the compiled step reads them.

    Args:
        state: h before the first step.
        normals: of the latents. With categories, one number between 0 and 1 for each of them; the
            category is the first whose cumulative probability exceeds it.
        layers: weights by the names in `LAYERS`. Those that read the latent or its features are
            left out with categories, and those of the prior with one that is uniform.
        biases: `x_bias`, `latent_bias`, `out_bias`, `bias_hh`, and `prior_bias` of a learned prior.
            `latent_bias` is left out with categories.
        added: what known inputs and biases add at every step to the gates, the emission and, where
            it is learned, the prior, (batch, time, .).
        size: parameters of the emission.
        table: of a latent that is a category, what each adds to the gates, (classes, 3 hidden).
            `emission_out` and `out_bias` then have the outputs of each category in turn.
    """

    def __init__(
        self,
        state: Float[Tensor, "sample batch hidden"],
        normals: Float[Tensor, "sample batch time latent"],
        layers: dict[str, Tensor],
        biases: dict[str, Tensor],
        added: dict[str, Tensor],
        size: int,
        table: Float[Tensor, "classes three_hidden"] | None = None,
    ):
        self.carry = state.contiguous().clone()
        samples, batch, hidden = self.carry.shape
        classes, dim = 0 if table is None else len(table), layers["of_x"].shape[1]
        latent = 0 if classes else normals.shape[-1]
        self.sizes = {"hidden": hidden, "latent": latent, "dim": dim, "size": size}
        self.sizes["classes"] = classes
        self.of_step = {name: part.transpose(0, 1) for name, part in added.items()}
        self.of_step["normals"] = normals.permute(2, 0, 1, 3).contiguous()
        self.places = {name: part.data_ptr() for name, part in self.of_step.items()}
        self.strides = {n: part.stride(0) * part.element_size() for n, part in self.of_step.items()}
        dense = {name: layer.contiguous() for name, layer in layers.items()}
        self.fixed: dict[str, Tensor] = dict(biases)
        if table is not None:
            self.fixed |= {"table": table.contiguous(), "emission_out": dense["emission_out"]}
        packed = packed_size(state.dtype, *self.sizes.values())
        self.fixed["weights"] = self.carry.new_empty(packed)
        places = (dense[name].data_ptr() if name in dense else None for name in LAYERS)
        pointers = (ctypes.c_void_p * len(LAYERS))(*places)
        to = ctypes.c_void_p(self.fixed["weights"].data_ptr())
        held = [*dense.values(), *self.fixed.values(), *self.of_step.values(), self.carry]
        compiled("pack", held)(*self.sizes.values(), pointers, to)
        self.run = compiled("rollout_step", held)
        self.pending = self.carry.new_empty(samples, batch, 4 * hidden)
        self.fixed |= {"carry": self.carry, "pending": self.pending}
        self.struct = _Struct(
            samples=samples,
            batch=batch,
            threads=torch.get_num_threads(),
            floor=SCALE_FLOOR,
            **self.sizes,
            **{f"{name}_row": part.stride(0) for name, part in added.items()},
            **{name: tensor.data_ptr() for name, tensor in self.fixed.items()},
        )

    def __call__(
        self, t: int, x: Float[Tensor, "sample batch dim"] | None
    ) -> Float[Tensor, "sample batch size"]:
        """Return the parameters of the emission of step t.

        Args:
            t: the time step, counted from 0; steps come in order.
            x: what was drawn at the step before; None at the first step.
        """
        lead = self.carry.shape[:2]
        out = self.carry.new_empty(*lead, self.sizes["size"])
        self.struct.out = out.data_ptr()
        if x is not None:
            assert x.shape == (*lead, self.sizes["dim"]) and x.dtype == self.carry.dtype
            self.struct.x = x.data_ptr()
        for name, place in self.places.items():
            step = max(t - 1, 0) if name == "gates" else t
            setattr(self.struct, name, place + step * self.strides[name])
        self.run(ctypes.byref(self.struct))
        return out
