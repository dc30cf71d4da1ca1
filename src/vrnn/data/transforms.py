"""Frames: invertible maps between the coordinates of the data and those a model works in.

A transform is a composition of at most four parts, in this order: `Plane` lays latitude and longitude out flat, `Heading` turns
every track to the direction it had at a chosen row, `Displacement` replaces positions by increments, `Standardise`
centres and scales. Each part hands on the values and, for every value, how many increments are is_increment in it: after a gap the increment runs from the last observed
position. Arrays are NumPy float64 (batch, time, dim) with NaN where missing.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from vrnn.data.plane import Plane
from vrnn.errors import ConfigError
from vrnn.geo import RADIUS


@dataclass(frozen=True)
class TransformConfig:
    """Choose the parts of a transform.

    Args:
        displacement: model increments in place of positions; the first point is then given, not scored.
        heading: turn every track so that at its last row before the future it heads along +x; only what follows
            that row is then a density of the data.
        standardise: centre and scale every continuous column to unit variance over the training data.
        positions: names of the columns that displacement applies to; every continuous column when empty.
        geographic: the two columns whose names begin with lat and lon are degrees on the globe; increments are then in nautical
            miles (nmi) or kilometres (km), in the tangent plane at the latitude of each track's first point. Needs
            displacement.
    """

    displacement: bool = True
    heading: bool = False
    standardise: bool = True
    positions: tuple[str, ...] = ()
    geographic: Literal["", "nmi", "km"] = ""

    def __post_init__(self) -> None:
        if self.geographic not in ("", *RADIUS):
            raise ConfigError(
                f"geographic: expected one of {', '.join(RADIUS)} or nothing, found {self.geographic!r}"
            )
        if self.geographic and not self.displacement:
            raise ConfigError("a geographic transform models increments: leave displacement on")


class Path(NamedTuple):
    """Hold values with the number of increments is_increment in each, both (batch, time, dim) or (sample, batch, time, dim)."""

    values: np.ndarray
    steps: np.ndarray


class Anchor(NamedTuple):
    """Hold what ties encoded paths back to the data, taken from each track's own observed rows.

    Attributes:
        origin: last observed position of each column, turned to the transform, (batch, dim).
        since: rows since then, (batch, dim).
        angle: heading in radians, (batch,).
        first: position at the first row, in data units, (batch, dim).
    """

    origin: np.ndarray
    since: np.ndarray
    angle: np.ndarray
    first: np.ndarray

    @classmethod
    def zero(cls, batch: int, dim: int) -> "Anchor":
        """Anchor paths that begin at the origin, heading along +x."""
        nowhere = np.zeros((batch, dim))
        return cls(nowhere, np.zeros((batch, dim), np.int64), np.zeros(batch), nowhere)


def pad(arrays: list[np.ndarray], time: int, fill: float) -> np.ndarray:
    """Stack arrays (T_i, width) into one (batch, time, width), filling what is past their ends.

    >>> pad([np.ones((1, 1)), np.ones((2, 1))], 2, 0.0)[..., 0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    if all(len(a) == time for a in arrays):
        return np.stack(arrays)
    padded = np.full((len(arrays), time, arrays[0].shape[1]), fill)
    for row, a in zip(padded, arrays, strict=True):
        row[: len(a)] = a
    return padded


def turn(values: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotate the first two columns by `angle` (batch,) radians, counter-clockwise.

    >>> turn(np.array([[[1.0, 0.0]]]), np.array([np.pi / 2])).round(3).tolist()
    [[[0.0, 1.0]]]
    """
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = values[..., 0], values[..., 1]
    return np.concatenate([np.stack([c * x - s * y, s * x + c * y], -1), values[..., 2:]], -1)


@dataclass(frozen=True)
class Heading:
    """Turn tracks so that the step into row `row` (counted from 0), or the last one before it, points along +x.

    Rotations keep volumes: the log-Jacobian is 0. The angle is read from rows up to `row`, so only densities of later rows
    are densities of the data.
    """

    row: int

    def angle(self, values: np.ndarray) -> np.ndarray:
        """Read the heading (batch,); 0 where a track has not moved yet."""
        rows = min(self.row + 1, values.shape[1])
        xy = values[:, :rows, :2]
        there = np.asarray(np.isfinite(xy).all(-1))
        last = _last_true(there)
        earlier = np.asarray(there & (np.arange(rows) < last[:, None]))
        before = _last_true(earlier)
        each = np.arange(len(values))
        moved = np.asarray(earlier.any(-1))
        step = np.where(moved[:, None], xy[each, last] - xy[each, before], 0.0)
        return np.arctan2(step[:, 1], step[:, 0])


@dataclass(frozen=True)
class Displacement:
    """Replace positions by increments in the columns that are marked; the first row of every column is dropped.

    d_t = x_t - x_s, with s the last observed row before t. The log-Jacobian is 0.
    """

    columns: tuple[bool, ...]

    def encode(self, values: np.ndarray) -> tuple[Path, np.ndarray, np.ndarray]:
        """Give increments, the last observed position and the rows since then."""
        time = values.shape[1]
        there = np.asarray(np.isfinite(values))
        index = np.maximum.accumulate(np.where(there, np.arange(time)[:, None], 0), axis=1)
        position = np.take_along_axis(values, index, axis=1)
        is_increment = np.array(self.columns)
        increments = np.where(is_increment, values[:, 1:] - position[:, :-1], values[:, 1:])
        steps = np.where(is_increment, np.arange(1, time)[:, None] - index[:, :-1], 1)
        return Path(increments, steps), position[:, -1], index[:, -1]

    def decode(self, path: Path, origin: np.ndarray) -> np.ndarray:
        positions = origin[:, None] + np.cumsum(path.values, axis=-2)
        return np.where(np.array(self.columns), positions, path.values)


@dataclass(frozen=True)
class Standardise:
    """Centre and scale, v = (d - n m) / s with n the increments is_increment in d; the log-Jacobian is -log s a column."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, path: Path, continuous: tuple[bool, ...]) -> "Standardise":
        """Take mean and standard deviation of single increments; columns that do not vary keep scale 1."""
        single = np.where(path.steps == 1, path.values, np.nan).reshape(-1, path.values.shape[-1])
        counts = np.isfinite(single).sum(0)
        filled = np.where(np.isfinite(single), single, 0.0)
        mean = filled.sum(0) / np.maximum(counts, 1)
        variance = (np.where(np.isfinite(single), single - mean, 0.0) ** 2).sum(0) / np.maximum(
            counts, 1
        )
        scale = np.sqrt(variance)
        scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)
        keep = np.array(continuous)
        return cls(
            tuple(np.where(keep, mean, 0.0).tolist()), tuple(np.where(keep, scale, 1.0).tolist())
        )

    def encode(self, path: Path) -> np.ndarray:
        return (path.values - path.steps * np.array(self.mean)) / np.array(self.scale)

    def decode(self, path: Path) -> np.ndarray:
        return path.values * np.array(self.scale) + path.steps * np.array(self.mean)


@dataclass(frozen=True)
class Transform:
    """Compose plane, heading, displacement and standardisation; a part that is None is left out.

    >>> x = np.cumsum(np.ones((1, 5, 2)), axis=1)
    >>> transform = Transform.fit([x[0]], TransformConfig(standardise=False), (True, True))
    >>> path, anchor = transform.encode(x)
    >>> path.values[0].tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    >>> transform.decode(path.values[None, :, :2], anchor)[0, 0].tolist()
    [[6.0, 6.0], [7.0, 7.0]]
    """

    dim: int
    heading: Heading | None = None
    displacement: Displacement | None = None
    standardise: Standardise | None = None
    plane: Plane | None = None

    @classmethod
    def fit(
        cls,
        tracks: list[np.ndarray],
        config: TransformConfig,
        continuous: tuple[bool, ...],
        *,
        names: tuple[str, ...] = (),
        observe: int | None = None,
    ) -> "Transform":
        """Fit a transform on training tracks.

        Args:
            tracks: arrays (T_i, dim), NaN where missing.
            continuous: which columns have a density; the others are left as they are.
            names: names of the columns, for `config.positions`.
            observe: points known before the future begins; where the heading is read.

        Raises:
            ConfigError: heading without `observe` or without two continuous columns to turn; an unknown position; no columns
                of latitude and longitude for a geographic transform.
            DataError: latitudes that are none.
        """
        heading = None
        if config.heading:
            if observe is None or observe < 2:
                raise ConfigError(
                    f"a heading transform turns tracks to their direction at the last observed point: expected observe of at "
                    f"least 2, found {observe}; set observe (and window) in the training settings"
                )
            if len(continuous) < 2 or not all(continuous[:2]):
                raise ConfigError(
                    "a heading transform turns the first two columns of x, which must be continuous"
                )
            heading = Heading(observe - 1)
        unknown = set(config.positions) - set(names)
        if unknown:
            raise ConfigError(
                f"expected positions among the columns {', '.join(names)}, found {', '.join(sorted(unknown))}"
            )
        columns = tuple(
            c and (not config.positions or name in config.positions)
            for c, name in zip(continuous, names or ("",) * len(continuous), strict=True)
        )
        displacement = Displacement(columns) if config.displacement and any(columns) else None
        plane = _plane(config, names, columns)
        transform = cls(len(continuous), heading, displacement, plane=plane)
        if not config.standardise:
            return transform
        if displacement is not None:  # a plane is laid at the first point that there is
            tracks = [
                x[np.isfinite(x[:, transform.is_increment]).all(-1).argmax() :] for x in tracks
            ]
        chunks = [tracks[i : i + 1024] for i in range(0, len(tracks), 1024)]
        paths = [transform.encode(pad(chunk, max(map(len, chunk)), np.nan))[0] for chunk in chunks]
        joined = Path(
            *(np.concatenate([p[i].reshape(-1, transform.dim) for p in paths]) for i in range(2))
        )
        return replace(transform, standardise=Standardise.fit(joined, continuous))

    @property
    def given(self) -> int:
        """Rows at the start of a track that are given and not scored."""
        return 0 if self.displacement is None else 1

    @property
    def is_increment(self) -> np.ndarray:
        """Columns whose value after a gap is a sum of increments, (dim,)."""
        return np.array(self.displacement.columns if self.displacement else (False,) * self.dim)

    def stretch(self, first: np.ndarray) -> np.ndarray:
        """Give what a data unit measures in the transform's coordinates, before standardising, (batch, dim); see `Plane`."""
        return np.ones(first.shape) if self.plane is None else self.plane.stretch(first)

    def log_jacobian(self, first: np.ndarray) -> np.ndarray:
        """Give log |d v / d x| of each track and column, (batch, dim), from the first points of the tracks."""
        scale = self.standardise.scale if self.standardise else np.ones(self.dim)
        return np.log(self.stretch(first)) - np.log(scale)

    def encode(self, x: np.ndarray, length: np.ndarray | None = None) -> tuple[Path, Anchor]:
        """Map positions (batch, time, dim) to model values (batch, time - given, dim).

        Under displacement the first row is taken as the origin and must be observed.

        Args:
            length: rows of each track (batch,), the rest being padding; all rows when None.
        """
        first = x[:, 0]
        if self.plane is not None:
            self.plane.check(x)
        x = x * self.stretch(first)[:, None]
        angle = self.heading.angle(x) if self.heading else np.zeros(len(x))
        x = turn(x, -angle) if self.heading else x
        if self.displacement:
            path, origin, last = self.displacement.encode(x)
        else:
            path, (origin, last) = Path(x, np.ones(x.shape, np.int64)), _last_seen(x)
        rows = np.full(len(x), x.shape[1]) if length is None else length
        anchor = Anchor(origin, rows[:, None] - 1 - last, angle, first)
        if self.standardise:
            path = path._replace(values=self.standardise.encode(path))
        return path, anchor

    def begin(self, first: np.ndarray) -> Anchor:
        """Anchor paths that follow a first row (batch, dim), in data units, heading along +x."""
        return Anchor.zero(*first.shape)._replace(origin=first * self.stretch(first), first=first)

    def position(self, anchor: Anchor) -> np.ndarray:
        """Give the last observed position of each track in data units, (batch, dim)."""
        x = anchor.origin[:, None]
        x = turn(x, anchor.angle) if self.heading else x
        return x[:, 0] / self.stretch(anchor.first)

    def encode_next(self, x: np.ndarray, anchor: Anchor) -> tuple[np.ndarray, Anchor]:
        """Map candidates for the row after an anchor (batch, candidate, dim) to model values, as `encode` would.

        Returns:
            the values, and the anchor after the first candidate.
        """
        first = np.where(np.isnan(anchor.first), x[:, 0], anchor.first)
        x = x if self.plane is None else x * self.plane.stretch(first)[:, None]
        x = turn(x, -anchor.angle) if self.heading else x
        is_increment, since = self.is_increment, anchor.since + 1
        path = Path(
            np.where(is_increment, x - anchor.origin[:, None], x),
            np.where(is_increment, since, 1)[:, None],
        )
        values = self.standardise.encode(path) if self.standardise else path.values
        there = np.isfinite(x[:, 0])
        origin = np.where(there, x[:, 0], anchor.origin)
        return values, Anchor(origin, np.where(there, 0, since), anchor.angle, first)

    def decode(
        self, values: np.ndarray, anchor: Anchor, gap: np.ndarray | None = None
    ) -> np.ndarray:
        """Map model values that follow the encoded rows back to positions, both (sample, batch, time, dim).

        Args:
            gap: what a model drew itself since the last observed row, is_increment, (sample, batch, dim).
        """
        steps = np.ones((*values.shape[-3:],), np.int64)
        if gap is not None:
            values = np.concatenate([gap[..., None, :], values], -2)
            steps = np.concatenate([anchor.since[:, None], steps], -2)
        path = Path(values, steps)
        if self.standardise:
            path = path._replace(values=self.standardise.decode(path))
        x = self.displacement.decode(path, anchor.origin) if self.displacement else path.values
        x = x if gap is None else x[..., 1:, :]
        x = turn(x, anchor.angle) if self.heading else x
        return x / self.stretch(anchor.first)[:, None]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Transform":
        parts = {
            "plane": Plane,
            "heading": Heading,
            "displacement": Displacement,
            "standardise": Standardise,
        }
        values = dict[str, Any](plane=None) | values  # which older runs do not have
        made = {name: _revive(part, values[name]) for name, part in parts.items()}
        return cls(values["dim"], **made)


def _plane(
    config: TransformConfig, names: tuple[str, ...], columns: tuple[bool, ...]
) -> Plane | None:
    """Find the columns of latitude and longitude by their names."""
    if not config.geographic:
        return None
    found = []
    for word in ("lat", "lon"):
        named = [i for i, name in enumerate(names) if name.lower().startswith(word) and columns[i]]
        if len(named) != 1:
            raise ConfigError(
                f"a geographic transform takes increments of one column whose name begins with {word}: found "
                f"{len(named)} among the positions {', '.join(n for n, c in zip(names, columns, strict=False) if c) or 'without names'}; "
                f"name the columns x of the file so, and leave them among the positions"
            )
        found += named
    return Plane(found[0], found[1], config.geographic)


def _revive(part: type, values: dict[str, Any] | None):
    if values is None:
        return None
    return part(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _last_seen(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last observed value of each column (batch, time, dim) and its row, (batch, dim); NaN and 0 where none is."""
    last = np.where(np.isfinite(values), np.arange(values.shape[1])[:, None], 0).max(1)
    return np.take_along_axis(values, last[:, None], axis=1)[:, 0], last


def _last_true(mask: np.ndarray) -> np.ndarray:
    """Index of the last True of each row (batch, time), 0 where none is."""
    return np.where(mask, np.arange(mask.shape[1]), 0).max(-1)
