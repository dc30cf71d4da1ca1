"""The settings that choose the parts of a transform."""

from dataclasses import dataclass
from typing import Literal

from vrnn.errors import ConfigError, Setting
from vrnn.geo import RADIUS


@dataclass(frozen=True)
class TransformConfig:
    """The parts that a transform has.

    Args:
        displacement: model increments in place of positions. The first point is then given and not
            scored.
        heading: rotate every track so that its last observed step points along +x. Only what
            follows that step is then a density of the data.
        standardise: centre every continuous column and scale it to unit variance over the
            training data.
        positions: names of the columns that displacement applies to; every continuous column when
            empty.
        geographic: "nmi" or "km" where two columns are degrees of latitude and longitude. Their
            names begin with lat and lon. Increments are then in nautical miles or kilometres, in a
            plane that is tangent at the latitude of each track's first point. It needs
            displacement.

    Raises:
        ConfigError: another unit, or a geographic transform without displacement.

    >>> TransformConfig(heading=True).displacement
    True
    """

    displacement: bool = True
    heading: bool = False
    standardise: bool = True
    positions: tuple[str, ...] = ()
    geographic: Literal["", "nmi", "km"] = ""

    def __post_init__(self) -> None:
        if self.geographic not in ("", *RADIUS):
            raise ConfigError(
                setting="geographic",
                expected=f"one of {', '.join(RADIUS)} or nothing",
                found=repr(self.geographic),
            )
        if self.geographic and not self.displacement:
            raise ConfigError(
                "a geographic transform models increments",
                hint=("leave ", Setting("transform.displacement"), " on"),
            )
