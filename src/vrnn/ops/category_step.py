"""One time step of a VRNN whose latents are categories, in C++; no gradients."""

import ctypes
import weakref
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.ops.build import function
from vrnn.ops.category_scan import Part, Struct, density_of


class CategoryStepped(NamedTuple):
    """The result of a step; every field is (sample, batch, .), see `CategoryScan`."""

    after: Float[Tensor, "sample batch hidden"]
    prior: Float[Tensor, "sample batch classes"] | None
    joint: Float[Tensor, "sample batch classes"]
    exact: Float[Tensor, "sample batch"]
    raw: Float[Tensor, "sample batch size"]
    chosen: Int[Tensor, "sample batch"]


class CategoryStepper:
    """The weights of a VRNN, laid out once, and the step by them; see `category_scan`.

    Steps may run beside one another, in threads.

    Args:
        weights: as of `category_scan`, with `to_prior` and `to_emission` where no inputs change
            them.
        emission: the families of consecutive dimensions of x.
    """

    def __init__(self, weights: dict[str, Tensor], emission: tuple[Part, ...]):
        table = weights["table"]
        self.dtype, self.classes, self.hidden = table.dtype, len(table), table.shape[1] // 3
        self.dim = sum(part.dim for part in emission)
        self.size = len(weights["emission_bias"]) // self.classes
        self.standard = "prior_out" not in weights
        self.density = density_of(emission)
        self.held = list(weights.values())  # in memory as long as the scan points there
        self.base = Struct(
            time=1,
            hidden=self.hidden,
            classes=self.classes,
            dim=self.dim,
            size=self.size,
            parts=len(emission),
            floor=SCALE_FLOOR,
            density=ctypes.addressof(self.density),
            **{name: part.data_ptr() for name, part in weights.items()},
        )
        self.run, made = function("category_forward_by", self.dtype), ctypes.c_void_p()
        if function("category_weights", self.dtype)(ctypes.byref(self.base), ctypes.byref(made)):
            raise RuntimeError("the weights of a compiled step ran out of memory")
        self.packed = made
        free = function("free_category_weights", self.dtype)
        free.restype = None
        freed = weakref.finalize(self, free, made)
        setattr(freed, "atexit", False)  # noqa: B010, at exit a thread may still work with them

    def __call__(
        self,
        state: Float[Tensor, "*#sample #batch hidden"],
        gates: Float[Tensor, "batch gates"],
        x: Float[Tensor, "batch dim"],
        seen: Float[Tensor, " batch"],
        uniform: Float[Tensor, "sample batch"],
        to_prior: Float[Tensor, "#batch 1 hidden"] | None = None,
        to_emission: Float[Tensor, "#batch 1 hidden"] | None = None,
    ) -> CategoryStepped:
        """Return the state after a step, the category, and prior and densities of the step.

        Args:
            seen: 1 where x is observed, 0 in padding.
            to_prior, to_emission: what known inputs add, where there are any.

        Raises:
            RuntimeError: numbers of another type or place than the weights'.
        """
        samples, batch = uniform.shape
        gates, x = (part if part.stride(-1) == 1 else part.contiguous() for part in (gates, x))
        uniform = uniform.contiguous()
        for part, shape in ((gates, (batch, 3 * self.hidden)), (x, (batch, self.dim))):
            assert part.shape == shape, f"expected {shape}, found {tuple(part.shape)}"
        assert seen.shape == (batch,), f"expected {(batch,)}, found {tuple(seen.shape)}"
        for part in (gates, x, seen, uniform):
            if part.dtype != self.dtype or part.device.type != "cpu":
                raise RuntimeError(
                    f"expected a row and noise in {self.dtype} on the CPU, as the model is, "
                    f"found {part.dtype} on {part.device}"
                )
        states = gates.new_empty(2, samples, batch, self.hidden)
        states[0] = state.expand(samples, batch, -1)
        heads = gates.new_empty(1 if self.standard else 2, samples, batch, self.classes).unbind(0)
        exact = gates.new_empty(samples, batch)
        raw = gates.new_empty(samples, batch, self.size)
        chosen = torch.empty(samples, batch, dtype=torch.int64)
        scan = Struct.from_buffer_copy(self.base)
        scan.samples, scan.batch, scan.threads = samples, batch, torch.get_num_threads()
        scan.gates, scan.gates_row = gates.data_ptr(), gates.stride(0)
        scan.x, scan.x_row, scan.uniform = x.data_ptr(), x.stride(0), uniform.data_ptr()
        scan.seen, scan.seen_row = seen.data_ptr(), seen.stride(0)
        if to_emission is not None:
            scan.to_emission, scan.to_emission_row = to_emission.data_ptr(), to_emission.stride(0)
        if to_prior is not None:
            scan.to_prior, scan.to_prior_row = to_prior.data_ptr(), to_prior.stride(0)
        scan.states, scan.joint, scan.exact = (
            states.data_ptr(),
            heads[0].data_ptr(),
            exact.data_ptr(),
        )
        scan.raw, scan.chosen = raw.data_ptr(), chosen.data_ptr()
        prior = None if self.standard else heads[1]
        if prior is not None:
            scan.prior = prior.data_ptr()
        if self.run(ctypes.byref(scan), self.packed):
            raise RuntimeError("a compiled recurrence ran out of memory")
        return CategoryStepped(states[1], prior, heads[0], exact, raw, chosen)
