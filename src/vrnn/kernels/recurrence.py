"""The VRNN's loop over time in C++, forward and hand-derived backward, on the CPU."""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.data.batch import Batch
from vrnn.distributions import DiagonalGaussian
from vrnn.distributions.scale import SCALE_FLOOR
from vrnn.inference.noise import Noise
from vrnn.inference.step import Belief, Embedded, Proposal
from vrnn.inference.unroll import Stretch
from vrnn.kernels.native import compiled, library
from vrnn.models.contract import Model, join
from vrnn.models.layers import GRUCell, affine_layers
from vrnn.models.vrnn import VRNN, VRNNState

NUMBERS = (
    "samples", "batch", "time", "hidden", "latent", "size", "threads",
    *(f"{name}_{axis}" for name in ("gates", "evidence", "to_prior", "to_emission") for axis in ("row", "step")),
)  # fmt: skip
FIXED = ("gates", "evidence", "to_prior", "to_emission")
WEIGHTS = (
    "of_state", "out", "out_bias", "of_latent", "latent_bias", "of_features", "of_carry", "carry_bias",
    "prior_state", "prior_out", "prior_bias", "emission_state", "emission_features", "emission_out", "emission_bias",
)  # fmt: skip
READ = (*FIXED, "normals", *WEIGHTS)
RESULTS = ("states", "mean", "scale", "z", "features", "prior_mean", "prior_scale", "raw")
LAYERS = ("hidden_layer", "prior_layer", "emission_layer", "memory")
ARRIVING = tuple(f"d_{name}" for name in RESULTS)
GRADIENTS = ("d_gates", "d_features_raw", "d_out", "d_prior_out", "d_start")


class Loop(ctypes.Structure):
    """Mirror `Loop` of recurrence.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("floor", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*READ, *RESULTS, *LAYERS, *ARRIVING, *GRADIENTS)),
    )


def native_shape(model: Model) -> bool:
    """Tell whether the compiled loops know the model: a VRNN with a GRU and one hidden layer, posterior apart from prior, on a CPU."""
    return (
        type(model) is VRNN
        and not model.tied
        and isinstance(model.cell, GRUCell)
        and len(affine_layers(model.z_features))
        == len(affine_layers(model.posterior_head.rest))
        == 1
        and model.h0.device.type == "cpu"
        and model.h0.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
    )


def fits(model: Model, batch: Batch, proposal: Proposal) -> bool:
    """Tell whether this kernel can run complete rows of the batch."""
    return (
        native_shape(model)
        and proposal == "posterior"
        and (batch.x.device, batch.x.dtype) == (model.h0.device, model.h0.dtype)
        and library() is not None
    )


def embed(model: Model, batch: Batch) -> Embedded:
    """Compute what `vrnn.inference.step.embed` does, features of x once, in memory as the loop reads it: step after step."""
    assert isinstance(model, VRNN)
    x, u = (t.transpose(0, 1).contiguous() for t in (batch.x, batch.u))
    known = model.embed_inputs(u)
    of_x = x[..., :0] if model.supervised else model.x_features(x)
    told = model.y_features(x) if model.supervised else of_x
    seen = model.cell.project(join(of_x, model.u_features(known)))
    evidence = model.posterior_head.project(join(told, known))
    context = batch.x.new_zeros(len(batch.x), 0)
    return Embedded(known.transpose(0, 1), seen.transpose(0, 1), evidence.transpose(0, 1), context)


def run_rows(
    model: Model,
    batch: Batch,
    noise: Noise,
    embedded: Embedded,
    start: Belief,
    proposal: Proposal,
    *,
    heads: bool = False,
) -> Stretch:
    """Run complete rows as `vrnn.inference.unroll.run_rows` does, where `fits` holds.

    Args:
        heads: compute prior and emission too, in the loop.
    """
    assert isinstance(model, VRNN) and proposal == "posterior"
    weights = read_weights(model, heads)
    to_prior, to_emission = known_parts(model, embedded.known) if heads else (None, None)
    states, mean, scale, z, features, prior_mean, prior_scale, raw = _Recurrence.apply(
        torch.is_grad_enabled(),
        start.state.h.expand(*noise.latent.shape[:2], -1),
        embedded.seen,
        embedded.evidence,
        to_prior,
        to_emission,
        noise.latent,
        *(weights.get(name) for name in WEIGHTS),
    )
    time = mean.shape[0]
    carry, after, mean, scale, z, features = map(
        _steps_last, (states[:-1], states[1:], mean, scale, z, features)
    )
    made_prior = None
    if heads and not model.standard:
        made_prior = DiagonalGaussian(_steps_last(prior_mean), _steps_last(prior_scale))
    return Stretch(
        entering=VRNNState(carry, features),
        posterior=DiagonalGaussian(mean, scale),
        latent=z,
        emitting=VRNNState(carry, features),
        x=batch.x,
        left=Belief(
            VRNNState(after, features),
            start.gap[:, :, None].expand(-1, -1, time, -1),
            start.log_weight[..., None].expand(-1, -1, time),
        ),
        prior=made_prior,
        emission=model.family(_steps_last(raw)) if heads else None,
    )


def read_weights(model: VRNN, heads: bool = True) -> dict[str, Tensor]:
    """Give what the loop multiplies by and its biases; those of prior and emission, which it adds first, are of `known_parts`."""
    (out,), (of_latent,) = affine_layers(model.posterior_head.rest), affine_layers(model.z_features)
    found = {
        "of_state": model.posterior_head.of_state.weight,
        "out": out.weight,
        "out_bias": out.bias,
        "of_latent": of_latent.weight,
        "latent_bias": of_latent.bias,
        "of_features": model.of_latent.weight,
        "of_carry": model.cell.of_carry.weight,
        "carry_bias": model.cell.of_carry.bias,
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


def known_parts(
    model: VRNN, known: Float[Tensor, "batch time known"]
) -> tuple[Float[Tensor, "#batch #time hidden"] | None, Float[Tensor, "#batch #time hidden"]]:
    """Give what the known inputs and the bias add to the hidden layers of the prior, None where it is N(0, I), and of the emission."""
    hidden = model.cell.hidden
    to_emission = added(affine_layers(model.head)[0], 2 * hidden, known)
    if model.standard:
        return None, to_emission
    return added(affine_layers(model.prior_head)[0], hidden, known), to_emission


def added(
    layer: nn.Linear, width: int, known: Float[Tensor, "batch time known"]
) -> Float[Tensor, "#batch #time out"]:
    """Give what the bias and the known inputs, which a layer reads behind `width` other features, add to it; the same everywhere without inputs."""
    if known.shape[-1] == 0:
        return layer.bias[None, None]
    return nn.functional.linear(known, layer.weight[:, width:], layer.bias)


def _steps_last(
    x: Float[Tensor, "time sample batch width"],
) -> Float[Tensor, "sample batch time width"]:
    return x.permute(1, 2, 0, 3)


class _Recurrence(torch.autograd.Function):
    """Run the recurrence of a VRNN with a GRU, and the heads that read its states.

    a_t = relu(e_t + W_q h_{t-1}),  (mu_t, raw_t) = W_o a_t + b_o,  s_t = floor + softplus(raw_t),  z_t = mu_t + s_t eps_t
    f_t = relu(W_z z_t + b_z),  (i_r, i_u, i_n) = g_t + W_f f_t,  (c_r, c_u, m) = W_h h_{t-1} + b_h
    r = sigmoid(i_r + c_r),  u = sigmoid(i_u + c_u),  n = tanh(i_n + r m),  h_t = n + u (h_{t-1} - n)

    prior: of p_t + W_p h_{t-1} as the posterior of e_t + W_q h_{t-1};  emission: W_x relu(o_t + W_eh h_{t-1} + W_ef f_t) + b_x

    What is fixed before the loop, g_t (gates), e_t (evidence), p_t (to_prior) and o_t (to_emission), is (batch, time, .); the last
    two are None where their head is left out, and the same at every step where they are (1, 1, .). The draws eps are
    (sample, batch, time, latent), the start is (sample, batch, hidden). Results, (time, sample, batch, .): the states
    h_0 to h_T, mu, s, z, f, the prior's mu and s, the parameters of the emission; None of a head left out. Backward, the
    loop gives the gradients that wait for one another; those of the weights are one product over all steps each.
    """

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
            "of_carry": torch.cat([of_state[at["r"]], of_state[at["u"]], of_state[at["m"]]]),
            "carry_bias": torch.cat([biases[at["r"]], biases[at["u"]], biases[at["m"]]]),
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
    loop = Loop(
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
    run = compiled(direction, tensors.values())
    run(ctypes.byref(loop))
