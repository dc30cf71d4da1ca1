"""One time step of a VRNN in C++, for data that come one step at a time; no gradients."""

import ctypes
import weakref
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.ops.build import function
from vrnn.ops.vrnn_scan import Struct


class VRNNStepped(NamedTuple):
    """The result of a step; every field is (sample, batch, .), see `VRNNScan`."""

    before: Float[Tensor, "sample batch hidden"]
    after: Float[Tensor, "sample batch hidden"]
    mean: Float[Tensor, "sample batch latent"]
    scale: Float[Tensor, "sample batch latent"]
    z: Float[Tensor, "sample batch latent"]
    features: Float[Tensor, "sample batch hidden"]
    prior_mean: Float[Tensor, "sample batch latent"] | None
    prior_scale: Float[Tensor, "sample batch latent"] | None
    raw: Float[Tensor, "sample batch size"]


class VRNNStepper:
    """The weights of a VRNN, laid out once, and the step by them; see `vrnn_scan` for the equations.

    Steps may run beside one another, in threads.

    Args:
        weights: as of `vrnn_scan`, with `to_prior` and `to_emission` where no inputs change them.
        standard: whether the prior is N(0, I).
        hidden, latent, size: widths of the state, the latent and the emission's parameters.
        dtype: the number type.
    """

    def __init__(
        self,
        weights: dict[str, Tensor],
        *,
        standard: bool,
        hidden: int,
        latent: int,
        size: int,
        dtype: torch.dtype,
    ):
        self.dtype, self.hidden, self.latent, self.size = dtype, hidden, latent, size
        self.standard = standard
        self.held = list(weights.values())  # in memory as long as the scan points there
        self.base = Struct(
            time=1,
            hidden=hidden,
            latent=latent,
            size=size,
            floor=SCALE_FLOOR,
            **{name: part.data_ptr() for name, part in weights.items()},
        )
        self.run, made = function("forward_by", dtype), ctypes.c_void_p()
        if function("weights", dtype)(ctypes.byref(self.base), ctypes.byref(made)):
            raise RuntimeError("the weights of a compiled step ran out of memory")
        self.packed = made
        free = function("free_weights", dtype)
        free.restype = None
        freed = weakref.finalize(self, free, made)
        setattr(freed, "atexit", False)  # noqa: B010, at exit a thread may still work with them

    def __call__(
        self,
        state: Float[Tensor, "*#sample #batch hidden"],
        gates: Float[Tensor, "batch gates"],
        evidence: Float[Tensor, "batch hidden"],
        normals: Float[Tensor, "sample batch latent"],
        to_prior: Float[Tensor, "#batch 1 hidden"] | None = None,
        to_emission: Float[Tensor, "#batch 1 hidden"] | None = None,
    ) -> VRNNStepped:
        """Return the state after a step, and posterior, prior and emission of the step.

        Args:
            to_prior, to_emission: what known inputs add, where there are any.

        Raises:
            RuntimeError: numbers of another type or place than the weights'.
        """
        samples, batch, _ = normals.shape
        gates, evidence = (p if p.stride(-1) == 1 else p.contiguous() for p in (gates, evidence))
        normals = normals.contiguous()
        for part, shape in (
            (gates, (batch, 3 * self.hidden)),
            (evidence, (batch, self.hidden)),
            (normals, (samples, batch, self.latent)),
        ):
            assert part.shape == shape, f"expected {shape}, found {tuple(part.shape)}"
            if part.dtype != self.dtype or part.device.type != "cpu":
                raise RuntimeError(
                    f"expected a row and noise in {self.dtype} on the CPU, as the model is, "
                    f"found {part.dtype} on {part.device}"
                )
        states = gates.new_empty(2, samples, batch, self.hidden)
        states[0] = state.expand(samples, batch, -1)
        parts = gates.new_empty(2 if self.standard else 4, samples, batch, self.latent).unbind(0)
        z = gates.new_empty(samples, batch, self.latent)
        features = gates.new_empty(samples, batch, self.hidden)
        raw = gates.new_empty(samples, batch, self.size)
        scan = Struct.from_buffer_copy(self.base)
        scan.samples, scan.batch, scan.threads = samples, batch, torch.get_num_threads()
        scan.gates, scan.gates_row = gates.data_ptr(), gates.stride(0)
        scan.evidence, scan.evidence_row = evidence.data_ptr(), evidence.stride(0)
        scan.normals = normals.data_ptr()
        if to_emission is not None:
            scan.to_emission, scan.to_emission_row = to_emission.data_ptr(), to_emission.stride(0)
        if to_prior is not None:
            scan.to_prior, scan.to_prior_row = to_prior.data_ptr(), to_prior.stride(0)
        scan.states, scan.z = states.data_ptr(), z.data_ptr()
        scan.features, scan.raw = features.data_ptr(), raw.data_ptr()
        scan.mean, scan.scale = parts[0].data_ptr(), parts[1].data_ptr()
        if not self.standard:
            scan.prior_mean, scan.prior_scale = parts[2].data_ptr(), parts[3].data_ptr()
        if self.run(ctypes.byref(scan), self.packed):
            raise RuntimeError("a compiled recurrence ran out of memory")
        prior_mean, prior_scale = (None, None) if self.standard else parts[2:]
        return VRNNStepped(
            states[0], states[1], parts[0], parts[1], z, features, prior_mean, prior_scale, raw
        )
