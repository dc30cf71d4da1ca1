"""What training maximises and evaluation reports: bounds, and scores of drawn futures."""

import vrnn.fastpath  # noqa: F401, fills the registry of plans
from vrnn.objectives.bound import Bound, BoundConfig, BoundName
from vrnn.objectives.elbo import elbo
from vrnn.objectives.fivo import fivo
from vrnn.objectives.iwae import iwae

BOUNDS = {"elbo": elbo, "iwae": iwae, "fivo": fivo}

__all__ = ["BOUNDS", "Bound", "BoundConfig", "BoundName", "elbo", "fivo", "iwae"]
