"""What a test of forecasts asks, and the scores that it gives, window by window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vrnn.data.position_space import PositionSpace
from vrnn.metrics.clusters import cluster_paths
from vrnn.metrics.displacement import average_displacement, best_of, final_displacement
from vrnn.metrics.scores import energy_score
from vrnn.tasks.evaluation import ForecastScores, Selection
from vrnn.tasks.sampling import SamplingConfig


@dataclass(frozen=True)
class ForecastTest:
    """What is forecast and how its best futures are chosen; see `evaluate` for each setting."""

    observe: int
    horizon: int
    selection: Selection
    samples_per_cluster: int

    @property
    def rows(self) -> int:
        """Rows of a window."""
        return self.observe + self.horizon

    def drawn(self, sampling: SamplingConfig) -> SamplingConfig:
        """Return the sampling of all futures, of which there are more for clusters."""
        if self.selection != "clusters":
            return sampling
        return replace(sampling, samples=sampling.samples * self.samples_per_cluster)

    def candidates(
        self, paths: Float[np.ndarray, "sample batch horizon position"], sampling: SamplingConfig
    ) -> Float[np.ndarray, "k batch horizon position"]:
        """Return the K futures of minADE and minFDE, out of all that were drawn."""
        if self.selection == "clusters":
            return cluster_paths(paths, sampling.samples, seed=sampling.seed)[0]
        return paths[: sampling.samples]


class WindowScores(NamedTuple):
    """The scores of forecasts of some windows, each (window,); see `ForecastScores`."""

    ade: Float[np.ndarray, " window"]
    fde: Float[np.ndarray, " window"]
    min_ade: Float[np.ndarray, " window"]
    min_fde: Float[np.ndarray, " window"]
    nll: Float[np.ndarray, " window"]
    energy_score: Float[np.ndarray, " window"]

    def means(self) -> ForecastScores:
        """Return the means over windows."""
        return ForecastScores(*(float(values.mean()) for values in self))


def concatenate(parts: Sequence[WindowScores]) -> WindowScores:
    """Return the scores of several chunks of windows as one, in order."""
    return WindowScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def score_paths(
    paths: Float[np.ndarray, "sample batch horizon position"],
    candidates: Float[np.ndarray, "k batch horizon position"],
    truth: Float[np.ndarray, "batch horizon position"],
    nll: Float[np.ndarray, " batch"],
    space: PositionSpace,
    sampling: SamplingConfig,
) -> WindowScores:
    """Return the scores of sampled futures.

    Args:
        paths: all samples, in data units. The energy score takes the first K, or one path as it is.
        candidates: the K futures of minADE and minFDE.
        truth: what happened.
        nll: negative log-density of the truth per step; NaN where there is none.
        space: the space of the positions.
        sampling: K, and whether samples are quasi-random.
    """
    mean, plain = paths.mean(0), paths[: sampling.samples]
    return WindowScores(
        average_displacement(mean, truth, space.distance),
        final_displacement(mean, truth, space.distance),
        *best_of(candidates, truth, space.distance),
        nll,
        energy_score(
            space.embed(plain), space.embed(truth), fair=len(plain) > 1 and not sampling.qmc
        ),
    )
