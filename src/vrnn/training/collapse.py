"""Whether a model uses its latents: KL per dimension and active units."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.errors import Setting, Text

ACTIVE = 0.01
"""Variance of the posterior mean above which a unit is active.

Source: Burda et al. 2016, arXiv:1509.00519, section 5.
"""


class CollapseReport(NamedTuple):
    """The use of the latents on validation data.

    Attributes:
        kl: nats per observed time step, of each latent dimension and then of each dimension of
            the global latent. Where the posterior is the prior it is the KL to N(0, I).
        active: whether the posterior mean of a dimension varies over the data by more than
            `ACTIVE`.
    """

    kl: list[float]
    active: list[bool]

    @property
    def active_units(self) -> int:
        """Number of active dimensions."""
        return sum(self.active)

    def warning(self, has_posterior: bool) -> Text | None:
        """Return a sentence that says that the posterior has collapsed, or None if it has not.

        Args:
            has_posterior: whether the latents have a posterior of their own.
        """
        if not self.active or self.active_units:
            return None
        kind = (
            "the posterior equals the prior"
            if has_posterior
            else "the latents do not depend on the data"
        )
        return (
            f"collapse: none of {len(self.active)} latent dimensions is active, {kind}, "
            "and the model works as an RNN; try ",
            Setting("free_bits"),
            ", a longer ",
            Setting("kl_warmup"),
            " or a narrower emission",
        )


def collapse_report(
    kl: Float[Tensor, "batch latent"],
    means: Float[Tensor, "batch 2 latent"],
    rows: Float[Tensor, " batch"],
    global_units: int,
) -> CollapseReport:
    """Return the report, from sums over the observed time steps of each sequence.

    Args:
        kl: KL per dimension, of z_t and then of the global latent, (batch, latent).
        means: sums of the posterior means and of their squares, (batch, 2, latent). The global
            latent has one value per sequence.
        rows: observed time steps of each sequence, (batch,).
        global_units: units of the global latent, the last ones.
    """
    steps, sequences = rows.sum().clamp(min=1), len(rows)
    width = means.shape[-1]
    count = torch.full((width,), float(steps), dtype=torch.float64)
    count[width - global_units :] = sequences
    first, second = means.double().sum(0) / count
    return CollapseReport((kl.sum(0) / steps).tolist(), (second - first**2 > ACTIVE).tolist())
