"""Tracks as a user has them: sequences of any length, with ids and times, in the user's units."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from vrnn.console import visible
from vrnn.data.origin import Origin
from vrnn.errors import DataError

Arrays = list[np.ndarray]


@dataclass(frozen=True, repr=False)
class Tracks:
    """A set of tracks: observations with ids, times, and optional inputs and targets.

    NaN means missing. All arrays are float64 in the units of the source. The rows of a track are in
    rising order of time. No method changes a set of tracks; each returns a new one. The arrays are
    read-only copies, so what the caller does with its own changes nothing here.

    Args:
        x: observations, one array (T_i, D) for each track.
        ids: one name for each track; numbers from 0 when omitted.
        times: one array (T_i,) for each track, strictly rising; 0, 1, 2, ... when omitted.
        u: known inputs, one array (T_i, U) for each track; width 0 when omitted.
        y: supervised targets, one array (T_i, Y) for each track; width 0 when omitted.
        x_names, u_names, y_names: names of the columns.
        origin: the names and types of the source, which tables of results take too.
        rows: the row of the source that each row is, one array (T_i,) for each track; empty where
            that is not kept.

    Raises:
        DataError: shapes that disagree, times that do not rise, or infinite values.

    >>> tracks = Tracks([np.zeros((5, 2)), np.ones((3, 2))])
    >>> len(tracks), tracks.lengths.tolist(), tracks.x_dim, tracks.step
    (2, [5, 3], 2, 1.0)
    """

    x: Arrays
    ids: list[str] = field(default_factory=list)
    times: Arrays = field(default_factory=list)
    u: Arrays = field(default_factory=list)
    y: Arrays = field(default_factory=list)
    x_names: tuple[str, ...] = ()
    u_names: tuple[str, ...] = ()
    y_names: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin, compare=False)
    rows: Arrays = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        def set_field(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)  # the dataclass is frozen

        x = [own(a) for a in self.x]
        for i, a in enumerate(x):
            if a.ndim != 2 or a.shape[1] != (x[0].shape[1] if x[0].ndim == 2 else -1):
                raise DataError(
                    f"track {i}: expected an array (time, dim) of the same dim for every track, "
                    f"found shape {a.shape}"
                )
        set_field("x", x)
        set_field("ids", [str(i) for i in self.ids] or [str(i) for i in range(len(x))])
        set_field(
            "times",
            [own(t) for t in self.times] or [own(np.arange(float(len(a)))) for a in x],
        )
        for name in ("u", "y"):
            given = [own(a) for a in getattr(self, name)] or [own(np.zeros((len(a), 0))) for a in x]
            set_field(name, given)
        self._check_shapes()
        if [len(r) for r in self.rows] != [len(a) for a in x]:
            set_field("rows", [])  # of tracks that were cut or resampled
        for name in ("x", "u", "y"):
            arrays, names = getattr(self, name), tuple(getattr(self, f"{name}_names"))
            width = arrays[0].shape[1] if arrays else len(names)
            if names and len(names) != width:
                raise DataError(
                    f"expected {width} {name}_names, one a column, found {', '.join(names)}"
                )
            set_field(f"{name}_names", names or default_names(name, width))
        self._check_values()

    def _check_shapes(self) -> None:
        parts = {"ids": self.ids, "times": self.times, "u": self.u, "y": self.y}
        for name, part in parts.items():
            if len(part) != len(self.x):
                raise DataError(
                    f"expected {name} for each of {len(self.x)} tracks, found {len(part)}"
                )
        for name, arrays in (("u", self.u), ("y", self.y), ("times", self.times)):
            for track, x, a in zip(self.ids, self.x, arrays, strict=True):
                if len(a) != len(x):
                    raise DataError(f"track {track}: {len(x)} rows of x but {len(a)} of {name}")
                if a.shape[1:] != (() if name == "times" else arrays[0].shape[1:2] or (1,)):
                    raise DataError(
                        f"track {track}: expected {name} of shape "
                        f"{'(time,)' if name == 'times' else '(time, dim)'}, "
                        f"dim the same for every track, found {a.shape}"
                    )

    def _check_values(self) -> None:
        """Refuse values that no track may have, all tracks at once because there may be many."""
        if not len(self):
            return
        owner = np.repeat(np.arange(len(self)), self.lengths)
        times = np.concatenate(self.times)
        bad = ~np.isfinite(times)
        bad[1:] |= ~(np.diff(times) > 0) & (owner[1:] == owner[:-1])
        if bad.any():
            track = self.ids[owner[bad.argmax()]]
            raise DataError(
                f"track {track}: times must be finite and rise from row to row; "
                "sort and deduplicate them"
            )
        for name in ("x", "u", "y"):
            infinite = np.isinf(np.concatenate(getattr(self, name))).any(axis=1)
            if infinite.any():
                track = self.ids[owner[infinite.argmax()]]
                raise DataError(
                    f"track {track}: infinite values in {name}; "
                    "write missing values as NaN or leave them empty"
                )

    def __repr__(self) -> str:
        columns = [
            f"{role} ({visible(', '.join(names))})"
            for role in "xuy"
            if (names := getattr(self, f"{role}_names"))
        ]
        return f"Tracks({len(self)} tracks, {int(self.lengths.sum())} rows, {', '.join(columns)})"

    def __len__(self) -> int:
        return len(self.x)

    def __iter__(self) -> Iterator["Tracks"]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> "Tracks":
        """Return the tracks that an index, a slice, a list or a mask selects."""
        chosen = np.atleast_1d(np.arange(len(self))[index])
        pick = lambda values: [values[i] for i in chosen]  # noqa: E731
        return replace(self, ids=pick(self.ids), **self._each(pick))

    @property
    def lengths(self) -> Int[np.ndarray, " tracks"]:
        """Number of rows of each track, (N,)."""
        return np.array([len(a) for a in self.x], dtype=np.int64)

    @property
    def x_dim(self) -> int:
        """Number of observed columns, D."""
        return len(self.x_names)

    @property
    def u_dim(self) -> int:
        """Number of input columns, U."""
        return len(self.u_names)

    @property
    def y_dim(self) -> int:
        """Number of target columns, Y."""
        return len(self.y_names)

    @property
    def step(self) -> float:
        """The usual time between rows: the lower median over all tracks; 1 without two rows."""
        steps = np.concatenate([np.diff(t) for t in self.times]) if len(self) else np.zeros(0)
        return float(np.quantile(steps, 0.5, method="lower")) if len(steps) else 1.0

    def cut(self, start: int | None = None, stop: int | None = None) -> "Tracks":
        """Return the rows start:stop of every track, counted as in a Python slice."""
        return replace(self, **self._each(lambda values: [a[start:stop] for a in values]))

    def take_rows(self, kept: Sequence[np.ndarray]) -> "Tracks":
        """Return some rows of every track, given by their places in it."""
        part = lambda values: [a[k] for a, k in zip(values, kept, strict=True)]  # noqa: E731
        return replace(self, **self._each(part))

    def _each(self, change: Callable[[Arrays], Arrays]) -> dict[str, Arrays]:
        """Return the arrays of all parts of a row, changed alike."""
        names = ("x", "times", "u", "y", "rows")
        return {name: change(getattr(self, name)) if getattr(self, name) else [] for name in names}

    def rename(self, ids: Sequence[str]) -> "Tracks":
        """Return the tracks with new ids."""
        return replace(self, ids=list(ids))


def default_names(role: str, width: int) -> tuple[str, ...]:
    """Return the names of columns that were given none.

    >>> default_names("x", 2), default_names("u", 1)
    (('x', 'y'), ('u0',))
    """
    if role == "x" and width == 2:
        return ("x", "y")
    return tuple(f"{role}{i}" for i in range(width))


def own(values: Any) -> Float[np.ndarray, "..."]:
    """Return numbers as a read-only array in float64: a copy, unless nobody can change them.

    >>> given = np.zeros(2)
    >>> kept = own(given)
    >>> given[0] = 1.0
    >>> kept.tolist(), own(kept) is kept
    ([0.0, 0.0], True)
    """
    array = np.asarray(values, np.float64)
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if array.flags.writeable or root.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


def concatenate(parts: Sequence[Tracks]) -> Tracks:
    """Return several sets of tracks with the same columns as one, in order.

    Raises:
        DataError: no sets, or sets whose columns differ.

    >>> a, b = Tracks([np.zeros((3, 2))], ids=["a"]), Tracks([np.ones((2, 2))], ids=["b"])
    >>> concatenate([a, b]).ids
    ['a', 'b']
    """
    if not parts:
        raise DataError("expected at least one set of tracks, found none")
    first = parts[0]
    for part in parts[1:]:
        for name in ("x_names", "u_names", "y_names"):
            if getattr(part, name) != getattr(first, name):
                raise DataError(
                    f"expected the same {name} in every set, "
                    f"found {getattr(first, name)} and {getattr(part, name)}; "
                    "read both with the same columns"
                )
    lists: dict[str, Any] = {
        name: [value for part in parts for value in getattr(part, name)]
        for name in ("x", "ids", "times", "u", "y")
    }
    origin = first.origin
    if len(parts) > 1:  # the rows of several sources have no numbers in common
        notes = tuple(dict.fromkeys(note for part in parts for note in part.origin.notes))
        origin, lists["rows"] = replace(origin, extra={}, notes=notes), []
    return replace(first, **lists, origin=origin)
