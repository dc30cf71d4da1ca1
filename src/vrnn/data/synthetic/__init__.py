"""Processes whose truth is known, to compare models with.

Each has exact samples, exact densities and exact conditional futures.
"""

from vrnn.data.synthetic.constant_velocity import ConstantVelocityWalk
from vrnn.data.synthetic.crossroads import Crossroads

__all__ = ["ConstantVelocityWalk", "Crossroads"]
