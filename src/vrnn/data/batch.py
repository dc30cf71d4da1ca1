"""The tensors that a model sees: padded, finite, in the units of the transform."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.errors import DataError

TIMED = ("x", "present", "u", "y", "y_present")
"""Fields with a time axis."""
SHARED = ("is_increment", "y_log_jacobian")
"""Fields without a batch axis."""


class Batch(NamedTuple):
    """A padded set of sequences in model units. `Batch.of` makes one from tensors with NaN.

    Attributes:
        x: observations, 0 where missing, (batch, time, dim).
        present: True where an entry of x is observed, (batch, time, dim).
        length: time steps of each sequence; the rest is padding, (batch,).
        u: known inputs, finite everywhere, (batch, time, inputs).
        y: supervised targets, 0 where missing, (batch, time, targets).
        y_present: True where an entry of y is observed, (batch, time, targets).
        is_increment: True for a dimension of increments. Its value after a gap is the sum of all
            increments since the last observed point, (dim,).
        log_jacobian: log |d x / d data| of each dimension; added to a log-density of x it gives
            that of the data, (batch, dim).
        y_log_jacobian: the same for y, (targets,).
    """

    x: Float[Tensor, "batch time dim"]
    present: Bool[Tensor, "batch time dim"]
    length: Int[Tensor, " batch"]
    u: Float[Tensor, "batch time inputs"]
    y: Float[Tensor, "batch time targets"]
    y_present: Bool[Tensor, "batch time targets"]
    is_increment: Bool[Tensor, " dim"]
    log_jacobian: Float[Tensor, "batch dim"]
    y_log_jacobian: Float[Tensor, " targets"]

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "batch time dim"],
        *,
        length: Int[Tensor, " batch"] | None = None,
        u: Float[Tensor, "batch time inputs"] | None = None,
        y: Float[Tensor, "batch time targets"] | None = None,
        is_increment: Bool[Tensor, " dim"] | None = None,
        log_jacobian: Float[Tensor, "batch dim"] | None = None,
        y_log_jacobian: Float[Tensor, " targets"] | None = None,
        factorises: bool = False,
    ) -> "Batch":
        """Return a batch of tensors in which NaN means missing.

        No transform is applied, and the model sees the units of the values. They are copied, so what
        the caller does with its tensors changes no batch.

        Args:
            x: observations (batch, time, dim), NaN where missing. Time steps past `length` are
                padding and may hold anything.
            length: time steps of each sequence (batch,); all of them when omitted.
            u: known inputs (batch, time, inputs), finite before `length`; none when omitted.
            y: supervised targets (batch, time, targets), NaN where missing; none when omitted.
            is_increment: dimensions of x that are increments (dim,); none when omitted.
            log_jacobian: log |d x / d data| (batch, dim), in nats; zeros when omitted.
            y_log_jacobian: the same for y (targets,); zeros when omitted.
            factorises: whether single entries of a point may be missing. Otherwise a point with
                any NaN is missing as a whole.

        Raises:
            DataError: tensors whose shapes do not fit together.

        >>> batch = Batch.of(torch.tensor([[[1.0, 2.0], [float("nan"), 3.0]]]))
        >>> batch.mask.tolist(), batch.x[0, 1].tolist()
        ([[True, False]], [0.0, 0.0])
        """
        _check_shapes(x, length, u, y)
        count, time, dim = x.shape
        nothing = x.new_zeros(count, time, 0)
        in_sequence = None  # everywhere
        if length is not None:
            in_sequence = (torch.arange(time, device=x.device) < length[:, None])[..., None]
            u = None if u is None else u.where(in_sequence, 0.0)
        elif u is not None:
            u = u.clone()
        present = _present(x, in_sequence, factorises)
        y_present = nothing.bool() if y is None else _present(y, in_sequence, factorises)
        return cls(
            x=x.where(present, 0.0),
            present=present,
            length=torch.full((count,), time, device=x.device)
            if length is None
            else length.clone(),
            u=nothing if u is None else u,
            y=nothing if y is None else y.where(y_present, 0.0),
            y_present=y_present,
            is_increment=torch.zeros(dim, dtype=torch.bool, device=x.device)
            if is_increment is None
            else is_increment.clone(),
            log_jacobian=x.new_zeros(count, dim) if log_jacobian is None else log_jacobian.clone(),
            y_log_jacobian=x.new_zeros(0 if y is None else y.shape[-1])
            if y_log_jacobian is None
            else y_log_jacobian.clone(),
        )

    @property
    def mask(self) -> Bool[Tensor, "batch time"]:
        """True where some entry of the time step is observed."""
        return self.present.any(-1)

    @property
    def log_jacobian_per_step(self) -> Float[Tensor, "batch time"]:
        """Log-Jacobian of the observed entries of each time step, in nats.

        Added to their log-density in model units it gives that in data units.
        """
        return (self.present * self.log_jacobian[:, None]).sum(-1)

    @property
    def has_missing(self) -> bool:
        """Whether an entry of some sequence is missing; padding does not count."""
        return bool((self.in_sequence[..., None] & ~self.present).any())

    @property
    def in_sequence(self) -> Bool[Tensor, "batch time"]:
        """True on the time steps of a sequence, False on padding."""
        return torch.arange(self.x.shape[1], device=self.length.device) < self.length[:, None]

    def to(self, like: Tensor) -> "Batch":
        """Return the batch on the device of `like`, with floating tensors in its dtype."""
        device, dtype = like.device, like.dtype
        return Batch(
            *[t.to(device, dtype) if t.is_floating_point() else t.to(device) for t in self]
        )

    def sequences(self, index: slice | Tensor) -> "Batch":
        """Return the sequences that an index selects."""
        return self._replace(
            **{name: t[index] for name, t in self._asdict().items() if name not in SHARED}
        )

    def joined(self, other: "Batch") -> "Batch":
        """Return these sequences and others, the shorter ones padded."""
        time = max(self.x.shape[1], other.x.shape[1])
        found = {}
        for name, mine in self._asdict().items():
            parts = mine, getattr(other, name)
            if name in TIMED:
                parts = [pad_time(t, 1, time) for t in parts]
            found[name] = mine if name in SHARED else torch.cat(list(parts))
        return Batch(**found)

    def split(self, observe: int) -> tuple["Batch", "Batch"]:
        """Return every sequence cut after its first `observe` time steps: (prefix, rest)."""
        prefix = {name: getattr(self, name)[:, :observe] for name in TIMED}
        rest = {name: getattr(self, name)[:, observe:] for name in TIMED}
        return (
            self._replace(length=self.length.clamp(max=observe), **prefix),
            self._replace(length=(self.length - observe).clamp(min=0), **rest),
        )

    def time_steps(self, start: int, stop: int) -> "Batch":
        """Return the time steps from `start` up to `stop`."""
        return self.after(start).split(stop - start)[0]

    def after(self, start: int) -> "Batch":
        """Return the batch without the first `start` time steps."""
        return self.split(start)[1]

    def split_at(self, cut: Int[Tensor, " batch"]) -> tuple["Batch", "Batch"]:
        """Return each sequence cut at its own time step: (prefix, rest).

        Each rest is moved to begin at time step 0.

        Args:
            cut: time steps of each prefix, (batch,).
        """
        if bool((cut == cut[0]).all()):
            return self.split(int(cut[0]))
        time = self.x.shape[1]
        index = (torch.arange(time, device=cut.device) + cut[:, None]).clamp(max=time - 1)
        each = torch.arange(len(cut), device=cut.device)[:, None]
        length = (self.length - cut).clamp(min=0)
        in_rest = (torch.arange(time, device=cut.device) < length[:, None])[..., None]
        moved = {name: getattr(self, name)[each, index] for name in ("x", "u", "y")}
        observed = {
            name: getattr(self, name)[each, index] & in_rest for name in ("present", "y_present")
        }
        longest = int(length.max())
        rest = self._replace(
            length=length, **{k: v[:, :longest] for k, v in {**moved, **observed}.items()}
        )
        prefix, _ = self.split(int(cut.max()))
        in_prefix = (torch.arange(prefix.x.shape[1], device=cut.device) < cut[:, None])[..., None]
        return prefix._replace(
            length=torch.minimum(self.length, cut),
            present=prefix.present & in_prefix,
            y_present=prefix.y_present & in_prefix,
        ), rest

    def split_prefix(self, observe: int) -> tuple["Batch", "Batch", Int[Tensor, " batch"]]:
        """Return each sequence cut after its last observed point among the first `observe`.

        A model that continues from a point needs such a prefix.

        Returns:
            The prefixes, the rests moved to begin at time step 0, and the time steps of each
            prefix, (batch,).
        """
        time = torch.arange(1, self.x.shape[1] + 1, device=self.length.device)
        cut = torch.where(self.mask[:, :observe], time[:observe], 0).amax(-1)
        return *self.split_at(cut), cut

    def swap_target(self) -> "Batch":
        """Return the batch of a supervised model: y is the observation, x part of the inputs.

        The inputs get one more column, 1 where a point of x is missing and 0 elsewhere.
        """
        missing = (~self.present.all(-1, keepdim=True)).to(self.x.dtype)
        nothing = self.x[..., :0]
        return self._replace(
            x=self.y,
            present=self.y_present,
            u=torch.cat([self.u, self.x, missing], -1),
            y=nothing,
            y_present=nothing.bool(),
            is_increment=torch.zeros_like(self.y_log_jacobian, dtype=torch.bool),
            log_jacobian=self.y_log_jacobian.expand(len(self.x), -1),
            y_log_jacobian=self.y_log_jacobian[:0],
        )


def pad_time(t: Tensor, axis: int, time: int) -> Tensor:
    """Return a tensor with zeros behind, so that its time axis has `time` entries."""
    shape = list(t.shape)
    shape[axis] = time - shape[axis]
    return t if shape[axis] == 0 else torch.cat([t, t.new_zeros(shape)], axis)


def _present(
    values: Float[Tensor, "batch time dim"],
    in_sequence: Bool[Tensor, "batch time 1"] | None,
    factorises: bool,
) -> Bool[Tensor, "batch time dim"]:
    """Return True where an entry is observed; None for `in_sequence` means no padding."""
    observed = values.isfinite()
    observed = observed if in_sequence is None else observed & in_sequence
    if factorises or values.shape[-1] < 2:
        return observed
    return observed.all(-1, keepdim=True).expand_as(observed)


def _check_shapes(x: Tensor, length: Tensor | None, u: Tensor | None, y: Tensor | None) -> None:
    """Refuse tensors whose shapes do not fit together."""
    if x.ndim != 3:
        raise DataError(
            f"expected x of shape (batch, time, dim), found {tuple(x.shape)}; "
            "add the missing axis, as x[None] does for one sequence"
        )
    for name, values in (("u", u), ("y", y)):
        if values is not None and (values.ndim != 3 or values.shape[:2] != x.shape[:2]):
            raise DataError(
                f"expected {name} of shape ({x.shape[0]}, {x.shape[1]}, width) as x has, "
                f"found {tuple(values.shape)}"
            )
    if length is not None and length.shape != x.shape[:1]:
        raise DataError(
            f"expected length of shape ({x.shape[0]},), one number for each sequence, "
            f"found {tuple(length.shape)}"
        )
