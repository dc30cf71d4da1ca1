"""The emission and the latent that data gets where none is named.

The choice for positions follows from the page `docs/benchmarks/latents.md`.
"""

from dataclasses import fields
from typing import Any

import numpy as np

from vrnn.data.tracks import Tracks
from vrnn.models.config import ModelConfig
from vrnn.models.vrnn import VRNNConfig

MOST_COLUMNS = 3  # that a Gaussian of full covariance is chosen for
COMPONENTS = 16


def chosen_families(
    tracks: Tracks, config: type[ModelConfig], given: dict[str, Any]
) -> dict[str, str]:
    """Return the emission and latent to use beside the settings that a user gives.

    With `emission`, or for a supervised model, nothing is chosen. With `latent` or `latent_dim`, no
    latent is chosen.
    """
    supervised = given.get("supervised") not in (None, False, "no")
    if "emission" in given or supervised or given.get("target") == "supervised":
        return {}
    found = choose_families(tracks, config)
    if given.keys() & {"latent", "latent_dim"}:
        found.pop("latent", None)
    return found


def choose_families(tracks: Tracks, config: type[ModelConfig]) -> dict[str, str]:
    """Return the settings `emission` and `latent` for data, those that a model has.

    Columns of 0 and 1 get Bernoulli emissions. Up to three other columns, such as positions, get full
    Gaussians and a categorical latent in a VRNN. Other models get a mixture. With more columns, or
    where single entries of a row are missing, the emission is a Gaussian of independent columns.

    Args:
        tracks: the training data.
        config: the type of the config.

    >>> from vrnn import RNNConfig
    >>> tracks = Tracks([np.zeros((5, 2)) + np.arange(5.0)[:, None]])
    >>> choose_families(tracks, VRNNConfig), choose_families(tracks, RNNConfig)
    ({'emission': 'full_gaussian', 'latent': 'categorical(16)'}, {'emission': 'mixture(16)'})
    """
    there = [np.isfinite(x) for x in tracks.x]
    binary = all(np.isin(x[t], (0, 1)).all() for x, t in zip(tracks.x, there, strict=True))
    partly = any((t.any(-1) & ~t.all(-1)).any() for t in there)
    if binary:
        found = {"emission": "bernoulli"}
    elif partly or tracks.x_dim > MOST_COLUMNS:
        found = {"emission": "gaussian"}
    elif issubclass(config, VRNNConfig):
        found = {"emission": "full_gaussian", "latent": f"categorical({COMPONENTS})"}
    else:
        found = {"emission": f"mixture({COMPONENTS})"}
    names = {f.name for f in fields(config)}
    return {name: value for name, value in found.items() if name in names}
