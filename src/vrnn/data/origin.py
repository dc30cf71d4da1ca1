"""Where tracks come from: the names and types that results go back to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from vrnn.data.clock import Clock

NUMBERS = Clock()


@dataclass(frozen=True)
class Origin:
    """The form of a source of tracks, which the tables of results take too.

    Args:
        source: the file or DataFrame; empty for arrays, whose columns have no names of their own.
        id: name of the column of ids.
        t: name of the column of times.
        clock: how times are written.
        whole_ids: whether ids were integers.
        frame: library of a DataFrame: "pandas", "polars" or "pyarrow"; empty for a file.
        longitude: name of a column of degrees that is continuous here and wraps in the source.
        turn: least longitude of the source: -180 or 0.
        extra: the other columns of the source, one Arrow column (rows,) each.
        notes: sentences about what was recognised, mended or left out.

    >>> Origin(whole_ids=True).to_ids(["7", "12"]).tolist()
    [7, 12]
    """

    source: str = ""
    id: str = "id"
    t: str = "t"
    clock: Clock = NUMBERS
    whole_ids: bool = False
    frame: str = ""
    longitude: str = ""
    turn: float = -180.0
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    notes: tuple[str, ...] = ()

    def to_ids(self, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return ids in the type of the source, integers or text."""
        if self.whole_ids:
            try:
                return np.array([int(name) for name in ids], np.int64)
            except (ValueError, OverflowError):
                pass  # the id of a window or of a file in a folder
        return np.array(list(ids), object)

    def wrap(self, name: str, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return the values of a column, longitudes in the range of the source.

        >>> Origin(longitude="lon").wrap("lon", np.array([181.0, -181.0])).tolist()
        [-179.0, 179.0]
        """
        if not self.longitude or name.removesuffix("_low").removesuffix("_high") != self.longitude:
            return values
        outside = (values < self.turn) | (values > self.turn + 360)
        return np.where(outside, (values - self.turn) % 360 + self.turn, values)


FROM_MEMORY = Origin()
"""The origin of tracks that were made from arrays."""
