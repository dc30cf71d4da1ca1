"""The causal transform: each increment in units of the earlier ones, and turned to their direction.

    d_t = x_t - x_{t-1}
    s_t^2 = sum_k 0.9^k |d_{t-k}|^2 / sum_k 0.9^k + 1e-4 mean |d|^2    (the scale)
    m_t = sum_k 0.5^k d_{t-k},   e_t = m_t / |m_t|                     (the heading)
    d'_{t+1} = (d_{t+1} turned so that e_t points along +x, and mirrored) / s_t

A model of d' sees every scale and every heading as the same. The transform of a step depends on earlier
increments alone, so it is autoregressive and invertible:

    log |d d'_{t+1} / d d_{t+1}| = -dim log s_t

Tracks are mirrored so that their first turn is to the left. A mirrored track is therefore the same
to a model. In three dimensions the third axis is vertical: it is scaled, and neither turned nor
mirrored. In one dimension the heading is a sign.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.transforms.standardise import TINY

SCALE_DECAY = 0.9
HEADING_DECAY = 0.5
LEAST = 1e-2  # lower limit of the scale, relative to that of all increments so far
STILL = 1e-4  # of the scale, below which an increment has no direction
FEATURES = 8
BLOCK = 128


class CausalTransform(NamedTuple):
    """The transform of one step, from what is known of a track before it; fields are (..., width).

    Attributes:
        energy: discounted sum of squared lengths of increments.
        weight: discounted number of increments.
        total: sum of squared lengths.
        count: number of increments.
        move: m, in the plane that turns, of width 2, or 1 in one dimension.
        heading: e, 0 before the first increment of some length.
        side: 1 after a first turn to the left, -1 to the right, 0 before.
        features: inputs of a model that describe scale and heading, see `_describe`.
    """

    energy: Float[Tensor, "*lead 1"]
    weight: Float[Tensor, "*lead 1"]
    total: Float[Tensor, "*lead 1"]
    count: Float[Tensor, "*lead 1"]
    move: Float[Tensor, "*lead plane"]
    heading: Float[Tensor, "*lead plane"]
    side: Float[Tensor, "*lead 1"]
    features: Float[Tensor, "*lead features"]

    @classmethod
    def start(cls, dim: int, like: Tensor) -> "CausalTransform":
        """Return the transform of the first increment, in the type of `like`."""
        one, plane = like.new_zeros(1), like.new_zeros(min(dim, 2))
        return cls(one, one, one, one, plane, plane, one, like.new_zeros(FEATURES))

    def expand(self, *lead: int) -> "CausalTransform":
        """Return the transform with these leading axes."""
        return CausalTransform(*(part.expand(*lead, -1) for part in self))

    @property
    def moved(self) -> Float[Tensor, "*lead 1"]:
        """Return 1 after a first increment of some length, else 0."""
        return (self.total > 0).to(self.total)

    @property
    def headed(self) -> Float[Tensor, "*lead 1"]:
        """Return 1 where there is a heading, else 0; in three dimensions a rise has none."""
        return (self.heading != 0).any(-1, keepdim=True).to(self.total)

    @property
    def scale(self) -> Float[Tensor, "*lead 1"]:
        """Return s. Before the first increment of some length it is 1 / (1 + count), in model units."""
        moved = self.total > 0
        recent = self.energy / self.weight.clamp(min=1)
        square = recent + LEAST**2 * self.total / self.count.clamp(min=1)
        return torch.where(moved, square.where(moved, 1.0).sqrt(), 1 / (1 + self.count))

    def after(self, d: Float[Tensor, "*lead dim"]) -> "CausalTransform":
        """Return the transform after an increment."""
        d = _without_tiny(d)
        square = d.square().sum(-1, keepdim=True)
        plane = d[..., : self.move.shape[-1]]
        new = self._replace(
            energy=SCALE_DECAY * self.energy + square,
            weight=SCALE_DECAY * self.weight + 1,
            total=self.total + square,
            count=self.count + 1,
            move=HEADING_DECAY * self.move + plane,
        )
        scale = new.scale
        moves = _moves(new.move, scale)
        heading = torch.where(moves, _direction(new.move, moves), self.heading)
        turn = _turn(self.heading, plane, scale)
        side = torch.where(self.side == 0, turn, self.side)
        new = new._replace(heading=heading, side=side)
        return new._replace(features=new._describe(self, scale))

    def along(
        self, d: Float[Tensor, "batch time dim"]
    ) -> tuple["CausalTransform", "CausalTransform"]:
        """Return the transforms of all increments of sequences, (batch, time, .), and those after.

        The result equals repeated calls of `after`.
        """
        start, d = self.expand(len(d)), _without_tiny(d)
        square = d.square().sum(-1, keepdim=True)
        plane, one = d[..., : self.move.shape[-1]], torch.ones_like(square)
        new = CausalTransform(
            energy=_discounted(SCALE_DECAY, square, start.energy),
            weight=_discounted(SCALE_DECAY, one, start.weight),
            total=_discounted(1.0, square, start.total),
            count=_discounted(1.0, one, start.count),
            move=_discounted(HEADING_DECAY, plane, start.move),
            heading=plane,
            side=one,
            features=one,
        )
        scale = new.scale
        moves = _moves(new.move, scale)
        heading = _last(_direction(new.move, moves), moves, start.heading)
        turn = _turn(_before(heading, start.heading), plane, scale)
        turns = turn != 0
        later = turns.cumsum(1) > 1
        side = _last(turn, turns & ~later, start.side)
        side = torch.where(start.side[:, None] == 0, side, start.side[:, None])
        new = new._replace(heading=heading, side=side)
        before = CausalTransform(
            *(_before(a, b) for a, b in zip(new, start._replace(features=one[:, 0]), strict=True))
        )
        new = new._replace(features=new._describe(before, scale))
        return before._replace(features=_before(new.features, start.features)), new

    def _describe(self, before: "CausalTransform", scale: Float[Tensor, "*lead 1"]) -> Tensor:
        """Return what a model reads: lengths in units of the scale, turns, and what is known.

        The features are the length of m, the change of the scale, the scale over that of all moves,
        cosine and sine of the turn of the heading, 1 / count, and whether heading and side are
        known.
        """
        known = before.moved * self.moved
        change = known * (scale / before.scale).log().clamp(-5, 5)
        whole = self.total / self.count.clamp(min=1)
        ratio = torch.where(self.total > 0, scale / torch.where(whole > 0, whole, 1.0).sqrt(), 1.0)
        along = (before.heading * self.heading).sum(-1, keepdim=True)
        across = torch.zeros_like(along)
        if self.heading.shape[-1] == 2:
            across = self.side * _cross(before.heading, self.heading)
        parts = (
            (_length(self.move) / scale).log1p(),
            change,
            ratio.log(),
            along,
            across,
            1 / self.count,
            self.moved,
            self.side.abs(),
        )
        return torch.cat(parts, -1)

    def encode(self, d: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead dim"]:
        """Return increments of the data as a model sees them."""
        return self._turned(d, inverse=True) / self.scale

    def decode(self, d: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead dim"]:
        """Return increments of a model in the data; the inverse of `encode`."""
        return self._turned(d * self.scale, inverse=False)

    def _turned(self, d: Float[Tensor, "*#lead dim"], *, inverse: bool) -> Tensor:
        """Return increments turned to the heading, or back."""
        known, width = self.headed > 0, self.heading.shape[-1]
        x, along = d[..., :1], torch.where(known, self.heading[..., :1], 1.0)
        parts = [along * x]
        if width == 2:
            y, across = d[..., 1:2], self.heading[..., 1:]
            side = torch.where(self.side == 0, 1.0, self.side)
            if inverse:
                parts = [along * x + across * y, side * (along * y - across * x)]
            else:
                y = side * y
                parts = [along * x - across * y, across * x + along * y]
        if d.shape[-1] > width:
            parts.append(d[..., width:].expand(*parts[0].shape[:-1], -1))
        return torch.cat(parts, -1)


def _without_tiny(d: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead dim"]:
    """Return increments, 0 where they are rounding errors, shorter than `TINY` in model units."""
    return torch.where(d.square().sum(-1, keepdim=True) > TINY**2, d, 0.0)


def _length(d: Float[Tensor, "*lead plane"]) -> Float[Tensor, "*lead 1"]:
    """Return the length, with a gradient of 0 at 0."""
    square = d.square().sum(-1, keepdim=True)
    return torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)


def _moves(move: Float[Tensor, "*lead plane"], scale: Float[Tensor, "*lead 1"]) -> Tensor:
    """Return whether m is long enough to have a direction."""
    return _length(move) > STILL * scale


def _direction(move: Float[Tensor, "*lead plane"], moves: Bool[Tensor, "*lead 1"]) -> Tensor:
    """Return the direction of m where it has one."""
    return move / torch.where(moves, _length(move), 1.0)


def _turn(
    heading: Float[Tensor, "*lead plane"],
    move: Float[Tensor, "*lead plane"],
    scale: Float[Tensor, "*lead 1"],
) -> Float[Tensor, "*lead 1"]:
    """Return 1 for a move to the left of the heading, -1 for one to the right, 0 for neither."""
    if heading.shape[-1] == 1:
        return torch.zeros_like(heading)
    across = _cross(heading, move)
    return torch.where(across.abs() > STILL * torch.maximum(_length(move), scale), across.sign(), 0)


def _cross(a: Float[Tensor, "*lead 2"], b: Float[Tensor, "*lead 2"]) -> Float[Tensor, "*lead 1"]:
    """Return the part of b that is left of a, times the length of a."""
    return a[..., :1] * b[..., 1:] - a[..., 1:] * b[..., :1]


def _before(
    steps: Float[Tensor, "batch time width"], start: Float[Tensor, "batch width"]
) -> Float[Tensor, "batch time width"]:
    """Return the values shifted by one step, `start` first."""
    return torch.cat([start[:, None], steps[:, :-1]], 1)


def _last(
    values: Float[Tensor, "batch time width"],
    there: Bool[Tensor, "batch time 1"],
    start: Float[Tensor, "batch width"],
) -> Float[Tensor, "batch time width"]:
    """Return at each step the latest value where `there` is true, or `start` before the first."""
    place = torch.arange(1, values.shape[1] + 1, device=values.device)[:, None]
    index = torch.where(there, place, 0).cummax(1).values.expand(values.shape)
    return torch.cat([start[:, None], values], 1).gather(1, index)


def _discounted(
    decay: float, values: Float[Tensor, "batch time width"], start: Float[Tensor, "batch width"]
) -> Float[Tensor, "batch time width"]:
    """Return y_t = decay y_{t-1} + v_t from y_0 = `start`, one matrix product per block of steps."""
    done = []
    for block in values.split(BLOCK, 1):
        lag = torch.arange(block.shape[1], device=values.device).to(values)
        powers = torch.tril(decay ** (lag[:, None] - lag).clamp(min=0))
        done.append(powers @ block + (decay ** (lag + 1))[:, None] * start[:, None])
        start = done[-1][:, -1]
    return torch.cat(done, 1) if done else values
