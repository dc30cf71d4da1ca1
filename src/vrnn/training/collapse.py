"""Whether a model uses its latents: KL per dimension and active units."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.errors import Setting, Text

ACTIVE = 0.01  # variance of the posterior mean above which a unit is active (Burda et al. 2016, arXiv:1509.00519, section 5)


class CollapseReport(NamedTuple):
    """Report the use of latents on validation data.

    Attributes:
        kl: nats per observed step and latent dimension (then of the global code, per step too); of a tied model, to N(0, I).
        active: which dimensions have a posterior mean that varies over the data by more than `ACTIVE`.
    """

    kl: list[float]
    active: list[bool]

    @property
    def active_units(self) -> int:
        return sum(self.active)

    def warning(self, tied: bool) -> Text | None:
        """Say in one sentence that the posterior has collapsed, or nothing."""
        if not self.active or self.active_units:
            return None
        kind = "the latents do not depend on the data" if tied else "the posterior equals the prior"
        return (
            f"collapse: none of {len(self.active)} latent dimensions is active, {kind}, and the model works as an RNN; try ",
            Setting("free_bits"),
            ", a longer ",
            Setting("kl_warmup"),
            " or a narrower emission",
        )


def collapse_report(
    kl: Float[Tensor, "batch latent"],
    means: Float[Tensor, "batch 2 latent"],
    rows: Float[Tensor, " batch"],
    code_dim: int,
) -> CollapseReport:
    """Compute the report from sums over the observed rows of each sequence.

    Args:
        kl: KL per dimension, z_t first and then the global code.
        means: posterior means and their squares, is_increment over rows; for the code, one value a sequence.
        rows: observed rows of each sequence.
        code_dim: how many of the dimensions, the last ones, are of the global code.
    """
    steps, sequences = rows.sum().clamp(min=1), len(rows)
    count = torch.full((kl.shape[-1],), float(steps), dtype=torch.float64)
    count[kl.shape[-1] - code_dim :] = sequences
    first, second = means.double().sum(0) / count
    return CollapseReport((kl.sum(0) / steps).tolist(), (second - first**2 > ACTIVE).tolist())
