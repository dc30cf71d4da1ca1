"""The tensors a model sees: padded, finite, in the units of the transform."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Batch(NamedTuple):
    """Hold a padded set of sequences in model units.

    Attributes:
        x: observations, 0 where missing, (batch, time, dim).
        present: True where an entry of x is observed, (batch, time, dim).
        length: rows that belong to each sequence; the rest is padding, (batch,).
        u: known inputs, finite everywhere, (batch, time, inputs).
        y: supervised targets, 0 where missing, (batch, time, targets).
        y_present: True where an entry of y is observed, (batch, time, targets).
        is_increment: dimensions whose value after a gap is the sum of all increments since the last observed one, (dim,).
        log_jacobian: log |d x / d data| for each dimension, what turns densities of x into those of the data, (batch, dim).
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

    @property
    def mask(self) -> Bool[Tensor, "batch time"]:
        """True where some entry of the row is observed."""
        return self.present.any(-1)

    @property
    def density(self) -> Float[Tensor, "batch time"]:
        """What turns the log-density of each row's observed entries from model units into data units."""
        return (self.present * self.log_jacobian[:, None]).sum(-1)

    @property
    def gaps(self) -> bool:
        """Whether an entry of some row is missing."""
        return bool((self.alive[..., None] & ~self.present).any())

    @property
    def alive(self) -> Bool[Tensor, "batch time"]:
        """True on the rows of a sequence, False on padding."""
        return torch.arange(self.x.shape[1], device=self.length.device) < self.length[:, None]

    def to(self, like: Tensor) -> "Batch":
        """Move to the device of `like`, floating tensors to its dtype."""
        device, dtype = like.device, like.dtype
        return Batch(
            *[t.to(device, dtype) if t.is_floating_point() else t.to(device) for t in self]
        )

    def rows(self, index: slice | Tensor) -> "Batch":
        """Select sequences."""
        shared = ("is_increment", "y_log_jacobian")
        return self._replace(
            **{name: t[index] for name, t in self._asdict().items() if name not in shared}
        )

    def split(self, observe: int) -> tuple["Batch", "Batch"]:
        """Cut every sequence after its first `observe` rows: (prefix, rest)."""
        timed = ("x", "present", "u", "y", "y_present")
        prefix = {name: getattr(self, name)[:, :observe] for name in timed}
        rest = {name: getattr(self, name)[:, observe:] for name in timed}
        return (
            self._replace(length=self.length.clamp(max=observe), **prefix),
            self._replace(length=(self.length - observe).clamp(min=0), **rest),
        )

    def steps(self, start: int, stop: int) -> "Batch":
        """Select the rows from `start` up to `stop`."""
        return self.after(start).split(stop - start)[0]

    def after(self, start: int) -> "Batch":
        """Drop the first `start` rows."""
        return self.split(start)[1]

    def split_at(self, cut: Int[Tensor, " batch"]) -> tuple["Batch", "Batch"]:
        """Cut each sequence after its own number of rows: (prefix, rest), the rest moved to begin at row 0."""
        if bool((cut == cut[0]).all()):
            return self.split(int(cut[0]))
        time = self.x.shape[1]
        index = (torch.arange(time, device=cut.device) + cut[:, None]).clamp(max=time - 1)
        each = torch.arange(len(cut), device=cut.device)[:, None]
        length = (self.length - cut).clamp(min=0)
        alive = (torch.arange(time, device=cut.device) < length[:, None])[..., None]
        moved = {name: getattr(self, name)[each, index] for name in ("x", "u", "y")}
        there = {
            name: getattr(self, name)[each, index] & alive for name in ("present", "y_present")
        }
        longest = int(length.max())
        rest = self._replace(
            length=length, **{k: v[:, :longest] for k, v in {**moved, **there}.items()}
        )
        prefix, _ = self.split(int(cut.max()))
        kept = (torch.arange(prefix.x.shape[1], device=cut.device) < cut[:, None])[..., None]
        return prefix._replace(
            length=torch.minimum(self.length, cut),
            present=prefix.present & kept,
            y_present=prefix.y_present & kept,
        ), rest

    def split_prefix(self, observe: int) -> tuple["Batch", "Batch", Int[Tensor, " batch"]]:
        """Cut each sequence after the last point observed in its first `observe` rows, for a model that goes on from one.

        Returns:
            the prefixes, the rests moved to begin at row 0, and the rows of each prefix.
        """
        time = torch.arange(1, self.x.shape[1] + 1, device=self.length.device)
        cut = torch.where(self.mask[:, :observe], time[:observe], 0).amax(-1)
        return *self.split_at(cut), cut

    def swap_target(self) -> "Batch":
        """Make y the observation and x, with one 0/1 column for its missing rows, part of the inputs."""
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


def make_batch(
    x: Float[Tensor, "batch time dim"],
    *,
    length: Int[Tensor, " batch"] | None = None,
    u: Float[Tensor, "batch time inputs"] | None = None,
    y: Float[Tensor, "batch time targets"] | None = None,
    is_increment: Bool[Tensor, " dim"] | None = None,
    log_jacobian: Float[Tensor, "batch dim"] | None = None,
    y_log_jacobian: Float[Tensor, " targets"] | None = None,
    factorises: bool = False,
) -> Batch:
    """Make a batch of tensors in which NaN means missing.

    Args:
        x: observations with NaN where missing; rows past `length` are ignored.
        length: rows of each sequence; all of them when omitted.
        u, y: inputs (finite) and targets (NaN where missing).
        is_increment, log_jacobian, y_log_jacobian: see `Batch`; none, zeros and zeros when omitted.
        factorises: whether single entries may be missing; else a row with any NaN is missing as a whole.

    >>> batch = make_batch(torch.tensor([[[1.0, 2.0], [float("nan"), 3.0]]]))
    >>> batch.mask.tolist(), batch.x[0, 1].tolist()
    ([[True, False]], [0.0, 0.0])
    """
    count, time, dim = x.shape
    nothing = x.new_zeros(count, time, 0)
    alive = None  # everywhere
    if length is not None:
        alive = (torch.arange(time, device=x.device) < length[:, None])[..., None]
        u = None if u is None else u.where(alive, 0.0)

    def known(values: Tensor, single: bool) -> Tensor:
        there = values.isfinite()
        there = there if alive is None else there & alive
        return (
            there
            if single or values.shape[-1] < 2
            else there.all(-1, keepdim=True).expand_as(there)
        )

    present = known(x, factorises)
    y_present = nothing.bool() if y is None else known(y, factorises)
    return Batch(
        x=x.where(present, 0.0),
        present=present,
        length=torch.full((count,), time, device=x.device) if length is None else length,
        u=nothing if u is None else u,
        y=nothing if y is None else y.where(y_present, 0.0),
        y_present=y_present,
        is_increment=torch.zeros(dim, dtype=torch.bool, device=x.device)
        if is_increment is None
        else is_increment,
        log_jacobian=x.new_zeros(count, dim) if log_jacobian is None else log_jacobian,
        y_log_jacobian=x.new_zeros(0 if y is None else y.shape[-1])
        if y_log_jacobian is None
        else y_log_jacobian,
    )
