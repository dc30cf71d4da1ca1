"""What the names of columns say."""

import re
from collections.abc import Sequence

LATITUDES, LONGITUDES = {"lat", "latitude"}, {"lon", "long", "lng", "longitude"}
"""Words in the names of columns of degrees."""


def latitude_longitude(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of a latitude and a longitude among names; None unless there is one of each.

    >>> latitude_longitude(("t", "location.long", "location.lat")), latitude_longitude(("x", "y"))
    ((2, 1), None)
    """
    found = [
        [i for i, name in enumerate(names) if words & set(name_words(name))]
        for words in (LATITUDES, LONGITUDES)
    ]
    return (found[0][0], found[1][0]) if [len(f) for f in found] == [1, 1] else None


def name_words(name: str) -> list[str]:
    """Return the words of a name in lower case.

    >>> name_words("location-lat"), name_words("BaseDateTime"), name_words("POSITION_X")
    (['location', 'lat'], ['base', 'date', 'time'], ['position', 'x'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
