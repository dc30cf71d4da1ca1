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
        causal: turn and scale every increment by the earlier ones of its track. The model then treats
            all scales, headings and mirror images alike. It needs positions alone, in one to three
            dimensions.
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
        ConfigError: another unit, a geographic or causal transform without displacement, or a
            causal one beside a heading.

    >>> TransformConfig(heading=True).displacement
    True
    """

    displacement: bool = True
    causal: bool = False
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
        for name in ("geographic", "causal"):
            if getattr(self, name) and not self.displacement:
                raise ConfigError(
                    f"a {name} transform models increments",
                    hint=("leave ", Setting("transform.displacement"), " on"),
                )
        if self.causal and self.heading:
            raise ConfigError(
                "a causal transform turns every move of a track already",
                setting="transform.heading",
                hint="switch it off",
            )
