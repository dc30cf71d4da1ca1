"""The recurrence of a VRNN over all time steps in C++, with the heads that read its states.

It runs on the CPU, with a hand-derived backward pass. Its plain reference is the loop over time of
`vrnn.inference.unroll` over the model itself.
"""

import ctypes
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.ops.build import compiled

NUMBERS = (
    "samples", "batch", "time", "hidden", "latent", "size", "threads",
    *(f"{name}_{axis}" for name in ("gates", "evidence", "to_prior", "to_emission") for axis in ("row", "step")),
)  # fmt: skip
FIXED = ("gates", "evidence", "to_prior", "to_emission")
WEIGHTS = (
    "of_state", "out", "out_bias", "of_latent", "latent_bias", "of_features", "weight_hh", "bias_hh",
    "prior_state", "prior_out", "prior_bias", "emission_state", "emission_features", "emission_out", "emission_bias",
)  # fmt: skip
READ = (*FIXED, "normals", *WEIGHTS)
RESULTS = ("states", "mean", "scale", "z", "features", "prior_mean", "prior_scale", "raw")
LAYERS = ("hidden_layer", "prior_layer", "emission_layer", "memory")
ARRIVING = tuple(f"d_{name}" for name in RESULTS)
GRADIENTS = ("d_gates", "d_features_raw", "d_out", "d_prior_out", "d_start")


class Struct(ctypes.Structure):
    """The struct `VrnnScan` of vrnn_scan.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*READ, *RESULTS, *LAYERS, *ARRIVING, *GRADIENTS)),
    )


class VRNNScan(NamedTuple):
    """The result of a scan; every field is (time, sample, batch, .), None of a head left out.

    Attributes:
        states: h_0 to h_T, one more than the time steps.
        mean, scale, z: what the latents were drawn from, and the latents.
        features: f_t, what the recurrence reads of a latent.
        prior_mean, prior_scale: the learned prior.
        raw: parameters of the emission.
    """

    states: Float[Tensor, "states sample batch hidden"]
    mean: Float[Tensor, "time sample batch latent"]
    scale: Float[Tensor, "time sample batch latent"]
    z: Float[Tensor, "time sample batch latent"]
    features: Float[Tensor, "time sample batch hidden"]
    prior_mean: Float[Tensor, "time sample batch latent"] | None
    prior_scale: Float[Tensor, "time sample batch latent"] | None
    raw: Float[Tensor, "time sample batch size"] | None


def vrnn_scan(
    start: Float[Tensor, "sample batch hidden"],
    normals: Float[Tensor, "sample batch time latent"],
    fixed: dict[str, Tensor | None],
    weights: dict[str, Tensor],
) -> VRNNScan:
    """Return states, latents and heads of a VRNN with a GRU and one hidden layer.

    a_t = relu(e_t + W_q h_{t-1}),   (mu_t, raw_t) = W_o a_t + b_o
    s_t = floor + softplus(raw_t),   z_t = mu_t + s_t eps_t,   f_t = relu(W_z z_t + b_z)
    (i_r, i_u, i_n) = g_t + W_f f_t,   (c_r, c_u, m) = W_h h_{t-1} + b_h
    r = sigmoid(i_r + c_r),   u = sigmoid(i_u + c_u),   n = tanh(i_n + r m)
    h_t = n + u (h_{t-1} - n)
    prior: of p_t + W_p h_{t-1}, as the posterior is of e_t + W_q h_{t-1}
    emission: W_x relu(o_t + W_eh h_{t-1} + W_ef f_t) + b_x

    Args:
        start: h_0.
        normals: eps.
        fixed: what is known before the scan: g_t (`gates`), e_t (`evidence`), p_t (`to_prior`) and
            o_t (`to_emission`), each (batch, time, .). The last two are None where their head is
            left out, and (1, 1, .) where they are the same at every step.
        weights: what the scan multiplies by, and its biases, by the names in `WEIGHTS`.
    """
    given = (*(fixed[name] for name in FIXED), normals, *(weights.get(name) for name in WEIGHTS))
    return VRNNScan(*_VrnnScan.apply(torch.is_grad_enabled(), start, *given))


class _VrnnScan(torch.autograd.Function):
    """The scan in C++. Gradients of weights are one product over all steps each."""

    @staticmethod
    def forward(
        ctx: Any, differentiable: bool, start: Tensor, *given: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        tensors = {name: t for name, t in zip(READ, given, strict=True) if t is not None}
        for name in (*FIXED, *WEIGHTS):
            if name in tensors:
                tensors[name] = (
                    _dense_rows(tensors[name]) if name in FIXED else tensors[name].contiguous()
                )
        ctx.shapes = {name: tensors[name].shape for name in FIXED if name in tensors}
        samples, batch, time, latent = tensors["normals"].shape
        hidden = start.shape[-1]
        assert start.shape == (samples, batch, hidden)
        assert tensors["gates"].shape == (batch, time, 3 * hidden)
        assert tensors["evidence"].shape == (batch, time, hidden)
        tensors["normals"] = tensors["normals"].permute(2, 0, 1, 3).contiguous()
        emits, learned = "to_emission" in tensors, "to_prior" in tensors
        widths = {"mean": latent, "scale": latent, "z": latent, "features": hidden}
        widths |= {"prior_mean": latent, "prior_scale": latent} if learned else {}
        widths |= {"raw": len(tensors["emission_bias"])} if emits else {}
        if differentiable:
            widths |= {"hidden_layer": hidden, "memory": 4 * hidden}
            widths |= {"prior_layer": hidden} if learned else {}
            widths |= {"emission_layer": hidden} if emits else {}
        tensors["states"] = start.new_empty(time + 1, samples, batch, hidden)
        tensors["states"][0] = start
        for name, width in widths.items():
            tensors[name] = start.new_empty(time, samples, batch, width)
        _call("forward", tensors)
        if differentiable:
            ctx.names = [name for name in tensors if name not in ("gates", "evidence")]
            ctx.save_for_backward(*(tensors[name] for name in ctx.names))
        return tuple(tensors.get(name) for name in RESULTS)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        tensors: dict[str, Tensor] = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        hidden, latent = tensors["states"].shape[-1], tensors["z"].shape[-1]
        lead = tensors["z"].shape[:-1]
        tensors |= {
            n: t.contiguous() for n, t in zip(ARRIVING, grad_outputs, strict=True) if t is not None
        }
        emits, learned = "to_emission" in tensors, "to_prior" in tensors
        arrived = {
            "prior": bool({"d_prior_mean", "d_prior_scale"} & set(tensors)),
            "emission": "d_raw" in tensors,
        }
        for name in ("mean", "scale", "z", *(("prior_mean", "prior_scale") if learned else ())):
            if f"d_{name}" not in tensors:
                tensors[f"d_{name}"] = torch.zeros_like(tensors[name])
        parts = [
            "m",
            *(["prior"] if learned else []),
            *(["emission"] if emits else []),
            "evidence",
            "r",
            "u",
            "n",
        ]
        at = {part: slice(i * hidden, (i + 1) * hidden) for i, part in enumerate(parts)}
        widths = {"d_gates": len(parts) * hidden, "d_features_raw": hidden, "d_out": 2 * latent}
        widths |= {"d_prior_out": 2 * latent} if learned else {}
        for name, width in widths.items():
            tensors[name] = tensors["states"].new_empty(*lead, width)
        tensors["d_start"] = tensors["states"].new_empty(*lead[1:], hidden)
        _call("backward", tensors)

        flat = {name: t.flatten(0, 2) for name, t in tensors.items() if t.shape[:-1] == lead}
        gates, states = flat["d_gates"], tensors["states"][:-1].flatten(0, 2)
        of_state, biases = gates[:, :-hidden].T @ states, gates.sum(0)
        found = {
            "of_state": of_state[at["evidence"]],
            "out": flat["d_out"].T @ flat["hidden_layer"],
            "out_bias": flat["d_out"].sum(0),
            "of_latent": flat["d_features_raw"].T @ flat["z"],
            "latent_bias": flat["d_features_raw"].sum(0),
            "of_features": gates[:, -3 * hidden :].T @ flat["features"],
            "weight_hh": torch.cat([of_state[at["r"]], of_state[at["u"]], of_state[at["m"]]]),
            "bias_hh": torch.cat([biases[at["r"]], biases[at["u"]], biases[at["m"]]]),
        }
        if arrived["prior"]:
            found["prior_state"] = of_state[at["prior"]]
            found["prior_out"] = flat["d_prior_out"].T @ flat["prior_layer"]
            found["prior_bias"] = flat["d_prior_out"].sum(0)
        if arrived["emission"]:
            found["emission_state"] = of_state[at["emission"]]
            found["emission_features"] = gates[:, at["emission"]].T @ flat["features"]
            found["emission_out"] = flat["d_raw"].T @ flat["emission_layer"]
            found["emission_bias"] = flat["d_raw"].sum(0)
        steps = tensors["d_gates"].sum(1) if lead[1] > 1 else tensors["d_gates"][:, 0]
        before = {
            "gates": slice(-3 * hidden, None),
            "evidence": at["evidence"],
            "to_prior": at.get("prior"),
            "to_emission": at.get("emission"),
        }
        for name, shape in ctx.shapes.items():
            if not arrived.get(name.removeprefix("to_"), True):
                continue
            everywhere = shape[:2] == (1, 1) != (lead[2], lead[0])
            part = (
                biases[before[name]].view(shape)
                if everywhere
                else steps[..., before[name]].transpose(0, 1)
            )
            found[name] = part
        if ctx.needs_input_grad[2 + READ.index("normals")]:
            dz = tensors["d_out"][..., :latent] - tensors["d_mean"]
            found["normals"] = (dz * tensors["scale"]).permute(1, 2, 0, 3)
        return None, tensors["d_start"], *(found.get(name) for name in READ)


def _dense_rows(x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
    return x if x.stride(-1) == 1 else x.contiguous()


def _call(direction: str, tensors: dict[str, Tensor]) -> None:
    """Call the compiled loop on these tensors."""
    time, samples, batch, latent = tensors["normals"].shape
    strides = {
        f"{name}_{axis}": tensors[name].stride(i) if tensors[name].shape[i] > 1 else 0
        for name in FIXED
        if name in tensors
        for i, axis in enumerate(("row", "step"))
    }
    loop = Struct(
        samples=samples,
        batch=batch,
        time=time,
        hidden=tensors["states"].shape[-1],
        latent=latent,
        size=tensors["raw"].shape[-1] if "raw" in tensors else 0,
        threads=torch.get_num_threads(),
        floor=SCALE_FLOOR,
        **strides,
        **{name: t.data_ptr() for name, t in tensors.items()},
    )
    compiled(direction, tensors.values())(ctypes.byref(loop))
