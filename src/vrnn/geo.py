"""Geometry of the globe: great-circle distances, local scales and Cartesian coordinates."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from vrnn.column_names import latitude_longitude

RADIUS = {"nmi": 3440.065, "km": 6371.0}
"""Mean radius of the Earth in nautical miles and in kilometres."""

LEAST_COSINE = 0.01
"""Least cosine of a latitude in a scale, reached 0.6 degrees from a pole."""


def great_circle(
    a: Float[np.ndarray, "*#batch 2"],
    b: Float[np.ndarray, "*#batch 2"],
    radius: float = RADIUS["nmi"],
) -> Float[np.ndarray, "..."]:
    """Return the distance between points on a sphere by the haversine formula.

        2 R asin sqrt( sin^2(dlat/2) + cos(lat_a) cos(lat_b) sin^2(dlon/2) )

    Args:
        a: latitude and longitude in degrees, (..., 2); longitudes may have any range.
        b: the same for the other points; broadcast against a.
        radius: radius of the sphere; that of the Earth in nautical miles by default.

    Returns:
        Distances (...), in the units of the radius.

    Source: Sinnott 1984, "Virtues of the haversine".

    >>> equator, pole = np.array([0.0, 0.0]), np.array([90.0, 0.0])
    >>> round(great_circle(equator, pole, radius=6371.0).item(), 1)
    10007.5
    """
    lat_a, lon_a = np.moveaxis(np.radians(a), -1, 0)
    lat_b, lon_b = np.moveaxis(np.radians(b), -1, 0)
    half_lat, half_lon = np.sin((lat_b - lat_a) / 2), np.sin((lon_b - lon_a) / 2)
    chord = half_lat**2 + np.cos(lat_a) * np.cos(lat_b) * half_lon**2
    return np.asarray(2.0 * radius * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))


def to_cartesian(
    points: Float[np.ndarray, "*batch 2"], radius: float = RADIUS["nmi"]
) -> Float[np.ndarray, "*batch 3"]:
    """Return points of a sphere in Cartesian coordinates, with the centre as origin.

    The straight distance of two near points is their great-circle distance, to a part in a hundred
    up to 0.49 radius.

    Args:
        points: latitude and longitude in degrees, (..., 2).
        radius: radius of the sphere.

    Returns:
        Coordinates (..., 3), in the units of the radius.

    >>> to_cartesian(np.array([0.0, 90.0]), radius=1.0).round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    lat, lon = np.radians(points[..., 0]), np.radians(points[..., 1])
    return radius * np.stack(
        [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1
    )


def degree_lengths(
    latitude: Float[np.ndarray, "*batch"], radius: float = RADIUS["nmi"]
) -> tuple[float, Float[np.ndarray, "*batch"]]:
    """Return the length of a degree of latitude, and of a degree of longitude at each latitude.

        north = pi R / 180,    east = north cos(latitude)

    The cosine is kept at 0.01 or more, so that the length to the east is positive at a pole.

    Args:
        latitude: latitudes in degrees, (...).
        radius: radius of the sphere.

    Returns:
        The length to the north, and the lengths to the east (...), in the units of the radius.

    >>> north, east = degree_lengths(np.array([60.0]))
    >>> round(north, 2), east.round(2).tolist()
    (60.04, [30.02])
    """
    north = float(np.radians(1.0) * radius)
    return north, north * np.maximum(np.cos(np.radians(latitude)), LEAST_COSINE)


def in_degrees(x: Float[np.ndarray, "rows dim"], names: Sequence[str]) -> bool:
    """Return whether two columns are a latitude and a longitude, by their names and ranges."""
    places = latitude_longitude(names)
    if places is None:
        return False
    low = [float(np.nanmax(np.abs(x[:, i]), initial=0.0)) for i in places]
    return low[0] <= 90 and low[1] <= 360


def unwrap(
    longitude: Float[np.ndarray, " rows"], track: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """Return longitudes without jumps of a turn inside a track.

    Each known value differs from the known one before it by 180 degrees at most. The first of a
    track stays as it is.

    Args:
        longitude: degrees, NaN where missing, (rows,).
        track: the track of each row; the rows of a track are together, (rows,).

    >>> unwrap(np.array([179.0, np.nan, -179.0, -178.0]), np.zeros(4, int)).tolist()
    [179.0, nan, 181.0, 182.0]
    """
    known = np.flatnonzero(np.isfinite(longitude))
    values, owner = longitude[known], track[known]
    steps = np.diff(values)
    turns = np.where(owner[1:] == owner[:-1], -np.rint(steps / 360.0), 0.0)
    turns[np.abs(steps) == 180] = 0.0
    total = np.r_[0.0, np.cumsum(turns)][: len(known)]
    first = np.r_[True, owner[1:] != owner[:-1]][: len(known)]
    total -= total[np.maximum.accumulate(np.where(first, np.arange(len(total)), 0))]
    found = longitude.copy()
    found[known] = values + 360.0 * total
    return found
