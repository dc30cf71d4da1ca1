"""The composition of the parts: data to model coordinates and back."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from vrnn.column_names import latitude_longitude
from vrnn.data.arrays import largest, last_observed, pad
from vrnn.data.transforms.config import TransformConfig
from vrnn.data.transforms.displacement import Displacement, increments
from vrnn.data.transforms.encoded import Anchor, Increments
from vrnn.data.transforms.heading import Heading, rotate
from vrnn.data.transforms.plane import Plane
from vrnn.data.transforms.standardise import Standardise
from vrnn.errors import ConfigError, Setting
from vrnn.stored import revive

FIT_AT_ONCE = 1024
"""Tracks that are encoded together in `fit`, which bounds its memory."""


@dataclass(frozen=True)
class Transform:
    """The composition of plane, heading, displacement and standardisation.

    A part that is None is left out.

    >>> x = np.cumsum(np.ones((1, 5, 2)), axis=1)
    >>> transform = Transform.fit([x[0]], TransformConfig(standardise=False), (True, True))
    >>> increments, anchor = transform.encode(x)
    >>> increments.values[0].tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    >>> transform.decode(increments.values[None, :, :2], anchor)[0, 0].tolist()
    [[6.0, 6.0], [7.0, 7.0]]
    """

    dim: int
    heading: Heading | None = None
    displacement: Displacement | None = None
    standardise: Standardise | None = None
    plane: Plane | None = None
    causal: bool = False

    @classmethod
    def fit(
        cls,
        tracks: list[Float[np.ndarray, "_ dim"]],
        config: TransformConfig,
        continuous: tuple[bool, ...],
        *,
        names: tuple[str, ...] = (),
        observe: int | None = None,
    ) -> "Transform":
        """Return the transform that fits a set of training tracks.

        Args:
            tracks: arrays (T_i, dim), NaN where missing.
            config: the parts to use.
            continuous: which columns have a density; the others are left as they are.
            names: names of the columns, for `config.positions` and `config.geographic`.
            observe: points known before the future begins; the heading is read at the last one.

        Raises:
            ConfigError: a heading without `observe` or without two continuous columns to rotate,
                an unknown position, or no latitude and longitude for a geographic transform.
            DataError: values that cannot be latitudes.
        """
        heading = _heading(continuous, observe) if config.heading else None
        unknown = set(config.positions) - set(names)
        if unknown:
            raise ConfigError(
                f"expected positions among the columns {', '.join(names)}, "
                f"found {', '.join(sorted(unknown))}"
            )
        columns = tuple(
            c and (not config.positions or name in config.positions)
            for c, name in zip(continuous, names or ("",) * len(continuous), strict=True)
        )
        displacement = Displacement(columns) if config.displacement and any(columns) else None
        plane = _plane(config, names, columns)
        transform = cls(len(continuous), heading, displacement, plane=plane, causal=config.causal)
        if config.causal and not all(columns):
            raise ConfigError(
                "a causal transform needs positions alone: expected every column to be a position",
                hint=(
                    "leave the other columns out, or switch ",
                    Setting("transform.causal"),
                    " off",
                ),
            )
        if not config.standardise:
            return transform
        if displacement is not None:  # the first observed point fixes the plane of a track
            tracks = [
                x[np.isfinite(x[:, transform.is_increment]).all(-1).argmax() :] for x in tracks
            ]
        chunks = [tracks[i : i + FIT_AT_ONCE] for i in range(0, len(tracks), FIT_AT_ONCE)]
        encoded = [transform.encode(pad(c, max(map(len, c)), np.nan))[0] for c in chunks]
        values, count = (
            np.concatenate([part.reshape(-1, transform.dim) for part in parts])
            for parts in zip(*encoded, strict=True)
        )
        if config.causal:
            standardise = Standardise.isotropic(Increments(values, count))
        else:
            first = np.stack([x[0] for x in tracks])
            reach = np.stack([largest(x) for x in tracks])
            standardise = Standardise.fit(
                Increments(values, count),
                continuous,
                transform.is_increment,
                transform._far(reach, first).max(0),
            )
        return replace(transform, standardise=standardise)

    @property
    def given(self) -> int:
        """Time steps at the start of a track that are given and not scored."""
        return 0 if self.displacement is None else 1

    @property
    def is_increment(self) -> Bool[np.ndarray, " dim"]:
        """Columns whose value after a gap is the sum of several increments, (dim,)."""
        return np.array(self.displacement.columns if self.displacement else (False,) * self.dim)

    def metric_scale(self, first: Float[np.ndarray, "batch dim"]) -> Float[np.ndarray, "batch dim"]:
        """Return the length of one data unit before standardising, (batch, dim); see `Plane`.

        Args:
            first: first point of each track, in data units, (batch, dim).
        """
        return np.ones(first.shape) if self.plane is None else self.plane.metric_scale(first)

    def log_jacobian(self, first: Float[np.ndarray, "batch dim"]) -> Float[np.ndarray, "batch dim"]:
        """Return log |d v / d x| of each track and column, (batch, dim).

        Args:
            first: first point of each track, in data units, (batch, dim).
        """
        scale = self.standardise.scale if self.standardise else np.ones(self.dim)
        return np.log(self.metric_scale(first)) - np.log(scale)

    def _shift(self, first: Float[np.ndarray, "batch dim"]) -> Float[np.ndarray, "batch dim"]:
        """Return what is subtracted from the positions of a track: its first point, (batch, dim).

        It is 0 in columns that are not increments, and in both that a heading turns if one is not.
        """
        relative = self.is_increment
        if self.heading and not relative[:2].all():
            relative = relative & (np.arange(self.dim) > 1)
        return np.where(relative, first, 0.0)

    def _far(
        self, reach: Float[np.ndarray, "batch dim"], first: Float[np.ndarray, "batch dim"]
    ) -> Float[np.ndarray, "batch dim"]:
        """Return distances from the origin of the data, per column in transformed coordinates.

        Args:
            reach: absolute coordinates in data units, (batch, dim).
            first: first point of each track.
        """
        far = np.abs(reach) * self.metric_scale(first)
        if self.heading:
            far = np.concatenate([np.hypot(far[:, :1], far[:, 1:2]).repeat(2, 1), far[:, 2:]], 1)
        return far

    def encode(
        self,
        x: Float[np.ndarray, "batch time dim"],
        length: Int[np.ndarray, " batch"] | None = None,
    ) -> tuple[Increments, Anchor]:
        """Return model values for positions, and what ties the ends of the tracks to the data.

        With displacement the first time step is the origin and must be observed.

        Args:
            x: positions (batch, time, dim) in data units, NaN where missing.
            length: time steps of each track (batch,); the rest is padding. All when None.

        Returns:
            Values (batch, time - given, dim), and the anchor of the last time step.
        """
        first = x[:, 0]
        if self.plane is not None:
            self.plane.check(x)
        x = (x - self._shift(first)[:, None]) * self.metric_scale(first)[:, None]
        angle = self.heading.angle(x) if self.heading else np.zeros(len(x))
        x = rotate(x, -angle) if self.heading else x
        if self.displacement:
            far = self._far(self._shift(first), first)
            encoded, origin, last = self.displacement.encode(x, far)
        else:
            encoded, (origin, last) = Increments(x, np.ones(x.shape, np.int64)), last_observed(x)
        steps = np.full(len(x), x.shape[1]) if length is None else length
        anchor = Anchor(origin, steps[:, None] - 1 - last, angle, first)
        if self.standardise:
            encoded = encoded._replace(values=self.standardise.encode(encoded))
        return encoded, anchor

    def begin(self, first: Float[np.ndarray, "batch dim"]) -> Anchor:
        """Return the anchor of tracks that follow a first point and point along +x.

        Args:
            first: first point of each track, in data units, (batch, dim).
        """
        origin = (first - self._shift(first)) * self.metric_scale(first)
        return Anchor.zero(*first.shape)._replace(origin=origin, first=first)

    def position(self, anchor: Anchor) -> Float[np.ndarray, "batch dim"]:
        """Return the last observed position of each track in data units, (batch, dim)."""
        return self._to_data(anchor.origin[:, None], anchor)[:, 0]

    def encode_next(
        self, x: Float[np.ndarray, "batch candidate dim"], anchor: Anchor
    ) -> tuple[Float[np.ndarray, "batch candidate dim"], Anchor]:
        """Return model values of candidates for the next time step, equal to those of `encode`.

        Args:
            x: candidates (batch, candidate, dim), in data units.
            anchor: the end of each track.

        Returns:
            Values (batch, candidate, dim), and the anchor after the first candidate.
        """
        first = np.where(np.isnan(anchor.first), x[:, 0], anchor.first)
        x = (x - self._shift(first)[:, None]) * self.metric_scale(first)[:, None]
        x = rotate(x, -anchor.angle) if self.heading else x
        is_increment, since = self.is_increment, anchor.since + 1
        far = self._far(self._shift(first), first)
        moves = increments(x, anchor.origin[:, None], far[:, None])
        encoded = Increments(
            np.where(is_increment, moves, x), np.where(is_increment, since, 1)[:, None]
        )
        values = self.standardise.encode(encoded) if self.standardise else encoded.values
        observed = np.isfinite(x[:, 0])
        origin = np.where(observed, x[:, 0], anchor.origin)
        return values, Anchor(origin, np.where(observed, 0, since), anchor.angle, first)

    def decode(
        self,
        values: Float[np.ndarray, "sample batch time dim"],
        anchor: Anchor,
        gap: Float[np.ndarray, "sample batch dim"] | None = None,
    ) -> Float[np.ndarray, "sample batch time dim"]:
        """Return the positions of model values that follow the encoded time steps.

        Args:
            values: drawn values (sample, batch, time, dim).
            anchor: the end of each track.
            gap: sum of what the model drew since the last observed position, (sample, batch, dim).

        Returns:
            Positions (sample, batch, time, dim), in data units.
        """
        count = np.ones((*values.shape[-3:],), np.int64)
        if gap is not None:
            values = np.concatenate([gap[..., None, :], values], -2)
            count = np.concatenate([anchor.since[:, None], count], -2)
        drawn = Increments(values, count)
        if self.standardise:
            drawn = drawn._replace(values=self.standardise.decode(drawn))
        x = self.displacement.decode(drawn, anchor.origin) if self.displacement else drawn.values
        return self._to_data(x if gap is None else x[..., 1:, :], anchor)

    def _to_data(
        self, x: Float[np.ndarray, "*sample batch time dim"], anchor: Anchor
    ) -> Float[np.ndarray, "*sample batch time dim"]:
        """Return positions in data units of those in transformed coordinates."""
        x = rotate(x, anchor.angle) if self.heading else x
        x = x / self.metric_scale(anchor.first)[:, None]
        return x + self._shift(anchor.first)[:, None]

    def to_dict(self) -> dict[str, Any]:
        """Return the settings and the fitted numbers, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Transform":
        """Return the transform that `to_dict` described.

        Raises:
            ConfigError: an unknown or absent entry, or a value of another type.
        """
        return revive(cls, values, "transform", complete=True)


def _heading(continuous: tuple[bool, ...], observe: int | None) -> Heading:
    """Return the heading at the last observed point, or refuse the settings."""
    if observe is None or observe < 2:
        raise ConfigError(
            "a heading transform rotates tracks to their direction at the last observed point",
            setting="observe",
            expected="at least 2",
            found=observe,
            hint="set it to the rows that are known before the future begins",
        )
    if len(continuous) < 2 or not all(continuous[:2]):
        raise ConfigError(
            "a heading transform rotates the first two columns of x, which must be continuous"
        )
    return Heading(observe - 1)


def _plane(
    config: TransformConfig, names: tuple[str, ...], columns: tuple[bool, ...]
) -> Plane | None:
    """Return the plane of the columns of degrees; None if unused."""
    if not config.geographic:
        return None
    places = [i for i, increment in enumerate(columns) if increment]
    found = latitude_longitude([names[i] for i in places]) if names else None
    if found is None:
        positions = ", ".join(names[i] for i in places if names)
        raise ConfigError(
            "a geographic transform takes increments of one column whose name has the word lat, and "
            f"of one with lon: found the positions {positions or 'without names'}; "
            "name the columns x of the file so, and leave them among the positions"
        )
    return Plane(places[found[0]], places[found[1]], config.geographic)
