"""One model's way from tracks to batches: the transform, the inputs and the targets."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vrnn.data.arrays import before_first_value, carry_forward, mean_and_scale, pad
from vrnn.data.batch import Batch
from vrnn.data.tracks import Tracks, default_names
from vrnn.data.transforms import Anchor, Transform, TransformConfig
from vrnn.data.transforms.causal import FEATURES
from vrnn.distributions import Family
from vrnn.errors import DataError, Setting, warn
from vrnn.stored import revive

Change = Callable[[Float[np.ndarray, "batch time dim"]], Float[np.ndarray, "batch time dim"]]
"""A change of padded positions, such as an augmentation."""


@dataclass(frozen=True)
class Preprocessor:
    """All that ties a model's units to the columns of a file; it is saved with the model.

    Attributes:
        transform: the map of x.
        x_names, u_names, y_names: columns, in order.
        u_has_missing: for each input, whether training data lacked values; a 0/1 column then says
            where.
        u_mean, u_scale, y_mean, y_scale: standardisation of inputs and targets.
        time_input: whether the time since the row before, in usual steps, is an input.
        step: the usual time step of the training data.
        factorises: whether single entries of an observation may be missing.
        position_mean, position_scale: standardisation of the positions before each increment, where
            these are inputs; else empty.
    """

    transform: Transform
    x_names: tuple[str, ...]
    u_names: tuple[str, ...] = ()
    y_names: tuple[str, ...] = ()
    u_has_missing: tuple[bool, ...] = ()
    u_mean: tuple[float, ...] = ()
    u_scale: tuple[float, ...] = ()
    y_mean: tuple[float, ...] = ()
    y_scale: tuple[float, ...] = ()
    time_input: bool = False
    step: float = 1.0
    factorises: bool = False
    position_mean: tuple[float, ...] = ()
    position_scale: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        tracks: Tracks,
        config: TransformConfig,
        family: Family,
        *,
        supervised: bool = False,
        observe: int | None = None,
        time_input: bool = False,
        position_input: bool = False,
    ) -> "Preprocessor":
        """Return the preprocessor that fits a set of training tracks.

        Args:
            tracks: the training data.
            config: the parts of the transform.
            family: the model's emission; its discrete columns are not standardised.
            supervised: whether the emission is of y; all of x is then continuous.
            observe: points known before the future begins, for a heading transform.
            time_input: make the time between rows an input.
            position_input: make the position before each increment an input.
        """
        x_continuous = (True,) * tracks.x_dim if supervised else family.continuous
        y_continuous = np.array(family.continuous if supervised else (True,) * tracks.y_dim)
        u_mean, u_scale = mean_and_scale(tracks.u)
        y_mean, y_scale = mean_and_scale(tracks.y)
        transform = Transform.fit(
            tracks.x, config, x_continuous, names=tracks.x_names, observe=observe
        )
        position_mean, position_scale = (
            part[transform.is_increment & position_input] for part in mean_and_scale(tracks.x)
        )
        return cls(
            transform=transform,
            x_names=tracks.x_names,
            u_names=tracks.u_names,
            y_names=tracks.y_names if supervised else (),
            u_has_missing=tuple(np.any([np.isnan(a).any(0) for a in tracks.u], 0).tolist())
            if tracks.u_dim
            else (),
            u_mean=tuple(u_mean.tolist()),
            u_scale=tuple(u_scale.tolist()),
            y_mean=tuple(np.where(y_continuous, y_mean, 0.0).tolist()) if supervised else (),
            y_scale=tuple(np.where(y_continuous, y_scale, 1.0).tolist()) if supervised else (),
            time_input=time_input,
            step=tracks.step,
            factorises=family.factorises,
            position_mean=tuple(position_mean.tolist()),
            position_scale=tuple(position_scale.tolist()),
        )

    @property
    def u_dim(self) -> int:
        """Width of the inputs of a batch; each position counts twice, with its start and factor."""
        columns = len(self.u_names) + sum(self.u_has_missing) + self.time_input
        return columns + 2 * len(self.position_mean)

    @property
    def model_u_dim(self) -> int:
        """Width of the inputs of a network, where each position counts once.

        See `PositionConditioned`. A causal transform adds its features, see
        `CausalCoordinates`.
        """
        return self.u_dim - len(self.position_mean) + FEATURES * self.transform.causal

    @property
    def drift(self) -> Float[np.ndarray, " position"]:
        """Mean increment of the columns whose position is an input, in model units."""
        standard, count = self.transform.standardise, len(self.position_mean)
        if not standard:
            return np.zeros(min(count, int(self.transform.is_increment.sum())))
        drift = np.array(standard.mean) / np.array(standard.scale)
        return drift[self.transform.is_increment][:count]

    @property
    def relative_scale(self) -> Float[np.ndarray, " dim"]:
        """Factors near 1 that give increments of all columns the same unit; 1 for other columns."""
        is_increment, standard = self.transform.is_increment, self.transform.standardise
        scale = np.ones(self.transform.dim)
        if standard and is_increment.any():
            lengths = np.array(standard.scale)[is_increment]
            scale[is_increment] = lengths / np.sqrt((lengths**2).mean())
        return scale

    def in_order(self, tracks: Tracks) -> Tracks:
        """Return tracks with the columns of the training data, in their order.

        Columns go by their names. Arrays have none, and a model that was trained on arrays has
        none; then the order counts. Targets may be absent.

        Raises:
            DataError: names the columns expected and found.
        """
        self.check(tracks)
        changed: dict[str, Any] = {}
        for role in ("x", "u", "y"):
            needed, found = getattr(self, f"{role}_names"), getattr(tracks, f"{role}_names")
            if not needed or not found or needed == found:
                continue
            if sorted(needed) == sorted(found):
                order = [found.index(name) for name in needed]
                changed[role] = [a[:, order] for a in getattr(tracks, role)]
                changed[f"{role}_names"] = needed
            elif not tracks.origin.source and found == default_names(role, len(found)):
                changed[f"{role}_names"] = needed
            elif needed == default_names(role, len(needed)):
                warn(
                    f"the model was trained with {role} columns ({', '.join(needed)}): "
                    f"{', '.join(found)} are taken in this order"
                )
            else:
                raise self._other_columns(role, found)
        return replace(tracks, **changed) if changed else tracks

    def check(self, tracks: Tracks) -> None:
        """Refuse tracks that have not as many columns as the training data.

        Targets may be absent.

        Raises:
            DataError: names the columns expected and found.
        """
        for role, needed in (("x", self.x_names), ("u", self.u_names), ("y", self.y_names)):
            found = getattr(tracks, f"{role}_names")
            # targets that nobody reads, or that the model draws
            free = role == "y" and (not needed or not found)
            if len(found) != len(needed) and not free:
                raise self._other_columns(role, found)
        categories = [name for name in self.u_names if "=" in name]
        if categories and sorted(tracks.u_names) != sorted(self.u_names):
            raise DataError(
                f"the model was trained with the inputs {', '.join(self.u_names)}, "
                f"the data has {', '.join(tracks.u_names)}",
                cause="inputs are named after the categories found in a column",
                hint=("read the data with ", Setting("Columns.u", self.u_names)),
            )

    def _other_columns(self, role: str, found: tuple[str, ...]) -> DataError:
        """Return the error for columns that are not those of the training data."""
        needed = getattr(self, f"{role}_names")
        way_out = (
            *("read the data with ", Setting(f"Columns.{role}", needed)),
            ", or rename columns of the file",
        )
        return DataError(
            f"the model was trained with {role} columns ({', '.join(needed) or 'none'}); "
            f"the data has ({', '.join(found) or 'none'})",
            hint=way_out if needed else ("leave ", Setting(f"Columns.{role}", found), " out"),
        )

    def batch(self, tracks: Tracks, change: Change | None = None) -> tuple[Batch, Anchor]:
        """Return the tracks as one padded batch, and what ties their ends to the data.

        Args:
            tracks: with displacement each must have its first row of x observed, see `trim`.
            change: a change of the positions before the transform.

        Raises:
            DataError: other columns than in training, or a first point that is missing.
        """
        self.check(tracks)
        given, lengths = self.transform.given, tracks.lengths
        time = int(lengths.max())
        x = pad(tracks.x, time, np.nan)
        if given and np.isnan(x[:, 0, self.transform.is_increment]).any():
            bad = tracks.ids[int(np.isnan(x[:, 0, self.transform.is_increment]).any(-1).argmax())]
            raise DataError(
                f"track {bad}: its first point is missing, and displacements start from it; "
                "drop leading gaps"
            )
        x = x if change is None else change(x)
        x[:, given:] = self.mask_partial_points(x[:, given:])
        encoded, anchor = self.transform.encode(x, lengths)
        times = pad([t[:, None] for t in tracks.times], time, np.nan)
        y = None
        if self.y_names:
            targets = (
                tracks.y
                if tracks.y_dim
                else [np.full((n, len(self.y_names)), np.nan) for n in lengths]
            )
            y = pad(targets, time, np.nan)[:, given:]
        u = self.inputs(pad(tracks.u, time, np.nan), times, anchor.first)[:, given:]
        length = torch.from_numpy(lengths - given)
        batch = self.tensors(encoded.values, u, y, anchor.first, length)
        return batch.to(torch.zeros(())), anchor

    def tensors(
        self,
        values: Float[np.ndarray, "batch time dim"],
        u: Float[Tensor, "batch time inputs"] | None,
        y: Float[np.ndarray, "batch time targets"] | None,
        first: Float[np.ndarray, "batch dim"],
        length: Int[Tensor, " batch"] | None = None,
    ) -> Batch:
        """Return a batch of transformed values, encoded inputs and targets in data units.

        Args:
            values: values of the transform (batch, time, dim).
            u: encoded inputs, see `inputs`; none when None.
            y: targets in data units; none when None.
            first: first points of the tracks, which fix the length of a degree on a globe.
            length: time steps of each sequence; all when None.
        """
        target = {}
        if y is not None:
            scale = np.array(self.y_scale)
            target["y"] = torch.from_numpy((y - np.array(self.y_mean)) / scale)
            target["y_log_jacobian"] = -torch.from_numpy(np.log(scale))
        return Batch.of(
            torch.from_numpy(values),
            length=length,
            u=u,
            is_increment=torch.from_numpy(self.transform.is_increment),
            log_jacobian=torch.from_numpy(self.transform.log_jacobian(first)),
            factorises=self.factorises,
            **target,
        )

    def mask_partial_points(
        self, x: Float[np.ndarray, "*batch dim"]
    ) -> Float[np.ndarray, "*batch dim"]:
        """Return points with all entries missing where one is, unless the emission factorises.

        The increment after such a point starts from the point before it.
        """
        if self.factorises or self.y_names:
            return x
        return np.where(np.isnan(x).any(-1, keepdims=True), np.nan, x)

    def inputs(
        self,
        u: Float[np.ndarray, "batch time columns"],
        times: Float[np.ndarray, "batch time 1"],
        first: Float[np.ndarray, "batch dim"],
    ) -> Float[Tensor, "batch time inputs"]:
        """Return the inputs of a model.

        The columns are, in this order:

            the inputs of the tracks, with gaps filled, standardised
            0/1 columns that mark missing values
            the time since the row before, where it is an input
            the start of each position that is an input
            the factor that turns the sum of its increments into the displacement from the start

        Args:
            u: input columns in data units (batch, time, U), NaN where missing.
            times: times of the rows (batch, time, 1).
            first: first points of the tracks (batch, dim).
        """
        missing = np.isnan(u)[..., np.array(self.u_has_missing, bool)].astype(float)
        standard = (carry_forward(u) - np.array(self.u_mean)) / np.array(self.u_scale)
        parts = [np.where(before_first_value(u), 0.0, standard), missing]
        if self.time_input:
            steps = np.diff(times, axis=1, prepend=times[:, :1] - self.step) / self.step
            parts.append(np.nan_to_num(steps))
        if self.position_mean:
            constant = np.nan_to_num(self._start_and_factor(first))[:, None]
            parts.append(np.broadcast_to(constant, (*u.shape[:2], constant.shape[-1])))
        return torch.from_numpy(np.concatenate(parts, -1))

    def _start_and_factor(
        self, first: Float[np.ndarray, "batch dim"]
    ) -> Float[np.ndarray, "batch twice_positions"]:
        """Return the start of each position that is an input, then the factor of its increments."""
        transform, scale = self.transform, np.array(self.position_scale)
        standard = transform.standardise
        scales = standard.scale if standard else np.ones(transform.dim)
        unit = scales / transform.metric_scale(first)
        start = (first[:, transform.is_increment] - np.array(self.position_mean)) / scale
        return np.concatenate([start, unit[:, transform.is_increment] / scale], -1)

    def trim(self, tracks: Tracks, least: int = 1, *, ends: bool = True) -> Tracks:
        """Return the tracks without leading rows that have no x, and without too short tracks.

        With displacement the first row that is kept has every position observed.

        Args:
            tracks: any tracks.
            least: rows that a track must have to be kept.
            ends: drop trailing rows without x too.
        """
        needed, given = self.transform.is_increment, self.transform.given
        kept = []
        for i, x in enumerate(tracks.x):
            there = np.isfinite(x)
            if there.all() and len(x) >= least:
                kept.append((i, slice(None)))
                continue
            starts = np.flatnonzero(there[:, needed].all(-1) if given else there.any(-1))
            stop = np.flatnonzero(there.any(-1)).max(initial=-1) + 1 if ends else len(x)
            if len(starts) and stop - starts[0] >= least:
                kept.append((i, slice(starts[0], stop)))
        part = lambda arrays: [arrays[i][rows] for i, rows in kept]  # noqa: E731
        return replace(
            tracks,
            x=part(tracks.x),
            ids=[tracks.ids[i] for i, _ in kept],
            times=part(tracks.times),
            u=part(tracks.u),
            y=part(tracks.y),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings and the fitted numbers, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessor":
        """Return the preprocessor that `to_dict` described.

        Raises:
            ConfigError: unknown or absent entries, as those of a run of another version, or a value
                of another type.
        """
        return revive(cls, values, "preprocessor", complete=True)
