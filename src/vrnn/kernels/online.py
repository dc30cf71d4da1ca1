"""The VRNN's step at rows as they come, in C++: what `vrnn.inference.step.advance` does where all is observed, on the CPU and without gradients."""

import ctypes
import weakref

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.base import Distribution
from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.inference.step import Belief, Row, Step
from vrnn.kernels.native import function, library
from vrnn.kernels.recurrence import Loop, known_parts, native_shape, read_weights
from vrnn.models.contract import Model
from vrnn.models.layers import affine_layers
from vrnn.models.vrnn import VRNN, VRNNState

_made: "weakref.WeakKeyDictionary[Model, OnlineStep]" = weakref.WeakKeyDictionary()


def online_step(model: Model) -> "OnlineStep | None":
    """Give the compiled step of a model, None where it has none.

    Its weights are laid out once, and anew after an optimizer, `load_state_dict` or anything else that PyTorch counts has changed them; it
    does not count what is written through `.data`.
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return None
    step = _made.get(model)
    if step is not None and step.current():
        return step
    if (
        not native_shape(model)
        or any(p.is_inference() for p in model.parameters())
        or library() is None
    ):
        return None
    step = _made[model] = OnlineStep(model)
    return step


class OnlineStep:
    """Take a step of a VRNN at a row where nothing is missing, and give its prior and emission beside it.

    Equal to `advance`, `model.prior` and `model.emission` to rounding. One call may run beside another, in threads.
    """

    def __init__(self, model: Model):
        assert isinstance(model, VRNN)
        self.dtype, self.hidden = model.h0.dtype, model.cell.hidden
        self.latent, self.size, self.family = model.latent_dim, model.family.size, model.family
        self.reads = [
            (part._parameters, name) for part in model.modules() for name in part._parameters
        ]
        self.parts = [
            (part._modules, list(part._modules.values()))
            for part in model.modules()
            if part._modules
        ]
        self.stamp = self._stamp()
        weights = {name: part.detach().contiguous() for name, part in read_weights(model).items()}
        self.standard = model.standard
        self.inputs = affine_layers(model.head)[0].in_features > 2 * self.hidden
        if not self.inputs:  # what is added before prior and emission is the same at every step
            fixed = zip(
                ("to_prior", "to_emission"),
                known_parts(model, model.h0.new_zeros(1, 1, 0)),
                strict=True,
            )
            weights |= {name: part.detach() for name, part in fixed if part is not None}
        # In memory as long as the loop points there, and where nothing else can come to lie.
        self.held = [*weights.values(), *(p.detach() for p in model.parameters())]
        self.base = Loop(
            time=1,
            hidden=self.hidden,
            latent=self.latent,
            size=self.size,
            floor=SCALE_FLOOR,
            **{name: part.data_ptr() for name, part in weights.items()},
        )
        self.run, made = function("forward_by", self.dtype), ctypes.c_void_p()
        if function("weights", self.dtype)(ctypes.byref(self.base), ctypes.byref(made)):
            raise RuntimeError("the weights of a compiled step ran out of memory")
        self.packed = made
        free = function("free_weights", self.dtype)
        free.restype = None
        freed = weakref.finalize(self, free, made)
        setattr(freed, "atexit", False)  # noqa: B010, a property; at exit a thread may still be at work with them

    def current(self) -> bool:
        """Tell whether layers and weights are still those that were laid out."""
        return self.stamp == self._stamp() and all(
            list(now.values()) == then for now, then in self.parts
        )

    def _stamp(self) -> list[tuple[int, int] | None]:
        held = (parameters.get(name) for parameters, name in self.reads)
        return [None if p is None or p.is_inference() else (p.data_ptr(), p._version) for p in held]

    def __call__(
        self, model: Model, belief: Belief, row: Row, normals: Float[Tensor, "sample batch latent"]
    ) -> tuple[Step, DiagonalGaussian, Distribution]:
        """Give the step, the prior of its latent and the emission.

        Raises:
            RuntimeError: numbers of another type or place than the model's.
        """
        samples, batch, _ = normals.shape
        seen, evidence, normals = (
            part if part.stride(-1) == 1 else part.contiguous()
            for part in (row.seen, row.evidence, normals)
        )
        normals = normals.contiguous()
        for part, shape in (
            (seen, (batch, 3 * self.hidden)),
            (evidence, (batch, self.hidden)),
            (normals, (samples, batch, self.latent)),
        ):
            assert part.shape == shape, f"expected {shape}, found {tuple(part.shape)}"
            if part.dtype != self.dtype or part.device.type != "cpu":
                raise RuntimeError(
                    f"expected a row and noise in {self.dtype} on the CPU, as the model is, found {part.dtype} on {part.device}"
                )
        states = seen.new_empty(2, samples, batch, self.hidden)
        states[0] = belief.state.h.expand(samples, batch, -1)
        laws = seen.new_empty(2 if self.standard else 4, samples, batch, self.latent)
        z = seen.new_empty(samples, batch, self.latent)
        features, raw = (
            seen.new_empty(samples, batch, self.hidden),
            seen.new_empty(samples, batch, self.size),
        )
        loop = Loop.from_buffer_copy(self.base)
        loop.samples, loop.batch, loop.threads = samples, batch, torch.get_num_threads()
        loop.gates, loop.evidence, loop.normals = (
            seen.data_ptr(),
            evidence.data_ptr(),
            normals.data_ptr(),
        )
        loop.gates_row, loop.evidence_row = seen.stride(0), evidence.stride(0)
        if self.inputs:
            assert isinstance(model, VRNN)
            to_prior, to_emission = known_parts(model, row.known[:, None])
            loop.to_emission, loop.to_emission_row = to_emission.data_ptr(), to_emission.stride(0)
            if to_prior is not None:
                loop.to_prior, loop.to_prior_row = to_prior.data_ptr(), to_prior.stride(0)
        parts = laws.unbind(0)
        loop.states, loop.z, loop.features, loop.raw = (
            t.data_ptr() for t in (states, z, features, raw)
        )
        loop.mean, loop.scale = parts[0].data_ptr(), parts[1].data_ptr()
        if not self.standard:
            loop.prior_mean, loop.prior_scale = parts[2].data_ptr(), parts[3].data_ptr()
        if self.run(ctypes.byref(loop), self.packed):
            raise RuntimeError("a compiled loop ran out of memory")
        before = states[0]
        step = Step(
            entering=belief.state,
            posterior=DiagonalGaussian(parts[0], parts[1]),
            latent=z,
            emitting=VRNNState(before, features),
            emission=None,
            x=row.x,
            state=VRNNState(states[1], features),
            gap=belief.gap,
        )
        prior = (
            DiagonalGaussian.standard(before, self.latent)
            if self.standard
            else DiagonalGaussian(parts[2], parts[3])
        )
        return step, prior, self.family(raw)
