"""The equations of a VRNN written out step by step, as the oracle of its compiled forms."""

from typing import Any

import torch
from torch import Tensor

from vrnn.distributions import SCALE_FLOOR
from vrnn.inference.random_numbers import seeded
from vrnn.ops.vrnn_scan import VRNNScan


def draw_scan(
    samples: int = 2,
    batch: int = 3,
    time: int = 4,
    hidden: int = 5,
    latent: int = 3,
    size: int = 4,
    *,
    standard: bool = False,
    heads: bool = True,
    inputs: bool = True,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> dict[str, Any]:
    """Return random arguments of `vrnn_scan`, small enough not to magnify rounding.

    Args:
        standard: leave the learned prior out.
        heads: whether prior and emission are wanted.
        inputs: whether known inputs change what is added to the heads from step to step.
    """
    generator = seeded(seed, 7)

    def one(*shape: int, scale: float = 1.0) -> Tensor:
        t = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return t.to(dtype).requires_grad_()

    def layer(outputs: int, width: int) -> Tensor:
        return one(outputs, width, scale=0.7 * width**-0.5)

    lead = (batch, time) if inputs else (1, 1)
    learned = heads and not standard
    fixed = {
        "gates": one(batch, time, 3 * hidden),
        "evidence": one(batch, time, hidden),
        "to_prior": one(*lead, hidden) if learned else None,
        "to_emission": one(*lead, hidden) if heads else None,
    }
    weights = {
        "of_state": layer(hidden, hidden),
        "out": layer(2 * latent, hidden),
        "out_bias": one(2 * latent),
        "of_latent": layer(hidden, latent),
        "latent_bias": one(hidden),
        "of_features": layer(3 * hidden, hidden),
        "weight_hh": layer(3 * hidden, hidden),
        "bias_hh": one(3 * hidden),
    }
    if learned:
        weights |= {
            "prior_state": layer(hidden, hidden),
            "prior_out": layer(2 * latent, hidden),
            "prior_bias": one(2 * latent),
        }
    if heads:
        weights |= {
            "emission_state": layer(hidden, hidden),
            "emission_features": layer(hidden, hidden),
            "emission_out": layer(size, hidden),
            "emission_bias": one(size),
        }
    return {
        "start": one(samples, batch, hidden),
        "normals": one(samples, batch, time, latent),
        "fixed": fixed,
        "weights": weights,
    }


def leaves(given: dict[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of the arguments of a scan by name."""
    named = {"start": given["start"], "normals": given["normals"]}
    named |= given["fixed"] | given["weights"]
    return {name: t for name, t in named.items() if t is not None}


def moments(layer: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and scale that a layer puts out."""
    mean, raw = (layer @ weight.T + bias).chunk(2, -1)
    return mean, SCALE_FLOOR + torch.log1p(torch.exp(raw))


def gru(gates: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the next state of a GRU by PyTorch's cell, whose input weight is the identity."""
    hidden = h.shape[-1]
    cell = torch.nn.GRUCell(3 * hidden, hidden, dtype=h.dtype)
    own = {
        "weight_ih": torch.eye(3 * hidden, dtype=h.dtype),
        "bias_ih": torch.zeros(3 * hidden, dtype=h.dtype),
        "weight_hh": weight,
        "bias_hh": bias,
    }
    flat = torch.func.functional_call(cell, own, (gates.flatten(0, 1), h.flatten(0, 1)))
    return flat.unflatten(0, h.shape[:2])


def scan_by_equations(
    start: Tensor, normals: Tensor, fixed: dict[str, Tensor | None], weights: dict[str, Tensor]
) -> VRNNScan:
    """Return what `vrnn_scan` returns, by the equations of its docstring."""
    w, time = weights, normals.shape[2]
    everywhere = normals.new_zeros(normals.shape[1], time, 1)
    known = {name: None if t is None else t + everywhere for name, t in fixed.items()}
    h, states = start, [start]
    rows: list[list[Tensor]] = []
    for t in range(time):
        now = {name: None if part is None else part[:, t] for name, part in known.items()}
        mean, scale = moments(
            torch.relu(now["evidence"] + h @ w["of_state"].T), w["out"], w["out_bias"]
        )
        z = mean + scale * normals[:, :, t]
        f = torch.relu(z @ w["of_latent"].T + w["latent_bias"])
        row = [mean, scale, z, f]
        if now["to_prior"] is not None:
            p = torch.relu(now["to_prior"] + h @ w["prior_state"].T)
            row += moments(p, w["prior_out"], w["prior_bias"])
        if now["to_emission"] is not None:
            e = now["to_emission"] + h @ w["emission_state"].T + f @ w["emission_features"].T
            row.append(torch.relu(e) @ w["emission_out"].T + w["emission_bias"])
        h = gru(now["gates"] + f @ w["of_features"].T, h, w["weight_hh"], w["bias_hh"])
        states.append(h)
        rows.append(row)
    found = [torch.stack(part) for part in zip(*rows, strict=True)]
    raw = found.pop() if known["to_emission"] is not None else None
    prior = (found[4], found[5]) if known["to_prior"] is not None else (None, None)
    return VRNNScan(torch.stack(states), *found[:4], *prior, raw)
