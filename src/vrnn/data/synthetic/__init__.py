"""Processes whose truth is known, to compare models with.

Each has exact samples, exact densities and exact conditional futures. The densities and futures of
the pendulum are exact but for the random error of a particle filter.
"""

from vrnn.data.synthetic.constant_velocity import ConstantVelocityWalk
from vrnn.data.synthetic.crossroads import Crossroads
from vrnn.data.synthetic.pendulum import Pendulum

__all__ = ["ConstantVelocityWalk", "Crossroads", "Pendulum"]
