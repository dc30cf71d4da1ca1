"""What is in a set of tracks, in numbers and in advice: the content of `vrnn doctor`."""

from vrnn.data.describe.description import Description
from vrnn.data.describe.statistics import describe, outliers

__all__ = ["Description", "describe", "outliers"]
