"""The predictive distribution: what the next row of tracks may be, as a density, as draws and as a mean, in data units."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.transforms import Anchor, Standardise, Transform
from vrnn.distributions.base import Distribution
from vrnn.errors import ConfigError, DataError, UnsupportedError, check_seed
from vrnn.inference.noise import Stream, draw_noise, seeded
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.models.contract import Model, State
from vrnn.tasks.observe import TrackBelief, check_begun, encode_row
from vrnn.training.resolve import ModelOrFolder, resolve_model

NUMBERS = 1 << 22  # candidates times particles times columns that are compared at once


@dataclass(frozen=True, repr=False)
class Predictive:
    """Hold p(x_{t+1} | x_{1:t}) as a mixture with a component a particle, sum_i w_i p(x | s^i, z^i), z^i from its prior.

    Density, draws and mean are of this one mixture. More particles bring it nearer to the model's own distribution; of a model
    without latents one is enough where no point is missing.

    Attributes:
        network: the model.
        state: particles with the latents of the row in them.
        known: features of the row's inputs, (batch, .).
        log_weight: log of the particles' weights, (particle, batch).
        gap: what each has drawn itself since the last observed entry, in model units, (particle, batch, dim).
        transform, anchor: map and place of the row in data units.
        names: columns of the row.
    """

    network: Model
    state: State
    known: Float[Tensor, "batch known"]
    log_weight: Float[Tensor, "particle batch"]
    gap: Float[Tensor, "particle batch dim"]
    transform: Transform
    anchor: Anchor
    names: tuple[str, ...]

    def __repr__(self) -> str:
        count, batch = self.log_weight.shape
        return f"Predictive({', '.join(self.names)} of {batch} tracks, {count} particles)"

    @property
    def emission(self) -> Distribution:
        """The components, (particle, batch), in model units less what the particle has drawn in a gap."""
        return self.network.emission(self.state, self.known)

    @property
    @torch.no_grad()
    def mean(self) -> Float[np.ndarray, "batch dim"]:
        """E[x_{t+1} | x_{1:t}]; of a binary column the probability of a 1."""
        weights = self.log_weight.exp().cpu().double().numpy()
        return np.einsum("pb,pbd->bd", weights, self._decode(self.emission.mean, self.gap))

    @torch.no_grad()
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Give log p(x | x_{1:t}) of candidates in nats of data units.

        Args:
            x: complete rows in data units, (batch, dim), or (k, batch, dim) for k candidates a track.

        Returns:
            (batch,) or (k, batch).

        Raises:
            DataError: another shape, or values that are not finite.
        """
        x = np.asarray(x, np.float64)
        batch, dim = self.log_weight.shape[1], len(self.names)
        if x.ndim not in (2, 3) or x.shape[-2:] != (batch, dim):
            raise DataError(
                f"expected rows ({', '.join(self.names)}) for {batch} tracks, {(batch, dim)}, or k candidates of each, "
                f"(k, {batch}, {dim}); found shape {x.shape}"
            )
        if not np.isfinite(x).all():
            raise DataError("expected finite candidates, found NaN or infinity")
        rows = x if x.ndim == 3 else x[None]
        values = torch.from_numpy(
            self.transform.encode_next(rows.swapaxes(0, 1), self.anchor)[0].swapaxes(0, 1)
        )
        emission, found = self.emission, []
        for part in values.to(self.gap).split(max(1, NUMBERS // (self.gap.numel() or 1))):
            density = emission.log_prob(part[:, None] - self.gap)
            found.append((self.log_weight + density).logsumexp(1).cpu().double().numpy())
        log_prob = np.concatenate(found) + self.transform.log_jacobian(self.anchor.first).sum(-1)
        return log_prob if x.ndim == 3 else log_prob[0]

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Float[np.ndarray, "sample batch dim"]:
        """Draw rows in data units.

        Args:
            count: draws a track.
            seed: of the choice of particles and of the emission; latents are those of `log_prob`.
        """
        check_seed(seed)
        if count < 1:
            raise ConfigError(f"expected a count of at least 1, found {count}")
        batch, chance = self.log_weight.shape[1], seeded(seed, Stream.PREDICTIVE_SAMPLES)
        normal = lambda *shape: torch.randn(*shape, generator=chance).to(self.gap)  # noqa: E731
        chosen = draw_ancestors(self.log_weight, normal(count, batch), "multinomial", count)
        state = type(self.state)(*(take(s, chosen) for s in self.state))
        drawn = self.network.emission(state, self.known).sample(
            normal(count, batch, self.network.family.noise_size)
        )
        return self._decode(drawn, take(self.gap, chosen))

    def _decode(self, values: Tensor, gap: Tensor) -> Float[np.ndarray, "sample batch dim"]:
        shape = (*gap.shape[:2], values.shape[-1])
        rows, before = (part.expand(shape).cpu().double().numpy() for part in (values, gap))
        return self.transform.decode(rows[:, :, None], self.anchor, before)[:, :, 0]


@torch.inference_mode()
def predictive(
    belief: TrackBelief,
    *,
    model: ModelOrFolder,
    u: np.ndarray | None = None,
    x: np.ndarray | None = None,
    time: np.ndarray | float | None = None,
) -> Predictive:
    """Give the distribution of the next row of every track: p(x_{t+1} | x_{1:t}), before the row is there.

    Latents of the particles are drawn here, once, by the seed and the steps of the belief. Of a supervised model it is p(y | x).

    Args:
        belief: what `observe` or `filter_tracks` gives.
        u: known inputs of the row, (batch, inputs), for a model that has any; the last ones when None.
        x: the row's x in data units, (batch, dim), for a supervised model, which predicts y from it.
        time: of the row, (batch,); one usual step after the last when None.

    Raises:
        UnsupportedError: x for a model that predicts x itself.
        DataError: a supervised model without x, a row that does not fit the model or the belief, or a track without the
            point that displacements start from.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> belief = vrnn.filter_tracks(tracks[:3], model=run.model, particles=10).belief
        >>> ahead = vrnn.predictive(belief, model=run.model)
        >>> ahead.mean.shape, ahead.sample(50).shape, ahead.log_prob(ahead.mean).shape
        ((3, 2), (50, 3, 2), (3,))
    """
    model = resolve_model(model)
    network, preprocessor = model.network, model.preprocessor
    if network.supervised and x is None:
        raise DataError(
            f"a supervised model predicts y from the row's x ({', '.join(preprocessor.x_names)}): expected x, found None"
        )
    if not network.supervised and x is not None:
        raise UnsupportedError(
            "this model predicts x: leave x out, and give candidates for it to log_prob of what is returned"
        )
    check_begun(model, belief)
    count = len(belief.time)
    row = np.full((count, len(preprocessor.x_names)), np.nan) if x is None else x
    encoded = encode_row(model, belief, row, u, None, time)
    particles = len(belief.belief.log_weight)
    noise = draw_noise(
        network, particles, count, 1, seeded(belief.seed, Stream.PREDICTIVE, belief.steps)
    )
    entering = network.with_input(belief.belief.state, encoded.row.known)
    z = network.prior(entering, encoded.row.known).sample(noise.latent[:, :, 0])
    transform, anchor, names = preprocessor.transform, belief.anchor, preprocessor.x_names
    if network.supervised:
        names = preprocessor.y_names
        transform = Transform(
            len(names), standardise=Standardise(preprocessor.y_mean, preprocessor.y_scale)
        )
        anchor = Anchor.zero(count, len(names))
    return Predictive(
        network=network,
        state=network.with_latent(entering, z),
        known=encoded.row.known,
        log_weight=belief.belief.log_weight,
        gap=belief.belief.gap,
        transform=transform,
        anchor=anchor,
        names=names,
    )
