"""How tracks become batches and draws become tracks again: the transform, the inputs and the targets of one model."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vrnn.data.batch import Batch, make_batch
from vrnn.data.tracks import Tracks
from vrnn.data.transforms import Anchor, Transform, TransformConfig, pad
from vrnn.distributions import Family
from vrnn.errors import ConfigError, DataError

Change = Callable[
    [np.ndarray], np.ndarray
]  # of padded positions (batch, time, dim), such as an augmentation


def carry_forward(values: np.ndarray) -> np.ndarray:
    """Replace each NaN (batch, time, width) by the last value before it, or by 0 where there is none.

    >>> carry_forward(np.array([[[np.nan], [1.0], [np.nan]]]))[0, :, 0].tolist()
    [0.0, 1.0, 1.0]
    """
    index = np.maximum.accumulate(
        np.where(np.isfinite(values), np.arange(values.shape[1])[:, None], 0), axis=1
    )
    return np.nan_to_num(np.take_along_axis(values, index, axis=1))


@dataclass(frozen=True)
class Preprocessor:
    """Hold all that ties a model's units to the columns of a file; saved with the model.

    Attributes:
        transform: the map of x.
        x_names, u_names, y_names: columns, in order.
        u_gaps: for each input, whether training data had gaps, so that a 0/1 column for them is added.
        u_mean, u_scale, y_mean, y_scale: standardisation of inputs and targets.
        time_input: whether the time since the row before, in usual steps, is an input.
        step: the usual time step of the training data.
        factorises: whether single entries of an observation may be missing.
        place_mean, place_scale: standardisation of the positions that increments lead on from, where those are inputs; empty
            where they are not.
    """

    transform: Transform
    x_names: tuple[str, ...]
    u_names: tuple[str, ...] = ()
    y_names: tuple[str, ...] = ()
    u_gaps: tuple[bool, ...] = ()
    u_mean: tuple[float, ...] = ()
    u_scale: tuple[float, ...] = ()
    y_mean: tuple[float, ...] = ()
    y_scale: tuple[float, ...] = ()
    time_input: bool = False
    step: float = 1.0
    factorises: bool = False
    place_mean: tuple[float, ...] = ()
    place_scale: tuple[float, ...] = ()

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
        """Fit on training tracks.

        Args:
            family: the model's emission; its masses are not standardised.
            supervised: the emission is of y, and all of x is continuous.
            observe: points known before the future begins, for a heading transform.
            time_input: make the time between rows an input.
            position_input: make the position that an increment leads on from an input.
        """
        x_continuous = (True,) * tracks.x_dim if supervised else family.continuous
        y_continuous = np.array(family.continuous if supervised else (True,) * tracks.y_dim)
        u_mean, u_scale = _moments(tracks.u)
        y_mean, y_scale = _moments(tracks.y)
        transform = Transform.fit(
            tracks.x, config, x_continuous, names=tracks.x_names, observe=observe
        )
        place_mean, place_scale = (
            part[transform.is_increment & position_input] for part in _moments(tracks.x)
        )
        return cls(
            transform=transform,
            x_names=tracks.x_names,
            u_names=tracks.u_names,
            y_names=tracks.y_names if supervised else (),
            u_gaps=tuple(np.any([np.isnan(a).any(0) for a in tracks.u], 0).tolist())
            if tracks.u_dim
            else (),
            u_mean=tuple(u_mean.tolist()),
            u_scale=tuple(u_scale.tolist()),
            y_mean=tuple(np.where(y_continuous, y_mean, 0.0).tolist()) if supervised else (),
            y_scale=tuple(np.where(y_continuous, y_scale, 1.0).tolist()) if supervised else (),
            time_input=time_input,
            step=tracks.step,
            factorises=family.factorises,
            place_mean=tuple(place_mean.tolist()),
            place_scale=tuple(place_scale.tolist()),
        )

    @property
    def u_dim(self) -> int:
        """Width of the inputs that a batch has, start and factor of each position among them."""
        return len(self.u_names) + sum(self.u_gaps) + self.time_input + 2 * len(self.place_mean)

    @property
    def model_u_dim(self) -> int:
        """Width of the inputs that a model is made for: a position has one; see `Placed`."""
        return self.u_dim - len(self.place_mean)

    @property
    def drift(self) -> np.ndarray:
        """What each increment has been centred by, in model units, of the columns whose position is an input."""
        standard = self.transform.standardise
        mean, scale = (
            (standard.mean, standard.scale)
            if standard
            else (np.zeros(self.transform.dim), np.ones(self.transform.dim))
        )
        return (np.array(mean) / np.array(scale))[self.transform.is_increment][
            : len(self.place_mean)
        ]

    @property
    def relative_scale(self) -> np.ndarray:
        """What model units of increments are multiplied by to be the same length in every column, near 1; 1 for other columns."""
        is_increment, standard = self.transform.is_increment, self.transform.standardise
        scale = np.ones(self.transform.dim)
        if standard and is_increment.any():
            lengths = np.array(standard.scale)[is_increment]
            scale[is_increment] = lengths / np.sqrt((lengths**2).mean())
        return scale

    def check(self, tracks: Tracks) -> None:
        """Refuse tracks whose columns are not those of the training data; targets may be absent.

        Raises:
            DataError: names the columns expected and found.
        """
        for role, needed in (("x", self.x_names), ("u", self.u_names), ("y", self.y_names)):
            found = getattr(tracks, f"{role}_names")
            free = role == "y" and (
                not needed or not found
            )  # targets that nobody reads, or that are to be drawn
            if len(found) != len(needed) and not free:
                raise DataError(
                    f"the model was trained with {role} columns ({', '.join(needed) or 'none'}); the data has "
                    f"({', '.join(found) or 'none'}); map the columns of the file to the same roles"
                )
        kinds = [name for name in self.u_names if "=" in name]
        if kinds and tracks.u_names != self.u_names:
            raise DataError(
                f"the model was trained with the inputs {', '.join(self.u_names)}, the data has {', '.join(tracks.u_names)}: columns of kinds "
                f"are named after the kinds found; read the data with Columns(u=model.preprocessor.u_names)"
            )

    def batch(self, tracks: Tracks, change: Change | None = None) -> tuple[Batch, Anchor]:
        """Encode tracks into one padded batch and what ties their ends to the data.

        Args:
            tracks: each must have its first row of x observed where the transform takes displacements (see `trim`).
            change: applied to positions before the transform.
        """
        self.check(tracks)
        given, lengths = self.transform.given, tracks.lengths
        time = int(lengths.max())
        x = pad(tracks.x, time, np.nan)
        if given and np.isnan(x[:, 0, self.transform.is_increment]).any():
            bad = tracks.ids[int(np.isnan(x[:, 0, self.transform.is_increment]).any(-1).argmax())]
            raise DataError(
                f"track {bad}: its first point is missing, and displacements start from it; drop leading gaps"
            )
        x = x if change is None else change(x)
        x[:, given:] = self.whole_rows(x[:, given:])
        path, anchor = self.transform.encode(x, lengths)
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
        return self.tensors(path.values, u, y, anchor.first, length).to(torch.zeros(())), anchor

    def tensors(
        self,
        values: Float[np.ndarray, "batch time dim"],
        u: Float[Tensor, "batch time inputs"] | None,
        y: Float[np.ndarray, "batch time targets"] | None,
        first: Float[np.ndarray, "batch dim"],
        length: Int[Tensor, " batch"] | None = None,
    ) -> Batch:
        """Make a batch of rows in the transform's values, with encoded inputs and targets in data units, None where there are none.

        Args:
            first: first points of the tracks, which fix the size of a data unit on a globe.
            length: rows of each sequence; all of them when None.
        """
        target = {}
        if y is not None:
            scale = np.array(self.y_scale)
            target["y"] = torch.from_numpy((y - np.array(self.y_mean)) / scale)
            target["y_log_jacobian"] = -torch.from_numpy(np.log(scale))
        return make_batch(
            torch.from_numpy(values),
            length=length,
            u=u,
            is_increment=torch.from_numpy(self.transform.is_increment),
            log_jacobian=torch.from_numpy(self.transform.log_jacobian(first)),
            factorises=self.factorises,
            **target,
        )

    def whole_rows(self, x: np.ndarray) -> np.ndarray:
        """Take rows (..., dim) that lack an entry for missing as a whole where the emission does; increments start anew after them."""
        if self.factorises or self.y_names:
            return x
        return np.where(np.isnan(x).any(-1, keepdims=True), np.nan, x)

    def inputs(
        self, u: np.ndarray, times: np.ndarray, first: np.ndarray
    ) -> Float[Tensor, "batch time inputs"]:
        """Encode raw inputs (batch, time, U) and times (batch, time, 1): gaps filled, 0/1 columns, time steps.

        With positions as inputs, also where each track started, from its first row (batch, dim), and what its sum of increments
        in model units is multiplied by to give the way from there.
        """
        gaps = np.isnan(u)[..., np.array(self.u_gaps, bool)].astype(float)
        filled = np.where(
            unseen(u), 0.0, (carry_forward(u) - np.array(self.u_mean)) / np.array(self.u_scale)
        )
        parts = [filled, gaps]
        if self.time_input:
            steps = np.diff(times, axis=1, prepend=times[:, :1] - self.step) / self.step
            parts.append(np.nan_to_num(steps))
        if self.place_mean:
            transform, scale = self.transform, np.array(self.place_scale)
            unit = (
                transform.standardise.scale if transform.standardise else np.ones(transform.dim)
            ) / transform.stretch(first)
            start = (first[:, transform.is_increment] - np.array(self.place_mean)) / scale
            constant = np.concatenate([start, unit[:, transform.is_increment] / scale], -1)
            parts.append(
                np.broadcast_to(
                    np.nan_to_num(constant)[:, None], (*u.shape[:2], constant.shape[-1])
                )
            )
        return torch.from_numpy(np.concatenate(parts, -1))

    def trim(self, tracks: Tracks, least: int = 1, *, ends: bool = True) -> Tracks:
        """Drop leading (and, with `ends`, trailing) rows without any x, then tracks of fewer than `least` rows."""
        need_first = (
            self.transform.is_increment
            if self.transform.given
            else np.ones(self.transform.dim, bool)
        )
        kept = []
        for i, x in enumerate(tracks.x):
            there = np.isfinite(x)
            if there.all() and len(x) >= least:
                kept.append((i, slice(None)))
                continue
            starts = np.flatnonzero(
                there[:, need_first].all(-1) if self.transform.given else there.any(-1)
            )
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
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessor":
        values = (
            dict[str, Any](place_mean=(), place_scale=()) | values
        )  # which older runs do not have
        unknown = set(values) ^ {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(
                f"preprocessor: unknown or absent entries {', '.join(sorted(unknown))}"
            )
        revived: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        revived["transform"] = Transform.from_dict(values["transform"])
        return cls(**revived)


def unseen(values: np.ndarray) -> np.ndarray:
    """Tell where no value has been seen yet, (batch, time, width)."""
    return ~np.maximum.accumulate(np.isfinite(values), axis=1)


def _moments(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column, ignoring NaN; scale 1 for a column that does not vary."""
    rows = np.concatenate(arrays)
    there = np.isfinite(rows)
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, rows, 0.0).sum(0) / count
    scale = np.sqrt((np.where(there, rows - mean, 0.0) ** 2).sum(0) / count)
    return mean, np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)
