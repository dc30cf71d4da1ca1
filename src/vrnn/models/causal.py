"""A model that sees every track in its own causal frame: any scale and any heading are the same."""

from collections import namedtuple
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.transforms.causal import Frame
from vrnn.distributions import (
    DiagonalGaussian,
    Distribution,
    Family,
    FullGaussian,
    LatentDistribution,
    Mixture,
)
from vrnn.distributions.base import fill_absent, keep_present
from vrnn.distributions.full_gaussian import CorrelatedGaussian
from vrnn.distributions.mixture import GaussianMixture
from vrnn.distributions.scale import positive
from vrnn.errors import ConfigError
from vrnn.models.contract import Features, Model, State, join


class Framed(NamedTuple):
    """The distribution of a move whose form in a frame has the distribution `inside`.

    p(d) = p'(d') / s^dim,   d' = the move in the frame

    Attributes:
        inside: the distribution of d'.
        frame: the frame, see `Frame`.
    """

    inside: Distribution
    frame: Frame

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return the mean move."""
        return self.frame.out_of(self.inside.mean)

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a move, differentiable in the parameters."""
        return keep_present(self.frame.out_of(self.inside.sample(noise)), x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats; 0 for a move with any absent entry."""
        density = self.inside.log_prob(self.frame.into(fill_absent(x, present)))
        value = density - x.shape[-1] * self.frame.scale[..., 0].log()
        return value if present is None else fill_absent(value, present.all(-1))


class CausalFrame(Model):
    """A model of moves that reads and emits them in the causal frame of each track.

    d'_t = the move d_t in the frame of the moves before it    (`Frame`)
    log p(d_t | past) = log p(d'_t | past) - dim log s_{t-1}

    The inner model models d' and reads, beside its own inputs, what is told of the frame. Large
    moves are compressed before it reads them, sign(d') log(1 + |d'|). The frame is part of the
    state, so what a model draws itself changes it: in forecasts, in gaps, for every particle on its
    own.

    Before the first move there is no heading, and before the first turn no side. The emission is
    then made symmetric: means and correlations that would choose a side are 0. Of a first move it
    is the same for every latent.

    Args:
        inner: a model of moves whose last inputs are the features of the frame.
        looks_ahead: whether the evidence of the inner model looks ahead.
    """

    def __init__(self, inner: Model, *, looks_ahead: bool):
        super().__init__()
        family = inner.observation
        whole = isinstance(family, FullGaussian | Mixture) or family.dim == 1
        if not whole or not all(family.continuous) or family.dim > 3:
            raise ConfigError(
                "a causal transform turns positions in one to three dimensions",
                setting="emission",
                expected="full_gaussian or mixture over them alone",
                found=str(family),
            )
        self.inner, self.dim = inner, family.dim
        self.latent, self.looks_ahead = inner.latent, looks_ahead
        self.inner_state = type(inner.initial_state())

    @property
    def observation(self) -> Family:  # pyrefly: ignore
        return self.inner.observation

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return join(x, inputs)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        """Return what `posterior` reads; evidence that looks ahead is in the frames of the data.

        There a missing move leaves the frame as it is.
        """
        d = torch.where(batch.present, batch.x, 0.0)
        if not self.looks_ahead:
            return join(d, batch.present.to(d.dtype), inputs)
        before, after = Frame.start(self.dim, d).along(d)
        return self.evidence(d, batch.present, inputs, before, after, batch.length)

    def evidence(
        self,
        d: Float[Tensor, "batch time dim"],
        present: Bool[Tensor, "batch time dim"],
        inputs: Features,
        before: Frame,
        after: Frame,
        length: Int[Tensor, " batch"] | None = None,
    ) -> Features:
        """Return the evidence of the inner model, in the frames before and after each move."""
        read, known = self.read(d, before, after), join(inputs, before.told)
        batch = Batch.of(torch.where(present, read, torch.nan), u=known, length=length)
        embedded = self.inner.embed_inputs(known)
        found = self.inner.embed_evidence(batch, embedded)
        return self.inner.embed_observations(read, embedded) if found is None else found

    def initial_state(self) -> State:
        inner = self.inner.initial_state()
        return self.around(inner, Frame.start(self.dim, inner[0]))

    def with_input(self, state: State, inputs: Features) -> State:
        known = self.inner.embed_inputs(join(inputs, self.frame(state).told))
        return self.around(self.inner.with_input(self.inside(state), known), self.frame(state))

    def prior(self, state: State) -> LatentDistribution:
        return self.inner.prior(self.inside(state))

    def posterior(self, state: State, evidence: Features) -> LatentDistribution | None:
        if not self.looks_ahead:
            d, present, inputs = evidence[:, None].split(
                [self.dim, self.dim, evidence.shape[-1] - 2 * self.dim], -1
            )
            before = self.frame(state)
            after = before.after(d[:, 0])
            one, other = (Frame(*(part[:, None] for part in frame)) for frame in (before, after))
            evidence = self.evidence(d, present > 0, inputs, one, other)[:, 0]
        return self.inner.posterior(self.inside(state), evidence)

    def with_latent(self, state: State, z: Float[Tensor, "n latent"]) -> State:
        return self.around(self.inner.with_latent(self.inside(state), z), self.frame(state))

    def emission(self, state: State) -> Framed:
        return self.framed(self.inner.emission(self.inside(state)), self.frame(state))

    def with_observation(self, state: State, features: Features) -> State:
        d, inputs = features.split([self.dim, features.shape[-1] - self.dim], -1)
        before = self.frame(state)
        after = before.after(d)
        known = self.inner.embed_inputs(join(inputs, before.told))
        read = self.inner.embed_observations(self.read(d, before, after), known)
        return self.around(self.inner.with_observation(self.inside(state), read), after)

    def read(self, d: Float[Tensor, "*lead dim"], before: Frame, after: Frame) -> Tensor:
        """Return what the inner model reads of a move: compressed, and mirrored to its side."""
        x = before._replace(side=after.side).into(d)
        x = torch.where(before.moved > 0, x, after.into(d))  # a first move has no frame before it
        return x.sign() * x.abs().log1p()

    def framed(self, inside: Distribution, frame: Frame) -> Framed:
        """Return the emission in the data, symmetric where heading or side are not known."""
        return Framed(symmetric(inside, signs(frame, self.dim), frame.moved), frame)

    def frame(self, state: State) -> Frame:
        """Return the frame of a state."""
        return Frame(*state[-len(Frame._fields) :])

    def inside(self, state: State) -> State:
        """Return the state of the inner model."""
        return self.inner_state(*state[: -len(Frame._fields)])

    def around(self, state: State, frame: Frame) -> State:
        """Return the state whose inner one is given."""
        return framed_state(self.inner_state)(*state, *frame)


def signs(frame: Frame, dim: int) -> Float[Tensor, "*lead dim"]:
    """Return for each axis of a frame 1 where its direction is known, else 0."""
    moved, side = frame.moved, frame.side.abs()
    return torch.cat([moved, side, moved][:dim], -1)


def symmetric(
    p: Distribution, known: Float[Tensor, "*lead dim"], moved: Float[Tensor, "*lead 1"]
) -> Distribution:
    """Return a distribution without means and correlations along axes that are not known.

    Before the first move its scale is a constant.
    """
    if isinstance(p, GaussianMixture):
        inside = symmetric(p.components, known[..., None, :], moved[..., None, :])
        return GaussianMixture(p.logits, inside)  # pyrefly: ignore (of the same family)
    assert isinstance(p, DiagonalGaussian | CorrelatedGaussian)
    scale = torch.where(moved > 0, p.scale, positive(torch.zeros_like(p.scale)))
    p = p._replace(mean=p.mean * known, scale=scale)
    if isinstance(p, DiagonalGaussian):
        return p
    first, second = column_pairs(known.shape[-1])
    return p._replace(below=p.below * known[..., first] * known[..., second])


def column_pairs(dim: int) -> tuple[list[int], list[int]]:
    """Return the axes that each entry of `CorrelatedGaussian.below` ties together."""
    pairs = [(j, i) for j in range(dim) for i in range(j + 1, dim)]
    return [j for j, _ in pairs], [i for _, i in pairs]


@cache
def framed_state(inner: type) -> Any:
    """Return the type of the state: the fields of the inner one, and those of the frame."""
    names = (f"frame_{name}" for name in Frame._fields)
    return namedtuple(f"Framed{inner.__name__}", (*inner._fields, *names))
