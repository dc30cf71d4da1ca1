"""Latitude and longitude in a plane, track by track."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vrnn.errors import DataError
from vrnn.geo import LEAST_COSINE, RADIUS, degree_lengths


@dataclass(frozen=True)
class Plane:
    """The plane that is tangent to the globe at the latitude of each track's first point.

        north = R lat,    east = R cos(lat_first) lon,    angles in radians

    The log-Jacobian of a point is 2 log R + log cos(lat_first) + 2 log(pi / 180). Increments have
    their true length near that latitude. Farther off, those to the east are wrong by the factor
    cos(lat) / cos(lat_first). A model that reads positions can learn that factor.

    Attributes:
        lat, lon: the columns of latitude and longitude.
        unit: "nmi" or "km".
    """

    lat: int
    lon: int
    unit: str

    @property
    def radius(self) -> float:
        """The radius of the globe, in the unit of the plane."""
        return RADIUS[self.unit]

    def check(self, x: Float[np.ndarray, "*batch dim"]) -> None:
        """Refuse values that cannot be latitudes in degrees, or are at a pole.

        Raises:
            DataError: says how far off the values are.
        """
        far = np.nanmax(np.abs(x[..., self.lat]), initial=0.0)
        if far > 90:
            raise DataError(
                "a geographic transform: expected latitudes from -90 to 90 degrees, "
                f"found {far:g}; are latitude and longitude swapped, or the positions in metres?"
            )
        if np.cos(np.radians(far)) < LEAST_COSINE:
            raise DataError(
                f"a geographic transform: expected no latitudes within 0.6 degrees of a pole, "
                f"found {far:g}; degrees of longitude are too short there; project the positions to "
                "metres, as in EPSG:3413 or EPSG:3031, and name the columns x and y"
            )

    def metric_scale(self, first: Float[np.ndarray, "batch dim"]) -> Float[np.ndarray, "batch dim"]:
        """Return the length of a degree in the plane, (batch, dim); 1 in other columns.

        Args:
            first: first point of each track in degrees, (batch, dim).
        """
        factor = np.ones(first.shape)
        factor[..., self.lat], factor[..., self.lon] = degree_lengths(
            first[..., self.lat], self.radius
        )
        return factor
