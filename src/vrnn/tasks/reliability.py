"""Reliability of forecasts: the probability that a model puts on likelier positions than the truth.

It is counted for every window and every number of steps ahead.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.errors import ConfigError, Function, UnsupportedError, check_at_least
from vrnn.inference.ranking import rank_draws
from vrnn.tasks import memory
from vrnn.tasks.futures import Futures, futures
from vrnn.tasks.sampling import SamplingConfig
from vrnn.trained import to_numpy
from vrnn.training.resolve import ModelOrFolder, resolve_model


@dataclass(frozen=True, repr=False)
class Reliability:
    """Where the truth lies in the predictive distributions, for every window and step ahead.

    Attributes:
        level: probability of the positions at that step that are likelier than the true one,
            (window, horizon). The region of the likeliest 90 % holds the truth if the level is
            below 0.9. Levels are uniform if the model is right.
        nll: minus the log-density of the true position at that step, given the prefix alone, in
            nats of data units, (window, horizon).
        step: time from one row to the next.
    """

    level: Float[np.ndarray, "window horizon"]
    nll: Float[np.ndarray, "window horizon"]
    step: float

    def __repr__(self) -> str:
        count, horizon = self.level.shape
        return f"Reliability({count} windows, {horizon} steps ahead)"

    def coverage(self, share: float) -> Float[np.ndarray, " horizon"]:
        """Return how often the region that should hold `share` holds the truth, at each step."""
        if not 0 < share < 1:
            raise ConfigError(expected="a share between 0 and 1", found=share)
        return np.asarray((self.level < share).mean(0))

    def plot(self, path: str | Path, **options: Any) -> Path:
        """Draw the coverage of regions of every size to a picture file.

        Args:
            options: further arguments of `vrnn.plots.plot_reliability`.
        """
        from vrnn.plots import plot_reliability

        steps = self.step * np.arange(1, self.level.shape[1] + 1)
        return plot_reliability(self.level, path, steps, **options)


@torch.no_grad()
def reliability(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder | None = None,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 100,
    seed: int = 0,
    temperature: float = 1.0,
) -> Reliability:
    """Return where the truth lies in the predictive distribution of every step ahead.

    p(x_{T+h} | x_{1:T}) = 1/K sum_i p(x_{T+h} | s_h^i)

    level_h = P( p(X) > p(x_{T+h}) )

    X is drawn from that distribution. The density is that of K sampled futures, with the model's
    own emission at their last step. It has no bandwidth to choose. Regions are those of highest
    density, of any shape. Each draw and the truth are compared under the other draws. Where r of K
    draws are likelier, the level is (r + 1/2) / (K + 1).

    Args:
        tracks: tracks, or an array (batch, time, dim) or (time, dim). All their windows count.
        model: a trained model, the path of a run folder, or None for the one that needs no training.
        observe: rows of the prefix.
        horizon: rows to forecast.
        samples: sampled futures of each window, K.
        seed: seed of all noise.
        temperature: of the futures and of the density at their last step, see `forecast`.

    Raises:
        DataError: no track has `observe` + `horizon` consecutive complete rows.
        ConfigError: numbers that are too small.
        UnsupportedError: a supervised model, or a temperature with an emission whose draws are
            not reparameterised.

    Source: Hyndman 1996, "Computing and graphing highest density regions", for the regions. The
    level is the probability integral transform of the density, see Gneiting, Balabdaoui & Raftery
    2007 on calibration.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(20)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks, config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> found = vrnn.reliability(tracks, model=run.model, observe=4, horizon=6, samples=20)
        >>> found, found.coverage(0.9).shape
        (Reliability(60 windows, 6 steps ahead), (6,))
    """
    check_at_least(2, observe=observe, samples=samples)
    check_at_least(1, horizon=horizon)
    sampling = SamplingConfig(samples, seed, temperature=temperature)
    model = resolve_model(model, tracks)
    if model.network.supervised:
        raise UnsupportedError(
            "reliability is of forecasts of x, and a supervised model predicts y",
            hint=("see ", Function("score")),
        )
    cut = windows(model.as_tracks(tracks), observe + horizon)
    u = np.stack(cut.u)[:, observe:] if cut.u_dim else None
    levels, nll = [], []
    prefixes = cut.cut(stop=observe)
    for f in futures(model, prefixes, horizon, sampling, inputs=u, keep_emissions=True):
        found = compare(f, cut[f.rows], observe)
        levels.append(to_numpy(found[0]))
        nll.append(to_numpy(found[1]))
    return Reliability(np.concatenate(levels), np.concatenate(nll), model.preprocessor.step)


def compare(
    f: Futures, cut: Tracks, observe: int
) -> tuple[Float[Tensor, "batch horizon"], Float[Tensor, "batch horizon"]]:
    """Return the level and minus the log-density of the truth, for every step of a chunk."""
    assert f.emissions is not None
    whole, rows = f.windows(cut, observe)
    rest = whole.after(rows)
    count, size, _, dim = f.drawn.shape
    at_once = max(1, memory.COMPARED_DENSITIES // (count * size * dim))
    own = torch.eye(count, dtype=torch.bool, device=f.drawn.device)[..., None]
    # Increments add up from the last observed point on, in every sample and in the truth.
    before, passed = f.belief.pending, torch.zeros_like(rest.x[:, 0])
    levels, nll = [], []
    for t, emission in enumerate(f.emissions):
        drawn, truth = f.drawn[:, :, t], rest.x[:, t]
        place, reached = drawn + before, truth + passed
        every = torch.cat([place, reached[None]])
        parts = [emission.log_prob(part[:, None] - before) for part in every.split(at_once)]
        density = torch.cat(parts)
        ranked = rank_draws(density, own)
        likelier = count - ranked.less - ranked.ties
        levels.append((likelier.double() + 0.5 * (ranked.ties + 1)) / (count + 1))
        log_mean = density[-1].logsumexp(0) - math.log(count)
        nll.append(-log_mean - rest.log_jacobian.sum(-1))
        before = torch.where(rest.is_increment, place, 0.0)
        passed = torch.where(rest.is_increment, reached, 0.0)
    return torch.stack(levels, -1), torch.stack(nll, -1)
