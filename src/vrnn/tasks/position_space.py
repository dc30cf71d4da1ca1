"""The space that positions lie in, a plane or the globe, and the distances in it."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from vrnn.geo import great_circle, to_cartesian
from vrnn.metrics.displacement import euclidean
from vrnn.trained import TrainedModel


class PositionSpace(NamedTuple):
    """A space of positions.

    Attributes:
        columns: columns of x that are positions.
        distance: distance between two points.
        embed: maps points to vectors whose Euclidean distance is about `distance`.
        unit: unit of the distance; empty where it is that of the data.
    """

    columns: Int[np.ndarray, " position"]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    embed: Callable[[np.ndarray], np.ndarray]
    unit: str


def position_space(model: TrainedModel) -> PositionSpace:
    """Return the space of a model's positions; all columns are positions without displacements."""
    transform = model.preprocessor.transform
    if (plane := transform.plane) is not None:
        return PositionSpace(
            np.array([plane.lat, plane.lon]),
            partial(great_circle, radius=plane.radius),
            partial(to_cartesian, radius=plane.radius),
            plane.unit,
        )
    columns = np.flatnonzero(transform.is_increment)
    columns = columns if len(columns) else np.arange(transform.dim)
    return PositionSpace(columns, euclidean, lambda points: points, "")
