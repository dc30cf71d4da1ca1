"""Latitude and longitude laid out flat, track by track."""

from dataclasses import dataclass

import numpy as np

from vrnn.errors import DataError
from vrnn.geo import RADIUS, degree_lengths


@dataclass(frozen=True)
class Plane:
    """Lay latitude and longitude out flat, in the tangent plane at the latitude of each track's first point.

    north = R lat,  east = R cos(lat_first) lon, angles in radians. Increments are true to scale near that latitude; farther off
    those to the east are out by cos(lat) / cos(lat_first), which a model that reads positions can learn. The
    log-Jacobian of a row is 2 log R + log cos(lat_first) + 2 log(pi / 180).
    """

    lat: int
    lon: int
    unit: str

    @property
    def radius(self) -> float:
        """Of the sphere, in the unit."""
        return RADIUS[self.unit]

    def check(self, x: np.ndarray) -> None:
        """Refuse what cannot be a latitude in degrees.

        Raises:
            DataError: how far off it is.
        """
        far = np.nanmax(np.abs(x[..., self.lat]), initial=0.0)
        if far > 90:
            raise DataError(
                f"a geographic transform: expected latitudes from -90 to 90 degrees, found {far:g}; are latitude and longitude swapped, or "
                "the positions in metres?"
            )

    def stretch(self, first: np.ndarray) -> np.ndarray:
        """Give the units of the plane that a degree measures, (batch, dim), from first points in degrees; 1 in other columns."""
        factor = np.ones(first.shape)
        factor[..., self.lat], factor[..., self.lon] = degree_lengths(
            first[..., self.lat], self.radius
        )
        return factor
