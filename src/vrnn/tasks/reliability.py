"""Reliability of forecasts: how much of its probability a model puts nearer than what happened, at each step ahead."""

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
from vrnn.errors import ConfigError, Setting, UnsupportedError, check_seed
from vrnn.inference.ranking import rank_draws
from vrnn.tasks.evaluate import whole_rows
from vrnn.tasks.futures import Futures, futures
from vrnn.training.resolve import ModelOrFolder, resolve_model

PAIRS = 1 << 22  # densities of one draw by one sample that are held at once


@dataclass(frozen=True, repr=False)
class Reliability:
    """Hold, for every window and step ahead, where the truth fell in the predictive distribution of that step.

    Attributes:
        level: probability of the positions at that step that are likelier than the true one, (window, horizon).
            The truth lies in the region that holds the likeliest 90 % if its level is below 0.9; if the model is right
            levels are uniform.
        nll: minus the log-density of the true position at that step, given the prefix alone, in nats of data units,
            (window, horizon).
        step: time from one row to the next.
    """

    level: Float[np.ndarray, "window horizon"]
    nll: Float[np.ndarray, "window horizon"]
    step: float

    def __repr__(self) -> str:
        count, horizon = self.level.shape
        return f"Reliability({count} windows, {horizon} steps ahead)"

    def coverage(self, share: float) -> Float[np.ndarray, " horizon"]:
        """Give the share of windows whose truth lies in the region that should hold `share`, a step at a time."""
        if not 0 < share < 1:
            raise ConfigError(f"expected a share between 0 and 1, found {share}")
        return np.asarray((self.level < share).mean(0))

    def plot(self, path: str | Path, **options: Any) -> Path:
        """Draw the reliability of regions of every size; `options` go to `vrnn.plots.plot_reliability`."""
        from vrnn.plots import plot_reliability

        return plot_reliability(
            self.level, path, self.step * np.arange(1, self.level.shape[1] + 1), **options
        )


@torch.no_grad()
def reliability(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    observe: int = 8,
    horizon: int = 12,
    samples: int = 100,
    seed: int = 0,
    temperature: float = 1.0,
) -> Reliability:
    """Compare the predictive distribution of every step ahead with what happened, over all windows of tracks.

    p(x_{T+h} | x_{1:T}) = 1/K sum_i p(x_{T+h} | s_h^i),   level_h = P( p(X) > p(x_{T+h}) ),  X from that distribution

    The density is that of K sampled futures with the model's own emission at their last step: no kernel, no
    bandwidth. Regions are those of highest density, of any shape. Each draw is compared with
    the truth under the others; where r of K draws are likelier, the level is (r + 1/2) / (K + 1).

    Args:
        observe: rows known.
        horizon: rows to forecast.
        samples: sampled futures a window, K.
        seed: of all noise.
        temperature: of the futures and of the density at their last step, see `forecast`.

    Raises:
        DataError: no track has `observe` + `horizon` consecutive complete rows.
        ConfigError: sizes that make no sense.
        UnsupportedError: a supervised model; a temperature other than 1 with an emission whose draws are not reparameterised.

    Source: Hyndman 1996, "Computing and graphing highest density regions", for the regions; the level is the
    probability integral transform of the density (Gneiting, Balabdaoui & Raftery 2007 on calibration).

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
    check_seed(seed)
    if observe < 2 or horizon < 1 or samples < 2:
        raise ConfigError(
            expected=(
                Setting("observe"),
                " and ",
                Setting("samples"),
                " of at least 2 and ",
                Setting("horizon"),
                " of at least 1",
            ),
            found=f"{observe}, {samples}, {horizon}",
        )
    model = resolve_model(model)
    if model.network.supervised:
        raise UnsupportedError(
            "reliability is of forecasts of x; a supervised model predicts y: see vrnn.score"
        )
    cut = windows(model.as_tracks(tracks), observe + horizon)
    u = np.stack(cut.u)[:, observe:] if cut.u_dim else None
    levels, nll = [], []
    for f in futures(
        model, cut.cut(stop=observe), horizon, samples, seed, u, keep=True, temperature=temperature
    ):
        found = compare(f, cut[f.rows], observe)
        levels.append(found[0].cpu().double().numpy())
        nll.append(found[1].cpu().double().numpy())
    return Reliability(np.concatenate(levels), np.concatenate(nll), model.preprocessor.step)


def compare(
    f: Futures, cut: Tracks, observe: int
) -> tuple[Float[Tensor, "batch horizon"], Float[Tensor, "batch horizon"]]:
    """Give the level and minus the log-density of every step of a chunk's truth."""
    assert f.emissions is not None
    whole, rows = whole_rows(f, cut, observe)
    rest = whole.after(rows)
    count, size = f.drawn.shape[:2]
    own = torch.eye(count, dtype=torch.bool, device=f.drawn.device)[..., None]
    before, passed = f.belief.pending, torch.zeros_like(rest.x[:, 0])
    levels, nll = [], []
    for t, emission in enumerate(f.emissions):
        drawn, truth = f.drawn[:, :, t], rest.x[:, t]
        place = drawn + before  # of every sample, and of the truth, since the last observed row
        against = torch.cat([place, (truth + passed)[None]])
        density = torch.cat(
            [
                emission.log_prob(part[:, None] - before)
                for part in against.split(max(1, PAIRS // (count * size * f.drawn.shape[-1])))
            ]
        )
        ranked = rank_draws(density, own)
        likelier = count - ranked.less - ranked.ties
        levels.append((likelier.double() + 0.5 * (ranked.ties + 1)) / (count + 1))
        true = density[-1].logsumexp(0) - math.log(count)
        nll.append(-true - rest.log_jacobian.sum(-1))
        before = torch.where(rest.is_increment, place, 0.0)
        passed = torch.where(rest.is_increment, truth + passed, 0.0)
    return torch.stack(levels, -1), torch.stack(nll, -1)
