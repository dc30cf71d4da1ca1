"""Simulated motion of many kinds, as it is recorded: the prior of the model without training."""

from vrnn.data.synthetic.motion.prior import motion

__all__ = ["motion"]
