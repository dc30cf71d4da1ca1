"""The space that positions lie in, a plane or the globe: distances in it, and local planes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vrnn.data.transforms import Transform
from vrnn.distributions import Family
from vrnn.geo import degree_lengths, great_circle, to_cartesian
from vrnn.metrics.displacement import euclidean


class PositionSpace(NamedTuple):
    """A space of positions.

    Attributes:
        columns: columns of x that are positions.
        distance: distance between two points.
        embed: maps points to vectors whose Euclidean distance is about `distance`.
        unit: unit of the distance; empty where it is that of the data.
        radius: radius of the globe, in that unit; None of a plane.
    """

    columns: Int[np.ndarray, " position"]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    embed: Callable[[np.ndarray], np.ndarray]
    unit: str
    radius: float | None = None

    def lengths(
        self, origin: Float[np.ndarray, "batch position"]
    ) -> Float[np.ndarray, "batch position"]:
        """Return the length of one data unit in the local plane of each origin.

        On the globe it is that of a degree of latitude and of longitude there, else 1.
        """
        if self.radius is None:
            return np.ones_like(origin)
        north, east = degree_lengths(origin[:, 0], self.radius)
        return np.stack([np.full_like(east, north), east], -1)

    def to_plane(
        self,
        points: Float[np.ndarray, "batch time position"],
        origin: Float[np.ndarray, "batch position"],
    ) -> Float[np.ndarray, "batch time position"]:
        """Return points in the local plane of an origin of each track, relative to it.

        On the globe the plane is tangent at the latitude of the origin. The way there is the
        shorter one around the globe, whatever range the longitudes have.
        """
        off = points - origin[:, None]
        if self.radius is not None:
            off[..., 1] = (off[..., 1] + 180.0) % 360.0 - 180.0
        return off * self.lengths(origin)[:, None]

    def from_plane(
        self,
        points: Float[np.ndarray, "*sample batch time position"],
        origin: Float[np.ndarray, "batch position"],
    ) -> Float[np.ndarray, "*sample batch time position"]:
        """Return points of local planes in data units."""
        return origin[:, None] + points / self.lengths(origin)[:, None]


def position_space(transform: Transform) -> PositionSpace:
    """Return the space of positions of a transform; without displacements all columns are."""
    if (plane := transform.plane) is not None:
        return PositionSpace(
            np.array([plane.lat, plane.lon]),
            partial(great_circle, radius=plane.radius),
            partial(to_cartesian, radius=plane.radius),
            plane.unit,
            plane.radius,
        )
    columns = np.flatnonzero(transform.is_increment)
    columns = columns if len(columns) else np.arange(transform.dim)
    return PositionSpace(columns, euclidean, lambda points: points, "")


def is_continuous(space: PositionSpace, family: Family) -> bool:
    """Return whether all positions have a density and none is a category.

    Args:
        space: the space of the positions.
        family: the emission of the model, of all columns of x.
    """
    return all(family.continuous[column] for column in space.columns)
