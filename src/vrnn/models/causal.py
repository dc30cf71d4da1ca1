"""A model under a causal transform: all scales and headings are the same to it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.data.transforms.causal import CausalTransform
from vrnn.distributions import (
    DiagonalGaussian,
    Distribution,
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
from vrnn.models.wrapper import Wrapper

FIELDS = tuple(f"causal_{name}" for name in CausalTransform._fields)


class Transformed(NamedTuple):
    """The distribution of an increment d whose transform d' has the distribution `inside`.

    p(d) = p'(d') / s^dim

    Attributes:
        inside: the distribution of d'.
        transform: from d to d'.
    """

    inside: Distribution
    transform: CausalTransform

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return the mean move."""
        return self.transform.decode(self.inside.mean)

    def sample(
        self,
        noise: Float[Tensor, "*#lead noise"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a move, differentiable in the parameters."""
        return keep_present(self.transform.decode(self.inside.sample(noise)), x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-density in nats; 0 for a move with any absent entry."""
        density = self.inside.log_prob(self.transform.encode(fill_absent(x, present)))
        value = density - x.shape[-1] * self.transform.scale[..., 0].log()
        return value if present is None else fill_absent(value, present.all(-1))


class CausalCoordinates(Wrapper):
    """A model of increments that reads and emits them under a causal transform.

    d'_t = the increment d_t under the transform of the earlier ones    (`CausalTransform`)
    log p(d_t | past) = log p(d'_t | past) - dim log s_{t-1}

    The inner model models d'. Beside its own inputs it reads features of the transform. It reads d'
    compressed, as sign(d') log(1 + |d'|). The transform is part of the state, so what a model draws
    itself changes it. Each particle has its own, also in forecasts and gaps.

    Before the first increment of some length there is no heading, and before the first turn no
    left. The emission is then made symmetric: means and correlations along axes that are not known
    are 0. The distribution of the first increment does not depend on the latent.

    Args:
        inner: a model of increments whose last inputs are the features of the transform.
        looks_ahead: whether the evidence of the inner model looks ahead.
        known: width of the known inputs of a batch.
    """

    def __init__(self, inner: Model, *, looks_ahead: bool, known: int):
        super().__init__(inner, FIELDS)
        family = inner.observation
        whole = isinstance(family, FullGaussian | Mixture) or family.dim == 1
        if not whole or not all(family.continuous) or family.dim > 3:
            raise ConfigError(
                "a causal transform turns positions in one to three dimensions",
                setting="emission",
                expected="full_gaussian or mixture over them alone",
                found=str(family),
            )
        self.dim, self.known, self.looks_ahead = family.dim, known, looks_ahead

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        return join(x, inputs)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        """Return what `posterior` reads: increments, or evidence of sequences that looks ahead.

        Evidence that looks ahead has another column: 1 where a sequence is a single step, as in a
        stream. Its increment then follows, for `posterior` to transform by the state. In sequences
        a missing increment counts as one of length 0.
        """
        d = torch.where(batch.present, batch.x, 0.0)
        single = join(d, batch.present.to(d.dtype), inputs)
        if not self.looks_ahead:
            return single
        before, after = CausalTransform.start(self.dim, d).along(d)
        ahead = self.evidence(d, batch.present, inputs, before, after, batch.length)
        alone = torch.full_like(d[..., :1], float(batch.x.shape[1] == 1))
        return join(ahead, alone, single)

    def evidence(
        self,
        d: Float[Tensor, "batch time dim"],
        present: Bool[Tensor, "batch time dim"],
        inputs: Features,
        before: CausalTransform,
        after: CausalTransform,
        length: Int[Tensor, " batch"] | None = None,
    ) -> Features:
        """Return the evidence of the inner model, by the transforms before and after each increment."""
        read, known = self.read(d, before, after), join(inputs, before.features)
        batch = Batch.of(torch.where(present, read, torch.nan), u=known, length=length)
        embedded = self.inner.embed_inputs(known)
        found = self.inner.embed_evidence(batch, embedded)
        return self.inner.embed_observations(read, embedded) if found is None else found

    def initial_state(self) -> State:
        inner = self.inner.initial_state()
        return self.around(inner, *CausalTransform.start(self.dim, inner[0]))

    def with_input(self, state: State, inputs: Features) -> State:
        known = self.inner.embed_inputs(join(inputs, self.transform_of(state).features))
        return self.around(self.inner.with_input(self.inside(state), known), *self.added(state))

    def posterior(self, state: State, evidence: Features) -> LatentDistribution | None:
        width = 2 * self.dim + self.known
        if not self.looks_ahead:
            evidence = self.alone(state, evidence)
        else:
            ahead, alone, single = evidence.split([evidence.shape[-1] - width - 1, 1, width], -1)
            evidence = ahead
            if bool(alone.any()):
                evidence = torch.where(alone > 0, self.alone(state, single), ahead)
        return self.inner.posterior(self.inside(state), evidence)

    def alone(self, state: State, single: Features) -> Features:
        """Return the evidence of one step, transformed by the state."""
        parts = single[:, None].split([self.dim, self.dim, self.known], -1)
        d, present, inputs = parts
        before = self.transform_of(state)
        after = before.after(d[:, 0])
        one, other = (
            CausalTransform(*(part[:, None] for part in each)) for each in (before, after)
        )
        return self.evidence(d, present > 0, inputs, one, other)[:, 0]

    def emission(self, state: State) -> Transformed:
        return self.transformed(self.inner.emission(self.inside(state)), self.transform_of(state))

    def with_observation(self, state: State, features: Features) -> State:
        d, inputs = features.split([self.dim, features.shape[-1] - self.dim], -1)
        before = self.transform_of(state)
        after = before.after(d)
        known = self.inner.embed_inputs(join(inputs, before.features))
        read = self.inner.embed_observations(self.read(d, before, after), known)
        return self.around(self.inner.with_observation(self.inside(state), read), *after)

    def read(
        self, d: Float[Tensor, "*lead dim"], before: CausalTransform, after: CausalTransform
    ) -> Tensor:
        """Return what the inner model reads of a move: compressed, and mirrored to its side."""
        x = before._replace(side=after.side).encode(d)
        x = torch.where(before.headed > 0, x, after.encode(d))  # a first one has no heading before
        return x.sign() * x.abs().log1p()

    def transformed(self, inside: Distribution, transform: CausalTransform) -> Transformed:
        """Return the emission in the data, symmetric where heading or side are not known."""
        return Transformed(
            symmetric(inside, signs(transform, self.dim), transform.moved), transform
        )

    def transform_of(self, state: State) -> CausalTransform:
        """Return the transform in a state."""
        return CausalTransform(*self.added(state))


def signs(transform: CausalTransform, dim: int) -> Float[Tensor, "*lead dim"]:
    """Return for each axis 1 where its direction is known, else 0."""
    known = (transform.headed, transform.side.abs(), transform.moved)
    return torch.cat(known[:dim], -1)


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
