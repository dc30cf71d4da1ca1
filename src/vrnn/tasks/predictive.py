"""The predictive distribution of the next row: its density, draws and mean, in data units."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.console import visible
from vrnn.data.transforms import Anchor, Transform
from vrnn.distributions.base import Distribution
from vrnn.errors import DataError, UnsupportedError, check_at_least, check_seed
from vrnn.inference.flat import flatten, unflatten
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import Stream, track_numbers
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.models.contract import Model, State
from vrnn.tasks import memory
from vrnn.tasks.belief import TrackBelief, check_begun
from vrnn.tasks.encoded_row import encode_row
from vrnn.trained import to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Predictive:
    """The distribution p(x_{t+1} | x_{1:t}) as a mixture with one component for each particle.

    p(x) = sum_i w_i p(x | s^i, z^i), with z^i drawn from its prior. Density, draws and mean are
    those of this mixture. More particles bring it nearer to the model's own distribution. One is
    enough for a model without latents, where no point is missing.

    Attributes:
        network: the network.
        state: states of the particles, with the latents of the row in them.
        log_weight: log-weights of the particles, (particle, batch).
        pending: what each has drawn since the last observed entry, in model units,
            (particle, batch, dim).
        transform, anchor: map of the row to data units, and where the tracks are.
        names: columns of the row.
        ids: ids of the tracks.
    """

    network: Model
    state: State
    log_weight: Float[Tensor, "particle batch"]
    pending: Float[Tensor, "particle batch dim"]
    transform: Transform
    anchor: Anchor
    names: tuple[str, ...]
    ids: list[str]

    def __repr__(self) -> str:
        count, batch = self.log_weight.shape
        return f"Predictive({visible(', '.join(self.names))} of {batch} tracks, {count} particles)"

    @property
    def emission(self) -> Distribution:
        """The components, (particle, batch), in model units and without `pending`."""
        return self._emission(self.state)

    @property
    @torch.no_grad()
    def mean(self) -> Float[np.ndarray, "batch dim"]:
        """E[x_{t+1} | x_{1:t}]; for a binary column the probability of a 1."""
        weight = self.log_weight.double().softmax(0)[..., None]
        # The mean is taken in model units: weights that add up to 1 in a few digits only would
        # cost as many digits of the position.
        mean, drawn = (
            (weight * part.double()).sum(0, keepdim=True)
            for part in (self.emission.mean, self.pending)
        )
        return self._decode(mean, drawn)[0]

    @torch.no_grad()
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Return log p(x | x_{1:t}) of candidates, in nats of data units.

        Args:
            x: complete rows in data units, (batch, dim), or (k, batch, dim) for k candidates of
                each track.

        Returns:
            (batch,) or (k, batch).

        Raises:
            DataError: another shape, or values that are not finite.
        """
        x = np.asarray(x, np.float64)
        batch, dim = self.log_weight.shape[1], len(self.names)
        if x.ndim not in (2, 3) or x.shape[-2:] != (batch, dim):
            raise DataError(
                expected=(
                    f"rows ({', '.join(self.names)}) for {batch} tracks, {(batch, dim)}, "
                    f"or k candidates of each, (k, {batch}, {dim})"
                ),
                found=f"shape {x.shape}",
            )
        if not np.isfinite(x).all():
            raise DataError(expected="finite candidates", found="NaN or infinity")
        rows = x if x.ndim == 3 else x[None]
        values = self.transform.encode_next(rows.swapaxes(0, 1), self.anchor)[0].swapaxes(0, 1)
        at_once = max(1, memory.CANDIDATE_DENSITIES // (self.pending.numel() or 1))
        emission, found = self.emission, []
        for part in torch.from_numpy(values).to(self.pending).split(at_once):
            density = emission.log_prob(part[:, None] - self.pending)
            found.append(to_numpy((self.log_weight + density).logsumexp(1)))
        log_prob = np.concatenate(found) + self.transform.log_jacobian(self.anchor.first).sum(-1)
        return log_prob if x.ndim == 3 else log_prob[0]

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Float[np.ndarray, "sample batch dim"]:
        """Draw rows in data units.

        Args:
            count: draws for each track.
            seed: seed of the particles that are chosen and of the emission. The latents are those
                of `log_prob`.
        """
        check_seed(seed)
        check_at_least(1, count=count)
        source = track_numbers(seed, Stream.PREDICTIVE_SAMPLES, self.ids)
        batch = self.log_weight.shape[1]

        def normal(kind: int, *shape: int) -> Tensor:
            return source.part(kind).normals(*shape).to(self.pending)

        chosen = draw_ancestors(self.log_weight, normal(0, count, batch), "multinomial", count)
        state = type(self.state)(*(take(s, chosen) for s in self.state))
        emission = self._emission(state)
        drawn = emission.sample(normal(1, count, batch, self.network.observation.noise_size))
        return self._decode(drawn, take(self.pending, chosen))

    def _emission(self, state: State) -> Distribution:
        """Return the emission of states (particle, batch, .)."""
        lead = (state[0].shape[0], state[0].shape[1])
        return unflatten(self.network.emission(flatten(state, lead)), lead)

    def _decode(self, values: Tensor, before: Tensor) -> Float[np.ndarray, "sample batch dim"]:
        """Return rows in data units."""
        shape = (*before.shape[:2], values.shape[-1])
        rows, drawn = (to_numpy(part.expand(shape)) for part in (values, before))
        return self.transform.decode(rows[:, :, None], self.anchor, drawn)[:, :, 0]


@torch.inference_mode()
def predictive(
    belief: TrackBelief,
    *,
    model: ModelOrFolder,
    u: np.ndarray | None = None,
    x: np.ndarray | None = None,
    time: np.ndarray | float | None = None,
) -> Predictive:
    """Return the distribution of the next row of every track, p(x_{t+1} | x_{1:t}).

    For a supervised model it is p(y | x). The latents of the particles are drawn once, here, from
    the seed and the steps of the belief.

    Args:
        belief: the belief that `observe` or `filter_tracks` returned.
        model: a trained model, or the path of a run folder.
        u: known inputs of the row, (batch, inputs), for a model that has any; the last ones when
            None.
        x: x of the row in data units, (batch, dim), for a supervised model.
        time: time of the row, (batch,); one usual step after the last when None.

    Raises:
        UnsupportedError: x for a model that predicts x itself.
        DataError: a supervised model without x, a row that does not fit the model or the belief,
            or a track without the point that displacements start from.

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
    model = resolve_model(model, belief)
    network, names = model.network, model.preprocessor.x_names
    if network.supervised and x is None:
        raise DataError(
            f"a supervised model predicts y from the row's x ({', '.join(names)})",
            expected="x",
            found=None,
        )
    if not network.supervised and x is not None:
        raise UnsupportedError(
            "this model predicts x",
            expected="no x",
            found="values of it",
            hint="leave x out, and ask the result for the density of candidates",
        )
    check_begun(model, belief)
    row = np.full((len(belief.time), len(names)), np.nan) if x is None else x
    inputs = encode_row(model, belief, row, u=u, time=time).step.inputs
    source = track_numbers(belief.seed, Stream.PREDICTIVE, belief.ids, belief.steps)
    particles, count = belief.belief.log_weight.shape
    noise = draw_noise(network, particles, count, 1, source)
    lead = (particles, count)
    state = network.with_input(flatten(belief.belief.state, lead), flatten(inputs, lead))
    if network.latent.dim:
        z = network.prior(state).sample(flatten(noise.latent[:, :, 0], lead))
        state = network.with_latent(state, z)
    return Predictive(
        network=network,
        state=unflatten(state, lead),
        log_weight=belief.belief.log_weight,
        pending=belief.belief.pending,
        transform=model.output_transform,
        anchor=model.output_anchor(belief.anchor),
        names=model.output_names,
        ids=belief.ids,
    )
