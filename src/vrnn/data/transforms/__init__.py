"""Invertible maps between the coordinates of the data and those that a model works in.

A transform composes at most four parts, in this order:

    Plane         maps latitude and longitude to a plane
    Heading       rotates every track to the direction that it has at a chosen time step
    Displacement  replaces positions by increments
    Standardise   centres and scales

Arrays are NumPy float64 (batch, time, dim), with NaN where a value is missing. Each value comes
with the number of increments in it: after a gap an increment starts from the last observed
position.
"""

from vrnn.data.transforms.config import TransformConfig
from vrnn.data.transforms.displacement import Displacement
from vrnn.data.transforms.encoded import Anchor, Increments
from vrnn.data.transforms.heading import Heading, rotate
from vrnn.data.transforms.plane import Plane
from vrnn.data.transforms.standardise import Standardise
from vrnn.data.transforms.transform import Transform

__all__ = [
    "Anchor",
    "Displacement",
    "Heading",
    "Increments",
    "Plane",
    "Standardise",
    "Transform",
    "TransformConfig",
    "rotate",
]
