"""The equations of a VRNN with categories, step by step, as the oracle of its compiled forms."""

from typing import Any

import torch
from tests.helpers.vrnn_equations import gru
from torch import Tensor
from torch import distributions as td

from vrnn.distributions import SCALE_FLOOR
from vrnn.inference.random_numbers import seeded
from vrnn.ops.category_scan import CategoryScan, Kind, Part

EMISSIONS = {
    "gaussian": (Part(Kind.GAUSSIAN, 2),),
    "one dimension": (Part(Kind.FULL_GAUSSIAN, 1),),
    "full": (Part(Kind.FULL_GAUSSIAN, 2),),
    "full, four dimensions": (Part(Kind.FULL_GAUSSIAN, 4),),
    "mixture": (Part(Kind.MIXTURE, 2, 3),),
    "mixture, three dimensions": (Part(Kind.MIXTURE, 3, 2),),
    "bernoulli": (Part(Kind.BERNOULLI, 3),),
    "pen": (Part(Kind.MIXTURE, 2, 2), Part(Kind.BERNOULLI, 1)),
    "product": (Part(Kind.GAUSSIAN, 1), Part(Kind.BERNOULLI, 2), Part(Kind.FULL_GAUSSIAN, 3)),
}


def full_size(dim: int) -> int:
    """Return how many outputs a Gaussian with full covariance has."""
    return dim * (dim + 3) // 2


def size_of(emission: tuple[Part, ...]) -> int:
    """Return how many outputs an emission has."""
    sizes = {
        Kind.GAUSSIAN: lambda p: 2 * p.dim,
        Kind.FULL_GAUSSIAN: lambda p: full_size(p.dim),
        Kind.MIXTURE: lambda p: p.components * (1 + full_size(p.dim)),
        Kind.BERNOULLI: lambda p: p.dim,
    }
    return sum(sizes[part.kind](part) for part in emission)


def full_gaussian(raw: Tensor, dim: int) -> td.MultivariateNormal:
    """Return the Gaussian of outputs: means, raw scales, and B column after column."""
    mean, scale, below = raw.split([dim, dim, raw.shape[-1] - 2 * dim], -1)
    rows, columns = torch.triu_indices(dim, dim, 1).flip(0)
    lower = torch.eye(dim, dtype=raw.dtype).expand(*raw.shape[:-1], dim, dim).clone()
    lower[..., rows, columns] = below
    scale = SCALE_FLOOR + torch.log1p(scale.exp())
    return td.MultivariateNormal(mean, scale_tril=scale[..., None] * lower)


def log_prob(emission: tuple[Part, ...], raw: Tensor, x: Tensor) -> Tensor:
    """Return the log-density of x under the outputs, by `torch.distributions`."""
    total = torch.zeros(())
    for part in emission:
        width = size_of((part,))
        outputs, raw = raw.split([width, raw.shape[-1] - width], -1)
        value, x = x.split([part.dim, x.shape[-1] - part.dim], -1)
        if part.kind == Kind.GAUSSIAN:
            mean, scale = outputs.chunk(2, -1)
            normal = td.Normal(mean, SCALE_FLOOR + torch.log1p(scale.exp()))
            found = normal.log_prob(value).sum(-1)
        elif part.kind == Kind.FULL_GAUSSIAN:
            found = full_gaussian(outputs, part.dim).log_prob(value)
        elif part.kind == Kind.MIXTURE:
            logits, each = outputs.split([part.components, width - part.components], -1)
            components = full_gaussian(each.unflatten(-1, (part.components, -1)), part.dim)
            mixed = td.MixtureSameFamily(td.Categorical(logits=logits), components)
            found = mixed.log_prob(value)
        else:  # a value of 0 or 1 has no gradient
            found = td.Bernoulli(logits=outputs).log_prob(value.detach()).sum(-1)
        total = total + found
    return total


def draw_category_scan(
    samples: int = 2,
    batch: int = 3,
    time: int = 4,
    hidden: int = 5,
    classes: int = 3,
    *,
    emission: str = "full",
    standard: bool = False,
    inputs: bool = True,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> dict[str, Any]:
    """Return random arguments of `category_scan`, small enough not to magnify rounding.

    Args:
        emission: a name in `EMISSIONS`.
        standard: leave the learned prior out.
        inputs: whether known inputs change what is added to the heads from step to step.
    """
    generator, parts = seeded(seed, 8), EMISSIONS[emission]

    def one(*shape: int, scale: float = 1.0) -> Tensor:
        t = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return t.to(dtype).requires_grad_()

    def layer(outputs: int, width: int) -> Tensor:
        return one(outputs, width, scale=0.7 * width**-0.5)

    lead = (batch, time) if inputs else (1, 1)
    x = torch.randn(batch, time, sum(p.dim for p in parts), generator=generator).to(dtype)
    at = 0
    for part in parts:
        if part.kind == Kind.BERNOULLI:
            x[..., at : at + part.dim] = (x[..., at : at + part.dim] > 0).to(dtype)
        at += part.dim
    size = size_of(parts)
    seen = torch.rand(batch, time, 1, generator=generator) > 0.2
    weights = {
        "table": one(classes, 3 * hidden, scale=0.5),
        "weight_hh": layer(3 * hidden, hidden),
        "bias_hh": one(3 * hidden),
        "emission_state": layer(hidden, hidden),
        "emission_out": layer(classes * size, hidden),
        "emission_bias": one(classes * size),
    }
    if not standard:
        weights |= {
            "prior_state": layer(hidden, hidden),
            "prior_out": layer(classes, hidden),
            "prior_bias": one(classes),
        }
    return {
        "start": one(samples, batch, hidden),
        "uniform": torch.rand(samples, batch, time, generator=generator).to(dtype),
        "fixed": {
            "gates": one(batch, time, 3 * hidden),
            "to_prior": None if standard else one(*lead, hidden),
            "to_emission": one(*lead, hidden),
            "x": x.requires_grad_(),
            "seen": seen.to(dtype),
        },
        "weights": weights,
        "emission": parts,
    }


def category_leaves(given: dict[str, Any]) -> dict[str, Tensor]:
    """Return the tensors with a gradient, of the arguments of a scan, by name."""
    named = {"start": given["start"]} | given["fixed"] | given["weights"]
    return {name: t for name, t in named.items() if t is not None and t.requires_grad}


def detached(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a scan without gradients."""

    def one(t: Any) -> Any:
        if isinstance(t, dict):
            return {name: one(part) for name, part in t.items()}
        return t.detach() if isinstance(t, Tensor) else t

    return {name: one(part) for name, part in given.items()}


def category_scan_by_equations(
    start: Tensor,
    uniform: Tensor,
    fixed: dict[str, Tensor | None],
    weights: dict[str, Tensor],
    emission: tuple[Part, ...],
) -> CategoryScan:
    """Return what `category_scan` returns, by the equations of its docstring."""
    w, (_, batch, time) = weights, uniform.shape
    everywhere = uniform.new_zeros(batch, time, 1)
    known = {name: None if t is None else t + everywhere for name, t in fixed.items()}
    h, states = start, [start]
    rows: list[tuple[Tensor, ...]] = []
    for t in range(time):
        now = {name: None if part is None else part[:, t] for name, part in known.items()}
        logits = h.new_zeros(*h.shape[:2], len(w["table"]))
        if now["to_prior"] is not None:
            p = torch.relu(now["to_prior"] + h @ w["prior_state"].T)
            logits = p @ w["prior_out"].T + w["prior_bias"]
        layer = torch.relu(now["to_emission"] + h @ w["emission_state"].T)
        raw = layer @ w["emission_out"].T + w["emission_bias"]
        raw = raw.unflatten(-1, (len(w["table"]), -1))
        density = log_prob(emission, raw, now["x"][:, None])
        joint = logits.log_softmax(-1) + density.where(now["seen"] > 0, 0.0)
        cumulative = joint.detach().softmax(-1).cumsum(-1)
        chosen = (cumulative <= uniform[:, :, t, None]).sum(-1)
        drawn = raw[torch.arange(len(raw))[:, None], torch.arange(batch), chosen]
        rows.append((logits, joint, joint.logsumexp(-1), drawn, chosen))
        h = gru(now["gates"] + w["table"][chosen], h, w["weight_hh"], w["bias_hh"])
        states.append(h)
    prior, joint, exact, raw, chosen = (torch.stack(part) for part in zip(*rows, strict=True))
    prior = prior if known["to_prior"] is not None else None
    return CategoryScan(torch.stack(states), prior, joint, exact, raw, chosen)
